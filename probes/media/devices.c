/* What is plugged in: usb_devices in osquery's form, and every block device that hangs on a bus
 * that people plug into, told by where it hangs in sysfs and never by its "removable" flag. */
#include <stdio.h>
#include <string.h>

#include "probes/media/tables.h"
#include "probes/system/text.h"

enum {
    UD_ADDRESS,
    UD_PORT,
    UD_VENDOR,
    UD_VENDOR_ID,
    UD_VERSION,
    UD_MODEL,
    UD_MODEL_ID,
    UD_SERIAL,
    UD_CLASS,
    UD_SUBCLASS,
    UD_PROTOCOL,
    UD_REMOVABLE
};
enum { MD_DEVICE, MD_KIND, MD_VENDOR, MD_MODEL, MD_SERIAL, MD_VENDOR_ID, MD_MODEL_ID, MD_MOUNT };

const struct table table_usb_devices = {
    .name = "usb_devices",
    .doc = "USB devices that are actively plugged into the host system (osquery).",
    .source =
        "osquery specs/posix/usb_devices.table; kernel Documentation/ABI/testing/sysfs-bus-usb",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS({"usb_address", COL_INT, "", COL_KEY, NULL, "USB Device used address"},
                  {"usb_port", COL_INT, "", COL_KEY, NULL, "USB Device used port"},
                  {"vendor", COL_TEXT, "", 0, NULL, "USB Device vendor string"},
                  {"vendor_id", COL_TEXT, "", 0, NULL, "Hex encoded USB Device vendor identifier"},
                  {"version", COL_TEXT, "", 0, NULL, "USB Device version number"},
                  {"model", COL_TEXT, "", 0, NULL, "USB Device model string"},
                  {"model_id", COL_TEXT, "", 0, NULL, "Hex encoded USB Device model identifier"},
                  {"serial", COL_TEXT, "", 0, NULL, "USB Device serial connection"},
                  {"class", COL_TEXT, "", 0, NULL, "USB Device class"},
                  {"subclass", COL_TEXT, "", 0, NULL, "USB Device subclass"},
                  {"protocol", COL_TEXT, "", 0, NULL, "USB Device protocol"},
                  {"removable", COL_INT, "boolean", COL_NULLABLE, NULL,
                   "1 If USB device is removable else 0"}, )};

const struct table table_media_devices = {
    .name = "media_devices",
    .doc = "Block devices on USB, SD, FireWire and optical drives with a medium, and USB devices "
           "with an interface for storage or pictures, as attached now. Raw; media_attached adds "
           "whether the site approved them.",
    .source = "kernel Documentation/ABI/testing/sysfs-block, sysfs-bus-usb; proc_pid_mountinfo(5)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"device", COL_TEXT, "", COL_KEY, NULL, "block device, or usb:PORT"},
                  {"kind", COL_TEXT, "", COL_DECIDES,
                   "usb-disk|usb-device|sd-card|firewire|optical",
                   "usb-device: storage or camera without a block device"},
                  {"vendor", COL_TEXT, "", 0, NULL, "as it names itself"},
                  {"model", COL_TEXT, "", 0, NULL, "as it names itself"},
                  {"serial", COL_TEXT, "", COL_DECIDES, NULL, "empty = it tells none"},
                  {"vendor_id", COL_TEXT, "", COL_DECIDES, NULL, "four hexadecimal digits of USB"},
                  {"model_id", COL_TEXT, "", COL_DECIDES, NULL, "four hexadecimal digits of USB"},
                  {"mount", COL_TEXT, "", COL_HAS_NAMES, NULL,
                   "where it or a part of it is mounted; empty = nowhere"}, )};

#define NAME_TEXT_MAX 128U

static const char *usb_text(const struct media_world *w, char *ret, size_t size, const char *device,
                            const char *attribute)
{
    return media_text(w->s, ret, size, "/sys/bus/usb/devices/%s/%s", device, attribute);
}

/* "1-1.4" or "usb1": a device; "1-1:1.0" is an interface. */
static bool is_device(const char *name)
{
    return strchr(name, ':') == NULL;
}

int rows_usb_devices(struct probe_ctx *ctx, const struct media_world *w, struct err *e)
{
    static const struct {
        unsigned column;
        const char *attribute;
    } texts[] = {{UD_VENDOR, "manufacturer"},     {UD_VENDOR_ID, "idVendor"},
                 {UD_VERSION, "bcdDevice"},       {UD_MODEL, "product"},
                 {UD_MODEL_ID, "idProduct"},      {UD_SERIAL, "serial"},
                 {UD_CLASS, "bDeviceClass"},      {UD_SUBCLASS, "bDeviceSubClass"},
                 {UD_PROTOCOL, "bDeviceProtocol"}};
    const struct look *dir = media_look(w->s, "/sys/bus/usb/devices/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    (void)e;
    while (media_next_name(dir, &p, name, sizeof(name))) {
        char text[256];
        if (!is_device(name)) {
            continue;
        }
        row_begin(ctx, &table_usb_devices);
        row_int(ctx, UD_ADDRESS,
                strtoll(usb_text(w, text, sizeof(text), name, "devnum"), NULL, 10));
        row_int(ctx, UD_PORT, strtoll(usb_text(w, text, sizeof(text), name, "busnum"), NULL, 10));
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            row_text(ctx, texts[i].column,
                     usb_text(w, text, sizeof(text), name, texts[i].attribute));
        }
        (void)usb_text(w, text, sizeof(text), name, "removable");
        if (strcmp(text, "removable") == 0 || strcmp(text, "fixed") == 0) {
            row_int(ctx, UD_REMOVABLE, strcmp(text, "removable") == 0);
        }
        row_end(ctx);
    }
    return 0;
}

/* Mount points of a block device, by its number in mountinfo; of a disk, of its partitions too. */
static void mounts_of(const struct media_world *w, const char *block, char *ret, size_t size)
{
    const struct look *table = media_look(w->s, "/proc/1/mountinfo");
    const struct look *blocks = media_look(w->s, "/sys/class/block/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    ret[0] = '\0';
    while (table != NULL && media_next_name(blocks, &p, name, sizeof(name))) {
        char dev[32];
        char wanted[40];
        if (strncmp(name, block, strlen(block)) != 0) {
            continue;
        }
        (void)media_text(w->s, dev, sizeof(dev), "/sys/class/block/%s/dev", name);
        (void)snprintf(wanted, sizeof(wanted), " %s ", dev);
        const char *at = dev[0] != '\0' ? strstr(table->bytes, wanted) : NULL;
        if (at == NULL || ret[0] != '\0') {
            continue;
        }
        struct span rest = span_of(at + strlen(wanted), strcspn(at + strlen(wanted), "\n"));
        struct span root;
        struct span point;
        if (span_word(&rest, &root) && span_word(&rest, &point)) {
            (void)snprintf(ret, size, "%.*s", (int)point.n, point.p);
        }
    }
}

/* The USB device that a sysfs path goes through: the last component before the interface. */
static bool usb_parent(const char *link, char *ret, size_t size)
{
    const char *found = NULL;
    size_t found_n = 0;
    for (const char *at = link; (at = strchr(at, '/')) != NULL; at++) {
        size_t n = strcspn(at + 1, "/");
        const char *colon = memchr(at + 1, ':', n);
        const char *dash = memchr(at + 1, '-', n);
        if (colon != NULL && dash != NULL && dash < colon && at[1] >= '1' && at[1] <= '9' &&
            strstr(link, "/usb") != NULL) {
            found = at + 1;
            found_n = (size_t)(colon - at - 1);
        }
    }
    if (found == NULL || found_n >= size) {
        return false;
    }
    memcpy(ret, found, found_n);
    ret[found_n] = '\0';
    return true;
}

struct attached {
    const char *device, *kind, *usb, *mount;
};

static void put_attached(struct probe_ctx *ctx, const struct media_world *w,
                         const struct attached *a)
{
    static const struct {
        unsigned column;
        const char *attribute;
    } texts[] = {{MD_VENDOR, "manufacturer"},
                 {MD_MODEL, "product"},
                 {MD_SERIAL, "serial"},
                 {MD_VENDOR_ID, "idVendor"},
                 {MD_MODEL_ID, "idProduct"}};
    char text[256];
    row_begin(ctx, &table_media_devices);
    row_text(ctx, MD_DEVICE, a->device);
    row_text(ctx, MD_KIND, a->kind);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        row_text(ctx, texts[i].column,
                 a->usb[0] != '\0' ? usb_text(w, text, sizeof(text), a->usb, texts[i].attribute)
                                   : "");
    }
    row_text(ctx, MD_MOUNT, a->mount);
    row_end(ctx);
}

/* Whole disks only: partitions are part of them. */
static void block_rows(struct probe_ctx *ctx, const struct media_world *w)
{
    const struct look *blocks = media_look(w->s, "/sys/class/block/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    while (media_next_name(blocks, &p, name, sizeof(name))) {
        const struct look *link = media_look(w->s, "/sys/class/block/%s", name);
        char usb[64] = "";
        char device[NAME_TEXT_MAX + 8];
        char mount[512];
        char above[NAME_TEXT_MAX + 16];
        (void)snprintf(above, sizeof(above), "/block/%s", name);
        size_t tail = strlen(above);
        if (link == NULL || link->code != 0 || link->n < tail ||
            strcmp(link->bytes + link->n - tail, above) != 0) {
            continue; /* a partition hangs below its disk, not below "block" */
        }
        bool is_usb = usb_parent(link->bytes, usb, sizeof(usb));
        bool is_card = strstr(link->bytes, "/mmc_host/") != NULL;
        bool is_wire = strstr(link->bytes, "/fw") != NULL && strstr(link->bytes, "/host") != NULL;
        if (!is_usb && !is_card && !is_wire) {
            continue;
        }
        (void)snprintf(device, sizeof(device), "/dev/%s", name);
        mounts_of(w, name, mount, sizeof(mount));
        struct attached a = {.device = device,
                             .usb = usb,
                             .mount = mount,
                             .kind = is_usb ? strncmp(name, "sr", 2) == 0 ? "optical" : "usb-disk"
                                     : is_card ? "sd-card"
                                               : "firewire"};
        put_attached(ctx, w, &a);
    }
}

static bool has_block(const struct media_world *w, const char *usb)
{
    const struct look *blocks = media_look(w->s, "/sys/class/block/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    while (media_next_name(blocks, &p, name, sizeof(name))) {
        const struct look *link = media_look(w->s, "/sys/class/block/%s", name);
        char parent[64];
        if (link != NULL && link->code == 0 && usb_parent(link->bytes, parent, sizeof(parent)) &&
            strcmp(parent, usb) == 0) {
            return true;
        }
    }
    return false;
}

/* Interfaces of class 08 (storage) and 06 (still image) on devices that show no block device. */
int rows_media_devices(struct probe_ctx *ctx, const struct media_world *w, struct err *e)
{
    const struct look *dir = media_look(w->s, "/sys/bus/usb/devices/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    char last[NAME_TEXT_MAX] = "";
    (void)e;
    block_rows(ctx, w);
    while (media_next_name(dir, &p, name, sizeof(name))) {
        char class[16];
        char usb[NAME_TEXT_MAX];
        char device[NAME_TEXT_MAX + 8];
        size_t n = strcspn(name, ":");
        (void)usb_text(w, class, sizeof(class), name, "bInterfaceClass");
        if (name[n] == '\0' || (strcmp(class, "08") != 0 && strcmp(class, "06") != 0)) {
            continue;
        }
        (void)snprintf(usb, sizeof(usb), "%.*s", (int)n, name);
        if (strcmp(usb, last) == 0 || has_block(w, usb)) {
            continue;
        }
        memcpy(last, usb, sizeof(last));
        (void)snprintf(device, sizeof(device), "usb:%s", usb);
        put_attached(
            ctx, w,
            &(struct attached){.device = device, .kind = "usb-device", .usb = usb, .mount = ""});
    }
    return 0;
}
