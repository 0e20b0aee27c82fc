/* Result rows: a growing array of cells and an arena for their texts. */
#include "agent/policy/result.h"

#include <inttypes.h>
#include <string.h>

/* Private to this file, as facts.c has its own: texts never move once stored. */
struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    char bytes[];
};

#define RESULT_BLOCK 8192U

static char *arena_copy(struct arena_block **arena, const char *text, size_t n)
{
    struct arena_block *b = *arena;
    if (b == NULL || b->cap - b->used <= n) {
        size_t cap = n < RESULT_BLOCK ? RESULT_BLOCK : n + 1;
        b = malloc(sizeof *b + cap);
        if (b == NULL) {
            return NULL;
        }
        *b = (struct arena_block){.next = *arena, .cap = cap};
        *arena = b;
    }
    char *at = b->bytes + b->used;
    memcpy(at, text, n);
    at[n] = '\0';
    b->used += n + 1;
    return at;
}

void result_rows_done(struct result_rows *r)
{
    while (r->arena != NULL) {
        struct arena_block *next = r->arena->next;
        free(r->arena);
        r->arena = next;
    }
    free(r->columns);
    free(r->cells);
    *r = (struct result_rows){0};
}

int result_begin(struct result_rows *r, const char *const *names, size_t n, struct err *e)
{
    r->columns = calloc(n + 1, sizeof *r->columns);
    if (r->columns == NULL) {
        return err_nomem(e);
    }
    r->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        r->columns[i] = arena_copy(&r->arena, names[i], strlen(names[i]));
        if (r->columns[i] == NULL) {
            return err_nomem(e);
        }
    }
    return 0;
}

int result_row(struct result_rows *r, struct cell **ret_cells, struct err *e)
{
    /* Grows by doubling: the capacity is the next power of two, so it need not be stored. */
    size_t n = r->n_rows;
    if (n == 0 || (n & (n - 1)) == 0) {
        size_t rows = n == 0 ? 1 : n * 2;
        struct cell *cells = reallocarray(r->cells, rows * (r->n_columns + 1), sizeof *cells);
        if (cells == NULL) {
            return err_nomem(e);
        }
        r->cells = cells;
    }
    struct cell *row = r->cells + n * r->n_columns;
    for (size_t i = 0; i < r->n_columns; i++) {
        row[i] = (struct cell){.type = CELL_NULL};
    }
    r->n_rows++;
    *ret_cells = row;
    return 0;
}

int result_text(struct result_rows *r, struct cell *c, const char *text, size_t n, struct err *e)
{
    char *copy = arena_copy(&r->arena, text, n);
    if (copy == NULL) {
        return err_nomem(e);
    }
    c->type = CELL_TEXT;
    c->v.t.p = copy;
    c->v.t.n = n;
    return 0;
}

static int row_compare(const void *a, const void *b, void *arg)
{
    const size_t *n = arg;
    const struct cell *x = a;
    const struct cell *y = b;
    for (size_t i = 0; i < *n; i++) {
        int order = cell_compare(&x[i], &y[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

void result_sort(struct result_rows *r, bool distinct)
{
    size_t n = r->n_columns;
    if (r->n_rows < 2 || n == 0) {
        return;
    }
    size_t size = n * sizeof(struct cell);
    qsort_r(r->cells, r->n_rows, size, row_compare, &n);
    size_t kept = 1;
    for (size_t i = 1; distinct && i < r->n_rows; i++) {
        if (row_compare(r->cells + (kept - 1) * n, r->cells + i * n, &n) != 0) {
            memmove(r->cells + kept * n, r->cells + i * n, size);
            kept++;
        }
    }
    if (distinct) {
        r->n_rows = kept;
    }
}

int result_column(const struct result_rows *r, const char *name)
{
    for (size_t i = 0; i < r->n_columns; i++) {
        if (strcmp(r->columns[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool cell_as_text(const struct cell *c, struct str *out)
{
    switch (c->type) {
    case CELL_INT:
        str_addf(out, "%" PRId64, c->v.i);
        return true;
    case CELL_REAL:
        str_addf(out, "%.15g", c->v.r);
        return true;
    case CELL_TEXT:
        str_add_bytes(out, c->v.t.p, c->v.t.n);
        return true;
    case CELL_NULL:
    default:
        return false;
    }
}
