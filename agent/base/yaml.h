/* Strict YAML: one document, maps with unique scalar keys, no anchors, aliases, tags or merge keys;
 * every node knows where it stands. Reads with libyaml. Schema checking is done with the yaml_map_*
 * calls, whose errors read "file:line:column: what, did you mean ...". YAML 1.1 scalars: only what
 * the callers ask for is converted. */
#ifndef TENKEN_BASE_YAML_H
#define TENKEN_BASE_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

#define YAML_FILE_MAX ((size_t)4 << 20)
#define YAML_DEPTH_MAX 32U

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    unsigned line, column; /* from 1 */
    const char *text;      /* scalar: NUL-terminated UTF-8 */
    bool plain; /* scalar written without quotes (so ~, null, true, 12 may be meant as such) */
    struct yaml_node **keys;  /* map: scalar nodes */
    struct yaml_node **items; /* list and map values */
    size_t n;
};

struct yaml_doc {
    const char *file; /* name for messages, owned */
    struct yaml_node *root;
};

/* Parses n bytes; file is the name used in messages. ERR_INVALID with file:line:column. Caller
 * frees. Empty text: root NULL. */
int yaml_parse(const char *file, const char *bytes, size_t n, struct yaml_doc **ret,
               struct err *e) MUST_USE;
/* NULL is fine. Not named yaml_free: libyaml has a symbol of that name and would call ours. */
void yaml_doc_free(struct yaml_doc *d);
static inline void cleanup_yaml(struct yaml_doc **d)
{
    yaml_doc_free(*d);
}

/* err_set with "file:line:column: " of the node before; always returns ERR_INVALID. */
int yaml_fail(const struct yaml_doc *d, const struct yaml_node *n, struct err *e, const char *fmt,
              ...) PRINTF_LIKE(4, 5);

/* Value of a key, NULL if absent. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* n must be a map whose keys are all in allowed[] (NULL-terminated): else ERR_INVALID with the
 * nearest right word. */
int yaml_map_only(const struct yaml_doc *d, const struct yaml_node *n, const char *what,
                  const char *const *allowed, struct err *e) MUST_USE;
/* Typed values. Each gives ERR_INVALID with the place. `*ret` untouched if the key is absent and
 * required is false. */
int yaml_get_text(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const char **ret, struct err *e) MUST_USE;
int yaml_get_int(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                 bool required, int64_t min, int64_t max, int64_t *ret, struct err *e) MUST_USE;
int yaml_get_bool(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, bool *ret, struct err *e) MUST_USE; /* true|false only */
/* YYYY-MM-DD that exists in the calendar. */
int yaml_get_date(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const char **ret, struct err *e) MUST_USE;
/* One of words[] (NULL-terminated): nearest right word in the error. */
int yaml_get_word(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const char *const *words, const char **ret,
                  struct err *e) MUST_USE;
/* A list, or absent (NULL). */
int yaml_get_list(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const struct yaml_node **ret, struct err *e) MUST_USE;

#endif
