/* One function per protocol, or per kind of protocol where several talk alike. */
#include "probes/tls/starttls.h"

#include <string.h>

static const char *const words[N_STARTTLS] = {"none", "smtp",       "imap",  "pop3", "ldap",
                                              "ftp",  "postgresql", "mysql", "xmpp"};

/* LDAPMessage 1: extendedReq 1.3.6.1.4.1.1466.20037 (RFC 4511 4.14). */
static const char ldap_request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                                   "1.3.6.1.4.1.1466.20037";
/* SSLRequest: length 8, code 80877103. */
static const char postgres_request[] = "\x00\x00\x00\x08\x04\xd2\x16\x2f";
/* Packet 1: CLIENT_PROTOCOL_41 | CLIENT_SSL, 16 MiB, utf8, 23 zeros. */
static const char mysql_request[36] = "\x20\x00\x00\x01\x00\x0a\x00\x00\x00\x00\x00\x01\x21";

enum starttls starttls_parse(const char *word)
{
    for (unsigned i = 0; i < N_STARTTLS; i++) {
        if (strcmp(words[i], word) == 0) {
            return (enum starttls)i;
        }
    }
    return N_STARTTLS;
}

void starttls_init(struct starttls_talk *t, enum starttls kind)
{
    *t = (struct starttls_talk){.kind = kind, .step = 0};
    str_init(&t->seen, STARTTLS_TALK_MAX);
}

void starttls_done(struct starttls_talk *t)
{
    str_done(&t->seen);
}

/* The code of a whole reply of the SMTP and FTP kind ("250-a\r\n250 b\r\n"); 0 = not all there, -1
 * = no such reply. */
static int reply_code(const struct str *seen)
{
    const char *line = str_text(seen);
    for (;;) {
        const char *end = strchr(line, '\n');
        size_t n = end != NULL ? (size_t)(end - line) : strlen(line);
        for (size_t i = 0; i < 3 && i < n; i++) {
            if (line[i] < '0' || line[i] > '9') {
                return -1;
            }
        }
        if (end == NULL) {
            return 0;
        }
        if (n < 4 || line[3] != '-') {
            return n < 3 ? -1 : (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
        }
        line = end + 1;
        if (*line == '\0') {
            return 0;
        }
    }
}

static enum starttls_next send_text(struct starttls_talk *t, const char *text, struct str *out)
{
    str_add(out, text);
    str_clear(&t->seen);
    t->step++;
    return ST_SEND;
}

/* Banner, greeting if there is one, command, go. */
static enum starttls_next by_codes(struct starttls_talk *t, const char *greeting, int want_greeting,
                                   const char *command, int want, struct str *out)
{
    int code = reply_code(&t->seen);
    if (code <= 0) {
        return code == 0 ? ST_WAIT : ST_NOT_SPOKEN;
    }
    if (t->step == 0) {
        if (code != 220) {
            return ST_NOT_SPOKEN;
        }
        t->step += greeting == NULL ? 1U : 0U;
        return send_text(t, greeting != NULL ? greeting : command, out);
    }
    if (t->step == 1) {
        return code == want_greeting ? send_text(t, command, out) : ST_NOT_SPOKEN;
    }
    return code == want ? ST_READY : ST_REFUSED;
}

/* Banner "+OK" or "* OK", a command, its answer in the last line. */
static enum starttls_next by_lines(struct starttls_talk *t, const char *banner, const char *command,
                                   const char *tag, const char *good, struct str *out)
{
    const char *text = str_text(&t->seen);
    size_t n = t->seen.len < strlen(banner) ? t->seen.len : strlen(banner);
    if (t->step == 0) {
        if (strncmp(text, banner, n) != 0) {
            return ST_NOT_SPOKEN;
        }
        return strchr(text, '\n') != NULL ? send_text(t, command, out) : ST_WAIT;
    }
    for (const char *line = text; strchr(line, '\n') != NULL; line = strchr(line, '\n') + 1) {
        if (strncmp(line, tag, strlen(tag)) == 0) {
            return strncmp(line + strlen(tag), good, strlen(good)) == 0 ? ST_READY : ST_REFUSED;
        }
    }
    return ST_WAIT;
}

/* ExtendedResponse: 30 len 02 01 01 78 len 0a 01 RESULT ...; lengths in the short form or with one
 * or two more bytes. */
static enum starttls_next ldap(struct starttls_talk *t, struct str *out)
{
    if (t->step == 0) {
        str_add_bytes(out, ldap_request, sizeof(ldap_request) - 1);
        t->step = 1;
        return ST_SEND;
    }
    const unsigned char *p = (const unsigned char *)t->seen.data;
    size_t n = t->seen.len;
    if (n > 0 && p[0] != 0x30) {
        return ST_NOT_SPOKEN;
    }
    for (size_t i = 2; i + 2 < n && i < 16; i++) {
        if (p[i] == 0x0a && p[i + 1] == 1) {
            return p[i + 2] == 0 ? ST_READY : ST_REFUSED;
        }
    }
    return n >= 32 ? ST_NOT_SPOKEN : ST_WAIT;
}

static enum starttls_next postgres(struct starttls_talk *t, struct str *out)
{
    if (t->step == 0) {
        str_add_bytes(out, postgres_request, sizeof(postgres_request) - 1);
        t->step = 1;
        return ST_SEND;
    }
    if (t->seen.len == 0) {
        return ST_WAIT;
    }
    /* 'E': an error in words; anything else is no PostgreSQL. */
    char c = t->seen.data[0];
    return c == 'S' ? ST_READY : c == 'N' || c == 'E' ? ST_REFUSED : ST_NOT_SPOKEN;
}

/* Greeting: length (3), number 0, protocol 10, version text 0, id (4), salt (8), 0, capabilities
 * (2): bit 0x0800 is TLS. */
static enum starttls_next mysql(struct starttls_talk *t, struct str *out)
{
    const unsigned char *p = (const unsigned char *)t->seen.data;
    size_t n = t->seen.len;
    if (n < 5) {
        return ST_WAIT;
    }
    size_t whole = 4 + ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16);
    if (p[3] != 0 || p[4] != 10 || whole > STARTTLS_TALK_MAX) {
        return p[4] == 0xff ? ST_REFUSED : ST_NOT_SPOKEN;
    }
    if (n < whole) {
        return ST_WAIT;
    }
    const unsigned char *text_end = memchr(p + 5, 0, whole - 5);
    size_t at = text_end != NULL ? (size_t)(text_end - p) + 1 + 4 + 8 + 1 : whole;
    if (at + 2 > whole) {
        return ST_NOT_SPOKEN;
    }
    if ((p[at + 1] & 0x08U) == 0) {
        return ST_REFUSED;
    }
    if (t->step == 0) {
        str_add_bytes(out, mysql_request, sizeof(mysql_request));
        t->step = 1;
        return ST_SEND;
    }
    return ST_READY; /* the server says nothing to it: the hello follows at once */
}

static enum starttls_next xmpp(struct starttls_talk *t, const char *host, struct str *out)
{
    const char *text = str_text(&t->seen);
    if (t->step == 0) {
        str_addf(out,
                 "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream="
                 "'http://etherx.jabber.org/streams' to='%s' version='1.0'>",
                 host);
        t->step = 1;
        return ST_SEND;
    }
    if (t->seen.len > 0 && text[0] != '<') {
        return ST_NOT_SPOKEN;
    }
    if (t->step == 1) {
        const char *features = strstr(text, "<stream:features");
        const char *tag_end = features != NULL ? strchr(features, '>') : NULL;
        bool whole =
            strstr(text, "</stream:features>") != NULL || (tag_end != NULL && tag_end[-1] == '/');
        if (!whole) {
            return strstr(text, "<stream:error") != NULL ? ST_REFUSED : ST_WAIT;
        }
        return features != NULL && strstr(features, "urn:ietf:params:xml:ns:xmpp-tls") != NULL
                   ? send_text(t, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", out)
                   : ST_REFUSED;
    }
    if (strstr(text, "<proceed") != NULL && strchr(strstr(text, "<proceed"), '>') != NULL) {
        return ST_READY;
    }
    return strstr(text, "<failure") != NULL ? ST_REFUSED : ST_WAIT;
}

enum starttls_next starttls_feed(struct starttls_talk *t, const void *bytes, size_t n,
                                 const char *host, struct str *out)
{
    str_add_bytes(&t->seen, bytes, n);
    if (t->seen.error != 0) {
        return ST_NOT_SPOKEN; /* too long for any greeting */
    }
    switch (t->kind) {
    case ST_NONE:
        return ST_READY;
    case ST_SMTP:
        return by_codes(t, "EHLO tenken.invalid\r\n", 250, "STARTTLS\r\n", 220, out);
    case ST_FTP:
        return by_codes(t, NULL, 0, "AUTH TLS\r\n", 234, out);
    case ST_IMAP:
        return by_lines(t, "* OK", "a1 STARTTLS\r\n", "a1 ", "OK", out);
    case ST_POP3:
        return by_lines(t, "+OK", "STLS\r\n", "", "+OK", out);
    case ST_LDAP:
        return ldap(t, out);
    case ST_POSTGRESQL:
        return postgres(t, out);
    case ST_MYSQL:
        return mysql(t, out);
    case ST_XMPP:
        return xmpp(t, host, out);
    case N_STARTTLS:
    default:
        return ST_NOT_SPOKEN;
    }
}
