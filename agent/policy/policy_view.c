/* policies/views/NAME.sql: one CREATE VIEW over facts and site, with its columns declared in the
 * comment lines before it, since SQLite knows neither types nor flags of a view's columns:
 *
 *   -- doc What a row says. May be repeated; the lines are joined.
 *   -- source Manual pages or clauses it follows (optional).
 *   -- column NAME text|integer|real [KEY] [DECIDES] [NULLABLE] [PERSONAL] [BULK] [HAS_NAMES]
 *      [unit=WORD] [values=a|b|c?] what it holds
 *   --# a remark for readers of the file
 *   CREATE VIEW network_peers AS SELECT ...;
 *
 * One line each (the column line above is wrapped for this page only). NAME is the file's name. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "agent/policy/policy_internal.h"

struct view_reader {
    struct pool *pool;
    const struct rule_file *file;
    const char *at; /* what is left of the file */
    unsigned line;
    struct ptrs columns;
    struct str doc;
    const char *source;
};

/* what, then the word in quotes unless it is "", then the nearest of words. */
static int fail_line(const struct view_reader *v, struct err *e, const char *what, const char *word,
                     const char *const *words, size_t n_words)
{
    char hint[RULE_HINT_MAX];
    const char *quote = word[0] == '\0' ? "" : "\"";
    return err_set(e, ERR_INVALID, "%s:%u:1: %s%s%s%s%s%s", v->file->path, v->line, what,
                   word[0] == '\0' ? "" : " ", quote, word, quote,
                   rule_hint(hint, word, words, n_words));
}

/* As all tables are named: small letters, so that no quoting is ever needed. */
static bool is_name(const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    return word[0] >= 'a' && word[0] <= 'z' && strspn(word, letters) == strlen(word);
}

/* Cuts the next blank-separated word off *at; "" at the end. From the pool. */
static const char *next_word(struct view_reader *v, const char **at, struct err *e)
{
    const char *p = *at + strspn(*at, " \t");
    size_t n = strcspn(p, " \t");
    *at = p + n;
    return pool_text_n(v->pool, p, n, e);
}

static int column_type(struct view_reader *v, const char *word, enum col_type *ret, struct err *e)
{
    static const char *const words[] = {"text", "integer", "real"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum col_type)i;
            return 0;
        }
    }
    return fail_line(v, e, "a column's type is text, integer or real, not", word, words,
                     ARRAY_LEN(words));
}

/* An upper-case word that is no flag is a misspelt one, not the first word of the explanation. */
static bool looks_like_flag(const char *word)
{
    size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    return n >= 3 && word[n] == '\0' && strchr(word, '_') != NULL;
}

/* Flags and options come first in any order, the first other word begins the explanation. */
static int column_options(struct view_reader *v, const char **at, struct column *c, struct err *e)
{
    static const char *const flags[] = {"KEY",      "DECIDES", "NULLABLE",
                                        "PERSONAL", "BULK",    "HAS_NAMES"};
    for (;;) {
        const char *before = *at;
        const char *word = next_word(v, at, e);
        if (word == NULL) {
            return ERR_NOMEM;
        }
        unsigned bit = column_flag_bit(word);
        if (bit != 0) {
            c->flags |= bit;
        } else if (strncmp(word, "unit=", 5) == 0) {
            c->unit = word + 5;
        } else if (strncmp(word, "values=", 7) == 0) {
            c->values = word + 7;
        } else {
            const char *near = str_nearest(word, flags, ARRAY_LEN(flags));
            if (looks_like_flag(word) || (near != NULL && isupper((unsigned char)word[1]))) {
                return fail_line(v, e, "unknown flag", word, flags, ARRAY_LEN(flags));
            }
            *at = before + strspn(before, " \t");
            return 0;
        }
    }
}

/* -- column NAME TYPE ...: what the evaluator cannot learn from SQLite. */
static int read_column(struct view_reader *v, const char *text, struct err *e)
{
    struct column *c = pool_alloc(v->pool, sizeof *c, e);
    const char *type = NULL;
    if (c == NULL || (c->name = next_word(v, &text, e)) == NULL ||
        (type = next_word(v, &text, e)) == NULL) {
        return ERR_NOMEM;
    }
    c->unit = "";
    if (!is_name(c->name)) {
        return fail_line(v, e, "no name for a column:", c->name, NULL, 0);
    }
    for (size_t i = 0; i < v->columns.n; i++) {
        if (strcmp(((const struct column *)v->columns.items[i])->name, c->name) == 0) {
            return fail_line(v, e, "column declared twice:", c->name, NULL, 0);
        }
    }
    int rc = column_type(v, type, &c->type, e);
    if (rc == 0) {
        rc = column_options(v, &text, c, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (text[0] == '\0') {
        return fail_line(v, e, "say what the column holds:", c->name, NULL, 0);
    }
    c->doc = text;
    return ptrs_add(&v->columns, c, e);
}

static int read_head_line(struct view_reader *v, const char *text, struct err *e)
{
    static const char *const words[] = {"doc", "source", "column"};
    const char *word = next_word(v, &text, e);
    if (word == NULL) {
        return ERR_NOMEM;
    }
    text += strspn(text, " \t");
    if (strcmp(word, "column") == 0) {
        return read_column(v, text, e);
    }
    if (strcmp(word, "doc") == 0) {
        str_add(&v->doc, v->doc.len == 0 ? "" : " ");
        str_add(&v->doc, text);
        return str_error(&v->doc, e);
    }
    if (strcmp(word, "source") == 0) {
        v->source = text;
        return 0;
    }
    return fail_line(v, e, "a line before CREATE VIEW starts with doc, source or column, not", word,
                     words, ARRAY_LEN(words));
}

/* The comment lines before the statement. */
static int read_head(struct view_reader *v, struct err *e)
{
    for (v->line = 1; *v->at != '\0'; v->line++) {
        size_t n = strcspn(v->at, "\n");
        const char *line = pool_text_n(v->pool, v->at, n, e);
        if (line == NULL) {
            return ERR_NOMEM;
        }
        const char *p = line + strspn(line, " \t\r");
        bool is_remark = strncmp(p, "--#", 3) == 0 || *p == '\0' || strcmp(p, "--") == 0;
        if (!is_remark && strncmp(p, "--", 2) != 0) {
            return 0;
        }
        int rc = is_remark ? 0 : read_head_line(v, p + 2, e);
        if (rc != 0) {
            return rc;
        }
        v->at += n + (v->at[n] == '\n' ? 1 : 0);
    }
    return fail_line(v, e, "no CREATE VIEW in this file", "", NULL, 0);
}

/* Length of a quoted text or comment that starts at p, 0 if none does. Unclosed: to the end. */
static size_t opaque_length(const char *p)
{
    const char *end = NULL;
    if (*p == '\'' || *p == '"' || *p == '`') {
        end = strchr(p + 1, *p);
    } else if (strncmp(p, "--", 2) == 0) {
        end = strchr(p, '\n');
    } else if (strncmp(p, "/*", 2) == 0) {
        end = strstr(p + 2, "*/");
        return end == NULL ? strlen(p) : (size_t)(end - p) + 2;
    } else {
        return 0;
    }
    return end == NULL ? strlen(p) : (size_t)(end - p) + 1;
}

/* The text up to the one semicolon; anything but blanks and comments after it is refused. */
static int cut_statement(struct view_reader *v, const char **ret, struct err *e)
{
    const char *start = v->at;
    const char *p = start;
    size_t n = 0;
    while (*p != '\0' && *p != ';') {
        n = opaque_length(p);
        p += n == 0 ? 1 : n;
    }
    size_t length = (size_t)(p - start);
    p += *p == ';' ? 1 : 0;
    while (*p != '\0') {
        bool is_comment = strncmp(p, "--", 2) == 0 || strncmp(p, "/*", 2) == 0;
        if (!is_comment && !isspace((unsigned char)*p)) {
            return fail_line(v, e, "a file of views holds one CREATE VIEW and nothing after it", "",
                             NULL, 0);
        }
        p += is_comment ? opaque_length(p) : 1;
    }
    while (length > 0 && isspace((unsigned char)start[length - 1])) {
        length--;
    }
    *ret = pool_text_n(v->pool, start, length, e);
    return *ret == NULL ? ERR_NOMEM : 0;
}

/* Blank-separated word of the statement; letters, digits, underscore. */
static int sql_word(struct view_reader *v, const char **ret, struct err *e)
{
    while (isspace((unsigned char)*v->at)) {
        v->line += *v->at == '\n' ? 1U : 0U;
        v->at++;
    }
    size_t n = 0;
    while (isalnum((unsigned char)v->at[n]) || v->at[n] == '_') {
        n++;
    }
    *ret = pool_text_n(v->pool, v->at, n, e);
    v->at += n;
    return *ret == NULL ? ERR_NOMEM : 0;
}

/* No column list and no TEMP: the declared columns are the one place that names them. */
static int read_create(struct view_reader *v, const char **ret_name, const char **ret_sql,
                       struct err *e)
{
    const char *words[4] = {"", "", "", ""};
    unsigned line = v->line;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        int rc = sql_word(v, &words[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    if (strcasecmp(words[0], "create") != 0 || strcasecmp(words[1], "view") != 0 ||
        !is_name(words[2]) || strcasecmp(words[3], "as") != 0 || !isspace((unsigned char)*v->at)) {
        v->line = line;
        return fail_line(v, e, "write CREATE VIEW name AS SELECT ...;", "", NULL, 0);
    }
    v->at += strspn(v->at, " \t\r\n");
    *ret_name = words[2];
    return cut_statement(v, ret_sql, e);
}

/* rel is "views/NAME.sql". */
static bool is_named_after_file(const struct rule_file *file, const char *name)
{
    const char *base = strrchr(file->rel, '/');
    base = base == NULL ? file->rel : base + 1;
    size_t n = strlen(name);
    return strncmp(base, name, n) == 0 && strcmp(base + n, ".sql") == 0;
}

/* The name of the file is the name of the view, so that a view is found where one looks for it. */
static int fill_view(struct view_reader *v, struct view *view, struct err *e)
{
    const char *name = NULL;
    int rc = read_create(v, &name, &view->sql, e);
    if (rc != 0) {
        return rc;
    }
    if (!is_named_after_file(v->file, name)) {
        return fail_line(v, e, "the file must be named after its view", name, NULL, 0);
    }
    if (v->columns.n == 0) {
        return fail_line(v, e, "declare the columns (-- column NAME TYPE ...) of view", name, NULL,
                         0);
    }
    struct column *columns = pool_array(v->pool, v->columns.n, sizeof *columns, e);
    const char *doc = pool_text(v->pool, str_text(&v->doc), e);
    if (columns == NULL || doc == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < v->columns.n; i++) {
        columns[i] = *(const struct column *)v->columns.items[i];
    }
    view->decl = (struct table){.name = name,
                                .doc = doc,
                                .source = v->source == NULL ? "" : v->source,
                                .kind = TABLE_VIEW,
                                .columns = columns,
                                .n_columns = v->columns.n};
    view->file = v->file->path;
    memcpy(view->digest, v->file->sha256, sizeof view->digest);
    return 0;
}

int view_read(struct pool *pool, const struct rule_file *file, struct view **ret, struct err *e)
{
    struct view_reader v = {.pool = pool, .file = file, .at = file->bytes, .line = 1};
    str_init(&v.doc, 4096);
    struct view *view = pool_alloc(pool, sizeof *view, e);
    int rc = view == NULL ? ERR_NOMEM : 0;
    if (rc == 0 &&
        (memchr(file->bytes, '\0', file->n) != NULL || !str_is_utf8(file->bytes, file->n))) {
        rc = fail_line(&v, e, "not a text in UTF-8", "", NULL, 0);
    }
    if (rc == 0) {
        rc = read_head(&v, e);
    }
    if (rc == 0) {
        rc = fill_view(&v, view, e);
    }
    ptrs_done(&v.columns);
    str_done(&v.doc);
    if (rc == 0) {
        *ret = view;
    }
    return rc;
}
