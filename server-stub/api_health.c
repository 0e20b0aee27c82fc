/* GET /healthz for anybody; GET /metrics for callers on this machine, or with an API token. Both
 * hold counts only: no names, no contracts. */
#include "server-stub/http.h"

static int healthz_end(struct request *rq, struct err *e)
{
    (void)e;
    rq->answer.status = 200;
    rq->answer.type = "application/json";
    str_add(&rq->answer.body, "{\"status\":\"ok\"}\n");
    return 0;
}

static void metric(struct str *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    str_addf(out, "# HELP tenken_collector_%s %s\n# TYPE tenken_collector_%s %s\n", name, help,
             name, type);
    str_addf(out, "tenken_collector_%s %llu\n", name, (unsigned long long)value);
}

static void write_metrics(struct request *rq, const struct store_counts *c)
{
    struct server *s = rq->server;
    struct str *out = &rq->answer.body;
    const struct {
        const char *name, *help;
        uint64_t value;
    } counters[] = {
        {"requests_total", "Requests begun.", atomic_load(&s->count.requests)},
        {"evidence_stored_total", "Evidence stored and receipted.", atomic_load(&s->count.stored)},
        {"evidence_repeated_total", "Evidence that was stored already.",
         atomic_load(&s->count.repeated)},
        {"evidence_refused_total", "Envelopes refused.", atomic_load(&s->count.refused)},
        {"evidence_limited_total", "Envelopes put off by the rate limit.",
         atomic_load(&s->count.limited)},
        {"enrolments_total", "Enrolments.", atomic_load(&s->count.enrolled)},
        {"redone_total", "Evidence whose verdicts were redone.", atomic_load(&s->count.redone)},
        {"commits_total", "Transactions made durable.", writer_batches(s->writer)},
    };
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        metric(out, counters[i].name, "counter", counters[i].help, counters[i].value);
    }
    metric(out, "hosts", "gauge", "Hosts enrolled.", (uint64_t)c->hosts);
    metric(out, "evidence", "gauge", "Evidence in the store.", (uint64_t)c->evidence);
    metric(out, "redo_pending", "gauge", "Evidence whose verdicts are not redone yet.",
           (uint64_t)c->redo_pending);
    metric(out, "redo_differs", "gauge", "Evidence whose redone verdicts differ.",
           (uint64_t)c->redo_differs);
    metric(out, "evidence_flagged", "gauge", "Evidence with any flag.", (uint64_t)c->flagged);
    metric(out, "store_bytes", "gauge", "Size of the database.", (uint64_t)c->bytes);
}

static int metrics_end(struct request *rq, struct err *e)
{
    struct token_row token;
    struct store_counts counts;
    struct reader *r = server_take(rq->server);
    int rc = 0;
    if (rq->from_loopback || request_authorised(rq, r->store, &token)) {
        rc = store_count(r->store, &counts, e);
        if (rc == 0) {
            write_metrics(rq, &counts);
            rq->answer.status = 200;
            rq->answer.type = "text/plain; version=0.0.4; charset=utf-8";
        }
    }
    server_give(rq->server, r);
    return rc;
}

const struct route route_healthz = {.method = "GET", .path = "/healthz", .end = healthz_end};
const struct route route_metrics = {.method = "GET", .path = "/metrics", .end = metrics_end};
