/* A look at the text of SQL, for what the engine cannot tell: which columns an `unknown:` query
 * tests for NULL, how a role is narrowed, and what lint refuses. Not a parser: it knows tokens,
 * nesting and the clauses of each SELECT. */
#ifndef TENKEN_POLICY_SQL_TOKENS_H
#define TENKEN_POLICY_SQL_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

enum token_kind { TOKEN_WORD, TOKEN_QUOTED, TOKEN_STRING, TOKEN_NUMBER, TOKEN_OP };

struct token {
    enum token_kind kind;
    const char *p; /* into the SQL; of quoted names and strings the inside, doubled quotes as they
                      stand */
    size_t n;
    char quote;     /* ' " ` [ or 0 */
    unsigned depth; /* of parentheses; both parentheses of a pair have the outer depth */
};

struct tokens {
    struct token *items;
    size_t n;
};
void tokens_done(struct tokens *t);
static inline void cleanup_tokens(struct tokens *t)
{
    tokens_done(t);
}
/* White space and comments are left out. sql is borrowed. ERR_NOMEM. */
int tokens_parse(const char *sql, struct tokens *ret, struct err *e) MUST_USE;
/* Token i is that bare word (case ignored) or that operator. False past the end. */
bool token_is(const struct tokens *t, size_t i, const char *word);
/* Token i is a name (bare and no key word, or quoted). */
bool token_is_name(const struct tokens *t, size_t i);
/* Token i equals text, names compared without case. */
bool token_equals(const struct tokens *t, size_t i, const char *text);

/* One SELECT: [begin, end), and where its clauses start (index of their key word, 0 = not there).
 */
struct select {
    size_t begin, end;
    unsigned depth;
    size_t from, where, group, having, order, limit;
};
/* The SELECT that begins at token i. */
struct select select_at(const struct tokens *t, size_t i);
/* End of the clause that starts at key word `clause`. */
size_t select_clause_end(const struct select *s, size_t clause);

/* Tables named in the FROM of one SELECT at its own depth. Calls fn with the token index of the
 * table's name and of its alias (the same index if it has none). Stops when fn returns false. */
typedef bool (*source_fn)(size_t table, size_t alias, void *arg);
void select_sources(const struct tokens *t, const struct select *s, source_fn fn, void *arg);

/* True if a conjunct of the WHERE of some outermost SELECT that names the table tests table.column:
 * word NULL: `column IS NULL`; else `column = 'word'` or `column IN (...)` holding it. OR inside a
 * conjunct is fine, AND inside an OR is not. table_has(table, column) tells whose an unqualified
 * name may be. */
bool sql_tests_column(const struct tokens *t, const char *table, const char *column,
                      const char *word,
                      bool (*table_has)(const char *table, size_t n, const char *column, void *arg),
                      void *arg);

/* True if each mention of the table goes with a comparison that leaves out rows whose column is
 * word: `column = 'other'`, `column IN (others)`, `column <> 'word'`, `column NOT IN (..., word)`.
 * When in doubt false. */
bool sql_leaves_out(const struct tokens *t, const char *table, const char *column,
                    const char *word);

#endif
