/* The parent's handle on the launcher. Bodies of messages:
 *   HOST   u8 live, u32 sights, u8 has, bytes capture.json, u8 has, bytes meta.tsv; + root fd
 *   START  u32 flags, u32 n, n * (u32 probe, u64 wanted), u32 n, n * (bytes kind, bytes value);
 *          + result fd. Texts include their final NUL.
 *   KILL   nothing */
#include "agent/scan/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/base/io.h"
#include "agent/scan/bytes.h"

/* The launcher's end of the socket, its only descriptor above the standard three. */
#define LAUNCHER_FD 3

/* Takes up descriptors 0, 1 and 2 so that no later open can land there. Without /dev/null (a bare
 * chroot) a path-only descriptor does the same: reads and writes on it fail. */
static int null_standard(void)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        null_fd = open("/", O_PATH | O_CLOEXEC);
    }
    int last = STDERR_FILENO;
#ifdef TENKEN_SANITIZERS
    last = STDOUT_FILENO; /* their reports are worth seeing */
#endif
    for (int fd = 0; fd <= last; fd++) {
        if (null_fd < 0 || (null_fd != fd && dup2(null_fd, fd) < 0)) {
            return -1;
        }
    }
    return 0;
}

/* Handlers of the caller (a test runner's, a sanitizer's) must not run in a child: a crash has to
 * look like one. SIGKILL, SIGSTOP and the C library's own signals cannot be set. */
static void default_signals(void)
{
    for (int sig = 1; sig < NSIG; sig++) {
        (void)signal(sig, SIG_DFL);
    }
}

/* In the new process: nothing of the caller's environment, descriptors or signal settings stays. */
static NO_RETURN void become_launcher(int sock_fd, pid_t parent, const struct probe *const *probes,
                                      size_t n)
{
    sigset_t none;
    (void)sigemptyset(&none);
    default_signals();
    (void)signal(SIGPIPE, SIG_IGN); /* a parent that no longer listens: writes fail instead */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0 || clearenv() != 0 || chdir("/") != 0 ||
        null_standard() != 0 || dup2(sock_fd, LAUNCHER_FD) < 0 ||
        child_close_from(LAUNCHER_FD + 1) != 0) {
        _exit(EXIT_FAILURE);
    }
    (void)prctl(PR_SET_NAME, "tenken-launcher", 0, 0, 0);
    launcher_loop(LAUNCHER_FD, probes, n);
}

int launcher_start_probes(const struct probe *const *probes, size_t n, struct launcher **ret,
                          struct err *e)
{
    struct launcher *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return err_nomem(e);
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        free(l);
        return err_errno(e, "launcher socket");
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become_launcher(ends[1], parent, probes, n);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        int rc = err_errno(e, "fork of the launcher");
        (void)close(ends[0]);
        free(l);
        return rc;
    }
    *l = (struct launcher){
        .pid = pid, .sock_fd = ends[0], .probes = probes, .n_probes = n, .next_id = 1};
    *ret = l;
    return 0;
}

int launcher_start(struct launcher **ret, struct err *e)
{
    size_t n = 0;
    const struct probe *const *probes = probe_registry(&n);
    return launcher_start_probes(probes, n, ret, e);
}

void launcher_stop(struct launcher *l)
{
    if (l == NULL) {
        return;
    }
    (void)close(l->sock_fd); /* the loop kills what still runs and ends */
    int status = 0;
    while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR) {
    }
    free(l);
}

/* Sends head and body, fd with the first byte. A launcher that is gone gives EPIPE, no signal. */
static int send_message(const struct launcher *l, struct launcher_head head, const struct str *body,
                        int fd, struct err *e)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof(control));
    struct iovec part = {.iov_base = &head, .iov_len = sizeof(head)};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof(control.space);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    ssize_t n = sendmsg(l->sock_fd, &msg, MSG_NOSIGNAL);
    if (n != (ssize_t)sizeof(head)) {
        return err_errno(e, "launcher");
    }
    size_t sent = 0;
    while (body != NULL && sent < body->len) {
        n = send(l->sock_fd, body->data + sent, body->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return err_errno(e, "launcher");
        }
        sent += (size_t)n;
    }
    return 0;
}

/* NULL and empty are different: a tree without capture.json is no captured tree. */
static void put_optional(struct str *out, const char *text, size_t n)
{
    put_u8(out, text != NULL);
    put_bytes(out, text, text != NULL ? n : 0);
}

int launcher_set_host(struct launcher *l, const struct host *h, struct err *e)
{
    CLEANUP(str) struct str body = STR_INIT(LAUNCHER_BODY_MAX);
    put_u8(&body, host_is_live(h));
    put_u32(&body, host_sights(h));
    size_t n = 0;
    const char *text = host_capture_text(h, &n);
    put_optional(&body, text, n);
    text = host_meta_text(h, &n);
    put_optional(&body, text, n);
    int rc = str_error(&body, e);
    if (rc != 0) {
        return rc;
    }
    struct launcher_head head = {.verb = LAUNCHER_HOST, .body_n = (uint32_t)body.len};
    return send_message(l, head, &body, host_root_fd(h), e);
}

/* Nothing of the site reaches a child whose probes do not name it. */
static bool declares_input(const struct launcher *l, const struct child_request *rq,
                           const char *kind)
{
    for (size_t i = 0; i < rq->n_probes; i++) {
        const char *const *k = l->probes[rq->probes[i]]->inputs;
        for (; k != NULL && *k != NULL; k++) {
            if (strcmp(*k, kind) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void put_inputs(const struct launcher *l, const struct child_request *rq, struct str *body)
{
    uint32_t n = 0;
    for (size_t i = 0; i < rq->n_inputs; i++) {
        n += declares_input(l, rq, rq->inputs[i].kind);
    }
    put_u32(body, n);
    for (size_t i = 0; i < rq->n_inputs; i++) {
        const struct probe_input *in = &rq->inputs[i];
        if (declares_input(l, rq, in->kind)) {
            put_bytes(body, in->kind, strlen(in->kind) + 1);
            put_bytes(body, in->value, strlen(in->value) + 1);
        }
    }
}

int launcher_start_child(struct launcher *l, const struct child_request *rq, int result_fd,
                         uint32_t *ret_id, struct err *e)
{
    CLEANUP(str) struct str body = STR_INIT(LAUNCHER_BODY_MAX);
    put_u32(&body, (rq->confine_only ? START_CONFINE_ONLY : 0U) |
                       (rq->require_landlock ? START_REQUIRE_LANDLOCK : 0U));
    put_u32(&body, (uint32_t)rq->n_probes);
    for (size_t i = 0; i < rq->n_probes; i++) {
        put_u32(&body, rq->probes[i]);
        put_u64(&body, rq->wanted[i]);
    }
    put_inputs(l, rq, &body);
    if (body.error != 0) {
        return err_set(e, body.error == ERR_TRUNCATED ? ERR_LIMIT : body.error,
                       "inputs of the probes are longer than %zu bytes", body.max);
    }
    uint32_t id = l->next_id++;
    struct launcher_head head = {.verb = LAUNCHER_START,
                                 .id = id,
                                 .body_n = (uint32_t)body.len,
                                 .deadline_ms = rq->deadline_ms};
    int rc = send_message(l, head, &body, result_fd, e);
    if (rc == 0) {
        *ret_id = id;
    }
    return rc;
}

void launcher_kill(struct launcher *l, uint32_t id)
{
    struct launcher_head head = {.verb = LAUNCHER_KILL, .id = id};
    struct err ignored; /* a launcher that is gone has taken its children with it */
    if (send_message(l, head, NULL, -1, &ignored) != 0) {
        return;
    }
}

int launcher_report(struct launcher *l, struct child_report *ret, struct err *e)
{
    /* A report is written in one piece and far smaller than a socket buffer, so it is read whole.
     */
    ssize_t n = recv(l->sock_fd, ret, sizeof(*ret), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (n != (ssize_t)sizeof(*ret)) {
        return err_set(e, ERR_IO, "the launcher has ended");
    }
    l->cpu_us = ret->launcher_cpu_us;
    return 1;
}
