/* os_version, kernel_info, uptime, time. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/timefmt.h"
#include "probes/system/kernelfiles.h"
#include "probes/system/osrelease.h"
#include "probes/system/system.h"

enum {
    OS_NAME,
    OS_VERSION,
    OS_MAJOR,
    OS_MINOR,
    OS_PATCH,
    OS_BUILD,
    OS_PLATFORM,
    OS_PLATFORM_LIKE,
    OS_CODENAME,
    OS_ARCH,
    OS_EXTRA
};

const struct table table_os_version = {
    .name = "os_version",
    .doc = "The distribution and its release; one row. On Red Hat's family name, version and "
           "numbers are those of /etc/redhat-release and platform is rhel, as in osquery.",
    .source = "os-release(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"name", COL_TEXT, "", 0, NULL, "distribution"},
        {"version", COL_TEXT, "", 0, NULL, "release as written for people; may be empty"},
        {"major", COL_INT, "", COL_DECIDES, NULL, "first number of the release, 0 = none"},
        {"minor", COL_INT, "", COL_DECIDES, NULL, "second number, 0 = none"},
        {"patch", COL_INT, "", COL_DECIDES, NULL, "third number, 0 = none"},
        {"build", COL_TEXT, "", 0, NULL, "BUILD_ID; may be empty"},
        {"platform", COL_TEXT, "", COL_DECIDES, NULL, "ID, or the family's"},
        {"platform_like", COL_TEXT, "", 0, NULL, "ID_LIKE; may be empty"},
        {"codename", COL_TEXT, "", 0, NULL, "VERSION_CODENAME; may be empty"},
        {"arch", COL_TEXT, "", COL_NULLABLE, NULL, "machine word of uname(2)"},
        {"extra", COL_TEXT, "", COL_BULK, NULL, "always empty on Linux"})};

enum { KERNEL_VERSION, KERNEL_ARGUMENTS, KERNEL_PATH, KERNEL_DEVICE };

const struct table table_kernel_info = {
    .name = "kernel_info",
    .doc = "The running kernel; one row.",
    .source = "uname(2), proc_cmdline(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"version", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, NULL, "release word of uname(2)"},
        {"arguments", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, NULL,
         "boot arguments without BOOT_IMAGE= and root="},
        {"path", COL_TEXT, "", COL_NULLABLE, NULL, "BOOT_IMAGE=; empty if the loader gave none"},
        {"device", COL_TEXT, "", COL_NULLABLE, NULL, "root=; empty if there is none"})};

enum { UPTIME_DAYS, UPTIME_HOURS, UPTIME_MINUTES, UPTIME_SECONDS, UPTIME_TOTAL };

const struct table table_uptime = {
    .name = "uptime",
    .doc = "Time since boot, sleep included; one row.",
    .source = "clock_gettime(2) CLOCK_BOOTTIME, proc_uptime(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS({"days", COL_INT, "days", COL_BULK, NULL, "whole days"},
                  {"hours", COL_INT, "hours", COL_BULK, NULL, "whole hours beyond the days"},
                  {"minutes", COL_INT, "minutes", COL_BULK, NULL, "whole minutes beyond the hours"},
                  {"seconds", COL_INT, "seconds", COL_BULK, NULL, "seconds beyond the minutes"},
                  {"total_seconds", COL_INT, "seconds", COL_DECIDES | COL_BULK, NULL,
                   "all of it in seconds"})};

enum {
    TIME_WEEKDAY,
    TIME_YEAR,
    TIME_MONTH,
    TIME_DAY,
    TIME_HOUR,
    TIME_MINUTES,
    TIME_SECONDS,
    TIME_TIMEZONE,
    TIME_LOCAL_TIMEZONE,
    TIME_UNIX,
    TIME_TIMESTAMP,
    TIME_DATETIME,
    TIME_ISO
};

const struct table table_time = {
    .name = "time",
    .doc = "The host's clock when it was asked, in UTC; one row. Checks use scan.time instead.",
    .source = "clock_gettime(2), tzfile(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"weekday", COL_TEXT, "", COL_BULK, NULL, "English name of the day"},
        {"year", COL_INT, "", COL_BULK, NULL, "year"},
        {"month", COL_INT, "", COL_BULK, NULL, "month, 1 to 12"},
        {"day", COL_INT, "", COL_BULK, NULL, "day of the month"},
        {"hour", COL_INT, "", COL_BULK, NULL, "hour"},
        {"minutes", COL_INT, "", COL_BULK, NULL, "minute"},
        {"seconds", COL_INT, "", COL_BULK, NULL, "second"},
        {"timezone", COL_TEXT, "", COL_BULK, NULL, "of the columns here: always UTC"},
        {"local_timezone", COL_TEXT, "", COL_NULLABLE, NULL,
         "abbreviation of the host's own zone; not known for zones with summer time whose file "
         "only holds the rule"},
        {"unix_time", COL_INT, "seconds", COL_BULK, NULL, "seconds since 1970-01-01"},
        {"timestamp", COL_TEXT, "", COL_BULK, NULL, "as written in logs"},
        {"datetime", COL_TEXT, "utc", COL_BULK, NULL, "ISO 8601"},
        {"iso_8601", COL_TEXT, "utc", COL_BULK, NULL, "ISO 8601"})};

static void machine_cell(struct probe_ctx *ctx, unsigned column, const char *text)
{
    row_text(ctx, column, text[0] != '\0' ? text : NULL);
}

/* Red Hat's and Gentoo's one-line files overrule os-release, as they do in osquery. */
static const char *family_of(const struct sys_state *s, enum sys_file *ret)
{
    if (s->files[SYS_REDHAT_RELEASE].code == 0) {
        *ret = SYS_REDHAT_RELEASE;
        return "rhel";
    }
    if (s->files[SYS_GENTOO_RELEASE].code == 0) {
        *ret = SYS_GENTOO_RELEASE;
        return "gentoo";
    }
    return NULL;
}

static void os_row(struct probe_ctx *ctx, const struct sys_state *s, const struct os_release *r)
{
    struct version_numbers v = version_numbers(r->version_id);
    enum sys_file file = SYS_OS_RELEASE;
    const char *family = family_of(s, &file);
    struct span line = family != NULL ? sys_text(s, file) : span_of("", 0);
    const char *name_text = r->name[0] != '\0' ? r->name : "Linux"; /* os-release(5)'s default */
    struct span name = span_of(name_text, strlen(name_text));
    struct span first;

    (void)release_line_parse(line, &name, &v);
    row_begin(ctx, &table_os_version);
    row_text_n(ctx, OS_NAME, name.p, name.n);
    if (family != NULL && span_line(&line, &first)) {
        row_text_n(ctx, OS_VERSION, first.p, first.n);
    } else {
        row_text(ctx, OS_VERSION, r->version);
    }
    row_int(ctx, OS_MAJOR, v.major);
    row_int(ctx, OS_MINOR, v.minor);
    row_int(ctx, OS_PATCH, v.patch);
    row_text(ctx, OS_BUILD, family != NULL ? "" : r->build);
    row_text(ctx, OS_PLATFORM, family != NULL ? family : r->id[0] != '\0' ? r->id : "linux");
    row_text(ctx, OS_PLATFORM_LIKE, family != NULL ? family : r->id_like);
    row_text(ctx, OS_CODENAME, r->codename);
    machine_cell(ctx, OS_ARCH, s->machine);
    row_text(ctx, OS_EXTRA, "");
    row_end(ctx);
}

int os_version_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    /* os-release(5): the one in /etc counts, the vendor's copy stands in for it. */
    enum sys_file file =
        s->files[SYS_OS_RELEASE].code == ERR_ABSENT ? SYS_OS_RELEASE_USR : SYS_OS_RELEASE;
    const struct str *bytes = &s->files[file].bytes;
    struct parse_report report;
    struct os_release r;

    (void)e;
    if (!sys_usable(ctx, &table_os_version, s, file)) {
        return 0;
    }
    osrelease_parse(str_text(bytes), bytes->len, &r, &report);
    sys_report(ctx, &table_os_version, file, &report);
    os_row(ctx, s, &r);
    return 0;
}

static void str_cell(struct probe_ctx *ctx, unsigned column, const struct str *text)
{
    row_text_n(ctx, column, str_text(text), text->len);
}

int kernel_info_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    CLEANUP(str) struct str arguments = STR_INIT((size_t)1 << 17);
    CLEANUP(str) struct str path = STR_INIT((size_t)1 << 17);
    CLEANUP(str) struct str device = STR_INIT((size_t)1 << 17);

    if (s->release[0] == '\0') {
        probe_state(ctx, &table_kernel_info, STATE_DENIED, "not_captured: uname");
        return 0;
    }
    bool known = s->files[SYS_CMDLINE].code == 0;
    if (known) {
        cmdline_parse(sys_text(s, SYS_CMDLINE), &arguments, &path, &device);
    }
    if (str_error(&arguments, e) != 0 || str_error(&path, e) != 0 || str_error(&device, e) != 0) {
        return e->code;
    }
    row_begin(ctx, &table_kernel_info);
    row_text(ctx, KERNEL_VERSION, s->release);
    if (known) {
        str_cell(ctx, KERNEL_ARGUMENTS, &arguments);
        str_cell(ctx, KERNEL_PATH, &path);
        str_cell(ctx, KERNEL_DEVICE, &device);
    }
    row_end(ctx);
    return 0;
}

int uptime_collect(struct probe_ctx *ctx, struct sys_state *s, struct err *e)
{
    struct timespec ts;

    (void)e;
    if (host_is_live(probe_host(ctx)) && clock_gettime(CLOCK_BOOTTIME, &ts) == 0) {
        s->boot_seconds = ts.tv_sec;
    }
    return 0;
}

/* A time namespace shifts the clock and /proc/uptime alike, and container engines put a file of
 * their own over the latter. NULL: neither is so. */
static const char *uptime_hidden(const struct host *h, const struct sys_state *s)
{
    if (!host_is_live(h)) {
        return host_hidden(h, HOST_SEES_PROC);
    }
    if (s->ns_time == NS_INITIAL) {
        return NULL;
    }
    return s->ns_time == NS_OTHER ? "not_visible: other time namespace"
                                  : "not_visible: the time namespace cannot be told";
}

int uptime_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const char *hidden = uptime_hidden(probe_host(ctx), s);
    const struct str *file = &s->files[SYS_UPTIME].bytes;
    int64_t total = s->boot_seconds;

    (void)e;
    if (hidden != NULL) {
        probe_state(ctx, &table_uptime, STATE_DENIED, "%s", hidden);
        return 0;
    }
    if (!host_is_live(probe_host(ctx))) {
        if (!sys_usable(ctx, &table_uptime, s, SYS_UPTIME)) {
            return 0;
        }
        if (!uptime_seconds(str_text(file), file->len, &total)) {
            total = -1;
        }
    }
    if (total < 0) {
        probe_state(ctx, &table_uptime, STATE_MALFORMED, "malformed: no number of seconds");
        return 0;
    }
    row_begin(ctx, &table_uptime);
    row_int(ctx, UPTIME_DAYS, total / 86400);
    row_int(ctx, UPTIME_HOURS, total / 3600 % 24);
    row_int(ctx, UPTIME_MINUTES, total / 60 % 60);
    row_int(ctx, UPTIME_SECONDS, total % 60);
    row_int(ctx, UPTIME_TOTAL, total);
    row_end(ctx);
    return 0;
}

/* No file: the C library takes UTC. In another root the file is that root's. */
static void local_timezone(struct probe_ctx *ctx, const struct sys_state *s, int64_t now_s)
{
    const struct sys_read *r = &s->files[SYS_LOCALTIME];
    char name[16];

    if (host_hidden(probe_host(ctx), HOST_SEES_ROOT) != NULL) {
        return;
    }
    if (r->proved_absent) {
        row_text(ctx, TIME_LOCAL_TIMEZONE, "UTC");
    } else if (r->code == 0 && tzif_abbreviation(str_text(&r->bytes), r->bytes.len, now_s, name)) {
        row_text(ctx, TIME_LOCAL_TIMEZONE, name);
    }
}

/* n digits of a text that time_utc made. */
static int64_t digits(const char *text, size_t n)
{
    int64_t value = 0;

    (void)span_decimal(span_of(text, n), INT32_MAX, &value);
    return value;
}

/* The C library's calendar functions would look for the zone's files first. */
int time_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    static const char *const days[] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                       "Monday",   "Tuesday", "Wednesday"}; /* 1970-01-01 first */
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now_s = time_now_s();
    char text[TIME_TEXT_MAX]; /* 2026-11-21T06:30:02Z */
    char stamp[48];

    (void)e;
    if (!host_is_live(probe_host(ctx)) || now_s < 0) {
        probe_state(ctx, &table_time, STATE_DENIED, "not_captured: a tree has no clock");
        return 0;
    }
    time_utc(now_s, text);
    const char *weekday = days[now_s / 86400 % 7];
    int64_t month = digits(text + 5, 2);
    int64_t day = digits(text + 8, 2);
    (void)snprintf(stamp, sizeof(stamp), "%.3s %s %2d %.8s %.4s UTC", weekday,
                   months[(month + 11) % 12], (int)day, text + 11, text);
    row_begin(ctx, &table_time);
    row_text(ctx, TIME_WEEKDAY, weekday);
    row_int(ctx, TIME_YEAR, digits(text, 4));
    row_int(ctx, TIME_MONTH, month);
    row_int(ctx, TIME_DAY, day);
    row_int(ctx, TIME_HOUR, now_s / 3600 % 24);
    row_int(ctx, TIME_MINUTES, now_s / 60 % 60);
    row_int(ctx, TIME_SECONDS, now_s % 60);
    row_text(ctx, TIME_TIMEZONE, "UTC");
    local_timezone(ctx, s, now_s);
    row_int(ctx, TIME_UNIX, now_s);
    row_text(ctx, TIME_TIMESTAMP, stamp);
    row_text(ctx, TIME_DATETIME, text);
    row_text(ctx, TIME_ISO, text);
    row_end(ctx);
    return 0;
}
