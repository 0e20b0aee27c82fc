/* A list of open connections under one lock. Sockets are shut down, never closed, here: closing is
 * the HTTP library's, which then also tells us. */
#include "server-stub/connwatch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct connection_mark {
    struct connection_mark *next, *previous;
    int socket_fd; /* borrowed */
    int64_t since_us;
    bool is_held;
};

struct connwatch {
    pthread_mutex_t lock;
    struct connection_mark *first;
};

int connwatch_new(struct connwatch **ret, struct err *e)
{
    struct connwatch *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return err_nomem(e);
    }
    (void)pthread_mutex_init(&w->lock, NULL);
    *ret = w;
    return 0;
}

void connwatch_free(struct connwatch *w)
{
    if (w == NULL) {
        return;
    }
    while (w->first != NULL) {
        connwatch_remove(w, w->first);
    }
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}

struct connection_mark *connwatch_add(struct connwatch *w, int socket_fd, int64_t now_us)
{
    struct connection_mark *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    m->socket_fd = socket_fd;
    m->since_us = now_us;
    (void)pthread_mutex_lock(&w->lock);
    m->next = w->first;
    if (w->first != NULL) {
        w->first->previous = m;
    }
    w->first = m;
    (void)pthread_mutex_unlock(&w->lock);
    return m;
}

void connwatch_remove(struct connwatch *w, struct connection_mark *m)
{
    if (m == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&w->lock);
    if (m->previous != NULL) {
        m->previous->next = m->next;
    } else {
        w->first = m->next;
    }
    if (m->next != NULL) {
        m->next->previous = m->previous;
    }
    (void)pthread_mutex_unlock(&w->lock);
    free(m);
}

void connwatch_progress(struct connwatch *w, struct connection_mark *m, int64_t now_us)
{
    if (m != NULL) {
        (void)pthread_mutex_lock(&w->lock);
        m->since_us = now_us;
        m->is_held = false;
        (void)pthread_mutex_unlock(&w->lock);
    }
}

void connwatch_hold(struct connwatch *w, struct connection_mark *m)
{
    if (m != NULL) {
        (void)pthread_mutex_lock(&w->lock);
        m->is_held = true;
        (void)pthread_mutex_unlock(&w->lock);
    }
}

unsigned connwatch_expire(struct connwatch *w, int64_t since_us)
{
    unsigned n = 0;
    (void)pthread_mutex_lock(&w->lock);
    for (struct connection_mark *m = w->first; m != NULL; m = m->next) {
        if (!m->is_held && m->since_us < since_us) {
            (void)shutdown(m->socket_fd, SHUT_RDWR);
            m->is_held = true; /* once is enough */
            n++;
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}
