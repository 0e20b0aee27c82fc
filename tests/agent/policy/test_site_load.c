/* The site from files: site.d merged by list, contradictions, who may write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/policy/site.h"
#include "tests/agent/policy/scratch.h"

static int load(const struct scratch *s, bool trusted, struct site **ret, struct err *e)
{
    char path[256];
    return site_load(scratch_path(s, "site.yaml", path), trusted, ret, e);
}

static void expect(const struct scratch *s, int code, const char *want, const char *why)
{
    CLEANUP(site) struct site *site = NULL;
    struct err e = {0};
    int rc = load(s, true, &site, &e);
    if (rc != code || strstr(e.msg, want) == NULL) {
        print_error("%s: got %d \"%s\", want \"%s\"\n", why, rc, e.msg, want);
    }
    assert_int_equal(rc, code);
    assert_non_null(strstr(e.msg, want));
    assert_null(site);
}

static void test_site_load_merges_lists(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch s;
    CLEANUP(site) struct site *site = NULL;
    struct err e = {0};
    assert_true(scratch_make(&s));
    assert_true(scratch_write(&s, "site.yaml",
                              "contracts: [{id: A, framework: f}]\nhost: {asset: X}\n"
                              "data_paths: [{path: /a}]\nsettings: {language: ja}\n"));
    assert_true(scratch_write(&s, "site.d/20.yaml", "data_paths: [{path: /c}]\n"));
    assert_true(scratch_write(&s, "site.d/10.yaml",
                              "data_paths: [{path: /b}]\nhost: {asset: X, label: l}\n"
                              "settings: {language: ja, upload: {enabled: false}}\n"));
    assert_true(scratch_write(&s, "site.d/30.yaml", "# nothing yet\n"));
    assert_true(scratch_write(&s, "site.d/40.yaml.bak", "not: read\n"));
    assert_true(scratch_write(&s, "site.d/.50.yaml", "not: read\n"));
    int rc = load(&s, true, &site, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(site_n_data_paths(site), 3);
    assert_string_equal(site_data_path(site, 0), "/a"); /* the file itself first */
    assert_string_equal(site_data_path(site, 1), "/b"); /* then by name */
    assert_string_equal(site_data_path(site, 2), "/c");
    assert_string_equal(site_host_asset(site), "X");
    assert_string_equal(site_host_label(site), "l");
    assert_string_equal(site_setting(site, "upload.enabled"), "false");
}

static void test_site_load_refuses_contradictions(void **state)
{
    (void)state;
    static const struct {
        const char *why, *first, *second, *want;
    } rows[] = {
        {"another asset", "host: {asset: X}\n", "host: {asset: Y}\n",
         "site.d/10.yaml:1:15: host.asset is \"Y\" here, but \"X\" at "},
        {"another language", "settings: {language: ja}\n", "settings: {language: en}\n",
         "settings.language is \"en\" here"},
        {"another url", "settings: {upload: {url: \"https://a\"}}\n",
         "settings: {upload: {url: \"https://b\"}}\n", "upload.url is \"https://b\" here"},
        {"another organisation", "organisation: {name: a}\n", "organisation: {name: b}\n",
         "organisation.name is"},
        {"the same worker", "workers: [{id: W}]\n", "workers:\n  - {id: W}\n",
         "site.d/10.yaml:2:10: workers: W is there already, at "},
        {"none, then one", "data_paths: none\n", "data_paths: [{path: /a}]\n",
         "data_paths: an element here, but none at "},
        {"one, then none", "assets: [{id: a}]\n", "assets: none\n",
         "assets: an element here, but none at "},
        {"a mistake in the second file", "{}\n", "wrokers: []\n",
         "site.d/10.yaml:1:1: site: unknown key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch) struct scratch s;
        assert_true(scratch_make(&s));
        assert_true(scratch_write(&s, "site.yaml", rows[i].first));
        assert_true(scratch_write(&s, "site.d/10.yaml", rows[i].second));
        expect(&s, ERR_INVALID, rows[i].want, rows[i].why);
    }
}

/* The element and its contract, the endpoint and its permission may stand in different files. */
static void test_site_load_refers_across_files(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch s;
    CLEANUP(site) struct site *site = NULL;
    struct err e = {0};
    assert_true(scratch_make(&s));
    assert_true(scratch_write(&s, "site.yaml",
                              "workers: [{id: W, contract: A}]\n"
                              "tls_endpoints: [{name: e, host: h, port: 1, permission: P}]\n"));
    assert_true(scratch_write(&s, "site.d/10.yaml",
                              "contracts: [{id: A, framework: f}]\npermissions: [{id: P, "
                              "framework: f, control: c, scope: {a: b}}]\n"));
    assert_int_equal(load(&s, true, &site, &e), 0);
    assert_int_equal(site_n_contracts(site), 1);
}

static void test_site_load_absent(void **state)
{
    (void)state;
    CLEANUP(scratch) struct scratch s;
    assert_true(scratch_make(&s));
    expect(&s, ERR_ABSENT, "site.yaml", "no file");
}

static void test_site_load_trusts_nobody_else(void **state)
{
    (void)state;
    static const struct {
        const char *why, *rel;
        mode_t mode;
    } rows[] = {
        {"the file", "site.yaml", 0666},
        {"a file of site.d, by its group", "site.d/10.yaml", 0664},
        {"site.d itself", "site.d", 0777},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(scratch) struct scratch s;
        CLEANUP(site) struct site *site = NULL;
        struct err e = {0};
        char path[256];
        assert_true(scratch_make(&s));
        assert_true(scratch_write(&s, "site.yaml", "{}\n"));
        assert_true(scratch_write(&s, "site.d/10.yaml", "{}\n"));
        assert_int_equal(chmod(scratch_path(&s, rows[i].rel, path), rows[i].mode), 0);
        expect(&s, ERR_UNSAFE, rows[i].rel, rows[i].why);
        assert_int_equal(load(&s, false, &site, &e), 0); /* a fixture's site */
    }
    /* Nothing in it yet, but others could put something there. */
    CLEANUP(scratch) struct scratch s;
    char path[256];
    assert_true(scratch_make(&s));
    assert_true(scratch_write(&s, "site.yaml", "{}\n"));
    assert_int_equal(mkdir(scratch_path(&s, "site.d", path), 0755), 0);
    assert_int_equal(chmod(path, 0777), 0);
    expect(&s, ERR_UNSAFE, "site.d", "an empty site.d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_load_merges_lists),
        cmocka_unit_test(test_site_load_refuses_contradictions),
        cmocka_unit_test(test_site_load_refers_across_files),
        cmocka_unit_test(test_site_load_absent),
        cmocka_unit_test(test_site_load_trusts_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
