/* A probe reports a declared data path as a row of its own beside the row of the mount it is. Which
 * of the two stands depends on the contract that the facts are recorded for. */
#include "agent/policy/owed.h"

#include <stdio.h>
#include <string.h>

#include "agent/policy/eval.h"

/* Roles that say what something is used for, not what is mounted there: a declared path does not
 * replace these. */
static bool is_use(const char *role)
{
    return strcmp(role, "swap") == 0 || strcmp(role, "hibernate") == 0 ||
           strcmp(role, "coredump") == 0;
}

static const char *text_at(const struct fact_table *t, size_t row, int column)
{
    const struct cell *c = &t->cells[row * t->decl->n_columns + (size_t)column];
    return c->type == CELL_TEXT ? c->v.t.p : "";
}

/* By the text as written in the site: the probe reports the path in those words. */
static bool is_declared(const struct fact_table *declared, const char *name)
{
    for (size_t i = 0; declared != NULL && i < declared->n_rows; i++) {
        if (strcmp(text_at(declared, i, 0), name) == 0) {
            return true;
        }
    }
    return false;
}

void owed_filter(struct fact_table *t, const struct fact_table *declared)
{
    const struct owed *o = t->decl->owed;
    int key = table_column(t->decl, o->key_column);
    int role = table_column(t->decl, o->role_column);
    if (key < 0 || role < 0) {
        return;
    }
    size_t kept = 0;
    size_t n = t->decl->n_columns;
    for (size_t i = 0; i < t->n_rows; i++) {
        const char *name = text_at(t, i, key);
        const char *word = text_at(t, i, role);
        bool owed = strcmp(word, o->role) == 0;
        bool stays = owed ? is_declared(declared, name) : true;
        /* The owed row may stand before or after: look at all that came from the probe. Rows that
         * were moved down keep their texts, so the declared names decide, not the rows. */
        bool has_owed_row = false;
        for (size_t k = 0; !owed && !is_use(word) && k < t->n_rows && !has_owed_row; k++) {
            has_owed_row = strcmp(text_at(t, k, role), o->role) == 0 &&
                           strcmp(text_at(t, k, key), name) == 0 && is_declared(declared, name);
        }
        if (stays && !has_owed_row) {
            if (kept != i) {
                memmove(t->cells + kept * n, t->cells + i * n, n * sizeof(struct cell));
            }
            kept++;
        }
    }
    t->n_rows = kept;
}

int owed_apply(struct facts *f, const struct site *site, const char *contract, struct err *e)
{
    CLEANUP(facts) struct facts declared = {0};
    int rc = site_facts(site, contract, &declared, e);
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        const struct owed *o = f->tables[i]->decl->owed;
        if (o != NULL) {
            char name[80];
            (void)snprintf(name, sizeof name, "site_%s", o->list);
            owed_filter(f->tables[i], facts_find(&declared, name));
        }
    }
    return rc;
}
