/* The allow-list of peers, applied to the collector itself (design.md 6). */
#include "agent/upload/approval.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/upload/net.h"

static int parse_address(const char *text, uint8_t out[16])
{
    if (inet_pton(AF_INET, text, out) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

bool approval_in_prefix(const char *address, const char *prefix)
{
    uint8_t a[16] = {0};
    uint8_t p[16] = {0};
    char base[64];
    const char *slash = strchr(prefix, '/');
    size_t n = slash != NULL ? (size_t)(slash - prefix) : strlen(prefix);
    if (n >= sizeof(base)) {
        return false;
    }
    memcpy(base, prefix, n);
    base[n] = '\0';
    int a_n = parse_address(address, a);
    int p_n = parse_address(base, p);
    if (a_n == 0 || a_n != p_n) {
        return false;
    }
    unsigned long bits = (unsigned long)a_n * 8;
    if (slash != NULL) {
        char *end = NULL;
        unsigned long given = strtoul(slash + 1, &end, 10);
        if (slash[1] == '\0' || *end != '\0' || given > bits) {
            return false;
        }
        bits = given;
    }
    for (unsigned long i = 0; i < bits; i++) {
        unsigned mask = 0x80U >> (i % 8);
        if (((unsigned)a[i / 8] & mask) != ((unsigned)p[i / 8] & mask)) {
            return false;
        }
    }
    return true;
}

static bool isolates(const struct site *site, const struct policy *policy,
                     const char **ret_framework)
{
    for (size_t i = 0; i < site_n_contracts(site); i++) {
        const struct framework *f = policy_framework(policy, site_contract(site, i)->framework);
        /* A framework that the rules do not know might isolate: the careful answer. */
        if (f == NULL || f->isolates) {
            *ret_framework = site_contract(site, i)->framework;
            return true;
        }
    }
    return false;
}

static const char *text_at(const struct fact_table *t, size_t row, const char *column)
{
    int at = table_column(t->decl, column);
    const struct cell *c = at >= 0 ? &t->cells[row * t->decl->n_columns + (size_t)at] : NULL;
    return c != NULL && c->type == CELL_TEXT ? c->v.t.p : "";
}

static int64_t int_at(const struct fact_table *t, size_t row, const char *column)
{
    int at = table_column(t->decl, column);
    const struct cell *c = at >= 0 ? &t->cells[row * t->decl->n_columns + (size_t)at] : NULL;
    return c != NULL && c->type == CELL_INT ? c->v.i : 0;
}

static bool is_peer(const struct fact_table *peers, const char *address, unsigned port)
{
    for (size_t i = 0; i < peers->n_rows; i++) {
        const char *protocol = text_at(peers, i, "protocol");
        int64_t allowed = int_at(peers, i, "port");
        bool any_protocol = protocol[0] == '\0' || strcmp(protocol, "any") == 0;
        if ((any_protocol || strcmp(protocol, "tcp") == 0) &&
            (allowed == 0 || allowed == (int64_t)port) &&
            approval_in_prefix(address, text_at(peers, i, "prefix"))) {
            return true;
        }
    }
    return false;
}

static int find_approved(const struct fact_table *peers, const char *host, unsigned port,
                         struct str *ret, struct err *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code != 0) {
        return err_set(e, ERR_NETWORK, "collector %s: %s", host, gai_strerror(code));
    }
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ==
                0 &&
            is_peer(peers, text, port)) {
            str_add(ret, text);
            freeaddrinfo(list);
            return str_error(ret, e);
        }
    }
    freeaddrinfo(list);
    return ERR_ABSENT;
}

int approval_check(const struct site *site, const struct policy *policy, const char *url,
                   struct str *ret_address, struct err *e)
{
    const char *framework = NULL;
    CLEANUP(facts) struct facts facts = {0};
    CLEANUP(str) struct str host = STR_INIT(1024);
    unsigned port = 0;
    if (!isolates(site, policy, &framework)) {
        return 0;
    }
    int r = net_split_url(url, &host, &port, e);
    if (r == 0) {
        r = site_facts(site, "", &facts, e);
    }
    if (r < 0) {
        return r;
    }
    const struct fact_table *peers = facts_find(&facts, "site_peers");
    r = peers != NULL ? find_approved(peers, str_text(&host), port, ret_address, e) : ERR_ABSENT;
    if (r == ERR_ABSENT) {
        return err_set(
            e, ERR_DENIED,
            "%s keeps this host off other networks and the collector %s port %u is no approved "
            "peer: nothing was sent. "
            "Declare it under peers: once the authority has approved it, or use tenken export",
            framework, str_text(&host), port);
    }
    return r;
}
