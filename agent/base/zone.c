/* Offsets of time zones. Fixed zones without files; others from TZif files (RFC 8536, version 2 or
 * later), read whole and bounded, trusting no count in them. After the last transition the POSIX TZ
 * footer holds; its rules are computed for the years around the instant. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/base/timefmt.h"

#define ZONEINFO "/usr/share/zoneinfo"
#define TZIF_MAX ((size_t)256 << 10)
#define OFFSET_MAX (26 * 3600) /* RFC 8536, 3.2: -25 to +26 hours */
#define DAY_S INT64_C(86400)

/* --- a cursor over bytes: reading past the end fails once and for all --- */

struct bytes {
    const unsigned char *p;
    size_t n;
};

static bool skip(struct bytes *b, uint64_t n)
{
    if (n > b->n) {
        return false;
    }
    b->p += n;
    b->n -= (size_t)n;
    return true;
}

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

struct tzif_head {
    char version;
    uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

static bool take_head(struct bytes *b, struct tzif_head *h)
{
    if (b->n < 44 || memcmp(b->p, "TZif", 4) != 0) {
        return false;
    }
    h->version = (char)b->p[4];
    uint32_t *counts[] = {&h->isutcnt, &h->isstdcnt, &h->leapcnt,
                          &h->timecnt, &h->typecnt,  &h->charcnt};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        *counts[i] = (uint32_t)big_endian(b->p + 20 + 4 * i, 4);
    }
    return skip(b, 44);
}

/* Size of the data block with times of `width` bytes; sums of 32-bit counts fit 64 bits. */
static uint64_t data_size(const struct tzif_head *h, uint64_t width)
{
    return h->timecnt * width + h->timecnt + (uint64_t)h->typecnt * 6 + h->charcnt +
           h->leapcnt * (width + 4) + h->isstdcnt + h->isutcnt;
}

/* --- the POSIX TZ footer: std offset [dst [offset] , start [/time] , end [/time]] --- */

struct tz_rule {
    char form;            /* 'J' day 1..365 without 29 Feb, 'N' day 0..365, 'M' m.w.d */
    int month, week, day; /* day alone for J and N */
    int32_t time_s;       /* local time of the change */
};

struct tz_text {
    int32_t std, dst; /* seconds east */
    bool has_dst;
    struct tz_rule start, end;
};

static bool skip_name(const char **p)
{
    const char *from = *p;
    if (**p == '<') {
        size_t n = strcspn(*p, ">");
        if ((*p)[n] == '\0') {
            return false;
        }
        *p += n + 1;
        return true;
    }
    while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z')) {
        (*p)++;
    }
    return *p - from >= 3;
}

/* A number of at most three digits. */
static bool take_number(const char **p, int max, int *ret)
{
    int v = 0;
    size_t n = 0;
    while (**p >= '0' && **p <= '9' && n < 3) {
        v = v * 10 + (**p - '0');
        (*p)++;
        n++;
    }
    *ret = v;
    return n > 0 && v <= max;
}

/* [+-]h[hh][:mm[:ss]] in seconds; hours to 167 as version 3 allows. */
static bool take_hms(const char **p, int32_t *ret)
{
    int sign = 1;
    if (**p == '+' || **p == '-') {
        sign = **p == '-' ? -1 : 1;
        (*p)++;
    }
    int h = 0;
    int m = 0;
    int s = 0;
    if (!take_number(p, 167, &h)) {
        return false;
    }
    if (**p == ':') {
        (*p)++;
        if (!take_number(p, 59, &m)) {
            return false;
        }
        if (**p == ':') {
            (*p)++;
            if (!take_number(p, 59, &s)) {
                return false;
            }
        }
    }
    *ret = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_rule(const char **p, struct tz_rule *r)
{
    if (**p != ',') {
        return false;
    }
    (*p)++;
    *r = (struct tz_rule){.form = 'N', .time_s = 7200};
    if (**p == 'M') {
        (*p)++;
        r->form = 'M';
        bool ok = take_number(p, 12, &r->month) && r->month >= 1 && *(*p)++ == '.' &&
                  take_number(p, 5, &r->week) && r->week >= 1 && *(*p)++ == '.' &&
                  take_number(p, 6, &r->day);
        if (!ok) {
            return false;
        }
    } else if (**p == 'J') {
        (*p)++;
        r->form = 'J';
        if (!take_number(p, 365, &r->day) || r->day < 1) {
            return false;
        }
    } else if (!take_number(p, 365, &r->day)) {
        return false;
    }
    if (**p == '/') {
        (*p)++;
        return take_hms(p, &r->time_s);
    }
    return true;
}

static bool parse_footer(const char *text, struct tz_text *t)
{
    const char *p = text;
    *t = (struct tz_text){0};
    if (!skip_name(&p) || !take_hms(&p, &t->std)) {
        return false;
    }
    t->std = -t->std; /* POSIX counts west of Greenwich */
    if (*p == '\0') {
        return true;
    }
    if (!skip_name(&p)) {
        return false;
    }
    t->has_dst = true;
    t->dst = t->std + 3600;
    if (*p != ',') {
        if (!take_hms(&p, &t->dst)) {
            return false;
        }
        t->dst = -t->dst;
    }
    return take_rule(&p, &t->start) && take_rule(&p, &t->end) && *p == '\0';
}

static int64_t day_number(int64_t year, int month, int day)
{
    char text[TIME_TEXT_MAX];
    int64_t days = 0;
    if (year < 1 || year > 9999) {
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)year, month, day);
    return date_parse(text, &days, NULL) == 0 ? days : 0;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Local seconds since 1970 at which the rule changes the clock in that year. */
static int64_t rule_instant(const struct tz_rule *r, int64_t year)
{
    int64_t day = day_number(year, 1, 1);
    if (r->form == 'N') {
        day += r->day;
    } else if (r->form == 'J') {
        day += r->day - 1 + (is_leap(year) && r->day >= 60 ? 1 : 0);
    } else {
        int64_t first = day_number(year, r->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = first + (r->day - weekday + 7) % 7 + (int64_t)(r->week - 1) * 7;
        int64_t next =
            r->month == 12 ? day_number(year + 1, 1, 1) : day_number(year, r->month + 1, 1);
        while (next > 0 && day >= next) { /* week 5 = the last one */
            day -= 7;
        }
    }
    return day * DAY_S + r->time_s;
}

static int32_t footer_offset(const struct tz_text *t, int64_t unix_s)
{
    if (!t->has_dst) {
        return t->std;
    }
    char text[TIME_TEXT_MAX];
    time_utc(unix_s, text);
    /* the bounds of what time_utc can say, so that nothing below overflows */
    int64_t known = unix_s;
    if (time_parse_utc(text, &known, NULL) != 0) {
        return t->std;
    }
    time_utc(known + t->std, text);
    const char *p = text;
    int64_t year = 0;
    for (size_t i = 0; i < 4; i++) {
        year = year * 10 + (p[i] - '0');
    }
    /* start is told in standard time, end in summer time */
    int64_t start = rule_instant(&t->start, year) - t->std;
    int64_t end = rule_instant(&t->end, year) - t->dst;
    bool summer = start < end ? known >= start && known < end : known >= start || known < end;
    return summer ? t->dst : t->std;
}

/* --- the file --- */

struct tzif {
    struct tzif_head head;
    const unsigned char *times, *kinds, *types;
    char footer[128];
};

/* Cuts the second data block into its arrays and checks every index. */
static bool tzif_cut(struct bytes b, struct tzif *z)
{
    struct tzif_head first;
    if (!take_head(&b, &first) || first.version < '2' || !skip(&b, data_size(&first, 4)) ||
        !take_head(&b, &z->head) || z->head.typecnt == 0) {
        return false;
    }
    uint64_t size = data_size(&z->head, 8);
    if (size > b.n) {
        return false;
    }
    z->times = b.p;
    z->kinds = z->times + (size_t)z->head.timecnt * 8;
    z->types = z->kinds + z->head.timecnt;
    for (uint32_t i = 0; i < z->head.timecnt; i++) {
        if (z->kinds[i] >= z->head.typecnt) {
            return false;
        }
    }
    (void)skip(&b, size);
    /* footer: NL text NL */
    if (b.n < 2 || b.p[0] != '\n') {
        return false;
    }
    const unsigned char *end = memchr(b.p + 1, '\n', b.n - 1);
    size_t n = end != NULL ? (size_t)(end - b.p - 1) : sizeof(z->footer);
    if (n >= sizeof(z->footer)) {
        return false;
    }
    memcpy(z->footer, b.p + 1, n);
    z->footer[n] = '\0';
    return true;
}

static int32_t signed32(const unsigned char *p)
{
    uint32_t v = (uint32_t)big_endian(p, 4);
    int32_t out;
    memcpy(&out, &v, sizeof(out));
    return out;
}

static int64_t signed64(const unsigned char *p)
{
    uint64_t v = big_endian(p, 8);
    int64_t out;
    memcpy(&out, &v, sizeof(out));
    return out;
}

static bool tzif_offset(const struct tzif *z, int64_t unix_s, int32_t *ret)
{
    size_t low = 0;
    size_t high = z->head.timecnt; /* number of transitions at or before unix_s */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (signed64(z->times + middle * 8) <= unix_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == z->head.timecnt && z->footer[0] != '\0') {
        struct tz_text t;
        if (!parse_footer(z->footer, &t)) {
            return false;
        }
        *ret = footer_offset(&t, unix_s);
        return true;
    }
    size_t type = low == 0 ? 0 : z->kinds[low - 1];
    *ret = signed32(z->types + type * 6);
    return true;
}

/* Letters, digits, _ + - in parts joined by "/": nothing that could leave the folder. */
static bool is_zone_name(const char *zone)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t n = strlen(zone);
    return n > 0 && n < 64 && strspn(zone, allowed) == n && zone[0] != '/' && zone[n - 1] != '/' &&
           strstr(zone, "//") == NULL;
}

static int unknown_zone(const char *zone, const char *why, struct err *e)
{
    return err_set(
        e, ERR_INVALID,
        "time zone \"%.64s\": %s (write Asia/Tokyo, UTC, +09:00 or a name below " ZONEINFO ")",
        zone, why);
}

static int zone_from_file(const char *zone, int64_t unix_s, int32_t *ret, struct err *e)
{
    if (!is_zone_name(zone)) {
        return unknown_zone(zone, "no name of a zone", e);
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", ZONEINFO, zone);
    CLEANUP(str) struct str file = STR_INIT(TZIF_MAX);
    struct err why = {0};
    int rc = io_read_file(path, TZIF_MAX, &file, &why);
    if (rc == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (rc != 0) {
        return unknown_zone(zone, rc == ERR_ABSENT ? "not known on this machine" : why.msg, e);
    }
    struct bytes b = {.p = (const unsigned char *)str_text(&file), .n = file.len};
    struct tzif z = {0};
    int32_t offset = 0;
    if (!tzif_cut(b, &z) || !tzif_offset(&z, unix_s, &offset) || offset < -OFFSET_MAX ||
        offset > OFFSET_MAX) {
        return unknown_zone(zone, "its file is no valid TZif version 2", e);
    }
    *ret = offset;
    return 0;
}

/* "+HH:MM" or "-HH:MM". */
static bool fixed_offset(const char *zone, int32_t *ret)
{
    const char *p = zone;
    int32_t offset = 0;
    if ((*p != '+' && *p != '-') || strlen(zone) != 6 || zone[3] != ':' || !take_hms(&p, &offset) ||
        *p != '\0' || offset > 14 * 3600 || offset < -14 * 3600) {
        return false;
    }
    *ret = offset;
    return true;
}

int zone_offset(const char *zone, int64_t unix_s, int32_t *ret, struct err *e)
{
    static const struct {
        const char *name;
        int32_t offset;
    } fixed[] = {{"Asia/Tokyo", 9 * 3600}, {"UTC", 0}, {"Etc/UTC", 0}};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (strcmp(zone, fixed[i].name) == 0) {
            *ret = fixed[i].offset;
            return 0;
        }
    }
    if (fixed_offset(zone, ret)) {
        return 0;
    }
    return zone_from_file(zone, unix_s, ret, e);
}
