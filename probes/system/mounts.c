/* mounts: the mount table of pid 1. Sizes only where asking cannot hang: never of a file system of
 * the network, of a program (FUSE) or of autofs, nor of anything mounted below one. */
#include <linux/magic.h>
#include <string.h>

#include "probes/disk/mountinfo.h"
#include "probes/system/kernelfiles.h"
#include "probes/system/system.h"

enum {
    MOUNT_DEVICE,
    MOUNT_ALIAS,
    MOUNT_PATH,
    MOUNT_TYPE,
    MOUNT_BLOCKS_SIZE,
    MOUNT_BLOCKS,
    MOUNT_BLOCKS_FREE,
    MOUNT_BLOCKS_AVAILABLE,
    MOUNT_INODES,
    MOUNT_INODES_FREE,
    MOUNT_FLAGS
};

#define SIZE_NOTE "; not known for network, FUSE, autofs and layered mounts, and below them"

const struct table table_mounts = {
    .name = "mounts",
    .doc = "Mounted file systems of the host, in pid 1's mount namespace.",
    .source = "proc_pid_mountinfo(5), statfs(2)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"device", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL, "what is mounted"},
        {"device_alias", COL_TEXT, "", COL_HAS_NAMES | COL_NULLABLE, NULL,
         "device with its symbolic links followed"},
        {"path", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL, "mount point"},
        {"type", COL_TEXT, "", COL_KEY, NULL, "file system type"},
        {"blocks_size", COL_INT, "bytes", COL_NULLABLE | COL_BULK, NULL, "block size" SIZE_NOTE},
        {"blocks", COL_INT, "blocks", COL_NULLABLE | COL_BULK, NULL, "size" SIZE_NOTE},
        {"blocks_free", COL_INT, "blocks", COL_NULLABLE | COL_BULK, NULL,
         "free for root" SIZE_NOTE},
        {"blocks_available", COL_INT, "blocks", COL_NULLABLE | COL_BULK, NULL,
         "free for ordinary users" SIZE_NOTE},
        {"inodes", COL_INT, "", COL_NULLABLE | COL_BULK, NULL, "inodes" SIZE_NOTE},
        {"inodes_free", COL_INT, "", COL_NULLABLE | COL_BULK, NULL, "free inodes" SIZE_NOTE},
        {"flags", COL_TEXT, "", COL_DECIDES | COL_HAS_NAMES, NULL,
         "mount options as in /proc/mounts, comma-separated; ro if mount or superblock says so"})};

struct mount_item {
    char *path, *device, *type;
    unsigned dev_major, dev_minor;
    bool untouchable; /* asking it, or anything below it, may hang or mount something */
    bool layered;     /* would ask another file system in turn */
};

/* The table is gone through twice: while collecting, to ask sizes and links, and when the rows are
 * made, without any privilege. Both walk the same bytes, so the n-th mount is the same. */
struct mount_items {
    struct mount_item *items;
    size_t n, cap;
    bool nomem;
};

static void cleanup_mount_items(struct mount_items *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].path);
        free(l->items[i].device);
        free(l->items[i].type);
    }
    free(l->items);
}

static char *plain_text(struct span s)
{
    CLEANUP(str) struct str text = STR_INIT(s.n);

    unescape_octal(s, &text);
    return str_take(&text, NULL);
}

static void note_mount(const struct mount_row *row, void *arg)
{
    struct mount_items *l = arg;

    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? l->cap * 2 : 64;
        struct mount_item *items = reallocarray(l->items, cap, sizeof(*items));
        if (items == NULL) {
            l->nomem = true;
            return;
        }
        l->items = items;
        l->cap = cap;
    }
    struct mount_item *m = &l->items[l->n++];
    *m = (struct mount_item){.path = plain_text(row->path),
                             .device = plain_text(row->device),
                             .type = plain_text(row->type),
                             .dev_major = row->dev_major,
                             .dev_minor = row->dev_minor};
    if (m->path == NULL || m->device == NULL || m->type == NULL) {
        l->nomem = true;
        return;
    }
    struct mount kind = {.dev_major = m->dev_major, .dev_minor = m->dev_minor, .fstype = m->type};
    m->untouchable = mount_untouchable(&kind);
    m->layered = fs_kind_of(&kind) == FS_OVERLAY || fs_kind_of(&kind) == FS_ECRYPTFS;
}

/* Asking goes along the path: a mount above that hangs is as bad as one that hangs itself. */
static bool may_ask(const struct mount_items *l, size_t i)
{
    if (l->items[i].layered) {
        return false;
    }
    for (size_t k = 0; k < l->n; k++) {
        if (l->items[k].untouchable && path_below(l->items[i].path, l->items[k].path)) {
            return false;
        }
    }
    return true;
}

/* The number of the device tells whether this mount answered, or another that covers it. btrfs
 * gives each subvolume a number of its own. */
static void ask_size(const struct host *h, const struct mount_item *m, struct sys_fs *ret)
{
    struct host_fs fs;

    if (host_statfs(h, m->path, &fs, NULL) != 0 ||
        (fs.type != BTRFS_SUPER_MAGIC &&
         (fs.dev_major != m->dev_major || fs.dev_minor != m->dev_minor)) ||
        (fs.type == BTRFS_SUPER_MAGIC && strcmp(m->type, "btrfs") != 0)) {
        return;
    }
    ret->known = true;
    ret->block_size = fs.block_size;
    ret->blocks = fs.blocks;
    ret->blocks_free = fs.blocks_free;
    ret->blocks_available = fs.blocks_available;
    ret->inodes = fs.inodes;
    ret->inodes_free = fs.inodes_free;
}

/* "/dev/mapper/vg-home" leads to "../dm-0". Links of /dev lead to other names of /dev; anything
 * else is left as it is. */
static int device_alias(const struct host *h, const char *device, char **ret, struct err *e)
{
    CLEANUP(str) struct str link = STR_INIT(4096);
    const char *base = NULL;

    if (strncmp(device, "/dev/", 5) != 0 || host_readlink(h, device, &link, NULL) != 0) {
        return 0;
    }
    base = strrchr(str_text(&link), '/');
    base = base != NULL ? base + 1 : str_text(&link);
    CLEANUP(str) struct str alias = STR_INIT(4096);
    str_addf(&alias, "/dev/%s", base);
    *ret = str_take(&alias, NULL);
    return *ret != NULL ? 0 : err_nomem(e);
}

int mounts_collect(struct probe_ctx *ctx, struct sys_state *s, struct err *e)
{
    const struct host *h = probe_host(ctx);
    const struct str *bytes = &s->files[SYS_MOUNTINFO].bytes;
    CLEANUP(mount_items) struct mount_items l = {0};
    struct parse_report report;

    mountinfo_parse(str_text(bytes), bytes->len, note_mount, &l, &report);
    if (l.nomem) {
        return err_nomem(e);
    }
    s->fs = calloc(l.n > 0 ? l.n : 1, sizeof(*s->fs));
    if (s->fs == NULL) {
        return err_nomem(e);
    }
    s->n_fs = l.n;
    bool sees_root = host_is_live(h) && host_hidden(h, HOST_SEES_ROOT) == NULL;
    bool sees_dev = host_hidden(h, HOST_SEES_DEV) == NULL;
    for (size_t i = 0; i < l.n; i++) {
        if (sees_root && may_ask(&l, i)) {
            ask_size(h, &l.items[i], &s->fs[i]);
        }
        if (sees_dev && device_alias(h, l.items[i].device, &s->fs[i].alias, e) != 0) {
            return e->code;
        }
    }
    return 0;
}

struct mount_out {
    struct probe_ctx *ctx;
    const struct sys_state *s;
    size_t i;
    struct str text; /* one cell at a time */
    bool nomem;      /* a cell was cut: the rows must not count */
};

static void cleanup_mount_out(struct mount_out *o)
{
    str_done(&o->text);
}

static void text_cell(struct mount_out *o, unsigned column, struct span s)
{
    str_clear(&o->text);
    unescape_octal(s, &o->text);
    o->nomem = o->nomem || o->text.error != 0;
    row_text_n(o->ctx, column, str_text(&o->text), o->text.len);
}

/* Sizes are known all together or not at all. */
static void size_cells(struct probe_ctx *ctx, const struct sys_fs *fs)
{
    if (!fs->known) {
        return;
    }
    row_int(ctx, MOUNT_BLOCKS_SIZE, fs->block_size);
    row_int(ctx, MOUNT_BLOCKS, fs->blocks);
    row_int(ctx, MOUNT_BLOCKS_FREE, fs->blocks_free);
    row_int(ctx, MOUNT_BLOCKS_AVAILABLE, fs->blocks_available);
    row_int(ctx, MOUNT_INODES, fs->inodes);
    row_int(ctx, MOUNT_INODES_FREE, fs->inodes_free);
}

/* Lines come in the order in which mounts_collect saw them. */
static void mount_out_row(const struct mount_row *row, void *arg)
{
    struct mount_out *o = arg;
    const struct sys_fs *fs = &o->s->fs[o->i++];
    bool sees_dev = host_hidden(probe_host(o->ctx), HOST_SEES_DEV) == NULL;

    row_begin(o->ctx, &table_mounts);
    text_cell(o, MOUNT_DEVICE, row->device);
    if (fs->alias != NULL) {
        row_text(o->ctx, MOUNT_ALIAS, fs->alias);
    } else if (sees_dev || !span_starts(row->device, "/dev/")) {
        text_cell(o, MOUNT_ALIAS, row->device);
    }
    text_cell(o, MOUNT_PATH, row->path);
    text_cell(o, MOUNT_TYPE, row->type);
    size_cells(o->ctx, fs);
    str_clear(&o->text);
    mount_flags(row->options, row->super_options, &o->text);
    o->nomem = o->nomem || o->text.error != 0;
    row_text_n(o->ctx, MOUNT_FLAGS, str_text(&o->text), o->text.len);
    row_end(o->ctx);
}

int mounts_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct str *bytes = &s->files[SYS_MOUNTINFO].bytes;
    CLEANUP(mount_out) struct mount_out o = {.ctx = ctx, .s = s, .text = STR_INIT((size_t)1 << 24)};
    struct parse_report report;

    if (sys_usable(ctx, &table_mounts, s, SYS_MOUNTINFO)) {
        mountinfo_parse(str_text(bytes), bytes->len, mount_out_row, &o, &report);
        sys_report(ctx, &table_mounts, SYS_MOUNTINFO, &report);
        if (report.lines == 0) {
            probe_state(ctx, &table_mounts, STATE_MALFORMED, "malformed: an empty mount table");
        }
    }
    return o.nomem ? err_nomem(e) : 0;
}
