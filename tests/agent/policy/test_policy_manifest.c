/* "unmodified" and how many files differ; the list that was built in is that of the sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/policy_internal.h"

static const struct manifest_item built_in[] = {{"checks/a.yaml", "aa"}, {"views/v.sql", "bb"}};

static void test_manifest_differences(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct rule_file files[4];
        size_t n;
        unsigned want;
    } rows[] = {
        {"as shipped",
         {{.rel = "checks/a.yaml", .sha256 = "aa"}, {.rel = "views/v.sql", .sha256 = "bb"}},
         2,
         0},
        {"changed",
         {{.rel = "checks/a.yaml", .sha256 = "ax"}, {.rel = "views/v.sql", .sha256 = "bb"}},
         2,
         1},
        {"missing", {{.rel = "checks/a.yaml", .sha256 = "aa"}}, 1, 1},
        {"added",
         {{.rel = "checks/a.yaml", .sha256 = "aa"},
          {.rel = "checks/b.yaml", .sha256 = "aa"},
          {.rel = "views/v.sql", .sha256 = "bb"}},
         3,
         1},
        {"renamed: one is gone, one is new",
         {{.rel = "checks/z.yaml", .sha256 = "aa"}, {.rel = "views/v.sql", .sha256 = "bb"}},
         2,
         2},
        {"a further directory counts even where it repeats a shipped file",
         {{.rel = "checks/a.yaml", .sha256 = "aa"},
          {.rel = "views/v.sql", .sha256 = "bb"},
          {.dir = 1, .rel = "checks/a.yaml", .sha256 = "aa"}},
         3,
         1},
        {"a shipped file in a further directory is not the shipped one",
         {{.rel = "checks/a.yaml", .sha256 = "aa"},
          {.dir = 1, .rel = "views/v.sql", .sha256 = "bb"}},
         2,
         2},
        {"nothing at all", {{0}}, 0, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rule_file files[4];
        CLEANUP(ptrs) struct ptrs list = {0};
        struct err e = {0};
        for (size_t k = 0; k < rows[i].n; k++) {
            files[k] = rows[i].files[k];
            assert_int_equal(ptrs_add(&list, &files[k], &e), 0);
        }
        unsigned got = manifest_differences(built_in, ARRAY_LEN(built_in), &list);
        if (got != rows[i].want) {
            print_error("%s: %u\n", rows[i].why, got);
        }
        assert_int_equal(got, rows[i].want);
    }
}

static void test_shipped_rules_are_unmodified(void **state)
{
    (void)state;
    static const char *const dirs[] = {TENKEN_SOURCE_DIR "/policies"};
    CLEANUP(policy) struct policy *p = NULL;
    struct err e = {0};
    assert_int_equal(policy_load(dirs, 1, false, &p, &e), 0);
    assert_int_equal(p->differences, 0);
    assert_true(p->unmodified);
    assert_true(policy_manifest_n > 0);
    assert_string_equal(policy_manifest[policy_manifest_n].rel, ""); /* the uncounted last item */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest_differences),
        cmocka_unit_test(test_shipped_rules_are_unmodified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
