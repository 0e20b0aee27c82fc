/* The quick look gives what the whole reading gives. What it refuses stands in
 * test_statement_read.c: statement_parse begins with it. */
#include "tests/agent/evidence/sample.h"

static const char host[] = "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9";

static void test_head(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(statement_head) struct statement_head h = {0};
    CLEANUP(statement) struct statement s = {0};
    struct statement_meta meta = sample_meta(host);
    meta.sequence = INT64_C(9007199254740993); /* written as text */
    meta.previous = "4444444444444444444444444444444444444444444444444444444444444444";
    meta.previous_chain = "ffeeddccbbaa99887766554433221100";
    meta.contract = "契約 \"1\"\\";
    sample_statement(&meta, 0, NULL, &text);
    OK(statement_head_parse(text.data, text.len, &h, e));
    OK(statement_parse(text.data, text.len, &s, e));
    const char *const pairs[][3] = {
        {h.host_id, s.host_id, host},
        {h.asset, s.asset, meta.asset},
        {h.hostname, s.hostname, meta.hostname},
        {h.os, s.os, meta.os},
        {h.machine_id, s.machine_id, meta.machine_id},
        {h.agent_version, s.agent_version, meta.agent_version},
        {h.rules_digest, s.rules_digest, meta.rules_digest},
        {h.contract, s.contract, meta.contract},
        {h.framework, s.framework, meta.framework},
        {h.framework_version, s.framework_version, meta.framework_version},
        {h.framework_digest, s.framework_digest, meta.framework_digest},
        {h.chain, s.chain, meta.chain},
        {h.previous, s.previous, meta.previous},
        {h.previous_chain, s.previous_chain, meta.previous_chain},
        {h.scan_id, s.scan_id, meta.scan_id},
        {h.time, s.time, meta.time},
        {h.local_date, s.local_date, meta.local_date},
        {h.time_zone, s.time_zone, meta.time_zone},
        {h.boot_id, s.boot_id, meta.boot_id},
        {h.rules_version, "1.0", meta.rules_version},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        assert_string_equal(pairs[i][0], pairs[i][2]);
        assert_string_equal(pairs[i][1], pairs[i][2]);
    }
    assert_true(h.sequence == meta.sequence && s.sequence == meta.sequence);
    assert_true(h.live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
