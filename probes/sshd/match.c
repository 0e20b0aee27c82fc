/* What Match compares, and file name patterns: as OpenSSH's match.c, addrmatch.c, bsd-glob.c. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "probes/sshd/parts.h"

#define PATTERN_MAX 1024U /* a longer item of a list never matches, nor does the list */

/* One star is remembered at a time: no input takes more than length times length steps. */
bool sshd_pattern(const char *text, const char *pattern)
{
    const char *star = NULL, *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || (*pattern == *text && *pattern != '\0')) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

int sshd_pattern_list(const char *text, const char *list, bool fold)
{
    char item[PATTERN_MAX];
    bool matched = false;
    while (*list != '\0') {
        bool negated = *list == '!';
        list += negated ? 1 : 0;
        size_t n = strcspn(list, ",");
        if (n >= sizeof(item) - 1) {
            return 0;
        }
        for (size_t i = 0; i < n; i++) {
            item[i] = fold ? (char)tolower((unsigned char)list[i]) : list[i];
        }
        item[n] = '\0';
        list += n + (list[n] == ',' ? 1U : 0U);
        if (sshd_pattern(text, item)) {
            if (negated) {
                return -1;
            }
            matched = true;
        }
    }
    return matched ? 1 : 0;
}

/* 4 or 16 bytes; 0: no numeric address. IPv4 in all forms of inet_aton(3), as getaddrinfo(3). */
static size_t take_address(const char *text, uint8_t ret[16])
{
    struct in_addr four;
    if (inet_pton(AF_INET6, text, ret) == 1) {
        return 16;
    }
    if (text[strcspn(text, " \t\r\n")] == '\0' && inet_aton(text, &four) != 0) {
        memcpy(ret, &four, 4);
        return 4;
    }
    return 0;
}

/* Length of the address; 0: no CIDR; -2 (as sshd): bits beyond the mask, mask too long. */
static int take_cidr(const char *item, uint8_t first[16], unsigned *ret_mask)
{
    char text[64];
    unsigned long mask = 0;
    size_t n = strlen(item);
    if (n >= sizeof(text)) {
        return 0;
    }
    memcpy(text, item, n + 1);
    char *slash = strchr(text, '/'), *end = NULL;
    if (slash != NULL) {
        *slash++ = '\0';
        mask = strtoul(slash, &end, 10);
        if (!isdigit((unsigned char)*slash) || *end != '\0' || mask > 128) {
            return 0;
        }
    }
    n = take_address(text, first);
    if (n == 0) {
        return 0;
    }
    mask = slash == NULL ? n * 8 : mask;
    if (mask > n * 8) {
        return -2;
    }
    for (size_t bit = mask; bit < n * 8; bit++) {
        if ((first[bit / 8] & (0x80U >> (bit % 8))) != 0) {
            return -2;
        }
    }
    *ret_mask = (unsigned)mask;
    return (int)n;
}

bool sshd_cidr(const char *item, uint8_t first[16], uint8_t last[16], size_t *ret_n)
{
    unsigned mask = 0;
    int n = take_cidr(item, first, &mask);
    if (n <= 0) {
        return false;
    }
    memcpy(last, first, (size_t)n);
    for (unsigned bit = mask; bit < (unsigned)n * 8; bit++) {
        last[bit / 8] = (uint8_t)(last[bit / 8] | (1U << (7 - bit % 8)));
    }
    *ret_n = (size_t)n;
    return true;
}

static bool in_range(const uint8_t *a, const uint8_t *first, const uint8_t *last, size_t n)
{
    return memcmp(a, first, n) >= 0 && memcmp(a, last, n) <= 0;
}

int sshd_address_list(const char *address, const char *list)
{
    uint8_t own[16] = {0};
    size_t own_n = address == NULL ? 0 : take_address(address, own);
    CLEANUP(free) char *copy = strdup(list);
    int answer = 0;
    if (copy == NULL || (address != NULL && own_n == 0)) {
        return 0;
    }
    char *rest = copy;
    for (char *item = NULL; (item = strsep(&rest, ",")) != NULL;) {
        bool negated = *item == '!';
        item += negated ? 1 : 0;
        uint8_t first[16], last[16];
        unsigned mask = 0;
        size_t n = 0;
        if (*item == '\0' || take_cidr(item, first, &mask) == -2) {
            return -2;
        }
        bool is_cidr = sshd_cidr(item, first, last, &n);
        bool hit = address != NULL && (is_cidr ? n == own_n && in_range(own, first, last, n)
                                               : sshd_pattern(address, item));
        if (hit && negated) {
            return -1;
        }
        answer = hit ? 1 : answer;
    }
    return answer;
}

int sshd_port(const char *text)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);
    return isdigit((unsigned char)*text) && *end == '\0' && port <= 65535 ? (int)port : -1;
}

/* A negated item of any group ends it. */
static bool holds_group(const char *list, const struct sshd_context *ctx)
{
    bool matched = false;
    for (size_t i = 0; i < ctx->n_groups; i++) {
        int r = sshd_pattern_list(ctx->groups[i], list, false);
        if (r < 0) {
            return false;
        }
        matched = matched || r > 0;
    }
    return matched;
}

static bool holds_host(const char *list, const char *host)
{
    CLEANUP(free) char *lower = host == NULL ? NULL : strdup(host);
    for (char *at = lower; at != NULL && *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return lower != NULL && sshd_pattern_list(lower, list, true) == 1;
}

bool sshd_criterion_holds(const struct sshd_criterion *c, const struct sshd_context *ctx)
{
    switch (c->attribute) {
    case SSHDA_USER:
        return ctx->user != NULL && sshd_pattern_list(ctx->user, c->pattern, false) == 1;
    case SSHDA_GROUP:
        return ctx->user != NULL && holds_group(c->pattern, ctx);
    case SSHDA_HOST:
        return holds_host(c->pattern, ctx->host);
    case SSHDA_ADDRESS:
        return ctx->address != NULL && sshd_address_list(ctx->address, c->pattern) == 1;
    case SSHDA_LADDRESS:
        return ctx->laddress != NULL && sshd_address_list(ctx->laddress, c->pattern) == 1;
    case SSHDA_LPORT:
        return ctx->lport == c->port;
    case SSHDA_RDOMAIN:
        return ctx->rdomain != NULL && sshd_pattern_list(ctx->rdomain, c->pattern, false) == 1;
    default:
        return false;
    }
}
