/* Facts: rows of observations in memory, per table, with the state in which the observation ended.
 * Texts live in the table's own arena. No judging, no SQL. */
#ifndef TENKEN_BASE_FACTS_H
#define TENKEN_BASE_FACTS_H

#include <stdint.h>

#include "agent/base/schema.h"
#include "agent/base/str.h"

enum cell_type { CELL_NULL, CELL_INT, CELL_REAL, CELL_TEXT };

struct cell {
    enum cell_type type;
    union {
        int64_t i;
        double r;
        struct {
            const char *p; /* NUL-terminated, valid UTF-8, escaped as formats.md asks */
            size_t n;
        } t;
    } v;
};

/* States of probe_status (tables.md). */
enum fact_state {
    STATE_NOT_RUN,
    STATE_COMPLETE,
    STATE_ABSENT,
    STATE_DENIED,
    STATE_MALFORMED,
    STATE_TRUNCATED,
    STATE_TIMEOUT,
    STATE_CRASHED,
    STATE_UNCONFINED
};
const char *fact_state_word(enum fact_state s);
/* ERR_MALFORMED for a word that is none. */
int fact_state_parse(const char *word, enum fact_state *ret, struct err *e) MUST_USE;
/* The graver of two: not-run < complete < absent < the incomplete ones in enum order. */
enum fact_state fact_state_worse(enum fact_state a, enum fact_state b);

#define FACT_REASON_MAX 256

struct arena_block;
struct fact_table {
    const struct table *decl; /* borrowed unless owns_decl */
    bool owns_decl;           /* decl is one heap block (table_dup), freed with the table */
    const char *probe;        /* borrowed static name; "" for site, scan and view tables */
    enum fact_state state;
    char reason[FACT_REASON_MAX]; /* "word: detail" or "" */
    int64_t cpu_us, wall_us;
    bool wanted;        /* asked for by this inspection */
    bool truncated;     /* recorded form was cut */
    struct cell *cells; /* n_rows * decl->n_columns, row by row */
    size_t n_rows, cap_rows;
    struct arena_block *arena;
};

struct facts {
    struct fact_table **tables;
    size_t n;
};

/* Frees the tables, their cells and the declarations that they own. */
void facts_done(struct facts *f);
static inline void cleanup_facts(struct facts *f)
{
    facts_done(f);
}
/* Adds an empty table in state NOT_RUN; decl stays the caller's (static). ERR_NOMEM. */
int facts_add(struct facts *f, const struct table *decl, const char *probe, struct fact_table **ret,
              struct err *e) MUST_USE;
/* NULL if there is none of that name. */
struct fact_table *facts_find(const struct facts *f, const char *name);
/* Removes and frees a table; no-op if there is none. */
void facts_remove(struct facts *f, const char *name);

/* Appends a row of NULL cells; *ret_cells points at decl->n_columns cells, valid until the next
 * append. ERR_NOMEM. */
int fact_row(struct fact_table *t, struct cell **ret_cells, struct err *e) MUST_USE;
/* Stores text bytes as they stand (must be valid UTF-8: the caller escaped them). ERR_NOMEM. */
int fact_text(struct fact_table *t, struct cell *c, const char *text, size_t n,
              struct err *e) MUST_USE;
/* Escapes like str_add_cell, then stores. */
int fact_text_raw(struct fact_table *t, struct cell *c, const void *bytes, size_t n,
                  struct err *e) MUST_USE;
static inline void cell_int(struct cell *c, int64_t i)
{
    c->type = CELL_INT;
    c->v.i = i;
}
/* One call per row for literal tables: types from the declaration; NULL text = SQL NULL; INT64_MIN
 * = NULL integer. Arguments in column order: const char * for COL_TEXT, int64_t for COL_INT, double
 * for COL_REAL (NAN = NULL). Texts are escaped like str_add_cell. ERR_NOMEM: then the row is not
 * there. */
int fact_row_va(struct fact_table *t, struct err *e, ...) MUST_USE;

/* Total order: by cells from left to right, NULL < integer/real by value < text by bytes. */
int cell_compare(const struct cell *a, const struct cell *b);
void fact_sort(struct fact_table *t);

#endif
