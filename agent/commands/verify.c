/* tenken verify and tenken diff: the auditor's commands. They inspect nothing and need no key of
 * this host. */
#include <string.h>

#include "agent/base/io.h"
#include "agent/commands/opts.h"
#include "agent/commands/session.h"
#include "agent/evidence/verify.h"

/* An export keeps the rules below policies/DIGEST: where a directory holds nothing but one of that
 * kind, that is meant. */
static int rules_dir(const char *dir, struct str *out, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    str_add(out, dir);
    if (io_list(dir, "", &names, NULL) == 0 && names.n == 1 &&
        hex_is(names.items[0], SHA256_HEX - 1)) {
        str_addf(out, "/%s", names.items[0]);
    }
    return str_error(out, e);
}

static int load_rules(const struct strv *named, struct policy **ret, struct err *e)
{
    CLEANUP(strv) struct strv found = {0};
    CLEANUP(free) const char **dirs = NULL;
    const char *shipped = policy_default_dir();
    /* An auditor names the rules that came with the evidence: then those alone are used. */
    for (size_t i = 0; i < named->n; i++) {
        CLEANUP(str) struct str dir = STR_INIT(8192);
        int r = rules_dir(named->items[i], &dir, e);
        if (r == 0) {
            r = strv_add(&found, str_text(&dir), e);
        }
        if (r < 0) {
            return r;
        }
    }
    dirs = strv_list(&found);
    if (dirs == NULL) {
        return err_nomem(e);
    }
    return found.n > 0 ? policy_load(dirs, found.n, true, ret, e)
                       : policy_load(&shipped, 1, true, ret, e);
}

/* This machine's own key, for verifying its own spool; NULL if it has none. */
static struct verify_key *own_key(void)
{
    struct state *state = NULL;
    struct sign_key *key = NULL;
    struct verify_key *ret = NULL;
    if (state_open(state_dir_default(), false, &state, NULL) < 0) {
        return NULL;
    }
    if (state_key(state, false, &key, NULL) == 0 && verify_key_of(key, &ret, NULL) < 0) {
        ret = NULL;
    }
    sign_key_free(key);
    state_close(state);
    return ret;
}

static int run_verify(const struct app *app, const struct strv *files, const struct strv *policies,
                      const char *key_path, bool json)
{
    struct err e = {0};
    CLEANUP(policy) struct policy *policy = NULL;
    CLEANUP(verify_key) struct verify_key *key = NULL;
    CLEANUP(verify_key) struct verify_key *fallback = own_key();
    CLEANUP(verify_report) struct verify_report report = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)64 << 20);
    CLEANUP(free) const char **paths = strv_list(files);
    int r = paths == NULL ? err_nomem(&e) : load_rules(policies, &policy, &e);
    if (r == 0 && key_path != NULL) {
        r = verify_key_file(key_path, &key, &e);
    }
    if (r == 0) {
        struct verify_request rq = {.paths = paths,
                                    .n_paths = files->n,
                                    .key = key,
                                    .fallback = fallback,
                                    .policy = policy};
        r = verify_evidence(&rq, &report, &e);
    }
    if (r < 0) {
        return complain(&e);
    }
    verify_report_write(&report, json, app->lang, &out);
    int code = write_output(NULL, &out);
    return code == EXIT_GOOD ? report.exit_code : code;
}

int cmd_verify(struct app *app, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    const char *key = NULL;
    const char *checkpoint = NULL;
    const char *format = "text";
    CLEANUP(strv) struct strv files = {0};
    CLEANUP(strv) struct strv policies = {0};
    const struct opt opts[] = {
        {"key",
         OPT_TEXT,
         "PUB",
         &key,
         {{"端末の公開鍵 (PEM)", "the host's public key (PEM)"}},
         NULL},
        {"policy",
         OPT_LIST,
         "DIR",
         &policies,
         {{"判定に使われた規則", "the rules that judged"}},
         NULL},
        {"checkpoint",
         OPT_TEXT,
         "FILE",
         &checkpoint,
         {{"月次封印（この版では未対応）", "month checkpoint (not in this version)"}},
         NULL},
        {"format", OPT_WORD, "text|json", &format, {{"出力の形", "form of the output"}}, formats},
    };
    const struct usage u = {
        .command = "verify",
        .arguments = "FILE…",
        .doc = {{"署名、連鎖、すべての判定のやり直しで証跡を検証します。終了コード: 0 正しい、2 "
                 "正しくない、3 連鎖を確認できない・比べられない、1 読めない。",
                 "Verifies evidence: signature, chain, every verdict redone. Exit: 0 good, 2 it "
                 "does not hold, 3 chain not checked or "
                 "not comparable, 1 cannot be read."}},
        .opts = opts,
        .n_opts = ARRAY_LEN(opts),
        .min_args = 1,
        .max_args = SIZE_MAX};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &files);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    if (checkpoint != NULL) {
        struct err e = {0};
        (void)err_set(&e, ERR_UNSUPPORTED,
                      "--checkpoint: this version makes and reads no month checkpoints yet");
        return complain(&e);
    }
    return run_verify(app, &files, &policies, key, strcmp(format, "json") == 0);
}

/* Reads one evidence without asking whose it is: verify answers that. */
static int read_evidence(const char *path, struct statement *ret, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(envelope) struct envelope env = {0};
    int r = io_read_file(path, ENVELOPE_MAX, &text, e);
    if (r == 0) {
        r = envelope_parse(str_text(&text), text.len, &env, e);
    }
    if (r == 0) {
        r = statement_parse(env.payload, env.payload_n, ret, e);
    }
    return r < 0 ? err_prefix(e, "%s", path) : 0;
}

int cmd_diff(struct app *app, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    const char *format = "text";
    CLEANUP(strv) struct strv files = {0};
    const struct opt opts[] = {
        {"format", OPT_WORD, "text|json", &format, {{"出力の形", "form of the output"}}, formats},
    };
    const struct usage u = {.command = "diff",
                            .arguments = "A B",
                            .doc = {{"二つの証跡の事実と判定の差。署名は確かめません（verify "
                                     "を使う）。終了コード: 0 同じ、2 違う。",
                                     "What differs between two evidences, in facts and verdicts. "
                                     "Signatures are not looked at (verify does). Exit: 0 the "
                                     "same, 2 they differ."}},
                            .opts = opts,
                            .n_opts = ARRAY_LEN(opts),
                            .min_args = 2,
                            .max_args = 2};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &files);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    CLEANUP(statement) struct statement a = {0};
    CLEANUP(statement) struct statement b = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)64 << 20);
    bool same = false;
    int r = read_evidence(files.items[0], &a, &e);
    if (r == 0) {
        r = read_evidence(files.items[1], &b, &e);
    }
    if (r == 0) {
        r = evidence_diff(&a, &b, strcmp(format, "json") == 0, app->lang, &out, &same, &e);
    }
    if (r < 0) {
        return complain(&e);
    }
    int code = write_output(NULL, &out);
    return code != EXIT_GOOD || same ? code : EXIT_NO;
}
