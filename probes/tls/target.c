#include "probes/tls/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define N_FIELDS 7U

static bool add_address(struct target *t, const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (t->n_addresses == TARGET_ADDRESSES_MAX) {
        return true;
    }
    struct sockaddr_storage *to = &t->addresses[t->n_addresses];
    if (inet_pton(AF_INET, text, &v4) == 1) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(t->port), .sin_addr = v4};
        memcpy(to, &a, sizeof(a));
        t->address_n[t->n_addresses++] = sizeof(a);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6) == 1) {
        struct sockaddr_in6 a = {
            .sin6_family = AF_INET6, .sin6_port = htons(t->port), .sin6_addr = v6};
        memcpy(to, &a, sizeof(a));
        t->address_n[t->n_addresses++] = sizeof(a);
        return true;
    }
    return false;
}

static bool parse_fields(struct target *t, char *fields[N_FIELDS])
{
    t->name = fields[0];
    t->host = fields[1];
    unsigned long port = strtoul(fields[3], NULL, 10);
    t->port = (uint16_t)port;
    t->sni = fields[4];
    t->starttls = starttls_parse(fields[5]);
    t->trust = fields[6];
    if (port == 0 || port > 65535 || t->starttls == N_STARTTLS || t->name[0] == '\0') {
        return false;
    }
    if (fields[2][0] == '!') {
        t->blocked = fields[2] + 1;
        return true;
    }
    char *rest = fields[2];
    for (char *one = strsep(&rest, " "); one != NULL; one = strsep(&rest, " ")) {
        if (one[0] != '\0' && !add_address(t, one)) {
            return false;
        }
    }
    return t->n_addresses > 0;
}

int target_parse(const char *text, struct target *ret, struct err *e)
{
    struct target t = {.text = strdup(text)};
    if (t.text == NULL) {
        return err_nomem(e);
    }
    char *fields[N_FIELDS];
    size_t n = 0;
    char *rest = t.text;
    while (n + 1 < N_FIELDS && rest != NULL) {
        fields[n++] = strsep(&rest, "\t");
    }
    if (rest != NULL) {
        fields[n++] = rest; /* PEM may hold anything */
    }
    if (n != N_FIELDS || !parse_fields(&t, fields)) {
        free(t.text);
        return err_set(e, ERR_MALFORMED, "an endpoint's input line is not understood");
    }
    *ret = t;
    return 0;
}

void target_done(struct target *t)
{
    free(t->text);
    t->text = NULL;
}

const char *target_name(const struct target *t)
{
    return t->sni[0] != '\0' ? t->sni : t->host;
}

bool target_is_address(const struct target *t)
{
    struct in6_addr any;
    const char *name = target_name(t);
    return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

void target_address_text(const struct target *t, size_t i, char *buf, size_t n)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_storage *a = &t->addresses[i];
    if (a->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof(v4));
        (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
        (void)snprintf(buf, n, "%s:%u", text, t->port);
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
        (void)snprintf(buf, n, "[%s]:%u", text, t->port);
    }
}
