/* What a server says to a ClientHello, from the bytes as they come: records of any cut, alerts,
 * ServerHello, Certificate, ServerKeyExchange. A pure parser with hard ceilings; it never sends.
 * RFC 8446 4 and 5, RFC 5246 6 and 7. */
#ifndef TENKEN_PROBES_TLS_REPLY_H
#define TENKEN_PROBES_TLS_REPLY_H

#include "agent/base/str.h"
#include "probes/tls/names.h"

#define REPLY_BYTES_MAX ((size_t)320 << 10) /* of one connection */
#define REPLY_RECORDS_MAX 512U              /* a flood of empty records ends here */
#define REPLY_CERTS_MAX ((size_t)256 << 10) /* one Certificate message */

/* How far to read: the rest of the handshake is of no interest, and an open connection blocks a
 * server that serves one at a time. */
enum reply_want { WANT_HELLO, WANT_CERTIFICATE, WANT_EXCHANGE, WANT_13 };

enum reply_state {
    REPLY_MORE,      /* needs further bytes */
    REPLY_DONE,      /* what was wanted is there */
    REPLY_ALERT,     /* fatal alert */
    REPLY_NOT_TLS,   /* bytes of another protocol */
    REPLY_MALFORMED, /* TLS that breaks its rules */
    REPLY_TOO_LONG   /* a ceiling was hit */
};

struct reply {
    enum reply_want want;
    enum reply_state state;
    struct str raw;      /* record being gathered */
    struct str messages; /* handshake stream */
    size_t used;         /* of messages */
    size_t bytes, records;
    uint8_t alert;    /* description */
    bool warned_name; /* warning unrecognized_name: another host answers */
    bool has_hello;
    bool retry;       /* HelloRetryRequest */
    uint16_t version; /* negotiated */
    uint16_t suite;
    uint16_t group;     /* of HelloRetryRequest, key share or ServerKeyExchange; 0 = none */
    uint8_t share[160]; /* the server's TLS 1.3 share */
    size_t n_share;
    unsigned dh_bits;       /* finite field: bits of the prime, 0 = none */
    uint8_t dh_head[16];    /* its first bytes */
    size_t cert_at, cert_n; /* the certificate_list in messages */
    uint32_t ssl2[16];      /* SSLv2 SERVER-HELLO: its cipher kinds */
    size_t n_ssl2;
};

/* Empty, waiting for what is wanted; reply_done frees. */
void reply_init(struct reply *a, enum reply_want want);
void reply_done(struct reply *a);
/* Takes n more bytes; ssl2: the question was an SSLv2 hello. Gives the new state, which is final
 * unless REPLY_MORE. */
enum reply_state reply_feed(struct reply *a, const void *bytes, size_t n, bool ssl2);
/* Takes bytes of the handshake stream directly, as decrypted by the TLS 1.3 side. */
enum reply_state reply_feed_messages(struct reply *a, const void *bytes, size_t n);
/* The i-th certificate (DER) of the list, borrowed; NULL past the end or where the list is broken.
 */
const uint8_t *reply_certificate(const struct reply *a, size_t i, size_t *ret_n);

#endif
