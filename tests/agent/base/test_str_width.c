/* agent/base/str_width.c */
#include "tests/agent/base/unit.h"

#include "agent/base/str.h"

static void test_widths(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t width;
        const char *why;
    } rows[] = {
        {"", 0, "empty"},
        {"abc", 3, "ASCII"},
        {"\xc3\xa9", 1, "e with acute, one character"},
        {"e\xcc\x81", 1, "e and a combining acute"},
        {"点検", 4, "kanji are wide"},
        {"ｶﾞ", 2, "half-width katakana are narrow"},
        {"か\xe3\x82\x99", 2, "kana and a combining voiced mark"},
        {"ＡＢ", 4, "full-width Latin"},
        {"、。", 4, "ideographic punctuation"},
        {"한", 2, "precomposed Hangul"},
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 2, "the same from conjoining letters"},
        {"\xf0\x9f\x94\x92", 2, "emoji"},
        {"\xf0\xa0\x80\x8b", 2, "CJK extension B"},
        {"\xe2\x80\x8b", 0, "zero-width space"},
        {"\xff\xfe", 2, "invalid bytes count one each"},
        {"α", 1, "ambiguous width is taken as narrow"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_ROW(rows[i].why, str_width(rows[i].text) == rows[i].width);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_widths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
