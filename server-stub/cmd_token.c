/* tenken-collector token: makes a token and prints it once; the store keeps its hash only. */
#include <stdio.h>

#include "agent/base/timefmt.h"
#include "server-stub/cli.h"
#include "server-stub/collector.h"

int cmd_token(int argc, char **argv)
{
    const char *store_dir = NULL, *contract = NULL, *role = NULL, *hosts = NULL, *days = NULL;
    const struct cli_option options[] = {{"store", &store_dir, false, true},
                                         {"contract", &contract, false, false},
                                         {"role", &role, false, false},
                                         {"hosts", &hosts, false, false},
                                         {"days", &days, false, false}};
    struct token_request rq = {.hosts = 1};
    struct err e;
    int n_rest = 0;
    char text[TOKEN_TEXT_MAX];
    CLEANUP(collector) struct collector c = {.dir = NULL};
    CLEANUP(store) struct store *s = NULL;
    int rc = cli_parse(argc, argv, options, ARRAY_LEN(options), &n_rest, &e);
    if (rc == 0 && n_rest > 0) {
        rc = err_set(&e, ERR_INVALID, "%s: what is this for?", argv[1]);
    }
    if (rc == 0 && role != NULL && role[0] == '\0') {
        rc = err_set(&e, ERR_INVALID, "--role: must be operator, officer or auditor");
    }
    if (rc == 0) {
        rc = cli_number("hosts", hosts, 1, INT64_MAX, &rq.hosts, &e);
    }
    if (rc == 0) {
        rc = cli_number("days", days, 1, INT64_MAX, &rq.days, &e);
    }
    rq.contract = contract != NULL ? contract : "";
    rq.role = role != NULL ? role : "";
    if (rc == 0) {
        rc = collector_open(store_dir, true, &c, &e);
    }
    if (rc == 0) {
        rc = store_open(store_dir, STORE_WRITE, &s, &e);
    }
    if (rc == 0) {
        rc = token_make(s, &c, &rq, time_now_s(), text, &e);
    }
    if (rc != 0) {
        return cli_fail("token", &e);
    }
    (void)printf("%s\n", text);
    return EXIT_GOOD;
}
