/* Redoing verdicts: the same rules give the same answer; whoever changes a verdict, a finding,
 * leaves one out, or rewrites the drift is found out; other rules are told apart from lies. */
#include "tests/agent/evidence/world.h"

static const char host[] = "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9";

static const struct redo_line *line_of(const struct redo_report *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->lines[i].id, id) == 0) {
            return &r->lines[i];
        }
    }
    fail_msg("no line for %s", id);
    abort(); /* fail_msg has left already */
}

static void test_same(void **state)
{
    (void)state;
    static const struct {
        int64_t encrypted;
        const char *verdict;
    } rows[] = {{1, "pass"}, {0, "fail"}, {INT64_MIN, "unknown"}};
    char dir[64];
    scratch_make(dir);
    struct policy *p = world_policy(dir, NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        CLEANUP(statement) struct statement s = {0};
        CLEANUP(redo_report) struct redo_report r = {0};
        world_statement(p, sample_meta(host), rows[i].encrypted, &text);
        OK(statement_parse(text.data, text.len, &s, e));
        OK(statement_redo(&s, p, &r, e));
        assert_int_equal(r.n, 4); /* two checks, two controls */
        assert_int_equal(r.n_differs, 0);
        assert_int_equal(r.n_not_comparable, 0);
        static const char *const ids[] = {"mounts-encrypted", "nothing-open", "1.1", "1.2"};
        for (size_t k = 0; k < ARRAY_LEN(ids); k++) {
            const struct redo_line *line = line_of(&r, ids[k]);
            assert_string_equal(line->recorded, rows[i].verdict);
            assert_string_equal(line->redone, rows[i].verdict);
            assert_int_equal(line->is_control, k >= 2);
        }
    }
    policy_free(p);
    scratch_remove(dir);
}

/* A pass that leans on a table which, it turns out, had been denied. */
static void test_denied_is_no_pass(void **state)
{
    (void)state;
    char dir[64];
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str lie = STR_INIT(ENVELOPE_MAX);
    CLEANUP(statement) struct statement s = {0};
    CLEANUP(redo_report) struct redo_report r = {0};
    scratch_make(dir);
    struct policy *p = world_policy(dir, NULL, NULL, NULL);
    world_statement(p, sample_meta(host), 1, &text);
    replaced(str_text(&text), "\"mount_encryption\",\"complete\"",
             "\"mount_encryption\",\"denied\"", &lie);
    world_mend(&lie);
    OK(statement_parse(lie.data, lie.len, &s, e));
    OK(statement_redo(&s, p, &r, e));
    assert_int_equal(line_of(&r, "mounts-encrypted")->result, REDO_DIFFERS);
    assert_string_equal(line_of(&r, "mounts-encrypted")->redone, "unknown");
    assert_string_equal(line_of(&r, "1.1")->redone, "unknown");
    policy_free(p);
    scratch_remove(dir);
}

/* What somebody with the key could write instead of what was judged (the subject digest is mended
 * where facts change). */
static void test_lies(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *id;
        bool facts;
        const char *why;
    } rows[] = {
        {"\"verdict\":\"fail\",\"reason\":\"\",\"findings\":[{\"mount\":\"/srv/"
         "city\",\"encrypted\"",
         "\"verdict\":\"pass\",\"reason\":\"\",\"findings\":[{\"mount\":\"/srv/"
         "city\",\"encrypted\"",
         "mounts-encrypted", false, "a check's verdict"},
        {"\"findings\":[{\"mount\":\"/srv/city\",\"encrypted\":0}]", "\"findings\":[]",
         "mounts-encrypted", false, "a finding left out"},
        {"\"findings\":[{\"mount\":\"/srv/city\",\"encrypted\":0}]",
         "\"findings\":[{\"mount\":\"/tmp\",\"encrypted\":0}]", "mounts-encrypted", false,
         "a finding about something else"},
        {"\"unknown\":[]", "\"unknown\":[{\"mount\":\"/x\"}]", "mounts-encrypted", false,
         "an unknown row made up"},
        {"{\"id\":\"1.1\",\"verdict\":\"fail\"", "{\"id\":\"1.1\",\"verdict\":\"pass\"", "1.1",
         false, "a control's verdict"},
        {"{\"id\":\"1.1\",\"verdict\":\"fail\"", "{\"id\":\"9.9\",\"verdict\":\"fail\"", "9.9",
         false, "a control that the framework has not"},
        {"{\"id\":\"1.1\",\"verdict\":\"fail\"", "{\"id\":\"9.9\",\"verdict\":\"fail\"", "1.1",
         false, "a control left out"},
        {"\"permissions\":[]", "\"permissions\":[\"P-1\"]", "1.1", false, "a permission made up"},
        {"\"rows\":[[\"/\",1],[\"/srv/city\",0]]", "\"rows\":[[\"/\",1],[\"/srv/city\",1]]", "1.1",
         false, "drift rows"},
        {"\"data\",0,", "\"data\",1,", "mounts-encrypted", true, "facts made good afterwards"},
        {"\"mount_encryption\",\"complete\"", "\"mount_encryption\",\"denied\"", "1.1", true,
         "a state, which makes the drift unknown"},
    };
    char dir[64];
    scratch_make(dir);
    struct policy *p = world_policy(dir, NULL, NULL, NULL);
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    world_statement(p, sample_meta(host), 0, &text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str lie = STR_INIT(ENVELOPE_MAX);
        CLEANUP(statement) struct statement s = {0};
        CLEANUP(redo_report) struct redo_report r = {0};
        replaced(str_text(&text), rows[i].from, rows[i].to, &lie);
        if (rows[i].facts) {
            world_mend(&lie);
        }
        OK(statement_parse(lie.data, lie.len, &s, e));
        OK(statement_redo(&s, p, &r, e));
        if (line_of(&r, rows[i].id)->result != REDO_DIFFERS) {
            fail_msg("%s: not found out", rows[i].why);
        }
    }
    policy_free(p);
    scratch_remove(dir);
}

static void test_other_rules(void **state)
{
    (void)state;
    static const struct {
        const char *file, *from, *to;
        int64_t encrypted;
        enum redo check1, check2, control1, control2;
        const char *why;
    } rows[] = {
        {"checks/c.yaml", "encrypted = 0", "encrypted = 1", 0, REDO_NOT_COMPARABLE, REDO_SAME,
         REDO_NOT_COMPARABLE, REDO_SAME, "a check's text"},
        {"checks/c.yaml", "severity: high", "severity: low", 0, REDO_SAME, REDO_SAME, REDO_SAME,
         REDO_SAME, "what does not change the meaning"},
        {"views/open_mounts.sql", "1 - encrypted", "encrypted", 0, REDO_SAME, REDO_NOT_COMPARABLE,
         REDO_SAME, REDO_NOT_COMPARABLE, "a view that a check reads"},
        {"frameworks/f.yaml", "kind: technical", "kind: partly", 0, REDO_SAME, REDO_SAME,
         REDO_NOT_COMPARABLE, REDO_NOT_COMPARABLE, "the framework"},
        {"frameworks/f.yaml", "framework: city-1", "framework: city-2", 0, REDO_NOT_COMPARABLE,
         REDO_NOT_COMPARABLE, REDO_NOT_COMPARABLE, REDO_NOT_COMPARABLE, "no such framework"},
    };
    char dir[64], other[64];
    scratch_make(dir);
    struct policy *p = world_policy(dir, NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        CLEANUP(statement) struct statement s = {0};
        CLEANUP(redo_report) struct redo_report r = {0};
        scratch_make(other);
        struct policy *q = world_policy(other, rows[i].file, rows[i].from, rows[i].to);
        world_statement(p, sample_meta(host), rows[i].encrypted, &text);
        OK(statement_parse(text.data, text.len, &s, e));
        OK(statement_redo(&s, q, &r, e));
        const struct {
            const char *id;
            enum redo want;
        } want[] = {{"mounts-encrypted", rows[i].check1},
                    {"nothing-open", rows[i].check2},
                    {"1.1", rows[i].control1},
                    {"1.2", rows[i].control2}};
        for (size_t k = 0; k < ARRAY_LEN(want); k++) {
            if (line_of(&r, want[k].id)->result != want[k].want) {
                fail_msg("%s: %s is %d (%s)", rows[i].why, want[k].id,
                         (int)line_of(&r, want[k].id)->result, line_of(&r, want[k].id)->why);
            }
        }
        policy_free(q);
        scratch_remove(other);
    }
    policy_free(p);
    scratch_remove(dir);
}

/* Not comparable, and still both verdicts are shown. */
static void test_both_shown(void **state)
{
    (void)state;
    char dir[64], other[64];
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(statement) struct statement s = {0};
    CLEANUP(redo_report) struct redo_report r = {0};
    scratch_make(dir);
    scratch_make(other);
    struct policy *p = world_policy(dir, NULL, NULL, NULL);
    struct policy *q = world_policy(other, "checks/c.yaml", "encrypted = 0", "encrypted = 9");
    world_statement(p, sample_meta(host), 0, &text);
    OK(statement_parse(text.data, text.len, &s, e));
    OK(statement_redo(&s, q, &r, e));
    const struct redo_line *line = line_of(&r, "mounts-encrypted");
    assert_int_equal(line->result, REDO_NOT_COMPARABLE);
    assert_string_equal(line->recorded, "fail");
    assert_string_equal(line->redone, "pass");
    policy_free(p);
    policy_free(q);
    scratch_remove(dir);
    scratch_remove(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),       cmocka_unit_test(test_denied_is_no_pass),
        cmocka_unit_test(test_lies),       cmocka_unit_test(test_other_rules),
        cmocka_unit_test(test_both_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
