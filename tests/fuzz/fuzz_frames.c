/* Whatever comes out of a child's pipe: the receiver must neither crash nor let in a row that
 * breaks its declaration. The first byte says into which pieces the rest is cut. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/scan/receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ROWS = 4 };

static const struct column mixed_columns[] = {
    {"key", COL_TEXT, "", COL_KEY, NULL, "text key"},
    {"state", COL_TEXT, "", COL_DECIDES, "on|off|untested?", "vocabulary"},
    {"count", COL_INT, "", COL_NULLABLE, NULL, "integer"},
    {"share", COL_REAL, "", COL_NULLABLE, NULL, "real"},
};
static const struct column one_column[] = {{"id", COL_INT, "", COL_KEY, NULL, "integer key"}};

static const struct table mixed = {
    .name = "mixed", .columns = mixed_columns, .n_columns = ARRAY_LEN(mixed_columns)};
static const struct table one = {.name = "one", .columns = one_column, .n_columns = 1};
static const struct table unwanted = {.name = "unwanted", .columns = one_column, .n_columns = 1};

static int never_run(struct probe_ctx *ctx UNUSED, void **ret_state UNUSED, struct err *e UNUSED)
{
    return ERR_INTERNAL;
}

static int never_parse(struct probe_ctx *ctx UNUSED, void *state UNUSED, struct err *e UNUSED)
{
    return ERR_INTERNAL;
}

static const struct probe plain = {
    .name = "plain", .tables = PROBE_TABLES(&mixed), .max_rows = MAX_ROWS, .run = never_run};
static const struct probe phased = {.name = "phased",
                                    .tables = PROBE_TABLES(&one, &unwanted),
                                    .max_rows = MAX_ROWS,
                                    .run = never_run,
                                    .parse = never_parse};

static void require(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void check_cell(const struct cell *c, const struct column *column)
{
    static const enum cell_type types[] = {
        [COL_TEXT] = CELL_TEXT, [COL_INT] = CELL_INT, [COL_REAL] = CELL_REAL};
    if (c->type == CELL_NULL) {
        require((column->flags & COL_KEY) == 0, "a key is set");
        return;
    }
    require(c->type == types[column->type], "a cell has its column's type");
    if (c->type == CELL_TEXT) {
        require(c->v.t.n <= WIRE_CELL_MAX && c->v.t.p[c->v.t.n] == '\0', "a text ends");
        require(cell_is_escaped(c->v.t.p, c->v.t.n), "a text is escaped");
        require(column_allows(column, c->v.t.p, NULL), "a word is of the vocabulary");
    } else if (c->type == CELL_REAL) {
        require(isfinite(c->v.r) != 0, "a real is a number");
    }
}

static void check_table(const struct fact_table *t)
{
    require(t->wanted || t->n_rows == 0, "no rows that nobody wants");
    require(t->n_rows <= MAX_ROWS, "no more rows than declared");
    require(strlen(t->reason) < FACT_REASON_MAX && cell_is_escaped(t->reason, strlen(t->reason)),
            "a reason is escaped");
    require(t->state != STATE_CRASHED && t->state != STATE_UNCONFINED, "not the child's to say");
    for (size_t i = 0; i < t->n_rows * t->decl->n_columns; i++) {
        check_cell(&t->cells[i], &t->decl->columns[i % t->decl->n_columns]);
    }
}

static void add_run(struct probe_run *run, const struct probe *p, struct facts *facts,
                    struct fact_table **tables)
{
    struct err e;
    *run = (struct probe_run){.p = p, .tables = tables};
    for (; p->tables[run->n_tables] != NULL; run->n_tables++) {
        if (facts_add(facts, p->tables[run->n_tables], p->name, &tables[run->n_tables], &e) != 0) {
            abort();
        }
        tables[run->n_tables]->wanted = p->tables[run->n_tables] != &unwanted;
    }
}

static void feed_all(struct receiver *rx, const uint8_t *data, size_t size, size_t piece)
{
    struct err e;
    while (size > 0) {
        size_t n = piece < size ? piece : size;
        if (receiver_feed(rx, data, n, &e) != 0) {
            require(e.msg[0] != '\0', "an error has a text");
            return;
        }
        data += n;
        size -= n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    CLEANUP(facts) struct facts facts = {.tables = NULL, .n = 0};
    struct fact_table *tables[3];
    struct probe_run runs[2];
    add_run(&runs[0], &plain, &facts, &tables[0]);
    add_run(&runs[1], &phased, &facts, &tables[1]);
    struct probe_run *list[] = {&runs[0], &runs[1]};
    struct receiver rx;
    receiver_init(&rx, list, ARRAY_LEN(list));
    feed_all(&rx, data + 1, size - 1, data[0] == 0 ? size : data[0]);
    for (size_t i = 0; i < facts.n; i++) {
        check_table(facts.tables[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        bool all_said = true;
        for (size_t t = 0; t < runs[i].n_tables; t++) {
            all_said = all_said &&
                       (!runs[i].tables[t]->wanted || runs[i].tables[t]->state != STATE_NOT_RUN);
        }
        require(runs[i].stage != RUN_ENDED || all_said, "a run that ended said how");
        require(runs[i].stage == RUN_WAITING || rx.confined, "nothing runs unconfined");
    }
    (void)receiver_blame(&rx);
    receiver_done(&rx);
    return 0;
}
