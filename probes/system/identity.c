/* asset_identity: what ties this inspection to one machine of a register. Always eight rows. */
#include <stdio.h>
#include <string.h>

#include "probes/system/kernelfiles.h"
#include "probes/system/system.h"

enum { IDENTITY_ITEM, IDENTITY_VALUE, IDENTITY_REASON };

const struct table table_asset_identity = {
    .name = "asset_identity",
    .doc = "What identifies this machine and what it is made of. One row per item, always eight; "
           "a value that could not be read is not known, and reason says why.",
    .source = "machine-id(5), SMBIOS 3.7 (chassis types: 7.4.1), UEFI 2.10 section 3.3, "
              "kernel Documentation/ABI/testing/sysfs-class-tpm",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"item", COL_TEXT, "", COL_KEY,
         "machine-id|dmi-serial|dmi-product|board-serial|chassis|virtualisation|tpm|secure-boot",
         "what the row is about"},
        {"value", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, NULL,
         "machine-id: 32 hexadecimal digits, or none; dmi-*, board-serial: as the firmware has "
         "them; chassis: laptop, desktop, server, … or type-N; virtualisation: the hypervisor, "
         "other, or none (seen to be none); tpm: version of the TPM that the kernel drives, or "
         "none; secure-boot: enabled, disabled, unsupported, or not-efi"},
        {"reason", COL_TEXT, "", 0, NULL,
         "empty, or a word and detail: denied, not_visible, not_captured, no-dmi, no-efivars, "
         "uninitialised, malformed, not-provable, shim"})};

/* That a directory is not there counts only where the one above is known to be listed whole. */
static enum sys_presence presence(const struct host *h, const char *path, const char *above)
{
    struct host_stat st;
    int rc = host_stat(h, path, true, &st, NULL);

    if (rc == 0) {
        return SYS_IS_THERE;
    }
    return rc == ERR_ABSENT && host_is_whole(h, above) && sys_is_kernels(h, above) ? SYS_IS_ABSENT
                                                                                   : SYS_NOT_KNOWN;
}

int asset_identity_collect(struct probe_ctx *ctx, struct sys_state *s, struct err *e)
{
    const struct host *h = probe_host(ctx);
    CLEANUP(strv) struct strv names = {0};

    (void)e;
    s->dmi = presence(h, "/sys/class/dmi/id", "/sys/class");
    s->efi = presence(h, "/sys/firmware/efi", "/sys/firmware");
    s->tpm = presence(h, "/sys/class/tpm/tpm0", "/sys/class");
    /* An empty directory is a mount point without its file system. */
    s->sees_efivars =
        host_list(h, "/sys/firmware/efi/efivars", 4096, &names, NULL) == 0 && names.n > 0;
    return 0;
}

/* A value as the machine has it. */
static void item(struct probe_ctx *ctx, const char *name, struct span value, const char *reason)
{
    row_begin(ctx, &table_asset_identity);
    row_text(ctx, IDENTITY_ITEM, name);
    row_text_n(ctx, IDENTITY_VALUE, value.p, value.n);
    row_text(ctx, IDENTITY_REASON, reason);
    row_end(ctx);
}

static void item_text(struct probe_ctx *ctx, const char *name, const char *value,
                      const char *reason)
{
    row_begin(ctx, &table_asset_identity);
    row_text(ctx, IDENTITY_ITEM, name);
    row_text(ctx, IDENTITY_VALUE, value);
    row_text(ctx, IDENTITY_REASON, reason);
    row_end(ctx);
}

/* The word for a file that is not there where that proves nothing. */
static const char *unlisted(const struct host *h)
{
    return host_is_live(h) ? "not_visible" : "not_captured";
}

/* "denied: /sys/…: Permission denied", "not_captured: …". */
static void item_unread(struct probe_ctx *ctx, const char *name, const struct sys_read *r,
                        const char *absent)
{
    char reason[256];
    const char *word = r->code == ERR_ABSENT   ? absent
                       : r->code == ERR_DENIED ? "denied"
                                               : "malformed";

    (void)snprintf(reason, sizeof(reason), "%s: %s", word,
                   r->code != 0 ? r->why : "not in the expected form");
    item_text(ctx, name, NULL, reason);
}

/* machine-id(5): 32 lower-case hexadecimal digits, nothing else. */
static bool is_machine_id(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool is_digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (!is_digit && (s.p[i] < 'a' || s.p[i] > 'f')) {
            return false;
        }
    }
    return s.n == 32;
}

/* The file belongs to a root file system: a container's says nothing about the machine. */
static void machine_id(struct probe_ctx *ctx, const struct sys_state *s)
{
    const struct host *h = probe_host(ctx);
    const struct sys_read *r = &s->files[SYS_MACHINE_ID];
    struct span id = sys_text(s, SYS_MACHINE_ID);
    const char *hidden = sys_is_plain_tree(h) ? NULL : host_hidden(h, HOST_SEES_ROOT);

    if (hidden != NULL) {
        item_text(ctx, "machine-id", NULL, hidden);
        probe_state(ctx, &table_asset_identity, STATE_DENIED, "%s", hidden);
    } else if (r->proved_absent) {
        item_text(ctx, "machine-id", "none", "");
    } else if (r->code != 0) {
        item_unread(ctx, "machine-id", r, "not_captured");
    } else if (id.n == 0 || span_is(id, "uninitialized")) {
        item_text(ctx, "machine-id", NULL, "uninitialised: the first boot has not ended");
    } else if (is_machine_id(id)) {
        item(ctx, "machine-id", id, "");
    } else {
        item_text(ctx, "machine-id", NULL, "malformed: not 32 hexadecimal digits");
        probe_state(ctx, &table_asset_identity, STATE_MALFORMED, "malformed: /etc/machine-id");
    }
}

static void dmi_item(struct probe_ctx *ctx, const struct sys_state *s, const char *name,
                     enum sys_file f)
{
    if (s->files[f].code == 0) {
        item(ctx, name, sys_text(s, f), "");
    } else if (s->dmi == SYS_IS_ABSENT) {
        /* Not proof of a machine without SMBIOS: the kernel may be built without its reader. */
        item_text(ctx, name, NULL, "no-dmi: the kernel shows no SMBIOS data");
    } else {
        item_unread(ctx, name, &s->files[f], unlisted(probe_host(ctx)));
    }
}

static void chassis(struct probe_ctx *ctx, const struct sys_state *s)
{
    static const char *const words[] = {[3] = "desktop",      [4] = "low-profile-desktop",
                                        [5] = "pizza-box",    [6] = "mini-tower",
                                        [7] = "tower",        [8] = "portable",
                                        [9] = "laptop",       [10] = "notebook",
                                        [11] = "hand-held",   [12] = "docking-station",
                                        [13] = "all-in-one",  [14] = "sub-notebook",
                                        [16] = "lunch-box",   [17] = "server",
                                        [23] = "rack-server", [28] = "blade",
                                        [30] = "tablet",      [31] = "convertible",
                                        [32] = "detachable",  [33] = "iot-gateway",
                                        [34] = "embedded",    [35] = "mini-pc",
                                        [36] = "stick-pc"};
    struct span text = sys_text(s, SYS_DMI_CHASSIS);
    int64_t type = 0;
    char other[32];

    if (s->files[SYS_DMI_CHASSIS].code != 0 || !span_decimal(text, 255, &type)) {
        dmi_item(ctx, s, "chassis", SYS_DMI_CHASSIS);
        return;
    }
    (void)snprintf(other, sizeof(other), "type-%d", (int)type); /* 1 = other, 2 = unknown */
    size_t i = (size_t)type;
    item_text(ctx, "chassis", i < ARRAY_LEN(words) && words[i] != NULL ? words[i] : other, "");
}

struct vendor_word {
    const char *starts; /* of a vendor or product field */
    const char *hypervisor;
    bool also_metal; /* the same maker offers machines without a hypervisor */
};

/* The hypervisor that SMBIOS fields name; NULL if none. *ret_metal: see vendor_word. */
static const char *named_hypervisor(const struct sys_state *s, bool *ret_metal)
{
    static const struct vendor_word words[] = {{"QEMU", "qemu", false},
                                               {"KVM", "kvm", false},
                                               {"KubeVirt", "kvm", false},
                                               {"OpenStack", "kvm", false},
                                               {"VMware", "vmware", false},
                                               {"VMW", "vmware", false},
                                               {"VirtualBox", "virtualbox", false},
                                               {"innotek GmbH", "virtualbox", false},
                                               {"Xen", "xen", false},
                                               {"HVM domU", "xen", false},
                                               {"Bochs", "bochs", false},
                                               {"Parallels", "parallels", false},
                                               {"BHYVE", "bhyve", false},
                                               {"Apple Virtualization", "apple", false},
                                               {"Virtual Machine", "hyper-v", false},
                                               {"Hyper-V", "hyper-v", false},
                                               {"Google Compute Engine", "google", true},
                                               {"Amazon EC2", "amazon", true}};
    static const enum sys_file fields[] = {SYS_DMI_PRODUCT, SYS_DMI_VENDOR, SYS_DMI_BOARD_VENDOR,
                                           SYS_DMI_BIOS_VENDOR};

    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        struct span text = sys_text(s, fields[f]);
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            if (span_starts(text, words[i].starts)) {
                *ret_metal = words[i].also_metal;
                return words[i].hypervisor;
            }
        }
    }
    return NULL;
}

/* "none" needs proof: a processor that would show the hypervisor's flag and does not, and
 * firmware data that name none. */
static void virtualisation(struct probe_ctx *ctx, const struct sys_state *s,
                           const struct cpuinfo *cpu)
{
    bool metal = false;
    const char *named = named_hypervisor(s, &metal);
    struct span xen = sys_text(s, SYS_HYPERVISOR);

    if (named != NULL && !(metal && cpu->has_flags && !cpu->hypervisor)) {
        item_text(ctx, "virtualisation", named, "");
    } else if (xen.n > 0) {
        item(ctx, "virtualisation", xen, "");
    } else if (cpu->hypervisor) {
        item_text(ctx, "virtualisation", "other", "");
    } else if (cpu->has_flags && s->files[SYS_DMI_VENDOR].code == 0) {
        item_text(ctx, "virtualisation", "none", "");
    } else {
        item_text(ctx, "virtualisation", NULL,
                  "not-provable: neither the processor nor the firmware says");
    }
}

/* The version file exists since Linux 5.5, older than any kernel that is supported. */
static void tpm(struct probe_ctx *ctx, const struct sys_state *s)
{
    struct span major = sys_text(s, SYS_TPM_MAJOR);

    if (s->tpm == SYS_IS_ABSENT) {
        item_text(ctx, "tpm", "none", "");
    } else if (span_is(major, "2")) {
        item_text(ctx, "tpm", "2.0", "");
    } else if (span_is(major, "1")) {
        item_text(ctx, "tpm", "1.2", "");
    } else {
        item_unread(ctx, "tpm", &s->files[SYS_TPM_MAJOR], unlisted(probe_host(ctx)));
    }
}

/* An EFI variable: four bytes of attributes, then its value; here one byte. -1: not that. */
static int efi_byte(const struct sys_read *r)
{
    return r->code == 0 && r->bytes.len == 5 ? (unsigned char)r->bytes.data[4] : -1;
}

static void secure_boot(struct probe_ctx *ctx, const struct sys_state *s)
{
    const struct sys_read *r = &s->files[SYS_SECURE_BOOT];
    int on = efi_byte(r);

    if (s->efi == SYS_IS_ABSENT) {
        item_text(ctx, "secure-boot", "not-efi", "");
    } else if (s->efi == SYS_NOT_KNOWN) {
        item_unread(ctx, "secure-boot", r, unlisted(probe_host(ctx)));
    } else if (on == 1 && efi_byte(&s->files[SYS_SHIM_VALIDATION]) == 1) {
        /* The firmware verifies shim, and shim verifies nothing. */
        item_text(ctx, "secure-boot", "disabled", "shim: its validation is switched off");
    } else if (on == 1 || on == 0) {
        item_text(ctx, "secure-boot", on == 1 ? "enabled" : "disabled", "");
    } else if (r->code == ERR_ABSENT && s->sees_efivars) {
        item_text(ctx, "secure-boot", "unsupported", "");
    } else if (r->code == ERR_ABSENT) {
        item_text(ctx, "secure-boot", NULL, "no-efivars: efivarfs is not mounted");
    } else if (r->code == 0) {
        item_text(ctx, "secure-boot", NULL, "malformed: not a one-byte variable");
    } else {
        item_unread(ctx, "secure-boot", r, "no-efivars");
    }
}

/* machine-id comes from /etc, all others from the kernel: either can be hidden without the other.
 */
int asset_identity_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    static const char *const from_sys[] = {"dmi-serial", "dmi-product",    "board-serial",
                                           "chassis",    "virtualisation", "tpm",
                                           "secure-boot"};
    const char *hidden = host_hidden(probe_host(ctx), HOST_SEES_SYS);
    const struct str *cpuinfo = &s->files[SYS_CPUINFO].bytes;
    struct cpuinfo cpu;

    if (cpuinfo_parse(str_text(cpuinfo), cpuinfo->len, &cpu, e) != 0) {
        return e->code;
    }
    machine_id(ctx, s);
    if (hidden != NULL) {
        for (size_t i = 0; i < ARRAY_LEN(from_sys); i++) {
            item_text(ctx, from_sys[i], NULL, hidden);
        }
        probe_state(ctx, &table_asset_identity, STATE_DENIED, "%s", hidden);
        return 0;
    }
    dmi_item(ctx, s, "dmi-serial", SYS_DMI_SERIAL);
    dmi_item(ctx, s, "dmi-product", SYS_DMI_PRODUCT);
    dmi_item(ctx, s, "board-serial", SYS_DMI_BOARD_SERIAL);
    chassis(ctx, s);
    virtualisation(ctx, s, &cpu);
    tpm(ctx, s);
    secure_boot(ctx, s);
    return 0;
}
