/* Pieces of text files without copying: spans, lines, fields, decimal numbers. Pure; bytes may be
 * anything, NUL included. */
#ifndef TENKEN_PROBES_SYSTEM_TEXT_H
#define TENKEN_PROBES_SYSTEM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n bytes at p, borrowed from the buffer that is being parsed. */
struct span {
    const char *p;
    size_t n;
};

/* What a parser saw. Lines count from 1; first_bad is 0 if every line was well formed. */
struct parse_report {
    size_t lines;
    size_t bad;
    size_t first_bad;
};

/* Takes the next line off *rest, without its newline. False at the end. The last line needs no
 * newline; an empty rest holds no line. */
bool span_line(struct span *rest, struct span *ret);
/* Splits at sep into at most max fields; gives how many fields there are (may be above max: the
 * surplus is not stored). An empty text is one empty field. */
size_t span_split(struct span text, char sep, struct span *ret, size_t max);
/* Takes the next word (separated by any number of blanks and tabs) off *rest. False at the end. */
bool span_word(struct span *rest, struct span *ret);
/* Without leading and trailing white space (blank, tab, CR, NL). */
struct span span_trim(struct span s);
bool span_is(struct span s, const char *text);
bool span_starts(struct span s, const char *text);
/* True if the n bytes hold a NUL: no line of a text file does. */
bool span_has_nul(struct span s);
/* Digits only, at least one, value <= max. *ret untouched on false. */
bool span_decimal(struct span s, int64_t max, int64_t *ret);
/* Text behind the first sep and before it; false if there is no sep. Either result may be NULL. */
bool span_cut(struct span s, char sep, struct span *ret_before, struct span *ret_after);
/* Counts a line that is not well formed. */
void report_bad(struct parse_report *r);

static inline struct span span_of(const char *p, size_t n)
{
    return (struct span){.p = p, .n = n};
}

#endif
