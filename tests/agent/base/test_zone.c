/* agent/base/zone.c: against the C library's reading of the same zone files. */
#include "tests/agent/base/unit.h"

#include <time.h>

#include "agent/base/timefmt.h"

static void test_fixed_zones_need_no_files(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        int32_t offset;
        int code;
        const char *why;
    } rows[] = {
        {"Asia/Tokyo", 32400, 0, "the default"},
        {"UTC", 0, 0, "UTC"},
        {"+09:00", 32400, 0, "offset east"},
        {"-03:30", -12600, 0, "offset west"},
        {"+14:00", 50400, 0, "the easternmost"},
        {"+14:01", 1, ERR_INVALID, "beyond the easternmost"},
        {"+9:00", 1, ERR_INVALID, "one digit"},
        {"+09:60", 1, ERR_INVALID, "minute 60"},
        {"09:00", 1, ERR_INVALID, "no sign"},
        {"", 1, ERR_INVALID, "empty"},
        {"../../../etc/passwd", 1, ERR_INVALID, "leads out"},
        {"/etc/localtime", 1, ERR_INVALID, "absolute"},
        {"Asia/", 1, ERR_INVALID, "a directory"},
        {"Asia", 1, ERR_INVALID, "a directory"},
        {"Asia/Tokio", 1, ERR_INVALID, "no such zone"},
        {"tzdata.zi", 1, ERR_INVALID, "a file that is no zone"},
        {"zone1970", 1, ERR_INVALID, "no such file"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        int32_t offset = 1;
        CHECK_ROW(rows[i].why, zone_offset(rows[i].zone, 0, &offset, &e) == rows[i].code);
        CHECK_ROW(rows[i].why, offset == rows[i].offset);
    }
}

static void compare_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
    /* from before the first transition of most zones to past the last one in the files */
    for (int64_t t = INT64_C(-3000000000); t < INT64_C(6000000000); t += 3000017) {
        struct tm tm;
        time_t c_time = (time_t)t;
        assert_non_null(localtime_r(&c_time, &tm));
        struct err e = {0};
        int32_t offset = 0;
        assert_int_equal(zone_offset(zone, t, &offset, &e), 0);
        if (offset != tm.tm_gmtoff) {
            fail_msg("%s at %lld: %d, the C library says %ld", zone, (long long)t, offset,
                     tm.tm_gmtoff);
        }
    }
}

static void test_against_the_c_library(void **state)
{
    (void)state;
    if (access("/usr/share/zoneinfo/Europe/London", R_OK) != 0) {
        skip(); /* no zone files here */
    }
    static const char *const zones[] = {"America/New_York",  "Europe/London", "Australia/Sydney",
                                        "Asia/Kathmandu",    "Asia/Kolkata",  "America/St_Johns",
                                        "Africa/Casablanca", "Europe/Dublin", "Pacific/Apia",
                                        "Etc/GMT+5",         "Asia/Jerusalem"};
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        compare_zone(zones[i]);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void test_local_days(void **state)
{
    (void)state;
    struct err e = {0};
    static const struct {
        const char *zone, *utc, *day, *why;
    } rows[] = {
        {"Asia/Tokyo", "2026-11-20T14:59:59Z", "2026-11-20", "one second before midnight"},
        {"Asia/Tokyo", "2026-11-20T15:00:00Z", "2026-11-21", "midnight"},
        {"-03:30", "2026-03-01T03:29:59Z", "2026-02-28", "west"},
        {"UTC", "2026-12-31T23:59:59Z", "2026-12-31", "no offset"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t t = 0;
        char day[TIME_TEXT_MAX];
        assert_int_equal(time_parse_utc(rows[i].utc, &t, &e), 0);
        assert_int_equal(date_in_zone(rows[i].zone, t, day, &e), 0);
        CHECK_TEXT(rows[i].why, day, rows[i].day);
    }
    char day[TIME_TEXT_MAX] = "kept";
    assert_int_equal(date_in_zone("Asia/Tokio", 0, day, &e), ERR_INVALID);
    assert_string_equal(day, "kept");
    assert_int_equal(date_in_zone("Asia/Tokyo", INT64_MAX, day, &e), 0); /* no overflow */
    assert_int_equal(date_in_zone("Asia/Tokyo", INT64_MIN, day, &e), 0);
}

/* The instant before the start of a day belongs to an earlier day, the start to this one. */
static void check_day_starts(const char *zone, int64_t from, int64_t to)
{
    for (int64_t days = from; days < to; days++) {
        struct err e = {0};
        int64_t start = 0;
        char wanted[TIME_TEXT_MAX];
        char at[TIME_TEXT_MAX];
        char before[TIME_TEXT_MAX];
        assert_int_equal(zone_day_start(zone, days, &start, &e), 0);
        assert_int_equal(date_in_zone(zone, start, at, &e), 0);
        assert_int_equal(date_in_zone(zone, start - 1, before, &e), 0);
        date_text(days, wanted);
        assert_string_equal(at, wanted);
        assert_true(strcmp(before, wanted) < 0);
    }
}

static void test_day_starts(void **state)
{
    (void)state;
    check_day_starts("Asia/Tokyo", 20000, 20400);
    check_day_starts("+14:00", 20000, 20010);
    if (access("/usr/share/zoneinfo/America/Sao_Paulo", R_OK) == 0) {
        check_day_starts("America/New_York", 20000, 20100);
        check_day_starts("America/Sao_Paulo", 17800, 17900); /* clocks change at midnight there */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_zones_need_no_files),
        cmocka_unit_test(test_against_the_c_library),
        cmocka_unit_test(test_local_days),
        cmocka_unit_test(test_day_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
