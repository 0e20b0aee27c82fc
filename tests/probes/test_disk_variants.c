/* The healthy laptop of tests/hosts/fully-encrypted with one thing changed or broken at a time, in
 * a temporary copy (a repository keeps neither FIFOs nor lines of megabytes). What is broken must
 * never look encrypted. The whole probe: probes/disk/disk.c probes/disk/gather.c
 * probes/disk/gather_dm.c probes/disk/gather_heads.c probes/disk/gather_targets.c
 * probes/disk/walk.c probes/disk/graph.c probes/disk/trail.c probes/disk/layers.c
 * probes/disk/filesystems.c probes/disk/answer.c probes/disk/rows_mounts.c
 * probes/disk/rows_devices.c. What needs real devices: tests/system/lab_disk.sh. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/host.h"
#include "agent/base/io.h"
#include "agent/scan/local.h"
#include "probes/probe.h"

#define HEALTHY TENKEN_SOURCE_DIR "/tests/hosts/fully-encrypted"
#define LONG_LINE ((size_t)17 << 20)

enum change {
    KEEP,
    WRITE,   /* content instead of what is there */
    APPEND,  /* behind what is there */
    REPLACE, /* `content` is "OLD=>NEW", once, in the file */
    FIFO,    /* a FIFO in place of the file */
    RING,    /* a link to itself */
    REMOVE,
    JOURNAL,   /* an ext4 superblock that names 8:2 as its journal device */
    F2FS,      /* an f2fs superblock that names two devices; content behind the mount table */
    HUGE_LINE, /* one line longer than anything allowed */
};

struct variant {
    const char *why;
    enum change change;
    const char *file; /* below the tree: "root/proc/swaps", "capture.json" */
    const char *content;
    const char *table;
    enum fact_state state;
    const char *mount, *role; /* NULL: no row is looked at */
    const char *want;         /* "ENCRYPTED METHOD LEAVES REASON", "?" = NULL; "-" = no such row */
};

#define ME "mount_encryption"
#define DATA "/srv/city", "data"
#define GOOD "1 luks2 [\"/dev/sda3\"] "

static const struct variant variants[] = {
    {"unchanged", KEEP, "", "", ME, STATE_COMPLETE, DATA, GOOD},
    {"a plain disk mounted inside the data path counts for it", APPEND, "root/proc/1/mountinfo",
     "90 30 8:2 / /srv/city/sub rw - ext4 /dev/sda2 rw\n", ME, STATE_COMPLETE, DATA,
     "0 mixed [\"/dev/sda2\",\"/dev/sda3\"] not-visible-here: /dev/sda2"},
    {"NFS mounted inside the data path: not known", APPEND, "root/proc/1/mountinfo",
     "90 30 0:90 / /srv/city/sub rw - nfs4 h:/x rw\n", ME, STATE_COMPLETE, DATA,
     "? ? [\"/dev/sda3\"] network: nfs4"},
    {"a read-only medium inside it keeps no data", APPEND, "root/proc/1/mountinfo",
     "90 30 8:2 / /srv/city/sub ro - squashfs /dev/sda2 ro\n", ME, STATE_COMPLETE, DATA, GOOD},
    {"an archive inside it, mounted read-only, holds data all the same", APPEND,
     "root/proc/1/mountinfo", "90 30 8:2 / /srv/city/sub ro - ext4 /dev/sda2 ro\n", ME,
     STATE_COMPLETE, DATA, "0 mixed [\"/dev/sda2\",\"/dev/sda3\"] not-visible-here: /dev/sda2"},
    {"encryption over a place that nobody has seen: no leaf, no yes", APPEND,
     "root/proc/1/mountinfo",
     "90 30 0:90 / /mnt rw - nfs4 h:/x rw\n91 34 0:91 / /srv/city rw - ecryptfs /mnt "
     "rw,ecryptfs_cipher=aes,ecryptfs_key_bytes=32\n",
     ME, STATE_COMPLETE, DATA, "? ecryptfs [] no-leaf"},
    {"f2fs spread over two devices, one of them plain", F2FS, "root/dev/dm-4",
     "90 34 253:4 / /srv/city rw - f2fs /dev/dm-4 rw\n", ME, STATE_COMPLETE, DATA,
     "0 mixed [\"/dev/sda2\",\"/dev/sda3\"] not-visible-here: /dev/sda2"},
    {"f2fs whose superblock was not seen: its devices are not known", APPEND,
     "root/proc/1/mountinfo", "90 34 253:4 / /srv/city rw - f2fs /dev/dm-4 rw\n", ME,
     STATE_COMPLETE, DATA, "? ? [\"/dev/sda3\"] no-leaf: f2fs"},
    {"jfs may journal elsewhere, and nothing says so", APPEND, "root/proc/1/mountinfo",
     "90 34 253:4 / /srv/city rw - jfs /dev/dm-4 rw\n", ME, STATE_COMPLETE, DATA,
     "? ? [\"/dev/sda3\"] no-leaf: journal"},
    {"what covers the data path counts, not what is covered", APPEND, "root/proc/1/mountinfo",
     "90 34 8:2 / /srv/city rw - ext4 /dev/sda2 rw\n", ME, STATE_COMPLETE, DATA,
     "0 none [\"/dev/sda2\"] not-visible-here: /dev/sda2"},
    {"relative core pattern, everything but /boot encrypted", WRITE,
     "root/proc/sys/kernel/core_pattern", "core\n", ME, STATE_COMPLETE, "core", "coredump", GOOD},
    {"unknown core handler", WRITE, "root/proc/sys/kernel/core_pattern", "|/opt/h %P\n", ME,
     STATE_COMPLETE, "/opt/h", "coredump", "? ? [] core-handler: /opt/h"},
    {"no core dumps stored", WRITE, "root/etc/systemd/coredump.conf", "[Coredump]\nStorage=none\n",
     ME, STATE_COMPLETE, "/var/lib/systemd/coredump", "coredump", "-"},
    {"crash kernel loaded, nobody says where it writes", WRITE,
     "root/sys/kernel/kexec_crash_loaded", "1\n", ME, STATE_COMPLETE, "kdump", "coredump",
     "? ? [] kdump-target: kdump"},
    {"resume= names a device that does not exist", WRITE, "root/proc/cmdline", "resume=UUID=0-0\n",
     ME, STATE_COMPLETE, "UUID=0-0", "hibernate", "? ? [] unresolved: no such device"},
    {"swap file deleted while in use", APPEND, "root/proc/swaps",
     "/gone\\040(deleted) file 1 0 -3\n", ME, STATE_COMPLETE, "/gone", "swap",
     "? ? [] backing-file: /gone"},
    {"ext4 with its journal on a plain device is not all behind LUKS", JOURNAL, "root/dev/dm-4", "",
     ME, STATE_COMPLETE, DATA, "0 mixed [\"/dev/sda2\",\"/dev/sda3\"] not-visible-here: /dev/sda2"},
    {"every device that a table names counts", REPLACE, "capture.json",
     "253:0 251660288=>253:0 251660288 8:2", ME, STATE_COMPLETE, DATA,
     "0 mixed [\"/dev/sda2\",\"/dev/sda3\"] not-visible-here: /dev/sda2"},
    {"mount table is a FIFO", FIFO, "root/proc/1/mountinfo", "", ME, STATE_MALFORMED, DATA,
     "? ? [] unresolved: no such file or directory"},
    {"mount table missing", REMOVE, "root/proc/1/mountinfo", "", ME, STATE_DENIED, NULL, NULL,
     NULL},
    {"mount table empty", WRITE, "root/proc/1/mountinfo", "", ME, STATE_MALFORMED, NULL, NULL,
     NULL},
    {"mount table: one line of 17 MB", HUGE_LINE, "root/proc/1/mountinfo", "", ME, STATE_TRUNCATED,
     NULL, NULL, NULL},
    {"mount table: binary junk after good lines", APPEND, "root/proc/1/mountinfo",
     "\x01\xff\xfe junk\n", ME, STATE_MALFORMED, DATA, GOOD},
    {"swap list is a FIFO: tmpfs is not known", FIFO, "root/proc/swaps", "", ME, STATE_MALFORMED,
     "/run", "other", "? ? [] denied: /proc/swaps"},
    {"swap list without its header", WRITE, "root/proc/swaps", "junk\n", ME, STATE_MALFORMED,
     "/run", "other", "? ? [] malformed: /proc/swaps"},
    {"core pattern is a FIFO", FIFO, "root/proc/sys/kernel/core_pattern", "", ME, STATE_MALFORMED,
     NULL, NULL, NULL},
    {"core pattern not captured", REMOVE, "root/proc/sys/kernel/core_pattern", "", ME,
     STATE_COMPLETE, "/var/lib/systemd/coredump", "coredump", "-"}, /* the directory is whole */
    {"a device's entry is a ring of links", RING, "root/sys/class/block/dm-4", "", ME,
     STATE_MALFORMED, DATA, "? ? [] denied: /dev/dm-4"},
    {"a mapping's slave is no device", REMOVE, "root/sys/class/block/sda3", "", ME, STATE_MALFORMED,
     DATA, "? ? [] no-leaf: /dev/dm-0"},
    {"no table for the crypt mapping", REPLACE, "capture.json", "\"253:0\":=>\"253:99\":", ME,
     STATE_DENIED, DATA, "? ? [\"/dev/sda3\"] denied: /dev/dm-0"},
    {"the crypt target's parameters are junk", REPLACE, "capture.json",
     "aes-xts-plain64 :64:logon:cryptsetup:d0 0 8:3 32768=>xx", ME, STATE_COMPLETE, DATA,
     "? ? [\"/dev/sda3\"] unknown-layer: crypt"},
    {"null cipher", REPLACE, "capture.json", "aes-xts-plain64=>cipher_null-ecb", ME, STATE_COMPLETE,
     DATA, "0 luks2 [\"/dev/sda3\"] cipher-null: /dev/sda3"},
    {"a target on top of itself", REPLACE, "capture.json", "0 8:3 32768=>0 253:4 32768", ME,
     STATE_COMPLETE, DATA, "? ? [] too-deep"},
    {"the header is damaged", WRITE, "root/dev/sda3", "LUKS\xba\xbe\x02 junk behind the magic",
     "luks_headers", STATE_MALFORMED, NULL, NULL, NULL},
    {"the header is damaged, the mapping in use is not", WRITE, "root/dev/sda3",
     "LUKS\xba\xbe\x02 junk behind the magic", ME, STATE_COMPLETE, DATA, GOOD},
    {"the device node is a FIFO", FIFO, "root/dev/sda3", "", "luks_headers", STATE_TRUNCATED, NULL,
     NULL, NULL},
    {"the device node was not captured", REMOVE, "root/dev/sda3", "", "luks_headers", STATE_DENIED,
     NULL, NULL, NULL},
    {"data path is a ring of links", RING, "root/srv/city", "", ME, STATE_COMPLETE, DATA,
     "? ? [] unresolved: too many links"},
    {"a FIFO on the way to the data path", FIFO, "root/srv", "", ME, STATE_COMPLETE, DATA,
     "? ? [] unresolved: no such file or directory"},
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *dir)
{
    (void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void copy_tree(char *dir)
{
    char command[1024];
    strcpy(dir, "/tmp/tenken-disk-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(command, sizeof(command), "cp -a %s/. %s/", HEALTHY, dir);
    assert_int_equal(system(command), 0);
}

static void read_all(const char *path, struct str *out)
{
    struct err e = {0};
    if (io_read_file(path, (size_t)4 << 20, out, &e) != 0) {
        fail_msg("%s", e.msg);
    }
}

static void write_all(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void replace_once(const char *path, const char *rule)
{
    CLEANUP(str) struct str old = STR_INIT((size_t)4 << 20);
    CLEANUP(str) struct str text = STR_INIT((size_t)8 << 20);
    const char *arrow = strstr(rule, "=>");
    assert_non_null(arrow);
    read_all(path, &old);
    char *from = strndup(rule, (size_t)(arrow - rule));
    assert_non_null(from);
    const char *at = strstr(str_text(&old), from);
    if (at == NULL) {
        fail_msg("%s does not hold %s", path, from);
    } else {
        str_add_bytes(&text, old.data, (size_t)(at - old.data));
        str_add(&text, arrow + 2);
        str_add(&text, at + strlen(from));
        write_all(path, str_text(&text), text.len);
    }
    free(from);
}

/* kernel Documentation/filesystems/ext4/super.rst: magic, has_journal, no journal inode, device */
static void write_journal(const char *path)
{
    unsigned char head[8192] = {0};
    head[1024 + 0x38] = 0x53;
    head[1024 + 0x39] = 0xef;
    head[1024 + 0x5c] = 0x04;
    head[1024 + 0xe4] = 2;
    head[1024 + 0xe5] = 8;
    write_all(path, (const char *)head, sizeof(head));
}

/* kernel include/linux/f2fs_fs.h: magic, and the devices from byte 2201 on */
static void write_f2fs(const char *dir, const char *path, const char *mount_line)
{
    CLEANUP(str) struct str text = STR_INIT((size_t)4 << 20);
    char head[8192] = {0};
    char mounts[512];
    memcpy(head + 1024, "\x10\x20\xf5\xf2", 4);
    strcpy(head + 1024 + 2201, "/dev/dm-4");
    strcpy(head + 1024 + 2201 + 68, "/dev/sda2");
    write_all(path, head, sizeof(head));
    (void)snprintf(mounts, sizeof(mounts), "%s/root/proc/1/mountinfo", dir);
    read_all(mounts, &text);
    str_add(&text, mount_line);
    write_all(mounts, str_text(&text), text.len);
}

static void apply(const char *dir, const struct variant *v)
{
    CLEANUP(str) struct str text = STR_INIT((size_t)32 << 20);
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, v->file);
    switch (v->change) {
    case WRITE:
        write_all(path, v->content, strlen(v->content));
        break;
    case APPEND:
        read_all(path, &text);
        str_add(&text, v->content);
        write_all(path, str_text(&text), text.len);
        break;
    case REPLACE:
        replace_once(path, v->content);
        break;
    case FIFO:
        remove_tree(path);
        assert_int_equal(mkfifo(path, 0600), 0);
        break;
    case RING:
        remove_tree(path);
        assert_int_equal(symlink(strrchr(path, '/') + 1, path), 0);
        break;
    case REMOVE:
        assert_int_equal(remove(path), 0);
        break;
    case JOURNAL:
        write_journal(path);
        break;
    case F2FS:
        write_f2fs(dir, path, v->content);
        break;
    case HUGE_LINE:
        for (size_t i = 0; i < LONG_LINE / 16; i++) {
            str_add(&text, "0123456789abcdef");
        }
        write_all(path, str_text(&text), text.len);
        break;
    case KEEP:
    default:
        break;
    }
}

static void run_probe(const char *dir, struct facts *facts)
{
    static const struct probe_input inputs[] = {{"data_paths", "/srv/city"}};
    CLEANUP(host) struct host *h = NULL;
    struct err e = {0};
    if (host_open(dir, &h, &e) != 0 ||
        probe_run_local(&probe_disk, h, NULL, inputs, ARRAY_LEN(inputs), facts, &e) != 0) {
        fail_msg("%s", e.msg);
    }
}

static const struct cell *cell_of(const struct fact_table *t, size_t row, const char *column)
{
    return &t->cells[row * t->decl->n_columns + (size_t)table_column(t->decl, column)];
}

static const char *text_of(const struct cell *c)
{
    return c->type == CELL_TEXT ? c->v.t.p : "?";
}

static void describe_row(const struct fact_table *t, const struct variant *v, struct str *out)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct cell *encrypted = cell_of(t, i, "encrypted");
        if (strcmp(text_of(cell_of(t, i, "mount")), v->mount) == 0 &&
            strcmp(text_of(cell_of(t, i, "role")), v->role) == 0) {
            str_addf(out, "%s %s %s %s",
                     encrypted->type != CELL_INT ? "?"
                     : encrypted->v.i == 1       ? "1"
                                                 : "0",
                     text_of(cell_of(t, i, "method")), text_of(cell_of(t, i, "leaves")),
                     text_of(cell_of(t, i, "reason")));
            return;
        }
    }
    str_add(out, "-");
}

static void test_variants(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(variants); i++) {
        const struct variant *v = &variants[i];
        CLEANUP(facts) struct facts facts = {0};
        CLEANUP(str) struct str row = STR_INIT(4096);
        char dir[64];
        copy_tree(dir);
        apply(dir, v);
        run_probe(dir, &facts);
        remove_tree(dir);
        const struct fact_table *t = facts_find(&facts, v->table);
        assert_non_null(t);
        if (v->mount != NULL) {
            describe_row(t, v, &row);
        }
        if (t->state != v->state || (v->mount != NULL && strcmp(str_text(&row), v->want) != 0)) {
            print_error("%s:\n  wanted %s  %s\n  seen   %s (%s)  %s\n", v->why,
                        fact_state_word(v->state), v->want == NULL ? "" : v->want,
                        fact_state_word(t->state), t->reason, str_text(&row));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* A volume key that stands in a table goes nowhere: not into any cell of any table, not into a
 * reason. */
static void test_no_key_leaves(void **state)
{
    (void)state;
    static const char key[] = "d1ce5eedc0ffee11d1ce5eedc0ffee22d1ce5eedc0ffee33d1ce5eedc0ffee44"
                              "d1ce5eedc0ffee55d1ce5eedc0ffee66d1ce5eedc0ffee77d1ce5eedc0ffee88";
    char rule[512];
    char dir[64];
    char path[128];
    CLEANUP(facts) struct facts facts = {0};
    copy_tree(dir);
    (void)snprintf(path, sizeof(path), "%s/capture.json", dir);
    (void)snprintf(rule, sizeof(rule), ":64:logon:cryptsetup:d0=>%s", key);
    replace_once(path, rule);
    run_probe(dir, &facts);
    remove_tree(dir);
    size_t cells = 0;
    for (size_t i = 0; i < facts.n; i++) {
        const struct fact_table *t = facts.tables[i];
        assert_null(strstr(t->reason, "5eed"));
        for (size_t k = 0; k < t->n_rows * t->decl->n_columns; k++) {
            if (t->cells[k].type == CELL_TEXT) {
                assert_null(strstr(t->cells[k].v.t.p, "d1ce"));
                assert_null(strstr(t->cells[k].v.t.p, "5eed"));
                cells++;
            }
        }
    }
    assert_true(cells > 50);
    /* and the row is there, with the key's size */
    const struct fact_table *t = facts_find(&facts, ME);
    assert_non_null(t);
    CLEANUP(str) struct str row = STR_INIT(4096);
    describe_row(t, &variants[0], &row);
    assert_string_equal(str_text(&row), GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_no_key_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
