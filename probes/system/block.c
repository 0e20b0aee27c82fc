/* block_devices: what /sys/class/block lists, with udev's record of each. What lies below what is
 * the matter of device_stack (probe disk). */
#include <stdio.h>
#include <string.h>

#include "probes/system/kernelfiles.h"
#include "probes/system/system.h"

enum {
    BLOCK_NAME,
    BLOCK_PARENT,
    BLOCK_VENDOR,
    BLOCK_MODEL,
    BLOCK_SERIAL,
    BLOCK_SIZE,
    BLOCK_BLOCK_SIZE,
    BLOCK_UUID,
    BLOCK_TYPE,
    BLOCK_LABEL
};

#define UDEV_NOTE ", from udev's record of the device; not known without one"
#define BLOCK_DIR "/sys/class/block"
#define BLOCK_MAX 4096U
#define UDEV_MAX ((size_t)1 << 16)

const struct table table_block_devices = {
    .name = "block_devices",
    .doc = "Block devices of this kernel: disks, partitions, and what is stacked on them.",
    .source = "sysfs(5), kernel Documentation/ABI/stable/sysfs-block; udev(7)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"name", COL_TEXT, "", COL_KEY, NULL, "/dev/ and the kernel's name"},
        {"parent", COL_TEXT, "", COL_NULLABLE, NULL,
         "the disk of a partition, or the one device below a stacked one; empty if there is none "
         "or more than one (device_stack has all)"},
        {"vendor", COL_TEXT, "", COL_NULLABLE, NULL, "maker, as the device says"},
        {"model", COL_TEXT, "", COL_NULLABLE, NULL, "model, as udev or the device says"},
        {"serial", COL_TEXT, "", COL_NULLABLE, NULL, "world wide or serial number"},
        {"size", COL_INT, "blocks", COL_NULLABLE, NULL, "size in units of 512 bytes"},
        {"block_size", COL_INT, "bytes", COL_NULLABLE, NULL, "logical block size"},
        {"uuid", COL_TEXT, "", COL_NULLABLE, NULL, "file system's or container's id" UDEV_NOTE},
        {"type", COL_TEXT, "", COL_NULLABLE, NULL, "what it holds (ext4, crypto_LUKS)" UDEV_NOTE},
        {"label", COL_TEXT, "", COL_NULLABLE | COL_HAS_NAMES, NULL, "its label" UDEV_NOTE})};

/* First of the leaves below a device's directory that can be read and is not empty; NULL: none.
 * leaves ends with NULL. */
static char *leaf(const struct host *h, const char *dir, const char *const *leaves)
{
    for (; *leaves != NULL; leaves++) {
        CLEANUP(str) struct str path = STR_INIT(4096);
        char text[512];
        str_addf(&path, "%s/%s", dir, *leaves);
        if (host_read_line(h, str_text(&path), text, sizeof(text), NULL) != 0) {
            continue;
        }
        struct span s = span_trim(span_of(text, strlen(text)));
        if (s.n > 0) {
            return strndup(s.p, s.n);
        }
    }
    return NULL;
}

/* -1: not there, or no number. */
static int64_t leaf_number(const struct host *h, const char *dir, const char *name)
{
    CLEANUP(free) char *text = leaf(h, dir, (const char *const[]){name, NULL});
    int64_t value = -1;

    if (text != NULL) {
        (void)span_decimal(span_of(text, strlen(text)), INT64_MAX, &value);
    }
    return value;
}

/* Kernel names hold ! where the device node has a directory (cciss!c0d0). */
static char *device_name(const char *kernel_name, size_t n)
{
    char *name = NULL;

    if (asprintf(&name, "/dev/%.*s", (int)n, kernel_name) < 0) {
        return NULL;
    }
    for (char *p = name; (p = strchr(p, '!')) != NULL;) {
        *p = '/';
    }
    return name;
}

/* The link of a partition ends in DISK/PARTITION. *ret: the disk's name inside the link. */
static bool disk_of_partition(const struct host *h, const char *dir, struct str *link,
                              struct span *ret)
{
    CLEANUP(str) struct str mark = STR_INIT(4096);
    struct host_stat st;

    str_addf(&mark, "%s/partition", dir);
    if (host_stat(h, str_text(&mark), true, &st, NULL) != 0 ||
        host_readlink(h, dir, link, NULL) != 0) {
        return false;
    }
    const char *end = strrchr(str_text(link), '/');
    if (end == NULL || end == link->data) {
        return false;
    }
    const char *start = memrchr(link->data, '/', (size_t)(end - link->data));
    start = start != NULL ? start + 1 : link->data;
    *ret = span_of(start, (size_t)(end - start));
    return ret->n > 0;
}

static int parent_of(const struct host *h, const char *dir, struct sys_block *b, struct err *e)
{
    CLEANUP(str) struct str link = STR_INIT(4096);
    CLEANUP(str) struct str slaves = STR_INIT(4096);
    CLEANUP(strv) struct strv below = {0};
    struct span disk;

    if (disk_of_partition(h, dir, &link, &disk)) {
        b->parent = device_name(disk.p, disk.n);
        CLEANUP(str) struct str disk_dir = STR_INIT(4096);
        str_addf(&disk_dir, "%s/%.*s", BLOCK_DIR, (int)disk.n, disk.p);
        b->block_size = leaf_number(h, str_text(&disk_dir), "queue/logical_block_size");
        return b->parent != NULL ? 0 : err_nomem(e);
    }
    str_addf(&slaves, "%s/slaves", dir);
    int rc = host_list(h, str_text(&slaves), BLOCK_MAX, &below, NULL);
    if (rc != 0 && rc != ERR_ABSENT) {
        return 0; /* not known */
    }
    b->parent = below.n == 1 ? device_name(below.items[0], strlen(below.items[0])) : strdup("");
    return b->parent != NULL ? 0 : err_nomem(e);
}

/* /run belongs to the root file system that this process sees. */
static int udev_record(const struct host *h, const char *dir, struct sys_block *b, struct err *e)
{
    CLEANUP(free) char *number = leaf(h, dir, (const char *const[]){"dev", NULL});
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(str) struct str bytes = STR_INIT(UDEV_MAX);

    if (number == NULL || host_hidden(h, HOST_SEES_ROOT) != NULL) {
        return 0;
    }
    str_addf(&path, "/run/udev/data/b%s", number);
    if (host_read(h, str_text(&path), UDEV_MAX, &bytes, NULL) != 0) {
        return 0;
    }
    b->udev = str_take(&bytes, &b->udev_len);
    return b->udev != NULL ? 0 : err_nomem(e);
}

static int look_at_block(const struct host *h, const char *kernel_name, struct sys_block *b,
                         struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(strv) struct strv names = {0};

    str_addf(&path, "%s/%s", BLOCK_DIR, kernel_name);
    const char *dir = str_text(&path);
    b->name = device_name(kernel_name, strlen(kernel_name));
    if (b->name == NULL) {
        return err_nomem(e);
    }
    b->sectors = leaf_number(h, dir, "size");
    b->block_size = leaf_number(h, dir, "queue/logical_block_size");
    /* Most stacked and loop devices have none of what follows: one listing instead of six tries. */
    if (host_list(h, dir, BLOCK_MAX, &names, NULL) != 0 || strv_has(&names, "device")) {
        b->vendor = leaf(h, dir, (const char *const[]){"device/vendor", NULL});
        b->model = leaf(h, dir, (const char *const[]){"device/model", NULL});
        b->serial = leaf(
            h, dir, (const char *const[]){"device/wwid", "wwid", "device/serial", "serial", NULL});
    }
    int rc = parent_of(h, dir, b, e);
    return rc != 0 ? rc : udev_record(h, dir, b, e);
}

int block_devices_collect(struct probe_ctx *ctx, struct sys_state *s, struct err *e)
{
    const struct host *h = probe_host(ctx);
    CLEANUP(strv) struct strv names = {0};
    struct err list = {0};

    int rc = host_list(h, BLOCK_DIR, BLOCK_MAX, &names, &list);
    if (rc == ERR_ABSENT && host_is_whole(h, BLOCK_DIR)) {
        probe_state(ctx, &table_block_devices, STATE_ABSENT,
                    "absent: this kernel has no block devices");
    } else if (rc != 0) {
        probe_state_err(ctx, &table_block_devices, &list);
    } else if (!host_is_live(h) && !host_is_whole(h, BLOCK_DIR)) {
        /* a tree that holds some of the devices must not pass for one that holds all */
        probe_state(ctx, &table_block_devices, STATE_DENIED, "not_captured: %s is not whole",
                    BLOCK_DIR);
    }
    s->blocks = calloc(names.n > 0 ? names.n : 1, sizeof(*s->blocks));
    if (s->blocks == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < names.n; i++) {
        s->n_blocks++;
        rc = look_at_block(h, names.items[i], &s->blocks[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* KEY_ENC, undone, where udev has it, because it replaces blanks in KEY itself. */
static void udev_cell(struct probe_ctx *ctx, unsigned column, const struct sys_block *b,
                      const char *key_enc, const char *key)
{
    CLEANUP(str) struct str text = STR_INIT(UDEV_MAX);
    struct span value;

    if (b->udev == NULL) {
        return;
    }
    if (udev_property(b->udev, b->udev_len, key_enc, &value)) {
        udev_decode(value, &text);
        row_text_n(ctx, column, text.error == 0 ? str_text(&text) : NULL, text.len);
    } else if (udev_property(b->udev, b->udev_len, key, &value)) {
        row_text_n(ctx, column, value.p, value.n);
    } else {
        row_text(ctx, column, ""); /* udev looked and found nothing */
    }
}

/* The model that udev has looked up is better than the cut text that the device gives. */
static void block_row(struct probe_ctx *ctx, const struct sys_block *b)
{
    struct span model;

    row_begin(ctx, &table_block_devices);
    row_text(ctx, BLOCK_NAME, b->name);
    row_text(ctx, BLOCK_PARENT, b->parent);
    row_text(ctx, BLOCK_VENDOR, b->vendor);
    if (b->udev != NULL && (udev_property(b->udev, b->udev_len, "ID_MODEL_FROM_DATABASE", &model) ||
                            udev_property(b->udev, b->udev_len, "ID_MODEL", &model))) {
        row_text_n(ctx, BLOCK_MODEL, model.p, model.n);
    } else {
        row_text(ctx, BLOCK_MODEL, b->model);
    }
    row_text(ctx, BLOCK_SERIAL, b->serial);
    if (b->sectors >= 0) {
        row_int(ctx, BLOCK_SIZE, b->sectors);
    }
    if (b->block_size >= 0) {
        row_int(ctx, BLOCK_BLOCK_SIZE, b->block_size);
    }
    udev_cell(ctx, BLOCK_UUID, b, "ID_FS_UUID_ENC", "ID_FS_UUID");
    udev_cell(ctx, BLOCK_TYPE, b, "ID_FS_TYPE", "ID_FS_TYPE");
    udev_cell(ctx, BLOCK_LABEL, b, "ID_FS_LABEL_ENC", "ID_FS_LABEL");
    row_end(ctx);
}

int block_devices_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < s->n_blocks; i++) {
        block_row(ctx, &s->blocks[i]);
    }
    return 0;
}
