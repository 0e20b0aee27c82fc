/* Rows and states as a probe gives them, in a local run: the same functions as in a child.
 * Covers agent/scan/local.c. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/scan/local.h"
#include "agent/scan/wire.h"

enum { COL_NAME, COL_KIND, COL_SIZE, COL_LOAD };
static const struct column columns[] = {
    {"name", COL_TEXT, "", COL_KEY, NULL, "text key"},
    {"kind", COL_TEXT, "", COL_DECIDES, "big|small|untested?", "vocabulary"},
    {"size", COL_INT, "bytes", COL_NULLABLE, NULL, "integer"},
    {"load", COL_REAL, "", COL_NULLABLE, NULL, "real"},
};
static const struct table table_a = {
    .name = "a", .columns = columns, .n_columns = ARRAY_LEN(columns)};
static const struct table table_b = {
    .name = "b", .columns = columns, .n_columns = ARRAY_LEN(columns)};

static void row(struct probe_ctx *ctx, const struct table *t, const char *name)
{
    row_begin(ctx, t);
    row_text(ctx, COL_NAME, name);
    row_end(ctx);
}

static int run_cells(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_a);
    row_text_n(ctx, COL_NAME, "a\0b\n\\", 5);
    row_text(ctx, COL_KIND, "untested");
    row_int(ctx, COL_SIZE, INT64_MAX);
    row_real(ctx, COL_LOAD, 0.5);
    row_end(ctx);
    row_begin(ctx, &table_a);
    row_text(ctx, COL_NAME, "");
    row_text(ctx, COL_KIND, NULL);
    row_real(ctx, COL_LOAD, NAN);
    row_end(ctx);
    row(ctx, &table_b, "for b");
    return 0;
}

static int run_states(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e)
{
    row(ctx, &table_a, "kept");
    probe_state(ctx, &table_a, STATE_TRUNCATED, "rows: more than %d", 4);
    probe_state(ctx, &table_a, STATE_DENIED, "denied: milder, and later");
    return err_set(e, ERR_DENIED, "open /etc/\x01shadow");
}

static int run_absent(struct probe_ctx *ctx UNUSED, void **ret_state UNUSED, struct err *e)
{
    return err_set(e, ERR_ABSENT, "no such file");
}

static int run_many(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    for (unsigned i = 0; i < 10; i++) {
        row(ctx, &table_a, "again");
    }
    return 0;
}

static int run_unfinished(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_b);
    row_text(ctx, COL_NAME, "half");
    return 0;
}

static int run_gather(struct probe_ctx *ctx UNUSED, void **ret_state, struct err *e)
{
    *ret_state = strdup("gathered");
    return *ret_state != NULL ? 0 : err_nomem(e);
}

static int parse_gathered(struct probe_ctx *ctx, void *state, struct err *e)
{
    row(ctx, &table_a, state);
    free(state);
    return err_set(e, ERR_MALFORMED, "bad magic");
}

static int run_inputs(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    for (size_t i = 0; probe_input(ctx, "data_paths", i) != NULL; i++) {
        row(ctx, &table_a, probe_input(ctx, "data_paths", i));
    }
    return probe_input(ctx, "endpoints", 0) == NULL && !probe_wants(ctx, &table_b) &&
                   probe_wants(ctx, &table_a)
               ? 0
               : ERR_INTERNAL;
}

static const struct probe base = {.name = "test",
                                  .tables = PROBE_TABLES(&table_a, &table_b),
                                  .inputs = PROBE_LIST("data_paths"),
                                  .max_rows = 4};

struct outcome {
    struct facts facts;
    struct host *h;
};

static struct outcome run_it(int (*run)(struct probe_ctx *, void **, struct err *),
                             int (*parse)(struct probe_ctx *, void *, struct err *),
                             const char *const *wanted)
{
    static const struct probe_input inputs[] = {
        {"data_paths", "/srv/a"}, {"endpoints", "bastion"}, {"data_paths", "/srv/b"}};
    struct probe p = base;
    p.run = run;
    p.parse = parse;
    struct outcome o = {.h = NULL};
    struct err e = {.code = 0};
    assert_int_equal(host_open("/", &o.h, &e), 0);
    assert_int_equal(probe_run_local(&p, o.h, wanted, inputs, ARRAY_LEN(inputs), &o.facts, &e), 0);
    return o;
}

static void outcome_done(struct outcome *o)
{
    facts_done(&o->facts);
    host_free(o->h);
}

static void test_cells(void **state UNUSED)
{
    struct outcome o = run_it(run_cells, NULL, NULL);
    const struct fact_table *t = facts_find(&o.facts, "a");
    assert_int_equal(t->n_rows, 2);
    assert_string_equal(t->cells[COL_NAME].v.t.p, "a\\x00b\\x0a\\x5c");
    assert_string_equal(t->cells[COL_KIND].v.t.p, "untested");
    assert_true(t->cells[COL_SIZE].v.i == INT64_MAX);
    assert_true(t->cells[COL_LOAD].v.r == 0.5);
    assert_int_equal(t->cells[4 + COL_NAME].type, CELL_TEXT);
    assert_int_equal(t->cells[4 + COL_NAME].v.t.n, 0); /* empty is not NULL */
    assert_int_equal(t->cells[4 + COL_KIND].type, CELL_NULL);
    assert_int_equal(t->cells[4 + COL_SIZE].type, CELL_NULL);
    assert_int_equal(t->cells[4 + COL_LOAD].type, CELL_NULL); /* NaN is not known */
    assert_int_equal(t->state, STATE_COMPLETE);
    assert_int_equal(facts_find(&o.facts, "b")->n_rows, 1);
    outcome_done(&o);
}

static void test_states_and_errors(void **state UNUSED)
{
    struct outcome o = run_it(run_states, NULL, NULL);
    const struct fact_table *a = facts_find(&o.facts, "a");
    assert_int_equal(a->state, STATE_TRUNCATED); /* the graver of two; the error comes too late */
    assert_string_equal(a->reason, "rows: more than 4");
    assert_int_equal(a->n_rows, 1);
    const struct fact_table *b = facts_find(&o.facts, "b");
    assert_int_equal(b->state, STATE_DENIED);
    assert_string_equal(b->reason, "denied: open /etc/\\x01shadow");
    outcome_done(&o);
}

/* An error is no proof: a file that is not there never makes a table absent by itself. */
static void test_absent_needs_proof(void **state UNUSED)
{
    struct outcome o = run_it(run_absent, NULL, NULL);
    assert_int_equal(facts_find(&o.facts, "a")->state, STATE_DENIED);
    outcome_done(&o);
}

static void test_too_many_rows(void **state UNUSED)
{
    struct outcome o = run_it(run_many, NULL, NULL);
    assert_int_equal(facts_find(&o.facts, "a")->n_rows, 4);
    assert_int_equal(facts_find(&o.facts, "a")->state, STATE_TRUNCATED);
    assert_int_equal(facts_find(&o.facts, "b")->state, STATE_COMPLETE);
    outcome_done(&o);
}

static void test_row_never_ended(void **state UNUSED)
{
    struct outcome o = run_it(run_unfinished, NULL, NULL);
    assert_int_equal(facts_find(&o.facts, "b")->n_rows, 0);
    assert_int_equal(facts_find(&o.facts, "b")->state, STATE_MALFORMED);
    outcome_done(&o);
}

static void test_parse_follows_run(void **state UNUSED)
{
    struct outcome o = run_it(run_gather, parse_gathered, NULL);
    const struct fact_table *t = facts_find(&o.facts, "a");
    assert_int_equal(t->n_rows, 1);
    assert_string_equal(t->cells[0].v.t.p, "gathered");
    assert_int_equal(t->state, STATE_MALFORMED);
    assert_string_equal(t->reason, "malformed: bad magic");
    outcome_done(&o);
}

static void test_only_what_is_wanted(void **state UNUSED)
{
    static const char *const wanted[] = {"a", NULL};
    struct outcome o = run_it(run_cells, NULL, wanted);
    assert_int_equal(facts_find(&o.facts, "b")->n_rows, 0);
    assert_int_equal(facts_find(&o.facts, "b")->state, STATE_NOT_RUN);
    assert_false(facts_find(&o.facts, "b")->wanted);
    assert_true(facts_find(&o.facts, "a")->wanted);
    outcome_done(&o);
}

static void test_inputs_of_declared_kinds(void **state UNUSED)
{
    static const char *const wanted[] = {"a", NULL};
    struct outcome o = run_it(run_inputs, NULL, wanted);
    const struct fact_table *t = facts_find(&o.facts, "a");
    assert_int_equal(t->state, STATE_COMPLETE);
    assert_int_equal(t->n_rows, 2);
    assert_string_equal(t->cells[4].v.t.p, "/srv/b");
    outcome_done(&o);
}

/* --- mistakes of a probe's author: they stop debug builds, else the table is malformed --- */

static int run_no_key(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_a);
    row_int(ctx, COL_SIZE, 1);
    row_end(ctx);
    return 0;
}

static int run_wrong_type(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_a);
    row_int(ctx, COL_NAME, 1);
    row_end(ctx);
    return 0;
}

static int run_no_column(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_a);
    row_int(ctx, ARRAY_LEN(columns), 1);
    row_end(ctx);
    return 0;
}

static int run_no_word(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_a);
    row_text(ctx, COL_NAME, "n");
    row_text(ctx, COL_KIND, "medium");
    row_end(ctx);
    return 0;
}

static int run_end_twice(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row(ctx, &table_a, "n");
    row_end(ctx);
    return 0;
}

static void test_mistakes_in_rows(void **state UNUSED)
{
    static const struct {
        int (*run)(struct probe_ctx *, void **, struct err *);
        size_t rows;
        const char *why;
    } rows[] = {{run_no_key, 0, "key not set"},
                {run_wrong_type, 0, "cell of another type"},
                {run_no_column, 0, "no such column"},
                {run_no_word, 0, "no word of the vocabulary"},
                {run_end_twice, 1, "row ended twice"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
#ifdef NDEBUG
        struct outcome o = run_it(rows[i].run, NULL, NULL);
        const struct fact_table *t = facts_find(&o.facts, "a");
        assert_int_equal(t->state, STATE_MALFORMED);
        assert_int_equal(t->n_rows, rows[i].rows);
        assert_non_null(strstr(t->reason, rows[i].why));
        outcome_done(&o);
#else
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            (void)signal(SIGABRT, SIG_DFL);
            (void)freopen("/dev/null", "w", stderr);
            (void)run_it(rows[i].run, NULL, NULL);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
            fail_msg("%s: not stopped", rows[i].why);
        }
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_states_and_errors),
        cmocka_unit_test(test_absent_needs_proof),
        cmocka_unit_test(test_too_many_rows),
        cmocka_unit_test(test_row_never_ended),
        cmocka_unit_test(test_parse_follows_run),
        cmocka_unit_test(test_only_what_is_wanted),
        cmocka_unit_test(test_inputs_of_declared_kinds),
        cmocka_unit_test(test_mistakes_in_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
