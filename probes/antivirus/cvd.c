/* Headers of ClamAV's definitions and the answer to VERSION. */
#include "probes/antivirus/cvd.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/timefmt.h"

#define DAY_S ((int64_t)86400)
#define FURTHEST_EAST_S ((int64_t)14 * 3600)
#define MAGIC "ClamAV-VDB:"
#define N_FIELDS 9U

static int month_number(const char *name)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncmp(months + (size_t)i * 3, name, 3) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool join_time(int year, const char *month, int day, int hour, int minute, int second,
                      int64_t *ret)
{
    char date[TIME_TEXT_MAX];
    int64_t days = 0;
    int m = month_number(month);
    if (m == 0 || year < 1970 || year > 9999 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60) {
        return false;
    }
    (void)snprintf(date, sizeof(date), "%04d-%02d-%02d", year, m, day);
    if (date_parse(date, &days, NULL) != 0) {
        return false;
    }
    *ret = days * DAY_S + (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    return true;
}

/* A number of digits alone; the fields come from a file that anything may have written. */
static bool number(const char *text, size_t n, int64_t *ret)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || i >= 15) {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *ret = value;
    return n > 0;
}

/* "07 Oct 2025 04-12 -0400" */
static bool header_time(const char *text, int64_t *ret)
{
    char month[4];
    char sign = 0;
    int day = 0;
    int year = 0;
    int hour = 0;
    int minute = 0;
    int zone = 0;
    int64_t local = 0;
    if (sscanf(text, "%2d %3s %4d %2d-%2d %c%4d", &day, month, &year, &hour, &minute, &sign,
               &zone) != 7 ||
        (sign != '+' && sign != '-') || zone < 0 || zone > 1400 || zone % 100 > 59 ||
        !join_time(year, month, day, hour, minute, 0, &local)) {
        return false;
    }
    int64_t east = (int64_t)(zone / 100) * 3600 + (int64_t)(zone % 100) * 60;
    *ret = sign == '+' ? local - east : local + east;
    return true;
}

int cvd_parse(const char *bytes, size_t n, struct cvd *ret, struct err *e)
{
    char text[CVD_HEADER_BYTES + 1];
    const char *fields[N_FIELDS] = {NULL};
    size_t lengths[N_FIELDS] = {0};
    struct cvd c = {0};
    size_t n_fields = 0;
    if (n < CVD_HEADER_BYTES || memcmp(bytes, MAGIC, strlen(MAGIC)) != 0) {
        return err_set(e, ERR_MALFORMED, "not a header of definitions");
    }
    memcpy(text, bytes, CVD_HEADER_BYTES);
    size_t end = CVD_HEADER_BYTES;
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\n' || text[end - 1] == '\0')) {
        end--;
    }
    text[end] = '\0';
    for (const char *p = text; n_fields < N_FIELDS;) {
        fields[n_fields] = p;
        lengths[n_fields] = strcspn(p, ":");
        p += lengths[n_fields++];
        if (*p != ':') {
            break;
        }
        p++;
    }
    if (n_fields < 8 || !number(fields[2], lengths[2], &c.version) ||
        !header_time(fields[1], &c.built_at_s)) {
        return err_set(e, ERR_MALFORMED, "no version or build time in the header");
    }
    int64_t seconds = 0;
    if (n_fields == N_FIELDS && number(fields[8], lengths[8], &seconds) && seconds > 0 &&
        seconds < c.built_at_s) {
        c.built_at_s = seconds;
    }
    *ret = c;
    return 0;
}

bool clamd_version_parse(const char *text, struct clamd_version *ret)
{
    struct clamd_version v = {.has_definitions = false};
    if (strncmp(text, "ClamAV ", 7) != 0) {
        return false;
    }
    size_t n = strcspn(text + 7, "/\n");
    (void)snprintf(v.engine, sizeof(v.engine), "%.*s", (int)(n < 60 ? n : 60), text + 7);
    char month[4];
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int year = 0;
    const char *version = text + 7 + n;
    size_t digits = *version == '/' ? strspn(version + 1, "0123456789") : 0;
    if (digits > 0 && version[digits + 1] == '/' &&
        number(version + 1, digits, &v.loaded.version) &&
        sscanf(version + digits + 2, "%*3s %3s %2d %2d:%2d:%2d %4d", month, &day, &hour, &minute,
               &second, &year) == 6 &&
        join_time(year, month, day, hour, minute, second, &v.loaded.built_at_s)) {
        v.loaded.built_at_s -= FURTHEST_EAST_S;
        v.has_definitions = true;
    }
    *ret = v;
    return true;
}
