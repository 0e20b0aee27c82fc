/* The sandboxed connection: opening it, its tables, and two of its three fences: the authorizer
 * allows SELECT, reads of our tables and the functions of the allow-list; the progress handler
 * stops what runs too long. The third, the look at the compiled program, is in sql_statement.c. */
#include "agent/policy/sql.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/policy/sql_internal.h"

#define PROGRESS_STEPS 500

/* --- read sets --- */

void sql_reads_done(struct sql_reads *r)
{
    free(r->columns);
    free(r->named);
    *r = (struct sql_reads){0};
}

int sql_reads_reserve(struct sql_reads *r, size_t n, struct err *e)
{
    if (r->n >= n) {
        return 0;
    }
    uint64_t *columns = reallocarray(r->columns, n, sizeof *columns);
    if (columns == NULL) {
        return err_nomem(e);
    }
    r->columns = columns;
    bool *named = reallocarray(r->named, n, sizeof *named);
    if (named == NULL) {
        return err_nomem(e);
    }
    r->named = named;
    for (size_t i = r->n; i < n; i++) {
        r->columns[i] = 0;
        r->named[i] = false;
    }
    r->n = n;
    return 0;
}

int sql_reads_merge(struct sql_reads *dst, const struct sql_reads *src, struct err *e)
{
    int rc = sql_reads_reserve(dst, src->n, e);
    for (size_t i = 0; rc == 0 && i < src->n; i++) {
        dst->columns[i] |= src->columns[i];
        dst->named[i] = dst->named[i] || src->named[i];
    }
    return rc;
}

void sql_reads_note(struct sql_reads *r, size_t table, int column)
{
    if (r == NULL || table >= r->n) {
        return;
    }
    r->named[table] = true;
    if (column >= 0 && (unsigned)column < SQL_MAX_COLUMNS) {
        r->columns[table] |= UINT64_C(1) << (unsigned)column;
    }
}

/* --- tables --- */

size_t sql_n_tables(const struct sql *s)
{
    return s->n;
}

const struct table *sql_table(const struct sql *s, size_t index)
{
    return s->tables[index];
}

/* Where name stands, or would stand, in by_name. */
static size_t name_place(const struct sql *s, const char *name, bool *ret_found)
{
    size_t low = 0;
    size_t high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcasecmp(s->tables[s->by_name[mid]]->name, name);
        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *ret_found = false;
    return low;
}

int sql_find(const struct sql *s, const char *name)
{
    bool found = false;
    size_t at = name_place(s, name, &found);
    return found ? (int)s->by_name[at] : -1;
}

static bool is_json_table(const char *name)
{
    return strcasecmp(name, "json_each") == 0 || strcasecmp(name, "json_tree") == 0;
}

/* --- the authorizer --- */

static int deny(struct sql *s, const char *what, const char *name)
{
    (void)snprintf(s->denied, sizeof s->denied, "%s%s%.80s", what, name != NULL ? " " : "",
                   name != NULL ? name : "");
    return SQLITE_DENY;
}

/* One READ that the compiler announces. Which column is noted here is what decides whether a NULL
 * in it matters, so an unknown name is refused rather than passed over. */
static int authorize_read(struct sql *s, const char *table, const char *column)
{
    if (is_json_table(table)) {
        return SQLITE_OK;
    }
    int index = sql_find(s, table);
    if (index < 0) {
        /* Without a column SQLite also announces a WITH name or an alias, which is harmless:
         * whatever real table lies below shows among the opened root pages. pragma_... and
         * sqlite_... are the engine's own. */
        bool engine =
            strncasecmp(table, "pragma_", 7) == 0 || strncasecmp(table, "sqlite_", 7) == 0;
        return column[0] == '\0' && !engine ? SQLITE_OK : deny(s, "no such table:", table);
    }
    if (!s->allow_views && s->tables[index]->kind == TABLE_VIEW) {
        return deny(s, "a view may not read the view", table);
    }
    int number = -1;
    if (column[0] != '\0') {
        const struct table *t = s->tables[index];
        for (size_t i = 0; i < t->n_columns && number < 0; i++) {
            number = strcasecmp(t->columns[i].name, column) == 0 ? (int)i : -1;
        }
        if (number < 0) { /* rowid: the place of a row says nothing of the host */
            return deny(s, "no such column:", column);
        }
    }
    sql_reads_note(s->collect, (size_t)index, number);
    return SQLITE_OK;
}

/* Called by the compiler for each thing that a statement would do. Anything not named is refused,
 * also what a later SQLite may invent. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    (void)c;
    (void)d;
    struct sql *s = arg;
    if (!s->guarded) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: /* bounded by the step limit */
        return SQLITE_OK;
    case SQLITE_READ:
        return authorize_read(s, a != NULL ? a : "", b != NULL ? b : "");
    case SQLITE_FUNCTION:
        return sql_function_allowed(b != NULL ? b : "") ? SQLITE_OK
                                                        : deny(s, "function not allowed:", b);
    default:
        return deny(s, "only one SELECT is allowed here", NULL);
    }
}

/* --- bounds --- */

/* The heap is the process's: where other threads use SQLite too this errs by what they take. */
static int on_progress(void *arg)
{
    struct sql *s = arg;
    s->steps += PROGRESS_STEPS;
    s->stopped =
        s->steps > SQL_MAX_STEPS || sqlite3_memory_used() - s->heap_base > SQL_MAX_HEAP_BYTES;
    return s->stopped ? 1 : 0;
}

/* --- opening --- */

int sql_engine_error(struct sql *s, struct err *e)
{
    return err_set(e, sqlite3_errcode(s->db) == SQLITE_NOMEM ? ERR_NOMEM : ERR_INTERNAL,
                   "SQLite: %s", sqlite3_errmsg(s->db));
}

int sql_own_exec(struct sql *s, const char *text, struct err *e)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_engine_error(s, e);
}

/* What the engine offers and no check needs is switched off, so that a hole in one fence is not
 * a way out. References: sqlite.org/security.html, "Untrusted SQL Inputs". */
static int harden(struct sql *s, struct err *e)
{
    static const struct {
        int option;
        int on;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (sqlite3_db_config(s->db, options[i].option, options[i].on, NULL) != SQLITE_OK) {
            return err_set(e, ERR_INTERNAL, "SQLite: option %d refused", options[i].option);
        }
    }
    static const struct {
        int limit;
        int value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, SQL_MAX_CELL_BYTES * 2},
        {SQLITE_LIMIT_SQL_LENGTH, SQL_MAX_TEXT_BYTES + 64},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
        {SQLITE_LIMIT_EXPR_DEPTH, 200},
        {SQLITE_LIMIT_COMPOUND_SELECT, 64},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        (void)sqlite3_limit(s->db, limits[i].limit, limits[i].value);
    }
    /* json_each is declared to the engine on first use, through statements that the authorizer
     * would refuse: use it once, then drop every other virtual table. */
    const char *keep[] = {"json_each", "json_tree", NULL};
    int rc = sql_own_exec(s,
                          "PRAGMA temp_store=MEMORY;"
                          "SELECT count(*) FROM json_each('[]'), json_tree('[]')",
                          e);
    if (rc == 0 && sqlite3_drop_modules(s->db, keep) != SQLITE_OK) {
        rc = sql_engine_error(s, e);
    }
    return rc;
}

int sql_open(struct sql **ret, struct err *e)
{
    CLEANUP(sql) struct sql *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return err_nomem(e);
    }
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(":memory:", &s->db, flags, NULL) != SQLITE_OK) {
        return err_set(e, ERR_NOMEM, "SQLite: cannot open a database in memory");
    }
    int rc = harden(s, e);
    if (rc == 0 && sql_functions_add(s->db) != SQLITE_OK) {
        rc = sql_engine_error(s, e);
    }
    if (rc == 0 && sqlite3_set_authorizer(s->db, authorize, s) != SQLITE_OK) {
        rc = sql_engine_error(s, e);
    }
    if (rc != 0) {
        return rc;
    }
    sqlite3_progress_handler(s->db, PROGRESS_STEPS, on_progress, s);
    *ret = TAKE_PTR(s);
    return 0;
}

void sql_close(struct sql *s)
{
    if (s == NULL) {
        return;
    }
    (void)sqlite3_close_v2(s->db);
    free(s->tables);
    free(s->by_name);
    free(s->roots);
    free(s);
}

/* --- making and filling tables --- */

/* Names may come from evidence, hence from anybody: quoted and doubled, never pasted. */
static void add_identifier(struct str *out, const char *name)
{
    str_add_char(out, '"');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '"') {
            str_add_char(out, '"');
        }
        str_add_char(out, *p);
    }
    str_add_char(out, '"');
}

static const char *affinity(enum col_type type)
{
    switch (type) {
    case COL_INT:
        return "INTEGER";
    case COL_REAL:
        return "REAL";
    case COL_TEXT:
    default:
        return "TEXT";
    }
}

static int tables_reserve(struct sql *s, struct err *e)
{
    if (s->n < s->cap) {
        return 0;
    }
    size_t cap = s->cap == 0 ? 64 : s->cap * 2;
    const struct table **tables = reallocarray(s->tables, cap, sizeof(const struct table *));
    if (tables == NULL) {
        return err_nomem(e);
    }
    s->tables = tables;
    size_t *by_name = reallocarray(s->by_name, cap, sizeof *by_name);
    if (by_name == NULL) {
        return err_nomem(e);
    }
    s->by_name = by_name;
    s->cap = cap;
    return 0;
}

int sql_create(struct sql *s, const struct table *decl, struct err *e)
{
    bool found = false;
    size_t at = name_place(s, decl->name, &found);
    if (found || is_json_table(decl->name) || s->n >= SQL_MAX_TABLES) {
        return err_set(e, ERR_MALFORMED, "table %.80s: %s", decl->name,
                       s->n >= SQL_MAX_TABLES ? "too many tables" : "the name is taken");
    }
    if (decl->n_columns == 0 || decl->n_columns > SQL_MAX_COLUMNS) {
        return err_set(e, ERR_MALFORMED, "table %.80s: %zu columns, 1 to %u are possible",
                       decl->name, decl->n_columns, SQL_MAX_COLUMNS);
    }
    int rc = tables_reserve(s, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(str) struct str text = STR_INIT(SQL_MAX_TEXT_BYTES);
    str_add(&text, "CREATE TABLE ");
    add_identifier(&text, decl->name);
    for (size_t i = 0; i < decl->n_columns; i++) {
        str_add(&text, i == 0 ? "(" : ",");
        add_identifier(&text, decl->columns[i].name);
        str_addf(&text, " %s", affinity(decl->columns[i].type));
    }
    str_add(&text, ")");
    rc = str_error(&text, e);
    if (rc == 0 && sql_own_exec(s, str_text(&text), e) != 0) {
        rc = err_set(e, ERR_MALFORMED, "table %.80s: %s", decl->name, sqlite3_errmsg(s->db));
    }
    if (rc != 0) {
        return rc;
    }
    memmove(s->by_name + at + 1, s->by_name + at, (s->n - at) * sizeof *s->by_name);
    s->by_name[at] = s->n;
    s->tables[s->n++] = decl;
    s->roots_stale = true;
    return 0;
}

/* STATIC: the facts outlive the statement that inserts them. */
static int bind_cell(sqlite3_stmt *st, int n, const struct cell *c)
{
    switch (c->type) {
    case CELL_INT:
        return sqlite3_bind_int64(st, n, c->v.i);
    case CELL_REAL:
        return sqlite3_bind_double(st, n, c->v.r);
    case CELL_TEXT:
        return sqlite3_bind_text64(st, n, c->v.t.p, c->v.t.n, SQLITE_STATIC, SQLITE_UTF8);
    case CELL_NULL:
    default:
        return sqlite3_bind_null(st, n);
    }
}

/* A row at a time through one statement: facts are small, and this needs no second copy. */
static int load_rows(struct sql *s, sqlite3_stmt *st, const struct fact_table *t, struct err *e)
{
    size_t n = t->decl->n_columns;
    for (size_t r = 0; r < t->n_rows; r++) {
        /* Our own inserts are not what the step bound is for. */
        s->steps = 0;
        for (size_t i = 0; i < n; i++) {
            if (bind_cell(st, (int)i + 1, &t->cells[r * n + i]) != SQLITE_OK) {
                return sql_engine_error(s, e);
            }
        }
        if (sqlite3_step(st) != SQLITE_DONE) {
            return sql_engine_error(s, e);
        }
        (void)sqlite3_reset(st);
    }
    return 0;
}

int sql_load(struct sql *s, size_t index, const struct fact_table *t, struct err *e)
{
    if (t->n_rows == 0) {
        return 0;
    }
    CLEANUP(str) struct str text = STR_INIT(SQL_MAX_TEXT_BYTES);
    str_add(&text, "INSERT INTO ");
    add_identifier(&text, s->tables[index]->name);
    for (size_t i = 0; i < t->decl->n_columns; i++) {
        str_add(&text, i == 0 ? " VALUES(?" : ",?");
    }
    str_add(&text, ")");
    int rc = str_error(&text, e);
    CLEANUP(stmt) sqlite3_stmt *st = NULL;
    if (rc == 0 && sqlite3_prepare_v2(s->db, str_text(&text), -1, &st, NULL) != SQLITE_OK) {
        rc = sql_engine_error(s, e);
    }
    s->heap_base = sqlite3_memory_used() + ((long long)1 << 40); /* no heap bound either */
    if (rc == 0) {
        rc = sql_own_exec(s, "BEGIN", e);
    }
    if (rc == 0) {
        rc = load_rows(s, st, t, e);
        int ended = sql_own_exec(s, rc == 0 ? "COMMIT" : "ROLLBACK", rc == 0 ? e : NULL);
        rc = rc != 0 ? rc : ended;
    }
    return rc;
}
