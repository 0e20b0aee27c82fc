/* The probe system on small trees made for the occasion: how a look ends (absent, denied,
 * malformed, truncated), files that are not files, very long lines. What a good host looks like
 * stands in tests/hosts/system-*. Sources: probes/system/system.c, probes/system/files.c,
 * probes/system/identity.c, probes/system/accounts.c. */
#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/base/io.h"
#include "agent/scan/local.h"

#define SIGHTS "\"sights\":[\"proc\",\"root\",\"net\",\"sys\",\"dev\"]"
#define ALL                                                                                        \
    "{\"format\":\"tenken-capture/1\"," SIGHTS ",\"uname\":{\"release\":\"6.1\","                  \
    "\"machine\":\"x86_64\"},\"whole\":[\"/\"]}"
#define PARTLY "{\"format\":\"tenken-capture/1\"," SIGHTS ",\"whole\":[]}"
#define NO_SYS                                                                                     \
    "{\"format\":\"tenken-capture/1\",\"sights\":[\"proc\",\"root\",\"net\"],\"whole\":[\"/\"]}"

struct tree {
    char dir[32];
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void cleanup_tree(struct tree *t)
{
    (void)nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_tree(struct tree *t, const char *capture)
{
    CLEANUP(str) struct str path = STR_INIT(256);
    struct err e;

    (void)snprintf(t->dir, sizeof(t->dir), "/tmp/tenken-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    str_addf(&path, "%s/root", t->dir);
    assert_int_equal(io_make_dir(str_text(&path), 0755, &e), 0);
    if (capture != NULL) {
        str_clear(&path);
        str_addf(&path, "%s/capture.json", t->dir);
        assert_int_equal(io_write_atomic(str_text(&path), capture, strlen(capture), 0644, &e), 0);
    }
}

/* Path of a file of the tree, with its directories made. */
static void tree_path(const struct tree *t, const char *name, struct str *ret)
{
    CLEANUP(free) char *dir = NULL;
    struct err e;

    str_clear(ret);
    str_addf(ret, "%s/root%s", t->dir, name);
    dir = strdup(str_text(ret));
    assert_non_null(dir);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(io_make_dir(dir, 0755, &e), 0);
}

static void put_bytes(const struct tree *t, const char *name, const char *bytes, size_t n)
{
    CLEANUP(str) struct str path = STR_INIT(512);
    struct err e;

    tree_path(t, name, &path);
    if (io_write_atomic(str_text(&path), bytes, n, 0644, &e) != 0) {
        fail_msg("%s", e.msg);
    }
}

static void put(const struct tree *t, const char *name, const char *text)
{
    put_bytes(t, name, text, strlen(text));
}

/* Runs the probe for one table of the tree; facts stay the caller's. */
static struct fact_table *look(const struct tree *t, bool captured, const char *table,
                               struct facts *facts)
{
    CLEANUP(str) struct str path = STR_INIT(256);
    CLEANUP(host) struct host *h = NULL;
    struct err e;

    str_addf(&path, "%s%s", t->dir, captured ? "" : "/root");
    if (host_open(str_text(&path), &h, &e) != 0 ||
        probe_run_local(&probe_system, h, (const char *const[]){table, NULL}, NULL, 0, facts, &e) !=
            0) {
        fail_msg("%s", e.msg);
    }
    struct fact_table *found = facts_find(facts, table);
    assert_non_null(found);
    return found;
}

static void expect(const struct tree *t, const char *why, const char *table, enum fact_state state,
                   const char *word, size_t rows)
{
    CLEANUP(facts) struct facts facts = {0};
    const struct fact_table *seen = look(t, true, table, &facts);

    if (seen->state != state || strncmp(seen->reason, word, strlen(word)) != 0 ||
        (word[0] == '\0' && seen->reason[0] != '\0') || seen->n_rows != rows) {
        fail_msg("%s: %s is %s (%s) with %zu rows", why, table, fact_state_word(seen->state),
                 seen->reason, seen->n_rows);
    }
}

/* Text of the first row whose first column is key; "" for NULL, NULL if there is no such row. */
static const char *cell(const struct fact_table *t, const char *key, const char *column)
{
    int c = table_column(t->decl, column);

    assert_true(c >= 0);
    for (size_t r = 0; r < t->n_rows; r++) {
        const struct cell *cells = t->cells + r * t->decl->n_columns;
        if (cells[0].type == CELL_TEXT && strcmp(cells[0].v.t.p, key) == 0) {
            return cells[c].type == CELL_TEXT ? cells[c].v.t.p : "";
        }
    }
    return NULL;
}

static void test_absent_needs_proof(void **state)
{
    static const char *const tables[] = {"users", "groups", "shadow", "user_groups", "os_version"};
    CLEANUP(tree) struct tree whole = {{0}};
    CLEANUP(tree) struct tree partly = {{0}};

    (void)state;
    make_tree(&whole, ALL);
    make_tree(&partly, PARTLY);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        expect(&whole, "the whole tree was captured", tables[i], STATE_ABSENT, "absent", 0);
        expect(&partly, "nothing says so", tables[i], STATE_DENIED, "not_captured", 0);
    }
    expect(&whole, "a kernel without modules", "kernel_modules", STATE_ABSENT, "absent", 0);
    expect(&partly, "modules not captured", "kernel_modules", STATE_DENIED, "not_captured", 0);
    expect(&whole, "a mount table always exists", "mounts", STATE_DENIED, "not_captured", 0);
    expect(&whole, "no block device", "block_devices", STATE_ABSENT, "absent", 0);
    expect(&partly, "block devices not captured", "block_devices", STATE_DENIED, "not_captured", 0);
    expect(&partly, "no uname", "kernel_info", STATE_DENIED, "not_captured", 0);
    /* one file of two: user_groups leans on both */
    put(&whole, "/etc/passwd", "root:x:0:0:::\n");
    expect(&whole, "no group file", "user_groups", STATE_ABSENT, "absent", 0);
}

static void test_empty_files(void **state)
{
    CLEANUP(tree) struct tree t = {{0}};

    (void)state;
    make_tree(&t, ALL);
    put(&t, "/etc/passwd", "");
    put(&t, "/etc/group", "");
    put(&t, "/proc/modules", "");
    put(&t, "/proc/1/mountinfo", "");
    put(&t, "/etc/os-release", "");
    expect(&t, "no accounts is an answer", "users", STATE_COMPLETE, "", 0);
    expect(&t, "no groups either", "user_groups", STATE_COMPLETE, "", 0);
    expect(&t, "no module is loaded", "kernel_modules", STATE_COMPLETE, "", 0);
    expect(&t, "there is always a root", "mounts", STATE_MALFORMED, "malformed", 0);
    expect(&t, "defaults of os-release(5)", "os_version", STATE_COMPLETE, "", 1);
}

/* A FIFO must not hang the probe, a directory is no file, a link that leads out stays inside. */
static void test_files_that_are_none(void **state)
{
    CLEANUP(tree) struct tree t = {{0}};
    CLEANUP(str) struct str path = STR_INIT(512);

    (void)state;
    make_tree(&t, ALL);
    tree_path(&t, "/etc/passwd", &path);
    assert_int_equal(mkfifo(str_text(&path), 0644), 0);
    tree_path(&t, "/etc/group", &path);
    assert_int_equal(mkdir(str_text(&path), 0755), 0);
    tree_path(&t, "/etc/shadow", &path);
    assert_int_equal(symlink("shadow", str_text(&path)), 0);
    tree_path(&t, "/etc/os-release", &path);
    assert_int_equal(symlink("../../../../../../../../etc/hostname", str_text(&path)), 0);
    tree_path(&t, "/proc/sys/kernel/fifo", &path);
    assert_int_equal(mkfifo(str_text(&path), 0644), 0);
    put(&t, "/proc/sys/kernel/sysrq", "1\n");
    expect(&t, "a FIFO", "users", STATE_MALFORMED, "malformed", 0);
    expect(&t, "a directory", "groups", STATE_MALFORMED, "malformed", 0);
    expect(&t, "a link to itself", "shadow", STATE_MALFORMED, "malformed", 0);
    expect(&t, "a link that leads out of the tree", "os_version", STATE_ABSENT, "absent", 0);
    expect(&t, "a FIFO among the parameters", "system_controls", STATE_MALFORMED, "malformed", 1);
}

static void test_long_lines(void **state)
{
    const size_t n = (size_t)10 << 20;
    CLEANUP(tree) struct tree t = {{0}};
    CLEANUP(free) char *text = malloc(n);

    (void)state;
    assert_non_null(text);
    make_tree(&t, ALL);
    static const char first[] = "root:x:0:0:::\n";
    memset(text, 'a', n);
    memcpy(text, first, sizeof(first) - 1);
    put_bytes(&t, "/etc/passwd", text, n);
    expect(&t, "one line, then 10 MB without end", "users", STATE_TRUNCATED, "truncated", 1);
    put_bytes(&t, "/etc/passwd", text, (size_t)2 << 20);
    expect(&t, "2 MB without a colon", "users", STATE_MALFORMED, "malformed", 1);
    put_bytes(&t, "/etc/os-release", text, n);
    expect(&t, "os-release", "os_version", STATE_TRUNCATED, "truncated", 1);
    put_bytes(&t, "/proc/modules", text, n);
    expect(&t, "modules", "kernel_modules", STATE_TRUNCATED, "truncated", 0);
    put_bytes(&t, "/proc/1/mountinfo", text, n);
    expect(&t, "mounts", "mounts", STATE_MALFORMED, "malformed", 0);
    put_bytes(&t, "/proc/sys/kernel/long", text, n);
    expect(&t, "a parameter", "system_controls", STATE_TRUNCATED, "truncated", 1);
}

static void test_plain_tree(void **state)
{
    CLEANUP(tree) struct tree t = {{0}};

    (void)state;
    make_tree(&t, NULL);
    put(&t, "/etc/passwd", "root:x:0:0:::\n");
    put(&t, "/proc/modules", "uas 1 0 - Live 0x0\n");
    CLEANUP(facts) struct facts a = {0};
    assert_int_equal(look(&t, false, "users", &a)->state, STATE_COMPLETE);
    CLEANUP(facts) struct facts b = {0};
    assert_int_equal(look(&t, false, "kernel_modules", &b)->state, STATE_DENIED);
    CLEANUP(facts) struct facts c = {0};
    assert_string_equal(look(&t, false, "mounts", &c)->reason, "not_captured");
}

struct identity_case {
    const char *why, *file, *bytes;
    size_t n;
    const char *item, *value; /* "": not known */
};

static void test_identity(void **state)
{
    static const char efi[] = "/sys/firmware/efi/efivars/"
                              "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    static const char shim[] = "/sys/firmware/efi/efivars/"
                               "MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23";
    static const struct identity_case cases[] = {
        {"no EFI at all", "/etc/x", "", 0, "secure-boot", "not-efi"},
        {"EFI without its variables", "/sys/firmware/efi/runtime", "0", 1, "secure-boot", ""},
        {"variables, but not this one", "/sys/firmware/efi/efivars/Boot0000-x", "x", 1,
         "secure-boot", "unsupported"},
        {"switched off", efi, "\x06\0\0\0\0", 5, "secure-boot", "disabled"},
        {"switched on", efi, "\x06\0\0\0\1", 5, "secure-boot", "enabled"},
        {"shim verifies nothing", shim, "\x06\0\0\0\1", 5, "secure-boot", "disabled"},
        {"shim verifies", shim, "\x06\0\0\0\0", 5, "secure-boot", "enabled"},
        {"an odd value", efi, "\x06\0\0\0\7", 5, "secure-boot", ""},
        {"cut short", efi, "\x06\0\0\0", 4, "secure-boot", ""},
        {"no TPM", "/etc/x", "", 0, "tpm", "none"},
        {"a TPM of unknown version", "/sys/class/tpm/tpm0/dev", "10:224", 6, "tpm", ""},
        {"TPM 1.2", "/sys/class/tpm/tpm0/tpm_version_major", "1\n", 2, "tpm", "1.2"},
        {"TPM 2.0", "/sys/class/tpm/tpm0/tpm_version_major", "2\n", 2, "tpm", "2.0"},
        {"no processor flags", "/etc/x", "", 0, "virtualisation", ""},
        {"flags, but no firmware data", "/proc/cpuinfo", "flags : fpu\n", 12, "virtualisation", ""},
        {"neither names one", "/sys/class/dmi/id/sys_vendor", "Dell Inc.\n", 10, "virtualisation",
         "none"},
        {"the flag", "/proc/cpuinfo", "flags : fpu hypervisor\n", 23, "virtualisation", "other"},
        {"a cloud's virtual machine", "/sys/class/dmi/id/sys_vendor", "Amazon EC2\n", 11,
         "virtualisation", "amazon"},
        {"the same cloud's bare machine", "/proc/cpuinfo", "flags : fpu\n", 12, "virtualisation",
         "none"},
        {"QEMU with its flag hidden", "/sys/class/dmi/id/sys_vendor", "QEMU\n", 5, "virtualisation",
         "qemu"},
        {"Xen's own word", "/sys/hypervisor/type", "xen\n", 4, "virtualisation", "qemu"},
        {"chassis", "/sys/class/dmi/id/chassis_type", "9\n", 2, "chassis", "laptop"},
        {"chassis without a name here", "/sys/class/dmi/id/chassis_type", "2\n", 2, "chassis",
         "type-2"},
        {"no chassis at all", "/sys/class/dmi/id/chassis_type", "x\n", 2, "chassis", "x"},
        {"no machine-id", "/etc/x", "", 0, "machine-id", "none"},
        {"before the first boot", "/etc/machine-id", "uninitialized\n", 14, "machine-id", ""},
        {"upper case is not the form", "/etc/machine-id", "0123456789ABCDEF0123456789ABCDEF\n", 33,
         "machine-id", ""},
        {"machine-id", "/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 33, "machine-id",
         "0123456789abcdef0123456789abcdef"},
    };
    CLEANUP(tree) struct tree t = {{0}};

    (void)state;
    make_tree(&t, ALL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) { /* each adds to what the ones before it put */
        CLEANUP(facts) struct facts facts = {0};
        put_bytes(&t, cases[i].file, cases[i].bytes, cases[i].n);
        const struct fact_table *seen = look(&t, true, "asset_identity", &facts);
        const char *value = cell(seen, cases[i].item, "value");
        assert_int_equal(seen->n_rows, 8);
        if (value == NULL || strcmp(value, cases[i].value) != 0) {
            fail_msg("%s: %s is \"%s\" (%s)", cases[i].why, cases[i].item,
                     value != NULL ? value : "no row", cell(seen, cases[i].item, "reason"));
        }
        /* not known always says why */
        assert_true(cases[i].value[0] != '\0' || cell(seen, cases[i].item, "reason")[0] != '\0');
    }
}

static void test_identity_without_sys(void **state)
{
    CLEANUP(tree) struct tree t = {{0}};
    CLEANUP(facts) struct facts facts = {0};

    (void)state;
    make_tree(&t, NO_SYS);
    put(&t, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put(&t, "/sys/class/dmi/id/product_serial", "FAKE\n");
    const struct fact_table *seen = look(&t, true, "asset_identity", &facts);
    assert_int_equal(seen->state, STATE_DENIED);
    assert_int_equal(strncmp(seen->reason, "not_visible", 11), 0);
    assert_string_equal(cell(seen, "machine-id", "value"), "0123456789abcdef0123456789abcdef");
    assert_string_equal(cell(seen, "dmi-serial", "value"), "");
    assert_string_equal(cell(seen, "tpm", "value"), "");
    assert_string_equal(cell(seen, "secure-boot", "value"), "");
}

static void test_gentoo_and_old_red_hat(void **state)
{
    CLEANUP(tree) struct tree t = {{0}};
    CLEANUP(facts) struct facts a = {0};
    CLEANUP(facts) struct facts b = {0};

    (void)state;
    make_tree(&t, ALL);
    put(&t, "/etc/os-release", "NAME=Gentoo\nID=gentoo\nVERSION_ID=2.14\n");
    put(&t, "/etc/gentoo-release", "Gentoo Base System release 2.15\n");
    const struct fact_table *seen = look(&t, true, "os_version", &a);
    assert_string_equal(cell(seen, "Gentoo Base System", "platform"), "gentoo");
    assert_string_equal(cell(seen, "Gentoo Base System", "version"),
                        "Gentoo Base System release 2.15");
    put(&t, "/etc/redhat-release", "CentOS Stream release 9\n");
    put(&t, "/etc/os-release", "NAME=\"CentOS Stream\"\nID=centos\nVERSION_ID=9\n");
    seen = look(&t, true, "os_version", &b);
    assert_string_equal(cell(seen, "CentOS Stream", "platform"), "rhel");
    int major = table_column(seen->decl, "major");
    assert_int_equal(seen->cells[major].v.i, 9);
}

/* What nobody asked for is not looked at, and has no rows. */
static void test_only_wanted(void **state)
{
    CLEANUP(tree) struct tree t = {{0}};
    CLEANUP(facts) struct facts facts = {0};

    (void)state;
    make_tree(&t, ALL);
    put(&t, "/etc/passwd", "root:x:0:0:::\n");
    put(&t, "/etc/group", "root:x:0:\n");
    (void)look(&t, true, "users", &facts);
    for (size_t i = 0; i < facts.n; i++) {
        bool is_users = strcmp(facts.tables[i]->decl->name, "users") == 0;
        assert_int_equal(facts.tables[i]->n_rows, is_users ? 1 : 0);
        assert_true(is_users || facts.tables[i]->state == STATE_NOT_RUN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_needs_proof),   cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_files_that_are_none),  cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_plain_tree),           cmocka_unit_test(test_identity),
        cmocka_unit_test(test_identity_without_sys), cmocka_unit_test(test_gentoo_and_old_red_hat),
        cmocka_unit_test(test_only_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
