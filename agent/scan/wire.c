/* Frames of the result pipe.
 *
 *   0          4      5                       Numbers are little-endian. A text is a u32 length and
 *   +----------+------+------------------+    its bytes, which are valid UTF-8 and escaped as
 *   | u32 n    | type | body, n-1 bytes  |    formats.md asks.
 *   +----------+------+------------------+
 *
 *   L  u8 layers                    first frame, once: the child is confined
 *   U  text reason                  instead of L, or later: it is not; nothing more will run
 *   B  u8 probe, u8 phase           run() or parse() of that probe of the child begins
 *   R  u8 table, a cell per column  a row of a table of the probe that runs:
 *                                   u8 0 | u8 1, i64 | u8 2, f64 | u8 3, text
 *   P  u8 probe                     run() ended well, parse() comes later
 *   S  u8 table, u8 state, text     how the look at a table of the probe that runs ended
 *   E  u8 probe, u64 cpu, u64 wall  that probe is finished; microseconds, as the child saw them
 *   Z                               the child is finished
 *
 * Each row is one write: what was sent before a crash or a timeout is seen by the parent. */
#include "agent/scan/wire.h"

#include <string.h>

#include "agent/scan/bytes.h"

size_t wire_open(struct str *out, enum wire_type type)
{
    size_t start = out->len;
    put_u32(out, 0);
    put_u8(out, (uint8_t)type);
    return start;
}

void wire_close(struct str *out, size_t start)
{
    if (out->error != 0) {
        return; /* sticky: the sender looks before it writes */
    }
    uint32_t n = (uint32_t)(out->len - start - WIRE_HEADER);
    for (size_t i = 0; i < WIRE_HEADER; i++) {
        out->data[start + i] = (char)(uint8_t)(n >> (8 * i));
    }
}

void wire_cell(struct str *out, const struct cell *c)
{
    uint64_t bits = 0;
    switch (c->type) {
    case CELL_NULL:
        put_u8(out, WIRE_NULL);
        break;
    case CELL_INT:
        put_u8(out, WIRE_INT);
        put_u64(out, (uint64_t)c->v.i);
        break;
    case CELL_REAL:
        put_u8(out, WIRE_REAL);
        memcpy(&bits, &c->v.r, sizeof(bits));
        put_u64(out, bits);
        break;
    case CELL_TEXT:
        put_u8(out, WIRE_TEXT);
        put_bytes(out, c->v.t.p, c->v.t.n);
        break;
    }
}

static void put_reason(struct str *out, const char *reason)
{
    char text[FACT_REASON_MAX];
    reason_copy(text, reason);
    put_bytes(out, text, strlen(text));
}

void wire_layers(struct str *out, unsigned layers)
{
    size_t start = wire_open(out, WIRE_LAYERS);
    put_u8(out, (uint8_t)layers);
    wire_close(out, start);
}

void wire_unconfined(struct str *out, const char *reason)
{
    size_t start = wire_open(out, WIRE_UNCONFINED);
    put_reason(out, reason);
    wire_close(out, start);
}

void wire_begin(struct str *out, unsigned probe, enum probe_phase phase)
{
    size_t start = wire_open(out, WIRE_BEGIN);
    put_u8(out, (uint8_t)probe);
    put_u8(out, (uint8_t)phase);
    wire_close(out, start);
}

void wire_pause(struct str *out, unsigned probe)
{
    size_t start = wire_open(out, WIRE_PAUSE);
    put_u8(out, (uint8_t)probe);
    wire_close(out, start);
}

void wire_state(struct str *out, unsigned table, enum fact_state state, const char *reason)
{
    size_t start = wire_open(out, WIRE_STATE);
    put_u8(out, (uint8_t)table);
    put_u8(out, (uint8_t)state);
    put_reason(out, reason);
    wire_close(out, start);
}

void wire_end(struct str *out, unsigned probe, int64_t cpu_us, int64_t wall_us)
{
    size_t start = wire_open(out, WIRE_END);
    put_u8(out, (uint8_t)probe);
    put_u64(out, (uint64_t)cpu_us);
    put_u64(out, (uint64_t)wall_us);
    wire_close(out, start);
}

void wire_done(struct str *out)
{
    size_t start = wire_open(out, WIRE_DONE);
    wire_close(out, start);
}

/* Bytes of the unit that starts at p: an escape, or one character; at least 1. */
static size_t unit_length(const char *p)
{
    unsigned char first = (unsigned char)*p;
    if (first == '\\') {
        return 4;
    }
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool cell_is_escaped(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x20 || c == 0x7F) {
            return false;
        }
        if (c == '\\' && (n - i < 4 || p[i + 1] != 'x' || !is_hex(p[i + 2]) || !is_hex(p[i + 3]))) {
            return false;
        }
    }
    return str_is_utf8(p, n);
}

void reason_copy(char out[FACT_REASON_MAX], const char *text)
{
    /* Texts that are escaped already come through here again on the parent's side. */
    size_t n = strnlen(text, (size_t)4 * FACT_REASON_MAX);
    CLEANUP(str) struct str escaped = STR_INIT((size_t)16 * FACT_REASON_MAX);
    const char *p = text;
    if (!cell_is_escaped(text, n)) {
        str_add_cell(&escaped, text, n);
        p = str_text(&escaped);
        n = escaped.error == 0 ? escaped.len : 0;
    }
    size_t used = 0;
    while (used < n) {
        size_t step = unit_length(p + used);
        if (used + step >= FACT_REASON_MAX || used + step > n) {
            break;
        }
        used += step;
    }
    memcpy(out, p, used);
    out[used] = '\0';
}
