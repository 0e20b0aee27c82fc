/* The talk before TLS, as declared: a small state per connection that is fed what the server says
 * and tells what to send next. Pure: no socket. RFC 3207, 9051, 2595, 4511, 4217, 6120; protocols
 * of PostgreSQL and MySQL. */
#ifndef TENKEN_PROBES_TLS_STARTTLS_H
#define TENKEN_PROBES_TLS_STARTTLS_H

#include "agent/base/str.h"

#define STARTTLS_TALK_MAX 16384U

enum starttls {
    ST_NONE,
    ST_SMTP,
    ST_IMAP,
    ST_POP3,
    ST_LDAP,
    ST_FTP,
    ST_POSTGRESQL,
    ST_MYSQL,
    ST_XMPP,
    N_STARTTLS
};

enum starttls_next {
    ST_WAIT,      /* read on */
    ST_SEND,      /* send what is in out, then go on */
    ST_READY,     /* now the ClientHello */
    ST_REFUSED,   /* the server offers no TLS here, in its protocol's own words */
    ST_NOT_SPOKEN /* it does not speak that protocol */
};

struct starttls_talk {
    enum starttls kind;
    unsigned step;
    struct str seen;
};

/* The word of the site file; N_STARTTLS if unknown. */
enum starttls starttls_parse(const char *word);
void starttls_init(struct starttls_talk *t, enum starttls kind);
void starttls_done(struct starttls_talk *t);
/* n = 0 at the start: some protocols let the client speak first. host: for XMPP's "to". out is
 * appended to where ST_SEND is given. */
enum starttls_next starttls_feed(struct starttls_talk *t, const void *bytes, size_t n,
                                 const char *host, struct str *out);

#endif
