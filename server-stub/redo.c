/* One evidence redone, and the report of what is not the same. */
#include "server-stub/redo.h"

#include <string.h>

#include "agent/evidence/evidence.h"
#include "server-stub/ingest.h"

#define REPORT_LINES_MAX 256

void redo_result_done(struct redo_result *r)
{
    free(r->report);
    *r = (struct redo_result){.id = 0};
}

struct redo_job {
    const struct policy *policy;
    struct redo_result result;
};

static const char *redo_word(enum redo r)
{
    switch (r) {
    case REDO_SAME:
        return "same";
    case REDO_DIFFERS:
        return "differs";
    case REDO_NOT_COMPARABLE:
        break;
    }
    return "not-comparable";
}

static void write_line(struct json_out *j, const struct redo_line *line)
{
    jout_open(j, '{');
    jout_kv_text(j, "kind", line->is_control ? "control" : "check");
    jout_kv_text(j, "id", line->id);
    jout_kv_text(j, "result", redo_word(line->result));
    jout_kv_text(j, "recorded", line->recorded);
    jout_kv_text(j, "redone", line->redone);
    jout_kv_text(j, "why", line->why);
    jout_close(j, '}');
}

static int write_report(const struct redo_report *report, struct redo_result *ret, struct err *e)
{
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    struct json_out j;
    size_t n = 0;
    jout_begin(&j, &out, false);
    jout_open(&j, '[');
    for (size_t i = 0; i < report->n; i++) {
        if (report->lines[i].result != REDO_SAME && n++ < REPORT_LINES_MAX) {
            write_line(&j, &report->lines[i]);
        }
    }
    jout_close(&j, ']');
    int rc = str_error(&out, e);
    if (rc == 0) {
        ret->report = str_take(&out, NULL);
        rc = ret->report != NULL ? 0 : err_nomem(e);
    }
    return rc;
}

/* One line that says why nothing could be compared. */
static int write_reason(const char *why, struct redo_result *ret, struct err *e)
{
    struct redo_line line = {.result = REDO_NOT_COMPARABLE};
    size_t n = strnlen(why, sizeof line.why - 1);
    while (n > 0 && !str_is_utf8(why, n)) { /* not cut inside a character */
        n--;
    }
    memcpy(line.why, why, n);
    const struct redo_report report = {.lines = &line, .n = 1};
    ret->state = REDO_STATE_PARTLY;
    return write_report(&report, ret, e);
}

static bool may_help_later(int rc)
{
    return rc == ERR_NOMEM || rc == ERR_IO || rc == ERR_BUSY;
}

static int redo_payload(const struct policy *p, const struct str *payload, struct redo_result *ret,
                        struct err *e)
{
    CLEANUP(statement) struct statement st = {.root = NULL};
    CLEANUP(redo_report) struct redo_report report = {.lines = NULL};
    int rc = statement_parse(str_text(payload), payload->len, &st, e);
    if (rc == 0) {
        rc = statement_redo(&st, p, &report, e);
    }
    if (rc != 0) {
        return may_help_later(rc) ? rc : write_reason(e->msg, ret, e);
    }
    ret->state = report.n_differs > 0                           ? REDO_STATE_DIFFERS
                 : report.n_not_comparable > 0 || report.n == 0 ? REDO_STATE_PARTLY
                                                                : REDO_STATE_SAME;
    return write_report(&report, ret, e);
}

static int redo_record(void *arg, const struct record *r, struct err *e)
{
    struct redo_job *job = arg;
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    job->result.id = r->id;
    int rc = record_payload(r, &payload, e);
    if (rc == 0) {
        return redo_payload(job->policy, &payload, &job->result, e);
    }
    return may_help_later(rc) ? rc : write_reason(e->msg, &job->result, e);
}

int redo_evidence(struct store *s, const struct policy *p, const char *digest,
                  struct redo_result *ret, struct err *e)
{
    struct redo_job job = {.policy = p};
    int rc = store_evidence_get(s, digest, redo_record, &job, e);
    if (rc != 0) {
        redo_result_done(&job.result);
        return rc;
    }
    *ret = job.result;
    return 0;
}
