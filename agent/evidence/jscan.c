/* The strict JSON scanner. One pass checks, later passes only skip. Numbers are checked for their
 * form, never converted, unless asked. */
#include "agent/evidence/jscan.h"

#include <stdlib.h>
#include <string.h>

/* Deep enough for everything written here (9) and for foreign members; the recursion below has a
 * frame per level. */
#define JSCAN_DEPTH_MAX 64U

struct key {
    const char *p; /* unescaped bytes */
    size_t n;
};

struct scan {
    const char *what;
    const char *start, *p, *end;
    unsigned depth;
    struct key *keys; /* of all objects that are open, innermost last */
    size_t n_keys, cap_keys;
    struct strv decoded;     /* keys that were written with escapes */
    struct jscan_path *path; /* NULL, or members to be noted on the way */
    bool in_outer;
    struct err *e;
};

/* Points at the byte; the text itself is not quoted, it may come from anybody. */
static int scan_fail(struct scan *s, const char *problem)
{
    return err_set(s->e, ERR_MALFORMED, "%s: byte %zu: %s", s->what, (size_t)(s->p - s->start),
                   problem);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p)) {
        p++;
    }
    return p;
}

/* One past the run of bytes that need no look: printable ASCII but quote and backslash. Eight at a
 * time, because payloads are strings of many kilobytes. */
static const char *skip_plain(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
    while (end - p >= 8) {
        uint64_t w = 0;
        memcpy(&w, p, sizeof(w));
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t odd = w | (w - ones * 0x20U) | (quote - ones) | (slash - ones);
        if ((odd & high) != 0) {
            break; /* perhaps: the loop below decides */
        }
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\') {
        p++;
    }
    return p;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Four hexadecimal digits at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    if (end - p < 4) {
        return -1;
    }
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0) {
            return -1;
        }
        v = v * 16 + digit;
    }
    return v;
}

/* What the escape at p (after the backslash) stands for; *ret_n bytes of it were used. -1: wrong.
 */
static int32_t escape_value(const char *p, const char *end, size_t *ret_n)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    if (p >= end) {
        return -1;
    }
    *ret_n = 1;
    if (*p != 'u') {
        const char *at = *p != '\0' ? strchr(letters, *p) : NULL;
        return at != NULL ? values[at - letters] : -1;
    }
    int32_t first = hex4(p + 1, end);
    *ret_n = 5;
    if (first <= 0 || (first >= 0xdc00 && first <= 0xdfff)) {
        return -1; /* \u0000 would cut our C strings short */
    }
    if (first < 0xd800 || first > 0xdbff) {
        return first;
    }
    int32_t second = end - p >= 11 && p[5] == '\\' && p[6] == 'u' ? hex4(p + 7, end) : -1;
    if (second < 0xdc00 || second > 0xdfff) {
        return -1;
    }
    *ret_n = 11;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/* From the opening quote; *ret_raw is what stands between the quotes. */
static int scan_string(struct scan *s, struct jspan *ret_raw, bool *ret_escaped)
{
    const char *begin = ++s->p;
    bool high = false, escaped = false;
    for (;;) {
        s->p = skip_plain(s->p, s->end);
        if (s->p >= s->end) {
            return scan_fail(s, "string does not end");
        }
        if (*s->p == '"') {
            break;
        }
        if ((unsigned char)*s->p >= 0x80) {
            high = true;
            s->p++;
        } else if (*s->p == '\\') {
            size_t n = 0;
            escaped = true;
            if (escape_value(s->p + 1, s->end, &n) < 0) {
                return scan_fail(s, "wrong escape in a string");
            }
            s->p += 1 + n;
        } else {
            return scan_fail(s, "control character in a string");
        }
    }
    size_t n = (size_t)(s->p - begin);
    if (high && !str_is_utf8(begin, n)) {
        return scan_fail(s, "string is not UTF-8");
    }
    s->p++;
    *ret_raw = (struct jspan){begin, n};
    *ret_escaped = escaped;
    return 0;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* RFC 8259, 6: no leading zeros, no plus, digits around the point. */
static int scan_number(struct scan *s)
{
    const char *p = s->p;
    p += p < s->end && *p == '-';
    const char *digits = p;
    p = skip_digits(p, s->end);
    bool good = p > digits && (*digits != '0' || p == digits + 1);
    if (good && p < s->end && *p == '.') {
        const char *fraction = ++p;
        p = skip_digits(p, s->end);
        good = p > fraction;
    }
    if (good && p < s->end && (*p | 0x20) == 'e') {
        p++;
        p += p < s->end && (*p == '+' || *p == '-');
        const char *exponent = p;
        p = skip_digits(p, s->end);
        good = p > exponent;
    }
    if (!good) {
        return scan_fail(s, "not a JSON value");
    }
    s->p = p;
    return 0;
}

/* What begins like neither container nor string. */
static int scan_word(struct scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, words[i], n) == 0) {
            s->p += n;
            return 0;
        }
    }
    return scan_number(s);
}

/* Remembers a member's name, unescaped. */
static int push_key(struct scan *s, struct jspan raw, bool escaped)
{
    if (s->n_keys == s->cap_keys) {
        size_t cap = s->cap_keys > 0 ? s->cap_keys * 2 : 64;
        struct key *keys = reallocarray(s->keys, cap, sizeof(*keys));
        if (keys == NULL) {
            return err_nomem(s->e);
        }
        s->keys = keys;
        s->cap_keys = cap;
    }
    struct key k = {raw.p, raw.n};
    if (escaped) {
        CLEANUP(str) struct str plain = STR_INIT(raw.n);
        /* with its quotes, as jspan_text wants it */
        (void)jspan_text((struct jspan){raw.p - 1, raw.n + 2}, &plain);
        int rc = str_error(&plain, s->e);
        if (rc == 0) {
            rc = strv_add_n(&s->decoded, str_text(&plain), plain.len, s->e);
        }
        if (rc != 0) {
            return rc;
        }
        k = (struct key){s->decoded.items[s->decoded.n - 1], plain.len};
    }
    s->keys[s->n_keys++] = k;
    return 0;
}

/* Any total order will do: equal ones come to stand side by side. */
static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->n != y->n) {
        return x->n < y->n ? -1 : 1;
    }
    return memcmp(x->p, y->p, x->n);
}

/* The names from `first` on belong to the object that ends here. */
static int close_object(struct scan *s, size_t first)
{
    size_t n = s->n_keys - first;
    bool twice = false;
    s->n_keys = first;
    if (n < 2) {
        return 0; /* perhaps no name was ever stored, and there is no list to point into */
    }
    struct key *k = s->keys + first;
    if (n > 12) {
        qsort(k, n, sizeof(*k), compare_keys);
        for (size_t i = 1; i < n && !twice; i++) {
            twice = compare_keys(&k[i - 1], &k[i]) == 0;
        }
    } else {
        for (size_t i = 1; i < n && !twice; i++) {
            for (size_t j = 0; j < i && !twice; j++) {
                twice = compare_keys(&k[i], &k[j]) == 0;
            }
        }
    }
    return twice ? scan_fail(s, "an object names a member twice") : 0;
}

static int scan_value(struct scan *s);

/* The name and its colon. */
static int scan_member_name(struct scan *s)
{
    struct jspan raw = {0};
    bool escaped = false;
    s->p = skip_space(s->p, s->end);
    if (s->p >= s->end || *s->p != '"') {
        return scan_fail(s, "a member's name was expected");
    }
    int rc = scan_string(s, &raw, &escaped);
    if (rc == 0) {
        rc = push_key(s, raw, escaped);
    }
    if (rc != 0) {
        return rc;
    }
    s->p = skip_space(s->p, s->end);
    if (s->p >= s->end || *s->p != ':') {
        return scan_fail(s, "':' was expected");
    }
    s->p++;
    return 0;
}

static bool key_is(const struct scan *s, const char *name)
{
    const struct key *k = &s->keys[s->n_keys - 1];
    return k->n == strlen(name) && memcmp(k->p, name, k->n) == 0;
}

/* The value of the member whose name was read last; noted where it is one of the path. */
static int scan_member_value(struct scan *s)
{
    struct jspan *span = NULL;
    bool outer = false;
    if (s->path != NULL && s->depth == 1 && key_is(s, s->path->outer_name)) {
        span = &s->path->outer;
        outer = true;
    } else if (s->in_outer && s->depth == 2 && key_is(s, s->path->inner_name)) {
        span = &s->path->inner;
    }
    s->p = skip_space(s->p, s->end);
    const char *begin = s->p;
    s->in_outer = s->in_outer || outer;
    int rc = scan_value(s);
    s->in_outer = s->in_outer && !outer;
    if (rc == 0 && span != NULL) {
        *span = (struct jspan){begin, (size_t)(s->p - begin)};
    }
    return rc;
}

/* From the opening bracket to one past the closing one. */
static int scan_container(struct scan *s, char close)
{
    size_t first_key = s->n_keys;
    if (++s->depth > JSCAN_DEPTH_MAX) {
        return scan_fail(s, "nested too deeply");
    }
    s->p = skip_space(s->p + 1, s->end);
    bool empty = s->p < s->end && *s->p == close;
    s->p += empty;
    while (!empty) {
        int rc = close == '}' ? scan_member_name(s) : 0;
        if (rc == 0) {
            rc = close == '}' ? scan_member_value(s) : scan_value(s);
        }
        if (rc != 0) {
            return rc;
        }
        s->p = skip_space(s->p, s->end);
        if (s->p >= s->end || (*s->p != ',' && *s->p != close)) {
            return scan_fail(s,
                             close == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
        }
        if (*s->p++ == close) {
            break;
        }
    }
    s->depth--;
    return close == '}' ? close_object(s, first_key) : 0;
}

/* One value of any kind, white space before it allowed. */
static int scan_value(struct scan *s)
{
    struct jspan raw = {0};
    bool escaped = false;
    s->p = skip_space(s->p, s->end);
    if (s->p >= s->end) {
        return scan_fail(s, "ends too early");
    }
    switch (*s->p) {
    case '{':
        return scan_container(s, '}');
    case '[':
        return scan_container(s, ']');
    case '"':
        return scan_string(s, &raw, &escaped);
    default:
        return scan_word(s);
    }
}

int jscan_check(const char *what, const char *text, size_t n, struct jspan *ret, struct err *e)
{
    return jscan_check_path(what, text, n, NULL, ret, e);
}

int jscan_check_path(const char *what, const char *text, size_t n, struct jscan_path *path,
                     struct jspan *ret, struct err *e)
{
    struct scan s = {.what = what, .start = text, .p = text, .end = text + n, .path = path, .e = e};
    const char *begin = skip_space(text, s.end);
    int rc = scan_value(&s);
    const char *value_end = s.p;
    if (rc == 0) {
        s.p = skip_space(s.p, s.end);
        rc = s.p < s.end ? scan_fail(&s, "something follows the end") : 0;
    }
    free(s.keys);
    strv_done(&s.decoded);
    if (rc == 0) {
        *ret = (struct jspan){begin, (size_t)(value_end - begin)};
    }
    return rc;
}

/* One past the string that begins at p (at its quote). */
static const char *skip_string(const char *p, const char *end)
{
    p++;
    while (p < end && *p != '"') {
        p += *p == '\\' ? 2 : 1;
        p = skip_plain(p, end);
        while (p < end && (unsigned char)*p >= 0x80) {
            p++;
        }
    }
    return p < end ? p + 1 : end;
}

/* Bytes that skip_value must look at. */
static const bool structural[256] = {
    ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true};
/* Bytes that end a number or a word. */
static const bool ends_scalar[256] = {[','] = true, ['}'] = true,  [']'] = true,  [':'] = true,
                                      [' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true};

/* One past the value that begins at p. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    if (p < end && !structural[(unsigned char)*p]) {
        while (p < end && !ends_scalar[(unsigned char)*p]) {
            p++;
        }
        return p;
    }
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
        } else {
            p++;
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
        }
        if (depth == 0) {
            return p;
        }
        while (p < end && !structural[(unsigned char)*p]) {
            p++;
        }
    }
    return end;
}

bool jiter_begin(struct jspan v, struct jiter *it)
{
    if (v.n < 2 || (*v.p != '{' && *v.p != '[')) {
        return false;
    }
    *it = (struct jiter){v.p + 1, v.p + v.n - 1, *v.p == '{'};
    return true;
}

/* Commas, colons and white space between values need no look any more: the check has seen them. */
bool jiter_next(struct jiter *it, struct jspan *key, struct jspan *value)
{
    const char *p = it->p;
    struct jspan name = {p, 0};
    while (p < it->end && (is_space(*p) || *p == ',')) {
        p++;
    }
    if (p >= it->end) {
        return false;
    }
    if (it->is_object) {
        const char *after = skip_string(p, it->end);
        name = (struct jspan){p + 1, (size_t)(after - p) - 2};
        p = after;
        while (p < it->end && (is_space(*p) || *p == ':')) {
            p++;
        }
    }
    it->p = skip_value(p, it->end);
    *value = (struct jspan){p, (size_t)(it->p - p)};
    if (key != NULL) {
        *key = name;
    }
    return true;
}

bool jspan_member(struct jspan object, const char *key, struct jspan *ret)
{
    struct jiter it = {0};
    struct jspan name = {0}, value = {0};
    size_t n = strlen(key);
    if (!jiter_begin(object, &it) || !it.is_object) {
        return false;
    }
    while (jiter_next(&it, &name, &value)) {
        bool same = name.n == n && memcmp(name.p, key, n) == 0;
        if (!same && memchr(name.p, '\\', name.n) != NULL) {
            /* the name may be written with escapes and still be this one */
            CLEANUP(str) struct str plain = STR_INIT(name.n);
            (void)jspan_text((struct jspan){name.p - 1, name.n + 2}, &plain);
            same = plain.len == n && memcmp(str_text(&plain), key, n) == 0;
        }
        if (same) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool jspan_is_text(struct jspan v)
{
    return v.n >= 2 && *v.p == '"';
}

/* RFC 3629; c is a scalar value, surrogates have been paired before. */
static void add_utf8(struct str *out, int32_t c)
{
    char b[4];
    size_t n = 0;
    if (c < 0x80) {
        b[n++] = (char)c;
    } else if (c < 0x800) {
        b[n++] = (char)(0xc0 | (c >> 6));
    } else if (c < 0x10000) {
        b[n++] = (char)(0xe0 | (c >> 12));
        b[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
    } else {
        b[n++] = (char)(0xf0 | (c >> 18));
        b[n++] = (char)(0x80 | ((c >> 12) & 0x3f));
        b[n++] = (char)(0x80 | ((c >> 6) & 0x3f));
    }
    if (c >= 0x80) {
        b[n++] = (char)(0x80 | (c & 0x3f));
    }
    str_add_bytes(out, b, n);
}

/* Plain stretches are copied whole; only escapes are looked at one by one. */
bool jspan_text(struct jspan v, struct str *out)
{
    if (!jspan_is_text(v)) {
        return false;
    }
    const char *p = v.p + 1, *end = v.p + v.n - 1;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const char *stop = slash != NULL ? slash : end;
        str_add_bytes(out, p, (size_t)(stop - p));
        p = stop;
        if (p < end) {
            size_t n = 0;
            int32_t c = escape_value(p + 1, end, &n);
            if (c < 0) {
                return false;
            }
            add_utf8(out, c);
            p += 1 + n;
        }
    }
    return true;
}

bool jspan_is_word(struct jspan v, const char *word)
{
    size_t n = strlen(word);
    return jspan_is_text(v) && v.n == n + 2 && memcmp(v.p + 1, word, n) == 0;
}

/* Refuses what does not fit instead of rounding it: a sequence must not change by being read. */
bool jspan_int(struct jspan v, int64_t *ret)
{
    const char *p = v.p;
    size_t n = v.n;
    if (jspan_is_text(v)) {
        p++;
        n -= 2;
    }
    bool negative = n > 0 && *p == '-';
    size_t i = negative;
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    if (i == n) {
        return false;
    }
    for (; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(p[i] - '0');
        if (value > (limit - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}
