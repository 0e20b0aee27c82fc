/* Landlock by its system calls: libc has no wrappers, and the headers of the build machine may be
 * older than the kernel that we run on, so the few numbers needed stand here (they are the same on
 * every architecture). Names and meaning: kernel Documentation/userspace-api/landlock.rst. */
#include "agent/scan/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define NR_CREATE_RULESET 444L
#define NR_ADD_RULE 445L
#define NR_RESTRICT_SELF 446L
#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_ABI_1 0x1fffULL    /* execute .. make_sym */
#define FS_ABI_2 (1ULL << 13) /* refer */
#define FS_ABI_3 (1ULL << 14) /* truncate */
#define NET_TCP_ALL 3ULL      /* ABI 4: bind, connect */
#define SCOPE_ALL 3ULL        /* ABI 6: abstract sockets, signals */

struct ruleset_attr {
    uint64_t fs;
    uint64_t net;    /* from ABI 4 */
    uint64_t scoped; /* from ABI 6 */
};

struct path_beneath_attr {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

int landlock_abi(void)
{
    long abi = syscall(NR_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    return abi > 0 ? (int)abi : 0;
}

/* Whatever the kernel can forbid is forbidden unless a rule allows it. A right that it does not
 * know would be EINVAL for the whole ruleset. */
static uint64_t handled_fs(int abi)
{
    return FS_ABI_1 | (abi >= 2 ? FS_ABI_2 : 0) | (abi >= 3 ? FS_ABI_3 : 0) |
           (abi >= 5 ? FS_IOCTL_DEV : 0);
}

/* By the same resolution as struct host: a link in an inspected tree cannot name a file outside. */
static int open_path(int root_fd, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    for (unsigned tries = 0; tries < 16; tries++) {
        fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0 || errno != EAGAIN) { /* EAGAIN: a rename raced with the look-up */
            break;
        }
    }
    return (int)fd;
}

static int allow(int ruleset_fd, int root_fd, const char *path, uint64_t access, struct err *e)
{
    CLEANUP(fd) int path_fd = open_path(root_fd, path);
    struct stat st;
    if (path_fd < 0 || fstat(path_fd, &st) != 0) {
        return 0; /* not there, or not ours to reach: then it cannot be read either */
    }
    if (!S_ISDIR(st.st_mode)) {
        access &= FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV; /* the rest is EINVAL for files */
    }
    struct path_beneath_attr rule = {.allowed = access, .parent_fd = path_fd};
    if (syscall(NR_ADD_RULE, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) != 0) {
        return err_errno(e, "landlock rule for %s", path);
    }
    return 0;
}

static bool names_group(const struct probe *p, const char *group)
{
    for (const char *const *g = p->syscalls; g != NULL && *g != NULL; g++) {
        if (strcmp(*g, group) == 0) {
            return true;
        }
    }
    return false;
}

/* Rules add up over the probes of a child: they share it because their privilege is equal. */
static int allow_probe(int ruleset_fd, int root_fd, const struct probe *p, uint64_t handled,
                       struct err *e)
{
    const uint64_t read = FS_READ_FILE | FS_READ_DIR;
    int rc = 0;
    for (const char *const *path = p->reads; rc == 0 && path != NULL && *path != NULL; path++) {
        rc = allow(ruleset_fd, root_fd, *path, read, e);
    }
    if (rc == 0 && p->opens_devices) {
        rc = allow(ruleset_fd, root_fd, "/dev", read | (handled & FS_IOCTL_DEV), e);
    }
    /* Data paths are the site's, not the declaration's, and a rule for each would touch dead mounts
     * here. Directories only, and names are metadata, which Landlock does not hide anyway. */
    if (rc == 0 && names_group(p, "@ioctl-fscrypt")) {
        rc = allow(ruleset_fd, root_fd, "/", FS_READ_DIR, e);
    }
    if (rc == 0 && names_group(p, "@ioctl-dm")) {
        rc = allow(ruleset_fd, root_fd, "/dev/mapper/control",
                   FS_READ_FILE | FS_WRITE_FILE | (handled & FS_IOCTL_DEV), e);
    }
    return rc;
}

int landlock_confine(int root_fd, const struct probe *const *probes, size_t n, bool *ret_held,
                     struct err *e)
{
    int abi = landlock_abi();
    if (abi == 0) {
        *ret_held = false;
        return 0;
    }
    bool network = false;
    for (size_t i = 0; i < n; i++) {
        network = network || probes[i]->network != NETWORK_NONE;
    }
    struct ruleset_attr attr = {.fs = handled_fs(abi),
                                .net = abi >= 4 && !network ? NET_TCP_ALL : 0,
                                .scoped = abi >= 6 ? SCOPE_ALL : 0};
    /* An older kernel wants the shorter structure. */
    size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? 16 : 8;
    CLEANUP(fd) int ruleset_fd = (int)syscall(NR_CREATE_RULESET, &attr, size, 0);
    if (ruleset_fd < 0) {
        return err_errno(e, "landlock ruleset");
    }
    for (size_t i = 0; i < n; i++) {
        int rc = allow_probe(ruleset_fd, root_fd, probes[i], attr.fs, e);
        if (rc != 0) {
            return rc;
        }
    }
    if (syscall(NR_RESTRICT_SELF, ruleset_fd, 0) != 0) {
        return err_errno(e, "landlock restrict");
    }
    *ret_held = true;
    return 0;
}
