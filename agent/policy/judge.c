/* The connection over recorded facts: which tables there are, in which state they were observed,
 * and filling them (and views) when a statement first reads them. */
#include "agent/policy/judge.h"

#include <string.h>

#include "agent/policy/result.h"

const char *fact_cell_text(const struct fact_table *t, size_t row, const char *column)
{
    int at = table_column(t->decl, column);
    if (at < 0) {
        return NULL;
    }
    const struct cell *c = &t->cells[row * t->decl->n_columns + (size_t)at];
    return c->type == CELL_TEXT ? c->v.t.p : NULL;
}

const char *judge_setting(const struct judge *j, const char *key)
{
    const struct fact_table *t = facts_find(j->facts, "site_settings");
    for (size_t i = 0; t != NULL && i < t->n_rows; i++) {
        const char *name = fact_cell_text(t, i, "key");
        if (name != NULL && strcmp(name, key) == 0) {
            return fact_cell_text(t, i, "value");
        }
    }
    return NULL;
}

/* Tables that no probe fills: they are what the operator or the scan itself said. */
static bool is_own_table(const char *name)
{
    return strncmp(name, "site_", 5) == 0 || strcmp(name, "scan") == 0 ||
           strcmp(name, "probe_status") == 0 || strcmp(name, "recorded_owed") == 0;
}

/* States come from the recorded probe_status alone: that is what a stranger has. */
static void table_state(const struct judge *j, struct judge_table *t)
{
    const char *name = t->facts->decl->name;
    t->state = is_own_table(name) ? STATE_COMPLETE : STATE_NOT_RUN;
    t->reason = "";
    const struct fact_table *status = facts_find(j->facts, "probe_status");
    for (size_t i = 0; status != NULL && i < status->n_rows; i++) {
        const char *tbl = fact_cell_text(status, i, "tbl");
        if (tbl == NULL || strcmp(tbl, name) != 0) {
            continue;
        }
        const char *word = fact_cell_text(status, i, "state");
        const char *reason = fact_cell_text(status, i, "reason");
        enum fact_state state = STATE_MALFORMED;
        struct err err;
        if (word == NULL || fact_state_parse(word, &state, &err) != 0) {
            state = STATE_MALFORMED;
        }
        if (fact_state_worse(t->state, state) != t->state) {
            t->state = state;
            t->reason = reason != NULL ? reason : "";
        }
    }
    if (t->facts->truncated && t->state <= STATE_ABSENT) {
        t->state = STATE_TRUNCATED;
        t->reason = "recorded form was cut";
    }
}

int judge_open(struct judge *j, const struct policy *p, const struct facts *facts, struct err *e)
{
    *j = (struct judge){.policy = p, .facts = facts, .local_date = ""};
    int rc = sql_open(&j->sql, e);
    j->tables = rc == 0 ? calloc(facts->n + 1, sizeof *j->tables) : NULL;
    if (rc == 0 && j->tables == NULL) {
        rc = err_nomem(e);
    }
    for (size_t i = 0; rc == 0 && i < facts->n; i++) {
        rc = sql_create(j->sql, facts->tables[i]->decl, e);
        j->tables[i].facts = facts->tables[i];
        table_state(j, &j->tables[i]);
        j->n_tables = i + 1;
    }
    rc = rc == 0 ? views_create(&j->views, j->sql, p, e) : rc;
    if (rc != 0) {
        judge_close(j);
        return rc;
    }
    const struct fact_table *scan = facts_find(facts, "scan");
    const char *day =
        scan != NULL && scan->n_rows > 0 ? fact_cell_text(scan, 0, "local_date") : NULL;
    j->local_date = day != NULL ? day : "";
    const char *counts = judge_setting(j, "interpretation");
    j->interpretation_counts = counts != NULL && strcmp(counts, "counts") == 0;
    return 0;
}

void judge_close(struct judge *j)
{
    view_set_done(&j->views);
    sql_close(j->sql);
    free(j->tables);
    *j = (struct judge){0};
}

/* Tables are filled when first read: most checks read two or three of sixty. */
static int load_raw(struct judge *j, const struct sql_reads *r, struct err *e)
{
    for (size_t i = 0; i < j->n_tables && i < r->n; i++) {
        if (!r->named[i] || j->tables[i].loaded) {
            continue;
        }
        int rc = sql_load(j->sql, i, j->tables[i].facts, e);
        if (rc != 0) {
            return rc;
        }
        j->tables[i].loaded = true;
    }
    return 0;
}

static int copy_cell(struct fact_table *t, struct cell *to, const struct cell *from, struct err *e)
{
    if (from->type == CELL_TEXT) {
        return fact_text(t, to, from->v.t.p, from->v.t.n, e);
    }
    *to = *from;
    return 0;
}

/* Runs the view's SELECT and holds its rows in the connection. */
static int view_fill(struct judge *j, struct view_slot *slot, size_t index, struct err *e)
{
    struct result_rows rows = {0};
    struct fact_table *t = NULL;
    int rc = facts_add(&slot->rows, &slot->view->decl, "", &t, e);
    rc = rc == 0 ? sql_run(j->sql, slot->view->sql, false, &rows, e) : rc;
    for (size_t i = 0; rc == 0 && i < rows.n_rows; i++) {
        struct cell *cells = NULL;
        rc = fact_row(t, &cells, e);
        for (size_t k = 0; rc == 0 && k < rows.n_columns; k++) {
            rc = copy_cell(t, &cells[k], &rows.cells[i * rows.n_columns + k], e);
        }
    }
    if (rc == 0) {
        fact_sort(t);
        rc = sql_load(j->sql, index, t, e);
    }
    result_rows_done(&rows);
    return rc;
}

/* A view that cannot be made fails every check that reads it, and is not tried again. */
static int make_views(struct judge *j, const struct sql_reads *r, struct err *e)
{
    for (size_t i = j->views.first; i < r->n; i++) {
        struct view_slot *slot = view_at(&j->views, i);
        if (slot == NULL || !r->named[i]) {
            continue;
        }
        if (!slot->made && slot->failed == 0) {
            struct err err = {0};
            slot->failed = view_fill(j, slot, i, &err);
            slot->made = slot->failed == 0;
            memcpy(slot->why, err.msg, sizeof slot->why);
        }
        if (slot->failed != 0) {
            return err_set(e, slot->failed, "view %s: %.600s", slot->view->decl.name, slot->why);
        }
    }
    return 0;
}

int judge_prepare(struct judge *j, const char *text, struct sql_reads *direct,
                  struct sql_reads *all, struct sql_statement **ret, struct err *e)
{
    CLEANUP(sql_reads) struct sql_reads here = {0};
    CLEANUP(sql_statement) struct sql_statement *st = NULL;
    int rc = sql_compile(j->sql, text, true, &here, &st, e);
    rc = rc == 0 ? sql_reads_merge(direct, &here, e) : rc;
    rc = rc == 0 ? views_expand(&j->views, &here, e) : rc;
    rc = rc == 0 ? sql_reads_merge(all, &here, e) : rc;
    rc = rc == 0 ? load_raw(j, &here, e) : rc;
    rc = rc == 0 ? make_views(j, &here, e) : rc;
    if (rc == 0) {
        *ret = TAKE_PTR(st);
    }
    return rc;
}

int judge_run(struct judge *j, struct sql_statement *st, struct result_rows *ret, struct err *e)
{
    struct result_rows rows = {0};
    int rc = sql_rows(j->sql, st, &rows, e);
    if (rc == 0) {
        result_sort(&rows, true);
        *ret = rows;
    }
    return rc;
}
