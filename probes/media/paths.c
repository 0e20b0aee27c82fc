/* media_path_cases: per way to record, whether a newly plugged device would work for an ordinary
 * user, now and after the next boot. Concluded twice, with USBGuard's daemon alive and without:
 * which of the two holds is said by process_executables, which only another child can see. */
#include <stdio.h>
#include <string.h>

#include "probes/media/tables.h"

const struct table table_media_path_cases = {
    .name = "media_path_cases",
    .doc = "media_paths in two cases: as if usbguard-daemon did not run (usbguard = 0), and as if "
           "it did (1). The view media_paths takes the case that holds.",
    .source = "modprobe.d(5); kernel Documentation/usb/authorization.rst; usbguard-rules.conf(5)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"usbguard", COL_INT, "boolean", COL_KEY | COL_DECIDES, NULL, "the case"},
        {"path", COL_TEXT, "", COL_KEY | COL_DECIDES,
         "usb-storage|uas|mtp|sd-card|optical|firewire|thunderbolt|bluetooth|usb-net|floppy",
         "way to record; mtp: phones and cameras (MTP, PTP)"},
        {"state", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, "blocked|open|absent",
         "blocked: a newly plugged device of that kind cannot be used by an ordinary user now; "
         "absent: this machine has no way to use it"},
        {"barrier", COL_TEXT, "", 0, NULL, "what blocks it; empty = nothing"},
        {"persistent", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL,
         "1: cannot be used after the next boot either"},
        {"reason", COL_TEXT, "", COL_HAS_NAMES, NULL, "what was seen"}, )};

struct verdict {
    int blocks_now, blocks_boot; /* 1, 0, NOT_KNOWN */
    bool absent;
    const char *barrier;
    char reason[400];
};

static int either(int a, int b)
{
    return a == 1 || b == 1 ? 1 : a == 0 && b == 0 ? 0 : NOT_KNOWN;
}

static void set_absent(struct verdict *v, const char *why)
{
    *v = (struct verdict){.blocks_now = 1, .blocks_boot = 1, .absent = true, .barrier = "absent"};
    (void)snprintf(v->reason, sizeof(v->reason), "%s", why);
}

static const char *barrier_word(unsigned barriers)
{
    return (barriers & KMOD_BY_INSTALL) != 0     ? "module-install"
           : (barriers & KMOD_BY_CMDLINE) != 0   ? "cmdline"
           : (barriers & KMOD_BY_BLACKLIST) != 0 ? "module-blacklist"
           : (barriers & KMOD_BY_DISABLED) != 0  ? "modules-disabled"
                                                 : "no-alias";
}

static int blocks_of(const struct media_world *w, const struct kmod_reach *r)
{
    if (r->in_kernel) {
        return 0;
    }
    /* what could not be read may hold a barrier, or a way round one */
    return w->doubt != NULL        ? NOT_KNOWN
           : r->answer == KMOD_NO  ? 1
           : r->answer == KMOD_YES ? 0
                                   : NOT_KNOWN;
}

static struct kmod_world kmod_world_of(const struct media_world *w, bool after_boot)
{
    return (struct kmod_world){.conf = &w->conf,
                               .index = &w->index,
                               .load_lists = &w->load_lists,
                               .modules_disabled = w->modules_disabled,
                               .after_boot = after_boot,
                               .barriers = KMOD_BY_ALL};
}

/* One driver. */
static int judge_driver(const struct media_world *w, const char *driver, struct verdict *v,
                        struct err *e)
{
    struct kmod_world now = kmod_world_of(w, false);
    struct kmod_world boot = kmod_world_of(w, true);
    struct kmod_reach a;
    struct kmod_reach b;
    int rc = kmod_reach(&now, driver, &a, e);
    if (rc == 0) {
        rc = kmod_reach(&boot, driver, &b, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (!a.exists && w->lists_known) {
        set_absent(v, "no-driver");
        return 0;
    }
    *v = (struct verdict){.blocks_now = a.exists ? blocks_of(w, &a) : NOT_KNOWN,
                          .blocks_boot = a.exists ? blocks_of(w, &b) : NOT_KNOWN,
                          .barrier = barrier_word(a.barriers)};
    /* a barrier that is set and led round is worth a word; one that comes too late is, too */
    bool round = a.answer == KMOD_YES && !a.in_kernel && a.barriers != 0;
    const char *why = w->doubt != NULL && !a.in_kernel ? w->doubt : a.why;
    (void)snprintf(v->reason, sizeof(v->reason), "%s: %s%s%s%s", driver,
                   why[0] != '\0' ? why : v->barrier, round ? ", round " : "",
                   round ? v->barrier : "",
                   a.in_kernel && v->blocks_boot == 1 ? ", blocked after the next boot" : "");
    return 0;
}

/* Several drivers of one kind: the one that lets most through speaks for all. */
static int judge_drivers(const struct media_world *w, const char *const *drivers, struct verdict *v,
                         struct err *e)
{
    set_absent(v, "no-driver");
    for (; *drivers != NULL; drivers++) {
        struct verdict one;
        int rc = judge_driver(w, *drivers, &one, e);
        if (rc != 0) {
            return rc;
        }
        if (one.absent) {
            continue;
        }
        int boot = v->absent                                     ? one.blocks_boot
                   : v->blocks_boot == 0 || one.blocks_boot == 0 ? 0
                   : v->blocks_boot == 1 && one.blocks_boot == 1 ? 1
                                                                 : NOT_KNOWN;
        bool worse = v->absent || (v->blocks_now != 0 && one.blocks_now == 0) ||
                     (v->blocks_now == 1 && one.blocks_now == NOT_KNOWN);
        if (worse) {
            *v = one;
        }
        v->blocks_boot = boot;
    }
    return 0;
}

/* A driver and what the USB core lets through: either stops a device. */
static void behind_gate(const struct media_world *w, bool alive, const char *interface,
                        struct verdict *v)
{
    struct usb_gate g;
    media_usb_gate(w, alive, interface, &g);
    if (g.bus_absent) {
        set_absent(v, g.absent_why);
        return;
    }
    if (v->absent) {
        return;
    }
    if (v->blocks_now != 1 && g.blocks_now == 1) {
        v->barrier = g.barrier;
    }
    bool by_driver = v->blocks_now == 1;
    v->blocks_now = either(v->blocks_now, g.blocks_now);
    v->blocks_boot = either(v->blocks_boot, g.blocks_boot);
    if (g.why[0] != '\0' && !by_driver) {
        size_t n = strlen(v->reason);
        (void)snprintf(v->reason + n, sizeof(v->reason) - n, "%s%s", n > 0 ? "; " : "", g.why);
    }
}

static int judge_usb(const struct media_world *w, bool alive, const char *const *drivers,
                     const char *interface, struct verdict *v, struct err *e)
{
    int rc = judge_drivers(w, drivers, v, e);
    if (rc == 0) {
        behind_gate(w, alive, interface, v);
    }
    return rc;
}

static int judge_storage(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const drivers[] = {"usb_storage", NULL};
    return judge_usb(w, alive, drivers, "08:06:50", v, e);
}

static int judge_uas(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const drivers[] = {"uas", NULL};
    return judge_usb(w, alive, drivers, "08:06:62", v, e);
}

/* Programs talk to phones without any driver of the kernel: only the gate is in the way. */
static int judge_mtp(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    (void)e;
    *v = (struct verdict){.barrier = "", .reason = "programs reach it through /dev/bus/usb"};
    behind_gate(w, alive, "06:01:01", v);
    return 0;
}

static int judge_usb_net(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const drivers[] = {"cdc_ether", "rndis_host",   "cdc_ncm",        "cdc_mbim",
                                          "ipheth",    "cdc_eem",      "cdc_subset",     "r8152",
                                          "asix",      "ax88179_178a", "usbnet",         "smsc95xx",
                                          "r8153_ecm", "cdc_phonet",   "qmi_wwan",       "kaweth",
                                          "pegasus",   "rtl8150",      "huawei_cdc_ncm", NULL};
    return judge_usb(w, alive, drivers, "02:06:00", v, e);
}

/* Slots on the bus of the board, or a reader of the same family at USB. */
static int judge_sd(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const cards[] = {"mmc_block", "mspro_block", "ms_block", NULL};
    static const char *const readers[] = {"rtsx_usb", NULL};
    bool slot = !media_is_empty(w->s, "/sys/class/mmc_host/") ||
                media_has_pci(w->s, "0x0805", NULL) || media_has_pci(w->s, "0xff00", "0x10ec");
    int rc = judge_drivers(w, cards, v, e);
    if (rc != 0 || slot || v->absent) {
        return rc;
    }
    struct verdict reader;
    rc = judge_usb(w, alive, readers, "ff:06:50", &reader, e);
    if (rc == 0 && reader.absent) {
        set_absent(v, "no-controller");
    } else if (rc == 0) {
        bool by_card = v->blocks_now == 1;
        reader.blocks_now = either(reader.blocks_now, v->blocks_now);
        reader.blocks_boot = either(reader.blocks_boot, v->blocks_boot);
        *v = by_card ? *v : reader;
    }
    return rc;
}

/* True if the kernel says that a drive can write. proc: sys/dev/cdrom/info. */
static bool has_writer(const struct media_state *s)
{
    const struct look *info = media_look(s, "/proc/sys/dev/cdrom/info");
    for (const char *p = info != NULL ? info->bytes : ""; (p = strstr(p, "Can write ")) != NULL;) {
        size_t n = strcspn(p, "\n");
        const char *colon = memchr(p, ':', n);
        if (colon != NULL && memchr(colon, '1', n - (size_t)(colon - p)) != NULL) {
            return true;
        }
        p += n;
    }
    return false;
}

static int judge_optical(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const drives[] = {"sr_mod", NULL};
    int rc = judge_drivers(w, drives, v, e);
    if (rc != 0 || has_writer(w->s) || v->absent) {
        if (rc == 0 && has_writer(w->s) && !v->absent) {
            (void)snprintf(v->reason, sizeof(v->reason), "a drive that can write is attached");
            v->blocks_now = 0;
        }
        return rc;
    }
    struct verdict storage;
    struct verdict uas;
    rc = judge_storage(w, alive, &storage, e);
    rc = rc == 0 ? judge_uas(w, alive, &uas, e) : rc;
    if (rc != 0) {
        return rc;
    }
    if (storage.absent && uas.absent) {
        set_absent(v, "no drive that can write, no USB storage");
        return 0;
    }
    const struct verdict *way = storage.blocks_now == 1 && uas.blocks_now != 1 ? &uas : &storage;
    const struct verdict *later =
        storage.blocks_boot == 1 && uas.blocks_boot != 1 ? &uas : &storage;
    bool by_drive = v->blocks_now == 1;
    int boot = either(v->blocks_boot, later->blocks_boot);
    int now = either(v->blocks_now, way->blocks_now);
    if (!by_drive) {
        *v = *way;
    }
    v->blocks_now = now;
    v->blocks_boot = boot;
    return 0;
}

static int judge_firewire(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const drivers[] = {"firewire_sbp2", NULL};
    (void)alive;
    if (media_is_empty(w->s, "/sys/bus/firewire/devices/") &&
        !media_has_pci(w->s, "0x0c00", NULL)) {
        set_absent(v, "no-controller");
        return 0;
    }
    return judge_drivers(w, drivers, v, e);
}

/* security: what the firmware demands before a device gets on the bus. */
static void thunderbolt_security(const struct media_world *w, struct verdict *v)
{
    const struct look *dir = media_look(w->s, "/sys/bus/thunderbolt/devices/");
    const char *p = NULL;
    char name[64];
    int blocks = 1;
    char worst[32] = "";
    while (media_next_name(dir, &p, name, sizeof(name))) {
        char level[32];
        if (strncmp(name, "domain", 6) != 0) {
            continue;
        }
        (void)media_text(w->s, level, sizeof(level), "/sys/bus/thunderbolt/devices/%s/security",
                         name);
        bool closed = strcmp(level, "dponly") == 0 || strcmp(level, "usbonly") == 0 ||
                      strcmp(level, "nopcie") == 0;
        bool asks = strcmp(level, "user") == 0 || strcmp(level, "secure") == 0;
        int one = closed ? 1 : asks ? NOT_KNOWN : 0;
        if (one == 0 || (one == NOT_KNOWN && blocks == 1)) {
            blocks = one;
            (void)snprintf(worst, sizeof(worst), "%s", level);
        }
    }
    v->blocks_now = either(v->blocks_now, blocks);
    v->blocks_boot = either(v->blocks_boot, blocks);
    v->barrier = blocks == 1 ? "thunderbolt-security" : v->barrier;
    (void)snprintf(v->reason, sizeof(v->reason), "security %s",
                   worst[0] != '\0' ? worst : "closed");
}

static int judge_thunderbolt(const struct media_world *w, bool alive, struct verdict *v,
                             struct err *e)
{
    static const char *const drivers[] = {"thunderbolt", NULL};
    (void)alive;
    bool domains = !media_is_empty(w->s, "/sys/bus/thunderbolt/devices/");
    if (!domains && !media_has_pci(w->s, "0x0c0340", NULL) &&
        !media_has_pci(w->s, "0x0880", "0x8086")) {
        set_absent(v, "no-controller");
        return 0;
    }
    int rc = judge_drivers(w, drivers, v, e);
    if (rc == 0 && domains && !v->absent) {
        thunderbolt_security(w, v);
    }
    return rc;
}

/* A radio that is there works unless its hardware switch is off; one can be plugged, too. */
static int judge_bluetooth(const struct media_world *w, bool alive, struct verdict *v,
                           struct err *e)
{
    static const char *const drivers[] = {"btusb", NULL};
    if (media_is_empty(w->s, "/sys/class/bluetooth/")) {
        return judge_usb(w, alive, drivers, "e0:01:01", v, e);
    }
    const struct look *dir = media_look(w->s, "/sys/class/rfkill/");
    const char *p = NULL;
    char name[64];
    unsigned radios = 0;
    unsigned hard = 0;
    while (media_next_name(dir, &p, name, sizeof(name))) {
        char text[32];
        if (strcmp(media_text(w->s, text, sizeof(text), "/sys/class/rfkill/%s/type", name),
                   "bluetooth") == 0) {
            radios++;
            hard += strcmp(media_text(w->s, text, sizeof(text), "/sys/class/rfkill/%s/hard", name),
                           "1") == 0;
        }
    }
    bool off = radios > 0 && hard == radios;
    *v = (struct verdict){
        .blocks_now = off, .blocks_boot = off ? NOT_KNOWN : 0, .barrier = off ? "rfkill-hard" : ""};
    (void)snprintf(v->reason, sizeof(v->reason), "%s",
                   off ? "its switch is off" : "a radio is there; a soft switch is the user's");
    return 0;
}

static int judge_floppy(const struct media_world *w, bool alive, struct verdict *v, struct err *e)
{
    static const char *const drivers[] = {"floppy", NULL};
    const struct look *blocks = media_look(w->s, "/sys/class/block/");
    (void)alive;
    bool drive = blocks != NULL &&
                 (strncmp(blocks->bytes, "fd", 2) == 0 || strstr(blocks->bytes, "\nfd") != NULL);
    if (!drive && w->s->sys_seen) {
        set_absent(v, "no drive");
        return 0;
    }
    return judge_drivers(w, drivers, v, e);
}

static void put_row(struct probe_ctx *ctx, bool alive, const char *path, const struct verdict *v)
{
    const struct table *t = &table_media_path_cases;
    row_begin(ctx, t);
    row_int(ctx, MP_USBGUARD, alive);
    row_text(ctx, MP_PATH, path);
    if (v->absent || v->blocks_now != NOT_KNOWN) {
        row_text(ctx, MP_STATE, v->absent ? "absent" : v->blocks_now == 1 ? "blocked" : "open");
    }
    row_text(ctx, MP_BARRIER, v->blocks_now == 1 ? v->barrier : "");
    if (v->blocks_boot != NOT_KNOWN) {
        row_int(ctx, MP_PERSISTENT, v->blocks_boot);
    }
    row_text(ctx, MP_REASON, v->reason);
    row_end(ctx);
}

int rows_media_paths(struct probe_ctx *ctx, const struct media_world *w, struct err *e)
{
    static const struct {
        const char *path;
        int (*judge)(const struct media_world *, bool, struct verdict *, struct err *);
    } all[] = {{"usb-storage", judge_storage},
               {"uas", judge_uas},
               {"mtp", judge_mtp},
               {"sd-card", judge_sd},
               {"optical", judge_optical},
               {"firewire", judge_firewire},
               {"thunderbolt", judge_thunderbolt},
               {"bluetooth", judge_bluetooth},
               {"usb-net", judge_usb_net},
               {"floppy", judge_floppy}};
    for (unsigned alive = 0; alive < 2; alive++) {
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            struct verdict v = {.barrier = ""};
            int rc = all[i].judge(w, alive != 0, &v, e);
            if (rc != 0) {
                return rc;
            }
            put_row(ctx, alive != 0, all[i].path, &v);
        }
    }
    return 0;
}
