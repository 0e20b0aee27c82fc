/* What people and programs are shown of a scan. Two writers over the same model: render_text.c
 * (domain.md 5) and render_json.c (formats.md "tenken-scan/1"). Neither decides anything. */
#ifndef TENKEN_COMMANDS_RENDER_H
#define TENKEN_COMMANDS_RENDER_H

#include "agent/commands/session.h"

/* Texts of one finding or unknown row. */
/* The check's sentence with {column} replaced; names shown. Appends to out. */
void finding_text(const struct app *app, const struct text2 *sentence,
                  const struct result_rows *rows, size_t row, const struct pseudonyms *names,
                  struct str *out);
/* "column=value column=value" of the columns that the sentence does not name already. */
void finding_seen(const struct app *app, const struct text2 *sentence,
                  const struct result_rows *rows, size_t row, const struct pseudonyms *names,
                  struct str *out);
/* The day since which the control has this verdict: from the previous evidence while the word is
 * the same, else local_date. */
const char *control_since(const struct judged *j, const struct control_result *c);
/* The verdict that the previous evidence gives the control; false if there is none. */
bool control_previous(const struct judged *j, const char *control, enum verdict *ret);
/* "5(6)" for "5.6a": the clause as the authority writes it, parts put together. */
void clause_name(const char *control, char *out, size_t n);
/* True if check is cited with a basis that decides in this contract; *ret_basis how. */
bool check_counts(const struct judged *j, const struct control *c, const struct check *check,
                  enum basis *ret_basis);
/* The way of mending for this distribution, NULL if the check names none. */
const struct text2 *check_fix_for(const struct check *check, const char *family);
/* One line of what to do about a result: for a finding the first line of the check's cure for this
 * distribution; for what is unknown the way to make it known. Appends; may append nothing. */
void cure_text(const struct session *s, const struct check_result *r, struct str *out);
/* 適合 / pass … */
const char *verdict_name(const struct app *app, enum verdict v);
const char *basis_name(const struct app *app, enum basis b); /* 文言 / text … */
/* A reason "word: detail" in people's words. Appends. */
void reason_text(const struct app *app, const char *reason, struct str *out);

struct render_options {
    bool quiet, changes;
    bool colour;
    bool ascii; /* marks and arrows in ASCII: the output is no terminal that shows UTF-8 */
    bool recorded;
    int64_t wall_us;
    const char
        *notice; /* one more line (unsent evidence), NULL if none; never alone under --quiet */
    const char *warning; /* shown whatever else is (cloned machine), NULL if none */
};

/* Appends the page for people, one per contract. */
void render_text(const struct session *s, const struct judged *list, size_t n,
                 const struct render_options *o, struct str *out);
/* Appends one JSON object and a newline. */
void render_json(const struct session *s, const struct judged *list, size_t n, struct str *out);

/* Wraps text at 80 columns, first line after `first`, the following after `indent` spaces. */
void put_wrapped(struct str *out, const char *first, unsigned indent, const char *text);

#endif
