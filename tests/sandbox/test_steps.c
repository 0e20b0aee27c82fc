/* Each step of the confinement that does not hold must keep the probe from running: the step is
 * made to fail, or to claim success without effect, by a filter of the kernel's in front of the
 * launcher. The same means stands in for kernels that lack what is optional. */
#include <errno.h>
#include <linux/securebits.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/scan/launcher.h"
#include "agent/scan/scan.h"

#define LIES 0 /* the call answers 0 and does nothing */

static const struct column columns[] = {{"word", COL_TEXT, "", COL_KEY, NULL, "a word"}};
static const struct table table_ran = {.name = "ran",
                                       .doc = "a row if the probe ran",
                                       .source = "none",
                                       .kind = TABLE_FACTS,
                                       .columns = columns,
                                       .n_columns = ARRAY_LEN(columns)};

static int run_ran(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e UNUSED)
{
    row_begin(ctx, &table_ran);
    row_text(ctx, 0, "it ran");
    row_end(ctx);
    return 0;
}

static int run_gather(struct probe_ctx *ctx UNUSED, void **ret_state, struct err *e UNUSED)
{
    *ret_state = NULL;
    return 0;
}

static int parse_ran(struct probe_ctx *ctx, void *state, struct err *e)
{
    return run_ran(ctx, &state, e);
}

static const struct probe probe_ran = {.name = "ran",
                                       .doc = "in one phase",
                                       .source = "none",
                                       .tables = PROBE_TABLES(&table_ran),
                                       .reads = PROBE_LIST("/etc"),
                                       .syscalls = PROBE_LIST("@file-read"),
                                       .timeout_ms = 8000,
                                       .run = run_ran};
static const struct probe probe_ran_later = {.name = "ran_later",
                                             .doc = "in two phases",
                                             .source = "none",
                                             .tables = PROBE_TABLES(&table_ran),
                                             .reads = PROBE_LIST("/etc"),
                                             .syscalls = PROBE_LIST("@file-read"),
                                             .timeout_ms = 8000,
                                             .run = run_gather,
                                             .parse = parse_ran};

static int run_forever(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    for (volatile bool on = true; on;) {
    }
    return run_ran(ctx, ret_state, e);
}

static const struct probe probe_forever = {.name = "forever",
                                           .doc = "never ends",
                                           .source = "none",
                                           .tables = PROBE_TABLES(&table_ran),
                                           .reads = PROBE_LIST("/etc"),
                                           .syscalls = PROBE_LIST("@file-read"),
                                           .timeout_ms = 100,
                                           .run = run_forever};

struct obstacle {
    const char *call;
    int arg; /* -1: whatever the first argument is */
    int answer;
};

struct step {
    struct obstacle obstacles[4];
    const struct probe *p;
    bool needs_root, require_landlock;
    enum fact_state want;
    const char *lacks; /* a layer that must not be told, NULL if any may */
    const char *why;
    const char *reason; /* somewhere in the table's reason; NULL if it does not matter */
};

static const struct step steps[] = {
    {.p = &probe_ran, .want = STATE_COMPLETE, .why = "nothing in the way"},
    {.p = &probe_ran_later, .want = STATE_COMPLETE, .why = "nor in two phases"},
    {.obstacles = {{"setgroups", -1, EPERM}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "groups kept",
     .needs_root = true},
    {.obstacles = {{"setresgid", -1, EPERM}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "group kept",
     .needs_root = true},
    {.obstacles = {{"setresuid", -1, EINVAL}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "a user namespace that does not map the user",
     .needs_root = true},
    {.obstacles = {{"setresuid", -1, LIES}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "still root",
     .needs_root = true},
    {.obstacles = {{"setresgid", -1, LIES}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "still group 0",
     .needs_root = true},
    {.obstacles = {{"capset", -1, EPERM}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "caps refused"},
    {.obstacles = {{"setresuid", -1, LIES}, {"capset", -1, LIES}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "still everything",
     .needs_root = true},
    {.obstacles = {{"prctl", PR_CAPBSET_DROP, EPERM}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "bounding set",
     .needs_root = true},
    {.obstacles = {{"prctl", PR_SET_SECUREBITS, LIES}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "securebits",
     .needs_root = true},
    {.obstacles = {{"prctl", PR_SET_NO_NEW_PRIVS, EINVAL}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "no_new_privs refused"},
    {.obstacles = {{"prctl", PR_SET_DUMPABLE, EINVAL}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "open to ptrace"},
    {.obstacles = {{"prctl", PR_SET_PDEATHSIG, EINVAL}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "would outlive its launcher; the launcher itself refuses already"},
    {.obstacles = {{"prlimit64", -1, EPERM}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "limits"},
    {.obstacles = {{"seccomp", -1, ENOSYS}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "no seccomp"},
    {.obstacles = {{"seccomp", -1, ENOSYS}},
     .p = &probe_ran_later,
     .want = STATE_UNCONFINED,
     .why = "no seccomp, two phases"},
    {.obstacles = {{"landlock_restrict_self", -1, EPERM}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "the kernel has Landlock, and it fails"},
    {.obstacles = {{"landlock_create_ruleset", -1, ENOSYS}},
     .p = &probe_ran,
     .want = STATE_COMPLETE,
     .why = "a kernel without Landlock",
     .lacks = "landlock"},
    {.obstacles = {{"landlock_create_ruleset", -1, EOPNOTSUPP}},
     .p = &probe_ran,
     .want = STATE_UNCONFINED,
     .why = "the site insists on Landlock",
     .require_landlock = true,
     .lacks = "landlock"},
    {.obstacles = {{"close_range", -1, ENOSYS}, {"pidfd_open", -1, ENOSYS}},
     .p = &probe_ran,
     .want = STATE_COMPLETE,
     .why = "a kernel before 5.9, or a container's filter"},
    {.obstacles = {{"close_range", -1, EPERM}, {"pidfd_open", -1, EPERM}},
     .p = &probe_ran_later,
     .want = STATE_COMPLETE,
     .why = "a container's filter that says EPERM"},
    {.obstacles = {{"kill", -1, LIES}},
     .p = &probe_forever,
     .want = STATE_TIMEOUT,
     .why = "a child that SIGKILL does not end, as in an uninterruptible sleep",
     .reason = "left behind"},
};

/* Puts the obstacles before this process and all that it starts. */
static int put_up(const struct step *s)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (ctx == NULL || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) != 0) {
        return -1;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(s->obstacles) && s->obstacles[i].call; i++) {
        const struct obstacle *o = &s->obstacles[i];
        int nr = seccomp_syscall_resolve_name(o->call);
        struct scmp_arg_cmp first = {
            .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)(o->arg < 0 ? 0 : o->arg)};
        rc = nr == __NR_SCMP_ERROR
                 ? -1
                 : seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint32_t)o->answer), nr,
                                          o->arg < 0 ? 0 : 1, &first);
    }
    if (rc == 0) {
        rc = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    return rc;
}

static bool tells_layer(const struct scan_result *r, const char *layer)
{
    for (size_t i = 0; i < r->layers[0].n_layers; i++) {
        if (strcmp(r->layers[0].layers[i], layer) == 0) {
            return true;
        }
    }
    return false;
}

/* In a process of its own: 0 if what happens is what should. */
static int try_step(const struct step *s)
{
    struct err e = {.code = 0};
    struct host *h = NULL;
    struct launcher *l = NULL;
    const struct probe *const probes[] = {s->p};
    const char *const tables[] = {"ran"};
    /* With CAP_SYS_ADMIN the filter needs no no_new_privs, which would be one step done already. */
    if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return 1;
    }
    if (host_open("/", &h, &e) != 0 || put_up(s) != 0 ||
        launcher_start_probes(probes, 1, &l, &e) != 0) {
        return 1;
    }
    struct scan_request rq = {
        .host = h, .tables = tables, .n_tables = 1, .require_landlock = s->require_landlock};
    struct scan_result r = {.layers = NULL};
    int rc = scan_run(l, &rq, &r, &e);
    if (rc != 0) {
        /* Only a launcher that could not start itself ends the scan as a whole. */
        return s->obstacles[0].arg == PR_SET_PDEATHSIG ? 0 : 1;
    }
    const struct fact_table *t = facts_find(&r.facts, "ran");
    bool good = t->state == s->want && t->n_rows == (s->want == STATE_COMPLETE ? 1U : 0U) &&
                (s->lacks == NULL || !tells_layer(&r, s->lacks)) &&
                (s->want != STATE_UNCONFINED) == (r.layers[0].n_layers > 0) &&
                (s->reason == NULL || strstr(t->reason, s->reason) != NULL);
    if (!good) {
        (void)printf("%s: state %s, %s, %zu rows, %zu layers\n", s->why, fact_state_word(t->state),
                     t->reason, t->n_rows, r.layers[0].n_layers);
        (void)fflush(NULL);
    }
    scan_result_done(&r);
    launcher_stop(l);
    host_free(h);
    return good ? 0 : 1;
}

static void test_steps_fail_closed(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i].needs_root && geteuid() != 0) {
            continue;
        }
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            _exit(try_step(&steps[i]));
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("step %zu: %s", i, steps[i].why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps_fail_closed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
