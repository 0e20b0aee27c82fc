/* The strict scanner: what it takes, what it refuses, what it finds. */
#include "tests/agent/evidence/sample.h"

#include "agent/evidence/jscan.h"

struct text_case {
    const char *text;
    bool good;
    const char *why;
};

static const struct text_case cases[] = {
    {"{}", true, "empty object"},
    {" [ ] \n", true, "white space around"},
    {"{\"a\":[1,-2.5e+3,true,false,null,\"x\"]}", true, "every kind of value"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", true, "every escape"},
    {"\"点検\"", true, "UTF-8"},
    {"0", true, "zero"},
    {"-0.0E-7", true, "a number with all parts"},
    {"", false, "nothing"},
    {"{", false, "cut"},
    {"{\"a\":1", false, "cut after a value"},
    {"\"abc", false, "cut string"},
    {"\"abc\\", false, "cut in an escape"},
    {"\"\\u12", false, "cut in a code"},
    {"{\"a\":1,}", false, "comma before the end"},
    {"[1,]", false, "comma before the end of an array"},
    {"[1 2]", false, "no comma"},
    {"{\"a\" 1}", false, "no colon"},
    {"{a:1}", false, "name without quotes"},
    {"{1:1}", false, "a number as name"},
    {"01", false, "leading zero"},
    {"1.", false, "no fraction after the point"},
    {"1e", false, "no exponent"},
    {"-", false, "minus alone"},
    {"+1", false, "plus"},
    {"NaN", false, "NaN is no JSON"},
    {"Infinity", false, "nor is Infinity"},
    {"nul", false, "half a word"},
    {"1 1", false, "two values"},
    {"{}}", false, "something behind"},
    {"\"\x01\"", false, "control character"},
    {"\"\\x41\"", false, "escape that JSON has not"},
    {"\"\\u0000\"", false, "NUL would cut C strings"},
    {"\"\\ud800\"", false, "lone high surrogate"},
    {"\"\\udc00\"", false, "lone low surrogate"},
    {"\"\\ud800\\u0041\"", false, "high surrogate without its low one"},
    {"\"\xff\"", false, "no UTF-8"},
    {"\"\xc0\xaf\"", false, "overlong UTF-8"},
    {"\"\xed\xa0\x80\"", false, "surrogate in UTF-8"},
    {"{\"a\":1,\"a\":1}", false, "a member twice"},
    {"{\"a\":1,\"\\u0061\":1}", false, "a member twice, once escaped"},
    {"{\"x\":{\"b\":1,\"c\":2,\"b\":3}}", false, "twice further down"},
    {"{\"a\":{\"b\":1},\"b\":1,\"c\":{\"b\":1}}", true, "the same name in different objects"},
    {"[{\"a\":1},{\"a\":1}]", true, "the same name in two items"},
};

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct jspan span = {0};
        int rc = jscan_check("text", cases[i].text, strlen(cases[i].text), &span, &err);
        if ((rc == 0) != cases[i].good || (rc != 0 && rc != ERR_MALFORMED)) {
            fail_msg("%s: %d %s", cases[i].why, rc, err.msg);
        }
    }
}

/* Cut at every byte: no prefix of a document is one, and nothing is read behind the end (the copy
 * is exactly as long, which the address sanitizer watches). */
static void test_check_every_prefix(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\":[1.5e3,\"\\ud83d\\ude00\xe7\x82\xb9\",{\"b\":true}],\"c\":\"12345678901234567\"}";
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        struct jspan span = {0};
        char *copy = malloc(n + (n == 0));
        assert_non_null(copy);
        memcpy(copy, whole, n);
        assert_int_equal(jscan_check("text", copy, n, &span, NULL), ERR_MALFORMED);
        free(copy);
    }
}

static void test_check_depth(void **state)
{
    (void)state;
    for (size_t depth = 64; depth <= 65; depth++) {
        struct str text = STR_INIT(1024);
        struct jspan span = {0};
        for (size_t i = 0; i < depth; i++) {
            str_add_char(&text, '[');
        }
        for (size_t i = 0; i < depth; i++) {
            str_add_char(&text, ']');
        }
        int rc = jscan_check("text", text.data, text.len, &span, NULL);
        assert_int_equal(rc, depth == 64 ? 0 : ERR_MALFORMED);
        str_done(&text);
    }
}

/* Many members take the sorted path; the two equal ones may stand anywhere. */
static void test_check_many_members(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct str text = STR_INIT(1 << 20);
        struct jspan span = {0};
        str_add_char(&text, '{');
        for (int i = 0; i < 5000; i++) {
            str_addf(&text, "\"k%d\":%d,", i, i);
        }
        str_add(&text, twice == 1 ? "\"k17\":0}" : "\"k5000\":0}");
        assert_int_equal(jscan_check("text", text.data, text.len, &span, NULL),
                         twice == 1 ? ERR_MALFORMED : 0);
        str_done(&text);
    }
}

static struct jspan checked(const char *text)
{
    struct jspan span = {0};
    OK(jscan_check("text", text, strlen(text), &span, e));
    return span;
}

static void test_member(void **state)
{
    (void)state;
    struct jspan v = {0};
    struct jspan o =
        checked(" { \"x\\\"y\" : {\"a\":[{},\"]}\"]} , \"\\u0062\":\"\\u70b9\\/\", \"n\":-12 } ");
    CLEANUP(str) struct str text = STR_INIT(64);
    assert_true(jspan_member(o, "b", &v));
    assert_true(jspan_text(v, &text));
    assert_string_equal(str_text(&text), "点/");
    assert_false(jspan_member(o, "a", &v)); /* one level down */
    assert_true(jspan_member(o, "n", &v));
    assert_int_equal(v.n, 3);
    assert_false(jspan_text(v, &text));
    struct jiter it = {0};
    struct jspan key = {0};
    assert_true(jiter_begin(o, &it));
    assert_true(jiter_next(&it, &key, &v));
    assert_memory_equal(v.p, "{\"a\":[{},\"]}\"]}", v.n);
    assert_int_equal(v.n, 15);
    assert_true(jiter_next(&it, &key, &v));
    assert_true(jiter_next(&it, &key, &v));
    assert_false(jiter_next(&it, &key, &v));
    assert_false(jiter_begin(checked("12"), &it));
}

static void test_items(void **state)
{
    (void)state;
    static const char *const want[] = {"1", "\"a,b\"", "[2,[3]]", "{\"c\":4}", "null"};
    struct jiter it = {0};
    struct jspan v = {0};
    size_t n = 0;
    assert_true(jiter_begin(checked("[ 1 , \"a,b\",[2,[3]] ,{\"c\":4},null ]"), &it));
    while (jiter_next(&it, NULL, &v)) {
        assert_true(n < ARRAY_LEN(want));
        assert_int_equal(v.n, strlen(want[n]));
        assert_memory_equal(v.p, want[n], v.n);
        n++;
    }
    assert_int_equal(n, ARRAY_LEN(want));
}

static void test_int(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"-7", true, -7},
        {"\"9007199254740993\"", true, INT64_C(9007199254740993)},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"\"\"", false, 0},
        {"\"-\"", false, 0},
        {"true", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = 0;
        assert_int_equal(jspan_int(checked(rows[i].text), &got), rows[i].good);
        assert_true(got == rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),       cmocka_unit_test(test_check_every_prefix),
        cmocka_unit_test(test_check_depth), cmocka_unit_test(test_check_many_members),
        cmocka_unit_test(test_member),      cmocka_unit_test(test_items),
        cmocka_unit_test(test_int),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
