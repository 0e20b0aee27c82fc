/* The one thread that writes to the store. It takes all that waits as one batch, in one
 * transaction with one sync to disk, and only then tells each job that it is done: durable before
 * the answer, and many hosts share the price of the sync (group commit). */
#ifndef TENKEN_COLLECTOR_WRITER_H
#define TENKEN_COLLECTOR_WRITER_H

#include "server-stub/store.h"

struct writer;

/* apply runs in the writer's thread inside the transaction; a job that fails is undone alone. done
 * runs in the writer's thread after the commit, with apply's error or the commit's. The job and arg
 * stay the caller's; after done has begun the writer no longer touches the job. */
struct write_job {
    int (*apply)(struct store *s, void *arg, struct err *e);
    void (*done)(void *arg, int rc, const struct err *e);
    void *arg;
    int rc;         /* the writer's */
    struct err err; /* the writer's */
    struct write_job *next;
};

/* dir: the store's. The writer opens (and upgrades) it before this returns. */
int writer_start(const char *dir, struct writer **ret, struct err *e) MUST_USE;
/* Finishes what was submitted, then ends the thread. Nothing may be submitted any more. */
void writer_stop(struct writer *w);
static inline void cleanup_writer(struct writer **w)
{
    writer_stop(*w);
}
void writer_submit(struct writer *w, struct write_job *job);
/* Submits and waits. */
int writer_run(struct writer *w, int (*apply)(struct store *s, void *arg, struct err *e), void *arg,
               struct err *e) MUST_USE;
/* Commits so far (a batch each). */
uint64_t writer_batches(struct writer *w);

#endif
