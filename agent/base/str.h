/* A growing byte buffer with a hard ceiling and a sticky error, and a list of strings.
 * Appends never fail at the call site: check str_error() once at the end. */
#ifndef TENKEN_BASE_STR_H
#define TENKEN_BASE_STR_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/compiler.h"
#include "agent/base/err.h"

struct str {
    char *data; /* NUL-terminated once anything was appended; NULL before */
    size_t len; /* bytes, the NUL not counted */
    size_t cap;
    size_t max; /* ceiling of len */
    int error;  /* ERR_NONE, ERR_NOMEM or ERR_TRUNCATED; sticky */
};

#define STR_INIT(ceiling)                                                                          \
    {                                                                                              \
        .data = NULL, .len = 0, .cap = 0, .max = (ceiling), .error = 0                             \
    }

/* Empty, with that ceiling; allocates nothing yet. */
void str_init(struct str *s, size_t max_bytes);
void str_done(struct str *s);  /* frees; s may be reused after str_init */
void str_clear(struct str *s); /* length 0, memory and ceiling kept, error cleared */
static inline void cleanup_str(struct str *s)
{
    str_done(s);
}

void str_add(struct str *s, const char *text);                 /* NUL-terminated text */
void str_add_bytes(struct str *s, const void *data, size_t n); /* any bytes */
void str_add_char(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The text so far; "" when nothing was appended. Valid until the next change of s. */
const char *str_text(const struct str *s);

/* ERR_NONE, or the first error with a text in *e ("... longer than N bytes"). */
int str_error(const struct str *s, struct err *e) MUST_USE;

/* Hands the bytes over (caller frees), s is empty after. *ret_len may be NULL. NULL on a sticky
 * error (freed). */
char *str_take(struct str *s, size_t *ret_len) MUST_USE;

/* A list of owned, NUL-terminated strings. */
struct strv {
    char **items;
    size_t n;
    size_t cap;
};

void strv_done(struct strv *v);
static inline void cleanup_strv(struct strv *v)
{
    strv_done(v);
}
/* Appends a copy of text. ERR_NOMEM. */
int strv_add(struct strv *v, const char *text, struct err *e) MUST_USE;
int strv_add_n(struct strv *v, const char *text, size_t n, struct err *e) MUST_USE;
/* Byte order (strcmp). */
void strv_sort(struct strv *v);
bool strv_has(const struct strv *v, const char *text);

/* Escapes a text cell (formats.md): bytes that are no valid UTF-8, NUL, control characters and the
 * backslash itself become \xNN (lower-case hex). Appends to out. */
void str_add_cell(struct str *out, const void *data, size_t n);
/* As str_add_cell's result shown on a terminal: C1 controls and bidi controls (U+061C U+200E U+200F
 * U+202A-202E U+2066-2069) are escaped as \u{XXXX} too; NL and TAB inside are escaped. Input must
 * be valid UTF-8. */
void str_add_terminal(struct str *out, const char *text);
/* Columns that text takes on a terminal (East Asian wide characters 2, combining 0); invalid bytes
 * count 1. */
size_t str_width(const char *text);
/* True if the n bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(const void *data, size_t n);

/* The word of the list nearest to text by edit distance (at most a third of its length, rounded up,
 * else NULL). Swapped neighbours count once. For "did you mean". */
const char *str_nearest(const char *text, const char *const *words, size_t n_words);

/* Takes the decimal digits at the beginning of *at off it: no blank, no sign. False, with nothing
 * changed, if there is no digit or the value is above max: scanf(3) leaves an overflow undefined.
 */
bool text_digits(const char **at, uint64_t max, uint64_t *ret) MUST_USE;

#endif
