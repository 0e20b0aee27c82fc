/* tenken export, import, enroll, upload: how evidence leaves and receipts return. The network part
 * is a program of its own. */
#include <errno.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/commands/opts.h"
#include "agent/commands/session.h"
#include "agent/evidence/export.h"

static int run_export(const struct app *app, const char *output, const char *state_dir, bool all,
                      const struct strv *policies)
{
    struct err e = {0};
    CLEANUP(state) struct state *state = NULL;
    CLEANUP(policy) struct policy *policy = NULL;
    CLEANUP(free) const char **dirs = calloc(policies->n + 2, sizeof(*dirs));
    struct export_report report = {0};
    if (dirs == NULL) {
        (void)err_nomem(&e);
        return complain(&e);
    }
    if (output == NULL) {
        (void)err_set(&e, ERR_INVALID,
                      "export: --output FILE is needed, for example --output mnt-03.intoto.jsonl");
        return complain(&e);
    }
    dirs[0] = policy_default_dir();
    for (size_t i = 0; i < policies->n; i++) {
        dirs[i + 1] = policies->items[i];
    }
    int r = policy_load(dirs, policies->n + 1, true, &policy, &e);
    if (r == 0) {
        r = state_open(state_dir, false, &state, &e);
    }
    if (r == 0) {
        struct export_request rq = {.output = output,
                                    .all = all,
                                    .policy_dirs = dirs,
                                    .n_policy_dirs = policies->n + 1,
                                    .policy_digest = policy->digest};
        r = export_write(state, &rq, &report, &e);
    }
    if (r < 0) {
        return complain(&e);
    }
    printf(say(app, "証跡 %zu 件を %s に書きました。検証: tenken verify %s\n",
               "%zu evidences written to %s. To verify: tenken verify %s\n"),
           report.n_written, output, output);
    if (report.n_other_rules > 0) {
        printf(say(app,
                   "うち %zu "
                   "件は別の版の規則で判定されています（判定のやり直しにはその版が要ります）。\n",
                   "%zu of them were judged with other rules than those copied beside (redoing "
                   "their verdicts needs those).\n"),
               report.n_other_rules);
    }
    return EXIT_GOOD;
}

int cmd_export(struct app *app, int argc, char **argv)
{
    const char *output = NULL;
    const char *state_dir = state_dir_default();
    bool all = false;
    CLEANUP(strv) struct strv args = {0};
    CLEANUP(strv) struct strv policies = {0};
    const struct opt opts[] = {
        {"output",
         OPT_TEXT,
         "FILE",
         &output,
         {{"書き出すファイル (NAME.intoto.jsonl)", "file to write (NAME.intoto.jsonl)"}},
         NULL},
        {"all",
         OPT_FLAG,
         NULL,
         &all,
         {{"受領済みの証跡も含める", "also what was acknowledged already"}},
         NULL},
        {"policy",
         OPT_LIST,
         "DIR",
         &policies,
         {{"標準の規則に加えた規則", "rules that were added to the shipped ones"}},
         NULL},
        {"state", OPT_TEXT, "DIR", &state_dir, {{"証跡の置き場", "state directory"}}, NULL},
    };
    const struct usage u = {.command = "export",
                            .arguments = "",
                            .doc = {{"未受領の証跡を、公開鍵と規則の写しとともに書き出します（ネッ"
                                     "トワークなしの渡し方）。",
                                     "Writes what no collector has acknowledged, with the public "
                                     "key and the rules beside it: the way without a network."}},
                            .opts = opts,
                            .n_opts = ARRAY_LEN(opts),
                            .min_args = 0,
                            .max_args = 0};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    return run_export(app, output, state_dir, all, &policies);
}

/* The collector's key, brought by hand where no network enrols: receipts are held against it. Once
 * there it is only compared: replacing it would let others acknowledge, hence prune, evidence. */
static int take_collector_key(struct state *state, const char *path, struct err *e)
{
    CLEANUP(verify_key) struct verify_key *given = NULL;
    CLEANUP(verify_key) struct verify_key *known = NULL;
    int r = verify_key_file(path, &given, e);
    if (r < 0) {
        return r;
    }
    r = state_collector_key(state, &known, e);
    if (r == ERR_ABSENT) {
        const char *pem = verify_key_text(given);
        return state_set_collector_key(state, pem, strlen(pem), e);
    }
    if (r == 0 && strcmp(verify_key_id(given), verify_key_id(known)) != 0) {
        return err_set(e, ERR_MISMATCH, "%s is not the collector's key %s that is known here", path,
                       verify_key_id(known));
    }
    return r;
}

int cmd_import(struct app *app, int argc, char **argv)
{
    const char *collector = NULL;
    const char *state_dir = state_dir_default();
    CLEANUP(strv) struct strv args = {0};
    const struct opt opts[] = {
        {"collector",
         OPT_TEXT,
         "PUB",
         &collector,
         {{"収集サーバの公開鍵（登録していない端末で初めに一度）",
           "the collector's public key, once, where none is enrolled"}},
         NULL},
        {"state", OPT_TEXT, "DIR", &state_dir, {{"証跡の置き場", "state directory"}}, NULL},
    };
    const struct usage u = {.command = "import",
                            .arguments = "FILE",
                            .doc = {{"収集サーバの受領書のファイルを取り込みます。",
                                     "Takes a collector's file of receipts back."}},
                            .opts = opts,
                            .n_opts = ARRAY_LEN(opts),
                            .min_args = 1,
                            .max_args = 1};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    CLEANUP(state) struct state *state = NULL;
    struct import_report report = {0};
    int r = state_open(state_dir, collector != NULL, &state, &e);
    if (r == 0 && collector != NULL) {
        r = take_collector_key(state, collector, &e);
    }
    if (r == 0) {
        r = import_receipts(state, args.items[0], &report, &e);
    }
    if (r < 0) {
        return complain(&e);
    }
    printf(say(app, "受領書 %zu 件を取り込み、%zu 件を拒みました。\n",
               "%zu receipts taken, %zu refused.\n"),
           report.n_stored, report.n_refused);
    if (report.n_refused > 0) {
        (void)err_set(&e, ERR_MISMATCH, "%s", report.first_refusal);
        return complain(&e);
    }
    return EXIT_GOOD;
}

/* The uploader stands where it was installed, or beside this program in a build tree. */
static int run_uploader(const char *verb, int argc, char **argv)
{
    struct err e = {0};
    CLEANUP(free) char **args = calloc((size_t)argc + 2, sizeof(*args));
    const char *named = getenv("TENKEN_UPLOADER");
    const char *program = named != NULL ? named : TENKEN_UPLOADER;
    CLEANUP(free) char *name = strdup("tenken-upload");
    CLEANUP(free) char *word = strdup(verb);
    if (args == NULL || name == NULL || word == NULL) {
        (void)err_nomem(&e);
        return complain(&e);
    }
    args[0] = name;
    args[1] = word;
    for (int i = 1; i < argc; i++) {
        args[i + 1] = argv[i];
    }
    (void)execv(program, args);
    (void)err_errno(&e, "starting the uploader %s", program);
    return complain(&e);
}

int cmd_enroll(struct app *app UNUSED, int argc, char **argv)
{
    return run_uploader("enroll", argc, argv);
}

int cmd_upload(struct app *app UNUSED, int argc, char **argv)
{
    return run_uploader("upload", argc, argv);
}
