/* The frames that a confined child writes to its result pipe. The layout is drawn in wire.c above
 * the encoder. Encoding only; the parent's hostile-safe reading is receiver.c. */
#ifndef TENKEN_SCAN_WIRE_H
#define TENKEN_SCAN_WIRE_H

#include "agent/base/facts.h"
#include "agent/base/str.h"

#define WIRE_CELL_MAX ((size_t)64 << 10)   /* bytes of one text, escaped */
#define WIRE_FRAME_MAX ((size_t)256 << 10) /* one row, hence */
#define WIRE_TOTAL_MAX ((size_t)16 << 20)  /* all frames of one child */
#define WIRE_HEADER 4U

enum wire_type {
    WIRE_LAYERS = 'L',
    WIRE_UNCONFINED = 'U',
    WIRE_BEGIN = 'B',
    WIRE_ROW = 'R',
    WIRE_PAUSE = 'P',
    WIRE_STATE = 'S',
    WIRE_END = 'E',
    WIRE_DONE = 'Z'
};

enum wire_cell { WIRE_NULL, WIRE_INT, WIRE_REAL, WIRE_TEXT };

enum probe_phase { PHASE_RUN, PHASE_PARSE };

/* Bits of a layers frame, in the order in which they are put on. */
enum layer {
    LAYER_UID = 1U << 0,
    LAYER_CAPS = 1U << 1,
    LAYER_NNP = 1U << 2,
    LAYER_LANDLOCK = 1U << 3,
    LAYER_SECCOMP = 1U << 4
};
#define LAYER_ALL 0x1fU

/* Begins a frame in *out (appended); wire_close fills in its length. Between them the body is put
 * with put_* (bytes.h) and wire_cell. *ret_start: to be handed to wire_close. */
size_t wire_open(struct str *out, enum wire_type type);
void wire_close(struct str *out, size_t start);
/* One cell of a row. */
void wire_cell(struct str *out, const struct cell *c);

/* Whole frames, appended to *out. reason: escaped as a cell, cut at FACT_REASON_MAX - 1. */
void wire_layers(struct str *out, unsigned layers);
void wire_unconfined(struct str *out, const char *reason);
void wire_begin(struct str *out, unsigned probe, enum probe_phase phase);
void wire_pause(struct str *out, unsigned probe);
void wire_state(struct str *out, unsigned table, enum fact_state state, const char *reason);
void wire_end(struct str *out, unsigned probe, int64_t cpu_us, int64_t wall_us);
void wire_done(struct str *out);

/* Copies text into a reason: escaped as a cell, never longer than FACT_REASON_MAX - 1 bytes, never
 * cut within a character or an escape. */
void reason_copy(char out[FACT_REASON_MAX], const char *text);
/* True if the n bytes are what str_add_cell makes: valid UTF-8, no control character, a backslash
 * only as \xNN. */
bool cell_is_escaped(const char *p, size_t n);

#endif
