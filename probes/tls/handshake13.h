/* As much of a real TLS 1.3 handshake as it takes to see the certificate of a server that speaks
 * nothing older. RFC 8446 7. Nothing is verified about the peer here, and nothing secret is sent.
 */
#ifndef TENKEN_PROBES_TLS_HANDSHAKE13_H
#define TENKEN_PROBES_TLS_HANDSHAKE13_H

#include "probes/tls/hello.h"
#include "probes/tls/reply.h"

struct secret13;

/* True if a key share of that group can be made here. */
bool secret13_can(uint16_t group);
/* Makes a key of the group and puts its share into *h. ERR_CRYPTO, ERR_NOMEM, ERR_UNSUPPORTED. */
int secret13_new(uint16_t group, struct hello *h, struct secret13 **ret, struct err *e) MUST_USE;
void secret13_free(struct secret13 *s);
/* The ClientHello record as it was sent: it belongs to the transcript. */
void secret13_sent(struct secret13 *s, const struct str *record);
/* Takes n more bytes of the server's; *a (WANT_CERTIFICATE) ends as reply_feed says. */
enum reply_state secret13_feed(struct secret13 *s, struct reply *a, const void *bytes, size_t n);

#endif
