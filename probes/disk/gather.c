/* The reads of the disk probe: which leaves of /proc and /sys, in which order. Each outcome goes
 * into the bag under its path; nothing is concluded here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/json.h"
#include "probes/disk/state.h"

#define SYS_LEAF_MAX ((size_t)4096)
#define SYS_ENTRIES_MAX 8192U
#define DEV_LINKS_MAX 16U
#define PATH_BYTES_MAX ((size_t)16384)

void disk_state_free(struct disk_state *s)
{
    if (s == NULL) {
        return;
    }
    bag_done(&s->bag);
    mounts_done(&s->mounts);
    swaps_done(&s->swaps);
    for (size_t i = 0; i < s->n_targets; i++) {
        free(s->targets[i].shown);
        free(s->targets[i].path);
    }
    free(s->targets);
    free(s);
}

int disk_add_target(struct disk_state *s, enum target_kind kind, const char *shown,
                    const char *path, struct err *e)
{
    struct target *targets = realloc(s->targets, (s->n_targets + 1) * sizeof(*targets));
    if (targets == NULL) {
        return err_nomem(e);
    }
    s->targets = targets;
    struct target *t = &s->targets[s->n_targets];
    *t = (struct target){.kind = kind};
    s->n_targets++;
    t->shown = strdup(shown);
    t->path = path == NULL ? NULL : strdup(path);
    return t->shown == NULL || (path != NULL && t->path == NULL) ? err_nomem(e) : 0;
}

int disk_absence(const struct host *h, const char *path, int code)
{
    char dir[1024];
    const char *slash = strrchr(path, '/');
    if (code != ERR_ABSENT || host_is_live(h) || slash == NULL) {
        return code;
    }
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
    return host_is_whole(h, dir) ? ERR_ABSENT : ERR_UNSUPPORTED;
}

int gather_file(const struct host *h, struct bag *b, const char *path, size_t max, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(max);
    struct err why = {0};
    int code = host_read(h, path, max, &text, &why);
    if (code == ERR_NOMEM) {
        return err_nomem(e);
    }
    return bag_put(b, path, code, str_text(&text), text.len, e);
}

int gather_list(const struct host *h, struct bag *b, const char *dir, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    CLEANUP(str) struct str joined = STR_INIT((size_t)1 << 20);
    CLEANUP(free) char *key = NULL;
    struct err why = {0};
    int code = host_list(h, dir, SYS_ENTRIES_MAX, &names, &why);
    for (size_t i = 0; i < names.n; i++) {
        str_add_bytes(&joined, names.items[i], strlen(names.items[i]) + 1);
    }
    if (code == ERR_NOMEM || asprintf(&key, "%s/", dir) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    if (code == ERR_NONE && joined.error != 0) {
        code = joined.error;
    }
    return bag_put(b, key, code, str_text(&joined), joined.len, e);
}

int gather_link(const struct host *h, struct bag *b, const char *path, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(PATH_BYTES_MAX);
    CLEANUP(free) char *key = NULL;
    struct err why = {0};
    int code = host_readlink(h, path, &text, &why);
    if (code == ERR_NOMEM || asprintf(&key, "@%s", path) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    return bag_put(b, key, code, str_text(&text), text.len, e);
}

/* /sys/class/block/NAME/LEAF */
static int block_leaf(const struct host *h, struct bag *b, const char *name, const char *leaf,
                      struct err *e)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, leaf);
    return gather_file(h, b, path, SYS_LEAF_MAX, e);
}

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What only some kinds of device have. */
static int block_kind_leaves(const struct host *h, struct bag *b, const char *name, struct err *e)
{
    static const struct {
        const char *prefix;
        const char *leaf;
    } more[] = {
        {"dm-", "dm/name"},
        {"dm-", "dm/uuid"},
        {"dm-", "dm/suspended"},
        {"md", "md/level"},
        {"loop", "loop/backing_file"},
        {"zram", "backing_dev"},
    };
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        if (starts(name, more[i].prefix)) {
            int r = block_leaf(h, b, name, more[i].leaf, e);
            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

/* Partitions have no slaves; listing them costs one call and saves a rule about names. */
static int gather_block(const struct host *h, struct bag *b, const char *name, struct err *e)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s", name);
    int r = gather_link(h, b, path, e);
    if (r == 0) {
        r = block_leaf(h, b, name, "dev", e);
    }
    if (r == 0) {
        r = block_leaf(h, b, name, "size", e);
    }
    /* Loop devices without a file, drives without a medium: size 0, nothing below. */
    if (r < 0 || strcmp(bag_textf(b, "%s/size", path), "0\n") == 0) {
        return r;
    }
    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/slaves", name);
    r = gather_list(h, b, path, e);
    return r < 0 ? r : block_kind_leaves(h, b, name, e);
}

/* Transports of NVMe controllers: tcp, rdma and fc are networks. */
static int gather_nvme(const struct host *h, struct bag *b, struct err *e)
{
    const struct bag_item *blocks = bag_getf(b, "/sys/class/block/");
    bool any = false;
    for (const char *x = bag_next_name(blocks, NULL); x != NULL; x = bag_next_name(blocks, x)) {
        any = any || starts(x, "nvme");
    }
    if (!any) {
        return 0;
    }
    int r = gather_list(h, b, "/sys/class/nvme", e);
    /* The list's item moves when others are put in; its bytes do not. */
    const char *n = bag_next_name(bag_getf(b, "/sys/class/nvme/"), NULL);
    while (n != NULL && r == 0) {
        char path[512];
        (void)snprintf(path, sizeof(path), "/sys/class/nvme/%s/transport", n);
        r = gather_file(h, b, path, SYS_LEAF_MAX, e);
        n = bag_next_name(bag_getf(b, "/sys/class/nvme/"), n);
    }
    return r;
}

/* Each btrfs lists all its devices, whichever of them the mount table happens to name. */
static int gather_btrfs(const struct host *h, struct bag *b, struct err *e)
{
    int r = gather_list(h, b, "/sys/fs/btrfs", e);
    const char *id = bag_next_name(bag_getf(b, "/sys/fs/btrfs/"), NULL);
    while (id != NULL && r == 0) {
        char path[512];
        (void)snprintf(path, sizeof(path), "/sys/fs/btrfs/%s/devices", id);
        if (strlen(id) == 36) { /* others ("features") are no file system's uuid */
            r = gather_list(h, b, path, e);
        }
        id = bag_next_name(bag_getf(b, "/sys/fs/btrfs/"), id);
    }
    return r;
}

int gather_blocks(const struct host *h, struct disk_state *s, struct err *e)
{
    int r = gather_list(h, &s->bag, "/sys/class/block", e);
    const char *n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), NULL);
    while (n != NULL && r == 0) {
        r = gather_block(h, &s->bag, n, e);
        n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), n);
    }
    if (r == 0) {
        r = gather_nvme(h, &s->bag, e);
    }
    bool has_btrfs = false;
    for (size_t i = 0; i < s->mounts.n; i++) {
        has_btrfs = has_btrfs || fs_kind_of(&s->mounts.items[i]) == FS_BTRFS;
    }
    return r == 0 && has_btrfs ? gather_btrfs(h, &s->bag, e) : r;
}

/* Name of the device with that number, NULL if sysfs has none. */
static const char *block_by_number(const struct bag *b, const char *number)
{
    const struct bag_item *blocks = bag_getf(b, "/sys/class/block/");
    size_t n = strlen(number);
    for (const char *at = bag_next_name(blocks, NULL); at != NULL; at = bag_next_name(blocks, at)) {
        const char *dev = bag_textf(b, "/sys/class/block/%s/dev", at);
        if (n > 0 && strncmp(dev, number, n) == 0 && (dev[n] == '\n' || dev[n] == '\0')) {
            return at;
        }
    }
    return NULL;
}

/* The node's name below /dev/mapper may be mangled by udev; the kernel's own name is compared. */
static const char *block_by_dm_name(const struct bag *b, const char *name)
{
    const struct bag_item *blocks = bag_getf(b, "/sys/class/block/");
    size_t n = strlen(name);
    for (const char *at = bag_next_name(blocks, NULL); at != NULL; at = bag_next_name(blocks, at)) {
        const char *dm = bag_textf(b, "/sys/class/block/%s/dm/name", at);
        if (n > 0 && strncmp(dm, name, n) == 0 && dm[n] == '\n') {
            return at;
        }
    }
    return NULL;
}

/* Joins a link's text to the directory of the path that holds it; "." and ".." are taken out. */
static void link_target(const char *path, const char *text, char *out, size_t out_n)
{
    char joined[2048];
    const char *slash = strrchr(path, '/');
    if (text[0] == '/' || slash == NULL) {
        (void)snprintf(joined, sizeof(joined), "%s", text);
    } else {
        (void)snprintf(joined, sizeof(joined), "%.*s/%s", (int)(slash - path), path, text);
    }
    size_t used = 0;
    char *save = NULL;
    out[0] = '\0';
    for (char *part = strtok_r(joined, "/", &save); part != NULL;
         part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0) {
            continue;
        }
        if (strcmp(part, "..") == 0) {
            char *last = strrchr(out, '/');
            used = last == NULL ? 0 : (size_t)(last - out);
            out[used] = '\0';
            continue;
        }
        int n = snprintf(out + used, out_n - used, "/%s", part);
        used += n > 0 && (size_t)n < out_n - used ? (size_t)n : 0;
        out[used] = '\0';
    }
}

/* /dev/... down its links to a device that sysfs knows. The last resort is the node's number: a
 * node may have any name. */
static const char *block_by_path(const struct host *h, const struct bag *b, const char *path)
{
    char at[2048];
    (void)snprintf(at, sizeof(at), "%s", path);
    for (unsigned i = 0; i < DEV_LINKS_MAX && starts(at, "/dev/"); i++) {
        const struct bag_item *blocks = bag_getf(b, "/sys/class/block/");
        for (const char *n = bag_next_name(blocks, NULL); n != NULL; n = bag_next_name(blocks, n)) {
            if (strcmp(n, at + 5) == 0) {
                return n;
            }
        }
        const char *dm = starts(at, "/dev/mapper/") ? block_by_dm_name(b, at + 12) : NULL;
        if (dm != NULL) {
            return dm;
        }
        CLEANUP(str) struct str text = STR_INIT(PATH_BYTES_MAX);
        struct err why = {0};
        if (host_readlink(h, at, &text, &why) < 0) {
            break;
        }
        char next[2048];
        link_target(at, str_text(&text), next, sizeof(next));
        (void)snprintf(at, sizeof(at), "%s", next);
    }
    struct host_stat st;
    struct err why = {0};
    if (starts(at, "/dev/") && host_stat(h, at, true, &st, &why) == 0 && S_ISBLK(st.mode)) {
        char number[32];
        (void)snprintf(number, sizeof(number), "%u:%u", st.rdev_major, st.rdev_minor);
        return block_by_number(b, number);
    }
    return NULL;
}

int gather_dev_name(const struct host *h, struct disk_state *s, const char *text, struct err *e)
{
    static const struct {
        const char *tag;
        const char *dir;
    } tags[] = {{"UUID=", "by-uuid"},
                {"LABEL=", "by-label"},
                {"PARTUUID=", "by-partuuid"},
                {"PARTLABEL=", "by-partlabel"}};
    CLEANUP(free) char *key = NULL;
    char path[1024];
    const char *found = NULL;
    if (asprintf(&key, "dev %s", text) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    (void)snprintf(path, sizeof(path), "%s", text);
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (starts(text, tags[i].tag)) {
            (void)snprintf(path, sizeof(path), "/dev/disk/%s/%s", tags[i].dir,
                           text + strlen(tags[i].tag));
        }
    }
    if (path[0] == '/') {
        found = block_by_path(h, &s->bag, path);
    } else {
        found = block_by_number(&s->bag, path);
    }
    return bag_put(&s->bag, key, found == NULL ? ERR_ABSENT : ERR_NONE, found == NULL ? "" : found,
                   found == NULL ? 0 : strlen(found), e);
}

const char *bag_dev_name(const struct bag *b, const char *text)
{
    const struct bag_item *item = bag_getf(b, "dev %s", text);
    return item != NULL && item->code == ERR_NONE ? item->bytes : NULL;
}
