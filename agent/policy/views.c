/* Views: SQL of the policy over raw tables and site_*, held as tables with the declared columns
 * and flags, so that the NULL rule sees them like any other table. */
#include <string.h>

#include "agent/policy/judge.h"

void view_set_done(struct view_set *v)
{
    for (size_t i = 0; i < v->n; i++) {
        sql_reads_done(&v->slots[i].reads);
        facts_done(&v->slots[i].rows);
    }
    free(v->slots);
    *v = (struct view_set){0};
}

int views_create(struct view_set *v, struct sql *sql, const struct policy *p, struct err *e)
{
    v->slots = calloc(p->n_views + 1, sizeof *v->slots);
    if (v->slots == NULL) {
        return err_nomem(e);
    }
    v->sql = sql;
    v->first = sql_n_tables(sql);
    for (size_t i = 0; i < p->n_views; i++) {
        v->slots[i].view = &p->views[i];
        int rc = sql_create(sql, &p->views[i].decl, e);
        if (rc != 0) {
            return err_prefix(e, "%s", p->views[i].file);
        }
        v->n++;
    }
    return 0;
}

struct view_slot *view_at(const struct view_set *v, size_t index)
{
    return index >= v->first && index - v->first < v->n ? &v->slots[index - v->first] : NULL;
}

/* By position and name: flags are declared per column, and a column in another's place would
 * carry the wrong ones. */
static int columns_match(const struct view *view, const struct strv *names, struct err *e)
{
    const struct table *t = &view->decl;
    if (names->n != t->n_columns) {
        return err_set(e, ERR_INVALID, "%zu columns are declared, the SELECT gives %zu",
                       t->n_columns, names->n);
    }
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->items[i], t->columns[i].name) != 0) {
            return err_set(e, ERR_INVALID, "column %zu is declared as %s, the SELECT calls it %s",
                           i + 1, t->columns[i].name, names->items[i]);
        }
    }
    return 0;
}

/* Known once per connection, since the declared tables do not change under it. */
static int view_learn(struct view_set *v, struct view_slot *slot, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    int rc = sql_explain(v->sql, slot->view->sql, false, &slot->reads, &names, e);
    rc = rc == 0 ? columns_match(slot->view, &names, e) : rc;
    if (rc == 0) {
        slot->known = true;
        return 0;
    }
    return err_prefix(e, "%s: view %s", slot->view->file, slot->view->decl.name);
}

int views_expand(struct view_set *v, struct sql_reads *reads, struct err *e)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->first + i >= reads->n || !reads->named[v->first + i]) {
            continue;
        }
        int rc = v->slots[i].known ? 0 : view_learn(v, &v->slots[i], e);
        rc = rc == 0 ? sql_reads_merge(reads, &v->slots[i].reads, e) : rc;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
