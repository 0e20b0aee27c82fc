/* Directories and links without openat2: what is there, and no way out of the tree. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/host.h"

static void make_tree(char root[64])
{
    char path[PATH_MAX];
    (void)snprintf(root, 64, "/tmp/tenken-links-XXXXXX");
    assert_non_null(mkdtemp(root));
    (void)snprintf(path, sizeof(path), "%s/dir", root);
    assert_int_equal(mkdir(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/dir/link", root);
    assert_int_equal(symlink("/usr/sbin/somewhere (deleted)", path), 0);
    (void)snprintf(path, sizeof(path), "%s/out", root);
    assert_int_equal(symlink("/proc", path), 0);
}

static void remove_tree(const char *root)
{
    static const char *const names[] = {"dir/link", "dir", "out", ""};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        assert_int_equal(remove(path), 0);
    }
}

static void test_links(void **state UNUSED)
{
    static const struct {
        const char *dir, *name;
        int want;
        const char *text, *why;
    } rows[] = {
        {"/dir", "link", 0, "/usr/sbin/somewhere (deleted)", "the link's text as it stands"},
        {"/dir", "none", ERR_ABSENT, "", "no such link"},
        {"/", "dir", ERR_INVALID, "", "a directory is no link"},
        {"/out/self", "exe", ERR_INVALID, "", "a component that is a link leads nowhere"},
        {"/dir/..", "dir", ERR_INVALID, "", "no way up"},
        {"/nothing", "x", ERR_ABSENT, "", "no such directory"},
    };
    char root[64];
    CLEANUP(host) struct host *h = NULL;
    struct err e = {.code = 0};
    make_tree(root);
    assert_int_equal(host_open(root, &h, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str out = STR_INIT(PATH_MAX);
        int rc = host_links_read(h, rows[i].dir, rows[i].name, &out, &e);
        if (rc != rows[i].want || strcmp(str_text(&out), rows[i].text) != 0) {
            fail_msg("%s: got %d \"%s\"", rows[i].why, rc, str_text(&out));
        }
    }
    remove_tree(root);
}

static void test_names_are_sorted_and_bounded(void **state UNUSED)
{
    char root[64];
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(strv) struct strv names = {.items = NULL};
    struct err e = {.code = 0};
    make_tree(root);
    assert_int_equal(host_open(root, &h, &e), 0);
    assert_int_equal(host_links_list(h, "/", 10, &names, &e), 0);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[0], "dir");
    assert_string_equal(names.items[1], "out");
    assert_int_equal(host_links_list(h, "/", 1, &names, &e), ERR_TRUNCATED);
    assert_int_equal(names.n, 1);
    assert_int_equal(host_links_list(h, "/out", 10, &names, &e), ERR_INVALID);
    remove_tree(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_names_are_sorted_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
