/* JSON: a compact writer (no white space, members in the order written) and a strict reader on top
 * of jansson (duplicate keys, NaN, trailing bytes and invalid UTF-8 refused). RFC 8259. */
#ifndef TENKEN_BASE_JSON_H
#define TENKEN_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "agent/base/facts.h"
#include "agent/base/str.h"

/* Appends to *out; commas are put by itself. pretty: two-space indents for people. Nesting at
 * most 64. */
struct json_out {
    struct str *out;
    bool pretty;
    unsigned depth;
    uint64_t has_item; /* bit per depth */
    bool after_key;
};

/* j: in the caller's frame; out: borrowed, its sticky error tells of everything that went wrong
 * (too deep nesting included). Texts must be valid UTF-8; bytes that are not become U+FFFD. */
void jout_begin(struct json_out *j, struct str *out, bool pretty);
void jout_open(struct json_out *j, char bracket);  /* '{' or '[' */
void jout_close(struct json_out *j, char bracket); /* '}' or ']' */
void jout_key(struct json_out *j, const char *key);
void jout_text(struct json_out *j, const char *text); /* NULL writes null */
void jout_text_n(struct json_out *j, const char *text, size_t n);
void jout_int(struct json_out *j, int64_t i); /* beyond +-(2^53-1): as text */
void jout_real(struct json_out *j, double r); /* shortest text that reads back; NaN, Inf: null */
void jout_bool(struct json_out *j, bool b);
void jout_null(struct json_out *j);
void jout_raw(struct json_out *j, const char *bytes, size_t n); /* already JSON */
void jout_cell(struct json_out *j, const struct cell *c);
/* key and value in one call */
void jout_kv_text(struct json_out *j, const char *key, const char *text);
void jout_kv_int(struct json_out *j, const char *key, int64_t i);
void jout_kv_bool(struct json_out *j, const char *key, bool b);

/* Parses exactly one JSON object or array of n bytes. what: named in the error ("envelope").
 * ERR_MALFORMED with line and column. Caller owns *ret (json_decref). */
int json_parse(const char *what, const char *bytes, size_t n, json_t **ret, struct err *e) MUST_USE;
static inline void cleanup_json(json_t **j)
{
    json_decref(*j);
}
/* Member access with errors that name the member. ERR_MALFORMED if absent or of another type.
 * Borrowed results. */
int json_need_text(const json_t *obj, const char *key, const char **ret, struct err *e) MUST_USE;
int json_need_int(const json_t *obj, const char *key, int64_t *ret,
                  struct err *e) MUST_USE; /* number or text of digits */
int json_need_object(const json_t *obj, const char *key, const json_t **ret,
                     struct err *e) MUST_USE;
int json_need_array(const json_t *obj, const char *key, const json_t **ret, struct err *e) MUST_USE;

#endif
