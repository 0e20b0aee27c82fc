/* One question, one connection, one deadline. The kernel tells with each answer which process wrote
 * it (SCM_CREDENTIALS): SO_PEERCRED would name who called listen(2), which is systemd where the
 * socket is handed over by it. */
#include "probes/antivirus/clamd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"

#define ANSWER_MS 3000

static void fail(struct clamd_answer *a, int code, const char *reason)
{
    a->code = code;
    a->reason = reason;
}

/* The directory is opened through the host, so that the socket cannot be reached round its root;
 * connect(2) takes no descriptor, hence the way over /proc/self/fd. */
static int dial(const struct host *h, const char *path, struct clamd_answer *a, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct host_stat st;
    char dir[256];
    const char *name = strrchr(path, '/');
    CLEANUP(fd) int dir_fd = -1;
    if (name == NULL || (size_t)(name - path) >= sizeof(dir)) {
        fail(a, ERR_INVALID, "socket-path");
        return -1;
    }
    int rc = host_stat(h, path, false, &st, NULL);
    if (rc == 0 && !S_ISSOCK(st.mode)) {
        rc = ERR_ABSENT;
    }
    (void)snprintf(dir, sizeof(dir), "%.*s", name == path ? 1 : (int)(name - path), path);
    rc = rc == 0 ? host_open_fd(h, dir, O_RDONLY | O_DIRECTORY, &dir_fd, NULL) : rc;
    if (rc != 0) {
        fail(a, rc, rc == ERR_ABSENT ? "no-socket" : "denied");
        return -1;
    }
    int n =
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d%s", dir_fd, name);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path)) {
        fail(a, ERR_INVALID, "socket-path");
        return -1;
    }
    const int on = 1;
    CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
        fail(a, ERR_IO, "socket");
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        bool refused = errno == ECONNREFUSED || errno == ENOENT || errno == EPROTOTYPE;
        bool denied = errno == EACCES || errno == EPERM;
        fail(a,
             refused  ? ERR_ABSENT
             : denied ? ERR_DENIED
                      : ERR_IO,
             refused  ? "refused"
             : denied ? "denied"
                      : "busy"); /* EAGAIN: its queue is full */
        return -1;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* All answers must come from one process: two would be a change of guard between the questions. */
static bool take_peer(struct msghdr *m, struct clamd_answer *a)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        struct ucred who;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
            c->cmsg_len < CMSG_LEN(sizeof(who))) {
            continue;
        }
        memcpy(&who, CMSG_DATA(c), sizeof(who));
        if (who.pid <= 0 || (a->has_peer && a->pid != who.pid)) {
            return false;
        }
        a->has_peer = true;
        a->pid = who.pid;
        a->uid = who.uid;
    }
    return true;
}

/* One piece of the answer. >0 bytes, 0 at the end, -1 with a->code set. */
static ssize_t take_piece(int fd, char *out, size_t room, int64_t deadline_us,
                          struct clamd_answer *a)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct iovec piece = {.iov_base = out, .iov_len = room};
    int64_t left_ms = (deadline_us - time_monotonic_us()) / 1000;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0) {
        fail(a, ERR_TIMEOUT, "timeout");
        return -1;
    }
    struct msghdr m = {.msg_iov = &piece,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    /* Descriptors that a peer sends along are cut off by the size of control, and closed. */
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == ECONNRESET) {
        n = 0;
    }
    if (n < 0 || (n > 0 && !take_peer(&m, a))) {
        fail(a, ERR_IO, n < 0 ? "socket" : "peer-changed");
        return -1;
    }
    return n;
}

static bool ask(const struct host *h, const char *path, const char *question, size_t n_question,
                char reply[CLAMD_REPLY_MAX], struct clamd_answer *a)
{
    CLEANUP(fd) int fd = -1;
    if (dial(h, path, a, &fd) != 0) {
        return false;
    }
    if (sendto(fd, question, n_question, MSG_NOSIGNAL, NULL, 0) != (ssize_t)n_question) {
        fail(a, ERR_IO, "socket");
        return false;
    }
    int64_t deadline_us = time_monotonic_us() + (int64_t)ANSWER_MS * 1000;
    size_t len = 0;
    /* "z" commands end their answers by a NUL. */
    while (len < CLAMD_REPLY_MAX - 1 && memchr(reply, '\0', len) == NULL) {
        ssize_t n = take_piece(fd, reply + len, CLAMD_REPLY_MAX - 1 - len, deadline_us, a);
        if (n < 0) {
            return false;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    reply[len] = '\0';
    return true;
}

static void keep_version(const char *text, struct clamd_answer *a)
{
    (void)snprintf(a->version, sizeof(a->version), "%.*s", (int)strcspn(text, "\n"), text);
}

static void ask_live(const struct host *h, const char *path, struct clamd_answer *a)
{
    char reply[CLAMD_REPLY_MAX];
    if (!ask(h, path, "zPING", sizeof("zPING"), reply, a)) {
        return;
    }
    bool good = strcmp(reply, "PONG") == 0;
    if (good && !ask(h, path, "zVERSION", sizeof("zVERSION"), reply, a)) {
        return;
    }
    good = good && strncmp(reply, "ClamAV ", 7) == 0;
    if (good) {
        keep_version(reply, a);
        if (!ask(h, path, "zSTATS", sizeof("zSTATS"), reply, a)) {
            return;
        }
        good = strncmp(reply, "POOLS:", 6) == 0;
    }
    if (!good) {
        fail(a, ERR_MALFORMED, "no-clamd");
    }
}

static void ask_captured(const struct host *h, const char *path, struct clamd_answer *a)
{
    const json_t *all = host_capture(h, "clamd");
    const json_t *one = json_object_get(all, path);
    const char *version = NULL;
    if (one == NULL) {
        /* A capture that knows of sockets, but not of this one, saw nobody listen. */
        fail(a, json_is_object(all) ? ERR_ABSENT : ERR_UNSUPPORTED,
             json_is_object(all) ? "refused" : "not_captured");
        return;
    }
    if (json_need_text(one, "version", &version, NULL) != 0 ||
        json_need_int(one, "pid", &a->pid, NULL) != 0 ||
        json_need_int(one, "uid", &a->uid, NULL) != 0) {
        fail(a, ERR_MALFORMED, "capture");
        return;
    }
    a->has_peer = true;
    keep_version(version, a);
}

void clamd_ask(const struct host *h, const char *socket_path, struct clamd_answer *ret)
{
    *ret = (struct clamd_answer){.code = 0, .reason = ""};
    if (host_is_live(h)) {
        ask_live(h, socket_path, ret);
    } else {
        ask_captured(h, socket_path, ret);
    }
}
