/* tenken doctor: what is missing, in plain words; --sandbox: what each probe may do, and what holds
 * here. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/commands/doctor.h"
#include "agent/commands/opts.h"

void doctor_good(const struct doctor *d, const char *what, const char *text)
{
    CLEANUP(str) struct str line = STR_INIT(8192);
    str_add_terminal(&line, text);
    printf("%s %s: %s\n", d->ascii ? "+" : say(d->app, "○", "+"), what, str_text(&line));
}

void doctor_note(const struct doctor *d, const char *what, const char *text)
{
    CLEANUP(str) struct str line = STR_INIT(8192);
    str_add_terminal(&line, text);
    printf("%s %s: %s\n", d->ascii ? "-" : say(d->app, "・", "-"), what, str_text(&line));
}

void doctor_bad(struct doctor *d, const char *what, const char *text)
{
    CLEANUP(str) struct str line = STR_INIT(8192);
    str_add_terminal(&line, text);
    printf("%s %s: %s\n", d->ascii ? "x" : "✗", what, str_text(&line));
    d->n_bad++;
}

static void look_at_rules(struct doctor *d, const struct session *s)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "v%s, %zu checks, %zu standards, %s", s->policy->version,
                   s->policy->n_checks, s->policy->n_frameworks,
                   s->policy->unmodified ? "unmodified" : "modified");
    if (s->policy->unmodified) {
        doctor_good(d, say(d->app, "規則", "rules"), text);
    } else {
        doctor_note(d, say(d->app, "規則", "rules"), text);
    }
}

static void look_at_site(struct doctor *d, const struct session *s)
{
    struct err e = {0};
    const char *what = say(d->app, "宣言", "site file");
    char text[512];
    if (!s->has_site) {
        doctor_bad(d, what,
                   say(d->app,
                       "/etc/tenken/site.yaml がありません: tenken init > /etc/tenken/site.yaml "
                       "で案を作り、確認してください",
                       "there is no /etc/tenken/site.yaml: tenken init proposes one"));
        return;
    }
    if (site_check_policy(s->site, s->policy, &e) < 0) {
        doctor_bad(d, what, e.msg);
        return;
    }
    (void)snprintf(
        text, sizeof(text),
        say(d->app, "%s、契約 %zu 件、データ保存先 %zu か所", "%s, %zu contracts, %zu data paths"),
        s->site_path, site_n_contracts(s->site), site_n_data_paths(s->site));
    if (site_n_contracts(s->site) == 0) {
        doctor_bad(d, what,
                   say(d->app, "契約が宣言されていません",
                       "no contract is declared, so nothing can be judged"));
    } else {
        doctor_good(d, what, text);
    }
}

static void look_at_spool(struct doctor *d, struct state *state)
{
    struct err e = {0};
    struct spool_list list = {0};
    char text[256];
    if (spool_list(state, &list, &e) < 0) {
        doctor_bad(d, say(d->app, "スプール", "spool"), e.msg);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   say(d->app, "証跡 %zu 件、うち未受領 %zu 件",
                       "%zu evidences, %zu of them not acknowledged"),
                   list.n, list.n_unacknowledged);
    doctor_note(d, say(d->app, "スプール", "spool"), text);
    spool_list_done(&list);
}

static bool look_at_keys(struct doctor *d, const struct session *s, struct state *state)
{
    struct err e = {0};
    CLEANUP(sign_key) struct sign_key *key = NULL;
    CLEANUP(verify_key) struct verify_key *collector = NULL;
    if (state_key(state, false, &key, &e) == 0) {
        doctor_good(d, say(d->app, "鍵", "key"), sign_key_id(key));
    } else if (e.code == ERR_ABSENT) {
        doctor_note(d, say(d->app, "鍵", "key"),
                    say(d->app, "最初の記録のときに作ります", "made at the first recording"));
    } else {
        doctor_bad(d, say(d->app, "鍵", "key"), e.msg);
    }
    if (state_identity_check(state, s->info.machine_id, &e) < 0) {
        doctor_bad(d, say(d->app, "複製", "identity"), e.msg);
    }
    look_at_spool(d, state);
    if (state_collector_key(state, &collector, &e) == 0) {
        doctor_good(d, say(d->app, "収集サーバ", "collector"), verify_key_id(collector));
        return true;
    }
    doctor_note(d, say(d->app, "収集サーバ", "collector"),
                say(d->app, "未登録（tenken enroll、又は tenken export で持出し）",
                    "not enrolled (tenken enroll; or tenken export, without a network)"));
    return false;
}

static void look_at_state(struct doctor *d, const struct session *s)
{
    struct err e = {0};
    CLEANUP(state) struct state *state = NULL;
    bool is_enrolled = false;
    int r = state_open(s->state_dir, false, &state, &e);
    if (r == ERR_ABSENT) {
        doctor_note(d, say(d->app, "証跡", "evidence"),
                    say(d->app, "まだ記録がありません (tenken scan --record)",
                        "nothing recorded yet (tenken scan --record)"));
    } else if (r == ERR_DENIED && geteuid() != 0) {
        /* Not a fault of the set-up: keys and spool are root's. */
        doctor_note(d, say(d->app, "証跡", "evidence"),
                    say(d->app, "root で実行すると、証跡と毎日の点検の状態が分かります",
                        "run me as root to see evidence and the daily run"));
        return;
    } else if (r < 0) {
        doctor_bad(d, say(d->app, "証跡", "evidence"), e.msg);
    } else {
        is_enrolled = look_at_keys(d, s, state);
    }
    doctor_daily(d, s, doctor_records(d, s, state));
    doctor_upload(d, s, is_enrolled);
}

static void look_at_sight(struct doctor *d, const struct session *s)
{
    const char *hidden = host_hidden(s->host, HOST_SEES_ALL);
    const char *what = say(d->app, "視界", "sight");
    if (hidden != NULL) {
        doctor_bad(d, what, hidden);
    } else if (geteuid() != 0) {
        doctor_note(d, what,
                    say(d->app, "root でないため、一部の事実は確認不能になります",
                        "not root: some facts will be unknown"));
    } else {
        doctor_good(d, what, say(d->app, "このホスト全体が見えます", "the whole host is seen"));
    }
}

static int print_sandbox(struct app *app, const struct session *s, bool json)
{
    struct err e = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)4 << 20);
    if (sandbox_describe(app->launcher, s->host, json, &out, &e) < 0) {
        return complain(&e);
    }
    return write_output(NULL, &out);
}

int cmd_doctor(struct app *app, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    struct session_options so = {.site_required = false, .site_trusted = true};
    bool sandbox = false;
    const char *format = "text";
    CLEANUP(strv) struct strv args = {0};
    const struct opt opts[] = {
        {"sandbox",
         OPT_FLAG,
         NULL,
         &sandbox,
         {{"各プローブのパス、権限、システムコール、ここで効く隔離",
           "each probe's paths, capabilities, system calls, and the layers that hold here"}},
         NULL},
        {"format",
         OPT_WORD,
         "text|json",
         &format,
         {{"--sandbox の出力の形", "form of --sandbox"}},
         formats},
        {"site", OPT_TEXT, "FILE", &so.site_path, {{"宣言ファイル", "site file"}}, NULL},
        {"state", OPT_TEXT, "DIR", &so.state_dir, {{"証跡の置き場", "state directory"}}, NULL},
    };
    const struct usage u = {
        .command = "doctor",
        .arguments = "",
        .doc = {{"設定に足りないもの、隔離の状態、スプール、収集サーバを平易な言葉で示します。",
                 "What is missing, in plain words: set-up, confinement, spool, collector."}},
        .opts = opts,
        .n_opts = ARRAY_LEN(opts),
        .min_args = 0,
        .max_args = 0};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    struct session s;
    if (session_open(app, &so, &s, &e) < 0) {
        return complain(&e);
    }
    int code = EXIT_GOOD;
    if (sandbox) {
        code = print_sandbox(app, &s, strcmp(format, "json") == 0);
    } else {
        struct doctor d = {.app = app, .ascii = !terminal_shows_utf8(), .n_bad = 0};
        look_at_sight(&d, &s);
        doctor_users(&d, &s);
        look_at_rules(&d, &s);
        look_at_site(&d, &s);
        look_at_state(&d, &s);
        code = d.n_bad > 0 ? EXIT_NO : EXIT_GOOD;
    }
    session_done(&s);
    return code;
}
