/* Small worlds for tests of the judge: a few tables, facts with states, a site from text, a policy
 * of checks written on the spot. */
#ifndef TENKEN_TESTS_POLICY_FIXTURE_H
#define TENKEN_TESTS_POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/eval.h"
#include "agent/policy/scan_tables.h"

#define NULL_INT INT64_MIN

static const struct table disk_table = {
    .name = "mount_encryption",
    .doc = "d",
    .source = "s",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL, "d"},
                  {"role", COL_TEXT, "", COL_KEY | COL_DECIDES,
                   "root|home|data|swap|hibernate|coredump|log|tmp|boot|other", "d"},
                  {"device", COL_TEXT, "", 0, NULL, "d"},
                  {"encrypted", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL, "d"},
                  {"method", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, "luks2|plain|none", "d"},
                  {"reason", COL_TEXT, "", COL_NULLABLE, NULL, "d"}),
    .owed = &(const struct owed){"mount", "role", "data", "data_paths"},
};

static const struct table tls_table = {
    .name = "tls_versions",
    .doc = "d",
    .source = "s",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"endpoint", COL_TEXT, "", COL_KEY, NULL, "d"},
        {"version", COL_TEXT, "", COL_KEY, "TLS1.0|TLS1.2", "d"},
        {"state", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, "accepted|refused|untested?", "d"}),
};

static const struct table account_table = {
    .name = "login_accounts",
    .doc = "d",
    .source = "s",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"username", COL_TEXT, "", COL_KEY | COL_PERSONAL, NULL, "d"},
                  {"uid", COL_INT, "", 0, NULL, "d"},
                  {"can_login", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL, "d"},
                  {"gecos", COL_TEXT, "", COL_PERSONAL | COL_NULLABLE, NULL, "d"},
                  {"age_days", COL_REAL, "days", COL_DECIDES | COL_NULLABLE, NULL, "d"},
                  {"note", COL_TEXT, "", COL_HAS_NAMES | COL_NULLABLE, NULL, "d"},
                  {"history", COL_TEXT, "", COL_BULK | COL_NULLABLE, NULL, "d"}),
};

static const struct table users_table = {
    .name = "users",
    .doc = "d",
    .source = "s",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS({"uid", COL_INT, "", COL_KEY, NULL, "d"},
                  {"username", COL_TEXT, "", COL_PERSONAL, NULL, "d"}),
};

/* NULL-terminated: what SQL may name in these tests. */
static UNUSED const struct table **fixture_schema(void)
{
    const struct table *const *site = site_tables();
    size_t n = 0;
    while (site[n] != NULL) {
        n++;
    }
    const struct table **all = calloc(n + 7, sizeof(const struct table *));
    assert_non_null(all);
    all[0] = &disk_table;
    all[1] = &tls_table;
    all[2] = &account_table;
    all[3] = &users_table;
    all[4] = &table_scan;
    all[5] = &table_probe_status;
    for (size_t i = 0; i < n; i++) {
        all[6 + i] = site[i];
    }
    return all;
}

static UNUSED struct fact_table *put_table(struct facts *f, const struct table *decl,
                                           enum fact_state state, const char *reason)
{
    struct err e = {0};
    struct fact_table *t = NULL;
    assert_int_equal(facts_add(f, decl, "probe", &t, &e), 0);
    t->state = state;
    t->wanted = true;
    (void)snprintf(t->reason, sizeof t->reason, "%s", reason);
    return t;
}

static UNUSED void put_disk(struct facts *f, const char *mount, const char *role, int64_t encrypted,
                            const char *method)
{
    struct err e = {0};
    struct fact_table *t = facts_find(f, "mount_encryption");
    if (t == NULL) {
        t = put_table(f, &disk_table, STATE_COMPLETE, "");
    }
    assert_int_equal(fact_row_va(t, &e, mount, role, "/dev/sda1", encrypted, method, "why"), 0);
}

static UNUSED void put_account(struct facts *f, const char *name, int64_t uid, int64_t can_login,
                               const char *gecos, double age, const char *note)
{
    struct err e = {0};
    struct fact_table *t = facts_find(f, "login_accounts");
    if (t == NULL) {
        t = put_table(f, &account_table, STATE_COMPLETE, "");
    }
    assert_int_equal(fact_row_va(t, &e, name, uid, can_login, gecos, age, note, "long"), 0);
}

static UNUSED void put_scan(struct facts *f)
{
    const struct scan_row row = {.id = "5c0f",
                                 .time = "2026-11-20T16:30:00Z",
                                 .local_date = "2026-11-21",
                                 .hostname = "mnt-03",
                                 .boot_id = "b",
                                 .root = "/",
                                 .agent_version = "0"};
    struct err e = {0};
    assert_int_equal(scan_tables_add(f, &row, &e), 0);
}

static UNUSED struct site *fixture_site(const char *text)
{
    struct site *s = NULL;
    struct err e = {0};
    int rc =
        text[0] == '\0' ? site_empty(&s, &e) : site_parse("site.yaml", text, strlen(text), &s, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    return s;
}

/* Adds scan, probe_status and the site's tables: what the judge looks at. */
static UNUSED void finish_facts(struct facts *f, const char *site_text)
{
    CLEANUP(site) struct site *s = fixture_site(site_text);
    struct err e = {0};
    put_scan(f);
    assert_int_equal(site_facts(s, "", f, &e), 0);
}

/* One check against facts. */
static UNUSED struct evaluation *judge_only(const struct policy *p, const struct facts *f,
                                            const char *check)
{
    const char *only[] = {check, NULL};
    const struct eval_request rq = {.policy = p, .contract = "C", .only_checks = only, .facts = f};
    struct evaluation *ev = NULL;
    struct err e = {0};
    int rc = evaluate(&rq, &ev, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(ev->n_checks, 1);
    return ev;
}

static UNUSED void expect_verdict(const struct check *c, const struct view *views, size_t n_views,
                                  const struct facts *f, enum verdict want, const char *reason,
                                  const char *why)
{
    const struct policy p = {.checks = c, .n_checks = 1, .views = views, .n_views = n_views};
    CLEANUP(evaluation) struct evaluation *ev = judge_only(&p, f, c->id);
    const struct check_result *r = &ev->checks[0];
    bool same = r->verdict == want && strncmp(r->reason, reason, strlen(reason)) == 0;
    if (!same) {
        print_error("%s: got %s \"%s\", want %s \"%s\"\n", why, verdict_word(r->verdict), r->reason,
                    verdict_word(want), reason);
    }
    assert_true(same);
}

#endif
