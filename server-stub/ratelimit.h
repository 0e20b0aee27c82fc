/* How much evidence one key may hand in: a bucket per key that refills with time. Memory is fixed;
 * a key that shares its slot with another starts full again, so an error is always in the host's
 * favour. */
#ifndef TENKEN_COLLECTOR_RATELIMIT_H
#define TENKEN_COLLECTOR_RATELIMIT_H

#include <stdint.h>

#include "agent/base/err.h"

struct ratelimit;
/* per_minute evidences on average, as many at once. */
int ratelimit_new(unsigned per_minute, struct ratelimit **ret, struct err *e) MUST_USE;
void ratelimit_free(struct ratelimit *r);
/* Takes one for keyid (64 hex digits). 0 = allowed, else seconds (at least 1) after which one will
 * be. now_us: monotonic. Any thread. */
unsigned ratelimit_take(struct ratelimit *r, const char *keyid, int64_t now_us);

#endif
