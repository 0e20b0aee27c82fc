/* Group commit. */
#include "server-stub/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define BATCH_MAX 512 /* jobs; bounds how long the first one waits for the last one's work */

struct writer {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct write_job *first, **last; /* under lock */
    bool stopping;                   /* under lock */
    atomic_ullong batches;
};

/* Waits for work and takes at most BATCH_MAX jobs. NULL: stopping and nothing left. */
static struct write_job *take_batch(struct writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->stopping) {
        (void)pthread_cond_wait(&w->work, &w->lock);
    }
    struct write_job *batch = w->first;
    struct write_job *end = batch;
    for (size_t n = 1; end != NULL && end->next != NULL && n < BATCH_MAX; n++) {
        end = end->next;
    }
    if (end != NULL) {
        w->first = end->next;
        end->next = NULL;
    }
    if (w->first == NULL) {
        w->last = &w->first;
    }
    (void)pthread_mutex_unlock(&w->lock);
    return batch;
}

static void apply_job(struct store *s, struct write_job *job)
{
    job->rc = store_part_begin(s, &job->err);
    if (job->rc != 0) {
        return;
    }
    job->rc = job->apply(s, job->arg, &job->err);
    struct err undo;
    if (store_part_end(s, job->rc == 0, &undo) != 0 && job->rc == 0) {
        job->rc = undo.code;
        job->err = undo;
    }
}

static void run_batch(struct writer *w, struct write_job *batch)
{
    struct err e = {.code = 0};
    int rc = store_begin(w->store, &e);
    for (struct write_job *j = batch; rc == 0 && j != NULL; j = j->next) {
        apply_job(w->store, j);
    }
    if (rc == 0) {
        rc = store_commit(w->store, &e);
        (void)atomic_fetch_add(&w->batches, 1);
    }
    for (struct write_job *j = batch; j != NULL;) {
        struct write_job *next = j->next;
        /* nothing of a batch holds whose transaction failed, whatever the job itself said */
        j->done(j->arg, rc != 0 ? rc : j->rc, rc != 0 ? &e : &j->err);
        j = next;
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    for (struct write_job *batch = take_batch(w); batch != NULL; batch = take_batch(w)) {
        run_batch(w, batch);
    }
    return NULL;
}

int writer_start(const char *dir, struct writer **ret, struct err *e)
{
    struct writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return err_nomem(e);
    }
    w->last = &w->first;
    int rc = store_open(dir, STORE_WRITE, &w->store, e);
    if (rc != 0) {
        free(w);
        return rc;
    }
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->work, NULL);
    if (pthread_create(&w->thread, NULL, writer_main, w) != 0) {
        store_close(w->store);
        (void)pthread_cond_destroy(&w->work);
        (void)pthread_mutex_destroy(&w->lock);
        free(w);
        return err_set(e, ERR_IO, "cannot start the writer's thread");
    }
    *ret = w;
    return 0;
}

void writer_stop(struct writer *w)
{
    if (w == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->work);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    store_close(w->store);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

void writer_submit(struct writer *w, struct write_job *job)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&w->lock);
    *w->last = job;
    w->last = &job->next;
    (void)pthread_cond_signal(&w->work);
    (void)pthread_mutex_unlock(&w->lock);
}

uint64_t writer_batches(struct writer *w)
{
    return atomic_load(&w->batches);
}

/* --- submit and wait --- */

struct waiting {
    int (*apply)(struct store *s, void *arg, struct err *e);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_done;
    int rc;
    struct err err;
};

static int wait_apply(struct store *s, void *arg, struct err *e)
{
    struct waiting *w = arg;
    return w->apply(s, w->arg, e);
}

static void wait_done(void *arg, int rc, const struct err *e)
{
    struct waiting *w = arg;
    (void)pthread_mutex_lock(&w->lock);
    w->rc = rc;
    w->err = *e;
    w->is_done = true;
    (void)pthread_cond_signal(&w->ended);
    (void)pthread_mutex_unlock(&w->lock);
}

int writer_run(struct writer *w, int (*apply)(struct store *s, void *arg, struct err *e), void *arg,
               struct err *e)
{
    struct waiting wait = {.apply = apply, .arg = arg};
    struct write_job job = {.apply = wait_apply, .done = wait_done, .arg = &wait};
    (void)pthread_mutex_init(&wait.lock, NULL);
    (void)pthread_cond_init(&wait.ended, NULL);
    writer_submit(w, &job);
    (void)pthread_mutex_lock(&wait.lock);
    while (!wait.is_done) {
        (void)pthread_cond_wait(&wait.ended, &wait.lock);
    }
    (void)pthread_mutex_unlock(&wait.lock);
    (void)pthread_cond_destroy(&wait.ended);
    (void)pthread_mutex_destroy(&wait.lock);
    if (wait.rc != 0 && e != NULL) {
        *e = wait.err;
    }
    return wait.rc;
}
