/* agent/base/host_sight.c, on the machine that runs the tests: each row goes into other namespaces
 * or spoils /proc, /sys, /dev there, and what can no longer be known must no longer be seen. Rows
 * that this machine or user cannot set up are left out and counted. */
#include "tests/agent/base/unit.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "agent/base/host.h"

#define CANNOT 77 /* exit code of a child that could not set its row up */

static unsigned look(void)
{
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    return host_open("/", &h, &e) == 0 ? host_sights(h) : 0x40;
}

/* A mount namespace of our own in which nothing spreads to the outside. */
static bool own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool nothing(const char *dir)
{
    (void)dir;
    return true;
}

static bool other_mounts(const char *dir)
{
    (void)dir;
    return own_mounts();
}

static bool other_net(const char *dir)
{
    (void)dir;
    return unshare(CLONE_NEWNET) == 0;
}

static bool other_user(const char *dir)
{
    (void)dir;
    return unshare(CLONE_NEWUSER) == 0;
}

static bool other_sysfs(const char *dir)
{
    (void)dir;
    return own_mounts() && unshare(CLONE_NEWNET) == 0 && mount("x", "/sys", "sysfs", 0, NULL) == 0;
}

static bool covered_directory(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("x", "/proc/bus", "tmpfs", 0, NULL) == 0;
}

static bool covered_file(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("/etc/passwd", "/proc/swaps", NULL, MS_BIND, NULL) == 0;
}

static bool crossed_file(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("/proc/uptime", "/proc/swaps", NULL, MS_BIND, NULL) == 0;
}

/* What container engines do to protect /proc/sys: the content stays true. */
static bool read_only_sysctl(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL) == 0;
}

static bool subset_of_proc(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("x", "/proc", "proc", 0, "subset=pid") == 0;
}

static bool no_proc(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("x", "/proc", "tmpfs", 0, NULL) == 0;
}

static bool covered_sys(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("x", "/sys/block", "tmpfs", 0, NULL) == 0;
}

static bool private_dev(const char *dir)
{
    (void)dir;
    return own_mounts() && mount("x", "/dev", "tmpfs", 0, NULL) == 0;
}

static bool covered_mapper(const char *dir)
{
    (void)dir; /* only where it is: /dev is shared with the machine, nothing is made there */
    return access("/dev/mapper", F_OK) == 0 && own_mounts() &&
           mount("x", "/dev/mapper", "tmpfs", 0, NULL) == 0;
}

static bool bare_chroot(const char *dir)
{
    return chroot(dir) == 0 && chdir("/") == 0;
}

/* A chroot with the host's /proc, /sys and /dev: processes and devices are the host's, files not.
 */
static bool furnished_chroot(const char *dir)
{
    static const char *const names[] = {"/proc", "/sys", "/dev"};
    if (!own_mounts()) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (mkdir(in_dir(dir, names[i]), 0755) != 0 ||
            mount(names[i], in_dir(dir, names[i]), NULL, MS_BIND, NULL) != 0) {
            return false;
        }
    }
    return bare_chroot(dir);
}

struct row {
    bool (*prepare)(const char *dir);
    unsigned loses;
    const char *why;
};

static const struct row rows[] = {
    {nothing, 0, "left as it is"},
    {other_mounts, HOST_SEES_ROOT, "another mount namespace"},
    {other_net, HOST_SEES_NET, "another network namespace"},
    {other_user, HOST_SEES_ALL, "another user namespace"},
    {other_sysfs, HOST_SEES_ROOT | HOST_SEES_NET | HOST_SEES_SYS, "a sysfs of another namespace"},
    {covered_directory, HOST_SEES_ALL, "a tmpfs inside /proc"},
    {covered_file, HOST_SEES_ALL, "a file bound over /proc/swaps"},
    {crossed_file, HOST_SEES_ALL, "another file of /proc bound over /proc/swaps"},
    {read_only_sysctl, HOST_SEES_ROOT, "/proc/sys bound onto itself shows the same"},
    {subset_of_proc, HOST_SEES_ALL, "a /proc without its files"},
    {no_proc, HOST_SEES_ALL, "no /proc at all"},
    {covered_sys, HOST_SEES_ROOT | HOST_SEES_SYS, "a tmpfs inside /sys"},
    {private_dev, HOST_SEES_ROOT | HOST_SEES_DEV, "a /dev of its own"},
    {covered_mapper, HOST_SEES_ROOT | HOST_SEES_DEV, "/dev/mapper covered"},
    {bare_chroot, HOST_SEES_ALL, "a chroot without /proc"},
    {furnished_chroot, HOST_SEES_ROOT, "a chroot with the host's /proc, /sys, /dev"},
};

/* In a child: the sights left, as exit code; or CANNOT. */
static int in_child(const struct row *row, const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(row->prepare(dir) ? (int)look() : CANNOT);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    CHECK_ROW(row->why, WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_what_is_lost(void **state)
{
    (void)state;
    unsigned before = look();
    size_t done = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *dir = NULL;
        assert_int_equal(scratch_setup(&dir), 0);
        int left = in_child(&rows[i], dir);
        if (left != CANNOT) {
            done++;
            if ((unsigned)left != (before & ~rows[i].loses)) {
                fail_msg("%s: %#x of %#x left, %#x expected", rows[i].why, (unsigned)left, before,
                         before & ~rows[i].loses);
            }
        }
        (void)scratch_teardown(&dir);
    }
    print_message("%zu of %zu rows could be set up, seen before: %#x\n", done, ARRAY_LEN(rows),
                  before);
    assert_true(done > 0);
    assert_int_equal(look(), before); /* nothing spread to us */
}

/* A pid namespace begins with the next child. */
static void test_other_processes(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWPID) != 0) {
            _exit(CANNOT);
        }
        pid_t inner = fork();
        if (inner == 0) {
            _exit((int)look());
        }
        int status = 0;
        bool ok = waitpid(inner, &status, 0) == inner && WIFEXITED(status);
        _exit(ok ? WEXITSTATUS(status) : 0x7f);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        skip(); /* needs root */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Where all is seen, the answers fit together. */
static void test_live_host_is_coherent(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open("/", &h, &e), 0);
    assert_true(host_is_live(h));
    assert_int_equal(host_hidden(h, HOST_SEES_ALL) == NULL, host_sights(h) == HOST_SEES_ALL);
    assert_int_equal(host_is_whole(h, "/etc"), (host_sights(h) & HOST_SEES_ROOT) != 0);
    assert_int_equal(host_is_whole(h, "/sys/block"), (host_sights(h) & HOST_SEES_SYS) != 0);
    assert_int_equal(host_is_whole(h, "/dev"), (host_sights(h) & HOST_SEES_DEV) != 0);
}

/* hidepid: to an ordinary user other processes do not exist; that is denied, never absent. */
static int hidden_processes(void)
{
    if (geteuid() != 0 || !own_mounts() || mount("x", "/proc", "proc", 0, "hidepid=2") != 0 ||
        setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) {
        return CANNOT;
    }
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(str) struct str s = STR_INIT(100000);
    if (host_open("/", &h, &e) != 0 || host_sights(h) != 0) {
        return 1;
    }
    return host_read(h, "/proc/1/mountinfo", 100000, &s, &e) == ERR_DENIED ? 0 : 2;
}

static void test_hidden_processes_are_denied(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(hidden_processes());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        skip(); /* needs root */
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_lost),
        cmocka_unit_test(test_other_processes),
        cmocka_unit_test(test_live_host_is_coherent),
        cmocka_unit_test(test_hidden_processes_are_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
