/* USBGuard's settings and rules, as far as needed to say whether a device nobody knows would be
 * authorised. usbguard-daemon.conf(5), usbguard-rules.conf(5). Pure. */
#ifndef TENKEN_PROBES_MEDIA_USBGUARD_H
#define TENKEN_PROBES_MEDIA_USBGUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "probes/media/kmod.h"

struct usbguard_conf {
    bool implicit_allows;  /* ImplicitPolicyTarget=allow */
    bool inserted_applies; /* InsertedDevicePolicy=apply-policy: else the value decides alone */
    bool inserted_blocks;  /* ... and is block or reject */
    bool present_keeps;    /* PresentDevicePolicy=keep or allow: a stick present at its start */
    char rule_file[256];
};

/* Defaults of usbguard 1.1, then the settings. */
void usbguard_conf_parse(const char *bytes, size_t n, struct usbguard_conf *ret);

/* Would the rules authorise a device of that kind which is in no rule by serial or hash? interface:
 * its class triple "08:06:50". Tried alone and beside a keyboard's interface, since a device may
 * have both. Goes through the rules (texts of the files in order, each NUL-terminated) until one
 * matches for certain; ret_rule: which one decided, "" = the implicit target. MAYBE: a rule with
 * conditions, for a whole model, or one that is not understood. */
enum kmod_answer usbguard_allows(const struct usbguard_conf *c, const char *const *files,
                                 size_t n_files, const char *interface, char *ret_rule,
                                 size_t size);

#endif
