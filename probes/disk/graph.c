/* Builds the graph of block devices from what sysfs and the device-mapper said. */
#include "probes/disk/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/blockname.h"

void graph_done(struct graph *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->items[i].below);
        free(g->items[i].node);
        dm_table_done(&g->items[i].dm);
    }
    free(g->items);
    *g = (struct graph){0};
}

int graph_by_name(const struct graph *g, const char *name)
{
    for (size_t i = 0; name != NULL && i < g->n; i++) {
        if (strcmp(g->items[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int graph_by_number(const struct graph *g, unsigned dev_major, unsigned dev_minor)
{
    for (size_t i = 0; i < g->n; i++) {
        if (g->items[i].has_dev && g->items[i].dev_major == dev_major &&
            g->items[i].dev_minor == dev_minor) {
            return (int)i;
        }
    }
    return -1;
}

/* "md0" but not "mdevctl": a kernel name is its driver's prefix and a number. */
static bool starts_digit(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && name[n] >= '0' && name[n] <= '9';
}

/* A virtual device of a kind not listed here is BLK_UNKNOWN: where it keeps its data is not said,
 * so nothing is claimed about it. pmem and NVMe behind several controllers are virtual in sysfs
 * only. */
static enum blk_kind kind_of(const struct bag *b, const char *name, const char *link)
{
    static const struct {
        const char *prefix;
        enum blk_kind kind;
    } kinds[] = {{"dm-", BLK_DM},    {"md", BLK_STACK},  {"bcache", BLK_STACK},
                 {"loop", BLK_LOOP}, {"zram", BLK_ZRAM}, {"ram", BLK_RAM}};
    if (block_is_remote(b, name, link)) {
        return BLK_REMOTE;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (starts_digit(name, kinds[i].prefix)) {
            return kinds[i].kind;
        }
    }
    /* md devices may carry names: md_home, or md/0 */
    if (strncmp(name, "md_", 3) == 0 || bag_textf(b, "/sys/class/block/%s/md/level", name)[0]) {
        return BLK_STACK;
    }
    bool nvme = strncmp(name, "nvme", 4) == 0 || strncmp(name, "pmem", 4) == 0;
    return block_is_hardware(link) || nvme ? BLK_DISK : BLK_UNKNOWN;
}

static int fill_block(const struct bag *b, const char *name, struct blk *ret, struct err *e)
{
    *ret = (struct blk){.name = name, .disk = -1, .dm_code = ERR_ABSENT, .luks_code = ERR_ABSENT};
    ret->link = bag_textf(b, "@/sys/class/block/%s", name);
    ret->kind = kind_of(b, name, ret->link);
    ret->has_dev = block_numbers(bag_textf(b, "/sys/class/block/%s/dev", name), &ret->dev_major,
                                 &ret->dev_minor);
    ret->is_empty = strcmp(bag_textf(b, "/sys/class/block/%s/size", name), "0\n") == 0;
    if (asprintf(&ret->node, "/dev/%s", name) < 0) {
        ret->node = NULL;
        return err_nomem(e);
    }
    return 0;
}

/* The disk of a partition, the slaves of anything else. A stacked device whose slaves cannot be
 * listed, or of which one is not in sysfs, has a leaf that nobody knows. */
static int link_below(struct graph *g, struct blk *x, struct err *e)
{
    const struct bag *b = &g->s->bag;
    char disk[64];
    if (block_parent(b, x->link, disk, sizeof(disk))) {
        x->disk = graph_by_name(g, disk);
        x->kind = x->disk >= 0 && x->kind != BLK_REMOTE ? BLK_PARTITION : x->kind;
    }
    const struct bag_item *slaves = bag_getf(b, "/sys/class/block/%s/slaves/", x->name);
    bool stacked = x->kind == BLK_DM || x->kind == BLK_STACK;
    if (slaves == NULL || slaves->code != 0) {
        x->below_unknown = stacked && !x->is_empty;
        return 0;
    }
    for (const char *at = bag_next_name(slaves, NULL); at != NULL; at = bag_next_name(slaves, at)) {
        int index = graph_by_name(g, at);
        int *below = realloc(x->below, (x->n_below + 1) * sizeof(*below));
        if (below == NULL) {
            return err_nomem(e);
        }
        x->below = below;
        if (index < 0) {
            x->below_unknown = true;
        } else {
            x->below[x->n_below++] = index;
        }
    }
    return 0;
}

/* The device-mapper's table and the LUKS header, where the gathering half brought them. A mapping
 * that nobody looked at counts as refused, never as empty. */
static int load_tables(struct graph *g, struct blk *x, struct err *e)
{
    const struct bag *b = &g->s->bag;
    const struct bag_item *dm = bag_getf(b, "dm %u:%u", x->dev_major, x->dev_minor);
    struct err why = {0};
    if (x->kind == BLK_DM) {
        x->dm_code = dm == NULL ? ERR_DENIED : dm->code;
        if (dm != NULL && dm->code == 0) {
            x->dm_code = dm_table_parse(dm->bytes, dm->n, &x->dm, &why);
        }
    }
    const struct bag_item *head = bag_getf(b, "head %s", x->name);
    if (head != NULL) {
        x->luks_code = head->code;
        if (head->code == 0) {
            x->luks_code = luks_parse(head->bytes, head->n, &x->luks, &why);
        }
    }
    return x->dm_code == ERR_NOMEM || x->luks_code == ERR_NOMEM ? err_nomem(e) : 0;
}

int graph_build(const struct disk_state *s, struct graph *ret, struct err *e)
{
    CLEANUP(graph) struct graph g = {.s = s};
    const struct bag_item *blocks = bag_getf(&s->bag, "/sys/class/block/");
    size_t n = 0;
    for (const char *at = bag_next_name(blocks, NULL); at != NULL; at = bag_next_name(blocks, at)) {
        n++;
    }
    g.items = calloc(n + 1, sizeof(*g.items));
    if (g.items == NULL) {
        return err_nomem(e);
    }
    for (const char *at = bag_next_name(blocks, NULL); at != NULL; at = bag_next_name(blocks, at)) {
        int r = fill_block(&s->bag, at, &g.items[g.n++], e);
        if (r < 0) {
            return r;
        }
    }
    for (size_t i = 0; i < g.n; i++) {
        int r = link_below(&g, &g.items[i], e);
        if (r == 0) {
            r = load_tables(&g, &g.items[i], e);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret = g;
    g = (struct graph){0};
    return 0;
}
