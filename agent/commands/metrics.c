/* Prometheus text file of the last run. The names and labels are a contract with people's alerts:
 * tenken(1), METRICS. */
#include "agent/commands/metrics.h"

#include <inttypes.h>

#include "agent/base/io.h"

#define METRICS_MAX ((size_t)4 << 20)

/* NAME="VALUE" with backslash, quote and line feed escaped as the format asks. */
static void put_label(struct str *out, const char *name, const char *value, bool first)
{
    str_addf(out, "%s%s=\"", first ? "" : ",", name);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\n') {
            str_add(out, "\\n");
            continue;
        }
        if (*p == '\\' || *p == '"') {
            str_add_char(out, '\\');
        }
        str_add_char(out, *p);
    }
    str_add_char(out, '"');
}

static void put_family(struct str *out, const char *name, const char *help)
{
    str_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* Name and the two labels that tell one contract's series from another's; the brace stays open. */
static void put_contract(struct str *out, const char *name, const struct judged *j)
{
    str_addf(out, "%s{", name);
    put_label(out, "contract", j->contract, true);
    put_label(out, "framework", j->framework->id, false);
}

static void put_control_verdicts(const struct metrics_request *rq, struct str *out)
{
    static const char name[] = "tenken_control_verdict";
    put_family(out, name, "1 for the verdict that the clause has");
    for (size_t i = 0; i < rq->n; i++) {
        const struct evaluation *ev = rq->list[i].evaluation;
        for (size_t k = 0; k < ev->n_controls; k++) {
            put_contract(out, name, &rq->list[i]);
            put_label(out, "control", ev->controls[k].control->id, false);
            put_label(out, "verdict", verdict_word(ev->controls[k].verdict), false);
            str_add(out, "} 1\n");
        }
    }
}

/* Zeros too: an alert on "more than none fail" needs the series while nothing fails. */
static void put_control_counts(const struct metrics_request *rq, struct str *out)
{
    static const char name[] = "tenken_controls";
    put_family(out, name, "Number of clauses with this verdict");
    for (size_t i = 0; i < rq->n; i++) {
        const struct evaluation *ev = rq->list[i].evaluation;
        size_t counts[N_VERDICTS] = {0};
        for (size_t k = 0; k < ev->n_controls; k++) {
            counts[ev->controls[k].verdict]++;
        }
        for (int v = 0; v < N_VERDICTS; v++) {
            put_contract(out, name, &rq->list[i]);
            put_label(out, "verdict", verdict_word((enum verdict)v), false);
            str_addf(out, "} %zu\n", counts[v]);
        }
    }
}

static void put_check_verdicts(const struct metrics_request *rq, struct str *out)
{
    static const char name[] = "tenken_check_verdict";
    put_family(out, name, "1 for the verdict that the check has");
    for (size_t i = 0; i < rq->n; i++) {
        const struct evaluation *ev = rq->list[i].evaluation;
        for (size_t k = 0; k < ev->n_checks; k++) {
            put_contract(out, name, &rq->list[i]);
            put_label(out, "check", ev->checks[k].check->id, false);
            put_label(out, "verdict", verdict_word(ev->checks[k].verdict), false);
            str_add(out, "} 1\n");
        }
    }
}

static void put_probes(const struct metrics_request *rq, struct str *out)
{
    static const char name[] = "tenken_probe_complete";
    const struct facts *f = &rq->session->scan.facts;
    put_family(out, name, "1 if the table was observed completely");
    for (size_t i = 0; i < f->n; i++) {
        const struct fact_table *t = f->tables[i];
        if (!t->wanted || t->probe[0] == '\0') {
            continue;
        }
        str_addf(out, "%s{", name);
        put_label(out, "probe", t->probe, true);
        put_label(out, "table", t->decl->name, false);
        str_addf(out, "} %d\n", t->state == STATE_COMPLETE ? 1 : 0);
    }
}

static void put_spool(const struct metrics_request *rq, struct str *out)
{
    put_family(out, "tenken_evidence_sequence", "Number of the evidence just recorded");
    for (size_t i = 0; rq->recorded && i < rq->n; i++) {
        put_contract(out, "tenken_evidence_sequence", &rq->list[i]);
        str_addf(out, "} %" PRId64 "\n", rq->list[i].sequence);
    }
    put_family(out, "tenken_spool_unacknowledged", "Evidence that no collector has acknowledged");
    if (rq->recorded) {
        str_addf(out, "tenken_spool_unacknowledged %zu\n", rq->n_unacknowledged);
    }
}

void metrics_text(const struct metrics_request *rq, struct str *out)
{
    const struct session *s = rq->session;
    put_family(out, "tenken_info", "Version of program and rules");
    str_add(out, "tenken_info{");
    put_label(out, "version", TENKEN_VERSION, true);
    put_label(out, "rules_version", s->policy->version, false);
    put_label(out, "rules_unmodified", s->policy->unmodified ? "true" : "false", false);
    str_add(out, "} 1\n");
    put_family(out, "tenken_last_run_timestamp_seconds", "Unix time of the last inspection");
    str_addf(out, "tenken_last_run_timestamp_seconds %" PRId64 "\n", s->time_s);
    put_family(out, "tenken_last_run_duration_seconds", "How long the last inspection took");
    str_addf(out, "tenken_last_run_duration_seconds %" PRId64 ".%06" PRId64 "\n",
             rq->wall_us / 1000000, rq->wall_us % 1000000);
    put_control_counts(rq, out);
    put_control_verdicts(rq, out);
    put_check_verdicts(rq, out);
    put_probes(rq, out);
    put_spool(rq, out);
}

int metrics_write(const struct metrics_request *rq, const char *path, struct err *e)
{
    CLEANUP(str) struct str out = STR_INIT(METRICS_MAX);
    metrics_text(rq, &out);
    int r = str_error(&out, e);
    return r < 0 ? r : io_write_atomic(path, str_text(&out), out.len, 0644, e);
}
