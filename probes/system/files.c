/* The files that the probe reads whole: where they are, how long they may be, how a look ended. */
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "probes/system/system.h"

#define SMALL ((size_t)4096)
#define MIB ((size_t)1 << 20)

struct file {
    const char *path;
    size_t max;
    const char
        *dir; /* whose whole listing proves that the file does not exist; NULL: nothing does */
};

/* https://uefi.org/specifications, section 3.3: the firmware's own switch; and what shim mirrors
 * for the operating system when its validation is switched off. */
#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_SHIM "605dab50-e046-4300-abb6-3dd810dd8b23"

static const struct file sys_files[SYS_FILES] = {
    [SYS_PASSWD] = {"/etc/passwd", 4 * MIB, "/etc"},
    [SYS_GROUP] = {"/etc/group", 4 * MIB, "/etc"},
    [SYS_SHADOW] = {"/etc/shadow", 4 * MIB, "/etc"},
    [SYS_OS_RELEASE] = {"/etc/os-release", MIB / 16, "/etc"},
    [SYS_OS_RELEASE_USR] = {"/usr/lib/os-release", MIB / 16, "/usr/lib"},
    [SYS_REDHAT_RELEASE] = {"/etc/redhat-release", SMALL, "/etc"},
    [SYS_GENTOO_RELEASE] = {"/etc/gentoo-release", SMALL, "/etc"},
    [SYS_LOCALTIME] = {"/etc/localtime", MIB / 16, "/etc"},
    [SYS_MACHINE_ID] = {"/etc/machine-id", SMALL, "/etc"},
    [SYS_CMDLINE] = {"/proc/cmdline", MIB / 16, NULL},
    [SYS_UPTIME] = {"/proc/uptime", SMALL, NULL},
    [SYS_CPUINFO] = {"/proc/cpuinfo", 16 * MIB, NULL},
    [SYS_MEMINFO] = {"/proc/meminfo", MIB / 16, NULL},
    [SYS_MODULES] = {"/proc/modules", MIB, "/proc"},
    [SYS_MOUNTINFO] = {"/proc/1/mountinfo", 16 * MIB, NULL},
    [SYS_HOSTNAME] = {"/proc/sys/kernel/hostname", SMALL, NULL},
    [SYS_DMI_UUID] = {"/sys/class/dmi/id/product_uuid", SMALL, NULL},
    [SYS_DMI_VENDOR] = {"/sys/class/dmi/id/sys_vendor", SMALL, NULL},
    [SYS_DMI_PRODUCT] = {"/sys/class/dmi/id/product_name", SMALL, NULL},
    [SYS_DMI_VERSION] = {"/sys/class/dmi/id/product_version", SMALL, NULL},
    [SYS_DMI_SERIAL] = {"/sys/class/dmi/id/product_serial", SMALL, NULL},
    [SYS_DMI_BOARD_VENDOR] = {"/sys/class/dmi/id/board_vendor", SMALL, NULL},
    [SYS_DMI_BOARD_NAME] = {"/sys/class/dmi/id/board_name", SMALL, NULL},
    [SYS_DMI_BOARD_VERSION] = {"/sys/class/dmi/id/board_version", SMALL, NULL},
    [SYS_DMI_BOARD_SERIAL] = {"/sys/class/dmi/id/board_serial", SMALL, NULL},
    [SYS_DMI_BIOS_VENDOR] = {"/sys/class/dmi/id/bios_vendor", SMALL, NULL},
    [SYS_DMI_CHASSIS] = {"/sys/class/dmi/id/chassis_type", SMALL, NULL},
    [SYS_HYPERVISOR] = {"/sys/hypervisor/type", SMALL, NULL},
    [SYS_TPM_MAJOR] = {"/sys/class/tpm/tpm0/tpm_version_major", SMALL, NULL},
    [SYS_SECURE_BOOT] = {"/sys/firmware/efi/efivars/SecureBoot-" EFI_GLOBAL, SMALL, NULL},
    [SYS_SHIM_VALIDATION] = {"/sys/firmware/efi/efivars/MokSBStateRT-" EFI_SHIM, SMALL, NULL},
};

bool sys_is_plain_tree(const struct host *h)
{
    return !host_is_live(h) && !host_is_captured(h);
}

bool sys_is_kernels(const struct host *h, const char *path)
{
    struct host_fs fs;

    if (!host_is_live(h) || (strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0)) {
        return true; /* a tree's files are what its capture says they are */
    }
    if (host_statfs(h, path, &fs, NULL) != 0) {
        return true; /* not there, or not to be reached: the read itself will say so */
    }
    return fs.type == PROC_SUPER_MAGIC || fs.type == SYSFS_MAGIC || fs.type == EFIVARFS_MAGIC;
}

/* What was cut in the middle of a line must not be taken for a line. */
static void drop_last_line(struct str *s)
{
    const char *nl = s->len > 0 ? memrchr(s->data, '\n', s->len) : NULL;
    size_t keep = nl != NULL ? (size_t)(nl - s->data) + 1 : 0;

    s->len = keep;
    if (s->data != NULL) {
        s->data[keep] = '\0';
    }
}

void sys_read_file(const struct host *h, struct sys_state *s, enum sys_file f)
{
    struct sys_read *r = &s->files[f];
    const struct file *file = &sys_files[f];
    struct err e = {0};

    if (r->tried) {
        return;
    }
    r->tried = true;
    str_init(&r->bytes, file->max);
    if (!sys_is_kernels(h, file->path)) {
        /* lxcfs and the like put their own cpuinfo, meminfo, uptime over the kernel's */
        r->code = ERR_DENIED;
        (void)snprintf(r->why, sizeof(r->why), "%s is not the kernel's own file", file->path);
        return;
    }
    r->code = host_read(h, file->path, file->max, &r->bytes, &e);
    if (r->code == ERR_TRUNCATED) {
        drop_last_line(&r->bytes);
    }
    r->proved_absent = r->code == ERR_ABSENT && file->dir != NULL && host_is_whole(h, file->dir);
    if (r->code != 0) {
        (void)snprintf(r->why, sizeof(r->why), "%.159s", e.msg);
    }
}

/* An absent file without proof: why it cannot be told from one that is hidden. */
static const char *hidden_word(const struct host *h)
{
    return host_is_live(h) ? "not_visible" : "not_captured";
}

bool sys_usable(struct probe_ctx *ctx, const struct table *t, const struct sys_state *s,
                enum sys_file f)
{
    const struct sys_read *r = &s->files[f];

    switch (r->code) {
    case 0:
        return true;
    case ERR_TRUNCATED:
        probe_state(ctx, t, STATE_TRUNCATED, "truncated: %s is longer than %zu bytes",
                    sys_files[f].path, sys_files[f].max);
        return true;
    case ERR_ABSENT:
        if (r->proved_absent) {
            probe_state(ctx, t, STATE_ABSENT, "absent: there is no %s", sys_files[f].path);
        } else {
            probe_state(ctx, t, STATE_DENIED, "%s: %s not found", hidden_word(probe_host(ctx)),
                        sys_files[f].path);
        }
        return false;
    case ERR_DENIED:
        probe_state(ctx, t, STATE_DENIED, "denied: %s", r->why);
        return false;
    default: /* a FIFO, a directory, an unreadable block: not the file that it should be */
        probe_state(ctx, t, STATE_MALFORMED, "malformed: %s", r->why);
        return false;
    }
}

struct span sys_text(const struct sys_state *s, enum sys_file f)
{
    const struct sys_read *r = &s->files[f];

    if (!r->tried || r->code != 0 || r->bytes.len == 0) {
        return span_of("", 0);
    }
    return span_trim(span_of(r->bytes.data, r->bytes.len));
}

void sys_cell(struct probe_ctx *ctx, unsigned column, const struct sys_state *s, enum sys_file f)
{
    if (s->files[f].tried && s->files[f].code == 0) {
        struct span text = sys_text(s, f);
        row_text_n(ctx, column, text.p, text.n);
    }
}

/* The rows that could be read stay: what they show was there. */
void sys_report(struct probe_ctx *ctx, const struct table *t, enum sys_file f,
                const struct parse_report *r)
{
    if (r->bad > 0) {
        probe_state(ctx, t, STATE_MALFORMED, "malformed: %s:%zu and %zu more lines",
                    sys_files[f].path, r->first_bad, r->bad - 1);
    }
}

void sys_state_free(struct sys_state *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t f = 0; f < SYS_FILES; f++) {
        if (f == SYS_SHADOW && s->files[f].bytes.data != NULL) {
            explicit_bzero(s->files[f].bytes.data, s->files[f].bytes.cap);
        }
        str_done(&s->files[f].bytes);
    }
    for (size_t i = 0; i < s->n_blocks; i++) {
        struct sys_block *b = &s->blocks[i];
        free(b->name);
        free(b->parent);
        free(b->vendor);
        free(b->model);
        free(b->serial);
        free(b->udev);
    }
    for (size_t i = 0; i < s->n_controls; i++) {
        free(s->controls[i].path);
        free(s->controls[i].value);
    }
    for (size_t i = 0; i < s->n_fs; i++) {
        free(s->fs[i].alias);
    }
    free(s->blocks);
    free(s->controls);
    free(s->fs);
    str_done(&s->sysctl_conf);
    free(s);
}
