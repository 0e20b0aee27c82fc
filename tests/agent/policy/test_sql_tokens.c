/* The look at SQL text: tokens, clauses, conditions (agent/policy/sql_conditions.c). */
#include "fixture.h"

#include "agent/policy/sql_tokens.h"

static void test_tokens_parse(void **state)
{
    (void)state;
    CLEANUP(tokens) struct tokens t = {0};
    struct err e = {0};
    assert_int_equal(
        tokens_parse("SELECT a.\"b c\", 'it''s' -- SELECT\n FROM x /* ( */ WHERE (y<>1.5)", &t, &e),
        0);
    static const struct {
        enum token_kind kind;
        const char *text;
        unsigned depth;
    } want[] = {
        {TOKEN_WORD, "SELECT", 0}, {TOKEN_WORD, "a", 0}, {TOKEN_OP, ".", 0},
        {TOKEN_QUOTED, "b c", 0},  {TOKEN_OP, ",", 0},   {TOKEN_STRING, "it''s", 0},
        {TOKEN_WORD, "FROM", 0},   {TOKEN_WORD, "x", 0}, {TOKEN_WORD, "WHERE", 0},
        {TOKEN_OP, "(", 0},        {TOKEN_WORD, "y", 1}, {TOKEN_OP, "<>", 1},
        {TOKEN_NUMBER, "1.5", 1},  {TOKEN_OP, ")", 0},
    };
    assert_int_equal(t.n, ARRAY_LEN(want));
    for (size_t i = 0; i < t.n; i++) {
        assert_int_equal(t.items[i].kind, want[i].kind);
        assert_true(token_equals(&t, i, want[i].text));
        assert_int_equal(t.items[i].depth, want[i].depth);
    }
}

static void test_tokens_parse_odd(void **state)
{
    (void)state;
    static const char *const odd[] = {"", "'", "\"", "[", "/*", "--", ")))", "(((", "'a''", "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        CLEANUP(tokens) struct tokens t = {0};
        struct err e = {0};
        assert_int_equal(tokens_parse(odd[i], &t, &e), 0);
    }
}

static void test_select_at(void **state)
{
    (void)state;
    CLEANUP(tokens) struct tokens t = {0};
    struct err e = {0};
    assert_int_equal(tokens_parse("SELECT a IS DISTINCT FROM b FROM t WHERE f(x) > 1 GROUP BY a "
                                  "HAVING 1 UNION SELECT c FROM u ORDER BY 1 LIMIT 2",
                                  &t, &e),
                     0);
    struct select s = select_at(&t, 0);
    assert_true(token_is(&t, s.from + 1, "t"));
    assert_true(token_is(&t, s.where + 1, "f"));
    assert_true(token_is(&t, s.end, "UNION"));
    assert_int_equal(select_clause_end(&s, s.where), s.group);
    assert_int_equal(select_clause_end(&s, s.having), s.end);
    struct select second = select_at(&t, s.end + 1);
    assert_true(token_is(&t, second.from + 1, "u"));
    assert_true(second.order != 0 && second.limit != 0);
    assert_int_equal(second.end, t.n);
}

struct seen {
    const struct tokens *t;
    struct str text;
};

static bool note_source(size_t table, size_t alias, void *arg)
{
    struct seen *s = arg;
    str_addf(&s->text, "%.*s:%.*s ", (int)s->t->items[table].n, s->t->items[table].p,
             (int)s->t->items[alias].n, s->t->items[alias].p);
    return true;
}

static void test_select_sources(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *want;
    } rows[] = {
        {"SELECT 1 FROM a", "a:a "},
        {"SELECT 1 FROM a AS x, b y JOIN c ON x.k = y.k LEFT JOIN d AS z ON 1", "a:x b:y c:c d:z "},
        {"SELECT 1 FROM main.a AS x", "a:x "},
        {"SELECT 1 FROM (SELECT 1 FROM a) AS s, b", "b:b "},
        {"SELECT 1 FROM a, json_each(a.v) AS e WHERE 1", "a:a json_each:e "},
        {"SELECT 1", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(tokens) struct tokens t = {0};
        struct err e = {0};
        assert_int_equal(tokens_parse(rows[i].sql, &t, &e), 0);
        struct seen seen = {.t = &t, .text = STR_INIT(256)};
        struct select s = select_at(&t, 0);
        select_sources(&t, &s, note_source, &seen);
        assert_string_equal(str_text(&seen.text), rows[i].want);
        str_done(&seen.text);
    }
}

static bool both_have_it(const char *table, size_t n, const char *column, void *arg)
{
    (void)table;
    (void)n;
    (void)column;
    (void)arg;
    return true;
}

static void test_sql_tests_column(void **state)
{
    (void)state;
    static const struct {
        const char *why, *sql, *word;
        bool want;
    } rows[] = {
        {"plain", "SELECT 1 FROM t WHERE c IS NULL", NULL, true},
        {"ISNULL", "SELECT 1 FROM t WHERE c ISNULL", NULL, true},
        {"by its other name", "SELECT 1 FROM t AS x WHERE 1 AND x.c IS NULL", NULL, true},
        {"by another's name", "SELECT 1 FROM t AS x, u AS y WHERE y.c IS NULL", NULL, false},
        {"whose it is cannot be told", "SELECT 1 FROM t, u WHERE c IS NULL", NULL, false},
        {"in parentheses", "SELECT 1 FROM t WHERE ((c IS NULL)) AND d = 1", NULL, true},
        {"conjuncts in parentheses", "SELECT 1 FROM t WHERE (d = 1 AND c IS NULL)", NULL, true},
        {"one way of two", "SELECT 1 FROM t WHERE c IS NULL OR d = 1", NULL, true},
        {"AND below OR", "SELECT 1 FROM t WHERE d = 2 OR c IS NULL AND d = 1", NULL, false},
        {"BETWEEN has an AND of its own", "SELECT 1 FROM t WHERE d BETWEEN 1 AND 2 AND c IS NULL",
         NULL, true},
        {"inside CASE", "SELECT 1 FROM t WHERE CASE WHEN 1 AND c IS NULL THEN 0 ELSE 0 END", NULL,
         false},
        {"in a subquery", "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM t WHERE c IS NULL)", NULL,
         false},
        {"in one half of a UNION", "SELECT 1 FROM u UNION SELECT 1 FROM t WHERE c IS NULL", NULL,
         true},
        {"NOT NULL", "SELECT 1 FROM t WHERE c IS NOT NULL", NULL, false},
        {"negated", "SELECT 1 FROM t WHERE NOT c IS NULL", NULL, false},
        {"equal to NULL is never true", "SELECT 1 FROM t WHERE c = NULL", NULL, false},
        {"part of an expression", "SELECT 1 FROM t WHERE c IS NULL = 0", NULL, false},
        {"another column", "SELECT 1 FROM t WHERE cc IS NULL", NULL, false},
        {"another table", "SELECT 1 FROM u WHERE c IS NULL", NULL, false},
        {"a word", "SELECT 1 FROM t WHERE c = 'w'", "w", true},
        {"a word in a list", "SELECT 1 FROM t WHERE c IN ('v', 'w')", "w", true},
        {"a word not in the list", "SELECT 1 FROM t WHERE c IN ('v')", "w", false},
        {"all but the word", "SELECT 1 FROM t WHERE c NOT IN ('w')", "w", false},
        {"another word", "SELECT 1 FROM t WHERE c = 'v'", "w", false},
        {"NULL is no word", "SELECT 1 FROM t WHERE c IS NULL", "w", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(tokens) struct tokens t = {0};
        struct err e = {0};
        assert_int_equal(tokens_parse(rows[i].sql, &t, &e), 0);
        bool got = sql_tests_column(&t, "t", "c", rows[i].word, both_have_it, NULL);
        if (got != rows[i].want) {
            print_error("%s\n", rows[i].why);
        }
        assert_int_equal(got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_parse),     cmocka_unit_test(test_tokens_parse_odd),
        cmocka_unit_test(test_select_at),        cmocka_unit_test(test_select_sources),
        cmocka_unit_test(test_sql_tests_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
