/* Inside the launcher: takes requests, forks children, enforces their deadlines, reaps them. Speaks
 * with its parent only, which it trusts; still reads no further than a message goes. */
#include "agent/scan/launcher.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/base/io.h"
#include "agent/base/timefmt.h"
#include "agent/scan/bytes.h"
#include "agent/scan/ctx.h"
#include "agent/scan/filter.h"
#include "agent/scan/user.h"

#define KILL_GRACE_US 300000 /* after SIGKILL; only an uninterruptible sleep outlasts it */
#define FILTERS_MAX 16U
#define GROUPS_MAX 32U
#define NO_PIDFD_POLL_MS 10
#define PASSWD_MAX ((size_t)4 << 20)

struct live_child {
    uint32_t id; /* 0 = free */
    pid_t pid;
    int pid_fd; /* -1 where the kernel or a container's filter refuses it */
    int64_t deadline_us;
    bool killed, left;
};

/* A filter and the groups it was made from. */
struct made_filter {
    const char *groups[GROUPS_MAX];
    size_t n;
    struct filter f;
};

/* A request's bytes in pages of their own: unmapped once the child is forked, so that no later
 * child finds another's inputs in its heap. */
struct body {
    uint8_t *p;
    size_t n;
};

struct loop {
    int sock_fd;
    const struct probe *const *probes;
    size_t n_probes;
    struct child_user user;
    int root_fd;
    struct body host;
    struct live_child children[LAUNCHER_CHILDREN_MAX];
    struct made_filter filters[FILTERS_MAX];
    size_t n_filters;
};

static void body_free(struct body *b)
{
    if (b->p != NULL) {
        (void)munmap(b->p, b->n);
    }
    *b = (struct body){.p = NULL, .n = 0};
}

static struct child_user own_user(void)
{
    CLEANUP(str) struct str passwd = STR_INIT(PASSWD_MAX);
    struct err e;
    if (io_read_file("/etc/passwd", PASSWD_MAX, &passwd, &e) != 0) {
        return child_user_find("");
    }
    return child_user_find(str_text(&passwd));
}

/* False if the parent closes or dies in the middle. */
static bool read_whole(int fd, void *out, size_t n)
{
    uint8_t *p = out;
    while (n > 0) {
        ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        p += got;
        n -= (size_t)got;
    }
    return true;
}

/* The head, and the descriptor that came with it or -1. */
static bool read_head(int sock_fd, struct launcher_head *head, int *ret_fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = head, .iov_len = sizeof(*head)};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof(control.space)};
    *ret_fd = -1;
    ssize_t n = recvmsg(sock_fd, &msg, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    if (n != (ssize_t)sizeof(*head)) {
        return false;
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    }
    return true;
}

/* The length is the parent's word; the ceiling keeps a mistake of ours from taking the memory. */
static bool read_body(int sock_fd, size_t n, struct body *ret)
{
    if (n == 0 || n > LAUNCHER_BODY_MAX) {
        return false;
    }
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return false;
    }
    *ret = (struct body){.p = p, .n = n};
    if (!read_whole(sock_fd, p, n)) {
        body_free(ret);
        return false;
    }
    return true;
}

/* --- filters --- */

static void add_group(struct made_filter *m, const char *group)
{
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->groups[i], group) == 0) {
            return;
        }
    }
    if (m->n < GROUPS_MAX) {
        m->groups[m->n++] = group;
    }
}

static void groups_of(const struct child_job *job, struct made_filter *m)
{
    m->n = 0;
    add_group(m, SYSCALLS_BASE);
    for (size_t i = 0; i < job->n_probes; i++) {
        const struct probe *p = job->probes[i];
        for (const char *const *g = p->syscalls; g != NULL && *g != NULL; g++) {
            add_group(m, *g);
        }
        if (p->parse != NULL) {
            add_group(m, SYSCALLS_STEP_DOWN);
        }
        if (p->network == NETWORK_CLIENT) {
            add_group(m, "@net-client");
        }
    }
#ifdef TENKEN_SANITIZERS
    add_group(m, "@sanitizer");
#endif
}

static bool same_groups(const struct made_filter *a, const struct made_filter *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->groups[i], b->groups[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The filter for these groups, made once and kept. */
static int get_filter(struct loop *loop, const struct made_filter *want, const struct filter **ret,
                      struct err *e)
{
    for (size_t i = 0; i < loop->n_filters; i++) {
        if (same_groups(&loop->filters[i], want)) {
            *ret = &loop->filters[i].f;
            return 0;
        }
    }
    if (loop->n_filters == FILTERS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %u different filters", FILTERS_MAX);
    }
    struct made_filter *m = &loop->filters[loop->n_filters];
    *m = *want;
    int rc = filter_build(m->groups, m->n, &m->f, e);
    if (rc == 0) {
        loop->n_filters++;
        *ret = &m->f;
    }
    return rc;
}

/* One program to collect under, one, the same for all, to parse under. */
static int get_filters(struct loop *loop, struct child_job *job, struct err *e)
{
    struct made_filter want = {.n = 0};
    groups_of(job, &want);
    int rc = get_filter(loop, &want, &job->collect, e);
    if (rc != 0) {
        return rc;
    }
    want.n = 0;
    add_group(&want, SYSCALLS_PARSE);
#ifdef TENKEN_SANITIZERS
    add_group(&want, "@sanitizer");
#endif
    return get_filter(loop, &want, &job->parse, e);
}

/* --- children --- */

static void report(const struct loop *loop, struct child_report r)
{
    r.launcher_cpu_us = time_cpu_us(false);
    (void)send(loop->sock_fd, &r, sizeof(r), MSG_NOSIGNAL); /* gone parent: the loop ends next */
}

/* Children left behind keep their slot, so they count against the ceiling. */
static struct live_child *free_slot(struct loop *loop)
{
    for (size_t i = 0; i < LAUNCHER_CHILDREN_MAX; i++) {
        if (loop->children[i].id == 0) {
            return &loop->children[i];
        }
    }
    return NULL;
}

/* Texts of the request as they were sent, each with its final NUL. */
static const char *take_text(struct cursor *c)
{
    size_t n = 0;
    const char *p = take_bytes(c, &n);
    if (c->bad || n == 0 || p[n - 1] != '\0') {
        c->bad = true;
        return "";
    }
    return p;
}

/* The texts stay in the host message's pages: the child that is forked next inherits them. */
static void take_host(const struct loop *loop, struct child_job *job)
{
    struct cursor c = {.p = loop->host.p, .n = loop->host.n, .bad = false};
    job->live = take_u8(&c) != 0;
    job->sights = take_u32(&c);
    bool has = take_u8(&c) != 0;
    const char *text = take_bytes(&c, &job->capture_n);
    job->capture = has ? text : NULL;
    has = take_u8(&c) != 0;
    text = take_bytes(&c, &job->meta_n);
    job->meta = has ? text : NULL;
}

/* Memory of a job that outlives its decoding. */
struct job_lists {
    const struct probe *probes[CHILD_PROBES_MAX];
    uint64_t wanted[CHILD_PROBES_MAX];
    struct probe_input *inputs;
};

/* False if the request does not hold together. job points into lists and b afterwards. */
static bool take_start(const struct loop *loop, const struct body *b, struct job_lists *lists,
                       struct child_job *job)
{
    struct cursor c = {.p = b->p, .n = b->n, .bad = false};
    unsigned flags = take_u32(&c);
    job->confine_only = (flags & START_CONFINE_ONLY) != 0;
    job->require_landlock = (flags & START_REQUIRE_LANDLOCK) != 0;
    job->n_probes = take_u32(&c);
    if (job->n_probes == 0 || job->n_probes > CHILD_PROBES_MAX) {
        return false;
    }
    unsigned timeout_ms = 0;
    for (size_t i = 0; i < job->n_probes; i++) {
        uint32_t index = take_u32(&c);
        lists->wanted[i] = take_u64(&c);
        if (c.bad || index >= loop->n_probes) {
            return false;
        }
        lists->probes[i] = loop->probes[index];
        timeout_ms += lists->probes[i]->timeout_ms;
    }
    job->cpu_limit_s = timeout_ms / 1000 + 1;
    job->n_inputs = take_u32(&c);
    if (c.bad || job->n_inputs > c.n / 8) { /* each takes two lengths at least */
        return false;
    }
    lists->inputs = calloc(job->n_inputs + 1, sizeof(*lists->inputs));
    for (size_t i = 0; lists->inputs != NULL && i < job->n_inputs; i++) {
        lists->inputs[i].kind = take_text(&c);
        lists->inputs[i].value = take_text(&c);
    }
    job->probes = lists->probes;
    job->wanted = lists->wanted;
    job->inputs = lists->inputs;
    return lists->inputs != NULL && !c.bad;
}

/* No child can be started: what it would have said is said here. */
static void refuse(const struct loop *loop, uint32_t id, int result_fd, const struct err *e)
{
    CLEANUP(str) struct str frame = STR_INIT(4096);
    char reason[ERR_MSG_MAX + 16];
    (void)snprintf(reason, sizeof(reason), "sandbox: %s", e->msg);
    wire_unconfined(&frame, reason);
    struct err ignored;
    bool is_told = result_fd >= 0 && io_write_all(result_fd, frame.data, frame.len, &ignored) == 0;
    (void)is_told; /* if not: without a layers frame it counts as unconfined all the same */
    report(loop, (struct child_report){.id = id, .end = CHILD_ENDED});
}

/* Forks one child. Its filters are made here, before the fork, and only once for each privilege. */
static int start_child(struct loop *loop, const struct launcher_head *head, struct child_job *job,
                       struct err *e)
{
    struct live_child *slot = free_slot(loop);
    if (slot == NULL) {
        return err_set(e, ERR_LIMIT, "more than %u children", LAUNCHER_CHILDREN_MAX);
    }
    int rc = get_filters(loop, job, e);
    if (rc != 0) {
        return rc;
    }
    job->launcher_pid = getpid();
    job->user = loop->user;
    job->root_fd = loop->root_fd;
    pid_t pid = fork();
    if (pid == 0) {
        child_main(job);
    }
    if (pid < 0) {
        return err_errno(e, "fork");
    }
    *slot =
        (struct live_child){.id = head->id,
                            .pid = pid,
                            .pid_fd = (int)syscall(SYS_pidfd_open, pid, 0U),
                            .deadline_us = time_monotonic_us() + (int64_t)head->deadline_ms * 1000};
    return 0;
}

static void on_start(struct loop *loop, const struct launcher_head *head, struct body *b,
                     int result_fd)
{
    struct err e = {.code = 0};
    struct job_lists lists = {.inputs = NULL};
    struct child_job job = {.result_fd = result_fd};
    take_host(loop, &job);
    int rc = 0;
    if (result_fd < 0 || loop->root_fd < 0 || !take_start(loop, b, &lists, &job)) {
        rc = err_set(&e, ERR_INTERNAL, "the request could not be read");
    } else {
        rc = start_child(loop, head, &job, &e);
    }
    if (rc != 0) {
        refuse(loop, head->id, result_fd, &e);
    }
    free(lists.inputs);
}

/* From now on the deadline is the one for giving up on it. */
static void kill_child(struct live_child *c)
{
    if (c->id != 0 && !c->killed) {
        (void)kill(c->pid, SIGKILL);
        c->killed = true;
        c->deadline_us = time_monotonic_us() + KILL_GRACE_US;
    }
}

/* False when the parent is gone, or what it sends makes no sense. */
static bool on_message(struct loop *loop)
{
    struct launcher_head head;
    CLEANUP(fd) int fd = -1;
    struct body b = {.p = NULL, .n = 0};
    if (!read_head(loop->sock_fd, &head, &fd)) {
        return false;
    }
    if (head.verb == LAUNCHER_KILL) {
        for (size_t i = 0; i < LAUNCHER_CHILDREN_MAX; i++) {
            if (loop->children[i].id == head.id) {
                kill_child(&loop->children[i]);
            }
        }
        return true;
    }
    if (!read_body(loop->sock_fd, head.body_n, &b)) {
        return false;
    }
    if (head.verb == LAUNCHER_HOST) {
        body_free(&loop->host);
        loop->host = b;
        if (loop->root_fd >= 0) {
            (void)close(loop->root_fd);
        }
        loop->root_fd = TAKE_FD(fd);
        return true;
    }
    on_start(loop, &head, &b, fd);
    body_free(&b);
    return true;
}

/* Frees the slot; a left child that ended after all comes here too. */
static void forget(struct live_child *c)
{
    if (c->pid_fd >= 0) {
        (void)close(c->pid_fd);
    }
    *c = (struct live_child){.id = 0};
}

/* wait4 gives what getrusage cannot: the CPU time of this one child. */
static void reap(struct loop *loop, struct live_child *c)
{
    int status = 0;
    struct rusage used;
    memset(&used, 0, sizeof(used));
    if (wait4(c->pid, &status, WNOHANG, &used) != c->pid) {
        return;
    }
    if (!c->left) { /* else the parent has been told, and no longer waits */
        struct child_report r = {.id = c->id,
                                 .end = CHILD_ENDED,
                                 .status = status,
                                 .killed = c->killed,
                                 .cpu_us = (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) *
                                               1000000 +
                                           used.ru_utime.tv_usec + used.ru_stime.tv_usec};
        report(loop, r);
    }
    forget(c);
}

/* The parent keeps each probe's time; this is the second line, for the child as a whole. */
static void check_deadline(struct loop *loop, struct live_child *c)
{
    if (c->left || time_monotonic_us() < c->deadline_us) {
        return;
    }
    if (!c->killed) {
        kill_child(c);
        return;
    }
    c->left = true;
    report(loop, (struct child_report){.id = c->id, .end = CHILD_LEFT_BEHIND, .killed = 1});
}

/* -1, for ever, if no child has a deadline. */
static int poll_timeout_ms(const struct loop *loop)
{
    int64_t best_ms = -1;
    int64_t now_us = time_monotonic_us();
    for (size_t i = 0; i < LAUNCHER_CHILDREN_MAX; i++) {
        const struct live_child *c = &loop->children[i];
        if (c->id == 0) {
            continue;
        }
        int64_t left_ms = c->pid_fd < 0 ? NO_PIDFD_POLL_MS : INT32_MAX;
        if (!c->left) {
            int64_t until_ms = c->deadline_us > now_us ? (c->deadline_us - now_us) / 1000 + 1 : 0;
            left_ms = until_ms < left_ms ? until_ms : left_ms;
        }
        best_ms = best_ms < 0 || left_ms < best_ms ? left_ms : best_ms;
    }
    return (int)best_ms;
}

/* The parent is gone: take everything down. A child in an uninterruptible sleep has its SIGKILL
 * pending and is init's to reap. */
static NO_RETURN void end_loop(struct loop *loop)
{
    int64_t until_us = time_monotonic_us() + KILL_GRACE_US;
    bool any = true;
    while (any && time_monotonic_us() < until_us) {
        any = false;
        for (size_t i = 0; i < LAUNCHER_CHILDREN_MAX; i++) {
            struct live_child *c = &loop->children[i];
            if (c->id == 0 || c->left) {
                continue;
            }
            kill_child(c);
            if (waitpid(c->pid, NULL, WNOHANG) == c->pid) {
                forget(c);
            } else {
                any = true;
            }
        }
        if (any) {
            (void)poll(NULL, 0, 1);
        }
    }
    _exit(EXIT_SUCCESS);
}

void launcher_loop(int sock_fd, const struct probe *const *probes, size_t n_probes)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        _exit(EXIT_FAILURE);
    }
    loop->sock_fd = sock_fd;
    loop->probes = probes;
    loop->n_probes = n_probes;
    loop->root_fd = -1;
    loop->user = own_user();
    for (;;) {
        struct pollfd fds[LAUNCHER_CHILDREN_MAX + 1];
        fds[0] = (struct pollfd){.fd = sock_fd, .events = POLLIN};
        for (size_t i = 0; i < LAUNCHER_CHILDREN_MAX; i++) {
            const struct live_child *c = &loop->children[i];
            fds[i + 1] = (struct pollfd){.fd = c->id != 0 ? c->pid_fd : -1, .events = POLLIN};
        }
        int n = poll(fds, LAUNCHER_CHILDREN_MAX + 1, poll_timeout_ms(loop));
        if (n < 0 && errno != EINTR) {
            end_loop(loop);
        }
        for (size_t i = 0; i < LAUNCHER_CHILDREN_MAX; i++) {
            if (loop->children[i].id != 0) {
                reap(loop, &loop->children[i]);
            }
            if (loop->children[i].id != 0) {
                check_deadline(loop, &loop->children[i]);
            }
        }
        if (n > 0 && fds[0].revents != 0 && !on_message(loop)) {
            end_loop(loop);
        }
    }
}
