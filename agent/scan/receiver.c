/* Reads the frames of a child. Fuzzed: tests/fuzz/fuzz_frames.c. */
#include "agent/scan/receiver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/scan/bytes.h"

size_t probe_max_rows(const struct probe *p)
{
    return p->max_rows > 0 ? p->max_rows : RUN_ROWS_MAX;
}

/* The graver state stays, with its reason. */
static void table_state(struct fact_table *t, enum fact_state state, const char *reason)
{
    if (fact_state_worse(t->state, state) != t->state) {
        t->state = state;
        reason_copy(t->reason, reason);
    }
}

void run_fail(struct probe_run *run, enum fact_state state, const char *reason)
{
    for (size_t i = 0; i < run->n_tables; i++) {
        if (run->tables[i]->wanted) {
            table_state(run->tables[i], state, reason);
        }
    }
    run->stage = RUN_ENDED;
}

void run_reset(struct probe_run *run)
{
    for (size_t i = 0; i < run->n_tables; i++) {
        run->tables[i]->n_rows = 0; /* the texts stay in the arena: bounded by WIRE_TOTAL_MAX */
        run->tables[i]->state = STATE_NOT_RUN;
        run->tables[i]->reason[0] = '\0';
    }
    run->stage = RUN_WAITING;
}

void receiver_init(struct receiver *rx, struct probe_run *const *runs, size_t n_runs)
{
    *rx = (struct receiver){.runs = runs, .n_runs = n_runs, .current = -1};
    str_init(&rx->buf, WIRE_FRAME_MAX + WIRE_HEADER);
}

void receiver_done(struct receiver *rx)
{
    str_done(&rx->buf);
}

struct probe_run *receiver_blame(const struct receiver *rx)
{
    if (rx->current >= 0) {
        return rx->runs[rx->current];
    }
    for (size_t i = 0; i < rx->n_runs; i++) {
        if (rx->runs[i]->stage != RUN_ENDED) {
            return rx->runs[i];
        }
    }
    return NULL;
}

/* The text says what was broken and repeats nothing of the bytes: they are hostile. */
static int broken(struct err *e, const char *what)
{
    return err_set(e, ERR_MALFORMED, "result pipe: %s", what);
}

/* Only a wanted table of the probe that runs now. */
static struct fact_table *take_table(struct receiver *rx, struct cursor *c)
{
    unsigned table = take_u8(c);
    if (c->bad || rx->current < 0 || table >= rx->runs[rx->current]->n_tables) {
        return NULL;
    }
    struct fact_table *t = rx->runs[rx->current]->tables[table];
    return t->wanted ? t : NULL;
}

/* Copies a text of at most FACT_REASON_MAX - 1 escaped bytes. */
static int take_reason(struct cursor *c, char out[FACT_REASON_MAX], struct err *e)
{
    size_t n = 0;
    const char *p = take_bytes(c, &n);
    if (c->bad || n >= FACT_REASON_MAX || !cell_is_escaped(p, n)) {
        return broken(e, "a reason is too long or not escaped");
    }
    memcpy(out, p, n);
    out[n] = '\0';
    return 0;
}

/* The vocabulary is checked on the copy, which ends in NUL; a refused row is taken back whole. */
static int take_text(struct cursor *c, const struct column *column, struct fact_table *t,
                     struct cell *cell, struct err *e)
{
    size_t n = 0;
    const char *p = take_bytes(c, &n);
    if (c->bad || column->type != COL_TEXT) {
        return broken(e, "a text where none belongs");
    }
    if (n > WIRE_CELL_MAX) {
        return err_set(e, ERR_LIMIT, "result pipe: a cell of %zu bytes", n);
    }
    if (!cell_is_escaped(p, n)) {
        return broken(e, "a text that is not escaped");
    }
    int rc = fact_text(t, cell, p, n, e);
    if (rc == 0 && !column_allows(column, cell->v.t.p, NULL)) {
        return err_set(e, ERR_MALFORMED, "result pipe: \"%.40s\" is no word of column %s",
                       cell->v.t.p, column->name);
    }
    return rc;
}

/* The type must be the declared one: SQL would compare another as it stands. */
static int take_cell(struct cursor *c, const struct column *column, struct fact_table *t,
                     struct cell *cell, struct err *e)
{
    uint64_t bits = 0;
    switch (take_u8(c)) {
    case WIRE_NULL:
        if ((column->flags & COL_KEY) != 0 || c->bad) {
            return broken(e, "a key without a value");
        }
        return 0;
    case WIRE_INT:
        cell_int(cell, (int64_t)take_u64(c));
        if (column->type != COL_INT) {
            return broken(e, "a number where none belongs");
        }
        return 0;
    case WIRE_REAL:
        bits = take_u64(c);
        cell->type = CELL_REAL;
        memcpy(&cell->v.r, &bits, sizeof(bits));
        if (column->type != COL_REAL || !isfinite(cell->v.r)) {
            return broken(e, "a real number where none belongs");
        }
        return 0;
    case WIRE_TEXT:
        return take_text(c, column, t, cell, e);
    default:
        return broken(e, "a cell of no known type");
    }
}

/* The row is filled in place and taken back if anything in it is wrong. */
static int on_row(struct receiver *rx, struct cursor *c, struct err *e)
{
    struct fact_table *t = take_table(rx, c);
    if (t == NULL) {
        return broken(e, "a row of a table that is not this probe's");
    }
    if (t->n_rows >= probe_max_rows(rx->runs[rx->current]->p)) {
        return err_set(e, ERR_LIMIT, "result pipe: more than %zu rows", t->n_rows);
    }
    struct cell *cells = NULL;
    int rc = fact_row(t, &cells, e);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < t->decl->n_columns; i++) {
        rc = take_cell(c, &t->decl->columns[i], t, &cells[i], e);
    }
    if (rc == 0 && (c->bad || c->n != 0)) {
        rc = broken(e, "a row of the wrong length");
    }
    if (rc != 0) {
        t->n_rows--; /* never half a row */
    }
    return rc;
}

/* May come more than once for a table; it can only get worse. */
static int on_state(struct receiver *rx, struct cursor *c, struct err *e)
{
    struct fact_table *t = take_table(rx, c);
    unsigned state = take_u8(c);
    char reason[FACT_REASON_MAX];
    if (t == NULL || c->bad) {
        return broken(e, "a state of a table that is not this probe's");
    }
    int rc = take_reason(c, reason, e);
    if (rc != 0) {
        return rc;
    }
    /* Crashed and unconfined are for the parent to say. */
    if (state < STATE_COMPLETE || state > STATE_TIMEOUT) {
        return broken(e, "a state that no probe can give");
    }
    table_state(t, (enum fact_state)state, reason);
    return 0;
}

/* Each probe begins once, and parses only after its pause. */
static int on_begin(struct receiver *rx, struct cursor *c, struct err *e)
{
    unsigned probe = take_u8(c);
    unsigned phase = take_u8(c);
    enum run_stage before = phase == PHASE_RUN ? RUN_WAITING : RUN_PAUSED;
    if (c->bad || rx->current >= 0 || probe >= rx->n_runs || phase > PHASE_PARSE ||
        rx->runs[probe]->stage != before) {
        return broken(e, "a probe begins out of turn");
    }
    rx->current = (int)probe;
    rx->phase = (enum probe_phase)phase;
    rx->runs[probe]->stage = RUN_RUNNING;
    return 0;
}

/* Between its phases a probe is not running: its clock stands still. */
static int on_pause(struct receiver *rx, struct cursor *c, struct err *e)
{
    unsigned probe = take_u8(c);
    if (c->bad || rx->current < 0 || probe != (unsigned)rx->current || rx->phase != PHASE_RUN ||
        rx->runs[probe]->p->parse == NULL) {
        return broken(e, "a probe pauses out of turn");
    }
    rx->runs[probe]->stage = RUN_PAUSED;
    rx->current = -1;
    return 0;
}

/* The claimed times are bounded here and put right by the launcher's rusage later. */
static int on_end(struct receiver *rx, struct cursor *c, struct err *e)
{
    unsigned probe = take_u8(c);
    uint64_t cpu_us = take_u64(c);
    uint64_t wall_us = take_u64(c);
    if (c->bad || rx->current < 0 || probe != (unsigned)rx->current || cpu_us > INT32_MAX ||
        wall_us > INT32_MAX) {
        return broken(e, "a probe ends out of turn");
    }
    struct probe_run *run = rx->runs[probe];
    for (size_t i = 0; i < run->n_tables; i++) {
        if (run->tables[i]->wanted && run->tables[i]->state == STATE_NOT_RUN) {
            return broken(e, "a probe ends without a word on one of its tables");
        }
    }
    run->cpu_us = (int64_t)cpu_us;
    run->wall_us = (int64_t)wall_us;
    run->stage = RUN_ENDED;
    rx->current = -1;
    return 0;
}

/* The first frame, sent before any code of a probe ran: later ones would be a probe's own claim. */
static int on_layers(struct receiver *rx, struct cursor *c, struct err *e)
{
    unsigned layers = take_u8(c);
    if (c->bad || rx->confined || (layers & ~LAYER_ALL) != 0) {
        return broken(e, "layers told twice, or unknown ones");
    }
    rx->confined = true;
    for (size_t i = 0; i < rx->n_runs; i++) {
        rx->runs[i]->layers = layers;
    }
    return 0;
}

static int on_frame(struct receiver *rx, struct cursor *c, struct err *e)
{
    unsigned type = take_u8(c);
    if (rx->done || rx->unconfined[0] != '\0') {
        return broken(e, "a frame after the last");
    }
    if (!rx->confined && type != WIRE_LAYERS && type != WIRE_UNCONFINED) {
        return broken(e, "a frame before the child was confined");
    }
    int rc = 0;
    switch (type) {
    case WIRE_LAYERS:
        rc = on_layers(rx, c, e);
        break;
    case WIRE_UNCONFINED:
        rc = take_reason(c, rx->unconfined, e);
        if (rc == 0 && rx->unconfined[0] == '\0') {
            rc = broken(e, "not confined, without a reason");
        }
        break;
    case WIRE_BEGIN:
        rc = on_begin(rx, c, e);
        break;
    case WIRE_ROW:
        rc = on_row(rx, c, e);
        break;
    case WIRE_PAUSE:
        rc = on_pause(rx, c, e);
        break;
    case WIRE_STATE:
        rc = on_state(rx, c, e);
        break;
    case WIRE_END:
        rc = on_end(rx, c, e);
        break;
    case WIRE_DONE:
        rx->done = true;
        break;
    default:
        return broken(e, "a frame of no known type");
    }
    return rc != 0 || c->n == 0 ? rc : broken(e, "a frame that is too long");
}

/* Takes whole frames from the run; *ret_used: how many bytes they took. */
static int feed_frames(struct receiver *rx, const char *p, size_t n, size_t *ret_used,
                       struct err *e)
{
    size_t used = 0;
    while (n - used >= WIRE_HEADER) {
        struct cursor c = {.p = (const uint8_t *)p + used, .n = n - used, .bad = false};
        size_t len = take_u32(&c);
        if (len == 0) {
            return broken(e, "an empty frame");
        }
        if (len > WIRE_FRAME_MAX) {
            return err_set(e, ERR_LIMIT, "result pipe: a frame of %zu bytes", len);
        }
        if (c.n < len) {
            break;
        }
        c.n = len;
        int rc = on_frame(rx, &c, e);
        if (rc != 0) {
            return rc;
        }
        used += WIRE_HEADER + len;
    }
    *ret_used = used;
    return 0;
}

int receiver_feed(struct receiver *rx, const void *bytes, size_t n, struct err *e)
{
    rx->total += n;
    if (rx->total > WIRE_TOTAL_MAX) {
        return err_set(e, ERR_LIMIT, "result pipe: more than %zu bytes", WIRE_TOTAL_MAX);
    }
    const char *p = bytes;
    size_t used = 0;
    if (rx->buf.len == 0) { /* the usual case: no copy */
        int rc = feed_frames(rx, p, n, &used, e);
        if (rc != 0) {
            return rc;
        }
        p += used;
        n -= used;
        str_add_bytes(&rx->buf, p, n);
        return str_error(&rx->buf, e);
    }
    while (n > 0) {
        /* Top up by at most what one frame may still need, so the buffer's ceiling holds. */
        size_t room = rx->buf.max - rx->buf.len;
        size_t part = n < room ? n : room;
        str_add_bytes(&rx->buf, p, part);
        int rc = str_error(&rx->buf, e);
        if (rc == 0) {
            rc = feed_frames(rx, rx->buf.data, rx->buf.len, &used, e);
        }
        if (rc != 0) {
            return rc;
        }
        memmove(rx->buf.data, rx->buf.data + used, rx->buf.len - used);
        rx->buf.len -= used;
        p += part;
        n -= part;
    }
    return 0;
}
