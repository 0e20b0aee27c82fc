/* Inside of the SQLite store: the connection, its prepared statements, binding. Only
 * store_sqlite*.c include this. sqlite.org/c3ref; sqlite.org/wal.html. */
#ifndef TENKEN_COLLECTOR_STORE_SQLITE_H
#define TENKEN_COLLECTOR_STORE_SQLITE_H

#include <sqlite3.h>

#include "server-stub/store.h"

/* Statements are prepared once per connection, when first used. */
enum query {
    Q_BEGIN,
    Q_COMMIT,
    Q_ROLLBACK,
    Q_PART,
    Q_PART_KEEP,
    Q_PART_UNDO,
    Q_TOKEN_ADD,
    Q_TOKEN_GET,
    Q_TOKEN_USE,
    Q_HOST_PUT,
    Q_HOST_CONTRACT,
    Q_HOST_MACHINE,
    Q_HOST_PEM,
    Q_HOST_MAY,
    Q_HOST_CONTRACTS,
    Q_MACHINE_KNOWN,
    Q_RECEIPT,
    Q_CHAIN_RANGE,
    Q_CHAIN_NEAR,
    Q_CHAIN_LOWER,
    Q_CHAIN_HIGHER,
    Q_CHAIN_FIRST,
    Q_DECLARATION_ADD,
    Q_DECLARATION_ID,
    Q_EVIDENCE_ADD,
    Q_EVIDENCE_GET,
    Q_REDO_NEXT,
    Q_REDO_SET,
    Q_EACH_HOST,
    Q_EACH_MEMBER,
    Q_HOST_GET,
    Q_EACH_CHAIN,
    Q_EACH_RECORD,
    Q_FRAMEWORKS,
    Q_DECLARATIONS,
    Q_CONTRACTS,
    Q_COUNT,
    Q_CHECK,
    Q_ERASE_LIST,
    Q_ERASE,
    Q_ERASE_ENROLMENT,
    Q_ERASE_HOSTS,
    Q_ERASE_MACHINES,
    Q_ERASE_DECLARATIONS,
    Q_ERASE_TOKENS,
    Q_DELETION_ADD,
    N_QUERIES
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *stmts[N_QUERIES];
};

/* Turns the connection's last error into ours. */
int sql_error(struct store *s, struct err *e, const char *what);
/* Prepares (once), resets and binds. fmt: one letter per argument: t text (NULL binds NULL),
 * i int64_t, b bytes (pointer, size_t). */
int q_start(struct store *s, enum query q, sqlite3_stmt **ret, struct err *e, const char *fmt,
            ...) MUST_USE;
/* 1 = a row stands, 0 = done, else an error (negative). Resets the statement when done or failed.
 */
int q_step(struct store *s, sqlite3_stmt *st, struct err *e) MUST_USE;
/* Start, run to the end, reset. For statements without rows. */
int q_run(struct store *s, enum query q, struct err *e, const char *fmt, ...) MUST_USE;
/* Text of a column, never NULL. */
const char *q_text(sqlite3_stmt *st, int column);

#endif
