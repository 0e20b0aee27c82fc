/* Directories of rules: order, replacement, digests, who may write them.
 * Covers agent/policy/policy_yaml.c, agent/policy/policy_words.c,
 * agent/policy/policy_framework.c, agent/policy/policy_check.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/policy/policy.h"
#include "tests/agent/policy/scratch.h"

#define CHECK(id, query, severity)                                                                 \
    "  - {id: " id ", title: {ja: 題, en: title}, severity: " severity ",\n"                       \
    "     query: \"" query "\", code: c, finding: {en: f}, fix: {en: x}}\n"
#define FRAMEWORK(id, check)                                                                       \
    "framework: " id "\nversion: \"1\"\ntitle: {en: t}\nsource: s\nstatus: current\ncontrols:\n"   \
    "  - {id: \"1\", title: {en: t}, summary: {en: s}, kind: technical, severity: high,\n"         \
    "     checks: [{id: " check ", basis: text}]}\n"
static const char view[] = "-- doc A view.\n-- column n integer KEY a number\n"
                           "CREATE VIEW numbers AS SELECT 1 AS n;\n";

static struct policy *load(const struct scratch *a, const struct scratch *b)
{
    const char *dirs[] = {a->dir, b == NULL ? NULL : b->dir};
    struct policy *p = NULL;
    struct err e = {0};
    int rc = policy_load(dirs, b == NULL ? 1 : 2, true, &p, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    return p;
}

static void expect(const struct scratch *a, const struct scratch *b, int code, const char *want)
{
    const char *dirs[] = {a->dir, b == NULL ? NULL : b->dir};
    CLEANUP(policy) struct policy *p = NULL;
    struct err e = {0};
    int rc = policy_load(dirs, b == NULL ? 1 : 2, true, &p, &e);
    if (rc != code || strstr(e.msg, want) == NULL) {
        print_error("got %d \"%s\", want \"%s\"\n", rc, e.msg, want);
    }
    assert_int_equal(rc, code);
    assert_non_null(strstr(e.msg, want));
    assert_null(p);
}

static void base(struct scratch *s)
{
    assert_true(scratch_make(s));
    assert_true(scratch_write(s, "rules.yaml", "version: \"7.10\"\n"));
    assert_true(scratch_write(s, "checks/a.yaml",
                              "checks:\n" CHECK("one", "SELECT 1", "high")
                                  CHECK("two", "SELECT 2", "low")));
    assert_true(scratch_write(s, "views/numbers.sql", view));
    assert_true(scratch_write(s, "frameworks/f.yaml", FRAMEWORK("fw", "two")));
}

static void test_policy_load_reads_all(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch a;
    base(&a);
    CLEANUP(policy) struct policy *p = load(&a, NULL);
    assert_int_equal(p->n_checks, 2);
    assert_string_equal(p->checks[0].id, "one");
    assert_string_equal(p->checks[0].title.in[LANG_JA], "題");
    assert_int_equal(p->checks[0].line, 2);
    assert_int_equal(p->n_views, 1);
    assert_string_equal(p->views[0].sql, "SELECT 1 AS n");
    assert_string_equal(p->version, "7.10"); /* text, not the number 7.1 */
    assert_ptr_equal(policy_check(p, "two"), &p->checks[1]);
    assert_null(policy_check(p, "three"));
    const struct framework *fw = policy_framework(p, "fw");
    assert_non_null(fw);
    assert_ptr_equal(fw->controls[0].checks[0].check, &p->checks[1]);
    assert_null(policy_framework(p, "f"));
    CLEANUP(free) const char **ids = policy_framework_ids(p);
    assert_string_equal(ids[0], "fw");
    assert_false(p->unmodified); /* these are not the shipped ones */
}

static void test_policy_load_replaces_by_id(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch a;
    CLEANUP(scratch) struct scratch b;
    base(&a);
    assert_true(scratch_make(&b));
    assert_true(scratch_write(&b, "checks/z.yaml",
                              "checks:\n" CHECK("three", "SELECT 3", "low")
                                  CHECK("one", "SELECT 9", "high")));
    CLEANUP(policy) struct policy *one = load(&a, NULL);
    CLEANUP(policy) struct policy *p = load(&a, &b);
    assert_int_equal(p->n_checks, 3);
    assert_string_equal(p->checks[0].id, "one"); /* where it stood */
    assert_string_equal(p->checks[0].query, "SELECT 9");
    assert_string_not_equal(p->checks[0].digest, one->checks[0].digest);
    assert_string_equal(p->checks[1].digest, one->checks[1].digest);
    assert_string_equal(p->checks[2].id, "three");
    assert_string_not_equal(p->digest, one->digest);
    assert_int_equal(p->differences, one->differences + 1); /* one file more */
    assert_string_equal(p->version, "7.10");                /* the first directory's */
    assert_int_equal(p->n_frameworks, 1);
}

/* A framework of the shipped directory sees the replaced check; a later framework may cite checks
 * of an earlier directory. */
static void test_policy_load_citations_over_directories(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch a;
    CLEANUP(scratch) struct scratch b;
    base(&a);
    assert_true(scratch_make(&b));
    assert_true(scratch_write(&b, "checks/z.yaml", "checks:\n" CHECK("two", "SELECT 9", "high")));
    assert_true(scratch_write(&b, "frameworks/g.yaml", FRAMEWORK("fx", "one")));
    CLEANUP(policy) struct policy *p = load(&a, &b);
    assert_int_equal(p->n_frameworks, 2);
    assert_string_equal(policy_framework(p, "fw")->controls[0].checks[0].check->query, "SELECT 9");
    assert_string_equal(policy_framework(p, "fx")->controls[0].checks[0].check->query, "SELECT 1");
}

static void test_policy_load_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *why, *rel, *text, *want;
    } rows[] = {
        {"the same id in two files", "checks/b.yaml", "checks:\n" CHECK("two", "SELECT 2", "low"),
         "checks/b.yaml:2:1: check two is there already, at "},
        {"the same framework twice", "frameworks/g.yaml", FRAMEWORK("fw", "one"),
         "framework fw is there already"},
        {"a check that is not there", "frameworks/g.yaml", FRAMEWORK("fx", "twoo"),
         "frameworks/g.yaml:8:20: there is no check \"twoo\", did you mean \"two\"?"},
        {"an empty file", "checks/b.yaml", "", "checks/b.yaml:1:1: empty"},
        {"an empty framework", "frameworks/g.yaml", "# nothing\n", "frameworks/g.yaml:1:1: empty"},
        {"an unknown key of the rules", "rules.yaml", "versoin: x\n", "did you mean \"version\"?"},
        {"rules without version", "rules.yaml", "{}\n", "version"},
        {"broken YAML", "checks/b.yaml", "checks: [\n", "checks/b.yaml:"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch) struct scratch a;
        base(&a);
        assert_true(scratch_write(&a, rows[i].rel, rows[i].text));
        expect(&a, NULL, ERR_INVALID, rows[i].want);
    }
}

static void test_policy_load_directory(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch a;
    struct scratch none = {"/nonexistent/tenken"};
    assert_true(scratch_make(&a));
    expect(&a, NULL, ERR_INVALID, "no policy directory");
    expect(&none, NULL, ERR_INVALID, "no policy directory");
    /* Files that are no rules do not make one. */
    assert_true(scratch_write(&a, "forms/f.yaml", "x"));
    expect(&a, NULL, ERR_INVALID, "no policy directory");
    assert_true(scratch_write(&a, "checks/readme.txt", "not read"));
    CLEANUP(policy) struct policy *p = load(&a, NULL);
    assert_int_equal(p->n_checks, 0);
    assert_string_equal(p->version, "");
}

static void test_policy_load_trusts_nobody_else(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch a;
    char path[256];
    base(&a);
    assert_int_equal(chmod(scratch_path(&a, "views/numbers.sql", path), 0666), 0);
    expect(&a, NULL, ERR_UNSAFE, "views/numbers.sql");
    const char *dirs[] = {a.dir};
    CLEANUP(policy) struct policy *p = NULL;
    struct err e = {0};
    assert_int_equal(policy_load(dirs, 1, false, &p, &e), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(scratch_path(&a, "checks", path), 0777), 0);
    expect(&a, NULL, ERR_UNSAFE, "checks");
}

/* What a change of makes old evidence incomparable, and what does not. */
static void test_check_digest_members(void **state)
{
    (void)state;
    static const char before[] = "{id: c, title: {en: t}, severity: low, applies: SELECT 1, "
                                 "query: SELECT 2, unknown: SELECT 3, null_ok: [a.b, c.d], "
                                 "absent: pass, code: k, finding: {en: f}, fix: {en: x}}";
    static const struct {
        const char *why, *from, *to;
        bool changes;
    } rows[] = {
        {"id", "id: c,", "id: d,", true},
        {"applies", "SELECT 1", "SELECT 11", true},
        {"query", "SELECT 2", "SELECT 22", true},
        {"unknown", "SELECT 3", "SELECT 33", true},
        {"null_ok", "a.b, c.d", "a.b", true},
        {"absent", "absent: pass", "absent: not-applicable", true},
        {"code", "code: k", "code: l", true},
        {"order of null_ok", "a.b, c.d", "c.d, a.b", false},
        {"title", "title: {en: t}", "title: {ja: u}", false},
        {"severity", "severity: low", "severity: high", false},
        {"finding", "finding: {en: f}", "finding: {en: g}", false},
        {"fix", "fix: {en: x}", "fix: {debian: {en: y}}", false},
        {"tests", "fix:", "tests: [{host: h, want: pass}], fix:", false},
        {"side effects", "fix:", "side_effects: {en: s}, fix:", false},
    };
    CLEANUP(scratch) struct scratch a;
    assert_true(scratch_make(&a));
    CLEANUP(str) struct str text = STR_INIT(65536);
    str_addf(&text, "checks:\n  - %s\n", before);
    assert_true(scratch_write(&a, "checks/c.yaml", str_text(&text)));
    CLEANUP(policy) struct policy *old = load(&a, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *at = strstr(before, rows[i].from);
        assert_non_null(at);
        str_clear(&text);
        str_add(&text, "checks:\n  - ");
        str_add_bytes(&text, before, (size_t)(at - before));
        str_addf(&text, "%s%s\n", rows[i].to, at + strlen(rows[i].from));
        assert_true(scratch_write(&a, "checks/c.yaml", str_text(&text)));
        CLEANUP(policy) struct policy *p = load(&a, NULL);
        bool changed = strcmp(p->checks[0].digest, old->checks[0].digest) != 0;
        if (changed != rows[i].changes) {
            print_error("%s\n", rows[i].why);
        }
        assert_int_equal(changed, rows[i].changes);
        assert_string_not_equal(p->digest, old->digest); /* rules.digest covers every byte */
    }
}

static void test_rules_digest_members(void **state)
{
    (void)state;
    static const struct {
        const char *why, *rel;
        bool changes;
    } rows[] = {
        {"products count", "products/av.yaml", true},
        {"profiles count", "tls-profiles/modern.yaml", true},
        {"forms do not", "forms/form5.yaml", false},
        {"the version does not", "rules.yaml", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch) struct scratch a;
        base(&a);
        CLEANUP(policy) struct policy *old = load(&a, NULL);
        assert_true(scratch_write(&a, rows[i].rel, "version: \"8\"\n"));
        CLEANUP(policy) struct policy *p = load(&a, NULL);
        bool changed = strcmp(p->digest, old->digest) != 0;
        if (changed != rows[i].changes) {
            print_error("%s\n", rows[i].why);
        }
        assert_int_equal(changed, rows[i].changes);
    }
}

static void test_policy_default_dir(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("TENKEN_POLICY_DIR"), 0);
    const char *built = policy_default_dir();
    assert_non_null(strstr(built, "policies")); /* this program runs from the build tree */
    CLEANUP(policy) struct policy *p = NULL;
    struct err e = {0};
    assert_int_equal(policy_load(&built, 1, false, &p, &e), 0);
    assert_true(p->n_checks > 0);
    assert_int_equal(setenv("TENKEN_POLICY_DIR", "/some/where", 1), 0);
    assert_string_equal(policy_default_dir(), "/some/where");
    assert_int_equal(setenv("TENKEN_POLICY_DIR", "", 1), 0);
    assert_string_equal(policy_default_dir(), built);
    assert_int_equal(unsetenv("TENKEN_POLICY_DIR"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_load_reads_all),
        cmocka_unit_test(test_policy_load_replaces_by_id),
        cmocka_unit_test(test_policy_load_citations_over_directories),
        cmocka_unit_test(test_policy_load_refuses),
        cmocka_unit_test(test_policy_load_directory),
        cmocka_unit_test(test_policy_load_trusts_nobody_else),
        cmocka_unit_test(test_check_digest_members),
        cmocka_unit_test(test_rules_digest_members),
        cmocka_unit_test(test_policy_default_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
