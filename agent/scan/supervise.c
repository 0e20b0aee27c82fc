/* The parent's loop over its children. One probe's trouble ends one child; the probes that shared
 * it and had not finished run again in a new one, without the culprit. Each such round ends at
 * least one run, so it comes to an end. */
#include "agent/scan/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/timefmt.h"

#define WALL_DEFAULT_MS 10000U
#define PROBE_DEFAULT_MS 5000U
#define IDLE_US 3000000   /* for a child that runs no probe: it confines itself, or ends */
#define SLACK_MS 500U     /* the launcher's own deadline stands behind ours */
#define READ_BYTES 65536U /* what a pipe holds */
/* Rows come one write each. A short rest lets them gather instead of waking us for every one. */
#define GATHER_NS 200000

static unsigned probe_timeout_ms(const struct probe *p)
{
    return p->timeout_ms > 0 ? p->timeout_ms : PROBE_DEFAULT_MS;
}

/* --- starting --- */

static int make_pipe(int *ret_read_fd, int *ret_write_fd, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_errno(e, "pipe");
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) { /* our end only: the child's writes may wait */
        int rc = err_errno(e, "pipe");
        (void)close(ends[0]);
        (void)close(ends[1]);
        return rc;
    }
    *ret_read_fd = ends[0];
    *ret_write_fd = ends[1];
    return 0;
}

/* Bit i: the i-th table of the probe. */
static uint64_t wanted_mask(const struct probe_run *run)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < run->n_tables; i++) {
        mask |= run->tables[i]->wanted ? (uint64_t)1 << i : 0;
    }
    return mask;
}

/* The runs of the group that still wait, as a list of its own. */
static size_t waiting_runs(const struct plan_group *g, struct probe_run **out)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_runs && n < CHILD_PROBES_MAX; i++) {
        if (g->runs[i]->stage == RUN_WAITING) {
            out[n++] = g->runs[i];
        }
    }
    return n;
}

/* The deadline given to the launcher is the latest that ours can be, and a little more. */
static int request_child(struct supervisor *sv, struct child_watch *c, int result_fd, struct err *e)
{
    unsigned probes[CHILD_PROBES_MAX];
    uint64_t wanted[CHILD_PROBES_MAX];
    uint64_t deadline_ms = SLACK_MS;
    for (size_t i = 0; i < c->n_runs; i++) {
        probes[i] = c->runs[i]->index;
        wanted[i] = wanted_mask(c->runs[i]);
        deadline_ms += probe_timeout_ms(c->runs[i]->p);
    }
    uint64_t left_ms = SLACK_MS;
    int64_t now_us = time_monotonic_us();
    if (sv->stop_us > now_us) {
        left_ms += (uint64_t)(sv->stop_us - now_us) / 1000;
    }
    struct child_request rq = {.probes = probes,
                               .wanted = wanted,
                               .n_probes = c->n_runs,
                               .inputs = sv->rq->inputs,
                               .n_inputs = sv->rq->n_inputs,
                               .require_landlock = sv->rq->require_landlock,
                               .deadline_ms =
                                   (unsigned)(deadline_ms < left_ms ? deadline_ms : left_ms)};
    return launcher_start_child(sv->l, &rq, result_fd, &c->id, e);
}

/* On success the watch is active and owns its list of runs and its end of the pipe. */
static int start_group(struct supervisor *sv, struct child_watch *c, size_t group, struct err *e)
{
    const struct plan_group *g = &sv->plan->groups[group];
    CLEANUP(fd) int read_fd = -1;
    CLEANUP(fd) int write_fd = -1;
    *c = (struct child_watch){.group = group,
                              .runs = calloc(g->n_runs, sizeof(struct probe_run *)),
                              .seen_current = -1,
                              .since_us = time_monotonic_us(),
                              .kill_state = STATE_NOT_RUN};
    if (c->runs == NULL) {
        return err_nomem(e);
    }
    c->n_runs = waiting_runs(g, c->runs);
    int rc = make_pipe(&read_fd, &write_fd, e);
    if (rc == 0) {
        rc = request_child(sv, c, write_fd, e);
    }
    if (rc != 0) {
        free(TAKE_PTR(c->runs));
        return rc;
    }
    receiver_init(&c->rx, c->runs, c->n_runs);
    c->pipe_fd = TAKE_FD(read_fd);
    c->active = true;
    return 0;
}

/* One child a group at a time: the next round must know who is to blame for this one. */
static bool group_is_active(const struct supervisor *sv, size_t group)
{
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        if (sv->children[i].active && sv->children[i].group == group) {
            return true;
        }
    }
    return false;
}

static struct child_watch *free_watch(struct supervisor *sv)
{
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        if (!sv->children[i].active) {
            return &sv->children[i];
        }
    }
    return NULL;
}

/* For runs that will get no child. */
static void fail_waiting(const struct plan_group *g, enum fact_state state, const char *reason)
{
    for (size_t i = 0; i < g->n_runs; i++) {
        if (g->runs[i]->stage == RUN_WAITING) {
            run_fail(g->runs[i], state, reason);
        }
    }
}

/* Starts a child for every group that waits, as far as there is room. *ret_started counts up. */
static void start_waiting(struct supervisor *sv, size_t *ret_started, struct err *e)
{
    for (size_t i = 0; i < sv->plan->n_groups; i++) {
        struct probe_run *runs[CHILD_PROBES_MAX];
        struct child_watch *c = free_watch(sv);
        if (c == NULL || group_is_active(sv, i) || waiting_runs(&sv->plan->groups[i], runs) == 0) {
            continue;
        }
        if (start_group(sv, c, i, e) == 0) {
            (*ret_started)++;
            continue;
        }
        char reason[FACT_REASON_MAX];
        (void)snprintf(reason, sizeof(reason), "sandbox: %.200s", e->msg);
        fail_waiting(&sv->plan->groups[i], STATE_UNCONFINED, reason);
    }
}

/* --- watching --- */

static void kill_child(struct supervisor *sv, struct child_watch *c, enum fact_state state,
                       const char *reason)
{
    if (c->kill_state == STATE_NOT_RUN) {
        c->kill_state = state;
        reason_copy(c->kill_reason, reason);
        launcher_kill(sv->l, c->id);
    }
}

/* Notes when another probe, or another phase, has begun since the last look. */
static void note_progress(struct child_watch *c)
{
    if (c->rx.current == c->seen_current && c->rx.phase == c->seen_phase) {
        return;
    }
    int64_t now_us = time_monotonic_us();
    if (c->seen_current >= 0) {
        c->runs[c->seen_current]->spent_us += now_us - c->since_us;
    }
    c->seen_current = c->rx.current;
    c->seen_phase = c->rx.phase;
    c->since_us = now_us;
}

/* Takes what the pipe holds. After a judgement it only empties it, so that the child can die. */
static void drain(struct supervisor *sv, struct child_watch *c)
{
    char bytes[READ_BYTES];
    struct err e = {.code = 0};
    while (!c->eof) {
        ssize_t n = read(c->pipe_fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n <= 0) {
            c->eof = true;
            break;
        }
        if (c->kill_state != STATE_NOT_RUN) {
            continue; /* it was judged: what still comes is thrown away */
        }
        int rc = receiver_feed(&c->rx, bytes, (size_t)n, &e);
        note_progress(c);
        if (rc != 0) {
            char reason[FACT_REASON_MAX];
            (void)snprintf(reason, sizeof(reason), "%s: %.200s", err_word(rc), e.msg);
            kill_child(sv, c, rc == ERR_LIMIT ? STATE_TRUNCATED : STATE_MALFORMED, reason);
        }
        if ((size_t)n < sizeof(bytes)) {
            break;
        }
    }
}

/* The time of the running probe, less what its earlier phase took. */
static int64_t child_deadline_us(const struct child_watch *c)
{
    if (c->kill_state != STATE_NOT_RUN) {
        return INT64_MAX; /* the launcher reports on it */
    }
    if (c->rx.current < 0) {
        return c->since_us + IDLE_US;
    }
    const struct probe_run *run = c->runs[c->rx.current];
    return c->since_us + (int64_t)probe_timeout_ms(run->p) * 1000 - run->spent_us;
}

static void check_deadline(struct supervisor *sv, struct child_watch *c)
{
    if (time_monotonic_us() < child_deadline_us(c)) {
        return;
    }
    drain(sv, c); /* perhaps it has just finished */
    if (time_monotonic_us() < child_deadline_us(c)) {
        return;
    }
    const struct probe_run *run = receiver_blame(&c->rx);
    char reason[FACT_REASON_MAX];
    (void)snprintf(reason, sizeof(reason), "timeout: not finished after %u ms",
                   run != NULL ? probe_timeout_ms(run->p) : IDLE_US / 1000U);
    kill_child(sv, c, STATE_TIMEOUT, reason);
}

/* The scan's own limit: nothing new is started after it. */
static void stop_all(struct supervisor *sv)
{
    char reason[FACT_REASON_MAX];
    (void)snprintf(reason, sizeof(reason), "wall: the scan's limit of %u ms", sv->wall_limit_ms);
    sv->stopped = true;
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        if (sv->children[i].active) {
            kill_child(sv, &sv->children[i], STATE_TIMEOUT, reason);
        }
    }
    for (size_t i = 0; i < sv->plan->n_groups; i++) {
        /* Those of an active child fail with it. */
        if (!group_is_active(sv, i)) {
            fail_waiting(&sv->plan->groups[i], STATE_TIMEOUT, reason);
        }
    }
}

/* Reports on children of an earlier scan, left behind and dead by now, only count as CPU time. */
static void take_reports(struct supervisor *sv)
{
    struct child_report r;
    struct err e;
    int rc = 0;
    while ((rc = launcher_report(sv->l, &r, &e)) == 1) {
        sv->children_cpu_us += r.cpu_us;
        for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
            struct child_watch *c = &sv->children[i];
            if (c->active && c->id == r.id) { /* others: left behind by an earlier scan */
                c->report = r;
                c->ended = true;
            }
        }
    }
    sv->launcher_gone = sv->launcher_gone || rc < 0;
}

/* --- ending --- */

static const char *signal_word(int sig)
{
    static const struct {
        int sig;
        const char *word;
    } words[] = {{SIGSYS, "SIGSYS, a system call that it did not declare"},
                 {SIGSEGV, "SIGSEGV"},
                 {SIGBUS, "SIGBUS"},
                 {SIGFPE, "SIGFPE"},
                 {SIGILL, "SIGILL"},
                 {SIGABRT, "SIGABRT"},
                 {SIGXFSZ, "SIGXFSZ, it wrote to a file"},
                 {SIGXCPU, "SIGXCPU, its CPU time was used up"},
                 {SIGKILL, "SIGKILL, its CPU time was used up, or memory was short"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].sig == sig) {
            return words[i].word;
        }
    }
    return "a signal";
}

/* What the end of the child says about the run to blame. */
static enum fact_state state_of_end(const struct supervisor *sv, const struct child_watch *c,
                                    char reason[FACT_REASON_MAX])
{
    if (c->ended && c->report.end == CHILD_LEFT_BEHIND) {
        (void)snprintf(reason, FACT_REASON_MAX,
                       "timeout: left behind in an uninterruptible sleep (a dead mount or disk)");
        return STATE_TIMEOUT;
    }
    if (c->kill_state != STATE_NOT_RUN) {
        reason_copy(reason, c->kill_reason);
        return c->kill_state;
    }
    if (c->ended && c->report.killed != 0) {
        (void)snprintf(reason, FACT_REASON_MAX, "timeout: killed at the child's deadline");
        return STATE_TIMEOUT;
    }
    if (!c->ended) {
        (void)snprintf(reason, FACT_REASON_MAX, "crashed: %s",
                       sv->launcher_gone ? "the launcher has ended" : "no word of its end");
    } else if (WIFSIGNALED(c->report.status)) {
        (void)snprintf(reason, FACT_REASON_MAX, "crashed: %s",
                       signal_word(WTERMSIG(c->report.status)));
    } else {
        (void)snprintf(reason, FACT_REASON_MAX, "crashed: ended before it had finished");
    }
    return STATE_CRASHED;
}

/* The child's CPU time by wait4 is the truth; what its probes claimed only divides it. */
static void divide_cpu(const struct child_watch *c)
{
    int64_t left_us = c->ended ? c->report.cpu_us : 0;
    for (size_t i = 0; i < c->n_runs; i++) {
        struct probe_run *run = c->runs[i];
        if (run->stage == RUN_ENDED) {
            run->cpu_us = run->cpu_us < left_us ? run->cpu_us : left_us;
            left_us -= run->cpu_us;
        }
    }
    struct probe_run *rest = receiver_blame(&c->rx);
    if (rest == NULL) {
        rest = c->runs[0];
    }
    rest->cpu_us += left_us; /* fork and confinement, or the probe that did not finish */
}

/* Judges the runs of a child that is no more: those that finished stand; the culprit fails; the
 * others run again, unless the child was never confined or time is up. */
static void settle(struct supervisor *sv, struct child_watch *c)
{
    char reason[FACT_REASON_MAX];
    enum fact_state state = state_of_end(sv, c, reason);
    divide_cpu(c);
    bool all = sv->stopped || sv->launcher_gone;
    if (c->rx.unconfined[0] != '\0') {
        state = STATE_UNCONFINED;
        reason_copy(reason, c->rx.unconfined);
        all = true;
    } else if (!c->rx.confined && c->kill_state == STATE_NOT_RUN) {
        state = STATE_UNCONFINED;
        reason_copy(reason, "sandbox: the child ended before it was confined");
        all = true;
    }
    struct probe_run *culprit = receiver_blame(&c->rx);
    for (size_t i = 0; i < c->n_runs; i++) {
        struct probe_run *run = c->runs[i];
        if (run->stage == RUN_ENDED) {
            continue;
        }
        if (state == STATE_UNCONFINED) {
            run->layers = 0;
        }
        if (all || run == culprit) {
            run_fail(run, state, reason);
        } else {
            run_reset(run);
        }
    }
    (void)close(c->pipe_fd);
    receiver_done(&c->rx);
    free(c->runs);
    c->active = false;
}

/* After the last moment children are settled without a report: they are then left behind. */
static void settle_ended(struct supervisor *sv)
{
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        struct child_watch *c = &sv->children[i];
        if (!c->active) {
            continue;
        }
        bool is_last = sv->launcher_gone || time_monotonic_us() >= sv->end_us;
        if (c->ended || is_last) {
            drain(sv, c); /* what it wrote before its end */
            note_progress(c);
            settle(sv, c);
        }
    }
}

/* --- the loop --- */

static size_t count_active(const struct supervisor *sv)
{
    size_t n = 0;
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        n += sv->children[i].active;
    }
    return n;
}

/* Until the nearest deadline. */
static int wait_ms(const struct supervisor *sv)
{
    int64_t until_us = sv->stopped ? sv->end_us : sv->stop_us;
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        if (sv->children[i].active) {
            int64_t deadline_us = child_deadline_us(&sv->children[i]);
            until_us = deadline_us < until_us ? deadline_us : until_us;
        }
    }
    int64_t now_us = time_monotonic_us();
    return until_us > now_us ? (int)((until_us - now_us) / 1000 + 1) : 0;
}

/* Waits for bytes, reports or a deadline, and handles them. */
static void turn(struct supervisor *sv)
{
    struct pollfd fds[PLAN_CHILDREN_MAX + 1];
    fds[0] = (struct pollfd){.fd = sv->l->sock_fd, .events = POLLIN};
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        const struct child_watch *c = &sv->children[i];
        fds[i + 1] =
            (struct pollfd){.fd = c->active && !c->eof ? c->pipe_fd : -1, .events = POLLIN};
    }
    int n = poll(fds, PLAN_CHILDREN_MAX + 1, wait_ms(sv));
    bool got_bytes = false;
    for (size_t i = 0; n > 0 && i < PLAN_CHILDREN_MAX; i++) {
        if (fds[i + 1].revents != 0) {
            drain(sv, &sv->children[i]);
            got_bytes = got_bytes || !sv->children[i].eof;
        }
    }
    if (n > 0 && fds[0].revents != 0) {
        take_reports(sv);
    }
    for (size_t i = 0; i < PLAN_CHILDREN_MAX; i++) {
        if (sv->children[i].active) {
            check_deadline(sv, &sv->children[i]);
        }
    }
    if (!sv->stopped && time_monotonic_us() >= sv->stop_us) {
        stop_all(sv);
    }
    settle_ended(sv);
    if (got_bytes && count_active(sv) > 0) {
        const struct timespec rest = {.tv_sec = 0, .tv_nsec = GATHER_NS};
        (void)nanosleep(&rest, NULL);
    }
}

int supervise(struct supervisor *sv, struct err *e)
{
    sv->wall_limit_ms = sv->rq->wall_limit_ms > 0 ? sv->rq->wall_limit_ms : WALL_DEFAULT_MS;
    /* Killing and reaping takes a moment that belongs to the limit. */
    int64_t reserve_ms = sv->wall_limit_ms / 4 < SLACK_MS ? sv->wall_limit_ms / 4 : SLACK_MS;
    sv->start_us = time_monotonic_us();
    sv->end_us = sv->start_us + (int64_t)sv->wall_limit_ms * 1000;
    sv->stop_us = sv->end_us - reserve_ms * 1000;
    int rc = launcher_set_host(sv->l, sv->rq->host, e);
    if (rc != 0) {
        return rc;
    }
    size_t started = 0;
    start_waiting(sv, &started, e);
    if (started == 0 && sv->plan->n_groups > 0) {
        return e->code != 0 ? e->code : err_set(e, ERR_IO, "no child could be started");
    }
    while (count_active(sv) > 0) {
        turn(sv);
        if (!sv->stopped && !sv->launcher_gone) {
            start_waiting(sv, &started, e);
        }
    }
    if (sv->launcher_gone) {
        for (size_t i = 0; i < sv->plan->n_groups; i++) {
            fail_waiting(&sv->plan->groups[i], STATE_CRASHED, "crashed: the launcher has ended");
        }
    }
    return 0;
}
