/* The body of POST /v1/evidence as it streams in: taken out of gzip or zstd, cut into lines. Memory
 * is bounded by one line whatever arrives, so that a small body cannot grow into a large one.
 * RFC 1952; RFC 8878. */
#ifndef TENKEN_COLLECTOR_UNPACK_H
#define TENKEN_COLLECTOR_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

#define UNPACK_LINE_MAX ((size_t)2 << 20)
#define UNPACK_LINES_MAX 64

enum unpack_encoding { UNPACK_IDENTITY, UNPACK_GZIP, UNPACK_ZSTD };

/* One line without its newline, in order from 0; blank lines inside the body are given too, those
 * at its end are not. A body whose first line is a lone "{" is one document: an envelope printed
 * for people. */
typedef int (*unpack_line_fn)(void *arg, const char *line, size_t n, struct err *e);

struct unpack;
/* "" or identity, gzip, x-gzip, zstd. ERR_UNSUPPORTED. */
int unpack_encoding_parse(const char *name, enum unpack_encoding *ret, struct err *e) MUST_USE;
int unpack_new(enum unpack_encoding encoding, unpack_line_fn fn, void *arg, struct unpack **ret,
               struct err *e) MUST_USE;
void unpack_free(struct unpack *u);
static inline void cleanup_unpack(struct unpack **u)
{
    unpack_free(*u);
}
/* ERR_TRUNCATED a line beyond UNPACK_LINE_MAX; ERR_LIMIT more than UNPACK_LINES_MAX lines;
 * ERR_MALFORMED not what the encoding says; or fn's error. Nothing may be fed after an error. */
int unpack_feed(struct unpack *u, const void *data, size_t n, struct err *e) MUST_USE;
/* The body is complete: gives the last line. ERR_MALFORMED cut inside the compressed stream. */
int unpack_end(struct unpack *u, struct err *e) MUST_USE;
/* Bytes held at present. */
size_t unpack_memory(const struct unpack *u);

#endif
