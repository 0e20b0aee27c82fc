/* The worker: takes stored evidence in the order of arrival, redoes its verdicts, hands results to
 * the writer in small batches. Looks again every few seconds, for an import may have come from
 * another program. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "server-stub/redo.h"
#include "server-stub/server.h"

#define BATCH 16
#define PAUSE_S 1

struct worker {
    struct server *server;
    struct store *store; /* its own: a long look must not keep requests waiting */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock */
};

struct batch {
    struct redo_result results[BATCH];
    size_t n;
};

static int set_results(struct store *s, void *arg, struct err *e)
{
    const struct batch *b = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < b->n; i++) {
        rc = store_redo_set(s, b->results[i].id, b->results[i].state, b->results[i].report, e);
    }
    return rc;
}

static bool is_stopping(struct worker *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool stopping = w->stopping;
    (void)pthread_mutex_unlock(&w->lock);
    return stopping;
}

/* Fills a batch with what comes after *after. An evidence that cannot be redone at present is
 * passed over until the next round. */
static int fill_batch(struct worker *w, int64_t *after, struct batch *b, struct err *e)
{
    while (b->n < BATCH && !is_stopping(w)) {
        char digest[SHA256_HEX];
        int rc = store_redo_next(w->store, *after, digest, after, e);
        if (rc == ERR_ABSENT) {
            return 0;
        }
        if (rc != 0) {
            return rc;
        }
        rc = redo_evidence(w->store, w->server->policy, digest, &b->results[b->n], e);
        if (rc == 0) {
            b->n++;
        } else {
            (void)fprintf(stderr, "tenken-collector: redoing %.16s: %s\n", digest, e->msg);
        }
    }
    return 0;
}

static void one_round(struct worker *w)
{
    struct err e;
    int64_t after = 0;
    size_t done = BATCH;
    while (done == BATCH) {
        struct batch b = {.n = 0};
        int rc = fill_batch(w, &after, &b, &e);
        if (rc == 0 && b.n > 0) {
            rc = writer_run(w->server->writer, set_results, &b, &e);
        }
        if (rc != 0) {
            (void)fprintf(stderr, "tenken-collector: redoing verdicts: %s\n", e.msg);
        }
        done = rc == 0 ? b.n : 0;
        for (size_t i = 0; i < b.n; i++) {
            (void)atomic_fetch_add(&w->server->count.redone, rc == 0);
            (void)atomic_fetch_add(&w->server->count.redo_differs,
                                   rc == 0 && b.results[i].state == REDO_STATE_DIFFERS);
            redo_result_done(&b.results[i]);
        }
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    while (!is_stopping(w)) {
        one_round(w);
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PAUSE_S;
        (void)pthread_mutex_lock(&w->lock);
        int rc = 0;
        while (!w->stopping && rc != ETIMEDOUT) {
            rc = pthread_cond_timedwait(&w->wake, &w->lock, &until);
        }
        (void)pthread_mutex_unlock(&w->lock);
    }
    return NULL;
}

int worker_start(struct server *s, struct worker **ret, struct err *e)
{
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return err_nomem(e);
    }
    w->server = s;
    int rc = store_open(s->collector->dir, STORE_READ, &w->store, e);
    if (rc != 0) {
        free(w);
        return rc;
    }
    (void)pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_t monotonic; /* a step of the clock must not stretch the pause */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        store_close(w->store);
        free(w);
        return err_set(e, ERR_IO, "cannot start the worker's thread");
    }
    *ret = w;
    return 0;
}

void worker_stop(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    store_close(w->store);
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
