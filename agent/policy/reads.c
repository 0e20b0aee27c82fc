/* What SQL reads, found on empty tables: the schema's and the policy's views. This is how a scan
 * knows which probes to run. */
#include "agent/policy/reads.h"

#include <stdio.h>
#include <string.h>

#include "agent/policy/judge.h"

void read_set_done(struct read_set *r)
{
    strv_done(&r->tables);
    free(r->columns);
    *r = (struct read_set){0};
}

bool read_set_has_table(const struct read_set *r, const char *table)
{
    return strv_has(&r->tables, table);
}

bool read_set_has_column(const struct read_set *r, const char *table, const char *column)
{
    for (size_t i = 0; i < r->n_columns; i++) {
        if (strcmp(r->columns[i].table, table) == 0 && strcmp(r->columns[i].column, column) == 0) {
            return true;
        }
    }
    return false;
}

void read_pass_close(struct read_pass *r)
{
    view_set_done(&r->views);
    sql_close(r->sql);
    *r = (struct read_pass){0};
}

int read_pass_open(struct read_pass *r, const struct policy *p, schema_list schema, struct err *e)
{
    *r = (struct read_pass){0};
    int rc = sql_open(&r->sql, e);
    for (size_t i = 0; rc == 0 && schema[i] != NULL; i++) {
        rc = sql_create(r->sql, schema[i], e);
    }
    rc = rc == 0 ? views_create(&r->views, r->sql, p, e) : rc;
    if (rc != 0) {
        read_pass_close(r);
    }
    return rc;
}

/* "did you mean": SQLite ends both messages with the name that it does not know. */
static void add_hint(const struct read_pass *r, struct err *e)
{
    static const char *const starts[] = {"no such table: ", "no such column: "};
    const char *unknown = NULL;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        const char *at = strstr(e->msg, starts[i]);
        unknown = at != NULL ? at + strlen(starts[i]) : unknown;
    }
    if (unknown == NULL) {
        return;
    }
    const char *dot = strrchr(unknown, '.');
    bool columns = strstr(e->msg, starts[1]) != NULL;
    unknown = dot != NULL ? dot + 1 : unknown;
    size_t n = 0;
    size_t cap = sql_n_tables(r->sql) * (columns ? SQL_MAX_COLUMNS : 1);
    CLEANUP(free) const char **words = calloc(cap + 1, sizeof(const char *));
    for (size_t i = 0; words != NULL && i < sql_n_tables(r->sql); i++) {
        const struct table *t = sql_table(r->sql, i);
        for (size_t k = 0; columns && k < t->n_columns; k++) {
            words[n++] = t->columns[k].name;
        }
        if (!columns) {
            words[n++] = t->name;
        }
    }
    const char *near = words != NULL ? str_nearest(unknown, words, n) : NULL;
    size_t used = strlen(e->msg);
    if (near != NULL) {
        (void)snprintf(e->msg + used, sizeof e->msg - used, ", did you mean %s?", near);
    }
}

int read_pass_add(struct read_pass *r, const char *text, struct sql_reads *all,
                  struct strv *ret_columns, struct err *e)
{
    CLEANUP(sql_reads) struct sql_reads here = {0};
    int rc = sql_explain(r->sql, text, true, &here, ret_columns, e);
    if (rc == ERR_INVALID) {
        add_hint(r, e);
    }
    rc = rc == 0 ? views_expand(&r->views, &here, e) : rc;
    return rc == 0 ? sql_reads_merge(all, &here, e) : rc;
}

/* Views are resolved: probes fill raw tables only. Their columns stay listed, for who explains. */
static int read_set_from(const struct read_pass *r, const struct sql_reads *reads,
                         struct read_set *ret, struct err *e)
{
    struct read_set set = {0};
    size_t n_columns = 0;
    for (size_t i = 0; i < reads->n; i++) {
        n_columns += (size_t)__builtin_popcountll(reads->columns[i]);
    }
    set.columns = calloc(n_columns + 1, sizeof *set.columns);
    int rc = set.columns != NULL ? 0 : err_nomem(e);
    for (size_t i = 0; rc == 0 && i < reads->n; i++) {
        const struct table *t = sql_table(r->sql, i);
        for (size_t k = 0; k < t->n_columns; k++) {
            if ((reads->columns[i] >> k & 1U) != 0) {
                set.columns[set.n_columns++] = (struct read_column){t->name, t->columns[k].name};
            }
        }
        if (reads->named[i] && view_at(&r->views, i) == NULL) {
            rc = strv_add(&set.tables, t->name, e);
        }
    }
    if (rc != 0) {
        read_set_done(&set);
        return rc;
    }
    strv_sort(&set.tables);
    *ret = set;
    return 0;
}

/* All three statements, whether or not they would run: what applies is not known yet. */
static int read_check(struct read_pass *r, const struct check *c, struct sql_reads *all,
                      struct err *e)
{
    const struct {
        const char *what, *text;
    } parts[] = {{"applies", c->applies}, {"query", c->query}, {"unknown", c->unknown}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].text != NULL && read_pass_add(r, parts[i].text, all, NULL, e) != 0) {
            return err_prefix(e, "%s:%u:%u: check %s: %s", c->file, c->line, c->column, c->id,
                              parts[i].what);
        }
    }
    return 0;
}

/* Drift is recorded at every scan, so its tables are always needed. */
static int read_drifts(struct read_pass *r, const struct framework *fw, struct sql_reads *all,
                       struct err *e)
{
    for (size_t i = 0; i < fw->n_controls; i++) {
        const char *text = fw->controls[i].drift;
        if (text != NULL && read_pass_add(r, text, all, NULL, e) != 0) {
            return err_prefix(e, "%s: control %s: drift", fw->file, fw->controls[i].id);
        }
    }
    return 0;
}

/* Names can be told from other words only where the host's accounts are known. */
static int add_users(schema_list schema, struct read_set *set, struct err *e)
{
    bool known = false;
    for (size_t i = 0; schema[i] != NULL; i++) {
        known = known || strcmp(schema[i]->name, "users") == 0;
    }
    if (!known || read_set_has_table(set, "users") || !record_wants_users(set, schema)) {
        return 0;
    }
    set->users_for_names = true;
    int rc = strv_add(&set->tables, "users", e);
    strv_sort(&set->tables);
    return rc;
}

int policy_reads(const struct policy *p, const struct framework *fw, const char *const *only_checks,
                 schema_list schema, struct read_set *ret, struct err *e)
{
    CLEANUP(read_pass) struct read_pass pass = {0};
    CLEANUP(sql_reads) struct sql_reads all = {0};
    CLEANUP(sql_reads) struct sql_reads unused = {0};
    int rc = only_checks_exist(p, only_checks, e);
    rc = rc == 0 ? read_pass_open(&pass, p, schema, e) : rc;
    /* What is not asked for is looked at as well: a rule that names what does not exist stops the
     * scan, whoever cites it. */
    for (size_t i = 0; i < p->n_checks && rc == 0; i++) {
        bool wanted = check_selected(&p->checks[i], fw, only_checks);
        rc = read_check(&pass, &p->checks[i], wanted ? &all : &unused, e);
    }
    for (size_t i = 0; i < p->n_frameworks && rc == 0; i++) {
        bool wanted = only_checks == NULL && (fw == NULL || fw == &p->frameworks[i]);
        rc = read_drifts(&pass, &p->frameworks[i], wanted ? &all : &unused, e);
    }
    struct read_set set = {0};
    rc = rc == 0 ? read_set_from(&pass, &all, &set, e) : rc;
    rc = rc == 0 ? add_users(schema, &set, e) : rc;
    if (rc != 0) {
        read_set_done(&set);
        return rc;
    }
    *ret = set;
    return 0;
}

int sql_reads(const struct policy *p, const char *sql, schema_list schema, struct read_set *ret,
              struct err *e)
{
    CLEANUP(read_pass) struct read_pass pass = {0};
    CLEANUP(sql_reads) struct sql_reads all = {0};
    int rc = read_pass_open(&pass, p, schema, e);
    rc = rc == 0 ? read_pass_add(&pass, sql, &all, NULL, e) : rc;
    return rc == 0 ? read_set_from(&pass, &all, ret, e) : rc;
}
