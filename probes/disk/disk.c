/* The disk probe: is what is stored on this host encrypted, down to every device that holds a part
 * of it? Gathering needs privilege and happens in run(); everything concluded is concluded in
 * parse(), from the bag alone. */
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>

#include "probes/disk/tables.h"

#define MOUNTINFO_MAX ((size_t)16 << 20)
#define SWAPS_MAX ((size_t)1 << 20)

static const struct owed owed_data_paths = {"mount", "role", "data", "data_paths"};

const struct table table_mount_encryption = {
    .name = "mount_encryption",
    .doc = "For every place that keeps what is written: is each device below it reached through "
           "encryption? One row per mounted writable local file system, active swap area, declared "
           "data path, hibernation target and dump target. A data path that is itself a mount "
           "point has two rows here, (path, data) and (path, its role without the declaration): "
           "whoever reads or records the table keeps the first and drops the second; where a "
           "declaration is another contract's, it is the other way round. What is mounted below a "
           "data path counts for it, but for role boot.",
    .source =
        "proc_pid_mountinfo(5); proc_swaps(5); kernel Documentation/admin-guide/device-mapper",
    .kind = TABLE_FACTS,
    .owed = &owed_data_paths,
    TABLE_COLUMNS(
        {"mount", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL,
         "mount point; path of a swap area; declared path; directory or device of a dump"},
        {"role", COL_TEXT, "", COL_KEY | COL_DECIDES,
         "root|home|data|swap|hibernate|coredump|log|tmp|boot|other", "what the place is for"},
        {"device", COL_TEXT, "", COL_NULLABLE | COL_HAS_NAMES, NULL,
         "device it stands on, else the source that the mount table names"},
        {"fstype", COL_TEXT, "", COL_NULLABLE, NULL, "type of file system; swap"},
        {"encrypted", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL,
         "1 only if at least one leaf is known and every leaf is reached through an encrypting "
         "layer whose cipher is not null"},
        {"method", COL_TEXT, "", COL_DECIDES | COL_NULLABLE,
         "luks2|luks1|plain|bitlk|tcrypt|fscrypt|ecryptfs|zfs|bcachefs|none|mixed",
         "uppermost encrypting layer; plain = dm-crypt without a header known here; mixed = the "
         "leaves differ"},
        {"cipher", COL_TEXT, "", COL_NULLABLE, NULL,
         "as the kernel names it, several comma joined; empty = none"},
        {"key_bits", COL_INT, "bits", COL_DECIDES | COL_NULLABLE, NULL,
         "of the weakest leaf; both halves of an XTS key counted; 0 = none"},
        {"leaves", COL_TEXT, "", 0, NULL, "JSON array of the leaf devices, sorted"},
        {"reason", COL_TEXT, "", COL_HAS_NAMES, NULL,
         "empty for a plain yes; else a word, then the places. For 0: not-visible-here (no layer "
         "visible on this machine encrypts it), cipher-null, decrypting, encrypting. For 1: ram "
         "(memory that is not swapped out). For NULL: network, self-encrypting, unknown-layer, "
         "converting (LUKS2 in pieces whose header is elsewhere), no-leaf, denied, malformed, "
         "backing-file (a loop or swap file that is gone, or another "
         "than the one in use), upper-unknown, passthrough, fuse, autofs, zfs-not-readable, "
         "bcachefs-not-readable, core-handler, core-relative, kdump-target, unresolved, too-deep, "
         "not_visible, not_captured"}, )};

const struct table table_luks_headers = {
    .name = "luks_headers",
    .doc = "Key slots of the LUKS headers found on block devices. No salt, digest or key material.",
    .source = "LUKS1 On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format Specification 1.1",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"device", COL_TEXT, "", COL_KEY, NULL, "device that begins with the header"},
        {"version", COL_INT, "", COL_DECIDES, NULL, "1 or 2"},
        {"uuid", COL_TEXT, "", 0, NULL, "of the header"},
        {"cipher", COL_TEXT, "", 0, NULL, "of the data; empty where the drive itself encrypts"},
        {"key_bits", COL_INT, "bits", COL_DECIDES | COL_NULLABLE, NULL, "of the volume key"},
        {"keyslot", COL_INT, "", COL_KEY, NULL, "number of the slot"},
        {"kdf", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, "argon2id|argon2i|pbkdf2",
         "how the passphrase becomes a key"},
        {"kdf_memory_kib", COL_INT, "KiB", COL_DECIDES | COL_NULLABLE, NULL, "0 for pbkdf2"},
        {"kdf_iterations", COL_INT, "", COL_DECIDES | COL_NULLABLE, NULL,
         "rounds of pbkdf2, passes of argon2"},
        {"token", COL_TEXT, "", 0, NULL,
         "types of the tokens that open the slot, comma joined; empty = none"}, )};

const struct table table_device_stack = {
    .name = "device_stack",
    .doc = "What lies below each block device, one row per step down.",
    .source = "kernel Documentation/ABI/testing/sysfs-block; kernel "
              "Documentation/admin-guide/device-mapper",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"device", COL_TEXT, "", COL_KEY, NULL, "upper device; btrfs:UUID"},
                  {"below", COL_TEXT, "", COL_KEY, NULL, "device below; empty = not known"},
                  {"layer", COL_TEXT, "", COL_NULLABLE, NULL,
                   "partition, raid, bcache, loop, zram, btrfs, or the device-mapper's target type "
                   "(crypt, linear, thin, ...)"},
                  {"detail", COL_TEXT, "", COL_NULLABLE | COL_HAS_NAMES, NULL,
                   "crypt: cipher and key bits; raid: level; loop: mount that holds the file"}, )};

const struct table table_disk_encryption = {
    .name = "disk_encryption",
    .doc = "Disk encryption status and information (osquery).",
    .source = "osquery specs/posix/disk_encryption.table",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"name", COL_TEXT, "", COL_KEY, NULL, "Disk name"},
        {"uuid", COL_TEXT, "", COL_NULLABLE, NULL, "Disk Universally Unique Identifier"},
        {"encrypted", COL_INT, "boolean", COL_NULLABLE, NULL,
         "1 If encrypted: true (disk is "
         "encrypted), else 0"},
        {"type", COL_TEXT, "", COL_NULLABLE, NULL,
         "Description of cipher type and mode if available"},
        {"encryption_status", COL_TEXT, "", 0, NULL,
         "Disk encryption status with one of following values: encrypted | not encrypted | "
         "undefined"},
        {"uid", COL_TEXT, "", COL_NULLABLE, NULL, "Not on Linux: empty"},
        {"user_uuid", COL_TEXT, "", COL_NULLABLE, NULL, "Not on Linux: empty"},
        {"filevault_status", COL_TEXT, "", COL_NULLABLE, NULL, "Not on Linux: empty"}, )};

/* Mount table and swap areas first: they say what may be touched at all. */
static int gather_tables(const struct host *h, struct disk_state *s, struct err *e)
{
    int r = gather_file(h, &s->bag, "/proc/1/mountinfo", MOUNTINFO_MAX, e);
    if (r == 0) {
        r = gather_file(h, &s->bag, "/proc/swaps", SWAPS_MAX, e);
    }
    if (r < 0) {
        return r;
    }
    const struct bag_item *mounts = bag_getf(&s->bag, "/proc/1/mountinfo");
    const struct bag_item *swaps = bag_getf(&s->bag, "/proc/swaps");
    s->mountinfo_code = mounts->code;
    s->swaps_code = swaps->code;
    r = mounts_parse(mounts->bytes, mounts->n, &s->mounts, e);
    if (r == 0 && swaps->code == 0) {
        r = swaps_parse(swaps->bytes, swaps->n, &s->swaps, e);
    }
    if (r == 0 && swaps->code == ERR_ABSENT) {
        s->swaps_code = 0; /* a kernel without swap has no such file; /proc itself is seen */
    }
    return r;
}

static int gather_all(struct probe_ctx *ctx, const struct host *h, struct disk_state *s,
                      struct err *e)
{
    int r = 0;
    for (size_t i = 0; probe_input(ctx, "data_paths", i) != NULL && r == 0; i++) {
        const char *path = probe_input(ctx, "data_paths", i);
        r = disk_add_target(s, TARGET_DATA, path, path, e);
    }
    if (r < 0 || s->hidden != NULL) {
        return r;
    }
    int (*const steps[])(const struct host *, struct disk_state *, struct err *) = {
        gather_tables, gather_blocks, gather_dm, gather_heads, gather_targets, gather_places};
    for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++) {
        r = steps[i](h, s, e);
    }
    return r;
}

static int disk_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    const struct host *h = probe_host(ctx);
    CLEANUP(disk_state) struct disk_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_nomem(e);
    }
    s->is_live = host_is_live(h);
    s->hidden = host_hidden(h, HOST_SEES_PROC | HOST_SEES_ROOT | HOST_SEES_SYS | HOST_SEES_DEV);
    int r = gather_all(ctx, h, s, e);
    if (r == 0) {
        *ret_state = TAKE_PTR(s);
    }
    return r;
}

static int disk_parse(struct probe_ctx *ctx, void *state, struct err *e)
{
    static const struct {
        const struct table *table;
        int (*rows)(struct probe_ctx *, const struct graph *, struct err *);
    } all[] = {{&table_mount_encryption, rows_mount_encryption},
               {&table_luks_headers, rows_luks_headers},
               {&table_device_stack, rows_device_stack},
               {&table_disk_encryption, rows_disk_encryption}};
    CLEANUP(disk_state) struct disk_state *s = state;
    CLEANUP(graph) struct graph g = {0};
    int r = graph_build(s, &g, e);
    for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++) {
        if (!probe_wants(ctx, all[i].table)) {
            continue;
        }
        if (s->hidden != NULL) {
            probe_state(ctx, all[i].table, STATE_DENIED, "%s", s->hidden);
        }
        r = all[i].rows(ctx, &g, e);
    }
    return r;
}

const struct probe probe_disk = {
    .name = "disk",
    .doc = "Encryption of everything that stores data, swap and memory dumps included.",
    .source = "proc(5); sysfs(5); cryptsetup(8); kernel Documentation/admin-guide/device-mapper",
    .tables = PROBE_TABLES(&table_mount_encryption, &table_luks_headers, &table_device_stack,
                           &table_disk_encryption),
    .reads =
        PROBE_LIST("/proc/1", "/proc/swaps", "/proc/cmdline", "/proc/sys/kernel", "/sys",
                   "/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/usr/local/lib/systemd",
                   "/etc/default/kdump-tools", "/etc/kdump.conf", "/etc/sysconfig/kdump"),
    .syscalls =
        PROBE_LIST("@dir-walk", "@ioctl-dm", "@ioctl-opal", "@ioctl-fscrypt", "@ioctl-loop"),
    .caps = (1ULL << CAP_SYS_ADMIN) | (1ULL << CAP_DAC_READ_SEARCH),
    .network = NETWORK_NONE,
    .opens_devices = true,
    .inputs = PROBE_LIST("data_paths"),
    .timeout_ms = 10000,
    .max_rows = 20000,
    .run = disk_run,
    .parse = disk_parse,
};
