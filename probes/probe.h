/* A probe: one declaration plus its functions. It observes one area and fills tables; it never
 * judges and never reads the site. Everything else (sandbox, documents, what is recorded) derives
 * from the declaration. To add one: write probes/NAME.c (or probes/NAME/NAME.c with more files
 * beside it) and add PROBE(NAME) to registry.def. */
#ifndef TENKEN_PROBES_PROBE_H
#define TENKEN_PROBES_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/facts.h"
#include "agent/base/host.h"
#include "agent/base/schema.h"

enum network { NETWORK_NONE, NETWORK_CLIENT };

/* Inputs that the parent hands to a child whose declaration names them (kind "data_paths": one item
 * per declared path). */
struct probe_input {
    const char *kind;
    const char *value;
};

struct probe_ctx; /* opaque: agent/scan gives it */

struct probe {
    const char *name;
    const char *doc;
    const char *source;                /* where the facts come from: man pages, kernel documents */
    const struct table *const *tables; /* NULL-terminated */
    const char *const *reads; /* absolute paths, NULL-terminated: Landlock rules (below a directory
                                 all) and documents */
    const char *const *syscalls; /* group names of agent/scan/syscall_sets.c, added to @probe-base;
                                    NULL-terminated */
    uint64_t caps;               /* 1ULL << CAP_...; dropped before parse() */
    enum network network;
    bool opens_devices; /* needs block device nodes under /dev for reading */
    bool proc_links;    /* reads other processes' exe, cwd, root, ns, fd links: no Landlock, which
                           refuses those even to root; instead a filter under which nothing but
                           directories can be opened and no file read. .syscalls: "@proc-links"
                           alone; struct host: host_links_* alone; .reads is then what documents
                           say. No parse(). */
    const char *const
        *inputs; /* kinds of struct probe_input it is given; NULL-terminated or NULL */
    unsigned timeout_ms;
    unsigned max_rows; /* per table */
    /* Observes. For a probe with parse: only gathers bytes into *ret_state (heap, owned by parse).
     * Gives 0 or ERR_*; an error here ends every table of the probe that has no state yet
     * (ERR_DENIED -> denied, ERR_MALFORMED -> malformed, ...). */
    int (*run)(struct probe_ctx *ctx, void **ret_state, struct err *e);
    /* After the second drop (no capability, no open): turns bytes into rows; frees state. NULL if
     * run does all. */
    int (*parse)(struct probe_ctx *ctx, void *state, struct err *e);
};

#define PROBE_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PROBE_TABLES(...) ((const struct table *const[]){__VA_ARGS__, NULL})

#define PROBE(name) extern const struct probe probe_##name;
#include "probes/registry.def"
#undef PROBE

/* All probes, in registry order; n of them. */
const struct probe *const *probe_registry(size_t *ret_n);
/* The probe that fills the table, NULL if none; *ret_decl (may be NULL) the table's declaration. */
const struct probe *probe_for_table(const char *table, const struct table **ret_decl);

/* --- what a running probe may use --- */

/* The inspected host: every read goes through it. Borrowed. */
const struct host *probe_host(const struct probe_ctx *ctx);
/* True if the table is wanted by this inspection; work for others may be skipped. */
bool probe_wants(const struct probe_ctx *ctx, const struct table *t);
/* The i-th input of that kind, NULL past the end. */
const char *probe_input(const struct probe_ctx *ctx, const char *kind, size_t i);

/* Rows. Between row_begin and row_end set cells by column name order index (enum of the probe's
 * own). Unset cells are NULL. Wrong type, undeclared column, KEY left unset, a text that is no word
 * of the column's vocabulary: abort() in debug builds, STATE_MALFORMED otherwise. A text above 64
 * KiB, or a row above .max_rows, is left out and makes the table truncated. Errors stick in ctx. */
void row_begin(struct probe_ctx *ctx, const struct table *t);
void row_text(struct probe_ctx *ctx, unsigned column,
              const char *text); /* NULL text = NULL; escaped as a cell */
void row_text_n(struct probe_ctx *ctx, unsigned column, const char *bytes, size_t n);
void row_int(struct probe_ctx *ctx, unsigned column, int64_t i);
void row_real(struct probe_ctx *ctx, unsigned column, double r);
void row_end(struct probe_ctx *ctx);

/* How the look at a table ended. A wanted table without a call is COMPLETE if run and parse gave 0.
 * Several calls: the graver state stays (fact_state_worse). reason "word: detail" by printf. */
void probe_state(struct probe_ctx *ctx, const struct table *t, enum fact_state state,
                 const char *fmt, ...) PRINTF_LIKE(4, 5);
/* probe_state from an error: ERR_DENIED -> denied; ERR_ABSENT -> denied too (not_visible, or
 * not_captured where the host is not live), because an error is no proof: who has proof of absence
 * (host_is_whole) says probe_state(STATE_ABSENT); ERR_TRUNCATED and ERR_LIMIT -> truncated;
 * ERR_TIMEOUT -> timeout; anything else malformed. */
void probe_state_err(struct probe_ctx *ctx, const struct table *t, const struct err *e);

#endif
