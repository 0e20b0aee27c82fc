/* JSON out, compact and in the order written (the evidence's bytes are signed as they stand), and
 * strict JSON in. */
#include "agent/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/utf8.h"

#define DEPTH_LIMIT 63U                     /* bits of has_item, one is the top */
#define INT_EXACT INT64_C(9007199254740991) /* 2^53 - 1, RFC 8259 section 6 */

void jout_begin(struct json_out *j, struct str *out, bool pretty)
{
    *j = (struct json_out){.out = out, .pretty = pretty};
}

static void new_line(struct json_out *j)
{
    if (j->pretty) {
        str_add_char(j->out, '\n');
        for (unsigned i = 0; i < j->depth; i++) {
            str_add(j->out, "  ");
        }
    }
}

/* What stands before a value or a key: comma, indent. */
static void before_item(struct json_out *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    uint64_t bit = UINT64_C(1) << j->depth;
    if ((j->has_item & bit) != 0) {
        str_add_char(j->out, ',');
    }
    j->has_item |= bit;
    if (j->depth > 0) {
        new_line(j);
    }
}

void jout_open(struct json_out *j, char bracket)
{
    before_item(j);
    if (j->depth == DEPTH_LIMIT) {
        j->out->error = ERR_TRUNCATED; /* half a document must not look like one */
        return;
    }
    str_add_char(j->out, bracket);
    j->depth++;
    j->has_item &= ~(UINT64_C(1) << j->depth);
}

void jout_close(struct json_out *j, char bracket)
{
    if (j->depth == 0) {
        j->out->error = ERR_TRUNCATED;
        return;
    }
    bool filled = (j->has_item & (UINT64_C(1) << j->depth)) != 0;
    j->depth--;
    if (filled) {
        new_line(j);
    }
    str_add_char(j->out, bracket);
}

/* Bytes of p that need no escape, from its start. */
static size_t plain_run(const unsigned char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\') {
        i++;
    }
    return i;
}

static void add_escaped(struct str *out, unsigned char c)
{
    switch (c) {
    case '"':
        str_add(out, "\\\"");
        break;
    case '\\':
        str_add(out, "\\\\");
        break;
    case '\n':
        str_add(out, "\\n");
        break;
    case '\r':
        str_add(out, "\\r");
        break;
    case '\t':
        str_add(out, "\\t");
        break;
    default:
        str_addf(out, "\\u%04x", c);
        break;
    }
}

static void add_string(struct str *out, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    str_add_char(out, '"');
    while (i < n) {
        size_t run = plain_run(p + i, n - i);
        str_add_bytes(out, p + i, run);
        i += run;
        if (i == n) {
            break;
        }
        uint32_t point = 0;
        size_t step = p[i] < 0x80 ? 0 : utf8_decode(p + i, n - i, &point);
        if (step > 0) {
            str_add_bytes(out, p + i, step);
            i += step;
        } else if (p[i] < 0x80) {
            add_escaped(out, p[i]);
            i++;
        } else {
            /* Callers escape cells before; anything that still slips through must not break the
             * document. */
            str_add(out, "\xEF\xBF\xBD");
            i++;
        }
    }
    str_add_char(out, '"');
}

void jout_key(struct json_out *j, const char *key)
{
    before_item(j);
    add_string(j->out, key, strlen(key));
    str_add(j->out, j->pretty ? ": " : ":");
    j->after_key = true;
}

void jout_text_n(struct json_out *j, const char *text, size_t n)
{
    before_item(j);
    add_string(j->out, text, n);
}

void jout_text(struct json_out *j, const char *text)
{
    if (text == NULL) {
        jout_null(j);
    } else {
        jout_text_n(j, text, strlen(text));
    }
}

void jout_int(struct json_out *j, int64_t i)
{
    before_item(j);
    if (i > INT_EXACT || i < -INT_EXACT) {
        str_addf(j->out, "\"%" PRId64 "\"", i);
    } else {
        str_addf(j->out, "%" PRId64, i);
    }
}

void jout_real(struct json_out *j, double r)
{
    if (!isfinite(r)) {
        jout_null(j);
        return;
    }
    before_item(j);
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, r);
        if (strtod(text, NULL) == r) {
            break;
        }
    }
    str_add(j->out, text);
    if (strpbrk(text, ".e") == NULL) {
        str_add(j->out, ".0"); /* stays a real when read back */
    }
}

void jout_bool(struct json_out *j, bool b)
{
    before_item(j);
    str_add(j->out, b ? "true" : "false");
}

void jout_null(struct json_out *j)
{
    before_item(j);
    str_add(j->out, "null");
}

void jout_raw(struct json_out *j, const char *bytes, size_t n)
{
    before_item(j);
    str_add_bytes(j->out, bytes, n);
}

void jout_cell(struct json_out *j, const struct cell *c)
{
    switch (c->type) {
    case CELL_INT:
        jout_int(j, c->v.i);
        break;
    case CELL_REAL:
        jout_real(j, c->v.r);
        break;
    case CELL_TEXT:
        jout_text_n(j, c->v.t.p, c->v.t.n);
        break;
    case CELL_NULL:
    default:
        jout_null(j);
        break;
    }
}

void jout_kv_text(struct json_out *j, const char *key, const char *text)
{
    jout_key(j, key);
    jout_text(j, text);
}

void jout_kv_int(struct json_out *j, const char *key, int64_t i)
{
    jout_key(j, key);
    jout_int(j, i);
}

void jout_kv_bool(struct json_out *j, const char *key, bool b)
{
    jout_key(j, key);
    jout_bool(j, b);
}

int json_parse(const char *what, const char *bytes, size_t n, json_t **ret, struct err *e)
{
    json_error_t why;
    /* jansson 2.14 swallows a NUL byte behind a number; a JSON text never holds one (RFC 8259, 7).
     */
    const char *nul = n > 0 ? memchr(bytes, '\0', n) : NULL;
    if (nul != NULL) {
        unsigned line = 1;
        for (const char *p = bytes; p < nul; p++) {
            line += *p == '\n';
        }
        return err_set(e, ERR_MALFORMED, "%s: line %u: a NUL byte, which JSON does not allow", what,
                       line);
    }
    json_t *parsed = json_loadb(n > 0 ? bytes : "", n, JSON_REJECT_DUPLICATES, &why);
    if (parsed == NULL) {
        /* jansson says what is wrong with the text; it has nothing to say only when memory ran
         * out. */
        if (why.text[0] == '\0' || json_error_code(&why) == json_error_out_of_memory) {
            return err_nomem(e);
        }
        /* jansson quotes what stood there: escape it, it may come from anybody. */
        CLEANUP(str) struct str safe = STR_INIT(sizeof(why.text) * 4);
        str_add_cell(&safe, why.text, strnlen(why.text, sizeof(why.text)));
        return err_set(e, ERR_MALFORMED, "%s: line %d, column %d: %s", what, why.line, why.column,
                       str_text(&safe));
    }
    *ret = parsed;
    return 0;
}

/* Member of an object; NULL with an error if absent or obj is none. */
static const json_t *need(const json_t *obj, const char *key, struct err *e)
{
    const json_t *member = json_object_get(obj, key);
    if (member == NULL) {
        (void)err_set(e, ERR_MALFORMED, "member \"%s\" is missing", key);
    }
    return member;
}

static int wrong_type(const char *key, const char *wanted, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "member \"%s\" is not %s", key, wanted);
}

int json_need_text(const json_t *obj, const char *key, const char **ret, struct err *e)
{
    const json_t *member = need(obj, key, e);
    if (member == NULL) {
        return ERR_MALFORMED;
    }
    if (!json_is_string(member)) {
        return wrong_type(key, "a text", e);
    }
    *ret = json_string_value(member);
    return 0;
}

/* Digits with an optional minus, whole text, within int64_t. */
static bool parse_digits(const char *text, int64_t *ret)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t n = strlen(digits);
    if (n == 0 || strspn(digits, "0123456789") != n) {
        return false;
    }
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *ret = v;
    return true;
}

int json_need_int(const json_t *obj, const char *key, int64_t *ret, struct err *e)
{
    const json_t *member = need(obj, key, e);
    if (member == NULL) {
        return ERR_MALFORMED;
    }
    if (json_is_integer(member)) {
        *ret = json_integer_value(member);
        return 0;
    }
    if (!json_is_string(member) || !parse_digits(json_string_value(member), ret)) {
        return wrong_type(key, "an integer", e);
    }
    return 0;
}

int json_need_object(const json_t *obj, const char *key, const json_t **ret, struct err *e)
{
    const json_t *member = need(obj, key, e);
    if (member == NULL) {
        return ERR_MALFORMED;
    }
    if (!json_is_object(member)) {
        return wrong_type(key, "an object", e);
    }
    *ret = member;
    return 0;
}

int json_need_array(const json_t *obj, const char *key, const json_t **ret, struct err *e)
{
    const json_t *member = need(obj, key, e);
    if (member == NULL) {
        return ERR_MALFORMED;
    }
    if (!json_is_array(member)) {
        return wrong_type(key, "an array", e);
    }
    *ret = member;
    return 0;
}
