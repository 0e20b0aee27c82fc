/* The parent's side of a result pipe. What comes out of a child is hostile until each frame, row
 * and cell was checked against the declarations: a broken child can lie about its own tables, and
 * about nothing else. */
#ifndef TENKEN_SCAN_RECEIVER_H
#define TENKEN_SCAN_RECEIVER_H

#include "agent/base/facts.h"
#include "agent/base/str.h"
#include "agent/scan/wire.h"
#include "probes/probe.h"

#define RUN_TABLES_MAX 64U  /* tables of one probe: the wanted ones are a mask of 64 bits */
#define RUN_ROWS_MAX 65536U /* rows per table where the probe names no limit */

enum run_stage { RUN_WAITING, RUN_RUNNING, RUN_PAUSED, RUN_ENDED };

/* One probe in one scan. tables[i] belongs to p->tables[i]; those with wanted = false take no
 * rows. */
struct probe_run {
    const struct probe *p;
    unsigned index; /* in the launcher's list */
    struct fact_table **tables;
    size_t n_tables;
    enum run_stage stage;
    unsigned layers; /* enum layer bits of the child it ran in */
    int64_t cpu_us, wall_us;
    int64_t spent_us; /* wall time of phases that are over, by the parent's clock */
};

/* p->max_rows, or RUN_ROWS_MAX. */
size_t probe_max_rows(const struct probe *p);
/* State of every wanted table of the run, where it is graver than what stands; ends the run. */
void run_fail(struct probe_run *run, enum fact_state state, const char *reason);
/* Takes back rows and states: the probe will run again in another child. */
void run_reset(struct probe_run *run);

struct receiver {
    struct probe_run *const *runs; /* the child's probes in its order, borrowed */
    size_t n_runs;
    int current; /* index of the run that RUN_RUNNING, or -1 */
    enum probe_phase phase;
    bool confined;                    /* the layers frame came */
    bool done;                        /* the done frame came */
    char unconfined[FACT_REASON_MAX]; /* reason of an unconfined frame, "" if none */
    struct str buf;                   /* bytes of a frame that is not whole yet */
    size_t total;
};

/* Ready for the first bytes of one child that runs these probes; runs stay the caller's. */
void receiver_init(struct receiver *rx, struct probe_run *const *runs, size_t n_runs);
void receiver_done(struct receiver *rx);
/* Takes n bytes from the pipe. ERR_MALFORMED for anything that breaks the format or the order of
 * frames; ERR_LIMIT above a ceiling of wire.h or of rows; ERR_NOMEM. After an error the child is to
 * be killed and nothing more fed. */
int receiver_feed(struct receiver *rx, const void *bytes, size_t n, struct err *e) MUST_USE;
/* The run to blame for what went wrong: the one that runs, else the first that has not ended; NULL
 * if all have. */
struct probe_run *receiver_blame(const struct receiver *rx);

#endif
