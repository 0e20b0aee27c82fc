/* Why "nothing found" is not yet a pass, nor "does not apply" a not-applicable: tables not seen
 * whole, lists that the site does not declare, values not known. design.md 3. */
#include <stdio.h>
#include <string.h>

#include "agent/policy/judge.h"
#include "agent/policy/sql_tokens.h"

void check_reads_done(struct check_reads *r)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        sql_reads_done(&r->direct[i]);
    }
    sql_reads_done(&r->all);
}

static bool reads_table(const struct sql_reads *r, size_t index)
{
    return index < r->n && r->named[index];
}

/* --- states --- */

bool doubt_incomplete(const struct judge *j, const struct sql_reads *r, bool absent_ok,
                      char reason[256])
{
    const struct judge_table *worst = NULL;
    for (size_t i = 0; i < j->n_tables; i++) {
        const struct judge_table *t = &j->tables[i];
        bool good = t->state == STATE_COMPLETE || (absent_ok && t->state == STATE_ABSENT);
        if (!reads_table(r, i) || good) {
            continue;
        }
        /* The first by name, and what is incomplete before what is absent. */
        if (worst == NULL || (worst->state == STATE_ABSENT && t->state != STATE_ABSENT) ||
            ((worst->state == STATE_ABSENT) == (t->state == STATE_ABSENT) &&
             strcmp(t->facts->decl->name, worst->facts->decl->name) < 0)) {
            worst = t;
        }
    }
    if (worst == NULL) {
        return false;
    }
    bool absent = worst->state == STATE_ABSENT;
    bool has_reason = worst->reason[0] != '\0';
    (void)snprintf(reason, 256, "%s: %.64s%s%s%s%.120s%s", absent ? "absent" : "incomplete",
                   worst->facts->decl->name, absent ? "" : " ",
                   absent ? "" : fact_state_word(worst->state), has_reason ? " (" : "",
                   worst->reason, has_reason ? ")" : "");
    return true;
}

/* --- declarations --- */

static const struct {
    const char *list, *table, *what;
} declared_lists[] = {
    {"data_paths", "site_data_paths", "data path"},
    {"workers", "site_workers", "worker"},
    {"assets", "site_assets", "asset"},
    {"tls_endpoints", "site_tls_endpoints", "TLS endpoint"},
};

struct owed_note {
    const char *column, *role, *list;
};

/* Do rows of t exist because something was declared? From the declaration, or (evidence read back)
 * from what was recorded beside the facts. */
static bool owed_of(const struct judge *j, const struct table *t, struct owed_note *ret)
{
    if (t->owed != NULL) {
        *ret = (struct owed_note){t->owed->role_column, t->owed->role, t->owed->list};
        return true;
    }
    const struct fact_table *notes = facts_find(j->facts, "recorded_owed");
    for (size_t i = 0; notes != NULL && i < notes->n_rows; i++) {
        const char *tbl = fact_cell_text(notes, i, "tbl");
        const char *column = fact_cell_text(notes, i, "role_column");
        const char *role = fact_cell_text(notes, i, "role");
        const char *list = fact_cell_text(notes, i, "list");
        if (tbl != NULL && column != NULL && role != NULL && list != NULL &&
            strcmp(tbl, t->name) == 0) {
            *ret = (struct owed_note){column, role, list};
            return true;
        }
    }
    return false;
}

/* Does this statement look at rows of the table that exist by declaration only? */
static int text_leans(const char *text, const char *table, const struct owed_note *owed, bool *ret,
                      struct err *e)
{
    CLEANUP(tokens) struct tokens t = {0};
    int rc = tokens_parse(text, &t, e);
    if (rc == 0 && !sql_leaves_out(&t, table, owed->column, owed->role)) {
        *ret = true;
    }
    return rc;
}

/* Looks at each statement that names such a table directly, and at the SQL of each view between.
 * One that does not leave the declared rows out leans on the list. */
static int leans_on_owed(struct judge *j, const struct check *c, const struct check_reads *r,
                         const char *list, bool *ret, struct err *e)
{
    const char *const texts[] = {[PART_APPLIES] = c->applies, [PART_QUERY] = c->query};
    int rc = 0;
    for (size_t i = 0; i < j->n_tables && rc == 0; i++) {
        const struct table *t = j->tables[i].facts->decl;
        struct owed_note owed;
        if (!reads_table(&r->all, i) || !owed_of(j, t, &owed) || strcmp(owed.list, list) != 0) {
            continue;
        }
        for (size_t p = 0; p < ARRAY_LEN(texts) && rc == 0; p++) {
            if (reads_table(&r->direct[p], i)) {
                rc = text_leans(texts[p], t->name, &owed, ret, e);
            }
        }
        for (size_t v = 0; v < j->views.n && rc == 0; v++) {
            const struct view_slot *slot = &j->views.slots[v];
            if ((reads_table(&r->direct[PART_APPLIES], j->views.first + v) ||
                 reads_table(&r->direct[PART_QUERY], j->views.first + v)) &&
                reads_table(&slot->reads, i)) {
                rc = text_leans(slot->view->sql, t->name, &owed, ret, e);
            }
        }
    }
    return rc;
}

/* applies and query, and the views that they read. */
static bool leans_on_table(const struct judge *j, const struct check_reads *r, const char *table)
{
    int index = sql_find(j->sql, table);
    if (index < 0) {
        return false;
    }
    size_t at = (size_t)index;
    const struct sql_reads *parts[] = {&r->direct[PART_APPLIES], &r->direct[PART_QUERY]};
    for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
        if (reads_table(parts[p], at)) {
            return true;
        }
        for (size_t v = 0; v < j->views.n; v++) {
            if (reads_table(parts[p], j->views.first + v) &&
                reads_table(&j->views.slots[v].reads, at)) {
                return true;
            }
        }
    }
    return false;
}

/* Neither declared nor said to be none. An empty list without the word is open: otherwise leaving
 * a declaration out would look better than making it. */
static bool list_is_open(const struct judge *j, const char *list, const char *table)
{
    const struct fact_table *t = facts_find(j->facts, table);
    if (t != NULL && t->n_rows > 0) {
        return false;
    }
    char key[64];
    (void)snprintf(key, sizeof key, "list.%s", list);
    const char *said = judge_setting(j, key);
    return said == NULL || strcmp(said, "none") != 0;
}

/* `unknown:` is not asked: it may well look for what nobody declared. */
static int find_undeclared(struct judge *j, const struct check *c, const struct check_reads *r,
                           char reason[256], struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(declared_lists); i++) {
        if (!list_is_open(j, declared_lists[i].list, declared_lists[i].table)) {
            continue;
        }
        bool leans = leans_on_table(j, r, declared_lists[i].table);
        int rc = leans ? 0 : leans_on_owed(j, c, r, declared_lists[i].list, &leans, e);
        if (rc != 0) {
            return rc;
        }
        if (leans) {
            (void)snprintf(reason, 256, "undeclared: site declares no %s", declared_lists[i].what);
            return 0;
        }
    }
    return 0;
}

/* --- values not known --- */

/* Is the word one that the vocabulary flags as "not known"? */
static bool word_is_unknown(const struct column *c, const char *word)
{
    bool flagged = false;
    return c->values != NULL && column_allows(c, word, &flagged) && flagged;
}

struct name_lookup {
    const struct sql *sql;
};

static bool lookup_has(const char *table, size_t n, const char *column, void *arg)
{
    const struct name_lookup *look = arg;
    char name[128];
    if (n >= sizeof name) {
        return false;
    }
    memcpy(name, table, n);
    name[n] = '\0';
    int index = sql_find(look->sql, name);
    return index >= 0 && table_column(sql_table(look->sql, (size_t)index), column) >= 0;
}

static bool null_ok_names(const struct check *c, const char *table, const char *column)
{
    char name[192];
    (void)snprintf(name, sizeof name, "%s.%s", table, column);
    for (size_t i = 0; c->null_ok != NULL && c->null_ok[i] != NULL; i++) {
        if (strcmp(c->null_ok[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Does the check answer for that value itself? word NULL = a NULL cell. */
static int answered(const struct judge *j, const struct check *c, const struct table *t,
                    const struct column *column, const char *word, bool *ret, struct err *e)
{
    *ret = null_ok_names(c, t->name, column->name);
    if (*ret || c->unknown == NULL) {
        return 0;
    }
    CLEANUP(tokens) struct tokens tokens = {0};
    int rc = tokens_parse(c->unknown, &tokens, e);
    if (rc == 0) {
        struct name_lookup look = {j->sql};
        *ret = sql_tests_column(&tokens, t->name, column->name, word, lookup_has, &look);
    }
    return rc;
}

/* One column over all rows. */
static int column_doubt(const struct judge *j, const struct check *c, const struct fact_table *t,
                        size_t column, char reason[256], struct err *e)
{
    const struct column *decl = &t->decl->columns[column];
    bool null_seen = false;
    for (size_t row = 0; row < t->n_rows && reason[0] == '\0'; row++) {
        const struct cell *cell = &t->cells[row * t->decl->n_columns + column];
        const char *word = cell->type == CELL_TEXT ? cell->v.t.p : NULL;
        bool unknown_word = word != NULL && word_is_unknown(decl, word);
        if (cell->type != CELL_NULL && !unknown_word) {
            continue;
        }
        if (cell->type == CELL_NULL && null_seen) {
            continue; /* the answer for NULL is the same in every row */
        }
        null_seen = null_seen || cell->type == CELL_NULL;
        bool is_answered = false;
        int rc = answered(j, c, t->decl, decl, word, &is_answered, e);
        if (rc != 0) {
            return rc;
        }
        if (!is_answered) {
            (void)snprintf(reason, 256, "null: %.100s.%.100s%s%.40s", t->decl->name, decl->name,
                           word != NULL ? " " : "", word != NULL ? word : "");
        }
    }
    return 0;
}

/* Over every table and view whose column was read, not only the rows that the query wanted: what
 * is NULL in a condition is what made the row go missing. */
static int find_null(struct judge *j, const struct check *c, const struct sql_reads *r,
                     char reason[256], struct err *e)
{
    char best[256] = "";
    for (size_t i = 0; i < r->n; i++) {
        const struct view_slot *slot = view_at(&j->views, i);
        const struct fact_table *t = NULL;
        if (i < j->n_tables) {
            t = j->tables[i].facts;
        } else if (slot != NULL && slot->made) {
            t = slot->rows.tables[0];
        }
        if (t == NULL || !r->named[i]) {
            continue;
        }
        for (size_t k = 0; k < t->decl->n_columns && k < SQL_MAX_COLUMNS; k++) {
            if ((r->columns[i] >> k & 1U) == 0 || (t->decl->columns[k].flags & COL_DECIDES) == 0) {
                continue;
            }
            char found[256] = "";
            int rc = column_doubt(j, c, t, k, found, e);
            if (rc != 0) {
                return rc;
            }
            /* The first by name, so that the order of tables does not show. */
            if (found[0] != '\0' && (best[0] == '\0' || strcmp(found, best) < 0)) {
                (void)snprintf(best, sizeof best, "%s", found);
            }
        }
    }
    (void)snprintf(reason, 256, "%s", best);
    return 0;
}

int doubt_find(struct judge *j, const struct check *c, const struct check_reads *r,
               char reason[256], bool *ret_absent, struct err *e)
{
    char scratch[256] = "";
    reason[0] = '\0';
    *ret_absent = false;
    if (doubt_incomplete(j, &r->all, c->absent != ABSENT_UNKNOWN, reason)) {
        return 0;
    }
    *ret_absent = doubt_incomplete(j, &r->all, false, scratch);
    int rc = find_undeclared(j, c, r, reason, e);
    if (rc == 0 && reason[0] == '\0') {
        rc = find_null(j, c, &r->all, reason, e);
    }
    return rc;
}
