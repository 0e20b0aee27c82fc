/* Kinds of block devices by name and place. Kernel Documentation/admin-guide/devices.txt. */
#include "probes/disk/blockname.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/compiler.h"
#include "agent/base/str.h"

/* prefix followed by a digit (or, for letters = true, by a letter). */
static bool named(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && isdigit((unsigned char)name[n]);
}

/* NVMe behind several controllers stands below a subsystem: every controller of it counts. A
 * controller whose transport cannot be read is taken for remote: then nothing is claimed. */
static bool nvme_is_remote(const struct bag *b, const char *link)
{
    if (strstr(link, "/nvme-fabrics/") != NULL) {
        return true;
    }
    if (strstr(link, "/virtual/nvme-subsystem/") == NULL) {
        return false; /* below its PCI controller */
    }
    const struct bag_item *list = bag_getf(b, "/sys/class/nvme/");
    bool any = false;
    for (const char *at = bag_next_name(list, NULL); at != NULL; at = bag_next_name(list, at)) {
        any = true;
        if (strncmp(bag_textf(b, "/sys/class/nvme/%s/transport", at), "pcie", 4) != 0) {
            return true;
        }
    }
    return !any;
}

bool block_is_remote(const struct bag *b, const char *name, const char *link)
{
    static const char *const prefixes[] = {"nbd", "rbd", "drbd", "rnbd"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (named(name, prefixes[i])) {
            return true;
        }
    }
    if (strncmp(name, "etherd!", 7) == 0 || strncmp(name, "rnbd_", 5) == 0) {
        return true;
    }
    if (strncmp(name, "nvme", 4) == 0 && nvme_is_remote(b, link)) {
        return true;
    }
    const char *session = strstr(link, "/session"); /* iSCSI */
    if (session != NULL && isdigit((unsigned char)session[8])) {
        return true;
    }
    return strstr(link, "/rport-") != NULL; /* Fibre Channel */
}

bool block_is_storage(const char *name)
{
    return !named(name, "ram") && !named(name, "zram") && !named(name, "fd") && !named(name, "sr");
}

bool block_is_hardware(const char *link)
{
    return link[0] != '\0' && strstr(link, "/devices/virtual/") == NULL &&
           strstr(link, "/devices/platform/floppy") == NULL;
}

bool block_parent(const struct bag *b, const char *link, char *out, size_t out_n)
{
    /* ".../block/sda/sda1": the last but one part is itself a block device */
    const char *last = strrchr(link, '/');
    if (last == NULL) {
        return false;
    }
    const char *start = last;
    while (start > link && start[-1] != '/') {
        start--;
    }
    size_t n = (size_t)(last - start);
    if (n == 0 || n >= out_n || strcmp(last, "/") == 0) {
        return false;
    }
    memcpy(out, start, n);
    out[n] = '\0';
    return bag_has_name(bag_getf(b, "/sys/class/block/"), out);
}

bool block_numbers(const char *dev, unsigned *ret_major, unsigned *ret_minor)
{
    uint64_t dev_major = 0;
    uint64_t dev_minor = 0;
    if (!text_digits(&dev, UINT32_MAX, &dev_major) || *dev++ != ':' ||
        !text_digits(&dev, UINT32_MAX, &dev_minor)) {
        return false;
    }
    *ret_major = (unsigned)dev_major;
    *ret_minor = (unsigned)dev_minor;
    return true;
}

static bool number_and_colon(const char **at)
{
    uint64_t ignored = 0;
    return text_digits(at, UINT32_MAX, &ignored) && *(*at)++ == ':';
}

bool block_ata_path(const char *link, char *out, size_t out_n)
{
    /* .../ata3/host2/target2:0:1/2:0:1:0/block/sda is device 1 on port 3 */
    uint64_t port = 0;
    uint64_t device = 0;
    const char *ata = strstr(link, "/ata");
    const char *target = ata == NULL ? NULL : strstr(ata, "/target");
    if (target == NULL) {
        return false;
    }
    ata += strlen("/ata");
    target += strlen("/target");
    if (!text_digits(&ata, UINT32_MAX, &port) || !number_and_colon(&target) ||
        !number_and_colon(&target) || !text_digits(&target, UINT32_MAX, &device)) {
        return false;
    }
    int n =
        snprintf(out, out_n, "/sys/class/ata_device/dev%" PRIu64 ".%" PRIu64 "/id", port, device);
    return n > 0 && (size_t)n < out_n;
}

bool ata_is_armed(const char *identify_text)
{
    /* 256 hexadecimal words; word 128 is the security status: bit 0 supported, bit 1 enabled
     * (ATA/ATAPI Command Set, IDENTIFY DEVICE) */
    const char *at = identify_text;
    for (unsigned i = 0;; i++) {
        char *end = NULL;
        unsigned long word = strtoul(at, &end, 16);
        if (end == at) {
            return false;
        }
        if (i == 128) {
            return (word & 3U) == 3U;
        }
        at = end;
    }
}
