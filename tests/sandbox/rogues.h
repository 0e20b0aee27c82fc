/* Probes that misbehave, each in one way, and some that behave: for the tests of confinement. Not
 * in the registry. They expect a host tree with /allowed/{file,fifo,writable} and /secret/file;
 * only /allowed and /proc are declared. Each fills one table, named like the probe. */
#ifndef TENKEN_TESTS_SANDBOX_ROGUES_H
#define TENKEN_TESTS_SANDBOX_ROGUES_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "agent/scan/child.h"
#include "agent/scan/wire.h"
#include "probes/probe.h"

/* Far more than any of them needs, so that a busy machine changes nothing; those that never end get
 * the short one. */
#define ROGUE_TIMEOUT_MS 8000
#define ENDLESS_TIMEOUT_MS 500
#define ROGUE_MAX_ROWS 50

enum { COL_WORD, COL_NUMBER };

static const struct column rogue_columns[] = {
    {"word", COL_TEXT, "", COL_KEY, NULL, "a word"},
    {"number", COL_INT, "", COL_NULLABLE, NULL, "a number"},
};

static void emit(struct probe_ctx *ctx, const struct table *t, const char *word, int64_t number)
{
    row_begin(ctx, t);
    row_text(ctx, COL_WORD, word);
    row_int(ctx, COL_NUMBER, number);
    row_end(ctx);
}

/* Each rogue: its table, its function, its probe. */
#define ROGUE_WITHIN(id, limit_ms)                                                                 \
    static const struct table table_##id = {.name = #id,                                           \
                                            .doc = "rogue",                                        \
                                            .source = "none",                                      \
                                            .kind = TABLE_FACTS,                                   \
                                            .columns = rogue_columns,                              \
                                            .n_columns = ARRAY_LEN(rogue_columns)};                \
    static int run_##id(struct probe_ctx *ctx, void **ret_state, struct err *e);                   \
    static const struct probe probe_##id = {.name = #id,                                           \
                                            .doc = "rogue",                                        \
                                            .source = "none",                                      \
                                            .tables = PROBE_TABLES(&table_##id),                   \
                                            .reads = PROBE_LIST("/allowed", "/proc"),              \
                                            .syscalls = PROBE_LIST("@dir-walk"),                   \
                                            .inputs = PROBE_LIST("mine"),                          \
                                            .timeout_ms = (limit_ms),                              \
                                            .max_rows = ROGUE_MAX_ROWS,                            \
                                            .run = run_##id};                                      \
    static int run_##id(struct probe_ctx *ctx UNUSED, void **ret_state UNUSED, struct err *e UNUSED)

#define ROGUE(id) ROGUE_WITHIN(id, ROGUE_TIMEOUT_MS)

ROGUE(good)
{
    char line[64];
    int rc = host_read_line(probe_host(ctx), "/allowed/file", line, sizeof(line), e);
    if (rc == 0) {
        emit(ctx, &table_good, line, 1);
    }
    return rc;
}

ROGUE(good_too)
{
    CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
    int rc = host_list(probe_host(ctx), "/allowed", 100, &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        emit(ctx, &table_good_too, names.items[i], (int64_t)i);
    }
    return rc;
}

ROGUE(inputs)
{
    for (size_t i = 0; probe_input(ctx, "mine", i) != NULL; i++) {
        emit(ctx, &table_inputs, probe_input(ctx, "mine", i), (int64_t)i);
    }
    if (probe_input(ctx, "others", 0) != NULL) {
        emit(ctx, &table_inputs, "others", -1);
    }
    return 0;
}

ROGUE(environment)
{
    emit(ctx, &table_environment, "environment", environ == NULL || environ[0] == NULL);
    return 0;
}

ROGUE(absent_error)
{
    char line[64];
    return host_read_line(probe_host(ctx), "/allowed/nothing", line, sizeof(line), e);
}

ROGUE(reads_secret)
{
    char line[64];
    int rc = host_read_line(probe_host(ctx), "/secret/file", line, sizeof(line), e);
    if (rc == 0) {
        emit(ctx, &table_reads_secret, "read it", 1);
    }
    return rc;
}

/* Past struct host, as code that has taken over the child would. */
static int raw_open(const char *path, uint64_t flags, uint64_t mode)
{
    struct open_how how = {.flags = flags, .mode = mode, .resolve = RESOLVE_IN_ROOT};
    return (int)syscall(SYS_openat2, CHILD_ROOT_FD, path, &how, sizeof(how));
}

ROGUE(creates_file)
{
    int fd = raw_open("/allowed/made", O_WRONLY | O_CREAT, 0600);
    return fd >= 0 ? 0 : err_errno(e, "create");
}

ROGUE(writes_file)
{
    int fd = raw_open("/allowed/writable", O_WRONLY, 0);
    return fd >= 0 ? 0 : err_errno(e, "open for writing");
}

ROGUE(opens_by_libc)
{
    FILE *f = fopen("/proc/self/status", "r"); /* declared, but not through struct host */
    return f != NULL ? fclose(f) : err_errno(e, "fopen");
}

ROGUE(makes_socket)
{
    emit(ctx, &table_makes_socket, "before", 0);
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : err_errno(e, "socket");
}

ROGUE(makes_unix_socket)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : err_errno(e, "socket");
}

ROGUE(executes)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    (void)execve("/bin/true", argv, NULL);
    return err_errno(e, "execve");
}

ROGUE(forks)
{
    return fork() >= 0 ? 0 : err_errno(e, "fork");
}

ROGUE(undeclared_call)
{
    return getpriority(PRIO_PROCESS, 0) >= 0 ? 0 : err_errno(e, "getpriority");
}

ROGUE(undeclared_ioctl)
{
    int fd = raw_open("/allowed/file", O_RDONLY, 0);
    return (int)syscall(SYS_ioctl, fd, 0x1269UL, 0); /* BLKSSZGET-like: of @ioctl-block */
}

ROGUE(kills_parent)
{
    return kill(1, SIGTERM) == 0 ? 0 : err_errno(e, "kill");
}

ROGUE(traces)
{
    return (int)syscall(SYS_ptrace, 0, 0, 0, 0);
}

ROGUE(executable_memory)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED ? 0 : err_errno(e, "mmap");
}

#ifdef __x86_64__
ROGUE(x32_call)
{
    return (int)syscall(0x40000000L | SYS_getpid);
}

ROGUE(call_of_32_bit)
{
    long nr = 20; /* getpid of i386; write here */
    __asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
    return (int)nr;
}
#endif

ROGUE(segfaults)
{
    emit(ctx, &table_segfaults, "before", 0);
    volatile uintptr_t nowhere = 8;
    *(volatile char *)nowhere = 1;
    return 0;
}

ROGUE(exits)
{
    emit(ctx, &table_exits, "before", 0);
    _exit(0);
}

ROGUE_WITHIN(spins, ENDLESS_TIMEOUT_MS)
{
    emit(ctx, &table_spins, "before", 0);
    for (volatile unsigned i = 0;; i++) {
    }
    return 0;
}

/* Its own limit is beyond that of the whole scan. */
ROGUE_WITHIN(outlasts_scan, 60000)
{
    for (volatile unsigned i = 0;; i++) {
    }
    return 0;
}

ROGUE_WITHIN(blocks_on_fifo, ENDLESS_TIMEOUT_MS)
{
    emit(ctx, &table_blocks_on_fifo, "before", 0);
    return raw_open("/allowed/fifo", O_RDONLY, 0) >= 0 ? 0 : err_errno(e, "fifo");
}

ROGUE(reads_fifo)
{
    CLEANUP(str) struct str text = STR_INIT(100);
    return host_read(probe_host(ctx), "/allowed/fifo", 100, &text, e);
}

ROGUE(eats_memory)
{
    for (size_t i = 0; i < 4096; i++) {
        char *p = malloc((size_t)1 << 20);
        if (p == NULL) {
            return err_nomem(e);
        }
        *(volatile char *)p = 1; /* kept: that is the point */
    }
    return 0;
}

ROGUE(too_many_rows)
{
    for (int64_t i = 0; i < 10L * ROGUE_MAX_ROWS; i++) {
        emit(ctx, &table_too_many_rows, "row", i);
    }
    return 0;
}

ROGUE(huge_cell)
{
    emit(ctx, &table_huge_cell, "before", 0);
    CLEANUP(str) struct str text = STR_INIT(WIRE_CELL_MAX * 2);
    while (text.len <= WIRE_CELL_MAX) {
        str_add(&text, "0123456789abcdef");
    }
    emit(ctx, &table_huge_cell, str_text(&text), 1);
    return 0;
}

/* --- straight onto the pipe --- */

static void raw_write(const void *bytes, size_t n)
{
    if (write(CHILD_RESULT_FD, bytes, n) != (ssize_t)n) {
        _exit(3);
    }
}

static void raw_row(unsigned table, const char *word, size_t n)
{
    CLEANUP(str) struct str f = STR_INIT(WIRE_FRAME_MAX);
    size_t start = wire_open(&f, WIRE_ROW);
    str_add_char(&f, (char)table);
    struct cell text = {.type = CELL_TEXT, .v = {.t = {.p = word, .n = n}}};
    struct cell number = {.type = CELL_INT, .v = {.i = 7}};
    wire_cell(&f, &text);
    wire_cell(&f, &number);
    wire_close(&f, start);
    raw_write(f.data, f.len);
}

ROGUE(junk)
{
    raw_write("GET / HTTP/1.0\r\n\r\n", 18);
    return 0;
}

ROGUE(zeroes)
{
    static const char zero[4096];
    raw_write(zero, sizeof(zero));
    return 0;
}

ROGUE(giant_frame)
{
    raw_write("\xff\xff\xff\x7fR", 5);
    return 0;
}

ROGUE(half_frame)
{
    raw_write("\x40\x00\x00\x00R\x00", 6);
    _exit(0);
}

ROGUE(floods)
{
    for (volatile bool on = true; on;) {
        raw_row(0, "again", 5);
    }
    return 0;
}

ROGUE(wrong_table)
{
    emit(ctx, &table_wrong_table, "before", 0);
    raw_row(1, "not mine", 8);
    return 0;
}

ROGUE(raw_text)
{
    raw_row(0, "tab\there", 8);
    return 0;
}

ROGUE(bad_utf8)
{
    raw_row(0, "\xc3\x28", 2);
    return 0;
}

ROGUE(claims_crash)
{
    CLEANUP(str) struct str f = STR_INIT(4096);
    wire_state(&f, 0, STATE_CRASHED, "it was him");
    raw_write(f.data, f.len);
    return 0;
}

ROGUE(ends_another)
{
    CLEANUP(str) struct str f = STR_INIT(4096);
    wire_end(&f, 1, 0, 0); /* the neighbour in this child */
    raw_write(f.data, f.len);
    return 0;
}

ROGUE(begins_another)
{
    CLEANUP(str) struct str f = STR_INIT(4096);
    wire_begin(&f, 1, PHASE_RUN);
    raw_write(f.data, f.len);
    return 0;
}

ROGUE(claims_layers)
{
    CLEANUP(str) struct str f = STR_INIT(4096);
    wire_layers(&f, LAYER_ALL);
    raw_write(f.data, f.len);
    return 0;
}

/* --- two phases: run() gathers, parse() may not reach anything any more --- */

static int gather(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(4096);
    int rc = host_read(probe_host(ctx), "/allowed/file", 4096, &text, e);
    if (rc == 0) {
        *ret_state = str_take(&text, NULL);
    }
    return rc;
}

#define ROGUE_PARSER(id)                                                                           \
    static int parse_##id(struct probe_ctx *ctx, void *state, struct err *e);                      \
    static const struct table table_##id = {.name = #id,                                           \
                                            .doc = "rogue",                                        \
                                            .source = "none",                                      \
                                            .kind = TABLE_FACTS,                                   \
                                            .columns = rogue_columns,                              \
                                            .n_columns = ARRAY_LEN(rogue_columns)};                \
    static const struct probe probe_##id = {.name = #id,                                           \
                                            .doc = "rogue",                                        \
                                            .source = "none",                                      \
                                            .tables = PROBE_TABLES(&table_##id),                   \
                                            .reads = PROBE_LIST("/allowed", "/proc"),              \
                                            .syscalls = PROBE_LIST("@dir-walk"),                   \
                                            .caps = 1ULL << CAP_DAC_READ_SEARCH,                   \
                                            .timeout_ms = ROGUE_TIMEOUT_MS,                        \
                                            .max_rows = ROGUE_MAX_ROWS,                            \
                                            .run = gather,                                         \
                                            .parse = parse_##id};                                  \
    static int parse_##id(struct probe_ctx *ctx UNUSED, void *state UNUSED, struct err *e UNUSED)

ROGUE_PARSER(parses)
{
    emit(ctx, &table_parses, state, 1);
    free(state);
    return 0;
}

ROGUE_PARSER(parses_too)
{
    emit(ctx, &table_parses_too, state, 1);
    free(state);
    return 0;
}

ROGUE_PARSER(parse_opens)
{
    emit(ctx, &table_parse_opens, "before", 1);
    free(state);
    return raw_open("/allowed/file", O_RDONLY, 0) >= 0 ? 0 : err_errno(e, "open");
}

ROGUE_PARSER(parse_lists_root)
{
    free(state);
    return (int)syscall(SYS_getdents64, CHILD_ROOT_FD, NULL, 0);
}

ROGUE_PARSER(parse_raises_caps)
{
    free(state);
    return (int)syscall(SYS_capset, NULL, NULL);
}

ROGUE_PARSER(parse_loosens_filter)
{
    free(state);
    return (int)syscall(SYS_seccomp, 1, 0, NULL);
}

/* --- what a group of system calls brings with it --- */

static int run_asks_policy(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e);
static const struct table table_asks_policy = {.name = "asks_policy",
                                               .doc = "rogue",
                                               .source = "none",
                                               .kind = TABLE_FACTS,
                                               .columns = rogue_columns,
                                               .n_columns = ARRAY_LEN(rogue_columns)};
static const struct probe probe_asks_policy = {.name = "asks_policy",
                                               .doc = "rogue",
                                               .source = "none",
                                               .tables = PROBE_TABLES(&table_asks_policy),
                                               .reads = PROBE_LIST("/allowed"),
                                               .syscalls =
                                                   PROBE_LIST("@file-read", "@ioctl-fscrypt"),
                                               .timeout_ms = ROGUE_TIMEOUT_MS,
                                               .max_rows = ROGUE_MAX_ROWS,
                                               .run = run_asks_policy};

/* Any directory can be opened to ask for its policy; the files in it stay closed. */
static int run_asks_policy(struct probe_ctx *ctx, void **ret_state UNUSED, struct err *e)
{
    CLEANUP(fd) int fd = -1;
    int rc = host_open_fd(probe_host(ctx), "/secret", O_RDONLY | O_DIRECTORY, &fd, e);
    if (rc != 0) {
        return rc;
    }
    emit(ctx, &table_asks_policy, "opened", 1);
    char line[64];
    return host_read_line(probe_host(ctx), "/secret/file", line, sizeof(line), e);
}

/* --- links below /proc, without Landlock: directories alone can be opened --- */

#define ROGUE_LINKS(id)                                                                            \
    static int run_##id(struct probe_ctx *ctx, void **ret_state, struct err *e);                   \
    static const struct table table_##id = {.name = #id,                                           \
                                            .doc = "rogue",                                        \
                                            .source = "none",                                      \
                                            .kind = TABLE_FACTS,                                   \
                                            .columns = rogue_columns,                              \
                                            .n_columns = ARRAY_LEN(rogue_columns)};                \
    static const struct probe probe_##id = {.name = #id,                                           \
                                            .doc = "rogue",                                        \
                                            .source = "none",                                      \
                                            .tables = PROBE_TABLES(&table_##id),                   \
                                            .reads = PROBE_LIST("/proc"),                          \
                                            .syscalls = PROBE_LIST("@proc-links"),                 \
                                            .proc_links = true,                                    \
                                            .timeout_ms = ROGUE_TIMEOUT_MS,                        \
                                            .max_rows = ROGUE_MAX_ROWS,                            \
                                            .run = run_##id};                                      \
    static int run_##id(struct probe_ctx *ctx UNUSED, void **ret_state UNUSED, struct err *e UNUSED)

ROGUE_LINKS(links_listed)
{
    CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
    int rc = host_links_list(probe_host(ctx), "/allowed", 100, &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        emit(ctx, &table_links_listed, names.items[i], (int64_t)i);
    }
    return rc;
}

ROGUE_LINKS(links_read_file)
{
    char line[64];
    return host_read_line(probe_host(ctx), "/allowed/file", line, sizeof(line), e); /* openat2 */
}

ROGUE_LINKS(links_open_file)
{
    return openat(CHILD_ROOT_FD, "allowed/file", O_RDONLY) >= 0 ? 0 : err_errno(e, "open");
}

ROGUE_LINKS(links_make_file)
{
    return openat(CHILD_ROOT_FD, "allowed", O_TMPFILE | O_WRONLY, 0600) >= 0 ? 0
                                                                             : err_errno(e, "make");
}

ROGUE_LINKS(links_read_call)
{
    char byte[8];
    int fd = openat(CHILD_ROOT_FD, "allowed", O_RDONLY | O_DIRECTORY);
    return (int)read(fd, byte, sizeof(byte));
}

#endif
