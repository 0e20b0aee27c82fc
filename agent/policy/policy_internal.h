/* Shared by the policy_*.c files alone: how the readers of checks, views and frameworks hand their
 * parts to policy.c. */
#ifndef TENKEN_POLICY_POLICY_INTERNAL_H
#define TENKEN_POLICY_POLICY_INTERNAL_H

#include <stdint.h>

#include "agent/base/yaml.h"
#include "agent/policy/policy.h"
#include "agent/policy/policy_pool.h"

/* One file of a policy directory, read once; everything else works on these bytes. */
struct rule_file {
    size_t dir;         /* index of its directory */
    const char *folder; /* "checks" ... */
    const char *rel;    /* "checks/disk.yaml", as in the manifest */
    const char *path;   /* as it is shown in messages */
    const char *bytes;
    size_t n;
    char sha256[SHA256_HEX];
};

/* What a reader needs to turn nodes into parts that outlive the document. */
struct rule_reader {
    struct pool *pool;
    const struct yaml_doc *doc;
    const struct rule_file *file;
    const struct check *checks; /* frameworks alone: what citations may name */
    size_t n_checks;
};

/* --- policy_yaml.c: typed values copied into the pool --- */

/* *ret stays NULL if the key is absent and not required; a present text is never empty. */
int rule_text(const struct rule_reader *r, const struct yaml_node *map, const char *key,
              bool required, const char **ret, struct err *e) MUST_USE;
/* {ja, en}, at least one of them. */
int rule_text2(const struct rule_reader *r, const struct yaml_node *map, const char *key,
               bool required, struct text2 *ret, struct err *e) MUST_USE;
/* The value itself: {ja, en}. */
int rule_text2_node(const struct rule_reader *r, const struct yaml_node *node, const char *what,
                    struct text2 *ret, struct err *e) MUST_USE;
/* One of words (NULL-terminated). */
int rule_word(const struct rule_reader *r, const struct yaml_node *map, const char *key,
              bool required, const char *const *words, const char **ret, struct err *e) MUST_USE;
/* An id: [a-z0-9] first, then also [A-Z.-_]. */
int rule_id(const struct rule_reader *r, const struct yaml_node *map, const char *key,
            const char **ret, struct err *e) MUST_USE;
/* A list of plain texts; NULL-terminated array, NULL if absent. */
int rule_texts(const struct rule_reader *r, const struct yaml_node *map, const char *key,
               const char *const **ret, struct err *e) MUST_USE;

/* ", did you mean "X"?" or "", in a buffer of the caller's. */
#define RULE_HINT_MAX 128
const char *rule_hint(char buf[RULE_HINT_MAX], const char *word, const char *const *words,
                      size_t n_words);

/* --- policy_check.c, policy_view.c, policy_framework.c --- */

/* Every check of a file, appended to *ret (struct check *, from the pool). */
int checks_read(struct rule_reader *r, struct ptrs *ret, struct err *e) MUST_USE;
/* One view. *ret from the pool. */
int view_read(struct pool *pool, const struct rule_file *file, struct view **ret,
              struct err *e) MUST_USE;
/* One framework, citations resolved in r->checks. */
int framework_read(struct rule_reader *r, struct framework **ret, struct err *e) MUST_USE;

/* --- policy_manifest.c --- */

struct manifest_item {
    const char *rel;
    const char *sha256;
};
/* Made at build time from the policies of the source tree; sorted by rel. */
extern const struct manifest_item policy_manifest[];
extern const size_t policy_manifest_n;

/* files: struct rule_file. Files of the first directory that were changed, added or are missing,
 * plus every file of further ones. */
unsigned manifest_differences(const struct manifest_item *items, size_t n_items,
                              const struct ptrs *files);

#endif
