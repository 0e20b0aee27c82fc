/* The verdict of one check (agent/policy/check.c, agent/policy/doubt.c,
 * agent/policy/judge.c, agent/policy/views.c). Every rule of design.md 3 that
 * turns a pass or a not-applicable into unknown has a row here that fails without it. */
#include "fixture.h"

#define NO_PLAIN                                                                                   \
    "SELECT m.mount, m.device FROM mount_encryption AS m WHERE m.encrypted = 0 AND m.role = "      \
    "'root'"
#define DECLARED "data_paths: none\nworkers: none\nassets: none\ntls_endpoints: none\n"

static const struct check no_plain = {.id = "c", .query = NO_PLAIN};

/* --- states --- */

static const struct {
    enum fact_state state;
    enum absent_rule absent;
    enum verdict empty, finding; /* wanted without and with a finding */
    const char *reason;
} states[] = {
    {STATE_COMPLETE, ABSENT_UNKNOWN, VERDICT_PASS, VERDICT_FAIL, ""},
    {STATE_DENIED, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL,
     "incomplete: mount_encryption denied (not_visible: /sys)"},
    {STATE_MALFORMED, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_TRUNCATED, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_TIMEOUT, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_CRASHED, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_UNCONFINED, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_NOT_RUN, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_ABSENT, ABSENT_UNKNOWN, VERDICT_UNKNOWN, VERDICT_FAIL,
     "absent: mount_encryption (not_visible: /sys)"},
    {STATE_ABSENT, ABSENT_PASS, VERDICT_PASS, VERDICT_FAIL, ""},
    {STATE_ABSENT, ABSENT_NOT_APPLICABLE, VERDICT_NOT_APPLICABLE, VERDICT_FAIL, "absent: "},
    /* `absent:` says nothing of what merely could not be seen */
    {STATE_DENIED, ABSENT_PASS, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
    {STATE_DENIED, ABSENT_NOT_APPLICABLE, VERDICT_UNKNOWN, VERDICT_FAIL, "incomplete: "},
};

static void test_check_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct check c = no_plain;
        c.absent = states[i].absent;
        for (int finding = 0; finding < 2; finding++) {
            CLEANUP(facts) struct facts f = {0};
            put_table(&f, &disk_table, states[i].state, "not_visible: /sys");
            put_disk(&f, "/", "root", finding ? 0 : 1, "luks2");
            finish_facts(&f, DECLARED);
            expect_verdict(&c, NULL, 0, &f, finding ? states[i].finding : states[i].empty,
                           finding ? "" : states[i].reason, fact_state_word(states[i].state));
        }
    }
}

/* The states that count are the recorded ones, not those of the tables at hand. */
static void test_check_states_are_recorded_ones(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    struct fact_table *t = put_table(&f, &disk_table, STATE_DENIED, "x");
    put_disk(&f, "/", "root", 1, "luks2");
    finish_facts(&f, DECLARED);
    t->state = STATE_COMPLETE;
    expect_verdict(&no_plain, NULL, 0, &f, VERDICT_UNKNOWN, "incomplete: ", "recorded state");
    facts_remove(&f, "probe_status");
    expect_verdict(&no_plain, NULL, 0, &f, VERDICT_UNKNOWN, "incomplete: ", "no state at all");
}

static void test_check_truncated_record(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", 1, "luks2");
    finish_facts(&f, DECLARED);
    expect_verdict(&no_plain, NULL, 0, &f, VERDICT_PASS, "", "whole");
    facts_find(&f, "mount_encryption")->truncated = true;
    expect_verdict(&no_plain, NULL, 0, &f, VERDICT_UNKNOWN, "incomplete: ", "cut");
    const struct check site = {.id = "c", .query = "SELECT serial FROM site_media"};
    expect_verdict(&site, NULL, 0, &f, VERDICT_PASS, "", "site table whole");
    facts_find(&f, "site_media")->truncated = true;
    expect_verdict(&site, NULL, 0, &f, VERDICT_UNKNOWN, "", "site table cut");
}

static void test_check_table_not_recorded(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    finish_facts(&f, DECLARED);
    expect_verdict(&no_plain, NULL, 0, &f, VERDICT_UNKNOWN, "sql: ", "table is not there");
}

/* A table that only the `unknown:` query or only a join reads is leaned on all the same. */
static const struct {
    const char *why;
    struct check check;
} leanings[] = {
    {"read by unknown alone",
     {.id = "c",
      .query = NO_PLAIN,
      .unknown = "SELECT endpoint FROM tls_versions WHERE state IS NULL"}},
    {"read by applies alone",
     {.id = "c",
      .applies = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM tls_versions)",
      .query = NO_PLAIN}},
};

/* The authorizer says nothing of a table that is joined by name alone. */
static const struct check joined_by_name[] = {
    {.id = "c",
     .query = "SELECT a.uid FROM login_accounts AS a JOIN users USING (username) WHERE a.uid < 0"},
    {.id = "c",
     .query = "SELECT n FROM (SELECT count(*) AS n FROM login_accounts NATURAL JOIN users) "
              "WHERE n > 9"},
    {.id = "c",
     .applies = "SELECT a.uid FROM login_accounts AS a natural join users WHERE a.uid < 0",
     .query = "SELECT id FROM scan"},
};

static void test_check_leans_on_tables_joined_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(joined_by_name); i++) {
        CLEANUP(facts) struct facts f = {0};
        put_account(&f, "suzuki", 1000, 1, "", 1.0, "");
        struct fact_table *users = put_table(&f, &users_table, STATE_COMPLETE, "");
        finish_facts(&f, DECLARED);
        expect_verdict(&joined_by_name[i], NULL, 0, &f,
                       i == 2 ? VERDICT_NOT_APPLICABLE : VERDICT_PASS, "", "seen whole");
        users->state = STATE_DENIED;
        put_scan(&f);
        expect_verdict(&joined_by_name[i], NULL, 0, &f, VERDICT_UNKNOWN, "incomplete: users denied",
                       "not seen");
    }
}

static void test_check_leans_on_every_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(leanings); i++) {
        CLEANUP(facts) struct facts f = {0};
        put_disk(&f, "/", "root", 1, "luks2");
        put_table(&f, &tls_table, STATE_DENIED, "");
        finish_facts(&f, DECLARED);
        expect_verdict(&leanings[i].check, NULL, 0, &f, VERDICT_UNKNOWN,
                       "incomplete: tls_versions denied", leanings[i].why);
    }
}

/* --- applies --- */

static const struct {
    const char *why, *applies;
    enum fact_state tls;
    int64_t tls_null; /* a row whose state is NULL */
    enum verdict want;
    const char *reason;
} applying[] = {
    {"it does", "SELECT mount FROM mount_encryption WHERE role = 'root'", STATE_COMPLETE, 0,
     VERDICT_FAIL, ""},
    {"it does not", "SELECT endpoint FROM tls_versions WHERE state = 'accepted'", STATE_COMPLETE, 0,
     VERDICT_NOT_APPLICABLE, "applies: "},
    {"it does not, as far as could be seen",
     "SELECT endpoint FROM tls_versions WHERE state = 'accepted'", STATE_DENIED, 0, VERDICT_UNKNOWN,
     "incomplete: tls_versions"},
    {"it does not, but a value is not known",
     "SELECT endpoint FROM tls_versions WHERE state = 'accepted'", STATE_COMPLETE, 1,
     VERDICT_UNKNOWN, "null: tls_versions.state"},
    {"it leans on a list nobody declared", "SELECT id FROM site_assets", STATE_COMPLETE, 0,
     VERDICT_UNKNOWN, "undeclared: site declares no asset"},
    {"applies does not run", "SELECT nonsense FROM tls_versions", STATE_COMPLETE, 0,
     VERDICT_UNKNOWN, "sql: no such column"},
};

static void test_check_applies(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(applying); i++) {
        struct check c = no_plain;
        struct err e = {0};
        c.applies = applying[i].applies;
        CLEANUP(facts) struct facts f = {0};
        put_disk(&f, "/", "root", 0, "none");
        struct fact_table *tls = put_table(&f, &tls_table, applying[i].tls, "");
        if (applying[i].tls_null != 0) {
            assert_int_equal(fact_row_va(tls, &e, "e", "TLS1.0", NULL), 0);
        }
        finish_facts(&f, "data_paths: none\n");
        expect_verdict(&c, NULL, 0, &f, applying[i].want, applying[i].reason, applying[i].why);
    }
}

/* --- NULL --- */

static const struct {
    const char *why;
    int64_t encrypted;
    const char *role, *query, *unknown;
    const char *null_ok;
    enum verdict want;
    const char *reason;
} nulls[] = {
    {"known", 1, "root", NO_PLAIN, NULL, NULL, VERDICT_PASS, ""},
    {"NULL in a column that decides", NULL_INT, "root", NO_PLAIN, NULL, NULL, VERDICT_UNKNOWN,
     "null: mount_encryption.encrypted"},
    {"even in a row that the query does not want", NULL_INT, "tmp", NO_PLAIN, NULL, NULL,
     VERDICT_UNKNOWN, "null: mount_encryption.encrypted"},
    {"null_ok names the column", NULL_INT, "tmp", NO_PLAIN, NULL, "mount_encryption.encrypted",
     VERDICT_PASS, ""},
    {"null_ok names another", NULL_INT, "tmp", NO_PLAIN, NULL, "mount_encryption.method",
     VERDICT_UNKNOWN, "null: "},
    {"unknown: tests it, the row is not meant", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE m.encrypted IS NULL AND m.role = 'root'",
     NULL, VERDICT_PASS, ""},
    {"unknown: tests it, the row is meant", NULL_INT, "root", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE m.encrypted IS NULL AND m.role = 'root'",
     NULL, VERDICT_UNKNOWN, "unknown: 1 row"},
    {"unknown: tests another column", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE m.method IS NULL AND m.role = 'root'", NULL,
     VERDICT_UNKNOWN, "null: mount_encryption.encrypted"},
    {"unknown: tests it below an OR with AND", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE (m.encrypted IS NULL AND m.role = 'root') "
     "OR m.role = 'other'",
     NULL, VERDICT_UNKNOWN, "null: mount_encryption.encrypted"},
    {"unknown: tests it as one way of an OR", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE (m.method IS NULL OR (m.encrypted IS NULL)) "
     "AND m.role = 'root'",
     NULL, VERDICT_PASS, ""},
    {"a NULL behind a subquery in parentheses", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE EXISTS (SELECT 1 FROM scan AS s) AND "
     "m.encrypted IS NULL AND m.role = 'root'",
     NULL, VERDICT_PASS, ""},
    {"unknown: denies it", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.mount FROM mount_encryption AS m WHERE NOT m.encrypted IS NULL AND m.role = 'log'",
     NULL, VERDICT_UNKNOWN, "null: "},
    {"unknown: only shows it", NULL_INT, "tmp", NO_PLAIN,
     "SELECT m.encrypted IS NULL FROM mount_encryption AS m WHERE m.role = 'log'", NULL,
     VERDICT_UNKNOWN, "null: "},
    {"NULL in a column that is not read", NULL_INT, "root",
     "SELECT device FROM mount_encryption WHERE role = 'log'", NULL, NULL, VERDICT_PASS, ""},
};

static void test_check_null(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++) {
        const char *ok[] = {nulls[i].null_ok, NULL};
        const struct check c = {
            .id = "c", .query = nulls[i].query, .unknown = nulls[i].unknown, .null_ok = ok};
        CLEANUP(facts) struct facts f = {0};
        put_disk(&f, "/x", nulls[i].role, nulls[i].encrypted, "luks2");
        finish_facts(&f, DECLARED);
        expect_verdict(&c, NULL, 0, &f, nulls[i].want, nulls[i].reason, nulls[i].why);
    }
}

static const struct {
    const char *why, *state, *unknown;
    enum verdict want;
} words[] = {
    {"a known word", "refused", NULL, VERDICT_PASS},
    {"a word flagged as not known", "untested", NULL, VERDICT_UNKNOWN},
    {"the check asks for NULL only", "untested",
     "SELECT t.endpoint FROM tls_versions AS t WHERE t.state IS NULL", VERDICT_UNKNOWN},
    {"the check asks for the word of other rows", "untested",
     "SELECT t.endpoint FROM tls_versions AS t WHERE t.state = 'untested' AND t.endpoint = 'other'",
     VERDICT_PASS},
    {"the check asks for the word in a list", "untested",
     "SELECT t.endpoint FROM tls_versions AS t WHERE t.state IN ('untested', 'refused') AND "
     "t.endpoint = 'other'",
     VERDICT_PASS},
    {"the check finds the word", "untested",
     "SELECT t.endpoint FROM tls_versions AS t WHERE t.state = 'untested'", VERDICT_UNKNOWN},
};

static void test_check_unknown_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const struct check c = {.id = "c",
                                .query = "SELECT endpoint FROM tls_versions WHERE state = "
                                         "'accepted' AND version = 'TLS1.0'",
                                .unknown = words[i].unknown};
        CLEANUP(facts) struct facts f = {0};
        struct err e = {0};
        struct fact_table *t = put_table(&f, &tls_table, STATE_COMPLETE, "");
        assert_int_equal(fact_row_va(t, &e, "bastion", "TLS1.0", words[i].state), 0);
        finish_facts(&f, DECLARED);
        expect_verdict(&c, NULL, 0, &f, words[i].want, "", words[i].why);
    }
}

/* --- declarations --- */

#define CONTRACT "contracts: [{id: C, framework: fw}]\n"
#define HOME_PLAIN                                                                                 \
    "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role IN ('root', 'home')"

static const struct {
    const char *why, *site, *query;
    enum verdict want;
    const char *reason;
} declarations[] = {
    {"no data path declared", "", "SELECT p.path FROM site_data_paths AS p", VERDICT_UNKNOWN,
     "undeclared: site declares no data path"},
    {"none, in so many words", "data_paths: none\n", "SELECT p.path FROM site_data_paths AS p",
     VERDICT_PASS, ""},
    {"declared", CONTRACT "data_paths: [{path: /srv}]\n",
     "SELECT p.path FROM site_data_paths AS p WHERE p.dataset = 'x'", VERDICT_PASS, ""},
    {"workers", "", "SELECT id FROM site_workers", VERDICT_UNKNOWN,
     "undeclared: site declares no worker"},
    {"assets", "", "SELECT id FROM site_assets", VERDICT_UNKNOWN,
     "undeclared: site declares no asset"},
    {"endpoints", "", "SELECT name FROM site_tls_endpoints", VERDICT_UNKNOWN,
     "undeclared: site declares no TLS endpoint"},
    {"peers are an allow-list: empty is empty", "", "SELECT prefix FROM site_peers", VERDICT_PASS,
     ""},
    {"media too", "", "SELECT serial FROM site_media", VERDICT_PASS, ""},
    {"permissions too", "", "SELECT id FROM site_permissions", VERDICT_PASS, ""},
    /* rows that exist by declaration: to leave it out must not look better */
    {"rows of declared paths are judged", "",
     "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role = 'data'", VERDICT_UNKNOWN,
     "undeclared: site declares no data path"},
    {"all rows are judged", "", "SELECT mount FROM mount_encryption WHERE encrypted = 0",
     VERDICT_UNKNOWN, "undeclared: "},
    {"all rows but some are judged", "",
     "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role <> 'swap'", VERDICT_UNKNOWN,
     "undeclared: "},
    {"declared rows are not meant", "", HOME_PLAIN, VERDICT_PASS, ""},
    {"declared rows are left out", "",
     "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role NOT IN ('boot', 'data')",
     VERDICT_PASS, ""},
    {"left out in one place of two", "",
     "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role = 'root' UNION "
     "SELECT mount FROM mount_encryption WHERE encrypted = 0",
     VERDICT_UNKNOWN, "undeclared: "},
    {"left out only under OR", "",
     "SELECT mount FROM mount_encryption WHERE encrypted = 0 OR role = 'log'", VERDICT_UNKNOWN,
     "undeclared: "},
    {"not left out but shown", "",
     "SELECT mount, role = 'log' FROM mount_encryption WHERE encrypted = 0", VERDICT_UNKNOWN,
     "undeclared: "},
    {"the negation", "",
     "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND NOT (role = 'log')",
     VERDICT_UNKNOWN, "undeclared: "},
};

static void test_check_declarations(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(declarations); i++) {
        const struct check c = {.id = "c", .query = declarations[i].query};
        CLEANUP(facts) struct facts f = {0};
        put_disk(&f, "/", "root", 1, "luks2");
        finish_facts(&f, declarations[i].site);
        expect_verdict(&c, NULL, 0, &f, declarations[i].want, declarations[i].reason,
                       declarations[i].why);
    }
}

/* --- views --- */

static const struct view plain_view = {
    .decl = {.name = "plain_mounts",
             .kind = TABLE_VIEW,
             TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY, NULL, ""},
                           {"plain", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL, ""})},
    .sql = "SELECT m.mount AS mount, CASE m.device WHEN '?' THEN NULL ELSE 0 END AS plain "
           "FROM mount_encryption AS m WHERE m.role = 'root'",
    .file = "views/plain.sql",
};

static void test_check_views(void **state)
{
    (void)state;
    const struct check c = {.id = "c", .query = "SELECT mount FROM plain_mounts WHERE plain = 1"};
    const struct check counted = {
        .id = "c", .query = "SELECT 1 FROM (SELECT count(*) AS n FROM plain_mounts) WHERE n > 9"};
    struct err e = {0};
    {
        CLEANUP(facts) struct facts f = {0};
        put_disk(&f, "/", "root", 1, "luks2");
        finish_facts(&f, DECLARED);
        expect_verdict(&c, &plain_view, 1, &f, VERDICT_PASS, "", "all known");
        const struct check found = {.id = "c", .query = "SELECT mount FROM plain_mounts"};
        expect_verdict(&found, &plain_view, 1, &f, VERDICT_FAIL, "", "rows of the view count");
    }
    {
        CLEANUP(facts) struct facts f = {0};
        put_table(&f, &disk_table, STATE_TIMEOUT, "");
        finish_facts(&f, DECLARED);
        expect_verdict(&c, &plain_view, 1, &f, VERDICT_UNKNOWN,
                       "incomplete: mount_encryption timeout", "state of the base");
        expect_verdict(&counted, &plain_view, 1, &f, VERDICT_UNKNOWN,
                       "incomplete: ", "state of the base, counted");
    }
    {
        CLEANUP(facts) struct facts f = {0};
        struct fact_table *t = put_table(&f, &disk_table, STATE_COMPLETE, "");
        assert_int_equal(fact_row_va(t, &e, "/", "root", "?", (int64_t)1, "luks2", ""), 0);
        finish_facts(&f, DECLARED);
        expect_verdict(&c, &plain_view, 1, &f, VERDICT_UNKNOWN, "null: plain_mounts.plain",
                       "NULL of the view");
        expect_verdict(&counted, &plain_view, 1, &f, VERDICT_PASS, "", "column not read");
    }
}

/* What the view reads of its base is charged to who reads the view. */
static void test_check_view_bases(void **state)
{
    (void)state;
    const struct view view = {
        .decl = {.name = "encrypted_mounts",
                 .kind = TABLE_VIEW,
                 TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY, NULL, ""})},
        .sql = "SELECT m.mount AS mount FROM mount_encryption AS m WHERE m.encrypted = 0 AND "
               "m.role = 'root'",
        .file = "views/encrypted.sql",
    };
    const struct view all = {
        .decl = view.decl,
        .sql = "SELECT m.mount AS mount FROM mount_encryption AS m WHERE m.encrypted = 0",
        .file = "views/all.sql",
    };
    const struct check c = {.id = "c", .query = "SELECT mount FROM encrypted_mounts"};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", NULL_INT, "luks2");
    finish_facts(&f, DECLARED);
    expect_verdict(&c, &view, 1, &f, VERDICT_UNKNOWN, "null: mount_encryption.encrypted",
                   "NULL of the base");
    CLEANUP(facts) struct facts known = {0};
    put_disk(&known, "/", "root", 1, "luks2");
    finish_facts(&known, "");
    expect_verdict(&c, &view, 1, &known, VERDICT_PASS, "", "the view leaves declared rows out");
    expect_verdict(&c, &all, 1, &known, VERDICT_UNKNOWN, "undeclared: site declares no data path",
                   "the view leans on the declaration");
}

static void test_check_view_trouble(void **state)
{
    (void)state;
    struct view v = plain_view;
    const struct check c = {.id = "c", .query = "SELECT mount FROM plain_mounts"};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", 1, "luks2");
    finish_facts(&f, DECLARED);
    v.sql = "SELECT nonsense AS mount, 0 AS plain FROM mount_encryption";
    expect_verdict(&c, &v, 1, &f, VERDICT_UNKNOWN, "sql: views/plain.sql", "view does not prepare");
    v.sql = "SELECT mount AS mount FROM mount_encryption";
    expect_verdict(&c, &v, 1, &f, VERDICT_UNKNOWN, "sql: views/plain.sql", "columns differ");
    v.sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
            "SELECT 'x' AS mount, max(i) AS plain FROM n";
    expect_verdict(&c, &v, 1, &f, VERDICT_UNKNOWN, "limit: view plain_mounts", "view has no end");
}

/* --- bounds, findings --- */

static void test_check_limit(void **state)
{
    (void)state;
    const struct check c = {
        .id = "c",
        .query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n"};
    const struct policy p = {.checks = &c, .n_checks = 1};
    CLEANUP(facts) struct facts f = {0};
    finish_facts(&f, DECLARED);
    CLEANUP(evaluation) struct evaluation *ev = judge_only(&p, &f, "c");
    assert_int_equal(ev->checks[0].verdict, VERDICT_UNKNOWN);
    assert_true(ev->checks[0].limited);
    assert_int_equal(strncmp(ev->checks[0].reason, "limit: ", 7), 0);
    assert_int_equal(ev->checks[0].findings.n_rows, 0);
}

static void test_check_findings_are_sorted_sets(void **state)
{
    (void)state;
    const struct check c = {
        .id = "c", .query = "SELECT role, encrypted FROM mount_encryption ORDER BY role DESC"};
    const struct policy p = {.checks = &c, .n_checks = 1};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/b", "tmp", 0, "none");
    put_disk(&f, "/a", "tmp", 0, "none");
    put_disk(&f, "/", "log", 1, "none");
    finish_facts(&f, DECLARED);
    CLEANUP(evaluation) struct evaluation *ev = judge_only(&p, &f, "c");
    const struct result_rows *r = &ev->checks[0].findings;
    assert_int_equal(ev->checks[0].verdict, VERDICT_FAIL);
    assert_int_equal(r->n_rows, 2);
    assert_string_equal(r->cells[0].v.t.p, "log");
    assert_string_equal(r->cells[2].v.t.p, "tmp");
}

static void test_check_garbage_date(void **state)
{
    (void)state;
    const struct check c = {.id = "c",
                            .query = "SELECT mount FROM mount_encryption WHERE role = 'root' AND "
                                     "days_between(device, '2026-11-21') > 3"};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", 1, "luks2");
    finish_facts(&f, DECLARED);
    expect_verdict(&c, NULL, 0, &f, VERDICT_UNKNOWN, "sql: \"/dev/sda1\" is neither",
                   "a text that is no date finds nothing: not a pass");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_states),
        cmocka_unit_test(test_check_states_are_recorded_ones),
        cmocka_unit_test(test_check_truncated_record),
        cmocka_unit_test(test_check_table_not_recorded),
        cmocka_unit_test(test_check_leans_on_every_table),
        cmocka_unit_test(test_check_leans_on_tables_joined_by_name),
        cmocka_unit_test(test_check_applies),
        cmocka_unit_test(test_check_null),
        cmocka_unit_test(test_check_unknown_words),
        cmocka_unit_test(test_check_declarations),
        cmocka_unit_test(test_check_views),
        cmocka_unit_test(test_check_view_bases),
        cmocka_unit_test(test_check_view_trouble),
        cmocka_unit_test(test_check_limit),
        cmocka_unit_test(test_check_findings_are_sorted_sets),
        cmocka_unit_test(test_check_garbage_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
