/* What the USB core lets through: root hubs that authorise nothing, and USBGuard, which authorises
 * by rules. kernel Documentation/usb/authorization.rst. */
#include <stdio.h>
#include <string.h>

#include "probes/media/tables.h"
#include "probes/system/text.h"

#define NAME_TEXT_MAX 128U

static bool is_root_hub(const char *name)
{
    return strncmp(name, "usb", 3) == 0 && name[3] != '\0' &&
           name[3 + strspn(name + 3, "0123456789")] == '\0';
}

/* 0: none. 2: only what firmware calls internal. -1 and 1 authorise. */
static bool closes(const char *value)
{
    return strcmp(value, "0") == 0 || strcmp(value, "2") == 0;
}

static void count_hubs(const struct media_state *s, struct usb_gate *g)
{
    const struct look *dir = media_look(s, "/sys/bus/usb/devices/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    while (media_next_name(dir, &p, name, sizeof(name))) {
        char device[16];
        char interface[16];
        if (!is_root_hub(name)) {
            continue;
        }
        g->hubs++;
        (void)media_text(s, device, sizeof(device), "/sys/bus/usb/devices/%s/authorized_default",
                         name);
        (void)media_text(s, interface, sizeof(interface),
                         "/sys/bus/usb/devices/%s/interface_authorized_default", name);
        g->hubs_closed += closes(device) || strcmp(interface, "0") == 0;
    }
}

bool media_has_pci(const struct media_state *s, const char *class_prefix, const char *vendor)
{
    const struct look *dir = media_look(s, "/sys/bus/pci/devices/");
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    while (media_next_name(dir, &p, name, sizeof(name))) {
        char class[16];
        char id[16];
        (void)media_text(s, class, sizeof(class), "/sys/bus/pci/devices/%s/class", name);
        (void)media_text(s, id, sizeof(id), "/sys/bus/pci/devices/%s/vendor", name);
        if (strncmp(class, class_prefix, strlen(class_prefix)) == 0 &&
            (vendor == NULL || strcmp(id, vendor) == 0)) {
            return true;
        }
    }
    return false;
}

bool media_is_empty(const struct media_state *s, const char *dir)
{
    const struct look *l = media_look(s, "%s", dir);
    return s->sys_seen && l != NULL && ((l->code == 0 && l->n == 0) || l->code == ERR_ABSENT);
}

/* Controllers outside PCI, as on boards. */
static bool has_platform_usb(const struct media_state *s)
{
    static const char *const words[] = {"usb",  "dwc2", "dwc3", "xhci",
                                        "ehci", "ohci", "uhci", "musb"};
    const struct look *l = media_look(s, "/sys/bus/platform/devices/");
    for (size_t i = 0; l != NULL && i < ARRAY_LEN(words); i++) {
        if (strcasestr(l->bytes, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool udev_says(const struct media_state *s, const char *text)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strstr(s->looks[i].path, "/udev/rules.d/") != NULL &&
            strstr(s->looks[i].bytes, text) != NULL) {
            return true;
        }
    }
    return false;
}

/* usbcore's parameter at the next boot: of the command line, or of modprobe.d where usbcore is a
 * module. */
static int next_default(const struct media_world *w)
{
    const struct kmod_module *core = kmod_index_find(&w->index, "usbcore", 7);
    int value = NOT_KNOWN;
    for (size_t i = 0; i < w->conf.n; i++) {
        const struct kmod_rule *r = &w->conf.rules[i];
        const char *at = r->kind == KMOD_OPTIONS && strcmp(r->name, "usbcore") == 0
                             ? strstr(r->text, "authorized_default=")
                             : NULL;
        if (at != NULL && (r->from_cmdline || (core != NULL && !core->builtin))) {
            value = closes((char[]){at[19], '\0'}) && (at[20] == '\0' || at[20] == ' ');
        }
    }
    return value;
}

/* Without a daemon: what the hubs do, unless udev undoes it. */
static void judge_hubs(const struct media_world *w, struct usb_gate *g)
{
    bool undone = udev_says(w->s, "authorized}=\"1\"");
    g->blocks_now = g->hubs > 0 && g->hubs_closed == g->hubs ? undone ? NOT_KNOWN : 1 : 0;
    g->module_default = next_default(w);
    g->blocks_boot = g->module_default == 1 ? undone ? NOT_KNOWN : 1 : 0;
    if (g->blocks_boot == 0 && udev_says(w->s, "authorized_default}=\"0\"")) {
        g->blocks_boot = NOT_KNOWN; /* configured, but whether the rule takes effect is not seen */
    }
    if (g->hubs_closed > 0 && g->hubs_closed < g->hubs) {
        (void)snprintf(g->why, sizeof(g->why), "%d of %d controllers authorise every device",
                       g->hubs - g->hubs_closed, g->hubs);
    } else if (g->blocks_now != 0 && undone) {
        (void)snprintf(g->why, sizeof(g->why), "a udev rule authorises devices");
    } else if (g->blocks_now == 1) {
        (void)snprintf(g->why, sizeof(g->why), "authorized_default of all %d controllers%s",
                       g->hubs, g->blocks_boot == 0 ? ", nothing sets it at boot" : "");
    }
    g->barrier = "authorized-default";
}

static int of_answer(enum kmod_answer allowed)
{
    return allowed == KMOD_NO ? 1 : allowed == KMOD_YES ? 0 : NOT_KNOWN;
}

static void judge_usbguard(const struct media_world *w, bool alive, const char *interface,
                           struct usb_gate *g)
{
    char rule[128];
    enum kmod_answer allowed =
        usbguard_allows(&w->usbguard, w->rules, w->n_rules, interface, rule, sizeof(rule));
    const char *doubt = !w->rules_known           ? "usbguard: rules cannot be read"
                        : w->rules_newer && alive ? "usbguard: rules changed after the daemon began"
                                                  : NULL;
    allowed = doubt != NULL && allowed == KMOD_NO ? KMOD_MAYBE : allowed;
    bool open_hub = g->hubs_closed < g->hubs;
    if (alive) {
        g->barrier = "usbguard";
        g->blocks_now = of_answer(allowed);
        if (open_hub && g->blocks_now == 1) {
            g->blocks_now = NOT_KNOWN;
            doubt = "usbguard: a controller authorises before the daemon decides";
        }
        (void)snprintf(g->why, sizeof(g->why), "%s%s%s",
                       doubt != NULL        ? doubt
                       : allowed == KMOD_NO ? "usbguard: no rule allows it"
                                            : "usbguard: allowed by ",
                       doubt == NULL && allowed != KMOD_NO ? rule : "", "");
    }
    if (w->usbguard_enabled && g->blocks_boot != 1) {
        g->blocks_boot = of_answer(allowed);
        if (g->blocks_boot == 1 && (!alive || w->usbguard.present_keeps)) {
            g->blocks_boot =
                NOT_KNOWN; /* it does not run although it should; or keeps what is in */
        }
    } else if (w->usbguard_enabled && alive) {
        g->blocks_boot = of_answer(allowed); /* the daemon authorises what its rules allow */
    }
    if (!alive && w->usbguard_installed && g->why[0] == '\0') {
        (void)snprintf(g->why, sizeof(g->why), "usbguard is installed and does not run");
    }
}

void media_usb_gate(const struct media_world *w, bool alive, const char *interface,
                    struct usb_gate *ret)
{
    const struct media_state *s = w->s;
    *ret = (struct usb_gate){.module_default = NOT_KNOWN, .barrier = ""};
    count_hubs(s, ret);
    if (s->sys_seen && ret->hubs == 0 && !media_has_pci(s, "0x0c03", NULL) &&
        !has_platform_usb(s)) {
        ret->bus_absent = true;
        (void)snprintf(ret->absent_why, sizeof(ret->absent_why), "%s",
                       w->no_modules && media_is_empty(s, "/sys/bus/usb/drivers/")
                           ? "kernel-without-usb"
                           : "no-controller");
        return;
    }
    if (ret->hubs == 0) {
        ret->blocks_now = NOT_KNOWN;
        ret->blocks_boot = NOT_KNOWN;
        (void)snprintf(ret->why, sizeof(ret->why), "a USB controller has no driver");
        return;
    }
    judge_hubs(w, ret);
    judge_usbguard(w, alive, interface, ret);
}
