#include "agent/commands/endpoints.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include "agent/base/io.h"

#define CA_FILE_MAX ((size_t)128 << 10)
#define LINE_MAX_BYTES ((size_t)256 << 10)

struct declared {
    const char *name, *host, *sni, *starttls, *ca_file, *owner, *permission;
    int64_t port;
};

static const char *text_of(const struct fact_table *t, size_t row, const char *column)
{
    int c = table_column(t->decl, column);
    const struct cell *cell = c >= 0 ? &t->cells[row * t->decl->n_columns + (size_t)c] : NULL;
    return cell != NULL && cell->type == CELL_TEXT ? cell->v.t.p : "";
}

static int64_t port_of(const struct fact_table *t, size_t row)
{
    int c = table_column(t->decl, "port");
    const struct cell *cell = c >= 0 ? &t->cells[row * t->decl->n_columns + (size_t)c] : NULL;
    return cell != NULL && cell->type == CELL_INT ? cell->v.i : 0;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &v6) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return strcmp(host, "localhost") == 0;
}

/* Old hellos look like an attack: only the operator's own services, or those whose owner has given
 * leave. A service on this host's loopback is the operator's whatever the owner is called. */
static const char *why_not(const struct declared *d, const char *organisation)
{
    static const char *const own[] = {"自社", "self"};
    if (d->owner[0] == '\0') {
        return "!not-contacted: no owner declared";
    }
    bool is_own =
        is_loopback(d->host) || (organisation[0] != '\0' && strcmp(d->owner, organisation) == 0);
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        is_own = is_own || strcmp(d->owner, own[i]) == 0;
    }
    return is_own || d->permission[0] != '\0' ? NULL : "!not-contacted: no permission of its owner";
}

static void add_addresses(const char *host, struct str *line)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, NULL, &hints, &list) != 0) {
        str_add(line, "!unreachable: the name is not known here");
        return;
    }
    size_t before = line->len;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        char text[NI_MAXHOST];
        /* A zone ("%eth0") means nothing to the child, which has no link-local peers. */
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
                0 &&
            strchr(text, '%') == NULL) {
            str_addf(line, "%s%s", line->len > before ? " " : "", text);
        }
    }
    freeaddrinfo(list);
    if (line->len == before) {
        str_add(line, "!unreachable: no address");
    }
}

static void add_trust(const char *ca_file, struct str *line)
{
    CLEANUP(str) struct str pem = STR_INIT(CA_FILE_MAX);
    struct err e = {0};
    if (ca_file[0] == '\0') {
        return;
    }
    if (io_read_file(ca_file, CA_FILE_MAX, &pem, &e) < 0) {
        str_addf(line, "!ca-file: %s", err_word(e.code));
        return;
    }
    str_add(line, pem.len > 0 ? pem.data : "!ca-file: empty");
}

static int add_line(const struct declared *d, const char *organisation, bool live, struct strv *ret,
                    struct err *e)
{
    CLEANUP(str) struct str line = STR_INIT(LINE_MAX_BYTES);
    const char *not = why_not(d, organisation);
    str_addf(&line, "%s\t%s\t", d->name, d->host);
    if (not != NULL) {
        str_add(&line, not );
    } else if (!live) {
        str_add(&line, "!not_captured");
    } else {
        add_addresses(d->host, &line);
    }
    str_addf(&line, "\t%lld\t%s\t%s\t", (long long)d->port, d->sni, d->starttls);
    if (not == NULL && live) {
        add_trust(d->ca_file, &line);
    }
    int rc = str_error(&line, e);
    return rc == 0 ? strv_add(ret, str_text(&line), e) : rc;
}

int endpoints_lines(const struct site *s, bool live, struct strv *ret, struct err *e)
{
    CLEANUP(facts) struct facts f = {0};
    CLEANUP(strv) struct strv seen = {0};
    int rc = site_facts(s, "", &f, e);
    const struct fact_table *t = rc == 0 ? facts_find(&f, "site_tls_endpoints") : NULL;
    const struct fact_table *o = rc == 0 ? facts_find(&f, "site_organisation") : NULL;
    const char *organisation = o != NULL && o->n_rows > 0 ? text_of(o, 0, "name") : "";
    for (size_t i = 0; t != NULL && i < t->n_rows && rc == 0; i++) {
        struct declared d = {.name = text_of(t, i, "name"),
                             .host = text_of(t, i, "host"),
                             .sni = text_of(t, i, "sni"),
                             .starttls = text_of(t, i, "starttls"),
                             .ca_file = text_of(t, i, "ca_file"),
                             .owner = text_of(t, i, "owner"),
                             .permission = text_of(t, i, "permission"),
                             .port = port_of(t, i)};
        if (strv_has(&seen, d.name)) { /* the same for a further contract */
            continue;
        }
        rc = strv_add(&seen, d.name, e);
        rc = rc == 0 ? add_line(&d, organisation, live, ret, e) : rc;
    }
    return rc;
}
