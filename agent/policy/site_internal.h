/* Shared by the site*.c files alone: the site as it is held in memory, and the tables that say what
 * each part of the file may hold. */
#ifndef TENKEN_POLICY_SITE_INTERNAL_H
#define TENKEN_POLICY_SITE_INTERNAL_H

#include "agent/base/yaml.h"
#include "agent/policy/policy_pool.h"
#include "agent/policy/site.h"

enum field_kind {
    FIELD_TEXT,
    FIELD_ID,         /* no blanks, at most 63 bytes */
    FIELD_DATE,       /* YYYY-MM-DD */
    FIELD_END,        /* a date, or the word none = no end */
    FIELD_BOOL,       /* true | false; 1 or 0 in the table */
    FIELD_DAYS,       /* 1 to 3650 */
    FIELD_PORT,       /* 1 to 65535 */
    FIELD_ANY_PORT,   /* that, or the word any = 0 */
    FIELD_WORD,       /* one of `words` */
    FIELD_PATH,       /* absolute, normalised */
    FIELD_PREFIX,     /* CIDR without host bits */
    FIELD_USB_ID,     /* four hexadecimal digits */
    FIELD_MACHINE_ID, /* 32 hexadecimal digits */
    FIELD_SHA256,     /* 64 hexadecimal digits */
    FIELD_URL,        /* https, no user name or password in it */
    FIELD_PROXY,      /* http or https, likewise */
    FIELD_ZONE,       /* a time zone that this machine knows */
    FIELD_SCOPE,      /* a map of columns and values, never empty */
    N_FIELD_KINDS
};

struct field {
    const char *key; /* also the name of its column */
    enum field_kind kind;
    bool required;
    const char *const *words;
    const char *otherwise; /* the value when it is left out; NULL = not known */
};

/* A value and where it stands. */
struct site_value {
    const char *text; /* NULL: not declared */
    int64_t i;        /* kinds that are integers in the table */
    const char *file;
    unsigned line, column;
};

enum site_map_id { MAP_HOST, MAP_ORGANISATION, MAP_SETTINGS, MAP_UPLOAD, N_SITE_MAPS };
struct site_map {
    const char *name;
    const struct field *fields;
    size_t n_fields;
};
extern const struct site_map site_maps[N_SITE_MAPS];
#define SITE_MAP_FIELDS_MAX 4U

enum site_list_id {
    LIST_CONTRACTS,
    LIST_DATA_PATHS,
    LIST_WORKERS,
    LIST_PEERS,
    LIST_MEDIA,
    LIST_PERMISSIONS,
    LIST_COMPENSATIONS,
    LIST_ASSETS,
    LIST_ATTESTATIONS,
    LIST_TLS_ENDPOINTS,
    N_SITE_LISTS
};
struct site_list {
    const char *name;
    const struct table *table; /* columns: the fields in order, then `contract` */
    const struct field *fields;
    size_t n_fields;
    unsigned key;   /* bit i: field i identifies an element */
    bool owed;      /* undeclared is unknown; may be `none` in so many words */
    bool has_dates; /* starts and ends must be in order */
};
extern const struct site_list site_lists[N_SITE_LISTS];
extern const struct table site_host_table, site_organisation_table, site_settings_table;
/* Index of a field, for the few that C code looks at; the field exists. */
size_t site_field(const struct site_list *list, const char *key);

struct site_row {
    const char *file;
    unsigned line, column;
    bool says_none;            /* {none: true, contract: ID} */
    struct site_value *values; /* n_fields of them */
    struct site_value *contracts;
    size_t n_contracts; /* 0 only while there is no contract at all */
};

struct site {
    struct pool *pool;
    struct ptrs rows[N_SITE_LISTS];       /* struct site_row */
    struct site_value none[N_SITE_LISTS]; /* text "none" if said of the whole list */
    struct site_value maps[N_SITE_MAPS][SITE_MAP_FIELDS_MAX];
    struct site_value require_landlock;
    struct site_contract *contracts; /* made once everything is read */
    struct ptrs paths;               /* distinct texts */
};

/* err_set with the place in front; returns ERR_INVALID. */
int site_fail(const char *file, unsigned line, unsigned column, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
/* ", did you mean X" or "", in a buffer of the caller's. */
#define SITE_HINT_MAX 128
const char *site_hint(char buf[SITE_HINT_MAX], const char *word, const char *const *words,
                      size_t n_words);

/* --- site_fields.c --- */
/* Fills values[] from a map whose keys were checked; keys left out get their `otherwise`. */
int fields_read(struct pool *pool, const struct yaml_doc *d, const char *file,
                const struct yaml_node *map, const struct field *fields, size_t n_fields,
                struct site_value *values, struct err *e) MUST_USE;
bool field_is_int(enum field_kind kind);

/* --- site_read.c --- */
/* Adds one document to what is there. */
int site_read(struct site *s, const struct yaml_doc *d, struct err *e) MUST_USE;

/* --- site_refs.c --- */
/* After the last document: every name that the site itself declares is declared once and exists. */
int site_resolve(struct site *s, struct err *e) MUST_USE;
/* True if the row belongs to the contract ("" = any; so does every row of a site without
 * contracts). */
bool row_belongs(const struct site_row *row, const char *contract);

#endif
