/* Receipts: signed by the collector, for our key, for an envelope of ours; nothing else is kept. */
#include "tests/agent/evidence/sample.h"

struct fixture {
    char dir[64];
    struct state *s;
    struct sign_key *collector;
    struct receipt receipt; /* right for the one envelope that is spooled */
};

static void set_up(struct fixture *f)
{
    scratch_make(f->dir);
    OK(state_open(f->dir, true, &f->s, e));
    f->collector = seed_key(SEED_TEST2);
    const char *pem = sign_key_pem(f->collector);
    OK(state_set_collector_key(f->s, pem, strlen(pem), e));
    f->receipt = (struct receipt){.sequence = 1,
                                  .received_at = "2026-11-21T06:31:00Z",
                                  .collector = "collector.example.jp",
                                  .flags = "gap,late"};
    sample_record(f->s, "A", f->receipt.digest);
    CLEANUP(chain_head) struct chain_head h = {0};
    CLEANUP(verify_key) struct verify_key *own = NULL;
    OK(chain_find(f->s, "A", "sapporo-7-2", false, &h, e));
    OK(state_public_key(f->s, &own, e));
    memcpy(f->receipt.chain, h.chain, sizeof(h.chain));
    (void)snprintf(f->receipt.keyid, sizeof(f->receipt.keyid), "%s", verify_key_id(own));
}

static void tear_down(struct fixture *f)
{
    sign_key_free(f->collector);
    state_close(f->s);
    scratch_remove(f->dir);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CLEANUP(str) struct str text = STR_INIT(65536);
    CLEANUP(verify_key) struct verify_key *k = NULL;
    struct receipt r = {0};
    char digest[SHA256_HEX];
    OK(receipt_sign(f.collector, &f.receipt, &text, e));
    OK(verify_key_of(f.collector, &k, e));
    OK(receipt_parse(k, text.data, text.len, &r, e));
    assert_memory_equal(&r.digest, &f.receipt.digest, sizeof(r.digest));
    assert_string_equal(r.chain, f.receipt.chain);
    assert_string_equal(r.keyid, f.receipt.keyid);
    assert_string_equal(r.received_at, f.receipt.received_at);
    assert_string_equal(r.collector, f.receipt.collector);
    assert_string_equal(r.flags, "gap,late");
    assert_int_equal(r.sequence, 1);
    OK(receipt_verify(k, text.data, text.len, digest, e));
    assert_string_equal(digest, f.receipt.digest);
    tear_down(&f);
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body;
        int want;
        const char *why;
    } rows[] = {
        {PAYLOAD_TYPE_EVIDENCE, "{}", ERR_UNSUPPORTED, "evidence is no receipt"},
        {PAYLOAD_TYPE_RECEIPT, "junk", ERR_MALFORMED, "not JSON"},
        {PAYLOAD_TYPE_RECEIPT, "[]", ERR_MALFORMED, "not an object"},
        {PAYLOAD_TYPE_RECEIPT, "{}", ERR_MALFORMED, "empty"},
        {PAYLOAD_TYPE_RECEIPT,
         "{\"digest\":\"x\",\"chain\":\"x\",\"sequence\":1,\"keyid\":\"x\",\"received_at\":\"\","
         "\"collector\":\"\",\"flags\":[]}",
         ERR_MALFORMED, "digest is none"},
        {PAYLOAD_TYPE_RECEIPT,
         "{\"digest\":"
         "\"11111111111111111111111111111111111111111111111111111111111111111111111111111\"}",
         ERR_MALFORMED, "digest too long"},
    };
    CLEANUP(sign_key) struct sign_key *collector = seed_key(SEED_TEST2);
    CLEANUP(verify_key) struct verify_key *k = NULL;
    OK(verify_key_of(collector, &k, e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str text = STR_INIT(65536);
        struct receipt r = {0};
        struct err err = {0};
        OK(dsse_sign(collector, rows[i].type, rows[i].body, strlen(rows[i].body), &text, e));
        int rc = receipt_parse(k, text.data, text.len, &r, &err);
        if (rc != rows[i].want) {
            fail_msg("%s: gave %d (%s)", rows[i].why, rc, err.msg);
        }
    }
}

/* How many receipts lie in the state directory. */
static size_t stored(const struct fixture *f)
{
    char path[128];
    CLEANUP(strv) struct strv names = {0};
    (void)snprintf(path, sizeof(path), "%s/receipts", f->dir);
    OK(io_list(path, "", &names, e));
    return names.n;
}

static void store(struct fixture *f, const struct sign_key *by, const struct receipt *r, int want,
                  const char *why)
{
    CLEANUP(str) struct str text = STR_INIT(65536);
    char digest[SHA256_HEX] = "";
    struct err err = {0};
    OK(receipt_sign(by, r, &text, e));
    int rc = receipt_store(f->s, text.data, text.len, digest, &err);
    if (rc != want) {
        fail_msg("%s: gave %d (%s)", why, rc, err.msg);
    }
    assert_int_equal(strcmp(digest, r->digest) == 0, want == 0);
}

static void test_store(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CLEANUP(sign_key) struct sign_key *stranger = seed_key(SEED_TEST1);
    struct receipt r = f.receipt;
    store(&f, stranger, &r, ERR_MISMATCH, "signed by somebody else");
    r.keyid[0] = r.keyid[0] == 'a' ? 'b' : 'a';
    store(&f, f.collector, &r, ERR_MISMATCH, "for another host");
    r = f.receipt;
    r.digest[0] = r.digest[0] == 'a' ? 'b' : 'a';
    store(&f, f.collector, &r, ERR_MISMATCH, "for evidence that is not ours");
    r = f.receipt;
    r.sequence = 2;
    store(&f, f.collector, &r, ERR_MISMATCH, "with another number");
    assert_int_equal(stored(&f), 0);
    char digest[SHA256_HEX];
    FAILS(ERR_MALFORMED, receipt_store(f.s, "junk", 4, digest, e));

    store(&f, f.collector, &f.receipt, 0, "ours");
    assert_int_equal(stored(&f), 1);
    store(&f, f.collector, &f.receipt, 0, "the same again");
    r = f.receipt;
    (void)snprintf(r.flags, sizeof(r.flags), "late");
    store(&f, f.collector, &r, 0, "another receipt for the same evidence");
    assert_int_equal(stored(&f), 1);
    tear_down(&f);
}

/* The uploader opens the state without the lock and may store receipts so. */
static void test_store_without_lock(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct state *scan = f.s;
    OK(state_open(f.dir, false, &f.s, e));
    store(&f, f.collector, &f.receipt, 0, "beside a recording scan");
    state_close(scan);
    tear_down(&f);
}

static void test_store_before_enrolment(void **state)
{
    (void)state;
    char dir[64], digest[SHA256_HEX];
    struct state *s = NULL;
    scratch_make(dir);
    OK(state_open(dir, true, &s, e));
    FAILS(ERR_ABSENT, receipt_store(s, "{}", 2, digest, e));
    state_close(s);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_store_without_lock),
        cmocka_unit_test(test_store_before_enrolment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
