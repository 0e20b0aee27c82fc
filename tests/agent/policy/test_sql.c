/* The sandboxed connection (agent/policy/sql.c, agent/policy/sql_statement.c,
 * agent/policy/sql_functions.c, agent/policy/result.c): what SQL may do, what it reads, what
 * stops it. */
#include "fixture.h"

#include "agent/policy/result.h"
#include "agent/policy/sql.h"

static const struct table a_table = {
    .name = "a",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"k", COL_TEXT, "", COL_KEY, NULL, ""}, {"x", COL_INT, "", 0, NULL, ""},
                  {"y", COL_REAL, "", 0, NULL, ""}),
};
static const struct table b_table = {
    .name = "b",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"k", COL_TEXT, "", COL_KEY, NULL, ""}, {"z", COL_TEXT, "", 0, NULL, ""}),
};
static const struct table v_table = {
    .name = "v", .kind = TABLE_VIEW, TABLE_COLUMNS({"k", COL_TEXT, "", COL_KEY, NULL, ""})};

static struct sql *opened(void)
{
    struct sql *s = NULL;
    struct err e = {0};
    assert_int_equal(sql_open(&s, &e), 0);
    assert_int_equal(sql_create(s, &a_table, &e), 0);
    assert_int_equal(sql_create(s, &b_table, &e), 0);
    assert_int_equal(sql_create(s, &v_table, &e), 0);
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = put_table(&f, &a_table, STATE_COMPLETE, "");
    assert_int_equal(fact_row_va(t, &e, "one", (int64_t)1, 0.5), 0);
    assert_int_equal(fact_row_va(t, &e, "two", (int64_t)2, 1.5), 0);
    assert_int_equal(fact_row_va(t, &e, "three", NULL_INT, 2.5), 0);
    assert_int_equal(sql_load(s, 0, t, &e), 0);
    return s;
}

static const struct {
    const char *why, *sql, *want; /* want "" = allowed, else a part of the message */
} statements[] = {
    {"plain reading", "SELECT k FROM a", ""},
    {"names without case", "SELECT K FROM A", ""},
    {"a comment after", "SELECT k FROM a; -- done", ""},
    {"WITH, named like a table", "WITH b AS (SELECT k FROM a) SELECT count(*) FROM b", ""},
    {"bounded recursion",
     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
     "WHERE i < 5) SELECT i FROM n",
     ""},
    {"json_each", "SELECT e.value FROM a, json_each('[\"x\"]') AS e", ""},
    {"json_each counted", "SELECT count(*) FROM json_each('[1,2]')", ""},
    {"allowed functions", "SELECT length(k), coalesce(x, 0), k LIKE 'o%', iif(x, 1, 2) FROM a", ""},
    {"no statement", "  -- nothing", "only one SELECT"},
    {"two statements", "SELECT k FROM a; SELECT k FROM a", "more than one statement"},
    {"two statements behind a comment", "SELECT k FROM a; /* */ DELETE FROM a",
     "more than one statement"},
    {"a write", "DELETE FROM a", "only one SELECT"},
    {"an insert", "INSERT INTO a VALUES ('q', 1, 1)", "only one SELECT"},
    {"an update", "UPDATE a SET x = 1", "only one SELECT"},
    {"a write that returns rows", "DELETE FROM a RETURNING k", "only one SELECT"},
    {"a new table", "CREATE TABLE c(x)", "only one SELECT"},
    {"a temporary view", "CREATE TEMP VIEW c AS SELECT 1", "only one SELECT"},
    {"dropping", "DROP TABLE a", "only one SELECT"},
    {"another database", "ATTACH ':memory:' AS other", "only one SELECT"},
    {"pragma", "PRAGMA table_info(a)", "only one SELECT"},
    {"transactions", "BEGIN", "only one SELECT"},
    {"vacuum into a file", "VACUUM INTO '/nonexistent/x'", "only one SELECT"},
    {"the clock", "SELECT date('now')", "function not allowed: date"},
    {"the clock as a word", "SELECT current_timestamp", "function not allowed"},
    {"chance", "SELECT random()", "function not allowed: random"},
    {"bytes of chance", "SELECT randomblob(4)", "function not allowed: randomblob"},
    {"the engine's version", "SELECT sqlite_version()", "function not allowed"},
    {"loading code", "SELECT load_extension('x')", "load_extension"},
    {"reals that differ by version", "SELECT avg(x) FROM a", "function not allowed: avg"},
    {"row numbers of storage", "SELECT rowid FROM a", "no such column: ROWID"},
    {"the schema", "SELECT name FROM sqlite_master", "no such table: sqlite_master"},
    {"the schema counted", "SELECT count(*) FROM sqlite_master", "sqlite_master"},
    {"the schema by its new name", "SELECT count(*) FROM sqlite_schema", "sqlite_"},
    {"pragma as a table", "SELECT name FROM pragma_table_info('a')", "only one SELECT"},
    {"pragma as a table, counted", "SELECT count(*) FROM pragma_table_list", "only one SELECT"},
    {"the engine's statistics", "SELECT name FROM dbstat", "no such table"},
    {"double quotes as text", "SELECT k FROM a WHERE k = \"one\"", "no such column"},
    {"parameters", "SELECT k FROM a WHERE k = ?", "parameters"},
    {"the middle of a statement", "SELECT", "incomplete input"},
    {"a word that begins like one", "SELECTED", "only one SELECT"},
    {"a comment before", "/* what */ -- for\n SELECT k FROM a", ""},
    {"unknown table", "SELECT k FROM aa", "no such table: aa"},
    {"unknown column", "SELECT q FROM a", "no such column: q"},
    {"explain", "EXPLAIN SELECT k FROM a", "only one SELECT"},
    {"the rest of an explain", "QUERY PLAN SELECT k FROM a", "only one SELECT"},
};

static void test_sql_run_allows(void **state)
{
    (void)state;
    CLEANUP(sql) struct sql *s = opened();
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        struct result_rows rows = {0};
        CLEANUP(sql_reads) struct sql_reads reads = {0};
        struct err e = {0};
        bool allowed = statements[i].want[0] == '\0';
        int rc = sql_explain(s, statements[i].sql, true, &reads, NULL, &e);
        /* What may not be looked at may not be run either, and the other way round. */
        struct err run = {0};
        int ran = sql_run(s, statements[i].sql, true, &rows, &run);
        result_rows_done(&rows);
        if ((rc == 0) != allowed || (ran == 0) != allowed ||
            strstr(e.msg, statements[i].want) == NULL) {
            print_error("%s: explain %d \"%s\", run %d \"%s\"\n", statements[i].why, rc, e.msg, ran,
                        run.msg);
        }
        assert_int_equal(rc, allowed ? 0 : ERR_INVALID);
        assert_int_equal(ran, allowed ? 0 : ERR_INVALID);
        assert_non_null(strstr(e.msg, statements[i].want));
    }
}

static const struct {
    const char *why, *sql;
    bool a, b;
    uint64_t a_columns, b_columns;
} readings[] = {
    {"a column", "SELECT x FROM a", true, false, 2, 0},
    {"a condition", "SELECT k FROM a WHERE x > 1", true, false, 3, 0},
    {"rows alone", "SELECT count(*) FROM a", true, false, 0, 0},
    {"join ON", "SELECT a.x FROM a JOIN b ON a.k = b.k", true, true, 3, 1},
    {"join USING: the authorizer says nothing of b", "SELECT x FROM a JOIN b USING (k)", true, true,
     3, 1},
    {"NATURAL join, counted: the authorizer says nothing at all",
     "SELECT count(*) FROM a NATURAL JOIN b", true, true, 1, 1},
    {"subquery", "SELECT 1 WHERE EXISTS (SELECT 1 FROM b WHERE z = 'q')", false, true, 0, 2},
    {"WITH", "WITH q AS (SELECT y FROM a) SELECT count(*) FROM q", true, false, 0, 0},
    {"WITH, a column", "WITH q AS (SELECT y AS w FROM a) SELECT w FROM q", true, false, 4, 0},
    {"order", "SELECT 1 FROM a ORDER BY y", true, false, 4, 0},
    {"none", "SELECT 1", false, false, 0, 0},
};

static void test_sql_explain_reads(void **state)
{
    (void)state;
    CLEANUP(sql) struct sql *s = opened();
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        CLEANUP(sql_reads) struct sql_reads r = {0};
        struct err e = {0};
        assert_int_equal(sql_explain(s, readings[i].sql, true, &r, NULL, &e), 0);
        bool same = r.named[0] == readings[i].a && r.named[1] == readings[i].b &&
                    (r.columns[0] & readings[i].a_columns) == readings[i].a_columns &&
                    (r.columns[1] & readings[i].b_columns) == readings[i].b_columns;
        if (!same) {
            print_error("%s: a %d %llx, b %d %llx\n", readings[i].why, r.named[0],
                        (unsigned long long)r.columns[0], r.named[1],
                        (unsigned long long)r.columns[1]);
        }
        assert_true(same);
        assert_int_equal(r.columns[1] & ~readings[i].b_columns, 0);
    }
}

static void test_sql_explain_names_and_views(void **state)
{
    (void)state;
    CLEANUP(sql) struct sql *s = opened();
    CLEANUP(sql_reads) struct sql_reads r = {0};
    CLEANUP(strv) struct strv names = {0};
    struct err e = {0};
    assert_int_equal(sql_explain(s, "SELECT k, x + 1 AS more FROM a", true, &r, &names, &e), 0);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[1], "more");
    assert_int_equal(sql_explain(s, "SELECT k FROM v", true, &r, NULL, &e), 0);
    assert_true(r.named[2]);
    assert_int_equal(sql_explain(s, "SELECT k FROM v", false, &r, NULL, &e), ERR_INVALID);
    /* count(*) reaches the view past the authorizer's column reads */
    assert_int_equal(sql_explain(s, "SELECT count(*) FROM b NATURAL JOIN v", false, &r, NULL, &e),
                     ERR_INVALID);
}

static void expect_cells(const char *sql, const char *want)
{
    CLEANUP(sql) struct sql *s = opened();
    CLEANUP(str) struct str out = STR_INIT(4096);
    struct result_rows rows = {0};
    struct err e = {0};
    int rc = sql_run(s, sql, true, &rows, &e);
    if (rc != 0) {
        print_error("%s: %s\n", sql, e.msg);
    }
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < rows.n_rows * rows.n_columns; i++) {
        str_add(&out, i == 0 ? "" : ",");
        if (!cell_as_text(&rows.cells[i], &out)) {
            str_add(&out, "NULL");
        }
    }
    result_rows_done(&rows);
    assert_string_equal(str_text(&out), want);
}

static void test_sql_functions(void **state)
{
    (void)state;
    expect_cells("SELECT days_between('2026-11-20', '2026-11-21')", "1");
    expect_cells("SELECT days_between('2026-11-21', '2026-11-20')", "-1");
    expect_cells("SELECT days_between('2024-02-28', '2024-03-01')", "2");
    expect_cells("SELECT days_between('2026-11-20T23:59:59Z', '2026-11-21T23:59:58Z')", "0");
    expect_cells("SELECT days_between('2026-11-20T00:00:01Z', '2026-11-20T00:00:00Z')", "-1");
    expect_cells("SELECT days_between(NULL, '2026-11-20')", "NULL");
    expect_cells("SELECT date_in('2026-11-20T16:30:00Z', 'Asia/Tokyo')", "2026-11-21");
    expect_cells("SELECT date_in('2026-11-20T16:30:00Z', 'UTC')", "2026-11-20");
    expect_cells("SELECT date_in('2026-11-20', 'Asia/Tokyo')", "2026-11-20");
    expect_cells("SELECT group_concat(k, ' ') FROM a", "one three two");
    expect_cells("SELECT group_concat(x) FROM a", "1,2");
    expect_cells("SELECT group_concat(z) FROM b", "NULL");
    expect_cells("SELECT CAST(x'ff41' AS TEXT)", "\\xffA");
}

static void test_sql_functions_refuse_garbage(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "SELECT days_between('garbage', '2026-11-20')",
        "SELECT days_between('2026-02-30', '2026-11-20')",
        "SELECT days_between('never', '2026-11-20')",
        "SELECT days_between('', '2026-11-20')",
        "SELECT date_in('2026-11-20T16:30:00Z', 'Asia/Nowhere')",
    };
    CLEANUP(sql) struct sql *s = opened();
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        struct result_rows rows = {0};
        struct err e = {0};
        /* NULL would compare as nothing found. */
        assert_int_equal(sql_run(s, garbage[i], true, &rows, &e), ERR_INVALID);
    }
}

static const struct {
    const char *why, *sql;
} endless[] = {
    {"steps", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
              "SELECT count(*) FROM n"},
    {"rows", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) "
             "SELECT i FROM n"},
    {"one large value", "WITH RECURSIVE n(s) AS (SELECT 'aaaaaaaaaaaaaaaa' UNION ALL "
                        "SELECT s || s FROM n) SELECT max(s) FROM n"},
    {"many large values kept for sorting",
     "WITH RECURSIVE big(s) AS (SELECT 'aaaaaaaaaaaaaaaa' UNION ALL SELECT s || s FROM big "
     "WHERE length(s) < 500000), n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
     "WHERE i < 4000) SELECT max(t) FROM (SELECT DISTINCT n.i || (SELECT max(s) FROM big) AS t "
     "FROM n ORDER BY t)"},
};

static void test_sql_run_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
        CLEANUP(sql) struct sql *s = opened();
        struct result_rows rows = {0};
        struct err e = {0};
        int rc = sql_run(s, endless[i].sql, true, &rows, &e);
        if (rc != ERR_LIMIT) {
            print_error("%s: %d %s\n", endless[i].why, rc, e.msg);
        }
        assert_int_equal(rc, ERR_LIMIT);
        assert_int_equal(rows.n_rows, 0);
        /* The next statement has its own bounds. */
        assert_int_equal(sql_run(s, "SELECT k FROM a", true, &rows, &e), 0);
        assert_int_equal(rows.n_rows, 3);
        result_rows_done(&rows);
    }
}

static void test_sql_create_refuses(void **state)
{
    (void)state;
    static const struct column many[SQL_MAX_COLUMNS + 1] = {
        {.name = "x"},
    };
    static const struct column twice[] = {{.name = "x"}, {.name = "X"}};
    const struct {
        const char *why;
        struct table t;
    } bad[] = {
        {"a name that is there", {.name = "A", .columns = many, .n_columns = 1}},
        {"the engine's own", {.name = "sqlite_stat1", .columns = many, .n_columns = 1}},
        {"a function table", {.name = "json_each", .columns = many, .n_columns = 1}},
        {"no column", {.name = "c", .columns = many, .n_columns = 0}},
        {"too many columns", {.name = "c", .columns = many, .n_columns = ARRAY_LEN(many)}},
        {"one column twice", {.name = "c", .columns = twice, .n_columns = 2}},
    };
    CLEANUP(sql) struct sql *s = opened();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        int rc = sql_create(s, &bad[i].t, &e);
        if (rc != ERR_MALFORMED) {
            print_error("%s: %d %s\n", bad[i].why, rc, e.msg);
        }
        assert_int_equal(rc, ERR_MALFORMED);
    }
    static const struct column odd[] = {{.name = "a\"b; --"}};
    const struct table quoted = {.name = "t\"; DROP TABLE a; --", .columns = odd, .n_columns = 1};
    struct err e = {0};
    assert_int_equal(sql_create(s, &quoted, &e), 0);
    assert_int_equal(sql_find(s, "a"), 0);
}

static void test_result_sort(void **state)
{
    (void)state;
    static const char *const names[] = {"n"};
    struct result_rows r = {0};
    struct err e = {0};
    assert_int_equal(result_begin(&r, names, 1, &e), 0);
    const int64_t values[] = {3, 1, 2, 1, 3};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct cell *c = NULL;
        assert_int_equal(result_row(&r, &c, &e), 0);
        cell_int(c, values[i]);
    }
    result_sort(&r, true);
    assert_int_equal(r.n_rows, 3);
    assert_int_equal(r.cells[0].v.i, 1);
    assert_int_equal(r.cells[2].v.i, 3);
    assert_int_equal(result_column(&r, "n"), 0);
    assert_int_equal(result_column(&r, "N"), -1);
    result_rows_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_run_allows),
        cmocka_unit_test(test_sql_explain_reads),
        cmocka_unit_test(test_sql_explain_names_and_views),
        cmocka_unit_test(test_sql_functions),
        cmocka_unit_test(test_sql_functions_refuse_garbage),
        cmocka_unit_test(test_sql_run_bounds),
        cmocka_unit_test(test_sql_create_refuses),
        cmocka_unit_test(test_result_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
