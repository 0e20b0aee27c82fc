/* What the gathering half of the disk probe hands to the parsing half: bytes under a name, with how
 * the look ended. No meaning is attached here.
 *
 * Names:  "/sys/..."  a file's bytes         "/sys/.../"  a directory's names, each ended by NUL
 *         "@/path"    a symbolic link's text "dm 253:0"   a device-mapper table (dmtable.h)
 *         "head sda1" first bytes of a device "loop loop0" "DEV-MAJ:MIN INODE" of its backing file
 *         "opal sda"  decimal OPAL flags      "walk PATH"  where a path leads (paths.h) */
#ifndef TENKEN_PROBES_DISK_BAG_H
#define TENKEN_PROBES_DISK_BAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define BAG_BYTES_MAX ((size_t)48 << 20) /* ceiling over all items */
#define BAG_ITEMS_MAX 200000U

struct bag_item {
    char *key;
    int code;    /* ERR_NONE, or how the look failed; ERR_TRUNCATED keeps what was read */
    char *bytes; /* never NULL, a NUL follows the last byte */
    size_t n;
};

struct bag {
    struct bag_item *items; /* sorted by key */
    size_t n, cap;
    size_t total_bytes;
};

void bag_done(struct bag *b); /* wipes the bytes, then frees: headers hold digests and salts */
static inline void cleanup_bag(struct bag *b)
{
    bag_done(b);
}
/* Stores a copy of n bytes (may be 0) under key, replacing what was there. ERR_NOMEM; ERR_LIMIT
 * past the ceilings. */
int bag_put(struct bag *b, const char *key, int code, const void *bytes, size_t n,
            struct err *e) MUST_USE;
/* The item, NULL if nobody looked. key is built like printf. */
const struct bag_item *bag_getf(const struct bag *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The bytes of an item that was read well, as text; "" if there is none. */
const char *bag_textf(const struct bag *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Walks a directory item: NULL starts, returns the next name or NULL at the end. */
const char *bag_next_name(const struct bag_item *dir, const char *before);
/* True if the directory item holds the name. */
bool bag_has_name(const struct bag_item *dir, const char *name);

#endif
