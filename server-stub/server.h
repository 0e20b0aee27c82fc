/* The running collector: store connections, writer, limits, counters. Knows nothing of HTTP. */
#ifndef TENKEN_COLLECTOR_SERVER_H
#define TENKEN_COLLECTOR_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent/policy/policy.h"
#include "server-stub/collector.h"
#include "server-stub/ratelimit.h"
#include "server-stub/writer.h"

#define N_READERS 4

struct counters { /* for /metrics */
    atomic_ullong stored, repeated, refused, limited, requests, enrolled, redone, redo_differs;
};

/* A connection for reading and what goes with it. */
struct reader {
    struct store *store;
    struct packer *packer;
};

struct server {
    const struct collector *collector; /* borrowed */
    const struct policy *policy;       /* borrowed; NULL: verdicts are not redone here */
    struct writer *writer;
    struct ratelimit *rate;
    struct counters count;
    /* reading connections: taken by one thread at a time */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct reader *readers[N_READERS];
    size_t n_free;
};

struct server_options {
    unsigned rate_per_minute;
};
/* Opens store and writer. s is to be zero; server_done in any case afterwards. */
int server_open(struct server *s, const struct collector *c, const struct policy *policy,
                const struct server_options *o, struct err *e) MUST_USE;
/* Finishes what was submitted. */
void server_done(struct server *s);
/* A connection for reading; waits until one is free. */
struct reader *server_take(struct server *s);
/* Gives it back. */
void server_give(struct server *s, struct reader *reader);

#endif
