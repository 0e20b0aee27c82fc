/* Rows of luks_headers, device_stack and disk_encryption: one look at each device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/tables.h"

static void dev_name(const struct graph *g, int index, char *out, size_t out_n)
{
    (void)snprintf(out, out_n, "/dev/%s", index < 0 ? "" : g->items[index].name);
    if (index < 0) {
        out[0] = '\0';
    }
}

/* --- luks_headers --- */

/* A key derivation that is not in the vocabulary leaves its cells NULL: not known, not absent. */
static void header_rows(struct probe_ctx *ctx, const char *device, const struct luks *l)
{
    const struct column *kdf = &table_luks_headers.columns[LH_KDF];
    for (size_t i = 0; i < l->n_slots; i++) {
        const struct luks_slot *slot = &l->slots[i];
        row_begin(ctx, &table_luks_headers);
        row_text(ctx, LH_DEVICE, device);
        row_int(ctx, LH_VERSION, l->version);
        row_text(ctx, LH_UUID, l->uuid);
        row_text(ctx, LH_CIPHER, l->cipher);
        if (l->key_bits > 0) {
            row_int(ctx, LH_KEY_BITS, l->key_bits);
        }
        row_int(ctx, LH_KEYSLOT, slot->id);
        if (column_allows(kdf, slot->kdf, NULL)) {
            row_text(ctx, LH_KDF, slot->kdf);
            row_int(ctx, LH_KDF_MEMORY_KIB, slot->memory_kib);
            row_int(ctx, LH_KDF_ITERATIONS, slot->iterations);
        }
        row_text(ctx, LH_TOKEN, slot->token);
        row_end(ctx);
    }
}

/* A device that was not read is a gap only if something may be there: everything but what cannot
 * hold a header of this machine's. */
static void report_head(struct probe_ctx *ctx, const struct blk *x, const char *device)
{
    const struct table *t = &table_luks_headers;
    switch (x->luks_code) {
    case ERR_NONE:
    case ERR_ABSENT:
        return;
    case ERR_DENIED:
        probe_state(ctx, t, STATE_DENIED, "denied: %s", device);
        return;
    case ERR_UNSUPPORTED:
        if (x->kind != BLK_REMOTE) {
            probe_state(ctx, t, STATE_DENIED, "not_read: %s could hang", device);
        }
        return;
    case ERR_MALFORMED:
        probe_state(ctx, t, STATE_MALFORMED, "malformed: %s", device);
        return;
    default:
        probe_state(ctx, t, STATE_TRUNCATED, "unreadable: %s", device);
    }
}

int rows_luks_headers(struct probe_ctx *ctx, const struct graph *g, struct err *e)
{
    (void)e;
    if (g->s->hidden != NULL) {
        return 0;
    }
    const struct bag_item *blocks = bag_getf(&g->s->bag, "/sys/class/block/");
    if (blocks == NULL || blocks->code != 0) {
        probe_state(ctx, &table_luks_headers, STATE_DENIED, "denied: /sys/class/block");
    }
    for (size_t i = 0; i < g->n; i++) {
        char device[300];
        const struct blk *x = &g->items[i];
        const struct bag_item *head = bag_getf(&g->s->bag, "head %s", x->name);
        dev_name(g, (int)i, device, sizeof(device));
        if (x->luks_code == 0) {
            header_rows(ctx, device, &x->luks);
        } else if (head != NULL && head->code == ERR_ABSENT) {
            /* no node in /dev: a live host's sysfs is ahead of it, a captured tree lacks it */
            probe_state(ctx, &table_luks_headers, STATE_DENIED, "%s: %s",
                        g->s->is_live ? "no_node" : "not_captured", device);
        } else {
            report_head(ctx, x, device);
        }
    }
    return 0;
}

/* --- device_stack --- */

static void stack_row(struct probe_ctx *ctx, const char *device, const char *below,
                      const char *layer, const char *detail)
{
    row_begin(ctx, &table_device_stack);
    row_text(ctx, DS_DEVICE, device);
    row_text(ctx, DS_BELOW, below);
    row_text(ctx, DS_LAYER, layer);
    row_text(ctx, DS_DETAIL, detail);
    row_end(ctx);
}

/* Layer and detail of the way from a mapping to one device below it: the first target that names
 * it. NULL layer: no table could be read. */
static void dm_row(struct probe_ctx *ctx, const struct graph *g, const struct blk *x, int below)
{
    char device[300];
    char under[300];
    char detail[400] = "";
    const char *layer = x->dm_code == 0 ? "other" : NULL;
    const struct blk *b = &g->items[below];
    for (size_t i = 0; i < x->dm.n && x->dm_code == 0; i++) {
        const struct dm_target *t = &x->dm.targets[i];
        bool named = false;
        for (size_t k = 0; k < t->n_devs; k++) {
            named = named ||
                    (t->devs[k].dev_major == b->dev_major && t->devs[k].dev_minor == b->dev_minor);
        }
        if (named) {
            layer = dm_layer_word(t);
            if (t->kind == DM_ENCRYPTS || t->kind == DM_CLEAR) {
                (void)snprintf(detail, sizeof(detail), "%s %s %u",
                               method_word(crypt_method(g, x, t)), t->cipher, t->key_bits);
            }
            break;
        }
    }
    (void)snprintf(device, sizeof(device), "/dev/%s", x->name);
    dev_name(g, below, under, sizeof(under));
    stack_row(ctx, device, under, layer, layer == NULL ? NULL : detail);
}

static void loop_row(struct probe_ctx *ctx, const struct graph *g, const struct blk *x)
{
    const struct bag *b = &g->s->bag;
    const char *file = bag_textf(b, "/sys/class/block/%s/loop/backing_file", x->name);
    char device[300];
    char under[300] = "";
    char path[4096];
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(file, "\n"), file);
    int mount = path[0] == '/' ? mounts_find(&g->s->mounts, path) : -1;
    const struct mount *m = mount < 0 ? NULL : &g->s->mounts.items[mount];
    /* The file's own name stays out: it may lie below a data path. */
    dev_name(g, m == NULL ? -1 : mount_block(g, m), under, sizeof(under));
    (void)snprintf(device, sizeof(device), "/dev/%s", x->name);
    stack_row(ctx, device, under, "loop", m == NULL ? NULL : m->point);
}

static void device_rows(struct probe_ctx *ctx, const struct graph *g, const struct blk *x)
{
    const struct bag *b = &g->s->bag;
    char device[300];
    char under[300];
    char level[64];
    (void)snprintf(device, sizeof(device), "/dev/%s", x->name);
    if (x->kind == BLK_PARTITION) {
        dev_name(g, x->disk, under, sizeof(under));
        stack_row(ctx, device, under, "partition", "");
        return;
    }
    if (x->kind == BLK_LOOP && !x->is_empty) {
        loop_row(ctx, g, x);
    }
    if (x->kind == BLK_ZRAM) {
        const char *text = bag_textf(b, "/sys/class/block/%s/backing_dev", x->name);
        char path[4096];
        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(text, "\n"), text);
        int below = graph_by_name(g, bag_dev_name(b, path));
        if (below >= 0) {
            dev_name(g, below, under, sizeof(under));
            stack_row(ctx, device, under, "zram", "");
        }
    }
    const char *text = bag_textf(b, "/sys/class/block/%s/md/level", x->name);
    (void)snprintf(level, sizeof(level), "%.*s", (int)strcspn(text, "\n"), text);
    for (size_t i = 0; i < x->n_below; i++) {
        dev_name(g, x->below[i], under, sizeof(under));
        if (x->kind == BLK_DM) {
            dm_row(ctx, g, x, x->below[i]);
        } else if (x->kind == BLK_STACK) {
            bool cache = strncmp(x->name, "bcache", 6) == 0;
            stack_row(ctx, device, under, cache ? "bcache" : "raid", cache ? "" : level);
        } else {
            stack_row(ctx, device, under, NULL, NULL);
        }
    }
}

int rows_device_stack(struct probe_ctx *ctx, const struct graph *g, struct err *e)
{
    (void)e;
    if (g->s->hidden != NULL) {
        return 0;
    }
    report_graph(ctx, &table_device_stack, g);
    for (size_t i = 0; i < g->n; i++) {
        device_rows(ctx, g, &g->items[i]);
    }
    const struct bag *b = &g->s->bag;
    const struct bag_item *ids = bag_getf(b, "/sys/fs/btrfs/");
    for (const char *id = bag_next_name(ids, NULL); id != NULL; id = bag_next_name(ids, id)) {
        const struct bag_item *devices = bag_getf(b, "/sys/fs/btrfs/%s/devices/", id);
        char device[300];
        (void)snprintf(device, sizeof(device), "btrfs:%s", id);
        for (const char *at = bag_next_name(devices, NULL); at != NULL;
             at = bag_next_name(devices, at)) {
            char under[300];
            (void)snprintf(under, sizeof(under), "/dev/%s", at);
            stack_row(ctx, device, under, "btrfs", "");
        }
    }
    return 0;
}

/* --- disk_encryption --- */

/* osquery names the type "LUKS2-aes-xts-plain64". */
static void osquery_type(const struct graph *g, const struct blk *x, char *out, size_t out_n)
{
    static const struct {
        enum method method;
        const char *word;
    } words[] = {{METHOD_LUKS1, "LUKS1"},
                 {METHOD_LUKS2, "LUKS2"},
                 {METHOD_BITLK, "BITLK"},
                 {METHOD_TCRYPT, "TCRYPT"},
                 {METHOD_PLAIN, "PLAIN"}};
    out[0] = '\0';
    for (size_t i = 0; x->dm_code == 0 && i < x->dm.n; i++) {
        const struct dm_target *t = &x->dm.targets[i];
        enum method method = METHOD_NONE;
        if (t->kind != DM_ENCRYPTS && t->kind != DM_CLEAR) {
            continue;
        }
        method = crypt_method(g, x, t);
        for (size_t k = 0; k < ARRAY_LEN(words); k++) {
            if (words[k].method == method) {
                (void)snprintf(out, out_n, "%s-%s", words[k].word, t->cipher);
                return;
            }
        }
    }
}

/* osquery asks its parent device and libcryptsetup, and so calls a plain volume encrypted; the
 * columns are osquery's, the answer is that of mount_encryption. */
static int encryption_row(struct probe_ctx *ctx, const struct graph *g, int block, struct err *e)
{
    CLEANUP(answer) struct answer a = {0};
    const struct blk *x = &g->items[block];
    char name[300];
    char type[400];
    int r = answer_block(g, block, &a, e);
    if (r < 0) {
        return r;
    }
    int encrypted = answer_encrypted(&a);
    dev_name(g, block, name, sizeof(name));
    osquery_type(g, x, type, sizeof(type));
    row_begin(ctx, &table_disk_encryption);
    row_text(ctx, DE_NAME, name);
    row_text(ctx, DE_UUID, x->luks_code == 0 ? x->luks.uuid : "");
    if (encrypted >= 0) {
        row_int(ctx, DE_ENCRYPTED, encrypted);
    }
    row_text(ctx, DE_TYPE, type);
    row_text(ctx, DE_ENCRYPTION_STATUS,
             encrypted < 0    ? "undefined"
             : encrypted == 1 ? "encrypted"
                              : "not encrypted");
    row_text(ctx, DE_UID, "");
    row_text(ctx, DE_USER_UUID, "");
    row_text(ctx, DE_FILEVAULT_STATUS, "");
    row_end(ctx);
    return 0;
}

int rows_disk_encryption(struct probe_ctx *ctx, const struct graph *g, struct err *e)
{
    int r = 0;
    if (g->s->hidden != NULL) {
        return 0;
    }
    report_graph(ctx, &table_disk_encryption, g);
    for (size_t i = 0; i < g->n && r == 0; i++) {
        if (!g->items[i].is_empty && g->items[i].kind != BLK_RAM) {
            r = encryption_row(ctx, g, (int)i, e);
        }
    }
    return r;
}
