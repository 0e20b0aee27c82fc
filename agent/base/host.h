/* The inspected host: a root directory descriptor through which every read goes, confined with
 * openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), so that no link of an inspected tree leads out
 * of it. Only host.c may call open, stat, readlink, opendir on an inspected path. Never writes.
 * openat2(2). */
#ifndef TENKEN_BASE_HOST_H
#define TENKEN_BASE_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

struct host;
struct json_t;

/* What this process can see of the host. Filled by host_open (captured trees: from capture.json;
 * live: by looking). */
enum host_sight {
    HOST_SEES_PROC = 1U << 0, /* initial pid and user namespace: /proc/1, /proc/swaps, other
                                 processes are the host's */
    HOST_SEES_ROOT = 1U << 1, /* "/" is the host's own root (not a chroot, not a container image) */
    HOST_SEES_NET = 1U << 2,  /* initial network namespace */
    HOST_SEES_SYS = 1U << 3,  /* /sys is a sysfs, unmasked, of the initial namespaces */
    HOST_SEES_DEV = 1U << 4   /* /dev is the host's device directory */
};
#define HOST_SEES_ALL 0x1fU

struct host_stat {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t size_bytes;
    int64_t mtime_s;
    uint32_t dev_major, dev_minor;   /* of the file system that holds it */
    uint32_t rdev_major, rdev_minor; /* of the device node itself */
    uint64_t ino;
};

#define HOST_FILE_MAX ((size_t)1 << 20) /* default ceiling for one text file: 1 MiB */

/* Opens the host at root ("/" = live). A directory that holds `capture.json` and `root/` is a
 * captured tree (then root/ is inspected); so is a directory named root with capture.json beside
 * it. meta.tsv beside it gives mode, uid, gid (git keeps none). ERR_ABSENT no such directory;
 * ERR_INVALID not a directory, or capture.json is malformed; ERR_UNSUPPORTED no openat2 (kernel
 * before 5.6). Caller frees with host_free. */
int host_open(const char *root, struct host **ret, struct err *e) MUST_USE;
/* The child's side: takes over root_fd, also on failure; sights and live as the parent found them;
 * capture: text of capture.json or NULL. */
int host_adopt(int root_fd, bool live, unsigned sights, const char *capture, size_t capture_len,
               const char *meta, size_t meta_len, struct host **ret, struct err *e) MUST_USE;
void host_free(struct host *h);
static inline void cleanup_host(struct host **h)
{
    host_free(*h);
}

/* live: the machine we run on, not a tree. */
bool host_is_live(const struct host *h);
bool host_is_captured(const struct host *h); /* has a capture.json */
int host_root_fd(const struct host *h);      /* borrowed */
unsigned host_sights(const struct host *h);  /* enum host_sight bits */
/* NULL if all of `needs` is seen; else a static reason: "not_visible: other pid namespace",
 * "not_captured". */
const char *host_hidden(const struct host *h, unsigned needs);
/* Raw capture.json and meta.tsv text (NULL if none), to be handed to children. */
const char *host_capture_text(const struct host *h, size_t *ret_len);
const char *host_meta_text(const struct host *h, size_t *ret_len);
/* Member of capture.json, borrowed jansson object or NULL: "dm", "fscrypt", "zfs", "uname", ... */
const struct json_t *host_capture(const struct host *h, const char *member);
/* True if the directory is known to be listed whole: live and seen, or named in capture.json
 * "whole". Proof of absence. */
bool host_is_whole(const struct host *h, const char *dir);

/* All paths below are absolute inside the host. Symbolic links are followed inside the root.
 * Common errors: ERR_ABSENT, ERR_DENIED, ERR_IO, ERR_NOMEM. Opening never blocks
 * (O_NONBLOCK|O_NOCTTY|O_CLOEXEC). */

/* Reads a whole regular file (also of /proc, /sys) into *out (appended). ERR_TRUNCATED when longer
 * than max_bytes (what fits is kept); ERR_INVALID not a regular file. */
int host_read(const struct host *h, const char *path, size_t max_bytes, struct str *out,
              struct err *e) MUST_USE;
/* Reads up to n bytes at offset of a regular file or block device. Short at the end. */
int host_read_at(const struct host *h, const char *path, int64_t offset, void *buf, size_t n,
                 size_t *ret_n, struct err *e) MUST_USE;
/* One line of a /proc or /sys leaf: final newline removed, at most n-1 bytes, NUL-terminated.
 * ERR_TRUNCATED if longer. */
int host_read_line(const struct host *h, const char *path, char *buf, size_t n,
                   struct err *e) MUST_USE;
/* Names in a directory, without . and .., sorted; replaces what *ret held. ERR_TRUNCATED past
 * max_entries (what fits is kept). */
int host_list(const struct host *h, const char *dir, size_t max_entries, struct strv *ret,
              struct err *e) MUST_USE;
/* Target of a symbolic link, as stored. */
int host_readlink(const struct host *h, const char *path, struct str *out, struct err *e) MUST_USE;
/* follow = false: of the link itself. meta.tsv wins where it names the path. */
int host_stat(const struct host *h, const char *path, bool follow, struct host_stat *ret,
              struct err *e) MUST_USE;
/* Where a path leads, by statx(2): the id that mountinfo gives to its mount (kernel 5.8), and
 * whether the file system encrypts that file or directory by itself (fscrypt). Nothing is known of
 * a captured tree: all false. Does not wait for a network file system. */
struct host_place {
    bool has_mount_id;
    uint64_t mount_id;
    bool knows_encrypted; /* this file system has such an attribute */
    bool is_encrypted;
};
int host_place(const struct host *h, const char *path, struct host_place *ret,
               struct err *e) MUST_USE;
/* A descriptor of a file or directory for ioctl(2) or a socket's peer; flags: O_RDONLY |
 * O_DIRECTORY | O_RDWR (device control nodes only). Caller closes. */
int host_open_fd(const struct host *h, const char *path, int flags, int *ret_fd,
                 struct err *e) MUST_USE;
/* For a child that may open nothing but directories (struct probe .proc_links), where openat2(2) is
 * refused. Confined all the same: each component of path is opened by itself and none may be a
 * symbolic link (ERR_INVALID). Common errors as above. */
/* Names in a directory, as host_list. */
int host_links_list(const struct host *h, const char *dir, size_t max_entries, struct strv *ret,
                    struct err *e) MUST_USE;
/* Target of the link `name` in the directory dir, as the kernel tells it; magic links of /proc
 * included. ERR_INVALID: no link. */
int host_links_read(const struct host *h, const char *dir, const char *name, struct str *out,
                    struct err *e) MUST_USE;
/* What statfs(2) and stat(2) say of the file system behind a path. */
struct host_fs {
    uint32_t type; /* magic number: PROC_SUPER_MAGIC, ... */
    int64_t block_size, blocks, blocks_free, blocks_available, inodes, inodes_free;
    uint32_t dev_major, dev_minor;
};
/* Opens nothing but the path itself (O_PATH). Never to be asked of network, FUSE or autofs mounts,
 * or of anything below one: it can hang, or mount something. ERR_INVALID not an absolute path. */
int host_statfs(const struct host *h, const char *path, struct host_fs *ret,
                struct err *e) MUST_USE;

#endif
