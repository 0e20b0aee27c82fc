/* agent/base/io.c */
#include "tests/agent/base/unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "agent/base/io.h"

static void test_reads_whole_files(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    const char *path = in_dir(dir, "f");
    put_bytes(path, "a\0b\n", 4, 0600);
    CLEANUP(str) struct str s = STR_INIT(100);
    str_add(&s, "<");
    assert_int_equal(io_read_file(path, 4, &s, &e), 0); /* exactly the limit is good */
    assert_int_equal(s.len, 5);
    assert_memory_equal(s.data, "<a\0b\n", 5);
    assert_int_equal(io_read_file(path, 3, &s, &e), ERR_TRUNCATED);
    assert_non_null(strstr(e.msg, path));
    put_text(path, "");
    str_clear(&s);
    assert_int_equal(io_read_file(path, 0, &s, &e), 0);
    assert_int_equal(s.len, 0);
}

static void test_odd_things_in_place_of_a_file(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(100);
    const char *fifo = in_dir(dir, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(io_read_file(fifo, 10, &s, &e), ERR_IO); /* and does not block */
    assert_int_equal(io_read_file(dir, 10, &s, &e), ERR_IO);
    assert_int_equal(io_read_file(in_dir(dir, "none"), 10, &s, &e), ERR_ABSENT);
    assert_int_equal(io_read_file(in_dir(dir, "fifo/x"), 10, &s, &e), ERR_ABSENT);
    assert_int_equal(s.len, 0);
}

static void test_replaces_atomically(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    const char *path = in_dir(dir, "state");
    mode_t before = umask(077); /* must not matter */
    assert_int_equal(io_write_atomic(path, "one", 3, 0644, &e), 0);
    assert_int_equal(io_write_atomic(path, "second", 6, 0640, &e), 0);
    (void)umask(before);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    CLEANUP(str) struct str s = STR_INIT(100);
    assert_int_equal(io_read_file(path, 100, &s, &e), 0);
    assert_string_equal(str_text(&s), "second");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* no temporary file was left */
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(io_write_atomic(in_dir(dir, "no/such"), "x", 1, 0644, &e), ERR_ABSENT);
}

/* Runs in a child of its own: the limit on file sizes stands for a full disk. */
static int write_beyond_limit(const char *path)
{
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = 4096};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0 || sigaction(SIGXFSZ, &ignore, NULL) != 0) {
        return 90;
    }
    static char big[20000];
    memset(big, 'x', sizeof(big));
    struct err e = {0};
    int rc = io_write_atomic(path, big, sizeof(big), 0644, &e);
    return rc == ERR_IO && e.sys_errno == EFBIG ? 0 : 91;
}

static void test_full_disk_leaves_the_old_file(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    const char *path = in_dir(dir, "state");
    assert_int_equal(io_write_atomic(path, "old", 3, 0644, &e), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(write_beyond_limit(path));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    CLEANUP(str) struct str s = STR_INIT(100);
    assert_int_equal(io_read_file(path, 100, &s, &e), 0);
    assert_string_equal(str_text(&s), "old");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing hidden was left either */
    assert_int_equal(mkdir(dir, 0700), 0);
}

static void test_lists_sorted(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    static const char *const names[] = {"b.yaml", "a.yaml", ".hidden.yaml", "c.yml", "yaml"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        put_text(in_dir(dir, names[i]), "");
    }
    CLEANUP(strv) struct strv v = {0};
    assert_int_equal(strv_add(&v, "old", &e), 0);
    assert_int_equal(io_list(dir, ".yaml", &v, &e), 0);
    assert_int_equal(v.n, 2);
    assert_string_equal(v.items[0], "a.yaml");
    assert_string_equal(v.items[1], "b.yaml");
    assert_int_equal(io_list(in_dir(dir, "none"), "", &v, &e), ERR_ABSENT);
    assert_int_equal(v.n, 2); /* untouched */
}

static void test_makes_directories(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    mode_t before = umask(0777);
    assert_int_equal(io_make_dir(in_dir(dir, "a//b/c/"), 0750, &e), 0);
    (void)umask(before);
    struct stat st;
    assert_int_equal(stat(in_dir(dir, "a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(io_make_dir(in_dir(dir, "a/b"), 0700, &e), 0);
    assert_int_equal(stat(in_dir(dir, "a/b"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750); /* what was there is left as it was */
    put_text(in_dir(dir, "file"), "");
    assert_int_equal(io_make_dir(in_dir(dir, "file"), 0700, &e), ERR_IO);
    assert_int_equal(io_make_dir(in_dir(dir, "file/x"), 0700, &e), ERR_IO);
    assert_true(io_exists(in_dir(dir, "file")));
    assert_false(io_exists(in_dir(dir, "none")));
}

static void test_write_reports_a_closed_pipe(void **state)
{
    (void)state;
    struct err e = {0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    assert_int_equal(sigaction(SIGPIPE, &ignore, &before), 0);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(io_write_all(fds[1], "x", 1, &e), 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(io_write_all(fds[1], "x", 1, &e), ERR_IO);
    assert_int_equal(e.sys_errno, EPIPE);
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
}

#define SCRATCH_TEST(fn) cmocka_unit_test_setup_teardown(fn, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_reads_whole_files),
        SCRATCH_TEST(test_odd_things_in_place_of_a_file),
        SCRATCH_TEST(test_replaces_atomically),
        SCRATCH_TEST(test_full_disk_leaves_the_old_file),
        SCRATCH_TEST(test_lists_sorted),
        SCRATCH_TEST(test_makes_directories),
        cmocka_unit_test(test_write_reports_a_closed_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
