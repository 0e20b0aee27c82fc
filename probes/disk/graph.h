/* The block devices of the host and what lies below each, built from the bag alone; and the answer
 * to the one question: is everything below reached through encryption? Pure. */
#ifndef TENKEN_PROBES_DISK_GRAPH_H
#define TENKEN_PROBES_DISK_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/str.h"
#include "probes/disk/dmtable.h"
#include "probes/disk/luks.h"
#include "probes/disk/state.h"

enum blk_kind {
    BLK_DISK, /* hardware, or a hypervisor's */
    BLK_PARTITION,
    BLK_DM,
    BLK_STACK, /* md, bcache: data go to the devices below as they are */
    BLK_LOOP,
    BLK_ZRAM,
    BLK_RAM,
    BLK_REMOTE,
    BLK_UNKNOWN
};

struct blk {
    const char *name; /* borrowed from the bag, as all texts here */
    const char *link;
    char *node; /* "/dev/NAME", owned */
    enum blk_kind kind;
    unsigned dev_major, dev_minor;
    bool has_dev, is_empty;
    int disk;   /* partition: the disk it is part of, else -1 */
    int *below; /* devices that sysfs names as slaves, by index */
    size_t n_below;
    bool below_unknown; /* the list could not be read, or names a device that is not there */
    int dm_code;        /* ERR_NONE: dm holds the table */
    struct dm_table dm;
    int luks_code; /* ERR_NONE: luks holds the header; ERR_ABSENT: read, there is none */
    struct luks luks;
};

struct graph {
    const struct disk_state *s; /* borrowed */
    struct blk *items;          /* in sysfs order, which is sorted */
    size_t n;
};

void graph_done(struct graph *g);
static inline void cleanup_graph(struct graph *g)
{
    graph_done(g);
}
/* ERR_NOMEM. What could not be read stands in the devices' codes. */
int graph_build(const struct disk_state *s, struct graph *ret, struct err *e) MUST_USE;
/* Index of a device, -1 if there is none. */
int graph_by_name(const struct graph *g, const char *name);
int graph_by_number(const struct graph *g, unsigned dev_major, unsigned dev_minor);

enum method {
    METHOD_NONE,
    METHOD_LUKS2,
    METHOD_LUKS1,
    METHOD_PLAIN,
    METHOD_BITLK,
    METHOD_TCRYPT,
    METHOD_FSCRYPT,
    METHOD_ECRYPTFS,
    METHOD_ZFS,
    METHOD_BCACHEFS,
    METHOD_COUNT
};
/* The word of mount_encryption.method; never NULL. */
const char *method_word(enum method m);

/* How an answer came out, from what was met at the leaves. */
struct answer {
    unsigned n_secret, n_clear, n_unknown, n_ram;
    unsigned methods; /* bit per enum method met at a leaf */
    struct strv ciphers;
    unsigned key_bits; /* of the weakest leaf */
    bool has_bits;
    struct strv leaves; /* "/dev/NAME" */
    /* words of the reason with the places they hold for, "word: a, b" */
    const char *clear_word, *unknown_word;
    struct strv clear_places, unknown_places;
};
void answer_done(struct answer *a);
static inline void cleanup_answer(struct answer *a)
{
    answer_done(a);
}
/* 1, 0, or -1 = not known. */
int answer_encrypted(const struct answer *a);
/* NULL = not known; "mixed" when the leaves differ. */
const char *answer_method(const struct answer *a);
/* The reason, "" for a plain yes. Appends to out. */
void answer_reason(const struct answer *a, struct str *out);

/* The walk down. Each adds what it meets to *a. ERR_NOMEM; ERR_LIMIT when the graph is too deep or
 * too wide: the answer then is not known. */
int answer_block(const struct graph *g, int block, struct answer *a, struct err *e) MUST_USE;
int answer_mount(const struct graph *g, int mount, struct answer *a, struct err *e) MUST_USE;
int answer_swap(const struct graph *g, const struct swap_area *area, struct answer *a,
                struct err *e) MUST_USE;
/* fscrypt: everything below the directory is encrypted with that contents mode (0 = not known);
 * leaves are the mount's. */
int answer_fscrypt(const struct graph *g, int mount, int contents_mode, struct answer *a,
                   struct err *e) MUST_USE;
/* Adds a leaf-less "not known". word: static. ERR_NOMEM. */
int answer_unknown(struct answer *a, const char *word, const char *place, struct err *e) MUST_USE;
/* The block device that a mount's file system stands on, -1 if there is none or several. */
int mount_block(const struct graph *g, const struct mount *m);
/* Method of a crypt mapping: what its uuid says, else what the header below it says, else plain. */
enum method crypt_method(const struct graph *g, const struct blk *b, const struct dm_target *t);

#endif
