/* The rows of system calls, and the filters made of them. That filters hold is shown in
 * tests/sandbox; here, that no row opens what none may.
 * Covers agent/scan/filter.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/scan/filter.h"

static const char *const never[] = {
    "execve",
    "execveat",
    "fork",
    "vfork",
    "clone",
    "clone3",
    "ptrace",
    "kill",
    "bpf",
    "userfaultfd",
    "unlink",
    "unlinkat",
    "rename",
    "renameat2",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmodat",
    "fchownat",
    "truncate",
    "ftruncate",
    "pwrite64",
    "pwritev",
    "sendfile",
    "splice",
    "copy_file_range",
    "mount",
    "umount2",
    "move_mount",
    "setns",
    "unshare",
    "pivot_root",
    "chroot",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "reboot",
    "swapon",
    "swapoff",
    "settimeofday",
    "clock_settime",
    "sethostname",
    "setuid",
    "setresuid",
    "setgroups",
    "prctl",
    "process_vm_readv",
    "process_vm_writev",
    "perf_event_open",
    "add_key",
    "keyctl",
    "request_key",
    "io_uring_setup",
    "open_by_handle_at",
    "name_to_handle_at",
    "memfd_create",
    "bind",
    "listen",
    "accept4",
    "setsid",
    "openat",
    "open",
};

static void test_no_row_allows_what_none_may(void **state UNUSED)
{
    size_t n = 0;
    const struct syscall_set *sets = syscall_set_all(&n);
    assert_true(n > 5);
    for (size_t i = 0; i < n; i++) {
        assert_true(sets[i].name[0] == '@' && strlen(sets[i].why) > 10);
        for (size_t k = 0; k < sets[i].n; k++) {
            const struct syscall_entry *entry = &sets[i].list[k];
            for (size_t b = 0; b < ARRAY_LEN(never); b++) {
                /* the one exception: directories, by flags that the filter sees */
                bool directories =
                    strcmp(entry->name, "openat") == 0 && entry->when == WHEN_BITS &&
                    entry->mask == (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY | O_TMPFILE) &&
                    entry->value == O_DIRECTORY;
                if (strcmp(entry->name, never[b]) == 0 && !entry->refuse && !directories) {
                    fail_msg("%s allows %s", sets[i].name, never[b]);
                }
            }
            if (strcmp(entry->name, "ioctl") == 0 || strcmp(entry->name, "socket") == 0 ||
                strcmp(entry->name, "write") == 0 || strcmp(entry->name, "fcntl") == 0) {
                assert_int_equal(entry->when, WHEN_EQUAL); /* only ever for a named argument */
            }
        }
    }
}

static void test_every_row_makes_a_filter(void **state UNUSED)
{
    size_t n = 0;
    const struct syscall_set *sets = syscall_set_all(&n);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(filter) struct filter f = {.insns = NULL};
        struct err e = {.code = 0};
        const char *groups[] = {SYSCALLS_BASE, sets[i].name};
        if (filter_build(groups, 2, &f, &e) != 0) {
            fail_msg("%s: %s", sets[i].name, e.msg);
        }
        assert_true(f.n > 10);
        CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
        assert_int_equal(filter_names(groups, 2, &names, &e), 0);
        assert_true(strv_has(&names, "exit_group"));
        assert_true(strv_has(&names, "write (some)"));
        assert_false(strv_has(&names, "openat")); /* refused is not allowed */
    }
}

static void test_unknown_group(void **state UNUSED)
{
    struct filter f = {.insns = NULL};
    struct err e;
    const char *groups[] = {SYSCALLS_BASE, "@file-raed"};
    assert_int_equal(filter_build(groups, 2, &f, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "@file-raed"));
    assert_null(f.insns);
}

/* One row refuses a call, another allows it: allowed, in either order. */
static void test_allowed_beats_refused(void **state UNUSED)
{
    const char *const orders[][2] = {{SYSCALLS_BASE, "@ioctl-block"},
                                     {"@ioctl-block", SYSCALLS_BASE}};
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        CLEANUP(filter) struct filter f = {.insns = NULL};
        struct err e;
        assert_int_equal(filter_build(orders[i], 2, &f, &e), 0);
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || filter_install(&f) != 0) {
                syscall(SYS_exit_group, 1);
            }
            long block = syscall(SYS_ioctl, -1, 0x80081272UL, NULL); /* BLKGETSIZE64 */
            bool reached = block == -1 && errno == EBADF;
            long tty = syscall(SYS_ioctl, -1, 0x5401UL, NULL); /* TCGETS */
            bool refused = tty == -1 && errno == EACCES;
            syscall(SYS_exit_group, reached && refused ? 0 : 2);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_row_allows_what_none_may),
        cmocka_unit_test(test_every_row_makes_a_filter),
        cmocka_unit_test(test_unknown_group),
        cmocka_unit_test(test_allowed_beats_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
