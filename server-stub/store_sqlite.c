/* The SQLite store: opening, schema and its upgrades, transactions, statements. WAL with
 * synchronous=FULL: what a commit returned for survives the loss of power (sqlite.org/wal.html,
 * pragma.html#pragma_synchronous). Records and hosts: store_sqlite_write.c, store_sqlite_read.c. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/io.h"
#include "server-stub/store_sqlite.h"

#define BUSY_TIMEOUT_MS 20000

extern const char *const store_sql[N_QUERIES];

/* Step n brings a store of version n - 1 to version n. Steps are never changed once released: a
 * store may stand at any of them. */
static const char *const schema_steps[STORE_SCHEMA] = {
    /* 1 */
    "CREATE TABLE token(id TEXT PRIMARY KEY, hash BLOB NOT NULL, role TEXT NOT NULL,"
    "  contract TEXT NOT NULL, uses_left INTEGER NOT NULL, expires_s INTEGER NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE TABLE host(keyid TEXT PRIMARY KEY, pem TEXT NOT NULL, hostname TEXT NOT NULL,"
    "  enrolled_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE host_contract(keyid TEXT NOT NULL, contract TEXT NOT NULL,"
    "  enrolled_at INTEGER NOT NULL, PRIMARY KEY(keyid, contract)) WITHOUT ROWID;"
    "CREATE INDEX host_contract_contract ON host_contract(contract);"
    "CREATE TABLE host_machine(keyid TEXT NOT NULL, machine_id TEXT NOT NULL,"
    "  PRIMARY KEY(keyid, machine_id)) WITHOUT ROWID;"
    "CREATE TABLE declaration(id INTEGER PRIMARY KEY, contract TEXT NOT NULL,"
    "  authority TEXT NOT NULL, work TEXT NOT NULL, starts TEXT NOT NULL, ends TEXT NOT NULL,"
    "  time_zone TEXT NOT NULL, last_date TEXT NOT NULL,"
    "  UNIQUE(contract, authority, work, starts, ends, time_zone));"
    /* payload stands last: walks over the other columns then do not touch its pages */
    "CREATE TABLE evidence(id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
    "  keyid TEXT NOT NULL, contract TEXT NOT NULL, framework TEXT NOT NULL,"
    "  framework_version TEXT NOT NULL, chain TEXT NOT NULL, sequence INTEGER NOT NULL,"
    "  previous TEXT NOT NULL, previous_chain TEXT NOT NULL, time_s INTEGER NOT NULL,"
    "  local_date TEXT NOT NULL, asset TEXT NOT NULL, hostname TEXT NOT NULL,"
    "  machine_id TEXT NOT NULL, rules_version TEXT NOT NULL, rules_unmodified INTEGER NOT NULL,"
    "  declaration INTEGER NOT NULL REFERENCES declaration(id), verdicts TEXT NOT NULL,"
    "  flags INTEGER NOT NULL, received_at INTEGER NOT NULL, redo INTEGER NOT NULL DEFAULT 0,"
    "  receipt TEXT NOT NULL, sig BLOB NOT NULL, payload_n INTEGER NOT NULL,"
    "  payload BLOB NOT NULL);"
    "CREATE INDEX evidence_chain ON evidence(keyid, contract, framework, chain, sequence);"
    "CREATE INDEX evidence_redo ON evidence(id) WHERE redo = 0;"
    "CREATE TABLE deletion(id INTEGER PRIMARY KEY, contract TEXT NOT NULL, reason TEXT NOT NULL,"
    "  erased_at INTEGER NOT NULL, n INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,"
    "  digests TEXT NOT NULL);",
    /* 2: what differed when verdicts were redone is kept; indexes for days and for counts */
    "ALTER TABLE evidence ADD COLUMN redo_report TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX evidence_day ON evidence(contract, keyid, local_date);"
    "CREATE INDEX evidence_differs ON evidence(id) WHERE redo = 2;"
    "CREATE INDEX evidence_flagged ON evidence(id) WHERE flags <> 0;",
};

int sql_error(struct store *s, struct err *e, const char *what)
{
    int rc = s->db != NULL ? sqlite3_errcode(s->db) : SQLITE_NOMEM;
    const char *text = s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory";
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return err_nomem(e);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
        return err_set(e, ERR_IO, "store: %s: %s", what, text);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return err_set(e, ERR_DENIED, "store: %s: %s", what, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, ERR_BUSY, "store: %s: another program is writing to it", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(e, ERR_MALFORMED, "store: %s: %s", what, text);
    case SQLITE_CONSTRAINT:
        return err_set(e, ERR_MISMATCH, "store: %s: %s", what, text);
    default:
        return err_set(e, ERR_INTERNAL, "store: %s: %s", what, text);
    }
}

static int exec_sql(struct store *s, const char *sql, struct err *e)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return sql_error(s, e, "set-up");
    }
    return 0;
}

static int read_version(struct store *s, int *ret, struct err *e)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK) {
        return sql_error(s, e, "reading the schema version");
    }
    int rc = sqlite3_step(st) == SQLITE_ROW ? 0 : sql_error(s, e, "reading the schema version");
    if (rc == 0) {
        *ret = sqlite3_column_int(st, 0);
    }
    (void)sqlite3_finalize(st);
    return rc;
}

static int refuse_version(int version, struct err *e)
{
    if (version > STORE_SCHEMA) {
        return err_set(e, ERR_UNSUPPORTED,
                       "the store has schema version %d, this program knows up to %d: use the "
                       "newer tenken-collector that made it",
                       version, STORE_SCHEMA);
    }
    return err_set(e, ERR_UNSUPPORTED,
                   "the store has schema version %d of %d: start tenken-collector serve once to "
                   "upgrade it",
                   version, STORE_SCHEMA);
}

/* All steps in one transaction: killed half-way, the store is as before. The version is read again
 * under the lock, for two programs may start together. */
static int upgrade(struct store *s, struct err *e)
{
    int rc = store_begin(s, e);
    if (rc != 0) {
        return rc;
    }
    int version = 0;
    rc = read_version(s, &version, e);
    if (rc == 0 && version > STORE_SCHEMA) {
        rc = refuse_version(version, e);
    }
    for (int v = version; rc == 0 && v < STORE_SCHEMA; v++) {
        char mark[48];
        (void)snprintf(mark, sizeof mark, "PRAGMA user_version = %d", v + 1);
        rc = exec_sql(s, schema_steps[v], e);
        if (rc == 0) {
            rc = exec_sql(s, mark, e);
        }
    }
    if (rc != 0) {
        store_rollback(s);
        return err_prefix(e, "schema");
    }
    return store_commit(s, e);
}

static int open_db(struct store *s, const char *path, enum store_mode mode, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (mode == STORE_WRITE) {
        flags |= SQLITE_OPEN_CREATE;
    }
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK) {
        return sql_error(s, e, path);
    }
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    int rc = exec_sql(s,
                      "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                      "PRAGMA secure_delete=ON; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-2048",
                      e);
    int version = 0;
    if (rc == 0) {
        rc = read_version(s, &version, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (version > STORE_SCHEMA || (mode == STORE_READ && version != STORE_SCHEMA)) {
        return refuse_version(version, e);
    }
    if (mode == STORE_READ) {
        return exec_sql(s, "PRAGMA query_only=ON", e);
    }
    rc = exec_sql(s, "PRAGMA journal_mode=WAL", e);
    return rc == 0 && version < STORE_SCHEMA ? upgrade(s, e) : rc;
}

int store_open(const char *where, enum store_mode mode, struct store **ret, struct err *e)
{
    if (strstr(where, "://") != NULL) {
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: this version keeps its store in a directory only; other databases come "
                       "with a later version",
                       where);
    }
    CLEANUP(str) struct str path = STR_INIT(4096);
    str_addf(&path, "%s/evidence.db", where);
    int rc = str_error(&path, e);
    if (rc != 0) {
        return rc;
    }
    if (mode == STORE_READ && !io_exists(path.data)) {
        return err_set(e, ERR_ABSENT, "%s: no store here", where);
    }
    CLEANUP(store) struct store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return err_nomem(e);
    }
    rc = open_db(s, path.data, mode, e);
    if (rc != 0) {
        return rc;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < N_QUERIES; i++) {
        (void)sqlite3_finalize(s->stmts[i]);
    }
    (void)sqlite3_close(s->db);
    free(s);
}

/* --- statements --- */

static int bind_all(struct store *s, sqlite3_stmt *st, const char *fmt, va_list ap, struct err *e)
{
    int index = 1;
    for (const char *f = fmt; *f != '\0'; f++, index++) {
        int rc = SQLITE_MISUSE;
        if (*f == 't') {
            /* SQLITE_STATIC: callers keep the bytes until the statement is reset */
            rc = sqlite3_bind_text(st, index, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else if (*f == 'i') {
            rc = sqlite3_bind_int64(st, index, va_arg(ap, int64_t));
        } else if (*f == 'b') {
            const void *p = va_arg(ap, const void *);
            size_t n = va_arg(ap, size_t);
            rc = sqlite3_bind_blob64(st, index, p, n, SQLITE_STATIC);
        }
        if (rc != SQLITE_OK) {
            return sql_error(s, e, "binding");
        }
    }
    return 0;
}

static int start(struct store *s, enum query q, sqlite3_stmt **ret, const char *fmt, va_list ap,
                 struct err *e)
{
    if (s->stmts[q] == NULL &&
        sqlite3_prepare_v3(s->db, store_sql[q], -1, SQLITE_PREPARE_PERSISTENT, &s->stmts[q],
                           NULL) != SQLITE_OK) {
        return sql_error(s, e, "preparing");
    }
    sqlite3_stmt *st = s->stmts[q];
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    int rc = bind_all(s, st, fmt, ap, e);
    if (rc == 0) {
        *ret = st;
    }
    return rc;
}

int q_start(struct store *s, enum query q, sqlite3_stmt **ret, struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = start(s, q, ret, fmt, ap, e);
    va_end(ap);
    return rc;
}

int q_step(struct store *s, sqlite3_stmt *st, struct err *e)
{
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        return 1;
    }
    int rc = step == SQLITE_DONE ? 0 : sql_error(s, e, "statement");
    (void)sqlite3_reset(st);
    return rc;
}

int q_run(struct store *s, enum query q, struct err *e, const char *fmt, ...)
{
    sqlite3_stmt *st = NULL;
    va_list ap;
    va_start(ap, fmt);
    int rc = start(s, q, &st, fmt, ap, e);
    va_end(ap);
    while (rc == 0) {
        rc = q_step(s, st, e);
        if (rc == 0) {
            return 0;
        }
        rc = rc == 1 ? 0 : rc;
    }
    return rc;
}

const char *q_text(sqlite3_stmt *st, int column)
{
    const unsigned char *t = sqlite3_column_text(st, column);
    return t != NULL ? (const char *)t : "";
}

/* --- transactions --- */

int store_begin(struct store *s, struct err *e)
{
    return q_run(s, Q_BEGIN, e, "");
}

int store_commit(struct store *s, struct err *e)
{
    int rc = q_run(s, Q_COMMIT, e, "");
    if (rc != 0) {
        store_rollback(s);
    }
    return rc;
}

void store_rollback(struct store *s)
{
    /* SQLite may have rolled back by itself (disk full). If it cannot be done here, closing the
     * connection does it. */
    if (sqlite3_get_autocommit(s->db) == 0) {
        (void)sqlite3_exec(s->db, store_sql[Q_ROLLBACK], NULL, NULL, NULL);
    }
}

int store_part_begin(struct store *s, struct err *e)
{
    return q_run(s, Q_PART, e, "");
}

int store_part_end(struct store *s, bool keep, struct err *e)
{
    int rc = keep ? 0 : q_run(s, Q_PART_UNDO, e, "");
    return rc == 0 ? q_run(s, Q_PART_KEEP, e, "") : rc;
}

int store_check(struct store *s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_CHECK, &st, e, "");
    if (rc == 0) {
        rc = q_step(s, st, e);
    }
    if (rc < 0) {
        return rc;
    }
    rc = rc == 1 && strcmp(q_text(st, 0), "ok") == 0
             ? 0
             : err_set(e, ERR_MALFORMED, "the database says: %s", q_text(st, 0));
    (void)sqlite3_reset(st);
    return rc;
}

int store_flush(struct store *s, struct err *e)
{
    return exec_sql(s, "PRAGMA wal_checkpoint(TRUNCATE)", e);
}

const char *flag_word(unsigned bit)
{
    static const char *const words[N_FLAGS] = {
        "gap", "late", "fork", "clock-behind", "redo-differs", "machine-id-changed"};
    return bit < N_FLAGS ? words[bit] : NULL;
}
