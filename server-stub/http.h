/* HTTP over TLS: connections, the life of a request, limits, error answers. What the requests mean
 * stands in api_*.c. libmicrohttpd; RFC 9110. */
#ifndef TENKEN_COLLECTOR_HTTP_H
#define TENKEN_COLLECTOR_HTTP_H

#include "server-stub/ingest.h"
#include "server-stub/server.h"

#define HTTP_ENROL_BODY_MAX ((size_t)16384)

struct MHD_Connection;

/* --- one request, as the API functions see it --- */

struct answer {
    unsigned status;
    const char *type; /* static */
    struct str body;
    unsigned retry_after_s; /* 0 = header not sent */
};

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    const struct route *route;
    char *path;          /* owned; arguments point into it */
    const char *args[2]; /* variable parts of the path */
    bool from_loopback;
    struct answer answer; /* status 0 = none yet */
    void *state;          /* of the route's functions */
    void (*state_free)(void *state);
    /* Set by request_defer: the answer waits for the writer. */
    struct write_job job;
    int (*finish)(struct request *rq, int rc, const struct err *e);
    bool deferred;
    /* http.c's own */
    int64_t started_us;
    size_t body_bytes;
    size_t charged_bytes;
    int write_rc;
    struct err write_err;
    bool is_written;
    struct http *http;
};

/* A row of the table of requests. begin may answer before the body; body gets it as it comes; end
 * answers or defers. Each returns 0, or an error that becomes a 500 or 503. */
struct route {
    const char *method;
    const char *path; /* "*" stands for one variable part */
    int (*begin)(struct request *rq, struct err *e);
    int (*body)(struct request *rq, const void *data, size_t n, struct err *e);
    int (*end)(struct request *rq, struct err *e);
    /* bytes that the state holds, for the limit over all requests; NULL = few */
    size_t (*memory)(const struct request *rq);
};

extern const struct route route_enroll, route_evidence, route_hosts, route_host, route_record,
    route_month, route_healthz, route_metrics;

/* Answers {"error":{"code":…,"message":…,"detail":{}}}. */
void answer_error(struct request *rq, unsigned status, const char *code, const char *message);
/* The same object, appended to *out. */
void error_json(struct str *out, const char *code, const char *message);
/* The request's answer waits until apply has run in the writer and its transaction is durable; then
 * finish makes the answer (in a thread of the HTTP server). apply's arg is the request. */
void request_defer(struct request *rq, int (*apply)(struct store *s, void *arg, struct err *e),
                   int (*finish)(struct request *rq, int rc, const struct err *e));
/* NULL if absent. */
const char *request_header(struct request *rq, const char *name);
const char *request_query(struct request *rq, const char *name);
/* Reads the bearer token. False: a 401 was answered. */
bool request_authorised(struct request *rq, struct store *s, struct token_row *ret);

/* --- the server --- */

struct http;
struct http_options {
    const char *listen;     /* ADDR:PORT or [ADDR6]:PORT; port 0 = any free one */
    const char *cert, *key; /* PEM texts; both NULL = without TLS, which only tests ask for */
    unsigned max_connections, max_per_address;
    unsigned request_timeout_s; /* from the first byte (TLS included) to the end of the request */
};
int http_start(struct server *s, const struct http_options *o, struct http **ret,
               struct err *e) MUST_USE;
unsigned http_port(const struct http *h);
/* Ends connections that take too long; to be called about once a second. */
void http_tick(struct http *h);
/* Takes no new connection, lets waiting requests get their answer, ends. */
void http_stop(struct http *h);
static inline void cleanup_http(struct http **h)
{
    http_stop(*h);
}

#endif
