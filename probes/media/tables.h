/* The tables of the media probe and what they are concluded from. */
#ifndef TENKEN_PROBES_MEDIA_TABLES_H
#define TENKEN_PROBES_MEDIA_TABLES_H

#include "probes/media/gather.h"
#include "probes/media/kmod.h"
#include "probes/media/usbguard.h"

enum { MP_USBGUARD, MP_PATH, MP_STATE, MP_BARRIER, MP_PERSISTENT, MP_REASON };
enum {
    UP_USBGUARD,
    UP_MECHANISM,
    UP_CONFIGURED,
    UP_EFFECTIVE,
    UP_PERSISTENT,
    UP_SOURCE,
    UP_DETAIL
};

extern const struct table table_media_path_cases;
extern const struct table table_usb_policy_cases;
extern const struct table table_usb_devices;
extern const struct table table_media_devices;
extern const struct table table_media_events;
extern const struct table table_event_coverage;
extern const struct table table_boot_images;

/* Everything parsed, nothing concluded yet. */
struct media_world {
    const struct media_state *s;
    struct kmod_conf conf;
    struct kmod_index index;
    struct strv load_lists;
    struct str extra_modules, extra_builtin; /* what the index was told besides the lists */
    bool modules_disabled;
    bool no_modules;   /* this kernel cannot load any: no /proc/modules */
    bool lists_known;  /* modules.dep is there, or it is proved that there are no modules */
    const char *doubt; /* a look without which modules cannot be judged; NULL = none */
    struct usbguard_conf usbguard;
    const char *rules[64];
    size_t n_rules;
    bool rules_known;      /* all rule files were read */
    bool rules_newer;      /* changed after the daemon began */
    bool usbguard_enabled; /* at boot */
    bool usbguard_installed;
};

void media_world_done(struct media_world *w);
static inline void cleanup_media_world(struct media_world *w)
{
    media_world_done(w);
}
/* Parses what was gathered. ERR_NOMEM. */
int media_world_make(const struct media_state *s, struct media_world *ret, struct err *e) MUST_USE;

/* Three values: 1, 0, and not known. */
#define NOT_KNOWN (-1)

/* What the USB core lets through, whatever drivers there are. blocks: 1, 0, NOT_KNOWN. */
struct usb_gate {
    bool bus_absent; /* proved: no controller, or no USB in this kernel */
    char absent_why[64];
    int hubs, hubs_closed; /* root hubs, and those that authorise nothing by themselves */
    int module_default;    /* usbcore.authorized_default of the next boot; NOT_KNOWN = not set */
    int blocks_now, blocks_boot;
    const char *barrier; /* authorized-default or usbguard, "" */
    char why[192];
};
/* interface: class triple of the device in question; alive: the daemon runs. */
void media_usb_gate(const struct media_world *w, bool alive, const char *interface,
                    struct usb_gate *ret);

/* True if a PCI device has that class (prefix of "0x0c0330") and vendor (NULL = any). */
bool media_has_pci(const struct media_state *s, const char *class_prefix, const char *vendor);
/* True if it is proved that the directory of /sys ("/sys/class/mmc_host/") holds nothing. */
bool media_is_empty(const struct media_state *s, const char *dir);

/* The rows of each table. ERR_NOMEM. */
int rows_media_paths(struct probe_ctx *ctx, const struct media_world *w, struct err *e) MUST_USE;
int rows_usb_policy(struct probe_ctx *ctx, const struct media_world *w, struct err *e) MUST_USE;
int rows_usb_devices(struct probe_ctx *ctx, const struct media_world *w, struct err *e) MUST_USE;
int rows_media_devices(struct probe_ctx *ctx, const struct media_world *w, struct err *e) MUST_USE;
int rows_boot_images(struct probe_ctx *ctx, const struct media_world *w, struct err *e) MUST_USE;

#endif
