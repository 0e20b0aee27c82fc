/* server-stub/ingest.c: what is refused and why, flags, receipts; and that a kill at any system
 * call of the path loses nothing that was acknowledged and stores nothing twice. */
#include "tests/server-stub/harness.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void expect_refusal(struct bench_store *b, const char *why, const char *text,
                           unsigned status, const char *code)
{
    struct ingest *in = NULL;
    struct refusal no;
    OK(ingest_check(b->store, b->packer, text, strlen(text), &in, &no, e));
    if (in != NULL || no.status != status || strcmp(no.code, code) != 0) {
        fail_msg("%s: %u %s (%s), wanted %u %s", why, no.status, in != NULL ? "taken" : no.code,
                 in != NULL ? "" : no.message, status, code);
    }
    assert_string_not_equal(no.message, "");
}

/* Signs any payload under any type. */
static char *sign_text(const struct sign_key *k, const char *type, const char *payload)
{
    struct str out = STR_INIT(ENVELOPE_MAX);
    OK(dsse_sign(k, type, payload, strlen(payload), &out, e));
    return str_take(&out, NULL);
}

/* The payload of day 1 with one text replaced (same length or not), signed again. */
static char *with_change(struct maker *m, const char *from, const char *to)
{
    struct str payload = STR_INIT(ENVELOPE_MAX), changed = STR_INIT(ENVELOPE_MAX);
    maker_payload(m, "2026-11-01T03:00:00Z", "2026-11-01", "5.4=fail 5.1a=pass", &payload);
    const char *at = strstr(payload.data, from);
    assert_non_null(at);
    str_add_bytes(&changed, payload.data, (size_t)(at - payload.data));
    str_add(&changed, to);
    str_add(&changed, at + strlen(from));
    char *out = sign_text(m->key, PAYLOAD_TYPE_EVIDENCE, changed.data);
    str_done(&payload);
    str_done(&changed);
    return out;
}

static void test_refusals(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1), stranger = maker_new(SEED_TEST2);
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1794000000);
    static const struct {
        const char *why, *text;
        unsigned status;
        const char *code;
    } plain[] = {
        {"not JSON", "hello", 400, "json"},
        {"cut JSON", "{\"payload\":\"e3", 400, "json"},
        {"JSON that is no envelope", "{\"a\":1}", 400, "json"},
        {"a member twice",
         "{\"payload\":\"\",\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[]}", 400, "json"},
        {"no signature", "{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[]}", 422,
         "signatures"},
        {"two signatures",
         "{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"\"},{\"sig\":\"\"}]}",
         422, "signatures"},
        {"no key id", "{\"payload\":\"\",\"payloadType\":\"t\",\"signatures\":[{\"sig\":\"\"}]}",
         401, "keyid"},
    };
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        expect_refusal(&b, plain[i].why, plain[i].text, plain[i].status, plain[i].code);
    }
    char *t = maker_day(&stranger, 1, "5.4=pass");
    expect_refusal(&b, "an unknown key", t, 401, "keyid");
    char *keyid = strstr(t, sign_key_id(stranger.key));
    memcpy(keyid, sign_key_id(m.key), 64);
    expect_refusal(&b, "another's key id", t, 403, "signature");
    free(t);
    t = sign_text(stranger.key, "text/plain", "x");
    expect_refusal(&b, "unknown key is looked at before the type", t, 401, "keyid");
    free(t);
    t = sign_text(m.key, "text/plain", "x");
    expect_refusal(&b, "wrong payload type", t, 422, "type");
    free(t);
    t = sign_text(m.key, PAYLOAD_TYPE_EVIDENCE, "not a statement");
    expect_refusal(&b, "no statement", t, 422, "schema");
    free(t);
    static const struct {
        const char *why, *from, *to, *code;
        unsigned status;
    } changes[] = {
        {"another statement type", "in-toto.io/Statement/v1", "in-toto.io/Statement/v2", "type",
         422},
        {"another predicate", "host-posture/v1", "host-posture/v9", "type", 422},
        {"facts that are not the subject", "札幌市", "町田市", "schema", 422},
        {"another contract", "\"contract\":{\"id\":\"SPR-2026-014\"",
         "\"contract\":{\"id\":\"OTHER-1\"", "contract", 403},
        {"a local day that is not the time's", "\"local_date\":\"2026-11-01\"",
         "\"local_date\":\"2026-10-01\"", "schema", 422},
        {"a chain that is no id", "\"chain\":\"", "\"chain\":\"xyz", "schema", 422},
        {"a sequence below 1", "\"sequence\":1", "\"sequence\":0", "schema", 422},
        {"a previous that is no digest", "\"previous\":\"\"", "\"previous\":\"abc\"", "schema",
         422},
        {"a verdict that is none", "\"verdict\":\"fail\"", "\"verdict\":\"good\"", "schema", 422},
        {"a clause id with a line in it", "\"id\":\"5.4\"", "\"id\":\"5.4\\n5.5\"", "schema", 422},
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        t = with_change(&m, changes[i].from, changes[i].to);
        expect_refusal(&b, changes[i].why, t, changes[i].status, changes[i].code);
        free(t);
    }
    char mine[128], other[128];
    (void)snprintf(mine, sizeof mine, "\"host\":{\"id\":\"%s", sign_key_id(m.key));
    (void)snprintf(other, sizeof other, "\"host\":{\"id\":\"%s", sign_key_id(stranger.key));
    t = with_change(&m, mine, other);
    expect_refusal(&b, "another host's statement under one's own key", t, 422, "host");
    free(t);
    struct str big = STR_INIT((size_t)8 << 20);
    for (size_t i = 0; i <= (size_t)2 << 20; i++) {
        str_add_char(&big, ' ');
    }
    expect_refusal(&b, "too long", big.data, 413, "size");
    str_done(&big);
    struct store_counts counts;
    OK(store_count(b.store, &counts, e));
    assert_int_equal(counts.evidence, 0);
    sign_key_free(m.key);
    sign_key_free(stranger.key);
    bench_close(&b);
}

/* Every bit of a good envelope turned over: refused, or (white space, unknown members cannot arise
 * here) never taken with another digest. */
static void test_altered_envelopes(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1794000000);
    char *t = maker_day(&m, 1, "5.4=pass");
    size_t n = strlen(t);
    for (size_t i = 0; i < n; i += 7) {
        struct ingest *in = NULL;
        struct refusal no;
        t[i] = (char)(t[i] ^ 0x02);
        OK(ingest_check(b.store, b.packer, t, n, &in, &no, e));
        if (in != NULL) {
            assert_string_equal(in->record.digest, m.digest);
        } else {
            assert_true(no.status >= 400);
        }
        ingest_free(in);
        t[i] = (char)(t[i] ^ 0x02);
    }
    assert_int_equal(bench_put(&b, t), 0);
    sign_key_free(m.key);
    bench_close(&b);
}

static void test_flags_in_order(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    char *day[6];
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1794000000);
    for (unsigned i = 0; i < 5; i++) {
        day[i] = maker_day(&m, i + 1, "5.4=pass");
    }
    assert_int_equal(bench_put(&b, day[0]), 0);
    assert_int_equal(bench_put(&b, day[3]), FLAG_GAP);
    assert_int_equal(bench_put(&b, day[1]), FLAG_LATE);
    assert_int_equal(bench_put(&b, day[2]), FLAG_LATE);
    assert_int_equal(bench_put(&b, day[4]), 0);
    /* the clock went back */
    day[5] = maker_day(&m, 2, "5.4=pass");
    assert_int_equal(bench_put(&b, day[5]), FLAG_CLOCK_BEHIND);
    /* another machine under the same key, with a copy of the chain */
    struct maker clone = m;
    clone.machine_id = "ffffffffffffffffffffffffffffffff";
    assert_int_equal(bench_put(&b, maker_day(&clone, 6, "5.4=pass")), FLAG_MACHINE_ID);
    assert_int_equal(bench_put(&b, maker_day(&m, 7, "5.4=fail")), FLAG_FORK);
    /* a chain of its own, but not enrolled anew: still the same key on another machine */
    struct maker renewed = clone;
    renewed.sequence = 0;
    renewed.previous[0] = '\0';
    (void)snprintf(renewed.chain, sizeof renewed.chain, "%032d", 7);
    struct maker again = renewed;
    (void)snprintf(again.chain, sizeof again.chain, "%032d", 8);
    assert_int_equal(bench_put(&b, maker_day(&renewed, 8, "5.4=pass")), FLAG_MACHINE_ID);
    bench_enroll(&b, &renewed, 1794000000);
    assert_int_equal(bench_put(&b, maker_day(&again, 9, "5.4=pass")), 0);
    sign_key_free(m.key);
    bench_close(&b);
}

static void test_flags_table(void **state)
{
    static const struct {
        const char *why;
        struct chain_look look;
        int64_t sequence, time_s;
        const char *previous, *machine_id;
        bool machine_any, machine_known;
        unsigned want;
    } rows[] = {
        {"the first of a chain", {0}, 1, 100, "", "m", true, true, 0},
        {"the first that arrives is not number 1", {0}, 5, 100, "p", "m", true, true, FLAG_GAP},
        {"number 1 that names one before it", {0}, 1, 100, "p", "m", true, true, FLAG_FORK},
        {"number 2 that names none",
         {.any = true, .max_sequence = 1, .has_previous = true},
         2,
         100,
         "",
         "",
         true,
         true,
         FLAG_FORK},
        {"follows",
         {.any = true, .max_sequence = 1, .has_previous = true, .previous_matches = true},
         2,
         100,
         "p",
         "",
         true,
         true,
         0},
        {"fills a hole",
         {.any = true,
          .max_sequence = 3,
          .has_previous = true,
          .previous_matches = true,
          .has_next = true,
          .next_matches = true},
         2,
         100,
         "p",
         "",
         true,
         true,
         FLAG_LATE},
        {"what follows it names another",
         {.any = true,
          .max_sequence = 3,
          .has_previous = true,
          .previous_matches = true,
          .has_next = true},
         2,
         100,
         "p",
         "",
         true,
         true,
         FLAG_LATE | FLAG_FORK},
        {"one more with its number",
         {.any = true,
          .max_sequence = 2,
          .same_number = true,
          .has_previous = true,
          .previous_matches = true},
         2,
         100,
         "p",
         "",
         true,
         true,
         FLAG_FORK},
        {"earlier than the number below",
         {.any = true,
          .max_sequence = 1,
          .has_previous = true,
          .previous_matches = true,
          .has_lower = true,
          .lower_time_s = 101},
         2,
         100,
         "p",
         "",
         true,
         true,
         FLAG_CLOCK_BEHIND},
        {"at the same second is not behind",
         {.any = true,
          .max_sequence = 1,
          .has_previous = true,
          .previous_matches = true,
          .has_lower = true,
          .lower_time_s = 100},
         2,
         100,
         "p",
         "",
         true,
         true,
         0},
        {"late, and later than the number above",
         {.any = true, .max_sequence = 9, .has_higher = true, .higher_time_s = 99},
         2,
         100,
         "p",
         "",
         true,
         true,
         FLAG_GAP | FLAG_LATE | FLAG_CLOCK_BEHIND},
        {"a machine that was not enrolled", {0}, 1, 100, "", "other", true, false, FLAG_MACHINE_ID},
        {"enrolled without a machine-id: nothing to compare with",
         {0},
         1,
         100,
         "",
         "other",
         false,
         false,
         0},
        {"evidence without a machine-id", {0}, 1, 100, "", "", true, false, 0},
        {"another machine within the chain, although enrolled",
         {.any = true,
          .max_sequence = 1,
          .has_previous = true,
          .previous_matches = true,
          .machine_id = "m"},
         2,
         100,
         "p",
         "other",
         true,
         true,
         FLAG_MACHINE_ID},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record r = {.sequence = rows[i].sequence,
                           .time_s = rows[i].time_s,
                           .machine_id = rows[i].machine_id};
        (void)snprintf(r.previous, sizeof r.previous, "%s", rows[i].previous);
        unsigned got = ingest_flags(&r, &rows[i].look, rows[i].machine_any, rows[i].machine_known);
        if (got != rows[i].want) {
            fail_msg("%s: %u, wanted %u", rows[i].why, got, rows[i].want);
        }
    }
}

static void test_receipt(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    struct verify_key *collector = NULL;
    char digest[SHA256_HEX];
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1794000000);
    char *t = maker_day(&m, 1, "5.4=pass");
    struct str first = STR_INIT(65536);
    for (unsigned i = 0; i < 2; i++) {
        struct ingest *in = NULL;
        struct refusal no;
        OK(ingest_check(b.store, b.packer, t, strlen(t), &in, &no, e));
        OK(store_begin(b.store, e));
        OK(ingest_put(b.store, b.collector.key, 1795000000 + i * 1000, in, e));
        OK(store_commit(b.store, e));
        if (i == 0) {
            str_add(&first, str_text(&in->receipt));
        }
        assert_int_equal(in->repeated, i == 1);
        assert_string_equal(str_text(&in->receipt), first.data);
        ingest_free(in);
    }
    OK(verify_key_of(b.collector.key, &collector, e));
    OK(receipt_verify(collector, first.data, first.len, digest, e));
    assert_string_equal(digest, m.digest);
    struct store_counts counts;
    OK(store_count(b.store, &counts, e));
    assert_int_equal(counts.evidence, 1);
    verify_key_free(collector);
    str_done(&first);
    free(t);
    sign_key_free(m.key);
    bench_close(&b);
}

static int same_envelope(void *arg, const struct record *r, struct err *e)
{
    struct str out = STR_INIT(ENVELOPE_MAX);
    int rc = record_envelope(r, &out, e);
    if (rc == 0) {
        assert_string_equal(out.data, arg);
        assert_string_equal(r->verdicts, "5.4=fail\n5.1a=pass\n");
        assert_string_equal(r->declared.authority, "札幌市");
        assert_string_equal(r->declared.ends, "2027-03-31");
        assert_string_equal(r->declared.time_zone, "Asia/Tokyo");
        assert_true(r->rules_unmodified);
    }
    str_done(&out);
    return rc;
}

static void test_stored_as_sent(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1794000000);
    char *t = maker_day(&m, 1, "5.4=fail 5.1a=pass");
    assert_int_equal(bench_put(&b, strdup(t)), 0);
    OK(store_evidence_get(b.store, m.digest, same_envelope, t, e));
    free(t);
    sign_key_free(m.key);
    bench_close(&b);
}

/* --- killed at every system call --- */

#define KILL_DAYS 2U

/* The receive path as one thread runs it; tells the pipe what was acknowledged. Never returns. */
static void child_receive(const char *dir, char *const texts[KILL_DAYS], int ack_fd)
{
    struct err e;
    struct collector c = {.dir = NULL};
    struct store *s = NULL;
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    (void)raise(SIGSTOP);
    int rc = collector_open(dir, false, &c, &e);
    struct packer *packer = NULL;
    rc = rc == 0 ? store_open(dir, STORE_WRITE, &s, &e) : rc;
    rc = rc == 0 ? packer_new(&packer, &e) : rc;
    for (unsigned i = 0; rc == 0 && i < KILL_DAYS; i++) {
        struct ingest *in = NULL;
        struct refusal no;
        rc = ingest_check(s, packer, texts[i], strlen(texts[i]), &in, &no, &e);
        rc = rc == 0 ? store_begin(s, &e) : rc;
        rc = rc == 0 ? ingest_put(s, c.key, 1795000000, in, &e) : rc;
        rc = rc == 0 ? store_commit(s, &e) : rc;
        if (rc == 0 && write(ack_fd, &i, sizeof i) != (ssize_t)sizeof i) {
            rc = -1;
        }
        ingest_free(in);
    }
    packer_free(packer);
    store_close(s);
    /* no leak check: under ptrace the sanitizer cannot do it */
    _exit(rc == 0 ? 0 : 1);
}

/* Runs the child up to its n-th stop at a system call, kills it there. True: it ended before. */
static bool run_and_kill(const char *dir, char *const texts[KILL_DAYS], long n,
                         bool acknowledged[KILL_DAYS])
{
    int fds[2], status = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        child_receive(dir, texts, fds[1]);
    }
    (void)close(fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    bool ended = false;
    for (long i = 0; i < n && !ended; i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        ended = WIFEXITED(status);
    }
    if (ended) {
        assert_int_equal(WEXITSTATUS(status), 0);
    } else {
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    unsigned day = 0;
    while (read(fds[0], &day, sizeof day) == (ssize_t)sizeof day) {
        acknowledged[day] = true;
    }
    (void)close(fds[0]);
    return ended;
}

/* A death of the process, not of the machine, is tried here: memory will do as a disk, and is much
 * faster at syncing. */
static void fast_scratch(char dir[64])
{
    (void)snprintf(dir, 64, "/dev/shm/tenken-test-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        scratch_make(dir);
    }
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char from[128], to[128];
    struct str text = STR_INIT((size_t)16 << 20);
    (void)snprintf(from, sizeof from, "%s/%s", from_dir, name);
    (void)snprintf(to, sizeof to, "%s/%s", to_dir, name);
    OK(io_read_file(from, (size_t)16 << 20, &text, e));
    OK(io_write_atomic(to, text.data, text.len, 0600, e));
    str_done(&text);
}

static void check_after_kill(const char *dir, char *const texts[KILL_DAYS],
                             char digests[KILL_DAYS][SHA256_HEX],
                             const bool acknowledged[KILL_DAYS], long at)
{
    struct collector c = {.dir = NULL};
    struct store *s = NULL;
    struct store_counts counts;
    OK(collector_open(dir, false, &c, e));
    OK(store_open(dir, STORE_WRITE, &s, e));
    OK(store_check(s, e));
    struct packer *packer = NULL;
    OK(packer_new(&packer, e));
    for (unsigned i = 0; i < KILL_DAYS; i++) {
        struct str receipt = STR_INIT(65536);
        struct err err;
        int rc = store_receipt_find(s, digests[i], &receipt, &err);
        if (acknowledged[i] && rc != 0) {
            fail_msg("killed at stop %ld: acknowledged evidence %u is lost", at, i);
        }
        str_done(&receipt);
    }
    /* the host sends all of it once more */
    for (unsigned i = 0; i < KILL_DAYS; i++) {
        struct ingest *in = NULL;
        struct refusal no;
        OK(ingest_check(s, packer, texts[i], strlen(texts[i]), &in, &no, e));
        OK(store_begin(s, e));
        OK(ingest_put(s, c.key, 1795000000, in, e));
        OK(store_commit(s, e));
        assert_int_equal(in->record.flags, 0);
        ingest_free(in);
    }
    OK(store_count(s, &counts, e));
    assert_int_equal(counts.evidence, KILL_DAYS);
    packer_free(packer);
    store_close(s);
    collector_done(&c);
}

static void test_killed_at_every_call(void **state)
{
    static const char *const files[] = {"collector.key", "collector.pub.pem", "evidence.db"};
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    char *texts[KILL_DAYS];
    char digests[KILL_DAYS][SHA256_HEX];
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1794000000);
    for (unsigned i = 0; i < KILL_DAYS; i++) {
        texts[i] = maker_day(&m, i + 1, "5.4=pass");
        memcpy(digests[i], m.digest, sizeof m.digest);
    }
    store_close(b.store); /* so that the database is one file */
    b.store = NULL;
    bool ended = false;
    long at = 0;
    /* each call stops twice; killed at its end is as killed at the beginning of the next */
    for (at = 1; !ended; at += 2) {
        char dir[64];
        bool acknowledged[KILL_DAYS] = {false};
        fast_scratch(dir);
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
            copy_file(b.dir, dir, files[i]);
        }
        ended = run_and_kill(dir, texts, at, acknowledged);
        check_after_kill(dir, texts, digests, acknowledged, at);
        assert_true(!ended || acknowledged[KILL_DAYS - 1]);
        scratch_remove(dir);
    }
    assert_true(at > 50); /* it was stopped at something */
    for (unsigned i = 0; i < KILL_DAYS; i++) {
        free(texts[i]);
    }
    sign_key_free(m.key);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_altered_envelopes),
        cmocka_unit_test(test_flags_in_order),
        cmocka_unit_test(test_flags_table),
        cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_stored_as_sent),
        cmocka_unit_test(test_killed_at_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
