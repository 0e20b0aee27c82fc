/* passwd, group, shadow: whatever the bytes, every row stays inside them and inside the limits, and
 * no line is lost: rows and bad lines never outnumber the lines. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/system/passwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    const char *from, *to;
    size_t rows;
};

static void inside(const struct seen *s, struct span text, size_t max)
{
    if (text.n > max || (text.n > 0 && (text.p < s->from || text.p + text.n > s->to))) {
        abort();
    }
}

static void user(const struct passwd_row *u, void *arg)
{
    struct seen *s = arg;

    s->rows++;
    inside(s, u->name, ACCOUNT_NAME_MAX);
    inside(s, u->gecos, ACCOUNT_FIELD_MAX);
    inside(s, u->home, ACCOUNT_FIELD_MAX);
    inside(s, u->shell, ACCOUNT_FIELD_MAX);
    if (u->uid < 0 || u->uid > UINT32_MAX || u->gid < 0 || u->gid > UINT32_MAX) {
        abort();
    }
}

static void group(const struct group_row *g, void *arg)
{
    struct seen *s = arg;
    struct span rest = g->members;
    struct span member;

    s->rows++;
    inside(s, g->name, ACCOUNT_NAME_MAX);
    while (group_next_member(&rest, &member)) {
        inside(s, member, ACCOUNT_NAME_MAX);
    }
}

static void shadow(const struct shadow_row *x, void *arg)
{
    struct seen *s = arg;

    s->rows++;
    inside(s, x->name, ACCOUNT_NAME_MAX);
    if (strnlen(x->hash_alg, HASH_ALG_MAX) == HASH_ALG_MAX || x->max < -1 ||
        (x->status != PASSWORD_ACTIVE && x->hash_alg[0] != '\0')) {
        abort();
    }
}

static void balance(const struct seen *s, const struct parse_report *r)
{
    if (s->rows + r->bad > r->lines || (r->bad == 0) != (r->first_bad == 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct seen s = {.from = bytes, .to = bytes + size, .rows = 0};
    struct parse_report r;

    passwd_parse(bytes, size, user, &s, &r);
    balance(&s, &r);
    s.rows = 0;
    group_parse(bytes, size, group, &s, &r);
    balance(&s, &r);
    s.rows = 0;
    shadow_parse(bytes, size, shadow, &s, &r);
    balance(&s, &r);
    return 0;
}
