/* The walk from a file system or device down to the leaves. What has been met on the way travels in
 * struct trail by value: an encrypting layer covers all below it, an unknown one spoils all below
 * it, a mapping that hides nothing only lends its name to the reason. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/blockname.h"
#include "probes/disk/graph.h"

#define TRAIL_DEPTH_MAX 64U
#define TRAIL_VISITS_MAX 20000U
#define OPAL_LOCKING_ENABLED 0x4U

struct trail {
    const struct graph *g;
    struct answer *a;
    unsigned *visits; /* shared by the whole walk: diamonds multiply */
    unsigned depth;
    bool in_swap; /* coming from a swap area: memory below is not swapped once more */
    bool is_secret;
    enum method method;
    const char *cipher;       /* "" = not known */
    unsigned key_bits;        /* 0 = not known */
    const char *unknown_word; /* NULL: every layer so far is known */
    const char *unknown_place;
    const char *clear_word; /* a mapping above that hides nothing, and what it is */
    enum method clear_method;
    const char *clear_cipher;
};

static int go_block(struct trail t, int block, struct err *e);
static int go_mount(struct trail t, int mount, struct err *e);
static int go_memory(struct trail t, struct err *e);

static int go_deeper(struct trail *t, struct err *e)
{
    t->depth++;
    (*t->visits)++;
    if (t->depth > TRAIL_DEPTH_MAX || *t->visits > TRAIL_VISITS_MAX) {
        return err_set(e, ERR_LIMIT, "the stack of devices is deeper or wider than can be true");
    }
    return 0;
}

static struct trail with_secret(struct trail t, enum method method, const char *cipher,
                                unsigned key_bits)
{
    if (t.is_secret || t.unknown_word != NULL) {
        return t; /* the uppermost layer names the method; nothing below an unknown one counts */
    }
    t.is_secret = true;
    t.method = method;
    t.cipher = cipher;
    t.key_bits = key_bits;
    return t;
}

static struct trail with_unknown(struct trail t, const char *word, const char *place)
{
    if (!t.is_secret && t.unknown_word == NULL) {
        t.unknown_word = word;
        t.unknown_place = place;
    }
    return t;
}

static struct trail with_clear(struct trail t, const char *word, enum method method,
                               const char *cipher)
{
    if (!t.is_secret && t.clear_word == NULL) {
        t.clear_word = word;
        t.clear_method = method;
        t.clear_cipher = cipher;
    }
    return t;
}

static void weakest(struct answer *a, unsigned bits)
{
    a->key_bits = a->has_bits && a->key_bits < bits ? a->key_bits : bits;
    a->has_bits = true;
}

static int add_once(struct strv *v, const char *text, struct err *e)
{
    return strv_has(v, text) ? 0 : strv_add(v, text, e);
}

/* The end of a trail. leaf: "/dev/NAME", NULL if it has no name that can be said. */
static int end_trail(const struct trail *t, const char *leaf, struct err *e)
{
    struct answer *a = t->a;
    int r = leaf == NULL ? 0 : add_once(&a->leaves, leaf, e);
    if (r < 0) {
        return r;
    }
    if (t->is_secret) {
        a->n_secret++;
        a->methods |= 1U << t->method;
        if (t->key_bits > 0) {
            weakest(a, t->key_bits);
        }
        return t->cipher[0] == '\0' ? 0 : add_once(&a->ciphers, t->cipher, e);
    }
    if (t->unknown_word != NULL) {
        return answer_unknown(a, t->unknown_word, t->unknown_place, e);
    }
    a->n_clear++;
    a->methods |= 1U << (t->clear_word == NULL ? METHOD_NONE : t->clear_method);
    weakest(a, 0);
    const char *word = t->clear_word == NULL ? "not-visible-here" : t->clear_word;
    if (a->clear_word == NULL) {
        a->clear_word = word;
    }
    if (leaf != NULL && strcmp(a->clear_word, word) == 0) {
        r = add_once(&a->clear_places, leaf, e);
    }
    if (r == 0 && t->clear_word != NULL && t->clear_cipher[0] != '\0') {
        r = add_once(&a->ciphers, t->clear_cipher, e);
    }
    return r;
}

/* An end that cannot be judged by itself: fine below encryption, not known without. */
static int end_unknown(struct trail t, const char *leaf, const char *word, const char *place,
                       struct err *e)
{
    t = with_unknown(t, word, place);
    return end_trail(&t, leaf, e);
}

/* The drive says that it locks itself: ATA security, or OPAL. */
static bool drive_is_armed(const struct graph *g, const struct blk *disk)
{
    char path[300];
    const char *opal = bag_textf(&g->s->bag, "opal %s", disk->name);
    if ((strtoul(opal, NULL, 10) & OPAL_LOCKING_ENABLED) != 0) {
        return true;
    }
    return block_ata_path(disk->link, path, sizeof(path)) &&
           ata_is_armed(bag_textf(&g->s->bag, "%s", path));
}

static int go_leaf(struct trail t, const struct blk *leaf, const struct blk *disk, struct err *e)
{
    if (drive_is_armed(t.g, disk)) {
        return end_unknown(t, leaf->node, "self-encrypting", disk->node, e);
    }
    return end_trail(&t, leaf->node, e);
}

static int go_below(struct trail t, const struct blk *x, struct err *e)
{
    int r = 0;
    if (x->n_below == 0 || x->below_unknown) {
        r = end_unknown(t, NULL, "no-leaf", x->node, e);
    }
    for (size_t i = 0; i < x->n_below && r == 0; i++) {
        r = go_block(t, x->below[i], e);
    }
    return r;
}

enum method crypt_method(const struct graph *g, const struct blk *b, const struct dm_target *t)
{
    static const struct {
        const char *prefix;
        enum method method;
    } rows[] = {{"CRYPT-LUKS2-", METHOD_LUKS2},
                {"CRYPT-LUKS1-", METHOD_LUKS1},
                {"CRYPT-PLAIN-", METHOD_PLAIN},
                {"CRYPT-BITLK-", METHOD_BITLK},
                {"CRYPT-TCRYPT-", METHOD_TCRYPT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strncmp(b->dm.uuid, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
            return rows[i].method;
        }
    }
    int below =
        t->n_devs == 1 ? graph_by_number(g, t->devs[0].dev_major, t->devs[0].dev_minor) : -1;
    if (below >= 0 && g->items[below].luks_code == 0) {
        return g->items[below].luks.version == 1 ? METHOD_LUKS1 : METHOD_LUKS2;
    }
    return METHOD_PLAIN;
}

/* True if another mapping lies on the device: cryptsetup's helpers of a conversion do. */
static bool has_other_above(const struct graph *g, const struct blk *x, const struct blk *below)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct blk *other = &g->items[i];
        for (size_t k = 0; k < other->n_below && other != x; k++) {
            if (&g->items[other->below[k]] == below) {
                return true;
            }
        }
    }
    return false;
}

/* What a target does to the trail that goes through it to the device `below`. */
static struct trail through_target(struct trail t, const struct blk *x, const struct dm_target *dt,
                                   const struct blk *below)
{
    const struct luks *luks = below != NULL && below->luks_code == 0 ? &below->luks : NULL;
    switch (dt->kind) {
    case DM_ENCRYPTS: {
        enum method method = crypt_method(t.g, x, dt);
        if (luks != NULL && luks->is_converting) {
            const char *word = luks->is_decrypting ? "decrypting" : "encrypting";
            return with_clear(t, word, method, dt->cipher);
        }
        /* LUKS2 maps in one piece, alone on its device, unless it is being converted; where no
         * header is to be seen, it may be on its way to plain. */
        if (method == METHOD_LUKS2 && luks == NULL &&
            (x->dm.n > 1 || below == NULL || has_other_above(t.g, x, below))) {
            return with_unknown(t, "converting", x->node);
        }
        return with_secret(t, method, dt->cipher, dt->key_bits);
    }
    case DM_CLEAR:
        return with_clear(t, "cipher-null", crypt_method(t.g, x, dt), dt->cipher);
    case DM_PASSES:
        /* LUKS2 that leaves the work to the drive maps straight through */
        if (luks != NULL && luks->uses_opal && strncmp(x->dm.uuid, "CRYPT-LUKS2-", 12) == 0) {
            return with_unknown(t, "self-encrypting", below->node);
        }
        if (luks != NULL && luks->is_converting) {
            return with_clear(t, luks->is_decrypting ? "decrypting" : "encrypting", METHOD_NONE,
                              "");
        }
        return t;
    case DM_UNKNOWN:
        return with_unknown(t, "unknown-layer", dt->type);
    case DM_NOTHING:
    default:
        return t;
    }
}

static bool target_names(const struct dm_target *dt, const struct blk *b)
{
    for (size_t i = 0; i < dt->n_devs; i++) {
        if (b->has_dev && dt->devs[i].dev_major == b->dev_major &&
            dt->devs[i].dev_minor == b->dev_minor) {
            return true;
        }
    }
    return false;
}

/* True if an earlier target of the same kind leads to the same device: a volume in a hundred pieces
 * is one way down. */
static bool seen_before(const struct dm_table *table, size_t n, const struct blk *below)
{
    const struct dm_target *now = &table->targets[n];
    for (size_t i = 0; i < n; i++) {
        const struct dm_target *dt = &table->targets[i];
        if (dt->kind == now->kind && strcmp(dt->cipher, now->cipher) == 0 &&
            strcmp(dt->type, now->type) == 0 && target_names(dt, below)) {
            return true;
        }
    }
    return false;
}

/* Data of a snapshot's origin that are about to change are copied to the snapshot's own area, which
 * is not below the origin: every snapshot of the same origin is asked for it. */
static int go_snapshots(struct trail t, const struct dm_target *origin, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < t.g->n; i++) {
        const struct dm_table *dm = &t.g->items[i].dm;
        for (size_t k = 0; k < dm->n && r == 0; k++) {
            const struct dm_target *dt = &dm->targets[k];
            bool same = strcmp(dt->type, "snapshot") == 0 && dt->n_devs > 1 &&
                        dt->devs[0].dev_major == origin->devs[0].dev_major &&
                        dt->devs[0].dev_minor == origin->devs[0].dev_minor;
            int area =
                same ? graph_by_number(t.g, dt->devs[1].dev_major, dt->devs[1].dev_minor) : -1;
            if (same) {
                r = area < 0 ? end_unknown(t, NULL, "no-leaf", t.g->items[i].node, e)
                             : go_block(t, area, e);
            }
        }
    }
    return r;
}

static int go_target(struct trail t, const struct blk *x, size_t n, struct err *e)
{
    const struct dm_target *dt = &x->dm.targets[n];
    int r = 0;
    for (size_t i = 0; i < dt->n_devs && r == 0; i++) {
        int index = graph_by_number(t.g, dt->devs[i].dev_major, dt->devs[i].dev_minor);
        const struct blk *below = index < 0 ? NULL : &t.g->items[index];
        struct trail next = through_target(t, x, dt, below);
        if (below == NULL) {
            r = end_unknown(next, NULL, "no-leaf", x->node, e);
        } else if (!seen_before(&x->dm, n, below)) {
            r = go_block(next, index, e);
        }
    }
    if (r == 0 && dt->n_devs > 0 && strcmp(dt->type, "snapshot-origin") == 0) {
        r = go_snapshots(t, dt, e);
    }
    if (dt->n_devs == 0 && dt->kind != DM_NOTHING && r == 0) {
        r = end_unknown(t, NULL, "unknown-layer", dt->type, e);
    }
    return r;
}

/* Every target, then every device that sysfs names below but no target does. */
static int go_dm(struct trail t, const struct blk *x, struct err *e)
{
    int r = 0;
    if (x->dm_code != 0) {
        const char *word = x->dm_code == ERR_MALFORMED ? "malformed" : "denied";
        return go_below(with_unknown(t, word, x->node), x, e);
    }
    if (x->dm.n == 0 || x->below_unknown) {
        r = end_unknown(t, NULL, "no-leaf", x->node, e);
    }
    for (size_t i = 0; i < x->dm.n && r == 0; i++) {
        r = go_target(t, x, i, e);
    }
    struct trail rest = t; /* devices that no parameter names belong to a target not understood */
    for (size_t k = 0; k < x->dm.n; k++) {
        if (x->dm.targets[k].kind == DM_UNKNOWN) {
            rest = with_unknown(rest, "unknown-layer", x->dm.targets[k].type);
        }
    }
    for (size_t i = 0; i < x->n_below && r == 0; i++) {
        bool named = false;
        for (size_t k = 0; k < x->dm.n; k++) {
            named = named || target_names(&x->dm.targets[k], &t.g->items[x->below[i]]);
        }
        r = named ? 0 : go_block(rest, x->below[i], e);
    }
    return r;
}

/* A loop device is its file's file system; the file must be the one that it was bound to. */
static int go_loop(struct trail t, const struct blk *x, struct err *e)
{
    static const char deleted[] = " (deleted)";
    const struct disk_state *s = t.g->s;
    const struct bag_item *file =
        bag_getf(&s->bag, "/sys/class/block/%s/loop/backing_file", x->name);
    char path[4096];
    if (file == NULL || file->code != 0 || file->bytes[0] != '/') {
        return end_unknown(t, NULL, "backing-file", x->node, e);
    }
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(file->bytes, "\n"), file->bytes);
    size_t n = strlen(path);
    if (n > sizeof(deleted) - 1 && strcmp(path + n - (sizeof(deleted) - 1), deleted) == 0) {
        return end_unknown(t, NULL, "backing-file", x->node, e);
    }
    int mount = mounts_find(&s->mounts, path);
    if (mount < 0) {
        return end_unknown(t, NULL, "backing-file", x->node, e);
    }
    if (s->is_live && !mount_untouchable(&s->mounts.items[mount])) {
        const struct bag_item *bound = bag_getf(&s->bag, "loop %s", x->name);
        const struct bag_item *now = bag_getf(&s->bag, "place %s", path);
        if (bound == NULL || bound->code != 0) {
            return end_unknown(t, NULL, "denied", x->node, e);
        }
        if (now == NULL || now->code != 0 || strcmp(bound->bytes, now->bytes) != 0) {
            return end_unknown(t, NULL, "backing-file", x->node, e);
        }
    }
    return go_mount(t, mount, e);
}

/* Compressed memory; pages that do not compress may be written back to a device. */
static int go_zram(struct trail t, const struct blk *x, struct err *e)
{
    const struct bag *b = &t.g->s->bag;
    const struct bag_item *item = bag_getf(b, "/sys/class/block/%s/backing_dev", x->name);
    char path[4096];
    if (item == NULL || item->code == ERR_ABSENT || strncmp(item->bytes, "none", 4) == 0) {
        return go_memory(t, e); /* no such file: built without write-back */
    }
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(item->bytes, "\n"), item->bytes);
    int below = graph_by_name(t.g, bag_dev_name(b, path));
    if (item->code != 0 || below < 0) {
        return end_unknown(t, NULL, item->code == ERR_DENIED ? "denied" : "no-leaf", x->node, e);
    }
    return go_block(t, below, e);
}

static int go_block(struct trail t, int block, struct err *e)
{
    const struct blk *x = &t.g->items[block];
    int r = go_deeper(&t, e);
    if (r < 0) {
        return r;
    }
    switch (x->kind) {
    case BLK_PARTITION: {
        const struct blk *disk = &t.g->items[x->disk];
        return disk->kind == BLK_DISK && disk->n_below == 0 ? go_leaf(t, x, disk, e)
                                                            : go_block(t, x->disk, e);
    }
    case BLK_DISK:
        return x->n_below == 0 ? go_leaf(t, x, x, e) : go_below(t, x, e);
    case BLK_DM:
        return go_dm(t, x, e);
    case BLK_STACK:
        return go_below(t, x, e);
    case BLK_LOOP:
        return go_loop(t, x, e);
    case BLK_ZRAM:
        return go_zram(t, x, e);
    case BLK_RAM:
        t.a->n_ram++;
        return 0;
    case BLK_REMOTE:
        return end_unknown(t, x->node, "network", x->node, e);
    case BLK_UNKNOWN:
    default:
        t = with_unknown(t, "unknown-layer", x->node);
        return x->n_below == 0 ? end_trail(&t, x->node, e) : go_below(t, x, e);
    }
}

static int go_swap(struct trail t, const struct swap_area *area, struct err *e)
{
    const struct disk_state *s = t.g->s;
    t.in_swap = true;
    if (area->is_deleted) {
        return end_unknown(t, NULL, "backing-file", area->path, e);
    }
    if (area->is_file) {
        int mount = mounts_find(&s->mounts, area->path);
        return mount < 0 ? end_unknown(t, NULL, "no-leaf", area->path, e) : go_mount(t, mount, e);
    }
    int block = graph_by_name(t.g, bag_dev_name(&s->bag, area->path));
    return block < 0 ? end_unknown(t, NULL, "no-leaf", area->path, e) : go_block(t, block, e);
}

/* Memory is as secret as what it may be swapped out to. */
static int go_memory(struct trail t, struct err *e)
{
    const struct disk_state *s = t.g->s;
    int r = go_deeper(&t, e);
    if (r < 0) {
        return r;
    }
    if (t.is_secret) {
        return end_trail(&t, NULL, e);
    }
    if (t.in_swap) {
        t.a->n_ram++;
        return 0;
    }
    if (s->swaps_code != 0 || s->swaps.bad_lines > 0) {
        return end_unknown(t, NULL, s->swaps_code == 0 ? "malformed" : "denied", "/proc/swaps", e);
    }
    if (s->swaps.n == 0) {
        t.a->n_ram++;
        return 0;
    }
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
    return journal < 0 ? end_unknown(t, NULL, "no-leaf", "journal", e) : go_block(t, journal, e);
}

static int go_disk_fs(struct trail t, const struct mount *m, struct err *e)
{
    static const char *const more[] = {"logdev", "rtdev"}; /* xfs */
    const struct graph *g = t.g;
    int block = mount_block(g, m);
    if (block < 0) {
        return end_unknown(t, NULL, "no-leaf", m->fstype, e);
    }
    int r = go_block(t, block, e);
    for (size_t i = 0; i < ARRAY_LEN(more) && r == 0; i++) {
        char path[4096];
        if (mount_option(m->super, more[i], path, sizeof(path))) {
            int other = graph_by_name(g, bag_dev_name(&g->s->bag, path));
            r = other < 0 ? end_unknown(t, NULL, "no-leaf", more[i], e) : go_block(t, other, e);
        }
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
            r = block < 0 ? end_unknown(t, NULL, "no-leaf", at, e) : go_block(t, block, e);
        }
        return r;
    }
    return end_unknown(t, NULL, "no-leaf", "btrfs", e);
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
            r = end_unknown(t, NULL, "no-leaf", "bcachefs", e);
            continue;
        }
        if (!bcachefs_type(b, t.g->items[block].name, &type)) {
            next = with_unknown(t, "bcachefs-not-readable", t.g->items[block].node);
        } else if (type != 0) {
            next = with_secret(t, METHOD_BCACHEFS, "chacha20-poly1305", 256);
        }
        r = go_block(next, block, e);
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
        return end_unknown(t, NULL, "zfs-not-readable", m->source, e);
    }
    /* The answer keeps copies of what it is given. */
    unsigned bits = strstr(cipher, "256") != NULL ? 256 : strstr(cipher, "192") != NULL ? 192 : 128;
    struct trail next = strcmp(cipher, "off") == 0 ? t : with_secret(t, METHOD_ZFS, cipher, bits);
    int r = 0;
    for (const char *one = strsep(&rest, " "); one != NULL && r == 0; one = strsep(&rest, " ")) {
        int block = graph_by_name(t.g, one);
        r = block < 0 ? end_unknown(next, NULL, "no-leaf", m->fstype, e) : go_block(next, block, e);
    }
    return r;
}

/* Index of the mount that a gathered walk ended in, -1 if it did not end. */
static int walked_mount(const struct disk_state *s, const char *path)
{
    const struct bag_item *walk = bag_getf(&s->bag, "walk %s", path);
    return walk == NULL || walk->code != 0 ? -1 : mounts_find(&s->mounts, walk->bytes);
}

static int go_overlay(struct trail t, const struct mount *m, struct err *e)
{
    char upper[4096];
    int mount = -1;
    if (mount_option(m->super, "upperdir", upper, sizeof(upper))) {
        mount = walked_mount(t.g->s, upper);
    }
    return mount < 0 ? end_unknown(t, NULL, "upper-unknown", m->point, e) : go_mount(t, mount, e);
}

static int go_ecryptfs(struct trail t, const struct mount *m, struct err *e)
{
    char cipher[64] = "";
    char bytes[16] = "";
    char flag[8];
    int lower = walked_mount(t.g->s, m->source);
    (void)mount_option(m->super, "ecryptfs_cipher", cipher, sizeof(cipher));
    (void)mount_option(m->super, "ecryptfs_key_bytes", bytes, sizeof(bytes));
    if (strcmp(cipher, "cipher_null") == 0) {
        t = with_clear(t, "cipher-null", METHOD_ECRYPTFS, "cipher_null");
    } else if (mount_option(m->super, "ecryptfs_passthrough", flag, sizeof(flag))) {
        t = with_unknown(t, "passthrough", m->point); /* plain files among the others */
    } else {
        t = with_secret(t, METHOD_ECRYPTFS, cipher, (unsigned)strtoul(bytes, NULL, 10) * 8U);
    }
    return lower < 0 ? end_unknown(t, NULL, "no-leaf", m->point, e) : go_mount(t, lower, e);
}

static int go_mount(struct trail t, int mount, struct err *e)
{
    const struct mount *m = &t.g->s->mounts.items[mount];
    int r = go_deeper(&t, e);
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
        return go_memory(t, e);
    case FS_RAMFS:
        t.in_swap = true; /* as if it came from swap: memory that goes no further */
        return go_memory(t, e);
    case FS_OVERLAY:
        return go_overlay(t, m, e);
    case FS_ECRYPTFS:
        return go_ecryptfs(t, m, e);
    case FS_FUSE:
        return end_unknown(t, NULL, "fuse", m->fstype, e);
    case FS_AUTOFS:
        return end_unknown(t, NULL, "autofs", m->point, e);
    case FS_NETWORK:
        return end_unknown(t, NULL, "network", m->fstype, e);
    case FS_PSEUDO:
    default:
        return end_unknown(t, NULL, "no-leaf", m->fstype, e);
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
    return finish(go_block(t, block, e), a, e);
}

int answer_mount(const struct graph *g, int mount, struct answer *a, struct err *e)
{
    unsigned visits = 0;
    struct trail t = {.g = g, .a = a, .visits = &visits, .cipher = ""};
    return finish(go_mount(t, mount, e), a, e);
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
        int mode;
        const char *cipher;
        unsigned key_bits;
    } modes[] = {{1, "aes-256-xts", 512},
                 {5, "aes-128-cbc-essiv", 128},
                 {7, "sm4-xts", 256},
                 {9, "adiantum", 256}};
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
    return finish(go_mount(t, mount, e), a, e);
}
