/* Which programs run, by the file that each process executes and not by its name, which any process
 * chooses for itself. Only links below /proc are read: no file of any process. */
#include <stdio.h>
#include <string.h>

#include <linux/capability.h>

#include "probes/probe.h"

#define PROCESSES_MAX 65536U
#define LINK_MAX 4200U /* PATH_MAX and " (deleted)" */
/* The kernel's PROC_PID_INIT_INO, for hosts where even root may not ask pid 1. */
#define INITIAL_PID_NS "pid:[4026531836]"
#define DELETED " (deleted)"

enum { EXE_EXE, EXE_DELETED, EXE_PROCESSES };

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

struct found {
    struct strv exes; /* as the links say, one per process */
    size_t refused;
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
        size_t n = strlen(exe);
        size_t tail = strlen(DELETED);
        bool deleted = n > tail && strcmp(exe + n - tail, DELETED) == 0;
        row_begin(ctx, &table_process_executables);
        row_text_n(ctx, EXE_EXE, exe, deleted ? n - tail : n);
        row_int(ctx, EXE_DELETED, deleted);
        row_int(ctx, EXE_PROCESSES, (int64_t)same);
        row_end(ctx);
        i += same;
    }
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
        probe_state(ctx, &table_process_executables, STATE_DENIED, "%s", hidden);
        return 0;
    }
    CLEANUP(found) struct found f = {.refused = 0};
    int rc = look(h, &f, e);
    if (rc == 0) {
        rows(ctx, &f);
    }
    if (rc == 0 && f.refused > 0) {
        probe_state(ctx, &table_process_executables, STATE_DENIED,
                    "denied: %zu processes do not show what they execute", f.refused);
    }
    return rc;
}

const struct probe probe_executables = {
    .name = "executables",
    .doc = "What the host's processes execute.",
    .source = "proc_pid_exe(5), pid_namespaces(7)",
    .tables = PROBE_TABLES(&table_process_executables),
    .reads = PROBE_LIST("/proc"),
    .syscalls = PROBE_LIST("@proc-links"),
    .caps = 1ULL << CAP_SYS_PTRACE, /* links of processes of other users */
    .network = NETWORK_NONE,
    .proc_links = true,
    .timeout_ms = 5000,
    .max_rows = 20000,
    .run = executables_run,
};
