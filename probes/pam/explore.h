/* Every way in through one list of handlers: the smallest sets of factors and conditions under
 * which libpam ends in success. All outcomes are followed; states of the dispatcher that are alike
 * are merged, so that the work grows with the states and not with 2^n. Pure. */
#ifndef TENKEN_PROBES_PAM_EXPLORE_H
#define TENKEN_PROBES_PAM_EXPLORE_H

#include "probes/pam/dispatch.h"
#include "probes/pam/modules.h"

#define PAM_WORK_MAX 20000000U /* comparisons and steps for one list; more is "not known" */

struct pam_choices {
    struct pam_outcome items[PAM_OUTCOMES_MAX];
    size_t n;
};

/* One handler of a way in and how it answered, towards the beginning. */
struct pam_trail {
    uint32_t previous; /* index + 1, 0 = the beginning */
    uint32_t handler;
    int code;
};

struct pam_way {
    uint64_t factors, yes, no;
    uint32_t trail; /* index + 1 */
};

struct pam_ways {
    struct pam_way *items;
    size_t n, cap;
    struct pam_trail *trails;
    size_t n_trails, cap_trails;
    size_t work;
    bool bounded;
};
void pam_ways_done(struct pam_ways *w);
static inline void cleanup_pam_ways(struct pam_ways *w)
{
    pam_ways_done(w);
}

/* choices[i]: what handler i can answer. *ret: no way contains another. ERR_NOMEM. */
int pam_explore(const struct pam_handler *const *list, size_t n, const struct pam_choices *choices,
                struct pam_ways *ret, struct err *e) MUST_USE;

#endif
