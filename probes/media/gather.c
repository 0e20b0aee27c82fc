/* Reads what says whether a plugged device would work. Content that nothing is concluded from is
 * not kept: of rules that other programs ship, only files that speak of authorisation. */
#include "probes/media/gather.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_MAX ((size_t)16 << 20) /* modules.alias is above 1 MiB */
#define ENTRIES_MAX 4096U
#define PATH_TEXT_MAX 512U

void media_state_free(struct media_state *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        free(s->looks[i].path);
        free(s->looks[i].bytes);
    }
    free(s->looks);
    free(s);
}

static int keep(struct media_state *s, const char *path, int code, struct str *bytes,
                int64_t mtime_s, struct err *e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 256 : s->cap * 2;
        struct look *more = reallocarray(s->looks, cap, sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        s->looks = more;
        s->cap = cap;
    }
    struct look *l = &s->looks[s->n];
    *l = (struct look){.path = strdup(path), .code = code, .n = bytes->len, .mtime_s = mtime_s};
    l->bytes = bytes->len == 0 ? strdup("") : str_take(bytes, NULL);
    s->n++;
    return l->path != NULL && l->bytes != NULL ? 0 : err_nomem(e);
}

/* The outcome of any look is a fact; only want of memory ends the gathering. */
static int look_file(const struct host *h, struct media_state *s, const char *path, size_t max,
                     bool with_time, struct err *e)
{
    CLEANUP(str) struct str bytes = STR_INIT(max);
    struct host_stat st = {.mtime_s = 0};
    struct err why = {.code = 0};
    int code = host_read(h, path, max, &bytes, &why);
    if (code == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (with_time && code == 0 && (!host_is_live(h) || host_stat(h, path, true, &st, &why) != 0)) {
        st.mtime_s = INT64_MAX; /* copies of trees keep no times: newer than anything */
    }
    return keep(s, path, code, &bytes, st.mtime_s, e);
}

static int list_dir(const struct host *h, struct media_state *s, const char *dir,
                    struct strv *names, struct err *e)
{
    CLEANUP(str) struct str bytes = STR_INIT((size_t)1 << 20);
    char path[PATH_TEXT_MAX];
    struct err why = {.code = 0};
    int code = host_list(h, dir, ENTRIES_MAX, names, &why);
    if (code == ERR_NOMEM) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < names->n; i++) {
        str_addf(&bytes, "%s\n", names->items[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/", dir);
    return keep(s, path, code, &bytes, 0, e);
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name);
    size_t t = strlen(tail);
    return n > t && strcmp(name + n - t, tail) == 0;
}

/* All files of a directory with that ending. word: keep only those that hold it. */
static int look_files(const struct host *h, struct media_state *s, const char *dir,
                      const char *tail, const char *word, struct err *e)
{
    CLEANUP(strv) struct strv names = {.items = NULL};
    int rc = list_dir(h, s, dir, &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        char path[PATH_TEXT_MAX];
        if (!ends_with(names.items[i], tail) || names.items[i][0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names.items[i]);
        size_t before = s->n;
        rc = look_file(h, s, path, HOST_FILE_MAX, true, e);
        struct look *l = s->n > before ? &s->looks[s->n - 1] : NULL;
        if (rc == 0 && word != NULL && l != NULL && l->code == 0 &&
            memmem(l->bytes, l->n, word, strlen(word)) == NULL) {
            free(l->path);
            free(l->bytes);
            s->n--;
        }
    }
    return rc;
}

static int look_rules(const struct host *h, struct media_state *s, struct err *e)
{
    static const struct {
        const char *below;
        const char *tail;
        const char *word;
    } kinds[] = {{"modprobe.d", ".conf", NULL},
                 {"modules-load.d", ".conf", NULL},
                 {"sysctl.d", ".conf", "modules_disabled"},
                 {"udev/rules.d", ".rules", "authorized"}};
    static const char *const tops[] = {"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"};
    struct err why = {.code = 0};
    CLEANUP(str) struct str link = STR_INIT(PATH_TEXT_MAX);
    /* merged /usr: the same files under two names would count twice */
    size_t n = host_readlink(h, "/lib", &link, &why) == 0 ? ARRAY_LEN(tops) - 1 : ARRAY_LEN(tops);
    int rc = 0;
    for (size_t k = 0; k < ARRAY_LEN(kinds) && rc == 0; k++) {
        for (size_t t = 0; t < n && rc == 0; t++) {
            char dir[PATH_TEXT_MAX];
            (void)snprintf(dir, sizeof(dir), "%s/%s", tops[t], kinds[k].below);
            rc = look_files(h, s, dir, kinds[k].tail, kinds[k].word, e);
        }
    }
    return rc;
}

static int look_kernel(const struct host *h, struct media_state *s, struct err *e)
{
    static const char *const files[] = {"/proc/modules",
                                        "/proc/cmdline",
                                        "/proc/stat",
                                        "/proc/1/mountinfo",
                                        "/proc/sys/kernel/modules_disabled",
                                        "/proc/sys/kernel/osrelease",
                                        "/proc/sys/dev/cdrom/info",
                                        "/sys/module/usbcore/parameters/authorized_default",
                                        "/etc/modules",
                                        "/etc/sysctl.conf",
                                        "/etc/usbguard/usbguard-daemon.conf"};
    static const char *const lists[] = {"modules.dep", "modules.builtin", "modules.alias",
                                        "modules.softdep"};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(files) && rc == 0; i++) {
        rc = look_file(h, s, files[i], HOST_FILE_MAX, true, e);
    }
    (void)media_text(s, s->release, sizeof(s->release), "/proc/sys/kernel/osrelease");
    for (size_t i = 0; i < ARRAY_LEN(lists) && rc == 0 && s->release[0] != '\0'; i++) {
        char path[PATH_TEXT_MAX];
        (void)snprintf(path, sizeof(path), "/lib/modules/%s/%s", s->release, lists[i]);
        rc = look_file(h, s, path, LIST_MAX, false, e);
    }
    return rc;
}

/* The attributes of every device of a bus; those that a device lacks are looks that ended absent
 * and are not kept. */
static int look_devices(const struct host *h, struct media_state *s, const char *dir,
                        const char *const *attributes, struct err *e)
{
    CLEANUP(strv) struct strv names = {.items = NULL};
    int rc = list_dir(h, s, dir, &names, e);
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        for (const char *const *a = attributes; *a != NULL && rc == 0; a++) {
            char path[PATH_TEXT_MAX];
            (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, names.items[i], *a);
            rc = look_file(h, s, path, 4096, false, e);
            struct look *l = s->n > 0 ? &s->looks[s->n - 1] : NULL;
            if (rc == 0 && l != NULL && l->code == ERR_ABSENT) {
                free(l->path);
                free(l->bytes);
                s->n--;
            }
        }
    }
    return rc;
}

static int look_sysfs(const struct host *h, struct media_state *s, struct err *e)
{
    static const char *const usb[] = {"authorized_default",
                                      "interface_authorized_default",
                                      "authorized",
                                      "idVendor",
                                      "idProduct",
                                      "manufacturer",
                                      "product",
                                      "serial",
                                      "bDeviceClass",
                                      "bDeviceSubClass",
                                      "bDeviceProtocol",
                                      "bInterfaceClass",
                                      "bcdDevice",
                                      "busnum",
                                      "devnum",
                                      "removable",
                                      NULL};
    static const char *const pci[] = {"class", "vendor", NULL};
    static const char *const thunderbolt[] = {"security", NULL};
    static const char *const rfkill[] = {"type", "hard", "soft", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        const char *dir;
        const char *const *attributes;
    } all[] = {{"/sys/bus", none},
               {"/sys/bus/usb/devices", usb},
               {"/sys/bus/usb/drivers", none},
               {"/sys/bus/pci/devices", pci},
               {"/sys/bus/platform/devices", none},
               {"/sys/bus/firewire/devices", none},
               {"/sys/bus/thunderbolt/devices", thunderbolt},
               {"/sys/class/mmc_host", none},
               {"/sys/class/bluetooth", none},
               {"/sys/class/rfkill", rfkill},
               {"/sys/module", none},
               {"/sys/class/block", none}};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(all) && rc == 0; i++) {
        rc = look_devices(h, s, all[i].dir, all[i].attributes, e);
    }
    return rc;
}

/* Where a block device hangs: its class entry is a link through the tree of devices. */
static int look_blocks(const struct host *h, struct media_state *s, struct err *e)
{
    const struct look *dir = media_look(s, "/sys/class/block/");
    CLEANUP(free) char *names = dir != NULL ? strdup(dir->bytes) : NULL;
    char *save = NULL;
    int rc = 0;
    for (char *name = names != NULL ? strtok_r(names, "\n", &save) : NULL; name != NULL && rc == 0;
         name = strtok_r(NULL, "\n", &save)) {
        static const char *const attributes[] = {"dev", "removable", "device/vendor",
                                                 "device/model", NULL};
        CLEANUP(str) struct str link = STR_INIT(4096);
        char path[PATH_TEXT_MAX];
        struct err why = {.code = 0};
        (void)snprintf(path, sizeof(path), "/sys/class/block/%s", name);
        int code = host_readlink(h, path, &link, &why);
        bool outside = code == 0 && strstr(str_text(&link), "/virtual/") == NULL;
        rc = keep(s, path, code, &link, 0, e);
        for (size_t a = 0; attributes[a] != NULL && rc == 0 && outside; a++) {
            char leaf[PATH_TEXT_MAX * 2];
            (void)snprintf(leaf, sizeof(leaf), "%s/%s", path, attributes[a]);
            rc = look_file(h, s, leaf, 4096, false, e);
        }
    }
    return rc;
}

/* Links that make systemd start the daemon at boot, or never. */
static int look_units(const struct host *h, struct media_state *s, struct err *e)
{
    static const char *const links[] = {
        "/etc/systemd/system/basic.target.wants/usbguard.service",
        "/etc/systemd/system/multi-user.target.wants/usbguard.service",
        "/etc/systemd/system/sysinit.target.wants/usbguard.service",
        "/etc/systemd/system/usbguard.service", "/usr/sbin/usbguard-daemon"};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(links) && rc == 0; i++) {
        CLEANUP(str) struct str link = STR_INIT(4096);
        struct err why = {.code = 0};
        struct host_stat st = {.mtime_s = 0};
        int code = host_stat(h, links[i], false, &st, &why);
        if (code == 0 && S_ISLNK(st.mode)) {
            code = host_readlink(h, links[i], &link, &why);
        }
        rc = keep(s, links[i], code, &link, st.mtime_s, e);
    }
    return rc;
}

/* The daemon's own settings say where its rules are. */
static int look_usbguard(const struct host *h, struct media_state *s, struct err *e)
{
    static const struct {
        const char *key;
        const char *standard;
        bool is_folder;
    } keys[] = {{"\nRuleFile=", "/etc/usbguard/rules.conf", false},
                {"\nRuleFolder=", "/etc/usbguard/rules.d", true}};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys) && rc == 0; i++) {
        const struct look *conf = media_look(s, "/etc/usbguard/usbguard-daemon.conf");
        char path[PATH_TEXT_MAX];
        (void)snprintf(path, sizeof(path), "%s", keys[i].standard);
        const char *at = conf != NULL ? strstr(conf->bytes, keys[i].key) : NULL;
        if (at != NULL) {
            at += strlen(keys[i].key);
            (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, " \t\r\n"), at);
            size_t n = strlen(path);
            path[n > 1 && path[n - 1] == '/' ? n - 1 : n] = '\0';
        }
        if (path[0] == '/') {
            rc = keys[i].is_folder ? look_files(h, s, path, ".conf", NULL, e)
                                   : look_file(h, s, path, HOST_FILE_MAX, true, e);
        }
    }
    return rc;
}

static int look_daemons(const struct host *h, struct media_state *s, struct err *e)
{
    CLEANUP(strv) struct strv names = {.items = NULL};
    struct err why = {.code = 0};
    const struct look *installed = media_look(s, "/usr/sbin/usbguard-daemon");
    if (installed == NULL || installed->code != 0 || host_list(h, "/proc", 65536, &names, &why)) {
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        char path[PATH_TEXT_MAX];
        if (names.items[i][0] < '1' || names.items[i][0] > '9') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", names.items[i]);
        size_t before = s->n;
        rc = look_file(h, s, path, 4096, false, e);
        struct look *l = s->n > before ? &s->looks[s->n - 1] : NULL;
        if (rc == 0 && l != NULL && strstr(l->bytes, "(usbguard-daemon)") == NULL) {
            free(l->path);
            free(l->bytes);
            s->n--;
        }
    }
    return rc;
}

/* Times of the images that an early boot takes its copy of the rules from. */
static int look_images(const struct host *h, struct media_state *s, struct err *e)
{
    static const char *const forms[] = {"/boot/initrd.img-%s", "/boot/initramfs-%s.img"};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(forms) && rc == 0 && s->release[0] != '\0'; i++) {
        CLEANUP(str) struct str nothing = STR_INIT(1);
        char path[PATH_TEXT_MAX];
        struct err why = {.code = 0};
        struct host_stat st = {.mtime_s = 0};
        const char *percent = strchr(forms[i], '%');
        (void)snprintf(path, sizeof(path), "%.*s%s%s", (int)(percent - forms[i]), forms[i],
                       s->release, percent + 2);
        int code = host_stat(h, path, true, &st, &why);
        rc = keep(s, path, code, &nothing, host_is_live(h) ? st.mtime_s : 0, e);
    }
    return rc;
}

int media_gather(const struct host *h, struct media_state *s, struct err *e)
{
    s->hidden = host_hidden(h, HOST_SEES_PROC | HOST_SEES_ROOT | HOST_SEES_SYS);
    s->sys_seen = host_is_whole(h, "/sys");
    s->proc_seen = host_is_whole(h, "/proc");
    s->root_seen = host_is_whole(h, "/etc/modprobe.d") && host_is_whole(h, "/usr/lib/modules");
    int (*const steps[])(const struct host *, struct media_state *,
                         struct err *) = {look_kernel, look_rules,    look_sysfs,   look_blocks,
                                          look_units,  look_usbguard, look_daemons, look_images};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps) && rc == 0 && s->hidden == NULL; i++) {
        rc = steps[i](h, s, e);
    }
    return rc;
}

const struct look *media_look(const struct media_state *s, const char *fmt, ...)
{
    char path[PATH_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->looks[i].path, path) == 0) {
            return &s->looks[i];
        }
    }
    return NULL;
}

const char *media_text(const struct media_state *s, char *ret, size_t size, const char *fmt, ...)
{
    char path[PATH_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    const struct look *l = media_look(s, "%s", path);
    const char *p = l != NULL && l->code == 0 ? l->bytes : "";
    p += strspn(p, " \t\r\n");
    size_t n = strlen(p);
    while (n > 0 && strchr(" \t\r\n", p[n - 1]) != NULL) {
        n--;
    }
    (void)snprintf(ret, size, "%.*s", (int)(n < size ? n : size - 1), p);
    return ret;
}

bool media_next_name(const struct look *dir, const char **p, char *ret, size_t size)
{
    const char *at = dir == NULL ? "" : *p == NULL ? dir->bytes : *p;
    size_t n = strcspn(at, "\n");
    if (n == 0) {
        return false;
    }
    (void)snprintf(ret, size, "%.*s", (int)n, at);
    *p = at + n + 1;
    return true;
}
