/* tenken-collector serve: the server in the foreground, until SIGTERM or SIGINT. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/io.h"
#include "server-stub/cli.h"
#include "server-stub/http.h"
#include "server-stub/redo.h"

#define PEM_MAX ((size_t)1 << 20)
#define RATE_DEFAULT 600 /* evidences of one key a minute: a month of a host that was away */
#define CONNECTIONS_MAX 1000U
#define CONNECTIONS_PER_ADDRESS 250U /* many hosts may stand behind one address */
#define REQUEST_TIMEOUT_S 60U

struct serve {
    const char *store, *listen, *cert, *key, *policy, *no_redo, *rate, *timeout;
    int64_t rate_n, timeout_s;
    struct str cert_pem, key_pem;
    struct collector collector;
    struct policy *rules;
    int lock_fd; /* -1: none */
    struct server server;
    struct http *http;
    struct worker *worker;
};

static int read_options(struct serve *v, int argc, char **argv, struct err *e)
{
    const struct cli_option options[] = {
        {"store", &v->store, false, true},    {"listen", &v->listen, false, true},
        {"cert", &v->cert, false, true},      {"key", &v->key, false, true},
        {"policy", &v->policy, false, false}, {"no-redo", &v->no_redo, true, false},
        {"rate", &v->rate, false, false},     {"request-timeout", &v->timeout, false, false}};
    int n_rest = 0;
    int rc = cli_parse(argc, argv, options, ARRAY_LEN(options), &n_rest, e);
    if (rc == 0 && n_rest > 0) {
        rc = err_set(e, ERR_INVALID, "%s: what is this for?", argv[1]);
    }
    v->rate_n = RATE_DEFAULT;
    v->timeout_s = REQUEST_TIMEOUT_S;
    if (rc == 0) {
        rc = cli_number("rate", v->rate, 1, 1000000, &v->rate_n, e);
    }
    if (rc == 0) {
        rc = cli_number("request-timeout", v->timeout, 1, 3600, &v->timeout_s, e);
    }
    return rc;
}

/* Each connection takes a descriptor; the default soft limit is often below what we allow. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* One server for a store: a second one, forgotten somewhere with older rules, would redo verdicts
 * by those. The commands beside a server (import, token, month) take no such lock. flock(2): it
 * ends with the process. */
static int lock_store(struct serve *v, struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    str_addf(&path, "%s/serve.lock", v->store);
    int rc = str_error(&path, e);
    if (rc != 0) {
        return rc;
    }
    v->lock_fd = open(str_text(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (v->lock_fd < 0) {
        return err_errno(e, "%s", str_text(&path));
    }
    if (flock(v->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? err_set(e, ERR_BUSY, "another collector serves %s", v->store)
                                    : err_errno(e, "%s", str_text(&path));
    }
    return 0;
}

static int start(struct serve *v, struct err *e)
{
    int rc = io_read_file(v->cert, PEM_MAX, &v->cert_pem, e);
    if (rc == 0) {
        rc = io_read_file(v->key, PEM_MAX, &v->key_pem, e);
    }
    if (rc == 0 && v->no_redo == NULL) {
        rc = cli_policy(v->policy, &v->rules, e);
    }
    if (rc == 0) {
        rc = collector_open(v->store, true, &v->collector, e);
    }
    if (rc == 0) {
        rc = lock_store(v, e);
    }
    const struct server_options server_options = {.rate_per_minute = (unsigned)v->rate_n};
    if (rc == 0) {
        rc = server_open(&v->server, &v->collector, v->rules, &server_options, e);
    }
    const struct http_options http_options = {.listen = v->listen,
                                              .cert = str_text(&v->cert_pem),
                                              .key = str_text(&v->key_pem),
                                              .max_connections = CONNECTIONS_MAX,
                                              .max_per_address = CONNECTIONS_PER_ADDRESS,
                                              .request_timeout_s = (unsigned)v->timeout_s};
    if (rc == 0) {
        rc = http_start(&v->server, &http_options, &v->http, e);
    }
    if (rc == 0 && v->rules != NULL) {
        rc = worker_start(&v->server, &v->worker, e);
    }
    return rc;
}

static void stop(struct serve *v)
{
    http_stop(v->http);
    worker_stop(v->worker);
    server_done(&v->server);
    collector_done(&v->collector);
    if (v->lock_fd >= 0) {
        (void)close(v->lock_fd);
    }
    policy_free(v->rules);
    if (v->key_pem.data != NULL) {
        explicit_bzero(v->key_pem.data, v->key_pem.len);
    }
    str_done(&v->key_pem);
    str_done(&v->cert_pem);
}

/* Signals are taken here, in the one thread that does nothing else. */
static void wait_for_end(struct serve *v, const sigset_t *ends)
{
    const struct timespec second = {.tv_sec = 1};
    for (;;) {
        int got = sigtimedwait(ends, NULL, &second);
        if (got > 0) {
            return;
        }
        if (got < 0 && errno == EAGAIN) {
            http_tick(v->http);
        }
    }
}

/* The address as it was given, with the port that was found. */
static void print_address(const struct serve *v)
{
    const char *colon = strrchr(v->listen, ':');
    (void)printf("listening on https://%.*s:%u\n", (int)(colon - v->listen), v->listen,
                 http_port(v->http));
    (void)printf("collector key %s\n", sign_key_id(v->collector.key));
    if (v->rules == NULL) {
        (void)puts("verdicts are not redone (--no-redo)");
    } else {
        (void)printf("redoing verdicts with rules %s (%.16s)\n", v->rules->version,
                     v->rules->digest);
    }
    (void)fflush(stdout);
}

int cmd_serve(int argc, char **argv)
{
    struct serve v = {.lock_fd = -1};
    struct err e;
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    str_init(&v.cert_pem, PEM_MAX);
    str_init(&v.key_pem, PEM_MAX);
    int rc = read_options(&v, argc, argv, &e);
    if (rc != 0) {
        return cli_fail("serve", &e);
    }
    raise_file_limit();
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    /* before any thread is made, so that all of them inherit it */
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    rc = start(&v, &e);
    if (rc == 0) {
        print_address(&v);
        wait_for_end(&v, &ends);
    }
    stop(&v);
    return rc == 0 ? EXIT_GOOD : cli_fail("serve", &e);
}
