/* The life of a confined child. child_confine is one straight function: each step either holds or
 * ends the confinement with an error, and nothing of a probe runs before the last one. The order is
 * argued in the comments of the steps. */
#include "agent/scan/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/timefmt.h"
#include "agent/scan/ctx.h"
#include "agent/scan/filter.h"
#include "agent/scan/landlock.h"

#define SCRATCH_FD 10 /* above the numbers that are given out */

/* --- steps --- */

/* Dies with the launcher. The signal is forgotten whenever credentials change (commit_creds), so
 * this is called again after those steps. */
static int step_parent_death(const struct child_job *job, struct err *e)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return err_errno(e, "parent-death signal");
    }
    if (getppid() != job->launcher_pid) { /* it died before the signal was asked for */
        return err_set(e, ERR_IO, "the launcher is gone");
    }
    return 0;
}

int child_close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0) {
        return 0;
    }
    if (errno != ENOSYS && errno != EPERM) { /* EPERM: container filters of before Linux 5.9 */
        return -1;
    }
#endif
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return -1;
    }
    for (rlim_t fd = (rlim_t)first; fd < limit.rlim_cur && fd < 65536; fd++) {
        (void)close((int)fd);
    }
    return 0;
}

/* 3 = result pipe, 4 = root directory, nothing else above the standard three. */
static int step_descriptors(const struct child_job *job, struct err *e)
{
    /* The given numbers may be the wanted ones the other way round: move both out of the way. */
    int result_fd = fcntl(job->result_fd, F_DUPFD_CLOEXEC, SCRATCH_FD);
    int root_fd = fcntl(job->root_fd, F_DUPFD_CLOEXEC, SCRATCH_FD);
    if (result_fd < 0 || root_fd < 0 || dup2(result_fd, CHILD_RESULT_FD) < 0 ||
        dup2(root_fd, CHILD_ROOT_FD) < 0 || child_close_from(CHILD_ROOT_FD + 1) != 0) {
        return err_errno(e, "descriptors");
    }
    return 0;
}

static int step_limits(const struct child_job *job, struct err *e)
{
    const struct {
        const char *name;
        int resource;
        rlim_t value;
    } limits[] = {
        {"CPU", RLIMIT_CPU, job->cpu_limit_s},
#ifndef TENKEN_SANITIZERS /* their shadow memory takes terabytes of address space */
        {"AS", RLIMIT_AS, CHILD_MEMORY_BYTES},
#endif
        {"NPROC", RLIMIT_NPROC, 0},
        {"CORE", RLIMIT_CORE, 0},
        {"FSIZE", RLIMIT_FSIZE, 0},
        {"NOFILE", RLIMIT_NOFILE, CHILD_FILES_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct rlimit old;
        if (getrlimit((__rlimit_resource_t)limits[i].resource, &old) != 0) {
            return err_errno(e, "limit %s", limits[i].name);
        }
        rlim_t value = old.rlim_max < limits[i].value ? old.rlim_max : limits[i].value;
        struct rlimit now = {.rlim_cur = value, .rlim_max = value};
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &now) != 0) {
            return err_errno(e, "limit %s", limits[i].name);
        }
    }
    return 0;
}

static int read_caps(uint64_t *ret_effective, uint64_t *ret_permitted, uint64_t *ret_inheritable)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof(data));
    if (capget(&head, data) != 0) {
        return -1;
    }
    *ret_effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    *ret_permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    *ret_inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
    return 0;
}

/* Exactly these, inheritable none, and read back: capset may give less than asked without a word
 * where a security module takes part. */
static int set_caps(uint64_t caps, struct err *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)caps, .permitted = (uint32_t)caps, .inheritable = 0},
        {.effective = (uint32_t)(caps >> 32),
         .permitted = (uint32_t)(caps >> 32),
         .inheritable = 0},
    };
    if (capset(&head, data) != 0) {
        return err_errno(e, "capabilities");
    }
    uint64_t effective = 0;
    uint64_t permitted = 0;
    uint64_t inheritable = 0;
    if (read_caps(&effective, &permitted, &inheritable) != 0 || effective != caps ||
        permitted != caps || inheritable != 0) {
        return err_set(e, ERR_IO, "capabilities: not those that were set");
    }
    return 0;
}

static int drop_bounding_set(struct err *e)
{
    for (int cap = 0; cap < 64; cap++) {
        int held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (held < 0) {
            break; /* past the last one that the kernel knows */
        }
        if (held == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            return err_errno(e, "bounding set");
        }
    }
    return 0;
}

/* Root gives up for good what being root means: the bounding set, uid 0's power over exec, ambient
 * capabilities. Done while CAP_SETPCAP is still there, that is before the uid is changed. */
static int step_root_powers(uint64_t keep, struct err *e)
{
    unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
                         SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                         SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (keep != 0) {
        bits |= SECBIT_KEEP_CAPS;
    }
    int rc = drop_bounding_set(e);
    if (rc != 0) {
        return rc;
    }
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0 ||
        prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != (int)bits) {
        return err_errno(e, "securebits");
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
        return err_errno(e, "ambient capabilities");
    }
    return 0;
}

/* Groups first: without CAP_SETGID, which the change of user takes away, they could not be dropped.
 * All three ids, so that none is left to go back to; read back, and never 0. */
static int step_user(const struct child_user *user, struct err *e)
{
    if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0) {
        return err_errno(e, "user %u", (unsigned)user->uid);
    }
    uid_t uid[3];
    gid_t gid[3];
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0 ||
        getgroups(0, NULL) != 0) {
        return err_set(e, ERR_IO, "user: groups are left");
    }
    for (size_t i = 0; i < 3; i++) {
        if (uid[i] != user->uid || gid[i] != user->gid || uid[i] == 0) {
            return err_set(e, ERR_IO, "user: not the one that was set");
        }
    }
    return 0;
}

/* Not being able to gain privilege is what Landlock and seccomp build on. */
static int step_no_new_privs(struct err *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return err_errno(e, "no_new_privs");
    }
    return 0;
}

/* The same for every probe of the child (plan_same_privilege); or-ed so that nothing hangs on it.
 */
static uint64_t declared_caps(const struct child_job *job)
{
    uint64_t caps = 0;
    for (size_t i = 0; i < job->n_probes; i++) {
        caps |= job->probes[i]->caps;
    }
    return caps;
}

/* Puts on every layer. *ret_layers: enum layer bits of those that hold. Any error: the process must
 * run no probe. */
static int child_confine(const struct child_job *job, unsigned *ret_layers, struct err *e)
{
    unsigned layers = 0;
    int rc = step_limits(job, e);
    /* A declared capability that we do not hold ourselves (a container) cannot be given: the probe
     * meets EPERM and says denied. */
    uint64_t effective = 0;
    uint64_t permitted = 0;
    uint64_t inheritable = 0;
    if (rc == 0 && read_caps(&effective, &permitted, &inheritable) != 0) {
        rc = err_errno(e, "capabilities");
    }
    uint64_t caps = declared_caps(job) & permitted;
    bool is_root = geteuid() == 0;
    if (rc == 0 && is_root) {
        rc = step_root_powers(caps, e);
    }
    if (rc == 0 && is_root) {
        rc = step_user(&job->user, e);
        layers |= LAYER_UID | LAYER_CAPS; /* told only if the whole confinement succeeds */
    }
    if (rc == 0) {
        rc = set_caps(caps, e);
    }
    if (rc == 0) {
        rc = step_parent_death(job, e); /* again: the steps above made the kernel forget it */
    }
    if (rc == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        rc = err_errno(e, "dumpable"); /* siblings share the uid: no ptrace among them */
    }
    if (rc == 0) {
        rc = step_no_new_privs(e);
        layers |= LAYER_NNP;
    }
    bool has_landlock = false;
    /* A Landlock domain refuses every look at processes outside it, whatever its rules say. What is
     * asked of Landlock elsewhere (no file but the declared ones) the filter enforces here. */
    bool links_only = job->n_probes > 0 && job->probes[0]->proc_links;
    if (rc == 0 && !links_only) {
        rc = landlock_confine(CHILD_ROOT_FD, job->probes, job->n_probes, &has_landlock, e);
        layers |= has_landlock ? LAYER_LANDLOCK : 0;
    }
    if (rc == 0 && job->require_landlock && !has_landlock && !links_only) {
        rc = err_set(e, ERR_UNSUPPORTED, "landlock: required by the site, this kernel has none");
    }
    if (rc == 0 && filter_install(job->collect) != 0) {
        rc = err_errno(e, "seccomp");
    }
    *ret_layers = rc == 0 ? layers | LAYER_SECCOMP : 0;
    return rc;
}

/* --- life --- */

/* What a child keeps of one probe between run() and parse(). */
struct child_probe {
    struct probe_ctx ctx;
    void *state;
    bool paused;
    int64_t cpu_us, wall_us;
};

static NO_RETURN void end_unconfined(const char *step, const struct err *e)
{
    CLEANUP(str) struct str frame = STR_INIT(4096);
    char reason[ERR_MSG_MAX + 32];
    (void)snprintf(reason, sizeof(reason), "%s: %s", step, e->msg);
    wire_unconfined(&frame, reason);
    ctx_send(CHILD_RESULT_FD, &frame);
    _exit(EXIT_FAILURE);
}

/* time_cpu_us asks getrusage, which a filtered child cannot. */
static int64_t own_cpu_us(void)
{
    struct timespec t = {.tv_sec = 0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* States travel with the end, all at once: until then a table has none, and a crash cannot leave
 * one that looks final. */
static void send_end(struct child_probe *c, unsigned i)
{
    struct str *frame = &c->ctx.frame;
    str_clear(frame);
    for (unsigned t = 0; t < c->ctx.n_tables; t++) {
        if ((c->ctx.wanted >> t & 1U) != 0) {
            wire_state(frame, t, c->ctx.tables[t].state, c->ctx.tables[t].reason);
        }
    }
    wire_end(frame, i, c->cpu_us, c->wall_us);
    ctx_send(CHILD_RESULT_FD, frame);
}

/* Runs one phase of one probe and tells how it went. */
static void run_phase(struct child_probe *c, unsigned i, enum probe_phase phase)
{
    const struct probe *p = c->ctx.probe;
    str_clear(&c->ctx.frame);
    wire_begin(&c->ctx.frame, i, phase);
    ctx_send(CHILD_RESULT_FD, &c->ctx.frame);
    struct err e = {.code = 0};
    int64_t cpu_us = own_cpu_us();
    int64_t wall_us = time_monotonic_us();
    int rc = 0;
    if (phase == PHASE_RUN) {
        rc = p->run(&c->ctx, &c->state, &e);
        c->paused = rc == 0 && p->parse != NULL;
    } else {
        rc = p->parse(&c->ctx, c->state, &e);
        c->paused = false;
    }
    c->cpu_us += own_cpu_us() - cpu_us;
    c->wall_us += time_monotonic_us() - wall_us;
    if (c->paused) {
        str_clear(&c->ctx.frame);
        wire_pause(&c->ctx.frame, i);
        ctx_send(CHILD_RESULT_FD, &c->ctx.frame);
        return;
    }
    ctx_finish(&c->ctx, rc, &e);
    send_end(c, i);
}

/* From here on: no capability, no root directory, nothing that opens. */
static void step_down(const struct child_job *job)
{
    struct err e = {.code = 0};
    int rc = set_caps(0, &e);
    (void)close(CHILD_ROOT_FD);
    if (rc == 0 && filter_install(job->parse) != 0) {
        rc = err_errno(&e, "seccomp");
    }
    if (rc != 0) {
        end_unconfined("step down", &e);
    }
}

/* Everything that run() and parse() will need from the heap is made before the first of them. */
static int prepare(const struct child_job *job, const struct host *h, struct child_probe *list,
                   struct err *e)
{
    for (size_t i = 0; i < job->n_probes; i++) {
        int rc = ctx_init(&list[i].ctx, job->probes[i], h, job->wanted[i], job->inputs,
                          job->n_inputs, e);
        if (rc != 0) {
            return rc;
        }
        list[i].ctx.result_fd = CHILD_RESULT_FD;
    }
    return 0;
}

/* All run()s come before the step down, all parse()s after it: it is taken once for the child. */
static void run_probes(const struct child_job *job, struct child_probe *list)
{
    bool any_paused = false;
    for (unsigned i = 0; i < job->n_probes; i++) {
        run_phase(&list[i], i, PHASE_RUN);
        any_paused = any_paused || list[i].paused;
    }
    if (!any_paused) {
        return;
    }
    step_down(job);
    for (unsigned i = 0; i < job->n_probes; i++) {
        if (list[i].paused) {
            run_phase(&list[i], i, PHASE_PARSE);
        }
    }
}

void child_main(const struct child_job *job)
{
    struct err e = {.code = 0};
    unsigned layers = 0;
    if (step_parent_death(job, &e) != 0 || step_descriptors(job, &e) != 0) {
        _exit(EXIT_FAILURE); /* no pipe to tell it on; without a layers frame it is unconfined */
    }
    if (child_confine(job, &layers, &e) != 0) {
        end_unconfined("sandbox", &e);
    }
    struct str frame = STR_INIT(4096);
    wire_layers(&frame, layers);
    ctx_send(CHILD_RESULT_FD, &frame);
    if (!job->confine_only) {
        struct host *h = NULL;
        struct child_probe *list = calloc(job->n_probes + 1, sizeof(*list));
        if (list == NULL ||
            host_adopt(CHILD_ROOT_FD, job->live, job->sights, job->capture, job->capture_n,
                       job->meta, job->meta_n, &h, &e) != 0 ||
            prepare(job, h, list, &e) != 0) {
            _exit(EXIT_FAILURE); /* no done frame: crashed */
        }
        run_probes(job, list);
    }
    wire_done(&frame);
    ctx_send(CHILD_RESULT_FD, &frame);
    _exit(EXIT_SUCCESS); /* no exit handlers of the launcher's or the sanitizers' */
}
