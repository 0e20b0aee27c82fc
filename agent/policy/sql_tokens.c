/* Tokens of SQL and the clauses of its SELECTs (see sql_tokens.h). SQLite's lexical rules:
 * https://www.sqlite.org/lang.html */
#include "agent/policy/sql_tokens.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void tokens_done(struct tokens *t)
{
    free(t->items);
    *t = (struct tokens){0};
}

/* As SQLite: every byte above ASCII may stand in a name. */
static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || ((unsigned char)c & 0x80U) != 0;
}

/* Past white space and comments. */
static const char *skip_blank(const char *p)
{
    for (;;) {
        p += strspn(p, " \t\r\n\f");
        if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            const char *end = strstr(p + 2, "*/");
            p = end != NULL ? end + 2 : p + strlen(p);
        } else {
            return p;
        }
    }
}

/* Past a quoted token; *ret describes its inside. */
static const char *scan_quoted(const char *p, struct token *ret)
{
    char close = *p;
    if (close == '[') {
        close = ']';
    }
    ret->quote = *p;
    ret->kind = *p == '\'' ? TOKEN_STRING : TOKEN_QUOTED;
    const char *q = p + 1;
    while (*q != '\0' && (*q != close || (close != ']' && q[1] == close))) {
        q += *q == close ? 2 : 1;
    }
    ret->p = p + 1;
    ret->n = (size_t)(q - p) - 1;
    return *q != '\0' ? q + 1 : q;
}

/* Only the operators of two characters matter here; a third would read as two tokens. */
static const char *scan_operator(const char *p, struct token *ret)
{
    static const char *const twos[] = {"||", "<>", "!=", "==", "<=", ">=", "<<", ">>"};
    ret->kind = TOKEN_OP;
    ret->p = p;
    ret->n = 1;
    for (size_t i = 0; i < ARRAY_LEN(twos); i++) {
        if (strncmp(p, twos[i], 2) == 0) {
            ret->n = 2;
        }
    }
    return p + ret->n;
}

static const char *scan(const char *p, struct token *ret)
{
    *ret = (struct token){0};
    if (strchr("'\"`[", *p) != NULL) {
        return scan_quoted(p, ret);
    }
    if (!word_char(*p)) {
        return scan_operator(p, ret);
    }
    const char *q = p;
    bool number = isdigit((unsigned char)*p) != 0;
    while (word_char(*q) || (number && *q == '.')) {
        q++;
    }
    ret->kind = number ? TOKEN_NUMBER : TOKEN_WORD;
    ret->p = p;
    ret->n = (size_t)(q - p);
    return q;
}

static struct token *token_add(struct tokens *t, size_t *cap)
{
    if (t->n == *cap) {
        size_t more = *cap == 0 ? 64 : *cap * 2;
        struct token *items = reallocarray(t->items, more, sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        t->items = items;
        *cap = more;
    }
    return &t->items[t->n++];
}

int tokens_parse(const char *sql, struct tokens *ret, struct err *e)
{
    struct tokens t = {0};
    size_t cap = 0;
    unsigned depth = 0;
    for (const char *p = skip_blank(sql); *p != '\0'; p = skip_blank(p)) {
        struct token *token = token_add(&t, &cap);
        if (token == NULL) {
            tokens_done(&t);
            return err_nomem(e);
        }
        bool opens = *p == '(';
        bool closes = *p == ')';
        p = scan(p, token);
        if (closes && depth > 0) {
            depth--;
        }
        token->depth = depth;
        if (opens) {
            depth++;
        }
    }
    *ret = t;
    return 0;
}

bool token_equals(const struct tokens *t, size_t i, const char *text)
{
    return i < t->n && strlen(text) == t->items[i].n &&
           strncasecmp(t->items[i].p, text, t->items[i].n) == 0;
}

bool token_is(const struct tokens *t, size_t i, const char *word)
{
    return i < t->n && (t->items[i].kind == TOKEN_WORD || t->items[i].kind == TOKEN_OP) &&
           token_equals(t, i, word);
}

bool token_is_name(const struct tokens *t, size_t i)
{
    static const char *const key_words[] = {
        "all",     "and",       "as",        "asc",      "between", "by",        "case",   "cast",
        "collate", "cross",     "desc",      "distinct", "else",    "end",       "escape", "except",
        "exists",  "filter",    "from",      "full",     "glob",    "group",     "having", "in",
        "inner",   "intersect", "is",        "isnull",   "join",    "left",      "like",   "limit",
        "natural", "not",       "notnull",   "null",     "offset",  "on",        "or",     "order",
        "outer",   "over",      "partition", "right",    "select",  "then",      "union",  "using",
        "values",  "when",      "where",     "window",   "with",    "recursive",
    };
    if (i >= t->n || t->items[i].kind == TOKEN_QUOTED) {
        return i < t->n;
    }
    if (t->items[i].kind != TOKEN_WORD) {
        return false;
    }
    for (size_t k = 0; k < ARRAY_LEN(key_words); k++) {
        if (token_equals(t, i, key_words[k])) {
            return false;
        }
    }
    return true;
}

/* --- clauses --- */

static bool is_compound(const struct tokens *t, size_t i)
{
    return token_is(t, i, "UNION") || token_is(t, i, "INTERSECT") || token_is(t, i, "EXCEPT");
}

struct select select_at(const struct tokens *t, size_t i)
{
    struct select s = {.begin = i, .depth = t->items[i].depth};
    size_t at = i + 1;
    /* The parenthesis that closes around it has a smaller depth. */
    for (; at < t->n && t->items[at].depth >= s.depth; at++) {
        if (t->items[at].depth > s.depth) {
            continue;
        }
        if (is_compound(t, at)) {
            break;
        }
        if (token_is(t, at, "FROM") && !token_is(t, at - 1, "DISTINCT")) {
            s.from = at;
        } else if (token_is(t, at, "WHERE")) {
            s.where = at;
        } else if (token_is(t, at, "GROUP")) {
            s.group = at;
        } else if (token_is(t, at, "HAVING")) {
            s.having = at;
        } else if (token_is(t, at, "ORDER")) {
            s.order = at;
        } else if (token_is(t, at, "LIMIT")) {
            s.limit = at;
        }
    }
    s.end = at;
    return s;
}

size_t select_clause_end(const struct select *s, size_t clause)
{
    const size_t starts[] = {s->from, s->where, s->group, s->having, s->order, s->limit};
    size_t end = s->end;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (starts[i] > clause && starts[i] < end) {
            end = starts[i];
        }
    }
    return end;
}

/* Past a parenthesis that opens at i. */
static size_t skip_parens(const struct tokens *t, size_t i, size_t end)
{
    unsigned depth = t->items[i].depth;
    for (i++; i < end; i++) {
        if (t->items[i].depth == depth && token_is(t, i, ")")) {
            return i + 1;
        }
    }
    return end;
}

/* A table's name at i, and its alias if it has one; gives the index past both. */
static size_t read_source(const struct tokens *t, size_t i, size_t end, size_t *ret_table,
                          size_t *ret_alias)
{
    size_t table = token_is(t, i + 1, ".") ? i + 2 : i;
    size_t next = table + 1;
    if (token_is(t, next, "(")) { /* json_each(...) */
        next = skip_parens(t, next, end);
    }
    size_t alias = token_is(t, next, "AS") ? next + 1 : next;
    bool has_alias = alias < end && token_is_name(t, alias);
    *ret_table = table;
    *ret_alias = has_alias ? alias : table;
    return has_alias ? alias + 1 : next;
}

void select_sources(const struct tokens *t, const struct select *s, source_fn fn, void *arg)
{
    size_t end = s->from != 0 ? select_clause_end(s, s->from) : 0;
    bool expect = true; /* a table's name comes next */
    for (size_t i = s->from + 1; i < end;) {
        if (token_is(t, i, "(")) {
            i = skip_parens(t, i, end);
            expect = false;
        } else if (token_is(t, i, ",") || token_is(t, i, "JOIN")) {
            expect = true;
            i++;
        } else if (expect && token_is_name(t, i)) {
            size_t table = 0;
            size_t alias = 0;
            i = read_source(t, i, end, &table, &alias);
            expect = false;
            if (table >= end || !fn(table, alias, arg)) {
                return;
            }
        } else {
            i++;
        }
    }
}
