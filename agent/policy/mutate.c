/* The test of tests: on a host where a check passes, would it notice that it does not know? */
#include <string.h>

#include "agent/policy/judge.h"
#include "agent/policy/result.h"

struct mutant {
    const struct policy *policy;
    const struct check *check;
    struct facts facts;            /* shallow: tables are the recorded ones but for one */
    struct fact_table **originals; /* what stood in facts.tables */
    struct fact_table copy;        /* of the table at hand, with cells of its own */
};

static void cleanup_mutant(struct mutant *m)
{
    free(m->facts.tables);
    free(m->copy.cells);
}

static int mutant_open(struct mutant *m, const struct facts *recorded, struct err *e)
{
    m->originals = recorded->tables;
    m->facts.tables = calloc(recorded->n + 1, sizeof(struct fact_table *));
    if (m->facts.tables == NULL) {
        return err_nomem(e);
    }
    memcpy(m->facts.tables, recorded->tables, recorded->n * sizeof(struct fact_table *));
    m->facts.n = recorded->n;
    return 0;
}

/* Puts a table of our own in place of table i. */
static int mutant_take(struct mutant *m, size_t i, struct err *e)
{
    const struct fact_table *t = m->originals[i];
    size_t n = t->n_rows * t->decl->n_columns;
    struct cell *cells = reallocarray(m->copy.cells, n + 1, sizeof *cells);
    if (cells == NULL) {
        return err_nomem(e);
    }
    if (n > 0) {
        memcpy(cells, t->cells, n * sizeof *cells);
    }
    m->copy = *t;
    m->copy.cells = cells;
    m->facts.tables[i] = &m->copy;
    return 0;
}

/* A connection of its own each time: slower than changing one, and nothing can be left over. */
static int verdict_of(struct mutant *m, enum verdict *ret, struct err *e)
{
    CLEANUP(judge) struct judge j = {0};
    struct check_result r = {0};
    int rc = judge_open(&j, m->policy, &m->facts, e);
    rc = rc == 0 ? judge_check(&j, m->check, &r, e) : rc;
    *ret = r.verdict;
    check_result_done(&r);
    return rc;
}

/* Value number i of the column, false past the end. Words flagged UNKNOWN count as NULL. */
static bool value_at(const struct column *c, size_t i, char word[64], struct cell *ret)
{
    if (c->values == NULL) {
        if (strcmp(c->unit, "boolean") != 0 || i > 1) {
            return false;
        }
        cell_int(ret, (int64_t)i);
        return true;
    }
    const char *p = c->values;
    for (; i > 0 && *p != '\0'; i--) {
        p += strcspn(p, "|");
        p += *p == '|' ? 1 : 0;
    }
    size_t n = strcspn(p, "|?");
    if (*p == '\0' || n >= 64) {
        return false;
    }
    memcpy(word, p, n);
    word[n] = '\0';
    ret->type = CELL_TEXT;
    ret->v.t.p = word;
    ret->v.t.n = n;
    return true;
}

/* Does some value in that cell make the check fail? It is left in *ret_word for the message. */
static int some_value_fails(struct mutant *m, const struct column *c, struct cell *cell,
                            struct str *value, bool *ret, struct err *e)
{
    char word[64];
    *ret = false;
    for (size_t i = 0; value_at(c, i, word, cell) && !*ret; i++) {
        enum verdict v = VERDICT_UNKNOWN;
        int rc = verdict_of(m, &v, e);
        if (rc != 0) {
            return rc;
        }
        if (v == VERDICT_FAIL) {
            str_clear(value);
            (void)cell_as_text(cell, value);
            *ret = true;
        }
    }
    return 0;
}

static void add_keys(const struct fact_table *t, size_t row, struct str *out)
{
    const char *between = "";
    for (size_t i = 0; i < t->decl->n_columns; i++) {
        if ((t->decl->columns[i].flags & COL_KEY) != 0) {
            str_add(out, between);
            (void)cell_as_text(&t->cells[row * t->decl->n_columns + i], out);
            between = " ";
        }
    }
}

/* NULL is tried only where it matters: some value there would be a failure. */
static int mutate_cell(struct mutant *m, size_t row, size_t column, struct str *out, size_t *ret_n,
                       struct err *e)
{
    const struct table *t = m->copy.decl;
    struct cell *cell = &m->copy.cells[row * t->n_columns + column];
    struct cell original = *cell;
    CLEANUP(str) struct str value = STR_INIT(128);
    enum verdict with_null = VERDICT_UNKNOWN;
    bool fails = false;
    int rc = some_value_fails(m, &t->columns[column], cell, &value, &fails, e);
    if (rc == 0 && fails) {
        *cell = (struct cell){.type = CELL_NULL};
        rc = verdict_of(m, &with_null, e);
    }
    *cell = original;
    if (rc == 0 && fails && with_null != VERDICT_UNKNOWN) {
        str_addf(out, "%s.%s of ", t->name, t->columns[column].name);
        add_keys(&m->copy, row, out);
        str_addf(out, ": \"%s\" would fail, but NULL gives %s\n", str_text(&value),
                 verdict_word(with_null));
        (*ret_n)++;
    }
    return rc;
}

/* KEY cells are never NULL and are left alone. */
static int mutate_table(struct mutant *m, size_t index, uint64_t columns, struct str *out,
                        size_t *ret_n, struct err *e)
{
    int rc = mutant_take(m, index, e);
    for (size_t k = 0; rc == 0 && k < m->copy.decl->n_columns; k++) {
        unsigned flags = m->copy.decl->columns[k].flags;
        if ((columns >> k & 1U) == 0 || (flags & COL_DECIDES) == 0 || (flags & COL_KEY) != 0) {
            continue;
        }
        for (size_t row = 0; row < m->copy.n_rows && rc == 0; row++) {
            rc = mutate_cell(m, row, k, out, ret_n, e);
        }
    }
    m->facts.tables[index] = m->originals[index];
    return rc;
}

static int check_reads(const struct mutant *m, struct sql_reads *ret, struct err *e)
{
    CLEANUP(judge) struct judge j = {0};
    CLEANUP(sql_reads) struct sql_reads direct = {0};
    const char *const texts[] = {m->check->applies, m->check->query, m->check->unknown};
    int rc = judge_open(&j, m->policy, &m->facts, e);
    for (size_t i = 0; i < ARRAY_LEN(texts) && rc == 0; i++) {
        struct sql_statement *st = NULL;
        rc = texts[i] != NULL ? judge_prepare(&j, texts[i], &direct, ret, &st, e) : 0;
        sql_statement_free(st);
    }
    return rc;
}

int policy_null_mutations(const struct policy *p, const struct framework *fw, const struct check *c,
                          const struct facts *recorded, const char *contract, struct str *out,
                          size_t *ret_n, struct err *e)
{
    (void)fw; /* a check is judged the same under every framework and contract */
    (void)contract;
    CLEANUP(mutant) struct mutant m = {.policy = p, .check = c};
    CLEANUP(sql_reads) struct sql_reads reads = {0};
    enum verdict v = VERDICT_UNKNOWN;
    size_t n = 0;
    int rc = mutant_open(&m, recorded, e);
    rc = rc == 0 ? verdict_of(&m, &v, e) : rc;
    if (rc == 0 && v != VERDICT_PASS) {
        rc = err_set(e, ERR_INVALID, "check %s does not pass here: %s", c->id, verdict_word(v));
    }
    rc = rc == 0 ? check_reads(&m, &reads, e) : rc;
    for (size_t i = 0; rc == 0 && i < recorded->n && i < reads.n; i++) {
        if (reads.named[i]) {
            rc = mutate_table(&m, i, reads.columns[i], out, &n, e);
        }
    }
    rc = rc == 0 ? str_error(out, e) : rc;
    if (rc == 0) {
        *ret_n = n;
    }
    return rc;
}
