/* From wanted tables to groups of probes. */
#include "agent/scan/plan.h"

#include <string.h>

static bool has_word(const char *const *list, const char *word)
{
    for (; list != NULL && *list != NULL; list++) {
        if (strcmp(*list, word) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_subset(const char *const *a, const char *const *b)
{
    for (; a != NULL && *a != NULL; a++) {
        if (!has_word(b, *a)) {
            return false;
        }
    }
    return true;
}

bool plan_same_privilege(const struct probe *a, const struct probe *b)
{
    /* parse() counts: it brings the calls of the step down, and what has none would wait for it. */
    return a->caps == b->caps && a->network == b->network && a->opens_devices == b->opens_devices &&
           a->proc_links == b->proc_links && (a->parse == NULL) == (b->parse == NULL) &&
           is_subset(a->syscalls, b->syscalls) && is_subset(b->syscalls, a->syscalls);
}

static bool fills(const struct probe *p, const char *table)
{
    for (const struct table *const *t = p->tables; *t != NULL; t++) {
        if (strcmp((*t)->name, table) == 0) {
            return true;
        }
    }
    return false;
}

/* A probe runs if anything of it is wanted; its other tables are then known not to have run. */
static bool fills_any(const struct probe *p, const char *const *tables, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fills(p, tables[i])) {
            return true;
        }
    }
    return false;
}

/* The judge asks only for tables that lint has seen: another name is our own mistake. */
static int check_known(const struct probe *const *probes, size_t n_probes,
                       const char *const *tables, size_t n_tables, struct err *e)
{
    for (size_t i = 0; i < n_tables; i++) {
        bool known = false;
        for (size_t k = 0; k < n_probes && !known; k++) {
            known = fills(probes[k], tables[i]);
        }
        if (!known) {
            return err_set(e, ERR_INTERNAL, "no probe fills table %s", tables[i]);
        }
    }
    return 0;
}

/* On an error the tables added so far stay in *facts, which the caller drops as a whole. */
static int add_run(const struct probe *p, unsigned index, const char *const *tables, size_t n,
                   struct facts *facts, struct probe_run *run, struct err *e)
{
    *run = (struct probe_run){.p = p, .index = index};
    size_t n_tables = 0;
    while (p->tables[n_tables] != NULL) {
        n_tables++;
    }
    if (n_tables > RUN_TABLES_MAX) {
        return err_set(e, ERR_INTERNAL, "probe %s has more than %u tables", p->name,
                       RUN_TABLES_MAX);
    }
    run->tables = calloc(n_tables + 1, sizeof(struct fact_table *));
    if (run->tables == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < n_tables; i++) {
        int rc = facts_add(facts, p->tables[i], p->name, &run->tables[i], e);
        if (rc != 0) {
            return rc;
        }
        run->n_tables++;
        for (size_t k = 0; k < n && !run->tables[i]->wanted; k++) {
            run->tables[i]->wanted = strcmp(tables[k], p->tables[i]->name) == 0;
        }
    }
    return 0;
}

/* Puts a run into the group of its privilege, or into a new one. */
static int add_to_group(struct plan *plan, struct probe_run *run, struct err *e)
{
    struct plan_group *g = NULL;
    for (size_t i = 0; i < plan->n_groups && g == NULL; i++) {
        if (plan_same_privilege(plan->groups[i].runs[0]->p, run->p)) {
            g = &plan->groups[i];
        }
    }
    if (g == NULL) {
        g = &plan->groups[plan->n_groups];
        g->runs = calloc(plan->n_runs, sizeof(struct probe_run *));
        if (g->runs == NULL) {
            return err_nomem(e);
        }
        plan->n_groups++;
    }
    g->runs[g->n_runs++] = run;
    return 0;
}

/* Room for every probe: the plan never grows. */
static int plan_alloc(struct plan *p, size_t n_probes, struct err *e)
{
    p->runs = calloc(n_probes + 1, sizeof(struct probe_run));
    p->groups = calloc(n_probes + 1, sizeof(struct plan_group));
    return p->runs != NULL && p->groups != NULL ? 0 : err_nomem(e);
}

int plan_make(const struct probe *const *probes, size_t n_probes, const char *const *tables,
              size_t n_tables, struct facts *facts, struct plan *ret, struct err *e)
{
    int rc = check_known(probes, n_probes, tables, n_tables, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(plan) struct plan plan = {.runs = NULL};
    rc = plan_alloc(&plan, n_probes, e);
    for (unsigned i = 0; rc == 0 && i < n_probes; i++) {
        if (fills_any(probes[i], tables, n_tables)) {
            rc = add_run(probes[i], i, tables, n_tables, facts, &plan.runs[plan.n_runs++], e);
        }
    }
    for (size_t i = 0; rc == 0 && i < plan.n_runs; i++) {
        rc = add_to_group(&plan, &plan.runs[i], e);
    }
    if (rc == 0) {
        *ret = plan;
        plan = (struct plan){.runs = NULL};
    }
    return rc;
}

void plan_done(struct plan *p)
{
    for (size_t i = 0; i < p->n_runs; i++) {
        free(p->runs[i].tables);
    }
    for (size_t i = 0; i < p->n_groups; i++) {
        free(p->groups[i].runs);
    }
    free(p->runs);
    free(p->groups);
    *p = (struct plan){.runs = NULL};
}
