/* Places named by declarations and settings: data paths, core and crash dumps, hibernation; and
 * where they, swap files, overlays and loop files lead. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/fscrypt.h>

#include "agent/base/json.h"
#include "probes/disk/config.h"
#include "probes/disk/state.h"

#define CONF_MAX ((size_t)256 << 10)
#define DROPINS_MAX 1024U
#define PLACE_MAX ((size_t)8192)

/* Text of a file that may be missing: 0, ERR_ABSENT, ... */
static int read_text(const struct host *h, const char *path, struct str *out)
{
    struct err why = {0};
    return disk_absence(h, path, host_read(h, path, CONF_MAX, out, &why));
}

/* --- coredump.conf with its drop-ins ---
 * The main file first (the first that exists), then the drop-ins of all directories in the order of
 * their names; of two with one name the directory named first wins. coredump.conf(5). */
static const char *const conf_dirs[] = {"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd",
                                        "/usr/lib/systemd"};

struct dropin {
    char name[256];
    size_t dir;
};

static int dropin_order(const void *a, const void *b)
{
    const struct dropin *x = a;
    const struct dropin *y = b;
    int by_name = strcmp(x->name, y->name);
    return by_name != 0 ? by_name : (x->dir > y->dir) - (x->dir < y->dir);
}

/* *ret_code: worst outcome that was not "there is none". */
static size_t list_dropins(const struct host *h, struct dropin *list, int *ret_code)
{
    size_t n = 0;
    for (size_t d = 0; d < ARRAY_LEN(conf_dirs); d++) {
        CLEANUP(strv) struct strv names = {0};
        char dir[128];
        struct err why = {0};
        (void)snprintf(dir, sizeof(dir), "%s/coredump.conf.d", conf_dirs[d]);
        int code = disk_absence(h, dir, host_list(h, dir, DROPINS_MAX, &names, &why));
        if (code != 0 && code != ERR_ABSENT) {
            *ret_code = code;
        }
        for (size_t i = 0; i < names.n && n < DROPINS_MAX; i++) {
            size_t len = strlen(names.items[i]);
            if (len > 5 && len < 256 && strcmp(names.items[i] + len - 5, ".conf") == 0) {
                (void)snprintf(list[n].name, sizeof(list[n].name), "%s", names.items[i]);
                list[n++].dir = d;
            }
        }
    }
    qsort(list, n, sizeof(*list), dropin_order);
    return n;
}

static void apply_conf(const struct host *h, const char *path, char *value, size_t value_n,
                       int *ret_code)
{
    CLEANUP(str) struct str text = STR_INIT(CONF_MAX);
    char found[CONFIG_TEXT_MAX];
    int code = read_text(h, path, &text);
    if (code != 0 && code != ERR_ABSENT && code != ERR_INVALID) {
        *ret_code = code; /* ERR_INVALID: a link to /dev/null, which masks */
    }
    if (conf_value(str_text(&text), "Coredump", "Storage", found, sizeof(found))) {
        (void)snprintf(value, value_n, "%s", found);
    }
}

/* Storage= in force, "" = the default. Gives 0 or how a look failed. */
static int coredump_storage(const struct host *h, char *value, size_t value_n, struct err *e)
{
    int code = 0;
    char path[512];
    CLEANUP(free) struct dropin *list = calloc(DROPINS_MAX, sizeof(*list));
    if (list == NULL) {
        return err_nomem(e);
    }
    for (size_t d = 0; d < ARRAY_LEN(conf_dirs); d++) {
        struct host_stat st;
        struct err why = {0};
        (void)snprintf(path, sizeof(path), "%s/coredump.conf", conf_dirs[d]);
        if (host_stat(h, path, true, &st, &why) == 0) {
            apply_conf(h, path, value, value_n, &code);
            break;
        }
    }
    size_t n = list_dropins(h, list, &code);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(list[i].name, list[i - 1].name) == 0) {
            continue; /* hidden by the directory before */
        }
        (void)snprintf(path, sizeof(path), "%s/coredump.conf.d/%s", conf_dirs[list[i].dir],
                       list[i].name);
        apply_conf(h, path, value, value_n, &code);
    }
    return code;
}

/* With Storage=journal the dump is a journal entry: persistent if /var/log/journal exists, else in
 * memory below /run. A configuration that may not be read leaves the target open. */
static int systemd_core_target(const struct host *h, struct disk_state *s, struct err *e)
{
    char storage[CONFIG_TEXT_MAX] = "";
    struct host_stat st;
    struct err why = {0};
    int code = coredump_storage(h, storage, sizeof(storage), e);
    if (code == ERR_NOMEM) {
        return code;
    }
    if (code != 0) {
        return disk_add_target(s, TARGET_OPAQUE, "coredump.conf", NULL, e);
    }
    if (strcmp(storage, "none") == 0) {
        return 0;
    }
    if (strcmp(storage, "journal") == 0) {
        bool persistent = host_stat(h, "/var/log/journal", true, &st, &why) == 0;
        const char *dir = persistent ? "/var/log/journal" : "/run/log/journal";
        return disk_add_target(s, TARGET_CORE, dir, dir, e);
    }
    return disk_add_target(s, TARGET_CORE, "/var/lib/systemd/coredump", "/var/lib/systemd/coredump",
                           e);
}

/* core(5): one pattern decides for the whole machine. */
static int core_target(const struct host *h, struct disk_state *s, struct err *e)
{
    char where[CONFIG_TEXT_MAX];
    const struct bag_item *pattern = bag_getf(&s->bag, "/proc/sys/kernel/core_pattern");
    if (pattern == NULL || pattern->code != 0) {
        return 0; /* reported as a state of the table */
    }
    const char *uses_pid = bag_textf(&s->bag, "/proc/sys/kernel/core_uses_pid");
    enum core_kind kind = core_pattern_parse(pattern->bytes, uses_pid, where, sizeof(where));
    switch (kind) {
    case CORE_DIR:
        return disk_add_target(s, TARGET_CORE, where, where, e);
    case CORE_RELATIVE:
        return disk_add_target(s, TARGET_RELATIVE, "core", NULL, e);
    case CORE_SYSTEMD:
        return systemd_core_target(h, s, e);
    case CORE_HANDLER:
        return disk_add_target(s, TARGET_OPAQUE, where[0] == '\0' ? "core" : where, NULL, e);
    case CORE_NONE:
    default:
        return 0;
    }
}

/* The first configuration that names a target. A loaded crash kernel without one is opaque. */
static int kdump_target(const struct host *h, struct disk_state *s, struct err *e)
{
    static const struct {
        const char *path;
        enum kdump_kind (*parse)(const char *text, char *where, size_t where_n);
    } files[] = {{"/etc/default/kdump-tools", kdump_parse_debian},
                 {"/etc/kdump.conf", kdump_parse_redhat},
                 {"/etc/sysconfig/kdump", kdump_parse_suse}};
    char where[CONFIG_TEXT_MAX] = "";
    char size[64];
    enum kdump_kind kind = KDUMP_NONE;
    bool denied = false;
    bool loaded = bag_textf(&s->bag, "/sys/kernel/kexec_crash_loaded")[0] == '1';
    bool reserved =
        cmdline_option(bag_textf(&s->bag, "/proc/cmdline"), "crashkernel", size, sizeof(size));
    if (!loaded && !reserved) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(files) && kind == KDUMP_NONE; i++) {
        CLEANUP(str) struct str text = STR_INIT(CONF_MAX);
        int code = read_text(h, files[i].path, &text);
        denied = denied || (code != 0 && code != ERR_ABSENT);
        if (code == 0) {
            kind = files[i].parse(str_text(&text), where, sizeof(where));
        }
    }
    switch (kind) {
    case KDUMP_DIR:
        return disk_add_target(s, TARGET_CORE, where, where, e);
    case KDUMP_DEVICE:
        return disk_add_target(s, TARGET_DUMP_DEV, where, where, e);
    case KDUMP_NETWORK:
        return disk_add_target(s, TARGET_REMOTE, "kdump", NULL, e);
    case KDUMP_NONE:
        return loaded || denied ? disk_add_target(s, TARGET_OPAQUE, "kdump", NULL, e) : 0;
    case KDUMP_OTHER:
    default:
        return disk_add_target(s, TARGET_OPAQUE, "kdump", NULL, e);
    }
}

/* Two places name it and may differ: what the running kernel was told, and what the next boot will
 * look for. */
static int hibernate_target(struct disk_state *s, struct err *e)
{
    char text[CONFIG_TEXT_MAX];
    const char *cmdline = bag_textf(&s->bag, "/proc/cmdline");
    if (cmdline_option(cmdline, "nohibernate", text, sizeof(text))) {
        return 0;
    }
    const char *set = bag_textf(&s->bag, "/sys/power/resume");
    int r = 0;
    if (set[0] != '\0' && strncmp(set, "0:0", 3) != 0) {
        (void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(set, "\n"), set);
        r = disk_add_target(s, TARGET_HIBERNATE, text, text, e);
    }
    /* Also what the command line asks for: the kernel may not have found it at boot, and the next
     * boot may. */
    if (r == 0 && cmdline_option(cmdline, "resume", text, sizeof(text)) && text[0] != '\0') {
        const char *name = strncmp(text, "swap:", 5) == 0 ? text + 5 : text;
        r = disk_add_target(s, TARGET_HIBERNATE, name, name, e);
    }
    return r;
}

int gather_targets(const struct host *h, struct disk_state *s, struct err *e)
{
    static const char *const leaves[] = {"/proc/cmdline", "/proc/sys/kernel/core_pattern",
                                         "/proc/sys/kernel/core_uses_pid", "/sys/power/resume",
                                         "/sys/kernel/kexec_crash_loaded"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(leaves) && r == 0; i++) {
        r = gather_file(h, &s->bag, leaves[i], PLACE_MAX, e);
        const struct bag_item *item = bag_getf(&s->bag, "%s", leaves[i]);
        int code = r == 0 ? disk_absence(h, leaves[i], item->code) : 0;
        if (code == ERR_UNSUPPORTED) {
            r = bag_put(&s->bag, leaves[i], code, "", 0, e);
        }
    }
    if (r == 0) {
        r = core_target(h, s, e);
    }
    if (r == 0) {
        r = kdump_target(h, s, e);
    }
    return r == 0 ? hibernate_target(s, e) : r;
}

/* --- where paths lead --- */

/* "walk PATH": the resolved path; after a NUL the mount's id, if the kernel says it. */
static int gather_walk(const struct host *h, struct disk_state *s, const char *path,
                       bool missing_ok, struct err *e)
{
    CLEANUP(str) struct str out = STR_INIT(PLACE_MAX + 64);
    CLEANUP(free) char *key = NULL;
    struct err why = {0};
    struct host_place place = {0};
    int code = disk_walk(h, &s->mounts, path, missing_ok, &out, &why);
    if (code == ERR_NOMEM || asprintf(&key, "walk %s", path) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    int at = code == 0 ? mounts_find(&s->mounts, str_text(&out)) : -1;
    if (at >= 0 && !mount_untouchable(&s->mounts.items[at]) &&
        host_place(h, str_text(&out), &place, &why) == 0 && place.has_mount_id) {
        str_add_char(&out, '\0');
        str_addf(&out, "%" PRIu64, place.mount_id);
    }
    return bag_put(&s->bag, key, code, str_text(&out), code == 0 ? out.len : 0, e);
}

static int contents_mode(const struct fscrypt_get_policy_ex_arg *arg)
{
    return arg->policy.version == FSCRYPT_POLICY_V2 ? arg->policy.v2.contents_encryption_mode
                                                    : arg->policy.v1.contents_encryption_mode;
}

/* "fscrypt PATH": number of the contents mode, "0" if the directory is encrypted but the mode
 * cannot be asked; ERR_ABSENT without a policy. The directory is opened, never listed. */
static int gather_fscrypt(const struct host *h, struct disk_state *s, const char *path,
                          const char *resolved, struct err *e)
{
    char text[32] = "0";
    CLEANUP(free) char *key = NULL;
    CLEANUP(fd) int fd = -1;
    struct err why = {0};
    struct host_place place = {0};
    int code = ERR_ABSENT;
    if (asprintf(&key, "fscrypt %s", path) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    if (!s->is_live) {
        const json_t *dir = json_object_get(host_capture(h, "fscrypt"), path);
        const json_t *mode = json_object_get(dir, "contents_mode");
        if (json_is_integer(mode)) {
            code = 0;
            (void)snprintf(text, sizeof(text), "%d", (int)json_integer_value(mode));
        }
        return bag_put(&s->bag, key, code, text, code == 0 ? strlen(text) : 0, e);
    }
    int r = host_place(h, resolved, &place, &why);
    if (r == 0 && place.knows_encrypted && !place.is_encrypted) {
        return bag_put(&s->bag, key, ERR_ABSENT, "", 0, e);
    }
    struct fscrypt_get_policy_ex_arg arg = {.policy_size = sizeof(arg.policy)};
    if (host_open_fd(h, resolved, O_RDONLY | O_DIRECTORY, &fd, &why) == 0 &&
        ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg) == 0) {
        code = 0;
        (void)snprintf(text, sizeof(text), "%d", contents_mode(&arg));
    } else if (r == 0 && place.is_encrypted) {
        code = 0; /* opening is refused, the attribute tells all the same */
    }
    return bag_put(&s->bag, key, code, text, code == 0 ? strlen(text) : 0, e);
}

/* "place PATH": "MAJ:MIN INODE" of what is there now. */
static int gather_place(const struct host *h, struct disk_state *s, const char *path, struct err *e)
{
    char text[96];
    CLEANUP(str) struct str resolved = STR_INIT(PLACE_MAX);
    CLEANUP(free) char *key = NULL;
    struct err why = {0};
    struct host_stat st;
    if (asprintf(&key, "place %s", path) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    int code = disk_walk(h, &s->mounts, path, false, &resolved, &why);
    int at = code == 0 ? mounts_find(&s->mounts, str_text(&resolved)) : -1;
    if (code == 0 && (at < 0 || mount_untouchable(&s->mounts.items[at]))) {
        code = ERR_UNSUPPORTED;
    }
    if (code == 0) {
        code = host_stat(h, str_text(&resolved), false, &st, &why);
    }
    if (code == 0) {
        (void)snprintf(text, sizeof(text), "%u:%u %" PRIu64, st.dev_major, st.dev_minor, st.ino);
    }
    return bag_put(&s->bag, key, code, text, code == 0 ? strlen(text) : 0, e);
}

/* "zfs DATASET" of a captured tree: "zfs": {"POOL/SET": {"encryption": "off", "devices": []}}. */
static int gather_zfs(const struct host *h, struct disk_state *s, const char *dataset,
                      struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(PLACE_MAX);
    CLEANUP(free) char *key = NULL;
    const json_t *set = s->is_live ? NULL : json_object_get(host_capture(h, "zfs"), dataset);
    const json_t *devices = json_object_get(set, "devices");
    const char *cipher = json_string_value(json_object_get(set, "encryption"));
    if (asprintf(&key, "zfs %s", dataset) < 0) {
        key = NULL;
        return err_nomem(e);
    }
    str_add(&text, cipher == NULL ? "" : cipher);
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const char *name = json_string_value(json_array_get(devices, i));
        str_addf(&text, " %s", name == NULL ? "?" : name);
    }
    return bag_put(&s->bag, key, cipher == NULL ? ERR_UNSUPPORTED : 0, str_text(&text), text.len,
                   e);
}

static int mount_places(const struct host *h, struct disk_state *s, struct err *e)
{
    static const char *const devices[] = {"logdev", "rtdev"}; /* xfs */
    char option[4096];
    int r = 0;
    for (size_t i = 0; i < s->mounts.n && r == 0; i++) {
        const struct mount *m = &s->mounts.items[i];
        enum fs_kind kind = fs_kind_of(m);
        if (kind == FS_OVERLAY && mount_option(m->super, "upperdir", option, sizeof(option)) &&
            option[0] == '/') {
            r = gather_walk(h, s, option, false, e);
        } else if (kind == FS_ECRYPTFS && m->source[0] == '/') {
            r = gather_walk(h, s, m->source, false, e);
        } else if (kind == FS_ZFS) {
            r = gather_zfs(h, s, m->source, e);
        } else if (kind == FS_BTRFS || kind == FS_BCACHEFS || kind == FS_BLOCK) {
            /* bcachefs joins its devices with ':' */
            CLEANUP(free) char *list = strdup(m->source);
            char *rest = list;
            for (char *one = strsep(&rest, ":"); one != NULL && r == 0; one = strsep(&rest, ":")) {
                r = one[0] == '/' ? gather_dev_name(h, s, one, e) : 0;
            }
        }
        for (size_t k = 0; k < ARRAY_LEN(devices) && r == 0; k++) {
            if (mount_option(m->super, devices[k], option, sizeof(option))) {
                r = gather_dev_name(h, s, option, e);
            }
        }
    }
    return r;
}

/* What loop devices and zram stand on, under the names that sysfs has for it. */
static int loop_places(const struct host *h, struct disk_state *s, struct err *e)
{
    int r = 0;
    const char *n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), NULL);
    for (; n != NULL && r == 0; n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), n)) {
        char path[4096];
        const char *file = bag_textf(&s->bag, "/sys/class/block/%s/loop/backing_file", n);
        const char *backing = bag_textf(&s->bag, "/sys/class/block/%s/backing_dev", n);
        if (file[0] == '/') {
            (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(file, "\n"), file);
            r = gather_place(h, s, path, e);
        }
        if (backing[0] == '/') {
            (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(backing, "\n"), backing);
            r = gather_dev_name(h, s, path, e);
        }
    }
    return r;
}

int gather_places(const struct host *h, struct disk_state *s, struct err *e)
{
    int r = mount_places(h, s, e);
    if (r == 0) {
        r = loop_places(h, s, e);
    }
    for (size_t i = 0; i < s->swaps.n && r == 0; i++) {
        if (!s->swaps.items[i].is_file) {
            r = gather_dev_name(h, s, s->swaps.items[i].path, e);
        }
    }
    for (size_t i = 0; i < s->n_targets && r == 0; i++) {
        const struct target *t = &s->targets[i];
        if (t->kind == TARGET_HIBERNATE || t->kind == TARGET_DUMP_DEV) {
            r = gather_dev_name(h, s, t->path, e);
        } else if (t->path != NULL) {
            r = gather_walk(h, s, t->path, t->kind == TARGET_CORE, e);
        }
        const struct bag_item *walk =
            t->path == NULL ? NULL : bag_getf(&s->bag, "walk %s", t->path);
        if (r == 0 && t->kind == TARGET_DATA && walk != NULL && walk->code == 0) {
            const char *resolved = walk->bytes; /* stays where it is when the bag grows */
            int at = mounts_find(&s->mounts, resolved);
            if (at >= 0 && !mount_untouchable(&s->mounts.items[at])) {
                r = gather_fscrypt(h, s, t->path, resolved, e);
            }
        }
    }
    return r;
}
