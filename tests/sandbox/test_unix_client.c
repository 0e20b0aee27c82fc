/* What @unix-client lets a probe do, and what it still dies of: sockets to daemons of this machine,
 * no network. Covers the row of agent/scan/syscall_sets.c. */
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "agent/scan/launcher.h"
#include "agent/scan/scan.h"

static const struct column columns[] = {{"word", COL_TEXT, "", COL_KEY, NULL, "a word"}};

static void say(struct probe_ctx *ctx, const struct table *t, const char *word)
{
    row_begin(ctx, t);
    row_text(ctx, 0, word);
    row_end(ctx);
}

#define CLIENT(id)                                                                                 \
    static const struct table table_##id = {.name = #id,                                           \
                                            .doc = "client",                                       \
                                            .source = "none",                                      \
                                            .kind = TABLE_FACTS,                                   \
                                            .columns = columns,                                    \
                                            .n_columns = ARRAY_LEN(columns)};                      \
    static int run_##id(struct probe_ctx *ctx, void **ret_state, struct err *e);                   \
    static const struct probe probe_##id = {.name = #id,                                           \
                                            .doc = "client",                                       \
                                            .source = "none",                                      \
                                            .tables = PROBE_TABLES(&table_##id),                   \
                                            .reads = PROBE_LIST("/proc"),                          \
                                            .syscalls = PROBE_LIST("@unix-client"),                \
                                            .timeout_ms = 8000,                                    \
                                            .max_rows = 5,                                         \
                                            .run = run_##id};                                      \
    static int run_##id(struct probe_ctx *ctx UNUSED, void **ret_state UNUSED, struct err *e UNUSED)

/* The way a daemon is asked, to where none listens: refused by the kernel, not by the filter. */
CLIENT(unix_stream)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    const int on = 1;
    CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
                connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
                errno == ENOENT;
    say(ctx, &table_unix_stream, good ? "asked" : "could not ask");
    return 0;
}

CLIENT(ipv4)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : err_errno(e, "socket");
}

CLIENT(ipv6)
{
    return socket(AF_INET6, SOCK_STREAM, 0) >= 0 ? 0 : err_errno(e, "socket");
}

CLIENT(netlink)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0 ? 0 : err_errno(e, "socket");
}

CLIENT(packet)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : err_errno(e, "socket");
}

CLIENT(other_option)
{
    const int size = 1 << 20;
    CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0 ? 0
                                                                           : err_errno(e, "option");
}

CLIENT(listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(fd, (const struct sockaddr *)&address, sizeof(sa_family_t)) == 0
               ? 0
               : err_errno(e, "bind");
}

static const struct {
    const struct probe *p;
    enum fact_state want;
    const char *why;
} rows[] = {
    {&probe_unix_stream, STATE_COMPLETE, "what the row is for"},
    {&probe_ipv4, STATE_CRASHED, "no IPv4"},
    {&probe_ipv6, STATE_CRASHED, "no IPv6"},
    {&probe_netlink, STATE_CRASHED, "no netlink"},
    {&probe_packet, STATE_CRASHED, "no packets"},
    {&probe_other_option, STATE_CRASHED, "no option but the one that names who answers"},
    {&probe_listens, STATE_CRASHED, "no server"},
};

static void test_only_unix_sockets(void **state UNUSED)
{
    const struct probe *probes[ARRAY_LEN(rows)];
    struct launcher *l = NULL;
    CLEANUP(host) struct host *h = NULL;
    struct err e = {.code = 0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        probes[i] = rows[i].p;
    }
    assert_int_equal(launcher_start_probes(probes, ARRAY_LEN(rows), &l, &e), 0);
    assert_int_equal(host_open("/", &h, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *table = rows[i].p->name;
        struct scan_request rq = {.host = h, .tables = &table, .n_tables = 1};
        CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
        assert_int_equal(scan_run(l, &rq, &r, &e), 0);
        const struct fact_table *t = facts_find(&r.facts, table);
        assert_non_null(t);
        if (t->state != rows[i].want ||
            (t->state == STATE_CRASHED && strncmp(t->reason, "crashed: SIGSYS", 15) != 0)) {
            fail_msg("%s (%s): %s %s", table, rows[i].why, fact_state_word(t->state), t->reason);
        }
        if (t->state == STATE_COMPLETE) {
            assert_int_equal(t->n_rows, 1);
            assert_string_equal(t->cells[0].v.t.p, "asked");
        }
    }
    launcher_stop(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_only_unix_sockets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
