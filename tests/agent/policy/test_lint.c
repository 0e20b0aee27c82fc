/* Lint (agent/policy/lint.c, agent/policy/lint_sql.c): each rule has a rule that breaks it, and a
 * neighbour that does not. */
#include "fixture.h"

#define BOTH(text)                                                                                 \
    {                                                                                              \
        {                                                                                          \
            text, text                                                                             \
        }                                                                                          \
    }

static const struct check_fix fix = {.family = "any", .text = BOTH("mend it")};
static const struct check_test three_tests[] = {
    {.host = "a", .want = VERDICT_PASS},
    {.host = "b", .want = VERDICT_FAIL},
    {.host = "c", .want = VERDICT_UNKNOWN},
};

/* A check that lint has nothing to say about. */
static const struct check good = {
    .id = "disk-good",
    .title = BOTH("t"),
    .severity = "high",
    .query = "SELECT m.mount FROM mount_encryption AS m WHERE m.encrypted = 0",
    .code = "plain",
    .finding = BOTH("{mount} is plain"),
    .fixes = &fix,
    .n_fixes = 1,
    .tests = three_tests,
    .n_tests = 3,
    .file = "checks/x.yaml",
    .line = 4,
};

static size_t lint(const struct policy *p, struct str *out)
{
    CLEANUP(free) const struct table **schema = fixture_schema();
    struct err e = {0};
    size_t n = 99;
    int rc = policy_lint(p, schema, out, &n, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    return n;
}

/* want "" = nothing to say; else exactly one message that holds it. */
static void expect_lint(const struct policy *p, const char *want, const char *why)
{
    CLEANUP(str) struct str out = STR_INIT(65536);
    size_t n = lint(p, &out);
    bool same = want[0] == '\0' ? n == 0 : n == 1 && strstr(str_text(&out), want) != NULL;
    if (!same) {
        print_error("%s: %zu messages, want \"%s\"\n%s", why, n, want, str_text(&out));
    }
    assert_true(same);
}

static const struct {
    const char *why, *sql, *want;
} statements[] = {
    {"star", "SELECT * FROM scan", "SELECT *"},
    {"star of a table", "SELECT s.* FROM scan AS s", "SELECT *"},
    {"star after a column", "SELECT s.id, s.* FROM scan AS s", "SELECT *"},
    {"count(*) is no star", "SELECT count(*) AS n FROM scan", ""},
    {"a product is no star", "SELECT 2 * uid AS n FROM login_accounts", ""},
    {"natural", "SELECT s.id FROM scan AS s NATURAL JOIN probe_status", "NATURAL"},
    {"using", "SELECT a.uid FROM login_accounts AS a JOIN site_workers AS w USING (username)",
     "USING"},
    {"collation", "SELECT id FROM scan WHERE hostname = 'A' COLLATE NOCASE", "COLLATE"},
    {"double quotes", "SELECT \"id\" FROM scan", "single quotes"},
    {"not in what may be NULL",
     "SELECT id FROM scan WHERE hostname NOT IN (SELECT reason FROM mount_encryption)",
     "may be NULL"},
    {"not in an expression",
     "SELECT id FROM scan WHERE hostname NOT IN (SELECT lower(mount) FROM mount_encryption)",
     "may be NULL"},
    {"not in what says it is not NULL",
     "SELECT id FROM scan WHERE hostname NOT IN (SELECT reason FROM mount_encryption WHERE "
     "reason IS NOT NULL)",
     ""},
    {"not in a key",
     "SELECT id FROM scan WHERE hostname NOT IN (SELECT m.mount FROM "
     "mount_encryption AS m)",
     ""},
    {"in what may be NULL",
     "SELECT id FROM scan WHERE hostname IN (SELECT reason FROM "
     "mount_encryption)",
     ""},
    {"unknown table", "SELECT x FROM mount_encrypton", "did you mean mount_encryption?"},
    {"unknown column", "SELECT methd FROM mount_encryption", "did you mean method?"},
    {"a word outside the vocabulary", "SELECT mount FROM mount_encryption WHERE method = 'luks'",
     "'luks' is no value of method"},
    {"the other way round", "SELECT mount FROM mount_encryption WHERE 'luks' = method",
     "'luks' is no value"},
    {"with the table's other name",
     "SELECT m.mount FROM mount_encryption AS m WHERE m.role <> 'roott'", "'roott' is no value"},
    {"in a list", "SELECT mount FROM mount_encryption WHERE role IN ('root', 'hme')",
     "'hme' is no value"},
    {"not in a list", "SELECT mount FROM mount_encryption WHERE role NOT IN ('hme')",
     "'hme' is no value"},
    {"in a CASE", "SELECT CASE method WHEN 'luks9' THEN 1 END AS n FROM mount_encryption",
     "'luks9' is no value"},
    {"IS", "SELECT mount FROM mount_encryption WHERE method IS NOT 'luks'", "'luks' is no value"},
    {"in a subquery",
     "SELECT id FROM scan WHERE EXISTS (SELECT 1 FROM tls_versions AS t WHERE t.state = 'open')",
     "'open' is no value"},
    {"a word of the vocabulary",
     "SELECT mount FROM mount_encryption WHERE method = 'luks2' AND "
     "role IN ('root', 'home')",
     ""},
    {"a word flagged unknown", "SELECT endpoint FROM tls_versions WHERE state = 'untested'", ""},
    {"free text", "SELECT mount FROM mount_encryption WHERE device = 'luks'", ""},
    {"sum of reals", "SELECT sum(a.age_days) AS n FROM login_accounts AS a", "over reals"},
    {"sum of real literals", "SELECT sum(uid * 0.5) AS n FROM login_accounts", "over reals"},
    {"sum of integers", "SELECT sum(uid) AS n FROM login_accounts", ""},
    {"greatest real", "SELECT max(age_days) AS n FROM login_accounts", ""},
    {"limit without order", "SELECT mount FROM mount_encryption LIMIT 1", "LIMIT"},
    {"limit with part of the key", "SELECT mount FROM mount_encryption ORDER BY mount LIMIT 1",
     "LIMIT"},
    {"limit with the whole key", "SELECT mount FROM mount_encryption ORDER BY mount, role LIMIT 1",
     ""},
    {"limit over groups",
     "SELECT role, count(*) AS n FROM mount_encryption GROUP BY role ORDER "
     "BY count(*) LIMIT 1",
     "LIMIT"},
    {"limit over groups, total",
     "SELECT role, count(*) AS n FROM mount_encryption GROUP BY role ORDER BY count(*), role "
     "LIMIT 1",
     ""},
    {"bare column", "SELECT role, mount FROM mount_encryption GROUP BY role", "mount stands bare"},
    {"bare column beside an aggregate", "SELECT mount, max(encrypted) AS n FROM mount_encryption",
     "mount stands bare"},
    {"bare column in HAVING", "SELECT role FROM mount_encryption GROUP BY role HAVING device = 'x'",
     "device stands bare"},
    {"grouped columns",
     "SELECT m.role, lower(m.role) AS l, count(*) AS n FROM mount_encryption "
     "AS m GROUP BY m.role HAVING count(*) > 1",
     ""},
    {"a subquery has its own columns",
     "SELECT role, (SELECT max(uid) FROM login_accounts) AS n FROM mount_encryption", ""},
    {"least of two is no aggregate", "SELECT mount, max(encrypted, 0) AS n FROM mount_encryption",
     ""},
    {"no SELECT", "DELETE FROM scan", "only one SELECT"},
    {"a function", "SELECT random() AS n FROM scan", "not allowed"},
};

static void test_lint_statements(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        struct check c = good;
        c.finding = (struct text2)BOTH("f");
        c.query = statements[i].sql;
        const struct policy p = {.checks = &c, .n_checks = 1};
        expect_lint(&p, statements[i].want, statements[i].why);
        /* The same rules hold for drift. */
        const struct control control = {
            .id = "1", .title = BOTH("t"), .summary = BOTH("s"), .drift = statements[i].sql};
        const struct framework fw = {
            .id = "fw", .title = BOTH("t"), .controls = &control, .n_controls = 1, .file = "fw"};
        const struct policy drift = {.frameworks = &fw, .n_frameworks = 1};
        expect_lint(&drift, statements[i].want, statements[i].why);
    }
}

static const struct check_test no_fail[] = {{.want = VERDICT_PASS}, {.want = VERDICT_UNKNOWN}};

static void test_lint_checks(void **state)
{
    (void)state;
    const char *odd_null[] = {"mount_encryption.nothing", NULL};
    const char *good_null[] = {"mount_encryption.method", NULL};
    struct {
        const char *why;
        struct check check;
        const char *want;
    } rows[] = {
        {"nothing to say", good, ""},
        {"no Japanese title", good, "title has no text in ja"},
        {"no English finding", good, "finding has no text in en"},
        {"a fix in one language", good, "fix has no text in ja"},
        {"no fix", good, "no fix"},
        {"no code", good, "no code"},
        {"side effects in one language", good, "side_effects has no text in en"},
        {"no host that fails", good, "no host that should give fail"},
        {"a column that the query does not give", good, "{device} is no column"},
        {"a brace left open", good, "is not closed"},
        {"null_ok of nothing", good, "is no table.column"},
        {"null_ok", good, ""},
        {"applies that always gives a row", good, "gives a row that says no"},
        {"applies that does not", good, ""},
    };
    const struct check_fix half = {.family = "any", .text = {{"", "x"}}};
    size_t i = 1;
    rows[i++].check.title.in[LANG_JA] = "";
    rows[i++].check.finding.in[LANG_EN] = NULL;
    rows[i++].check.fixes = &half;
    rows[i++].check.n_fixes = 0;
    rows[i++].check.code = "";
    rows[i++].check.side_effects.in[LANG_JA] = "x";
    rows[i].check.tests = no_fail;
    rows[i++].check.n_tests = 2;
    rows[i++].check.finding.in[LANG_EN] = "{mount} on {device}";
    rows[i++].check.finding.in[LANG_JA] = "{mount";
    rows[i++].check.null_ok = odd_null;
    rows[i++].check.null_ok = good_null;
    rows[i++].check.applies = "SELECT count(*) > 0 AS n FROM tls_versions";
    rows[i++].check.applies = "SELECT endpoint FROM tls_versions";
    assert_int_equal(i, ARRAY_LEN(rows));
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy p = {.checks = &rows[i].check, .n_checks = 1};
        expect_lint(&p, rows[i].want, rows[i].why);
    }
}

static void test_lint_place(void **state)
{
    (void)state;
    struct check two[] = {good, good};
    two[1].line = 40;
    const struct policy p = {.checks = two, .n_checks = 2};
    CLEANUP(str) struct str out = STR_INIT(65536);
    assert_int_equal(lint(&p, &out), 1);
    assert_string_equal(str_text(&out), "checks/x.yaml:40: check disk-good: the id is used twice, "
                                        "first at checks/x.yaml:4\n");
}

/* Shipped rules lean on our own tables; people's own rules may do as they like. */
static void test_lint_osquery(void **state)
{
    (void)state;
    CLEANUP(str) struct str file = STR_INIT(4096);
    str_addf(&file, "%s/checks/x.yaml", policy_default_dir());
    struct check c = good;
    c.query = "SELECT u.uid AS mount FROM users AS u WHERE u.uid = 7";
    const struct policy p = {.checks = &c, .n_checks = 1};
    expect_lint(&p, "", "somebody's own check");
    c.file = str_text(&file);
    expect_lint(&p, "users follows osquery", "a shipped check");
    const struct view view = {
        .decl = {.name = "people", .kind = TABLE_VIEW, TABLE_COLUMNS({.name = "uid"})},
        .sql = "SELECT u.uid AS uid FROM users AS u",
        .file = "views/people.sql",
    };
    c.query = "SELECT p.uid AS mount FROM people AS p";
    const struct policy with_view = {.checks = &c, .n_checks = 1, .views = &view, .n_views = 1};
    expect_lint(&with_view, "users follows osquery", "through a view");
}

static void test_lint_views(void **state)
{
    (void)state;
    struct view v = {
        .decl = {.name = "people", .kind = TABLE_VIEW, TABLE_COLUMNS({.name = "uid"})},
        .sql = "SELECT u.uid AS uid FROM users AS u",
        .file = "views/people.sql",
    };
    const struct policy p = {.views = &v, .n_views = 1};
    expect_lint(&p, "", "good");
    v.sql = "SELECT u.uid AS user FROM users AS u";
    expect_lint(&p, "views/people.sql:1: view people: ", "names differ");
    v.sql = "SELECT u.uid AS uid FROM users AS u LIMIT 3";
    expect_lint(&p, "LIMIT", "rules of SQL hold for views");
}

static void test_lint_frameworks(void **state)
{
    (void)state;
    const struct check stranger = {.id = "stranger"};
    const struct citation legs[] = {{.check = &stranger, .basis = BASIS_TEXT}};
    const struct citation says[] = {{.attest = "nobody"}};
    const struct citation *const groups[] = {says};
    const size_t sizes[] = {1};
    const struct attestation_need need[] = {
        {.id = "s", .statement = BOTH("s"), .every = "year"},
        {.id = "s", .statement = BOTH("s"), .every = "year"},
    };
    const struct attestation_need half[] = {{.id = "s", .statement = {{"", "x"}}}};
    const struct control base = {.id = "1", .title = BOTH("t"), .summary = BOTH("s")};
    struct {
        const char *why;
        struct control control;
        const char *want;
    } rows[] = {
        {"nothing to say", base, ""},
        {"cites what is no check", base, "cites stranger, which is no check"},
        {"a leg that is no statement", base, "cites nobody, which is no statement"},
        {"gate that is no check", base, "gate stranger"},
        {"a statement twice", base, "statement s is there twice"},
        {"a statement in one language", base, "statement has no text in ja"},
        {"no summary", base, "summary has no text in en"},
    };
    rows[1].control.checks = legs;
    rows[1].control.n_checks = 1;
    rows[2].control.any_of = groups;
    rows[2].control.any_of_n = sizes;
    rows[2].control.n_any_of = 1;
    rows[3].control.gate = &stranger;
    rows[4].control.attests = need;
    rows[4].control.n_attests = 2;
    rows[5].control.attests = half;
    rows[5].control.n_attests = 1;
    rows[6].control.summary.in[LANG_EN] = "";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct framework fw = {.id = "fw",
                                     .title = BOTH("t"),
                                     .controls = &rows[i].control,
                                     .n_controls = 1,
                                     .file = "frameworks/fw.yaml"};
        const struct policy p = {
            .checks = &good, .n_checks = 1, .frameworks = &fw, .n_frameworks = 1};
        expect_lint(&p, rows[i].want, rows[i].why);
    }
    const struct control twice[] = {base, base};
    const struct framework fw[] = {
        {.id = "fw", .title = BOTH("t"), .controls = twice, .n_controls = 2, .file = "a"},
    };
    const struct policy p = {.frameworks = fw, .n_frameworks = 1};
    expect_lint(&p, "control 1: the id is used twice", "two controls of one id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lint_statements), cmocka_unit_test(test_lint_checks),
        cmocka_unit_test(test_lint_place),      cmocka_unit_test(test_lint_osquery),
        cmocka_unit_test(test_lint_views),      cmocka_unit_test(test_lint_frameworks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
