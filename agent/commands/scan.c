/* tenken scan: inspect, judge, print; with --record sign and spool. */
#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/commands/metrics.h"
#include "agent/commands/opts.h"
#include "agent/commands/record.h"
#include "agent/commands/render.h"

struct scan_options {
    struct session_options session;
    struct strv policies, frameworks, checks;
    const char *format, *output, *metrics;
    bool record, quiet, changes;
};

/* One contract and framework to be judged. */
struct target {
    const struct site_contract *contract; /* NULL: none declared, --framework only */
    const struct framework *framework;
    struct read_set reads;
};

struct targets {
    struct target *items;
    size_t n;
};

static void targets_done(struct targets *t)
{
    for (size_t i = 0; i < t->n; i++) {
        read_set_done(&t->items[i].reads);
    }
    free(t->items);
}

static int find_framework(const struct policy *p, const char *id, const struct framework **ret,
                          struct err *e)
{
    *ret = policy_framework(p, id);
    if (*ret != NULL) {
        return 0;
    }
    CLEANUP(free) const char **ids = policy_framework_ids(p);
    const char *near = ids != NULL ? str_nearest(id, ids, p->n_frameworks) : NULL;
    return err_set(e, ERR_INVALID, "no framework %s%s%s in the policies", id,
                   near != NULL ? ", did you mean " : "", near != NULL ? near : "");
}

static int no_contract(const struct session *s, struct err *e)
{
    return err_set(
        e, ERR_INVALID,
        "%s declares no contract, so there is nothing to judge by. Add:\n"
        "contracts:\n"
        "  - {id: SPR-2026-014, authority: 札幌市, work: …, starts: 2026-04-01, ends: 2027-03-31, "
        "framework: sapporo-7-2}\n"
        "or try a framework without a contract: tenken scan --framework sapporo-7-2",
        s->site_path);
}

static int add_target(struct session *s, const struct scan_options *o,
                      const struct site_contract *c, const char *framework, struct targets *t,
                      struct err *e)
{
    struct target *x = &t->items[t->n];
    CLEANUP(free) const char **only = strv_list(&o->checks);
    if (only == NULL) {
        return err_nomem(e);
    }
    int r = find_framework(s->policy, framework, &x->framework, e);
    if (r == 0) {
        x->contract = c;
        r = policy_reads(s->policy, x->framework, o->checks.n > 0 ? only : NULL, s->schema,
                         &x->reads, e);
    }
    if (r == 0) {
        t->n++;
    }
    return r;
}

/* The contracts of the site that the options ask for; with --framework alone also a trial without a
 * contract. */
static int choose_targets(struct session *s, const struct scan_options *o, struct targets *t,
                          struct err *e)
{
    size_t n = site_n_contracts(s->site);
    int r = 0;
    t->items = calloc(n + o->frameworks.n + 1, sizeof(*t->items));
    if (t->items == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct site_contract *c = site_contract(s->site, i);
        if (o->frameworks.n == 0 || strv_has(&o->frameworks, c->framework)) {
            r = add_target(s, o, c, c->framework, t, e);
        }
    }
    for (size_t i = 0; r == 0 && i < o->frameworks.n; i++) {
        bool have = false;
        for (size_t k = 0; k < t->n; k++) {
            have = have || strcmp(t->items[k].framework->id, o->frameworks.items[i]) == 0;
        }
        if (!have) {
            r = add_target(s, o, NULL, o->frameworks.items[i], t, e);
        }
    }
    if (r == 0 && t->n == 0) {
        r = no_contract(s, e);
    }
    return r;
}

static int check_names(const struct session *s, const struct strv *checks, struct err *e)
{
    for (size_t i = 0; i < checks->n; i++) {
        if (policy_check(s->policy, checks->items[i]) != NULL) {
            continue;
        }
        CLEANUP(free) const char **ids = calloc(s->policy->n_checks + 1, sizeof(*ids));
        if (ids == NULL) {
            return err_nomem(e);
        }
        for (size_t k = 0; k < s->policy->n_checks; k++) {
            ids[k] = s->policy->checks[k].id;
        }
        const char *near = str_nearest(checks->items[i], ids, s->policy->n_checks);
        return err_set(e, ERR_INVALID, "no check %s%s%s in the policies", checks->items[i],
                       near != NULL ? ", did you mean " : "", near != NULL ? near : "");
    }
    return 0;
}

static int scan_all(struct session *s, const struct targets *t, struct err *e)
{
    struct read_set all = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < t->n; i++) {
        for (size_t k = 0; r == 0 && k < t->items[i].reads.tables.n; k++) {
            const char *name = t->items[i].reads.tables.items[k];
            if (!strv_has(&all.tables, name)) {
                r = strv_add(&all.tables, name, e);
            }
        }
    }
    if (r == 0) {
        r = session_scan(s, &all, NULL, e);
    }
    read_set_done(&all);
    return r;
}

static int judge_all(struct session *s, const struct scan_options *o, const struct targets *t,
                     struct judged *list, size_t *ret_n, struct err *e)
{
    CLEANUP(free) const char **only = strv_list(&o->checks);
    if (only == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < t->n; i++) {
        const struct target *x = &t->items[i];
        int r = session_judge(s, x->contract, x->framework, &x->reads,
                              o->checks.n > 0 ? only : NULL, &list[i], e);
        if (r < 0) {
            return r;
        }
        *ret_n = i + 1;
        session_previous(s, &list[i]);
    }
    return 0;
}

static int print_result(const struct session *s, const struct scan_options *o,
                        const struct judged *list, size_t n, const struct str *notice,
                        const struct str *warning, int64_t started_us)
{
    CLEANUP(str) struct str out = STR_INIT((size_t)64 << 20);
    struct render_options ro = {.quiet = o->quiet,
                                .changes = o->changes,
                                .colour = o->output == NULL && isatty(STDOUT_FILENO) &&
                                          getenv("NO_COLOR") == NULL,
                                .ascii = o->output != NULL || !terminal_shows_utf8(),
                                .recorded = o->record,
                                .wall_us = time_monotonic_us() - started_us,
                                .notice = notice->len > 0 ? str_text(notice) : NULL,
                                .warning = warning->len > 0 ? str_text(warning) : NULL};
    if (strcmp(o->format, "json") == 0) {
        render_json(s, list, n, &out);
    } else {
        render_text(s, list, n, &ro, &out);
    }
    return write_output(o->output, &out);
}

/* --metrics: prints its own error. Called when the inspection is done and recorded; after a failure
 * the old file stays, and its age tells. */
static int put_metrics(const struct session *s, const struct scan_options *o, struct state *state,
                       const struct judged *list, size_t n, int64_t wall_us)
{
    struct err e = {0};
    struct metrics_request rq = {
        .session = s, .list = list, .n = n, .wall_us = wall_us, .recorded = state != NULL};
    int r = 0;
    if (o->metrics == NULL) {
        return EXIT_GOOD;
    }
    if (state != NULL) {
        struct spool_list spool = {0};
        r = spool_list(state, &spool, &e);
        rq.n_unacknowledged = spool.n_unacknowledged;
        spool_list_done(&spool);
    }
    if (r == 0) {
        r = metrics_write(&rq, o->metrics, &e);
    }
    return r < 0 ? complain(&e) : EXIT_GOOD;
}

static int exit_code_of(const struct judged *list, size_t n)
{
    CLEANUP(free) const struct evaluation **evs = calloc(n + 1, sizeof(*evs));
    if (evs == NULL) {
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < n; i++) {
        evs[i] = list[i].evaluation;
    }
    return evaluation_exit_code(evs, n);
}

static int run_targets(struct session *s, const struct scan_options *o, const struct targets *t,
                       int64_t started_us)
{
    struct err e = {0};
    size_t n = 0;
    CLEANUP(str) struct str notice = STR_INIT(4096);
    CLEANUP(str) struct str warning = STR_INIT(4096);
    struct judged *list = calloc(t->n + 1, sizeof(*list));
    int code = EXIT_FAILED;
    int r = list == NULL ? err_nomem(&e) : 0;
    struct state *state = NULL;

    if (r == 0 && o->record) {
        r = state_open(s->state_dir, true, &state,
                       &e); /* before the look: a second recording scan ends here */
    }
    if (r == 0) {
        r = scan_all(s, t, &e);
    }
    if (r == 0) {
        r = judge_all(s, o, t, list, &n, &e);
    }
    if (r == 0 && o->record) {
        r = record_all(s, state, list, n, &notice, &warning, &e);
    }
    if (r < 0) {
        code = complain(&e);
    } else {
        int printed = print_result(s, o, list, n, &notice, &warning, started_us);
        int put = put_metrics(s, o, state, list, n, time_monotonic_us() - started_us);
        code = printed != EXIT_GOOD ? printed : put;
        code = code != EXIT_GOOD ? code : exit_code_of(list, n);
    }
    for (size_t i = 0; i < n; i++) {
        judged_done(&list[i]);
    }
    free(list);
    state_close(state);
    return code;
}

static int run_scan(struct app *app, struct scan_options *o)
{
    struct err e = {0};
    struct session s;
    struct targets t = {0};
    int64_t started_us = time_monotonic_us();

    o->session.policies = &o->policies;
    o->session.site_required = o->frameworks.n == 0;
    o->session.site_trusted = true;
    if (session_open(app, &o->session, &s, &e) < 0) {
        return complain(&e);
    }
    int r = site_check_policy(s.site, s.policy, &e);
    if (r == 0) {
        r = check_names(&s, &o->checks, &e);
    }
    if (r == 0) {
        r = choose_targets(&s, o, &t, &e);
    }
    int code = r < 0 ? complain(&e) : run_targets(&s, o, &t, started_us);
    targets_done(&t);
    session_done(&s);
    return code;
}

static int refuse(struct scan_options *o)
{
    struct err e = {0};
    if (o->record && o->session.root != NULL) {
        (void)err_set(&e, ERR_INVALID,
                      "--record with --root: a captured tree is never recorded as a live host");
        return complain(&e);
    }
    if (o->metrics != NULL && o->session.root != NULL) {
        (void)err_set(&e, ERR_INVALID,
                      "--metrics with --root: a captured tree says nothing of this host");
        return complain(&e);
    }
    if (o->record && o->checks.n > 0) {
        (void)err_set(&e, ERR_INVALID, "--record with --check: evidence holds the whole standard");
        return complain(&e);
    }
    return EXIT_GOOD;
}

static struct usage scan_usage(const struct opt *opts, size_t n)
{
    return (struct usage){
        .command = "scan",
        .arguments = "",
        .doc = {{"この端末を点検し、契約の条項ごとに判定を示します。",
                 "Inspects this host and shows a verdict for each clause of its contracts."}},
        .opts = opts,
        .n_opts = n,
        .min_args = 0,
        .max_args = 0};
}

static enum opts_result parse_scan(struct app *app, struct scan_options *o, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    CLEANUP(strv) struct strv args = {0};
    const struct opt opts[] = {
        {"site",
         OPT_TEXT,
         "FILE",
         &o->session.site_path,
         {{"宣言ファイル (/etc/tenken/site.yaml)", "site file (/etc/tenken/site.yaml)"}},
         NULL},
        {"policy",
         OPT_LIST,
         "DIR",
         &o->policies,
         {{"標準の規則に加える規則", "rules to add to the shipped ones"}},
         NULL},
        {"framework",
         OPT_LIST,
         "ID",
         &o->frameworks,
         {{"この基準だけ。契約がなくても試せる", "only this standard; works without a contract"}},
         NULL},
        {"check", OPT_LIST, "ID", &o->checks, {{"この点検項目だけ", "only this check"}}, NULL},
        {"root",
         OPT_TEXT,
         "DIR",
         &o->session.root,
         {{"取り込んだファイル木を見る", "look at a captured tree"}},
         NULL},
        {"state",
         OPT_TEXT,
         "DIR",
         &o->session.state_dir,
         {{"証跡の置き場 (/var/lib/tenken)", "state directory (/var/lib/tenken)"}},
         NULL},
        {"format",
         OPT_WORD,
         "text|json",
         &o->format,
         {{"出力の形", "form of the output"}},
         formats},
        {"output",
         OPT_TEXT,
         "FILE",
         &o->output,
         {{"画面の代わりにファイルへ", "to a file instead of the screen"}},
         NULL},
        {"metrics",
         OPT_TEXT,
         "FILE",
         &o->metrics,
         {{"結果を Prometheus のテキスト形式でも書く",
           "also the result as a Prometheus text file"}},
         NULL},
        {"record",
         OPT_FLAG,
         NULL,
         &o->record,
         {{"署名してスプールに残す", "sign and keep in the spool"}},
         NULL},
        {"quiet", OPT_FLAG, NULL, &o->quiet, {{"良くないものだけ", "only what is not good"}}, NULL},
        {"changes",
         OPT_FLAG,
         NULL,
         &o->changes,
         {{"前回の記録との違いだけ (cron 向け)",
           "only what differs from the last record (for cron)"}},
         NULL},
        {"offline",
         OPT_FLAG,
         NULL,
         &o->session.offline,
         {{"宣言された TLS 接続先も見ない", "contact no declared TLS endpoint either"}},
         NULL},
    };
    const struct usage u = scan_usage(opts, ARRAY_LEN(opts));
    return opts_parse(app, &u, argc, argv, &args);
}

int cmd_scan(struct app *app, int argc, char **argv)
{
    struct scan_options o = {.format = "text"};
    enum opts_result parsed = parse_scan(app, &o, argc, argv);
    int code = parsed != OPTS_RUN ? opts_exit(parsed) : refuse(&o);
    if (parsed == OPTS_RUN && code == EXIT_GOOD) {
        code = run_scan(app, &o);
    }
    strv_done(&o.policies);
    strv_done(&o.frameworks);
    strv_done(&o.checks);
    return code;
}
