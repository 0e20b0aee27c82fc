/* Differences between two evidences. */
#include "tests/agent/evidence/world.h"

static const char host[] = "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9";

static void parse(const struct str *text, struct statement *s)
{
    OK(statement_parse(text->data, text->len, s, e));
}

static const struct table uptime_table = {.name = "uptime",
                                          .doc = "",
                                          .source = "",
                                          .kind = TABLE_FACTS,
                                          TABLE_COLUMNS({"days", COL_INT, "", 0, NULL, ""})};

/* The sample with one more, one fewer and one changed mount. */
static void other_statement(struct str *out, bool extra_table)
{
    CLEANUP(facts) struct facts f = {0};
    struct sample_verdicts v;
    struct fact_table *t = NULL;
    sample_facts(&f, 1);
    facts_remove(&f, "mount_encryption");
    OK(facts_add(&f, &sample_mounts, "disk", &t, e));
    t->state = STATE_COMPLETE;
    OK(fact_row_va(t, e, "/srv/city", "data", INT64_C(1), 3.0, "luks2"));
    OK(fact_row_va(t, e, "/new", "other", INT64_C(0), 0.0, ""));
    if (extra_table) {
        OK(facts_add(&f, &uptime_table, "system", &t, e));
        OK(fact_row_va(t, e, INT64_C(3)));
    }
    sample_verdicts(&v, VERDICT_PASS);
    const struct statement_request rq = {
        .meta = sample_meta(host), .facts = &f, .probes = &f, .evaluation = &v.ev};
    OK(statement_write(&rq, out, e));
}

static void test_same(void **state)
{
    (void)state;
    CLEANUP(str) struct str a = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str out = STR_INIT(65536);
    CLEANUP(statement) struct statement s = {0};
    struct statement_meta meta = sample_meta(host);
    bool same = false;
    sample_statement(&meta, 0, NULL, &a);
    parse(&a, &s);
    OK(evidence_diff(&s, &s, false, LANG_EN, &out, &same, e));
    assert_true(same);
    assert_non_null(strstr(str_text(&out), "no difference"));
}

/* Time, scan id and CPU times differ at every scan and are not news. */
static void test_volatile_is_no_news(void **state)
{
    (void)state;
    CLEANUP(str) struct str a = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str b = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str c = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str out = STR_INIT(65536);
    CLEANUP(statement) struct statement x = {0};
    CLEANUP(statement) struct statement y = {0};
    struct statement_meta meta = sample_meta(host);
    bool same = false;
    sample_statement(&meta, 0, NULL, &a);
    replaced(a.data, "[\"id\",\"2026-11-21T", "[\"jd\",\"2026-11-22T", &b);
    replaced(b.data, "\"complete\",\"\",2,10,20", "\"complete\",\"\",2,11,999", &c);
    world_mend(&c);
    parse(&a, &x);
    parse(&c, &y);
    OK(evidence_diff(&x, &y, false, LANG_EN, &out, &same, e));
    assert_true(same);
}

static void test_rows(void **state)
{
    (void)state;
    CLEANUP(str) struct str a = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str b = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str out = STR_INIT(65536);
    CLEANUP(statement) struct statement x = {0};
    CLEANUP(statement) struct statement y = {0};
    CLEANUP(json) json_t *json = NULL;
    struct statement_meta meta = sample_meta(host);
    bool same = true;
    sample_statement(&meta, 0, NULL, &a);
    other_statement(&b, true);
    parse(&a, &x);
    parse(&b, &y);
    OK(evidence_diff(&x, &y, true, LANG_EN, &out, &same, e));
    assert_false(same);
    OK(json_parse("diff", out.data, out.len, &json, e));
    assert_string_equal(json_string_value(json_object_get(json, "format")), "tenken-diff/1");
    CLEANUP(free) char *facts = json_dumps(json_object_get(json, "facts"), JSON_COMPACT);
    assert_string_equal(
        facts,
        "[{\"table\":\"mount_encryption\",\"added\":[{\"mount\":\"/new\",\"role\":"
        "\"other\",\"encrypted\":0,\"score\":0.0,\"reason\":\"\"}],\"removed\":[{\"mount\":\"/\","
        "\"role\":\"root\",\"encrypted\":1,\"score\":0.5,\"reason\":\"luks2: 鍵\"}],\"changed\":[{"
        "\"key\":{\"mount\":\"/srv/city\",\"role\":\"data\"},\"columns\":{\"encrypted\":[0,1],"
        "\"reason\":[null,\"luks2\"]}}]},{\"table\":\"uptime\",\"only_in\":\"b\"}]");
    CLEANUP(free) char *verdicts = json_dumps(json_object_get(json, "controls"), JSON_COMPACT);
    assert_string_equal(verdicts, "[{\"id\":\"5.6a\",\"a\":\"fail\",\"b\":\"pass\"}]");
    CLEANUP(free) char *checks = json_dumps(json_object_get(json, "checks"), JSON_COMPACT);
    assert_string_equal(checks, "[{\"id\":\"disk-data-encrypted\",\"a\":\"fail\",\"b\":\"pass\"}]");
}

static void test_text(void **state)
{
    (void)state;
    static const char *const want[] = {"control 5.6a  fail → pass",
                                       "check disk-data-encrypted  fail → pass",
                                       "  - mount=/ role=root encrypted=1",
                                       "  + mount=/new",
                                       "  ~ mount=/srv/city role=data",
                                       "encrypted: 0 → 1",
                                       "reason: NULL → luks2",
                                       "uptime: recorded only in a"};
    CLEANUP(str) struct str a = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str b = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str out = STR_INIT(65536);
    CLEANUP(statement) struct statement x = {0};
    CLEANUP(statement) struct statement y = {0};
    struct statement_meta meta = sample_meta(host);
    bool same = true;
    sample_statement(&meta, 0, NULL, &a);
    other_statement(&b, false);
    CLEANUP(str) struct str more = STR_INIT(ENVELOPE_MAX);
    replaced(
        a.data, "\"facts\":{",
        "\"facts\":{\"uptime\":{\"columns\":[{\"name\":\"days\",\"type\":\"integer\",\"flags\":"
        "[]}],\"rows\":[[3]],\"truncated\":false},",
        &more);
    CLEANUP(str) struct str hostile = STR_INIT(ENVELOPE_MAX);
    replaced(more.data, "luks2: 鍵", "luks2\\u001b[31m", &hostile);
    world_mend(&hostile);
    parse(&hostile, &x);
    parse(&b, &y);
    OK(evidence_diff(&x, &y, false, LANG_EN, &out, &same, e));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        if (strstr(str_text(&out), want[i]) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", want[i], str_text(&out));
        }
    }
    assert_null(strchr(str_text(&out), '\x1b')); /* nothing of a cell reaches the terminal raw */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_volatile_is_no_news),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
