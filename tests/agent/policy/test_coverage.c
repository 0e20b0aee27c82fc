/* Coverage: who decides each clause. */
#include "fixture.h"

#include "agent/base/json.h"

static const struct check check = {.id = "c"};
static const struct citation text_leg[] = {{.check = &check, .basis = BASIS_TEXT}};
static const struct citation advice_leg[] = {{.check = &check, .basis = BASIS_INTERPRETATION}};
static const struct citation says[] = {{.attest = "s"}};
static const struct citation *const either[] = {text_leg, says};
static const size_t either_n[] = {1, 1};
static const struct attestation_need need[] = {{.id = "s", .every = "year"}};
static const char *const missing[] = {"cables", NULL};
static const struct control controls[] = {
    {.id = "1", .checks = text_leg, .n_checks = 1},
    {.id = "2", .checks = text_leg, .n_checks = 1, .attests = need, .n_attests = 1},
    {.id = "3",
     .any_of = either,
     .any_of_n = either_n,
     .n_any_of = 2,
     .attests = need,
     .n_attests = 1},
    {.id = "4", .attests = need, .n_attests = 1},
    {.id = "5"},
    {.id = "6", .checks = text_leg, .n_checks = 1, .missing = missing},
    {.id = "7", .checks = advice_leg, .n_checks = 1},
};
static const struct framework fw = {
    .id = "fw", .version = "2", .status = "current", .controls = controls, .n_controls = 7};
static const struct policy policy = {.frameworks = &fw, .n_frameworks = 1};

static void test_policy_coverage_json(void **state)
{
    (void)state;
    CLEANUP(str) struct str out = STR_INIT(65536);
    CLEANUP(json) json_t *root = NULL;
    struct err e = {0};
    assert_int_equal(policy_coverage(&policy, true, LANG_EN, &out, &e), 0);
    assert_int_equal(json_parse("coverage", str_text(&out), out.len, &root, &e), 0);
    const json_t *f = json_array_get(root, 0);
    assert_string_equal(json_string_value(json_object_get(f, "framework")), "fw");
    assert_int_equal(json_integer_value(json_object_get(f, "controls")), 7);
    assert_int_equal(json_integer_value(json_object_get(f, "machine")), 1);
    assert_int_equal(json_integer_value(json_object_get(f, "machine-and-person")), 2);
    assert_int_equal(json_integer_value(json_object_get(f, "person")), 1);
    assert_int_equal(json_integer_value(json_object_get(f, "not-yet")), 3);
    const json_t *six = json_array_get(json_object_get(f, "clauses"), 5);
    assert_string_equal(json_string_value(json_object_get(six, "decided_by")), "not-yet");
}

static void test_policy_coverage_text(void **state)
{
    (void)state;
    CLEANUP(str) struct str out = STR_INIT(65536);
    CLEANUP(str) struct str ja = STR_INIT(65536);
    struct err e = {0};
    assert_int_equal(policy_coverage(&policy, false, LANG_EN, &out, &e), 0);
    assert_string_equal(str_text(&out), "fw 2: 7 clauses\n"
                                        "     1 machine 1\n"
                                        "     2 machine and person 2 3\n"
                                        "     1 person 4\n"
                                        "     3 not yet 5 6 7\n");
    assert_int_equal(policy_coverage(&policy, false, LANG_JA, &ja, &e), 0);
    assert_non_null(strstr(str_text(&ja), "未対応 5 6 7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_coverage_json),
        cmocka_unit_test(test_policy_coverage_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
