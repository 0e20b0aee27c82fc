/* One look at a host: loading, scanning, judging. */
#include "agent/commands/session.h"

#include <string.h>
#include <unistd.h>

#include "agent/base/io.h"
#include "agent/base/json.h"
#include "agent/commands/endpoints.h"
#include "agent/policy/products.h"
#include "agent/policy/products_av.h"

/* Value of KEY= in os-release(5) text, quotes removed; false if there is none. */
static bool os_release_value(const char *text, const char *key, char *out, size_t n)
{
    size_t key_n = strlen(key);
    for (const char *line = text; line != NULL && line[0] != '\0';) {
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        if (len > key_n && strncmp(line, key, key_n) == 0 && line[key_n] == '=') {
            const char *v = line + key_n + 1;
            size_t v_n = len - key_n - 1;
            if (v_n >= 2 && (v[0] == '"' || v[0] == '\'') && v[v_n - 1] == v[0]) {
                v++;
                v_n -= 2;
            }
            (void)snprintf(out, n, "%.*s", (int)(v_n < n ? v_n : n - 1), v);
            return true;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return false;
}

static void read_os(const struct host *h, struct host_info *info)
{
    static const char *const paths[] = {"/etc/os-release", "/usr/lib/os-release"};
    CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
    char id[64] = "";
    char like[128] = "";
    for (size_t i = 0; i < ARRAY_LEN(paths) && text.len == 0; i++) {
        str_clear(&text);
        if (host_read(h, paths[i], (size_t)64 << 10, &text, NULL) < 0) {
            str_clear(&text);
        }
    }
    (void)os_release_value(str_text(&text), "PRETTY_NAME", info->os, sizeof(info->os));
    (void)os_release_value(str_text(&text), "ID", id, sizeof(id));
    (void)os_release_value(str_text(&text), "ID_LIKE", like, sizeof(like));
    const char *family = "any";
    if (strcmp(id, "debian") == 0 || strstr(like, "debian") != NULL) {
        family = "debian";
    } else if (strcmp(id, "fedora") == 0 || strcmp(id, "rhel") == 0 ||
               strstr(like, "rhel") != NULL || strstr(like, "fedora") != NULL) {
        family = "rhel";
    }
    (void)snprintf(info->os_family, sizeof(info->os_family), "%s", family);
}

/* A leaf as cell text; "" when it cannot be read: these are labels, no verdict leans on them. */
static void read_label(const struct host *h, const char *path, char *out, size_t n)
{
    char line[512];
    CLEANUP(str) struct str cell = STR_INIT(4096);
    out[0] = '\0';
    if (host_read_line(h, path, line, sizeof(line), NULL) < 0) {
        return;
    }
    str_add_cell(&cell, line, strlen(line));
    if (cell.len < n) {
        (void)snprintf(out, n, "%s", str_text(&cell));
    }
}

static void read_info(const struct host *h, struct host_info *info)
{
    read_label(h, "/proc/sys/kernel/hostname", info->hostname, sizeof(info->hostname));
    if (info->hostname[0] == '\0') {
        read_label(h, "/etc/hostname", info->hostname, sizeof(info->hostname));
    }
    read_label(h, "/proc/sys/kernel/random/boot_id", info->boot_id, sizeof(info->boot_id));
    read_label(h, "/etc/machine-id", info->machine_id, sizeof(info->machine_id));
    read_os(h, info);
    const json_t *time = host_capture(h, "time");
    if (json_is_string(time)) {
        (void)snprintf(info->capture_time, sizeof(info->capture_time), "%s",
                       json_string_value(time));
    }
}

const struct table **schema_of_program(struct err *e)
{
    size_t n_probes = 0;
    size_t n = 3; /* scan, probe_status, end */
    const struct probe *const *probes = probe_registry(&n_probes);
    for (const struct table *const *t = site_tables(); *t != NULL; t++) {
        n++;
    }
    for (size_t i = 0; i < n_probes; i++) {
        for (const struct table *const *t = probes[i]->tables; *t != NULL; t++) {
            n++;
        }
    }
    const struct table **list = calloc(n, sizeof(*list));
    if (list == NULL) {
        (void)err_nomem(e);
        return NULL;
    }
    size_t at = 0;
    list[at++] = &table_scan;
    list[at++] = &table_probe_status;
    for (size_t i = 0; i < n_probes; i++) {
        for (const struct table *const *t = probes[i]->tables; *t != NULL; t++) {
            list[at++] = *t;
        }
    }
    for (const struct table *const *t = site_tables(); *t != NULL; t++) {
        list[at++] = *t;
    }
    return list;
}

size_t rules_dirs(const struct strv *more, bool needed, const char **dirs)
{
    size_t n = 0;
    size_t n_more = more != NULL ? more->n : 0;
    const char *shipped = policy_default_dir();
    const char *chosen = secure_getenv("TENKEN_POLICY_DIR");
    bool named = chosen != NULL && chosen[0] != '\0';
    if (named || (needed && n_more == 0) || access(shipped, F_OK) == 0) {
        dirs[n++] = shipped;
    }
    for (size_t i = 0; i < n_more; i++) {
        dirs[n++] = more->items[i];
    }
    return n;
}

static int load_policy(const struct session_options *o, struct session *s, struct err *e)
{
    size_t n_more = o->policies != NULL ? o->policies->n : 0;
    CLEANUP(free) const char **dirs = calloc(n_more + 1, sizeof(*dirs));
    if (dirs == NULL) {
        return err_nomem(e);
    }
    size_t n = rules_dirs(o->policies, o->site_required, dirs);
    return policy_load(dirs, n, true, &s->policy, e);
}

static int load_site(const struct session_options *o, struct session *s, struct err *e)
{
    struct err local = {0};
    if (o->site_none) {
        s->site_path = "";
        return site_empty(&s->site, e);
    }
    s->site_path = o->site_path != NULL ? o->site_path : SITE_DEFAULT_PATH;
    int r = site_load(s->site_path, o->site_trusted, &s->site, &local);
    s->has_site = r == 0;
    /* A site file that was named must be there; the default one may be missing where none is
     * needed. */
    if (r == ERR_ABSENT && o->site_path == NULL && !o->site_required) {
        return site_empty(&s->site, e);
    }
    if (r < 0) {
        return err_set(e, r == ERR_ABSENT ? ERR_INVALID : r, "%s%s", local.msg,
                       r == ERR_ABSENT ? " (tenken init proposes one)" : "");
    }
    const char *language = site_setting(s->site, "language");
    if (language != NULL && !s->app->lang_fixed) {
        return lang_parse(language, &s->app->lang, e);
    }
    return 0;
}

static void load_keys(struct session *s)
{
    struct state *state = NULL;
    /* A reader without the key (not root, nothing recorded yet) gets pseudonyms of its own: they
     * are never recorded. */
    if (state_open(s->state_dir, false, &state, NULL) == 0) {
        struct sign_key *key = NULL;
        int r = state_pseudonym_key(state, false, s->pseudonym_key, NULL);
        if (state_key(state, false, &key, NULL) == 0) {
            (void)snprintf(s->host_id, sizeof(s->host_id), "%s", sign_key_id(key));
            sign_key_free(key);
        }
        state_close(state);
        if (r == 0) {
            return;
        }
    }
    struct err e = {0};
    if (random_bytes(s->pseudonym_key, sizeof(s->pseudonym_key), &e) < 0) {
        memset(s->pseudonym_key, 0, sizeof(s->pseudonym_key));
    }
}

static int session_time(struct session *s, struct err *e)
{
    if (s->info.capture_time[0] != '\0') {
        return time_parse_utc(s->info.capture_time, &s->time_s, e);
    }
    s->time_s = time_now_s();
    return 0;
}

int session_open(struct app *app, const struct session_options *o, struct session *ret,
                 struct err *e)
{
    memset(ret, 0, sizeof(*ret));
    ret->app = app;
    ret->offline = o->offline;
    ret->root = o->root != NULL ? o->root : "/";
    ret->state_dir = o->state_dir != NULL ? o->state_dir : state_dir_default();
    int r = load_policy(o, ret, e);
    if (r == 0) {
        r = load_site(o, ret, e);
    }
    if (r == 0) {
        r = host_open(ret->root, &ret->host, e);
    }
    if (r == 0 && (ret->schema = schema_of_program(e)) == NULL) {
        r = ERR_NOMEM;
    }
    if (r == 0) {
        r = random_uuid(ret->scan_id, e);
    }
    if (r == 0) {
        read_info(ret->host, &ret->info);
        load_keys(ret);
        r = session_time(ret, e);
    }
    if (r < 0) {
        session_done(ret);
        memset(ret, 0, sizeof(*ret));
    }
    return r;
}

void session_done(struct session *s)
{
    scan_result_done(&s->scan);
    site_free(s->site);
    policy_free(s->policy);
    host_free(s->host);
    free(s->schema);
    memset(s->pseudonym_key, 0, sizeof(s->pseudonym_key));
}

/* Fact tables among names; the rest (site, scan) is not a probe's. */
static int wanted_tables(const struct read_set *reads, const char *const *extra, struct strv *out,
                         struct err *e)
{
    for (size_t i = 0; i < reads->tables.n; i++) {
        if (probe_for_table(reads->tables.items[i], NULL) != NULL &&
            !strv_has(out, reads->tables.items[i]) &&
            strv_add(out, reads->tables.items[i], e) < 0) {
            return ERR_NOMEM;
        }
    }
    for (; extra != NULL && *extra != NULL; extra++) {
        if (!strv_has(out, *extra) && strv_add(out, *extra, e) < 0) {
            return ERR_NOMEM;
        }
    }
    return 0;
}

/* Old hellos to slow servers take longer than all the rest of a scan. */
#define ENDPOINTS_WALL_MS 75000U
#define ENDPOINTS_MAX 256U

/* Endpoints for the probe that contacts them, or the word that they are not to be contacted. Names
 * are resolved only where a table of that probe is wanted. */
static int endpoint_inputs(const struct session *s, const struct strv *wanted, struct strv *lines,
                           struct probe_input *inputs, size_t max, size_t *ret_n, struct err *e)
{
    const struct probe *p = probe_for_table("tls_endpoints", NULL);
    bool any = false;
    for (const struct table *const *t = p != NULL ? p->tables : NULL; t != NULL && *t != NULL;
         t++) {
        any = any || strv_has(wanted, (*t)->name);
    }
    bool live = host_is_live(s->host) && !s->offline;
    int r = any ? endpoints_lines(s->site, live, lines, e) : 0;
    *ret_n = 0;
    if (r == 0 && lines->n > max) {
        return err_set(e, ERR_INVALID, "more than %zu TLS endpoints are declared", max);
    }
    for (size_t i = 0; r == 0 && i < lines->n; i++) {
        inputs[(*ret_n)++] =
            s->offline ? (struct probe_input){.kind = "tls_offline", .value = "1"}
                       : (struct probe_input){.kind = "tls_endpoints", .value = lines->items[i]};
    }
    return r;
}

/* Data of the policy for the probes that ask for it, as many as are counted there. */
static void product_inputs(const struct policy *p, struct probe_input *out)
{
    for (size_t i = 0; i < p->n_pam_modules; i++) {
        *out++ = (struct probe_input){.kind = PRODUCTS_PAM_INPUT, .value = p->pam_modules[i]};
    }
    for (size_t i = 0; i < p->n_av_products; i++) {
        *out++ = (struct probe_input){.kind = PRODUCTS_AV_INPUT, .value = p->av_products[i]};
    }
}

int session_scan(struct session *s, const struct read_set *reads, const char *const *extra,
                 struct err *e)
{
    CLEANUP(strv) struct strv wanted = {0};
    CLEANUP(strv) struct strv endpoints = {0};
    size_t n_endpoints = 0;
    size_t n_paths = site_n_data_paths(s->site);
    size_t n_inputs = n_paths + s->policy->n_pam_modules + s->policy->n_av_products;
    CLEANUP(free)
    struct probe_input *inputs = calloc(n_inputs + ENDPOINTS_MAX + 1, sizeof(*inputs));
    if (inputs == NULL) {
        return err_nomem(e);
    }
    product_inputs(s->policy, inputs + n_paths);
    for (size_t i = 0; i < n_paths; i++) {
        inputs[i] = (struct probe_input){.kind = "data_paths", .value = site_data_path(s->site, i)};
    }
    int r = wanted_tables(reads, extra, &wanted, e);
    if (r == 0) {
        r = endpoint_inputs(s, &wanted, &endpoints, inputs + n_inputs, ENDPOINTS_MAX, &n_endpoints,
                            e);
    }
    if (r < 0) {
        return r;
    }
    CLEANUP(free) const char **tables = calloc(wanted.n + 1, sizeof(*tables));
    if (tables == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < wanted.n; i++) {
        tables[i] = wanted.items[i];
    }
    const char *landlock = site_setting(s->site, "require.landlock");
    struct scan_request rq = {.host = s->host,
                              .tables = tables,
                              .n_tables = wanted.n,
                              .inputs = inputs,
                              .n_inputs = n_inputs + n_endpoints,
                              .require_landlock = landlock != NULL && strcmp(landlock, "true") == 0,
                              .wall_limit_ms = n_endpoints > 0 ? ENDPOINTS_WALL_MS : 0};
    return scan_run(s->app->launcher, &rq, &s->scan, e);
}

void judged_done(struct judged *j)
{
    facts_done(&j->recorded);
    pseudonyms_free(j->names);
    evaluation_free(j->evaluation);
    if (j->has_previous) {
        statement_done(&j->previous);
    }
    chain_head_done(&j->head);
}

static int judge_rows(struct session *s, struct judged *j, struct err *e)
{
    char time[TIME_TEXT_MAX];
    time_utc(s->time_s, time);
    int r = date_in_zone(j->time_zone, s->time_s, j->local_date, e);
    if (r < 0) {
        return err_prefix(e, "contract %s", j->contract);
    }
    struct scan_row row = {
        .id = s->scan_id,
        .time = time,
        .local_date = j->local_date,
        .hostname = s->info.hostname,
        .boot_id = s->info.boot_id,
        /* Where a captured tree lies says nothing of the host and may hold names. */
        .root = host_is_live(s->host) ? "/" : "captured",
        .agent_version = TENKEN_VERSION};
    return scan_tables_add(&s->scan.facts, &row, e);
}

int session_judge(struct session *s, const struct site_contract *contract,
                  const struct framework *fw, const struct read_set *reads, const char *const *only,
                  struct judged *ret, struct err *e)
{
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(ret->contract, sizeof(ret->contract), "%s",
                   contract != NULL ? contract->id : "none");
    (void)snprintf(ret->time_zone, sizeof(ret->time_zone), "%s",
                   contract != NULL && contract->time_zone[0] != '\0' ? contract->time_zone
                                                                      : "Asia/Tokyo");
    ret->framework = fw;
    int r = judge_rows(s, ret, e);
    if (r < 0) {
        return r;
    }
    struct record_request record = {.facts = &s->scan.facts,
                                    .site = s->site,
                                    .contract = ret->contract,
                                    .reads = reads,
                                    .pseudonym_key = s->pseudonym_key,
                                    .max_bytes = (size_t)1 << 20};
    r = record_build(&record, &ret->recorded, &ret->names, e);
    if (r == 0) {
        struct eval_request eval = {.policy = s->policy,
                                    .framework = fw,
                                    .contract = ret->contract,
                                    .only_checks = only,
                                    .facts = &ret->recorded};
        r = evaluate(&eval, &ret->evaluation, e);
    }
    if (r < 0) {
        judged_done(ret);
        memset(ret, 0, sizeof(*ret));
    }
    return r;
}

void session_previous(const struct session *s, struct judged *j)
{
    struct state *state = NULL;
    if (!host_is_live(s->host) || state_open(s->state_dir, false, &state, NULL) < 0) {
        return;
    }
    if (chain_find(state, j->contract, j->framework->id, false, &j->head, NULL) == 0 &&
        j->head.payload != NULL) {
        j->has_previous =
            statement_parse(j->head.payload, j->head.payload_n, &j->previous, NULL) == 0;
    }
    state_close(state);
}

static bool cites(const struct citation *list, size_t n, const char *check_id)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].check != NULL && strcmp(list[i].check->id, check_id) == 0) {
            return true;
        }
    }
    return false;
}

bool control_cites(const struct control *c, const char *check_id)
{
    bool found = cites(c->checks, c->n_checks, check_id);
    for (size_t g = 0; g < c->n_any_of; g++) {
        found = found || cites(c->any_of[g], c->any_of_n[g], check_id);
    }
    return found || (c->gate != NULL && strcmp(c->gate->id, check_id) == 0);
}

bool framework_cites(const struct framework *f, const char *check_id)
{
    for (size_t i = 0; i < f->n_controls; i++) {
        if (control_cites(&f->controls[i], check_id)) {
            return true;
        }
    }
    return false;
}
