/* The walk from a file system or device down to the leaves. What has been met on the way travels in
 * struct trail by value: an encrypting layer covers all below it, an unknown one spoils all below
 * it, a mapping that hides nothing only lends its name to the reason. Private to the disk probe. */
#ifndef TENKEN_PROBES_DISK_TRAIL_H
#define TENKEN_PROBES_DISK_TRAIL_H

#include "probes/disk/graph.h"

struct trail {
    const struct graph *g;
    struct answer *a;
    unsigned *visits; /* shared by the whole walk: diamonds multiply */
    unsigned depth;
    bool in_swap; /* coming from all swap areas: memory below is not swapped once more */
    bool is_secret;
    enum method method;
    const char *cipher;       /* "" = not known */
    unsigned key_bits;        /* 0 = not known */
    const char *unknown_word; /* NULL: every layer so far is known */
    const char *unknown_place;
    const char *clear_word; /* a mapping above that hides nothing, and what it is */
    enum method clear_method;
    const char *clear_cipher;
};

/* One step further down. ERR_LIMIT when the stack is deeper or wider than can be true. */
int trail_deeper(struct trail *t, struct err *e) MUST_USE;

/* The trail below a layer that encrypts. Without effect below another one (the uppermost names the
 * method) and below an unknown one (nobody knows whether data pass through here at all). cipher: ""
 * = not known; lives as long as the graph. */
struct trail trail_secret(struct trail t, enum method method, const char *cipher,
                          unsigned key_bits);
/* The trail below a layer of which is not known what it does. word: static; place: as the graph. */
struct trail trail_unknown(struct trail t, const char *word, const char *place);
/* The trail below a mapping that looks like encryption and is none. */
struct trail trail_clear(struct trail t, const char *word, enum method method, const char *cipher);

/* The end of a trail, noted in its answer. leaf: "/dev/NAME", NULL if it has no name that can be
 * said. ERR_NOMEM. */
int trail_end(const struct trail *t, const char *leaf, struct err *e) MUST_USE;
/* An end that cannot be judged by itself: fine below encryption, not known without. */
int trail_end_unknown(struct trail t, const char *leaf, const char *word, const char *place,
                      struct err *e) MUST_USE;

/* On from a block device, from a mount, from memory that may be swapped out. ERR_NOMEM, ERR_LIMIT.
 */
int trail_block(struct trail t, int block, struct err *e) MUST_USE;
int trail_mount(struct trail t, int mount, struct err *e) MUST_USE;
int trail_memory(struct trail t, struct err *e) MUST_USE;

#endif
