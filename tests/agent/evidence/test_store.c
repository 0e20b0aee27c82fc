/* Durable files: whole or not at all, links not followed, left-overs removed. */
#include <fcntl.h>

#include "tests/agent/evidence/sample.h"

#include "agent/evidence/store.h"

static void test_create_never_replaces(void **state)
{
    (void)state;
    char dir[64], path[128];
    CLEANUP(str) struct str text = STR_INIT(64);
    scratch_make(dir);
    (void)snprintf(path, sizeof(path), "%s/a", dir);
    OK(store_create(path, "one", 3, 0600, e));
    FAILS(ERR_BUSY, store_create(path, "two", 3, 0600, e));
    OK(store_read_private(path, 64, &text, e));
    assert_string_equal(str_text(&text), "one");
    assert_int_equal(chmod(path, 0640), 0);
    FAILS(ERR_UNSAFE, store_read_private(path, 64, &text, e));
    FAILS(ERR_ABSENT, store_create("/nonexistent/a", "x", 1, 0600, e));
    scratch_remove(dir);
}

static void test_read_at_follows_nothing(void **state)
{
    (void)state;
    char dir[64], path[128];
    CLEANUP(str) struct str text = STR_INIT(64);
    scratch_make(dir);
    CLEANUP(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    OK(io_write_atomic(path, "content", 7, 0600, e));
    (void)snprintf(path, sizeof(path), "%s/link", dir);
    assert_int_equal(symlink("file", path), 0);
    (void)snprintf(path, sizeof(path), "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    OK(store_read_at(fd, dir, "file", 64, &text, e));
    assert_string_equal(str_text(&text), "content");
    FAILS(ERR_TRUNCATED, store_read_at(fd, dir, "file", 6, &text, e));
    FAILS(ERR_IO, store_read_at(fd, dir, "link", 64, &text, e));
    FAILS(ERR_MALFORMED, store_read_at(fd, dir, "fifo", 64, &text, e)); /* and does not block */
    FAILS(ERR_MALFORMED, store_read_at(fd, dir, ".", 64, &text, e));
    FAILS(ERR_ABSENT, store_read_at(fd, dir, "none", 64, &text, e));
    scratch_remove(dir);
}

static void test_clean(void **state)
{
    (void)state;
    static const char *const files[] = {"a.tmp", "b", "half.tmp/chain.json", "half.tmp/x.tmp",
                                        "whole/c.tmp"};
    char dir[64], path[128];
    scratch_make(dir);
    (void)snprintf(path, sizeof(path), "%s/half.tmp", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/whole", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        OK(io_write_atomic(path, "x", 1, 0600, e));
    }
    (void)snprintf(path, sizeof(path), "%s/link.tmp", dir);
    assert_int_equal(symlink("whole", path), 0);
    CLEANUP(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OK(store_clean(fd, dir, e));
    CLEANUP(strv) struct strv names = {0};
    OK(store_list(fd, dir, &names, e));
    assert_int_equal(names.n, 2); /* b, whole */
    (void)snprintf(path, sizeof(path), "%s/whole/c.tmp", dir);
    assert_true(io_exists(path)); /* neither the link nor the directory was followed */
    OK(store_clean(fd, dir, e));
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_never_replaces),
        cmocka_unit_test(test_read_at_follows_nothing),
        cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
