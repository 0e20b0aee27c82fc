/* Which probes run for the wanted tables, and which of them share a child. */
#ifndef TENKEN_SCAN_PLAN_H
#define TENKEN_SCAN_PLAN_H

#include "agent/scan/receiver.h"

#define PLAN_CHILDREN_MAX 8U /* at a time; further groups wait */

/* Probes of equal privilege: same capabilities, network, device need and system calls. */
struct plan_group {
    struct probe_run **runs; /* borrowed from the plan, in list order */
    size_t n_runs;
};

struct plan {
    struct probe_run *runs; /* one per probe that has a wanted table, in list order */
    size_t n_runs;
    struct plan_group *groups;
    size_t n_groups;
};

/* probes: the launcher's list. Adds to *facts every table of the probes that run, wanted or not.
 * ERR_INTERNAL for a wanted table that no probe fills; ERR_NOMEM. */
int plan_make(const struct probe *const *probes, size_t n_probes, const char *const *tables,
              size_t n_tables, struct facts *facts, struct plan *ret, struct err *e) MUST_USE;
void plan_done(struct plan *p);
static inline void cleanup_plan(struct plan *p)
{
    plan_done(p);
}
/* True if the two may share a child. */
bool plan_same_privilege(const struct probe *a, const struct probe *b);

#endif
