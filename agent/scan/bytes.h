/* Numbers and texts in a run of bytes, little-endian: what the launcher's requests and the
 * children's frames are made of. The reading side never reads past the end; one mistake makes all
 * that follows read as nothing, and `bad` says so. */
#ifndef TENKEN_SCAN_BYTES_H
#define TENKEN_SCAN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/str.h"

/* One byte. */
void put_u8(struct str *out, uint8_t v);
/* Four bytes. */
void put_u32(struct str *out, uint32_t v);
/* Eight bytes. */
void put_u64(struct str *out, uint64_t v);
/* u32 length, then the bytes. */
void put_bytes(struct str *out, const void *data, size_t n);

struct cursor {
    const uint8_t *p;
    size_t n; /* bytes left */
    bool bad; /* something ran past the end */
};

/* One byte; 0 when bad. */
uint8_t take_u8(struct cursor *c);
/* Four bytes; 0 when bad. */
uint32_t take_u32(struct cursor *c);
/* Eight bytes; 0 when bad. */
uint64_t take_u64(struct cursor *c);
/* As put_bytes wrote them; borrowed from the run; *ret_n their number. "" and 0 when bad. */
const char *take_bytes(struct cursor *c, size_t *ret_n);

#endif
