/* The site against the shipped rules, and the example that ships with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/policy.h"
#include "agent/policy/site.h"

static struct policy *shipped(void)
{
    static const char *const dirs[] = {TENKEN_SOURCE_DIR "/policies"};
    struct policy *p = NULL;
    struct err e = {0};
    int rc = policy_load(dirs, 1, false, &p, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    return p;
}

static void test_site_example_is_valid(void **state)
{
    (void)state;
    CLEANUP(policy) struct policy *p = shipped();
    CLEANUP(site) struct site *s = NULL;
    struct err e = {0};
    int rc = site_load(TENKEN_SOURCE_DIR "/policies/site.example.yaml", false, &s, &e);
    if (rc == 0) {
        rc = site_check_policy(s, p, &e);
    }
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    CLEANUP(facts) struct facts f = {0};
    assert_int_equal(site_facts(s, "SPR-2026-014", &f, &e), 0);
    /* It shows every list: an example that leaves one out teaches nothing about it. */
    for (size_t i = 0; i < f.n; i++) {
        if (f.tables[i]->n_rows == 0) {
            print_error("%s has no row in the example\n", f.tables[i]->decl->name);
        }
        assert_true(f.tables[i]->n_rows > 0);
    }
}

static const struct {
    const char *why, *text, *want; /* want NULL: good */
} rows[] = {
    {"a clause by its own id",
     "permissions: [{id: P, framework: sapporo-7-2, control: 5.1a, scope: {name: eth0}}]", NULL},
    {"all parts of a clause",
     "permissions: [{id: P, framework: sapporo-7-2, control: \"5.1\", scope: {name: eth0}}]", NULL},
    {"a check in a scope",
     "compensations: [{id: C, framework: sapporo-7-2, control: 5.6a, measure: m, scope: "
     "{check: disk-data-paths-encrypted}}]",
     NULL},
    {"a statement of the clause",
     "attestations: [{id: T, framework: sapporo-7-2, control: 5.7a, statement: lent-items-locked, "
     "signer: s, signed_at: 2026-04-01}]",
     NULL},
    {"a statement of a part, named by the whole clause",
     "attestations: [{id: T, framework: sapporo-7-2, control: \"5.7\", statement: "
     "removals-recorded, signer: s, signed_at: 2026-04-01}]",
     NULL},
    {"no such clause",
     "permissions: [{id: P, framework: sapporo-7-2, control: 5.1z, scope: {name: eth0}}]",
     "site.yaml:2:56: sapporo-7-2 has no control \"5.1z\", did you mean \"5.1a\"?"},
    {"5.1 is a prefix of 5.10a and 5.12, but 5.1 names neither; 5 names nothing",
     "permissions: [{id: P, framework: sapporo-7-2, control: \"5\", scope: {name: eth0}}]",
     "has no control \"5\""},
    {"no such check",
     "compensations: [{id: C, framework: sapporo-7-2, control: 5.6a, measure: m, scope: "
     "{check: disk-data-path-encrypted}}]",
     "the policy has no check \"disk-data-path-encrypted\", did you mean "
     "\"disk-data-paths-encrypted\"?"},
    {"no such clause for a compensation",
     "compensations: [{id: C, framework: sapporo-7-2, control: 7.7, measure: m, scope: {a: b}}]",
     "has no control \"7.7\""},
    {"no such statement",
     "attestations: [{id: T, framework: sapporo-7-2, control: 5.7a, statement: lent-item-locked, "
     "signer: s, signed_at: 2026-04-01}]",
     "5.7a has no statement \"lent-item-locked\", did you mean \"lent-items-locked\"?"},
    {"the statement of another clause",
     "attestations: [{id: T, framework: sapporo-7-2, control: 5.7a, statement: removals-recorded, "
     "signer: s, signed_at: 2026-04-01}]",
     "5.7a has no statement"},
};

static void test_site_check_policy(void **state)
{
    (void)state;
    CLEANUP(policy) struct policy *p = shipped();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str text = STR_INIT(65536);
        CLEANUP(site) struct site *s = NULL;
        struct err e = {0};
        str_addf(&text, "contracts: [{id: C, framework: sapporo-7-2}]\n%s\n", rows[i].text);
        assert_int_equal(site_parse("site.yaml", text.data, text.len, &s, &e), 0);
        int rc = site_check_policy(s, p, &e);
        bool good = rows[i].want == NULL ? rc == 0
                                         : rc == ERR_INVALID && strstr(e.msg, rows[i].want) != NULL;
        if (!good) {
            print_error("%s: got %d \"%s\"\n", rows[i].why, rc, e.msg);
        }
        assert_true(good);
    }
}

static void test_site_check_policy_framework(void **state)
{
    (void)state;
    static const char text[] = "contracts:\n  - {id: C, framework: saporo-7-2}\n";
    CLEANUP(policy) struct policy *p = shipped();
    CLEANUP(site) struct site *s = NULL;
    struct err e = {0};
    assert_int_equal(site_parse("site.yaml", text, sizeof text - 1, &s, &e), 0);
    assert_int_equal(site_check_policy(s, p, &e), ERR_INVALID);
    assert_string_equal(e.msg, "site.yaml:2:24: the policy has no framework \"saporo-7-2\", did "
                               "you mean \"sapporo-7-2\"?");
}

static void test_control_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *control, *name;
        bool want;
    } names[] = {
        {"5.6a", "5.6a", true},     {"5.6a", "5.6", true},  {"5.4", "5.4", true},
        {"5.6a", "5.6b", false},    {"5.6a", "5", false},   {"5.10a", "5.1", false},
        {"5.12", "5.1", false},     {"5.6a", "", false},    {"", "5.6", false},
        {"5.6ab", "5.6", false},    {"5.6", "5.6a", false}, {"5.6a", "5.6A", false},
        {"gov.aa", "gov.a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (control_is_named(names[i].control, names[i].name) != names[i].want) {
            print_error("%s by %s\n", names[i].control, names[i].name);
        }
        assert_int_equal(control_is_named(names[i].control, names[i].name), names[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_example_is_valid),
        cmocka_unit_test(test_site_check_policy),
        cmocka_unit_test(test_site_check_policy_framework),
        cmocka_unit_test(test_control_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
