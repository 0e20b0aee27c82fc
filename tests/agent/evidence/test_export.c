/* Export and import: what is written, that it verifies, and what comes back. */
#include "tests/agent/evidence/world.h"

#include "agent/evidence/export.h"
#include "agent/evidence/verify.h"

struct fixture {
    char dir[64], out[64], rules[64], output[128];
    struct state *s;
    struct policy *policy;
    struct sign_key *collector;
};

static void record(struct fixture *f, const char *contract)
{
    CLEANUP(sign_key) struct sign_key *k = NULL;
    CLEANUP(chain_head) struct chain_head head = {0};
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str envelope = STR_INIT(ENVELOPE_MAX);
    char digest[SHA256_HEX];
    OK(state_key(f->s, true, &k, e));
    OK(chain_find(f->s, contract, "city-1", true, &head, e));
    struct statement_meta meta = sample_meta(sign_key_id(k));
    meta.contract = contract;
    meta.chain = head.chain;
    meta.sequence = head.sequence + 1;
    meta.previous = head.digest;
    world_statement(f->policy, meta, 0, &payload);
    OK(sha256_hex(payload.data, payload.len, digest, e));
    OK(dsse_sign(k, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e));
    OK(chain_append(f->s, &head, envelope.data, envelope.len, digest, e));
}

static void set_up(struct fixture *f)
{
    scratch_make(f->dir);
    scratch_make(f->out);
    scratch_make(f->rules);
    (void)snprintf(f->output, sizeof(f->output), "%s/e.intoto.jsonl", f->out);
    OK(state_open(f->dir, true, &f->s, e));
    f->policy = world_policy(f->rules, NULL, NULL, NULL);
    f->collector = seed_key(SEED_TEST2);
}

static void tear_down(struct fixture *f)
{
    sign_key_free(f->collector);
    policy_free(f->policy);
    state_close(f->s);
    scratch_remove(f->rules);
    scratch_remove(f->out);
    scratch_remove(f->dir);
}

static struct export_report export(struct fixture *f, bool all)
{
    const char *const dirs[] = {f->rules};
    struct export_report r = {0};
    const struct export_request rq = {.output = f->output,
                                      .all = all,
                                      .policy_dirs = dirs,
                                      .n_policy_dirs = 1,
                                      .policy_digest = f->policy->digest};
    OK(export_write(f->s, &rq, &r, e));
    return r;
}

/* Receipts for every envelope of the spool whose sequence is at most `up_to`, one per line. */
static void make_receipts(struct fixture *f, int64_t up_to, struct str *out)
{
    CLEANUP(spool_list) struct spool_list l = {0};
    CLEANUP(verify_key) struct verify_key *own = NULL;
    OK(spool_list(f->s, &l, e));
    OK(state_public_key(f->s, &own, e));
    for (size_t i = 0; i < l.n; i++) {
        struct receipt r = {
            .sequence = l.entries[i].sequence, .received_at = "t", .collector = "c"};
        memcpy(r.digest, l.entries[i].digest, sizeof(r.digest));
        memcpy(r.chain, l.entries[i].chain, sizeof(r.chain));
        (void)snprintf(r.keyid, sizeof(r.keyid), "%s", verify_key_id(own));
        if (r.sequence <= up_to) {
            OK(receipt_sign(f->collector, &r, out, e));
            str_add_char(out, '\n');
        }
    }
}

static void enrol(struct fixture *f)
{
    const char *pem = sign_key_pem(f->collector);
    OK(state_set_collector_key(f->s, pem, strlen(pem), e));
}

/* A stranger has the directory of the export and nothing else: signature, chain and verdicts. */
static void test_stranger_redoes_all(void **state)
{
    (void)state;
    struct fixture f;
    char path[256];
    set_up(&f);
    for (int i = 0; i < 3; i++) {
        record(&f, "A");
    }
    record(&f, "B");
    struct export_report r = export(&f, false);
    assert_int_equal(r.n_written, 4);
    assert_int_equal(r.n_other_rules, 0);
    (void)snprintf(path, sizeof(path), "%s/%s", f.out, r.policies);
    const char *dir = path;
    struct policy *p = NULL;
    OK(policy_load(&dir, 1, false, &p, e));
    assert_string_equal(p->digest, f.policy->digest); /* the copy is the same rules */
    CLEANUP(verify_report) struct verify_report v = {0};
    OK(verify_file(f.output, NULL, p, &v, e)); /* with the key beside */
    assert_int_equal(v.exit_code, 0);
    assert_int_equal(v.n_items, 4);
    assert_int_equal(v.n_chains, 2);
    policy_free(p);
    tear_down(&f);
}

static void test_only_unacknowledged(void **state)
{
    (void)state;
    struct fixture f;
    CLEANUP(str) struct str receipts = STR_INIT(1 << 20);
    char path[128];
    struct import_report in = {0};
    set_up(&f);
    struct export_report none = {0};
    const struct export_request rq = {.output = f.output};
    FAILS(ERR_ABSENT, export_write(f.s, &rq, &none, e)); /* nothing recorded yet */
    assert_false(io_exists(f.output));
    for (int i = 0; i < 4; i++) {
        record(&f, "A");
    }
    (void)snprintf(path, sizeof(path), "%s/receipts.jsonl", f.out);
    OK(io_write_atomic(path, "x\n", 2, 0600, e));
    FAILS(ERR_ABSENT, import_receipts(f.s, path, &in, e)); /* not enrolled */
    enrol(&f);
    make_receipts(&f, 2, &receipts);
    str_add(&receipts, "\n{\"error\":{\"code\":\"schema\"}}\njunk\n");
    OK(io_write_atomic(path, receipts.data, receipts.len, 0600, e));
    OK(import_receipts(f.s, path, &in, e));
    assert_int_equal(in.n_stored, 2);
    assert_int_equal(in.n_refused, 2);
    assert_non_null(strstr(in.first_refusal, "receipts.jsonl:4: "));
    assert_int_equal(export(&f, false).n_written, 2); /* 3 and 4 */
    assert_int_equal(export(&f, true).n_written, 4);

    size_t removed = 0;
    OK(spool_prune(f.s, &removed, e));
    assert_int_equal(removed, 2);
    assert_int_equal(export(&f, true).n_written, 2);
    str_clear(&receipts);
    make_receipts(&f, 4, &receipts);
    OK(io_write_atomic(path, receipts.data, receipts.len, 0600, e));
    OK(import_receipts(f.s, path, &in, e));
    assert_int_equal(in.n_stored, 2);
    FAILS(ERR_ABSENT, export_write(f.s, &rq, &none, e));
    assert_true(io_exists(f.output)); /* the earlier export stays */
    FAILS(ERR_ABSENT, import_receipts(f.s, "/nonexistent", &in, e));
    tear_down(&f);
}

/* A receipt in the middle must not make a hole that looks like a tampered chain. */
static void test_no_holes(void **state)
{
    (void)state;
    struct fixture f;
    CLEANUP(str) struct str all = STR_INIT(1 << 20);
    char path[128];
    struct import_report in = {0};
    set_up(&f);
    for (int i = 0; i < 4; i++) {
        record(&f, "A");
    }
    enrol(&f);
    make_receipts(&f, 4, &all);
    const char *third = strchr(strchr(all.data, '\n') + 1, '\n') + 1;
    (void)snprintf(path, sizeof(path), "%s/r", f.out);
    OK(io_write_atomic(path, third, (size_t)(strchr(third, '\n') - third), 0600, e));
    OK(import_receipts(f.s, path, &in, e));
    assert_int_equal(in.n_stored, 1);
    assert_int_equal(export(&f, false).n_written, 4);
    CLEANUP(verify_report) struct verify_report v = {0};
    OK(verify_file(f.output, NULL, f.policy, &v, e));
    assert_int_equal(v.exit_code, 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stranger_redoes_all),
        cmocka_unit_test(test_only_unacknowledged),
        cmocka_unit_test(test_no_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
