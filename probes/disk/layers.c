/* The way down through block devices: partitions, mappings, arrays, loop devices, compressed
 * memory. Every device that a layer names counts, also those that only hold its metadata: a cache,
 * a snapshot area or a thin pool's metadata hold data, or tell about them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/blockname.h"
#include "probes/disk/trail.h"

#define OPAL_LOCKING_ENABLED 0x4U

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
        return trail_end_unknown(t, leaf->node, "self-encrypting", disk->node, e);
    }
    return trail_end(&t, leaf->node, e);
}

static int go_below(struct trail t, const struct blk *x, struct err *e)
{
    int r = 0;
    if (x->n_below == 0 || x->below_unknown) {
        r = trail_end_unknown(t, NULL, "no-leaf", x->node, e);
    }
    for (size_t i = 0; i < x->n_below && r == 0; i++) {
        r = trail_block(t, x->below[i], e);
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
            return trail_clear(t, word, method, dt->cipher);
        }
        /* LUKS2 maps in one piece, alone on its device, unless it is being converted; where no
         * header is to be seen, it may be on its way to plain. */
        if (method == METHOD_LUKS2 && luks == NULL &&
            (x->dm.n > 1 || below == NULL || has_other_above(t.g, x, below))) {
            return trail_unknown(t, "converting", x->node);
        }
        return trail_secret(t, method, dt->cipher, dt->key_bits);
    }
    case DM_CLEAR:
        return trail_clear(t, "cipher-null", crypt_method(t.g, x, dt), dt->cipher);
    case DM_PASSES:
        /* LUKS2 that leaves the work to the drive maps straight through */
        if (luks != NULL && luks->uses_opal && strncmp(x->dm.uuid, "CRYPT-LUKS2-", 12) == 0) {
            return trail_unknown(t, "self-encrypting", below->node);
        }
        if (luks != NULL && luks->is_converting) {
            return trail_clear(t, luks->is_decrypting ? "decrypting" : "encrypting", METHOD_NONE,
                               "");
        }
        return t;
    case DM_UNKNOWN:
        return trail_unknown(t, "unknown-layer", dt->type);
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
                r = area < 0 ? trail_end_unknown(t, NULL, "no-leaf", t.g->items[i].node, e)
                             : trail_block(t, area, e);
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
            r = trail_end_unknown(next, NULL, "no-leaf", x->node, e);
        } else if (!seen_before(&x->dm, n, below)) {
            r = trail_block(next, index, e);
        }
    }
    if (r == 0 && dt->n_devs > 0 && strcmp(dt->type, "snapshot-origin") == 0) {
        r = go_snapshots(t, dt, e);
    }
    if (dt->n_devs == 0 && dt->kind != DM_NOTHING && r == 0) {
        r = trail_end_unknown(t, NULL, "unknown-layer", dt->type, e);
    }
    return r;
}

/* Every target, then every device that sysfs names below but no target does. */
static int go_dm(struct trail t, const struct blk *x, struct err *e)
{
    int r = 0;
    if (x->dm_code != 0) {
        const char *word = x->dm_code == ERR_MALFORMED ? "malformed" : "denied";
        return go_below(trail_unknown(t, word, x->node), x, e);
    }
    if (x->dm.n == 0 || x->below_unknown) {
        r = trail_end_unknown(t, NULL, "no-leaf", x->node, e);
    }
    for (size_t i = 0; i < x->dm.n && r == 0; i++) {
        r = go_target(t, x, i, e);
    }
    struct trail rest = t; /* devices that no parameter names belong to a target not understood */
    for (size_t k = 0; k < x->dm.n; k++) {
        if (x->dm.targets[k].kind == DM_UNKNOWN) {
            rest = trail_unknown(rest, "unknown-layer", x->dm.targets[k].type);
        }
    }
    for (size_t i = 0; i < x->n_below && r == 0; i++) {
        bool named = false;
        for (size_t k = 0; k < x->dm.n; k++) {
            named = named || target_names(&x->dm.targets[k], &t.g->items[x->below[i]]);
        }
        r = named ? 0 : trail_block(rest, x->below[i], e);
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
        return trail_end_unknown(t, NULL, "backing-file", x->node, e);
    }
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(file->bytes, "\n"), file->bytes);
    size_t n = strlen(path);
    if (n > sizeof(deleted) - 1 && strcmp(path + n - (sizeof(deleted) - 1), deleted) == 0) {
        return trail_end_unknown(t, NULL, "backing-file", x->node, e);
    }
    int mount = mounts_find(&s->mounts, path);
    if (mount < 0) {
        return trail_end_unknown(t, NULL, "backing-file", x->node, e);
    }
    if (s->is_live && !mount_untouchable(&s->mounts.items[mount])) {
        const struct bag_item *bound = bag_getf(&s->bag, "loop %s", x->name);
        const struct bag_item *now = bag_getf(&s->bag, "place %s", path);
        if (bound == NULL || bound->code != 0) {
            return trail_end_unknown(t, NULL, "denied", x->node, e);
        }
        if (now == NULL || now->code != 0 || strcmp(bound->bytes, now->bytes) != 0) {
            return trail_end_unknown(t, NULL, "backing-file", x->node, e);
        }
    }
    return trail_mount(t, mount, e);
}

/* Compressed memory; pages that do not compress may be written back to a device. */
static int go_zram(struct trail t, const struct blk *x, struct err *e)
{
    const struct bag *b = &t.g->s->bag;
    const struct bag_item *item = bag_getf(b, "/sys/class/block/%s/backing_dev", x->name);
    char path[4096];
    if (item == NULL || item->code == ERR_ABSENT || strncmp(item->bytes, "none", 4) == 0) {
        return trail_memory(t, e); /* no such file: built without write-back */
    }
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(item->bytes, "\n"), item->bytes);
    int below = graph_by_name(t.g, bag_dev_name(b, path));
    if (item->code != 0 || below < 0) {
        return trail_end_unknown(t, NULL, item->code == ERR_DENIED ? "denied" : "no-leaf", x->node,
                                 e);
    }
    return trail_block(t, below, e);
}

int trail_block(struct trail t, int block, struct err *e)
{
    const struct blk *x = &t.g->items[block];
    int r = trail_deeper(&t, e);
    if (r < 0) {
        return r;
    }
    switch (x->kind) {
    case BLK_PARTITION: {
        const struct blk *disk = &t.g->items[x->disk];
        return disk->kind == BLK_DISK && disk->n_below == 0 ? go_leaf(t, x, disk, e)
                                                            : trail_block(t, x->disk, e);
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
        return trail_end_unknown(t, x->node, "network", x->node, e);
    case BLK_UNKNOWN:
    default:
        t = trail_unknown(t, "unknown-layer", x->node);
        return x->n_below == 0 ? trail_end(&t, x->node, e) : go_below(t, x, e);
    }
}
