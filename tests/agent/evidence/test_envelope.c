/* Envelopes (agent/evidence/envelope.c, agent/evidence/dsse.c): every vector of
 * vectors/dsse_ed25519_vectors.json, and what is refused before a signature is looked at. */
#include "tests/agent/evidence/sample.h"

static json_t *vectors(void)
{
    CLEANUP(str) struct str text = STR_INIT(1 << 20);
    json_t *json = NULL;
    OK(io_read_file(TENKEN_SOURCE_DIR "/tests/agent/evidence/vectors/dsse_ed25519_vectors.json",
                    1 << 20, &text, e));
    OK(json_parse("vectors", str_text(&text), text.len, &json, e));
    return json;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    assert_non_null(text);
    return text;
}

static struct verify_key *vector_key(const json_t *all)
{
    struct verify_key *k = NULL;
    const char *pem = text_of(all, "spki_pem");
    OK(verify_key_pem(pem, strlen(pem), &k, e));
    assert_string_equal(verify_key_id(k), text_of(all, "keyid"));
    return k;
}

/* Parses and verifies; the first error, or 0. */
static int accept(const json_t *envelope, const struct verify_key *k, struct envelope *env,
                  struct err *e)
{
    CLEANUP(free) char *text = json_dumps(envelope, JSON_COMPACT);
    assert_non_null(text);
    int rc = envelope_parse(text, strlen(text), env, e);
    return rc == 0 ? envelope_verify(env, k, e) : rc;
}

static void test_vectors_positive(void **state)
{
    (void)state;
    CLEANUP(json) json_t *all = vectors();
    CLEANUP(verify_key) struct verify_key *k = vector_key(all);
    CLEANUP(sign_key) struct sign_key *own = seed_key(text_of(all, "seed_hex"));
    size_t i = 0;
    const json_t *c = NULL;
    json_array_foreach(json_object_get(all, "cases"), i, c)
    {
        struct envelope env = {0};
        CLEANUP(str) struct str body = STR_INIT(1 << 20);
        CLEANUP(str) struct str pae = STR_INIT(1 << 20);
        CLEANUP(str) struct str want = STR_INIT(1 << 20);
        CLEANUP(str) struct str sig = STR_INIT(64);
        CLEANUP(str) struct str made = STR_INIT(1 << 20);
        const char *type = text_of(c, "payloadType");
        unhex(text_of(c, "payload_hex"), &body);
        unhex(text_of(c, "pae_hex"), &want);
        unhex(text_of(c, "sig_hex"), &sig);
        dsse_pae(type, str_text(&body), body.len, &pae);
        assert_int_equal(pae.len, want.len);
        assert_memory_equal(pae.data, want.data, want.len);

        OK(accept(json_object_get(c, "envelope"), k, &env, e));
        assert_string_equal(env.type, type);
        assert_int_equal(env.payload_n, body.len);
        assert_memory_equal(env.payload, str_text(&body), body.len);
        assert_int_equal(env.sig_n, 64);
        assert_memory_equal(env.sig, sig.data, 64);
        char digest[SHA256_HEX];
        OK(sha256_hex(body.data, body.len, digest, e));
        assert_string_equal(env.digest, digest);
        envelope_done(&env);

        /* Ed25519 is deterministic: we must make the very same envelope. */
        OK(dsse_sign(own, type, str_text(&body), body.len, &made, e));
        CLEANUP(free) char *same = json_dumps(json_object_get(c, "envelope"), JSON_COMPACT);
        assert_string_equal(str_text(&made), same);
    }
    assert_int_equal(i, 5);
}

static void test_vectors_negative(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int want;
    } codes[] = {
        {"payload_bit_flip", ERR_MISMATCH},       {"payloadType_swapped", ERR_MISMATCH},
        {"sig_S_plus_L_malleable", ERR_MISMATCH}, {"sig_63_bytes", ERR_MISMATCH},
        {"no_signatures", ERR_UNSUPPORTED},       {"sig_over_payload_not_PAE", ERR_MISMATCH},
    };
    CLEANUP(json) json_t *all = vectors();
    CLEANUP(verify_key) struct verify_key *k = vector_key(all);
    size_t i = 0;
    const json_t *c = NULL;
    json_array_foreach(json_object_get(all, "negative"), i, c)
    {
        struct envelope env = {0};
        struct err err = {0};
        assert_true(i < ARRAY_LEN(codes));
        assert_string_equal(text_of(c, "name"), codes[i].name);
        int rc = accept(json_object_get(c, "envelope"), k, &env, &err);
        if (rc != codes[i].want) {
            fail_msg("%s: gave %d (%s)", codes[i].name, rc, err.msg);
        }
        envelope_done(&env);
    }
    assert_int_equal(i, ARRAY_LEN(codes));
}

static void test_vectors_variants(void **state)
{
    (void)state;
    CLEANUP(json) json_t *all = vectors();
    CLEANUP(verify_key) struct verify_key *k = vector_key(all);
    size_t i = 0;
    const json_t *c = NULL;
    json_array_foreach(json_object_get(all, "positive_variants"), i, c)
    {
        struct envelope env = {0};
        OK(accept(json_object_get(c, "envelope"), k, &env, e));
        envelope_done(&env);
    }
    assert_int_equal(i, 3);
}

/* The variant of the vectors holds no byte that differs between the alphabets: this one does. */
static void test_url_safe_alphabet(void **state)
{
    (void)state;
    static const uint8_t body[] = {0xfb, 0xef, 0xff, 0xfe, 0x3e};
    CLEANUP(sign_key) struct sign_key *own = seed_key(SEED_TEST1);
    CLEANUP(verify_key) struct verify_key *k = NULL;
    CLEANUP(str) struct str text = STR_INIT(4096);
    OK(verify_key_of(own, &k, e));
    OK(dsse_sign(own, "t", body, sizeof(body), &text, e));
    assert_non_null(strstr(text.data, "\"payload\":\"++///j4=\""));
    for (char *p = strstr(text.data, "++"); *p != '"'; p++) {
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    }
    for (char *p = strstr(text.data, "\"sig\":\"") + 7; *p != '"'; p++) {
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    }
    struct envelope env = {0};
    OK(envelope_parse(text.data, text.len, &env, e));
    OK(envelope_verify(&env, k, e));
    assert_memory_equal(env.payload, body, sizeof(body));
    envelope_done(&env);
}

#define SIG                                                                                        \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
static const struct {
    const char *text;
    int want;
    const char *why;
} malformed[] = {
    {"", ERR_MALFORMED, "nothing"},
    {"[]", ERR_MALFORMED, "no object"},
    {"{\"payload\":\"\",\"payloadType\":\"t\"}", ERR_MALFORMED, "no signatures"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":{}}", ERR_MALFORMED, "no array"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[1]}", ERR_MALFORMED, "no signature"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{}]}", ERR_MALFORMED, "no sig"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG "\"},{\"sig\":\"" SIG
     "\"}]}",
     ERR_UNSUPPORTED, "two signatures"},
    {"{\"payload\":\"\",\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG
     "\"}]}",
     ERR_MALFORMED, "payload twice: which one was signed?"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG
     "\",\"s\\u0069g\":\"" SIG "\"}]}",
     ERR_MALFORMED, "sig twice, once escaped"},
    {"{\"payload\":\"\",\"signatures\":[{\"sig\":\"" SIG "\"}]}", ERR_MALFORMED, "no type"},
    {"{\"payload\":1,\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG "\"}]}", ERR_MALFORMED,
     "payload is a number"},
    {"{\"payload\":\"a\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG "\"}]}",
     ERR_MALFORMED, "no base64"},
    {"{\"payload\":\"YQ==\\n\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG "\"}]}",
     ERR_MALFORMED, "white space in base64"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"keyid\":7,\"sig\":\"" SIG "\"}]}",
     ERR_MALFORMED, "keyid is a number"},
    {"{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"" SIG "\"}]} x",
     ERR_MALFORMED, "something behind"},
};

static void test_parse_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        struct envelope env = {0};
        struct err err = {0};
        int rc = envelope_parse(malformed[i].text, strlen(malformed[i].text), &env, &err);
        if (rc != malformed[i].want || env.payload != NULL) {
            fail_msg("%s: gave %d (%s)", malformed[i].why, rc, err.msg);
        }
    }
}

static void test_parse_too_long(void **state)
{
    (void)state;
    char *text = malloc(ENVELOPE_MAX + 1);
    struct envelope env = {0};
    assert_non_null(text);
    memset(text, ' ', ENVELOPE_MAX + 1);
    FAILS(ERR_TRUNCATED, envelope_parse(text, ENVELOPE_MAX + 1, &env, e));
    free(text);
}

/* A keyid that lies narrows nothing and decides nothing. */
static void test_keyid_never_decides(void **state)
{
    (void)state;
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char foreign[] =
        "another system's name for a key, longer than any digest of ours, 漢字";
    const char *const ids[] = {"", zeros, foreign};
    CLEANUP(sign_key) struct sign_key *own = seed_key(SEED_TEST1);
    CLEANUP(sign_key) struct sign_key *other = seed_key(SEED_TEST2);
    CLEANUP(verify_key) struct verify_key *k = NULL;
    CLEANUP(verify_key) struct verify_key *k2 = NULL;
    OK(verify_key_of(own, &k, e));
    OK(verify_key_of(other, &k2, e));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        CLEANUP(str) struct str text = STR_INIT(4096);
        CLEANUP(json) json_t *json = NULL;
        struct envelope env = {0};
        OK(dsse_sign(own, "t", "body", 4, &text, e));
        OK(json_parse("envelope", text.data, text.len, &json, e));
        json_t *sig = json_array_get(json_object_get(json, "signatures"), 0);
        assert_int_equal(json_object_set_new(sig, "keyid", json_string(ids[i])), 0);
        OK(accept(json, k, &env, e));
        envelope_done(&env);
        assert_int_equal(json_object_set_new(sig, "keyid", json_string(verify_key_id(k2))), 0);
        FAILS(ERR_MISMATCH, accept(json, k2, &env, e));
        envelope_done(&env);
    }
}

/* Any one bit of the payload's text, the type or the signature changed: never accepted. */
static void test_every_byte_matters(void **state)
{
    (void)state;
    CLEANUP(sign_key) struct sign_key *own = seed_key(SEED_TEST1);
    CLEANUP(verify_key) struct verify_key *k = NULL;
    CLEANUP(str) struct str text = STR_INIT(4096);
    OK(verify_key_of(own, &k, e));
    OK(dsse_sign(own, "type", "a body of some bytes", 20, &text, e));
    const char *keyid = strstr(text.data, "\"keyid\"");
    const char *sig = strstr(text.data, "\"sig\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data + i >= keyid && text.data + i < sig) {
            continue; /* unauthenticated by design */
        }
        struct envelope env = {0};
        text.data[i] ^= 1;
        int rc = envelope_parse(text.data, text.len, &env, NULL);
        rc = rc == 0 ? envelope_verify(&env, k, NULL) : rc;
        if (rc == 0) {
            fail_msg("byte %zu changed and accepted: %s", i, text.data);
        }
        text.data[i] ^= 1;
        envelope_done(&env);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_positive),    cmocka_unit_test(test_vectors_negative),
        cmocka_unit_test(test_vectors_variants),    cmocka_unit_test(test_url_safe_alphabet),
        cmocka_unit_test(test_parse_malformed),     cmocka_unit_test(test_parse_too_long),
        cmocka_unit_test(test_keyid_never_decides), cmocka_unit_test(test_every_byte_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
