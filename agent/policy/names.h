/* Names of people: which texts are names, and what stands for them in evidence. */
#ifndef TENKEN_POLICY_NAMES_H
#define TENKEN_POLICY_NAMES_H

#include "agent/policy/eval.h"

struct names;

/* users: the raw fact table of that name, NULL if it was not filled. workers: site_workers rows.
 * key: 32 bytes, borrowed. uid_min as in record_request. ERR_NOMEM. */
int names_new(const struct fact_table *users, const struct fact_table *workers, int64_t uid_min,
              const uint8_t *key, struct names **ret, struct err *e) MUST_USE;
void names_free(struct names *n);
static inline void cleanup_names(struct names **n)
{
    names_free(*n);
}
/* A PERSONAL text as it is recorded: itself if empty or the name of a system account, else its
 * pseudonym. *ret borrowed from n or text. ERR_NOMEM, ERR_CRYPTO. */
int names_personal(struct names *n, const char *text, const char **ret, struct err *e) MUST_USE;
/* Appends text with each whole word that is a name replaced. ERR_NOMEM, ERR_CRYPTO. */
int names_replace(struct names *n, const char *text, struct str *out, struct err *e) MUST_USE;
/* Hands over what the pseudonyms that were given stand for. */
struct pseudonyms *names_take(struct names *n);

#endif
