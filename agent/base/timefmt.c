/* Times and calendar days, computed without libc's calendar: no locale, no TZ, no static buffers.
 * Zones stand in zone.c. Days from the civil date as in Howard Hinnant's "chrono-compatible
 * low-level date algorithms" (proleptic Gregorian calendar). */
#include "agent/base/timefmt.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define DAY_S INT64_C(86400)
/* Years 0001 to 9999: what four digits can say. */
#define DAYS_MIN INT64_C(-719162)
#define DAYS_MAX INT64_C(2932896)

struct civil {
    int64_t year;
    unsigned month, day;
};

static int64_t days_from_civil(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = (int64_t)c.month + (c.month > 2 ? -3 : 9);
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_from_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {
        .year = yoe + era * 400,
        .month = (unsigned)(mp < 10 ? mp + 3 : mp - 9),
        .day = (unsigned)(doy - (153 * mp + 2) / 5 + 1),
    };
    if (c.month <= 2) {
        c.year++;
    }
    return c;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static int64_t clamp_days(int64_t days)
{
    return days < DAYS_MIN ? DAYS_MIN : days > DAYS_MAX ? DAYS_MAX : days;
}

/* Out of range: the first or last instant that the form can say, never a longer text. */
static int64_t clamp_time(int64_t unix_s)
{
    int64_t last = DAYS_MAX * DAY_S + DAY_S - 1;
    return unix_s < DAYS_MIN * DAY_S ? DAYS_MIN * DAY_S : unix_s > last ? last : unix_s;
}

void time_utc(int64_t unix_s, char buf[TIME_TEXT_MAX])
{
    int64_t known = clamp_time(unix_s);
    int64_t days = floor_div(known, DAY_S);
    int64_t rest = known - days * DAY_S;
    struct civil c = civil_from_days(days);
    (void)snprintf(buf, TIME_TEXT_MAX, "%04d-%02u-%02uT%02u:%02u:%02uZ", (int)c.year, c.month,
                   c.day, (unsigned)(rest / 3600), (unsigned)(rest / 60 % 60),
                   (unsigned)(rest % 60));
}

/* Exactly n digits at *p; moves *p on. -1 if there are not. */
static int64_t take_digits(const char **p, size_t n)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    *p += n;
    return value;
}

/* One character at *p. */
static bool take_char(const char **p, char c)
{
    if (**p != c) {
        return false;
    }
    (*p)++;
    return true;
}

/* YYYY-MM-DD at *p, a day that exists. */
static bool take_date(const char **p, int64_t *ret_days)
{
    int64_t year = take_digits(p, 4);
    if (year < 1 || !take_char(p, '-')) {
        return false;
    }
    int64_t month = take_digits(p, 2);
    if (month < 1 || month > 12 || !take_char(p, '-')) {
        return false;
    }
    int64_t day = take_digits(p, 2);
    if (day < 1 || day > 31) {
        return false;
    }
    struct civil c = {.year = year, .month = (unsigned)month, .day = (unsigned)day};
    int64_t days = days_from_civil(c);
    struct civil back = civil_from_days(days);
    if (back.month != c.month || back.day != c.day) {
        return false; /* 31 April became 1 May */
    }
    *ret_days = days;
    return true;
}

int date_parse(const char *text, int64_t *ret_days, struct err *e)
{
    const char *p = text;
    int64_t days = 0;
    if (!take_date(&p, &days) || *p != '\0') {
        return err_set(e, ERR_MALFORMED, "\"%.64s\" is no day of the calendar (YYYY-MM-DD)", text);
    }
    *ret_days = days;
    return 0;
}

void date_text(int64_t days, char buf[TIME_TEXT_MAX])
{
    struct civil c = civil_from_days(clamp_days(days));
    (void)snprintf(buf, TIME_TEXT_MAX, "%04d-%02u-%02u", (int)c.year, c.month, c.day);
}

/* "hh:mm:ss[.fraction]Z" at p and nothing after it. Leap seconds (:60) are no Unix time. */
static bool take_clock(const char *p, int64_t *ret_s)
{
    int64_t hour = take_digits(&p, 2);
    if (hour < 0 || hour > 23 || !take_char(&p, ':')) {
        return false;
    }
    int64_t minute = take_digits(&p, 2);
    if (minute < 0 || minute > 59 || !take_char(&p, ':')) {
        return false;
    }
    int64_t second = take_digits(&p, 2);
    if (second < 0 || second > 59) {
        return false;
    }
    if (take_char(&p, '.')) {
        size_t n = strspn(p, "0123456789");
        if (n == 0) {
            return false;
        }
        p += n;
    }
    *ret_s = hour * 3600 + minute * 60 + second;
    return take_char(&p, 'Z') && *p == '\0';
}

int time_parse_utc(const char *text, int64_t *ret, struct err *e)
{
    const char *p = text;
    int64_t days = 0;
    int64_t clock = 0;
    if (!take_date(&p, &days) || !take_char(&p, 'T') || !take_clock(p, &clock)) {
        return err_set(e, ERR_MALFORMED, "\"%.64s\" is no time (YYYY-MM-DDThh:mm:ssZ)", text);
    }
    *ret = days * DAY_S + clock;
    return 0;
}

int date_in_zone(const char *zone, int64_t unix_s, char buf[TIME_TEXT_MAX], struct err *e)
{
    int32_t offset = 0;
    int rc = zone_offset(zone, unix_s, &offset, e);
    if (rc != 0) {
        return rc;
    }
    date_text(floor_div(clamp_time(unix_s) + offset, DAY_S), buf);
    return 0;
}

int zone_day_start(const char *zone, int64_t days, int64_t *ret, struct err *e)
{
    /* Local midnight is UTC midnight minus the offset that holds *then*, which depends on the
     * answer. The first instant whose local day is `days` lies in the two
     * days around it and is found by halving. (A clock set back over midnight lets a day begin
     * twice: then this is one of the two beginnings.) */
    int64_t low = (clamp_days(days) - 2) * DAY_S; /* certainly before: offsets are within 26 h */
    int64_t high = (clamp_days(days) + 2) * DAY_S;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        int32_t offset = 0;
        int rc = zone_offset(zone, middle, &offset, e);
        if (rc != 0) {
            return rc;
        }
        if (floor_div(middle + offset, DAY_S) >= days) {
            high = middle;
        } else {
            low = middle;
        }
    }
    *ret = high;
    return 0;
}

int64_t time_now_s(void)
{
    struct timespec now;
    /* These clocks exist on every kernel that we run on; 0 would be seen as 1970 at once. */
    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? (int64_t)now.tv_sec : 0;
}

int64_t time_monotonic_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t usage_us(int who)
{
    struct rusage u;
    if (getrusage(who, &u) != 0) {
        return 0;
    }
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

int64_t time_cpu_us(bool with_children)
{
    return usage_us(RUSAGE_SELF) + (with_children ? usage_us(RUSAGE_CHILDREN) : 0);
}
