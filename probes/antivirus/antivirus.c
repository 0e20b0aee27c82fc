/* Anti-virus: what is installed, what answers, how old the definitions are. This file looks; rows.c
 * tells what was seen. Which processes run is told by probe executables: a child under Landlock
 * cannot see it. Reads no file that is scanned, runs nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>
#include <sys/stat.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "probes/antivirus/clamdconf.h"
#include "probes/antivirus/state.h"
#include "probes/probe.h"

#define LOG_TAIL_BYTES ((size_t)64 << 10)
#define CONF_MAX ((size_t)256 << 10)

void av_state_free(struct av_state *s)
{
    for (size_t i = 0; s != NULL && i < s->n; i++) {
        struct av_engine *g = s->products[i].engine;
        if (g != NULL) {
            str_done(&g->conf);
            str_done(&g->update_log);
            str_done(&g->scan_log);
            free(g);
        }
    }
    if (s != NULL) {
        free(s->products);
        free(s);
    }
}

/* Absence is believed where the directory is known to be seen whole. */
static bool is_gone(const struct host *h, const char *path)
{
    char dir[AV_VALUE_MAX];
    (void)snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    return host_is_live(h) || host_is_whole(h, dir[0] == '\0' ? "/" : dir);
}

/* A program that others than root may exchange says nothing of the product. */
static void look_at_program(const struct host *h, const char *path, struct av_product *p)
{
    struct host_stat st;
    int rc = host_stat(h, path, true, &st, NULL);
    if (rc == ERR_ABSENT && is_gone(h, path)) {
        return;
    }
    if (rc != 0) {
        p->is_unknown = true;
        p->code = rc;
        return;
    }
    if (!S_ISREG(st.mode)) {
        return;
    }
    if (st.uid != 0 || (st.mode & 022) != 0) {
        p->is_unsafe = true;
        return;
    }
    if (!p->is_installed) {
        p->is_installed = true;
        (void)snprintf(p->exe, sizeof(p->exe), "%s", path);
    }
}

static void note_mtime(const struct host *h, const char *path, struct av_state *s)
{
    struct host_stat st;
    /* Times of a checked-out tree say nothing. */
    if (host_is_live(h) && host_stat(h, path, true, &st, NULL) == 0 &&
        st.mtime_s > s->newest_mtime_s) {
        s->newest_mtime_s = st.mtime_s;
    }
}

/* The end of a log; what was cut off begins in the middle of a line. */
static int read_tail(const struct host *h, const char *path, struct str *out, struct err *e)
{
    struct host_stat st;
    int rc = host_stat(h, path, true, &st, e);
    CLEANUP(free) char *buf = malloc(LOG_TAIL_BYTES);
    if (rc != 0 || buf == NULL) {
        return rc != 0 ? rc : err_nomem(e);
    }
    size_t n = 0;
    int64_t max = (int64_t)LOG_TAIL_BYTES;
    int64_t from = st.size_bytes > max ? st.size_bytes - max : 0;
    rc = host_read_at(h, path, from, buf, LOG_TAIL_BYTES, &n, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        /* As text: a NUL would hide what follows. */
        buf[i] = buf[i] == '\0' ? '?' : buf[i];
    }
    if (rc == 0) {
        str_add_bytes(out, buf, n);
        rc = str_error(out, e);
    }
    return rc;
}

static int gather_conf(const struct host *h, const char *line, struct av_engine *g, struct err *e)
{
    g->conf_code = ERR_ABSENT;
    for (size_t i = 0; g->conf_code == ERR_ABSENT && av_value(line, "config", i, g->conf_path);
         i++) {
        g->conf_code = host_read(h, g->conf_path, CONF_MAX, &g->conf, e);
    }
    if (g->conf_code == ERR_NOMEM) {
        return ERR_NOMEM;
    }
    const char *text = g->conf_code == 0 ? str_text(&g->conf) : "";
    if (!clamdconf_value(text, "LocalSocket", 0, g->socket, sizeof(g->socket))) {
        g->socket[0] = '\0';
    }
    bool has_dir = clamdconf_value(text, "DatabaseDirectory", 0, g->dir, sizeof(g->dir));
    struct host_stat st;
    for (size_t i = 0; !has_dir && av_value(line, "definitions", i, g->dir); i++) {
        has_dir = host_stat(h, g->dir, true, &st, NULL) == 0 && S_ISDIR(st.mode);
    }
    g->dir_code = has_dir ? host_stat(h, g->dir, true, &st, NULL) : ERR_ABSENT;
    return 0;
}

static void gather_heads(const struct host *h, struct av_engine *g, struct av_state *s)
{
    static const char *const names[AV_HEADS_MAX] = {"main.cvd",     "main.cld",     "main.cud",
                                                    "daily.cvd",    "daily.cld",    "daily.cud",
                                                    "bytecode.cvd", "bytecode.cld", "bytecode.cud"};
    char path[AV_VALUE_MAX + 32];
    for (size_t i = 0; g->dir_code == 0 && i < AV_HEADS_MAX; i++) {
        struct av_head *head = &g->heads[g->n_heads];
        (void)snprintf(path, sizeof(path), "%s/%s", g->dir, names[i]);
        head->code = host_read_at(h, path, 0, head->bytes, sizeof(head->bytes), &head->n, NULL);
        if (head->code == ERR_ABSENT) {
            continue;
        }
        (void)snprintf(head->file, sizeof(head->file), "%s", names[i]);
        note_mtime(h, path, s);
        g->n_heads++;
    }
}

static int gather_logs(const struct host *h, const char *line, struct av_engine *g,
                       struct av_state *s, struct err *e)
{
    char path[AV_VALUE_MAX];
    int rc = 0;
    for (size_t i = 0; g->update_log.len == 0 && av_value(line, "update_log", i, path); i++) {
        rc = read_tail(h, path, &g->update_log, e);
        note_mtime(h, path, s);
    }
    for (size_t i = 0; rc != ERR_NOMEM && av_value(line, "scan_log", i, path); i++) {
        rc = read_tail(h, path, &g->scan_log, e);
        if (rc != 0 && rc != ERR_ABSENT) {
            g->scan_log_code = rc;
        }
    }
    return rc == ERR_NOMEM ? ERR_NOMEM : 0;
}

static int gather_engine(const struct host *h, const char *line, struct av_product *p,
                         struct av_state *s, struct err *e)
{
    struct av_engine *g = calloc(1, sizeof(*g));
    if (g == NULL) {
        return err_nomem(e);
    }
    p->engine = g;
    str_init(&g->conf, CONF_MAX);
    str_init(&g->update_log, LOG_TAIL_BYTES);
    str_init(&g->scan_log, 4 * LOG_TAIL_BYTES);
    g->answer = (struct clamd_answer){.code = ERR_UNSUPPORTED, .reason = ""};
    int rc = gather_conf(h, line, g, e);
    if (rc == 0 && g->socket[0] != '\0') {
        clamd_ask(h, g->socket, &g->answer);
    }
    gather_heads(h, g, s);
    return rc == 0 ? gather_logs(h, line, g, s, e) : rc;
}

static int gather_product(const struct host *h, const char *line, struct av_state *s, struct err *e)
{
    static const char *const programs[] = {"daemon", "on_access", "scanner"};
    struct av_product *p = &s->products[s->n++];
    char text[AV_VALUE_MAX];
    (void)av_value(line, "product", 0, p->product);
    (void)av_value(line, "vendor", 0, p->vendor);
    for (size_t k = 0; k < ARRAY_LEN(programs); k++) {
        for (size_t i = 0; av_value(line, programs[k], i, text); i++) {
            look_at_program(h, text, p);
        }
    }
    return av_value(line, "dialect", 0, text) ? gather_engine(h, line, p, s, e) : 0;
}

/* The host's zone, for logs that tell local times: known by name only. */
static void gather_zone(const struct host *h, struct av_state *s)
{
    CLEANUP(str) struct str link = STR_INIT(512);
    if (host_readlink(h, "/etc/localtime", &link, NULL) != 0) {
        return;
    }
    const char *name = strstr(str_text(&link), "zoneinfo/");
    if (name != NULL) {
        (void)snprintf(s->zone, sizeof(s->zone), "%s", name + strlen("zoneinfo/"));
    }
}

static int gather_all(struct probe_ctx *ctx, const struct host *h, struct av_state *s,
                      struct err *e)
{
    const json_t *time = host_capture(h, "time");
    s->now_s = time_now_s();
    int rc = json_is_string(time) ? time_parse_utc(json_string_value(time), &s->now_s, e) : 0;
    s->products = calloc(AV_PRODUCTS_MAX, sizeof(*s->products));
    if (rc != 0 || s->products == NULL) {
        return rc != 0 ? rc : err_nomem(e);
    }
    gather_zone(h, s);
    for (size_t i = 0; rc == 0 && probe_input(ctx, AV_INPUT, i) != NULL; i++) {
        if (i == AV_PRODUCTS_MAX) {
            return err_set(e, ERR_LIMIT, "more than %u products", AV_PRODUCTS_MAX);
        }
        rc = gather_product(h, probe_input(ctx, AV_INPUT, i), s, e);
    }
    return rc;
}

static int antivirus_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    const struct host *h = probe_host(ctx);
    CLEANUP(av_state) struct av_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_nomem(e);
    }
    s->hidden = host_hidden(h, HOST_SEES_PROC | HOST_SEES_ROOT);
    if (s->hidden == NULL && probe_input(ctx, AV_INPUT, 0) == NULL) {
        s->hidden = "no-products: no list of products was given";
    }
    int rc = s->hidden == NULL ? gather_all(ctx, h, s, e) : 0;
    if (rc == 0) {
        *ret_state = TAKE_PTR(s);
    }
    return rc;
}

static int antivirus_parse(struct probe_ctx *ctx, void *state, struct err *e)
{
    static const struct {
        const struct table *table;
        int (*rows)(struct probe_ctx *, const struct av_state *, struct err *);
    } all[] = {{&table_av_engines, av_rows_engines},
               {&table_av_definitions, av_rows_definitions},
               {&table_av_scans, av_rows_scans}};
    CLEANUP(av_state) struct av_state *s = state;
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(all) && rc == 0; i++) {
        if (!probe_wants(ctx, all[i].table)) {
            continue;
        }
        if (s->hidden != NULL) {
            probe_state(ctx, all[i].table, STATE_DENIED, "%s", s->hidden);
        } else {
            rc = all[i].rows(ctx, s, e);
        }
    }
    return rc;
}

const struct probe probe_antivirus = {
    .name = "antivirus",
    .doc = "Anti-virus: what is installed, what answers, how old its definitions are.",
    .source = "clamd(8); clamd.conf(5); vendors' documentation (policies/products/antivirus.yaml)",
    .tables = PROBE_TABLES(&table_av_engines, &table_av_definitions, &table_av_scans),
    .reads = PROBE_LIST("/etc/clamav", "/etc/clamd.d", "/etc/clamd.conf", "/etc/localtime",
                        "/usr/local/etc", "/var/lib/clamav", "/usr/local/share/clamav", "/run",
                        "/var/log/clamav", "/var/log/freshclam.log", "/var/log/clamscan.log"),
    .syscalls = PROBE_LIST("@dir-walk", "@unix-client"),
    .caps = 1ULL << CAP_DAC_READ_SEARCH, /* freshclam's log, definitions of the engine's user */
    .network = NETWORK_NONE,
    .inputs = PROBE_LIST(AV_INPUT),
    .timeout_ms = 15000,
    .max_rows = 2000,
    .run = antivirus_run,
    .parse = antivirus_parse,
};
