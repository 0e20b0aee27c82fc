/* Checks and frameworks as YAML: shapes, and the words that each mistake is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/policy_internal.h"

static struct check known[2];

static struct rule_file a_file(void)
{
    return (struct rule_file){.folder = "checks", .rel = "checks/x.yaml", .path = "x.yaml"};
}

static int read_checks(struct pool *pool, const char *text, struct ptrs *ret, struct err *e)
{
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    struct rule_file file = a_file();
    int rc = yaml_parse("x.yaml", text, strlen(text), &doc, e);
    struct rule_reader r = {.pool = pool, .doc = doc, .file = &file};
    return rc != 0 ? rc : checks_read(&r, ret, e);
}

static int read_framework(struct pool *pool, const char *text, struct framework **ret,
                          struct err *e)
{
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    struct rule_file file = a_file();
    known[0].id = "disk-one";
    known[1].id = "disk-two";
    int rc = yaml_parse("x.yaml", text, strlen(text), &doc, e);
    struct rule_reader r = {
        .pool = pool, .doc = doc, .file = &file, .checks = known, .n_checks = ARRAY_LEN(known)};
    return rc != 0 ? rc : framework_read(&r, ret, e);
}

static void expect(int rc, const struct err *e, const char *want, const char *why)
{
    if (rc != ERR_INVALID || strstr(e->msg, want) == NULL) {
        print_error("%s: got %d \"%s\", want \"%s\"\n", why, rc, e->msg, want);
    }
    assert_int_equal(rc, ERR_INVALID);
    assert_non_null(strstr(e->msg, want));
}

/* Each row replaces one member of a good check. */
static void test_checks_read_refuses(void **state)
{
    (void)state;
    static const char *const members[] = {"id: a",           "title: {en: t}", "severity: high",
                                          "query: SELECT 1", "code: k",        "finding: {en: f}",
                                          "fix: {en: x}"};
    static const struct {
        const char *why;
        size_t member;
        const char *text, *want;
    } rows[] = {
        {"no id", 0, "code: k", "x.yaml:"},
        {"a bad id", 0, "id: Disk one", "is no id"},
        {"an unknown key", 0, "id: a, querry: x", "did you mean \"query\"?"},
        {"a title in no language", 1, "title: {}", "neither ja nor en"},
        {"a title in an unknown language", 1, "title: {fr: t}", "\"fr\""},
        {"a title that is a text", 1, "title: t", "x.yaml:1:"},
        {"an empty title", 1, "title: {en: \"\"}", "en is empty"},
        {"a misspelt severity", 2, "severity: hihg", "did you mean \"high\"?"},
        {"no query", 3, "applies: SELECT 1", "query"},
        {"an empty query", 3, "query: \"\"", "query is empty"},
        {"null_ok without table", 3, "query: SELECT 1, null_ok: [cipher]", "write table.column"},
        {"null_ok of three parts", 3, "query: SELECT 1, null_ok: [a.b.c]", "write table.column"},
        {"null_ok that is no list", 3, "query: SELECT 1, null_ok: a.b", "null_ok"},
        {"absent: fail", 3, "query: SELECT 1, absent: fail", "absent"},
        {"no finding", 5, "side_effects: {en: x}", "finding is missing"},
        {"no cure", 6, "side_effects: {en: x}", "fix is missing"},
        {"an unknown family", 6, "fix: {debain: {en: x}}", "did you mean \"debian\"?"},
        {"an empty cure", 6, "fix: {}", "fix is empty"},
        {"a test without host", 6, "fix: {en: x}, tests: [{want: pass}]", "host"},
        {"a test that wants nothing known", 6, "fix: {en: x}, tests: [{host: h, want: passes}]",
         "did you mean \"pass\"?"},
        {"a host elsewhere", 6, "fix: {en: x}, tests: [{host: ../h, want: pass}]", "plain name"},
        {"a site elsewhere", 6, "fix: {en: x}, tests: [{host: h, want: pass, site: /etc/x}]",
         "plain name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pool) struct pool *pool = NULL;
        CLEANUP(ptrs) struct ptrs found = {0};
        CLEANUP(str) struct str text = STR_INIT(4096);
        struct err e = {0};
        assert_int_equal(pool_new(&pool, &e), 0);
        str_add(&text, "checks: [{");
        for (size_t m = 0; m < ARRAY_LEN(members); m++) {
            str_addf(&text, "%s%s", m == 0 ? "" : ", ",
                     m == rows[i].member ? rows[i].text : members[m]);
        }
        str_add(&text, "}]\n");
        int rc = read_checks(pool, str_text(&text), &found, &e);
        expect(rc, &e, rows[i].want, rows[i].why);
    }
}

static void test_checks_read_whole(void **state)
{
    (void)state;
    static const char text[] =
        "checks:\n"
        "  - id: a\n    title: {ja: 題}\n    severity: critical\n    applies: SELECT 0\n"
        "    query: |\n      SELECT 1\n      FROM t\n    unknown: SELECT 2\n    null_ok: [t.c]\n"
        "    absent: not-applicable\n    code: k-1\n    finding: {ja: '{c}', en: '{c}'}\n"
        "    fix: {debian: {en: d}, any: {en: a}}\n    side_effects: {en: s}\n"
        "    tests: [{host: h, want: not-applicable, site: none.yaml}]\n";
    CLEANUP(pool) struct pool *pool = NULL;
    CLEANUP(ptrs) struct ptrs found = {0};
    struct err e = {0};
    assert_int_equal(pool_new(&pool, &e), 0);
    assert_int_equal(read_checks(pool, text, &found, &e), 0);
    assert_int_equal(found.n, 1);
    const struct check *c = found.items[0];
    assert_string_equal(c->title.in[LANG_JA], "題");
    assert_string_equal(c->title.in[LANG_EN], "");
    assert_string_equal(c->query, "SELECT 1\nFROM t\n");
    assert_string_equal(c->null_ok[0], "t.c");
    assert_null(c->null_ok[1]);
    assert_int_equal(c->absent, ABSENT_NOT_APPLICABLE);
    assert_int_equal(c->n_fixes, 2);
    assert_string_equal(c->fixes[0].family, "debian");
    assert_int_equal(c->tests[0].want, VERDICT_NOT_APPLICABLE);
    assert_string_equal(c->tests[0].site, "none.yaml");
    assert_int_equal(c->line, 2);
    assert_true(hex_is(c->digest, 64));
}

#define FW "framework: f\nversion: \"1\"\ntitle: {en: t}\nsource: s\nstatus: current\n"
#define CONTROL "id: 5.6a, title: {en: t}, summary: {en: s}, kind: technical, severity: high"

static void test_framework_read_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *why, *text, *want;
    } rows[] = {
        {"no controls", FW, "controls"},
        {"an unknown key", FW "control: []\n", "did you mean \"controls\"?"},
        {"a status of its own",
         "framework: f\nversion: \"1\"\ntitle: {en: t}\nsource: s\n"
         "status: old\ncontrols: []\n",
         "status"},
        {"an unknown kind",
         FW "controls: [{id: a, title: {en: t}, summary: {en: s}, kind: techncal, severity: low}]",
         "did you mean \"technical\"?"},
        {"an unknown key of a control", FW "controls: [{" CONTROL ", atest: []}]",
         "did you mean \"attest\"?"},
        {"an unknown check", FW "controls: [{" CONTROL ", checks: [{id: disk-tow, basis: text}]}]",
         "there is no check \"disk-tow\", did you mean \"disk-two\"?"},
        {"no basis", FW "controls: [{" CONTROL ", checks: [{id: disk-two}]}]", "basis"},
        {"a misspelt basis", FW "controls: [{" CONTROL ", checks: [{id: disk-two, basis: txt}]}]",
         "did you mean \"text\"?"},
        {"cited twice",
         FW "controls: [{" CONTROL ", checks: [{id: disk-two, basis: text}, {id: disk-two, basis: "
            "recommended}]}]",
         "disk-two is cited twice"},
        {"an unknown gate", FW "controls: [{" CONTROL ", gate: disk-three}]", "no check"},
        {"a leg that names no statement", FW "controls: [{" CONTROL ", any_of: [[{attest: x}]]}]",
         "has no statement \"x\""},
        {"a group that is no list",
         FW "controls: [{" CONTROL ", any_of: [{id: disk-two, basis: text}]}]",
         "any_of is a list of groups"},
        {"an empty group", FW "controls: [{" CONTROL ", any_of: [[]]}]", "any_of is a list"},
        {"a statement without words",
         FW "controls: [{" CONTROL ", attest: [{id: x, every: year}]}]", "statement is missing"},
        {"a statement for ever",
         FW "controls: [{" CONTROL ", attest: [{id: x, statement: {en: s}, every: always}]}]",
         "every"},
        {"a statement twice",
         FW "controls: [{" CONTROL ", attest: [{id: x, statement: {en: s}, every: year}, {id: x, "
            "statement: {en: s}, every: year}]}]",
         "statement x stands twice"},
        {"a control twice", FW "controls:\n - {" CONTROL "}\n - {" CONTROL "}\n",
         "x.yaml:8:4: control 5.6a is there already, line 7"},
        {"permission is a boolean", FW "controls: [{" CONTROL ", permission: yes}]", "permission"},
        {"an empty missing", FW "controls: [{" CONTROL ", missing: [\"\"]}]", "missing"},
        {"a crosswalk that is a text", FW "controls: [{" CONTROL ", crosswalk: x}]", "crosswalk"},
        {"a crosswalk into a map", FW "controls: [{" CONTROL ", crosswalk: {a: {b: c}}}]",
         "a text or a list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(pool) struct pool *pool = NULL;
        struct framework *fw = NULL;
        struct err e = {0};
        assert_int_equal(pool_new(&pool, &e), 0);
        expect(read_framework(pool, rows[i].text, &fw, &e), &e, rows[i].want, rows[i].why);
    }
}

static void test_framework_read_whole(void **state)
{
    (void)state;
    static const char text[] =
        FW "isolates: true\ncontrols:\n"
           " - {" CONTROL ", permission: true, compensation: true, gate: disk-one,\n"
           "    any_of: [[{id: disk-two, basis: text}, {attest: p}], [{attest: q}]],\n"
           "    checks: [{id: disk-one, basis: recommended}],\n"
           "    missing: [plain, {ja: 日, en: en}], drift: SELECT 1,\n"
           "    attest: [{id: p, statement: {en: s}, every: year},\n"
           "             {id: q, statement: {en: s}, every: event, attachment: paper},\n"
           "             {id: r, statement: {en: s}, every: period}],\n"
           "    crosswalk: {form5: \"1(3)\", other: [a, b]}}\n";
    CLEANUP(pool) struct pool *pool = NULL;
    struct framework *fw = NULL;
    struct err e = {0};
    assert_int_equal(pool_new(&pool, &e), 0);
    int rc = read_framework(pool, text, &fw, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    assert_true(fw->isolates);
    const struct control *c = &fw->controls[0];
    assert_true(c->permission && c->compensation);
    assert_ptr_equal(c->gate, &known[0]);
    assert_int_equal(c->n_any_of, 2);
    assert_int_equal(c->any_of_n[0], 2);
    assert_ptr_equal(c->any_of[0][0].check, &known[1]);
    assert_null(c->any_of[0][1].check);
    assert_string_equal(c->any_of[0][1].attest, "p");
    assert_string_equal(c->any_of[1][0].attest, "q");
    assert_int_equal(c->checks[0].basis, BASIS_RECOMMENDED);
    assert_true(c->attests[0].leg && c->attests[1].leg && !c->attests[2].leg);
    assert_string_equal(c->attests[1].attachment, "paper");
    assert_null(c->attests[0].attachment);
    assert_int_equal(c->n_missing, 2);
    assert_string_equal(c->missing[0], "plain");
    assert_string_equal(c->missing[1], "en");
    assert_null(c->missing[2]);
    assert_string_equal(c->missing_texts[1].in[LANG_JA], "日");
    assert_string_equal(c->crosswalk[1].value, "a, b");
    assert_string_equal(c->drift, "SELECT 1");
}

static void test_verdict_words(void **state)
{
    (void)state;
    static const char *const words[N_VERDICTS] = {"fail",        "unknown",     "permitted",
                                                  "compensated", "unattested",  "pass",
                                                  "attested",    "not-covered", "not-applicable"};
    struct err e = {0};
    for (size_t i = 0; i < N_VERDICTS; i++) {
        enum verdict v = N_VERDICTS;
        assert_string_equal(verdict_word((enum verdict)i), words[i]);
        assert_int_equal(verdict_parse(words[i], &v, &e), 0);
        assert_int_equal(v, i);
    }
    enum verdict v = VERDICT_PASS;
    assert_int_equal(verdict_parse("unknwon", &v, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "did you mean \"unknown\"?"));
    assert_int_equal(v, VERDICT_PASS);
    assert_string_equal(basis_word(BASIS_TEXT), "text");
    assert_string_equal(basis_word(BASIS_INTERPRETATION), "interpretation");
    assert_string_equal(basis_word(BASIS_RECOMMENDED), "recommended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks_read_refuses),    cmocka_unit_test(test_checks_read_whole),
        cmocka_unit_test(test_framework_read_refuses), cmocka_unit_test(test_framework_read_whole),
        cmocka_unit_test(test_verdict_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
