/* The way down from file systems, swap areas and memory to block devices; the four questions that
 * the rest of the probe asks. A file system that cannot be followed is not known, never clean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/trail.h"

static int go_swap(struct trail t, const struct swap_area *area, struct err *e)
{
    const struct disk_state *s = t.g->s;
    if (area->is_deleted) {
        return trail_end_unknown(t, NULL, "backing-file", area->path, e);
    }
    if (area->is_file) {
        int mount = mounts_find(&s->mounts, area->path);
        return mount < 0 ? trail_end_unknown(t, NULL, "no-leaf", area->path, e)
                         : trail_mount(t, mount, e);
    }
    int block = graph_by_name(t.g, bag_dev_name(&s->bag, area->path));
    return block < 0 ? trail_end_unknown(t, NULL, "no-leaf", area->path, e)
                     : trail_block(t, block, e);
}

/* Memory is as secret as what it may be swapped out to. */
int trail_memory(struct trail t, struct err *e)
{
    const struct disk_state *s = t.g->s;
    int r = trail_deeper(&t, e);
    if (r < 0) {
        return r;
    }
    if (t.is_secret) {
        return trail_end(&t, NULL, e);
    }
    if (t.in_swap) {
        t.a->n_ram++;
        return 0;
    }
    if (s->swaps_code != 0 || s->swaps.bad_lines > 0) {
        return trail_end_unknown(t, NULL, s->swaps_code == 0 ? "malformed" : "denied",
                                 "/proc/swaps", e);
    }
    if (s->swaps.n == 0) {
        t.a->n_ram++;
        return 0;
    }
    /* A zram area's own row comes by here too: it answers for all active swap, as any memory does.
     */
    t.in_swap = true;
    for (size_t i = 0; i < s->swaps.n && r == 0; i++) {
        r = go_swap(t, &s->swaps.items[i], e);
    }
    return r;
}

int mount_block(const struct graph *g, const struct mount *m)
{
    int block = m->dev_major != 0 ? graph_by_number(g, m->dev_major, m->dev_minor) : -1;
    return block >= 0 ? block : graph_by_name(g, bag_dev_name(&g->s->bag, m->source));
}

static uint32_t le32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* ext3/ext4 may keep their journal, and with data=journal every byte, on another device: compat
 * feature 0x4 without a journal inode. Kernel Documentation/filesystems/ext4/super.rst. */
static int ext_journal(struct trail t, const struct mount *m, const struct blk *x, struct err *e)
{
    const struct bag_item *head = bag_getf(&t.g->s->bag, "head %s", x->name);
    if (strncmp(m->fstype, "ext", 3) != 0 || head == NULL || head->code != 0 || head->n < 2048 ||
        (le32(head->bytes + 1024 + 0x38) & 0xffffU) != 0xef53U) {
        return 0;
    }
    const char *super = head->bytes + 1024;
    uint32_t dev = le32(super + 0xe4);
    if ((le32(super + 0x5c) & 0x4U) == 0 || le32(super + 0xe0) != 0) {
        return 0;
    }
    int journal =
        graph_by_number(t.g, (dev >> 8) & 0xfffU, (dev & 0xffU) | ((dev >> 12) & 0xfff00U));
    return journal < 0 ? trail_end_unknown(t, NULL, "no-leaf", "journal", e)
                       : trail_block(t, journal, e);
}

/* f2fs spreads over up to eight devices, of which the mount table names the first; all stand in
 * the superblock, as texts of 64 bytes with a number behind. Kernel include/linux/f2fs_fs.h. */
static int f2fs_devices(struct trail t, const struct mount *m, const struct blk *x, struct err *e)
{
    enum { SUPER = 1024, DEVS = 2201, DEVS_MAX = 8, DEV_BYTES = 68, PATH_BYTES = 64 };
    if (strcmp(m->fstype, "f2fs") != 0) {
        return 0;
    }
    const struct bag_item *head = bag_getf(&t.g->s->bag, "head %s", x->name);
    if (head == NULL || head->code != 0 || head->n < SUPER + DEVS + DEVS_MAX * DEV_BYTES ||
        le32(head->bytes + SUPER) != 0xf2f52010U) {
        return trail_end_unknown(t, NULL, "no-leaf", m->fstype, e);
    }
    int r = 0;
    for (size_t i = 0; i < DEVS_MAX && r == 0; i++) {
        char path[PATH_BYTES + 1] = "";
        memcpy(path, head->bytes + SUPER + DEVS + i * DEV_BYTES, PATH_BYTES);
        int block = path[0] == '\0' ? -1 : graph_by_name(t.g, bag_dev_name(&t.g->s->bag, path));
        if (path[0] != '\0') {
            r = block < 0 ? trail_end_unknown(t, NULL, "no-leaf", m->fstype, e)
                          : trail_block(t, block, e);
        }
    }
    return r;
}

/* An ordinary disk file system: its device, and the further ones that it may use by option or
 * superblock. */
static int go_disk_fs(struct trail t, const struct mount *m, struct err *e)
{
    static const char *const more[] = {"logdev", "rtdev"}; /* xfs */
    const struct graph *g = t.g;
    int block = mount_block(g, m);
    if (block < 0) {
        return trail_end_unknown(t, NULL, "no-leaf", m->fstype, e);
    }
    int r = trail_block(t, block, e);
    for (size_t i = 0; i < ARRAY_LEN(more) && r == 0; i++) {
        char path[4096];
        if (mount_option(m->super, more[i], path, sizeof(path))) {
            int other = graph_by_name(g, bag_dev_name(&g->s->bag, path));
            r = other < 0 ? trail_end_unknown(t, NULL, "no-leaf", more[i], e)
                          : trail_block(t, other, e);
        }
    }
    if (r == 0) {
        r = f2fs_devices(t, m, &g->items[block], e);
    }
    if (r == 0 && (strcmp(m->fstype, "jfs") == 0 || strcmp(m->fstype, "reiserfs") == 0)) {
        /* Their journal may lie on another device, and nothing in /proc or /sys says so. */
        r = trail_end_unknown(t, NULL, "no-leaf", "journal", e);
    }
    return r == 0 ? ext_journal(t, m, &g->items[block], e) : r;
}

/* All devices of the file system that holds the one named as source. */
static int go_btrfs(struct trail t, const struct mount *m, struct err *e)
{
    const struct bag *b = &t.g->s->bag;
    const char *source = bag_dev_name(b, m->source);
    const struct bag_item *ids = bag_getf(b, "/sys/fs/btrfs/");
    for (const char *id = bag_next_name(ids, NULL); id != NULL && source != NULL;
         id = bag_next_name(ids, id)) {
        const struct bag_item *devices = bag_getf(b, "/sys/fs/btrfs/%s/devices/", id);
        if (devices == NULL || devices->code != 0 || !bag_has_name(devices, source)) {
            continue;
        }
        int r = 0;
        for (const char *at = bag_next_name(devices, NULL); at != NULL && r == 0;
             at = bag_next_name(devices, at)) {
            int block = graph_by_name(t.g, at);
            r = block < 0 ? trail_end_unknown(t, NULL, "no-leaf", at, e) : trail_block(t, block, e);
        }
        return r;
    }
    return trail_end_unknown(t, NULL, "no-leaf", "btrfs", e);
}

/* Superblock of bcachefs, 4096 bytes into the device: magic at 24, flags[1] at 152 with the
 * encryption type in bits 10 to 13. True if it could be read; *ret_type 0 = none. */
static bool bcachefs_type(const struct bag *b, const char *name, unsigned *ret_type)
{
    static const unsigned char magic[16] = {0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
                                            0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81};
    const struct bag_item *head = bag_getf(b, "head %s", name);
    if (head == NULL || head->code != 0 || head->n < 4096 + 512 ||
        memcmp(head->bytes + 4096 + 24, magic, sizeof(magic)) != 0) {
        return false;
    }
    *ret_type = (le32(head->bytes + 4096 + 152) >> 10) & 0xfU;
    return true;
}

static int go_bcachefs(struct trail t, const struct mount *m, struct err *e)
{
    CLEANUP(free) char *list = strdup(m->source);
    if (list == NULL) {
        return err_nomem(e);
    }
    int r = 0;
    char *rest = list;
    for (const char *one = strsep(&rest, ":"); one != NULL && r == 0; one = strsep(&rest, ":")) {
        const struct bag *b = &t.g->s->bag;
        int block = graph_by_name(t.g, bag_dev_name(b, one));
        unsigned type = 0;
        struct trail next = t;
        if (block < 0) {
            r = trail_end_unknown(t, NULL, "no-leaf", "bcachefs", e);
            continue;
        }
        if (!bcachefs_type(b, t.g->items[block].name, &type)) {
            next = trail_unknown(t, "bcachefs-not-readable", t.g->items[block].node);
        } else if (type != 0) {
            next = trail_secret(t, METHOD_BCACHEFS, "chacha20-poly1305", 256);
        }
        r = trail_block(next, block, e);
    }
    return r;
}

/* The properties of a data set stand in a captured tree only: asking a running ZFS takes its own
 * library. Bag item "zfs DATASET": "CIPHER DEVICE DEVICE ...", CIPHER "off" = none. */
static int go_zfs(struct trail t, const struct mount *m, struct err *e)
{
    const struct bag_item *item = bag_getf(&t.g->s->bag, "zfs %s", m->source);
    CLEANUP(free) char *list = item == NULL || item->code != 0 ? NULL : strdup(item->bytes);
    char *rest = list;
    const char *cipher = list == NULL ? NULL : strsep(&rest, " ");
    if (cipher == NULL || rest == NULL) {
        return trail_end_unknown(t, NULL, "zfs-not-readable", m->source, e);
    }
    /* The answer keeps copies of what it is given. */
    unsigned bits = strstr(cipher, "256") != NULL ? 256 : strstr(cipher, "192") != NULL ? 192 : 128;
    struct trail next = strcmp(cipher, "off") == 0 ? t : trail_secret(t, METHOD_ZFS, cipher, bits);
    int r = 0;
    for (const char *one = strsep(&rest, " "); one != NULL && r == 0; one = strsep(&rest, " ")) {
        int block = graph_by_name(t.g, one);
        r = block < 0 ? trail_end_unknown(next, NULL, "no-leaf", m->fstype, e)
                      : trail_block(next, block, e);
    }
    return r;
}

/* Index of the mount that a gathered walk ended in, -1 if it did not end. */
static int walked_mount(const struct disk_state *s, const char *path)
{
    const struct bag_item *walk = bag_getf(&s->bag, "walk %s", path);
    return walk == NULL || walk->code != 0 ? -1 : mounts_find(&s->mounts, walk->bytes);
}

/* Only the upper directory is written to. Without one the overlay is read-only and has no row;
 * where it cannot be followed (another namespace made the mount) nothing is known. */
static int go_overlay(struct trail t, const struct mount *m, struct err *e)
{
    char upper[4096];
    int mount = -1;
    if (mount_option(m->super, "upperdir", upper, sizeof(upper))) {
        mount = walked_mount(t.g->s, upper);
    }
    return mount < 0 ? trail_end_unknown(t, NULL, "upper-unknown", m->point, e)
                     : trail_mount(t, mount, e);
}

/* Options as the mount table shows them, ecryptfs(7). The lower directory's devices are the leaves.
 */
static int go_ecryptfs(struct trail t, const struct mount *m, struct err *e)
{
    char cipher[64] = "";
    char bytes[16] = "";
    char flag[8];
    int lower = walked_mount(t.g->s, m->source);
    (void)mount_option(m->super, "ecryptfs_cipher", cipher, sizeof(cipher));
    (void)mount_option(m->super, "ecryptfs_key_bytes", bytes, sizeof(bytes));
    if (strcmp(cipher, "cipher_null") == 0) {
        t = trail_clear(t, "cipher-null", METHOD_ECRYPTFS, "cipher_null");
    } else if (mount_option(m->super, "ecryptfs_passthrough", flag, sizeof(flag))) {
        t = trail_unknown(t, "passthrough", m->point); /* plain files among the others */
    } else {
        t = trail_secret(t, METHOD_ECRYPTFS, cipher, (unsigned)strtoul(bytes, NULL, 10) * 8U);
    }
    return lower < 0 ? trail_end_unknown(t, NULL, "no-leaf", m->point, e)
                     : trail_mount(t, lower, e);
}

int trail_mount(struct trail t, int mount, struct err *e)
{
    const struct mount *m = &t.g->s->mounts.items[mount];
    int r = trail_deeper(&t, e);
    if (r < 0) {
        return r;
    }
    switch (fs_kind_of(m)) {
    case FS_BLOCK:
        return go_disk_fs(t, m, e);
    case FS_BTRFS:
        return go_btrfs(t, m, e);
    case FS_BCACHEFS:
        return go_bcachefs(t, m, e);
    case FS_ZFS:
        return go_zfs(t, m, e);
    case FS_TMPFS:
        return trail_memory(t, e);
    case FS_RAMFS:
        t.in_swap = true; /* as if it came from swap: memory that goes no further */
        return trail_memory(t, e);
    case FS_OVERLAY:
        return go_overlay(t, m, e);
    case FS_ECRYPTFS:
        return go_ecryptfs(t, m, e);
    case FS_FUSE:
        return trail_end_unknown(t, NULL, "fuse", m->fstype, e);
    case FS_AUTOFS:
        return trail_end_unknown(t, NULL, "autofs", m->point, e);
    case FS_NETWORK:
        return trail_end_unknown(t, NULL, "network", m->fstype, e);
    case FS_PSEUDO:
    default:
        return trail_end_unknown(t, NULL, "no-leaf", m->fstype, e);
    }
}

/* ERR_LIMIT is an answer, too: not known. */
static int finish(int r, struct answer *a, struct err *e)
{
    return r == ERR_LIMIT ? answer_unknown(a, "too-deep", "", e) : r;
}

int answer_block(const struct graph *g, int block, struct answer *a, struct err *e)
{
    unsigned visits = 0;
    struct trail t = {.g = g, .a = a, .visits = &visits, .cipher = ""};
    return finish(trail_block(t, block, e), a, e);
}

int answer_mount(const struct graph *g, int mount, struct answer *a, struct err *e)
{
    unsigned visits = 0;
    struct trail t = {.g = g, .a = a, .visits = &visits, .cipher = ""};
    return finish(trail_mount(t, mount, e), a, e);
}

int answer_swap(const struct graph *g, const struct swap_area *area, struct answer *a,
                struct err *e)
{
    unsigned visits = 0;
    struct trail t = {.g = g, .a = a, .visits = &visits, .cipher = ""};
    return finish(go_swap(t, area, e), a, e);
}

int answer_fscrypt(const struct graph *g, int mount, int contents_mode, struct answer *a,
                   struct err *e)
{
    /* FSCRYPT_MODE_* of linux/fscrypt.h; the key sizes that the kernel uses with them */
    static const struct {
        const char *cipher;
        int mode;
        unsigned key_bits;
    } modes[] = {{"aes-256-xts", 1, 512},
                 {"aes-128-cbc-essiv", 5, 128},
                 {"sm4-xts", 7, 256},
                 {"adiantum", 9, 256}};
    unsigned visits = 0;
    struct trail t = {.g = g,
                      .a = a,
                      .visits = &visits,
                      .cipher = "",
                      .is_secret = true,
                      .method = METHOD_FSCRYPT};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (modes[i].mode == contents_mode) {
            t.cipher = modes[i].cipher;
            t.key_bits = modes[i].key_bits;
        }
    }
    return finish(trail_mount(t, mount, e), a, e);
}
