/* Facts in memory: tables of cells, texts in a per-table arena. */
#include "agent/base/facts.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Texts of a table, newest block first. Never moved, so cells may point into it. */
struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t cap;
    char bytes[];
};

#define ARENA_BLOCK 4096U

static const char *const state_words[] = {
    [STATE_NOT_RUN] = "not-run", [STATE_COMPLETE] = "complete",   [STATE_ABSENT] = "absent",
    [STATE_DENIED] = "denied",   [STATE_MALFORMED] = "malformed", [STATE_TRUNCATED] = "truncated",
    [STATE_TIMEOUT] = "timeout", [STATE_CRASHED] = "crashed",     [STATE_UNCONFINED] = "unconfined",
};

const char *fact_state_word(enum fact_state s)
{
    return (size_t)s < ARRAY_LEN(state_words) ? state_words[s] : "malformed";
}

int fact_state_parse(const char *word, enum fact_state *ret, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(state_words); i++) {
        if (strcmp(state_words[i], word) == 0) {
            *ret = (enum fact_state)i;
            return 0;
        }
    }
    return err_set(e, ERR_MALFORMED, "\"%.64s\" is no state of a table", word);
}

enum fact_state fact_state_worse(enum fact_state a, enum fact_state b)
{
    return a > b ? a : b; /* the enum is written in this order */
}

/* free() for what is const to everybody else. */
static void free_const(const void *p)
{
    free((void *)(uintptr_t)p);
}

static void fact_table_free(struct fact_table *t)
{
    while (t->arena != NULL) {
        struct arena_block *next = t->arena->next;
        free(t->arena);
        t->arena = next;
    }
    free(t->cells);
    if (t->owns_decl) {
        free_const(t->decl);
    }
    free(t);
}

void facts_done(struct facts *f)
{
    for (size_t i = 0; i < f->n; i++) {
        fact_table_free(f->tables[i]);
    }
    free(f->tables);
    *f = (struct facts){0};
}

int facts_add(struct facts *f, const struct table *decl, const char *probe, struct fact_table **ret,
              struct err *e)
{
    struct fact_table **tables = reallocarray(f->tables, f->n + 1, sizeof(struct fact_table *));
    if (tables == NULL) {
        return err_nomem(e);
    }
    f->tables = tables;
    struct fact_table *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return err_nomem(e);
    }
    t->decl = decl;
    t->probe = probe;
    t->state = STATE_NOT_RUN;
    f->tables[f->n++] = t;
    *ret = t;
    return 0;
}

struct fact_table *facts_find(const struct facts *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->tables[i]->decl->name, name) == 0) {
            return f->tables[i];
        }
    }
    return NULL;
}

void facts_remove(struct facts *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->tables[i]->decl->name, name) == 0) {
            fact_table_free(f->tables[i]);
            memmove(&f->tables[i], &f->tables[i + 1], (f->n - i - 1) * sizeof(struct fact_table *));
            f->n--;
            return;
        }
    }
}

int fact_row(struct fact_table *t, struct cell **ret_cells, struct err *e)
{
    size_t width = t->decl->n_columns;
    if (t->n_rows == t->cap_rows) {
        size_t cap = t->cap_rows > 0 ? t->cap_rows * 2 : 8;
        size_t row_bytes = width * sizeof(struct cell);
        /* one cell at least: realloc to 0 bytes would free */
        struct cell *cells = reallocarray(t->cells, cap, row_bytes > 0 ? row_bytes : 1);
        if (cells == NULL) {
            return err_nomem(e);
        }
        t->cells = cells;
        t->cap_rows = cap;
    }
    struct cell *row = t->cells + t->n_rows * width;
    for (size_t i = 0; i < width; i++) {
        row[i] = (struct cell){.type = CELL_NULL};
    }
    t->n_rows++;
    *ret_cells = row;
    return 0;
}

/* n bytes of the table's arena, or NULL. */
static char *arena_take(struct fact_table *t, size_t n)
{
    struct arena_block *b = t->arena;
    if (b == NULL || b->cap - b->used < n) {
        size_t cap = n > ARENA_BLOCK ? n : ARENA_BLOCK;
        b = cap > SIZE_MAX - sizeof(*b) ? NULL : malloc(sizeof(*b) + cap);
        if (b == NULL) {
            return NULL;
        }
        b->next = t->arena;
        b->used = 0;
        b->cap = cap;
        t->arena = b;
    }
    char *p = b->bytes + b->used;
    b->used += n;
    return p;
}

int fact_text(struct fact_table *t, struct cell *c, const char *text, size_t n, struct err *e)
{
    char *p = n < SIZE_MAX ? arena_take(t, n + 1) : NULL;
    if (p == NULL) {
        return err_nomem(e);
    }
    if (n > 0) {
        memcpy(p, text, n);
    }
    p[n] = '\0';
    c->type = CELL_TEXT;
    c->v.t.p = p;
    c->v.t.n = n;
    return 0;
}

int fact_text_raw(struct fact_table *t, struct cell *c, const void *bytes, size_t n, struct err *e)
{
    CLEANUP(str) struct str escaped = STR_INIT(SIZE_MAX / 2);
    str_add_cell(&escaped, bytes, n);
    int rc = str_error(&escaped, e);
    if (rc != 0) {
        return rc;
    }
    return fact_text(t, c, str_text(&escaped), escaped.len, e);
}

int fact_row_va(struct fact_table *t, struct err *e, ...)
{
    struct cell *row = NULL;
    int rc = fact_row(t, &row, e);
    if (rc != 0) {
        return rc;
    }
    va_list ap;
    va_start(ap, e);
    for (size_t i = 0; i < t->decl->n_columns && rc == 0; i++) {
        if (t->decl->columns[i].type == COL_INT) {
            int64_t value = va_arg(ap, int64_t);
            if (value != INT64_MIN) {
                cell_int(&row[i], value);
            }
        } else if (t->decl->columns[i].type == COL_REAL) {
            double value = va_arg(ap, double);
            if (!isnan(value)) {
                row[i].type = CELL_REAL;
                row[i].v.r = value;
            }
        } else {
            const char *text = va_arg(ap, const char *);
            if (text != NULL) {
                rc = fact_text_raw(t, &row[i], text, strlen(text), e);
            }
        }
    }
    va_end(ap);
    if (rc != 0) {
        t->n_rows--; /* half a row would be a false statement */
    }
    return rc;
}

/* Exact comparison: a double cannot hold every int64_t, so neither side is simply converted. */
static int compare_int_real(int64_t i, double r)
{
    if (isnan(r) || r < -9223372036854775808.0) {
        return 1;
    }
    if (r >= 9223372036854775808.0) {
        return -1;
    }
    int64_t whole = (int64_t)r;
    if (i != whole) {
        return i < whole ? -1 : 1;
    }
    double rest = r - (double)whole;
    return (rest < 0) - (rest > 0);
}

static int compare_numbers(const struct cell *a, const struct cell *b)
{
    if (a->type == CELL_INT && b->type == CELL_INT) {
        return (a->v.i > b->v.i) - (a->v.i < b->v.i);
    }
    if (a->type == CELL_REAL && b->type == CELL_REAL) {
        return (a->v.r > b->v.r) - (a->v.r < b->v.r);
    }
    if (a->type == CELL_INT) {
        int c = compare_int_real(a->v.i, b->v.r);
        return c != 0 ? c : -1; /* equal values: the integer first, so that the order is total */
    }
    int c = compare_int_real(b->v.i, a->v.r);
    return c != 0 ? -c : 1;
}

static int rank_of(enum cell_type type)
{
    switch (type) {
    case CELL_NULL:
        return 0;
    case CELL_INT:
    case CELL_REAL:
        return 1;
    case CELL_TEXT:
    default:
        return 2;
    }
}

int cell_compare(const struct cell *a, const struct cell *b)
{
    int rank_a = rank_of(a->type);
    int rank_b = rank_of(b->type);
    if (rank_a != rank_b) {
        return rank_a < rank_b ? -1 : 1;
    }
    if (rank_a == 0) {
        return 0;
    }
    if (rank_a == 1) {
        return compare_numbers(a, b);
    }
    size_t n = a->v.t.n < b->v.t.n ? a->v.t.n : b->v.t.n;
    int c = memcmp(a->v.t.p, b->v.t.p, n);
    if (c != 0) {
        return c < 0 ? -1 : 1;
    }
    return (a->v.t.n > b->v.t.n) - (a->v.t.n < b->v.t.n);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
    const struct cell *row_a = a;
    const struct cell *row_b = b;
    size_t width = *(const size_t *)arg;
    for (size_t i = 0; i < width; i++) {
        int c = cell_compare(&row_a[i], &row_b[i]);
        if (c != 0) {
            return c;
        }
    }
    return 0;
}

void fact_sort(struct fact_table *t)
{
    size_t width = t->decl->n_columns;
    if (t->n_rows > 1 && width > 0) {
        qsort_r(t->cells, t->n_rows, width * sizeof(struct cell), compare_rows, &width);
    }
}
