/* The media probe: would a newly plugged recording device work, over which path, now and after the
 * next boot; and what is attached. Files are gathered in run(); everything is concluded in parse().
 */
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>

#include "probes/media/tables.h"

const struct table table_media_events = {
    .name = "media_events",
    .doc = "Recording devices that were attached, mounted or blocked, as the logs still tell. No "
           "row is no proof: see event_coverage.",
    .source = "kernel log of the USB core; journal",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"time", COL_TEXT, "utc", COL_KEY, NULL, "when"},
        {"action", COL_TEXT, "", COL_DECIDES, "attached|mounted|blocked", "what happened"},
        {"vendor_id", COL_TEXT, "", 0, NULL, "four hexadecimal digits"},
        {"model_id", COL_TEXT, "", 0, NULL, "four hexadecimal digits"},
        {"serial", COL_TEXT, "", COL_KEY, NULL, "empty = it told none"},
        {"source", COL_TEXT, "", 0, NULL, "log that tells it"}, )};

const struct table table_event_coverage = {
    .name = "event_coverage",
    .doc = "From when to when a log can tell of devices. Time without coverage is not known.",
    .source = "as media_events",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"source", COL_TEXT, "", COL_KEY, NULL, "log"},
                  {"from_time", COL_TEXT, "utc", COL_KEY, NULL, "its first record"},
                  {"to_time", COL_TEXT, "utc", 0, NULL, "its last record"},
                  {"gap_seconds", COL_INT, "seconds", COL_DECIDES | COL_NULLABLE, NULL,
                   "time between them without records of a running system"})};

static int media_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    CLEANUP(media_state) struct media_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_nomem(e);
    }
    int rc = media_gather(probe_host(ctx), s, e);
    if (rc == 0) {
        *ret_state = TAKE_PTR(s);
    }
    return rc;
}

/* Directories whose unreadability takes the ground from under a table. */
static void report_looks(struct probe_ctx *ctx, const struct table *t, const struct media_state *s,
                         const char *below)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct look *l = &s->looks[i];
        if (strncmp(l->path, below, strlen(below)) == 0 && l->code != 0 && l->code != ERR_ABSENT &&
            l->code != ERR_INVALID) {
            probe_state(ctx, t, l->code == ERR_DENIED ? STATE_DENIED : STATE_TRUNCATED, "%s: %s",
                        err_word(l->code), l->path);
        }
    }
}

static int media_parse(struct probe_ctx *ctx, void *state, struct err *e)
{
    static const struct {
        const struct table *table;
        int (*rows)(struct probe_ctx *, const struct media_world *, struct err *);
        const char *below;
    } all[] = {{&table_media_path_cases, rows_media_paths, "/sys/bus/"},
               {&table_usb_policy_cases, rows_usb_policy, "/sys/bus/"},
               {&table_usb_devices, rows_usb_devices, "/sys/bus/usb/"},
               {&table_media_devices, rows_media_devices, "/sys/"},
               {&table_boot_images, rows_boot_images, "/boot/"}};
    CLEANUP(media_state) struct media_state *s = state;
    CLEANUP(media_world) struct media_world w = {.s = NULL};
    int rc = s->hidden == NULL ? media_world_make(s, &w, e) : 0;
    for (size_t i = 0; i < ARRAY_LEN(all) && rc == 0; i++) {
        if (!probe_wants(ctx, all[i].table)) {
            continue;
        }
        if (s->hidden != NULL) {
            probe_state(ctx, all[i].table, STATE_DENIED, "%s", s->hidden);
            continue;
        }
        report_looks(ctx, all[i].table, s, all[i].below);
        rc = all[i].rows(ctx, &w, e);
    }
    /* Logs are not read: nothing may be concluded from there being no row. */
    const char *unread = s->hidden != NULL ? s->hidden : "not_visible: logs are not read for this";
    probe_state(ctx, &table_media_events, STATE_DENIED, "%s", unread);
    probe_state(ctx, &table_event_coverage, STATE_DENIED, "%s", unread);
    return rc;
}

const struct probe probe_media = {
    .name = "media",
    .doc = "Ways by which data could leave on a device that is plugged in.",
    .source = "modprobe.d(5); kernel Documentation/usb/authorization.rst; usbguard-daemon.conf(5)",
    .tables = PROBE_TABLES(&table_media_path_cases, &table_usb_policy_cases, &table_usb_devices,
                           &table_media_devices, &table_boot_images, &table_media_events,
                           &table_event_coverage),
    .reads =
        PROBE_LIST("/proc", "/sys", "/etc/modprobe.d", "/etc/modules", "/etc/modules-load.d",
                   "/etc/sysctl.conf", "/etc/sysctl.d", "/etc/udev/rules.d", "/etc/usbguard",
                   "/etc/systemd/system", "/run/modprobe.d", "/run/modules-load.d", "/run/sysctl.d",
                   "/run/udev/rules.d", "/usr/local/lib", "/usr/lib/modprobe.d", "/usr/lib/modules",
                   "/usr/lib/modules-load.d", "/usr/lib/sysctl.d", "/usr/lib/udev/rules.d",
                   "/lib/modules", "/lib/modprobe.d", "/lib/udev/rules.d", "/boot"),
    .syscalls = PROBE_LIST("@dir-walk"),
    .caps = 1ULL << CAP_DAC_READ_SEARCH, /* USBGuard's rules are root's alone */
    .network = NETWORK_NONE,
    .timeout_ms = 8000,
    .max_rows = 20000,
    .run = media_run,
    .parse = media_parse,
};
