/* agent/base/json.c */
#include "tests/agent/base/unit.h"

#include <math.h>

#include "agent/base/json.h"

static void test_compact_in_order(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(1000);
    struct json_out j;
    jout_begin(&j, &s, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "z", "1");
    jout_kv_int(&j, "a", -2);
    jout_kv_bool(&j, "t", true);
    jout_kv_text(&j, "n", NULL);
    jout_key(&j, "list");
    jout_open(&j, '[');
    jout_open(&j, '[');
    jout_close(&j, ']');
    jout_open(&j, '{');
    jout_close(&j, '}');
    jout_raw(&j, "[1,2]", 5);
    jout_null(&j);
    jout_close(&j, ']');
    jout_close(&j, '}');
    struct err e = {0};
    assert_int_equal(str_error(&s, &e), 0);
    assert_string_equal(str_text(&s),
                        "{\"z\":\"1\",\"a\":-2,\"t\":true,\"n\":null,\"list\":[[],{},[1,2],null]}");
}

static void test_pretty(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(1000);
    struct json_out j;
    jout_begin(&j, &s, true);
    jout_open(&j, '{');
    jout_key(&j, "a");
    jout_open(&j, '[');
    jout_int(&j, 1);
    jout_int(&j, 2);
    jout_close(&j, ']');
    jout_key(&j, "b");
    jout_open(&j, '{');
    jout_close(&j, '}');
    jout_close(&j, '}');
    assert_string_equal(str_text(&s), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *out, *why;
    } rows[] = {
        {"plain", 5, "\"plain\"", "ASCII"},
        {"a\"b\\c", 5, "\"a\\\"b\\\\c\"", "quote and backslash"},
        {"\n\r\t\x01\x1f", 5, "\"\\n\\r\\t\\u0001\\u001f\"", "controls"},
        {"a\0b", 3, "\"a\\u0000b\"", "NUL"},
        {"点検\x7f", 7, "\"点検\x7f\"", "UTF-8 stays"},
        {"\xf0\x9f\x94\x92", 4, "\"\xf0\x9f\x94\x92\"", "beyond the BMP"},
        {"a\xff\xe7\x82", 4, "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "invalid bytes"},
        {"", 0, "\"\"", "empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str s = STR_INIT(100);
        struct json_out j;
        jout_begin(&j, &s, false);
        jout_text_n(&j, rows[i].in, rows[i].n);
        CHECK_TEXT(rows[i].why, str_text(&s), rows[i].out);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t i;
        const char *out;
    } ints[] = {{0, "0"},
                {9007199254740991, "9007199254740991"},
                {9007199254740992, "\"9007199254740992\""},
                {-9007199254740991, "-9007199254740991"},
                {-9007199254740992, "\"-9007199254740992\""},
                {INT64_MIN, "\"-9223372036854775808\""}};
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
        CLEANUP(str) struct str s = STR_INIT(100);
        struct json_out j;
        jout_begin(&j, &s, false);
        jout_int(&j, ints[i].i);
        assert_string_equal(str_text(&s), ints[i].out);
    }
    static const struct {
        double r;
        const char *out;
    } reals[] = {{0.1, "0.1"},
                 {3, "3.0"},
                 {1.0 / 3, "0.3333333333333333"},
                 {1e100, "1e+100"},
                 {-2.5, "-2.5"},
                 {5e-324, "4.94065645841247e-324"},
                 {(double)NAN, "null"},
                 {(double)INFINITY, "null"}};
    for (size_t i = 0; i < ARRAY_LEN(reals); i++) {
        CLEANUP(str) struct str s = STR_INIT(100);
        struct json_out j;
        jout_begin(&j, &s, false);
        jout_real(&j, reals[i].r);
        assert_string_equal(str_text(&s), reals[i].out);
    }
}

static void test_cells(void **state)
{
    (void)state;
    struct cell cells[4] = {
        {.type = CELL_NULL}, {.type = CELL_INT}, {.type = CELL_REAL}, {.type = CELL_TEXT}};
    cells[1].v.i = 7;
    cells[2].v.r = 0.5;
    cells[3].v.t.p = "x";
    cells[3].v.t.n = 1;
    CLEANUP(str) struct str s = STR_INIT(100);
    struct json_out j;
    jout_begin(&j, &s, false);
    jout_open(&j, '[');
    for (size_t i = 0; i < 4; i++) {
        jout_cell(&j, &cells[i]);
    }
    jout_close(&j, ']');
    assert_string_equal(str_text(&s), "[null,7,0.5,\"x\"]");
}

static void test_too_deep_is_an_error(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(1000);
    struct json_out j;
    jout_begin(&j, &s, false);
    for (int i = 0; i < 63; i++) {
        jout_open(&j, '[');
    }
    struct err e = {0};
    assert_int_equal(str_error(&s, &e), 0);
    jout_open(&j, '[');
    assert_int_not_equal(str_error(&s, &e), 0);
    CLEANUP(str) struct str t = STR_INIT(1000);
    jout_begin(&j, &t, false);
    jout_close(&j, ']');
    assert_int_not_equal(str_error(&t, &e), 0);
}

static void test_strict_reader(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        bool good;
        const char *why;
    } rows[] = {
        {"{\"a\":[1,2.5,null,\"x\"]}", 22, true, "an object"},
        {"[]", 2, true, "an array"},
        {" [1] \n", 6, true, "white space around it"},
        {"", 0, false, "nothing"},
        {"1", 1, false, "a bare number"},
        {"{\"a\":1,\"a\":2}", 13, false, "a key twice"},
        {"{\"a\":1}x", 8, false, "text behind"},
        {"{\"a\":1}{}", 9, false, "a second value"},
        {"[NaN]", 5, false, "NaN"},
        {"[1e999]", 7, false, "a number too large"},
        {"[\"\xff\"]", 5, false, "invalid UTF-8"},
        {"[\"\\u0000\"]", 10, false, "NUL in a text"},
        {"{\"a\":24\0}", 9, false, "a NUL byte behind a number"},
        {"[\"\\ud800\"]", 10, false, "half a surrogate pair"},
        {"[1,]", 4, false, "comma before the end"},
        {"{'a':1}", 7, false, "single quotes"},
        {"[1]\0", 4, false, "NUL behind"},
        {"/* */[]", 7, false, "a comment"},
        {"[01]", 4, false, "leading zero"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CLEANUP(json) json_t *v = NULL;
        int rc = json_parse("thing", rows[i].text, rows[i].n, &v, &e);
        CHECK_ROW(rows[i].why, rc == (rows[i].good ? 0 : ERR_MALFORMED));
        CHECK_ROW(rows[i].why, (v != NULL) == rows[i].good);
        CHECK_ROW(rows[i].why, rows[i].good || strncmp(e.msg, "thing: line ", 12) == 0);
    }
    struct err e = {0};
    CLEANUP(json) json_t *v = NULL;
    assert_int_equal(json_parse("t", "[1,\n 2 \x1b]", 9, &v, &e), ERR_MALFORMED);
    assert_null(strchr(e.msg, '\x1b')); /* what stood there is quoted, not shown as it is */
    assert_non_null(strstr(e.msg, "line 2"));
}

static void test_deep_input_is_refused(void **state)
{
    (void)state;
    static char deep[100000];
    memset(deep, '[', sizeof(deep));
    struct err e = {0};
    CLEANUP(json) json_t *v = NULL;
    assert_int_equal(json_parse("t", deep, sizeof(deep), &v, &e), ERR_MALFORMED);
}

static void test_members(void **state)
{
    (void)state;
    struct err e = {0};
    const char *text = "{\"t\":\"x\",\"i\":5,\"d\":\"-9223372036854775808\",\"r\":1.5,\"o\":{},"
                       "\"a\":[],\"big\":\"9223372036854775808\",\"odd\":\" 1\",\"n\":null}";
    CLEANUP(json) json_t *v = NULL;
    assert_int_equal(json_parse("t", text, strlen(text), &v, &e), 0);
    const char *s = "kept";
    int64_t i = 42;
    const json_t *m = NULL;
    assert_int_equal(json_need_text(v, "t", &s, &e), 0);
    assert_string_equal(s, "x");
    assert_int_equal(json_need_int(v, "i", &i, &e), 0);
    assert_int_equal(i, 5);
    assert_int_equal(json_need_int(v, "d", &i, &e), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(json_need_object(v, "o", &m, &e), 0);
    assert_int_equal(json_need_array(v, "a", &m, &e), 0);
    static const char *const no_int[] = {"t", "r", "o", "big", "odd", "n", "none"};
    for (size_t k = 0; k < ARRAY_LEN(no_int); k++) {
        CHECK_ROW(no_int[k], json_need_int(v, no_int[k], &i, &e) == ERR_MALFORMED);
        CHECK_ROW(no_int[k], strstr(e.msg, no_int[k]) != NULL);
    }
    assert_true(i == INT64_MIN);
    assert_int_equal(json_need_text(v, "i", &s, &e), ERR_MALFORMED);
    assert_int_equal(json_need_object(v, "a", &m, &e), ERR_MALFORMED);
    assert_int_equal(json_need_array(v, "o", &m, &e), ERR_MALFORMED);
    assert_int_equal(json_need_array(NULL, "o", &m, &e), ERR_MALFORMED);
    assert_string_equal(s, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact_in_order),
        cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_too_deep_is_an_error),
        cmocka_unit_test(test_strict_reader),
        cmocka_unit_test(test_deep_input_is_refused),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
