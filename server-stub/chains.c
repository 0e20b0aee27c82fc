/* Order of chains by their links. */
#include "server-stub/chains.h"

#include <stdio.h>
#include <string.h>

#define CHAINS_MAX 4096 /* of one host; more are an attack or a mistake of the host */

static int take_chain(void *arg, const struct chain_row *row, struct err *e)
{
    struct chain_items *list = arg;
    if (list->n >= CHAINS_MAX) {
        return err_set(e, ERR_LIMIT, "a host with more than %d chains", CHAINS_MAX);
    }
    struct chain_item *grown =
        realloc(list->items, (list->n + 1) * sizeof *grown); /* a handful per host */
    if (grown == NULL) {
        return err_nomem(e);
    }
    list->items = grown;
    struct chain_item *c = &grown[list->n];
    *c = (struct chain_item){.contract = strdup(row->contract),
                             .framework = strdup(row->framework),
                             .first_time_s = row->first_time_s,
                             .max_sequence = row->max_sequence,
                             .n_numbers = row->n_numbers,
                             .n_evidence = row->n_evidence,
                             .flags = row->flags};
    list->n++;
    if (c->contract == NULL || c->framework == NULL) {
        return err_nomem(e);
    }
    (void)snprintf(c->chain, sizeof c->chain, "%s", row->chain);
    (void)snprintf(c->previous_chain, sizeof c->previous_chain, "%s", row->previous_chain);
    return 0;
}

static bool same_subject(const struct chain_item *a, const struct chain_item *b)
{
    return strcmp(a->contract, b->contract) == 0 && strcmp(a->framework, b->framework) == 0;
}

static const struct chain_item *find_previous(const struct chain_items *c,
                                              const struct chain_item *of)
{
    for (size_t i = 0; of->previous_chain[0] != '\0' && i < c->n; i++) {
        if (same_subject(&c->items[i], of) && strcmp(c->items[i].chain, of->previous_chain) == 0) {
            return &c->items[i];
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct chain_item *x = a, *y = b;
    int by = strcmp(x->contract, y->contract);
    by = by != 0 ? by : strcmp(x->framework, y->framework);
    if (by == 0 && x->depth != y->depth) {
        by = x->depth < y->depth ? -1 : 1;
    }
    if (by == 0 && x->first_time_s != y->first_time_s) {
        by = x->first_time_s < y->first_time_s ? -1 : 1;
    }
    return by != 0 ? by : strcmp(x->chain, y->chain);
}

void chains_order(struct chain_items *c)
{
    for (size_t i = 0; i < c->n; i++) {
        unsigned depth = 0;
        /* bounded: a circle of links is a lie, but must not hang us */
        for (const struct chain_item *p = find_previous(c, &c->items[i]); p != NULL && depth < c->n;
             p = find_previous(c, p)) {
            depth++;
        }
        c->items[i].depth = depth;
    }
    if (c->n > 1) {
        qsort(c->items, c->n, sizeof *c->items, compare);
    }
    for (size_t i = 0; i < c->n; i++) {
        c->items[i].is_current = i + 1 == c->n || !same_subject(&c->items[i], &c->items[i + 1]);
    }
}

int chains_load(struct store *s, const char *keyid, const char *contract, const char *framework,
                struct chain_items *ret, struct err *e)
{
    CLEANUP(chain_items) struct chain_items list = {.n = 0};
    int rc = store_each_chain(s, keyid, contract, take_chain, &list, e);
    if (rc != 0) {
        return rc;
    }
    size_t kept = 0;
    for (size_t i = 0; i < list.n; i++) {
        if (framework == NULL || strcmp(list.items[i].framework, framework) == 0) {
            struct chain_item c = list.items[kept];
            list.items[kept++] = list.items[i];
            list.items[i] = c;
        }
    }
    for (size_t i = kept; i < list.n; i++) {
        free(list.items[i].contract);
        free(list.items[i].framework);
    }
    list.n = kept;
    chains_order(&list);
    *ret = list;
    list = (struct chain_items){.n = 0};
    return 0;
}

void chain_items_done(struct chain_items *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].contract);
        free(c->items[i].framework);
    }
    free(c->items);
    *c = (struct chain_items){.n = 0};
}

unsigned chain_flags(const struct chain_item *c)
{
    unsigned flags = c->flags & ~(unsigned)FLAG_GAP;
    return c->max_sequence != c->n_numbers ? flags | (unsigned)FLAG_GAP : flags;
}
