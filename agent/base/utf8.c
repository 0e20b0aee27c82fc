/* UTF-8 as RFC 3629 section 4 draws it: the second byte's range depends on the first, which rules
 * out overlong forms and surrogates without computing them. */
#include "agent/base/utf8.h"

#include <stdbool.h>

static bool is_tail(unsigned char c)
{
    return (c & 0xC0U) == 0x80U;
}

static size_t decode3(const unsigned char *p, size_t n, uint32_t *ret_point)
{
    unsigned char low = p[0] == 0xE0 ? 0xA0 : 0x80;
    unsigned char high = p[0] == 0xED ? 0x9F : 0xBF;
    if (n < 3 || p[1] < low || p[1] > high || !is_tail(p[2])) {
        return 0;
    }
    *ret_point = ((p[0] & 0x0FU) << 12) | ((p[1] & 0x3FU) << 6) | (p[2] & 0x3FU);
    return 3;
}

static size_t decode4(const unsigned char *p, size_t n, uint32_t *ret_point)
{
    unsigned char low = p[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xF4 ? 0x8F : 0xBF;
    if (n < 4 || p[1] < low || p[1] > high || !is_tail(p[2]) || !is_tail(p[3])) {
        return 0;
    }
    *ret_point =
        ((p[0] & 0x07U) << 18) | ((p[1] & 0x3FU) << 12) | ((p[2] & 0x3FU) << 6) | (p[3] & 0x3FU);
    return 4;
}

size_t utf8_decode(const unsigned char *p, size_t n, uint32_t *ret_point)
{
    if (n == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        *ret_point = p[0];
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        if (n < 2 || !is_tail(p[1])) {
            return 0;
        }
        *ret_point = ((p[0] & 0x1FU) << 6) | (p[1] & 0x3FU);
        return 2;
    }
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        return decode3(p, n, ret_point);
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        return decode4(p, n, ret_point);
    }
    return 0;
}
