/* What the parent makes of a child's bytes. Hostile streams are kept in the fuzz corpus; here it is
 * checked that each of them is refused for its own reason, and that good ones arrive whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/scan/bytes.h"
#include "agent/scan/receiver.h"

enum { MAX_ROWS = 3 };

static const struct column columns[] = {
    {"key", COL_TEXT, "", COL_KEY, NULL, "text key"},
    {"state", COL_TEXT, "", COL_DECIDES, "on|off", "vocabulary"},
    {"count", COL_INT, "", COL_NULLABLE, NULL, "integer"},
    {"share", COL_REAL, "", COL_NULLABLE, NULL, "real"},
};
static const struct table wanted_table = {
    .name = "wanted", .columns = columns, .n_columns = ARRAY_LEN(columns)};
static const struct table other_table = {
    .name = "other", .columns = columns, .n_columns = ARRAY_LEN(columns)};

static int no_parse(struct probe_ctx *ctx UNUSED, void *state UNUSED, struct err *e UNUSED)
{
    return ERR_INTERNAL;
}

static const struct probe first = {
    .name = "first", .tables = PROBE_TABLES(&wanted_table, &other_table), .max_rows = MAX_ROWS};
static const struct probe second = {.name = "second",
                                    .tables = PROBE_TABLES(&wanted_table),
                                    .max_rows = MAX_ROWS,
                                    .parse = no_parse};

struct bench {
    struct facts facts;
    struct fact_table *tables[2][2];
    struct probe_run runs[2];
    struct probe_run *list[2];
    struct receiver rx;
    struct str out;
};

static void bench_init(struct bench *b)
{
    static const struct probe *const probes[] = {&first, &second};
    struct err e;
    memset(b, 0, sizeof(*b));
    str_init(&b->out, (size_t)1 << 22);
    for (size_t i = 0; i < 2; i++) {
        b->runs[i] = (struct probe_run){.p = probes[i], .tables = b->tables[i]};
        for (size_t t = 0; probes[i]->tables[t] != NULL; t++) {
            assert_int_equal(facts_add(&b->facts, probes[i]->tables[t], "p", &b->tables[i][t], &e),
                             0);
            b->tables[i][t]->wanted = t == 0;
            b->runs[i].n_tables++;
        }
        b->list[i] = &b->runs[i];
    }
    receiver_init(&b->rx, b->list, 2);
}

static void bench_done(struct bench *b)
{
    receiver_done(&b->rx);
    facts_done(&b->facts);
    str_done(&b->out);
}

static void add_row(struct str *out, unsigned table, const char *key, const char *word)
{
    size_t start = wire_open(out, WIRE_ROW);
    put_u8(out, (uint8_t)table);
    struct cell cells[] = {{.type = CELL_TEXT, .v = {.t = {key, strlen(key)}}},
                           {.type = CELL_TEXT, .v = {.t = {word, strlen(word)}}},
                           {.type = CELL_INT, .v = {.i = INT64_MIN}},
                           {.type = CELL_REAL, .v = {.r = -0.25}}};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        wire_cell(out, &cells[i]);
    }
    wire_close(out, start);
}

static void add_good_stream(struct str *out)
{
    wire_layers(out, LAYER_NNP | LAYER_SECCOMP);
    wire_begin(out, 1, PHASE_RUN);
    wire_pause(out, 1);
    wire_begin(out, 0, PHASE_RUN);
    add_row(out, 0, "a", "on");
    add_row(out, 0, "点検\\x0a", "off");
    wire_state(out, 0, STATE_TRUNCATED, "rows: more");
    wire_end(out, 0, 11, 22);
    wire_begin(out, 1, PHASE_PARSE);
    wire_state(out, 0, STATE_COMPLETE, "");
    wire_end(out, 1, 33, 44);
    wire_done(out);
}

static void test_good_stream_in_any_pieces(void **state UNUSED)
{
    for (size_t piece = 1; piece < 300; piece += piece < 20 ? 1 : 37) {
        struct bench b;
        struct err e;
        bench_init(&b);
        add_good_stream(&b.out);
        for (size_t at = 0; at < b.out.len; at += piece) {
            size_t n = b.out.len - at < piece ? b.out.len - at : piece;
            assert_int_equal(receiver_feed(&b.rx, b.out.data + at, n, &e), 0);
        }
        assert_true(b.rx.done && b.rx.confined);
        assert_null(receiver_blame(&b.rx));
        const struct fact_table *t = b.tables[0][0];
        assert_int_equal(t->n_rows, 2);
        assert_int_equal(t->state, STATE_TRUNCATED);
        assert_string_equal(t->reason, "rows: more");
        assert_string_equal(t->cells[4].v.t.p, "点検\\x0a");
        assert_true(t->cells[2].v.i == INT64_MIN);
        assert_true(t->cells[7].v.r == -0.25);
        assert_int_equal(b.tables[1][0]->state, STATE_COMPLETE);
        assert_int_equal(b.runs[1].cpu_us, 33);
        assert_int_equal(b.runs[0].layers, LAYER_NNP | LAYER_SECCOMP);
        bench_done(&b);
    }
}

/* Streams: what comes after "confined, the first probe runs". */
static void make_null_key(struct str *out)
{
    size_t start = wire_open(out, WIRE_ROW);
    static const struct cell null_cell = {.type = CELL_NULL, .v = {.i = 0}};
    put_u8(out, 0);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        wire_cell(out, &null_cell);
    }
    wire_close(out, start);
}

static void make_rows(struct str *out)
{
    for (size_t i = 0; i <= MAX_ROWS; i++) {
        add_row(out, 0, "k", "on");
    }
}

static void make_vocabulary(struct str *out)
{
    add_row(out, 0, "k", "maybe");
}

static void make_unescaped(struct str *out)
{
    add_row(out, 0, "a\tb", "on");
}

static void make_unwanted(struct str *out)
{
    add_row(out, 1, "k", "on");
}

static void make_no_table(struct str *out)
{
    add_row(out, 2, "k", "on");
}

static void make_long_cell(struct str *out)
{
    CLEANUP(str) struct str text = STR_INIT(WIRE_CELL_MAX + 100);
    while (text.len <= WIRE_CELL_MAX) {
        str_add_char(&text, 'x');
    }
    add_row(out, 0, str_text(&text), "on");
}

static void make_long_frame(struct str *out)
{
    put_u32(out, (uint32_t)WIRE_FRAME_MAX + 1);
}

static void make_empty_frame(struct str *out)
{
    put_u32(out, 0);
}

static void make_trailing(struct str *out)
{
    size_t start = wire_open(out, WIRE_DONE);
    put_u8(out, 1);
    wire_close(out, start);
}

static void make_wordless_end(struct str *out)
{
    wire_end(out, 0, 1, 1);
}

static void make_end_of_other(struct str *out)
{
    wire_state(out, 0, STATE_COMPLETE, "");
    wire_end(out, 1, 1, 1);
}

static void make_second_begin(struct str *out)
{
    wire_begin(out, 1, PHASE_RUN);
}

static void make_pause_without_parse(struct str *out)
{
    wire_pause(out, 0);
}

static void make_state_not_its_own(struct str *out)
{
    wire_state(out, 0, STATE_UNCONFINED, "x");
}

static void make_layers_again(struct str *out)
{
    wire_layers(out, LAYER_ALL);
}

static void make_frame_after_done(struct str *out)
{
    wire_done(out);
    wire_begin(out, 1, PHASE_RUN);
}

static void make_unconfined_without_reason(struct str *out)
{
    wire_unconfined(out, "");
}

static void test_hostile_frames_are_refused(void **state UNUSED)
{
    static const struct {
        void (*make)(struct str *);
        int want;
        size_t rows;
        const char *why;
    } rows[] = {
        {make_null_key, ERR_MALFORMED, 0, "a key without a value"},
        {make_rows, ERR_LIMIT, MAX_ROWS, "more rows than declared: the first stay"},
        {make_vocabulary, ERR_MALFORMED, 0, "a word outside the vocabulary"},
        {make_unescaped, ERR_MALFORMED, 0, "a raw control character"},
        {make_unwanted, ERR_MALFORMED, 0, "a table that nobody asked for"},
        {make_no_table, ERR_MALFORMED, 0, "a table that the probe has not"},
        {make_long_cell, ERR_LIMIT, 0, "a cell beyond the ceiling"},
        {make_long_frame, ERR_LIMIT, 0, "a frame beyond the ceiling, refused by its head"},
        {make_empty_frame, ERR_MALFORMED, 0, "a frame without a type"},
        {make_trailing, ERR_MALFORMED, 0, "bytes after a frame's body"},
        {make_wordless_end, ERR_MALFORMED, 0, "an end that leaves a table without a state"},
        {make_end_of_other, ERR_MALFORMED, 0, "the end of another probe"},
        {make_second_begin, ERR_MALFORMED, 0, "two at a time"},
        {make_pause_without_parse, ERR_MALFORMED, 0, "a pause before nothing"},
        {make_state_not_its_own, ERR_MALFORMED, 0, "a state that only the parent gives"},
        {make_layers_again, ERR_MALFORMED, 0, "layers told by the probe"},
        {make_frame_after_done, ERR_MALFORMED, 0, "more after the end"},
        {make_unconfined_without_reason, ERR_MALFORMED, 0, "unconfined, but why"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        struct err e;
        bench_init(&b);
        wire_layers(&b.out, LAYER_NNP | LAYER_SECCOMP);
        wire_begin(&b.out, 0, PHASE_RUN);
        assert_int_equal(receiver_feed(&b.rx, b.out.data, b.out.len, &e), 0);
        str_clear(&b.out);
        rows[i].make(&b.out);
        int rc = receiver_feed(&b.rx, b.out.data, b.out.len, &e);
        if (rc != rows[i].want || b.tables[0][0]->n_rows != rows[i].rows) {
            fail_msg("%s: %d, %zu rows", rows[i].why, rc, b.tables[0][0]->n_rows);
        }
        bench_done(&b);
    }
}

static void test_nothing_before_the_layers(void **state UNUSED)
{
    struct bench b;
    struct err e;
    bench_init(&b);
    wire_begin(&b.out, 0, PHASE_RUN);
    assert_int_equal(receiver_feed(&b.rx, b.out.data, b.out.len, &e), ERR_MALFORMED);
    assert_ptr_equal(receiver_blame(&b.rx), &b.runs[0]);
    bench_done(&b);
}

static void test_total_has_a_ceiling(void **state UNUSED)
{
    struct bench b;
    struct err e;
    bench_init(&b);
    wire_layers(&b.out, LAYER_NNP);
    wire_begin(&b.out, 1, PHASE_RUN);
    assert_int_equal(receiver_feed(&b.rx, b.out.data, b.out.len, &e), 0);
    str_clear(&b.out);
    for (size_t i = 0; i < 20000; i++) {
        wire_state(&b.out, 0, STATE_DENIED, "again and again and again and again and again");
    }
    size_t fed = 0;
    int rc = 0;
    while (rc == 0) {
        rc = receiver_feed(&b.rx, b.out.data, b.out.len, &e);
        fed += b.out.len;
        assert_true(fed < WIRE_TOTAL_MAX + 2 * b.out.len);
    }
    assert_int_equal(rc, ERR_LIMIT);
    bench_done(&b);
}

static void test_failing_and_running_again(void **state UNUSED)
{
    struct bench b;
    struct err e;
    bench_init(&b);
    add_good_stream(&b.out);
    assert_int_equal(receiver_feed(&b.rx, b.out.data, b.out.len, &e), 0);
    run_fail(&b.runs[1], STATE_CRASHED, "crashed: it was late");
    assert_int_equal(b.tables[1][0]->state, STATE_CRASHED);
    run_fail(&b.runs[1], STATE_DENIED, "denied: milder");
    assert_int_equal(b.tables[1][0]->state, STATE_CRASHED);
    assert_string_equal(b.tables[1][0]->reason, "crashed: it was late");
    run_fail(&b.runs[0], STATE_TIMEOUT, "timeout");
    assert_int_equal(b.tables[0][1]->state, STATE_NOT_RUN); /* not wanted */
    run_reset(&b.runs[0]);
    assert_int_equal(b.tables[0][0]->n_rows, 0);
    assert_int_equal(b.tables[0][0]->state, STATE_NOT_RUN);
    assert_string_equal(b.tables[0][0]->reason, "");
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_stream_in_any_pieces),
        cmocka_unit_test(test_hostile_frames_are_refused),
        cmocka_unit_test(test_nothing_before_the_layers),
        cmocka_unit_test(test_total_has_a_ceiling),
        cmocka_unit_test(test_failing_and_running_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
