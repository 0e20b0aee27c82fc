/* Chains: found again, continued, never continued wrongly, renewed for cloned machines. */
#include "tests/agent/evidence/sample.h"

#include "agent/evidence/state.h"

struct fixture {
    char dir[64];
    struct state *s;
};

static void set_up(struct fixture *f)
{
    scratch_make(f->dir);
    OK(state_open(f->dir, true, &f->s, e));
}

static void tear_down(struct fixture *f)
{
    state_close(f->s);
    scratch_remove(f->dir);
}

static struct chain_head find(struct fixture *f, const char *contract)
{
    struct chain_head h = {0};
    OK(chain_find(f->s, contract, "sapporo-7-2", true, &h, e));
    return h;
}

static void test_continues(void **state)
{
    (void)state;
    struct fixture f;
    char digest[SHA256_HEX];
    struct chain_head none = {0};
    set_up(&f);
    FAILS(ERR_ABSENT, chain_find(f.s, "A", "sapporo-7-2", false, &none, e));
    CLEANUP(chain_head) struct chain_head first = find(&f, "A");
    assert_true(hex_is(first.chain, 32));
    assert_int_equal(first.sequence, 0);
    assert_string_equal(first.digest, "");
    CLEANUP(chain_head) struct chain_head same = find(&f, "A");
    assert_string_equal(same.chain, first.chain); /* made once */
    for (int64_t i = 1; i <= 12; i++) {           /* past 9: the order is by number, not by text */
        sample_record(f.s, "A", digest);
        CLEANUP(chain_head) struct chain_head h = find(&f, "A");
        assert_string_equal(h.chain, first.chain);
        assert_true(h.sequence == i);
        assert_string_equal(h.digest, digest);
        CLEANUP(statement_head) struct statement_head st = {0};
        OK(statement_head_parse(h.payload, h.payload_n, &st, e));
        assert_true(st.sequence == i);
    }
    /* another contract, and another framework of the same contract, are other chains */
    sample_record(f.s, "B", digest);
    CLEANUP(chain_head) struct chain_head b = find(&f, "B");
    assert_string_not_equal(b.chain, first.chain);
    assert_int_equal(b.sequence, 1);
    CLEANUP(chain_head) struct chain_head other = {0};
    OK(chain_find(f.s, "A", "machida", true, &other, e));
    assert_string_not_equal(other.chain, first.chain);
    state_close(f.s);
    OK(state_open(f.dir, false, &f.s, e)); /* a reader sees the same */
    CLEANUP(chain_head) struct chain_head read = {0};
    OK(chain_find(f.s, "A", "sapporo-7-2", false, &read, e));
    assert_int_equal(read.sequence, 12);
    tear_down(&f);
}

/* A signed envelope with these chain values. */
static void make_envelope(const char *chain, int64_t sequence, const char *previous,
                          struct str *out, char digest[SHA256_HEX])
{
    CLEANUP(sign_key) struct sign_key *k = seed_key(SEED_TEST1);
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(sign_key_id(k));
    meta.chain = chain;
    meta.sequence = sequence;
    meta.previous = previous;
    sample_statement(&meta, 0, NULL, &payload);
    OK(sha256_hex(payload.data, payload.len, digest, e));
    OK(dsse_sign(k, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, out, e));
}

static void test_append_refuses(void **state)
{
    (void)state;
    static const char other[] = "4444444444444444444444444444444444444444444444444444444444444444";
    struct fixture f;
    char digest[SHA256_HEX];
    set_up(&f);
    sample_record(f.s, "A", digest);
    CLEANUP(chain_head) struct chain_head h = find(&f, "A");
    const struct {
        const char *chain;
        int64_t sequence;
        const char *previous;
        const char *why;
    } rows[] = {
        {h.chain, 3, h.digest, "a number left out"},
        {h.chain, 1, "", "a number again"},
        {h.chain, 2, other, "another one before it"},
        {"ffffffffffffffffffffffffffffffff", 2, h.digest, "another chain"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str env = STR_INIT(ENVELOPE_MAX);
        char d[SHA256_HEX];
        struct err err = {0};
        make_envelope(rows[i].chain, rows[i].sequence, rows[i].previous, &env, d);
        int rc = chain_append(f.s, &h, env.data, env.len, d, &err);
        if (rc != ERR_MISMATCH) {
            fail_msg("%s: gave %d (%s)", rows[i].why, rc, err.msg);
        }
    }
    CLEANUP(str) struct str env = STR_INIT(ENVELOPE_MAX);
    make_envelope(h.chain, 2, h.digest, &env, digest);
    FAILS(ERR_MISMATCH, chain_append(f.s, &h, env.data, env.len, other, e)); /* other digest */
    FAILS(ERR_MALFORMED, chain_append(f.s, &h, "junk", 4, digest, e));
    OK(chain_append(f.s, &h, env.data, env.len, digest, e));
    /* the head that the caller saw is no longer the head */
    FAILS(ERR_MISMATCH, chain_append(f.s, &h, env.data, env.len, digest, e));
    struct spool_list l = {0};
    OK(spool_list(f.s, &l, e));
    assert_int_equal(l.n, 2);
    spool_list_done(&l);
    tear_down(&f);
}

static void damage(const struct fixture *f, const struct chain_head *h, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/spool/%s/%lld-%s.json", f->dir, h->chain,
                   (long long)h->sequence, h->digest);
    OK(io_write_atomic(path, text, strlen(text), 0600, e));
}

/* A damaged head is said, not papered over; the other contracts go on, and so does a new chain. */
static void test_damaged_head(void **state)
{
    (void)state;
    struct fixture f;
    char digest[SHA256_HEX];
    struct err err = {0};
    struct chain_head none = {0};
    set_up(&f);
    sample_record(f.s, "A", digest);
    sample_record(f.s, "B", digest);
    CLEANUP(chain_head) struct chain_head a = find(&f, "A");
    CLEANUP(str) struct str other = STR_INIT(ENVELOPE_MAX);
    make_envelope(a.chain, 1, "", &other, digest); /* well-formed, but not what its name says */
    const char *const texts[] = {"", "{\"payload\":", str_text(&other)};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        damage(&f, &a, texts[i]);
        assert_int_equal(chain_find(f.s, "A", "sapporo-7-2", true, &none, &err), ERR_MALFORMED);
        assert_non_null(strstr(err.msg, "is damaged"));
    }
    sample_record(f.s, "B", digest);
    OK(chain_renew(f.s, e));
    sample_record(f.s, "A", digest);
    CLEANUP(chain_head) struct chain_head fresh = find(&f, "A");
    assert_int_equal(fresh.sequence, 1);
    assert_string_equal(fresh.previous_chain, a.chain);
    tear_down(&f);
}

static void test_chain_file_lost(void **state)
{
    (void)state;
    struct fixture f;
    char digest[SHA256_HEX], path[512];
    set_up(&f);
    sample_record(f.s, "A", digest);
    CLEANUP(chain_head) struct chain_head h = find(&f, "A");
    (void)snprintf(path, sizeof(path), "%s/spool/%s/chain.json", f.dir, h.chain);
    assert_int_equal(unlink(path), 0);
    CLEANUP(chain_head) struct chain_head again = find(&f, "A");
    assert_string_equal(again.chain, h.chain);
    (void)snprintf(path, sizeof(path), "%s/spool/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", f.dir);
    assert_int_equal(mkdir(path, 0700), 0); /* an empty directory is no chain */
    CLEANUP(chain_head) struct chain_head third = find(&f, "A");
    assert_string_equal(third.chain, h.chain);
    tear_down(&f);
}

static void test_renew(void **state)
{
    (void)state;
    struct fixture f;
    char digest[SHA256_HEX];
    set_up(&f);
    sample_record(f.s, "A", digest);
    sample_record(f.s, "A", digest);
    sample_record(f.s, "B", digest);
    CLEANUP(chain_head) struct chain_head before = find(&f, "A");
    OK(chain_renew(f.s, e));
    CLEANUP(chain_head) struct chain_head after = find(&f, "A");
    assert_string_not_equal(after.chain, before.chain);
    assert_string_equal(after.previous_chain, before.chain);
    assert_int_equal(after.sequence, 0);
    OK(chain_renew(f.s, e)); /* nothing recorded since: nothing to renew */
    CLEANUP(chain_head) struct chain_head again = find(&f, "A");
    assert_string_equal(again.chain, after.chain);
    sample_record(f.s, "A", digest);
    CLEANUP(chain_head) struct chain_head next = find(&f, "A");
    assert_string_equal(next.chain, after.chain);
    CLEANUP(statement_head) struct statement_head st = {0};
    OK(statement_head_parse(next.payload, next.payload_n, &st, e));
    assert_string_equal(st.previous_chain, before.chain);
    struct spool_list l = {0};
    OK(spool_list(f.s, &l, e));
    assert_int_equal(l.n, 4); /* the old ones stay */
    spool_list_done(&l);
    tear_down(&f);
}

static void test_identity(void **state)
{
    (void)state;
    static const char own[] = "0123456789abcdef0123456789abcdef";
    static const char clone[] = "ffffffffffffffffffffffffffffffff";
    struct fixture f;
    char digest[SHA256_HEX];
    struct err err = {0};
    set_up(&f);
    OK(state_identity_check(f.s, own, e)); /* nothing recorded yet */
    sample_record(f.s, "A", digest);
    OK(state_identity_check(f.s, own, e));
    OK(state_identity_check(f.s, "", e)); /* not known: nothing to compare */
    assert_int_equal(state_identity_check(f.s, clone, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.msg, "--new-chain"));
    OK(chain_renew(f.s, e));
    OK(state_identity_check(f.s, clone, e)); /* the cure */
    tear_down(&f);
}

static void test_name_parse(void **state)
{
    (void)state;
#define D "4444444444444444444444444444444444444444444444444444444444444444"
    static const struct {
        const char *name;
        int64_t want;
    } rows[] = {
        {"1-" D ".json", 1},
        {"214-" D ".json", 214},
        {"0-" D ".json", 0},
        {"01-" D ".json", 0},
        {"-1-" D ".json", 0},
        {"1-" D ".json.tmp", 0},
        {"1-" D "x.json", 0},
        {"1_" D ".json", 0},
        {"chain.json", 0},
        {"99999999999999999999-" D ".json", 0},
        {"", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t sequence = 0;
        char digest[SHA256_HEX] = "";
        assert_int_equal(spool_name_parse(rows[i].name, &sequence, digest), rows[i].want > 0);
        assert_true(sequence == rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_continues),    cmocka_unit_test(test_append_refuses),
        cmocka_unit_test(test_damaged_head), cmocka_unit_test(test_chain_file_lost),
        cmocka_unit_test(test_renew),        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_name_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
