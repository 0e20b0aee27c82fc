/* Spans, lines, fields, numbers. */
#include "probes/system/text.h"

#include <string.h>

bool span_line(struct span *rest, struct span *ret)
{
    if (rest->n == 0) {
        return false;
    }
    const char *nl = memchr(rest->p, '\n', rest->n);
    size_t n = nl != NULL ? (size_t)(nl - rest->p) : rest->n;
    *ret = span_of(rest->p, n);
    size_t taken = nl != NULL ? n + 1 : n;
    *rest = span_of(rest->p + taken, rest->n - taken);
    return true;
}

bool span_cut(struct span s, char sep, struct span *ret_before, struct span *ret_after)
{
    const char *at = s.n > 0 ? memchr(s.p, sep, s.n) : NULL;
    if (at == NULL) {
        return false;
    }
    size_t n = (size_t)(at - s.p);
    if (ret_before != NULL) {
        *ret_before = span_of(s.p, n);
    }
    if (ret_after != NULL) {
        *ret_after = span_of(at + 1, s.n - n - 1);
    }
    return true;
}

size_t span_split(struct span text, char sep, struct span *ret, size_t max)
{
    size_t n = 0;
    struct span rest = text;
    struct span field;

    while (span_cut(rest, sep, &field, &rest)) {
        if (n < max) {
            ret[n] = field;
        }
        n++;
    }
    if (n < max) {
        ret[n] = rest;
    }
    return n + 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool span_word(struct span *rest, struct span *ret)
{
    struct span s = *rest;

    while (s.n > 0 && is_blank(*s.p)) {
        s = span_of(s.p + 1, s.n - 1);
    }
    size_t n = 0;
    while (n < s.n && !is_blank(s.p[n])) {
        n++;
    }
    *rest = span_of(s.p + n, s.n - n);
    if (n == 0) {
        return false;
    }
    *ret = span_of(s.p, n);
    return true;
}

struct span span_trim(struct span s)
{
    while (s.n > 0 && (is_blank(*s.p) || *s.p == '\r' || *s.p == '\n')) {
        s = span_of(s.p + 1, s.n - 1);
    }
    while (s.n > 0 && (is_blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n')) {
        s.n--;
    }
    return s;
}

bool span_is(struct span s, const char *text)
{
    return s.n == strlen(text) && (s.n == 0 || memcmp(s.p, text, s.n) == 0);
}

bool span_starts(struct span s, const char *text)
{
    size_t n = strlen(text);
    return s.n >= n && (n == 0 || memcmp(s.p, text, n) == 0);
}

bool span_has_nul(struct span s)
{
    return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

bool span_decimal(struct span s, int64_t max, int64_t *ret)
{
    int64_t value = 0;

    if (s.n == 0) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        int digit = s.p[i] - '0';
        if (value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

void report_bad(struct parse_report *r)
{
    r->bad++;
    if (r->first_bad == 0) {
        r->first_bad = r->lines;
    }
}
