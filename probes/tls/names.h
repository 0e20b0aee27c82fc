/* Numbers and names of the TLS registries: cipher suites, groups, versions. Data and look-ups only.
 */
#ifndef TENKEN_PROBES_TLS_NAMES_H
#define TENKEN_PROBES_TLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_SSL2 0x0002
#define TLS_SSL3 0x0300
#define TLS_10 0x0301
#define TLS_11 0x0302
#define TLS_12 0x0303
#define TLS_13 0x0304
#define N_VERSIONS 6U

/* How a suite agrees on a key. A server may fail on a whole kind (no DH parameters), so lists never
 * mix kinds where a failure would hide the rest. */
enum suite_kind { KIND_ECDHE, KIND_DHE, KIND_RSA, KIND_OTHER, N_KINDS };
/* Whose key signs; AUTH_NONE: anonymous, PSK, and all that shows no certificate of these. */
enum suite_auth { AUTH_RSA, AUTH_ECDSA, AUTH_NONE };

struct suite {
    uint16_t code;
    const char *name;
    bool tls13;
};

/* The i-th version, oldest first, and its word ("TLS1.2"). i < N_VERSIONS. */
uint16_t version_code(size_t i);
const char *version_word(size_t i);

/* All suites in order of code; *ret_n of them. */
const struct suite *suite_all(size_t *ret_n);
/* NULL if the number is in no list. */
const struct suite *suite_find(uint16_t code);
enum suite_kind suite_kind(const struct suite *s);
enum suite_auth suite_auth(const struct suite *s);
/* The suites that most servers have at least one of: the first question. *ret_n of them. */
const uint16_t *suite_common(size_t *ret_n);

/* Name of an SSLv2 cipher kind (24 bits), NULL if unknown; and the i-th, 0 past the end. */
const char *ssl2_cipher_name(uint32_t code);
uint32_t ssl2_cipher_code(size_t i);

/* Groups offered in TLS 1.3, and in earlier versions; *ret_n of them. No ffdhe in the second list:
 * naming one there makes servers hide every other DH prime (RFC 7919). */
const uint16_t *group_list_13(size_t *ret_n);
const uint16_t *group_list_12(size_t *ret_n);
/* NULL if the number is in no list. */
const char *group_name(uint16_t code);

#endif
