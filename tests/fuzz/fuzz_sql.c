/* SQL as a policy's author or a person may write it: any bytes end in rows or in an error, nothing
 * is changed, what is run was announced by the read-set, and the look at the text agrees to look.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/policy/lint.h"
#include "agent/policy/sql_tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct table disk = {
    .name = "disk",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY, NULL, ""},
                  {"role", COL_TEXT, "", COL_DECIDES, "root|data", ""},
                  {"encrypted", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL, ""},
                  {"age", COL_REAL, "days", COL_NULLABLE, NULL, ""},
                  {"leaves", COL_TEXT, "", 0, NULL, ""}),
};
static const struct table tls = {
    .name = "tls",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY, NULL, ""},
                  {"state", COL_TEXT, "", COL_DECIDES, "open|untested?", ""}),
};
static const struct table *const schema[] = {&disk, &tls, NULL};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void fill(struct sql *s)
{
    struct facts f = {0};
    struct fact_table *t = NULL;
    struct err e;
    must(sql_create(s, &disk, &e) == 0 && sql_create(s, &tls, &e) == 0);
    must(facts_add(&f, &disk, "", &t, &e) == 0);
    must(fact_row_va(t, &e, "/", "root", (int64_t)1, 0.5, "[\"/dev/sda1\"]") == 0);
    must(fact_row_va(t, &e, "/srv", "data", INT64_MIN, 2.0, "[]") == 0);
    must(sql_load(s, 0, t, &e) == 0);
    facts_done(&f);
}

static void check_rows(const struct result_rows *r)
{
    for (size_t i = 0; i < r->n_rows * r->n_columns; i++) {
        const struct cell *c = &r->cells[i];
        must(c->type != CELL_TEXT ||
             (str_is_utf8(c->v.t.p, c->v.t.n) && memchr(c->v.t.p, '\0', c->v.t.n) == NULL));
    }
}

/* Compiling for a run looks less closely; it must see the same all the same. */
static void check_reads(struct sql *s, const char *text, const struct sql_reads *full, int seen)
{
    struct sql_reads quick = {0};
    struct sql_statement *st = NULL;
    struct err e;
    if (sql_compile(s, text, true, &quick, &st, &e) == 0) {
        must(seen == 0);
        for (size_t i = 0; i < full->n; i++) {
            must(!full->named[i] || quick.named[i]);
            must((full->columns[i] & ~quick.columns[i]) == 0);
        }
    }
    sql_statement_free(st);
    sql_reads_done(&quick);
}

static void run(struct sql *s, const char *text)
{
    struct result_rows rows = {0};
    struct result_rows after = {0};
    struct sql_reads reads = {0};
    struct err e = {0};
    int seen = sql_explain(s, text, true, &reads, NULL, &e);
    int ran = sql_run(s, text, true, &rows, &e);
    must(ran != 0 || seen == 0); /* nothing runs that the read-set did not see */
    check_reads(s, text, &reads, seen);
    check_rows(&rows);
    result_rows_done(&rows);
    sql_reads_done(&reads);
    must(sql_run(s, "SELECT count(*), sum(encrypted) FROM disk", true, &after, &e) == 0);
    must(after.cells[0].v.i == 2 && after.cells[1].v.i == 1);
    result_rows_done(&after);
}

static bool anybody(const char *table, size_t n, const char *column, void *arg)
{
    (void)table;
    (void)column;
    (void)arg;
    return n != 0;
}

static void look(const char *text)
{
    struct tokens t = {0};
    struct err e;
    must(tokens_parse(text, &t, &e) == 0);
    (void)sql_tests_column(&t, "disk", "encrypted", NULL, anybody, NULL);
    (void)sql_tests_column(&t, "tls", "state", "untested", anybody, NULL);
    (void)sql_leaves_out(&t, "disk", "role", "data");
    tokens_done(&t);
}

static void lint(const char *text)
{
    const struct policy p = {.n_checks = 0};
    struct str out = STR_INIT((size_t)16 << 20);
    struct lint l = {.policy = &p, .out = &out, .file = "f", .line = 1, .what = "w"};
    struct err e;
    must(read_pass_open(&l.pass, &p, schema, &e) == 0);
    must(lint_sql(&l, text, &e) == 0);
    read_pass_close(&l.pass);
    str_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192) {
        return 0;
    }
    char *text = malloc(size + 1);
    struct sql *s = NULL;
    struct err e;
    must(text != NULL && sql_open(&s, &e) == 0);
    memcpy(text, data, size);
    text[size] = '\0';
    fill(s);
    run(s, text);
    look(text);
    lint(text);
    sql_close(s);
    free(text);
    return 0;
}
