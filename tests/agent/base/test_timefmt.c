/* agent/base/timefmt.c: against the C library's own calendar, and its edges. */
#include "tests/agent/base/unit.h"

#include <time.h>

#include "agent/base/timefmt.h"

static void test_against_gmtime(void **state)
{
    (void)state;
    /* odd steps through the years 0001 to 9999, so that every month and leap rule is met */
    for (int64_t t = INT64_C(-62135596800); t < INT64_C(253402300800); t += 7654321) {
        char ours[TIME_TEXT_MAX];
        char theirs[96];
        struct tm tm;
        time_t c_time = (time_t)t;
        assert_non_null(gmtime_r(&c_time, &tm));
        (void)snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        time_utc(t, ours);
        assert_string_equal(ours, theirs);
        int64_t back = 0;
        struct err e = {0};
        assert_int_equal(time_parse_utc(ours, &back, &e), 0);
        assert_int_equal(back, t);
        int64_t days = 0;
        ours[10] = '\0';
        assert_int_equal(date_parse(ours, &days, &e), 0);
        date_text(days, theirs);
        assert_string_equal(ours, theirs);
    }
}

static void test_out_of_range_is_clamped(void **state)
{
    (void)state;
    char text[TIME_TEXT_MAX];
    time_utc(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    time_utc(INT64_MIN, text);
    assert_string_equal(text, "0001-01-01T00:00:00Z");
    date_text(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31");
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        const char *why;
    } rows[] = {
        {"2026-11-21T06:30:02Z", 0, "the form"},
        {"2026-11-21T06:30:02.123456Z", 0, "a fraction is dropped"},
        {"2026-11-21T06:30:02.Z", ERR_MALFORMED, "an empty fraction"},
        {"2026-11-21T06:30:02", ERR_MALFORMED, "no zone"},
        {"2026-11-21T06:30:02+09:00", ERR_MALFORMED, "another zone"},
        {"2026-11-21 06:30:02Z", ERR_MALFORMED, "a blank"},
        {"2026-11-21T24:00:00Z", ERR_MALFORMED, "hour 24"},
        {"2026-11-21T23:59:60Z", ERR_MALFORMED, "leap second"},
        {"2026-02-29T00:00:00Z", ERR_MALFORMED, "no such day"},
        {"2026-11-21T06:30:02Zx", ERR_MALFORMED, "text behind"},
        {"", ERR_MALFORMED, "empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        int64_t t = 42;
        CHECK_ROW(rows[i].why, time_parse_utc(rows[i].text, &t, &e) == rows[i].code);
        CHECK_ROW(rows[i].why, t == (rows[i].code == 0 ? 1795242602 : 42));
    }
}

static void test_days(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        const char *why;
    } rows[] = {
        {"2024-02-29", true, "leap year"},     {"2026-02-29", false, "no leap year"},
        {"2000-02-29", true, "400 years"},     {"1900-02-29", false, "100 years"},
        {"2026-04-31", false, "April has 30"}, {"2026-12-31", true, "last day"},
        {"2026-13-01", false, "month 13"},     {"2026-00-10", false, "month 0"},
        {"2026-01-00", false, "day 0"},        {"0000-01-01", false, "year 0"},
        {"26-01-01", false, "two digits"},     {"2026-1-01", false, "one digit"},
        {"2026/01/01", false, "slashes"},      {"2026-01-01 ", false, "blank behind"},
        {"20260101", false, "no hyphens"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        int64_t days = 0;
        CHECK_ROW(rows[i].why,
                  date_parse(rows[i].text, &days, &e) == (rows[i].good ? 0 : ERR_MALFORMED));
    }
}

static void test_clocks_run(void **state)
{
    (void)state;
    assert_true(time_now_s() > 1700000000);
    int64_t before = time_monotonic_us();
    assert_true(time_monotonic_us() >= before);
    assert_true(time_cpu_us(true) >= 0);
    assert_true(time_cpu_us(false) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_gmtime), cmocka_unit_test(test_out_of_range_is_clamped),
        cmocka_unit_test(test_forms),          cmocka_unit_test(test_days),
        cmocka_unit_test(test_clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
