/* From wanted tables to children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/scan/plan.h"

static const struct column columns[] = {{"id", COL_INT, "", COL_KEY, NULL, "key"}};
#define TABLE(id) static const struct table id = {.name = #id, .columns = columns, .n_columns = 1}
TABLE(one);
TABLE(two);
TABLE(three);
TABLE(four);

static int no_parse(struct probe_ctx *ctx UNUSED, void *state UNUSED, struct err *e UNUSED)
{
    return ERR_INTERNAL;
}

static const struct probe plain = {.name = "plain",
                                   .tables = PROBE_TABLES(&one, &two),
                                   .syscalls = PROBE_LIST("@file-read", "@fs-info")};
static const struct probe alike = {.name = "alike",
                                   .tables = PROBE_TABLES(&three),
                                   .syscalls = PROBE_LIST("@fs-info", "@file-read"),
                                   .timeout_ms = 7};
static const struct probe strong = {.name = "strong",
                                    .tables = PROBE_TABLES(&four),
                                    .syscalls = PROBE_LIST("@file-read", "@fs-info"),
                                    .caps = 4};
static const struct probe *const all[] = {&plain, &alike, &strong};

static void test_tables_choose_probes(void **state UNUSED)
{
    CLEANUP(facts) struct facts facts = {.tables = NULL, .n = 0};
    CLEANUP(plan) struct plan plan = {.runs = NULL};
    struct err e;
    const char *tables[] = {"four", "two"};
    assert_int_equal(plan_make(all, 3, tables, 2, &facts, &plan, &e), 0);
    assert_int_equal(plan.n_runs, 2);
    assert_ptr_equal(plan.runs[0].p, &plain);
    assert_ptr_equal(plan.runs[1].p, &strong);
    assert_int_equal(plan.runs[1].index, 2); /* as the launcher counts */
    assert_int_equal(plan.n_groups, 2);
    assert_int_equal(facts.n, 3);
    assert_false(facts_find(&facts, "one")->wanted); /* filled by a probe that runs, not asked */
    assert_true(facts_find(&facts, "two")->wanted);
    assert_null(facts_find(&facts, "three"));
    assert_string_equal(facts_find(&facts, "four")->probe, "strong");
}

static void test_equal_privilege_shares_a_child(void **state UNUSED)
{
    CLEANUP(facts) struct facts facts = {.tables = NULL, .n = 0};
    CLEANUP(plan) struct plan plan = {.runs = NULL};
    struct err e;
    const char *tables[] = {"one", "three", "four", "one"};
    assert_int_equal(plan_make(all, 3, tables, 4, &facts, &plan, &e), 0);
    assert_int_equal(plan.n_groups, 2);
    assert_int_equal(plan.groups[0].n_runs, 2);
    assert_ptr_equal(plan.groups[0].runs[1]->p, &alike);
    assert_int_equal(plan.groups[1].n_runs, 1);
}

static void test_what_counts_as_privilege(void **state UNUSED)
{
    struct probe other = alike;
    assert_true(plan_same_privilege(&plain, &other));
    other.caps = 1;
    assert_false(plan_same_privilege(&plain, &other));
    other = alike;
    other.network = NETWORK_CLIENT;
    assert_false(plan_same_privilege(&plain, &other));
    other = alike;
    other.opens_devices = true;
    assert_false(plan_same_privilege(&plain, &other));
    other = alike;
    other.parse = no_parse;
    assert_false(plan_same_privilege(&plain, &other));
    other = alike;
    other.syscalls = PROBE_LIST("@file-read");
    assert_false(plan_same_privilege(&plain, &other));
    assert_false(plan_same_privilege(&other, &plain));
    other.syscalls = NULL;
    assert_false(plan_same_privilege(&plain, &other));
}

static void test_unknown_table(void **state UNUSED)
{
    CLEANUP(facts) struct facts facts = {.tables = NULL, .n = 0};
    struct plan plan = {.runs = NULL};
    struct err e;
    const char *tables[] = {"one", "no_such"};
    assert_int_equal(plan_make(all, 3, tables, 2, &facts, &plan, &e), ERR_INTERNAL);
    assert_non_null(strstr(e.msg, "no_such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_choose_probes),
        cmocka_unit_test(test_equal_privilege_shares_a_child),
        cmocka_unit_test(test_what_counts_as_privilege),
        cmocka_unit_test(test_unknown_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
