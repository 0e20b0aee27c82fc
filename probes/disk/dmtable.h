/* Device-mapper tables: redaction, parsing, what each kind of target does to the data below it.
 * Text form of one device, as the gathering half stores it:
 *
 *     NAME \n UUID \n  { START " " LENGTH " " TYPE " " PARAMS \n } ...
 *
 * Pure. Kernel Documentation/admin-guide/device-mapper. */
#ifndef TENKEN_PROBES_DISK_DMTABLE_H
#define TENKEN_PROBES_DISK_DMTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

enum dm_kind {
    DM_PASSES,   /* hands the data on as it is: linear, striped, thin, cache, verity, ... */
    DM_ENCRYPTS, /* crypt with a real cipher */
    DM_CLEAR,    /* crypt whose cipher is null */
    DM_NOTHING,  /* error, zero: no storage */
    DM_UNKNOWN   /* a type, or parameters, that this program does not know */
};

struct dm_dev {
    unsigned dev_major, dev_minor;
};

struct dm_target {
    uint64_t start, length; /* sectors */
    char type[32];
    enum dm_kind kind;
    char cipher[160];    /* crypt: as the table has it */
    unsigned key_bits;   /* crypt */
    struct dm_dev *devs; /* every device named in the parameters */
    size_t n_devs;
};

struct dm_table {
    char *name, *uuid;
    struct dm_target *targets;
    size_t n;
};

void dm_table_done(struct dm_table *t);
static inline void cleanup_dm_table(struct dm_table *t)
{
    dm_table_done(t);
}

/* Overwrites in place whatever may be a key in the parameters of a target: hexadecimal keys become
 * zeros of the same length, key descriptions dashes. Parameters of types not known to carry no key
 * are emptied. To be called before the bytes are copied anywhere. */
void dm_redact(const char *type, char *params);
/* Parses the text form. ERR_MALFORMED, ERR_NOMEM. Redacts once more what it is given. */
int dm_table_parse(const char *text, size_t n, struct dm_table *ret, struct err *e) MUST_USE;
/* The word of device_stack.layer for a target type. */
const char *dm_layer_word(const struct dm_target *t);
/* One reply of DM_TABLE_STATUS: n_targets records of struct dm_target_spec, each with its text, in
 * buf of n bytes from offset data_start. Redacts buf in place, appends the target lines to *out.
 * ERR_MALFORMED if an offset or text leaves the buffer. */
int dm_reply_lines(char *buf, size_t n, size_t data_start, unsigned n_targets, struct str *out,
                   struct err *e) MUST_USE;

#endif
