/* The mount table and the list of swap areas, as the kernel writes them, and which mount a path
 * falls into. Pure: bytes in, structs out. proc_pid_mountinfo(5), proc_swaps(5). */
#ifndef TENKEN_PROBES_DISK_MOUNTINFO_H
#define TENKEN_PROBES_DISK_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/compiler.h"
#include "agent/base/err.h"

struct mount {
    int id, parent;
    unsigned dev_major, dev_minor; /* of the superblock; anonymous (0:N) where it has no device */
    char *root, *point, *fstype, *source, *super; /* unescaped, but super: octal escapes kept */
    bool writable;                                /* the superblock's flag, not the mount's */
    int up, first, next; /* tree by index: mounted on, first child, next sibling; -1 none */
};

struct mounts {
    struct mount *items; /* in the kernel's order */
    size_t n, cap;
    size_t bad_lines; /* lines that break the format; the others are good all the same */
};

void mounts_done(struct mounts *m);
static inline void cleanup_mounts(struct mounts *m)
{
    mounts_done(m);
}
/* Parses n bytes of /proc/PID/mountinfo. ERR_NOMEM. Lines that break the format are counted. */
int mounts_parse(const char *text, size_t n, struct mounts *ret, struct err *e) MUST_USE;
/* Index of the mount in which an absolute path without links, "." and ".." falls, walking down as
 * the kernel does: a mount hidden under another is never found. -1 if there is no root mount. */
int mounts_find(const struct mounts *m, const char *path);
/* True if path is dir or lies below it. */
bool path_below(const char *path, const char *dir);
/* Value of one option of a superblock's list ("upperdir"), octal escapes undone. True if present;
 * an option without '=' gives the empty text. False also when it does not fit into out. */
bool mount_option(const char *options, const char *name, char *out, size_t out_n);

struct swap_area {
    char *path;   /* unescaped, without the kernel's " (deleted)" */
    bool is_file; /* else a block device */
    bool is_deleted;
};
struct swaps {
    struct swap_area *items;
    size_t n, cap;
    size_t bad_lines;
};
void swaps_done(struct swaps *s);
static inline void cleanup_swaps(struct swaps *s)
{
    swaps_done(s);
}
/* Parses n bytes of /proc/swaps. ERR_NOMEM. A missing header line counts as a bad line. */
int swaps_parse(const char *text, size_t n, struct swaps *ret, struct err *e) MUST_USE;

/* How a file system keeps what is written to it. */
enum fs_kind {
    FS_PSEUDO,   /* no storage: proc, sysfs, ...; no row */
    FS_BLOCK,    /* one block device, found by its number */
    FS_BTRFS,    /* several block devices, anonymous number */
    FS_BCACHEFS, /* likewise, and may encrypt by itself */
    FS_ZFS,      /* devices and encryption not shown to us */
    FS_TMPFS,    /* memory that may be swapped out */
    FS_RAMFS,    /* memory that never is */
    FS_OVERLAY,  /* another file system's directory */
    FS_ECRYPTFS, /* encrypting layer over a directory */
    FS_FUSE,     /* a program decides where it goes */
    FS_AUTOFS,   /* touching it may mount something */
    FS_NETWORK   /* another machine, or the host of this one */
};
/* By the type word of mountinfo; unknown words: FS_BLOCK if the number is that of a device
 * (dev_major not 0), else FS_FUSE's answer, not known. */
enum fs_kind fs_kind_of(const struct mount *m);
/* True if nothing below the mount point may be looked at: it could hang or mount something. */
bool mount_untouchable(const struct mount *m);

#endif
