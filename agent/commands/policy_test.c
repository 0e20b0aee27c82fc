/* Each check's tests: the verdict on each named host, and no pass where a deciding cell is NULL. */
#include "agent/commands/policy_test.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/commands/opts.h"

struct test_run {
    struct app *app;
    const struct strv *policies;
    const char *hosts_dir;
    size_t n_run, n_failed;
};

/* A framework that cites the check: its verdict is computed in that framework's evaluation. */
static const struct framework *citing(const struct policy *p, const struct check *check)
{
    for (size_t i = 0; i < p->n_frameworks; i++) {
        if (framework_cites(&p->frameworks[i], check->id)) {
            return &p->frameworks[i];
        }
    }
    return NULL;
}

static void failed(struct test_run *run, const struct check *c, const char *host, const char *what)
{
    run->n_failed++;
    printf("FAIL %s on %s: %s\n", c->id, host, what);
}

static int run_on_host(struct test_run *run, struct session *s, const char *check_id,
                       const struct check_test *test)
{
    struct err e = {0};
    struct judged j;
    CLEANUP(read_set) struct read_set reads = {0};
    const char *only[] = {check_id, NULL};
    const struct check *c = policy_check(s->policy, check_id);
    const struct framework *fw = c != NULL ? citing(s->policy, c) : NULL;
    const struct site_contract *contract =
        site_n_contracts(s->site) > 0 ? site_contract(s->site, 0) : NULL;
    char text[512];
    if (fw == NULL) {
        failed(run, c, test->host, "no standard cites this check");
        return 0;
    }
    int r = policy_reads(s->policy, fw, only, s->schema, &reads, &e);
    if (r == 0) {
        r = session_scan(s, &reads, NULL, &e);
    }
    if (r == 0) {
        r = session_judge(s, contract, fw, &reads, only, &j, &e);
    }
    if (r < 0) {
        failed(run, c, test->host, e.msg);
        return 0;
    }
    const struct check_result *got = evaluation_check(j.evaluation, check_id);
    if (got == NULL || got->verdict != test->want) {
        (void)snprintf(text, sizeof(text), "wanted %s, got %s%s%s", verdict_word(test->want),
                       got != NULL ? verdict_word(got->verdict) : "nothing",
                       got != NULL && got->reason[0] != '\0' ? ": " : "",
                       got != NULL ? got->reason : "");
        failed(run, c, test->host, text);
    } else if (got->verdict == VERDICT_PASS) {
        CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
        size_t n = 0;
        if (policy_null_mutations(s->policy, fw, c, &j.recorded, j.contract, &out, &n, &e) < 0) {
            failed(run, c, test->host, e.msg);
        } else if (n > 0) {
            failed(run, c, test->host, str_text(&out));
        }
    }
    judged_done(&j);
    return 0;
}

static int run_one(struct test_run *run, const struct check *c, const struct check_test *test)
{
    struct err e = {0};
    struct session s;
    CLEANUP(str) struct str root = STR_INIT(4096);
    CLEANUP(str) struct str site = STR_INIT(4096);
    str_addf(&root, "%s/%s", run->hosts_dir, test->host);
    str_addf(&site, "%s/%s", str_text(&root), test->site != NULL ? test->site : "site.yaml");
    /* A host without a site file declares nothing; a named one must be there. */
    bool has_site = test->site != NULL || io_exists(str_text(&site));
    struct session_options so = {.site_path = has_site ? str_text(&site) : NULL,
                                 .site_none = !has_site,
                                 .policies = run->policies,
                                 .root = str_text(&root),
                                 .site_required = false,
                                 .site_trusted = false};
    run->n_run++;
    if (session_open(run->app, &so, &s, &e) < 0) {
        failed(run, c, test->host, e.msg);
        return 0;
    }
    int r = run_on_host(run, &s, c->id, test);
    session_done(&s);
    return r;
}

static bool is_asked(const struct strv *args, const char *id)
{
    bool any = args->n <= 1;
    for (size_t i = 1; i < args->n; i++) {
        any = any || strcmp(args->items[i], id) == 0;
    }
    return any;
}

int run_policy_tests(struct app *app, const struct policy *policy, const struct strv *policies,
                     const char *hosts_dir, const struct strv *args)
{
    CLEANUP(str) struct str beside = STR_INIT(4096);
    struct err e = {0};
    str_addf(&beside, "%s/../tests/hosts", policy_default_dir());
    struct test_run run = {.app = app,
                           .policies = policies,
                           .hosts_dir = hosts_dir != NULL ? hosts_dir : str_text(&beside)};
    if (!io_exists(run.hosts_dir)) {
        (void)err_set(&e, ERR_ABSENT, "no captured hosts in %s: name them with --hosts DIR",
                      run.hosts_dir);
        return complain(&e);
    }
    app->lang_fixed = true; /* the fixtures' sites do not choose our language */
    for (size_t i = 0; i < policy->n_checks; i++) {
        const struct check *c = &policy->checks[i];
        for (size_t k = 0; is_asked(args, c->id) && k < c->n_tests; k++) {
            int r = run_one(&run, c, &c->tests[k]);
            if (r < 0) {
                return EXIT_FAILED;
            }
        }
    }
    printf("%zu passed, %zu failed\n", run.n_run - run.n_failed, run.n_failed);
    return run.n_failed > 0 ? EXIT_NO : run.n_run == 0 ? EXIT_INCOMPLETE : EXIT_GOOD;
}
