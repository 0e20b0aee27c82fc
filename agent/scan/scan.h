/* One inspection: a launcher forked before anything is loaded, confined children that run probes,
 * rows over pipes, facts. design.md 3 and 6; style.md (b). Knows probes and base; no SQL, no site,
 * no keys. */
#ifndef TENKEN_SCAN_SCAN_H
#define TENKEN_SCAN_SCAN_H

#include "agent/base/facts.h"
#include "agent/base/host.h"
#include "probes/probe.h"

struct launcher;

/* Forks the launcher. To be called first in main, with nothing secret in memory and one thread.
 * ERR_IO, ERR_NOMEM. */
int launcher_start(struct launcher **ret, struct err *e) MUST_USE;
/* Ends the launcher (and what it still runs) and waits for it. NULL ok. */
void launcher_stop(struct launcher *l);
static inline void cleanup_launcher(struct launcher **l)
{
    launcher_stop(*l);
}

struct scan_request {
    const struct host *host;
    const char *const
        *tables; /* wanted fact tables, n_tables of them (unknown names: ERR_INTERNAL) */
    size_t n_tables;
    const struct probe_input
        *inputs; /* all inputs; each child gets only the kinds its declaration names */
    size_t n_inputs;
    bool require_landlock;  /* settings.require: [landlock]: without it a child's tables are
                               unconfined */
    unsigned wall_limit_ms; /* 0 = default 10 000; the scan ends by then whatever children do */
};

/* The layers that held, per probe: "uid","caps","nnp","landlock","seccomp". Missing privilege (not
 * root) leaves out uid and caps. */
struct probe_layers {
    const char *probe;
    const char *layers[8];
    size_t n_layers;
};

struct scan_result {
    struct facts facts; /* one table per wanted table and per other table of the probes that ran
                           (wanted=false, NOT_RUN) */
    struct probe_layers *layers;
    size_t n_layers;
    int64_t wall_us, cpu_us; /* cpu: parent + launcher + children so far */
};

/* Runs the probes behind the wanted tables. Gives 0 even if probes fail: their tables' states say
 * so. ERR_* only when nothing could be run at all. */
int scan_run(struct launcher *l, const struct scan_request *rq, struct scan_result *ret,
             struct err *e) MUST_USE;
void scan_result_done(struct scan_result *r);
static inline void cleanup_scan_result(struct scan_result *r)
{
    scan_result_done(r);
}

/* For `tenken doctor --sandbox`: per probe its paths, capabilities, system calls, network, and the
 * layers that hold here. */
int sandbox_describe(struct launcher *l, const struct host *h, bool as_json, struct str *out,
                     struct err *e) MUST_USE;

#endif
