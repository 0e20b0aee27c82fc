/* agent/base/host.c, and host_fs.c, host_place.c beside it: reading an inspected tree that may be
 * hostile. */
#include "tests/agent/base/unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "agent/base/host.h"

/* DIR is the inspected root; *state holds DIR/.. so that there is something outside. */
struct tree {
    char *outer;
    char root[PATH_MAX];
    struct host *host;
};

static void put_tree(const struct tree *t)
{
    put_text(in_dir(t->outer, "secret"), "outside\n");
    put_text(in_dir(t->root, "file"), "inside\n");
    assert_int_equal(mkdir(in_dir(t->root, "dir"), 0755), 0);
    assert_int_equal(mkdir(in_dir(t->root, "usr"), 0755), 0);
    put_text(in_dir(t->root, "usr/tool"), "tool");
    assert_int_equal(symlink("usr", in_dir(t->root, "bin")), 0);
    put_text(in_dir(t->root, "secret"), "inner secret\n");
    assert_int_equal(symlink("../../../../secret", in_dir(t->root, "dots")), 0);
    assert_int_equal(symlink("/secret", in_dir(t->root, "absolute")), 0);
    assert_int_equal(symlink("/etc/passwd", in_dir(t->root, "passwd")), 0);
    assert_int_equal(symlink("loop", in_dir(t->root, "loop")), 0);
    assert_int_equal(symlink("dangling-target", in_dir(t->root, "dangling")), 0);
    assert_int_equal(mkfifo(in_dir(t->root, "fifo"), 0644), 0);
}

static int setup(void **state)
{
    struct tree *t = calloc(1, sizeof(*t));
    void *outer = NULL;
    if (t == NULL || scratch_setup(&outer) != 0) {
        free(t);
        return -1;
    }
    t->outer = outer;
    (void)snprintf(t->root, sizeof(t->root), "%s", in_dir(t->outer, "tree"));
    if (mkdir(t->root, 0755) != 0) {
        return -1;
    }
    put_tree(t);
    struct err e = {0};
    if (host_open(t->root, &t->host, &e) != 0) {
        print_error("%s\n", e.msg);
        return -1;
    }
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct tree *t = *state;
    host_free(t->host);
    void *outer = t->outer;
    (void)scratch_teardown(&outer);
    free(t);
    return 0;
}

static void test_a_plain_tree_proves_nothing(void **state)
{
    const struct tree *t = *state;
    assert_false(host_is_live(t->host));
    assert_false(host_is_captured(t->host));
    assert_int_equal(host_sights(t->host), 0);
    assert_string_equal(host_hidden(t->host, HOST_SEES_ROOT), "not_captured");
    assert_null(host_hidden(t->host, 0));
    assert_false(host_is_whole(t->host, "/"));
    assert_null(host_capture(t->host, "dm"));
    size_t n = 99;
    assert_null(host_capture_text(t->host, &n));
    assert_int_equal(n, 0);
}

static void test_nothing_leads_outside(void **state)
{
    const struct tree *t = *state;
    static const struct {
        const char *path, *content;
        int code;
        const char *why;
    } rows[] = {
        {"/file", "inside\n", 0, "a plain file"},
        {"//dir/..//file", "inside\n", 0, "odd writing"},
        {"/dots", "inner secret\n", 0, "a link with more .. than there are directories"},
        {"/absolute", "inner secret\n", 0, "an absolute link starts at the inner root"},
        {"/../secret", "inner secret\n", 0, ".. above the root stays at the root"},
        {"/bin/tool", "tool", 0, "through a directory link"},
        {"/passwd", "", ERR_ABSENT, "the machine's own passwd is out of reach"},
        {"/dangling", "", ERR_ABSENT, "a link to nothing"},
        {"/none", "", ERR_ABSENT, "no such file"},
        {"/file/x", "", ERR_ABSENT, "a file in a directory's place"},
        {"/loop", "", ERR_IO, "a link to itself"},
        {"/dir", "", ERR_INVALID, "a directory"},
        {"/fifo", "", ERR_INVALID, "a FIFO, which must not block"},
        {"file", "", ERR_INVALID, "not absolute"},
        {"", "", ERR_INVALID, "empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CLEANUP(str) struct str s = STR_INIT(1000);
        CHECK_ROW(rows[i].why, host_read(t->host, rows[i].path, 100, &s, &e) == rows[i].code);
        CHECK_TEXT(rows[i].why, str_text(&s), rows[i].content);
        CHECK_ROW(rows[i].why, (e.msg[0] != '\0') == (rows[i].code != 0));
    }
}

/* A /proc inside the tree with the machine's magic links must not be a way out. */
static void test_magic_links_are_refused(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(host) struct host *live = NULL;
    assert_int_equal(host_open("/", &live, &e), 0);
    CLEANUP(str) struct str s = STR_INIT(100000);
    int rc = host_read(live, "/proc/self/root/etc/passwd", 100000, &s, &e);
    assert_int_not_equal(rc, 0);
    assert_int_equal(s.len, 0);
    /* ordinary links of /proc still work, and a magic link can be looked at */
    assert_int_equal(host_read(live, "/proc/self/stat", 100000, &s, &e), 0);
    str_clear(&s);
    assert_int_equal(host_readlink(live, "/proc/self/exe", &s, &e), 0);
    assert_non_null(strstr(str_text(&s), "test_host"));
}

static void test_limits(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(1000);
    assert_int_equal(host_read(t->host, "/file", 7, &s, &e), 0);
    str_clear(&s);
    assert_int_equal(host_read(t->host, "/file", 6, &s, &e), ERR_TRUNCATED);
    assert_string_equal(str_text(&s), "inside"); /* what fits is kept */
    static char big[100000];
    memset(big, 'x', sizeof(big));
    put_bytes(in_dir(t->root, "big"), big, sizeof(big), 0644);
    CLEANUP(str) struct str all = STR_INIT(HOST_FILE_MAX);
    assert_int_equal(host_read(t->host, "/big", HOST_FILE_MAX, &all, &e), 0);
    assert_int_equal(all.len, sizeof(big));
    CLEANUP(str) struct str small = STR_INIT(50); /* the buffer's own ceiling */
    assert_int_equal(host_read(t->host, "/big", HOST_FILE_MAX, &small, &e), ERR_TRUNCATED);
}

static void test_lines(void **state)
{
    const struct tree *t = *state;
    static const struct {
        const char *content, *line;
        int code;
        const char *why;
    } rows[] = {
        {"1\n", "1", 0, "one line"},
        {"1", "1", 0, "no newline"},
        {"1\n\n", "1\n", 0, "only the final newline goes"},
        {"", "", 0, "empty"},
        {"1234567", "1234567", 0, "just fits"},
        {"1234567\n", "1234567", 0, "just fits with newline"},
        {"12345678", "kept", ERR_TRUNCATED, "one too many"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        char line[8] = "kept";
        put_text(in_dir(t->root, "leaf"), rows[i].content);
        CHECK_ROW(rows[i].why,
                  host_read_line(t->host, "/leaf", line, sizeof(line), &e) == rows[i].code);
        CHECK_TEXT(rows[i].why, line, rows[i].line);
    }
}

static void test_spans(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    char buf[10];
    size_t n = 99;
    assert_int_equal(host_read_at(t->host, "/file", 2, buf, 3, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(buf, "sid", 3);
    assert_int_equal(host_read_at(t->host, "/file", 5, buf, sizeof(buf), &n, &e), 0);
    assert_int_equal(n, 2);
    assert_int_equal(host_read_at(t->host, "/file", 700, buf, sizeof(buf), &n, &e), 0);
    assert_int_equal(n, 0);
    assert_int_equal(host_read_at(t->host, "/fifo", 0, buf, sizeof(buf), &n, &e), ERR_INVALID);
    assert_int_equal(host_read_at(t->host, "/file", -1, buf, sizeof(buf), &n, &e), ERR_IO);
}

static void test_directories(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    put_text(in_dir(t->root, "dir/b"), "");
    put_text(in_dir(t->root, "dir/a"), "");
    put_text(in_dir(t->root, "dir/.hidden"), "");
    CLEANUP(strv) struct strv names = {0};
    assert_int_equal(host_list(t->host, "/dir", 100, &names, &e), 0);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.items[0], ".hidden");
    assert_string_equal(names.items[2], "b");
    assert_int_equal(host_list(t->host, "/dir", 3, &names, &e), 0);
    assert_int_equal(names.n, 3);
    assert_int_equal(host_list(t->host, "/dir", 2, &names, &e), ERR_TRUNCATED);
    assert_int_equal(names.n, 2);
    assert_int_equal(host_list(t->host, "/file", 2, &names, &e),
                     ERR_ABSENT); /* no such directory */
    assert_int_equal(host_list(t->host, "/none", 2, &names, &e), ERR_ABSENT);
    assert_int_equal(names.n, 2); /* untouched by errors */
    for (int i = 0; i < 2000; i++) {
        char name[256];
        (void)snprintf(name, sizeof(name), "dir/%0200d", i);
        put_text(in_dir(t->root, name), "");
    }
    assert_int_equal(host_list(t->host, "/dir", 10000, &names, &e), 0);
    assert_int_equal(names.n, 2003); /* more than one answer of the kernel */
}

static void test_links_and_attributes(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(PATH_MAX);
    assert_int_equal(host_readlink(t->host, "/dots", &s, &e), 0);
    assert_string_equal(str_text(&s), "../../../../secret");
    assert_int_equal(host_readlink(t->host, "/file", &s, &e), ERR_INVALID);
    assert_int_equal(host_readlink(t->host, "/none", &s, &e), ERR_ABSENT);
    struct host_stat st;
    struct stat real;
    assert_int_equal(chmod(in_dir(t->root, "file"), 04711), 0);
    assert_int_equal(stat(in_dir(t->root, "file"), &real), 0);
    assert_int_equal(host_stat(t->host, "/file", true, &st, &e), 0);
    assert_int_equal(st.mode, S_IFREG | 04711);
    assert_int_equal(st.size_bytes, 7);
    assert_int_equal(st.ino, real.st_ino);
    assert_int_equal(st.uid, geteuid());
    assert_int_equal(st.mtime_s, real.st_mtime);
    assert_int_equal(makedev(st.dev_major, st.dev_minor), real.st_dev);
    assert_int_equal(host_stat(t->host, "/dots", false, &st, &e), 0);
    assert_true(S_ISLNK(st.mode));
    assert_int_equal(host_stat(t->host, "/dots", true, &st, &e), 0);
    assert_int_equal(st.size_bytes, 13);
    assert_int_equal(host_stat(t->host, "/dangling", true, &st, &e), ERR_ABSENT);
    assert_int_equal(host_stat(t->host, "/fifo", true, &st, &e), 0); /* looking opens nothing */
    assert_true(S_ISFIFO(st.mode));
}

static void test_sockets_and_devices(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(1000);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", in_dir(t->root, "socket"));
    CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(host_read(t->host, "/socket", 10, &s, &e), ERR_INVALID);
    if (mknod(in_dir(t->root, "zero"), S_IFCHR | 0666, makedev(1, 5)) == 0) {
        assert_int_equal(host_read(t->host, "/zero", 10, &s, &e), ERR_INVALID);
    }
    CLEANUP(host) struct host *live = NULL;
    assert_int_equal(host_open("/", &live, &e), 0);
    assert_int_equal(host_read(live, "/dev/zero", 10, &s, &e), ERR_INVALID);
    assert_int_equal(s.len, 0);
}

static void test_descriptors(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    int fd = -1;
    assert_int_equal(host_open_fd(t->host, "/dir", O_RDONLY | O_DIRECTORY, &fd, &e), 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
    fd = -1;
    assert_int_equal(host_open_fd(t->host, "/file", O_RDWR, &fd, &e), ERR_INVALID);
    assert_int_equal(host_open_fd(t->host, "/new", O_RDONLY | O_CREAT, &fd, &e), ERR_INTERNAL);
    assert_int_equal(host_open_fd(t->host, "/file", O_WRONLY, &fd, &e), ERR_INTERNAL);
    assert_int_equal(host_open_fd(t->host, "/none", O_RDONLY, &fd, &e), ERR_ABSENT);
    assert_int_equal(fd, -1);
    assert_false(access(in_dir(t->root, "new"), F_OK) == 0);
}

static void test_unreadable_is_denied(void **state)
{
    if (geteuid() == 0) {
        skip(); /* nothing is unreadable to root */
    }
    const struct tree *t = *state;
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(1000);
    assert_int_equal(chmod(in_dir(t->root, "file"), 0), 0);
    assert_int_equal(host_read(t->host, "/file", 10, &s, &e), ERR_DENIED);
    assert_int_equal(chmod(in_dir(t->root, "dir"), 0), 0);
    CLEANUP(strv) struct strv names = {0};
    assert_int_equal(host_list(t->host, "/dir", 10, &names, &e), ERR_DENIED);
    assert_int_equal(host_read(t->host, "/dir/x", 10, &s, &e), ERR_DENIED);
    assert_int_equal(chmod(in_dir(t->root, "dir"), 0755), 0);
}

static void test_bad_roots(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    struct host *h = NULL;
    assert_int_equal(host_open(in_dir(t->root, "none"), &h, &e), ERR_ABSENT);
    assert_int_equal(host_open(in_dir(t->root, "file"), &h, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "not a directory"));
    assert_int_equal(host_open(in_dir(t->root, "file/x"), &h, &e), ERR_ABSENT);
    assert_int_equal(host_open(in_dir(t->root, "fifo"), &h, &e), ERR_INVALID);
    assert_null(h);
    CLEANUP(host) struct host *slashes = NULL;
    assert_int_equal(host_open("//", &slashes, &e), 0);
    assert_true(host_is_live(slashes));
}

static void test_adopted_sights_are_the_parents(void **state)
{
    const struct tree *t = *state;
    struct err e = {0};
    int fd = open(t->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_adopt(fd, true, HOST_SEES_ROOT, NULL, 0, NULL, 0, &h, &e), 0);
    assert_true(host_is_live(h));
    assert_null(host_hidden(h, HOST_SEES_ROOT));
    assert_string_equal(host_hidden(h, HOST_SEES_ROOT | HOST_SEES_NET),
                        "not_visible: other network namespace");
    assert_true(host_is_whole(h, "/etc"));
    assert_true(host_is_whole(h, "/"));
    assert_false(host_is_whole(h, "/etc/../proc"));
    assert_false(host_is_whole(h, "/proc"));
    assert_false(host_is_whole(h, "/sys/block"));
    assert_false(host_is_whole(h, "/dev/mapper"));
    assert_true(host_is_whole(h, "/device")); /* only whole names count */
    /* a process' file that is missing while even pid 1 is hidden proves nothing: the tree has no
     * /proc at all, which looks the same */
    CLEANUP(str) struct str s = STR_INIT(100);
    assert_int_equal(host_read(h, "/proc/1/mountinfo", 100, &s, &e), ERR_DENIED);
    assert_int_equal(host_read(h, "/proc/swaps", 100, &s, &e), ERR_ABSENT);
}

#define TREE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_a_plain_tree_proves_nothing),
        TREE_TEST(test_nothing_leads_outside),
        cmocka_unit_test(test_magic_links_are_refused),
        TREE_TEST(test_limits),
        TREE_TEST(test_lines),
        TREE_TEST(test_spans),
        TREE_TEST(test_directories),
        TREE_TEST(test_links_and_attributes),
        TREE_TEST(test_sockets_and_devices),
        TREE_TEST(test_descriptors),
        TREE_TEST(test_unreadable_is_denied),
        TREE_TEST(test_bad_roots),
        TREE_TEST(test_adopted_sights_are_the_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
