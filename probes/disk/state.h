/* What lies between the two halves of the disk probe: everything seen, nothing concluded. */
#ifndef TENKEN_PROBES_DISK_STATE_H
#define TENKEN_PROBES_DISK_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"
#include "agent/base/host.h"
#include "probes/disk/bag.h"
#include "probes/disk/mountinfo.h"

enum target_kind {
    TARGET_DATA,      /* declared data path */
    TARGET_CORE,      /* directory that core dumps or crash dumps go into */
    TARGET_RELATIVE,  /* core dumps go into the working directory of whoever died */
    TARGET_HIBERNATE, /* device that the hibernation image goes to */
    TARGET_DUMP_DEV,  /* device that the crash kernel writes to */
    TARGET_REMOTE,    /* crash dump sent to another machine */
    TARGET_OPAQUE     /* somewhere, decided by a program or setting that this one cannot read */
};

/* A place named by a declaration or a setting, and where that leads. */
struct target {
    enum target_kind kind;
    char *shown; /* what the row is called */
    char *path;  /* looked up as "walk PATH" or "dev TEXT" in the bag; NULL for the others */
};

struct disk_state {
    bool is_live;
    const char
        *hidden; /* why this process cannot see the host's disks; static text, NULL if it can */
    int mountinfo_code, swaps_code; /* how those two reads ended */
    struct bag bag;
    struct mounts mounts;
    struct swaps swaps;
    struct target *targets;
    size_t n_targets;
};

void disk_state_free(struct disk_state *s);
static inline void cleanup_disk_state(struct disk_state **s)
{
    disk_state_free(*s);
}
/* Appends a target with copies of the texts (path may be NULL). ERR_NOMEM. */
int disk_add_target(struct disk_state *s, enum target_kind kind, const char *shown,
                    const char *path, struct err *e) MUST_USE;

/* Where a path leads, component by component, without a look below anything that could hang.
 * *out gets the resolved path (no links, "." or ".."); below an untouchable mount the rest is taken
 * as it stands. missing_ok: parts that do not exist are taken as they stand, too.
 * ERR_ABSENT, ERR_DENIED, ERR_LIMIT (too many links), ERR_INVALID (cannot be said). */
int disk_walk(const struct host *h, const struct mounts *m, const char *path, bool missing_ok,
              struct str *out, struct err *e) MUST_USE;

/* What a look that ended with ERR_ABSENT at path proves: ERR_ABSENT, or ERR_UNSUPPORTED if the
 * captured tree does not say that it holds the directory whole. Other codes as they are. */
int disk_absence(const struct host *h, const char *path, int code);

/* The gathering steps. Each gives ERR_NOMEM or ERR_LIMIT only; how a look ended is in the bag. */
int gather_file(const struct host *h, struct bag *b, const char *path, size_t max,
                struct err *e) MUST_USE;
int gather_list(const struct host *h, struct bag *b, const char *dir, struct err *e) MUST_USE;
int gather_link(const struct host *h, struct bag *b, const char *path, struct err *e) MUST_USE;
int gather_blocks(const struct host *h, struct disk_state *s, struct err *e) MUST_USE;
int gather_dm(const struct host *h, struct disk_state *s, struct err *e) MUST_USE;
int gather_heads(const struct host *h, struct disk_state *s, struct err *e) MUST_USE;
int gather_targets(const struct host *h, struct disk_state *s, struct err *e) MUST_USE;
int gather_places(const struct host *h, struct disk_state *s, struct err *e) MUST_USE;
/* Kernel name behind a way to name a device ("/dev/mapper/x", "UUID=...", "8:3"), stored as
 * "dev TEXT". Needs gather_blocks before. */
int gather_dev_name(const struct host *h, struct disk_state *s, const char *text,
                    struct err *e) MUST_USE;
/* The name stored by gather_dev_name, NULL if it leads to no known device. */
const char *bag_dev_name(const struct bag *b, const char *text);

#endif
