/* The verdict of one control (agent/policy/control.c, agent/policy/cover.c): order of gravity,
 * papers, statements, any_of, gate. */
#include "fixture.h"

#include "agent/policy/judge.h"

/* Checks whose verdicts are fixed by their SQL. */
static const struct check checks[] = {
    {.id = "passes", .query = "SELECT id FROM scan WHERE id = 'never'"},
    {.id = "fails", .query = "SELECT 'eth0' AS name, 5 AS n, NULL AS hole FROM scan"},
    {.id = "fails-twice",
     .query = "SELECT 'eth0' AS name FROM scan UNION SELECT 'eth1' AS name FROM scan"},
    {.id = "unknown",
     .query = "SELECT id FROM scan WHERE id = 'never'",
     .unknown = "SELECT id FROM scan"},
    {.id = "applies-not",
     .applies = "SELECT id FROM scan WHERE id = 'never'",
     .query = "SELECT id FROM scan"},
};
#define PASSES (&checks[0])
#define FAILS (&checks[1])
#define TWICE (&checks[2])
#define UNKNOWN (&checks[3])
#define NOT_HERE (&checks[4])

#define LEGS(...)                                                                                  \
    .checks = (const struct citation[]){__VA_ARGS__},                                              \
    .n_checks = sizeof((const struct citation[]){__VA_ARGS__}) / sizeof(struct citation)
#define TEXT(c)                                                                                    \
    {                                                                                              \
        .check = (c), .basis = BASIS_TEXT                                                          \
    }
#define READ_SO(c)                                                                                 \
    {                                                                                              \
        .check = (c), .basis = BASIS_INTERPRETATION                                                \
    }
#define ADVISED(c)                                                                                 \
    {                                                                                              \
        .check = (c), .basis = BASIS_RECOMMENDED                                                   \
    }
#define SAYS(id)                                                                                   \
    {                                                                                              \
        .attest = (id)                                                                             \
    }
#define GROUP(...) ((const struct citation[]){__VA_ARGS__})
#define GROUPS(...)                                                                                \
    .any_of = (const struct citation *const[])                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define SIZES(...)                                                                                 \
    .any_of_n = (const size_t[]){__VA_ARGS__},                                                     \
    .n_any_of = sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t)
#define OWES(...)                                                                                  \
    .attests = (const struct attestation_need[]){__VA_ARGS__},                                     \
    .n_attests =                                                                                   \
        sizeof((const struct attestation_need[]){__VA_ARGS__}) / sizeof(struct attestation_need)
#define MISSING                                                                                    \
    .missing = (const char *const[])                                                               \
    {                                                                                              \
        "cables", NULL                                                                             \
    }

#define BASE "contracts: [{id: C, framework: fw}]\n"
#define PAPER(list, control, scope, from, to, more)                                                \
    list ": [{id: P, framework: fw, control: \"" control "\", scope: " scope ", starts: " from     \
         ", ends: " to more "}]\n"
#define PERMITS(control, scope, from, to) PAPER("permissions", control, scope, from, to, "")
#define COMPENSATES(control, scope)                                                                \
    PAPER("compensations", control, scope, "2026-11-21", "2026-11-21", ", measure: m")
#define SIGNED(more)                                                                               \
    "attestations: [{id: T, framework: fw, control: \"5.1a\", statement: s1, signer: x" more "}]"  \
    "\n"
#define IN_FORCE SIGNED(", signed_at: 2026-11-21, valid_until: 2026-11-21")

struct row {
    const char *why;
    struct control control;
    const char *site;
    enum verdict want;
};

static const struct row plain[] = {
    {"one pass", {LEGS(TEXT(PASSES))}, "", VERDICT_PASS},
    {"one failure", {LEGS(TEXT(PASSES), TEXT(FAILS))}, "", VERDICT_FAIL},
    {"failure before unknown", {LEGS(TEXT(UNKNOWN), TEXT(FAILS))}, "", VERDICT_FAIL},
    {"unknown before pass", {LEGS(TEXT(PASSES), TEXT(UNKNOWN))}, "", VERDICT_UNKNOWN},
    {"pass beside what does not apply", {LEGS(TEXT(PASSES), TEXT(NOT_HERE))}, "", VERDICT_PASS},
    {"nothing applies", {LEGS(TEXT(NOT_HERE))}, "", VERDICT_NOT_APPLICABLE},
    {"nothing at all", {.n_checks = 0}, "", VERDICT_NOT_COVERED},
    {"would pass, but something is not looked at",
     {LEGS(TEXT(PASSES)), MISSING},
     "",
     VERDICT_NOT_COVERED},
    {"fails, whatever is not looked at", {LEGS(TEXT(FAILS)), MISSING}, "", VERDICT_FAIL},
    {"interpretation is advice", {LEGS(TEXT(PASSES), READ_SO(FAILS))}, "", VERDICT_PASS},
    {"interpretation counts where the site says so",
     {LEGS(TEXT(PASSES), READ_SO(FAILS))},
     "settings: {interpretation: counts}\n",
     VERDICT_FAIL},
    {"advice alone is nothing", {LEGS(ADVISED(PASSES))}, "", VERDICT_NOT_COVERED},
    {"a recommendation never counts",
     {LEGS(TEXT(PASSES), ADVISED(FAILS))},
     "settings: {interpretation: counts}\n",
     VERDICT_PASS},
    {"gate closed", {LEGS(TEXT(FAILS)), .gate = NOT_HERE}, "", VERDICT_NOT_APPLICABLE},
    {"gate open", {LEGS(TEXT(FAILS)), .gate = PASSES}, "", VERDICT_FAIL},
    {"gate not known is no way out", {LEGS(TEXT(FAILS)), .gate = UNKNOWN}, "", VERDICT_FAIL},
};

static const struct row papers[] = {
    {"permitted",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-21", "2026-11-21"),
     VERDICT_PERMITTED},
    {"the clause knows no permission",
     {LEGS(TEXT(FAILS))},
     PERMITS("5.1a", "{name: eth0}", "2026-11-21", "2026-11-21"),
     VERDICT_FAIL},
    {"an id without its letter names all parts",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_PERMITTED},
    {"of another clause",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1b", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"a longer number is another clause",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"over since yesterday",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-01", "2026-11-20"),
     VERDICT_FAIL},
    {"from tomorrow on",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-22", "none"),
     VERDICT_FAIL},
    {"for another device",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: wlan0}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"no wildcard",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: \"*\"}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"every column of the scope counts",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0, n: \"6\"}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"numbers are compared as text",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0, n: \"5\"}", "2026-11-01", "none"),
     VERDICT_PERMITTED},
    {"a column that the finding has not",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0, port: \"1\"}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"NULL equals nothing",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{name: eth0, hole: \"0\"}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"the check by its id",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{check: fails}", "2026-11-01", "none"),
     VERDICT_PERMITTED},
    {"another check",
     {LEGS(TEXT(FAILS)), .permission = true},
     PERMITS("5.1a", "{check: passes}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"one finding of two",
     {LEGS(TEXT(TWICE)), .permission = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_FAIL},
    {"unknown before permitted",
     {LEGS(TEXT(FAILS), TEXT(UNKNOWN)), .permission = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_UNKNOWN},
    {"permitted before unattested",
     {LEGS(TEXT(FAILS)), .permission = true, OWES({.id = "s1", .every = "year"})},
     PERMITS("5.1a", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_PERMITTED},
    {"compensated",
     {LEGS(TEXT(FAILS)), .compensation = true},
     COMPENSATES("5.1a", "{name: eth0}"),
     VERDICT_COMPENSATED},
    {"the clause knows no compensation",
     {LEGS(TEXT(FAILS)), .permission = true},
     COMPENSATES("5.1a", "{name: eth0}"),
     VERDICT_FAIL},
    {"a mix within one check counts as compensated",
     {LEGS(TEXT(TWICE)), .permission = true, .compensation = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-01", "none") COMPENSATES("5.1a", "{name: eth1}"),
     VERDICT_COMPENSATED},
    {"a mix of checks counts as compensated",
     {LEGS(TEXT(FAILS), TEXT(TWICE)), .permission = true, .compensation = true},
     PERMITS("5.1a", "{check: fails}", "2026-11-01", "none")
         COMPENSATES("5.1a", "{check: fails-twice}"),
     VERDICT_COMPENSATED},
};

static const struct row statements[] = {
    {"signed, nothing to look at",
     {OWES({.id = "s1", .every = "year"})},
     IN_FORCE,
     VERDICT_ATTESTED},
    {"not signed", {OWES({.id = "s1", .every = "year"})}, "", VERDICT_UNATTESTED},
    {"signed, and the machine agrees",
     {LEGS(TEXT(PASSES)), OWES({.id = "s1", .every = "year"})},
     IN_FORCE,
     VERDICT_PASS},
    {"the machine alone is not enough",
     {LEGS(TEXT(PASSES)), OWES({.id = "s1", .every = "year"})},
     "",
     VERDICT_UNATTESTED},
    {"the signature alone is not enough",
     {LEGS(TEXT(FAILS)), OWES({.id = "s1", .every = "year"})},
     IN_FORCE,
     VERDICT_FAIL},
    {"unknown before unattested",
     {LEGS(TEXT(UNKNOWN)), OWES({.id = "s1", .every = "year"})},
     "",
     VERDICT_UNKNOWN},
    {"another statement", {OWES({.id = "s2", .every = "year"})}, IN_FORCE, VERDICT_UNATTESTED},
    {"expired yesterday",
     {OWES({.id = "s1", .every = "year"})},
     SIGNED(", signed_at: 2026-01-01, valid_until: 2026-11-20"),
     VERDICT_UNATTESTED},
    {"signed tomorrow",
     {OWES({.id = "s1", .every = "year"})},
     SIGNED(", signed_at: 2026-11-22, valid_until: none"),
     VERDICT_UNATTESTED},
    {"no last day: a year",
     {OWES({.id = "s1", .every = "year"})},
     SIGNED(", signed_at: 2025-11-21"),
     VERDICT_ATTESTED},
    {"no last day: a year and a day",
     {OWES({.id = "s1", .every = "year"})},
     SIGNED(", signed_at: 2025-11-20"),
     VERDICT_UNATTESTED},
    {"no last day: each month, signed in the last one",
     {OWES({.id = "s1", .every = "period"})},
     SIGNED(", signed_at: 2026-10-31"),
     VERDICT_ATTESTED},
    {"no last day: each month, signed before",
     {OWES({.id = "s1", .every = "period"})},
     SIGNED(", signed_at: 2026-09-30"),
     VERDICT_UNATTESTED},
    {"no last day: once per application",
     {OWES({.id = "s1", .every = "application"})},
     SIGNED(", signed_at: 2020-01-01"),
     VERDICT_ATTESTED},
    {"signed, the checks do not apply",
     {LEGS(TEXT(NOT_HERE)), OWES({.id = "s1", .every = "year"})},
     IN_FORCE,
     VERDICT_ATTESTED},
};

static const struct row groups[] = {
    {"the first way",
     {GROUPS(GROUP(TEXT(PASSES)), GROUP(TEXT(FAILS))), SIZES(1, 1)},
     "",
     VERDICT_PASS},
    {"the second way",
     {GROUPS(GROUP(TEXT(FAILS)), GROUP(TEXT(PASSES))), SIZES(1, 1)},
     "",
     VERDICT_PASS},
    {"one way unknown is better than a failure",
     {GROUPS(GROUP(TEXT(FAILS)), GROUP(TEXT(UNKNOWN))), SIZES(1, 1)},
     "",
     VERDICT_UNKNOWN},
    {"every way fails",
     {GROUPS(GROUP(TEXT(FAILS)), GROUP(TEXT(PASSES), TEXT(FAILS))), SIZES(1, 2)},
     "",
     VERDICT_FAIL},
    {"a statement as the other way, signed",
     {GROUPS(GROUP(TEXT(FAILS)), GROUP(SAYS("s1"))), SIZES(1, 1), OWES({.id = "s1"})},
     IN_FORCE,
     VERDICT_ATTESTED},
    {"a statement as the other way, not signed",
     {GROUPS(GROUP(TEXT(FAILS)), GROUP(SAYS("s1"))), SIZES(1, 1), OWES({.id = "s1"})},
     "",
     VERDICT_FAIL},
    {"not signed, and not known",
     {GROUPS(GROUP(TEXT(UNKNOWN)), GROUP(SAYS("s1"))), SIZES(1, 1), OWES({.id = "s1"})},
     "",
     VERDICT_UNKNOWN},
    {"a statement that is a way is not owed besides",
     {GROUPS(GROUP(TEXT(PASSES)), GROUP(SAYS("s1"))), SIZES(1, 1), OWES({.id = "s1"})},
     "",
     VERDICT_PASS},
    {"statements alone, none signed",
     {GROUPS(GROUP(SAYS("s2")), GROUP(SAYS("s1"))), SIZES(1, 1), OWES({.id = "s1"}, {.id = "s2"})},
     "",
     VERDICT_UNATTESTED},
    {"what does not apply fulfils nothing",
     {GROUPS(GROUP(TEXT(NOT_HERE)), GROUP(TEXT(FAILS))), SIZES(1, 1)},
     "",
     VERDICT_FAIL},
    {"no way applies",
     {GROUPS(GROUP(TEXT(NOT_HERE)), GROUP(TEXT(NOT_HERE))), SIZES(1, 1)},
     "",
     VERDICT_NOT_APPLICABLE},
    {"a way by advice is no way",
     {GROUPS(GROUP(ADVISED(PASSES)), GROUP(TEXT(FAILS))), SIZES(1, 1)},
     "",
     VERDICT_FAIL},
    {"what is demanded besides still counts",
     {LEGS(TEXT(FAILS)), GROUPS(GROUP(TEXT(PASSES))), SIZES(1)},
     "",
     VERDICT_FAIL},
    {"the permitted way beats the unknown one",
     {GROUPS(GROUP(TEXT(FAILS)), GROUP(TEXT(UNKNOWN))), SIZES(1, 1), .permission = true},
     PERMITS("5.1a", "{name: eth0}", "2026-11-01", "none"),
     VERDICT_PERMITTED},
};

static struct evaluation *judged(const struct control *control, const char *site, const char *extra)
{
    struct control c = *control;
    c.id = "5.1a";
    const struct framework fw = {.id = "fw", .version = "1", .controls = &c, .n_controls = 1};
    const struct policy p = {
        .checks = checks, .n_checks = ARRAY_LEN(checks), .frameworks = &fw, .n_frameworks = 1};
    CLEANUP(facts) struct facts f = {0};
    CLEANUP(str) struct str text = STR_INIT(65536);
    str_add(&text, BASE);
    str_add(&text, site);
    str_add(&text, extra);
    finish_facts(&f, str_text(&text));
    const struct eval_request rq = {.policy = &p, .framework = &fw, .contract = "C", .facts = &f};
    struct evaluation *ev = NULL;
    struct err e = {0};
    assert_int_equal(evaluate(&rq, &ev, &e), 0);
    assert_int_equal(ev->n_controls, 1);
    return ev;
}

static void expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(evaluation)
        struct evaluation *ev = judged(&rows[i].control, rows[i].site, "");
        const struct control_result *r = &ev->controls[0];
        if (r->verdict != rows[i].want) {
            print_error("%s: got %s \"%s\", want %s\n", rows[i].why, verdict_word(r->verdict),
                        r->reason, verdict_word(rows[i].want));
        }
        assert_int_equal(r->verdict, rows[i].want);
        assert_int_equal(ev->counts[rows[i].want], 1);
    }
}

static void test_control_order(void **state)
{
    (void)state;
    expect_rows(plain, ARRAY_LEN(plain));
}

static void test_control_papers(void **state)
{
    (void)state;
    expect_rows(papers, ARRAY_LEN(papers));
}

static void test_control_statements(void **state)
{
    (void)state;
    expect_rows(statements, ARRAY_LEN(statements));
}

static void test_control_any_of(void **state)
{
    (void)state;
    expect_rows(groups, ARRAY_LEN(groups));
}

static void test_control_lists(void **state)
{
    (void)state;
    const struct control c = {LEGS(TEXT(TWICE), ADVISED(FAILS), ADVISED(UNKNOWN), ADVISED(PASSES)),
                              .permission = true, OWES({.id = "s9", .every = "year"})};
    const char *site = "permissions:\n"
                       "  - {id: NOW, framework: fw, control: 5.1a, scope: {name: eth0}, "
                       "starts: 2026-01-01, ends: none}\n"
                       "  - {id: PAST, framework: fw, control: 5.1a, scope: {name: eth1}, "
                       "starts: 2026-01-01, ends: 2026-02-01}\n";
    CLEANUP(evaluation) struct evaluation *ev = judged(&c, site, "");
    const struct control_result *r = &ev->controls[0];
    assert_int_equal(r->verdict, VERDICT_FAIL);
    assert_string_equal(r->reason, "finding: fails-twice");
    assert_int_equal(r->permissions.n, 1);
    assert_string_equal(r->permissions.items[0], "NOW");
    assert_int_equal(r->expired.n, 1);
    assert_string_equal(r->expired.items[0], "PAST");
    assert_int_equal(r->unattested.n, 1);
    assert_string_equal(r->unattested.items[0], "s9");
    assert_int_equal(r->advice.n, 2);
    assert_string_equal(r->advice.items[0], "fails");
    assert_string_equal(r->advice.items[1], "unknown");
}

/* Facts that did not come through the site's reader must be read with the same care. */
static void test_control_bad_scopes(void **state)
{
    (void)state;
    static const char *const scopes[] = {
        "{}", "[]", "\"x\"", "", "{\"name\":null}", "{\"name\":[\"eth0\"]}", "{\"name\":\"eth0\""};
    static const struct column columns[] = {
        {.name = "id"},    {.name = "framework"}, {.name = "control"},
        {.name = "scope"}, {.name = "starts"},    {.name = "ends"},
    };
    static const struct table decl = {
        .name = "site_permissions", .kind = TABLE_SITE, .columns = columns, .n_columns = 6};
    struct control c = {LEGS(TEXT(FAILS)), .permission = true};
    c.id = "5.1a";
    const struct framework fw = {.id = "fw", .version = "1", .controls = &c, .n_controls = 1};
    const struct policy p = {.checks = checks, .n_checks = ARRAY_LEN(checks)};
    for (size_t i = 0; i < ARRAY_LEN(scopes) + 1; i++) {
        bool good = i == ARRAY_LEN(scopes);
        CLEANUP(facts) struct facts f = {0};
        struct fact_table *t = NULL;
        struct err e = {0};
        put_scan(&f);
        assert_int_equal(facts_add(&f, &decl, "", &t, &e), 0);
        assert_int_equal(
            fact_row_va(t, &e, "P", "fw", "5.1a", good ? "{\"name\":\"eth0\"}" : scopes[i], "", ""),
            0);
        const struct eval_request rq = {
            .policy = &p, .framework = &fw, .contract = "C", .facts = &f};
        CLEANUP(evaluation) struct evaluation *ev = NULL;
        assert_int_equal(evaluate(&rq, &ev, &e), 0);
        assert_int_equal(ev->controls[0].verdict, good ? VERDICT_PERMITTED : VERDICT_FAIL);
    }
}

/* Papers and statements under another standard are none under this one. */
static void test_control_other_framework(void **state)
{
    (void)state;
    static const struct column paper_columns[] = {
        {.name = "id"},    {.name = "framework"}, {.name = "control"},
        {.name = "scope"}, {.name = "starts"},    {.name = "ends"},
    };
    static const struct column statement_columns[] = {
        {.name = "framework"}, {.name = "control"},     {.name = "statement"},
        {.name = "signed_at"}, {.name = "valid_until"},
    };
    static const struct table paper_decl = {
        .name = "site_permissions", .kind = TABLE_SITE, .columns = paper_columns, .n_columns = 6};
    static const struct table statement_decl = {.name = "site_attestations",
                                                .kind = TABLE_SITE,
                                                .columns = statement_columns,
                                                .n_columns = 5};
    const struct control controls[] = {
        {.id = "1", LEGS(TEXT(FAILS)), .permission = true},
        {.id = "2", OWES({.id = "s1", .every = "application"})},
    };
    const struct framework fw = {.id = "fw", .controls = controls, .n_controls = 2};
    const struct policy p = {.checks = checks, .n_checks = ARRAY_LEN(checks)};
    static const char *const frameworks[] = {"fw", "other"};
    for (size_t i = 0; i < ARRAY_LEN(frameworks); i++) {
        CLEANUP(facts) struct facts f = {0};
        struct fact_table *t = NULL;
        struct err e = {0};
        put_scan(&f);
        assert_int_equal(facts_add(&f, &paper_decl, "", &t, &e), 0);
        assert_int_equal(fact_row_va(t, &e, "P", frameworks[i], "1", "{\"name\":\"eth0\"}", "", ""),
                         0);
        assert_int_equal(facts_add(&f, &statement_decl, "", &t, &e), 0);
        assert_int_equal(fact_row_va(t, &e, frameworks[i], "2", "s1", "2026-01-01", "none"), 0);
        const struct eval_request rq = {
            .policy = &p, .framework = &fw, .contract = "C", .facts = &f};
        CLEANUP(evaluation) struct evaluation *ev = NULL;
        assert_int_equal(evaluate(&rq, &ev, &e), 0);
        assert_int_equal(ev->controls[0].verdict, i == 0 ? VERDICT_PERMITTED : VERDICT_FAIL);
        assert_int_equal(ev->controls[1].verdict, i == 0 ? VERDICT_ATTESTED : VERDICT_UNATTESTED);
    }
}

static void test_control_matches(void **state)
{
    (void)state;
    static const struct {
        const char *paper, *control;
        bool want;
    } rows[] = {
        {"5.1", "5.1", true},     {"5.1", "5.1a", true},   {"5.1a", "5.1a", true},
        {"5.1", "5.10", false},   {"5.1", "5.1ab", false}, {"5.1a", "5.1", false},
        {"5.1a", "5.1aa", false}, {"", "5.1", false},      {"5.", "5.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (control_matches(rows[i].paper, rows[i].control) != rows[i].want) {
            print_error("%s and %s\n", rows[i].paper, rows[i].control);
        }
        assert_int_equal(control_matches(rows[i].paper, rows[i].control), rows[i].want);
    }
}

static void test_day_within(void **state)
{
    (void)state;
    static const struct {
        const char *day, *starts, *ends;
        bool want;
    } rows[] = {
        {"2026-11-21", "2026-11-21", "2026-11-21", true},
        {"2026-11-21", "2026-11-22", "", false},
        {"2026-11-21", "", "2026-11-20", false},
        {"2026-11-21", "", "", true},
        {"2026-11-21", "", "none", true},
        {"2026-11-21", NULL, "", false}, /* not known is not "for ever" */
        {"2026-11-21", "", NULL, false},
        {"", "", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(day_within(rows[i].day, rows[i].starts, rows[i].ends), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_order),      cmocka_unit_test(test_control_papers),
        cmocka_unit_test(test_control_statements), cmocka_unit_test(test_control_any_of),
        cmocka_unit_test(test_control_lists),      cmocka_unit_test(test_control_bad_scopes),
        cmocka_unit_test(test_control_matches),    cmocka_unit_test(test_control_other_framework),
        cmocka_unit_test(test_day_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
