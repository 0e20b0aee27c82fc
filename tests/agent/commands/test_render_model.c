/* Clause names and sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/commands/render.h"

static void test_clause_name(void **state UNUSED)
{
    static const struct {
        const char *control, *want;
    } rows[] = {{"5.6a", "5(6)"}, {"5.10b", "5(10)"}, {"5.4", "5(4)"}, {"8.3a", "8(3)"},
                {"P.7a", "P(7)"}, {"7", "7"},         {"5.0", "5(0)"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[48];
        clause_name(rows[i].control, name, sizeof(name));
        assert_string_equal(name, rows[i].want);
    }
}

static void test_finding_text(void **state UNUSED)
{
    struct app app = {.lang = LANG_EN};
    static char mount[] = "mount";
    static char leaf[] = "leaf";
    char *columns[] = {mount, leaf};
    struct cell cells[] = {{.type = CELL_TEXT, .v.t = {"/srv/city", 9}}, {.type = CELL_NULL}};
    struct result_rows rows = {.columns = columns, .n_columns = 2, .cells = cells, .n_rows = 1};
    const struct text2 sentence = {{"", "{mount} lies in the open ({nothing})"}};
    CLEANUP(str) struct str text = STR_INIT(4096);
    CLEANUP(str) struct str seen = STR_INIT(4096);
    finding_text(&app, &sentence, &rows, 0, NULL, &text);
    assert_string_equal(str_text(&text), "/srv/city lies in the open ({nothing})");
    finding_seen(&app, &sentence, &rows, 0, NULL, &seen);
    assert_string_equal(str_text(&seen), "leaf=?");
}

static void test_put_wrapped(void **state UNUSED)
{
    CLEANUP(str) struct str out = STR_INIT(4096);
    put_wrapped(
        &out, "   ", 3,
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccc");
    assert_string_equal(str_text(&out), "   aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \n   "
                                        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccc\n");
    str_clear(&out);
    /* 45 wide characters are 90 columns: broken without a space, every line within 80 columns */
    put_wrapped(&out, "", 0,
                "暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号化暗号"
                "化暗号化");
    char first[512];
    const char *end = strchr(str_text(&out), '\n');
    (void)snprintf(first, sizeof(first), "%.*s", (int)(end - str_text(&out)), str_text(&out));
    assert_int_equal(str_width(first), 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clause_name),
        cmocka_unit_test(test_finding_text),
        cmocka_unit_test(test_put_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
