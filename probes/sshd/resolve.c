/* What holds for one connection: sshd goes over its configuration twice, first without, then with
 * the connection, and what the second pass sets wins. */
#include <stdlib.h>
#include <string.h>

#include "probes/sshd/parts.h"

struct scope {
    bool active;
    bool match_only; /* before the first Match of this file, in the second pass */
    bool never;      /* included from a block that does not hold: no Match here does */
};

struct slot {
    const struct sshd_op *first;
    struct strv values;
};

static int slot_take(struct slot *s, const struct sshd_op *op, struct err *e)
{
    bool adds = sshd_keyword_at(op->keyword, NULL)->kind == SSHDK_APPEND ||
                sshd_keyword_at(op->keyword, NULL)->kind == SSHDK_PORT;
    int r = 0;
    if (s->first != NULL && !adds) {
        return 0;
    }
    s->first = s->first == NULL ? op : s->first;
    for (size_t i = 0; i < op->values.n && r == 0; i++) {
        r = strv_add(&s->values, op->values.items[i], e);
    }
    return r;
}

/* sshd refuses "any" once a method is set, even on a line that does not apply: where that happens
 * in the second pass, it drops the connection. */
static int check_any(const struct sshd_conf *c, const struct sshd_op *op, const struct slot *s,
                     struct err *e)
{
    if (s->first == NULL || strcmp(op->values.items[0], "any") != 0 ||
        strcmp(sshd_keyword_at(op->keyword, NULL)->name, "authenticationmethods") != 0) {
        return 0;
    }
    return err_set(e, ERR_MALFORMED, "%s:%u: \"any\" must appear alone in AuthenticationMethods",
                   c->files.items[op->file], op->line);
}

static int one_pass(const struct sshd_conf *c, sshd_holds_fn *holds, const void *arg,
                    struct slot *slots, struct err *e)
{
    struct scope stack[SSHD_DEPTH_MAX + 2] = {
        {.active = holds == NULL, .match_only = holds != NULL}};
    size_t depth = 0;
    int r = 0;
    for (size_t i = 0; i < c->n && r == 0; i++) {
        const struct sshd_op *op = &c->ops[i];
        struct scope *s = &stack[depth];
        switch (op->kind) {
        case SSHDO_ENTER:
            stack[depth + 1] = (struct scope){.active = s->active,
                                              .match_only = s->match_only,
                                              .never = !s->match_only && !s->active};
            depth++;
            break;
        case SSHDO_LEAVE:
            depth--;
            break;
        case SSHDO_MATCH:
            s->active = !s->never && (op->n_criteria == 0 || (holds != NULL && holds(arg, op)));
            s->match_only = false;
            break;
        case SSHDO_SET:
        default:
            r = check_any(c, op, &slots[op->keyword], e);
            if (r == 0 && s->active &&
                (holds == NULL || sshd_keyword_at(op->keyword, NULL)->in_match)) {
                r = slot_take(&slots[op->keyword], op, e);
            }
            break;
        }
    }
    return r;
}

static int put_setting(const struct sshd_conf *c, size_t i, struct slot *s, struct sshd_config *ret,
                       struct err *e)
{
    const struct sshd_keyword *k = sshd_keyword_at(i, NULL);
    struct sshd_setting *set = &ret->items[ret->n];
    if (s->first == NULL && k->fallback == NULL) {
        return 0;
    }
    *set = (struct sshd_setting){.keyword = k->name};
    ret->n++;
    if (s->first == NULL) {
        return strv_add(&set->values, k->fallback, e);
    }
    set->values = s->values;
    s->values = (struct strv){0};
    set->file = c->files.items[s->first->file];
    set->line = s->first->line;
    return 0;
}

int sshd_resolve_with(const struct sshd_conf *c, sshd_holds_fn *holds, const void *arg,
                      struct sshd_config *ret, struct err *e)
{
    struct slot slots[2][SSHD_KEYWORDS_MAX] = {{{0}}};
    CLEANUP(sshd_config) struct sshd_config out = {.n = 0};
    size_t n = 0;
    (void)sshd_keyword_at(0, &n);
    int r = one_pass(c, NULL, NULL, slots[0], e);
    if (r == 0 && holds != NULL) {
        r = one_pass(c, holds, arg, slots[1], e);
    }
    for (size_t i = 0; i < n; i++) {
        struct slot *s = &slots[slots[1][i].first != NULL ? 1 : 0][i];
        r = r == 0 ? put_setting(c, i, s, &out, e) : r;
        strv_done(&slots[0][i].values);
        strv_done(&slots[1][i].values);
    }
    if (r == 0) {
        *ret = out;
        out.n = 0;
    }
    return r;
}

static bool op_holds(const void *arg, const struct sshd_op *op)
{
    const struct sshd_context *ctx = arg;
    bool holds = true;
    for (size_t i = 0; i < op->n_criteria && holds; i++) {
        holds = sshd_criterion_holds(&op->criteria[i], ctx);
    }
    return holds;
}

int sshd_conf_resolve(const struct sshd_conf *c, const struct sshd_context *ctx,
                      struct sshd_config *ret, struct err *e)
{
    return sshd_resolve_with(c, ctx == NULL ? NULL : op_holds, ctx, ret, e);
}

void sshd_config_done(struct sshd_config *c)
{
    for (size_t i = 0; i < c->n; i++) {
        strv_done(&c->items[i].values);
    }
    c->n = 0;
}

const char *sshd_config_get(const struct sshd_config *c, const char *keyword)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->items[i].keyword, keyword) == 0 && c->items[i].values.n > 0) {
            return c->items[i].values.items[0];
        }
    }
    return NULL;
}

bool sshd_config_equal(const struct sshd_config *a, const struct sshd_config *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; i < a->n && same; i++) {
        const struct strv *x = &a->items[i].values, *y = &b->items[i].values;
        same = strcmp(a->items[i].keyword, b->items[i].keyword) == 0 && x->n == y->n;
        for (size_t v = 0; v < x->n && same; v++) {
            same = strcmp(x->items[v], y->items[v]) == 0;
        }
    }
    return same;
}
