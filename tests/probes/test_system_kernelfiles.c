/* probes/system/kernelfiles.c, probes/system/sysctlconf.c: /proc/modules, mountinfo, mount options,
 * cpuinfo, cmdline, udev's records; sysctl.d. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probes/system/kernelfiles.h"
#include "probes/system/sysctlconf.h"

static void add_span(struct str *out, struct span s)
{
    str_add_bytes(out, s.p, s.n);
    str_add_char(out, '|');
}

static void show_module(const struct module_row *m, void *arg)
{
    struct str *out = arg;

    add_span(out, m->name);
    str_addf(out, "%lld|", (long long)m->size);
    add_span(out, m->used_by);
    add_span(out, m->status);
    add_span(out, m->address);
}

static void test_modules(void **state)
{
    static const struct {
        const char *why, *text, *want;
        size_t bad;
    } cases[] = {
        {"used by two", "uas 32768 0 - Live 0x0\nusb_storage 81920 1 uas,ums, Live 0xff (OE)\n",
         "uas|32768|-|Live|0x0|usb_storage|81920|uas,ums|Live|0xff|", 0},
        {"a kernel that cannot unload", "ext4 1 - - Live 0x0\n", "ext4|1|-|Live|0x0|", 0},
        {"a field is missing", "ext4 1 - Live 0x0\n", "", 1},
        {"size is no number", "ext4 x 0 - Live 0x0\nvfat 1 0 - Live 0x0\n", "vfat|1|-|Live|0x0|",
         1},
        {"an empty line", "\n", "", 1},
        {"no module", "", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str seen = STR_INIT(4096);
        struct parse_report r;
        modules_parse(cases[i].text, strlen(cases[i].text), show_module, &seen, &r);
        if (strcmp(str_text(&seen), cases[i].want) != 0 || r.bad != cases[i].bad) {
            fail_msg("%s: %s, bad %zu", cases[i].why, str_text(&seen), r.bad);
        }
    }
}

static void show_mount(const struct mount_row *m, void *arg)
{
    struct str *out = arg;

    str_addf(out, "%u:%u|", m->dev_major, m->dev_minor);
    add_span(out, m->path);
    add_span(out, m->options);
    add_span(out, m->type);
    add_span(out, m->device);
    add_span(out, m->super_options);
}

static void test_mountinfo(void **state)
{
    static const struct {
        const char *why, *text, *want;
        size_t bad;
    } cases[] = {
        {"no optional field", "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n",
         "254:0|/|rw,relatime|ext4|/dev/vda|rw|", 0},
        {"several optional fields",
         "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 /dev/root "
         "rw,errors=continue\n",
         "98:0|/mnt2|rw,noatime|ext3|/dev/root|rw,errors=continue|", 0},
        {"an empty source", "30 25 0:27 / /dev/shm rw - tmpfs  rw\n", "0:27|/dev/shm|rw|tmpfs||rw|",
         0},
        {"a source that is a hyphen", "30 25 0:27 / /x rw - tmpfs - rw\n", "0:27|/x|rw|tmpfs|-|rw|",
         0},
        {"no separator", "27 1 254:0 / / rw ext4 /dev/vda rw\n", "", 1},
        {"device is no number", "27 1 254 / / rw - ext4 /dev/vda rw\n", "", 1},
        {"not an absolute path", "27 1 0:1 / x rw - ext4 /dev/vda rw\n", "", 1},
        {"cut short", "27 1 0:1 / /x rw - ext4 /dev/vda", "", 1},
        {"a blank too many", "27 1 0:1 / /x rw - ext4 /dev/vda rw more\n", "", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str seen = STR_INIT(4096);
        struct parse_report r;
        mountinfo_parse(cases[i].text, strlen(cases[i].text), show_mount, &seen, &r);
        if (strcmp(str_text(&seen), cases[i].want) != 0 || r.bad != cases[i].bad) {
            fail_msg("%s: %s, bad %zu", cases[i].why, str_text(&seen), r.bad);
        }
    }
}

static void test_unescape(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"/a\\040b", "/a b"}, {"\\134\\011", "\\\t"}, {"\\04", "\\04"},  {"\\400", "\\400"},
        {"\\08x", "\\08x"},   {"tail\\", "tail\\"},   {"\\377", "\xff"}, {"", ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str out = STR_INIT(64);
        unescape_octal(span_of(cases[i].text, strlen(cases[i].text)), &out);
        assert_string_equal(str_text(&out), cases[i].want);
    }
}

static void test_mount_flags(void **state)
{
    static const struct {
        const char *why, *options, *super, *want;
    } cases[] = {
        {"mount's before the file system's", "rw,nosuid,relatime", "rw,data=ordered",
         "rw,nosuid,relatime,data=ordered"},
        {"a read-only mount of a writable file system", "ro,relatime", "rw", "ro,relatime"},
        {"a read-only file system", "rw,relatime", "ro", "ro,relatime"},
        {"what the kernel writes first", "rw,relatime", "rw,sync,seclabel,size=1k",
         "rw,sync,seclabel,relatime,size=1k"},
        {"a comma inside quotes", "rw", "rw,context=\"a:b:c1,c2\",x", "rw,context=\"a:b:c1,c2\",x"},
        {"escapes are undone", "rw", "rw,upperdir=/a\\040b", "rw,upperdir=/a b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str out = STR_INIT(256);
        mount_flags(span_of(cases[i].options, strlen(cases[i].options)),
                    span_of(cases[i].super, strlen(cases[i].super)), &out);
        if (strcmp(str_text(&out), cases[i].want) != 0) {
            fail_msg("%s: %s", cases[i].why, str_text(&out));
        }
    }
}

static const char two_sockets[] =
    "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Xeon\nmicrocode\t: 0x1\nphysical id\t: 0\n"
    "core id\t\t: 0\nflags\t\t: fpu hypervisor sse\n\n"
    "processor\t: 1\nmodel name\t: Other\nphysical id\t: 0\ncore id\t\t: 0\n\n"
    "processor\t: 2\nphysical id\t: 1\ncore id\t\t: 0\n\n"
    "processor\t: 3\nphysical id\t: 1\ncore id\t\t: 4\n";

static void test_cpuinfo(void **state)
{
    struct cpuinfo c;
    struct err e;

    (void)state;
    assert_int_equal(cpuinfo_parse(two_sockets, sizeof(two_sockets) - 1, &c, &e), 0);
    assert_int_equal(c.logical, 4);
    assert_int_equal(c.physical, 3);
    assert_int_equal(c.sockets, 2);
    assert_string_equal(c.brand, "Xeon");
    assert_string_equal(c.model, "85");
    assert_string_equal(c.microcode, "0x1");
    assert_true(c.has_flags);
    assert_true(c.hypervisor);
    /* ARM: no flags line, no sockets; "hypervisor" elsewhere is not the flag */
    static const char arm[] = "processor\t: 0\nBogoMIPS\t: 50\nFeatures\t: fp hypervisor\n";
    assert_int_equal(cpuinfo_parse(arm, sizeof(arm) - 1, &c, &e), 0);
    assert_int_equal(c.logical, 1);
    assert_int_equal(c.physical, 0);
    assert_false(c.has_flags);
    assert_false(c.hypervisor);
    static const char word[] = "flags\t: hypervisors nohypervisor\n";
    assert_int_equal(cpuinfo_parse(word, sizeof(word) - 1, &c, &e), 0);
    assert_true(c.has_flags);
    assert_false(c.hypervisor);
    assert_int_equal(cpuinfo_parse("", 0, &c, &e), 0);
    assert_int_equal(c.logical, 0);
}

static void test_small_files(void **state)
{
    int64_t n = 0;

    (void)state;
    static const char mem[] = "MemFree: 1 kB\nMemTotal:       16315 kB\n";
    assert_true(meminfo_total(mem, sizeof(mem) - 1, &n));
    assert_int_equal(n, 16315 * 1024);
    assert_false(meminfo_total("MemFree: 1 kB\n", 14, &n));
    assert_false(meminfo_total("MemTotal: x kB\n", 15, &n));
    assert_true(uptime_seconds("123.45 67.8\n", 12, &n));
    assert_int_equal(n, 123);
    assert_false(uptime_seconds("12\n", 3, &n));
    assert_false(uptime_seconds("-1.0\n", 5, &n));
}

static void test_cmdline(void **state)
{
    CLEANUP(str) struct str arguments = STR_INIT(256);
    CLEANUP(str) struct str path = STR_INIT(256);
    CLEANUP(str) struct str device = STR_INIT(256);
    static const char line[] = "BOOT_IMAGE=/vmlinuz root=/dev/a  ro quiet root=/dev/b rootwait\n";

    (void)state;
    cmdline_parse(span_of(line, sizeof(line) - 1), &arguments, &path, &device);
    assert_string_equal(str_text(&arguments), "ro quiet rootwait");
    assert_string_equal(str_text(&path), "/vmlinuz");
    assert_string_equal(str_text(&device), "/dev/b");
}

static void test_udev(void **state)
{
    static const char record[] = "S:disk/by-id/x\nI:123\nE:ID_FS_LABEL=my_disk\n"
                                 "E:ID_FS_LABEL_ENC=my\\x20disk\nE:ID_FS_TYPE=ext4\nG:systemd\n";
    CLEANUP(str) struct str label = STR_INIT(64);
    CLEANUP(str) struct str odd = STR_INIT(64);
    struct span s;

    (void)state;
    assert_true(udev_property(record, sizeof(record) - 1, "ID_FS_TYPE", &s));
    assert_true(span_is(s, "ext4"));
    assert_false(udev_property(record, sizeof(record) - 1, "ID_FS", &s));
    assert_false(udev_property(record, sizeof(record) - 1, "by-id/x", &s));
    assert_true(udev_property(record, sizeof(record) - 1, "ID_FS_LABEL_ENC", &s));
    udev_decode(s, &label);
    assert_string_equal(str_text(&label), "my disk");
    udev_decode(span_of("\\xzz\\x4", 7), &odd);
    assert_string_equal(str_text(&odd), "\\xzz\\x4");
}

static void test_sysctl_conf(void **state)
{
    static const char text[] = "# comment\n; comment\n\nkernel.sysrq = 1\n"
                               "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n"
                               "net/ipv4/conf/eth0.100/rp_filter=0\n-vm.swappiness=10\n"
                               "net.ipv4.conf.eth1/7.rp_filter=9\nkernel.sysrq=0\nnonsense\n=5\n";
    static const struct {
        const char *path, *want;
    } cases[] = {{"kernel/sysrq", "0"},
                 {"net/ipv4/conf/lo/rp_filter", "2"},
                 {"net/ipv4/conf/all/rp_filter", NULL},
                 {"net/ipv4/conf/eth0.100/rp_filter", "0"},
                 {"net/ipv4/conf/eth1.7/rp_filter", "9"},
                 {"net/ipv4/conf/a/b/rp_filter", NULL},
                 {"vm/swappiness", "10"},
                 {"nonsense", NULL}};
    struct sysctl_conf c = {0};
    struct err e;

    (void)state;
    assert_int_equal(sysctl_conf_add(&c, text, sizeof(text) - 1, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *seen = sysctl_conf_find(&c, cases[i].path);
        if ((seen == NULL) != (cases[i].want == NULL) ||
            (seen != NULL && strcmp(seen, cases[i].want) != 0)) {
            fail_msg("%s: %s", cases[i].path, seen != NULL ? seen : "nothing");
        }
    }
    sysctl_conf_done(&c);
    CLEANUP(str) struct str many = STR_INIT((size_t)1 << 20);
    for (size_t i = 0; i <= SYSCTL_ENTRIES_MAX; i++) {
        str_add(&many, "a.b=1\n");
    }
    assert_int_equal(sysctl_conf_add(&c, str_text(&many), many.len, &e), ERR_LIMIT);
    assert_int_equal(c.n, SYSCTL_ENTRIES_MAX);
    sysctl_conf_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modules),     cmocka_unit_test(test_mountinfo),
        cmocka_unit_test(test_unescape),    cmocka_unit_test(test_mount_flags),
        cmocka_unit_test(test_cpuinfo),     cmocka_unit_test(test_small_files),
        cmocka_unit_test(test_cmdline),     cmocka_unit_test(test_udev),
        cmocka_unit_test(test_sysctl_conf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
