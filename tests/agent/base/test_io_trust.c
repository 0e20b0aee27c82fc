/* agent/base/io_trust.c */
#include "tests/agent/base/unit.h"

#include "agent/base/io.h"

/* DIR/etc/site.yaml, all well. */
static const char *make_good(const char *dir)
{
    assert_int_equal(mkdir(in_dir(dir, "etc"), 0755), 0);
    put_text(in_dir(dir, "etc/site.yaml"), "ok\n");
    return in_dir(dir, "etc/site.yaml");
}

static void test_good_file_is_read(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    const char *path = make_good(dir);
    assert_int_equal(io_check_trusted(path, &e), 0); /* /tmp above is sticky and root's */
    CLEANUP(str) struct str s = STR_INIT(100);
    assert_int_equal(io_read_trusted(path, 100, &s, &e), 0);
    assert_string_equal(str_text(&s), "ok\n");
    assert_int_equal(io_read_trusted(path, 2, &s, &e), ERR_TRUNCATED);
    assert_int_equal(io_read_trusted(in_dir(dir, "etc"), 100, &s, &e), ERR_IO);
    assert_int_equal(io_read_trusted(in_dir(dir, "none"), 100, &s, &e), ERR_ABSENT);
}

/* Each row spoils one thing; the message must name it and how to mend it. */
static void test_each_spoiled_object_is_named(void **state)
{
    static const struct {
        const char *object;
        mode_t mode;
        const char *why;
    } rows[] = {
        {"etc/site.yaml", 0666, "file writable by all"},
        {"etc/site.yaml", 0664, "file writable by its group"},
        {"etc", 0777, "directory writable by all"},
        {"etc", 0775, "directory writable by its group"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *dir = *state;
        struct err e = {0};
        char path[PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s", make_good(dir));
        char object[PATH_MAX];
        (void)snprintf(object, sizeof(object), "%s", in_dir(dir, rows[i].object));
        assert_int_equal(chmod(object, rows[i].mode), 0);
        CHECK_ROW(rows[i].why, io_check_trusted(path, &e) == ERR_UNSAFE);
        char cure[PATH_MAX + 32];
        (void)snprintf(cure, sizeof(cure), "chmod go-w '%s'", object);
        CHECK_ROW(rows[i].why, strstr(e.msg, cure) != NULL);
        CLEANUP(str) struct str s = STR_INIT(100);
        CHECK_ROW(rows[i].why, io_read_trusted(path, 100, &s, &e) == ERR_UNSAFE);
        CHECK_ROW(rows[i].why, s.len == 0);
        (void)nftw(in_dir(dir, "etc"), scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static void test_sticky_counts_above_only(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    const char *path = make_good(dir);
    assert_int_equal(chmod(in_dir(dir, "etc"), 01777), 0);
    /* above a file a sticky directory is as good as its owner: root's is good, ours is not if we
     * are not root */
    assert_int_equal(io_check_trusted(path, &e), geteuid() == 0 ? 0 : ERR_UNSAFE);
    /* as the thing itself (a directory of policies) it is not: anybody can add a file */
    assert_int_equal(io_check_trusted(in_dir(dir, "etc"), &e), ERR_UNSAFE);
}

static void test_foreign_owner_is_named(void **state)
{
    if (geteuid() != 0) {
        skip(); /* only root can give files away */
    }
    const char *dir = *state;
    struct err e = {0};
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s", make_good(dir));
    assert_int_equal(chown(path, 65534, 0), 0);
    assert_int_equal(io_check_trusted(path, &e), ERR_UNSAFE);
    assert_non_null(strstr(e.msg, "belongs to user 65534"));
    assert_non_null(strstr(e.msg, "chown -- root"));
    assert_int_equal(chown(path, 0, 0), 0);
    assert_int_equal(chown(in_dir(dir, "etc"), 65534, 0), 0);
    assert_int_equal(io_check_trusted(path, &e), ERR_UNSAFE);
    assert_non_null(strstr(e.msg, "/etc: directory belongs to user 65534"));
}

static void test_links_are_followed_with_open_eyes(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    (void)make_good(dir);
    assert_int_equal(mkdir(in_dir(dir, "open"), 0755), 0);
    put_text(in_dir(dir, "open/other.yaml"), "other\n");
    assert_int_equal(symlink("../open/other.yaml", in_dir(dir, "etc/rel.yaml")), 0);
    assert_int_equal(symlink(in_dir(dir, "open"), in_dir(dir, "etc/abs")), 0);
    CLEANUP(str) struct str s = STR_INIT(100);
    assert_int_equal(io_read_trusted(in_dir(dir, "etc/rel.yaml"), 100, &s, &e), 0);
    assert_int_equal(io_read_trusted(in_dir(dir, "etc/abs/other.yaml"), 100, &s, &e), 0);
    assert_string_equal(str_text(&s), "other\nother\n");
    /* the link lies in a good directory, what it leads through does not */
    assert_int_equal(chmod(in_dir(dir, "open"), 0777), 0);
    assert_int_equal(io_check_trusted(in_dir(dir, "etc/rel.yaml"), &e), ERR_UNSAFE);
    assert_non_null(strstr(e.msg, "/open: directory can be written by others"));
    assert_int_equal(io_check_trusted(in_dir(dir, "etc/abs/other.yaml"), &e), ERR_UNSAFE);
    assert_int_equal(io_check_trusted(in_dir(dir, "etc/abs/../etc/site.yaml"), &e), ERR_UNSAFE);
    assert_int_equal(symlink("loop", in_dir(dir, "etc/loop")), 0);
    assert_int_equal(io_check_trusted(in_dir(dir, "etc/loop"), &e), ERR_UNSAFE);
    assert_int_equal(symlink("nowhere", in_dir(dir, "etc/dangling")), 0);
    assert_int_equal(io_check_trusted(in_dir(dir, "etc/dangling"), &e), ERR_ABSENT);
}

static void test_relative_paths(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    (void)make_good(dir);
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(in_dir(dir, "etc")), 0);
    CLEANUP(str) struct str s = STR_INIT(100);
    int plain = io_read_trusted("site.yaml", 100, &s, &e);
    int dots = io_read_trusted("./../etc//site.yaml", 100, &s, &e);
    assert_int_equal(chmod(dir, 0777), 0);
    int spoiled = io_check_trusted("site.yaml", &e);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(plain, 0);
    assert_int_equal(dots, 0);
    assert_int_equal(spoiled, ERR_UNSAFE); /* directories above the working directory count */
}

#define SCRATCH_TEST(fn) cmocka_unit_test_setup_teardown(fn, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_good_file_is_read),
        SCRATCH_TEST(test_each_spoiled_object_is_named),
        SCRATCH_TEST(test_sticky_counts_above_only),
        SCRATCH_TEST(test_foreign_owner_is_named),
        SCRATCH_TEST(test_links_are_followed_with_open_eyes),
        SCRATCH_TEST(test_relative_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
