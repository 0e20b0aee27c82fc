/* agent/base/facts.c */
#include "tests/agent/base/unit.h"

#include <math.h>

#include "agent/base/facts.h"

static const struct table decl = {
    .name = "t",
    TABLE_COLUMNS({"k", COL_TEXT, "", COL_KEY, NULL, ""}, {"i", COL_INT, "", 0, NULL, ""},
                  {"r", COL_REAL, "", 0, NULL, ""}),
};
static const struct table empty_decl = {.name = "none"};

static void test_states(void **state)
{
    (void)state;
    struct err e = {0};
    static const char *const words[] = {"not-run", "complete",  "absent",
                                        "denied",  "malformed", "truncated",
                                        "timeout", "crashed",   "unconfined"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        enum fact_state s = STATE_UNCONFINED;
        assert_int_equal(fact_state_parse(words[i], &s, &e), 0);
        assert_int_equal(s, i);
        assert_string_equal(fact_state_word(s), words[i]);
        for (size_t k = 0; k <= i; k++) {
            assert_int_equal(fact_state_worse((enum fact_state)k, s), s);
            assert_int_equal(fact_state_worse(s, (enum fact_state)k), s);
        }
    }
    enum fact_state kept = STATE_DENIED;
    assert_int_equal(fact_state_parse("fine", &kept, &e), ERR_MALFORMED);
    assert_int_equal(kept, STATE_DENIED);
}

static void test_rows_and_arena(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = NULL;
    assert_int_equal(facts_add(&f, &decl, "probe", &t, &e), 0);
    assert_int_equal(t->state, STATE_NOT_RUN);
    char big[10000];
    memset(big, 'b', sizeof(big));
    const char *first = NULL;
    for (int i = 0; i < 500; i++) {
        struct cell *c = NULL;
        assert_int_equal(fact_row(t, &c, &e), 0);
        assert_int_equal(c[2].type, CELL_NULL);
        size_t n = i % 50 == 0 ? sizeof(big) : (size_t)i;
        assert_int_equal(fact_text(t, &c[0], big, n, &e), 0);
        cell_int(&c[1], i);
        if (i == 7) {
            first = c[0].v.t.p;
        }
    }
    assert_int_equal(t->n_rows, 500);
    assert_ptr_equal(t->cells[7 * 3].v.t.p, first); /* texts never move */
    assert_int_equal(t->cells[7 * 3].v.t.n, 7);
    assert_int_equal(strlen(t->cells[50 * 3].v.t.p), sizeof(big));
    assert_int_equal(t->cells[499 * 3 + 1].v.i, 499);
    assert_ptr_equal(facts_find(&f, "t"), t);
    assert_null(facts_find(&f, "u"));
    struct fact_table *none = NULL;
    assert_int_equal(facts_add(&f, &empty_decl, "", &none, &e), 0);
    facts_remove(&f, "u");
    facts_remove(&f, "t");
    assert_int_equal(f.n, 1);
    assert_ptr_equal(facts_find(&f, "none"), none);
}

static void test_table_without_columns(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = NULL;
    assert_int_equal(facts_add(&f, &empty_decl, "", &t, &e), 0);
    struct cell *c = NULL;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fact_row(t, &c, &e), 0);
    }
    fact_sort(t);
    assert_int_equal(t->n_rows, 20);
}

static void test_owned_declaration_goes_with_the_table(void **state)
{
    (void)state;
    struct err e = {0};
    struct table *copy = NULL;
    assert_int_equal(table_dup(&decl, &copy, &e), 0);
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = NULL;
    assert_int_equal(facts_add(&f, copy, "", &t, &e), 0);
    t->owns_decl = true; /* the leak checker tells if it stays */
    assert_non_null(facts_find(&f, "t"));
}

static void test_literal_rows(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = NULL;
    assert_int_equal(facts_add(&f, &decl, "", &t, &e), 0);
    assert_int_equal(fact_row_va(t, &e, "a\\b", (int64_t)-5, 2.5), 0);
    assert_int_equal(fact_row_va(t, &e, (const char *)NULL, INT64_MIN, (double)NAN), 0);
    assert_string_equal(t->cells[0].v.t.p, "a\\x5cb");
    assert_int_equal(t->cells[1].v.i, -5);
    assert_true(t->cells[2].v.r == 2.5);
    for (size_t i = 3; i < 6; i++) {
        assert_int_equal(t->cells[i].type, CELL_NULL);
    }
}

static struct cell text_cell(const char *text)
{
    struct cell c = {.type = CELL_TEXT};
    c.v.t.p = text;
    c.v.t.n = strlen(text);
    return c;
}

static struct cell int_cell(int64_t i)
{
    struct cell c = {.type = CELL_NULL};
    cell_int(&c, i);
    return c;
}

static struct cell real_cell(double r)
{
    struct cell c = {.type = CELL_REAL};
    c.v.r = r;
    return c;
}

/* Every pair of an ascending list: the order is total and antisymmetric. */
static void test_order_is_total(void **state)
{
    (void)state;
    const struct cell ascending[] = {
        {.type = CELL_NULL},
        real_cell(-1e300),
        int_cell(INT64_MIN + 1),
        int_cell(-1),
        real_cell(-0.5),
        int_cell(0),
        real_cell(0.5),
        int_cell(9007199254740992),
        real_cell(9007199254740992.0), /* equal value: the integer goes first */
        int_cell(9007199254740993),    /* not representable as a double */
        int_cell(INT64_MAX),
        real_cell(9223372036854775808.0),
        text_cell(""),
        text_cell("A"),
        text_cell("a"),
        text_cell("aa"),
        text_cell("\xe7\x82\xb9"),
    };
    for (size_t i = 0; i < ARRAY_LEN(ascending); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ascending); k++) {
            int wanted = i == k ? 0 : i < k ? -1 : 1;
            if (cell_compare(&ascending[i], &ascending[k]) != wanted) {
                fail_msg("cells %zu and %zu", i, k);
            }
        }
    }
}

static void test_sorting_looks_at_all_columns(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = NULL;
    assert_int_equal(facts_add(&f, &decl, "", &t, &e), 0);
    assert_int_equal(fact_row_va(t, &e, "b", (int64_t)1, 0.0), 0);
    assert_int_equal(fact_row_va(t, &e, "a", (int64_t)2, 0.0), 0);
    assert_int_equal(fact_row_va(t, &e, "a", (int64_t)1, 1.0), 0);
    assert_int_equal(fact_row_va(t, &e, "a", (int64_t)1, (double)NAN), 0);
    fact_sort(t);
    static const struct {
        const char *k;
        int64_t i;
    } rows[] = {{"a", 1}, {"a", 1}, {"a", 2}, {"b", 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(t->cells[i * 3].v.t.p, rows[i].k);
        assert_int_equal(t->cells[i * 3 + 1].v.i, rows[i].i);
    }
    assert_int_equal(t->cells[2].type, CELL_NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_rows_and_arena),
        cmocka_unit_test(test_table_without_columns),
        cmocka_unit_test(test_owned_declaration_goes_with_the_table),
        cmocka_unit_test(test_literal_rows),
        cmocka_unit_test(test_order_is_total),
        cmocka_unit_test(test_sorting_looks_at_all_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
