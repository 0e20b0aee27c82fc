/* One inspection from start to end: plan, children, result. */
#include "agent/scan/scan.h"

#include <string.h>

#include "agent/base/timefmt.h"
#include "agent/scan/launcher.h"
#include "agent/scan/layers.h"
#include "agent/scan/plan.h"
#include "agent/scan/supervise.h"

static int collect_layers(const struct plan *plan, struct scan_result *ret, struct err *e)
{
    ret->layers = calloc(plan->n_runs + 1, sizeof(*ret->layers));
    if (ret->layers == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < plan->n_runs; i++) {
        struct probe_layers *out = &ret->layers[ret->n_layers++];
        out->probe = plan->runs[i].p->name;
        out->n_layers = layer_words(plan->runs[i].layers, out->layers);
    }
    return 0;
}

static void note_times(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_runs; i++) {
        const struct probe_run *run = &plan->runs[i];
        for (size_t t = 0; t < run->n_tables; t++) {
            if (run->tables[t]->wanted) {
                run->tables[t]->cpu_us = run->cpu_us;
                run->tables[t]->wall_us = run->wall_us > 0 ? run->wall_us : run->spent_us;
            }
        }
    }
}

int scan_run(struct launcher *l, const struct scan_request *rq, struct scan_result *ret,
             struct err *e)
{
    CLEANUP(scan_result) struct scan_result result = {.layers = NULL};
    CLEANUP(plan) struct plan plan = {.runs = NULL};
    int64_t start_us = time_monotonic_us();
    int rc = plan_make(l->probes, l->n_probes, rq->tables, rq->n_tables, &result.facts, &plan, e);
    if (rc != 0) {
        return rc;
    }
    struct supervisor sv = {.l = l, .rq = rq, .plan = &plan};
    rc = supervise(&sv, e);
    if (rc == 0) {
        rc = collect_layers(&plan, &result, e);
    }
    if (rc != 0) {
        return rc;
    }
    note_times(&plan);
    result.wall_us = time_monotonic_us() - start_us;
    result.cpu_us = time_cpu_us(false) + l->cpu_us + sv.children_cpu_us;
    *ret = result;
    result = (struct scan_result){.layers = NULL};
    return 0;
}

void scan_result_done(struct scan_result *r)
{
    facts_done(&r->facts);
    free(r->layers);
    *r = (struct scan_result){.layers = NULL};
}
