/* What the parent hands over of one declared endpoint: one text of seven fields, tab between them:
 *   name, host, addresses (numeric, blank between; or "!why" where it must not or cannot be
 *   contacted), port, sni, starttls, trust ("" = the system's; "!why" = not readable; else PEM) */
#ifndef TENKEN_PROBES_TLS_TARGET_H
#define TENKEN_PROBES_TLS_TARGET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/base/str.h"
#include "probes/tls/starttls.h"

#define TARGET_ADDRESSES_MAX 8U

struct target {
    char *text; /* the fields below point into it */
    const char *name, *host, *sni, *trust;
    const char *blocked; /* why it is not contacted; NULL = it is */
    uint16_t port;
    enum starttls starttls;
    struct sockaddr_storage addresses[TARGET_ADDRESSES_MAX];
    socklen_t address_n[TARGET_ADDRESSES_MAX];
    size_t n_addresses;
};

/* ERR_MALFORMED if the text is no such line; ERR_NOMEM. */
int target_parse(const char *text, struct target *ret, struct err *e) MUST_USE;
void target_done(struct target *t);
/* The name that is sent as SNI and that a certificate must bear: sni, else host. */
const char *target_name(const struct target *t);
/* True if that name is an address: then none is sent (RFC 6066 3). */
bool target_is_address(const struct target *t);
/* The i-th address with its port as text. */
void target_address_text(const struct target *t, size_t i, char *buf, size_t n);

#endif
