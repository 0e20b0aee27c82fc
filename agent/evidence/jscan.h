/* A small strict JSON scanner: checks a whole text once, then finds members in it without building
 * a tree. Serves where bytes must be kept as they stand (the facts member that is digested) and
 * where the tree would cost too much (envelopes on the collector's accept path). Only this folder
 * uses it; base/json.h is for everything else. RFC 8259. */
#ifndef TENKEN_EVIDENCE_JSCAN_H
#define TENKEN_EVIDENCE_JSCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

/* The bytes of one JSON value, borrowed, without white space around. */
struct jspan {
    const char *p;
    size_t n;
};

/* Checks that the n bytes are exactly one JSON value (white space around is allowed): grammar,
 * UTF-8, paired surrogates, no \u0000, no object with a member twice (compared after unescaping),
 * nesting at most 64. what: named in the error. ERR_MALFORMED "what: byte N: ..."; ERR_NOMEM. */
int jscan_check(const char *what, const char *text, size_t n, struct jspan *ret,
                struct err *e) MUST_USE;

/* Two names, one inside the other ("predicate", "facts"), and where their values were found; p NULL
 * = not there, or not as objects inside each other. */
struct jscan_path {
    const char *outer_name, *inner_name;
    struct jspan outer, inner;
};
/* As jscan_check, and notes the path on the way: spares walking over long values again. */
int jscan_check_path(const char *what, const char *text, size_t n, struct jscan_path *path,
                     struct jspan *ret, struct err *e) MUST_USE;

/* All below: only on spans that jscan_check has passed. */

/* Walks the members of an object or the items of an array. */
struct jiter {
    const char *p, *end;
    bool is_object;
};
/* False if v is neither. */
bool jiter_begin(struct jspan v, struct jiter *it);
/* False at the end. key (raw, between its quotes; may be NULL) is empty for arrays. */
bool jiter_next(struct jiter *it, struct jspan *key, struct jspan *value);

/* Member of an object whose name is key (plain ASCII without escapes). */
bool jspan_member(struct jspan object, const char *key, struct jspan *ret);
bool jspan_is_text(struct jspan v);
/* Appends the unescaped text; false if v is no string. */
bool jspan_text(struct jspan v, struct str *out);
/* True if v is the string word (word without characters that JSON escapes). */
bool jspan_is_word(struct jspan v, const char *word);
/* Whole number, or a string of digits (formats.md: beyond 2^53-1). */
bool jspan_int(struct jspan v, int64_t *ret);

#endif
