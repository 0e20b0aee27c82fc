/* Redoing the verdicts: the recorded facts are judged again with the given rules, and everything
 * that was said is held against the answer. Says DIFFERS only where the same text was applied to
 * the same facts. */
#include <stdio.h>
#include <string.h>

#include "agent/evidence/statement.h"

/* What follows from what:
 *
 *   the framework's text is another one     controls not comparable
 *   the check's text is another one         check, and controls that cite it, not comparable
 *   a bound was hit, here or there          not comparable if anything differs
 *   other rules, and the check names a view not comparable if anything differs
 *   anything else that differs              differs: the evidence says what its facts do not
 */
struct redo_ctx {
    const struct statement *s;
    const struct policy *policy;
    const struct framework *framework; /* NULL: the rules have none of that name */
    bool same_framework;               /* and its text is the recorded one */
    bool same_rules;
    struct evaluation *ev; /* NULL without framework */
    struct redo_report report;
};

/* *ret is valid until the next line is added. */
static int add_line(struct redo_ctx *r, struct redo_line **ret, struct err *e)
{
    struct redo_report *p = &r->report;
    struct redo_line *lines = reallocarray(p->lines, p->n + 1, sizeof(*lines));
    if (lines == NULL) {
        return err_nomem(e);
    }
    p->lines = lines;
    *ret = &lines[p->n++];
    **ret = (struct redo_line){.result = REDO_SAME};
    return 0;
}

static void set_line(struct redo_line *line, enum redo result, const char *why)
{
    line->result = result;
    (void)snprintf(line->why, sizeof(line->why), "%s", why);
}

static void set_words(struct redo_line *line, const char *id, const char *recorded,
                      const char *redone)
{
    (void)snprintf(line->id, sizeof(line->id), "%s", id);
    (void)snprintf(line->recorded, sizeof(line->recorded), "%s", recorded);
    (void)snprintf(line->redone, sizeof(line->redone), "%s", redone);
}

/* The rows as sorted texts: findings are sets. */
static int row_texts(const json_t *rows, struct strv *ret, struct err *e)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        CLEANUP(free)
        char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        if (text == NULL) {
            return err_nomem(e);
        }
        int rc = strv_add(ret, text, e);
        if (rc != 0) {
            return rc;
        }
    }
    strv_sort(ret);
    return 0;
}

/* A member that is missing or no array is never the same as anything. */
static int same_sets(const json_t *a, const json_t *b, bool *ret, struct err *e)
{
    CLEANUP(strv) struct strv x = {0};
    CLEANUP(strv) struct strv y = {0};
    int rc = row_texts(a, &x, e);
    if (rc == 0) {
        rc = row_texts(b, &y, e);
    }
    if (rc != 0) {
        return rc;
    }
    bool same = x.n == y.n && json_is_array(a) && json_is_array(b);
    for (size_t i = 0; same && i < x.n; i++) {
        same = strcmp(x.items[i], y.items[i]) == 0;
    }
    *ret = same;
    return 0;
}

/* Recorded rows against redone ones, both through the one writer. */
static int same_rows(const json_t *recorded, const struct result_rows *redone, bool *ret,
                     struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(json) json_t *json = NULL;
    struct json_out j;
    jout_begin(&j, &text, false);
    write_result_rows(&j, redone);
    int rc = str_error(&text, e);
    if (rc == 0) {
        rc = json_parse("redone rows", str_text(&text), text.len, &json, e);
    }
    return rc == 0 ? same_sets(recorded, json, ret, e) : rc;
}

static bool is_word_char(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* True if the SQL holds name as a whole word. */
static bool names(const char *sql, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = sql; p != NULL && (p = strstr(p, name)) != NULL; p += n) {
        bool begins = p == sql || !is_word_char(p[-1]);
        if (begins && !is_word_char(p[n])) {
            return true;
        }
    }
    return false;
}

/* A check's digest covers its own text; what it reads through a view may differ between rules. */
static bool leans_on_view(const struct redo_ctx *r, const struct check *c)
{
    for (size_t i = 0; i < r->policy->n_views; i++) {
        const char *view = r->policy->views[i].decl.name;
        if (names(c->applies, view) || names(c->query, view) || names(c->unknown, view)) {
            return true;
        }
    }
    return false;
}

/* Verdict, findings, unknown rows. */
static int compare_check(struct redo_ctx *r, const json_t *recorded, const struct check_result *c,
                         struct redo_line *line, struct err *e)
{
    bool findings = false, unknown = false;
    int rc = same_rows(json_object_get(recorded, "findings"), &c->findings, &findings, e);
    if (rc == 0) {
        rc = same_rows(json_object_get(recorded, "unknown"), &c->unknown, &unknown, e);
    }
    if (rc != 0) {
        return rc;
    }
    const char *what = strcmp(line->recorded, line->redone) != 0 ? "the verdict differs"
                       : !findings                               ? "the findings differ"
                       : !unknown ? "the rows that could not be decided differ"
                                  : "";
    bool limited = c->limited || json_is_true(json_object_get(recorded, "limited"));
    if (what[0] == '\0') {
        return 0;
    }
    if (limited) {
        set_line(line, REDO_NOT_COMPARABLE, "a bound was hit: steps, rows or memory");
    } else if (!r->same_rules && leans_on_view(r, c->check)) {
        set_line(line, REDO_NOT_COMPARABLE, "other rules: a view that the check reads may differ");
    } else {
        set_line(line, REDO_DIFFERS, what);
    }
    return 0;
}

/* One recorded check against the answer of the rules that are here. */
static int redo_check(struct redo_ctx *r, const json_t *recorded, struct err *e)
{
    const char *id = json_string_value(json_object_get(recorded, "id"));
    const char *digest = json_string_value(json_object_get(recorded, "digest"));
    const char *verdict = json_string_value(json_object_get(recorded, "verdict"));
    const struct check_result *c = r->ev != NULL ? evaluation_check(r->ev, id) : NULL;
    struct redo_line *line = NULL;
    int rc = add_line(r, &line, e);
    if (rc != 0) {
        return rc;
    }
    set_words(line, id, verdict, c != NULL ? verdict_word(c->verdict) : "");
    if (c == NULL && r->same_framework) {
        set_line(line, REDO_DIFFERS, "the framework cites no such check");
    } else if (c == NULL) {
        set_line(line, REDO_NOT_COMPARABLE, "these rules do not apply such a check");
    } else if (strcmp(c->check->digest, digest) != 0) {
        set_line(line, REDO_NOT_COMPARABLE, "the check's text is another one");
    } else {
        rc = compare_check(r, recorded, c, line, e);
    }
    return rc;
}

/* The recorded element with this id. */
static const json_t *find_recorded(const json_t *list, const char *id)
{
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "id")), id) == 0) {
            return item;
        }
    }
    return NULL;
}

/* What the rules ask for and the evidence leaves out. */
static int add_missing(struct redo_ctx *r, const char *id, const char *redone, bool is_control,
                       struct err *e)
{
    struct redo_line *line = NULL;
    int rc = add_line(r, &line, e);
    if (rc == 0) {
        line->is_control = is_control;
        set_words(line, id, "", redone);
        set_line(line, r->same_framework ? REDO_DIFFERS : REDO_NOT_COMPARABLE,
                 "missing from the evidence");
    }
    return rc;
}

/* Both ways round: what the evidence adds, and what it leaves out. */
static int redo_checks(struct redo_ctx *r, const json_t *list, struct err *e)
{
    int rc = 0;
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        rc = redo_check(r, item, e);
        if (rc != 0) {
            return rc;
        }
    }
    for (size_t k = 0; r->ev != NULL && k < r->ev->n_checks && rc == 0; k++) {
        const struct check_result *c = &r->ev->checks[k];
        if (find_recorded(list, c->check->id) == NULL) {
            rc = add_missing(r, c->check->id, verdict_word(c->verdict), false, e);
        }
    }
    return rc;
}

/* True if a check that the control (or its gate) cites could not be compared. */
static bool leans_on_incomparable(const struct redo_ctx *r, const struct control *c)
{
    for (size_t i = 0; i < r->report.n; i++) {
        const struct redo_line *line = &r->report.lines[i];
        if (line->is_control || line->result != REDO_NOT_COMPARABLE) {
            continue;
        }
        bool cited = c->gate != NULL && strcmp(c->gate->id, line->id) == 0;
        for (size_t k = 0; k < c->n_checks && !cited; k++) {
            cited = c->checks[k].check != NULL && strcmp(c->checks[k].check->id, line->id) == 0;
        }
        for (size_t g = 0; g < c->n_any_of && !cited; g++) {
            for (size_t k = 0; k < c->any_of_n[g] && !cited; k++) {
                const struct check *leg = c->any_of[g][k].check;
                cited = leg != NULL && strcmp(leg->id, line->id) == 0;
            }
        }
        if (cited) {
            return true;
        }
    }
    return false;
}

/* A list of ids; one that the evidence does not hold was not recorded by that version. */
static bool same_ids(const json_t *control, const char *key, const struct strv *redone)
{
    const json_t *list = json_object_get(control, key);
    size_t i = 0;
    const json_t *id = NULL;
    if (list == NULL) {
        return true;
    }
    json_array_foreach(list, i, id)
    {
        if (!json_is_string(id) || !strv_has(redone, json_string_value(id))) {
            return false;
        }
    }
    return json_array_size(list) == redone->n;
}

/* Drift is what form 5 is filled from: made-up rows there would hide a change. */
static int same_drift(const struct redo_ctx *r, const char *id, bool *ret, struct err *e)
{
    const json_t *all = json_object_get(json_object_get(r->s->root, "predicate"), "drift");
    const json_t *recorded = json_object_get(all, id);
    const struct drift_result *drift = NULL;
    for (size_t i = 0; i < r->ev->n_drifts; i++) {
        if (strcmp(r->ev->drifts[i].control->id, id) == 0) {
            drift = &r->ev->drifts[i];
        }
    }
    if (drift == NULL || recorded == NULL) {
        *ret = drift == NULL && recorded == NULL;
        return 0;
    }
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(json) json_t *redone = NULL;
    struct json_out j;
    jout_begin(&j, &text, false);
    write_drift(&j, drift);
    int rc = str_error(&text, e);
    if (rc == 0) {
        rc = json_parse("redone drift", str_text(&text), text.len, &redone, e);
    }
    bool rows = false;
    if (rc == 0) {
        rc =
            same_sets(json_object_get(recorded, "rows"), json_object_get(redone, "rows"), &rows, e);
    }
    if (rc == 0) {
        bool known = !json_is_false(json_object_get(recorded, "known"));
        *ret = rows && known == drift->known &&
               json_equal(json_object_get(recorded, "columns"), json_object_get(redone, "columns"));
    }
    return rc;
}

static const struct control_result *find_control(const struct redo_ctx *r, const char *id)
{
    for (size_t i = 0; r->ev != NULL && i < r->ev->n_controls; i++) {
        if (strcmp(r->ev->controls[i].control->id, id) == 0) {
            return &r->ev->controls[i];
        }
    }
    return NULL;
}

/* Who covered or did not state what is compared too; `since` and the reason's wording are not. */
static int redo_control(struct redo_ctx *r, const json_t *recorded, struct err *e)
{
    const char *id = json_string_value(json_object_get(recorded, "id"));
    const char *verdict = json_string_value(json_object_get(recorded, "verdict"));
    const struct control_result *c = find_control(r, id);
    struct redo_line *line = NULL;
    bool drift = true;
    int rc = c != NULL ? same_drift(r, id, &drift, e) : 0;
    bool leans = c != NULL && leans_on_incomparable(r, c->control);
    if (rc == 0) {
        rc = add_line(r, &line, e);
    }
    if (rc != 0) {
        return rc;
    }
    line->is_control = true;
    set_words(line, id, verdict, c != NULL ? verdict_word(c->verdict) : "");
    if (!r->same_framework) {
        set_line(line, REDO_NOT_COMPARABLE, "the framework's text is another one");
    } else if (c == NULL) {
        set_line(line, REDO_DIFFERS, "the framework has no such control");
    } else if (leans) {
        set_line(line, REDO_NOT_COMPARABLE, "a check that it cites is not comparable");
    } else if (strcmp(line->recorded, line->redone) != 0) {
        set_line(line, REDO_DIFFERS, "the verdict differs");
    } else if (!same_ids(recorded, "permissions", &c->permissions) ||
               !same_ids(recorded, "compensations", &c->compensations) ||
               !same_ids(recorded, "unattested", &c->unattested)) {
        set_line(line, REDO_DIFFERS, "permissions, compensations or statements differ");
    } else if (!drift) {
        set_line(line, r->same_rules ? REDO_DIFFERS : REDO_NOT_COMPARABLE, "the drift rows differ");
    }
    return 0;
}

static int redo_controls(struct redo_ctx *r, const json_t *list, struct err *e)
{
    int rc = 0;
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        rc = redo_control(r, item, e);
        if (rc != 0) {
            return rc;
        }
    }
    for (size_t k = 0; r->ev != NULL && k < r->ev->n_controls && rc == 0; k++) {
        const struct control_result *c = &r->ev->controls[k];
        if (find_recorded(list, c->control->id) == NULL) {
            rc = add_missing(r, c->control->id, verdict_word(c->verdict), true, e);
        }
    }
    return rc;
}

/* Nothing but the statement goes in: its facts, its schema, its states. Time is the scan's, which
 * is among the facts. */
int statement_redo(const struct statement *s, const struct policy *p, struct redo_report *ret,
                   struct err *e)
{
    struct redo_ctx r = {.s = s, .policy = p, .framework = policy_framework(p, s->framework)};
    const json_t *predicate = json_object_get(s->root, "predicate");
    int rc = 0;
    r.same_rules = strcmp(p->digest, s->rules_digest) == 0;
    if (r.framework != NULL) {
        r.same_framework = strcmp(r.framework->digest, s->framework_digest) == 0;
        const struct eval_request rq = {
            .policy = p, .framework = r.framework, .contract = s->contract, .facts = &s->facts};
        rc = evaluate(&rq, &r.ev, e);
    }
    if (rc == 0) {
        rc = redo_checks(&r, json_object_get(predicate, "checks"), e);
    }
    if (rc == 0) {
        rc = redo_controls(&r, json_object_get(predicate, "controls"), e);
    }
    for (size_t i = 0; i < r.report.n; i++) {
        r.report.n_differs += r.report.lines[i].result == REDO_DIFFERS;
        r.report.n_not_comparable += r.report.lines[i].result == REDO_NOT_COMPARABLE;
    }
    evaluation_free(r.ev);
    if (rc != 0) {
        redo_report_done(&r.report);
        return rc;
    }
    *ret = r.report;
    return 0;
}

void redo_report_done(struct redo_report *r)
{
    free(r->lines);
    *r = (struct redo_report){0};
}
