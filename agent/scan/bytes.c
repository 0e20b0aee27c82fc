/* Little-endian numbers and counted texts. */
#include "agent/scan/bytes.h"

/* Byte by byte: neither the order nor the alignment of the machine shows. */
static void put_number(struct str *out, uint64_t v, size_t n)
{
    uint8_t raw[8];
    for (size_t i = 0; i < n; i++) {
        raw[i] = (uint8_t)(v >> (8 * i));
    }
    str_add_bytes(out, raw, n);
}

void put_u8(struct str *out, uint8_t v)
{
    put_number(out, v, 1);
}

void put_u32(struct str *out, uint32_t v)
{
    put_number(out, v, 4);
}

void put_u64(struct str *out, uint64_t v)
{
    put_number(out, v, 8);
}

void put_bytes(struct str *out, const void *data, size_t n)
{
    put_u32(out, (uint32_t)n);
    if (n > 0) {
        str_add_bytes(out, data, n);
    }
}

/* Nothing moves on a mistake, and `bad` stays: callers look once, at the end of a frame. */
static uint64_t take_number(struct cursor *c, size_t n)
{
    if (c->bad || c->n < n) {
        c->bad = true;
        return 0;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v |= (uint64_t)c->p[i] << (8 * i);
    }
    c->p += n;
    c->n -= n;
    return v;
}

uint8_t take_u8(struct cursor *c)
{
    return (uint8_t)take_number(c, 1);
}

uint32_t take_u32(struct cursor *c)
{
    return (uint32_t)take_number(c, 4);
}

uint64_t take_u64(struct cursor *c)
{
    return take_number(c, 8);
}

const char *take_bytes(struct cursor *c, size_t *ret_n)
{
    size_t n = take_u32(c);
    *ret_n = 0;
    if (c->bad || c->n < n) {
        c->bad = true;
        return "";
    }
    const char *p = (const char *)c->p;
    c->p += n;
    c->n -= n;
    *ret_n = n;
    return p;
}
