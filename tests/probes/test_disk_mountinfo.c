/* Mount table, swap list, kinds of file systems: probes/disk/mountinfo.c, probes/disk/fstypes.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probes/disk/mountinfo.h"

static void parse(const char *text, struct mounts *ret)
{
    struct err e = {0};
    assert_int_equal(mounts_parse(text, strlen(text), ret, &e), 0);
}

static void test_fields(void **state)
{
    (void)state;
    CLEANUP(mounts) struct mounts m = {0};
    parse("30 1 8:3 / / rw,relatime shared:1 - ext4 /dev/sda3 rw,errors=remount-ro\n"
          "31 30 0:45 /@home /home\\040dir rw - btrfs /dev/mapper/a\\134b rw,subvol=/@home\n"
          "32 30 8:4 / /ro ro shared:2 master:1 propagate_from:3 - xfs /dev/sda4 rw\n"
          "33 30 0:50 / /empty rw -  tmpfs rw\n"
          "34 30 0:51 / /nosource rw - tmpfs  ro,size=1k\n",
          &m);
    assert_int_equal(m.n, 4);
    assert_int_equal(m.bad_lines, 1); /* line 33 has an empty type */
    assert_string_equal(m.items[1].point, "/home dir");
    assert_string_equal(m.items[1].source, "/dev/mapper/a\\b");
    assert_string_equal(m.items[1].root, "/@home");
    assert_true(m.items[2].writable); /* the superblock's flag, not the mount's "ro" */
    assert_string_equal(m.items[3].source, "");
    assert_false(m.items[3].writable);
    assert_int_equal(m.items[0].dev_major, 8);
    assert_int_equal(m.items[0].dev_minor, 3);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *why;
    } cases[] = {
        {"30 1 8:3 / / rw - ext4 /dev/sda3\n", "no super options"},
        {"30 1 8:3 / / rw ext4 /dev/sda3 rw\n", "no hyphen"},
        {"x 1 8:3 / / rw - ext4 /dev/sda3 rw\n", "id is no number"},
        {"30 1 8 / / rw - ext4 /dev/sda3 rw\n", "no minor"},
        {"30 1 8:3 / srv rw - ext4 /dev/sda3 rw\n", "mount point not absolute"},
        {"30 1 8:-3 / / rw - ext4 /dev/sda3 rw\n", "negative number"},
        {"30 1 99999999999:3 / / rw - ext4 /dev/sda3 rw\n", "number too large"},
        {"\x01\xff\xfe\n", "binary"},
        {"30", "cut"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mounts) struct mounts m = {0};
        parse(cases[i].line, &m);
        if (m.n != 0 || m.bad_lines != 1) {
            fail_msg("%s: %zu mounts, %zu bad lines", cases[i].why, m.n, m.bad_lines);
        }
    }
    CLEANUP(mounts) struct mounts m = {0};
    struct err e = {0};
    static const char nul[] = "30 1 8:3 / / rw - ext4 a\0b rw\n";
    assert_int_equal(mounts_parse(nul, sizeof(nul) - 1, &m, &e), 0);
    assert_int_equal(m.bad_lines, 1);
}

static const char stacked[] =
    "10 1 8:1 / / rw - ext4 root rw\n"
    "11 10 8:2 / /srv rw - ext4 srv rw\n"
    "12 11 8:3 / /srv/city rw - ext4 city rw\n"
    "13 10 8:4 / /srvx rw - ext4 srvx rw\n"
    "14 13 8:5 / /srvx rw - ext4 over rw\n" /* covers 13 */
    "15 11 8:6 / /srv rw - ext4 hides rw\n" /* covers /srv and with it /srv/city */
    "16 15 8:7 / /srv/new rw - ext4 new rw\n";

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *source;
        const char *why;
    } cases[] = {
        {"/", "root", "root"},
        {"/home/x", "root", "no mount of its own"},
        {"/srvx", "over", "the upper of two on one point"},
        {"/srvx/a/b", "over", "below it"},
        {"/srvxy", "root", "a longer name is another directory"},
        {"/srv", "hides", "covered mount point"},
        {"/srv/city", "hides", "a mount below a covered one cannot be reached"},
        {"/srv/new/x", "new", "mounted on the cover"},
    };
    CLEANUP(mounts) struct mounts m = {0};
    parse(stacked, &m);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int at = mounts_find(&m, cases[i].path);
        if (at < 0 || strcmp(m.items[at].source, cases[i].source) != 0) {
            fail_msg("%s (%s): %s", cases[i].path, cases[i].why,
                     at < 0 ? "none" : m.items[at].source);
        }
    }
}

static void test_find_odd_tables(void **state)
{
    (void)state;
    CLEANUP(mounts) struct mounts none = {0};
    parse("11 10 8:2 / /srv rw - ext4 srv rw\n", &none);
    assert_int_equal(mounts_find(&none, "/srv"), -1); /* no root mount: nothing is claimed */
    CLEANUP(mounts) struct mounts ring = {0};
    parse("1 2 8:1 / / rw - ext4 a rw\n2 1 8:1 / / rw - ext4 b rw\n", &ring);
    (void)mounts_find(&ring, "/x"); /* ends */
    CLEANUP(mounts) struct mounts orphan = {0};
    parse("10 1 8:1 / / rw - ext4 root rw\n20 99 8:2 / /srv/a rw - ext4 a rw\n", &orphan);
    assert_int_equal(mounts_find(&orphan, "/srv/a/b"), 1);
}

static void test_option(void **state)
{
    (void)state;
    char out[16];
    assert_true(mount_option("rw,upperdir=/a\\040b,workdir=/w", "upperdir", out, sizeof(out)));
    assert_string_equal(out, "/a b");
    assert_false(mount_option("rw,xupperdir=/a", "upperdir", out, sizeof(out)));
    assert_false(mount_option("rw,upperdirs=/a", "upperdir", out, sizeof(out)));
    assert_true(mount_option("rw,flag", "flag", out, sizeof(out)));
    assert_string_equal(out, "");
    assert_false(mount_option("upperdir=/longer/than/that", "upperdir", out, sizeof(out)));
}

static void test_swaps(void **state)
{
    (void)state;
    CLEANUP(swaps) struct swaps s = {0};
    struct err e = {0};
    static const char text[] = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
                               "/dev/dm-3                               partition\t8\t\t0\t\t-2\n"
                               "/my\\040swap\\040(deleted)               file\t8\t0\t-3\n"
                               "junk\n";
    assert_int_equal(swaps_parse(text, sizeof(text) - 1, &s, &e), 0);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.bad_lines, 1);
    assert_string_equal(s.items[0].path, "/dev/dm-3");
    assert_false(s.items[0].is_file);
    assert_string_equal(s.items[1].path, "/my swap");
    assert_true(s.items[1].is_file);
    assert_true(s.items[1].is_deleted);
    CLEANUP(swaps) struct swaps other = {0};
    assert_int_equal(swaps_parse("nothing here", 12, &other, &e), 0);
    assert_int_equal(other.bad_lines, 1); /* without its header it is not that file */
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum fs_kind kind;
        bool untouchable;
        const char *why;
    } cases[] = {
        {"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n", FS_BLOCK, false, "disk"},
        {"1 0 8:1 / / rw - newfs /dev/sda1 rw\n", FS_BLOCK, false, "unknown type on a device"},
        {"1 0 0:9 / / rw - newfs none rw\n", FS_FUSE, true, "unknown type without: not known"},
        {"1 0 0:9 / / rw - nfs4 h:/x rw\n", FS_NETWORK, true, "network"},
        {"1 0 0:9 / / rw - fuse.sshfs h:/x rw\n", FS_NETWORK, true, "network by fuse"},
        {"1 0 0:9 / / rw - fuse.gocryptfs /c rw\n", FS_FUSE, true, "program"},
        {"1 0 8:1 / / rw - fuseblk /dev/sda1 rw\n", FS_BLOCK, true,
         "ntfs-3g: a disk behind a program that may hang"},
        {"1 0 0:9 / / rw - autofs systemd-1 rw\n", FS_AUTOFS, true, "automount point"},
        {"1 0 0:9 / / rw - ramfs ramfs rw\n", FS_RAMFS, false, "never swapped"},
        {"1 0 0:9 / / rw - virtiofs share rw\n", FS_NETWORK, true, "the machine's host"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mounts) struct mounts m = {0};
        parse(cases[i].line, &m);
        assert_int_equal(m.n, 1);
        if (fs_kind_of(&m.items[0]) != cases[i].kind ||
            mount_untouchable(&m.items[0]) != cases[i].untouchable) {
            fail_msg("%s", cases[i].why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields), cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_find),   cmocka_unit_test(test_find_odd_tables),
        cmocka_unit_test(test_option), cmocka_unit_test(test_swaps),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
