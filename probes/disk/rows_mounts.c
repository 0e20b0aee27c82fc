/* Rows of mount_encryption. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/json.h"
#include "probes/disk/tables.h"

#define CELL_TEXT_MAX ((size_t)64 << 10)

struct out {
    struct probe_ctx *ctx;
    const struct graph *g;
    struct strv keys; /* "MOUNT \n ROLE" of the rows so far: KEY is written once */
};

static void cleanup_out(struct out *o)
{
    strv_done(&o->keys);
}

/* Cipher, key size and leaves of the answer into the row that is open. */
static int row_answer(struct out *o, struct answer *a, struct err *e)
{
    CLEANUP(str) struct str ciphers = STR_INIT(CELL_TEXT_MAX);
    CLEANUP(str) struct str leaves = STR_INIT(CELL_TEXT_MAX);
    struct json_out j;
    int encrypted = answer_encrypted(a);
    strv_sort(&a->ciphers);
    strv_sort(&a->leaves);
    for (size_t i = 0; i < a->ciphers.n; i++) {
        str_addf(&ciphers, "%s%s", i == 0 ? "" : ",", a->ciphers.items[i]);
    }
    jout_begin(&j, &leaves, false);
    jout_open(&j, '[');
    for (size_t i = 0; i < a->leaves.n; i++) {
        jout_text(&j, a->leaves.items[i]);
    }
    jout_close(&j, ']');
    int r = str_error(&leaves, e);
    if (r < 0) {
        return r;
    }
    if (encrypted >= 0) {
        row_int(o->ctx, ME_ENCRYPTED, encrypted);
    }
    row_text(o->ctx, ME_METHOD, answer_method(a));
    bool none = a->n_secret == 0 && encrypted >= 0;
    if (a->ciphers.n > 0 || none) {
        row_text(o->ctx, ME_CIPHER, str_text(&ciphers));
    }
    if (encrypted >= 0 && (a->has_bits || none)) {
        row_int(o->ctx, ME_KEY_BITS, a->has_bits ? a->key_bits : 0);
    }
    row_text(o->ctx, ME_LEAVES, str_text(&leaves));
    return 0;
}

/* One row, unless the key has one. reason: NULL = the answer's own. */
static int emit(struct out *o, const char *mount, const char *role, const char *device,
                const char *fstype, struct answer *a, const char *reason, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(CELL_TEXT_MAX);
    CLEANUP(free) char *key = NULL;
    if (asprintf(&key, "%s\n%s", mount, role) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    if (strv_has(&o->keys, key)) {
        return 0;
    }
    int r = strv_add(&o->keys, key, e);
    if (r < 0) {
        return r;
    }
    if (reason == NULL) {
        answer_reason(a, &text);
    } else {
        str_add(&text, reason);
    }
    r = str_error(&text, e);
    if (r < 0) {
        return r;
    }
    row_begin(o->ctx, &table_mount_encryption);
    row_text(o->ctx, ME_MOUNT, mount);
    row_text(o->ctx, ME_ROLE, role);
    row_text(o->ctx, ME_DEVICE, device);
    row_text(o->ctx, ME_FSTYPE, fstype);
    r = row_answer(o, a, e);
    row_text(o->ctx, ME_REASON, str_text(&text));
    row_end(o->ctx);
    return r;
}

/* A row about which nothing is known but why. */
static int emit_unknown(struct out *o, const char *mount, const char *role, const char *word,
                        const char *place, struct err *e)
{
    CLEANUP(answer) struct answer a = {0};
    int r = answer_unknown(&a, word, place, e);
    return r < 0 ? r : emit(o, mount, role, NULL, NULL, &a, NULL, e);
}

/* "/dev/NAME", or the source as the mount table has it. */
static void mount_device(const struct graph *g, const struct mount *m, char *out, size_t out_n)
{
    enum fs_kind kind = fs_kind_of(m);
    int block = kind == FS_BLOCK || kind == FS_BTRFS ? mount_block(g, m) : -1;
    if (block >= 0) {
        (void)snprintf(out, out_n, "/dev/%s", g->items[block].name);
    } else {
        (void)snprintf(out, out_n, "%s", m->source);
    }
}

/* --- roles --- */

static const char *walked_path(const struct disk_state *s, const char *path)
{
    const struct bag_item *walk = path == NULL ? NULL : bag_getf(&s->bag, "walk %s", path);
    return walk == NULL || walk->code != 0 ? NULL : walk->bytes;
}

static bool is_core_dir(const struct disk_state *s, const char *point)
{
    for (size_t i = 0; i < s->n_targets; i++) {
        const char *dir =
            s->targets[i].kind == TARGET_CORE ? walked_path(s, s->targets[i].path) : NULL;
        if (dir != NULL && strcmp(dir, point) == 0) {
            return true;
        }
    }
    return false;
}

/* The role that a place has by itself; "data" is given by declarations only. */
static const char *role_of(const struct disk_state *s, const char *point)
{
    static const struct {
        const char *dir;
        const char *role;
    } rows[] = {{"/boot", "boot"},   {"/efi", "boot"},    {"/home", "home"}, {"/root", "home"},
                {"/var/log", "log"}, {"/var/tmp", "tmp"}, {"/tmp", "tmp"}};
    if (strcmp(point, "/") == 0) {
        return "root";
    }
    if (is_core_dir(s, point)) {
        return "coredump";
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (path_below(point, rows[i].dir)) {
            return rows[i].role;
        }
    }
    return "other";
}

/* --- mounts --- */

/* Of several mounts on one point the one that a path leads to; where none is to be reached, because
 * the way there is covered, the last. */
static bool stands_for_point(const struct mounts *m, size_t i)
{
    int top = mounts_find(m, m->items[i].point);
    if (top >= 0 && strcmp(m->items[top].point, m->items[i].point) == 0) {
        return top == (int)i;
    }
    for (size_t k = i + 1; k < m->n; k++) {
        if (strcmp(m->items[k].point, m->items[i].point) == 0) {
            return false;
        }
    }
    return true;
}

/* Mounts that keep data here and can be written to; elsewhere stored data get a row only where the
 * place has a role of its own. */
static bool wants_row(const struct disk_state *s, size_t i)
{
    const struct mount *m = &s->mounts.items[i];
    enum fs_kind kind = fs_kind_of(m);
    if (kind == FS_PSEUDO || kind == FS_AUTOFS || !m->writable) {
        return false;
    }
    if (kind == FS_NETWORK && strcmp(role_of(s, m->point), "other") == 0) {
        return false;
    }
    return stands_for_point(&s->mounts, i);
}

static int emit_mounts(struct out *o, struct err *e)
{
    const struct disk_state *s = o->g->s;
    int r = 0;
    for (size_t i = 0; i < s->mounts.n && r == 0; i++) {
        CLEANUP(answer) struct answer a = {0};
        const struct mount *m = &s->mounts.items[i];
        char device[4096];
        if (!wants_row(s, i)) {
            continue;
        }
        mount_device(o->g, m, device, sizeof(device));
        r = answer_mount(o->g, (int)i, &a, e);
        if (r == 0) {
            r = emit(o, m->point, role_of(s, m->point), device, m->fstype, &a, NULL, e);
        }
    }
    return r;
}

/* Swap files stand on a file system, swap partitions are devices; both are named as /proc/swaps has
 * them. */
static int emit_swaps(struct out *o, struct err *e)
{
    const struct disk_state *s = o->g->s;
    int r = 0;
    for (size_t i = 0; i < s->swaps.n && r == 0; i++) {
        CLEANUP(answer) struct answer a = {0};
        const struct swap_area *area = &s->swaps.items[i];
        const char *name = area->is_file ? NULL : bag_dev_name(&s->bag, area->path);
        int mount = area->is_file ? mounts_find(&s->mounts, area->path) : -1;
        char device[4096];
        (void)snprintf(device, sizeof(device), "/dev/%s", name == NULL ? "" : name);
        if (mount >= 0) {
            mount_device(o->g, &s->mounts.items[mount], device, sizeof(device));
        } else if (name == NULL) {
            (void)snprintf(device, sizeof(device), "%s", area->path);
        }
        r = answer_swap(o->g, area, &a, e);
        if (r == 0) {
            r = emit(o, area->path, "swap", device, "swap", &a, NULL, e);
        }
    }
    return r;
}

/* --- targets --- */

/* A medium that was written elsewhere and only brought here. Other file systems that are mounted
 * read-only, as an archive or by the kernel after an error, still hold what was stored in them. */
static bool is_medium(const struct mount *m)
{
    static const char *const types[] = {"squashfs", "erofs", "iso9660", "udf", "cramfs", "romfs"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(m->fstype, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What is mounted below a place holds a part of what is stored there. The boot partition is left
 * out: it may be plain wherever it is mounted. */
static int add_nested(const struct graph *g, const char *path, int own, struct answer *a,
                      struct err *e)
{
    const struct mounts *m = &g->s->mounts;
    int r = 0;
    for (size_t i = 0; i < m->n && r == 0; i++) {
        const struct mount *x = &m->items[i];
        enum fs_kind kind = fs_kind_of(x);
        bool below = (int)i != own && path_below(x->point, path) && strcmp(x->point, path) != 0;
        bool stores = kind == FS_NETWORK || (kind != FS_PSEUDO && (x->writable || !is_medium(x)));
        /* An automount point among kernel files (binfmt_misc) leads to no storage. */
        bool kernel_own =
            kind == FS_AUTOFS && x->up >= 0 && fs_kind_of(&m->items[x->up]) == FS_PSEUDO;
        if (below && stores && !kernel_own && strcmp(role_of(g->s, x->point), "boot") != 0 &&
            stands_for_point(m, i)) {
            r = answer_mount(g, (int)i, a, e);
        }
    }
    return r;
}

static const char *walk_word(int code)
{
    switch (code) {
    case ERR_ABSENT:
        return "no such file or directory";
    case ERR_DENIED:
        return "permission denied";
    case ERR_LIMIT:
        return "too many links";
    case ERR_MISMATCH:
        return "the mount changed while it was looked at";
    default:
        return "cannot be followed";
    }
}

/* The mount that a walked path lies in, if the kernel's own word on it is the same. */
static int walked_mount(const struct disk_state *s, const struct bag_item *walk, int *ret_code)
{
    if (walk == NULL || walk->code != 0) {
        *ret_code = walk == NULL ? ERR_INTERNAL : walk->code;
        return -1;
    }
    int mount = mounts_find(&s->mounts, walk->bytes);
    size_t n = strlen(walk->bytes);
    bool has_id = n + 1 < walk->n;
    if (mount >= 0 && has_id &&
        strtoll(walk->bytes + n + 1, NULL, 10) != s->mounts.items[mount].id) {
        *ret_code = ERR_MISMATCH;
        return -1;
    }
    *ret_code = mount < 0 ? ERR_ABSENT : 0;
    return mount;
}

/* A data path or a dump directory. */
static int emit_path(struct out *o, const struct target *t, const char *role, struct err *e)
{
    CLEANUP(answer) struct answer a = {0};
    const struct disk_state *s = o->g->s;
    const struct bag_item *walk = bag_getf(&s->bag, "walk %s", t->path);
    const struct bag_item *fscrypt = bag_getf(&s->bag, "fscrypt %s", t->path);
    char device[4096];
    int code = 0;
    int mount = walked_mount(s, walk, &code);
    if (mount < 0) {
        if (code == ERR_DENIED) {
            probe_state(o->ctx, &table_mount_encryption, STATE_DENIED, "denied: %s", t->shown);
        }
        return emit_unknown(o, t->shown, role, "unresolved", walk_word(code), e);
    }
    const struct mount *m = &s->mounts.items[mount];
    mount_device(o->g, m, device, sizeof(device));
    int r = fscrypt != NULL && fscrypt->code == 0
                ? answer_fscrypt(o->g, mount, (int)strtol(fscrypt->bytes, NULL, 10), &a, e)
                : answer_mount(o->g, mount, &a, e);
    if (r == 0) {
        r = add_nested(o->g, walk->bytes, mount, &a, e);
    }
    return r < 0 ? r : emit(o, t->shown, role, device, m->fstype, &a, NULL, e);
}

/* A hibernation or dump target given as a device; the row is called by its kernel name, so that two
 * ways of naming one device give one row. */
static int emit_device(struct out *o, const struct target *t, const char *role, struct err *e)
{
    CLEANUP(answer) struct answer a = {0};
    const char *name = bag_dev_name(&o->g->s->bag, t->path);
    int block = graph_by_name(o->g, name);
    char device[300];
    if (block < 0) {
        return emit_unknown(o, t->shown, role, "unresolved", "no such device", e);
    }
    (void)snprintf(device, sizeof(device), "/dev/%s", name);
    int r = answer_block(o->g, block, &a, e);
    const char *fstype = t->kind == TARGET_HIBERNATE ? "swap" : NULL;
    return r < 0 ? r : emit(o, device, role, device, fstype, &a, NULL, e);
}

/* Core dumps go into whatever directory the dead process was in: good if every place that can be
 * written is, bad if none is. */
static int emit_relative(struct out *o, const struct target *t, struct err *e)
{
    CLEANUP(answer) struct answer a = {0};
    const struct disk_state *s = o->g->s;
    int r = 0;
    for (size_t i = 0; i < s->mounts.n && r == 0; i++) {
        if (wants_row(s, i) && strcmp(role_of(s, s->mounts.items[i].point), "boot") != 0) {
            r = answer_mount(o->g, (int)i, &a, e);
        }
    }
    if (r < 0) {
        return r;
    }
    bool all = answer_encrypted(&a) == 1;
    bool none = a.n_secret == 0 && a.n_unknown == 0 && a.n_clear > 0; /* memory stores nothing */
    if (all || none) {
        return emit(o, t->shown, "coredump", NULL, NULL, &a, NULL, e);
    }
    return emit_unknown(o, t->shown, "coredump", "core-relative",
                        "the working directory of the process that died", e);
}

static int emit_target(struct out *o, const struct target *t, struct err *e)
{
    switch (t->kind) {
    case TARGET_DATA:
        return emit_path(o, t, "data", e);
    case TARGET_CORE:
        return emit_path(o, t, "coredump", e);
    case TARGET_RELATIVE:
        return emit_relative(o, t, e);
    case TARGET_HIBERNATE:
        return emit_device(o, t, "hibernate", e);
    case TARGET_DUMP_DEV:
        return emit_device(o, t, "coredump", e);
    case TARGET_REMOTE:
        return emit_unknown(o, t->shown, "coredump", "network", t->shown, e);
    case TARGET_OPAQUE:
    default:
        return emit_unknown(o, t->shown, "coredump",
                            strcmp(t->shown, "kdump") == 0 ? "kdump-target" : "core-handler",
                            t->shown, e);
    }
}

/* --- how the look ended --- */

static enum fact_state state_of(int code)
{
    switch (code) {
    case ERR_NONE:
        return STATE_COMPLETE;
    case ERR_DENIED:
    case ERR_ABSENT: /* what must be there and is not has not been shown to us */
    case ERR_UNSUPPORTED:
        return STATE_DENIED;
    case ERR_TRUNCATED:
    case ERR_LIMIT:
        return STATE_TRUNCATED;
    default:
        return STATE_MALFORMED;
    }
}

static void report(struct probe_ctx *ctx, const struct table *t, int code, const char *what)
{
    enum fact_state state = state_of(code);
    const char *word = state == STATE_DENIED      ? "denied"
                       : state == STATE_TRUNCATED ? "truncated"
                                                  : "malformed";
    if (state == STATE_COMPLETE) {
        return;
    }
    if (code == ERR_UNSUPPORTED) {
        word = "not_captured";
    }
    probe_state(ctx, t, state, "%s: %s", word, what);
}

void report_graph(struct probe_ctx *ctx, const struct table *t, const struct graph *g)
{
    const struct bag_item *blocks = bag_getf(&g->s->bag, "/sys/class/block/");
    report(ctx, t, blocks == NULL ? ERR_ABSENT : blocks->code, "/sys/class/block");
    for (size_t i = 0; i < g->n; i++) {
        const struct blk *x = &g->items[i];
        if (x->kind == BLK_DM && x->dm_code != 0) {
            report(ctx, t, x->dm_code, "device-mapper tables");
        }
        if (!x->has_dev || x->below_unknown) {
            report(ctx, t, ERR_MALFORMED, x->name);
        }
    }
}

static void report_mounts(struct probe_ctx *ctx, const struct graph *g)
{
    static const char *const leaves[] = {"/proc/sys/kernel/core_pattern", "/proc/cmdline",
                                         "/sys/power/resume", "/sys/kernel/kexec_crash_loaded"};
    const struct table *t = &table_mount_encryption;
    const struct disk_state *s = g->s;
    report(ctx, t, s->mountinfo_code, "/proc/1/mountinfo");
    report(ctx, t, s->swaps_code, "/proc/swaps");
    report(ctx, t, s->mounts.bad_lines > 0 ? ERR_MALFORMED : 0, "/proc/1/mountinfo");
    report(ctx, t, s->swaps.bad_lines > 0 ? ERR_MALFORMED : 0, "/proc/swaps");
    if (s->mountinfo_code == 0 && s->mounts.n == 0) {
        report(ctx, t, ERR_MALFORMED, "/proc/1/mountinfo holds no mount");
    }
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        const struct bag_item *item = bag_getf(&s->bag, "%s", leaves[i]);
        if (item != NULL && item->code != ERR_ABSENT) { /* absent: the kernel was built without */
            report(ctx, t, item->code, leaves[i]);
        }
    }
    report_graph(ctx, t, g);
}

int rows_mount_encryption(struct probe_ctx *ctx, const struct graph *g, struct err *e)
{
    CLEANUP(out) struct out o = {.ctx = ctx, .g = g};
    const struct disk_state *s = g->s;
    int r = 0;
    for (size_t i = 0; s->hidden != NULL && i < s->n_targets && r == 0; i++) {
        bool captured = strncmp(s->hidden, "not_captured", 12) == 0;
        r = emit_unknown(&o, s->targets[i].shown, "data", captured ? "not_captured" : "not_visible",
                         "", e);
    }
    if (s->hidden != NULL || r < 0) {
        return r;
    }
    report_mounts(ctx, g);
    for (size_t i = 0; i < s->n_targets && r == 0; i++) {
        r = emit_target(&o, &s->targets[i], e);
    }
    if (r == 0) {
        r = emit_mounts(&o, e);
    }
    return r == 0 ? emit_swaps(&o, e) : r;
}
