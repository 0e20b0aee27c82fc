/* What this folder writes is valid under dist/schemas; and the schemas refuse what is not. */
#include "tests/agent/evidence/world.h"
#include "tests/support/json_schema.h"

#define SCHEMAS TENKEN_SOURCE_DIR "/dist/schemas/"

static void expect(const char *schema, const char *text, size_t n, bool want)
{
    char why[512] = "", path[512];
    (void)snprintf(path, sizeof(path), SCHEMAS "%s.schema.json", schema);
    if (schema_holds(path, text, n, why) != want) {
        fail_msg("%s: %s", schema, want ? why : "took what is not valid");
    }
}

static void test_statement(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } wrong[] = {
        {"host-posture/v1", "host-posture/v2"},
        {"\"truncated\":false", "\"truncated\":0"},
        {"\"verdict\":\"fail\"", "\"verdict\":\"failed\""},
        {"\"state\":\"complete\"", "\"state\":\"fine\""},
        {"\"chain\":\"0011", "\"chain\":\"001X"},
        {",\"sqlite\":\"3.40.1\"", ""},
        {"[[\"/\",", "[[{},"},
        {"\"sequence\":1", "\"sequence\":0"},
    };
    char dir[64];
    CLEANUP(sign_key) struct sign_key *k = seed_key(SEED_TEST1);
    CLEANUP(str) struct str by_hand = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str judged = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(sign_key_id(k));
    scratch_make(dir);
    struct policy *p = world_policy(dir, NULL, NULL, NULL);
    world_statement(p, meta, 0, &judged);
    expect("evidence-statement", judged.data, judged.len, true);
    policy_free(p);
    scratch_remove(dir);
    meta.previous_chain = "ffeeddccbbaa99887766554433221100";
    sample_statement(&meta, 0, NULL, &by_hand);
    expect("evidence-statement", by_hand.data, by_hand.len, true);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        replaced(by_hand.data, wrong[i].from, wrong[i].to, &text);
        expect("evidence-statement", text.data, text.len, false);
    }
}

static void test_envelope_and_receipt(void **state)
{
    (void)state;
    CLEANUP(sign_key) struct sign_key *k = seed_key(SEED_TEST1);
    CLEANUP(str) struct str text = STR_INIT(65536);
    CLEANUP(envelope) struct envelope env = {0};
    struct receipt r = {.sequence = 7,
                        .chain = "00112233445566778899aabbccddeeff",
                        .received_at = "2026-11-21T06:31:00Z",
                        .collector = "c",
                        .flags = "gap,machine-id-changed"};
    memset(r.digest, 'a', 64);
    (void)snprintf(r.keyid, sizeof(r.keyid), "%s", sign_key_id(k));
    OK(receipt_sign(k, &r, &text, e));
    expect("envelope", text.data, text.len, true);
    OK(envelope_parse(text.data, text.len, &env, e));
    expect("receipt", env.payload, env.payload_n, true);
    expect("receipt", "{}", 2, false);
    CLEANUP(str) struct str flag = STR_INIT(65536);
    replaced(env.payload, "\"gap\"", "\"gape\"", &flag);
    expect("receipt", flag.data, flag.len, false);
    CLEANUP(str) struct str two = STR_INIT(65536);
    replaced(text.data, "}]}", "},{}]}", &two);
    expect("envelope", two.data, two.len, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statement),
        cmocka_unit_test(test_envelope_and_receipt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
