/* The verdict of one control: its gate, its checks, the best group of any_of, the statements that
 * people owe, and the papers that cover findings. Order of design.md 2. */
#include <stdio.h>
#include <string.h>

#include "agent/policy/judge.h"

void control_result_done(struct control_result *r)
{
    strv_done(&r->permissions);
    strv_done(&r->compensations);
    strv_done(&r->unattested);
    strv_done(&r->advice);
    strv_done(&r->expired);
}

bool basis_counts(const struct judge *j, enum basis b)
{
    return b == BASIS_TEXT || (b == BASIS_INTERPRETATION && j->interpretation_counts);
}

/* What a set of legs (checks and statements) comes to. */
struct tally {
    size_t fails, unknowns, passes, not_applicable, permitted, compensated;
    size_t attested, unattested;
    const struct check_result *first_fail, *first_unknown;
    struct control_result papers; /* the lists alone */
};

static void cleanup_tally(struct tally *t)
{
    control_result_done(&t->papers);
}

struct leg_context {
    const struct judge *j;
    const struct evaluation *ev;
    const struct control *control;
};

static int add_once(struct strv *v, const char *text, struct err *e)
{
    return strv_has(v, text) ? 0 : strv_add(v, text, e);
}

/* Looks for a paper in the named table that covers the finding. Ids of papers that would cover it
 * but are out of date go to *expired. */
static int find_paper(const struct leg_context *x, const char *table,
                      const struct check_result *check, size_t finding, struct strv *ids,
                      struct strv *expired, bool *ret, struct err *e)
{
    const struct fact_table *papers = facts_find(x->j->facts, table);
    *ret = false;
    for (size_t i = 0; papers != NULL && i < papers->n_rows; i++) {
        struct paper paper;
        int rc =
            paper_covers(x->j, papers, i, x->ev->framework, x->control, check, finding, &paper, e);
        if (rc == 0 && paper.covers) {
            rc = add_once(paper.in_force ? ids : expired, paper.id, e);
            *ret = *ret || paper.in_force;
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* A check that fails: each finding needs a paper, else it is a failure of the control. */
static int tally_findings(const struct leg_context *x, const struct check_result *check,
                          struct tally *t, struct err *e)
{
    bool uncovered = false;
    bool compensated = false;
    int rc = 0;
    for (size_t i = 0; i < check->findings.n_rows && rc == 0; i++) {
        bool covered = false;
        if (x->control->permission) {
            rc = find_paper(x, "site_permissions", check, i, &t->papers.permissions,
                            &t->papers.expired, &covered, e);
        }
        if (rc == 0 && !covered && x->control->compensation) {
            rc = find_paper(x, "site_compensations", check, i, &t->papers.compensations,
                            &t->papers.expired, &covered, e);
            compensated = compensated || covered;
        }
        uncovered = uncovered || !covered;
    }
    if (uncovered) {
        t->fails++;
        t->first_fail = t->first_fail != NULL ? t->first_fail : check;
    } else if (compensated) {
        t->compensated++;
    } else {
        t->permitted++;
    }
    return rc;
}

/* A check that does not count here leaves a word of advice and nothing else. */
static int tally_check(const struct leg_context *x, const struct citation *leg, struct tally *t,
                       struct err *e)
{
    const struct check_result *r = evaluation_check(x->ev, leg->check->id);
    if (r == NULL) {
        return err_set(e, ERR_INTERNAL, "check %s was not judged", leg->check->id);
    }
    bool bad = r->verdict == VERDICT_FAIL || r->verdict == VERDICT_UNKNOWN;
    if (!basis_counts(x->j, leg->basis)) {
        return bad ? add_once(&t->papers.advice, leg->check->id, e) : 0;
    }
    if (r->verdict == VERDICT_FAIL) {
        return tally_findings(x, r, t, e);
    }
    if (r->verdict == VERDICT_UNKNOWN) {
        t->unknowns++;
        t->first_unknown = t->first_unknown != NULL ? t->first_unknown : r;
    } else if (r->verdict == VERDICT_PASS) {
        t->passes++;
    } else {
        t->not_applicable++;
    }
    return 0;
}

static int tally_statement(const struct leg_context *x, const char *id, struct tally *t,
                           struct err *e)
{
    if (statement_in_force(x->j, x->ev->framework, x->control, id)) {
        t->attested++;
        return 0;
    }
    t->unattested++;
    return add_once(&t->papers.unattested, id, e);
}

static int tally_legs(const struct leg_context *x, const struct citation *legs, size_t n,
                      struct tally *t, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = legs[i].check != NULL ? tally_check(x, &legs[i], t, e)
                                   : tally_statement(x, legs[i].attest, t, e);
    }
    return rc;
}

/* How good a group is; the highest counts. A group with no leg that counts here is not there at
 * all (0). "Not applicable" fulfils nothing: it stands only if every group is so. */
enum rank {
    RANK_EMPTY,
    RANK_NOT_APPLICABLE,
    RANK_UNATTESTED,
    RANK_FAIL,
    RANK_UNKNOWN,
    RANK_COVERED,
    RANK_ATTESTED,
    RANK_PASS
};

/* The same order as decide(), so that a group is what it would be as a control of its own. */
static enum rank tally_rank(const struct tally *t)
{
    if (t->fails > 0) {
        return RANK_FAIL;
    }
    if (t->unknowns > 0) {
        return RANK_UNKNOWN;
    }
    if (t->unattested > 0) {
        return RANK_UNATTESTED;
    }
    if (t->permitted > 0 || t->compensated > 0) {
        return RANK_COVERED;
    }
    if (t->passes > 0) {
        return RANK_PASS;
    }
    if (t->attested > 0) {
        return RANK_ATTESTED;
    }
    return t->not_applicable > 0 ? RANK_NOT_APPLICABLE : RANK_EMPTY;
}

static int merge_list(struct strv *to, const struct strv *from, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < from->n && rc == 0; i++) {
        rc = add_once(to, from->items[i], e);
    }
    return rc;
}

/* The best group becomes part of the control's own legs: what is demanded besides still counts. */
static int merge_tally(struct tally *to, const struct tally *from, struct err *e)
{
    to->fails += from->fails;
    to->unknowns += from->unknowns;
    to->passes += from->passes;
    to->not_applicable += from->not_applicable;
    to->permitted += from->permitted;
    to->compensated += from->compensated;
    to->attested += from->attested;
    to->unattested += from->unattested;
    to->first_fail = to->first_fail != NULL ? to->first_fail : from->first_fail;
    to->first_unknown = to->first_unknown != NULL ? to->first_unknown : from->first_unknown;
    int rc = merge_list(&to->papers.permissions, &from->papers.permissions, e);
    rc = rc == 0 ? merge_list(&to->papers.compensations, &from->papers.compensations, e) : rc;
    rc = rc == 0 ? merge_list(&to->papers.unattested, &from->papers.unattested, e) : rc;
    rc = rc == 0 ? merge_list(&to->papers.expired, &from->papers.expired, e) : rc;
    return rc;
}

/* Adds the best group of any_of. Advice comes from every group. */
static int tally_groups(const struct leg_context *x, struct tally *t, struct err *e)
{
    size_t best = 0;
    enum rank best_rank = RANK_EMPTY;
    int rc = 0;
    for (size_t i = 0; i < x->control->n_any_of && rc == 0; i++) {
        CLEANUP(tally) struct tally group = {0};
        rc = tally_legs(x, x->control->any_of[i], x->control->any_of_n[i], &group, e);
        rc = rc == 0 ? merge_list(&t->papers.advice, &group.papers.advice, e) : rc;
        if (tally_rank(&group) > best_rank) {
            best = i;
            best_rank = tally_rank(&group);
        }
    }
    if (rc == 0 && best_rank != RANK_EMPTY) {
        CLEANUP(tally) struct tally group = {0};
        rc = tally_legs(x, x->control->any_of[best], x->control->any_of_n[best], &group, e);
        /* Where one way failed and another is merely not signed, the failure is what counts; a
         * group whose best is "unattested" has nothing else to say. */
        rc = rc == 0 ? merge_tally(t, &group, e) : rc;
    }
    return rc;
}

/* A statement that is a leg of any_of is owed there alone. */
static bool is_leg(const struct control *c, const char *statement)
{
    for (size_t i = 0; i < c->n_any_of; i++) {
        for (size_t k = 0; k < c->any_of_n[i]; k++) {
            const struct citation *leg = &c->any_of[i][k];
            if (leg->check == NULL && strcmp(leg->attest, statement) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void reason_set(struct control_result *ret, const char *word, const char *detail,
                       const char *more)
{
    (void)snprintf(ret->reason, sizeof ret->reason, "%s: %.100s%s%.120s", word, detail,
                   more[0] != '\0' ? ": " : "", more);
}

/* First that holds, design.md 2. */
static void decide(const struct control *c, const struct tally *t, struct control_result *ret)
{
    bool missing = c->missing != NULL && c->missing[0] != NULL;
    if (t->fails > 0) {
        ret->verdict = VERDICT_FAIL;
        reason_set(ret, "finding", t->first_fail->check->id, "");
    } else if (t->unknowns > 0) {
        ret->verdict = VERDICT_UNKNOWN;
        reason_set(ret, "unknown", t->first_unknown->check->id, t->first_unknown->reason);
    } else if (t->compensated > 0) {
        ret->verdict = VERDICT_COMPENSATED;
    } else if (t->permitted > 0) {
        /* Papers were sorted out per finding: a mix within one check is compensated already. */
        ret->verdict = VERDICT_PERMITTED;
    } else if (t->unattested > 0) {
        ret->verdict = VERDICT_UNATTESTED;
        reason_set(ret, "statement", ret->unattested.items[0], "");
    } else if (t->passes > 0 && missing) {
        ret->verdict = VERDICT_NOT_COVERED;
        reason_set(ret, "missing", c->missing[0], "");
    } else if (t->passes > 0) {
        ret->verdict = VERDICT_PASS;
    } else if (t->attested > 0) {
        ret->verdict = VERDICT_ATTESTED;
    } else if (t->not_applicable > 0) {
        ret->verdict = VERDICT_NOT_APPLICABLE;
    } else {
        ret->verdict = VERDICT_NOT_COVERED;
        reason_set(ret, "missing", missing ? c->missing[0] : "no check and no statement yet", "");
    }
}

/* Gates are judged but never counted. */
static bool gate_closed(const struct evaluation *ev, const struct control *c)
{
    const struct check_result *gate = c->gate != NULL ? evaluation_check(ev, c->gate->id) : NULL;
    return gate != NULL && gate->verdict == VERDICT_NOT_APPLICABLE;
}

int judge_control(const struct judge *j, const struct evaluation *ev, const struct control *c,
                  struct control_result *ret, struct err *e)
{
    struct leg_context x = {.j = j, .ev = ev, .control = c};
    CLEANUP(tally) struct tally t = {0};
    *ret = (struct control_result){.control = c, .verdict = VERDICT_NOT_APPLICABLE};
    if (gate_closed(ev, c)) {
        reason_set(ret, "gate", c->gate->id, "");
        return 0;
    }
    int rc = tally_legs(&x, c->checks, c->n_checks, &t, e);
    rc = rc == 0 ? tally_groups(&x, &t, e) : rc;
    for (size_t i = 0; i < c->n_attests && rc == 0; i++) {
        if (!is_leg(c, c->attests[i].id)) {
            rc = tally_statement(&x, c->attests[i].id, &t, e);
        }
    }
    if (rc != 0) {
        return rc;
    }
    *ret = t.papers;
    t.papers = (struct control_result){0};
    ret->control = c;
    ret->decided = t.fails + t.passes + t.permitted + t.compensated > 0;
    decide(c, &t, ret);
    strv_sort(&ret->permissions);
    strv_sort(&ret->compensations);
    strv_sort(&ret->unattested);
    strv_sort(&ret->advice);
    strv_sort(&ret->expired);
    return 0;
}
