/* Verification of files (agent/evidence/verify.c, agent/evidence/verify_write.c): every way in
 * which evidence can be good, bad, or say nothing; with the exit code that follows. */
#include "tests/agent/evidence/world.h"

#include "agent/evidence/verify.h"

#define N_MADE 5

struct fixture {
    char dir[64], rules[64];
    struct policy *policy;
    struct sign_key *key;
    struct verify_key *pub;
    struct str payloads[N_MADE];  /* 1..5 of one chain */
    struct str envelopes[N_MADE]; /* the same, signed */
};

static const char chain_a[] = "00112233445566778899aabbccddeeff";

static void sign_one(const struct fixture *f, const struct str *payload, struct str *out)
{
    OK(dsse_sign(f->key, PAYLOAD_TYPE_EVIDENCE, payload->data, payload->len, out, e));
}

/* One statement of the chain; digest: in the one before, out its own. */
static void make_one(const struct fixture *f, int64_t sequence, const char *time,
                     char digest[SHA256_HEX], struct str *payload)
{
    struct statement_meta meta = sample_meta(sign_key_id(f->key));
    char previous[SHA256_HEX];
    memcpy(previous, digest, sizeof(previous));
    meta.chain = chain_a;
    meta.sequence = sequence;
    meta.previous = previous;
    meta.time = time;
    world_statement(f->policy, meta, sequence % 2, payload);
    OK(sha256_hex(payload->data, payload->len, digest, e));
}

static void set_up(struct fixture *f)
{
    char digest[SHA256_HEX] = "";
    scratch_make(f->dir);
    scratch_make(f->rules);
    f->policy = world_policy(f->rules, NULL, NULL, NULL);
    f->key = seed_key(SEED_TEST1);
    OK(verify_key_of(f->key, &f->pub, e));
    for (int i = 0; i < N_MADE; i++) {
        char time[32];
        str_init(&f->payloads[i], ENVELOPE_MAX);
        str_init(&f->envelopes[i], ENVELOPE_MAX);
        /* the clock goes backwards: order is by sequence, never by time */
        (void)snprintf(time, sizeof(time), "2026-11-2%dT06:30:02Z", 9 - i);
        make_one(f, i + 1, time, digest, &f->payloads[i]);
        sign_one(f, &f->payloads[i], &f->envelopes[i]);
    }
}

static void tear_down(struct fixture *f)
{
    for (int i = 0; i < N_MADE; i++) {
        str_done(&f->payloads[i]);
        str_done(&f->envelopes[i]);
    }
    verify_key_free(f->pub);
    sign_key_free(f->key);
    policy_free(f->policy);
    scratch_remove(f->rules);
    scratch_remove(f->dir);
}

static void write_file(const struct fixture *f, const char *name, const struct str *text,
                       char path[128])
{
    (void)snprintf(path, 128, "%s/%s", f->dir, name);
    OK(io_write_atomic(path, str_text(text), text->len, 0600, e));
}

/* Lines of the chain named by digits ("12345"; "x" = a line of junk) as an export, verified. */
static void verify_lines(struct fixture *f, const char *digits, struct verify_report *ret)
{
    CLEANUP(str) struct str text = STR_INIT(1 << 24);
    char path[128];
    for (const char *p = digits; *p != '\0'; p++) {
        if (*p == 'x') {
            str_add(&text, "{\"payload\":\n");
        } else {
            str_add_bytes(&text, f->envelopes[*p - '1'].data, f->envelopes[*p - '1'].len);
            str_add_char(&text, '\n');
        }
    }
    write_file(f, "e.intoto.jsonl", &text, path);
    OK(verify_file(path, f->pub, f->policy, ret, e));
}

static void test_exports(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        int exit_code;
        int problem; /* enum chain_problem_kind or -1 */
        bool checked;
        const char *why;
    } rows[] = {
        {"12345", 0, -1, true, "a whole chain"},
        {"54321", 0, -1, true, "in any order of lines"},
        {"345", 0, -1, true, "from the middle on: what is there holds together"},
        {"1", 0, -1, true, "the first evidence of a chain, exported"},
        {"3", 3, -1, false, "one from the middle alone says nothing about the chain"},
        {"1345", 2, CHAIN_GAP, false, "one left out"},
        {"12234", 0, CHAIN_DUPLICATE, true, "one twice is harmless"},
        {"12x", 2, -1, true, "a line that is no envelope"},
        {"", 2, -1, false, "an empty export proves nothing"},
    };
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(verify_report) struct verify_report r = {0};
        verify_lines(&f, rows[i].lines, &r);
        int problem = r.n_problems > 0 ? (int)r.problems[0].kind : -1;
        bool checked = r.n_chains > 0 && r.chains[0].checked;
        if (r.exit_code != rows[i].exit_code || problem != rows[i].problem ||
            checked != rows[i].checked) {
            fail_msg("%s: exit %d, problem %d, checked %d", rows[i].why, r.exit_code, problem,
                     (int)checked);
        }
    }
    tear_down(&f);
}

static void test_fork_and_break(void **state)
{
    (void)state;
    static const struct {
        int64_t sequence;
        bool right_previous;
        int problem;
        const char *why;
    } rows[] = {
        {2, true, CHAIN_FORK, "a second evidence with a number that was used"},
        {3, false, CHAIN_BROKEN, "not the digest of the one before"},
    };
    struct fixture f;
    set_up(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(verify_report) struct verify_report r = {0};
        CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
        CLEANUP(str) struct str text = STR_INIT(1 << 24);
        char digest[SHA256_HEX], path[128];
        OK(sha256_hex(f.payloads[0].data, f.payloads[0].len, digest, e));
        make_one(&f, rows[i].sequence, "2026-11-30T00:00:00Z", digest, &payload);
        str_addf(&text, "%s\n%s\n", f.envelopes[0].data, f.envelopes[1].data);
        sign_one(&f, &payload, &text);
        write_file(&f, "e.intoto.jsonl", &text, path);
        OK(verify_file(path, f.pub, f.policy, &r, e));
        assert_int_equal(r.exit_code, 2);
        assert_int_equal(r.n_problems, 1);
        if ((int)r.problems[0].kind != rows[i].problem) {
            fail_msg("%s: %s", rows[i].why, r.problems[0].text);
        }
    }
    tear_down(&f);
}

static void test_single(void **state)
{
    (void)state;
    struct fixture f;
    char one[128], two[128], four[128];
    set_up(&f);
    write_file(&f, "1.json", &f.envelopes[0], one);
    write_file(&f, "2.json", &f.envelopes[1], two);
    write_file(&f, "4.json", &f.envelopes[3], four);
    CLEANUP(verify_report) struct verify_report alone = {0};
    OK(verify_file(one, f.pub, f.policy, &alone, e));
    assert_int_equal(alone.exit_code, 3); /* not checked, never ok: even the first */
    assert_false(alone.chains[0].checked);
    assert_true(alone.items[0].valid && alone.items[0].redone);
    CLEANUP(str) struct str text = STR_INIT(65536);
    verify_report_write(&alone, false, LANG_EN, &text);
    assert_non_null(strstr(str_text(&text), "chain not checked"));

    const char *const pair[] = {two, one}, *const apart[] = {one, four};
    struct verify_request rq = {.paths = pair, .n_paths = 2, .key = f.pub, .policy = f.policy};
    CLEANUP(verify_report) struct verify_report both = {0};
    OK(verify_evidence(&rq, &both, e));
    assert_int_equal(both.exit_code, 0); /* together they are a chain */
    rq.paths = apart;
    CLEANUP(verify_report) struct verify_report gap = {0};
    OK(verify_evidence(&rq, &gap, e));
    assert_int_equal(gap.exit_code, 3); /* somebody's choice of files */
    assert_int_equal(gap.problems[0].kind, CHAIN_GAP);

    rq.paths = pair;
    rq.policy = NULL;
    CLEANUP(verify_report) struct verify_report no_rules = {0};
    OK(verify_evidence(&rq, &no_rules, e));
    assert_int_equal(no_rules.exit_code, 3); /* verdicts were not redone */
    tear_down(&f);
}

static void test_not_valid(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CLEANUP(sign_key) struct sign_key *other = seed_key(SEED_TEST2);
    CLEANUP(str) struct str flipped = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str foreign = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str type = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str body = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str inner = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str deep = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str lie = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str lied = STR_INIT(ENVELOPE_MAX);
    const struct str *payload = &f.payloads[0];
    str_add(&flipped, f.envelopes[0].data);
    flipped.data[40] = flipped.data[40] == 'A' ? 'B' : 'A';
    OK(dsse_sign(other, PAYLOAD_TYPE_EVIDENCE, payload->data, payload->len, &foreign, e));
    OK(dsse_sign(f.key, PAYLOAD_TYPE_RECEIPT, payload->data, payload->len, &type, e));
    OK(dsse_sign(f.key, PAYLOAD_TYPE_EVIDENCE, "{}", 2, &body, e));
    replaced(payload->data, "\"host\":{\"id\":\"", "\"host\":{\"id\":\"0", &inner);
    CLEANUP(str) struct str claims = STR_INIT(ENVELOPE_MAX);
    sign_one(&f, &inner, &claims);
    replaced(payload->data, "\"checks\":[", "\"checks\":[7,", &deep);
    CLEANUP(str) struct str broken = STR_INIT(ENVELOPE_MAX);
    sign_one(&f, &deep, &broken);
    replaced(payload->data, "{\"id\":\"1.1\",\"verdict\":\"pass\"",
             "{\"id\":\"1.1\",\"verdict\":\"fail\"", &lie);
    sign_one(&f, &lie, &lied);
    const struct {
        const struct str *text;
        bool valid;
        const char *says;
    } rows[] = {
        {&flipped, false, "signature does not hold"},
        {&foreign, false, "signature does not hold"},
        {&type, false, "payload type"},
        {&body, false, "_type"},
        {&claims, false, "names host"},
        {&broken, false, "checks[0]"},
        {&lied, true, "recorded fail  redone pass"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(verify_report) struct verify_report r = {0};
        CLEANUP(str) struct str text = STR_INIT(65536);
        char path[128];
        write_file(&f, "x.json", rows[i].text, path);
        OK(verify_file(path, f.pub, f.policy, &r, e));
        assert_int_equal(r.exit_code, 2);
        assert_int_equal(r.items[0].valid, rows[i].valid);
        verify_report_write(&r, false, LANG_EN, &text);
        if (strstr(str_text(&text), rows[i].says) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", rows[i].says, str_text(&text));
        }
    }
    tear_down(&f);
}

static void test_keys(void **state)
{
    (void)state;
    struct fixture f;
    char path[128], beside[160];
    CLEANUP(sign_key) struct sign_key *other = seed_key(SEED_TEST2);
    CLEANUP(verify_key) struct verify_key *wrong = NULL;
    set_up(&f);
    OK(verify_key_of(other, &wrong, e));
    write_file(&f, "1.json", &f.envelopes[0], path);
    const char *const paths[] = {path};
    struct verify_request rq = {.paths = paths, .n_paths = 1, .policy = f.policy};
    struct verify_report none = {0};
    FAILS(ERR_ABSENT, verify_evidence(&rq, &none, e)); /* no key at all */

    rq.fallback = f.pub;
    CLEANUP(verify_report) struct verify_report own = {0};
    OK(verify_evidence(&rq, &own, e));
    assert_int_equal(own.items[0].key_source, VERIFY_KEY_FALLBACK);
    assert_true(own.items[0].valid);

    (void)snprintf(beside, sizeof(beside), "%s.pub.pem", path);
    const char *pem = sign_key_pem(f.key);
    OK(io_write_atomic(beside, pem, strlen(pem), 0644, e));
    rq.fallback = wrong;
    CLEANUP(verify_report) struct verify_report came = {0};
    OK(verify_evidence(&rq, &came, e));
    assert_int_equal(came.items[0].key_source, VERIFY_KEY_BESIDE);
    assert_true(came.items[0].valid);
    CLEANUP(str) struct str text = STR_INIT(65536);
    verify_report_write(&came, false, LANG_EN, &text);
    assert_non_null(strstr(str_text(&text), "came with the evidence"));
    assert_non_null(strstr(str_text(&text), sign_key_id(f.key)));

    rq.key = wrong; /* what was given wins over what came along */
    CLEANUP(verify_report) struct verify_report given = {0};
    OK(verify_evidence(&rq, &given, e));
    assert_int_equal(given.exit_code, 2);
    assert_false(given.items[0].valid);
    tear_down(&f);
}

static void test_unreadable(void **state)
{
    (void)state;
    struct fixture f;
    struct verify_report r = {0};
    set_up(&f);
    FAILS(ERR_ABSENT, verify_file("/nonexistent.json", f.pub, f.policy, &r, e));
    FAILS(ERR_IO, verify_file(f.dir, f.pub, f.policy, &r, e)); /* a directory */
    tear_down(&f);
}

static void test_json(void **state)
{
    (void)state;
    struct fixture f;
    CLEANUP(verify_report) struct verify_report r = {0};
    CLEANUP(str) struct str text = STR_INIT(1 << 20);
    CLEANUP(json) json_t *json = NULL;
    set_up(&f);
    verify_lines(&f, "124x", &r);
    verify_report_write(&r, true, LANG_EN, &text);
    OK(json_parse("report", text.data, text.len, &json, e));
    assert_string_equal(json_string_value(json_object_get(json, "format")), "tenken-verify/1");
    assert_int_equal(json_integer_value(json_object_get(json, "exit")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "evidence")), 4);
    const json_t *problem = json_array_get(json_object_get(json, "problems"), 0);
    assert_string_equal(json_string_value(json_object_get(problem, "kind")), "gap");
    for (int lang = 0; lang < N_LANGS; lang++) {
        CLEANUP(str) struct str words = STR_INIT(1 << 20);
        verify_report_write(&r, false, (enum lang)lang, &words);
        assert_true(str_is_utf8(words.data, words.len));
        assert_int_equal(words.error, 0);
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exports), cmocka_unit_test(test_fork_and_break),
        cmocka_unit_test(test_single),  cmocka_unit_test(test_not_valid),
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
