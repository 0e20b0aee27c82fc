/* tenken-collector prune: evidence is kept until one calendar year after the contract's end, then
 * erased with a deletion record (domain.md 2). Nothing is erased without --erase, and nothing whose
 * end is not known for sure. */
#include <stdio.h>
#include <string.h>

#include "agent/base/timefmt.h"
#include "server-stub/cli.h"
#include "server-stub/collector.h"

struct term {
    int64_t ends;    /* latest that any site declared */
    bool is_unknown; /* a site declared no end, or there is no declaration at all */
    bool any;
    char zone[64];
};

static int take_term(void *arg, const struct declaration *d, const char *last_date, struct err *e)
{
    struct term *t = arg;
    int64_t day = 0;
    (void)last_date;
    (void)e;
    if (date_parse(d->ends, &day, NULL) != 0) {
        t->is_unknown = true;
    } else if (!t->any || day > t->ends) {
        t->ends = day;
    }
    if (!t->any) {
        (void)snprintf(t->zone, sizeof t->zone, "%s", d->time_zone);
    }
    t->any = true;
    return 0;
}

/* The same day of the next year; 29 February becomes 28 February. */
static int one_year_after(int64_t day, int64_t *ret, struct err *e)
{
    char text[TIME_TEXT_MAX];
    int year = 0;
    char rest[TIME_TEXT_MAX];
    date_text(day, text);
    if (sscanf(text, "%4d%15s", &year, rest) != 2) {
        return err_set(e, ERR_INTERNAL, "a day that is none");
    }
    (void)snprintf(text, sizeof text, "%04d%.6s", (year + 1) % 10000,
                   strcmp(rest, "-02-29") == 0 ? "-02-28" : rest);
    return date_parse(text, ret, e);
}

static int erase(struct store *s, const char *contract, const char *reason, struct err *e)
{
    struct deletion d = {.contract = contract, .reason = reason, .erased_at = time_now_s()};
    int rc = store_begin(s, e);
    if (rc != 0) {
        return rc;
    }
    rc = store_erase(s, &d, e);
    if (rc != 0) {
        store_rollback(s);
        return rc;
    }
    rc = store_commit(s, e);
    if (rc == 0) {
        (void)printf("%s: erased %lld evidences of %s to %s; deletion record %s\n", contract,
                     (long long)d.n, d.first, d.last, d.digests);
        rc = store_flush(s, e);
    }
    return rc;
}

static int prune_contract(struct store *s, const char *contract, bool may_erase, struct err *e)
{
    struct term t = {.any = false};
    char today_text[TIME_TEXT_MAX], keep_text[TIME_TEXT_MAX];
    int64_t today = 0, keep = 0;
    int rc = store_each_declaration(s, contract, take_term, &t, e);
    if (rc != 0) {
        return rc;
    }
    if (!t.any || t.is_unknown) {
        (void)printf("%s: kept: the contract's end is not declared by every host\n", contract);
        return 0;
    }
    rc = one_year_after(t.ends, &keep, e);
    if (rc == 0) {
        rc = date_in_zone(t.zone, time_now_s(), today_text, e);
    }
    if (rc == 0) {
        rc = date_parse(today_text, &today, e);
    }
    if (rc != 0) {
        return rc;
    }
    date_text(keep, keep_text);
    if (today <= keep) {
        (void)printf("%s: kept until %s\n", contract, keep_text);
        return 0;
    }
    if (!may_erase) {
        (void)printf("%s: was to be kept until %s: would be erased (--erase)\n", contract,
                     keep_text);
        return 0;
    }
    char reason[64];
    (void)snprintf(reason, sizeof reason, "kept until %s", keep_text);
    return erase(s, contract, reason, e);
}

int cmd_prune(int argc, char **argv)
{
    const char *store_dir = NULL, *erase_flag = NULL;
    const struct cli_option options[] = {{"store", &store_dir, false, true},
                                         {"erase", &erase_flag, true, false}};
    struct err e;
    int n_rest = 0;
    CLEANUP(store) struct store *s = NULL;
    CLEANUP(strv) struct strv contracts = {.n = 0};
    int rc = cli_parse(argc, argv, options, ARRAY_LEN(options), &n_rest, &e);
    if (rc == 0 && n_rest > 0) {
        rc = err_set(&e, ERR_INVALID, "%s: what is this for?", argv[1]);
    }
    if (rc == 0) {
        rc = store_open(store_dir, STORE_READ, &s, &e);
    }
    if (rc == 0 && erase_flag != NULL) {
        store_close(s);
        s = NULL;
        rc = store_open(store_dir, STORE_WRITE, &s, &e);
    }
    if (rc == 0) {
        rc = store_contracts(s, &contracts, &e);
    }
    for (size_t i = 0; rc == 0 && i < contracts.n; i++) {
        rc = prune_contract(s, contracts.items[i], erase_flag != NULL, &e);
    }
    return rc == 0 ? EXIT_GOOD : cli_fail("prune", &e);
}
