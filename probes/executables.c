/* Which programs run, by the file that each process executes and not by its name, which any process
 * chooses for itself. Only links below /proc are read: no file of any process. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>

#include "probes/antivirus/products.h"
#include "probes/probe.h"

#define PROCESSES_MAX 65536U
#define DESCRIPTORS_MAX 4096U
#define LINK_MAX 4200U /* PATH_MAX and " (deleted)" */
/* The kernel's PROC_PID_INIT_INO, for hosts where even root may not ask pid 1. */
#define INITIAL_PID_NS "pid:[4026531836]"
#define DELETED " (deleted)"

enum { EXE_EXE, EXE_DELETED, EXE_PROCESSES };
enum { AV_PRODUCT, AV_ROLE, AV_PID, AV_EXE, AV_DELETED, AV_FANOTIFY };

static const struct table table_process_executables = {
    .name = "process_executables",
    .doc = "Files that the host's own processes execute, one row per file. Processes in other pid "
           "namespaces (containers) are left out: their paths are not the host's. Kernel threads "
           "execute no file. Pid 1 is missing where it shields itself even from root.",
    .source = "proc_pid_exe(5), pid_namespaces(7)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"exe", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL,
                   "path of the file, as the kernel tells it"},
                  {"deleted", COL_INT, "boolean", COL_KEY | COL_DECIDES, NULL,
                   "1: that file is gone or was replaced since the process began"},
                  {"processes", COL_INT, "", COL_BULK, NULL, "how many execute it"})};

static const struct table table_av_processes = {
    .name = "av_processes",
    .doc = "Processes of the host that execute a program of a known anti-virus product.",
    .source = "proc_pid_exe(5), proc_pid_fd(5), fanotify(7)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"product", COL_TEXT, "", COL_KEY, NULL, "as in av_products"},
                  {"role", COL_TEXT, "", COL_KEY | COL_DECIDES, "daemon|on_access",
                   "what that program is for"},
                  {"pid", COL_INT, "", COL_KEY, NULL, "process"},
                  {"exe", COL_TEXT, "", 0, NULL, "the file that it executes"},
                  {"deleted", COL_INT, "boolean", COL_DECIDES, NULL,
                   "1: that file was replaced since the process began"},
                  {"fanotify", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL,
                   "1: it holds a descriptor that is told of opened files"})};

struct found {
    struct strv exes; /* as the links say, one per process */
    size_t refused;
    struct probe_ctx *ctx;
};

static void cleanup_found(struct found *f)
{
    strv_done(&f->exes);
}

static bool is_pid(const char *name)
{
    return name[0] >= '1' && name[0] <= '9' && name[strspn(name, "0123456789")] == '\0';
}

/* Reads one link; a process that has ended meanwhile, or has none, gives an empty text. */
static int read_link(const struct host *h, const char *pid, const char *below, const char *name,
                     struct str *out, struct err *e)
{
    char dir[64];
    str_clear(out);
    (void)snprintf(dir, sizeof(dir), "/proc/%s%s", pid, below);
    int rc = host_links_read(h, dir, name, out, e);
    return rc == ERR_NOMEM || rc == ERR_DENIED ? rc : 0;
}

/* Whether the process is the host's: in the pid namespace of pid 1. */
static int is_ours(const struct host *h, const char *pid, const char *ns, bool *ret, struct err *e)
{
    CLEANUP(str) struct str link = STR_INIT(LINK_MAX);
    int rc = read_link(h, pid, "/ns", "pid", &link, e);
    /* A captured tree need not hold them: capturing leaves other namespaces out. */
    *ret = rc == 0 && (link.len == 0 ? !host_is_live(h) : strcmp(str_text(&link), ns) == 0);
    return rc;
}

static bool is_deleted(const char *exe, size_t *ret_n)
{
    size_t n = strlen(exe);
    size_t tail = strlen(DELETED);
    bool deleted = n > tail && strcmp(exe + n - tail, DELETED) == 0;
    *ret_n = deleted ? n - tail : n;
    return deleted;
}

/* 1, 0, or -1 where its descriptors do not show themselves. What it watches stands in files below
 * fdinfo, which this child cannot read. */
static int has_fanotify(const struct host *h, const char *pid)
{
    CLEANUP(strv) struct strv fds = {.items = NULL, .n = 0, .cap = 0};
    CLEANUP(str) struct str link = STR_INIT(LINK_MAX);
    char dir[64];
    (void)snprintf(dir, sizeof(dir), "/proc/%s/fd", pid);
    if (host_links_list(h, dir, DESCRIPTORS_MAX, &fds, NULL) != 0) {
        return -1;
    }
    for (size_t i = 0; i < fds.n; i++) {
        str_clear(&link);
        if (host_links_read(h, dir, fds.items[i], &link, NULL) == 0 &&
            strcmp(str_text(&link), "anon_inode:[fanotify]") == 0) {
            return 1;
        }
    }
    return 0;
}

static void av_row(const struct host *h, struct probe_ctx *ctx, const char *line, const char *role,
                   const char *pid, const char *exe)
{
    char product[AV_VALUE_MAX];
    size_t n = 0;
    bool deleted = is_deleted(exe, &n);
    int fanotify = strcmp(role, "on_access") == 0 ? has_fanotify(h, pid) : 0;
    row_begin(ctx, &table_av_processes);
    row_text(ctx, AV_PRODUCT, av_value(line, "product", 0, product) ? product : "");
    row_text(ctx, AV_ROLE, role);
    row_int(ctx, AV_PID, strtoll(pid, NULL, 10));
    row_text_n(ctx, AV_EXE, exe, n);
    row_int(ctx, AV_DELETED, deleted);
    if (fanotify >= 0) {
        row_int(ctx, AV_FANOTIFY, fanotify);
    }
    row_end(ctx);
}

/* A row for each product and role that names the file. */
static void match_products(const struct host *h, struct probe_ctx *ctx, const char *pid,
                           const char *exe)
{
    static const char *const roles[] = {"daemon", "on_access"};
    char path[AV_VALUE_MAX];
    const char *line = NULL;
    size_t n = 0;
    (void)is_deleted(exe, &n);
    for (size_t i = 0; (line = probe_input(ctx, AV_INPUT, i)) != NULL; i++) {
        for (size_t r = 0; r < ARRAY_LEN(roles); r++) {
            for (size_t k = 0; av_value(line, roles[r], k, path); k++) {
                if (strlen(path) == n && memcmp(path, exe, n) == 0) {
                    av_row(h, ctx, line, roles[r], pid, exe);
                    break;
                }
            }
        }
    }
}

static int look_at(const struct host *h, const char *pid, const char *ns, struct found *f,
                   struct err *e)
{
    CLEANUP(str) struct str exe = STR_INIT(LINK_MAX);
    bool ours = false;
    int rc = read_link(h, pid, "", "exe", &exe, e);
    if (rc == 0 && exe.len > 0) {
        rc = is_ours(h, pid, ns, &ours, e);
    }
    if (rc == ERR_DENIED) {
        /* Some hosts shield init from everybody; it is none of the daemons that are looked for. */
        f->refused += strcmp(pid, "1") != 0;
        return 0;
    }
    if (rc == 0 && ours && probe_wants(f->ctx, &table_av_processes)) {
        match_products(h, f->ctx, pid, str_text(&exe));
    }
    return rc == 0 && ours ? strv_add(&f->exes, str_text(&exe), e) : rc;
}

static int look(const struct host *h, struct found *f, struct err *e)
{
    CLEANUP(strv) struct strv pids = {.items = NULL, .n = 0, .cap = 0};
    CLEANUP(str) struct str ns = STR_INIT(LINK_MAX);
    int rc = host_links_list(h, "/proc", PROCESSES_MAX, &pids, e);
    if (rc == 0 && (read_link(h, "1", "/ns", "pid", &ns, e) != 0 || ns.len == 0)) {
        str_clear(&ns);
        str_add(&ns, INITIAL_PID_NS);
    }
    for (size_t i = 0; rc == 0 && i < pids.n; i++) {
        if (is_pid(pids.items[i])) {
            rc = look_at(h, pids.items[i], str_text(&ns), f, e);
        }
    }
    return rc;
}

static void rows(struct probe_ctx *ctx, struct found *f)
{
    strv_sort(&f->exes);
    for (size_t i = 0; i < f->exes.n;) {
        const char *exe = f->exes.items[i];
        size_t same = 1;
        while (i + same < f->exes.n && strcmp(f->exes.items[i + same], exe) == 0) {
            same++;
        }
        size_t n = 0;
        bool deleted = is_deleted(exe, &n);
        row_begin(ctx, &table_process_executables);
        row_text_n(ctx, EXE_EXE, exe, n);
        row_int(ctx, EXE_DELETED, deleted);
        row_int(ctx, EXE_PROCESSES, (int64_t)same);
        row_end(ctx);
        i += same;
    }
}

/* Both tables come from the same look. */
static void PRINTF_LIKE(2, 3) report(struct probe_ctx *ctx, const char *fmt, ...)
{
    char reason[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    probe_state(ctx, &table_process_executables, STATE_DENIED, "%s", reason);
    probe_state(ctx, &table_av_processes, STATE_DENIED, "%s", reason);
}

static int executables_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    const struct host *h = probe_host(ctx);
    const char *hidden = host_hidden(h, HOST_SEES_PROC);
    (void)ret_state;
    if (hidden == NULL && !host_is_live(h) && !host_is_whole(h, "/proc")) {
        hidden = "not_captured: /proc";
    }
    if (hidden != NULL) {
        report(ctx, "%s", hidden);
        return 0;
    }
    CLEANUP(found) struct found f = {.refused = 0, .ctx = ctx};
    int rc = look(h, &f, e);
    if (rc == 0 && probe_wants(ctx, &table_process_executables)) {
        rows(ctx, &f);
    }
    if (rc == 0 && f.refused > 0) {
        report(ctx, "denied: %zu processes do not show what they execute", f.refused);
    }
    if (rc == 0 && probe_input(ctx, AV_INPUT, 0) == NULL) {
        probe_state(ctx, &table_av_processes, STATE_DENIED, "no-products");
    }
    return rc;
}

const struct probe probe_executables = {
    .name = "executables",
    .doc = "What the host's processes execute.",
    .source = "proc_pid_exe(5), pid_namespaces(7)",
    .tables = PROBE_TABLES(&table_process_executables, &table_av_processes),
    .reads = PROBE_LIST("/proc"),
    .syscalls = PROBE_LIST("@proc-links"),
    .caps = 1ULL << CAP_SYS_PTRACE, /* links of processes of other users */
    .network = NETWORK_NONE,
    .proc_links = true,
    .inputs = PROBE_LIST(AV_INPUT),
    .timeout_ms = 5000,
    .max_rows = 20000,
    .run = executables_run,
};
