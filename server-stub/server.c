/* Opening and closing of what a running collector consists of. */
#include "server-stub/server.h"

#include "server-stub/ingest.h"

static void reader_free(struct reader *r)
{
    if (r != NULL) {
        store_close(r->store);
        packer_free(r->packer);
        free(r);
    }
}

static int reader_new(const char *dir, struct reader **ret, struct err *e)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return err_nomem(e);
    }
    int rc = store_open(dir, STORE_READ, &r->store, e);
    if (rc == 0) {
        rc = packer_new(&r->packer, e);
    }
    if (rc != 0) {
        reader_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

int server_open(struct server *s, const struct collector *c, const struct policy *policy,
                const struct server_options *o, struct err *e)
{
    s->collector = c;
    s->policy = policy;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->freed, NULL);
    int rc = ratelimit_new(o->rate_per_minute, &s->rate, e);
    if (rc == 0) {
        rc = writer_start(c->dir, &s->writer, e);
    }
    while (rc == 0 && s->n_free < N_READERS) {
        rc = reader_new(c->dir, &s->readers[s->n_free], e);
        s->n_free += rc == 0;
    }
    return rc;
}

void server_done(struct server *s)
{
    writer_stop(s->writer);
    ratelimit_free(s->rate);
    while (s->n_free > 0) {
        reader_free(s->readers[--s->n_free]);
    }
    if (s->collector != NULL) {
        (void)pthread_cond_destroy(&s->freed);
        (void)pthread_mutex_destroy(&s->lock);
    }
}

struct reader *server_take(struct server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    while (s->n_free == 0) {
        (void)pthread_cond_wait(&s->freed, &s->lock);
    }
    struct reader *reader = s->readers[--s->n_free];
    (void)pthread_mutex_unlock(&s->lock);
    return reader;
}

void server_give(struct server *s, struct reader *reader)
{
    (void)pthread_mutex_lock(&s->lock);
    s->readers[s->n_free++] = reader;
    (void)pthread_cond_signal(&s->freed);
    (void)pthread_mutex_unlock(&s->lock);
}
