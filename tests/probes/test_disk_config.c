/* Settings that say where images of memory go, and names of block devices: probes/disk/config.c,
 * probes/disk/blockname.c, probes/disk/bag.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/str.h"
#include "probes/disk/blockname.h"
#include "probes/disk/config.h"

static void test_cmdline(void **state)
{
    (void)state;
    char out[64];
    assert_true(
        cmdline_option("a resume=/dev/x resume=\"UUID=1 2\"\n", "resume", out, sizeof(out)));
    assert_string_equal(out, "UUID=1 2"); /* the last one counts */
    assert_true(cmdline_option("quiet nohibernate", "nohibernate", out, sizeof(out)));
    assert_false(cmdline_option("noresume resume_offset=3", "resume", out, sizeof(out)));
    assert_false(cmdline_option("\r\v\f", "resume", out, sizeof(out)));
}

static void test_core_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *uses_pid;
        enum core_kind kind;
        const char *where, *why;
    } cases[] = {
        {"core\n", "0\n", CORE_RELATIVE, "", "the kernel's default"},
        {"\n", "0\n", CORE_NONE, "", "empty without pid: no dump"},
        {"\n", "1\n", CORE_RELATIVE, "", "empty with pid"},
        {"/var/cores/core.%e.%p\n", "0\n", CORE_DIR, "/var/cores", "absolute"},
        {"/var/cores/%e/core\n", "0\n", CORE_DIR, "/var/cores", "directory made of the name"},
        {"/core\n", "0\n", CORE_DIR, "/", "in the root directory"},
        {"|/usr/lib/systemd/systemd-coredump %P %u", "0", CORE_SYSTEMD, "", "systemd"},
        {"|/usr/share/apport/apport -p%p", "0", CORE_DIR, "/var/crash", "apport"},
        {"|/bin/false", "0", CORE_NONE, "", "thrown away"},
        {"|/opt/not-systemd-coredump %P", "0", CORE_HANDLER, "/opt/not-systemd-coredump",
         "the name must be the whole last part"},
        {"@/run/coredump.sock", "0", CORE_HANDLER, "@/run/coredump.sock", "a socket"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char where[CONFIG_TEXT_MAX];
        enum core_kind kind =
            core_pattern_parse(cases[i].pattern, cases[i].uses_pid, where, sizeof(where));
        if (kind != cases[i].kind || strcmp(where, cases[i].where) != 0) {
            fail_msg("%s: kind %d, \"%s\"", cases[i].why, (int)kind, where);
        }
    }
}

static void test_conf(void **state)
{
    (void)state;
    static const char text[] = "Storage=before\n[Other]\nStorage=other\n[Coredump]\n#Storage=none\n"
                               " Storage = \"journal\"  \nStorageX=1\n;Storage=x\n";
    char out[32];
    assert_true(conf_value(text, "Coredump", "Storage", out, sizeof(out)));
    assert_string_equal(out, "journal");
    assert_false(conf_value(text, "Absent", "Storage", out, sizeof(out)));
    assert_true(conf_value("A=1\nA='2'\n", NULL, "A", out, sizeof(out)));
    assert_string_equal(out, "2");
}

static void test_kdump(void **state)
{
    (void)state;
    static const struct {
        enum kdump_kind (*parse)(const char *, char *, size_t);
        const char *text;
        enum kdump_kind kind;
        const char *where, *why;
    } cases[] = {
        {kdump_parse_debian, "USE_KDUMP=0\n", KDUMP_NONE, "", "off"},
        {kdump_parse_debian, "USE_KDUMP=1\n", KDUMP_DIR, "/var/crash", "default directory"},
        {kdump_parse_debian, "USE_KDUMP=1\nKDUMP_COREDIR=\"/srv/c\"\n", KDUMP_DIR, "/srv/c", "own"},
        {kdump_parse_debian, "USE_KDUMP=1\nSSH=\"root@h\"\n", KDUMP_NETWORK, "SSH", "by ssh"},
        {kdump_parse_redhat, "# path /x\ncore_collector makedumpfile\n", KDUMP_DIR, "/var/crash",
         "default"},
        {kdump_parse_redhat, "path /srv/c\n", KDUMP_DIR, "/srv/c", "path"},
        {kdump_parse_redhat, "ext4 UUID=1-2\npath /c\n", KDUMP_DEVICE, "UUID=1-2", "a device"},
        {kdump_parse_redhat, "nfs h:/x\n", KDUMP_NETWORK, "nfs", "nfs"},
        {kdump_parse_redhat, "dracut_args --mount \"/dev/x /y ext4\"\n", KDUMP_OTHER, "dracut_args",
         "a mount of dracut's"},
        {kdump_parse_suse, "KDUMP_SAVEDIR=\"file:///var/crash\"\n", KDUMP_DIR, "/var/crash",
         "suse"},
        {kdump_parse_suse, "KDUMP_SAVEDIR=\"ssh://h/x\"\n", KDUMP_NETWORK, "ssh", "suse by ssh"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char where[CONFIG_TEXT_MAX] = "";
        enum kdump_kind kind = cases[i].parse(cases[i].text, where, sizeof(where));
        if (kind != cases[i].kind || strcmp(where, cases[i].where) != 0) {
            fail_msg("%s: kind %d, \"%s\"", cases[i].why, (int)kind, where);
        }
    }
}

static void test_remote_blocks(void **state)
{
    (void)state;
    CLEANUP(bag) struct bag fabric = {0};
    CLEANUP(bag) struct bag local = {0};
    struct err e = {0};
    assert_int_equal(bag_put(&fabric, "/sys/class/nvme/", 0, "nvme0\0nvme1\0", 12, &e), 0);
    assert_int_equal(bag_put(&fabric, "/sys/class/nvme/nvme0/transport", 0, "pcie\n", 5, &e), 0);
    assert_int_equal(bag_put(&fabric, "/sys/class/nvme/nvme1/transport", 0, "tcp\n", 4, &e), 0);
    assert_int_equal(bag_put(&local, "/sys/class/nvme/", 0, "nvme0\0", 6, &e), 0);
    assert_int_equal(bag_put(&local, "/sys/class/nvme/nvme0/transport", 0, "pcie\n", 5, &e), 0);
    static const char subsystem[] = "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1";
    assert_true(block_is_remote(&fabric, "nvme0n1", subsystem));
    assert_false(block_is_remote(&local, "nvme0n1", subsystem));
    assert_true(
        block_is_remote(&local, "nvme2n1", "../../devices/virtual/nvme-fabrics/ctl/nvme2/nvme2n1"));
    assert_true(block_is_remote(&local, "nbd0", "../../devices/virtual/block/nbd0"));
    assert_true(block_is_remote(
        &local, "sdb", "../../devices/platform/host3/session1/target3:0:0/3:0:0:1/block/sdb"));
    assert_true(block_is_remote(
        &local, "sdc",
        "../../devices/pci0000:00/0000:00:02.0/host1/rport-1:0-2/target1:0:0/1:0:0:0/block/sdc"));
    assert_false(block_is_remote(
        &local, "sda", "../../devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda"));
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *dev;
        bool taken;
        unsigned dev_major, dev_minor;
        const char *why;
    } cases[] = {{"253:7\n", true, 253, 7, "as sysfs writes it"},
                 {"0:0", true, 0, 0, "nought"},
                 {"", false, 9, 9, "the leaf is missing"},
                 {"8\n", false, 9, 9, "no minor number"},
                 {"8:\n", false, 9, 9, "an empty minor number"},
                 {"8:4294967296\n", false, 9, 9, "would wrap to 8:0, another device"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned dev_major = 9;
        unsigned dev_minor = 9;
        if (block_numbers(cases[i].dev, &dev_major, &dev_minor) != cases[i].taken ||
            dev_major != cases[i].dev_major || dev_minor != cases[i].dev_minor) {
            fail_msg("%s: %u:%u", cases[i].why, dev_major, dev_minor);
        }
    }
}

static void test_ata(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(8192);
    char path[128];
    assert_true(block_ata_path("../../devices/pci0000:00/ata3/host2/target2:0:1/2:0:1:0/block/sda",
                               path, sizeof(path)));
    assert_string_equal(path, "/sys/class/ata_device/dev3.1/id");
    assert_false(block_ata_path("../../devices/virtual/block/loop0", path, sizeof(path)));
    static const struct {
        const char *word128;
        bool armed;
        const char *why;
    } cases[] = {{"0001", false, "supported, no password"},
                 {"0003", true, "password set"},
                 {"0000", false, "not supported"},
                 {"0002", false, "not supported"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str_clear(&text);
        for (unsigned w = 0; w < 256; w++) {
            str_addf(&text, "%s%c", w == 128 ? cases[i].word128 : "ffff", w % 8 == 7 ? '\n' : ' ');
        }
        if (ata_is_armed(str_text(&text)) != cases[i].armed) {
            fail_msg("%s", cases[i].why);
        }
    }
    assert_false(ata_is_armed(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cmdline),       cmocka_unit_test(test_core_pattern),
        cmocka_unit_test(test_conf),          cmocka_unit_test(test_kdump),
        cmocka_unit_test(test_remote_blocks), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
