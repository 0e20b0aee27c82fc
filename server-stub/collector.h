/* What every command of the collector starts from: the store directory with the collector's own
 * key, and the words that tokens are made of. */
#ifndef TENKEN_COLLECTOR_COLLECTOR_H
#define TENKEN_COLLECTOR_COLLECTOR_H

#include "agent/evidence/evidence.h"
#include "server-stub/store.h"

struct collector {
    char *dir;
    struct sign_key *key; /* Ed25519; its SPKI digest is pinned by every token */
};

/* create: makes the directory (0700) and the key (0600) if they are not there. Without it
 * ERR_ABSENT says that there is no store. */
int collector_open(const char *dir, bool create, struct collector *ret, struct err *e) MUST_USE;
void collector_done(struct collector *c);
static inline void cleanup_collector(struct collector *c)
{
    collector_done(c);
}

/* --- tokens: SECRET.<sha256 of the collector's SPKI>; SECRET = 16 hex digits of id, 40 of secret.
 * The store keeps a hash of the secret part only. --- */
#define TOKEN_TEXT_MAX 160
#define ENROL_DAYS_DEFAULT 14
#define API_DAYS_DEFAULT 365

struct token_request {
    const char *contract; /* "" = all, read tokens only */
    const char *role;     /* "" = enrolment, else operator|officer|auditor */
    int64_t hosts;        /* enrolments allowed */
    int64_t days;         /* of validity; 0 = the default */
};
/* Makes and stores a token. ERR_INVALID for an unknown role, no contract, numbers out of range. */
int token_make(struct store *s, const struct collector *c, const struct token_request *rq,
               int64_t now_s, char ret[TOKEN_TEXT_MAX], struct err *e) MUST_USE;
/* Finds the token that text names and compares the secret in constant time. keyid: the collector's
 * own; a token that pins another collector does not hold. api: a read token is wanted, else an
 * enrolment token. ERR_MISMATCH unknown, wrong kind, used up or expired: which of these is not
 * told.
 */
int token_check(struct store *s, const char *keyid, const char *text, bool api, int64_t now_s,
                struct token_row *ret, struct err *e) MUST_USE;

#endif
