/* What an author should hear before a rule is shipped: names, texts in both languages, tests, and
 * (lint_sql.c) what the SQL must not do. Messages are one line each: file:line: what: text. */
#include "agent/policy/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void lint_say(struct lint *l, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    str_addf(l->out, "%s:%u: %s: %s\n", l->file, l->line, l->what, text);
    l->n++;
}

void lint_about(struct lint *l, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(l->what, sizeof l->what, fmt, args);
    va_end(args);
}

/* Does the error already begin with a place (a view's)? Then it is shown as it is. */
static void say_error(struct lint *l, const struct err *e)
{
    lint_say(l, "%.400s", e->msg);
}

static bool has(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void both_languages(struct lint *l, const struct text2 *t, const char *name)
{
    static const char *const words[N_LANGS] = {[LANG_JA] = "ja", [LANG_EN] = "en"};
    for (size_t i = 0; i < N_LANGS; i++) {
        if (!has(t->in[i])) {
            lint_say(l, "%s has no text in %s", name, words[i]);
        }
    }
}

/* --- checks --- */

/* A check that was never seen to fail proves nothing when it passes. */
static void lint_tests(struct lint *l, const struct check *c)
{
    static const enum verdict wanted[] = {VERDICT_PASS, VERDICT_FAIL, VERDICT_UNKNOWN};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < c->n_tests; k++) {
            found = found || c->tests[k].want == wanted[i];
        }
        if (!found) {
            lint_say(l, "tests: no host that should give %s", verdict_word(wanted[i]));
        }
    }
}

/* Every {name} of the text is a result column. */
static void lint_placeholders(struct lint *l, const char *text, const struct strv *columns)
{
    for (const char *p = text; p != NULL && (p = strchr(p, '{')) != NULL;) {
        const char *end = strchr(p, '}');
        if (end == NULL) {
            lint_say(l, "finding: a { is not closed");
            return;
        }
        CLEANUP(free) char *name = strndup(p + 1, (size_t)(end - p) - 1);
        if (name != NULL && !strv_has(columns, name)) {
            lint_say(l, "finding: {%.80s} is no column of the query", name);
        }
        p = end + 1;
    }
}

/* By place: what lies in the directory of the shipped rules. */
static bool is_shipped(const char *file)
{
    const char *dir = policy_default_dir();
    return dir != NULL && file != NULL && strncmp(file, dir, strlen(dir)) == 0;
}

/* osquery's tables follow osquery's meaning, NULL and all: they are for people's queries. */
static void lint_osquery(struct lint *l, const struct sql_reads *reads)
{
    for (size_t i = 0; i < reads->n; i++) {
        const struct table *t = sql_table(l->pass.sql, i);
        if (reads->named[i] && t->osquery) {
            lint_say(l, "%s follows osquery: a shipped check leans on our own tables", t->name);
        }
    }
}

/* A row of `applies` counts whatever it holds: SELECT count(*) always gives one. */
static void lint_applies_row(struct lint *l, const char *text)
{
    struct result_rows rows = {0};
    struct err err;
    if (sql_run(l->pass.sql, text, true, &rows, &err) == 0 && rows.n_rows > 0) {
        const struct cell *c = &rows.cells[0];
        if (c->type == CELL_NULL || (c->type == CELL_INT && c->v.i == 0)) {
            lint_say(l, "gives a row that says no: it applies if there is any row; use WHERE");
        }
    }
    result_rows_done(&rows);
}

static int lint_statement(struct lint *l, const char *text, struct sql_reads *reads,
                          struct strv *columns, struct err *e)
{
    struct err err = {0};
    int rc = lint_sql(l, text, e);
    if (rc != 0) {
        return rc;
    }
    rc = read_pass_add(&l->pass, text, reads, columns, &err);
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != 0) {
        say_error(l, &err);
    }
    return 0;
}

/* A misspelt name would silently exempt nothing, or later something else. */
static void lint_null_ok(struct lint *l, const struct check *c)
{
    for (size_t i = 0; c->null_ok != NULL && c->null_ok[i] != NULL; i++) {
        const char *dot = strchr(c->null_ok[i], '.');
        CLEANUP(free)
        char *table = dot != NULL ? strndup(c->null_ok[i], (size_t)(dot - c->null_ok[i])) : NULL;
        int index = table != NULL ? sql_find(l->pass.sql, table) : -1;
        if (index < 0 || table_column(sql_table(l->pass.sql, (size_t)index), dot + 1) < 0) {
            lint_say(l, "null_ok: %.100s is no table.column", c->null_ok[i]);
        }
    }
}

static int lint_check_sql(struct lint *l, const struct check *c, struct err *e)
{
    const struct {
        const char *word, *text;
    } parts[] = {{"applies", c->applies}, {"query", c->query}, {"unknown", c->unknown}};
    CLEANUP(sql_reads) struct sql_reads reads = {0};
    CLEANUP(strv) struct strv columns = {0};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++) {
        bool is_query = parts[i].text == c->query;
        if (parts[i].text == NULL) {
            continue;
        }
        lint_about(l, "check %.128s: %s", c->id, parts[i].word);

        rc = lint_statement(l, parts[i].text, &reads, is_query ? &columns : NULL, e);
        if (rc == 0 && parts[i].text == c->applies) {
            lint_applies_row(l, c->applies);
        }
    }
    lint_about(l, "check %.128s", c->id);

    if (columns.n > 0) {
        lint_placeholders(l, c->finding.in[LANG_JA], &columns);
        lint_placeholders(l, c->finding.in[LANG_EN], &columns);
    }
    if (is_shipped(c->file)) {
        lint_osquery(l, &reads);
    }
    return rc;
}

static int lint_check(struct lint *l, size_t index, struct err *e)
{
    const struct check *c = &l->policy->checks[index];
    lint_about(l, "check %.128s", c->id);
    l->file = c->file;
    l->line = c->line;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(l->policy->checks[i].id, c->id) == 0) {
            lint_say(l, "the id is used twice, first at %s:%u", l->policy->checks[i].file,
                     l->policy->checks[i].line);
        }
    }
    both_languages(l, &c->title, "title");
    both_languages(l, &c->finding, "finding");
    if (!has(c->code)) {
        lint_say(l, "no code");
    }
    if (c->n_fixes == 0) {
        lint_say(l, "no fix");
    }
    for (size_t i = 0; i < c->n_fixes; i++) {
        both_languages(l, &c->fixes[i].text, "fix");
    }
    if (has(c->side_effects.in[LANG_JA]) != has(c->side_effects.in[LANG_EN])) {
        both_languages(l, &c->side_effects, "side_effects");
    }
    lint_tests(l, c);
    lint_null_ok(l, c);
    return lint_check_sql(l, c, e);
}

/* --- views --- */

/* Views are rules too: what they do with rows decides verdicts. */
static int lint_view(struct lint *l, const struct view *v, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(512);
    CLEANUP(sql_reads) struct sql_reads reads = {0};
    lint_about(l, "view %.128s", v->decl.name);
    l->file = v->file;
    l->line = 1;
    int rc = lint_sql(l, v->sql, e);
    if (rc != 0) {
        return rc;
    }
    /* Reading the view is what makes its SELECT known and its columns compared. */
    str_addf(&text, "SELECT 1 FROM \"%s\"", v->decl.name);
    struct err err = {0};
    rc = read_pass_add(&l->pass, str_text(&text), &reads, NULL, &err);
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != 0) {
        say_error(l, &err);
    }
    return 0;
}

/* --- frameworks --- */

static bool has_check(const struct policy *p, const struct check *c)
{
    for (size_t i = 0; i < p->n_checks; i++) {
        if (strcmp(p->checks[i].id, c->id) == 0) {
            return true;
        }
    }
    return false;
}

/* The loader refuses unknown checks in files; rules put together otherwise are looked at here. */
static void lint_legs(struct lint *l, const struct control *c, const struct citation *legs,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool known = legs[i].check != NULL && has_check(l->policy, legs[i].check);
        for (size_t k = 0; legs[i].check == NULL && k < c->n_attests && !known; k++) {
            known = legs[i].attest != NULL && strcmp(c->attests[k].id, legs[i].attest) == 0;
        }
        if (!known) {
            lint_say(l, "cites %s, which is no %s",
                     legs[i].check != NULL ? legs[i].check->id
                                           : (has(legs[i].attest) ? legs[i].attest : "nothing"),
                     legs[i].check != NULL ? "check" : "statement of this control");
        }
    }
}

static int lint_control(struct lint *l, const struct framework *fw, size_t index, struct err *e)
{
    const struct control *c = &fw->controls[index];
    lint_about(l, "control %.128s", c->id);

    for (size_t i = 0; i < index; i++) {
        if (strcmp(fw->controls[i].id, c->id) == 0) {
            lint_say(l, "the id is used twice");
        }
    }
    both_languages(l, &c->title, "title");
    both_languages(l, &c->summary, "summary");
    lint_legs(l, c, c->checks, c->n_checks);
    for (size_t i = 0; i < c->n_any_of; i++) {
        lint_legs(l, c, c->any_of[i], c->any_of_n[i]);
    }
    if (c->gate != NULL && !has_check(l->policy, c->gate)) {
        lint_say(l, "gate %s is no check", c->gate->id);
    }
    for (size_t i = 0; i < c->n_attests; i++) {
        both_languages(l, &c->attests[i].statement, "statement");
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->attests[i].id, c->attests[k].id) == 0) {
                lint_say(l, "statement %s is there twice", c->attests[i].id);
            }
        }
    }
    if (c->drift == NULL) {
        return 0;
    }
    CLEANUP(sql_reads) struct sql_reads reads = {0};
    lint_about(l, "control %.128s: drift", c->id);
    return lint_statement(l, c->drift, &reads, NULL, e);
}

static int lint_framework(struct lint *l, size_t index, struct err *e)
{
    const struct framework *fw = &l->policy->frameworks[index];
    lint_about(l, "framework %.128s", fw->id);
    l->file = fw->file;
    l->line = 1;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(l->policy->frameworks[i].id, fw->id) == 0) {
            lint_say(l, "the id is used twice, first in %s", l->policy->frameworks[i].file);
        }
    }
    both_languages(l, &fw->title, "title");
    int rc = 0;
    for (size_t i = 0; i < fw->n_controls && rc == 0; i++) {
        rc = lint_control(l, fw, i, e);
    }
    return rc;
}

static void cleanup_lint(struct lint *l)
{
    read_pass_close(&l->pass);
}

int policy_lint(const struct policy *p, schema_list schema, struct str *out, size_t *ret_n,
                struct err *e)
{
    CLEANUP(lint) struct lint l = {.policy = p, .out = out};
    int rc = read_pass_open(&l.pass, p, schema, e);
    for (size_t i = 0; i < p->n_views && rc == 0; i++) {
        rc = lint_view(&l, &p->views[i], e);
    }
    for (size_t i = 0; i < p->n_checks && rc == 0; i++) {
        rc = lint_check(&l, i, e);
    }
    for (size_t i = 0; i < p->n_frameworks && rc == 0; i++) {
        rc = lint_framework(&l, i, e);
    }
    rc = rc == 0 ? str_error(out, e) : rc;
    if (rc == 0) {
        *ret_n = l.n;
    }
    return rc;
}
