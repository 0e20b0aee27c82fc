/* Look-ups in a table's declaration. */
#include "agent/base/schema.h"

#include <stdint.h>
#include <string.h>

static const struct {
    unsigned bit;
    const char *word;
} flag_words[] = {
    {COL_KEY, "KEY"},           {COL_DECIDES, "DECIDES"}, {COL_NULLABLE, "NULLABLE"},
    {COL_PERSONAL, "PERSONAL"}, {COL_BULK, "BULK"},       {COL_HAS_NAMES, "HAS_NAMES"},
};

const char *col_type_word(enum col_type type)
{
    switch (type) {
    case COL_INT:
        return "integer";
    case COL_REAL:
        return "real";
    case COL_TEXT:
    default:
        return "text";
    }
}

int table_column(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (strcmp(t->columns[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool column_allows(const struct column *c, const char *word, bool *ret_unknown)
{
    if (ret_unknown != NULL) {
        *ret_unknown = false;
    }
    if (c->values == NULL) {
        return true;
    }
    size_t n_word = strlen(word);
    const char *p = c->values;
    for (;;) {
        size_t n = strcspn(p, "|");
        bool flagged = n > 0 && p[n - 1] == '?';
        size_t n_name = flagged ? n - 1 : n;
        if (n_name == n_word && memcmp(p, word, n_word) == 0) {
            if (ret_unknown != NULL) {
                *ret_unknown = flagged;
            }
            return true;
        }
        if (p[n] == '\0') {
            return false;
        }
        p += n + 1;
    }
}

void column_flag_words(unsigned flags, void (*fn)(const char *word, void *arg), void *arg)
{
    for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
        if ((flags & flag_words[i].bit) != 0) {
            fn(flag_words[i].word, arg);
        }
    }
}

unsigned column_flag_bit(const char *word)
{
    for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
        if (strcmp(flag_words[i].word, word) == 0) {
            return flag_words[i].bit;
        }
    }
    return 0;
}

/* Bytes of an optional text with its NUL. */
static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Copies text to *cursor and moves on; NULL stays NULL. */
static const char *text_put(char **cursor, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    size_t n = strlen(text) + 1;
    char *to = *cursor;
    memcpy(to, text, n);
    *cursor += n;
    return to;
}

int table_dup(const struct table *t, struct table **ret, struct err *e)
{
    size_t n_text = text_size(t->name) + text_size(t->doc) + text_size(t->source);
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];
        n_text +=
            text_size(c->name) + text_size(c->unit) + text_size(c->values) + text_size(c->doc);
    }
    size_t n_head = sizeof(struct table) + t->n_columns * sizeof(struct column);
    struct table *copy = malloc(n_head + n_text);
    if (copy == NULL) {
        return err_nomem(e);
    }
    /* Columns directly after the table: both are aligned alike (pointers first). */
    struct column *columns = (struct column *)(void *)(copy + 1);
    char *cursor = (char *)copy + n_head;
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];
        columns[i] = *c;
        columns[i].name = text_put(&cursor, c->name);
        columns[i].unit = text_put(&cursor, c->unit);
        columns[i].values = text_put(&cursor, c->values);
        columns[i].doc = text_put(&cursor, c->doc);
    }
    *copy = *t;
    copy->name = text_put(&cursor, t->name);
    copy->doc = text_put(&cursor, t->doc);
    copy->source = text_put(&cursor, t->source);
    copy->columns = columns;
    *ret = copy;
    return 0;
}
