/* server-stub/month.c: the month computed from rows, case by case. Days are of November 2026 in
 * Tokyo; each evidence is of 12:00 local time. */
#include "tests/server-stub/harness.h"

#include "server-stub/month.h"

#define NOV_1 INT64_C(20758) /* 2026-11-01 */
#define NOON(day) ((NOV_1 + (day)-1) * 86400 + 3 * 3600)

struct row {
    unsigned host, day;
    const char *verdicts; /* "5.4=fail\n" */
    enum redo_state redo;
    int64_t sequence; /* 0: the next */
};

#define SEEN(host, day, verdicts)                                                                  \
    {                                                                                              \
        host, day, verdicts, REDO_STATE_SAME, 0                                                    \
    }

struct wanted {
    const char *id;
    enum verdict verdict;
    unsigned first_day, last_day; /* of the verdict; 0 = none is known */
    enum verdict end;             /* of host 0 */
    const char *fail_days;
};

struct scene {
    const char *why;
    unsigned today;    /* day of the month; 40 = long after */
    unsigned since[2]; /* day from which host 0, 1 are known; 0 = before the month, 99 = no host */
    unsigned starts, ends; /* of the contract; 0 = not declared */
    struct row rows[8];
    size_t due, inspected, missing;
    struct wanted want[2];
};

static const struct scene scenes[] = {
    {.why = "every day seen and good",
     .today = 3,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 2, "a=pass\n"), SEEN(0, 3, "a=pass\n")},
     .due = 3,
     .inspected = 3,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 1, 3, VERDICT_PASS, ""}}},
    {.why = "a missing day is an unknown day",
     .today = 3,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 3, "a=pass\n")},
     .due = 3,
     .inspected = 2,
     .missing = 1,
     .want = {{"a", VERDICT_UNKNOWN, 2, 2, VERDICT_PASS, ""}}},
    {.why = "a failure outweighs missing days, and is remembered though mended",
     .today = 4,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 2, "a=fail\n"), SEEN(0, 4, "a=pass\n")},
     .due = 4,
     .inspected = 3,
     .missing = 1,
     .want = {{"a", VERDICT_FAIL, 2, 2, VERDICT_PASS, "2"}}},
    {.why = "first and last time of the worst verdict",
     .today = 5,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=fail\n"), SEEN(0, 2, "a=pass\n"), SEEN(0, 3, "a=fail\n"),
              SEEN(0, 4, "a=pass\n"), SEEN(0, 5, "a=pass\n")},
     .due = 5,
     .inspected = 5,
     .missing = 0,
     .want = {{"a", VERDICT_FAIL, 1, 3, VERDICT_PASS, "1, 3"}}},
    {.why = "the day that is not over yet is due, but the state at the end is the newest seen",
     .today = 3,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 2, "a=pass\n")},
     .due = 3,
     .inspected = 2,
     .missing = 1,
     .want = {{"a", VERDICT_UNKNOWN, 3, 3, VERDICT_PASS, ""}}},
    {.why = "silent since the 1st: the state at the end is not known",
     .today = 40,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n")},
     .due = 30,
     .inspected = 1,
     .missing = 29,
     .want = {{"a", VERDICT_UNKNOWN, 2, 30, VERDICT_UNKNOWN, ""}}},
    {.why = "enrolled on the 29th: due from then",
     .today = 40,
     .since = {29, 99},
     .rows = {SEEN(0, 29, "a=pass\n"), SEEN(0, 30, "a=pass\n")},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 29, 30, VERDICT_PASS, ""}}},
    {.why = "the contract ended on the 2nd: due until then; later evidence still counts",
     .today = 40,
     .since = {1, 99},
     .ends = 2,
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 2, "a=pass\n"), SEEN(0, 9, "a=fail\n")},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_FAIL, 9, 9, VERDICT_FAIL, "9"}}},
    {.why = "the contract began on the 30th",
     .today = 40,
     .since = {1, 99},
     .starts = 30,
     .rows = {SEEN(0, 30, "a=pass\n")},
     .due = 1,
     .inspected = 1,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 30, 30, VERDICT_PASS, ""}}},
    {.why = "the worst over hosts",
     .today = 1,
     .since = {1, 1},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(1, 1, "a=permitted\n")},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_PERMITTED, 1, 1, VERDICT_PASS, ""}}},
    {.why = "a host that sent nothing makes every clause unknown",
     .today = 1,
     .since = {1, 1},
     .rows = {SEEN(0, 1, "a=pass\n")},
     .due = 2,
     .inspected = 1,
     .missing = 1,
     .want = {{"a", VERDICT_UNKNOWN, 1, 1, VERDICT_PASS, ""}}},
    {.why = "a host of later is no part of the month",
     .today = 40,
     .since = {30, 50},
     .rows = {SEEN(0, 30, "a=pass\n")},
     .due = 1,
     .inspected = 1,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 30, 30, VERDICT_PASS, ""}}},
    {.why = "redone verdicts differ: nothing good is believed",
     .today = 2,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\nb=fail\n"), {0, 2, "a=pass\nb=pass\n", REDO_STATE_DIFFERS, 0}},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_UNKNOWN, 2, 2, VERDICT_UNKNOWN, ""},
              {"b", VERDICT_FAIL, 1, 1, VERDICT_UNKNOWN, "1"}}},
    {.why = "not comparable or not redone yet: as recorded",
     .today = 2,
     .since = {1, 99},
     .rows = {{0, 1, "a=pass\n", REDO_STATE_PARTLY, 0}, {0, 2, "a=pass\n", REDO_STATE_PENDING, 0}},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 1, 2, VERDICT_PASS, ""}}},
    {.why = "a clause that an evidence does not name is unknown for it",
     .today = 2,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 2, "a=pass\nb=pass\n")},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 1, 2, VERDICT_PASS, ""},
              {"b", VERDICT_UNKNOWN, 1, 1, VERDICT_PASS, ""}}},
    {.why = "two with one number: the graver is the state at the end",
     .today = 1,
     .since = {1, 99},
     .rows = {{0, 1, "a=fail\n", REDO_STATE_SAME, 1}, {0, 1, "a=pass\n", REDO_STATE_SAME, 1}},
     .due = 1,
     .inspected = 1,
     .missing = 0,
     .want = {{"a", VERDICT_FAIL, 1, 1, VERDICT_FAIL, "1"}}},
    {.why = "several a day: one day inspected, the worst of it",
     .today = 1,
     .since = {1, 99},
     .rows = {SEEN(0, 1, "a=pass\n"), SEEN(0, 1, "a=unattested\n"), SEEN(0, 1, "a=pass\n")},
     .due = 1,
     .inspected = 1,
     .missing = 0,
     .want = {{"a", VERDICT_UNATTESTED, 1, 1, VERDICT_PASS, ""}}},
    {.why = "order is by number: the newest number is the end, whatever its day",
     .today = 2,
     .since = {1, 99},
     .rows = {SEEN(0, 2, "a=pass\n"), SEEN(0, 1, "a=not-covered\n")},
     .due = 2,
     .inspected = 2,
     .missing = 0,
     .want = {{"a", VERDICT_PASS, 2, 2, VERDICT_NOT_COVERED, ""}}},
    {.why = "nobody enrolled, nothing seen: not good",
     .today = 40,
     .since = {99, 99},
     .due = 0,
     .inspected = 0,
     .missing = 0,
     .want = {{"listed", VERDICT_UNKNOWN, 0, 0, VERDICT_UNKNOWN, ""}}},
    {.why = "a month that is still to come",
     .today = 0,
     .since = {0, 99},
     .due = 0,
     .inspected = 0,
     .missing = 0,
     .want = {{"listed", VERDICT_UNKNOWN, 0, 0, VERDICT_UNKNOWN, ""}}},
};

static void add_rows(struct month *m, const struct scene *s, unsigned host)
{
    int64_t sequence = 0;
    for (size_t i = 0; i < ARRAY_LEN(s->rows) && s->rows[i].verdicts != NULL; i++) {
        const struct row *row = &s->rows[i];
        if (row->host != host) {
            continue;
        }
        sequence = row->sequence != 0 ? row->sequence : sequence + 1;
        struct record r = {.sequence = sequence,
                           .time_s = NOON(row->day),
                           .asset = "SP-1",
                           .rules_version = "1.0",
                           .rules_unmodified = true,
                           .verdicts = row->verdicts,
                           .redo = row->redo};
        (void)snprintf(r.local_date, sizeof r.local_date, "2026-11-%02u", row->day);
        OK(month_add_record(m, &r, e));
    }
}

static void compute(const struct scene *s, struct month *m)
{
    month_init(m);
    m->zone = strdup("Asia/Tokyo");
    OK(month_parse("2026-11", &m->first_day, &m->last_day, e));
    assert_int_equal(m->first_day, NOV_1);
    assert_int_equal(m->last_day, NOV_1 + 29);
    m->today = NOV_1 + s->today - 1;
    m->starts = s->starts != 0 ? NOV_1 + s->starts - 1 : INT64_MIN;
    m->ends = s->ends != 0 ? NOV_1 + s->ends - 1 : INT64_MAX;
    if (strcmp(s->want[0].id, "listed") == 0) {
        OK(month_add_control(m, "listed", e));
    }
    for (unsigned host = 0; host < 2; host++) {
        if (s->since[host] != 99) {
            char keyid[SHA256_HEX];
            (void)snprintf(keyid, sizeof keyid, "%064u", host);
            OK(month_add_host(m, keyid, NOV_1 + s->since[host] - 1, e));
            add_rows(m, s, host);
        }
    }
    month_finish(m);
}

static unsigned local_day(int64_t time_s)
{
    return time_s == 0 ? 0 : (unsigned)((time_s + 9 * 3600) / 86400 - NOV_1 + 1);
}

static void check_control(const struct scene *s, const struct month *m, const struct wanted *w)
{
    for (size_t i = 0; i < m->n_controls; i++) {
        const struct month_control *c = &m->controls[i];
        if (strcmp(c->id, w->id) != 0) {
            continue;
        }
        struct str days = STR_INIT(256);
        day_list(c->fail_days, &days);
        enum verdict end = m->n_hosts > 0 ? m->hosts[0].controls[i].end : VERDICT_UNKNOWN;
        if (c->verdict != w->verdict || local_day(c->first_s) != w->first_day ||
            local_day(c->last_s) != w->last_day || end != w->end ||
            strcmp(str_text(&days), w->fail_days) != 0) {
            fail_msg("%s: %s is %s from %u to %u, at the end %s, failing \"%s\"", s->why, c->id,
                     verdict_word(c->verdict), local_day(c->first_s), local_day(c->last_s),
                     verdict_word(end), str_text(&days));
        }
        str_done(&days);
        return;
    }
    fail_msg("%s: no clause %s", s->why, w->id);
}

static void test_scenes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
        const struct scene *s = &scenes[i];
        struct month m;
        compute(s, &m);
        if (m.due != s->due || m.inspected != s->inspected || m.missing != s->missing) {
            fail_msg("%s: due %zu, inspected %zu, missing %zu", s->why, m.due, m.inspected,
                     m.missing);
        }
        for (size_t k = 0; k < 2 && s->want[k].id != NULL; k++) {
            check_control(s, &m, &s->want[k]);
        }
        month_done(&m);
    }
}

static void test_end_counts(void **state)
{
    static const struct scene s = {.today = 1,
                                   .since = {1, 1},
                                   .rows = {SEEN(0, 1, "a=pass\n"), SEEN(1, 1, "a=fail\n")},
                                   .want = {{.id = "a"}}};
    struct month m;
    (void)state;
    compute(&s, &m);
    assert_int_equal(m.controls[0].hosts[VERDICT_PASS], 1);
    assert_int_equal(m.controls[0].hosts[VERDICT_FAIL], 1);
    assert_int_equal(m.controls[0].n_fail_hosts, 1);
    assert_int_equal(m.controls[0].last_host, 1);
    month_done(&m);
}

static void test_month_parse(void **state)
{
    static const struct {
        const char *name;
        bool good;
        int64_t days;
    } rows[] = {{"2026-11", true, 30}, {"2028-02", true, 29},    {"2026-02", true, 28},
                {"2026-12", true, 31}, {"2026-13", false, 0},    {"2026-1", false, 0},
                {"2026-00", false, 0}, {"2026-11-01", false, 0}, {"", false, 0},
                {"november", false, 0}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t first = 0, last = 0;
        struct err err;
        int rc = month_parse(rows[i].name, &first, &last, &err);
        assert_int_equal(rc, rows[i].good ? 0 : ERR_INVALID);
        if (rows[i].good) {
            assert_int_equal(last - first + 1, rows[i].days);
        }
    }
}

static void test_day_list(void **state)
{
    static const struct {
        day_set days;
        const char *want;
        size_t n;
    } rows[] = {{0, "", 0},           {1, "1", 1},           {0x7, "1-3", 3},
                {0x15, "1, 3, 5", 3}, {0x40000000, "31", 1}, {0x7fffffff, "1-31", 31}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str out = STR_INIT(256);
        day_list(rows[i].days, &out);
        assert_string_equal(str_text(&out), rows[i].want);
        assert_int_equal(day_count(rows[i].days), rows[i].n);
        str_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenes),
        cmocka_unit_test(test_end_counts),
        cmocka_unit_test(test_month_parse),
        cmocka_unit_test(test_day_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
