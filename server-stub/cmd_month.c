/* tenken-collector month: the annex of a contract's month. */
#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/base/timefmt.h"
#include "server-stub/cli.h"
#include "server-stub/collector.h"
#include "server-stub/month.h"

#define PAGE_MAX ((size_t)256 << 20)

struct month_command {
    const char *store, *contract, *month, *framework, *format, *lang, *output, *policy;
    enum lang language;
    bool json;
};

static int read_options(struct month_command *c, int argc, char **argv, struct err *e)
{
    const struct cli_option options[] = {
        {"store", &c->store, false, true},    {"contract", &c->contract, false, true},
        {"month", &c->month, false, true},    {"framework", &c->framework, false, false},
        {"format", &c->format, false, false}, {"lang", &c->lang, false, false},
        {"output", &c->output, false, false}, {"policy", &c->policy, false, false}};
    int n_rest = 0;
    int rc = cli_parse(argc, argv, options, ARRAY_LEN(options), &n_rest, e);
    if (rc == 0 && n_rest > 0) {
        rc = err_set(e, ERR_INVALID, "%s: what is this for?", argv[1]);
    }
    if (rc == 0 && c->format != NULL && strcmp(c->format, "html") != 0 &&
        strcmp(c->format, "json") != 0) {
        rc = err_set(e, ERR_INVALID, "--format %s: must be html or json", c->format);
    }
    c->json = c->format != NULL && strcmp(c->format, "json") == 0;
    return rc == 0 ? cli_lang(c->lang, &c->language, e) : rc;
}

static int make_page(const struct month_command *c, const struct policy *rules, struct str *out,
                     struct err *e)
{
    CLEANUP(collector) struct collector collector = {.dir = NULL};
    CLEANUP(store) struct store *s = NULL;
    CLEANUP(month) struct month m;
    month_init(&m);
    const struct month_request rq = {.contract = c->contract,
                                     .name = c->month,
                                     .framework = c->framework,
                                     .policy = rules,
                                     .now_s = time_now_s()};
    int rc = collector_open(c->store, false, &collector, e);
    if (rc == 0) {
        rc = store_open(c->store, STORE_READ, &s, e);
    }
    if (rc == 0) {
        rc = month_load(s, &rq, &m, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (c->json) {
        month_json(&m, out);
    } else {
        const struct month_page page = {.lang = c->language,
                                        .policy = rules,
                                        .collector = sign_key_id(collector.key),
                                        .now_s = rq.now_s};
        month_html(&m, &page, out);
    }
    return str_error(out, e);
}

int cmd_month(int argc, char **argv)
{
    struct month_command c = {.store = NULL};
    struct err e, no_rules;
    CLEANUP(policy) struct policy *rules = NULL;
    CLEANUP(str) struct str out = STR_INIT(PAGE_MAX);
    int rc = read_options(&c, argc, argv, &e);
    /* titles come from the rules; without rules ids serve */
    if (rc == 0 && cli_policy(c.policy, &rules, &no_rules) != 0) {
        (void)fprintf(stderr, "tenken-collector month: no titles of clauses: %s\n", no_rules.msg);
    }
    if (rc == 0) {
        rc = make_page(&c, rules, &out, &e);
    }
    if (rc == 0 && c.output != NULL) {
        rc = io_write_atomic(c.output, str_text(&out), out.len, 0600, &e);
    } else if (rc == 0 &&
               (fwrite(str_text(&out), 1, out.len, stdout) != out.len || fflush(stdout) != 0)) {
        rc = err_errno(&e, "standard output");
    }
    return rc == 0 ? EXIT_GOOD : cli_fail("month", &e);
}
