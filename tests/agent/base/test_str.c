/* agent/base/str.c */
#include "tests/agent/base/unit.h"

#include "agent/base/str.h"

static void test_ceiling_is_sticky(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(5);
    struct err e = {0};
    assert_string_equal(str_text(&s), "");
    str_add(&s, "abc");
    str_add(&s, "def"); /* one too many: nothing of it is kept */
    str_add(&s, "x");   /* would fit, but the error stays */
    assert_string_equal(str_text(&s), "abc");
    assert_int_equal(str_error(&s, &e), ERR_TRUNCATED);
    assert_string_equal(e.msg, "text is longer than 5 bytes");
    str_clear(&s);
    assert_int_equal(str_error(&s, &e), 0);
    str_add(&s, "12345");
    assert_int_equal(str_error(&s, &e), 0);
    assert_string_equal(str_text(&s), "12345");
    str_add_bytes(&s, "", 0);
    assert_int_equal(str_error(&s, &e), 0);
}

static void test_formats_and_growth(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(100000);
    for (int i = 0; i < 5000; i++) {
        str_addf(&s, "%d,", i % 10);
    }
    struct err e = {0};
    assert_int_equal(str_error(&s, &e), 0);
    assert_int_equal(s.len, 10000);
    assert_memory_equal(s.data, "0,1,2,3,4,5,6,7,8,9,0,", 22);
    str_addf(&s, "%s", "");
    assert_int_equal(s.len, 10000);
}

static void test_take_empties(void **state)
{
    (void)state;
    struct str s = STR_INIT(10);
    size_t n = 99;
    CLEANUP(free) char *nothing = str_take(&s, &n);
    assert_string_equal(nothing, "");
    assert_int_equal(n, 0);
    str_add_bytes(&s, "a\0b", 3);
    CLEANUP(free) char *bytes = str_take(&s, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(bytes, "a\0b", 4);
    assert_null(s.data);
    str_add(&s, "far too long for ten");
    assert_null(str_take(&s, NULL));
    assert_null(s.data);
}

static void test_list_of_strings(void **state)
{
    (void)state;
    CLEANUP(strv) struct strv v = {0};
    struct err e = {0};
    static const char *const words[] = {"b", "a", "c", "B", "aa"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        assert_int_equal(strv_add(&v, words[i], &e), 0);
    }
    assert_int_equal(strv_add_n(&v, "abcdef", 3, &e), 0);
    strv_sort(&v);
    static const char *const sorted[] = {"B", "a", "aa", "abc", "b", "c"};
    assert_int_equal(v.n, ARRAY_LEN(sorted));
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        assert_string_equal(v.items[i], sorted[i]);
    }
    assert_true(strv_has(&v, "abc"));
    assert_false(strv_has(&v, "ab"));
}

static void test_cells_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *out, *why;
    } rows[] = {
        {"plain", 5, "plain", "ASCII stays"},
        {"\xe7\x82\xb9", 3, "\xe7\x82\xb9", "valid UTF-8 stays"},
        {"a\0b", 3, "a\\x00b", "NUL"},
        {"a\\b", 3, "a\\x5cb", "the backslash itself, else the form is ambiguous"},
        {"\t\n\x1b\x7f", 4, "\\x09\\x0a\\x1b\\x7f", "control characters"},
        {"\xff", 1, "\\xff", "never a UTF-8 byte"},
        {"\xc3", 1, "\\xc3", "cut character"},
        {"\xc0\xaf", 2, "\\xc0\\xaf", "overlong form"},
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80", "surrogate"},
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80", "above U+10FFFF"},
        {"\xe7\x82x", 3, "\\xe7\\x82x", "cut in the middle, the next byte is not swallowed"},
        {"\xc2\x9b", 2, "\xc2\x9b", "C1 stays in a cell (the terminal escapes it)"},
        {"", 0, "", "empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str s = STR_INIT(100);
        str_add_cell(&s, rows[i].in, rows[i].n);
        CHECK_TEXT(rows[i].why, str_text(&s), rows[i].out);
        CHECK_ROW(rows[i].why, str_is_utf8(str_text(&s), s.len));
    }
}

static void test_terminal_is_not_deceived(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"a\\x00b", "a\\x00b", "a cell's own escapes are left as they are"},
        {"\xc2\x9b"
         "31m",
         "\\u{009b}31m", "C1 CSI"},
        {"\xe2\x80\xae", "\\u{202e}", "right-to-left override"},
        {"\xe2\x81\xa6", "\\u{2066}", "isolate"},
        {"\xd8\x9c", "\\u{061c}", "Arabic letter mark"},
        {"\xe2\x80\x8f", "\\u{200f}", "right-to-left mark"},
        {"a\nb\tc", "a\\x0ab\\x09c", "lines and tabs"},
        {"\x1b[2J", "\\x1b[2J", "ESC"},
        {"\xe2\x80\x90", "\xe2\x80\x90", "a hyphen is harmless"},
        {"日本", "日本", "Japanese stays"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str s = STR_INIT(100);
        str_add_terminal(&s, rows[i].in);
        CHECK_TEXT(rows[i].why, str_text(&s), rows[i].out);
    }
}

static void test_nearest_word(void **state)
{
    (void)state;
    static const char *const words[] = {"contracts", "data_paths", "workers", "peers", "id"};
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"contract", "contracts", "one letter missing"},
        {"data_path", "data_paths", "one letter missing"},
        {"wrokers", "workers", "two neighbours swapped"},
        {"Peers", "peers", "case"},
        {"ids", "id", "one letter too many"},
        {"zzz", NULL, "nothing is near"},
        {"encryption", NULL, "a different word"},
        {"", NULL, "nothing typed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = str_nearest(rows[i].in, words, ARRAY_LEN(words));
        CHECK_TEXT(rows[i].why, got != NULL ? got : "-", rows[i].out != NULL ? rows[i].out : "-");
    }
    char lengthy[300];
    memset(lengthy, 'x', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    const char *const one[] = {lengthy};
    assert_null(str_nearest(lengthy, one, 1)); /* bounded, not slow */
    assert_null(str_nearest("xx", one, 1));
}

static void test_digits_keep_to_their_ceiling(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        uint64_t max, value;
        const char *rest; /* NULL: refused */
        const char *why;
    } rows[] = {
        {"253:7", UINT32_MAX, 253, ":7", "what follows is left"},
        {"0", 0, 0, "", "nought under a ceiling of nought"},
        {"1", 0, 0, NULL, "one above a ceiling of nought"},
        {"0007", 7, 7, "", "leading noughts"},
        {"4294967295", UINT32_MAX, UINT32_MAX, "", "the ceiling itself"},
        {"4294967296", UINT32_MAX, 0, NULL, "one above it"},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, "", "all of the type"},
        {"18446744073709551616", UINT64_MAX, 0, NULL, "would wrap to 0"},
        {"99999999999999999999", UINT64_MAX, 0, NULL, "would wrap to something likely"},
        {"", UINT64_MAX, 0, NULL, "no digit"},
        {" 1", UINT64_MAX, 0, NULL, "no blanks are skipped"},
        {"-1", UINT64_MAX, 0, NULL, "no sign"},
        {"+1", UINT64_MAX, 0, NULL, "no sign"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = rows[i].in;
        uint64_t value = 42;
        bool taken = text_digits(&at, rows[i].max, &value);
        if (taken != (rows[i].rest != NULL)) {
            fail_msg("%s: %s", rows[i].why, taken ? "taken" : "refused");
        }
        CHECK_TEXT(rows[i].why, at, taken ? rows[i].rest : rows[i].in);
        assert_true(value == (taken ? rows[i].value : 42));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceiling_is_sticky),
        cmocka_unit_test(test_formats_and_growth),
        cmocka_unit_test(test_take_empties),
        cmocka_unit_test(test_list_of_strings),
        cmocka_unit_test(test_cells_are_escaped),
        cmocka_unit_test(test_terminal_is_not_deceived),
        cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_digits_keep_to_their_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
