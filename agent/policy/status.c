/* probe_status as people ask for it: every table there is, views included. Evidence holds only the
 * rows of what it records. */
#include <string.h>

#include "agent/policy/reads.h"
#include "agent/policy/scan_tables.h"

static bool has_row(const struct fact_table *status, const char *table)
{
    for (size_t i = 0; i < status->n_rows; i++) {
        const char *name = fact_cell_text(status, i, "tbl");
        if (name != NULL && strcmp(name, table) == 0) {
            return true;
        }
    }
    return false;
}

static int add_row(struct fact_table *status, const char *table, enum fact_state state,
                   struct err *e)
{
    return fact_row_va(status, e, "", table, fact_state_word(state), "", INT64_MIN, INT64_MIN,
                       INT64_MIN);
}

/* Worst over the tables that the view reads. What the site says is always there; a fact table that
 * nothing filled was not run, and a view over it knows no more. */
static enum fact_state view_state(const struct facts *f, const struct read_pass *pass,
                                  const struct sql_reads *reads)
{
    enum fact_state worst = STATE_COMPLETE;
    bool not_run = false;
    for (size_t i = 0; i < reads->n; i++) {
        const struct table *t = sql_table(pass->sql, i);
        if (!reads->named[i] || t->kind != TABLE_FACTS) {
            continue;
        }
        const struct fact_table *facts = facts_find(f, t->name);
        enum fact_state state = facts != NULL ? facts->state : STATE_NOT_RUN;
        not_run = not_run || state == STATE_NOT_RUN;
        worst = fact_state_worse(worst, state);
    }
    return not_run && worst == STATE_COMPLETE ? STATE_NOT_RUN : worst;
}

static int add_views(struct facts *f, const struct policy *p, schema_list schema,
                     struct fact_table *status, struct err *e)
{
    CLEANUP(read_pass) struct read_pass pass = {0};
    int rc = read_pass_open(&pass, p, schema, e);
    for (size_t i = 0; i < p->n_views && rc == 0; i++) {
        CLEANUP(sql_reads) struct sql_reads reads = {0};
        rc = sql_explain(pass.sql, p->views[i].sql, false, &reads, NULL, e);
        if (rc != 0) {
            return err_prefix(e, "%s", p->views[i].file);
        }
        rc = add_row(status, p->views[i].decl.name, view_state(f, &pass, &reads), e);
    }
    return rc;
}

int probe_status_complete(struct facts *f, const struct policy *p, schema_list schema,
                          struct err *e)
{
    struct fact_table *status = facts_find(f, table_probe_status.name);
    if (status == NULL) {
        return err_set(e, ERR_INTERNAL, "probe_status is not there yet");
    }
    int rc = 0;
    for (size_t i = 0; schema[i] != NULL && rc == 0; i++) {
        if (schema[i]->kind == TABLE_FACTS && !has_row(status, schema[i]->name)) {
            rc = add_row(status, schema[i]->name, STATE_NOT_RUN, e);
        }
    }
    rc = rc == 0 && p->n_views > 0 ? add_views(f, p, schema, status, e) : rc;
    if (rc == 0) {
        fact_sort(status);
    }
    return rc;
}
