/* Rules on the text of a statement: what makes an answer depend on the engine, the order of rows or
 * a column that somebody adds later, and comparisons that can never be true. */
#include <string.h>
#include <strings.h>

#include "agent/policy/lint.h"
#include "agent/policy/sql_tokens.h"

struct source {
    size_t table, alias; /* token indexes */
    struct select select;
};

struct statement {
    struct lint *lint;
    struct tokens t;
    struct select *selects; /* in order of their SELECT */
    size_t n_selects;
    struct source *sources;
    size_t n_sources, cap_sources;
    struct select at; /* while sources are collected */
    bool nomem;
};

static void cleanup_statement(struct statement *s)
{
    tokens_done(&s->t);
    free(s->selects);
    free(s->sources);
}

static bool on_source(size_t table, size_t alias, void *arg)
{
    struct statement *s = arg;
    if (s->n_sources == s->cap_sources) {
        size_t cap = s->cap_sources == 0 ? 8 : s->cap_sources * 2;
        struct source *sources = reallocarray(s->sources, cap, sizeof *sources);
        if (sources == NULL) {
            s->nomem = true;
            return false;
        }
        s->sources = sources;
        s->cap_sources = cap;
    }
    s->sources[s->n_sources++] = (struct source){table, alias, s->at};
    return true;
}

static int statement_open(struct statement *s, const char *text, struct err *e)
{
    int rc = tokens_parse(text, &s->t, e);
    s->selects = calloc(s->t.n + 1, sizeof *s->selects);
    if (rc != 0 || s->selects == NULL) {
        return rc != 0 ? rc : err_nomem(e);
    }
    for (size_t i = 0; i < s->t.n; i++) {
        if (token_is(&s->t, i, "SELECT")) {
            s->at = select_at(&s->t, i);
            s->selects[s->n_selects++] = s->at;
            select_sources(&s->t, &s->at, on_source, s);
        }
    }
    return s->nomem ? err_nomem(e) : 0;
}

/* NULL for names that WITH or an alias made: nothing is declared of those. */
static const struct table *table_of(const struct statement *s, size_t token)
{
    char name[128];
    const struct token *t = &s->t.items[token];
    if (t->n >= sizeof name) {
        return NULL;
    }
    memcpy(name, t->p, t->n);
    name[t->n] = '\0';
    int index = sql_find(s->lint->pass.sql, name);
    return index >= 0 ? sql_table(s->lint->pass.sql, (size_t)index) : NULL;
}

static const struct column *column_of(const struct statement *s, const struct table *t,
                                      size_t token)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (token_equals(&s->t, token, t->columns[i].name)) {
            return &t->columns[i];
        }
    }
    return NULL;
}

static bool same_token(const struct statement *s, size_t a, size_t b)
{
    const struct token *x = &s->t.items[a];
    const struct token *y = &s->t.items[b];
    return x->n == y->n && strncasecmp(x->p, y->p, x->n) == 0;
}

/* Name token that stands where a column may: no function, no qualifier, no alias. */
static bool is_column_place(const struct statement *s, size_t i)
{
    return token_is_name(&s->t, i) && !token_is(&s->t, i + 1, "(") &&
           !token_is(&s->t, i + 1, ".") && !(i > 0 && token_is(&s->t, i - 1, "AS"));
}

/* The declared column that token i names, NULL if it cannot be told. Innermost SELECT first, as
 * SQL resolves names. */
static const struct column *resolve(const struct statement *s, size_t i)
{
    bool qualified = i >= 2 && token_is(&s->t, i - 1, ".");
    const struct column *found = NULL;
    size_t found_begin = 0;
    for (size_t k = 0; k < s->n_sources; k++) {
        const struct source *src = &s->sources[k];
        bool inside = src->select.begin < i && i < src->select.end;
        bool named = !qualified || same_token(s, src->alias, i - 2);
        const struct table *t = inside && named ? table_of(s, src->table) : NULL;
        const struct column *c = t != NULL ? column_of(s, t, i) : NULL;
        if (c != NULL && (found == NULL || src->select.begin > found_begin)) {
            found = c;
            found_begin = src->select.begin;
        }
    }
    return found;
}

/* --- stars, joins by name, quotes, collations --- */

/* What can be told from single words. */
static void rule_words(struct statement *s)
{
    const struct tokens *t = &s->t;
    for (size_t i = 0; i < t->n; i++) {
        bool list_start = i > 0 && (token_is(t, i - 1, "SELECT") ||
                                    token_is(t, i - 1, "DISTINCT") || token_is(t, i - 1, "ALL") ||
                                    token_is(t, i - 1, ",") || token_is(t, i - 1, "."));
        if (token_is(t, i, "*") && list_start) {
            lint_say(s->lint, "SELECT *: name the columns, tables grow");
        } else if (token_is(t, i, "NATURAL")) {
            lint_say(s->lint, "NATURAL JOIN: write ON, a new column would change the answer");
        } else if (token_is(t, i, "USING") && token_is(t, i + 1, "(")) {
            lint_say(s->lint, "USING: write ON a.column = b.column");
        } else if (token_is(t, i, "COLLATE")) {
            lint_say(s->lint, "COLLATE: texts are compared byte by byte");
        } else if (t->items[i].kind == TOKEN_QUOTED && t->items[i].quote == '"') {
            lint_say(s->lint, "\"%.*s\": texts stand in single quotes, names in none",
                     (int)t->items[i].n, t->items[i].p);
        }
    }
}

/* --- NOT IN (SELECT what may be NULL) --- */

static bool says_not_null(const struct statement *s, const struct select *sel, size_t column)
{
    for (size_t i = sel->begin; i + 3 < sel->end; i++) {
        if (same_token(s, i, column) && token_is(&s->t, i + 1, "IS") &&
            token_is(&s->t, i + 2, "NOT") && token_is(&s->t, i + 3, "NULL")) {
            return true;
        }
    }
    return false;
}

/* One NULL in the list makes NOT IN unknown for every row: the check would find nothing. */
static void rule_not_in(struct statement *s)
{
    const struct tokens *t = &s->t;
    for (size_t i = 0; i + 3 < t->n; i++) {
        if (!token_is(t, i, "NOT") || !token_is(t, i + 1, "IN") || !token_is(t, i + 2, "(") ||
            !token_is(t, i + 3, "SELECT")) {
            continue;
        }
        struct select sel = select_at(t, i + 3);
        size_t column = sel.begin + 1;
        column += token_is(t, column, "DISTINCT") ? 1 : 0;
        column += token_is(t, column + 1, ".") ? 2 : 0;
        bool plain = sel.from == column + 1 && is_column_place(s, column);
        const struct column *c = plain ? resolve(s, column) : NULL;
        if (c == NULL || ((c->flags & COL_NULLABLE) != 0 && !says_not_null(s, &sel, column))) {
            lint_say(s->lint, "NOT IN (SELECT ...) of what may be NULL is never true: use NOT "
                              "EXISTS, or add IS NOT NULL");
        }
    }
}

/* --- vocabularies --- */

static void check_word(struct statement *s, const struct column *c, size_t string)
{
    char word[128];
    if (string >= s->t.n) {
        return;
    }
    const struct token *t = &s->t.items[string];
    if (t->kind != TOKEN_STRING || t->n >= sizeof word) {
        return;
    }
    memcpy(word, t->p, t->n);
    word[t->n] = '\0';
    if (!column_allows(c, word, NULL)) {
        lint_say(s->lint, "'%s' is no value of %s (%s)", word, c->name, c->values);
    }
}

static bool is_comparison(const struct tokens *t, size_t i)
{
    return token_is(t, i, "=") || token_is(t, i, "==") || token_is(t, i, "<>") ||
           token_is(t, i, "!=") || token_is(t, i, "IS");
}

/* IN ('a', 'b') from the parenthesis at i. */
static void check_list_words(struct statement *s, const struct column *c, size_t i)
{
    for (i++; i < s->t.n && s->t.items[i].kind == TOKEN_STRING; i += 2) {
        check_word(s, c, i);
    }
}

/* CASE column WHEN 'a' ... END; i is the column. */
static void check_case_words(struct statement *s, const struct column *c, size_t i)
{
    const struct tokens *t = &s->t;
    unsigned depth = t->items[i].depth;
    for (i++; i + 1 < t->n && t->items[i].depth >= depth; i++) {
        if (t->items[i].depth != depth) {
            continue;
        }
        if (token_is(t, i, "END")) {
            return;
        }
        if (token_is(t, i, "WHEN")) {
            check_word(s, c, i + 1);
        }
    }
}

static void check_column_words(struct statement *s, const struct column *c, size_t i)
{
    const struct tokens *t = &s->t;
    size_t next = i + 1;
    bool negated = token_is(t, next, "NOT");
    if (is_comparison(t, next)) {
        next += token_is(t, next, "IS") && token_is(t, next + 1, "NOT") ? 2 : 1;
        check_word(s, c, next);
    } else if (token_is(t, negated ? next + 1 : next, "IN")) {
        check_list_words(s, c, negated ? next + 2 : next + 1);
    }
    size_t first = i >= 2 && token_is(t, i - 1, ".") ? i - 2 : i;
    if (first >= 2 && is_comparison(t, first - 1)) {
        check_word(s, c, first - 2);
    }
    if (first >= 1 && token_is(t, first - 1, "CASE")) {
        check_case_words(s, c, i);
    }
}

static void rule_vocabulary(struct statement *s)
{
    for (size_t i = 0; i < s->t.n; i++) {
        const struct column *c = is_column_place(s, i) ? resolve(s, i) : NULL;
        if (c != NULL && c->values != NULL) {
            check_column_words(s, c, i);
        }
    }
}

/* --- aggregates --- */

static size_t past_parens(const struct tokens *t, size_t open)
{
    size_t i = open + 1;
    while (i < t->n && !(t->items[i].depth == t->items[open].depth && token_is(t, i, ")"))) {
        i++;
    }
    return i + 1;
}

/* count, sum, group_concat, and min or max of one argument. */
static bool is_aggregate(const struct tokens *t, size_t i)
{
    static const char *const always[] = {"count", "sum", "group_concat", "avg", "total"};
    if (!token_is(t, i + 1, "(")) {
        return false;
    }
    for (size_t k = 0; k < ARRAY_LEN(always); k++) {
        if (token_is(t, i, always[k])) {
            return true;
        }
    }
    if (!token_is(t, i, "min") && !token_is(t, i, "max")) {
        return false;
    }
    size_t end = past_parens(t, i + 1);
    for (size_t k = i + 2; k < end; k++) {
        if (token_is(t, k, ",") && t->items[k].depth == t->items[i].depth + 1) {
            return false;
        }
    }
    return true;
}

/* Addition of reals is not associative, so the sum depends on the order of rows. */
static void rule_reals(struct statement *s)
{
    const struct tokens *t = &s->t;
    for (size_t i = 0; i < t->n; i++) {
        if (!is_aggregate(t, i) || token_is(t, i, "count") || token_is(t, i, "min") ||
            token_is(t, i, "max")) {
            continue;
        }
        size_t end = past_parens(t, i + 1);
        for (size_t k = i + 2; k < end && k < t->n; k++) {
            const struct column *c = is_column_place(s, k) ? resolve(s, k) : NULL;
            bool literal = t->items[k].kind == TOKEN_NUMBER &&
                           memchr(t->items[k].p, '.', t->items[k].n) != NULL;
            if ((c != NULL && c->type == COL_REAL) || literal) {
                lint_say(s->lint, "%.*s over reals: the sum depends on the order of rows",
                         (int)t->items[i].n, t->items[i].p);
                break;
            }
        }
    }
}

/* By the bare name: m.role and role are the same column within one SELECT. */
static bool clause_names(const struct statement *s, const struct select *sel, size_t clause,
                         const char *name, size_t n)
{
    for (size_t i = clause; clause != 0 && i < select_clause_end(sel, clause); i++) {
        if (s->t.items[i].n == n && strncasecmp(s->t.items[i].p, name, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_aggregate(const struct statement *s, const struct select *sel, size_t end)
{
    for (size_t i = sel->begin + 1; i < end; i++) {
        if (token_is(&s->t, i, "(") && token_is(&s->t, i + 1, "SELECT")) {
            i = past_parens(&s->t, i) - 1;
        } else if (is_aggregate(&s->t, i)) {
            return true;
        }
    }
    return false;
}

/* An operand before a name makes the name an alias. */
static bool is_alias(const struct tokens *t, size_t i)
{
    return i > 0 &&
           (token_is(t, i - 1, ")") || token_is(t, i - 1, "END") || token_is_name(t, i - 1) ||
            t->items[i - 1].kind == TOKEN_STRING || t->items[i - 1].kind == TOKEN_NUMBER);
}

/* SQLite takes the value of some row of the group; which one depends on its version. */
static void bare_columns(struct statement *s, const struct select *sel, size_t from, size_t to)
{
    const struct tokens *t = &s->t;
    for (size_t i = from; i < to;) {
        bool nested = token_is(t, i, "(") && token_is(t, i + 1, "SELECT");
        if (nested || is_aggregate(t, i)) {
            i = past_parens(t, nested ? i : i + 1);
            continue;
        }
        if (is_column_place(s, i) && !is_alias(t, i) &&
            !clause_names(s, sel, sel->group, t->items[i].p, t->items[i].n)) {
            lint_say(s->lint, "%.*s stands bare beside an aggregate: any row's value may come",
                     (int)t->items[i].n, t->items[i].p);
        }
        i++;
    }
}

static void rule_group(struct statement *s)
{
    for (size_t k = 0; k < s->n_selects; k++) {
        const struct select *sel = &s->selects[k];
        size_t end = sel->from != 0 ? sel->from : select_clause_end(sel, sel->begin);
        if (sel->group == 0 && !has_aggregate(s, sel, end)) {
            continue;
        }
        bare_columns(s, sel, sel->begin + 1, end);
        if (sel->having != 0) {
            bare_columns(s, sel, sel->having + 1, select_clause_end(sel, sel->having));
        }
    }
}

/* --- LIMIT --- */

/* ORDER BY is total if it names all GROUP BY columns, or else every KEY column of every table. */
static bool order_is_total(const struct statement *s, const struct select *sel)
{
    if (sel->order == 0) {
        return false;
    }
    if (sel->group != 0) {
        for (size_t i = sel->group + 2; i < select_clause_end(sel, sel->group); i++) {
            if (is_column_place(s, i) &&
                !clause_names(s, sel, sel->order, s->t.items[i].p, s->t.items[i].n)) {
                return false;
            }
        }
        return true;
    }
    bool any = false;
    for (size_t k = 0; k < s->n_sources; k++) {
        if (s->sources[k].select.begin != sel->begin) {
            continue;
        }
        const struct table *t = table_of(s, s->sources[k].table);
        any = t != NULL;
        for (size_t i = 0; t != NULL && i < t->n_columns; i++) {
            if ((t->columns[i].flags & COL_KEY) != 0 &&
                !clause_names(s, sel, sel->order, t->columns[i].name, strlen(t->columns[i].name))) {
                return false;
            }
        }
        if (t == NULL) {
            return false;
        }
    }
    return any;
}

/* Without a total order the engine may keep any rows. */
static void rule_limit(struct statement *s)
{
    for (size_t k = 0; k < s->n_selects; k++) {
        if (s->selects[k].limit != 0 && !order_is_total(s, &s->selects[k])) {
            lint_say(s->lint, "LIMIT without a total order: ORDER BY every KEY column");
        }
    }
}

int lint_sql(struct lint *l, const char *text, struct err *e)
{
    CLEANUP(statement) struct statement s = {.lint = l};
    int rc = statement_open(&s, text, e);
    if (rc != 0) {
        return rc;
    }
    rule_words(&s);
    rule_not_in(&s);
    rule_vocabulary(&s);
    rule_reals(&s);
    rule_group(&s);
    rule_limit(&s);
    return 0;
}
