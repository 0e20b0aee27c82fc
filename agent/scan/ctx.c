/* The functions of probes/probe.h: rows, states, inputs. A row that breaks its declaration is a
 * mistake in the probe: it stops debug builds, and makes the table malformed in others, because a
 * half-true table must not look whole. */
#include "agent/scan/ctx.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/scan/bytes.h"
#include "agent/scan/receiver.h"

int ctx_init(struct probe_ctx *ctx, const struct probe *p, const struct host *h, uint64_t wanted,
             const struct probe_input *inputs, size_t n_inputs, struct err *e)
{
    *ctx = (struct probe_ctx){.probe = p,
                              .host = h,
                              .inputs = inputs,
                              .n_inputs = n_inputs,
                              .wanted = wanted,
                              .result_fd = -1,
                              .row_table = -1};
    size_t most_columns = 1;
    while (p->tables[ctx->n_tables] != NULL) {
        size_t columns = p->tables[ctx->n_tables]->n_columns;
        most_columns = columns > most_columns ? columns : most_columns;
        ctx->n_tables++;
    }
    if (ctx->n_tables > CTX_TABLES_MAX) {
        return err_set(e, ERR_INTERNAL, "probe %s has more than %u tables", p->name,
                       CTX_TABLES_MAX);
    }
    str_init(&ctx->text, WIRE_FRAME_MAX);
    str_init(&ctx->frame, WIRE_FRAME_MAX);
    ctx->tables = calloc(ctx->n_tables + 1, sizeof(*ctx->tables));
    ctx->cells = calloc(most_columns, sizeof(*ctx->cells));
    if (ctx->tables == NULL || ctx->cells == NULL) {
        ctx_done(ctx);
        return err_nomem(e);
    }
    return 0;
}

void ctx_done(struct probe_ctx *ctx)
{
    free(ctx->tables);
    free(ctx->cells);
    free(ctx->facts);
    str_done(&ctx->text);
    str_done(&ctx->frame);
    ctx->tables = NULL;
    ctx->cells = NULL;
    ctx->facts = NULL;
}

uint64_t ctx_wanted_mask(const struct probe *p, const char *const *wanted)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < CTX_TABLES_MAX && p->tables[i] != NULL; i++) {
        bool is_wanted = wanted == NULL;
        for (const char *const *w = wanted; !is_wanted && w != NULL && *w != NULL; w++) {
            is_wanted = strcmp(*w, p->tables[i]->name) == 0;
        }
        mask |= is_wanted ? (uint64_t)1 << i : 0;
    }
    return mask;
}

void ctx_send(int fd, struct str *frame)
{
    size_t sent = 0;
    while (sent < frame->len) {
        ssize_t n = write(fd, frame->data + sent, frame->len - sent);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            _exit(EXIT_FAILURE);
        }
        sent += (size_t)n;
    }
    str_clear(frame);
}

const struct host *probe_host(const struct probe_ctx *ctx)
{
    return ctx->host;
}

/* Index of one of the probe's own tables. Another's table is a mistake that nothing can carry. */
static unsigned table_index(const struct probe_ctx *ctx, const struct table *t)
{
    for (unsigned i = 0; i < ctx->n_tables; i++) {
        if (ctx->probe->tables[i] == t) {
            return i;
        }
    }
    (void)fprintf(stderr, "probe %s: table %s is not its own\n", ctx->probe->name, t->name);
    abort();
}

/* Rows of tables that nobody asked for are made and dropped: a probe may ask, but need not. */
static bool is_wanted(const struct probe_ctx *ctx, unsigned table)
{
    return (ctx->wanted >> table & 1U) != 0;
}

bool probe_wants(const struct probe_ctx *ctx, const struct table *t)
{
    return is_wanted(ctx, table_index(ctx, t));
}

/* The child holds the inputs of all its probes; each sees its own kinds. */
static bool takes_input(const struct probe *p, const char *kind)
{
    for (const char *const *k = p->inputs; k != NULL && *k != NULL; k++) {
        if (strcmp(*k, kind) == 0) {
            return true;
        }
    }
    return false;
}

const char *probe_input(const struct probe_ctx *ctx, const char *kind, size_t i)
{
    if (!takes_input(ctx->probe, kind)) {
        return NULL; /* declared by another probe of this child */
    }
    for (size_t k = 0; k < ctx->n_inputs; k++) {
        if (strcmp(ctx->inputs[k].kind, kind) == 0) {
            if (i == 0) {
                return ctx->inputs[k].value;
            }
            i--;
        }
    }
    return NULL;
}

/* The first reason of the gravest state is the one that stays. */
static void set_state(struct probe_ctx *ctx, unsigned table, enum fact_state state,
                      const char *reason)
{
    struct ctx_table *t = &ctx->tables[table];
    if (fact_state_worse(t->state, state) != t->state) {
        t->state = state;
        reason_copy(t->reason, reason);
    }
}

void probe_state(struct probe_ctx *ctx, const struct table *t, enum fact_state state,
                 const char *fmt, ...)
{
    char reason[2 * FACT_REASON_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    set_state(ctx, table_index(ctx, t), state, reason);
}

/* What an error says about a table. Never STATE_ABSENT: an error is no proof. */
static void state_of_error(const struct probe_ctx *ctx, int code, const char *msg,
                           enum fact_state *ret_state, char ret_reason[FACT_REASON_MAX])
{
    const char *word = err_word(code);
    *ret_state = STATE_MALFORMED;
    if (code == ERR_DENIED) {
        *ret_state = STATE_DENIED;
    } else if (code == ERR_ABSENT) {
        *ret_state = STATE_DENIED;
        word = ctx->host != NULL && !host_is_live(ctx->host) ? "not_captured" : "not_visible";
    } else if (code == ERR_TRUNCATED || code == ERR_LIMIT) {
        *ret_state = STATE_TRUNCATED;
    } else if (code == ERR_TIMEOUT) {
        *ret_state = STATE_TIMEOUT;
    }
    char text[ERR_MSG_MAX + 32];
    (void)snprintf(text, sizeof(text), "%s: %s", word, msg);
    reason_copy(ret_reason, text);
}

void probe_state_err(struct probe_ctx *ctx, const struct table *t, const struct err *e)
{
    enum fact_state state = STATE_MALFORMED;
    char reason[FACT_REASON_MAX];
    state_of_error(ctx, e->code, e->msg, &state, reason);
    set_state(ctx, table_index(ctx, t), state, reason);
}

void ctx_finish(struct probe_ctx *ctx, int rc, const struct err *e)
{
    enum fact_state state = STATE_COMPLETE;
    char reason[FACT_REASON_MAX] = "";
    if (rc != 0) {
        state_of_error(ctx, rc, e->msg, &state, reason);
    }
    if (ctx->row_table >= 0) { /* begun, never ended */
        set_state(ctx, (unsigned)ctx->row_table, STATE_MALFORMED, "row: not ended");
    }
    for (unsigned i = 0; i < ctx->n_tables; i++) {
        if (is_wanted(ctx, i) && ctx->tables[i].state == STATE_NOT_RUN) {
            set_state(ctx, i, state, reason);
        }
    }
}

/* --- rows --- */

/* A mistake of the probe's author about the row being made. */
static void misuse(struct probe_ctx *ctx, const char *what, const char *column)
{
    unsigned table = ctx->row_table >= 0 ? (unsigned)ctx->row_table : 0;
    const char *name = ctx->probe->tables[table]->name;
#ifndef NDEBUG
    (void)fprintf(stderr, "probe %s: %s.%s: %s\n", ctx->probe->name, name, column, what);
    abort();
#else
    char reason[FACT_REASON_MAX];
    (void)snprintf(reason, sizeof(reason), "row: %s.%s: %s", name, column, what);
    set_state(ctx, table, STATE_MALFORMED, reason);
    ctx->row_bad = true;
#endif
}

void row_begin(struct probe_ctx *ctx, const struct table *t)
{
    if (ctx->row_table >= 0) {
        misuse(ctx, "row begun within a row", "");
    }
    ctx->row_table = (int)table_index(ctx, t);
    ctx->row_bad = false;
    str_clear(&ctx->text);
    for (size_t i = 0; i < t->n_columns; i++) {
        ctx->cells[i].type = CELL_NULL;
    }
}

/* The cell to fill, NULL if the row or the column will not have it. */
static struct ctx_cell *cell_of(struct probe_ctx *ctx, unsigned column, enum col_type type)
{
    if (ctx->row_table < 0) {
        misuse(ctx, "cell outside a row", "");
        return NULL;
    }
    const struct table *t = ctx->probe->tables[ctx->row_table];
    if (column >= t->n_columns) {
        misuse(ctx, "no such column", "");
        return NULL;
    }
    if (t->columns[column].type != type) {
        misuse(ctx, "cell of another type", t->columns[column].name);
        return NULL;
    }
    return &ctx->cells[column];
}

void row_text_n(struct probe_ctx *ctx, unsigned column, const char *bytes, size_t n)
{
    struct ctx_cell *cell = cell_of(ctx, column, COL_TEXT);
    if (cell == NULL || bytes == NULL) {
        return;
    }
    size_t at = ctx->text.len;
    str_add_cell(&ctx->text, bytes, n);
    str_add_char(&ctx->text, '\0'); /* so that it can be compared with the vocabulary in place */
    if (ctx->text.error != 0 || ctx->text.len - at - 1 > WIRE_CELL_MAX) {
        char reason[FACT_REASON_MAX];
        const struct table *t = ctx->probe->tables[ctx->row_table];
        (void)snprintf(reason, sizeof(reason), "cell: %s.%s is longer than %zu bytes", t->name,
                       t->columns[column].name, WIRE_CELL_MAX);
        set_state(ctx, (unsigned)ctx->row_table, STATE_TRUNCATED, reason);
        ctx->row_bad = true; /* a cut text would be a false statement */
        return;
    }
    cell->type = CELL_TEXT;
    cell->v.t.at = at;
    cell->v.t.n = ctx->text.len - at - 1;
}

void row_text(struct probe_ctx *ctx, unsigned column, const char *text)
{
    row_text_n(ctx, column, text, text != NULL ? strlen(text) : 0);
}

void row_int(struct probe_ctx *ctx, unsigned column, int64_t i)
{
    struct ctx_cell *cell = cell_of(ctx, column, COL_INT);
    if (cell != NULL) {
        cell->type = CELL_INT;
        cell->v.i = i;
    }
}

void row_real(struct probe_ctx *ctx, unsigned column, double r)
{
    struct ctx_cell *cell = cell_of(ctx, column, COL_REAL);
    if (cell != NULL && isfinite(r)) { /* NaN and infinities have no JSON: not known */
        cell->type = CELL_REAL;
        cell->v.r = r;
    }
}

/* What the parent will check again; here it tells the probe's author which column it was. */
static void check_row(struct probe_ctx *ctx, const struct table *t)
{
    for (size_t i = 0; i < t->n_columns && !ctx->row_bad; i++) {
        const struct column *column = &t->columns[i];
        if (ctx->cells[i].type == CELL_NULL && (column->flags & COL_KEY) != 0) {
            misuse(ctx, "key not set", column->name);
        } else if (ctx->cells[i].type == CELL_TEXT &&
                   !column_allows(column, ctx->text.data + ctx->cells[i].v.t.at, NULL)) {
            misuse(ctx, "no word of the vocabulary", column->name);
        }
    }
}

/* The cell as others know it; its text points into ctx.text, valid until the next row_begin. */
static struct cell cell_view(const struct probe_ctx *ctx, size_t i)
{
    const struct ctx_cell *from = &ctx->cells[i];
    struct cell c = {.type = from->type, .v = {.i = 0}};
    if (from->type == CELL_INT) {
        c.v.i = from->v.i;
    } else if (from->type == CELL_REAL) {
        c.v.r = from->v.r;
    } else if (from->type == CELL_TEXT) {
        c.v.t.p = ctx->text.data + from->v.t.at;
        c.v.t.n = from->v.t.n;
    }
    return c;
}

static int row_to_facts(const struct probe_ctx *ctx, struct fact_table *t, struct err *e)
{
    struct cell *cells = NULL;
    int rc = fact_row(t, &cells, e);
    for (size_t i = 0; rc == 0 && i < t->decl->n_columns; i++) {
        cells[i] = cell_view(ctx, i);
        if (cells[i].type == CELL_TEXT) {
            struct cell text = cells[i];
            rc = fact_text(t, &cells[i], text.v.t.p, text.v.t.n, e);
        }
    }
    return rc;
}

/* One write for each row: what was sent before a crash or a timeout is with the parent. */
static int row_to_pipe(struct probe_ctx *ctx, const struct table *t, struct err *e)
{
    str_clear(&ctx->frame);
    size_t start = wire_open(&ctx->frame, WIRE_ROW);
    put_u8(&ctx->frame, (uint8_t)ctx->row_table);
    for (size_t i = 0; i < t->n_columns; i++) {
        struct cell c = cell_view(ctx, i);
        wire_cell(&ctx->frame, &c);
    }
    wire_close(&ctx->frame, start);
    int rc = str_error(&ctx->frame, e);
    if (rc == 0) {
        ctx_send(ctx->result_fd, &ctx->frame);
    }
    return rc;
}

/* Sends the row if it is good, wanted, and within the limit. */
static void deliver_row(struct probe_ctx *ctx, const struct table *t)
{
    unsigned table = (unsigned)ctx->row_table;
    if (ctx->row_bad || !is_wanted(ctx, table)) {
        return;
    }
    if (ctx->tables[table].n_rows >= probe_max_rows(ctx->probe)) {
        char reason[FACT_REASON_MAX];
        (void)snprintf(reason, sizeof(reason), "rows: more than %zu", probe_max_rows(ctx->probe));
        set_state(ctx, table, STATE_TRUNCATED, reason);
        return;
    }
    struct err e = {.code = 0};
    int rc =
        ctx->facts != NULL ? row_to_facts(ctx, ctx->facts[table], &e) : row_to_pipe(ctx, t, &e);
    if (rc != 0) {
        probe_state_err(ctx, t, &e);
    } else {
        ctx->tables[table].n_rows++;
    }
}

void row_end(struct probe_ctx *ctx)
{
    if (ctx->row_table < 0) {
        misuse(ctx, "row ended twice", "");
        return;
    }
    const struct table *t = ctx->probe->tables[ctx->row_table];
    check_row(ctx, t);
    deliver_row(ctx, t);
    ctx->row_table = -1;
}
