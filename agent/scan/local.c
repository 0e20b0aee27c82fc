/* A probe inside the calling process, rows straight into facts: the same ctx functions, no pipe. */
#include "agent/scan/local.h"

#include "agent/base/timefmt.h"
#include "agent/scan/ctx.h"

static int add_tables(struct probe_ctx *ctx, struct facts *ret, struct err *e)
{
    ctx->facts = calloc(ctx->n_tables + 1, sizeof(struct fact_table *));
    if (ctx->facts == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < ctx->n_tables; i++) {
        int rc = facts_add(ret, ctx->probe->tables[i], ctx->probe->name, &ctx->facts[i], e);
        if (rc != 0) {
            return rc;
        }
        ctx->facts[i]->wanted = (ctx->wanted >> i & 1U) != 0;
    }
    return 0;
}

int probe_run_local(const struct probe *p, const struct host *h, const char *const *wanted,
                    const struct probe_input *inputs, size_t n_inputs, struct facts *ret,
                    struct err *e)
{
    CLEANUP(ctx) struct probe_ctx ctx = {.probe = NULL};
    int rc = ctx_init(&ctx, p, h, ctx_wanted_mask(p, wanted), inputs, n_inputs, e);
    if (rc == 0) {
        rc = add_tables(&ctx, ret, e);
    }
    if (rc != 0) {
        return rc;
    }
    int64_t cpu_us = time_cpu_us(false);
    int64_t wall_us = time_monotonic_us();
    struct err probe_err = {.code = 0};
    void *state = NULL;
    int probe_rc = p->run(&ctx, &state, &probe_err);
    if (probe_rc == 0 && p->parse != NULL) {
        probe_rc = p->parse(&ctx, state, &probe_err);
    }
    ctx_finish(&ctx, probe_rc, &probe_err);
    for (size_t i = 0; i < ctx.n_tables; i++) {
        struct fact_table *t = ctx.facts[i];
        if (t->wanted) {
            t->state = ctx.tables[i].state;
            reason_copy(t->reason, ctx.tables[i].reason);
        }
        t->cpu_us = time_cpu_us(false) - cpu_us;
        t->wall_us = time_monotonic_us() - wall_us;
    }
    return 0;
}
