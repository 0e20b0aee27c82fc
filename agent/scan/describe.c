/* The security review document: what each probe may do, by its declaration, and which layers hold
 * on this machine, tried by confining a real child for each. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "agent/scan/filter.h"
#include "agent/scan/landlock.h"
#include "agent/scan/launcher.h"
#include "agent/scan/layers.h"
#include "agent/scan/receiver.h"
#include "agent/scan/scan.h"

#define TRIAL_MS 3000
#define GROUPS_MAX 32U

/* Two media, one order of telling. */
struct page {
    bool as_json;
    struct str *out;
    struct json_out j;
};

static void say_text(struct page *p, const char *key, const char *text)
{
    if (p->as_json) {
        jout_kv_text(&p->j, key, text);
    } else {
        str_addf(p->out, "  %-13s %s\n", key, text);
    }
}

static void say_int(struct page *p, const char *key, int64_t i)
{
    if (p->as_json) {
        jout_kv_int(&p->j, key, i);
    } else {
        str_addf(p->out, "  %-13s %lld\n", key, (long long)i);
    }
}

static void say_bool(struct page *p, const char *key, bool b)
{
    if (p->as_json) {
        jout_kv_bool(&p->j, key, b);
    } else {
        str_addf(p->out, "  %-13s %s\n", key, b ? "yes" : "no");
    }
}

static void say_list(struct page *p, const char *key, const char *const *list, size_t n)
{
    if (!p->as_json) {
        str_addf(p->out, "  %-13s", key);
        for (size_t i = 0; i < n; i++) {
            str_addf(p->out, " %s", list[i]);
        }
        str_add(p->out, n == 0 ? " none\n" : "\n");
        return;
    }
    jout_key(&p->j, key);
    jout_open(&p->j, '[');
    for (size_t i = 0; i < n; i++) {
        jout_text(&p->j, list[i]);
    }
    jout_close(&p->j, ']');
}

static size_t list_length(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL) {
        n++;
    }
    return n;
}

/* By libcap's names; a number where it knows none. */
static int say_caps(struct page *p, uint64_t caps, struct err *e)
{
    CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
    for (cap_value_t cap = 0; cap < 64; cap++) {
        if ((caps >> cap & 1U) == 0) {
            continue;
        }
        char *name = cap_to_name(cap);
        int rc = name == NULL ? err_nomem(e) : strv_add(&names, name, e);
        (void)cap_free(name);
        if (rc != 0) {
            return rc;
        }
    }
    say_list(p, "capabilities", (const char *const *)names.items, names.n);
    return 0;
}

/* The groups as the launcher combines them (groups_of), so that this page shows the real filter. */
static int say_syscalls(struct page *p, const struct probe *probe, struct err *e)
{
    const char *groups[GROUPS_MAX] = {SYSCALLS_BASE};
    size_t n = 1;
    for (const char *const *g = probe->syscalls; g != NULL && *g != NULL && n < GROUPS_MAX - 2;
         g++) {
        groups[n++] = *g;
    }
    if (probe->network == NETWORK_CLIENT) {
        groups[n++] = "@net-client";
    }
    if (probe->parse != NULL) {
        groups[n++] = SYSCALLS_STEP_DOWN;
    }
    say_list(p, "groups", groups, n);
    CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
    int rc = filter_names(groups, n, &names, e);
    if (rc == 0) {
        say_list(p, "syscalls", (const char *const *)names.items, names.n);
    }
    if (rc == 0 && probe->parse != NULL) {
        static const char *const parse_groups[] = {SYSCALLS_PARSE};
        CLEANUP(strv) struct strv later = {.items = NULL, .n = 0, .cap = 0};
        rc = filter_names(parse_groups, 1, &later, e);
        if (rc == 0) {
            say_list(p, "then only", (const char *const *)later.items, later.n);
        }
    }
    return rc;
}

/* Reads the frames of a child that only confines itself, until it ends or time is up. */
static void watch_trial(int fd, struct receiver *rx)
{
    int64_t until_us = time_monotonic_us() + (int64_t)TRIAL_MS * 1000;
    char bytes[4096];
    struct err e;
    for (;;) {
        int64_t left_ms = (until_us - time_monotonic_us()) / 1000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        ssize_t n = ready > 0 ? read(fd, bytes, sizeof(bytes)) : 0;
        if (n <= 0 || receiver_feed(rx, bytes, (size_t)n, &e) != 0) {
            return;
        }
    }
}

/* Waits until the launcher has reaped the child, so that none is left when we return. */
static void wait_report(struct launcher *l, uint32_t id)
{
    int64_t until_us = time_monotonic_us() + (int64_t)2 * TRIAL_MS * 1000;
    struct child_report r = {.id = 0};
    struct err e;
    while (r.id != id && time_monotonic_us() < until_us) {
        struct pollfd p = {.fd = l->sock_fd, .events = POLLIN};
        if (poll(&p, 1, TRIAL_MS) > 0 && launcher_report(l, &r, &e) < 0) {
            return;
        }
    }
}

/* Confines a child as the probe's would be. run->layers says what held; reason why it did not. */
static int try_layers(struct launcher *l, struct probe_run *run, char reason[FACT_REASON_MAX],
                      struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_errno(e, "pipe");
    }
    CLEANUP(fd) int read_fd = ends[0];
    unsigned index = run->index;
    uint64_t wanted = 0;
    struct child_request rq = {.probes = &index,
                               .wanted = &wanted,
                               .n_probes = 1,
                               .confine_only = true,
                               .deadline_ms = TRIAL_MS};
    uint32_t id = 0;
    int rc = launcher_start_child(l, &rq, ends[1], &id, e);
    (void)close(ends[1]);
    if (rc != 0) {
        return rc;
    }
    struct receiver rx;
    struct probe_run *runs[] = {run};
    receiver_init(&rx, runs, 1);
    watch_trial(read_fd, &rx);
    wait_report(l, id);
    reason_copy(reason, rx.confined ? "" : "sandbox: the child ended before it was confined");
    if (rx.unconfined[0] != '\0') {
        reason_copy(reason, rx.unconfined);
    }
    receiver_done(&rx);
    return 0;
}

static void say_tables(struct page *p, const struct probe *probe)
{
    const char *names[RUN_TABLES_MAX];
    size_t n = 0;
    while (n < RUN_TABLES_MAX && probe->tables[n] != NULL) {
        names[n] = probe->tables[n]->name;
        n++;
    }
    say_list(p, "tables", names, n);
}

/* The trial comes first: a page that says what holds must have seen it. */
static int say_probe(struct page *p, struct launcher *l, unsigned index, struct err *e)
{
    const struct probe *probe = l->probes[index];
    struct probe_run run = {.p = probe, .index = index};
    char reason[FACT_REASON_MAX] = "";
    int rc = try_layers(l, &run, reason, e);
    if (rc != 0) {
        return rc;
    }
    if (p->as_json) {
        jout_open(&p->j, '{');
        jout_kv_text(&p->j, "probe", probe->name);
    } else {
        str_addf(p->out, "\n%s\n", probe->name);
    }
    say_tables(p, probe);
    say_list(p, "reads", probe->reads, list_length(probe->reads));
    say_bool(p, "devices", probe->opens_devices);
    rc = say_caps(p, probe->caps, e);
    if (rc == 0) {
        rc = say_syscalls(p, probe, e);
    }
    say_text(p, "network", probe->network == NETWORK_CLIENT ? "client" : "none");
    say_list(p, "inputs", probe->inputs, list_length(probe->inputs));
    say_int(p, "timeout_ms", probe->timeout_ms);
    say_int(p, "max_rows", (int64_t)probe_max_rows(probe));
    const char *words[LAYER_WORDS_MAX];
    say_list(p, "layers", words, layer_words(run.layers, words));
    if (reason[0] != '\0' || p->as_json) {
        say_text(p, "reason", reason);
    }
    if (p->as_json) {
        jout_close(&p->j, '}');
    }
    return rc;
}

static void say_head(struct page *p)
{
    if (p->as_json) {
        jout_open(&p->j, '{');
        jout_kv_text(&p->j, "format", "tenken-sandbox/1");
        jout_kv_bool(&p->j, "root", geteuid() == 0);
        jout_kv_int(&p->j, "landlock_abi", landlock_abi());
        jout_key(&p->j, "probes");
        jout_open(&p->j, '[');
        return;
    }
    str_add(p->out, "Each probe runs in a confined child. What it may do, and the layers that held "
                    "when a child was confined just now:\n");
    if (landlock_abi() == 0) {
        str_add(p->out, "This kernel has no Landlock: a child could read files beside \"reads\" "
                        "that its user and capabilities permit.\n");
    }
    if (geteuid() != 0) {
        str_add(p->out, "Not root: no user and no capabilities to give up (uid, caps).\n");
    }
}

int sandbox_describe(struct launcher *l, const struct host *h, bool as_json, struct str *out,
                     struct err *e)
{
    int rc = launcher_set_host(l, h, e);
    if (rc != 0) {
        return rc;
    }
    struct page p = {.as_json = as_json, .out = out};
    jout_begin(&p.j, out, false);
    say_head(&p);
    for (unsigned i = 0; rc == 0 && i < l->n_probes; i++) {
        rc = say_probe(&p, l, i, e);
    }
    if (as_json && rc == 0) {
        jout_close(&p.j, ']');
        jout_close(&p.j, '}');
    }
    return rc != 0 ? rc : str_error(out, e);
}
