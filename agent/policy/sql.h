/* A sandboxed SQLite connection in memory: tables from declarations, statements that can only read
 * them, bounds on what a statement may use, and what it reads. Nothing of SQLite shows outside
 * sql.c and sql_functions.c. SQLite >= 3.34. */
#ifndef TENKEN_POLICY_SQL_H
#define TENKEN_POLICY_SQL_H

#include "agent/policy/eval.h"

/* What one statement may use. The first bound hit ends it with ERR_LIMIT. SQLite's own heap limit
 * is global to the process, so the heap is bounded by looking at its growth every few steps. */
#define SQL_MAX_STEPS 10000000
#define SQL_MAX_ROWS 10000U
#define SQL_MAX_RESULT_BYTES ((size_t)8 << 20)
#define SQL_MAX_HEAP_BYTES ((long long)64 << 20)
#define SQL_MAX_CELL_BYTES (1 << 20)
#define SQL_MAX_TEXT_BYTES (1 << 16)
#define SQL_MAX_COLUMNS 64U /* of one table: reads are bit sets */
#define SQL_MAX_TABLES 1024U

struct sql;

/* What statements read, by index of the connection's tables. */
struct sql_reads {
    uint64_t *columns; /* bit per column */
    bool *named;       /* read at all, be it without a column (count(*)) */
    size_t n;
};
void sql_reads_done(struct sql_reads *r);
static inline void cleanup_sql_reads(struct sql_reads *r)
{
    sql_reads_done(r);
}
/* dst := dst united with src. ERR_NOMEM. */
int sql_reads_merge(struct sql_reads *dst, const struct sql_reads *src, struct err *e) MUST_USE;

/* ERR_NOMEM, ERR_INTERNAL. */
int sql_open(struct sql **ret, struct err *e) MUST_USE;
void sql_close(struct sql *s);
static inline void cleanup_sql(struct sql **s)
{
    sql_close(*s);
}

/* Makes an empty table from its declaration (borrowed for the life of s); columns keep their order
 * and affinity, there are no indexes. ERR_MALFORMED for names or shapes that make no table. */
int sql_create(struct sql *s, const struct table *decl, struct err *e) MUST_USE;
/* Adds the rows of t to the table of that index. */
int sql_load(struct sql *s, size_t index, const struct fact_table *t, struct err *e) MUST_USE;
size_t sql_n_tables(const struct sql *s);
const struct table *sql_table(const struct sql *s, size_t index);
/* Index of a table by name (ASCII case ignored, as SQL does), or -1. */
int sql_find(const struct sql *s, const char *name);

/* What one statement reads, without running it: the authorizer's reads and every table opened by
 * the compiled program. allow_views false: tables of kind TABLE_VIEW may not be named.
 * ret_columns (may be NULL): names of the result columns are appended. ERR_INVALID: not one SELECT,
 * unknown names, a function or action outside the allow-list; the text says what. */
int sql_explain(struct sql *s, const char *text, bool allow_views, struct sql_reads *ret,
                struct strv *ret_columns, struct err *e) MUST_USE;
/* A compiled statement; ends before its connection. */
struct sql_statement;
void sql_statement_free(struct sql_statement *st);
static inline void cleanup_sql_statement(struct sql_statement **st)
{
    sql_statement_free(*st);
}
/* Compiles one statement for running and unites *reads with what it reads. As sql_explain, but
 * looks at the compiled program only where the authorizer is known to be silent, in statements with
 * USING or NATURAL: half the price, and sql_explain has seen every statement of a policy before. */
int sql_compile(struct sql *s, const char *text, bool allow_views, struct sql_reads *reads,
                struct sql_statement **ret, struct err *e) MUST_USE;
/* Runs it; tables may have been filled since. *ret (zeroed by the caller) gets the rows in the
 * order they came. ERR_INVALID for an error while running; ERR_LIMIT when a bound was hit (*ret
 * then holds nothing). */
int sql_rows(struct sql *s, struct sql_statement *st, struct result_rows *ret,
             struct err *e) MUST_USE;
/* Both in one call. */
int sql_run(struct sql *s, const char *text, bool allow_views, struct result_rows *ret,
            struct err *e) MUST_USE;

#endif
