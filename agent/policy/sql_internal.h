/* Shared by the sql*.c files alone: the one place, with them, that sees SQLite. */
#ifndef TENKEN_POLICY_SQL_INTERNAL_H
#define TENKEN_POLICY_SQL_INTERNAL_H

#include <sqlite3.h>

#include "agent/policy/sql.h"

struct sql {
    sqlite3 *db;
    const struct table **tables;
    size_t n, cap;
    size_t *by_name; /* indexes, sorted by name without case */
    int *roots;      /* root page -> index + 1, n_roots of them; rebuilt after a CREATE */
    size_t n_roots;
    bool roots_stale;
    /* while a statement of a check is prepared or run */
    bool guarded, allow_views;
    struct sql_reads *collect;
    char denied[160];
    long long steps, heap_base;
    bool stopped;
};

static inline void cleanup_stmt(sqlite3_stmt **st)
{
    (void)sqlite3_finalize(*st);
}

/* Makes room for n tables. ERR_NOMEM. */
int sql_reads_reserve(struct sql_reads *r, size_t n, struct err *e) MUST_USE;
/* Notes a table and, unless it is -1, one of its columns. r may be NULL. */
void sql_reads_note(struct sql_reads *r, size_t table, int column);
/* The connection's last error: ERR_NOMEM or ERR_INTERNAL with its text. */
int sql_engine_error(struct sql *s, struct err *e);
/* Runs SQL of our own, outside the guard. ERR_NOMEM, ERR_INTERNAL. */
int sql_own_exec(struct sql *s, const char *text, struct err *e) MUST_USE;
/* Brings the map from root pages to tables up to date after a CREATE. ERR_NOMEM, ERR_INTERNAL. */
int sql_roots_refresh(struct sql *s, struct err *e) MUST_USE;
/* Registers our own functions (days_between, date_in, a group_concat that sorts). SQLITE_OK or an
 * SQLite code. */
int sql_functions_add(sqlite3 *db) MUST_USE;
/* True if SQL of checks may call the function of that name. */
bool sql_function_allowed(const char *name);

#endif
