/* Sockets and deadlines: one process, no threads, every endpoint at its own pace. Every connection
 * is closed as soon as it has said what was wanted. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/digest.h"
#include "agent/base/timefmt.h"
#include "probes/tls/endpoint.h"
#include "probes/tls/handshake13.h"

#define CONNECTIONS_MAX 40U /* a child may have 64 files */
#define HELLO_LIMIT_US 5000000
#define HELLO_LIMIT_KNOWN_US 3000000 /* once it has answered */
#define ENDPOINT_LIMIT_US 25000000
#define READ_BYTES 16384U

enum stage { STAGE_CONNECT, STAGE_TALK, STAGE_HELLO };

struct connection {
    int fd; /* -1 = free */
    struct endpoint *ep;
    struct ask *ask;
    enum stage stage;
    struct starttls_talk talk;
    int64_t start_us, deadline_us;
};

struct dialer {
    struct endpoint *list;
    size_t n;
    struct connection open[CONNECTIONS_MAX];
    uint8_t random[64];
    int64_t end_us;
};

static void finish(struct connection *c, enum outcome outcome, unsigned said, int64_t now_us)
{
    struct ask *ask = c->ask;
    struct endpoint *ep = c->ep;
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = -1;
    starttls_done(&c->talk);
    c->ask = NULL;
    ask->outcome = outcome;
    ask->said = said;
    ep->n_active--;
    survey_answer(ep, ask, now_us);
}

static enum outcome outcome_of_errno(int number)
{
    switch (number) {
    case ECONNREFUSED:
        return OUT_CONNECT_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return OUT_RESET;
    case ETIMEDOUT:
        return OUT_TIMEOUT;
    default:
        return OUT_UNREACHABLE;
    }
}

/* In one write: some middleboxes misread a hello that comes in pieces. */
static bool send_all(struct connection *c, const struct str *out)
{
    ssize_t n = send(c->fd, str_text(out), out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == (ssize_t)out->len;
}

static void send_hello(struct dialer *d, struct connection *c, int64_t now_us)
{
    struct str out = STR_INIT(2 * HELLO_MAX);
    hello_build(&c->ask->hello,
                target_is_address(&c->ep->target) ? "" : target_name(&c->ep->target), d->random,
                &out);
    if (c->ask->secret != NULL) {
        secret13_sent(c->ask->secret, &out);
    }
    c->stage = STAGE_HELLO;
    if (out.error != 0 || !send_all(c, &out)) {
        finish(c, out.error != 0 ? OUT_TOO_LONG : outcome_of_errno(errno), (unsigned)errno, now_us);
    }
    str_done(&out);
}

static void talk(struct dialer *d, struct connection *c, const void *bytes, size_t n,
                 int64_t now_us)
{
    struct str out = STR_INIT(4096);
    enum starttls_next next = starttls_feed(&c->talk, bytes, n, target_name(&c->ep->target), &out);
    bool sent = next != ST_SEND || send_all(c, &out);
    if (sent && next == ST_SEND && c->talk.kind == ST_MYSQL) {
        next = ST_READY; /* the server answers to it with TLS only */
    }
    str_done(&out);
    if (!sent) {
        finish(c, outcome_of_errno(errno), (unsigned)errno, now_us);
    } else if (next == ST_READY) {
        send_hello(d, c, now_us);
    } else if (next == ST_REFUSED) {
        finish(c, OUT_STARTTLS, 0, now_us);
    } else if (next == ST_NOT_SPOKEN) {
        finish(c, OUT_NOT_TLS, 0, now_us);
    }
}

static void answered(struct connection *c, enum reply_state state, int64_t now_us)
{
    static const enum outcome outcomes[] = {[REPLY_DONE] = OUT_ANSWER,
                                            [REPLY_ALERT] = OUT_ALERT,
                                            [REPLY_NOT_TLS] = OUT_NOT_TLS,
                                            [REPLY_MALFORMED] = OUT_MALFORMED,
                                            [REPLY_TOO_LONG] = OUT_TOO_LONG};
    if (state != REPLY_MORE) {
        int64_t took_us = now_us - c->start_us;
        if (c->ep->rtt_us == 0 || took_us < c->ep->rtt_us) {
            c->ep->rtt_us = took_us;
        }
        finish(c, outcomes[state], 0, now_us);
    }
}

static void readable(struct dialer *d, struct connection *c, int64_t now_us)
{
    uint8_t buf[READ_BYTES];
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            finish(c, outcome_of_errno(errno), (unsigned)errno, now_us);
        }
    } else if (n == 0) {
        finish(c, OUT_CLOSED, 0, now_us);
    } else if (c->stage == STAGE_TALK) {
        talk(d, c, buf, (size_t)n, now_us);
    } else if (c->ask->secret != NULL) {
        answered(c, secret13_feed(c->ask->secret, &c->ask->reply, buf, (size_t)n), now_us);
    } else {
        answered(c, reply_feed(&c->ask->reply, buf, (size_t)n, c->ask->hello.version == TLS_SSL2),
                 now_us);
    }
}

static void connected(struct dialer *d, struct connection *c, int64_t now_us)
{
    int number = 0;
    socklen_t n = sizeof(number);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &number, &n) != 0 || number != 0) {
        finish(c, outcome_of_errno(number), (unsigned)number, now_us);
        return;
    }
    if (c->ep->target.starttls == ST_NONE) {
        send_hello(d, c, now_us);
        return;
    }
    c->stage = STAGE_TALK;
    talk(d, c, "", 0, now_us);
}

static void start(struct connection *c, struct endpoint *ep, int64_t now_us)
{
    struct ask *ask = ep->queue;
    ep->queue = ask->next;
    if (ep->queue == NULL) {
        ep->queue_end = &ep->queue;
    }
    ask->next = NULL;
    ask->address = ep->address;
    ep->n_active++;
    ep->next_start_us = now_us + (int64_t)ep->pause_ms * 1000;
    if (!ep->is_started) {
        ep->is_started = true;
        ep->deadline_us = now_us + ENDPOINT_LIMIT_US;
    }
    reply_done(&ask->reply);
    reply_init(&ask->reply, ask->want);
    *c = (struct connection){.fd = -1, .ep = ep, .ask = ask, .stage = STAGE_CONNECT};
    c->start_us = now_us;
    c->deadline_us = now_us + (ep->n_answers > 0 ? HELLO_LIMIT_KNOWN_US : HELLO_LIMIT_US);
    starttls_init(&c->talk, ep->target.starttls);
    const struct sockaddr_storage *to = &ep->target.addresses[ask->address];
    c->fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        finish(c, OUT_UNREACHABLE, (unsigned)errno, now_us);
        return;
    }
    if (connect(c->fd, (const struct sockaddr *)to, ep->target.address_n[ask->address]) != 0 &&
        errno != EINPROGRESS) {
        finish(c, outcome_of_errno(errno), (unsigned)errno, now_us);
    }
}

static struct connection *free_place(struct dialer *d)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (d->open[i].ask == NULL) {
            return &d->open[i];
        }
    }
    return NULL;
}

/* Starts what may start; *ret_wake: when the next pause ends. Gives false when all is done. */
static bool start_all(struct dialer *d, int64_t now_us, int64_t *ret_wake)
{
    bool any = false;
    for (size_t i = 0; i < d->n; i++) {
        struct endpoint *ep = &d->list[i];
        if ((ep->is_started && now_us >= ep->deadline_us) || now_us >= d->end_us) {
            survey_cut(ep);
        }
        struct connection *c = NULL;
        while (ep->queue != NULL && ep->n_active < ep->parallel && now_us >= ep->next_start_us &&
               (c = free_place(d)) != NULL) {
            start(c, ep, now_us);
        }
        if (ep->queue == NULL && ep->n_active == 0 && ep->phase != PHASE_DONE) {
            survey_next(ep);
            *ret_wake = now_us;
        }
        if (ep->queue != NULL && ep->next_start_us > now_us && ep->next_start_us < *ret_wake) {
            *ret_wake = ep->next_start_us;
        }
        any = any || ep->phase != PHASE_DONE || ep->n_active > 0;
    }
    return any;
}

static void wait_once(struct dialer *d, int64_t wake_us)
{
    struct pollfd fds[CONNECTIONS_MAX];
    struct connection *of[CONNECTIONS_MAX];
    nfds_t n = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &d->open[i];
        if (c->ask != NULL) {
            of[n] = c;
            fds[n++] = (struct pollfd){.fd = c->fd,
                                       .events = c->stage == STAGE_CONNECT ? POLLOUT : POLLIN};
            wake_us = c->deadline_us < wake_us ? c->deadline_us : wake_us;
        }
    }
    int64_t now_us = time_monotonic_us();
    int64_t wait_ms = wake_us > now_us ? (wake_us - now_us + 999) / 1000 : 0;
    int ready = poll(fds, n, wait_ms > 1000 ? 1000 : (int)wait_ms);
    now_us = time_monotonic_us();
    for (nfds_t i = 0; i < n; i++) {
        struct connection *c = of[i];
        if (ready > 0 && fds[i].revents != 0) {
            if (c->stage == STAGE_CONNECT) {
                connected(d, c, now_us);
            } else {
                readable(d, c, now_us);
            }
        }
        if (c->ask != NULL && (now_us >= c->deadline_us || now_us >= d->end_us)) {
            finish(c, OUT_TIMEOUT, 0, now_us);
        }
    }
}

int dial_all(struct endpoint *list, size_t n, unsigned limit_ms, struct err *e)
{
    struct dialer *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return err_nomem(e);
    }
    d->list = list;
    d->n = n;
    d->end_us = time_monotonic_us() + (int64_t)limit_ms * 1000;
    int rc = random_bytes(d->random, sizeof(d->random), e);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        d->open[i].fd = -1;
    }
    while (rc == 0) {
        int64_t now_us = time_monotonic_us();
        int64_t wake_us = now_us + 1000000;
        if (!start_all(d, now_us, &wake_us)) {
            break;
        }
        wait_once(d, wake_us);
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (list[i].error != 0) {
            rc = err_nomem(e);
        }
    }
    free(d);
    return rc;
}
