/* The tables of the live host against the programs that people would ask: getent, id, findmnt,
 * lsblk, sysctl, the shell. A program that is not there, or a host that is not wholly seen from
 * here (a container), skips its test and says so. The host goes on living between the two looks,
 * so a difference counts only if it is there three times. Sources: probes/system/os.c,
 * probes/system/hardware.c, probes/system/mounts.c, probes/system/block.c,
 * probes/system/controls.c. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/io.h"
#include "agent/base/json.h"
#include "agent/scan/local.h"

#define OUTPUT_MAX ((size_t)16 << 20)

enum outcome { SAME, DIFFERENT, SKIPPED };
typedef enum outcome check_fn(void);

#define TRIES 3U

/* The checks return instead of leaving by a jump, so that what they hold is freed. */
static void run_check(check_fn *check)
{
    enum outcome o = DIFFERENT;

    for (unsigned i = 0; i < TRIES && o == DIFFERENT; i++) {
        o = check();
    }
    if (o == SKIPPED) {
        skip();
    }
    assert_int_equal(o, SAME);
}

#define LIVE_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_check(check_##name);                                                                   \
    }

struct live {
    struct host *host;
    struct facts facts;
    struct fact_table *table;
};

static void cleanup_live(struct live *l)
{
    facts_done(&l->facts);
    host_free(l->host);
}

/* False where the table cannot be complete here; fails where it should have been. */
static bool look(const char *table, unsigned needs, struct live *l)
{
    struct err e;

    if (host_open("/", &l->host, &e) != 0 ||
        probe_run_local(&probe_system, l->host, (const char *const[]){table, NULL}, NULL, 0,
                        &l->facts, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    l->table = facts_find(&l->facts, table);
    assert_non_null(l->table);
    if (host_hidden(l->host, needs) != NULL) {
        assert_int_equal(l->table->state, STATE_DENIED);
        print_message("skipped: %s\n", l->table->reason);
        return false;
    }
    if (l->table->state != STATE_COMPLETE) {
        fail_msg("%s is %s: %s", table, fact_state_word(l->table->state), l->table->reason);
    }
    return true;
}

/* Standard output of a command of fixed text; false if the program is not installed. */
static bool output_of(const char *program, const char *command, struct str *out)
{
    CLEANUP(str) struct str find = STR_INIT(256);
    char chunk[4096];
    size_t n = 0;

    str_addf(&find, "command -v %s >/dev/null 2>&1", program);
    if (system(str_text(&find)) != 0) { /* NOLINT(cert-env33-c): fixed text */
        print_message("skipped: %s is not installed\n", program);
        return false;
    }
    FILE *f = popen(command, "re"); /* NOLINT(cert-env33-c): fixed text */
    assert_non_null(f);
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        str_add_bytes(out, chunk, n);
    }
    (void)pclose(f); /* sysctl -a ends with 1 where a leaf refuses */
    assert_int_equal(out->error, 0);
    return true;
}

static const struct cell *at(const struct fact_table *t, size_t row, const char *column)
{
    int c = table_column(t->decl, column);

    assert_true(c >= 0);
    return &t->cells[row * t->decl->n_columns + (size_t)c];
}

static const char *text_at(const struct fact_table *t, size_t row, const char *column)
{
    const struct cell *c = at(t, row, column);
    return c->type == CELL_TEXT ? c->v.t.p : "(null)";
}

static int64_t int_at(const struct fact_table *t, size_t row, const char *column)
{
    const struct cell *c = at(t, row, column);
    return c->type == CELL_INT ? c->v.i : INT64_MIN;
}

/* Lines that only one side has are printed. */
static enum outcome compare_lines(struct strv *ours, const char *theirs)
{
    CLEANUP(strv) struct strv lines = {0};
    size_t i = 0;
    size_t k = 0;
    size_t differences = 0;

    for (const char *p = theirs; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        assert_int_equal(strv_add_n(&lines, p, n, NULL), 0);
        p += p[n] == '\n' ? n + 1 : n;
    }
    strv_sort(ours);
    strv_sort(&lines);
    while (i < ours->n || k < lines.n) {
        int order = i == ours->n ? 1 : k == lines.n ? -1 : strcmp(ours->items[i], lines.items[k]);
        if (order == 0) {
            i++;
            k++;
            continue;
        }
        differences++;
        print_error("%s %s\n", order < 0 ? "ours only:  " : "theirs only:",
                    order < 0 ? ours->items[i++] : lines.items[k++]);
    }
    return differences == 0 ? SAME : DIFFERENT;
}

static void add_line(struct strv *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add_line(struct strv *v, const char *fmt, ...)
{
    CLEANUP(free) char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    assert_true(vasprintf(&line, fmt, ap) >= 0);
    va_end(ap);
    assert_int_equal(strv_add(v, line, NULL), 0);
}

static enum outcome check_users(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(strv) struct strv ours = {0};
    CLEANUP(live) struct live l = {0};

    if (!output_of("getent", "getent -s files passwd | cut -d: -f1,3-", &theirs)) {
        return SKIPPED;
    }
    if (!look("users", HOST_SEES_ROOT, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        add_line(&ours, "%s:%" PRId64 ":%" PRId64 ":%s:%s:%s", text_at(l.table, i, "username"),
                 int_at(l.table, i, "uid"), int_at(l.table, i, "gid"),
                 text_at(l.table, i, "description"), text_at(l.table, i, "directory"),
                 text_at(l.table, i, "shell"));
    }
    return compare_lines(&ours, str_text(&theirs));
}
LIVE_TEST(users)

static enum outcome check_groups(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(strv) struct strv ours = {0};
    CLEANUP(live) struct live l = {0};

    if (!output_of("getent", "getent -s files group | cut -d: -f1,3", &theirs)) {
        return SKIPPED;
    }
    if (!look("groups", HOST_SEES_ROOT, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        add_line(&ours, "%s:%" PRId64, text_at(l.table, i, "groupname"), int_at(l.table, i, "gid"));
    }
    return compare_lines(&ours, str_text(&theirs));
}
LIVE_TEST(groups)

static enum outcome check_user_groups(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(strv) struct strv ours = {0};
    CLEANUP(live) struct live l = {0};

    /* id(1) asks the same files through the C library */
    if (!output_of("id",
                   "cut -d: -f1 /etc/passwd | while read -r u; do n=$(id -u \"$u\") || continue; "
                   "for g in $(id -G \"$u\"); do echo \"$n $g\"; done; done | sort -u",
                   &theirs)) {
        return SKIPPED;
    }
    if (!look("user_groups", HOST_SEES_ROOT, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        add_line(&ours, "%" PRId64 " %" PRId64, int_at(l.table, i, "uid"),
                 int_at(l.table, i, "gid"));
    }
    return compare_lines(&ours, str_text(&theirs));
}
LIVE_TEST(user_groups)

static enum outcome check_shadow(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(strv) struct strv ours = {0};
    CLEANUP(live) struct live l = {0};

    if (geteuid() != 0) {
        struct err e;
        assert_int_equal(host_open("/", &l.host, &e), 0);
        assert_int_equal(probe_run_local(&probe_system, l.host,
                                         (const char *const[]){"shadow", NULL}, NULL, 0, &l.facts,
                                         &e),
                         0);
        assert_int_equal(facts_find(&l.facts, "shadow")->state, STATE_DENIED);
        return SAME;
    }
    if (!output_of("getent",
                   "getent -s files shadow | cut -d: -f1,3-5 | sed 's/::/:-1:/g; s/:$/:-1/'",
                   &theirs)) {
        return SKIPPED;
    }
    if (!look("shadow", HOST_SEES_ROOT, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        add_line(&ours, "%s:%" PRId64 ":%" PRId64 ":%" PRId64, text_at(l.table, i, "username"),
                 int_at(l.table, i, "last_change"), int_at(l.table, i, "min"),
                 int_at(l.table, i, "max"));
    }
    return compare_lines(&ours, str_text(&theirs));
}
LIVE_TEST(shadow)

/* /proc/1/mounts is what mount(8) and osquery read. */
static enum outcome check_mounts(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(strv) struct strv ours = {0};
    CLEANUP(live) struct live l = {0};

    if (!output_of("sed", "sed 's/ [0-9]* [0-9]*$//; s/\\\\040/ /g' /proc/1/mounts", &theirs)) {
        return SKIPPED;
    }
    if (!look("mounts", HOST_SEES_PROC, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        add_line(&ours, "%s %s %s %s", text_at(l.table, i, "device"), text_at(l.table, i, "path"),
                 text_at(l.table, i, "type"), text_at(l.table, i, "flags"));
    }
    return compare_lines(&ours, str_text(&theirs));
}
LIVE_TEST(mounts)

/* findmnt(8) asks statfs for the root file system. */
static enum outcome check_mount_sizes(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(live) struct live l = {0};
    bool found = false;

    if (!output_of("findmnt", "findmnt -n -b -o SIZE,FSTYPE /", &theirs)) {
        return SKIPPED;
    }
    if (!look("mounts", HOST_SEES_PROC, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        if (strcmp(text_at(l.table, i, "path"), "/") != 0 ||
            at(l.table, i, "blocks")->type == CELL_NULL) {
            continue;
        }
        CLEANUP(str) struct str want = STR_INIT(256);
        CLEANUP(str) struct str seen = STR_INIT(OUTPUT_MAX);
        found = true;
        str_addf(&want, "%" PRId64 " %s",
                 int_at(l.table, i, "blocks") * int_at(l.table, i, "blocks_size"),
                 text_at(l.table, i, "type"));
        for (const char *p = str_text(&theirs) + strspn(str_text(&theirs), " "); *p != '\0'; p++) {
            if (*p != '\n' && !(*p == ' ' && p[1] == ' ')) {
                str_add_char(&seen, *p);
            }
        }
        assert_string_equal(str_text(&seen), str_text(&want));
    }
    if (!found) {
        print_message("skipped: the root file system's size is not asked for here\n");
        return SKIPPED;
    }
    return SAME;
}
LIVE_TEST(mount_sizes)

static enum outcome check_block_devices(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(strv) struct strv ours = {0};
    CLEANUP(live) struct live l = {0};

    /* -a: empty devices too; --list: each once */
    if (!output_of(
            "lsblk",
            "lsblk -a -b -n --list -p -o NAME,SIZE,LOG-SEC | sort -u | awk '{print $1,$2,$3}'",
            &theirs)) {
        return SKIPPED;
    }
    if (!look("block_devices", HOST_SEES_SYS, &l)) {
        return SKIPPED;
    }
    for (size_t i = 0; i < l.table->n_rows; i++) {
        /* lsblk shows mapped devices under the name of the mapping */
        if (strncmp(text_at(l.table, i, "name"), "/dev/dm-", 8) != 0) {
            add_line(&ours, "%s %" PRId64 " %" PRId64, text_at(l.table, i, "name"),
                     int_at(l.table, i, "size") * 512, int_at(l.table, i, "block_size"));
        }
    }
    CLEANUP(str) struct str rest = STR_INIT(OUTPUT_MAX);
    for (const char *p = str_text(&theirs); *p != '\0';) {
        size_t n = strcspn(p, "\n");
        if (strncmp(p, "/dev/mapper/", 12) != 0) {
            str_add_bytes(&rest, p, n);
            str_add_char(&rest, '\n');
        }
        p += p[n] == '\n' ? n + 1 : n;
    }
    return compare_lines(&ours, str_text(&rest));
}
LIVE_TEST(block_devices)

/* Values that change by themselves are compared by name only. */
static bool is_restless(const char *name)
{
    static const char *const starts[] = {"fs.dentry-state",
                                         "fs.file-nr",
                                         "fs.inode-",
                                         "kernel.random.",
                                         "kernel.ns_last_pid",
                                         "fs.aio-nr",
                                         "fs.quota.",
                                         "net.netfilter.nf_conntrack_count",
                                         "kernel.pty.nr",
                                         "vm.stat_refresh",
                                         "net.ipv4.tcp_fastopen_key",
                                         "kernel.sched_domain"};

    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return strstr(name, "stable_secret") != NULL;
}

/* Our value of a name; NULL if we have no such row. */
static const char *value_of(const struct fact_table *t, const char *name, size_t n)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        const char *ours = text_at(t, i, "name");
        if (strlen(ours) == n && memcmp(ours, name, n) == 0) {
            return text_at(t, i, "current_value");
        }
    }
    return NULL;
}

/* Every line that sysctl(8) prints must be ours; it leaves out what it cannot read, we do not. */
static enum outcome check_system_controls(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(live) struct live l = {0};
    size_t compared = 0;
    size_t differences = 0;

    if (!output_of("sysctl", "sysctl -a 2>/dev/null | tr '\\t' ' '", &theirs)) {
        return SKIPPED;
    }
    if (!look("system_controls", HOST_SEES_PROC | HOST_SEES_NET, &l)) {
        return SKIPPED;
    }
    for (const char *p = str_text(&theirs); *p != '\0';) {
        size_t line = strcspn(p, "\n");
        const char *sep = memmem(p, line, " =", 2);
        if (sep != NULL && strncmp(p, "fs.binfmt_misc.", 15) != 0) {
            size_t n = (size_t)(sep - p);
            const char *value = sep + 2 < p + line ? sep + 3 : sep + 2;
            size_t value_n = (size_t)(p + line - value);
            CLEANUP(free) char *name = strndup(p, n);
            const char *seen = value_of(l.table, p, n);
            assert_non_null(name);
            compared++;
            bool same =
                seen != NULL && (is_restless(name) || strstr(seen, "\\x0a") != NULL ||
                                 (strlen(seen) == value_n && memcmp(seen, value, value_n) == 0));
            if (!same) {
                differences++;
                print_error("%.*s: ours: %s\n", (int)line, p, seen != NULL ? seen : "no row");
            }
        }
        p += p[line] == '\n' ? line + 1 : line;
    }
    assert_true(compared > 100);
    return differences == 0 ? SAME : DIFFERENT;
}
LIVE_TEST(system_controls)

static enum outcome check_kernel_and_uptime(void)
{
    CLEANUP(live) struct live kernel = {0};
    CLEANUP(live) struct live up = {0};
    struct utsname u;
    struct timespec before;
    struct timespec after;

    assert_int_equal(uname(&u), 0);
    if (!look("kernel_info", 0, &kernel)) {
        return SKIPPED;
    }
    assert_string_equal(text_at(kernel.table, 0, "version"), u.release);
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &before), 0);
    if (!look("uptime", 0, &up)) {
        return SKIPPED;
    }
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &after), 0);
    int64_t total = int_at(up.table, 0, "total_seconds");
    assert_true(total >= before.tv_sec && total <= after.tv_sec);
    assert_int_equal(total,
                     ((int_at(up.table, 0, "days") * 24 + int_at(up.table, 0, "hours")) * 60 +
                      int_at(up.table, 0, "minutes")) *
                             60 +
                         int_at(up.table, 0, "seconds"));
    return SAME;
}
LIVE_TEST(kernel_and_uptime)

static enum outcome check_time(void)
{
    CLEANUP(live) struct live l = {0};
    char want[64];
    struct tm tm;

    time_t before = time(NULL);
    if (!look("time", 0, &l)) {
        return SKIPPED;
    }
    time_t seen = (time_t)int_at(l.table, 0, "unix_time");
    assert_true(seen >= before && seen <= time(NULL));
    assert_non_null(gmtime_r(&seen, &tm));
    assert_true(strftime(want, sizeof(want), "%FT%TZ", &tm) > 0);
    assert_string_equal(text_at(l.table, 0, "iso_8601"), want);
    assert_true(strftime(want, sizeof(want), "%a %b %e %T %Y UTC", &tm) > 0);
    assert_string_equal(text_at(l.table, 0, "timestamp"), want);
    assert_true(strftime(want, sizeof(want), "%A", &tm) > 0);
    assert_string_equal(text_at(l.table, 0, "weekday"), want);
    return SAME;
}
LIVE_TEST(time)

/* The zone's name as the C library gives it. */
static enum outcome check_local_timezone(void)
{
    CLEANUP(live) struct live l = {0};
    char want[64];
    struct tm tm;

    if (!look("time", 0, &l)) {
        return SKIPPED;
    }
    if (at(l.table, 0, "local_timezone")->type == CELL_NULL) {
        print_message("skipped: the zone is hidden, or its rule is not evaluated\n");
        return SKIPPED;
    }
    time_t seen = (time_t)int_at(l.table, 0, "unix_time");
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
    assert_non_null(localtime_r(&seen, &tm));
    assert_true(strftime(want, sizeof(want), "%Z", &tm) > 0);
    assert_string_equal(text_at(l.table, 0, "local_timezone"), want);
    return SAME;
}
LIVE_TEST(local_timezone)

static enum outcome check_system_info(void)
{
    CLEANUP(str) struct str cpus = STR_INIT(OUTPUT_MAX);
    CLEANUP(live) struct live l = {0};
    char name[256];

    if (!output_of("grep", "grep -c '^processor' /proc/cpuinfo", &cpus)) {
        return SKIPPED;
    }
    if (!look("system_info", HOST_SEES_PROC | HOST_SEES_SYS, &l)) {
        return SKIPPED;
    }
    assert_int_equal(gethostname(name, sizeof(name)), 0);
    assert_string_equal(text_at(l.table, 0, "hostname"), name);
    assert_int_equal(int_at(l.table, 0, "cpu_logical_cores"), atoi(str_text(&cpus)));
    int64_t bytes = sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(int_at(l.table, 0, "physical_memory"), bytes);
    return SAME;
}
LIVE_TEST(system_info)

static enum outcome check_os_version(void)
{
    CLEANUP(str) struct str theirs = STR_INIT(OUTPUT_MAX);
    CLEANUP(live) struct live l = {0};

    if (io_exists("/etc/redhat-release") || io_exists("/etc/gentoo-release")) {
        print_message("skipped: this family's own file counts\n");
        return SKIPPED;
    }
    if (!output_of("sh",
                   "sh -c '. /etc/os-release; printf \"%s|%s|%s\" \"${NAME-Linux}\" \"$VERSION\" "
                   "\"${ID-linux}\"'",
                   &theirs)) {
        return SKIPPED;
    }
    if (!look("os_version", HOST_SEES_ROOT, &l)) {
        return SKIPPED;
    }
    CLEANUP(strv) struct strv ours = {0};
    add_line(&ours, "%s|%s|%s", text_at(l.table, 0, "name"), text_at(l.table, 0, "version"),
             text_at(l.table, 0, "platform"));
    assert_string_equal(ours.items[0], str_text(&theirs));
    return SAME;
}
LIVE_TEST(os_version)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_user_groups),
        cmocka_unit_test(test_shadow),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_mount_sizes),
        cmocka_unit_test(test_block_devices),
        cmocka_unit_test(test_system_controls),
        cmocka_unit_test(test_kernel_and_uptime),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_local_timezone),
        cmocka_unit_test(test_system_info),
        cmocka_unit_test(test_os_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
