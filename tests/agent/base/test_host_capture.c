/* agent/base/host_capture.c: capture.json and meta.tsv. */
#include "tests/agent/base/unit.h"

#include <jansson.h>

#include "agent/base/host.h"

static const char good_capture[] =
    "{\"format\":\"tenken-capture/1\",\"sights\":[\"proc\",\"root\",\"sys\"],"
    "\"whole\":[\"/etc/modprobe.d\",\"/proc\"],\"uname\":{\"release\":\"6.1\"}}";

/* DIR/capture.json, DIR/root/... */
static void put_capture(const char *dir, const char *capture)
{
    assert_int_equal(mkdir(in_dir(dir, "root"), 0755), 0);
    put_text(in_dir(dir, "root/file"), "x");
    put_text(in_dir(dir, "capture.json"), capture);
}

static void check_good(const struct host *h)
{
    assert_true(host_is_captured(h));
    assert_false(host_is_live(h));
    assert_int_equal(host_sights(h), HOST_SEES_PROC | HOST_SEES_ROOT | HOST_SEES_SYS);
    assert_null(host_hidden(h, HOST_SEES_PROC | HOST_SEES_SYS));
    assert_string_equal(host_hidden(h, HOST_SEES_NET), "not_visible: other network namespace");
    const struct json_t *uname = host_capture(h, "uname");
    assert_string_equal(json_string_value(json_object_get(uname, "release")), "6.1");
    assert_null(host_capture(h, "dm"));
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(10);
    assert_int_equal(host_read(h, "/file", 10, &s, &e), 0);
}

/* A capture that came from elsewhere must not lead this program to the host that it runs on. */
static void test_links_lead_nowhere(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    put_text(in_dir(dir, "capture.json"), good_capture);
    assert_int_equal(symlink("/", in_dir(dir, "root")), 0);
    assert_int_equal(host_open(in_dir(dir, "."), &h, &e), ERR_INVALID);
    assert_null(h);
    assert_int_equal(unlink(in_dir(dir, "root")), 0);
    assert_int_equal(mkdir(in_dir(dir, "root"), 0755), 0);
    assert_int_equal(rename(in_dir(dir, "capture.json"), in_dir(dir, "elsewhere.json")), 0);
    assert_int_equal(symlink("elsewhere.json", in_dir(dir, "capture.json")), 0);
    assert_int_equal(host_open(in_dir(dir, "."), &h, &e), ERR_INVALID);
    assert_null(h);
}

static void test_both_ways_to_name_it(void **state)
{
    const char *dir = *state;
    put_capture(dir, good_capture);
    static const char *const ways[] = {".", "root", "root/", "root/../root/."};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct err e = {0};
        CLEANUP(host) struct host *h = NULL;
        assert_int_equal(host_open(in_dir(dir, ways[i]), &h, &e), 0);
        check_good(h);
        size_t n = 0;
        const char *text = host_capture_text(h, &n);
        assert_int_equal(n, sizeof(good_capture) - 1);
        /* the child gets the text and must see the same */
        int fd = open(in_dir(dir, "root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
        CLEANUP(host) struct host *child = NULL;
        assert_int_equal(host_adopt(fd, false, host_sights(h), text, n, NULL, 0, &child, &e), 0);
        check_good(child);
    }
    /* a directory of another name beside a capture.json is a plain tree */
    assert_int_equal(mkdir(in_dir(dir, "other"), 0755), 0);
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open(in_dir(dir, "other"), &h, &e), 0);
    assert_false(host_is_captured(h));
}

static void test_whole_directories(void **state)
{
    const char *dir = *state;
    put_capture(dir, good_capture);
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open(dir, &h, &e), 0);
    static const struct {
        const char *dir;
        bool whole;
        const char *why;
    } rows[] = {
        {"/etc/modprobe.d", true, "named"},
        {"/etc/modprobe.d/", true, "named, with a slash"},
        {"/etc/modprobe.d/sub", true, "below a named one"},
        {"/proc/sys/net", true, "far below"},
        {"/etc/modprobe.dx", false, "another name that begins alike"},
        {"/etc/modprobe", false, "a shorter name"},
        {"/etc", false, "above"},
        {"/", false, "the root"},
        {"/proc/../etc", false, "not what it seems"},
        {"proc", false, "not absolute"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_ROW(rows[i].why, host_is_whole(h, rows[i].dir) == rows[i].whole);
    }
}

static void test_bad_captures(void **state)
{
    const char *dir = *state;
    static const struct {
        const char *text, *says, *why;
    } rows[] = {
        {"", "line 1", "empty"},
        {"{\n\"format\":}", "line 2", "no JSON"},
        {"[]", "\"format\"", "no object"},
        {"{}", "\"format\"", "no format"},
        {"{\"format\":\"tenken-capture/2\"}", "\"format\"", "another format"},
        {"{\"format\":1}", "\"format\"", "format of another type"},
        {"{\"format\":\"tenken-capture/1\",\"sights\":\"proc\"}", "a list", "sights a text"},
        {"{\"format\":\"tenken-capture/1\",\"sights\":[1]}", "list of texts", "sight a number"},
        {"{\"format\":\"tenken-capture/1\",\"sights\":[\"prok\"]}", "known are", "unknown sight"},
        {"{\"format\":\"tenken-capture/1\",\"whole\":{}}", "a list", "whole a map"},
        {"{\"format\":\"tenken-capture/1\",\"whole\":[\"etc\"]}", "absolute", "whole relative"},
        {"{\"format\":\"tenken-capture/1\",\"whole\":[\"/etc/..\"]}", "absolute", "whole with .."},
        {"{\"format\":\"tenken-capture/1\",\"whole\":[\"/etc/\"]}", "absolute", "slash at the end"},
        {"{\"format\":\"tenken-capture/1\",\"format\":\"tenken-capture/1\"}", "duplicate", "twice"},
    };
    put_capture(dir, "");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put_text(in_dir(dir, "capture.json"), rows[i].text);
        struct err e = {0};
        CLEANUP(host) struct host *h = NULL;
        CHECK_ROW(rows[i].why, host_open(dir, &h, &e) == ERR_INVALID);
        CHECK_ROW(rows[i].why, e.code == ERR_INVALID);
        if (strstr(e.msg, "capture.json") == NULL || strstr(e.msg, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].why, e.msg);
        }
        assert_null(h);
    }
}

static void test_minimal_capture_sees_nothing(void **state)
{
    const char *dir = *state;
    put_capture(dir, "{\"format\":\"tenken-capture/1\"}");
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open(dir, &h, &e), 0);
    assert_true(host_is_captured(h));
    assert_int_equal(host_sights(h), 0);
    assert_false(host_is_whole(h, "/etc"));
    assert_non_null(host_hidden(h, HOST_SEES_PROC));
}

static void test_meta_wins(void **state)
{
    const char *dir = *state;
    put_capture(dir, good_capture);
    assert_int_equal(mkdir(in_dir(dir, "root/usr"), 0755), 0);
    put_text(in_dir(dir, "root/usr/sudo"), "");
    put_text(in_dir(dir, "root/plain"), "");
    assert_int_equal(symlink("usr", in_dir(dir, "root/bin")), 0);
    assert_int_equal(symlink("usr/sudo", in_dir(dir, "root/link")), 0);
    put_text(in_dir(dir, "meta.tsv"), "# path\tmode\tuid\tgid\n\n/usr/sudo\t4755\t0\t12\n"
                                      "/usr\t40700\t1000\t1000\tsecurity.capability=00\n"
                                      "/link\t777\t5\t6\n");
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open(dir, &h, &e), 0);
    static const struct {
        const char *path;
        bool follow;
        mode_t mode;
        uid_t uid;
        const char *why;
    } rows[] = {
        {"/usr/sudo", true, S_IFREG | 04755, 0, "named"},
        {"/bin/sudo", true, S_IFREG | 04755, 0, "reached through a link"},
        {"//usr/./sudo", true, S_IFREG | 04755, 0, "written oddly"},
        {"/link", true, S_IFREG | 04755, 0, "a link to it, followed"},
        {"/link", false, S_IFLNK | 0777, 5, "the link itself"},
        {"/usr", true, S_IFDIR | 0700, 1000, "mode with type"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct host_stat st;
        CHECK_ROW(rows[i].why, host_stat(h, rows[i].path, rows[i].follow, &st, &e) == 0);
        CHECK_ROW(rows[i].why, st.mode == rows[i].mode);
        CHECK_ROW(rows[i].why, st.uid == rows[i].uid);
    }
    struct host_stat st;
    assert_int_equal(host_stat(h, "/plain", true, &st, &e), 0);
    assert_int_equal(st.uid, geteuid()); /* not named: as it lies there */
}

static void test_bad_meta(void **state)
{
    const char *dir = *state;
    put_capture(dir, good_capture);
    static const struct {
        const char *text, *says, *why;
    } rows[] = {
        {"/a\t755\t0\n", "meta.tsv:1:", "gid missing"},
        {"\n/a 755 0 0\n", "meta.tsv:2:", "blanks instead of tabs"},
        {"a\t755\t0\t0\n", "meta.tsv:1:", "relative path"},
        {"/a/\t755\t0\t0\n", "meta.tsv:1:", "slash at the end"},
        {"/a\t789\t0\t0\n", "meta.tsv:1:", "no octal digits"},
        {"/a\t7777777\t0\t0\n", "meta.tsv:1:", "mode too large"},
        {"/a\t755\t-1\t0\n", "meta.tsv:1:", "negative"},
        {"/a\t755\t4294967296\t0\n", "meta.tsv:1:", "uid beyond 32 bits"},
        {"/a\t\t0\t0\n", "meta.tsv:1:", "empty mode"},
        {"/a\t755\t0\t0\n/a\t700\t0\t0\n", "/a stands twice", "twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        put_text(in_dir(dir, "meta.tsv"), rows[i].text);
        struct err e = {0};
        CLEANUP(host) struct host *h = NULL;
        CHECK_ROW(rows[i].why, host_open(dir, &h, &e) == ERR_INVALID);
        CHECK_ROW(rows[i].why, strstr(e.msg, rows[i].says) != NULL);
    }
}

#define SCRATCH_TEST(fn) cmocka_unit_test_setup_teardown(fn, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(test_links_lead_nowhere),
        SCRATCH_TEST(test_both_ways_to_name_it),
        SCRATCH_TEST(test_whole_directories),
        SCRATCH_TEST(test_bad_captures),
        SCRATCH_TEST(test_minimal_capture_sees_nothing),
        SCRATCH_TEST(test_meta_wins),
        SCRATCH_TEST(test_bad_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
