/* Our own ClientHello, from SSLv2 to TLS 1.3: what the local library refuses to say must be said
 * here, or its refusal would look like the server's. RFC 8446 4.1.2, RFC 5246 7.4.1.2, RFC 6101,
 * draft-hickman-netscape-ssl-00. */
#ifndef TENKEN_PROBES_TLS_HELLO_H
#define TENKEN_PROBES_TLS_HELLO_H

#include "agent/base/str.h"
#include "probes/tls/names.h"

#define HELLO_MAX 4096U
#define HELLO_SUITES_MAX 100U /* above 128 some servers break; SSLv3 must stay below 256 bytes */
#define HELLO_GROUPS_MAX 32U

/* Which signatures are asked for in TLS 1.2 and 1.3; chooses the certificate in 1.3. */
enum hello_sigs { SIGS_ALL, SIGS_RSA, SIGS_ECDSA, SIGS_EDDSA };

struct hello {
    uint16_t version;
    uint16_t suites[HELLO_SUITES_MAX];
    size_t n_suites;
    uint16_t groups[HELLO_GROUPS_MAX];
    size_t n_groups;
    enum hello_sigs sigs;
    bool with_name; /* SSLv3 with the server's name, which is no part of that version */
    /* TLS 1.3 key share; n_share 0 = none, and the server has to name suite and group itself */
    uint16_t share_group;
    uint8_t share[160];
    size_t n_share;
};

/* Bytes that the hello takes, the record header not counted. sni: "" = none. */
size_t hello_size(const struct hello *h, const char *sni);
/* Appends the whole record to *out. A hello of 256 to 511 bytes makes some load balancers hang
 * (RFC 7685): from TLS 1.0 on such a one is padded to 512. random: 64 bytes (random, session id).
 */
void hello_build(const struct hello *h, const char *sni, const uint8_t *random, struct str *out);

#endif
