/* Files that the kernel writes, as bytes: /proc/modules, /proc/PID/mountinfo (the columns that the
 * mounts table needs), /proc/cpuinfo, /proc/cmdline, and udev's record of a device. Pure. */
#ifndef TENKEN_PROBES_SYSTEM_KERNELFILES_H
#define TENKEN_PROBES_SYSTEM_KERNELFILES_H

#include <stdbool.h>

#include "agent/base/str.h"
#include "probes/system/text.h"

/* proc_modules(5): name size references users status address [taints]. */
struct module_row {
    struct span name;
    int64_t size;        /* bytes */
    struct span used_by; /* comma-separated without the final comma, "-" = nobody */
    struct span status, address;
};
typedef void module_fn(const struct module_row *row, void *arg);
/* Calls fn for every well-formed line. */
void modules_parse(const char *bytes, size_t n, module_fn *fn, void *arg, struct parse_report *ret);

/* proc_pid_mountinfo(5). Texts are as in the file: octal escapes not undone. */
struct mount_row {
    unsigned dev_major, dev_minor; /* of the superblock */
    struct span path, options, type, device, super_options;
};
typedef void mount_fn(const struct mount_row *row, void *arg);
void mountinfo_parse(const char *bytes, size_t n, mount_fn *fn, void *arg,
                     struct parse_report *ret);
/* Undoes the kernel's octal escapes (\040 and the like); anything else is taken as it stands. */
void unescape_octal(struct span s, struct str *out);
/* Mount options as /proc/mounts would show them: rw or ro (ro if either says so), then those of
 * the superblock that the kernel writes first (sync, seclabel, …), those of the mount, and the
 * file system's own. */
void mount_flags(struct span options, struct span super_options, struct str *out);

#define CPU_MAX 8192U
#define CPU_TEXT_MAX 256U

struct cpuinfo {
    int64_t logical;  /* entries; 0 = this architecture writes none */
    int64_t physical; /* cores, by (physical id, core id); 0 = not said */
    int64_t sockets;  /* by physical id; 0 = not said */
    char brand[CPU_TEXT_MAX], model[CPU_TEXT_MAX], microcode[CPU_TEXT_MAX]; /* "" = not said */
    bool has_flags;  /* x86: the "flags" line is there */
    bool hypervisor; /* that line holds the word that every hypervisor is to set */
};
/* Lines that it does not know are passed over: the file differs between architectures. ERR_NOMEM.
 */
int cpuinfo_parse(const char *bytes, size_t n, struct cpuinfo *ret, struct err *e) MUST_USE;

/* "MemTotal:  16315 kB" of /proc/meminfo, in bytes. False if there is no such line. */
bool meminfo_total(const char *bytes, size_t n, int64_t *ret);
/* Whole seconds of /proc/uptime. */
bool uptime_seconds(const char *bytes, size_t n, int64_t *ret);

/* Kernel arguments: BOOT_IMAGE and root apart, the others joined by single blanks. */
void cmdline_parse(struct span line, struct str *arguments, struct str *path, struct str *device);

/* Value of KEY in a record of udev's database ("E:KEY=value" lines); false if it is not there. */
bool udev_property(const char *bytes, size_t n, const char *key, struct span *ret);
/* Undoes udev's \xNN escapes. */
void udev_decode(struct span s, struct str *out);

#endif
