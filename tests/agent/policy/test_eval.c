/* evaluate(): which checks, drift, exit codes, facts that do not fit; ad hoc queries
 * (agent/policy/query.c); the tables of the scan itself (agent/policy/scan_tables.c); the library
 * that judges (agent/policy/sql_version.c). */
#include "fixture.h"

static const struct check checks[] = {
    {.id = "disks",
     .query = "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role = 'root'"},
    {.id = "spare", .query = "SELECT endpoint FROM tls_versions WHERE state = 'accepted'"},
    {.id = "gate", .query = "SELECT id FROM scan WHERE id = 'never'"},
    {.id = "other", .query = "SELECT id FROM scan WHERE id = 'never'"},
};

static const struct citation disk_text[] = {{.check = &checks[0], .basis = BASIS_TEXT}};
static const struct citation spare_leg[] = {{.check = &checks[1], .basis = BASIS_TEXT}};
static const struct citation *const spare_groups[] = {spare_leg};
static const size_t spare_sizes[] = {1};
static const struct control controls[] = {
    {.id = "1",
     .checks = disk_text,
     .n_checks = 1,
     .gate = &checks[2],
     .drift = "SELECT role, method FROM mount_encryption"},
    {.id = "2",
     .any_of = spare_groups,
     .any_of_n = spare_sizes,
     .n_any_of = 1,
     .drift = "SELECT endpoint FROM tls_versions"},
};
static const struct framework fw = {
    .id = "fw", .version = "1", .controls = controls, .n_controls = 2};
static const struct policy policy = {
    .checks = checks, .n_checks = ARRAY_LEN(checks), .frameworks = &fw, .n_frameworks = 1};

static struct evaluation *run(const struct facts *f)
{
    const struct eval_request rq = {
        .policy = &policy, .framework = &fw, .contract = "C", .facts = f};
    struct evaluation *ev = NULL;
    struct err e = {0};
    assert_int_equal(evaluate(&rq, &ev, &e), 0);
    return ev;
}

static void test_evaluate_selects(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", 1, "luks2");
    put_table(&f, &tls_table, STATE_COMPLETE, "");
    finish_facts(&f, "");
    CLEANUP(evaluation) struct evaluation *ev = run(&f);
    /* Cited, leg of a group, gate; each once, in the order of the policy. */
    assert_int_equal(ev->n_checks, 3);
    assert_string_equal(ev->checks[0].check->id, "disks");
    assert_string_equal(ev->checks[2].check->id, "gate");
    assert_null(evaluation_check(ev, "other"));
    assert_false(ev->partial);
    assert_int_equal(ev->counts[VERDICT_PASS], 2);
    const char *nobody[] = {"disk", NULL};
    const struct eval_request rq = {
        .policy = &policy, .contract = "C", .only_checks = nobody, .facts = &f};
    struct evaluation *none = NULL;
    struct err e = {0};
    assert_int_equal(evaluate(&rq, &none, &e), ERR_INVALID);
    assert_null(none);
}

static void test_evaluate_drift(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/b", "tmp", 1, "luks2");
    put_disk(&f, "/a", "tmp", 1, "luks2");
    put_disk(&f, "/", "root", 1, "luks2");
    put_table(&f, &tls_table, STATE_ABSENT, "");
    finish_facts(&f, "");
    {
        CLEANUP(evaluation) struct evaluation *ev = run(&f);
        assert_int_equal(ev->n_drifts, 2);
        assert_true(ev->drifts[0].known);
        assert_int_equal(ev->drifts[0].rows.n_rows, 2);
        assert_string_equal(ev->drifts[0].rows.cells[0].v.t.p, "root");
        assert_true(ev->drifts[1].known); /* proved absent is a state too */
    }
    CLEANUP(facts) struct facts denied = {0};
    put_table(&denied, &disk_table, STATE_DENIED, "");
    put_table(&denied, &tls_table, STATE_COMPLETE, "");
    finish_facts(&denied, "");
    CLEANUP(evaluation) struct evaluation *ev = run(&denied);
    assert_false(ev->drifts[0].known);
    assert_true(ev->drifts[1].known);
}

static const struct {
    const char *why;
    int64_t encrypted;
    enum fact_state disk, tls;
    int want;
} codes[] = {
    {"all good", 1, STATE_COMPLETE, STATE_COMPLETE, 0},
    {"something fails", 0, STATE_COMPLETE, STATE_COMPLETE, 2},
    {"a failure and something unknown", 0, STATE_COMPLETE, STATE_DENIED, 2},
    {"something is unknown", 1, STATE_COMPLETE, STATE_DENIED, 3},
};

static void test_evaluation_exit_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        CLEANUP(facts) struct facts f = {0};
        put_table(&f, &disk_table, codes[i].disk, "");
        put_disk(&f, "/", "root", codes[i].encrypted, "luks2");
        put_table(&f, &tls_table, codes[i].tls, "");
        finish_facts(&f, "");
        CLEANUP(evaluation) struct evaluation *ev = run(&f);
        const struct evaluation *all[] = {ev, ev};
        if (evaluation_exit_code(all, 1) != codes[i].want) {
            print_error("%s\n", codes[i].why);
        }
        assert_int_equal(evaluation_exit_code(all, 1), codes[i].want);
        assert_int_equal(evaluation_exit_code(all, 2), codes[i].want);
    }
    assert_int_equal(evaluation_exit_code(NULL, 0), 3);
}

/* What people alone decide changes nothing; but nothing evaluated is no success. */
static void test_evaluation_exit_code_of_people(void **state)
{
    (void)state;
    static const struct attestation_need needs[] = {{.id = "s", .every = "year"}};
    static const struct citation advice[] = {{.check = &checks[0], .basis = BASIS_RECOMMENDED}};
    const struct control cs[] = {
        {.id = "1", .checks = disk_text, .n_checks = 1},
        {.id = "2", .attests = needs, .n_attests = 1},
        {.id = "3"},
    };
    const struct control people[] = {cs[1], cs[2], {.id = "4", .checks = advice, .n_checks = 1}};
    const struct framework mixed = {.id = "fw", .controls = cs, .n_controls = 3};
    const struct framework alone = {.id = "fw", .controls = people, .n_controls = 3};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", 1, "luks2");
    finish_facts(&f, "");
    for (size_t i = 0; i < 2; i++) {
        const struct eval_request rq = {
            .policy = &policy, .framework = i == 0 ? &mixed : &alone, .contract = "C", .facts = &f};
        CLEANUP(evaluation) struct evaluation *ev = NULL;
        struct err e = {0};
        assert_int_equal(evaluate(&rq, &ev, &e), 0);
        const struct evaluation *all[] = {ev};
        assert_int_equal(ev->counts[VERDICT_UNATTESTED], 1);
        assert_int_equal(evaluation_exit_code(all, 1), i == 0 ? 0 : 3);
    }
}

static void test_evaluation_exit_code_of_single_checks(void **state)
{
    (void)state;
    static const struct {
        int64_t encrypted;
        enum fact_state disk;
        int want;
    } rows[] = {
        {1, STATE_COMPLETE, 0},
        {0, STATE_COMPLETE, 2},
        {1, STATE_DENIED, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(facts) struct facts f = {0};
        put_table(&f, &disk_table, rows[i].disk, "");
        put_disk(&f, "/", "root", rows[i].encrypted, "luks2");
        finish_facts(&f, "");
        CLEANUP(evaluation) struct evaluation *ev = judge_only(&policy, &f, "disks");
        const struct evaluation *all[] = {ev};
        assert_true(ev->partial);
        assert_int_equal(ev->n_controls, 0);
        assert_int_equal(evaluation_exit_code(all, 1), rows[i].want);
    }
}

/* Facts read back from evidence may be anybody's. */
static void test_evaluate_refuses_facts(void **state)
{
    (void)state;
    const struct view view = {
        .decl = {.name = "peers", .kind = TABLE_VIEW, TABLE_COLUMNS({.name = "x"})},
        .sql = "SELECT 'y' AS x",
        .file = "views/peers.sql",
    };
    const struct table shadow = {
        .name = "peers", .kind = TABLE_FACTS, TABLE_COLUMNS({.name = "x"})};
    const struct check c = {.id = "c", .query = "SELECT x FROM peers"};
    const struct policy p = {.checks = &c, .n_checks = 1, .views = &view, .n_views = 1};
    const char *only[] = {"c", NULL};
    CLEANUP(facts) struct facts f = {0};
    finish_facts(&f, "");
    CLEANUP(evaluation) struct evaluation *ev = judge_only(&p, &f, "c");
    assert_int_equal(ev->checks[0].verdict, VERDICT_FAIL);
    /* A table that takes a view's place would hide what the view finds. */
    put_table(&f, &shadow, STATE_COMPLETE, "");
    put_scan(&f);
    const struct eval_request rq = {.policy = &p, .only_checks = only, .facts = &f};
    struct evaluation *none = NULL;
    struct err e = {0};
    assert_int_equal(evaluate(&rq, &none, &e), ERR_MALFORMED);
}

static void test_sql_query(void **state)
{
    (void)state;
    const struct policy p = {.n_checks = 0};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/b", "tmp", 1, "luks2");
    put_disk(&f, "/a", "tmp", 1, "luks2");
    put_disk(&f, "/a", "log", 1, "luks2");
    finish_facts(&f, "");
    struct result_rows rows = {0};
    struct err e = {0};
    /* The order is the person's, and rows are not made a set. */
    assert_int_equal(
        sql_query(&p, &f, "SELECT mount FROM mount_encryption ORDER BY mount DESC", &rows, &e), 0);
    assert_int_equal(rows.n_rows, 3);
    assert_string_equal(rows.cells[0].v.t.p, "/b");
    result_rows_done(&rows);
    assert_int_equal(sql_query(&p, &f, "DELETE FROM mount_encryption", &rows, &e), ERR_INVALID);
    assert_int_equal(sql_query(&p, &f, "SELECT x FROM nowhere", &rows, &e), ERR_INVALID);
}

static void test_scan_tables(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    put_table(&f, &tls_table, STATE_TIMEOUT, "slow: 2 s");
    put_disk(&f, "/", "root", 1, "luks2");
    put_scan(&f);
    put_scan(&f); /* replaces */
    const struct fact_table *t = facts_find(&f, "probe_status");
    assert_int_equal(f.n, 4);
    assert_int_equal(t->n_rows, 2);
    assert_string_equal(t->cells[1].v.t.p, "mount_encryption");
    assert_string_equal(t->cells[t->decl->n_columns + 2].v.t.p, "timeout");
    assert_string_equal(t->cells[t->decl->n_columns + 3].v.t.p, "slow: 2 s");
    assert_int_equal(t->cells[4].v.i, 1);
}

static void test_sql_library_version(void **state)
{
    (void)state;
    int major = 0;
    int minor = 0;
    assert_int_equal(sscanf(sql_library_version(), "%d.%d.", &major, &minor), 2);
    assert_true(major > 3 || (major == 3 && minor >= 34));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluate_selects),
        cmocka_unit_test(test_evaluate_drift),
        cmocka_unit_test(test_evaluation_exit_code),
        cmocka_unit_test(test_evaluation_exit_code_of_people),
        cmocka_unit_test(test_evaluation_exit_code_of_single_checks),
        cmocka_unit_test(test_evaluate_refuses_facts),
        cmocka_unit_test(test_sql_query),
        cmocka_unit_test(test_scan_tables),
        cmocka_unit_test(test_sql_library_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
