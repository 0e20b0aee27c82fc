/* tenken policy lint|test|coverage: for those who write checks. */
#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/commands/opts.h"
#include "agent/commands/policy_test.h"

static int load(const struct strv *more, struct policy **ret, struct err *e)
{
    CLEANUP(free) const char **dirs = calloc(more->n + 1, sizeof(*dirs));
    if (dirs == NULL) {
        return err_nomem(e);
    }
    dirs[0] = policy_default_dir();
    for (size_t i = 0; i < more->n; i++) {
        dirs[i + 1] = more->items[i];
    }
    return policy_load(dirs, more->n + 1, true, ret, e);
}

static int run_lint(const struct app *app, const struct policy *policy)
{
    struct err e = {0};
    size_t n = 0;
    CLEANUP(str) struct str out = STR_INIT((size_t)4 << 20);
    CLEANUP(free) const struct table **schema = schema_of_program(&e);
    if (schema == NULL || policy_lint(policy, schema, &out, &n, &e) < 0) {
        return complain(&e);
    }
    int code = write_output(NULL, &out);
    if (code != EXIT_GOOD) {
        return code;
    }
    printf(say(app, "点検項目 %zu、ビュー %zu、基準 %zu: 指摘 %zu 件\n",
               "%zu checks, %zu views, %zu standards: %zu messages\n"),
           policy->n_checks, policy->n_views, policy->n_frameworks, n);
    return n > 0 ? EXIT_NO : EXIT_GOOD;
}

static int run_coverage(const struct app *app, const struct policy *policy, bool json)
{
    struct err e = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)4 << 20);
    if (policy_coverage(policy, json, app->lang, &out, &e) < 0) {
        return complain(&e);
    }
    return write_output(NULL, &out);
}

int cmd_policy(struct app *app, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", NULL};
    const char *hosts = NULL;
    const char *format = "text";
    CLEANUP(strv) struct strv args = {0};
    CLEANUP(strv) struct strv policies = {0};
    const struct opt opts[] = {
        {"policy",
         OPT_LIST,
         "DIR",
         &policies,
         {{"標準の規則に加える規則", "rules to add to the shipped ones"}},
         NULL},
        {"hosts",
         OPT_TEXT,
         "DIR",
         &hosts,
         {{"試験用のファイル木 (規則の隣の tests/hosts)",
           "captured hosts (tests/hosts beside the policies)"}},
         NULL},
        {"format",
         OPT_WORD,
         "text|json",
         &format,
         {{"coverage の出力の形", "form of coverage"}},
         formats},
    };
    const struct usage u = {
        .command = "policy",
        .arguments = "lint|test|coverage [CHECK]…",
        .doc = {{"lint: 規則の誤りを探す。test: 各点検項目の tests: を試験用の端末で確かめ、値が "
                 "NULL のとき適合にならないことも確かめる。"
                 "coverage: 基準ごとに、機械・機械と人・人・未対応の条項数。",
                 "lint finds mistakes in rules. test runs each check's tests: on captured hosts, "
                 "and shows that a NULL never passes. "
                 "coverage counts per standard the clauses decided by machine, machine and person, "
                 "person, not yet."}},
        .opts = opts,
        .n_opts = ARRAY_LEN(opts),
        .min_args = 1,
        .max_args = SIZE_MAX};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    CLEANUP(policy) struct policy *policy = NULL;
    if (load(&policies, &policy, &e) < 0) {
        return complain(&e);
    }
    if (strcmp(args.items[0], "lint") == 0) {
        return run_lint(app, policy);
    }
    if (strcmp(args.items[0], "coverage") == 0) {
        return run_coverage(app, policy, strcmp(format, "json") == 0);
    }
    if (strcmp(args.items[0], "test") == 0) {
        return run_policy_tests(app, policy, &policies, hosts, &args);
    }
    (void)err_set(&e, ERR_INVALID, "policy %s: known are lint, test, coverage", args.items[0]);
    return complain(&e);
}
