/* One evaluation: every check of the framework once, then its controls and drift queries. */
#include "agent/policy/eval.h"

#include <string.h>

#include "agent/policy/judge.h"

void evaluation_free(struct evaluation *ev)
{
    if (ev == NULL) {
        return;
    }
    for (size_t i = 0; i < ev->n_checks; i++) {
        check_result_done(&ev->checks[i]);
    }
    for (size_t i = 0; i < ev->n_controls; i++) {
        control_result_done(&ev->controls[i]);
    }
    for (size_t i = 0; i < ev->n_drifts; i++) {
        result_rows_done(&ev->drifts[i].rows);
    }
    free(ev->checks);
    free(ev->controls);
    free(ev->drifts);
    free(ev);
}

const struct check_result *evaluation_check(const struct evaluation *ev, const char *id)
{
    for (size_t i = 0; i < ev->n_checks; i++) {
        if (strcmp(ev->checks[i].check->id, id) == 0) {
            return &ev->checks[i];
        }
    }
    return NULL;
}

static bool cites(const struct citation *legs, size_t n, const struct check *c)
{
    for (size_t i = 0; i < n; i++) {
        if (legs[i].check != NULL && strcmp(legs[i].check->id, c->id) == 0) {
            return true;
        }
    }
    return false;
}

static bool control_uses(const struct control *c, const struct check *check)
{
    if (cites(c->checks, c->n_checks, check) ||
        (c->gate != NULL && strcmp(c->gate->id, check->id) == 0)) {
        return true;
    }
    for (size_t i = 0; i < c->n_any_of; i++) {
        if (cites(c->any_of[i], c->any_of_n[i], check)) {
            return true;
        }
    }
    return false;
}

bool framework_uses(const struct framework *fw, const struct check *c)
{
    for (size_t i = 0; i < fw->n_controls; i++) {
        if (control_uses(&fw->controls[i], c)) {
            return true;
        }
    }
    return false;
}

int only_checks_exist(const struct policy *p, const char *const *only, struct err *e)
{
    for (size_t i = 0; only != NULL && only[i] != NULL; i++) {
        bool found = false;
        for (size_t k = 0; k < p->n_checks && !found; k++) {
            found = strcmp(p->checks[k].id, only[i]) == 0;
        }
        if (!found) {
            return err_set(e, ERR_INVALID, "no check \"%.80s\"", only[i]);
        }
    }
    return 0;
}

bool check_selected(const struct check *c, const struct framework *fw, const char *const *only)
{
    if (only == NULL) {
        return fw == NULL || framework_uses(fw, c);
    }
    for (size_t i = 0; only[i] != NULL; i++) {
        if (strcmp(only[i], c->id) == 0) {
            return true;
        }
    }
    return false;
}

/* A drift query that fails or hits a bound is not an error of the inspection: its rows are not
 * known, which is neither same nor changed. */
static int judge_drift(struct judge *j, const struct control *c, struct drift_result *ret,
                       struct err *e)
{
    CLEANUP(sql_reads) struct sql_reads direct = {0};
    CLEANUP(sql_reads) struct sql_reads all = {0};
    char reason[256];
    struct err err = {0};
    ret->control = c;
    CLEANUP(sql_statement) struct sql_statement *st = NULL;
    int rc = judge_prepare(j, c->drift, &direct, &all, &st, &err);
    rc = rc == 0 ? judge_run(j, st, &ret->rows, &err) : rc;
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    /* A table proved absent is a state that can change like any other. */
    ret->known = rc == 0 && !doubt_incomplete(j, &all, true, reason);
    return 0;
}

static int judge_controls(struct judge *j, struct evaluation *ev, struct err *e)
{
    const struct framework *fw = ev->framework;
    ev->controls = calloc(fw->n_controls + 1, sizeof *ev->controls);
    ev->drifts = calloc(fw->n_controls + 1, sizeof *ev->drifts);
    if (ev->controls == NULL || ev->drifts == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < fw->n_controls; i++) {
        const struct control *c = &fw->controls[i];
        int rc = judge_control(j, ev, c, &ev->controls[i], e);
        if (rc != 0) {
            return rc;
        }
        ev->n_controls++;
        ev->counts[ev->controls[i].verdict]++;
        if (c->drift != NULL) {
            rc = judge_drift(j, c, &ev->drifts[ev->n_drifts++], e);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int evaluate(const struct eval_request *rq, struct evaluation **ret, struct err *e)
{
    const struct policy *p = rq->policy;
    CLEANUP(judge) struct judge j = {0};
    CLEANUP(evaluation) struct evaluation *ev = calloc(1, sizeof *ev);
    if (ev == NULL) {
        return err_nomem(e);
    }
    if (rq->framework == NULL && rq->only_checks == NULL) {
        return err_set(e, ERR_INVALID, "neither a framework nor a check is named");
    }
    int rc = only_checks_exist(p, rq->only_checks, e);
    rc = rc == 0 ? judge_open(&j, p, rq->facts, e) : rc;
    if (rc != 0) {
        return rc;
    }
    ev->framework = rq->framework;
    ev->partial = rq->only_checks != NULL;
    ev->checks = calloc(p->n_checks + 1, sizeof *ev->checks);
    if (ev->checks == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < p->n_checks && rc == 0; i++) {
        if (check_selected(&p->checks[i], rq->framework, rq->only_checks)) {
            rc = judge_check(&j, &p->checks[i], &ev->checks[ev->n_checks], e);
            ev->n_checks++;
        }
    }
    if (rc == 0 && !ev->partial) {
        rc = judge_controls(&j, ev, e);
    }
    if (rc != 0) {
        return rc;
    }
    *ret = TAKE_PTR(ev);
    return 0;
}

/* --- exit code --- */

struct outcome {
    bool fails, unknown, decided;
};

/* With single checks asked for, their own verdicts are the answer: papers belong to controls. */
static void checks_outcome(const struct evaluation *ev, struct outcome *o)
{
    for (size_t i = 0; i < ev->n_checks; i++) {
        enum verdict v = ev->checks[i].verdict;
        o->fails = o->fails || v == VERDICT_FAIL;
        o->unknown = o->unknown || v == VERDICT_UNKNOWN;
        o->decided = o->decided || v == VERDICT_FAIL || v == VERDICT_PASS;
    }
}

static void controls_outcome(const struct evaluation *ev, struct outcome *o)
{
    o->fails = ev->counts[VERDICT_FAIL] > 0;
    o->unknown = ev->counts[VERDICT_UNKNOWN] > 0;
    /* Advice decides nothing, so a host with nothing else is no success either. */
    for (size_t i = 0; i < ev->n_controls; i++) {
        o->decided = o->decided || ev->controls[i].decided;
    }
}

int evaluation_exit_code(const struct evaluation *const *evs, size_t n)
{
    bool fails = false;
    bool incomplete = n == 0;
    for (size_t i = 0; i < n; i++) {
        struct outcome o = {0};
        if (evs[i]->partial) {
            checks_outcome(evs[i], &o);
        } else {
            controls_outcome(evs[i], &o);
        }
        fails = fails || o.fails;
        incomplete = incomplete || o.unknown || !o.decided;
    }
    if (fails) {
        return 2;
    }
    return incomplete ? 3 : 0;
}
