/* One signed evidence and its public key, made without an inspection. Run with a directory it
 * leaves them there (evidence.json, host.pub.pem, statement.json) for the tests written in shell;
 * run without it checks that what it makes is valid. */
#include "tests/agent/evidence/world.h"

static char target[64];

static void put(const char *name, const char *text, size_t n)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", target, name);
    OK(io_write_atomic(path, text, n, 0644, e));
}

static void test_make(void **state)
{
    (void)state;
    char rules[64];
    CLEANUP(sign_key) struct sign_key *k = seed_key(SEED_TEST1);
    CLEANUP(verify_key) struct verify_key *pub = NULL;
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str envelope = STR_INIT(ENVELOPE_MAX);
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(statement) struct statement s = {0};
    scratch_make(rules);
    struct policy *p = world_policy(rules, NULL, NULL, NULL);
    world_statement(p, sample_meta(sign_key_id(k)), 0, &payload);
    policy_free(p);
    scratch_remove(rules);
    OK(dsse_sign(k, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e));
    OK(verify_key_of(k, &pub, e));
    OK(envelope_parse(envelope.data, envelope.len, &env, e));
    OK(envelope_verify(&env, pub, e));
    OK(statement_parse(env.payload, env.payload_n, &s, e));
    if (target[0] != '\0') {
        put("evidence.json", envelope.data, envelope.len);
        put("statement.json", payload.data, payload.len);
        put("host.pub.pem", sign_key_pem(k), strlen(sign_key_pem(k)));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_make)};
    if (argc > 1) {
        (void)snprintf(target, sizeof(target), "%s", argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
