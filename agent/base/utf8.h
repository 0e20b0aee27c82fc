/* One step of UTF-8 decoding, shared by escaping, checking and measuring. RFC 3629. */
#ifndef TENKEN_BASE_UTF8_H
#define TENKEN_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at p (n bytes are there). Returns its length 1..4 and sets *ret_point, or 0
 * when the bytes are no valid UTF-8: stray or missing continuation, overlong form, surrogate, above
 * U+10FFFF; also when n is 0. */
size_t utf8_decode(const unsigned char *p, size_t n, uint32_t *ret_point);

#endif
