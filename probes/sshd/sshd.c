/* The sshd probe: what the SSH daemon's configuration comes to, for every connection that it can
 * tell apart. It says what the files say; a daemon that was started before they changed, or with
 * options of its own, is not looked at here. */
#include <stdlib.h>
#include <string.h>

#include <linux/capability.h>

#include "probes/probe.h"
#include "probes/sshd/conf.h"
#include "probes/system/passwd.h"

#define ACCOUNTS_MAX 4096U
#define ACCOUNTS_FILE_MAX ((size_t)4 << 20)

static const struct table table_sshd_effective = {
    .name = "sshd_effective",
    .doc = "Configuration of the SSH daemon as its files say it, per distinguishable connection. A "
           "scope that comes to the same as one with fewer words is not listed. Keywords without "
           "bearing on who gets in are left out, and lists of algorithms unless set; those stand "
           "as written. Defaults are those of OpenSSH 8.7 and later.",
    .source = "sshd_config(5); OpenSSH servconf.c",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"scope", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL,
         "* = an ordinary user, address and port that no Match names; else what must hold: "
         "user=root if:user= if:group= if:address= if:laddress= if:host= if:port= if:rdomain="},
        {"keyword", COL_TEXT, "", COL_KEY, NULL, "lower case, aliases resolved"},
        {"value", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL,
         "as sshd -T shows it; a row each where a keyword adds up"},
        {"source", COL_TEXT, "", 0, NULL, "file:line, or default"}, )};

enum { COL_SCOPE, COL_KEYWORD, COL_VALUE, COL_SOURCE };

struct account_list {
    struct sshd_account *items;
    int64_t *gids;
    size_t n;
    bool is_full;
    struct strv texts;
    int error;
};

static int read_cb(void *arg, const char *path, struct str *out, struct err *e)
{
    const struct host *h = arg;
    int r = host_read(h, path, SSHD_FILE_MAX, out, e);
    if (r == ERR_ABSENT && !host_is_live(h) && host_is_captured(h) && !host_is_whole(h, SSHD_DIR)) {
        return err_set(e, ERR_DENIED, "not_captured: %s", path);
    }
    return r;
}

static int list_cb(void *arg, const char *dir, struct strv *ret, struct err *e)
{
    const struct host *h = arg;
    int r = host_list(h, dir, 4096, ret, e);
    if (host_is_captured(h) && (r == 0 || r == ERR_ABSENT) && !host_is_whole(h, dir)) {
        return err_set(e, ERR_DENIED, "not_captured: %s", dir);
    }
    return r;
}

static void take_user(const struct passwd_row *row, void *arg)
{
    struct account_list *l = arg;
    if (l->n == ACCOUNTS_MAX || l->error != 0) {
        l->is_full = l->n == ACCOUNTS_MAX;
        return;
    }
    l->error = strv_add_n(&l->texts, row->name.p, row->name.n, NULL);
    if (l->error == 0) {
        l->gids[l->n] = row->gid;
        l->items[l->n++].name = l->texts.items[l->texts.n - 1];
    }
}

static void join_group(struct account_list *l, size_t i, const char *group)
{
    struct sshd_account *a = &l->items[i];
    const char **grown =
        reallocarray((void *)(uintptr_t)a->groups, a->n_groups + 1, sizeof(*grown));
    if (grown == NULL) {
        l->error = ERR_NOMEM;
        return;
    }
    grown[a->n_groups++] = group;
    a->groups = grown;
}

static void take_group(const struct group_row *row, void *arg)
{
    struct account_list *l = arg;
    if (l->error != 0 || (l->error = strv_add_n(&l->texts, row->name.p, row->name.n, NULL)) != 0) {
        return;
    }
    const char *group = l->texts.items[l->texts.n - 1];
    for (size_t i = 0; i < l->n && l->error == 0; i++) {
        if (l->gids[i] == row->gid) {
            join_group(l, i, group);
        }
    }
    struct span rest = row->members, member;
    while (l->error == 0 && group_next_member(&rest, &member)) {
        for (size_t i = 0; i < l->n && l->error == 0; i++) {
            if (span_is(member, l->items[i].name)) {
                join_group(l, i, group);
            }
        }
    }
}

static void account_list_done(struct account_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free((void *)(uintptr_t)l->items[i].groups);
    }
    free(l->items);
    free(l->gids);
    strv_done(&l->texts);
}

/* The accounts of the files; those of directories are stood for by the patterns. */
static int take_accounts(const struct host *h, struct account_list *l, struct err *e)
{
    CLEANUP(str) struct str users = STR_INIT(ACCOUNTS_FILE_MAX);
    CLEANUP(str) struct str groups = STR_INIT(ACCOUNTS_FILE_MAX);
    struct parse_report report = {0};
    l->items = calloc(ACCOUNTS_MAX, sizeof(*l->items));
    l->gids = calloc(ACCOUNTS_MAX, sizeof(*l->gids));
    if (l->items == NULL || l->gids == NULL) {
        return err_nomem(e);
    }
    int r = host_read(h, "/etc/passwd", ACCOUNTS_FILE_MAX, &users, e);
    r = r == 0 ? host_read(h, "/etc/group", ACCOUNTS_FILE_MAX, &groups, e) : r;
    if (r < 0) {
        return r;
    }
    passwd_parse(str_text(&users), users.len, take_user, l, &report);
    group_parse(str_text(&groups), groups.len, take_group, l, &report);
    if (l->error != 0) {
        return err_nomem(e);
    }
    return l->is_full ? err_set(e, ERR_LIMIT, "more than %u accounts", ACCOUNTS_MAX) : 0;
}

static void put_config(struct probe_ctx *ctx, const char *scope, const struct sshd_config *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct sshd_setting *s = &c->items[i];
        CLEANUP(strv) struct strv shown = {0};
        CLEANUP(str) struct str source = STR_INIT(8192);
        str_addf(&source, "%s:%u", s->file == NULL ? "" : s->file, s->line);
        for (size_t v = 0; v < s->values.n; v++) {
            /* A word that is repeated is one row: the value is part of the key. */
            if (strv_has(&shown, s->values.items[v]) ||
                strv_add(&shown, s->values.items[v], NULL) < 0) {
                continue;
            }
            row_begin(ctx, &table_sshd_effective);
            row_text(ctx, COL_SCOPE, scope);
            row_text(ctx, COL_KEYWORD, s->keyword);
            row_text(ctx, COL_VALUE, s->values.items[v]);
            row_text(ctx, COL_SOURCE, s->file == NULL ? "default" : str_text(&source));
            row_end(ctx);
        }
    }
}

/* True if `small` names only words that `large` names too. */
static bool scope_within(const char *small, const char *large)
{
    if (strcmp(small, "*") == 0) {
        return true;
    }
    const char *at = strstr(large, small);
    size_t n = strlen(small);
    return at != NULL && (at == large || at[-1] == ',') && (at[n] == '\0' || at[n] == ',');
}

static int put_cases(struct probe_ctx *ctx, const struct sshd_conf *conf,
                     const struct sshd_contexts *cases, struct err *e)
{
    struct sshd_config *listed = calloc(cases->n, sizeof(*listed));
    if (listed == NULL) {
        return err_nomem(e);
    }
    int r = 0;
    size_t steps = 0;
    for (size_t i = 0; i < cases->n && r == 0; i++) {
        steps += conf->n * 2;
        if (steps > SSHD_WORK_MAX) {
            probe_state(ctx, &table_sshd_effective, STATE_TRUNCATED,
                        "bound: too many Match blocks for every connection");
            break;
        }
        struct err why = {0};
        r = sshd_conf_resolve(conf, &cases->items[i].context, &listed[i], &why);
        if (r == ERR_MALFORMED) {
            /* Later versions may let such a connection in: better not known. */
            probe_state_err(ctx, &table_sshd_effective, &why);
            r = 0;
            continue;
        }
        if (r < 0) {
            *e = why;
        }
        bool is_new = true;
        for (size_t j = 0; j < i && r == 0 && is_new; j++) {
            is_new = !(scope_within(cases->items[j].scope, cases->items[i].scope) &&
                       sshd_config_equal(&listed[j], &listed[i]));
        }
        if (r == 0 && is_new) {
            put_config(ctx, cases->items[i].scope, &listed[i]);
        }
    }
    for (size_t i = 0; i < cases->n; i++) {
        sshd_config_done(&listed[i]);
    }
    free(listed);
    return r;
}

/* No configuration: absent only where that is proof, else not known. */
static int put_nothing(struct probe_ctx *ctx, const struct err *why)
{
    const struct host *h = probe_host(ctx);
    struct host_stat st;
    if (why->code == ERR_ABSENT && host_is_whole(h, "/etc") &&
        host_stat(h, "/usr/etc/ssh/sshd_config", true, &st, NULL) == ERR_ABSENT &&
        (host_is_live(h) || host_is_whole(h, "/usr/etc"))) {
        probe_state(ctx, &table_sshd_effective, STATE_ABSENT, "no_config: " SSHD_CONFIG);
    } else {
        probe_state_err(ctx, &table_sshd_effective, why);
    }
    return 0;
}

static int sshd_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    const struct host *h = probe_host(ctx);
    CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
    CLEANUP(sshd_contexts) struct sshd_contexts cases = {.n = 0};
    struct account_list accounts = {.n = 0};
    struct err why = {0};
    *ret_state = NULL;
    bool is_plain_tree = !host_is_live(h) && !host_is_captured(h);
    const char *hidden = is_plain_tree ? NULL : host_hidden(h, HOST_SEES_ROOT);
    if (hidden != NULL) {
        probe_state(ctx, &table_sshd_effective, STATE_DENIED, "%s", hidden);
        return 0;
    }
    struct sshd_files files = {.read = read_cb, .list = list_cb, .arg = (void *)(uintptr_t)h};
    if (sshd_conf_load(&files, SSHD_CONFIG, &conf, &why) < 0) {
        return put_nothing(ctx, &why);
    }
    int r = take_accounts(h, &accounts, &why);
    if (r < 0) {
        probe_state_err(ctx, &table_sshd_effective, &why);
    }
    r = sshd_contexts_make(&conf, accounts.items, accounts.n, &cases, e);
    if (r == 0 && cases.is_truncated) {
        probe_state(ctx, &table_sshd_effective, STATE_TRUNCATED,
                    "bound: more distinguishable connections than are enumerated");
    }
    r = r == 0 ? put_cases(ctx, &conf, &cases, e) : r;
    account_list_done(&accounts);
    return r;
}

const struct probe probe_sshd = {
    .name = "sshd",
    .doc = "What the SSH daemon's configuration comes to.",
    .source = "sshd_config(5)",
    .tables = PROBE_TABLES(&table_sshd_effective),
    .reads = PROBE_LIST("/etc/ssh", "/usr/etc/ssh", "/etc/passwd", "/etc/group"),
    .syscalls = PROBE_LIST("@dir-walk"),
    .caps = 1ULL << CAP_DAC_READ_SEARCH, /* hardened hosts keep sshd_config for root alone */
    .network = NETWORK_NONE,
    .timeout_ms = 5000,
    .max_rows = 65536,
    .run = sshd_run,
};
