/* Growing buffer with a ceiling, list of strings, escaping of cells, "did you mean". Knows no
 * locale; UTF-8 only. Widths stand in str_width.c. */
#include "agent/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/utf8.h"

#define CAP_FIRST 64U

void str_init(struct str *s, size_t max_bytes)
{
    *s = (struct str)STR_INIT(max_bytes);
}

void str_done(struct str *s)
{
    free(s->data);
    s->data = NULL;
    s->len = 0;
    s->cap = 0;
    s->error = ERR_NONE;
}

void str_clear(struct str *s)
{
    s->len = 0;
    s->error = ERR_NONE;
    if (s->data != NULL) {
        s->data[0] = '\0';
    }
}

/* Room for n more bytes and the NUL; false sets the sticky error. */
static bool str_grow(struct str *s, size_t n)
{
    if (s->error != ERR_NONE) {
        return false;
    }
    if (s->len > s->max || n > s->max - s->len || s->len + n == SIZE_MAX) {
        s->error = ERR_TRUNCATED;
        return false;
    }
    size_t need = s->len + n + 1;
    if (need <= s->cap) {
        return true;
    }
    size_t cap = s->cap > 0 ? s->cap : CAP_FIRST;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    char *data = realloc(s->data, cap);
    if (data == NULL) {
        s->error = ERR_NOMEM;
        return false;
    }
    s->data = data;
    s->cap = cap;
    return true;
}

void str_add_bytes(struct str *s, const void *data, size_t n)
{
    if (!str_grow(s, n)) {
        return;
    }
    if (n > 0) {
        memcpy(s->data + s->len, data, n);
    }
    s->len += n;
    s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
    str_add_bytes(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
    str_add_bytes(s, &c, 1);
}

void str_addf(struct str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && str_grow(s, (size_t)n)) {
        (void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    } else if (n < 0 && s->error == ERR_NONE) {
        s->error = ERR_NOMEM; /* the only way vsnprintf fails with our formats */
    }
    va_end(again);
}

const char *str_text(const struct str *s)
{
    return s->data != NULL ? s->data : "";
}

int str_error(const struct str *s, struct err *e)
{
    switch (s->error) {
    case ERR_NONE:
        return 0;
    case ERR_TRUNCATED:
        return err_set(e, ERR_TRUNCATED, "text is longer than %zu bytes", s->max);
    default:
        return err_nomem(e);
    }
}

char *str_take(struct str *s, size_t *ret_len)
{
    if (!str_grow(s, 0)) { /* also turns "never appended to" into an allocated "" */
        str_done(s);
        return NULL;
    }
    s->data[s->len] = '\0';
    if (ret_len != NULL) {
        *ret_len = s->len;
    }
    char *data = TAKE_PTR(s->data);
    str_done(s);
    return data;
}

void strv_done(struct strv *v)
{
    for (size_t i = 0; i < v->n; i++) {
        free(v->items[i]);
    }
    free(v->items);
    *v = (struct strv){0};
}

int strv_add_n(struct strv *v, const char *text, size_t n, struct err *e)
{
    if (v->n == v->cap) {
        size_t cap = v->cap > 0 ? v->cap * 2 : 8;
        char **items = reallocarray(v->items, cap, sizeof(*items));
        if (items == NULL) {
            return err_nomem(e);
        }
        v->items = items;
        v->cap = cap;
    }
    char *copy = malloc(n + 1);
    if (copy == NULL) {
        return err_nomem(e);
    }
    if (n > 0) {
        memcpy(copy, text, n);
    }
    copy[n] = '\0';
    v->items[v->n++] = copy;
    return 0;
}

int strv_add(struct strv *v, const char *text, struct err *e)
{
    return strv_add_n(v, text, strlen(text), e);
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *v)
{
    if (v->n > 1) {
        qsort(v->items, v->n, sizeof(*v->items), compare_items);
    }
}

bool strv_has(const struct strv *v, const char *text)
{
    for (size_t i = 0; i < v->n; i++) {
        if (strcmp(v->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void str_add_cell(struct str *out, const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t i = 0;
    while (i < n) {
        uint32_t point = 0;
        size_t step = utf8_decode(p + i, n - i, &point);
        if (step == 0 || point < 0x20 || point == 0x7F || point == '\\') {
            str_addf(out, "\\x%02x", p[i]);
            i++;
        } else {
            str_add_bytes(out, p + i, step);
            i += step;
        }
    }
}

/* Characters that reorder or hide text on a terminal (Unicode UAX #9, "Trojan Source"). */
static bool is_deceptive(uint32_t point)
{
    return (point >= 0x80 && point <= 0x9F) || point == 0x061C || point == 0x200E ||
           point == 0x200F || (point >= 0x202A && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069);
}

void str_add_terminal(struct str *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = strlen(text);
    size_t i = 0;
    while (i < n) {
        uint32_t point = 0;
        size_t step = utf8_decode(p + i, n - i, &point);
        if (step == 0 || point < 0x20 || point == 0x7F) {
            str_addf(out, "\\x%02x", p[i]);
            i++;
        } else if (is_deceptive(point)) {
            str_addf(out, "\\u{%04x}", (unsigned)point);
            i += step;
        } else {
            str_add_bytes(out, p + i, step);
            i += step;
        }
    }
}

bool str_is_utf8(const void *data, size_t n)
{
    const unsigned char *p = data;
    size_t i = 0;
    while (i < n) {
        uint32_t point = 0;
        size_t step = utf8_decode(p + i, n - i, &point);
        if (step == 0) {
            return false;
        }
        i += step;
    }
    return true;
}

/* Words of vocabularies and keys are short; longer ones are never a slip of the hand. */
#define NEAREST_MAX 64U

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, swap of neighbours cost 1 each. Both texts at
 * most NEAREST_MAX bytes. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t rows[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= n_b; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n_a; i++) {
        const size_t *before = rows[(i + 2) % 3];
        const size_t *twice = rows[(i + 1) % 3];
        size_t *now = rows[i % 3];
        now[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            size_t best = min_of(before[j] + 1, now[j - 1] + 1);
            best = min_of(best, before[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = min_of(best, twice[j - 2] + 1);
            }
            now[j] = best;
        }
    }
    return rows[n_a % 3][n_b];
}

const char *str_nearest(const char *text, const char *const *words, size_t n_words)
{
    size_t n = strlen(text);
    if (n == 0 || n > NEAREST_MAX) {
        return NULL;
    }
    size_t best = (n + 2) / 3;
    const char *found = NULL;
    for (size_t i = 0; i < n_words; i++) {
        size_t n_word = strlen(words[i]);
        if (n_word > NEAREST_MAX) {
            continue;
        }
        size_t d = edit_distance(text, n, words[i], n_word);
        /* The first of several equally near words wins, so that messages are stable. */
        if (d < best || (d == best && found == NULL)) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

bool text_digits(const char **at, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (p == *at) {
        return false;
    }
    *at = p;
    *ret = value;
    return true;
}
