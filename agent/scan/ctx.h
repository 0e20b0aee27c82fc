/* What a running probe holds: where its rows and states go. In a child they become frames on the
 * result pipe; in a local run they go straight into facts. */
#ifndef TENKEN_SCAN_CTX_H
#define TENKEN_SCAN_CTX_H

#include "agent/base/facts.h"
#include "agent/base/host.h"
#include "agent/scan/wire.h"
#include "probes/probe.h"

#define CTX_TABLES_MAX 64U

struct ctx_table {
    size_t n_rows;
    enum fact_state state; /* STATE_NOT_RUN until something was said */
    char reason[FACT_REASON_MAX];
};

/* One cell of the row being made; texts stand in ctx.text. */
struct ctx_cell {
    enum cell_type type;
    union {
        int64_t i;
        double r;
        struct {
            size_t at, n;
        } t;
    } v;
};

struct probe_ctx {
    const struct probe *probe;
    const struct host *host;
    const struct probe_input *inputs;
    size_t n_inputs;
    uint64_t wanted; /* bit i: probe->tables[i] */
    struct ctx_table *tables;
    size_t n_tables;
    int result_fd;             /* where frames go, or -1 */
    struct fact_table **facts; /* or: where rows go, one per table */
    int row_table;             /* table of the row being made, or -1 */
    bool row_bad;              /* something was wrong with it: it is not sent */
    struct ctx_cell *cells;
    struct str text;  /* texts of the row */
    struct str frame; /* frame being made */
};

/* Prepares ctx for one probe. inputs: all that the process was given; the probe sees those of the
 * kinds it declares. ERR_NOMEM. */
int ctx_init(struct probe_ctx *ctx, const struct probe *p, const struct host *h, uint64_t wanted,
             const struct probe_input *inputs, size_t n_inputs, struct err *e) MUST_USE;
void ctx_done(struct probe_ctx *ctx);
static inline void cleanup_ctx(struct probe_ctx *ctx)
{
    ctx_done(ctx);
}
/* After run (and parse) gave rc: wanted tables without a state get one, COMPLETE if rc is 0. */
void ctx_finish(struct probe_ctx *ctx, int rc, const struct err *e);
/* Bit per table whose name is in the NULL-terminated list; all tables if the list is NULL. */
uint64_t ctx_wanted_mask(const struct probe *p, const char *const *wanted);

/* Writes the frame(s) in *frame to fd and clears it. In a confined child there is nobody to tell of
 * a failure: a pipe that is gone ends the process. */
void ctx_send(int fd, struct str *frame);

#endif
