/* The spool: what is acknowledged, what may be pruned, and what never. */
#include "tests/agent/evidence/sample.h"

struct fixture {
    char dir[64];
    struct state *s;
    struct sign_key *collector;
};

static void set_up(struct fixture *f)
{
    scratch_make(f->dir);
    OK(state_open(f->dir, true, &f->s, e));
    f->collector = seed_key(SEED_TEST2);
    const char *pem = sign_key_pem(f->collector);
    OK(state_set_collector_key(f->s, pem, strlen(pem), e));
    char digest[SHA256_HEX];
    for (int i = 0; i < 3; i++) {
        sample_record(f->s, "A", digest);
    }
    sample_record(f->s, "B", digest);
}

static void tear_down(struct fixture *f)
{
    sign_key_free(f->collector);
    state_close(f->s);
    scratch_remove(f->dir);
}

static struct receipt receipt_for(struct fixture *f, const struct spool_entry *entry)
{
    CLEANUP(verify_key) struct verify_key *own = NULL;
    struct receipt r = {
        .sequence = entry->sequence, .received_at = "2026-11-21T06:31:00Z", .collector = "c"};
    OK(state_public_key(f->s, &own, e));
    memcpy(r.chain, entry->chain, sizeof(r.chain));
    memcpy(r.digest, entry->digest, sizeof(r.digest));
    (void)snprintf(r.keyid, sizeof(r.keyid), "%s", verify_key_id(own));
    return r;
}

static void acknowledge(struct fixture *f, const struct spool_entry *entry)
{
    CLEANUP(str) struct str text = STR_INIT(65536);
    char digest[SHA256_HEX];
    struct receipt r = receipt_for(f, entry);
    OK(receipt_sign(f->collector, &r, &text, e));
    OK(receipt_store(f->s, text.data, text.len, digest, e));
}

/* Puts a receipt file there as the uploader's user could: without any check. */
static void plant(struct fixture *f, const struct spool_entry *entry, const struct sign_key *by,
                  const struct receipt *r)
{
    CLEANUP(str) struct str text = STR_INIT(65536);
    char path[256];
    OK(receipt_sign(by, r, &text, e));
    (void)snprintf(path, sizeof(path), "%s/receipts/%s.json", f->dir, entry->digest);
    OK(io_write_atomic(path, text.data, text.len, 0600, e));
}

static void expect(struct fixture *f, size_t n, size_t unacknowledged, size_t prunes)
{
    CLEANUP(spool_list) struct spool_list l = {0};
    size_t removed = 99;
    OK(spool_list(f->s, &l, e));
    assert_int_equal(l.n, n);
    assert_int_equal(l.n_unacknowledged, unacknowledged);
    OK(spool_prune(f->s, &removed, e));
    assert_int_equal(removed, prunes);
}

static void test_list(void **state)
{
    (void)state;
    struct fixture f;
    CLEANUP(spool_list) struct spool_list l = {0};
    set_up(&f);
    OK(spool_list(f.s, &l, e));
    assert_int_equal(l.n, 4);
    assert_int_equal(l.n_unacknowledged, 4);
    size_t heads = 0;
    for (size_t i = 0; i < l.n; i++) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        CLEANUP(str) struct str direct = STR_INIT(ENVELOPE_MAX);
        struct envelope env = {0};
        heads += l.entries[i].is_head;
        OK(spool_read(f.s, &l.entries[i], &text, e));
        OK(io_read_file(l.entries[i].path, ENVELOPE_MAX, &direct, e));
        assert_string_equal(str_text(&text), str_text(&direct));
        OK(envelope_parse(text.data, text.len, &env, e));
        assert_string_equal(env.digest, l.entries[i].digest);
        envelope_done(&env);
        bool same = i > 0 && strcmp(l.entries[i].chain, l.entries[i - 1].chain) == 0;
        assert_true(l.entries[i].sequence == (same ? l.entries[i - 1].sequence + 1 : 1));
    }
    assert_int_equal(heads, 2);
    tear_down(&f);
}

static const struct spool_entry *entry_of(const struct spool_list *l, size_t chain_length,
                                          int64_t sequence)
{
    for (size_t i = 0; i < l->n; i++) {
        size_t n = 0;
        for (size_t k = 0; k < l->n; k++) {
            n += strcmp(l->entries[k].chain, l->entries[i].chain) == 0;
        }
        if (n == chain_length && l->entries[i].sequence == sequence) {
            return &l->entries[i];
        }
    }
    fail_msg("no entry %lld", (long long)sequence);
    abort(); /* fail_msg has left already */
}

static void test_prune(void **state)
{
    (void)state;
    struct fixture f;
    CLEANUP(spool_list) struct spool_list l = {0};
    set_up(&f);
    OK(spool_list(f.s, &l, e));
    expect(&f, 4, 4, 0); /* nothing unacknowledged is ever dropped */
    acknowledge(&f, entry_of(&l, 3, 3));
    acknowledge(&f, entry_of(&l, 1, 1));
    expect(&f, 4, 2, 0); /* heads stay, acknowledged or not */
    acknowledge(&f, entry_of(&l, 3, 1));
    expect(&f, 4, 1, 1);
    expect(&f, 3, 1, 0);
    char digest[SHA256_HEX];
    sample_record(f.s, "A", digest); /* the former head may go now */
    expect(&f, 4, 2, 1);
    CLEANUP(chain_head) struct chain_head h = {0};
    OK(chain_find(f.s, "A", "sapporo-7-2", false, &h, e));
    assert_int_equal(h.sequence, 4);
    acknowledge(&f, entry_of(&l, 3, 1)); /* a receipt that comes again after the pruning */
    tear_down(&f);
}

static void test_planted_receipts(void **state)
{
    (void)state;
    struct fixture f;
    CLEANUP(spool_list) struct spool_list l = {0};
    CLEANUP(sign_key) struct sign_key *stranger = seed_key(SEED_TEST1);
    char path[256];
    set_up(&f);
    OK(spool_list(f.s, &l, e));
    const struct spool_entry *first = entry_of(&l, 3, 1), *second = entry_of(&l, 3, 2);
    struct receipt right = receipt_for(&f, first), wrong = receipt_for(&f, second);
    plant(&f, first, stranger, &right);
    expect(&f, 4, 4, 0); /* not the collector's */
    plant(&f, first, f.collector, &wrong);
    expect(&f, 4, 4, 0); /* another evidence's receipt under this name */
    right.sequence = 7;
    plant(&f, first, f.collector, &right);
    expect(&f, 4, 4, 0); /* another number */
    right = receipt_for(&f, first);
    right.keyid[0] = right.keyid[0] == 'a' ? 'b' : 'a';
    plant(&f, first, f.collector, &right);
    expect(&f, 4, 4, 0); /* another host's */
    (void)snprintf(path, sizeof(path), "%s/receipts/%s.json", f.dir, first->digest);
    OK(io_write_atomic(path, "junk", 4, 0600, e));
    expect(&f, 4, 4, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    expect(&f, 4, 4, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect(&f, 4, 4, 0); /* and nothing hangs */
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_planted_receipts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
