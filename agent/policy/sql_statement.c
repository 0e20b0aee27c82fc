/* Statements of checks: compiled under guard, looked at for every table that the compiled program
 * opens (the authorizer says nothing of columns joined by USING or NATURAL), run within bounds. */
#include <string.h>
#include <strings.h>

#include "agent/policy/result.h"
#include "agent/policy/sql_internal.h"

/* The engine's own words for a refusal are "not authorized": say what was refused instead. */
static int statement_error(struct sql *s, struct err *e)
{
    if (sqlite3_errcode(s->db) == SQLITE_NOMEM) {
        return err_nomem(e);
    }
    if (s->denied[0] != '\0') {
        return err_set(e, ERR_INVALID, "%s", s->denied);
    }
    return err_set(e, ERR_INVALID, "%s", sqlite3_errmsg(s->db));
}

/* Past white space, comments and semicolons. */
static const char *skip_blank(const char *p)
{
    for (;;) {
        p += strspn(p, " \t\r\n\f;");
        if (strncmp(p, "--", 2) == 0) {
            p += strcspn(p, "\n");
        } else if (strncmp(p, "/*", 2) == 0) {
            const char *end = strstr(p + 2, "*/");
            p = end != NULL ? end + 2 : p + strlen(p); /* it ends with the text, as in SQLite */
        } else {
            return p;
        }
    }
}

/* VACUUM and the like are compiled without asking the authorizer. */
static bool begins_select(const char *p)
{
    static const char *const words[] = {"SELECT", "WITH", "VALUES"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if (strncasecmp(p, words[i], n) == 0 && strchr(" \t\r\n\f('\"-/", p[n]) != NULL) {
            return true;
        }
    }
    return false;
}

/* prefix: "" or "EXPLAIN ". The guard is on while the statement is compiled. */
static int prepare(struct sql *s, const char *prefix, const char *text, sqlite3_stmt **ret,
                   struct err *e)
{
    if (strlen(text) > SQL_MAX_TEXT_BYTES) {
        return err_set(e, ERR_INVALID, "longer than %d bytes", SQL_MAX_TEXT_BYTES);
    }
    if (!begins_select(skip_blank(text))) {
        return err_set(e, ERR_INVALID, "only one SELECT is allowed here");
    }
    CLEANUP(str) struct str full = STR_INIT((size_t)SQL_MAX_TEXT_BYTES + 64);
    str_addf(&full, "%s%s", prefix, text);
    int rc = str_error(&full, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(stmt) sqlite3_stmt *st = NULL;
    const char *tail = "";
    s->denied[0] = '\0';
    s->guarded = true;
    int code = sqlite3_prepare_v2(s->db, str_text(&full), -1, &st, &tail);
    s->guarded = false;
    if (code != SQLITE_OK) {
        return statement_error(s, e);
    }
    if (*skip_blank(tail) != '\0') {
        return err_set(e, ERR_INVALID, "more than one statement");
    }
    if (sqlite3_bind_parameter_count(st) != 0) {
        return err_set(e, ERR_INVALID, "parameters (?) have no value here");
    }
    *ret = TAKE_PTR(st);
    return 0;
}

int sql_roots_refresh(struct sql *s, struct err *e)
{
    if (!s->roots_stale) {
        return 0;
    }
    CLEANUP(stmt) sqlite3_stmt *st = NULL;
    /* tbl_name, not name: an index that SQLite made by itself belongs to its table. */
    if (sqlite3_prepare_v2(s->db, "SELECT rootpage, tbl_name FROM sqlite_master WHERE rootpage > 0",
                           -1, &st, NULL) != SQLITE_OK) {
        return sql_engine_error(s, e);
    }
    while (sqlite3_step(st) == SQLITE_ROW) {
        int root = sqlite3_column_int(st, 0);
        const char *name = (const char *)sqlite3_column_text(st, 1);
        if (root <= 0 || name == NULL) {
            continue;
        }
        if ((size_t)root >= s->n_roots) {
            size_t n = (size_t)root + 64;
            int *roots = reallocarray(s->roots, n, sizeof *roots);
            if (roots == NULL) {
                return err_nomem(e);
            }
            memset(roots + s->n_roots, 0, (n - s->n_roots) * sizeof *roots);
            s->roots = roots;
            s->n_roots = n;
        }
        s->roots[root] = sql_find(s, name) + 1;
    }
    s->roots_stale = false;
    return 0;
}

/* Which table each cursor of the compiled program was opened on; index + 1, 0 = none of ours. */
#define MAX_CURSORS 256

/* OpenRead: the cursor p1 is on root page p2. */
static int note_open(struct sql *s, int p1, int p2, int cursors[MAX_CURSORS], struct sql_reads *r,
                     struct err *e)
{
    int index = p2 > 0 && (size_t)p2 < s->n_roots ? s->roots[p2] : 0;
    if (index == 0 || p1 >= MAX_CURSORS) {
        return err_set(e, ERR_INVALID,
                       index == 0 ? "reads something that is no table"
                                  : "too many tables in one statement");
    }
    const struct table *t = s->tables[index - 1];
    if (!s->allow_views && t->kind == TABLE_VIEW) {
        return err_set(e, ERR_INVALID, "a view may not read the view %.80s", t->name);
    }
    cursors[p1] = index;
    sql_reads_note(r, (size_t)index - 1, -1);
    return 0;
}

/* Column reads are taken from the program too: a column that is joined by name is compared by a
 * Column instruction although nobody wrote it. */
static int read_program(struct sql *s, sqlite3_stmt *st, struct sql_reads *r, struct err *e)
{
    int cursors[MAX_CURSORS] = {0};
    int code = SQLITE_OK;
    int rc = 0;
    while (rc == 0 && (code = sqlite3_step(st)) == SQLITE_ROW) {
        const char *op = (const char *)sqlite3_column_text(st, 1);
        int p1 = sqlite3_column_int(st, 2);
        int p2 = sqlite3_column_int(st, 3);
        if (op == NULL || p1 < 0) {
            continue;
        }
        if (strcmp(op, "OpenRead") == 0 || strcmp(op, "ReopenIdx") == 0) {
            rc = note_open(s, p1, p2, cursors, r, e);
        } else if (strcmp(op, "Column") == 0 && p1 < MAX_CURSORS && cursors[p1] != 0) {
            sql_reads_note(r, (size_t)cursors[p1] - 1, p2);
        }
    }
    return rc != 0 || code == SQLITE_DONE ? rc : sql_engine_error(s, e);
}

static int result_names(sqlite3_stmt *st, struct strv *ret, struct err *e)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < sqlite3_column_count(st); i++) {
        const char *name = sqlite3_column_name(st, i);
        rc = strv_add(ret, name != NULL ? name : "", e);
    }
    return rc;
}

/* Compiles under guard, the authorizer's reads going to *reads. */
static int prepare_collecting(struct sql *s, const char *prefix, const char *text, bool allow_views,
                              struct sql_reads *reads, sqlite3_stmt **ret, struct err *e)
{
    int rc = sql_reads_reserve(reads, s->n, e);
    if (rc != 0) {
        return rc;
    }
    s->allow_views = allow_views;
    s->collect = reads;
    rc = prepare(s, prefix, text, ret, e);
    s->collect = NULL;
    return rc;
}

int sql_explain(struct sql *s, const char *text, bool allow_views, struct sql_reads *ret,
                struct strv *ret_columns, struct err *e)
{
    CLEANUP(sql_reads) struct sql_reads reads = {0};
    CLEANUP(stmt) sqlite3_stmt *st = NULL;
    int rc = sql_roots_refresh(s, e);
    rc = rc == 0 ? prepare_collecting(s, "EXPLAIN ", text, allow_views, &reads, &st, e) : rc;
    if (rc == 0) {
        s->steps = 0;
        s->heap_base = sqlite3_memory_used();
        rc = read_program(s, st, &reads, e);
    }
    if (rc == 0 && ret_columns != NULL) {
        CLEANUP(stmt) sqlite3_stmt *plain = NULL;
        rc = prepare(s, "", text, &plain, e);
        rc = rc == 0 ? result_names(plain, ret_columns, e) : rc;
    }
    return rc == 0 ? sql_reads_merge(ret, &reads, e) : rc;
}

void sql_statement_free(struct sql_statement *st)
{
    (void)sqlite3_finalize((sqlite3_stmt *)st);
}

/* SQL has no other way to write these words. */
static bool joins_by_name(const char *text)
{
    return strcasestr(text, "USING") != NULL || strcasestr(text, "NATURAL") != NULL;
}

int sql_compile(struct sql *s, const char *text, bool allow_views, struct sql_reads *reads,
                struct sql_statement **ret, struct err *e)
{
    CLEANUP(stmt) sqlite3_stmt *st = NULL;
    CLEANUP(sql_reads) struct sql_reads here = {0};
    int rc = prepare_collecting(s, "", text, allow_views, &here, &st, e);
    if (rc == 0 && joins_by_name(text)) {
        rc = sql_explain(s, text, allow_views, &here, NULL, e);
    }
    rc = rc == 0 ? sql_reads_merge(reads, &here, e) : rc;
    if (rc == 0) {
        *ret = (struct sql_statement *)TAKE_PTR(st);
    }
    return rc;
}

/* Texts from SQL may hold what a cell may not (a cast of bytes): those are escaped. */
static int take_text(struct result_rows *r, struct cell *c, const char *p, size_t n, struct err *e)
{
    if (memchr(p, '\0', n) == NULL && str_is_utf8(p, n)) {
        return result_text(r, c, p, n, e);
    }
    CLEANUP(str) struct str escaped = STR_INIT((size_t)SQL_MAX_CELL_BYTES * 8);
    str_add_cell(&escaped, p, n);
    int rc = str_error(&escaped, e);
    return rc == 0 ? result_text(r, c, str_text(&escaped), escaped.len, e) : rc;
}

static int take_row(sqlite3_stmt *st, struct result_rows *r, size_t *bytes, struct err *e)
{
    struct cell *cells = NULL;
    int rc = result_row(r, &cells, e);
    for (size_t i = 0; rc == 0 && i < r->n_columns; i++) {
        int column = (int)i;
        switch (sqlite3_column_type(st, column)) {
        case SQLITE_INTEGER:
            cell_int(&cells[i], sqlite3_column_int64(st, column));
            break;
        case SQLITE_FLOAT:
            cells[i].type = CELL_REAL;
            cells[i].v.r = sqlite3_column_double(st, column);
            break;
        case SQLITE_NULL:
            break;
        default: { /* text, and bytes taken as text */
            const char *p = sqlite3_column_blob(st, column);
            size_t n = (size_t)sqlite3_column_bytes(st, column);
            rc = take_text(r, &cells[i], p != NULL ? p : "", n, e);
            *bytes += n;
        }
        }
        *bytes += sizeof(struct cell);
    }
    return rc;
}

/* Too big a value is a bound like any other: it is hit here and perhaps not elsewhere. */
static int collect_rows(struct sql *s, sqlite3_stmt *st, struct result_rows *r, struct err *e)
{
    size_t bytes = 0;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(st)) == SQLITE_ROW) {
        if (r->n_rows >= SQL_MAX_ROWS || bytes > SQL_MAX_RESULT_BYTES) {
            return err_set(e, ERR_LIMIT, "more than %u rows or %zu bytes", SQL_MAX_ROWS,
                           SQL_MAX_RESULT_BYTES);
        }
        int rc = take_row(st, r, &bytes, e);
        if (rc != 0) {
            return rc;
        }
    }
    if (code == SQLITE_DONE) {
        return 0;
    }
    if (s->stopped || code == SQLITE_TOOBIG) {
        return err_set(e, ERR_LIMIT, "more than %d steps, or too much memory", SQL_MAX_STEPS);
    }
    return statement_error(s, e);
}

int sql_rows(struct sql *s, struct sql_statement *st, struct result_rows *ret, struct err *e)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)st;
    CLEANUP(strv) struct strv names = {0};
    struct result_rows rows = {0};
    int rc = result_names(stmt, &names, e);
    rc = rc == 0 ? result_begin(&rows, (const char *const *)names.items, names.n, e) : rc;
    s->steps = 0;
    s->stopped = false;
    s->denied[0] = '\0';
    s->heap_base = sqlite3_memory_used();
    s->allow_views = true; /* the guard at compiling knew better */
    s->guarded = true;     /* a statement that must be compiled again is judged again */
    rc = rc == 0 ? collect_rows(s, stmt, &rows, e) : rc;
    s->guarded = false;
    if (rc != 0) {
        result_rows_done(&rows);
        return rc;
    }
    *ret = rows;
    return 0;
}

int sql_run(struct sql *s, const char *text, bool allow_views, struct result_rows *ret,
            struct err *e)
{
    CLEANUP(sql_reads) struct sql_reads reads = {0};
    CLEANUP(sql_statement) struct sql_statement *st = NULL;
    int rc = sql_compile(s, text, allow_views, &reads, &st, e);
    return rc == 0 ? sql_rows(s, st, ret, e) : rc;
}
