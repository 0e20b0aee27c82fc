/* Runs the groups of a plan in confined children and fills in their tables: the parent's poll loop,
 * its deadlines, and what each way of ending means for the tables. */
#ifndef TENKEN_SCAN_SUPERVISE_H
#define TENKEN_SCAN_SUPERVISE_H

#include "agent/scan/launcher.h"
#include "agent/scan/plan.h"

struct child_watch {
    bool active, eof, ended;
    size_t group;
    uint32_t id;
    int pipe_fd;
    struct probe_run **runs; /* those of the group that this child was given; owned */
    size_t n_runs;
    struct receiver rx;
    struct child_report report;
    int seen_current; /* what rx said after the last bytes: a change starts the clock anew */
    enum probe_phase seen_phase;
    int64_t since_us;
    enum fact_state kill_state; /* why we killed it, STATE_NOT_RUN if we did not */
    char kill_reason[FACT_REASON_MAX];
};

struct supervisor {
    struct launcher *l;
    const struct scan_request *rq;
    struct plan *plan;
    struct child_watch children[PLAN_CHILDREN_MAX];
    int64_t start_us, stop_us, end_us; /* kill all at stop, be back at end */
    unsigned wall_limit_ms;
    int64_t children_cpu_us;
    bool stopped, launcher_gone;
};

/* Runs everything; every run of the plan has ended afterwards and every wanted table has a state.
 * sv: l, rq, plan set, the rest zero. ERR_* only if nothing could be started. */
int supervise(struct supervisor *sv, struct err *e) MUST_USE;

#endif
