/* Which connections are open, and since when they have been at their present request. The HTTP
 * library's own timeout restarts with every byte: a client that drips one byte now and then would
 * stay for ever. */
#ifndef TENKEN_COLLECTOR_CONNWATCH_H
#define TENKEN_COLLECTOR_CONNWATCH_H

#include <stdint.h>

#include "agent/base/err.h"

struct connwatch;
struct connection_mark;
/* An empty list. ERR_NOMEM. */
int connwatch_new(struct connwatch **ret, struct err *e) MUST_USE;
void connwatch_free(struct connwatch *w);
/* NULL when out of memory: the connection is then not watched. */
struct connection_mark *connwatch_add(struct connwatch *w, int socket_fd, int64_t now_us);
/* Before the socket is closed. NULL ok. */
void connwatch_remove(struct connwatch *w, struct connection_mark *m);
/* The present request is over; the next one starts from now. */
void connwatch_progress(struct connwatch *w, struct connection_mark *m, int64_t now_us);
/* While the collector itself works on the request, its time does not count. */
void connwatch_hold(struct connwatch *w, struct connection_mark *m);
/* Shuts down sockets that have been at one request since before since_us. Returns how many. */
unsigned connwatch_expire(struct connwatch *w, int64_t since_us);

#endif
