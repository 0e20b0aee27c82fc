/* The chains of one host in the order in which they followed one another: by their links (a renewed
 * chain names the one before it), never by the clock as long as the links say it. */
#ifndef TENKEN_COLLECTOR_CHAINS_H
#define TENKEN_COLLECTOR_CHAINS_H

#include "server-stub/store.h"

struct chain_item {
    char *contract, *framework; /* owned */
    char chain[CHAIN_HEX], previous_chain[CHAIN_HEX];
    int64_t first_time_s, max_sequence, n_numbers, n_evidence;
    unsigned flags;
    unsigned depth;  /* links before it */
    bool is_current; /* the last one of its contract and framework */
};
struct chain_items {
    struct chain_item *items; /* by contract, framework, then order in time */
    size_t n;
};
/* contract "" = all; framework NULL = all. */
int chains_load(struct store *s, const char *keyid, const char *contract, const char *framework,
                struct chain_items *ret, struct err *e) MUST_USE;
void chain_items_done(struct chain_items *c);
static inline void cleanup_chain_items(struct chain_items *c)
{
    chain_items_done(c);
}
/* Flags of all its evidences, except that gap means: numbers are missing now. */
unsigned chain_flags(const struct chain_item *c);
/* Sorts and fills depth and is_current. For tests. */
void chains_order(struct chain_items *c);

#endif
