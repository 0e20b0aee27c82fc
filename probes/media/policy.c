/* usb_policy_cases: mechanism by mechanism, what is set and whether it alone would stop USB
 * storage. boot_images: whether the early boot's copy of the rules is older than the rules. */
#include <stdio.h>
#include <string.h>

#include "probes/media/tables.h"

const struct table table_usb_policy_cases = {
    .name = "usb_policy_cases",
    .doc = "usb_storage_policy in two cases: as if usbguard-daemon did not run (usbguard = 0), and "
           "as if it did (1). The view usb_storage_policy takes the case that holds.",
    .source = "modprobe.d(5); kernel Documentation/usb/authorization.rst; usbguard-daemon.conf(5)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"usbguard", COL_INT, "boolean", COL_KEY | COL_DECIDES, NULL, "the case"},
                  {"mechanism", COL_TEXT, "", COL_KEY | COL_DECIDES,
                   "module-blacklist|module-install|module-absent|cmdline|modules-disabled|"
                   "authorized-default|usbguard|udev|polkit",
                   "what could stop USB storage"},
                  {"configured", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL, "it is set"},
                  {"effective", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL,
                   "1: it alone stops a newly plugged stick now, over usb-storage and over uas"},
                  {"persistent", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL,
                   "1: it alone will after the next boot"},
                  {"source", COL_TEXT, "", COL_HAS_NAMES, NULL, "where it is set"},
                  {"detail", COL_TEXT, "", COL_HAS_NAMES, NULL, "what was seen"}, )};

const struct table table_boot_images = {
    .name = "boot_images",
    .doc = "Images of the early boot that hold their own copy of modprobe.d, and rules for USB "
           "storage that were written after the image was made. What the image holds is not read.",
    .source = "initramfs-tools(7), dracut(8)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"image", COL_TEXT, "", COL_KEY, NULL, "file of the running kernel's image"},
                  {"older_than", COL_TEXT, "", COL_KEY, NULL,
                   "file with a rule that came later; empty = none"})};

static void put(struct probe_ctx *ctx, bool alive, const char *mechanism, int configured,
                int effective, int persistent, const char *source, const char *detail)
{
    const struct {
        unsigned column;
        int value;
    } cells[] = {
        {UP_CONFIGURED, configured}, {UP_EFFECTIVE, effective}, {UP_PERSISTENT, persistent}};
    row_begin(ctx, &table_usb_policy_cases);
    row_int(ctx, UP_USBGUARD, alive);
    row_text(ctx, UP_MECHANISM, mechanism);
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        if (cells[i].value != NOT_KNOWN) {
            row_int(ctx, cells[i].column, cells[i].value);
        }
    }
    row_text(ctx, UP_SOURCE, source);
    row_text(ctx, UP_DETAIL, detail);
    row_end(ctx);
}

/* Whether these barriers alone keep both drivers out. */
static int stops(const struct media_world *w, unsigned barriers, bool after_boot, bool *ret_exists,
                 char *detail, size_t size, struct err *e)
{
    static const char *const drivers[] = {"usb_storage", "uas"};
    const struct kmod_world k = {.conf = &w->conf,
                                 .index = &w->index,
                                 .load_lists = &w->load_lists,
                                 .modules_disabled = w->modules_disabled,
                                 .after_boot = after_boot,
                                 .barriers = barriers};
    int all = 1;
    *ret_exists = false;
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        struct kmod_reach r;
        int rc = kmod_reach(&k, drivers[i], &r, e);
        if (rc != 0) {
            return rc - 100; /* told apart from the three values */
        }
        *ret_exists = *ret_exists || r.exists;
        int one = !r.exists || r.answer == KMOD_NO ? 1 : r.answer == KMOD_YES ? 0 : NOT_KNOWN;
        one = w->doubt != NULL && !r.in_kernel ? NOT_KNOWN : one;
        if (one != 1 && all == 1 && detail != NULL) {
            (void)snprintf(detail, size, "%s: %s", drivers[i],
                           w->doubt != NULL && !r.in_kernel ? w->doubt : r.why);
        }
        all = one == 0 || all == 0 ? 0 : one == NOT_KNOWN || all == NOT_KNOWN ? NOT_KNOWN : 1;
    }
    return all;
}

/* The first rule of that kind that speaks of USB storage. */
static const struct kmod_rule *rule_for(const struct media_world *w, int kind, bool cmdline)
{
    static const char *const names[] = {"usb_storage", "uas"};
    for (size_t i = 0; i < w->conf.n; i++) {
        const struct kmod_rule *r = &w->conf.rules[i];
        if ((int)r->kind != kind || r->from_cmdline != cmdline) {
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            const char *subject = kind == KMOD_ALIAS ? r->text : r->name;
            if (strcmp(subject, names[k]) == 0 ||
                (kind == KMOD_INSTALL && kmod_conf_find(&w->conf, KMOD_INSTALL, names[k]) == r)) {
                return r;
            }
        }
    }
    return NULL;
}

struct mechanism {
    const char *word;
    unsigned barrier;
    int kind;
};

static int module_rows(struct probe_ctx *ctx, const struct media_world *w, bool alive,
                       struct err *e)
{
    static const struct mechanism all[] = {{"module-blacklist", KMOD_BY_BLACKLIST, KMOD_BLACKLIST},
                                           {"module-install", KMOD_BY_INSTALL, KMOD_INSTALL},
                                           {"cmdline", KMOD_BY_CMDLINE, KMOD_BLACKLIST},
                                           {"modules-disabled", KMOD_BY_DISABLED, -1}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char detail[256] = "";
        char source[256] = "";
        bool exists = false;
        bool cmdline = all[i].barrier == KMOD_BY_CMDLINE;
        const struct kmod_rule *r = all[i].kind < 0 ? NULL : rule_for(w, all[i].kind, cmdline);
        int now = stops(w, all[i].barrier, false, &exists, detail, sizeof(detail), e);
        int boot = stops(w, all[i].barrier, true, &exists, NULL, 0, e);
        if (now < NOT_KNOWN || boot < NOT_KNOWN) {
            return err_nomem(e);
        }
        bool set = r != NULL || (cmdline && w->conf.kernel_blacklist.n > 0) ||
                   (all[i].kind < 0 && w->modules_disabled);
        if (r != NULL && !cmdline) {
            (void)snprintf(source, sizeof(source), "%s:%u", r->file, r->line);
        } else if (set) {
            (void)snprintf(source, sizeof(source), "%s",
                           cmdline ? "/proc/cmdline" : "/proc/sys/kernel/modules_disabled");
        }
        if (all[i].kind < 0 && media_look(w->s, "/etc/sysctl.conf") != NULL && set) {
            boot = NOT_KNOWN; /* set late in the boot, if at all: what came before stays in */
        }
        put(ctx, alive, all[i].word, set, exists && set ? now : 0, exists && set ? boot : 0, source,
            set ? detail : "");
    }
    bool exists = false;
    int rc = stops(w, 0, false, &exists, NULL, 0, e);
    if (rc < NOT_KNOWN) {
        return err_nomem(e);
    }
    int absent = exists ? 0 : w->lists_known ? 1 : NOT_KNOWN;
    put(ctx, alive, "module-absent", absent, absent, absent, "",
        absent == 1 ? "this kernel has neither usb-storage nor uas" : "");
    return 0;
}

static bool any_look(const struct media_state *s, const char *below, const char *word)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strstr(s->looks[i].path, below) != NULL && strstr(s->looks[i].bytes, word) != NULL) {
            return true;
        }
    }
    return false;
}

static void gate_rows(struct probe_ctx *ctx, const struct media_world *w, bool alive)
{
    struct usb_gate g;
    struct usb_gate hubs; /* without the daemon: the controllers' own answer */
    media_usb_gate(w, alive, "08:06:50", &g);
    media_usb_gate(w, false, "08:06:50", &hubs);
    char detail[256];
    bool by_hub = hubs.hubs > 0 && hubs.hubs_closed == hubs.hubs;
    (void)snprintf(detail, sizeof(detail), "%d of %d controllers authorise nothing by themselves",
                   hubs.hubs_closed, hubs.hubs);
    put(ctx, alive, "authorized-default", hubs.hubs_closed > 0 || hubs.module_default == 1,
        hubs.bus_absent || alive ? 0
        : by_hub                 ? hubs.blocks_now
                                 : 0,
        hubs.bus_absent                                    ? 0
        : hubs.module_default == 1 && !w->usbguard_enabled ? hubs.blocks_boot
                                                           : 0,
        hubs.bus_absent ? "" : "/sys/bus/usb/devices", hubs.bus_absent ? hubs.absent_why : detail);
    put(ctx, alive, "usbguard", w->usbguard_installed, !alive || g.bus_absent ? 0 : g.blocks_now,
        !w->usbguard_enabled || g.bus_absent ? 0 : g.blocks_boot,
        w->usbguard_installed ? "/etc/usbguard" : "",
        !w->usbguard_installed ? ""
        : g.bus_absent         ? g.absent_why
                               : g.why);
    /* rules that other programs carry out: seen as text only */
    bool udev = any_look(w->s, "/udev/rules.d/", "authorized");
    put(ctx, alive, "udev", udev, udev ? NOT_KNOWN : 0, udev ? NOT_KNOWN : 0,
        udev ? "udev/rules.d" : "", udev ? "a rule speaks of authorisation" : "");
    put(ctx, alive, "polkit", NOT_KNOWN, 0, 0, "",
        "rules about mounting do not stop a device; not looked at");
}

int rows_usb_policy(struct probe_ctx *ctx, const struct media_world *w, struct err *e)
{
    for (unsigned alive = 0; alive < 2; alive++) {
        int rc = module_rows(ctx, w, alive != 0, e);
        if (rc != 0) {
            return rc;
        }
        gate_rows(ctx, w, alive != 0);
    }
    return 0;
}

/* Rules of modprobe.d that stand between a stick and its driver. */
static bool is_barrier(const struct kmod_rule *r)
{
    return !r->from_cmdline && (r->kind == KMOD_BLACKLIST || r->kind == KMOD_INSTALL) &&
           (strcmp(r->name, "uas") == 0 || strncmp(r->name, "usb", 3) == 0);
}

int rows_boot_images(struct probe_ctx *ctx, const struct media_world *w, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < w->s->n; i++) {
        const struct look *image = &w->s->looks[i];
        const char *later = "";
        if (image->code != 0 || strncmp(image->path, "/boot/", 6) != 0) {
            continue;
        }
        for (size_t k = 0; k < w->conf.n && later[0] == '\0'; k++) {
            const struct look *file = media_look(w->s, "%s", w->conf.rules[k].file);
            if (is_barrier(&w->conf.rules[k]) && file != NULL && file->mtime_s > image->mtime_s) {
                later = file->path;
            }
        }
        row_begin(ctx, &table_boot_images);
        row_text(ctx, 0, image->path);
        row_text(ctx, 1, later);
        row_end(ctx);
    }
    return 0;
}
