/* What this process can see of the machine it runs on. Facts come from /proc/1, so it must first be
 * established that pid 1 here is the host's init, that "/" is the root it has, and that nothing
 * covers /proc, /sys, /dev. /proc/1/root and /proc/1/ns may be refused even to root (LSMs, user
 * namespaces), so nothing here depends on them. Whatever cannot be established is not seen. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/base/host_parts.h"

/* Inode numbers of the initial namespaces: PROC_PID_INIT_INO and PROC_USER_INIT_INO of the kernel's
 * include/linux/proc_ns.h, unchanged since 3.8. */
#define INITIAL_PID "pid:[4026531836]"
#define INITIAL_USER "user:[4026531837]"

#define PSEUDO_ROOT_INO 1U /* root directory of procfs, sysfs and devtmpfs alike */
#define MOUNTINFO_MAX ((size_t)16 << 20)

/* One line of mountinfo, proc_pid_mountinfo(5). Texts are cut in place, octal escapes left. */
struct mount_line {
    unsigned long id, parent, major, minor;
    const char *root, *point, *fstype, *super_options;
};

static char *cut_word(char **p)
{
    char *word = *p;
    if (word == NULL || *word == '\0') {
        return NULL;
    }
    char *space = strchr(word, ' ');
    if (space != NULL) {
        *space = '\0';
        *p = space + 1;
    } else {
        *p = NULL;
    }
    return word;
}

static bool number_of(const char *word, char stop, unsigned long *ret)
{
    if (word == NULL || *word < '0' || *word > '9') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    *ret = strtoul(word, &end, 10);
    return errno == 0 && *end == stop;
}

static bool parse_mount(char *line, struct mount_line *m)
{
    char *p = line;
    const char *id = cut_word(&p);
    const char *parent = cut_word(&p);
    const char *device = cut_word(&p);
    *m = (struct mount_line){.root = cut_word(&p), .point = cut_word(&p)};
    const char *word = cut_word(&p); /* mount options, then tags up to a lone hyphen */
    while (word != NULL && strcmp(word, "-") != 0) {
        word = cut_word(&p);
    }
    m->fstype = cut_word(&p);
    const char *source = cut_word(&p);
    m->super_options = cut_word(&p);
    const char *colon = device != NULL ? strchr(device, ':') : NULL;
    return number_of(id, '\0', &m->id) && number_of(parent, '\0', &m->parent) && colon != NULL &&
           number_of(device, ':', &m->major) && number_of(colon + 1, '\0', &m->minor) &&
           m->point != NULL && m->fstype != NULL && source != NULL && m->super_options != NULL;
}

/* Lines of one mountinfo file. */
struct mount_list {
    char *text;
    struct mount_line *lines;
    size_t n;
};

static void cleanup_mount_list(struct mount_list *l)
{
    free(l->text);
    free(l->lines);
}

/* False: unreadable or not in the form we know. */
static bool parse_mounts(char *text, struct mount_list *ret)
{
    size_t cap = 1;
    for (const char *p = text; *p != '\0'; p++) {
        cap += *p == '\n' ? 1 : 0;
    }
    CLEANUP(free) struct mount_line *lines = calloc(cap, sizeof(*lines));
    if (lines == NULL) {
        return false;
    }
    size_t n = 0;
    char *line = text;
    while (*line != '\0') {
        char *end = strchr(line, '\n');
        if (end == NULL) {
            return false; /* cut short */
        }
        *end = '\0';
        if (!parse_mount(line, &lines[n++])) {
            return false;
        }
        line = end + 1;
    }
    ret->lines = TAKE_PTR(lines);
    ret->n = n;
    return n > 0;
}

static char *read_text(const struct host *h, const char *path)
{
    CLEANUP(str) struct str text = STR_INIT(MOUNTINFO_MAX);
    if (host_read(h, path, MOUNTINFO_MAX, &text, NULL) != 0) {
        return NULL;
    }
    return str_take(&text, NULL);
}

static bool load_mounts(const struct host *h, const char *path, struct mount_list *ret)
{
    ret->text = read_text(h, path);
    return ret->text != NULL && parse_mounts(ret->text, ret);
}

/* --- single questions --- */

static bool link_is(const struct host *h, const char *path, const char *wanted)
{
    CLEANUP(str) struct str target = STR_INIT(256);
    return host_readlink(h, path, &target, NULL) == 0 && strcmp(str_text(&target), wanted) == 0;
}

/* The directory is the root directory of a file system of that magic; its device is returned. */
static bool is_pseudo_root(const struct host *h, const char *path, unsigned long magic,
                           dev_t *ret_dev)
{
    CLEANUP(fd) int fd = host_openat(h->root_fd, path, O_RDONLY | O_DIRECTORY);
    struct statfs fs;
    struct stat st;
    if (fd < 0 || fstatfs(fd, &fs) != 0 || fstat(fd, &st) != 0) {
        return false;
    }
    *ret_dev = st.st_dev;
    return (unsigned long)fs.f_type == magic && st.st_ino == PSEUDO_ROOT_INO;
}

/* The mount whose point that is; the last one listed covers the others. */
static const struct mount_line *find_point(const struct mount_list *l, const char *point)
{
    const struct mount_line *found = NULL;
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->lines[i].point, point) == 0) {
            found = &l->lines[i];
        }
    }
    return found;
}

static bool in_words(const char *word, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Something other than the kernel's own file systems is mounted below dir: container engines cover
 * /proc/kcore, /proc/meminfo, /sys/firmware and the like with bind mounts, tmpfs or FUSE. */
static bool is_masked(const struct mount_list *l, const char *dir, const char *const *harmless)
{
    size_t n = strlen(dir);
    for (size_t i = 0; i < l->n; i++) {
        const struct mount_line *m = &l->lines[i];
        if (strncmp(m->point, dir, n) == 0 && m->point[n] == '/' &&
            !in_words(m->fstype, harmless)) {
            return true;
        }
    }
    return false;
}

/* A comma-separated list holds an option that begins so. */
static bool has_option(const char *options, const char *start)
{
    size_t n = strlen(start);
    for (const char *p = options; p != NULL; p = strchr(p, ',')) {
        p += *p == ',' ? 1 : 0;
        if (strncmp(p, start, n) == 0) {
            return true;
        }
    }
    return false;
}

/* --- the sights --- */

/* A read-only procfs bind on /proc/sys (container engines) shows true values, but has fstype proc
 * and a root other than "/": it is accepted only if it shows what would be there anyway. */
static bool has_crossed_proc(const struct mount_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct mount_line *m = &l->lines[i];
        if (strncmp(m->point, "/proc/", 6) == 0 && strcmp(m->fstype, "proc") == 0 &&
            strcmp(m->point + 5, m->root) != 0) {
            return true;
        }
    }
    return false;
}

static bool sees_proc(const struct host *h, const struct mount_list *own)
{
    static const char *const harmless[] = {"proc",  "autofs",     "binfmt_misc", "nfsd",
                                           "xenfs", "openpromfs", NULL};
    dev_t dev = 0;
    const struct mount_line *m = find_point(own, "/proc");
    return m != NULL && is_pseudo_root(h, "/proc", PROC_SUPER_MAGIC, &dev) &&
           link_is(h, "/proc/self/ns/pid", INITIAL_PID) &&
           link_is(h, "/proc/self/ns/user", INITIAL_USER) && !is_masked(own, "/proc", harmless) &&
           !has_crossed_proc(own) && !has_option(m->super_options, "subset=");
}

/* Kernel 5.8 and later: "/" is the very mount that pid 1 has there, and not a directory inside it
 * (chroot). Mount ids are unique over all mount namespaces, so another namespace differs too. */
static bool is_root_mount(const struct statx *x, const struct mount_list *init)
{
    size_t n = 0;
    const struct mount_line *root = NULL;
    for (size_t i = 0; i < init->n; i++) {
        if (strcmp(init->lines[i].point, "/") == 0) {
            root = &init->lines[i];
            n++;
        }
    }
    return n == 1 && root->id == x->stx_mnt_id &&
           (x->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
           (x->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Before 5.8: the two mount tables, ids included, are the same text. A mount that comes or goes
 * between the two reads makes them differ, hence a few tries. */
static bool has_same_mounts(const struct host *h)
{
    for (unsigned i = 0; i < 4; i++) {
        CLEANUP(free) char *own = read_text(h, "/proc/self/mountinfo");
        CLEANUP(free) char *init = read_text(h, "/proc/1/mountinfo");
        if (own == NULL || init == NULL) {
            return false;
        }
        if (strcmp(own, init) == 0) {
            /* A chroot into a plain directory of a mount lists no mount at "/". */
            CLEANUP(mount_list) struct mount_list l = {0};
            return parse_mounts(own, &l) && find_point(&l, "/") != NULL;
        }
    }
    return false;
}

static bool sees_root(const struct host *h, const struct mount_list *init)
{
    struct statx x;
    if (statx(h->root_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &x) != 0) {
        return false;
    }
    return (x.stx_mask & STATX_MNT_ID) != 0 ? is_root_mount(&x, init) : has_same_mounts(h);
}

/* Where the namespace links are refused, the inode of net/dev tells: it belongs to the network
 * namespace, unlike that of the directory net (fs/proc/proc_net.c). */
static bool sees_net(const struct host *h)
{
    CLEANUP(str) struct str own = STR_INIT(256);
    CLEANUP(str) struct str init = STR_INIT(256);
    if (host_readlink(h, "/proc/self/ns/net", &own, NULL) == 0 &&
        host_readlink(h, "/proc/1/ns/net", &init, NULL) == 0) {
        return strcmp(str_text(&own), str_text(&init)) == 0;
    }
    struct host_stat a;
    struct host_stat b;
    return host_stat(h, "/proc/self/net/dev", true, &a, NULL) == 0 &&
           host_stat(h, "/proc/1/net/dev", true, &b, NULL) == 0 && a.ino == b.ino &&
           a.dev_major == b.dev_major && a.dev_minor == b.dev_minor;
}

static bool is_same_device(const struct mount_line *m, dev_t dev)
{
    return m != NULL && m->major == major(dev) && m->minor == minor(dev) &&
           strcmp(m->root, "/") == 0;
}

/* A sysfs mounted in another network namespace is another super block. */
static bool sees_sys(const struct host *h, const struct mount_list *own,
                     const struct mount_list *init)
{
    static const char *const harmless[] = {
        "sysfs",    "cgroup",  "cgroup2",   "securityfs", "debugfs", "tracefs",
        "configfs", "fusectl", "efivarfs",  "pstore",     "bpf",     "selinuxfs",
        "smackfs",  "resctrl", "hugetlbfs", "ramfs",      "autofs",  NULL};
    dev_t dev = 0;
    if (!is_pseudo_root(h, "/sys", SYSFS_MAGIC, &dev) ||
        !is_same_device(find_point(init, "/sys"), dev)) {
        return false;
    }
    for (size_t i = 0; i < own->n; i++) {
        const struct mount_line *m = &own->lines[i];
        bool below = strncmp(m->point, "/sys/", 5) == 0;
        /* cgroup version 1 keeps its hierarchies in a small tmpfs */
        bool cgroup_home = strcmp(m->point, "/sys/fs/cgroup") == 0;
        if (below && !cgroup_home && !in_words(m->fstype, harmless)) {
            return false;
        }
        if (below && strcmp(m->fstype, "sysfs") == 0 && strcmp(m->point + 4, m->root) != 0) {
            return false;
        }
    }
    return true;
}

static bool sees_dev(const struct host *h, const struct mount_list *own,
                     const struct mount_list *init, bool sees_own_root)
{
    const struct mount_line *own_dev = find_point(own, "/dev");
    const struct mount_line *init_dev = find_point(init, "/dev");
    if (own_dev == NULL && init_dev == NULL) {
        return sees_own_root; /* a static /dev on the root file system */
    }
    struct host_stat st;
    if (own_dev == NULL || init_dev == NULL || host_stat(h, "/dev", true, &st, NULL) != 0) {
        return false;
    }
    static const char *const covers[] = {"/dev/mapper", "/dev/disk", "/dev/block", NULL};
    for (size_t i = 0; covers[i] != NULL; i++) {
        if (find_point(own, covers[i]) != NULL) {
            return false;
        }
    }
    return is_same_device(init_dev, makedev(st.dev_major, st.dev_minor)) &&
           is_same_device(own_dev, makedev(st.dev_major, st.dev_minor));
}

unsigned host_sight_look(int root_fd)
{
    const struct host h = {.root_fd = root_fd, .live = true};
    CLEANUP(mount_list) struct mount_list own = {0};
    CLEANUP(mount_list) struct mount_list init = {0};
    if (!load_mounts(&h, "/proc/self/mountinfo", &own) ||
        !load_mounts(&h, "/proc/1/mountinfo", &init) || !sees_proc(&h, &own)) {
        return 0; /* without the host's /proc nothing else can be compared */
    }
    unsigned sights = HOST_SEES_PROC;
    bool root = sees_root(&h, &init);
    sights |= root ? HOST_SEES_ROOT : 0;
    sights |= sees_net(&h) ? HOST_SEES_NET : 0;
    sights |= sees_sys(&h, &own, &init) ? HOST_SEES_SYS : 0;
    sights |= sees_dev(&h, &own, &init, root) ? HOST_SEES_DEV : 0;
    return sights;
}
