/* The tables of the disk probe: declarations and column numbers. */
#ifndef TENKEN_PROBES_DISK_TABLES_H
#define TENKEN_PROBES_DISK_TABLES_H

#include "agent/base/schema.h"
#include "probes/disk/graph.h"
#include "probes/probe.h"

enum {
    ME_MOUNT,
    ME_ROLE,
    ME_DEVICE,
    ME_FSTYPE,
    ME_ENCRYPTED,
    ME_METHOD,
    ME_CIPHER,
    ME_KEY_BITS,
    ME_LEAVES,
    ME_REASON
};
enum {
    LH_DEVICE,
    LH_VERSION,
    LH_UUID,
    LH_CIPHER,
    LH_KEY_BITS,
    LH_KEYSLOT,
    LH_KDF,
    LH_KDF_MEMORY_KIB,
    LH_KDF_ITERATIONS,
    LH_TOKEN
};
enum { DS_DEVICE, DS_BELOW, DS_LAYER, DS_DETAIL };
enum {
    DE_NAME,
    DE_UUID,
    DE_ENCRYPTED,
    DE_TYPE,
    DE_ENCRYPTION_STATUS,
    DE_UID,
    DE_USER_UUID,
    DE_FILEVAULT_STATUS
};

extern const struct table table_mount_encryption;
extern const struct table table_luks_headers;
extern const struct table table_device_stack;
extern const struct table table_disk_encryption;

/* The rows of each table. ERR_NOMEM. States are set as far as the gathered looks ended badly. */
int rows_mount_encryption(struct probe_ctx *ctx, const struct graph *g, struct err *e) MUST_USE;
int rows_luks_headers(struct probe_ctx *ctx, const struct graph *g, struct err *e) MUST_USE;
int rows_device_stack(struct probe_ctx *ctx, const struct graph *g, struct err *e) MUST_USE;
int rows_disk_encryption(struct probe_ctx *ctx, const struct graph *g, struct err *e) MUST_USE;
/* States that follow from devices and mappings that could not be read. */
void report_graph(struct probe_ctx *ctx, const struct table *t, const struct graph *g);

#endif
