/* agent/base/schema.c */
#include "tests/agent/base/unit.h"

#include "agent/base/schema.h"
#include "agent/base/str.h"

static const struct table example = {
    .name = "example",
    .doc = "An example.",
    .source = "none",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"id", COL_TEXT, "", COL_KEY, NULL, "which"},
                  {"state", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, "on|off|untested?", "how"},
                  {"size", COL_INT, "bytes", COL_BULK, NULL, "how much"},
                  {"age", COL_REAL, "days", COL_NULLABLE, NULL, "how old"}),
};

static void test_look_ups(void **state)
{
    (void)state;
    assert_int_equal(example.n_columns, 4);
    assert_int_equal(table_column(&example, "size"), 2);
    assert_int_equal(table_column(&example, "siz"), -1);
    assert_string_equal(col_type_word(COL_TEXT), "text");
    assert_string_equal(col_type_word(COL_INT), "integer");
    assert_string_equal(col_type_word(COL_REAL), "real");
}

static void test_vocabulary(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool allowed, unknown;
        const char *why;
    } rows[] = {
        {"on", true, false, "first word"},
        {"off", true, false, "middle word"},
        {"untested", true, true, "last word, flagged"},
        {"untested?", false, false, "the mark is no part of the word"},
        {"o", false, false, "a beginning is not the word"},
        {"on|off", false, false, "the bar is no part of a word"},
        {"", false, false, "empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool unknown = true;
        CHECK_ROW(rows[i].why,
                  column_allows(&example.columns[1], rows[i].word, &unknown) == rows[i].allowed);
        CHECK_ROW(rows[i].why, unknown == rows[i].unknown);
    }
    assert_true(column_allows(&example.columns[0], "anything", NULL));
}

static void collect(const char *word, void *arg)
{
    str_addf(arg, "%s ", word);
}

static void test_flag_words(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(200);
    column_flag_words(COL_HAS_NAMES | COL_KEY | COL_PERSONAL, collect, &s);
    assert_string_equal(str_text(&s), "KEY PERSONAL HAS_NAMES ");
    unsigned all = 0;
    static const char *const words[] = {"KEY",      "DECIDES", "NULLABLE",
                                        "PERSONAL", "BULK",    "HAS_NAMES"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        assert_int_not_equal(column_flag_bit(words[i]), 0);
        all |= column_flag_bit(words[i]);
    }
    assert_int_equal(all, 0x3f);
    assert_int_equal(column_flag_bit("key"), 0);
}

static void test_copy_stands_alone(void **state)
{
    (void)state;
    char name[] = "changing";
    struct column column = {name, COL_TEXT, "", COL_KEY, NULL, "doc"};
    struct table t = {.name = name, .doc = "d", .columns = &column, .n_columns = 1};
    struct err e = {0};
    struct table *copy = NULL;
    assert_int_equal(table_dup(&t, &copy, &e), 0);
    memset(name, 'x', sizeof(name) - 1);
    column.type = COL_INT;
    assert_string_equal(copy->name, "changing");
    assert_string_equal(copy->columns[0].name, "changing");
    assert_int_equal(copy->columns[0].type, COL_TEXT);
    assert_null(copy->source);
    assert_null(copy->columns[0].values);
    free(copy);
    assert_int_equal(table_dup(&example, &copy, &e), 0);
    assert_string_equal(copy->columns[1].values, "on|off|untested?");
    assert_string_equal(copy->columns[3].unit, "days");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look_ups),
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_flag_words),
        cmocka_unit_test(test_copy_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
