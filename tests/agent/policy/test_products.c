/* The catalogue of PAM modules: what becomes of an entry, and which mistakes are refused, with
 * their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/pam_products.h"

static void test_entries_become_lines(void **state)
{
    static const char text[] = "modules:\n"
                               "  - names: [unix, pwdb]\n"
                               "    outcomes:\n"
                               "      - {code: success, users: [local, root], needs: password}\n"
                               "      - {code: success, args: [nullok|x=, y], without_args: [z],\n"
                               "         scope: [blank-password], if: \"group={group}\"}\n"
                               "      - {code: ignore, needs: security-key, pin: true,\n"
                               "         except_services: [su]}\n"
                               "  - names: [succeed_if]\n"
                               "    gate: succeed_if\n";
    CLEANUP(strv) struct strv lines = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(products_pam_modules("f.yaml", text, strlen(text), &lines, &e), 0);
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.items[0],
                        "unix,pwdb\tsuccess needs=password users=local,root\tsuccess "
                        "scope=blank-password arg=nullok|x= arg=y noarg=z if=group={group}\tignore "
                        "needs=security-key pin=1 notservices=su");
    assert_string_equal(lines.items[1], "succeed_if\tgate=succeed_if");
}

static void test_mistakes_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *why, *text, *message;
    } rows[] = {
        {"nothing in it", "", "f.yaml:1:1: "},
        {"no list", "module: []\n", "f.yaml:1:"},
        {"unknown key", "modules:\n  - {names: [x], outcome: []}\n", "f.yaml:2:"},
        {"neither outcomes nor a gate", "modules:\n  - {names: [x]}\n", "f.yaml:2:"},
        {"both", "modules:\n  - {names: [x], gate: succeed_if, outcomes: [{code: ignore}]}\n",
         "f.yaml:2:"},
        {"no return code", "modules:\n  - {names: [x], outcomes: [{code: sucess}]}\n", "success"},
        {"no factor", "modules:\n  - {names: [x], outcomes: [{code: success, needs: pasword}]}\n",
         "password"},
        {"no state", "modules:\n  - {names: [x], outcomes: [{code: success, scope: [enroled]}]}\n",
         "enrolled"},
        {"a blank in a word", "modules:\n  - {names: [x y], outcomes: [{code: success}]}\n",
         "f.yaml:2:"},
        {"two conditions",
         "modules:\n  - {names: [x], outcomes: [{code: success, if: a, unless: b}]}\n",
         "f.yaml:2:"},
        {"a list that is empty",
         "modules:\n  - {names: [x], outcomes: [{code: success, users: []}]}\n", "f.yaml:2:"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(strv) struct strv lines = {0};
        struct err e = {0};
        int r = products_pam_modules("f.yaml", rows[i].text, strlen(rows[i].text), &lines, &e);
        if (r != ERR_INVALID || strstr(e.msg, rows[i].message) == NULL) {
            fail_msg("%s: %d %s", rows[i].why, r, e.msg);
        }
    }
}

static void test_shipped_catalogue_loads(void **state)
{
    CLEANUP(strv) struct strv lines = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(pam_products_load(&lines, &e), 0);
    assert_true(lines.n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_become_lines),
        cmocka_unit_test(test_mistakes_are_refused_with_their_place),
        cmocka_unit_test(test_shipped_catalogue_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
