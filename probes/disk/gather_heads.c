/* First bytes of block devices (LUKS headers, superblocks), OPAL state of drives, what loop devices
 * are bound to. A device whose stack could hang is not read: suspended mappings, multipath without
 * a path, anything that ends at another machine or in a file that may not be touched. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <linux/loop.h>
#include <linux/types.h>

#include "agent/base/json.h"
#include "probes/disk/blockname.h"
#include "probes/disk/luks.h"
#include "probes/disk/state.h"

#define HEAD_BYTES 8192U
#define SAFE_DEPTH_MAX 32U

/* Same layout and number as in kernel headers from 6.4 on (include/uapi/linux/sed-opal.h). */
struct opal_status_reply {
    uint32_t flags;
    uint32_t reserved;
};
#define OPAL_GET_STATUS _IOR('p', 236, struct opal_status_reply)

static const char *block_dir_text(const struct bag *b, const char *name, const char *leaf)
{
    return bag_textf(b, "/sys/class/block/%s/%s", name, leaf);
}

/* True if the loop device's file lies on a file system that may be touched. */
static bool loop_is_safe(const struct disk_state *s, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s", block_dir_text(&s->bag, name, "loop/backing_file"));
    path[strcspn(path, "\n")] = '\0';
    int at = path[0] == '/' ? mounts_find(&s->mounts, path) : -1;
    return at >= 0 && !mount_untouchable(&s->mounts.items[at]);
}

/* True if reading from the device cannot wait for anything but local hardware. */
static bool is_safe(const struct disk_state *s, const char *name, unsigned depth)
{
    char disk[64];
    const char *link = bag_textf(&s->bag, "@/sys/class/block/%s", name);
    if (depth > SAFE_DEPTH_MAX || block_is_remote(&s->bag, name, link) || !block_is_storage(name) ||
        block_dir_text(&s->bag, name, "dm/suspended")[0] == '1') {
        return false;
    }
    const char *uuid = block_dir_text(&s->bag, name, "dm/uuid");
    if (strncmp(uuid, "mpath-", 6) == 0) {
        return false;
    }
    if (strncmp(name, "loop", 4) == 0 && strchr(name, 'p') == strrchr(name, 'p') &&
        block_dir_text(&s->bag, name, "loop/backing_file")[0] != '\0' && !loop_is_safe(s, name)) {
        return false;
    }
    if (block_parent(&s->bag, link, disk, sizeof(disk)) && !is_safe(s, disk, depth + 1)) {
        return false;
    }
    const struct bag_item *slaves = bag_getf(&s->bag, "/sys/class/block/%s/slaves/", name);
    for (const char *at = bag_next_name(slaves, NULL); at != NULL; at = bag_next_name(slaves, at)) {
        if (!is_safe(s, at, depth + 1)) {
            return false;
        }
    }
    return true;
}

/* True if a mapping that calls itself LUKS2 lies directly on the device: then a lost primary header
 * is worth a search for the secondary one. */
static bool has_luks2_above(const struct bag *b, const char *name)
{
    const struct bag_item *blocks = bag_getf(b, "/sys/class/block/");
    for (const char *at = bag_next_name(blocks, NULL); at != NULL; at = bag_next_name(blocks, at)) {
        if (strncmp(block_dir_text(b, at, "dm/uuid"), "CRYPT-LUKS2-", 12) == 0 &&
            bag_has_name(bag_getf(b, "/sys/class/block/%s/slaves/", at), name)) {
            return true;
        }
    }
    return false;
}

/* How many bytes hold all headers, from the first ones; 0: the first ones are enough. */
static size_t wanted_bytes(const struct host *h, const struct bag *b, const char *name,
                           const char *node, const char *head, size_t n)
{
    size_t wanted = luks_wanted_bytes(head, n);
    if (wanted > 0 || !has_luks2_above(b, name)) {
        return wanted;
    }
    for (unsigned i = 0; luks_secondary_offset(i) != 0; i++) {
        char magic[8];
        size_t got = 0;
        struct err why = {0};
        if (host_read_at(h, node, (int64_t)luks_secondary_offset(i), magic, sizeof(magic), &got,
                         &why) == 0 &&
            luks_has_secondary_magic(magic, got)) {
            return 2 * luks_secondary_offset(i);
        }
    }
    return 0;
}

static int read_head(const struct host *h, struct disk_state *s, const char *name, struct err *e)
{
    CLEANUP(free) char *big = NULL;
    char head[HEAD_BYTES];
    char node[512];
    char key[300];
    size_t n = 0;
    struct err why = {0};
    (void)snprintf(node, sizeof(node), "/dev/%s", name);
    for (char *p = node + 5; *p != '\0'; p++) {
        if (*p == '!') {
            *p = '/'; /* sysfs writes "cciss!c0d0" for /dev/cciss/c0d0 */
        }
    }
    (void)snprintf(key, sizeof(key), "head %s", name);
    if (!is_safe(s, name, 0)) {
        return bag_put(&s->bag, key, ERR_UNSUPPORTED, "", 0, e);
    }
    int code = host_read_at(h, node, 0, head, sizeof(head), &n, &why);
    size_t wanted = code == 0 ? wanted_bytes(h, &s->bag, name, node, head, n) : 0;
    const char *bytes = head;
    if (wanted > n) {
        big = malloc(wanted);
        if (big == NULL) {
            return err_nomem(e);
        }
        code = host_read_at(h, node, 0, big, wanted, &n, &why);
        bytes = big;
    }
    int r = bag_put(&s->bag, key, code, bytes, code == 0 ? n : 0, e);
    explicit_bzero(head, sizeof(head));
    if (big != NULL) {
        explicit_bzero(big, wanted);
    }
    return r;
}

static int put_number(struct bag *b, const char *what, const char *name, int code, const char *text,
                      struct err *e)
{
    char key[300];
    (void)snprintf(key, sizeof(key), "%s %s", what, name);
    return bag_put(b, key, code, text, code == 0 ? strlen(text) : 0, e);
}

/* Drives that may lock themselves: SCSI, SATA, NVMe, eMMC behind those names. */
static int read_opal(const struct host *h, struct bag *b, const char *name, struct err *e)
{
    char text[32] = "";
    char node[512];
    struct err why = {0};
    int code = ERR_ABSENT;
    if (strncmp(name, "sd", 2) != 0 && strncmp(name, "nvme", 4) != 0) {
        return 0;
    }
    if (!host_is_live(h)) {
        const json_t *flags = json_object_get(host_capture(h, "opal"), name);
        if (json_is_integer(flags)) {
            code = 0;
            (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(flags));
        }
        return put_number(b, "opal", name, code, text, e);
    }
    CLEANUP(fd) int fd = -1;
    struct opal_status_reply reply = {0};
    (void)snprintf(node, sizeof(node), "/dev/%s", name);
    if (host_open_fd(h, node, O_RDONLY, &fd, &why) == 0 &&
        ioctl(fd, OPAL_GET_STATUS, &reply) == 0) {
        code = 0;
        (void)snprintf(text, sizeof(text), "%" PRIu32, reply.flags);
    }
    return put_number(b, "opal", name, code, text, e);
}

/* The ATA security word of a SATA drive stands in sysfs, readable by everybody. */
static int read_ata(const struct host *h, struct bag *b, const char *link, struct err *e)
{
    char path[300];
    if (!block_ata_path(link, path, sizeof(path))) {
        return 0;
    }
    return gather_file(h, b, path, 8192, e);
}

/* "DEV-MAJ:MIN INODE" of the file that the loop device was bound to; the path in sysfs may by now
 * lead to another file. */
static int read_loop(const struct host *h, struct disk_state *s, const char *name, struct err *e)
{
    char text[96] = "";
    char node[512];
    struct err why = {0};
    CLEANUP(fd) int fd = -1;
    struct loop_info64 info;
    if (!s->is_live || block_dir_text(&s->bag, name, "loop/backing_file")[0] == '\0') {
        return 0;
    }
    memset(&info, 0, sizeof(info));
    (void)snprintf(node, sizeof(node), "/dev/%s", name);
    int code = host_open_fd(h, node, O_RDONLY, &fd, &why);
    if (code == 0 && ioctl(fd, LOOP_GET_STATUS64, &info) < 0) {
        code = err_errno(&why, "%s", node);
    }
    if (code == 0) {
        dev_t dev = (dev_t)info.lo_device;
        (void)snprintf(text, sizeof(text), "%u:%u %" PRIu64, major(dev), minor(dev),
                       (uint64_t)info.lo_inode);
    }
    explicit_bzero(&info, sizeof(info)); /* old kernels could put a key in it */
    return put_number(&s->bag, "loop", name, code, text, e);
}

int gather_heads(const struct host *h, struct disk_state *s, struct err *e)
{
    int r = 0;
    const char *n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), NULL);
    for (; n != NULL && r == 0; n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), n)) {
        char disk[64];
        const char *link = bag_textf(&s->bag, "@/sys/class/block/%s", n);
        bool is_part = block_parent(&s->bag, link, disk, sizeof(disk));
        if (strcmp(block_dir_text(&s->bag, n, "size"), "0\n") == 0 || !block_is_storage(n)) {
            continue;
        }
        r = read_head(h, s, n, e);
        if (r == 0 && !is_part) {
            r = read_opal(h, &s->bag, n, e);
        }
        if (r == 0 && !is_part) {
            r = read_ata(h, &s->bag, link, e);
        }
        if (r == 0 && !is_part && strncmp(n, "loop", 4) == 0) {
            r = read_loop(h, s, n, e);
        }
    }
    return r;
}
