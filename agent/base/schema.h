/* The declaration of a table of facts: columns, units, vocabularies, flags. One declaration serves
 * the rows' writer, the documents, what is recorded, and the judge. Knows nothing of any particular
 * table. */
#ifndef TENKEN_BASE_SCHEMA_H
#define TENKEN_BASE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"

enum col_type { COL_TEXT, COL_INT, COL_REAL };

enum col_flag {
    COL_KEY = 1U << 0, /* part of the row's identity; never NULL */
    COL_DECIDES =
        1U
        << 1, /* a boolean, vocabulary or threshold a verdict may turn on; NULL makes it unknown */
    COL_NULLABLE = 1U << 2, /* may be NULL = not known */
    COL_PERSONAL = 1U << 3, /* recorded as a pseudonym, only if read */
    COL_BULK = 1U << 4,     /* recorded only if read */
    COL_HAS_NAMES = 1U << 5 /* free text; whole words equal to an account or worker name are
                               replaced when recorded */
};

struct column {
    const char *name;
    enum col_type type;
    const char *unit; /* "", "bytes", "seconds", "bits", "boolean", "utc" ... */
    unsigned flags;
    const char *values; /* vocabulary "a|b|c", a trailing '?' on a word = flagged UNKNOWN
                           ("untested?"); NULL = free */
    const char *doc;
};

/* Rows that exist because the operator declared something: role_column = role marks them,
 * key_column holds the declared name, list names the site list. Used to leave out what another
 * contract declared (design.md 2, "evidence"). */
struct owed {
    const char *key_column;
    const char *role_column;
    const char *role;
    const char *list; /* "data_paths" */
};

enum table_kind { TABLE_FACTS, TABLE_SITE, TABLE_VIEW, TABLE_SCAN };

struct table {
    const char *name;
    const char *doc;
    const char *source; /* man page or kernel document */
    enum table_kind kind;
    bool osquery; /* follows osquery's table of that name; never the base of a shipped check */
    const struct column *columns;
    size_t n_columns;
    const struct owed *owed; /* NULL for most */
};

/* "text" | "integer" | "real". */
const char *col_type_word(enum col_type type);
/* Index of the column, or -1. */
int table_column(const struct table *t, const char *name);
/* True if word is in the column's vocabulary (or the column has none); *ret_unknown (may be NULL):
 * flagged UNKNOWN. */
bool column_allows(const struct column *c, const char *word, bool *ret_unknown);
/* Flags as words in declaration order ("KEY", "DECIDES", ...), calls fn for each. */
void column_flag_words(unsigned flags, void (*fn)(const char *word, void *arg), void *arg);
/* The bit of a flag word, 0 if unknown. */
unsigned column_flag_bit(const char *word);
/* Deep copy in one heap block (columns and texts inside; owed stays borrowed): free() it, or hand
 * it to a fact_table with owns_decl. For declarations rebuilt from evidence. ERR_NOMEM. */
int table_dup(const struct table *t, struct table **ret, struct err *e) MUST_USE;

#define TABLE_COLUMNS(...)                                                                         \
    .columns = (const struct column[]){__VA_ARGS__},                                               \
    .n_columns = sizeof((const struct column[]){__VA_ARGS__}) / sizeof(struct column)

#endif
