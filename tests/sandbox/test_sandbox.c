/* Every rogue meets the end it deserves, says so in its table's state, and leaves its neighbours,
 * the parent and the process table alone. The whole group runs as the caller and, if that is root,
 * once more as nobody. The status that the kernel shows of a child is read by a probe.
 * Covers agent/scan/child.c, agent/scan/landlock.c, agent/scan/launcher.c,
 * agent/scan/launcher_loop.c, agent/scan/layers.c, agent/scan/scan.c, agent/scan/supervise.c. */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/base/io.h"
#include "agent/base/timefmt.h"
#include "agent/scan/landlock.h"
#include "agent/scan/launcher.h"
#include "tests/sandbox/rogues.h"

struct expectation {
    const struct probe *p;
    enum fact_state want;
    const char *reason; /* how it begins */
    size_t rows;
    bool by_landlock; /* without Landlock nothing stands in the way */
    bool plain_only;  /* not in builds with sanitizers */
    const char *why;
};

#ifdef TENKEN_SANITIZERS
#define SANITIZED true
#else
#define SANITIZED false
#endif

static const struct expectation expectations[] = {
    {&probe_good, STATE_COMPLETE, "", 1, false, false, "a declared file can be read"},
    {&probe_good_too, STATE_COMPLETE, "", 3, false, false, "a declared directory can be listed"},
    {&probe_environment, STATE_COMPLETE, "", 1, false, false, "nothing of the environment"},
    {&probe_absent_error, STATE_DENIED, "not_captured", 0, false, false,
     "an error is no proof of absence"},
    {&probe_reads_secret, STATE_DENIED, "denied", 0, true, false, "a file not declared"},
    {&probe_asks_policy, STATE_DENIED, "denied", 1, true, false,
     "directories for their policy, no file in them"},
    {&probe_creates_file, STATE_DENIED, "denied", 0, true, false, "no file is made"},
    {&probe_writes_file, STATE_DENIED, "denied", 0, true, false, "no file is opened for writing"},
    {&probe_opens_by_libc, STATE_DENIED, "denied", 0, false, true,
     "paths go through struct host, whatever is declared"},
    {&probe_makes_socket, STATE_CRASHED, "crashed: SIGSYS", 1, false, false, "a socket"},
    {&probe_makes_unix_socket, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "any socket"},
    {&probe_executes, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "an exec"},
    {&probe_forks, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "a process"},
    {&probe_undeclared_call, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "an extra call"},
    {&probe_undeclared_ioctl, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "an ioctl"},
    {&probe_kills_parent, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "a signal"},
    {&probe_traces, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "ptrace"},
    {&probe_executable_memory, STATE_CRASHED, "crashed: SIGSYS", 0, false, false,
     "memory that can be executed"},
#ifdef __x86_64__
    {&probe_x32_call, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "the x32 entry"},
    {&probe_call_of_32_bit, STATE_CRASHED, "crashed: SIG", 0, false, false,
     "the 32-bit entry (SIGSEGV where the kernel has none)"},
#endif
    {&probe_segfaults, STATE_CRASHED, "crashed", 1, false, false, "rows before the crash stay"},
    {&probe_exits, STATE_CRASHED, "crashed: ended before", 1, false, false, "exit 0 is no success"},
    {&probe_spins, STATE_TIMEOUT, "timeout", 1, false, false, "rows before the timeout stay"},
    {&probe_blocks_on_fifo, STATE_TIMEOUT, "timeout", 1, false, false, "blocked in the kernel"},
    {&probe_reads_fifo, STATE_MALFORMED, "", 0, false, false, "struct host never blocks on it"},
    {&probe_eats_memory, STATE_MALFORMED, "no-memory", 0, false, true, "RLIMIT_AS"},
    {&probe_too_many_rows, STATE_TRUNCATED, "rows", ROGUE_MAX_ROWS, false, false,
     "the first rows stay"},
    {&probe_huge_cell, STATE_TRUNCATED, "cell", 1, false, false, "no row with a cut text"},
    {&probe_junk, STATE_TRUNCATED, "limit", 0, false, false, "its length is beyond the ceiling"},
    {&probe_zeroes, STATE_MALFORMED, "malformed", 0, false, false, "empty frames"},
    {&probe_giant_frame, STATE_TRUNCATED, "limit", 0, false, false, "no such buffer is made"},
    {&probe_half_frame, STATE_CRASHED, "crashed", 0, false, false, "half a row is no row"},
    {&probe_floods, STATE_TRUNCATED, "limit", ROGUE_MAX_ROWS, false, false,
     "the parent counts for itself"},
    {&probe_wrong_table, STATE_MALFORMED, "malformed", 1, false, false, "a table it has not"},
    {&probe_raw_text, STATE_MALFORMED, "malformed", 0, false, false, "a text not escaped"},
    {&probe_bad_utf8, STATE_MALFORMED, "malformed", 0, false, false, "a text not UTF-8"},
    {&probe_claims_crash, STATE_MALFORMED, "malformed", 0, false, false, "not its to say"},
    {&probe_ends_another, STATE_MALFORMED, "malformed", 0, false, false, "not its to end"},
    {&probe_begins_another, STATE_MALFORMED, "malformed", 0, false, false, "not its to begin"},
    {&probe_claims_layers, STATE_MALFORMED, "malformed", 0, false, false,
     "layers are told once, before it runs"},
    {&probe_parses, STATE_COMPLETE, "", 1, false, false, "gathers, steps down, parses"},
    {&probe_parses_too, STATE_COMPLETE, "", 1, false, false, "two in one child"},
    {&probe_parse_opens, STATE_CRASHED, "crashed: SIGSYS", 1, false, false, "parse opens nothing"},
    {&probe_parse_lists_root, STATE_CRASHED, "crashed: SIGSYS", 0, false, false, "nor lists"},
    {&probe_parse_raises_caps, STATE_CRASHED, "crashed: SIGSYS", 0, false, false,
     "what was given up stays so"},
    {&probe_links_listed, STATE_COMPLETE, "", 3, false, false, "directories without openat2"},
    {&probe_links_read_file, STATE_CRASHED, "crashed: SIGSYS", 0, false, false,
     "links only: openat2 hides its flags"},
    {&probe_links_open_file, STATE_DENIED, "denied", 0, false, false,
     "links only: no file is opened"},
    {&probe_links_make_file, STATE_CRASHED, "crashed: SIGSYS", 0, false, false,
     "links only: O_TMPFILE holds the bit of O_DIRECTORY"},
    {&probe_links_read_call, STATE_CRASHED, "crashed: SIGSYS", 0, false, false,
     "links only: nothing is read"},
    {&probe_parse_loosens_filter, STATE_CRASHED, "crashed: SIGSYS", 0, false, false,
     "no more filters"},
};
#define N_ROGUES ARRAY_LEN(expectations)

struct fixture {
    char dir[64];
    struct launcher *l;
    struct host *tree, *live;
    const struct probe *probes[N_ROGUES + 8];
    size_t n_probes;
};

/* --- the status of a child as the kernel tells it --- */

enum { STATUS_KEY, STATUS_VALUE };
static const struct column status_columns[] = {
    {"key", COL_TEXT, "", COL_KEY, NULL, "as in proc_pid_status(5)"},
    {"value", COL_TEXT, "", 0, NULL, "as there"},
};
static const struct table table_status = {.name = "status",
                                          .doc = "a child",
                                          .source = "proc_pid_status(5)",
                                          .kind = TABLE_FACTS,
                                          .columns = status_columns,
                                          .n_columns = ARRAY_LEN(status_columns)};

static int run_status(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(65536);
    int rc = host_read(probe_host(ctx), "/proc/self/status", 65536, &text, e);
    if (rc == 0) {
        rc = host_read(probe_host(ctx), "/proc/self/limits", 65536, &text, e);
    }
    if (rc != 0) {
        return rc;
    }
    char *save = NULL;
    for (char *line = strtok_r(text.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *value = strpbrk(line, "\t0123456789");
        if (value == NULL || value == line) {
            continue;
        }
        row_begin(ctx, &table_status);
        row_text_n(ctx, STATUS_KEY, line, strcspn(line, ":\t0123456789"));
        row_text(ctx, STATUS_VALUE, value + strspn(value, "\t "));
        row_end(ctx);
    }
    return 0;
}

static const struct probe probe_status = {.name = "status",
                                          .doc = "a child",
                                          .source = "proc_pid_status(5)",
                                          .tables = PROBE_TABLES(&table_status),
                                          .reads = PROBE_LIST("/proc"),
                                          .syscalls = PROBE_LIST("@file-read"),
                                          .caps = 1ULL << CAP_DAC_READ_SEARCH,
                                          .timeout_ms = 8000,
                                          .max_rows = 200,
                                          .run = run_status};

static const struct probe probe_bad_group = {.name = "bad_group",
                                             .doc = "names a group that does not exist",
                                             .source = "none",
                                             .tables = PROBE_TABLES(&table_status),
                                             .syscalls = PROBE_LIST("@no-such-group"),
                                             .timeout_ms = 8000,
                                             .run = run_status};

/* --- fixture --- */

static void write_file(const struct fixture *f, const char *path, const char *text, mode_t mode)
{
    char full[256];
    (void)snprintf(full, sizeof(full), "%s%s", f->dir, path);
    FILE *out = fopen(full, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(full, mode), 0);
}

static void make_dir(const struct fixture *f, const char *path)
{
    char full[256];
    (void)snprintf(full, sizeof(full), "%s%s", f->dir, path);
    assert_int_equal(mkdir(full, 0755), 0);
    assert_int_equal(chmod(full, strcmp(path, "/allowed") == 0 ? 0777 : 0755), 0);
}

static void start_launcher(struct fixture *f)
{
    struct err e = {.code = 0};
    assert_int_equal(launcher_start_probes(f->probes, f->n_probes, &f->l, &e), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/tenken-sandbox-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(chmod(f->dir, 0755), 0);
    make_dir(f, "/allowed");
    make_dir(f, "/secret");
    make_dir(f, "/proc");
    write_file(f, "/allowed/file", "seen", 0644);
    write_file(f, "/allowed/writable", "old", 0666);
    write_file(f, "/secret/file", "secret", 0644);
    char fifo[256];
    (void)snprintf(fifo, sizeof(fifo), "%s/allowed/fifo", f->dir);
    assert_int_equal(mkfifo(fifo, 0666), 0);
    assert_int_equal(chmod(fifo, 0666), 0);
    for (size_t i = 0; i < N_ROGUES; i++) {
        f->probes[f->n_probes++] = expectations[i].p;
    }
    f->probes[f->n_probes++] = &probe_inputs;
    f->probes[f->n_probes++] = &probe_outlasts_scan;
    f->probes[f->n_probes++] = &probe_status;
    start_launcher(f);
    struct err e = {.code = 0};
    assert_int_equal(host_open(f->dir, &f->tree, &e), 0);
    assert_int_equal(host_open("/", &f->live, &e), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    launcher_stop(f->l);
    host_free(f->tree);
    host_free(f->live);
    static const char *const names[] = {"/allowed/file", "/allowed/writable", "/allowed/fifo",
                                        "/allowed/made", "/secret/file"};
    char full[256];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(full, sizeof(full), "%s%s", f->dir, names[i]);
        (void)unlink(full);
    }
    static const char *const dirs[] = {"/allowed", "/secret", "/proc", ""};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        (void)snprintf(full, sizeof(full), "%s%s", f->dir, dirs[i]);
        assert_int_equal(rmdir(full), 0);
    }
    free(f);
    return 0;
}

/* Processes whose parent is pid. */
static unsigned count_children(pid_t pid)
{
    DIR *d = opendir("/proc");
    assert_non_null(d);
    unsigned n = 0;
    for (const struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        char path[300];
        char line[512] = "";
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *in = fopen(path, "r");
        if (in == NULL) {
            continue;
        }
        int parent = 0;
        const char *rest = fgets(line, sizeof(line), in) != NULL ? strrchr(line, ')') : NULL;
        if (rest != NULL && sscanf(rest, ") %*c %d", &parent) == 1 && parent == (int)pid) {
            n++;
        }
        (void)fclose(in);
    }
    (void)closedir(d);
    return n;
}

static void scan(struct fixture *f, const struct host *h, const char *const *tables, size_t n,
                 struct scan_result *ret)
{
    static const struct probe_input inputs[] = {
        {"mine", "first"}, {"others", "not for it"}, {"mine", "second"}};
    struct scan_request rq = {.host = h,
                              .tables = tables,
                              .n_tables = n,
                              .inputs = inputs,
                              .n_inputs = ARRAY_LEN(inputs),
                              .wall_limit_ms = 60000};
    struct err e = {.code = 0};
    assert_int_equal(scan_run(f->l, &rq, ret, &e), 0);
}

static void check_table(const struct facts *facts, const struct expectation *x)
{
    const struct fact_table *t = facts_find(facts, x->p->name);
    assert_non_null(t);
    if (x->by_landlock && landlock_abi() == 0) {
        return;
    }
    if (t->state != x->want || strncmp(t->reason, x->reason, strlen(x->reason)) != 0 ||
        t->n_rows != x->rows) {
        fail_msg("%s (%s): state %s, reason \"%s\", %zu rows", x->p->name, x->why,
                 fact_state_word(t->state), t->reason, t->n_rows);
    }
}

static bool applies(const struct expectation *x)
{
    return !(x->plain_only && SANITIZED);
}

/* One at a time, with two good neighbours of the same privilege, so in the same child. */
static void test_each_rogue_beside_good_ones(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 2; i < N_ROGUES; i++) {
        const struct expectation *x = &expectations[i];
        if (!applies(x)) {
            continue;
        }
        const char *tables[] = {"good", x->p->name, "good_too", "parses"};
        CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
        scan(f, f->tree, tables, ARRAY_LEN(tables), &r);
        check_table(&r.facts, x);
        const struct fact_table *good = facts_find(&r.facts, "good");
        assert_int_equal(good->state, STATE_COMPLETE);
        assert_int_equal(good->n_rows, 1);
        assert_string_equal(good->cells[COL_WORD].v.t.p, "seen");
        assert_int_equal(facts_find(&r.facts, "good_too")->n_rows, 3);
        assert_int_equal(facts_find(&r.facts, "parses")->state, STATE_COMPLETE);
        assert_int_equal(facts_find(&r.facts, "parses")->n_rows, 1);
        assert_int_equal(count_children(f->l->pid), 0);
    }
}

/* All in one scan: two children, of which one loses its probes one by one. */
static void test_all_rogues_together(void **state)
{
    struct fixture *f = *state;
    const char *tables[N_ROGUES];
    size_t n = 0;
    for (size_t i = 0; i < N_ROGUES; i++) {
        if (applies(&expectations[i])) {
            tables[n++] = expectations[i].p->name;
        }
    }
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    scan(f, f->tree, tables, n, &r);
    for (size_t i = 0; i < N_ROGUES; i++) {
        if (applies(&expectations[i])) {
            check_table(&r.facts, &expectations[i]);
        }
    }
    assert_int_equal(count_children(f->l->pid), 0);
}

static void test_nothing_was_written(void **state)
{
    const struct fixture *f = *state;
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/allowed/writable", f->dir);
    CLEANUP(str) struct str text = STR_INIT(100);
    struct err e;
    assert_int_equal(io_read_file(path, 100, &text, &e), 0);
    assert_string_equal(str_text(&text), "old");
    (void)snprintf(path, sizeof(path), "%s/allowed/made", f->dir);
    if (landlock_abi() > 0) {
        assert_false(io_exists(path));
    }
}

static void test_inputs_only_of_declared_kinds(void **state)
{
    struct fixture *f = *state;
    const char *tables[] = {"inputs"};
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    scan(f, f->tree, tables, 1, &r);
    const struct fact_table *t = facts_find(&r.facts, "inputs");
    assert_int_equal(t->state, STATE_COMPLETE);
    assert_int_equal(t->n_rows, 2);
    assert_string_equal(t->cells[0].v.t.p, "first");
    assert_string_equal(t->cells[2].v.t.p, "second");
}

static const char *status_value(const struct fact_table *t, const char *key)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        if (strncmp(t->cells[2 * i].v.t.p, key, strlen(key)) == 0) {
            return t->cells[2 * i + 1].v.t.p;
        }
    }
    fail_msg("the kernel tells no %s", key);
    return "";
}

static void test_status_of_a_child(void **state)
{
    struct fixture *f = *state;
    if (!host_is_live(f->live)) {
        skip();
    }
    const char *tables[] = {"status"};
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    scan(f, f->live, tables, 1, &r);
    const struct fact_table *t = facts_find(&r.facts, "status");
    if (t->state != STATE_COMPLETE) {
        fail_msg("status: %s", t->reason);
    }
    assert_string_equal(status_value(t, "NoNewPrivs"), "1");
    assert_string_equal(status_value(t, "Seccomp"), "2");
    if (geteuid() == 0) {
        assert_string_not_equal(status_value(t, "Uid"), "0\\x090\\x090\\x090");
        assert_string_equal(status_value(t, "CapPrm"), "0000000000000004");
        assert_string_equal(status_value(t, "CapEff"), "0000000000000004");
        assert_string_equal(status_value(t, "CapBnd"), "0000000000000000");
        assert_string_equal(status_value(t, "Groups"), "");
    } else {
        assert_string_equal(status_value(t, "CapEff"), "0000000000000000");
    }
    assert_string_equal(status_value(t, "CapInh"), "0000000000000000");
    assert_string_equal(status_value(t, "CapAmb"), "0000000000000000");
    static const char *const limits[] = {"Max processes", "Max core", "Max file size"};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        assert_int_equal(strncmp(status_value(t, limits[i]), "0  ", 3), 0);
    }
    assert_int_equal(r.n_layers, 1);
    assert_string_equal(r.layers[0].layers[0], geteuid() == 0 ? "uid" : "nnp");
    assert_string_equal(r.layers[0].layers[r.layers[0].n_layers - 1], "seccomp");
}

static void test_required_landlock(void **state)
{
    struct fixture *f = *state;
    const char *tables[] = {"good"};
    struct scan_request rq = {
        .host = f->tree, .tables = tables, .n_tables = 1, .require_landlock = true};
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    struct err e = {.code = 0};
    assert_int_equal(scan_run(f->l, &rq, &r, &e), 0);
    assert_int_equal(facts_find(&r.facts, "good")->state,
                     landlock_abi() > 0 ? STATE_COMPLETE : STATE_UNCONFINED);
}

static void test_filter_that_cannot_be_made(void **state UNUSED)
{
    const struct probe *const probes[] = {&probe_bad_group, &probe_good};
    struct launcher *l = NULL;
    CLEANUP(host) struct host *h = NULL;
    struct err e = {.code = 0};
    assert_int_equal(launcher_start_probes(probes, 2, &l, &e), 0);
    assert_int_equal(host_open("/", &h, &e), 0);
    const char *tables[] = {"status"};
    struct scan_request rq = {.host = h, .tables = tables, .n_tables = 1};
    struct scan_result r = {.layers = NULL};
    assert_int_equal(scan_run(l, &rq, &r, &e), 0);
    const struct fact_table *t = facts_find(&r.facts, "status");
    assert_int_equal(t->state, STATE_UNCONFINED);
    assert_non_null(strstr(t->reason, "@no-such-group"));
    assert_int_equal(t->n_rows, 0);
    assert_int_equal(r.layers[0].n_layers, 0);
    scan_result_done(&r);
    launcher_stop(l);
}

/* The limit of the whole scan holds whatever the probes' own limits are. */
static void test_wall_limit(void **state)
{
    struct fixture *f = *state;
    const char *tables[] = {"outlasts_scan", "good"};
    struct scan_request rq = {
        .host = f->tree, .tables = tables, .n_tables = 2, .wall_limit_ms = 2000};
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    struct err e = {.code = 0};
    assert_int_equal(scan_run(f->l, &rq, &r, &e), 0);
    const struct fact_table *t = facts_find(&r.facts, "outlasts_scan");
    assert_int_equal(t->state, STATE_TIMEOUT);
    assert_int_equal(strncmp(t->reason, "wall", 4), 0);
    assert_int_equal(facts_find(&r.facts, "good")->state, STATE_COMPLETE);
}

static void test_unknown_table(void **state)
{
    struct fixture *f = *state;
    const char *tables[] = {"nobody_fills_it"};
    struct scan_request rq = {.host = f->tree, .tables = tables, .n_tables = 1};
    struct scan_result r = {.layers = NULL};
    struct err e = {.code = 0};
    assert_int_equal(scan_run(f->l, &rq, &r, &e), ERR_INTERNAL);
}

/* Kill -9 of the launcher takes the children with it, though they have changed their user. */
static void test_launcher_killed(void **state)
{
    struct fixture *f = *state;
    pid_t launcher = f->l->pid;
    pid_t killer = fork();
    if (killer == 0) {
        for (unsigned i = 0; i < 2000 && count_children(launcher) == 0; i++) {
            (void)usleep(500);
        }
        (void)kill(launcher, SIGKILL);
        _exit(0);
    }
    const char *tables[] = {"outlasts_scan"};
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    scan(f, f->tree, tables, 1, &r);
    assert_int_equal(waitpid(killer, NULL, 0), killer);
    const struct fact_table *t = facts_find(&r.facts, "outlasts_scan");
    assert_true(t->state == STATE_CRASHED || t->state == STATE_UNCONFINED);
    launcher_stop(f->l);
    start_launcher(f);
    CLEANUP(scan_result) struct scan_result again = {.layers = NULL};
    const char *good[] = {"good"};
    scan(f, f->tree, good, 1, &again);
    assert_int_equal(facts_find(&again.facts, "good")->state, STATE_COMPLETE);
}

static void test_describe(void **state)
{
    struct fixture *f = *state;
    struct err e = {.code = 0};
    CLEANUP(str) struct str text = STR_INIT((size_t)1 << 20);
    assert_int_equal(sandbox_describe(f->l, f->tree, false, &text, &e), 0);
    assert_non_null(strstr(str_text(&text), "parse_opens"));
    assert_non_null(strstr(str_text(&text), "openat2"));
    assert_non_null(strstr(str_text(&text), "cap_dac_read_search"));
    assert_non_null(strstr(str_text(&text), "nnp"));
    assert_int_equal(count_children(f->l->pid), 0);
}

static int run_group(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rogue_beside_good_ones),
        cmocka_unit_test(test_all_rogues_together),
        cmocka_unit_test(test_nothing_was_written),
        cmocka_unit_test(test_inputs_only_of_declared_kinds),
        cmocka_unit_test(test_status_of_a_child),
        cmocka_unit_test(test_required_landlock),
        cmocka_unit_test(test_filter_that_cannot_be_made),
        cmocka_unit_test(test_wall_limit),
        cmocka_unit_test(test_unknown_table),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_launcher_killed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

int main(void)
{
    int failed = run_group();
    if (geteuid() == 0) {
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
                setresuid(65534, 65534, 65534) != 0) {
                _exit(1);
            }
            int rc = run_group();
            (void)fflush(NULL);
            _exit(rc != 0); /* no leak check: it needs the ptrace that the new user has not */
        }
        int status = 0;
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            failed++;
        }
    }
    return failed;
}
