/* Redoing the verdicts of stored evidence with the rules installed here: what a host concluded from
 * its facts must be what we conclude from them. */
#ifndef TENKEN_COLLECTOR_REDO_H
#define TENKEN_COLLECTOR_REDO_H

#include "agent/policy/policy.h"
#include "server-stub/store.h"

struct redo_result {
    int64_t id;
    enum redo_state state;
    char *report; /* JSON array; owned */
};
void redo_result_done(struct redo_result *r);
/* Redoes one evidence. Payloads that cannot be read back are REDO_STATE_PARTLY, with the reason in
 * the report; an error only where trying again may help (memory, store). */
int redo_evidence(struct store *s, const struct policy *p, const char *digest,
                  struct redo_result *ret, struct err *e) MUST_USE;

/* The thread that does so while the collector serves. */
struct server;
struct worker;
int worker_start(struct server *s, struct worker **ret, struct err *e) MUST_USE;
void worker_stop(struct worker *w);
static inline void cleanup_worker(struct worker **w)
{
    worker_stop(*w);
}

#endif
