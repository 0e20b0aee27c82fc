/* Facts as they will be recorded for one contract. What is judged is this, never the raw facts, so
 * a stranger with the evidence has all that the verdicts were drawn from. design.md 3. */
#include <stdio.h>
#include <string.h>

#include "agent/base/timefmt.h"
#include "agent/policy/names.h"
#include "agent/policy/owed.h"
#include "agent/policy/scan_tables.h"

#define RECORD_MAX_BYTES ((size_t)1 << 20)

/* Always recorded: what C code reads to decide controls, and what the inspection says of itself. */
static bool is_always(const char *name)
{
    static const char *const always[] = {
        "scan",           "probe_status",       "recorded_owed",    "site_attestations",
        "site_contracts", "site_compensations", "site_permissions", "site_settings",
    };
    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        if (strcmp(always[i], name) == 0) {
            return true;
        }
    }
    return false;
}

struct recorder {
    const struct record_request *rq;
    struct facts site; /* of the contract */
    struct facts out;
    struct names *names;
};

static void cleanup_recorder(struct recorder *r)
{
    facts_done(&r->site);
    facts_done(&r->out);
    names_free(r->names);
}

/* Does some table that is read hold rows owed to this site_... table? */
static bool owed_needs(const struct recorder *r, const char *site_table)
{
    for (size_t i = 0; i < r->rq->facts->n; i++) {
        const struct table *t = r->rq->facts->tables[i]->decl;
        if (t->owed != NULL && read_set_has_table(r->rq->reads, t->name) &&
            strcmp(site_table + strlen("site_"), t->owed->list) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_recorded(const struct recorder *r, const struct table *t)
{
    if (r->rq->reads->users_for_names && strcmp(t->name, "users") == 0) {
        return false;
    }
    return is_always(t->name) || read_set_has_table(r->rq->reads, t->name) ||
           (t->kind == TABLE_SITE && owed_needs(r, t->name));
}

/* The rule of what leaves the host, in one place. */
static bool column_recorded(const struct read_set *reads, const struct table *t,
                            const struct column *c)
{
    return (c->flags & COL_KEY) != 0 || (c->flags & (COL_PERSONAL | COL_BULK)) == 0 ||
           read_set_has_column(reads, t->name, c->name);
}

/* The declaration with the recorded columns only, in one block (facts free it so). from[i]: where
 * recorded column i stands in t. */
static struct table *recorded_decl(const struct read_set *reads, const struct table *t,
                                   size_t *from)
{
    struct table *decl = malloc(sizeof *decl + t->n_columns * sizeof(struct column));
    if (decl == NULL) {
        return NULL;
    }
    struct column *columns = (struct column *)(decl + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (column_recorded(reads, t, &t->columns[i])) {
            from[n] = i;
            columns[n++] = t->columns[i];
        }
    }
    *decl = *t;
    decl->columns = columns;
    decl->n_columns = n;
    return decl;
}

/* Words of a vocabulary are compared with literals by the rules, and are no names. */
static int record_text(struct recorder *r, const struct column *c, const struct cell *from,
                       struct fact_table *t, struct cell *to, struct err *e)
{
    const char *text = from->v.t.p;
    bool is_word = c->values != NULL; /* of a vocabulary, never a name */
    if (!is_word && (c->flags & COL_PERSONAL) != 0) {
        int rc = names_personal(r->names, text, &text, e);
        return rc == 0 ? fact_text(t, to, text, strlen(text), e) : rc;
    }
    if (!is_word && (c->flags & COL_HAS_NAMES) != 0) {
        CLEANUP(str) struct str out = STR_INIT((size_t)8 << 20);
        int rc = names_replace(r->names, text, &out, e);
        return rc == 0 ? fact_text(t, to, str_text(&out), out.len, e) : rc;
    }
    return fact_text(t, to, text, from->v.t.n, e);
}

static int record_rows(struct recorder *r, const struct fact_table *from, const size_t *columns,
                       struct fact_table *to, struct err *e)
{
    for (size_t i = 0; i < from->n_rows; i++) {
        const struct cell *raw = &from->cells[i * from->decl->n_columns];
        struct cell *cells = NULL;
        int rc = fact_row(to, &cells, e);
        for (size_t k = 0; rc == 0 && k < to->decl->n_columns; k++) {
            const struct cell *cell = &raw[columns[k]];
            if (cell->type == CELL_TEXT) {
                rc = record_text(r, &to->decl->columns[k], cell, to, &cells[k], e);
            } else {
                cells[k] = *cell;
            }
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* A shallow copy whose rows may be taken out: texts stay the original's. */
static int copy_rows(const struct fact_table *t, struct fact_table *ret, struct err *e)
{
    size_t n = t->n_rows * t->decl->n_columns;
    *ret = *t;
    ret->cells = malloc((n + 1) * sizeof *ret->cells);
    if (ret->cells == NULL) {
        return err_nomem(e);
    }
    if (n > 0) {
        memcpy(ret->cells, t->cells, n * sizeof *ret->cells);
    }
    return 0;
}

/* On a copy: the next contract needs the rows that this one leaves out. */
static int record_owed_table(struct recorder *r, const struct fact_table *t, const size_t *columns,
                             struct fact_table *to, struct err *e)
{
    char name[80];
    struct fact_table copy;
    (void)snprintf(name, sizeof name, "site_%s", t->decl->owed->list);
    int rc = copy_rows(t, &copy, e);
    if (rc != 0) {
        return rc;
    }
    owed_filter(&copy, facts_find(&r->site, name));
    rc = record_rows(r, &copy, columns, to, e);
    free(copy.cells);
    return rc;
}

static int record_table(struct recorder *r, const struct fact_table *t, struct err *e)
{
    CLEANUP(free) size_t *columns = calloc(t->decl->n_columns + 1, sizeof *columns);
    CLEANUP(free)
    struct table *decl = columns != NULL ? recorded_decl(r->rq->reads, t->decl, columns) : NULL;
    struct fact_table *to = NULL;
    if (decl == NULL) {
        return err_nomem(e);
    }
    int rc = facts_add(&r->out, decl, t->probe, &to, e);
    if (rc != 0) {
        return rc;
    }
    decl = NULL;
    to->owns_decl = true;
    to->state = t->state;
    memcpy(to->reason, t->reason, sizeof to->reason);
    to->cpu_us = t->cpu_us;
    to->wall_us = t->wall_us;
    to->wanted = t->wanted;
    rc = t->decl->owed != NULL ? record_owed_table(r, t, columns, to, e)
                               : record_rows(r, t, columns, to, e);
    if (rc == 0) {
        fact_sort(to);
    }
    return rc;
}

/* Facts first, the site's tables from the contract's own view of them: whatever site_ tables the
 * raw facts may hold are another contract's as well. */
static int record_all(struct recorder *r, const struct facts *from, bool site, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < from->n && rc == 0; i++) {
        const struct table *t = from->tables[i]->decl;
        if ((t->kind == TABLE_SITE) == site && is_recorded(r, t)) {
            rc = record_table(r, from->tables[i], e);
        }
    }
    return rc;
}

/* Only what is recorded: evidence says nothing of tables it does not hold. */
static int record_owed_notes(struct recorder *r, struct err *e)
{
    struct fact_table *notes = NULL;
    int rc = facts_add(&r->out, &table_recorded_owed, "", &notes, e);
    for (size_t i = 0; i < r->out.n && rc == 0; i++) {
        const struct table *t = r->out.tables[i]->decl;
        if (t->owed != NULL) {
            rc = fact_row_va(notes, e, t->name, t->owed->key_column, t->owed->role_column,
                             t->owed->role, t->owed->list);
        }
    }
    if (rc == 0) {
        notes->state = STATE_COMPLETE;
        fact_sort(notes);
    }
    return rc;
}

/* --- the contract's own day --- */

static struct cell *cell_named(struct fact_table *t, size_t row, const char *column)
{
    int at = t != NULL ? table_column(t->decl, column) : -1;
    return at >= 0 && row < t->n_rows ? &t->cells[row * t->decl->n_columns + (size_t)at] : NULL;
}

/* Permissions run by days of the authority's place, not of the machine's. */
static int set_local_date(struct recorder *r, struct err *e)
{
    struct fact_table *scan = facts_find(&r->out, table_scan.name);
    struct cell *zone = cell_named(facts_find(&r->site, "site_contracts"), 0, "time_zone");
    struct cell *at = cell_named(scan, 0, "time");
    struct cell *day = cell_named(scan, 0, "local_date");
    bool known = zone != NULL && zone->type == CELL_TEXT && zone->v.t.n > 0 && day != NULL &&
                 at != NULL && at->type == CELL_TEXT;
    if (!known) {
        return 0; /* no contract: the scan's own day stands */
    }
    int64_t unix_s = 0;
    char text[TIME_TEXT_MAX];
    int rc = time_parse_utc(at->v.t.p, &unix_s, e);
    rc = rc == 0 ? date_in_zone(zone->v.t.p, unix_s, text, e) : rc;
    return rc == 0 ? fact_text(scan, day, text, strlen(text), e) : rc;
}

/* --- the cap --- */

/* Bytes that a cell takes in JSON, at most. */
static size_t cell_size(const struct cell *c)
{
    if (c->type != CELL_TEXT) {
        return c->type == CELL_NULL ? 5 : 25;
    }
    size_t n = c->v.t.n + 3;
    for (size_t i = 0; i < c->v.t.n; i++) {
        unsigned char b = (unsigned char)c->v.t.p[i];
        n += b == '"' || b == '\\' ? 1 : 0;
        n += b < 0x20 ? 5 : 0;
    }
    return n;
}

static size_t row_size(const struct fact_table *t, size_t row)
{
    size_t n = 3;
    for (size_t i = 0; i < t->decl->n_columns; i++) {
        n += cell_size(&t->cells[row * t->decl->n_columns + i]);
    }
    return n;
}

struct sized {
    struct fact_table *t;
    size_t bytes;
    bool always;
};

static int by_importance(const void *a, const void *b)
{
    const struct sized *x = a;
    const struct sized *y = b;
    if (x->always != y->always) {
        return x->always ? -1 : 1;
    }
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? -1 : 1;
    }
    return strcmp(x->t->decl->name, y->t->decl->name);
}

/* The state goes to probe_status too: a table cut here is unknown to whoever redoes the verdict. */
static void cut_table(struct fact_table *t, size_t room)
{
    size_t used = 0;
    size_t rows = 0;
    while (rows < t->n_rows && used + row_size(t, rows) <= room) {
        used += row_size(t, rows++);
    }
    t->n_rows = rows;
    t->truncated = true;
    t->state = fact_state_worse(t->state, STATE_TRUNCATED);
    if (t->state == STATE_TRUNCATED) {
        (void)snprintf(t->reason, sizeof t->reason, "cap: evidence would grow beyond its limit");
    }
}

/* Small tables first, so that one huge table costs only itself. */
static int apply_cap(struct recorder *r, struct err *e)
{
    size_t room = r->rq->max_bytes != 0 ? r->rq->max_bytes : RECORD_MAX_BYTES;
    CLEANUP(free) struct sized *sizes = calloc(r->out.n + 1, sizeof *sizes);
    if (sizes == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < r->out.n; i++) {
        struct fact_table *t = r->out.tables[i];
        sizes[i] = (struct sized){.t = t, .always = is_always(t->decl->name)};
        for (size_t row = 0; row < t->n_rows; row++) {
            sizes[i].bytes += row_size(t, row);
        }
    }
    qsort(sizes, r->out.n, sizeof *sizes, by_importance);
    for (size_t i = 0; i < r->out.n; i++) {
        if (sizes[i].bytes > room) {
            cut_table(sizes[i].t, room);
            room = 0;
        } else {
            room -= sizes[i].bytes;
        }
    }
    return 0;
}

/* --- probe_status as recorded: rows of recorded tables, and what recording did to them --- */

/* Rows of tables that are not recorded are left out: they would tell what else was inspected. */
static int fix_status(struct recorder *r, struct err *e)
{
    struct fact_table *status = facts_find(&r->out, table_probe_status.name);
    int rc = 0;
    size_t kept = 0;
    size_t n = status != NULL ? status->decl->n_columns : 0;
    for (size_t i = 0; status != NULL && i < status->n_rows && rc == 0; i++) {
        const struct cell *tbl = cell_named(status, i, "tbl");
        const struct fact_table *t =
            tbl != NULL && tbl->type == CELL_TEXT ? facts_find(&r->out, tbl->v.t.p) : NULL;
        if (t == NULL) {
            continue;
        }
        memmove(status->cells + kept * n, status->cells + i * n, n * sizeof(struct cell));
        struct cell *rows = cell_named(status, kept, "rows");
        struct cell *state = cell_named(status, kept, "state");
        struct cell *reason = cell_named(status, kept, "reason");
        if (rows != NULL) {
            cell_int(rows, (int64_t)t->n_rows); /* not those of other contracts */
        }
        if (t->truncated && state != NULL && reason != NULL) {
            const char *word = fact_state_word(t->state);
            rc = fact_text(status, state, word, strlen(word), e);
            rc = rc == 0 ? fact_text(status, reason, t->reason, strlen(t->reason), e) : rc;
        }
        kept++;
    }
    if (status != NULL && rc == 0) {
        status->n_rows = kept;
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct fact_table *const *x = a;
    const struct fact_table *const *y = b;
    return strcmp((*x)->decl->name, (*y)->decl->name);
}

int record_build(const struct record_request *rq, struct facts *ret, struct pseudonyms **ret_names,
                 struct err *e)
{
    CLEANUP(recorder) struct recorder r = {.rq = rq};
    int rc = site_facts(rq->site, rq->contract, &r.site, e);
    if (rc == 0) {
        /* Workers of all contracts: a colleague's name is a name under every contract. */
        CLEANUP(facts) struct facts all = {0};
        rc = site_facts(rq->site, "", &all, e);
        rc = rc == 0 ? names_new(facts_find(rq->facts, "users"), facts_find(&all, "site_workers"),
                                 rq->uid_min, rq->pseudonym_key, &r.names, e)
                     : rc;
    }
    rc = rc == 0 ? record_all(&r, rq->facts, false, e) : rc;
    rc = rc == 0 ? record_all(&r, &r.site, true, e) : rc;
    rc = rc == 0 ? record_owed_notes(&r, e) : rc;
    rc = rc == 0 ? set_local_date(&r, e) : rc;
    rc = rc == 0 ? apply_cap(&r, e) : rc;
    rc = rc == 0 ? fix_status(&r, e) : rc;
    if (rc != 0) {
        return rc;
    }
    qsort(r.out.tables, r.out.n, sizeof(struct fact_table *), by_name);
    *ret = r.out;
    r.out = (struct facts){0};
    if (ret_names != NULL) {
        *ret_names = names_take(r.names);
    }
    return 0;
}

bool record_wants_users(const struct read_set *reads, schema_list schema)
{
    for (size_t i = 0; schema[i] != NULL; i++) {
        const struct table *t = schema[i];
        for (size_t k = 0; k < t->n_columns && read_set_has_table(reads, t->name); k++) {
            if ((t->columns[k].flags & (COL_PERSONAL | COL_HAS_NAMES)) != 0 &&
                column_recorded(reads, t, &t->columns[k])) {
                return true;
            }
        }
    }
    return false;
}
