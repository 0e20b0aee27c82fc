/* The probe `system`: what machine this is, what runs on it, its mounts, devices, modules, kernel
 * parameters and accounts. The list below says per table what must be seen, which files are read
 * and who makes the rows. */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/base/json.h"
#include "probes/system/system.h"

#define ENTRY_FILES_MAX 24U

struct entry {
    const struct table *table;
    unsigned needs; /* HOST_SEES_*: without them the table is denied as a whole */
    bool any_tree;  /* also from a tree without a capture: files of /etc are what they are */
    sys_collect_fn *collect;
    sys_rows_fn *rows;
    enum sys_file files[ENTRY_FILES_MAX];
    size_t n_files;
};

#define FILES(...)                                                                                 \
    .files = {__VA_ARGS__},                                                                        \
    .n_files = sizeof((const enum sys_file[]){__VA_ARGS__}) / sizeof(enum sys_file)

/* Tables with needs 0 judge for themselves which of their rows or cells are hidden. */
static const struct entry entries[] = {
    {.table = &table_os_version,
     .needs = HOST_SEES_ROOT,
     .any_tree = true,
     .rows = os_version_rows,
     FILES(SYS_OS_RELEASE, SYS_OS_RELEASE_USR, SYS_REDHAT_RELEASE, SYS_GENTOO_RELEASE)},
    {.table = &table_kernel_info, .rows = kernel_info_rows, FILES(SYS_CMDLINE)},
    {.table = &table_uptime, .collect = uptime_collect, .rows = uptime_rows, FILES(SYS_UPTIME)},
    {.table = &table_time, .rows = time_rows, FILES(SYS_LOCALTIME)},
    {.table = &table_system_info,
     .rows = system_info_rows,
     FILES(SYS_CPUINFO, SYS_MEMINFO, SYS_HOSTNAME, SYS_DMI_UUID, SYS_DMI_VENDOR, SYS_DMI_PRODUCT,
           SYS_DMI_VERSION, SYS_DMI_SERIAL, SYS_DMI_BOARD_VENDOR, SYS_DMI_BOARD_NAME,
           SYS_DMI_BOARD_VERSION, SYS_DMI_BOARD_SERIAL)},
    {.table = &table_asset_identity,
     .any_tree = true,
     .collect = asset_identity_collect,
     .rows = asset_identity_rows,
     FILES(SYS_MACHINE_ID, SYS_CPUINFO, SYS_DMI_VENDOR, SYS_DMI_PRODUCT, SYS_DMI_SERIAL,
           SYS_DMI_BOARD_VENDOR, SYS_DMI_BOARD_SERIAL, SYS_DMI_BIOS_VENDOR, SYS_DMI_CHASSIS,
           SYS_HYPERVISOR, SYS_TPM_MAJOR, SYS_SECURE_BOOT, SYS_SHIM_VALIDATION)},
    {.table = &table_mounts,
     .needs = HOST_SEES_PROC,
     .collect = mounts_collect,
     .rows = mounts_rows,
     FILES(SYS_MOUNTINFO)},
    {.table = &table_block_devices,
     .needs = HOST_SEES_SYS,
     .collect = block_devices_collect,
     .rows = block_devices_rows},
    {.table = &table_kernel_modules, .rows = kernel_modules_rows, FILES(SYS_MODULES)},
    {.table = &table_system_controls,
     .collect = system_controls_collect,
     .rows = system_controls_rows},
    {.table = &table_users,
     .needs = HOST_SEES_ROOT,
     .any_tree = true,
     .rows = users_rows,
     FILES(SYS_PASSWD)},
    {.table = &table_groups,
     .needs = HOST_SEES_ROOT,
     .any_tree = true,
     .rows = groups_rows,
     FILES(SYS_GROUP)},
    {.table = &table_user_groups,
     .needs = HOST_SEES_ROOT,
     .any_tree = true,
     .rows = user_groups_rows,
     FILES(SYS_PASSWD, SYS_GROUP)},
    {.table = &table_shadow,
     .needs = HOST_SEES_ROOT,
     .any_tree = true,
     .rows = shadow_rows,
     FILES(SYS_SHADOW)},
};

/* NULL, or why the table as a whole cannot be seen from here. */
static const char *hidden(const struct host *h, const struct entry *x)
{
    if (sys_is_plain_tree(h)) {
        return x->any_tree ? NULL : host_hidden(h, HOST_SEES_ALL);
    }
    return x->needs != 0 ? host_hidden(h, x->needs) : NULL;
}

/* Wanted, and not hidden as a whole: nothing is read for any other table. */
static bool is_due(struct probe_ctx *ctx, const struct entry *x)
{
    return probe_wants(ctx, x->table) && hidden(probe_host(ctx), x) == NULL;
}

/* The initial namespaces of these kinds have had fixed numbers since Linux 3.8 (proc_ns.h); a link
 * that a visible /proc lacks means a kernel without that kind. */
static enum sys_namespace own_namespace(const struct host *h, const char *kind, unsigned initial)
{
    CLEANUP(str) struct str path = STR_INIT(64);
    CLEANUP(str) struct str link = STR_INIT(64);
    CLEANUP(str) struct str want = STR_INIT(64);
    struct host_stat st;

    if (!host_is_live(h)) {
        return host_hidden(h, HOST_SEES_PROC) == NULL ? NS_INITIAL : NS_OTHER;
    }
    str_addf(&path, "/proc/self/ns/%s", kind);
    str_addf(&want, "%s:[%u]", kind, initial);
    int rc = host_readlink(h, str_text(&path), &link, NULL);
    if (rc == 0) {
        return strcmp(str_text(&link), str_text(&want)) == 0 ? NS_INITIAL : NS_OTHER;
    }
    return rc == ERR_ABSENT && host_stat(h, "/proc/self/ns", true, &st, NULL) == 0 ? NS_INITIAL
                                                                                   : NS_NOT_KNOWN;
}

#define NS_IPC_INITIAL 0xEFFFFFFFU
#define NS_UTS_INITIAL 0xEFFFFFFEU
#define NS_TIME_INITIAL 0xEFFFFFFAU

static void copy_text(char *to, size_t n, const char *from)
{
    (void)snprintf(to, n, "%s", from);
}

/* uname(2) is the kernel's own and the same in every container, but for the node name. */
static void look_at_kernel(const struct host *h, struct sys_state *s)
{
    struct utsname u;
    const char *text = NULL;

    s->ns_uts = own_namespace(h, "uts", NS_UTS_INITIAL);
    s->ns_ipc = own_namespace(h, "ipc", NS_IPC_INITIAL);
    s->ns_time = own_namespace(h, "time", NS_TIME_INITIAL);
    if (host_is_live(h)) {
        if (uname(&u) == 0) {
            copy_text(s->release, sizeof(s->release), u.release);
            copy_text(s->machine, sizeof(s->machine), u.machine);
        }
        return;
    }
    const json_t *captured = host_capture(h, "uname");
    if (captured != NULL && json_need_text(captured, "release", &text, NULL) == 0) {
        copy_text(s->release, sizeof(s->release), text);
    }
    if (captured != NULL && json_need_text(captured, "machine", &text, NULL) == 0) {
        copy_text(s->machine, sizeof(s->machine), text);
    }
}

/* Reads everything that any wanted table needs, each file once, while there is privilege. */
static int system_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    const struct host *h = probe_host(ctx);
    struct sys_state *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return err_nomem(e);
    }
    s->boot_seconds = -1;
    look_at_kernel(h, s);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        const struct entry *x = &entries[i];
        if (!is_due(ctx, x)) {
            continue;
        }
        for (size_t f = 0; f < x->n_files; f++) {
            sys_read_file(h, s, x->files[f]);
        }
        int rc = x->collect != NULL ? x->collect(ctx, s, e) : 0;
        if (rc != 0) {
            sys_state_free(s);
            return rc;
        }
    }
    *ret_state = s;
    return 0;
}

/* Behind the second drop: nothing can be opened any more, only bytes turned into rows. */
static int system_parse(struct probe_ctx *ctx, void *state, struct err *e)
{
    struct sys_state *s = state;
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(entries) && rc == 0; i++) {
        const struct entry *x = &entries[i];
        const char *why = hidden(probe_host(ctx), x);
        if (!probe_wants(ctx, x->table)) {
            continue;
        }
        if (why != NULL) {
            probe_state(ctx, x->table, STATE_DENIED, "%s", why);
        } else {
            rc = x->rows(ctx, s, e);
        }
    }
    sys_state_free(s);
    return rc;
}

const struct probe probe_system = {
    .name = "system",
    .doc = "The machine and its operating system: version, kernel, hardware, mounts, block "
           "devices, kernel modules and parameters, accounts.",
    .source = "os-release(5), proc(5), sysfs(5), uname(2), passwd(5), group(5), shadow(5), "
              "sysctl.d(5); kernel Documentation/ABI/testing/sysfs-class-tpm, sysfs-firmware-dmi",
    .tables = PROBE_TABLES(&table_os_version, &table_kernel_info, &table_uptime, &table_time,
                           &table_system_info, &table_asset_identity, &table_mounts,
                           &table_block_devices, &table_kernel_modules, &table_system_controls,
                           &table_users, &table_groups, &table_user_groups, &table_shadow),
    .reads = PROBE_LIST("/proc/1/mountinfo", "/proc/cmdline", "/proc/cpuinfo", "/proc/meminfo",
                        "/proc/modules", "/proc/uptime", "/proc/sys", "/proc/self/ns", "/sys",
                        "/run/udev/data", "/etc/passwd", "/etc/group", "/etc/shadow",
                        "/etc/os-release", "/usr/lib/os-release", "/etc/redhat-release",
                        "/etc/gentoo-release", "/etc/machine-id", "/etc/localtime",
                        "/etc/sysctl.conf", "/etc/sysctl.d", "/run/sysctl.d",
                        "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"),
    .syscalls = PROBE_LIST("@dir-walk", "@fs-info"),
    .caps = 1ULL << CAP_DAC_READ_SEARCH, /* shadow, and serial numbers that only root may read */
    .network = NETWORK_NONE,
    .timeout_ms = 4000,
    .max_rows = 65536,
    .run = system_run,
    .parse = system_parse,
};
