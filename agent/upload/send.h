/* Sending what the spool holds and taking receipts in. */
#ifndef TENKEN_UPLOAD_SEND_H
#define TENKEN_UPLOAD_SEND_H

#include "agent/evidence/evidence.h"
#include "agent/upload/net.h"

#define BATCH_LINES 16U
#define BATCH_BYTES ((size_t)4 << 20)

struct send_options {
    unsigned attempts;     /* per batch, at least 1 */
    int64_t first_wait_ms; /* doubled at each try, with jitter; Retry-After wins */
    int64_t longest_wait_ms;
};
struct send_report {
    size_t n_sent;    /* acknowledged now */
    size_t n_refused; /* answered with an error that another try would not change */
    char first_error[512];
};
/* Sends every unacknowledged envelope, oldest first, in batches; stores the receipts. An
 * interruption at any point loses nothing: what has no receipt is sent again. ERR_NETWORK when the
 * attempts are used up. */
int send_spool(struct net *n, struct state *s, const struct send_options *o,
               struct send_report *ret, struct err *e) MUST_USE;

/* Wait before try number `attempt` (from 1), milliseconds: full jitter over first * 2^(attempt-1),
 * at most longest; at least the server's Retry-After (seconds, -1 none), but never more than
 * longest. random: 32 random bits. */
int64_t send_wait_ms(const struct send_options *o, unsigned attempt, int64_t retry_after_s,
                     uint32_t random);

#endif
