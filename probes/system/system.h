/* Inner seams of the probe `system`: run() reads files into struct sys_state, parse() turns them
 * into rows after every privilege is gone. Each table is one row of the list in system.c. */
#ifndef TENKEN_PROBES_SYSTEM_H
#define TENKEN_PROBES_SYSTEM_H

#include "agent/base/str.h"
#include "probes/probe.h"
#include "probes/system/text.h"

/* Files that are read whole; where and how long: sys_files in files.c. */
enum sys_file {
    SYS_PASSWD,
    SYS_GROUP,
    SYS_SHADOW,
    SYS_OS_RELEASE,
    SYS_OS_RELEASE_USR,
    SYS_REDHAT_RELEASE,
    SYS_GENTOO_RELEASE,
    SYS_LOCALTIME,
    SYS_MACHINE_ID,
    SYS_CMDLINE,
    SYS_UPTIME,
    SYS_CPUINFO,
    SYS_MEMINFO,
    SYS_MODULES,
    SYS_MOUNTINFO,
    SYS_HOSTNAME,
    SYS_DMI_UUID,
    SYS_DMI_VENDOR,
    SYS_DMI_PRODUCT,
    SYS_DMI_VERSION,
    SYS_DMI_SERIAL,
    SYS_DMI_BOARD_VENDOR,
    SYS_DMI_BOARD_NAME,
    SYS_DMI_BOARD_VERSION,
    SYS_DMI_BOARD_SERIAL,
    SYS_DMI_BIOS_VENDOR,
    SYS_DMI_CHASSIS,
    SYS_HYPERVISOR,
    SYS_TPM_MAJOR,
    SYS_SECURE_BOOT,
    SYS_SHIM_VALIDATION,
    SYS_FILES /* how many */
};

struct sys_read {
    bool tried;
    int code;           /* 0, or ERR_*; ERR_TRUNCATED: whole lines of what fits are in bytes */
    bool proved_absent; /* ERR_ABSENT, and its directory is known to be listed whole */
    struct str bytes;
    char why[160]; /* text of the error */
};

struct sys_block {
    char *name, *parent, *vendor, *model, *serial, *udev; /* NULL = not known; udev: its record */
    size_t udev_len;
    int64_t sectors, block_size; /* -1 = not known */
};

struct sys_control {
    char *path;  /* "net/ipv4/ip_forward" */
    char *value; /* NULL = not known */
    size_t value_len;
};

/* Whether this process stands in the initial namespace of a kind. */
enum sys_namespace { NS_INITIAL, NS_OTHER, NS_NOT_KNOWN };

enum sys_presence { SYS_NOT_KNOWN, SYS_IS_THERE, SYS_IS_ABSENT };

struct sys_fs {
    bool known;
    int64_t block_size, blocks, blocks_free, blocks_available, inodes, inodes_free;
    char *alias; /* what the device's link leads to; NULL = the device itself */
};

struct sys_state {
    struct sys_read files[SYS_FILES];
    enum sys_namespace ns_uts, ns_ipc, ns_time;
    char release[72], machine[72];   /* uname(2); "" = not known */
    int64_t boot_seconds;            /* CLOCK_BOOTTIME; -1 = not asked */
    enum sys_presence dmi, efi, tpm; /* directories below /sys */
    bool sees_efivars;               /* and something is in it */
    struct sys_block *blocks;
    size_t n_blocks, cap_blocks;
    struct sys_control *controls;
    size_t n_controls, cap_controls;
    bool has_sysctl_conf;
    struct str sysctl_conf; /* configuration files one after the other, in the order of sysctl.d */
    struct sys_fs *fs;      /* one per well-formed line of mountinfo */
    size_t n_fs;
};

/* --- files.c --- */
/* Reads the file unless it was read before. Never fails: the outcome stands in files[f]. */
void sys_read_file(const struct host *h, struct sys_state *s, enum sys_file f);
/* True if there are bytes to be parsed. Otherwise, and also when they were cut, says in the
 * table's state how the look ended. */
bool sys_usable(struct probe_ctx *ctx, const struct table *t, const struct sys_state *s,
                enum sys_file f);
/* Content without surrounding white space, as one span; n = 0 if it was not read. */
struct span sys_text(const struct sys_state *s, enum sys_file f);
/* row_text_n of sys_text if the file was read, NULL (not known) if not. */
void sys_cell(struct probe_ctx *ctx, unsigned column, const struct sys_state *s, enum sys_file f);
/* True if a file below /proc or /sys is the kernel's own, not something mounted over it. */
bool sys_is_kernels(const struct host *h, const char *path);
/* States "malformed" with the first bad line, if there is one. */
void sys_report(struct probe_ctx *ctx, const struct table *t, enum sys_file f,
                const struct parse_report *r);
/* True for a tree that is neither live nor captured: a mounted disk, an unpacked image. */
bool sys_is_plain_tree(const struct host *h);
void sys_state_free(struct sys_state *s);

/* --- one pair per table: collect (may be NULL) while privileged, rows after --- */
typedef int sys_collect_fn(struct probe_ctx *ctx, struct sys_state *s, struct err *e);
typedef int sys_rows_fn(struct probe_ctx *ctx, const struct sys_state *s, struct err *e);

extern const struct table table_users, table_groups, table_user_groups, table_shadow;
sys_rows_fn users_rows, groups_rows, user_groups_rows, shadow_rows;

extern const struct table table_os_version, table_kernel_info, table_uptime, table_time;
sys_collect_fn uptime_collect;
sys_rows_fn os_version_rows, kernel_info_rows, uptime_rows, time_rows;

extern const struct table table_system_info, table_asset_identity;
sys_collect_fn asset_identity_collect;
sys_rows_fn system_info_rows, asset_identity_rows;

extern const struct table table_kernel_modules, table_mounts, table_block_devices,
    table_system_controls;
sys_collect_fn mounts_collect, block_devices_collect, system_controls_collect;
sys_rows_fn kernel_modules_rows, mounts_rows, block_devices_rows, system_controls_rows;

#endif
