/* SHA-256, HMAC, hexadecimal, base64, random: thin over OpenSSL (EVP). FIPS 180-4, RFC 2104, RFC
 * 4648. */
#ifndef TENKEN_BASE_DIGEST_H
#define TENKEN_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

#define SHA256_BYTES 32
#define SHA256_HEX 65 /* with NUL */

/* SHA-256 of n bytes. ERR_CRYPTO. */
int sha256(const void *data, size_t n, uint8_t out[SHA256_BYTES], struct err *e) MUST_USE;
int sha256_hex(const void *data, size_t n, char out[SHA256_HEX], struct err *e) MUST_USE;
/* Incremental form, for digests over many parts; each part is preceded by its length (8 bytes big
 * endian). */
struct digest;
int digest_new(struct digest **ret, struct err *e) MUST_USE;
int digest_part(struct digest *d, const void *data, size_t n, struct err *e) MUST_USE;
int digest_finish(struct digest *d, char out[SHA256_HEX],
                  struct err *e) MUST_USE; /* d is still to be freed */
void digest_free(struct digest *d);
static inline void cleanup_digest(struct digest **d)
{
    digest_free(*d);
}
int hmac_sha256_hex(const void *key, size_t key_n, const void *data, size_t n, char out[SHA256_HEX],
                    struct err *e) MUST_USE;
void hex_encode(const void *data, size_t n, char *out); /* 2n+1 bytes, lower case */
bool hex_is(const char *text, size_t n_digits);         /* exactly n lower-case digits */
int random_bytes(void *out, size_t n, struct err *e) MUST_USE;
int random_uuid(char out[37], struct err *e) MUST_USE; /* version 4 */
/* Standard alphabet, padded. */
void base64_encode(const void *data, size_t n, struct str *out);
/* Standard or URL-safe alphabet, padded or not, no white space. ERR_MALFORMED. Appends to *out. */
int base64_decode(const char *text, size_t n, struct str *out, struct err *e) MUST_USE;

#endif
