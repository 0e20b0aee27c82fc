/* One view a file: its head, its statement, what each mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/policy_internal.h"

static int read_text(struct pool *pool, const char *text, size_t n, struct view **ret,
                     struct err *e)
{
    struct rule_file file = {.folder = "views",
                             .rel = "views/peers.sql",
                             .path = "p/views/peers.sql",
                             .bytes = text,
                             .n = n,
                             .sha256 = "d1"};
    return view_read(pool, &file, ret, e);
}

static const char good[] =
    "-- doc Peers that were seen,\n"
    "-- doc judged against the site.\n"
    "-- source clause 5(1)\n"
    "--# a remark; it may say CREATE VIEW\n"
    "--\n"
    "\n"
    "-- column remote text KEY PERSONAL the other side\n"
    "-- column state text DECIDES NULLABLE values=on|off|untested? its state\n"
    "-- column age real unit=days how old\n"
    "-- column port integer DECIDES\ta port\n"
    "create  view\n peers\tAS\n"
    "SELECT ';' AS remote, \"a;b\" AS state /* ; */, 1.0 AS age, -- ; '\n"
    " 'it''s' AS port  ;\n-- the end ;\n";

static void test_view_read_head_and_statement(void **state)
{
    (void)state;
    CLEANUP(pool) struct pool *pool = NULL;
    struct err e = {0};
    struct view *v = NULL;
    assert_int_equal(pool_new(&pool, &e), 0);
    int rc = read_text(pool, good, sizeof good - 1, &v, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    assert_string_equal(v->decl.name, "peers");
    assert_string_equal(v->decl.doc, "Peers that were seen, judged against the site.");
    assert_string_equal(v->decl.source, "clause 5(1)");
    assert_int_equal(v->decl.kind, TABLE_VIEW);
    assert_int_equal(v->decl.n_columns, 4);
    const struct column *c = v->decl.columns;
    assert_string_equal(c[0].name, "remote");
    assert_int_equal(c[0].type, COL_TEXT);
    assert_int_equal(c[0].flags, COL_KEY | COL_PERSONAL);
    assert_string_equal(c[0].doc, "the other side");
    assert_int_equal(c[1].flags, COL_DECIDES | COL_NULLABLE);
    bool unknown = false;
    assert_true(column_allows(&c[1], "untested", &unknown));
    assert_true(unknown);
    assert_false(column_allows(&c[1], "of", NULL));
    assert_int_equal(c[2].type, COL_REAL);
    assert_string_equal(c[2].unit, "days");
    assert_int_equal(c[3].type, COL_INT);
    assert_string_equal(c[3].doc, "a port");
    assert_string_equal(v->sql, "SELECT ';' AS remote, \"a;b\" AS state /* ; */, 1.0 AS age, -- ; "
                                "'\n 'it''s' AS port");
    assert_string_equal(v->digest, "d1");
}

#define HEAD "-- column n integer KEY a number\n"

static void test_view_read_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *why, *text, *want;
    } rows[] = {
        {"nothing", "", "no CREATE VIEW"},
        {"comments alone", HEAD, "2:1: no CREATE VIEW"},
        {"a misspelt head", "-- colunm n integer KEY a number\n",
         "p/views/peers.sql:1:1: a line before CREATE VIEW starts with doc, source or column, not "
         "\"colunm\", did you mean \"column\"?"},
        {"no type", "-- column n\n", "text, integer or real"},
        {"a misspelt type", "-- column n integr KEY x\n", "did you mean \"integer\"?"},
        {"a misspelt flag", "-- column n integer DECIDE x\n", "unknown flag \"DECIDE\""},
        {"a flag that is none", "-- column n integer HAS_NAME x\n", "unknown flag \"HAS_NAME\""},
        {"no words on the column", "-- column n integer KEY\n", "say what the column holds"},
        {"no name", "-- column N integer KEY x\n", "no name for a column: \"N\""},
        {"twice", HEAD HEAD, "2:1: column declared twice: \"n\""},
        {"no columns", "CREATE VIEW peers AS SELECT 1;", "declare the columns"},
        {"another name than the file's", HEAD "CREATE VIEW peer AS SELECT 1;",
         "the file must be named after its view \"peer\""},
        {"a table", HEAD "CREATE TABLE peers AS SELECT 1;", "write CREATE VIEW name AS SELECT"},
        {"temporary", HEAD "CREATE TEMP VIEW peers AS SELECT 1;", "write CREATE VIEW"},
        {"a column list", HEAD "CREATE VIEW peers(n) AS SELECT 1;", "write CREATE VIEW"},
        {"two statements", HEAD "CREATE VIEW peers AS SELECT 1; DROP TABLE x;",
         "one CREATE VIEW and nothing after it"},
        {"a second statement behind a comment",
         HEAD "CREATE VIEW peers AS SELECT 1; /* x */ SELECT 2", "nothing after it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pool) struct pool *pool = NULL;
        struct view *v = NULL;
        struct err e = {0};
        assert_int_equal(pool_new(&pool, &e), 0);
        int rc = read_text(pool, rows[i].text, strlen(rows[i].text), &v, &e);
        if (rc != ERR_INVALID || strstr(e.msg, rows[i].want) == NULL) {
            print_error("%s: got %d \"%s\"\n", rows[i].why, rc, e.msg);
        }
        assert_int_equal(rc, ERR_INVALID);
        assert_non_null(strstr(e.msg, rows[i].want));
    }
}

static void test_view_read_refuses_bytes(void **state)
{
    (void)state;
    static const char nul[] = HEAD "CREATE VIEW peers AS SELECT 1;\0DROP TABLE x;";
    static const char latin[] = HEAD "CREATE VIEW peers AS SELECT '\xe9';";
    CLEANUP(pool) struct pool *pool = NULL;
    struct view *v = NULL;
    struct err e = {0};
    assert_int_equal(pool_new(&pool, &e), 0);
    assert_int_equal(read_text(pool, nul, sizeof nul - 1, &v, &e), ERR_INVALID);
    assert_int_equal(read_text(pool, latin, sizeof latin - 1, &v, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view_read_head_and_statement),
        cmocka_unit_test(test_view_read_refuses),
        cmocka_unit_test(test_view_read_refuses_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
