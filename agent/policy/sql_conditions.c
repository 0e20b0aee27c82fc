/* What the conditions of a query say about one column (see sql_tokens.h). Answers err to the side
 * that makes a verdict unknown. */
#include <string.h>
#include <strings.h>

#include "agent/policy/sql_tokens.h"

struct range {
    size_t from, to; /* [from, to) */
};

/* Without the parentheses that enclose all of it. */
static struct range strip(const struct tokens *t, struct range r)
{
    while (r.to - r.from >= 2 && token_is(t, r.from, "(") && token_is(t, r.to - 1, ")")) {
        unsigned depth = t->items[r.from].depth;
        size_t close = r.from + 1;
        while (close < r.to && !(t->items[close].depth == depth && token_is(t, close, ")"))) {
            close++;
        }
        if (close != r.to - 1) {
            break;
        }
        r = (struct range){r.from + 1, r.to - 1};
    }
    return r;
}

/* The part of r from *at to the next `word` at r's own depth; false when there is none left. AND
 * after BETWEEN belongs to it, what stands between CASE and END is not looked at. */
static bool next_part(const struct tokens *t, struct range r, const char *word, size_t *at,
                      struct range *ret)
{
    if (*at >= r.to) {
        return false;
    }
    unsigned depth = t->items[r.from].depth;
    unsigned cases = 0;
    bool between = false;
    ret->from = *at;
    for (size_t i = *at; i < r.to; i++) {
        if (t->items[i].depth != depth) {
            continue;
        }
        if (token_is(t, i, "CASE")) {
            cases++;
        } else if (token_is(t, i, "END") && cases > 0) {
            cases--;
        } else if (token_is(t, i, "BETWEEN")) {
            between = true;
        } else if (cases == 0 && token_is(t, i, word)) {
            if (between && token_is(t, i, "AND")) {
                between = false;
                continue;
            }
            ret->to = i;
            *at = i + 1;
            return true;
        }
    }
    ret->to = r.to;
    *at = r.to;
    return true;
}

struct question {
    const struct tokens *t;
    const struct select *select;
    const char *table, *column, *word;
    bool (*table_has)(const char *table, size_t n, const char *column, void *arg);
    void *arg;
    /* while the sources of a SELECT are walked */
    const struct token *qualifier; /* NULL: the column stands alone */
    size_t owners;                 /* sources the name may belong to */
    bool ours, named;
};

static bool same_name(const struct token *a, const struct token *b)
{
    return a->n == b->n && strncasecmp(a->p, b->p, a->n) == 0;
}

/* Counts the sources that an unqualified name may belong to: with more than one it is not known
 * whose column was tested, and then nobody's was. */
static bool on_source(size_t table, size_t alias, void *arg)
{
    struct question *q = arg;
    bool is_table = token_equals(q->t, table, q->table);
    q->named = q->named || is_table;
    bool may_own = q->qualifier != NULL ? same_name(q->qualifier, &q->t->items[alias])
                                        : q->table_has(q->t->items[table].p, q->t->items[table].n,
                                                       q->column, q->arg);
    q->owners += may_own ? 1 : 0;
    q->ours = q->ours || (may_own && is_table);
    return true;
}

/* Reads [qualifier .] column at i; true if it is q's column, *ret_next past it. */
static bool is_our_column(struct question *q, size_t i, size_t *ret_next)
{
    const struct token *qualifier = NULL;
    if (token_is(q->t, i + 1, ".")) {
        qualifier = &q->t->items[i];
        i += 2;
    }
    if (!token_is_name(q->t, i) || !token_equals(q->t, i, q->column)) {
        return false;
    }
    *ret_next = i + 1;
    q->qualifier = qualifier;
    q->owners = 0;
    q->ours = false;
    select_sources(q->t, q->select, on_source, q);
    return q->ours && q->owners == 1;
}

/* IN ( 'a' , 'b' ) from the parenthesis at i: does it hold word? *ret_next past it, 0 if it is no
 * list of texts. */
static bool list_holds(const struct tokens *t, size_t i, const char *word, size_t *ret_next)
{
    bool holds = false;
    *ret_next = 0;
    for (i++; i < t->n && t->items[i].kind == TOKEN_STRING; i += 2) {
        holds = holds ||
                (strlen(word) == t->items[i].n && memcmp(word, t->items[i].p, t->items[i].n) == 0);
        if (token_is(t, i + 1, ")")) {
            *ret_next = i + 2;
            return holds;
        }
        if (!token_is(t, i + 1, ",")) {
            return false;
        }
    }
    return false;
}

static bool string_is(const struct tokens *t, size_t i, const char *word)
{
    return i < t->n && t->items[i].kind == TOKEN_STRING && strlen(word) == t->items[i].n &&
           memcmp(word, t->items[i].p, t->items[i].n) == 0;
}

/* One comparison that fills r: column IS NULL, ISNULL, = 'word', IN (...). */
static bool comparison_tests(struct question *q, struct range r)
{
    size_t i = 0;
    r = strip(q->t, r);
    if (!is_our_column(q, r.from, &i) || i >= r.to) {
        return false;
    }
    if (q->word == NULL) {
        return (i + 1 == r.to && token_is(q->t, i, "ISNULL")) ||
               (i + 2 == r.to && token_is(q->t, i, "IS") && token_is(q->t, i + 1, "NULL"));
    }
    if (token_is(q->t, i, "=") || token_is(q->t, i, "==") || token_is(q->t, i, "IS")) {
        return i + 2 == r.to && string_is(q->t, i + 1, q->word);
    }
    size_t next = 0;
    return token_is(q->t, i, "IN") && token_is(q->t, i + 1, "(") &&
           list_holds(q->t, i + 1, q->word, &next) && next == r.to;
}

/* Conjuncts, and the parts of an OR inside one: a row that has the NULL satisfies the whole OR. An
 * AND inside an OR is only half a test and does not count. */
static bool condition_tests(struct question *q, struct range r, unsigned level)
{
    r = strip(q->t, r);
    if (r.from >= r.to || level > 16) {
        return false;
    }
    struct range part = r;
    size_t at = r.from;
    bool has_or = next_part(q->t, r, "OR", &at, &part) && part.to < r.to;
    at = r.from;
    bool has_and = next_part(q->t, r, "AND", &at, &part) && part.to < r.to;
    at = r.from;
    while (next_part(q->t, r, has_or ? "OR" : "AND", &at, &part)) {
        bool deeper = has_and && !has_or;
        bool is_list = !has_or && !has_and;
        if (deeper ? condition_tests(q, part, level + 1)
                   : comparison_tests(q, is_list ? r : part)) {
            return true;
        }
    }
    return false;
}

bool sql_tests_column(const struct tokens *t, const char *table, const char *column,
                      const char *word,
                      bool (*table_has)(const char *table, size_t n, const char *column, void *arg),
                      void *arg)
{
    bool tested = false;
    for (size_t i = 0; i < t->n; i++) {
        if (t->items[i].depth != 0 || !token_is(t, i, "SELECT")) {
            continue;
        }
        struct select s = select_at(t, i);
        struct question q = {.t = t,
                             .select = &s,
                             .table = table,
                             .column = column,
                             .word = word,
                             .table_has = table_has,
                             .arg = arg};
        select_sources(t, &s, on_source, &q);
        if (!q.named || s.where == 0) {
            continue;
        }
        struct range r = {s.where + 1, select_clause_end(&s, s.where)};
        tested = tested || condition_tests(&q, r, 0);
    }
    return tested;
}

/* Does the comparison at the column's token i leave out rows that hold word? */
static bool leaves_out_at(const struct tokens *t, size_t i, const char *word)
{
    size_t next = 0;
    bool negated = token_is(t, i + 1, "NOT");
    size_t op = negated ? i + 2 : i + 1;
    if (token_is(t, op, "IN") && token_is(t, op + 1, "(")) {
        bool holds = list_holds(t, op + 1, word, &next);
        return next != 0 && holds == negated;
    }
    if (negated || op + 1 >= t->n || t->items[op + 1].kind != TOKEN_STRING) {
        return false;
    }
    bool same = string_is(t, op + 1, word);
    if (token_is(t, op, "=") || token_is(t, op, "==")) {
        return !same;
    }
    return (token_is(t, op, "<>") || token_is(t, op, "!=")) && same;
}

/* True if token i belongs to a WHERE, or to the ON of an inner join. */
static bool in_condition(const struct tokens *t, size_t i)
{
    unsigned depth = t->items[i].depth;
    while (i-- > 0) {
        if (t->items[i].depth > depth) {
            continue;
        }
        depth = t->items[i].depth;
        if (token_is(t, i, "WHERE") || token_is(t, i, "ON")) {
            return true;
        }
        if (token_is(t, i, "SELECT") || token_is(t, i, "HAVING") || token_is(t, i, "BY")) {
            return false;
        }
    }
    return false;
}

/* Words after which a comparison may mean its opposite, or nothing at all. */
static bool muddles(const struct tokens *t, size_t i)
{
    if (token_is(t, i, "NOT")) {
        return !token_is(t, i + 1, "IN") && !token_is(t, i + 1, "NULL") &&
               !token_is(t, i + 1, "EXISTS");
    }
    return token_is(t, i, "OR") || token_is(t, i, "CASE") || token_is(t, i, "LEFT") ||
           token_is(t, i, "RIGHT") || token_is(t, i, "FULL");
}

bool sql_leaves_out(const struct tokens *t, const char *table, const char *column, const char *word)
{
    size_t mentions = 0;
    size_t narrowed = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (muddles(t, i)) {
            return false;
        }
        bool after_source = i > 0 && (token_is(t, i - 1, "FROM") || token_is(t, i - 1, "JOIN") ||
                                      token_is(t, i - 1, ","));
        if (after_source && token_is_name(t, i) && token_equals(t, i, table) &&
            !token_is(t, i + 1, ".")) {
            mentions++;
        } else if (token_is_name(t, i) && token_equals(t, i, column)) {
            narrowed += leaves_out_at(t, i, word) && in_condition(t, i) ? 1 : 0;
        }
    }
    return mentions > 0 && narrowed >= mentions;
}
