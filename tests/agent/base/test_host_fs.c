/* What host_statfs says, against statfs(2) and stat(2) themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <cmocka.h>

#include "agent/base/host.h"

static void test_same_as_statfs(void **state)
{
    static const char *const paths[] = {"/", "/proc", "/proc/self/status", "/sys", "/dev/null"};
    CLEANUP(host) struct host *h = NULL;
    struct err e;

    (void)state;
    assert_int_equal(host_open("/", &h, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct host_fs seen;
        struct statfs fs;
        struct stat st;
        assert_int_equal(statfs(paths[i], &fs), 0);
        assert_int_equal(stat(paths[i], &st), 0);
        assert_int_equal(host_statfs(h, paths[i], &seen, &e), 0);
        assert_int_equal(seen.type, (uint32_t)fs.f_type);
        assert_int_equal(seen.block_size, fs.f_bsize);
        assert_int_equal(seen.blocks, fs.f_blocks);
        assert_int_equal(seen.inodes, fs.f_files);
        assert_int_equal(seen.dev_major, major(st.st_dev));
        assert_int_equal(seen.dev_minor, minor(st.st_dev));
    }
}

static void test_errors(void **state)
{
    CLEANUP(host) struct host *h = NULL;
    struct host_fs seen = {.blocks = 7};
    struct err e;

    (void)state;
    assert_int_equal(host_open("/", &h, &e), 0);
    assert_int_equal(host_statfs(h, "proc", &seen, &e), ERR_INVALID);
    assert_int_equal(host_statfs(h, "/proc/nothing-of-that-name", &seen, &e), ERR_ABSENT);
    assert_int_equal(seen.blocks, 7); /* untouched on failure */
}

/* A path is the tree's, also one that would lead out of it. */
static void test_inside_a_tree(void **state)
{
    CLEANUP(host) struct host *h = NULL;
    struct host_fs tree;
    struct host_fs above;
    struct err e;

    (void)state;
    assert_int_equal(host_open(TENKEN_SOURCE_DIR, &h, &e), 0);
    assert_int_equal(host_statfs(h, "/", &tree, &e), 0);
    assert_int_equal(host_statfs(h, "/../../../..", &above, &e), 0);
    assert_int_equal(above.type, tree.type);
    assert_int_equal(above.dev_minor, tree.dev_minor);
    assert_int_equal(host_statfs(h, "/../../../../../../proc/self", &above, &e), ERR_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_statfs),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_inside_a_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
