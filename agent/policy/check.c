/* The verdict of one check: applies, query, unknown, then every reason for doubt. Findings count
 * whatever was not seen; a pass and a not-applicable only if all they lean on was. design.md 3. */
#include <stdio.h>
#include <string.h>

#include "agent/policy/judge.h"

void check_result_done(struct check_result *r)
{
    result_rows_done(&r->findings);
    result_rows_done(&r->unknown);
}

static void cleanup_check_reads(struct check_reads *r)
{
    check_reads_done(r);
}

/* Keeps the first trouble as the check's reason. Memory alone is an error of the caller's. */
static int note_trouble(struct check_result *ret, int rc, const struct err *from, struct err *e)
{
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc == ERR_LIMIT) {
        ret->limited = true;
    }
    if (rc != 0 && ret->reason[0] == '\0') {
        (void)snprintf(ret->reason, sizeof ret->reason, "%s: %.200s",
                       rc == ERR_LIMIT ? "limit" : "sql", from->msg);
    }
    return 0;
}

/* Troubles that are not memory end in ret->reason; the caller goes on, since findings of the other
 * parts still count. */
static int run_part(struct judge *j, const char *text, struct check_reads *r, size_t part,
                    struct result_rows *rows, struct check_result *ret, struct err *e)
{
    struct err err = {0};
    CLEANUP(sql_statement) struct sql_statement *st = NULL;
    int rc = judge_prepare(j, text, &r->direct[part], &r->all, &st, &err);
    rc = rc == 0 ? judge_run(j, st, rows, &err) : rc;
    return note_trouble(ret, rc, &err, e);
}

/* Nothing was found: is that so? */
static int weigh(struct judge *j, const struct check *c, const struct check_reads *r, bool applies,
                 struct check_result *ret, struct err *e)
{
    char doubt[256] = "";
    bool absent = false;
    int rc = doubt_find(j, c, r, doubt, &absent, e);
    if (rc != 0) {
        return rc;
    }
    ret->verdict = VERDICT_UNKNOWN;
    if (doubt[0] != '\0') {
        (void)snprintf(ret->reason, sizeof ret->reason, "%s", doubt);
    } else if (!applies) {
        ret->verdict = VERDICT_NOT_APPLICABLE;
        (void)snprintf(ret->reason, sizeof ret->reason, "applies: nothing here that it is about");
    } else if (ret->unknown.n_rows > 0) {
        (void)snprintf(ret->reason, sizeof ret->reason, "unknown: %zu row%s could not be judged",
                       ret->unknown.n_rows, ret->unknown.n_rows == 1 ? "" : "s");
    } else if (absent && c->absent == ABSENT_NOT_APPLICABLE) {
        ret->verdict = VERDICT_NOT_APPLICABLE;
        (void)doubt_incomplete(j, &r->all, false, ret->reason);
    } else {
        ret->verdict = VERDICT_PASS;
    }
    return 0;
}

int judge_check(struct judge *j, const struct check *c, struct check_result *ret, struct err *e)
{
    CLEANUP(check_reads) struct check_reads r = {0};
    *ret = (struct check_result){.check = c, .verdict = VERDICT_UNKNOWN};
    bool applies = true;
    int rc = 0;
    if (c->applies != NULL) {
        struct result_rows rows = {0};
        rc = run_part(j, c->applies, &r, PART_APPLIES, &rows, ret, e);
        applies = rows.n_rows > 0;
        result_rows_done(&rows);
        if (rc != 0 || ret->reason[0] != '\0') {
            return rc;
        }
    }
    if (applies) {
        rc = run_part(j, c->query, &r, PART_QUERY, &ret->findings, ret, e);
        if (rc == 0 && c->unknown != NULL) {
            rc = run_part(j, c->unknown, &r, PART_UNKNOWN, &ret->unknown, ret, e);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (ret->findings.n_rows > 0) {
        ret->verdict = VERDICT_FAIL;
        ret->reason[0] = '\0';
        return 0;
    }
    return ret->reason[0] == '\0' ? weigh(j, c, &r, applies, ret, e) : 0;
}
