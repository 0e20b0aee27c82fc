/* The HTTP server: listening socket, connections, and the life of a request. */
#include "server-stub/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/timefmt.h"
#include "server-stub/connwatch.h"
#include "server-stub/unpack.h"

#define THREADS 2
#define IDLE_TIMEOUT_S 30
#define CONNECTION_MEMORY ((size_t)32768) /* bounds the request line and headers */
#define BODY_WIRE_MAX (UNPACK_LINES_MAX * (UNPACK_LINE_MAX + 1))
#define BODIES_MEMORY_MAX ((size_t)256 << 20) /* over all requests */
/* TLS 1.2 and 1.3; SECURE128 leaves out what is weaker than 128 bits (gnutls_priority_init(3)). */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct http {
    struct server *server;
    struct http_options options;
    struct MHD_Daemon *daemon;
    struct connwatch *watch;
    int listen_fd;
    unsigned port;
    atomic_size_t body_bytes;
    atomic_bool closing;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t waiting; /* deferred requests; under lock */
};

static const struct route *const routes[] = {&route_enroll,  &route_evidence, &route_hosts,
                                             &route_host,    &route_record,   &route_month,
                                             &route_healthz, &route_metrics};

/* --- which route --- */

/* Splits path at the pattern's stars, in place. Empty parts do not match. */
static bool match_path(const char *pattern, char *path, const char *args[2])
{
    size_t n = 0;
    char *p = path;
    while (*pattern != '\0') {
        if (*pattern != '*') {
            if (*p++ != *pattern++) {
                return false;
            }
            continue;
        }
        char *end = p + strcspn(p, "/");
        if (end == p || n >= 2) {
            return false;
        }
        args[n++] = p;
        pattern++;
        if (*pattern != '\0' && *end == '\0') {
            return false;
        }
        p = end;
    }
    return *p == '\0';
}

/* Only once all matched may the separators be overwritten. */
static void cut_arguments(const char *args[2], char *path)
{
    for (size_t i = 0; i < 2 && args[i] != NULL; i++) {
        char *start = path + (args[i] - path);
        start[strcspn(start, "/")] = '\0';
    }
}

static int find_route(struct request *rq, const char *method)
{
    bool path_known = false;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const char *args[2] = {NULL, NULL};
        if (!match_path(routes[i]->path, rq->path, args)) {
            continue;
        }
        path_known = true;
        if (strcmp(routes[i]->method, method) == 0 ||
            (strcmp(method, "HEAD") == 0 && strcmp(routes[i]->method, "GET") == 0)) {
            cut_arguments(args, rq->path);
            rq->args[0] = args[0];
            rq->args[1] = args[1];
            rq->route = routes[i];
            return 0;
        }
    }
    if (path_known) {
        answer_error(rq, 405, "method", "this address does not take that method");
    } else {
        answer_error(rq, 404, "path", "there is nothing at this address");
    }
    return 0;
}

/* --- the life of a request --- */

static struct connection_mark *mark_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static bool is_loopback(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL) {
        return false;
    }
    if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, info->client_addr, sizeof in6);
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    struct sockaddr_in in;
    memcpy(&in, info->client_addr, sizeof in);
    return in.sin_family == AF_INET && (ntohl(in.sin_addr.s_addr) >> 24) == 127;
}

/* An error of ours, or of the state the store is in: the client may try again. */
static void answer_failure(struct request *rq, int rc, const struct err *e)
{
    if (rc == ERR_NOMEM || rc == ERR_BUSY || rc == ERR_IO || rc == ERR_LIMIT) {
        rq->answer.retry_after_s = 30;
        answer_error(rq, 503, "unavailable", "the collector cannot take this at present");
    } else {
        answer_error(rq, 500, "internal", "the collector made a mistake; see its log");
    }
    (void)fprintf(stderr, "tenken-collector: %s %s: %s\n",
                  rq->route != NULL ? rq->route->method : "",
                  rq->route != NULL ? rq->route->path : "", e->msg);
}

static struct request *request_new(struct http *h, struct MHD_Connection *c, const char *url)
{
    struct request *rq = calloc(1, sizeof *rq);
    if (rq == NULL) {
        return NULL;
    }
    rq->http = h;
    rq->server = h->server;
    rq->connection = c;
    rq->started_us = time_monotonic_us();
    rq->from_loopback = is_loopback(c);
    str_init(&rq->answer.body, (size_t)256 << 20);
    rq->path = strdup(url);
    if (rq->path == NULL) {
        free(rq);
        return NULL;
    }
    (void)atomic_fetch_add(&h->server->count.requests, 1);
    return rq;
}

static void request_free(struct request *rq)
{
    (void)atomic_fetch_sub(&rq->http->body_bytes, rq->charged_bytes);
    if (rq->state != NULL && rq->state_free != NULL) {
        rq->state_free(rq->state);
    }
    str_done(&rq->answer.body);
    free(rq->path);
    free(rq);
}

static enum MHD_Result send_answer(struct request *rq)
{
    struct answer *a = &rq->answer;
    if (a->body.error != 0) {
        str_clear(&a->body);
        answer_error(rq, 503, "unavailable", "the answer does not fit into memory");
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(
        a->body.len, a->body.len > 0 ? a->body.data : NULL, MHD_RESPMEM_MUST_COPY);
    if (r == NULL) {
        return MHD_NO;
    }
    char seconds[16];
    (void)snprintf(seconds, sizeof seconds, "%u", a->retry_after_s);
    enum MHD_Result ok = MHD_add_response_header(r, "Content-Type", a->type);
    if (ok == MHD_YES) {
        ok = MHD_add_response_header(r, "Cache-Control", "no-store");
    }
    if (ok == MHD_YES) {
        ok = MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    }
    if (ok == MHD_YES && a->retry_after_s > 0) {
        ok = MHD_add_response_header(r, "Retry-After", seconds);
    }
    if (ok == MHD_YES && a->status == 401) {
        ok = MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    }
    if (ok == MHD_YES) {
        ok = MHD_queue_response(rq->connection, a->status, r);
    }
    MHD_destroy_response(r);
    return ok;
}

/* What the headers already tell: path, method, announced length. */
static void begin_request(struct request *rq, const char *method)
{
    struct err e;
    (void)find_route(rq, method);
    if (rq->answer.status != 0) {
        return;
    }
    const char *length = request_header(rq, "Content-Length");
    if (length != NULL && strtoull(length, NULL, 10) > BODY_WIRE_MAX) {
        answer_error(rq, 413, "size", "the body is too long");
        return;
    }
    int rc = rq->route->begin != NULL ? rq->route->begin(rq, &e) : 0;
    if (rc != 0) {
        answer_failure(rq, rc, &e);
    }
}

/* Memory held for bodies is counted over all requests: many clients that each send little of a
 * large line must not add up. */
static bool charge_memory(struct request *rq)
{
    size_t now = rq->route->memory != NULL ? rq->route->memory(rq) : 0;
    size_t total =
        atomic_fetch_add(&rq->http->body_bytes, now - rq->charged_bytes) + now - rq->charged_bytes;
    rq->charged_bytes = now;
    return total <= BODIES_MEMORY_MAX;
}

/* One part of the body. After an answer stands the rest is read and forgotten, up to the length
 * that a good body may have: a client that is still sending would not read an early answer. */
static enum MHD_Result take_body(struct request *rq, const char *data, size_t n)
{
    struct err e;
    rq->body_bytes += n;
    if (rq->body_bytes > BODY_WIRE_MAX) {
        return MHD_NO;
    }
    if (rq->answer.status == 0 && rq->route->body != NULL) {
        int rc = rq->route->body(rq, data, n, &e);
        if (rc != 0) {
            answer_failure(rq, rc, &e);
        } else if (!charge_memory(rq)) {
            rq->answer.retry_after_s = 10;
            answer_error(rq, 503, "busy", "too many bodies are being received at once");
        }
    }
    return MHD_YES;
}

static void write_done(void *arg, int rc, const struct err *e)
{
    struct request *rq = arg;
    struct http *h = rq->http;
    rq->write_rc = rc;
    if (rc != 0) {
        rq->write_err = *e;
    }
    rq->is_written = true;
    struct MHD_Connection *c = rq->connection;
    /* the request may be gone once its connection is resumed */
    MHD_resume_connection(c);
    (void)pthread_mutex_lock(&h->lock);
    h->waiting--;
    (void)pthread_cond_signal(&h->idle);
    (void)pthread_mutex_unlock(&h->lock);
}

/* Suspends the connection and hands the job over. Suspending comes first: the writer may be done
 * before submit returns. */
static enum MHD_Result wait_for_writer(struct request *rq)
{
    struct http *h = rq->http;
    (void)pthread_mutex_lock(&h->lock);
    bool closing = atomic_load(&h->closing);
    h->waiting += !closing;
    (void)pthread_mutex_unlock(&h->lock);
    if (closing) {
        rq->deferred = false;
        rq->answer.retry_after_s = 5;
        answer_error(rq, 503, "closing", "the collector is being stopped");
        return send_answer(rq);
    }
    rq->job.done = write_done;
    connwatch_hold(h->watch, mark_of(rq->connection));
    MHD_suspend_connection(rq->connection);
    writer_submit(h->server->writer, &rq->job);
    return MHD_YES;
}

static enum MHD_Result end_request(struct request *rq)
{
    struct err e;
    int rc = 0;
    if (rq->answer.status == 0 && rq->is_written) {
        rc = rq->finish(rq, rq->write_rc, &rq->write_err);
        e = rq->write_err;
    } else if (rq->answer.status == 0) {
        rc = rq->route->end(rq, &e);
        if (rc == 0 && rq->deferred) {
            return wait_for_writer(rq);
        }
    }
    if (rc != 0) {
        answer_failure(rq, rc, &e);
    }
    return send_answer(rq);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **context)
{
    struct request *rq = *context;
    (void)version;
    if (rq == NULL) {
        rq = request_new(cls, c, url);
        if (rq == NULL) {
            return MHD_NO;
        }
        *context = rq;
        begin_request(rq, method);
        /* answered by the headers alone: without reading a body that nobody wants */
        return rq->answer.status == 413 ? send_answer(rq) : MHD_YES;
    }
    if (*n > 0) {
        size_t given = *n;
        *n = 0;
        return take_body(rq, data, given);
    }
    return end_request(rq);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct http *h = cls;
    (void)why;
    if (*context != NULL) {
        request_free(*context);
        *context = NULL;
    }
    connwatch_progress(h->watch, mark_of(c), time_monotonic_us());
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context =
            info != NULL ? connwatch_add(h->watch, info->connect_fd, time_monotonic_us()) : NULL;
    } else {
        connwatch_remove(h->watch, *context);
        *context = NULL;
    }
}

void request_defer(struct request *rq, int (*apply)(struct store *s, void *arg, struct err *e),
                   int (*finish)(struct request *rq, int rc, const struct err *e))
{
    rq->job.apply = apply;
    rq->job.arg = rq;
    rq->finish = finish;
    rq->deferred = true;
}

/* --- starting and stopping --- */

/* ADDR:PORT into a socket address; numbers only, so that nothing depends on a resolver. */
static int parse_address(const char *listen_at, struct sockaddr_storage *ret, socklen_t *ret_n,
                         struct err *e)
{
    char host[64] = "";
    const char *colon = strrchr(listen_at, ':');
    char *end = NULL;
    unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    size_t n = colon != NULL ? (size_t)(colon - listen_at) : 0;
    if (colon == NULL || end == colon + 1 || *end != '\0' || port > 65535 || n >= sizeof host) {
        return err_set(e, ERR_INVALID, "--listen %s: must be ADDRESS:PORT", listen_at);
    }
    memcpy(host, listen_at, n);
    memset(ret, 0, sizeof *ret);
    if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        host[n - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &in6.sin6_addr) == 1) {
            memcpy(ret, &in6, sizeof in6);
            *ret_n = sizeof in6;
            return 0;
        }
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
            memcpy(ret, &in, sizeof in);
            *ret_n = sizeof in;
            return 0;
        }
    }
    return err_set(e, ERR_INVALID, "--listen %s: the address must be numeric (IPv6 in brackets)",
                   listen_at);
}

static int open_socket(const char *listen_at, int *ret_fd, unsigned *ret_port, struct err *e)
{
    struct sockaddr_storage at;
    socklen_t n = 0;
    int rc = parse_address(listen_at, &at, &n, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd) int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&at, n) != 0 || listen(fd, SOMAXCONN) != 0) {
        return err_errno(e, "--listen %s", listen_at);
    }
    n = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &n) != 0) {
        return err_errno(e, "--listen %s", listen_at);
    }
    struct sockaddr_in in; /* the port stands at the same place in both families */
    memcpy(&in, &at, sizeof in);
    *ret_port = ntohs(in.sin_port);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int start_daemon(struct http *h, struct err *e)
{
    const struct http_options *o = &h->options;
    bool tls = o->cert != NULL && o->key != NULL;
    struct MHD_OptionItem tls_options[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    /* poll, not epoll: with edges this library overlooks the end of a stream that comes together
     * with the last bytes, and keeps a client that went away for the whole idle time */
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    h->daemon = MHD_start_daemon(
        flags | (tls ? (unsigned)MHD_USE_TLS : 0U), 0, NULL, NULL, on_request, h,
        MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_CONNECTION_LIMIT, o->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        o->max_per_address, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_ARRAY,
        tls ? tls_options : &tls_options[3], MHD_OPTION_END);
    if (h->daemon == NULL) {
        return err_set(e, ERR_INVALID,
                       "the HTTPS server does not start: are --cert and --key a PEM certificate "
                       "and its key?");
    }
    return 0;
}

static void http_free(struct http *h)
{
    if (h->listen_fd >= 0) {
        (void)close(h->listen_fd);
    }
    connwatch_free(h->watch);
    (void)pthread_cond_destroy(&h->idle);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

int http_start(struct server *s, const struct http_options *o, struct http **ret, struct err *e)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return err_nomem(e);
    }
    h->server = s;
    h->options = *o;
    h->listen_fd = -1;
    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_cond_init(&h->idle, NULL);
    int rc = connwatch_new(&h->watch, e);
    if (rc == 0) {
        rc = open_socket(o->listen, &h->listen_fd, &h->port, e);
    }
    if (rc == 0) {
        rc = start_daemon(h, e);
    }
    if (rc != 0) {
        http_free(h);
        return rc;
    }
    *ret = h;
    return 0;
}

unsigned http_port(const struct http *h)
{
    return h->port;
}

void http_tick(struct http *h)
{
    int64_t limit_us = (int64_t)h->options.request_timeout_s * 1000000;
    (void)connwatch_expire(h->watch, time_monotonic_us() - limit_us);
}

void http_stop(struct http *h)
{
    if (h == NULL) {
        return;
    }
    (void)MHD_quiesce_daemon(h->daemon);
    /* a suspended connection must not be there when the daemon stops: wait for the writer */
    (void)pthread_mutex_lock(&h->lock);
    atomic_store(&h->closing, true);
    while (h->waiting > 0) {
        (void)pthread_cond_wait(&h->idle, &h->lock);
    }
    (void)pthread_mutex_unlock(&h->lock);
    MHD_stop_daemon(h->daemon);
    http_free(h);
}
