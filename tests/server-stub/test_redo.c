/* server-stub/redo.c and server-stub/worker.c: evidence whose recorded verdict is not what its
 * facts say is found out; other rules are not comparable, never "same". */
#include "tests/server-stub/harness.h"

#include <time.h>

#include "server-stub/month.h"
#include "server-stub/redo.h"
#include "tests/agent/evidence/world.h"

/* Signs what p concludes from facts that fail 1.1, with one text changed. */
static char *judged(struct maker *m, const struct policy *p, const char *from, const char *to)
{
    struct str payload = STR_INIT(ENVELOPE_MAX), changed = STR_INIT(ENVELOPE_MAX),
               envelope = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(sign_key_id(m->key));
    meta.contract = CONTRACT;
    meta.chain = m->chain;
    meta.sequence = ++m->sequence;
    meta.previous = m->previous;
    world_statement(p, meta, 0, &payload);
    replaced(payload.data, from, to, &changed);
    OK(sha256_hex(changed.data, changed.len, m->digest, e));
    memcpy(m->previous, m->digest, sizeof m->previous);
    OK(dsse_sign(m->key, PAYLOAD_TYPE_EVIDENCE, changed.data, changed.len, &envelope, e));
    str_done(&payload);
    str_done(&changed);
    return str_take(&envelope, NULL);
}

static const struct {
    const char *why, *from, *to;
    enum redo_state want;
} rows[] = {
    {"as judged", NULL, NULL, REDO_STATE_SAME},
    {"a control that was made good", "{\"id\":\"1.1\",\"verdict\":\"fail\"",
     "{\"id\":\"1.1\",\"verdict\":\"pass\"", REDO_STATE_DIFFERS},
    {"a check that was made good", "\"verdict\":\"fail\"", "\"verdict\":\"pass\"",
     REDO_STATE_DIFFERS},
};

static void test_states(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    char rules[64];
    (void)state;
    bench_open(&b);
    scratch_make(rules);
    struct policy *p = world_policy(rules, NULL, NULL, NULL);
    bench_enroll(&b, &m, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redo_result r = {.id = 0};
        (void)bench_put(&b, judged(&m, p, rows[i].from, rows[i].to));
        OK(redo_evidence(b.store, p, m.digest, &r, e));
        if (r.state != rows[i].want) {
            fail_msg("%s: %d %s", rows[i].why, (int)r.state, r.report);
        }
        json_t *report = NULL;
        OK(json_parse("report", r.report, strlen(r.report), &report, e));
        assert_int_equal(json_array_size(report) == 0, rows[i].want == REDO_STATE_SAME);
        json_decref(report);
        redo_result_done(&r);
    }
    policy_free(p);
    /* rules that read otherwise: not comparable */
    p = world_policy(rules, "checks/c.yaml", "encrypted = 0", "encrypted < 1");
    struct redo_result r = {.id = 0};
    OK(redo_evidence(b.store, p, m.digest, &r, e));
    assert_int_equal(r.state == REDO_STATE_SAME, false);
    redo_result_done(&r);
    FAILS(ERR_ABSENT, redo_evidence(b.store, p, "none", &r, e));
    policy_free(p);
    scratch_remove(rules);
    sign_key_free(m.key);
    bench_close(&b);
}

static int take_redo(void *arg, const struct record *r, struct err *e)
{
    (void)e;
    *(struct record *)arg = *r;
    return 0;
}

/* The worker finds what is pending, writes the result down, and the month believes it. */
static void test_worker(void **state)
{
    struct bench_server b;
    struct maker m = maker_new(SEED_TEST1);
    struct worker *worker = NULL;
    char rules[64], digests[ARRAY_LEN(rows)][SHA256_HEX];
    (void)state;
    server_up(&b, 600);
    scratch_make(rules);
    struct policy *p = world_policy(rules, NULL, NULL, NULL);
    b.server.policy = p;
    struct bench_store side = {.collector = b.collector};
    OK(store_open(b.dir, STORE_WRITE, &side.store, e));
    OK(packer_new(&side.packer, e));
    bench_enroll(&side, &m, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)bench_put(&side, judged(&m, p, rows[i].from, rows[i].to));
        memcpy(digests[i], m.digest, sizeof m.digest);
    }
    OK(worker_start(&b.server, &worker, e));
    struct store_counts c = {.redo_pending = 1};
    for (unsigned i = 0; i < 1200 && c.redo_pending > 0; i++) {
        const struct timespec pause = {.tv_nsec = 50000000};
        (void)nanosleep(&pause, NULL);
        OK(store_count(side.store, &c, e));
    }
    assert_int_equal(c.redo_pending, 0);
    assert_int_equal(c.redo_differs, 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record r;
        OK(store_evidence_get(side.store, digests[i], take_redo, &r, e));
        assert_int_equal(r.redo, rows[i].want);
        assert_int_equal((r.flags & (unsigned)FLAG_REDO_DIFFERS) != 0,
                         rows[i].want == REDO_STATE_DIFFERS);
    }
    struct month month;
    month_init(&month);
    const struct month_request rq = {
        .contract = CONTRACT, .name = "2026-11", .policy = p, .now_s = 1795300000};
    OK(month_load(side.store, &rq, &month, e));
    assert_int_equal(month.n_differs, 2);
    assert_int_equal(month.controls[1].verdict, VERDICT_FAIL);
    month_done(&month);
    worker_stop(worker);
    packer_free(side.packer);
    store_close(side.store);
    policy_free(p);
    scratch_remove(rules);
    sign_key_free(m.key);
    server_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
