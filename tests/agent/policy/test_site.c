/* The site file: what is accepted, what each mistake is told, what SQL sees of it.
 * Covers agent/policy/site_refs.c, agent/policy/site_read.c, agent/policy/site_lists.c,
 * agent/policy/site_fields.c, agent/policy/site_facts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/base/io.h"
#include "agent/policy/site.h"

static const char two_contracts[] =
    "contracts:\n"
    "  - {id: A, framework: fw-1, starts: 2026-04-01, ends: 2027-03-31}\n"
    "  - {id: B, framework: fw-2, time_zone: UTC}\n";

static struct site *parsed(const char *text)
{
    struct site *s = NULL;
    struct err e = {0};
    int rc = site_parse("site.yaml", text, strlen(text), &s, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    return s;
}

static void expect_error(const char *text, const char *want, const char *why)
{
    CLEANUP(site) struct site *s = NULL;
    struct err e = {0};
    int rc = site_parse("site.yaml", text, strlen(text), &s, &e);
    if (rc != ERR_INVALID || strstr(e.msg, want) == NULL) {
        print_error("%s: got %d \"%s\", want \"%s\"\n", why, rc, e.msg, want);
    }
    assert_int_equal(rc, ERR_INVALID);
    assert_non_null(strstr(e.msg, want));
    assert_null(s);
}

/* One contract C, then the text. */
static void expect_error_in(const char *text, const char *want, const char *why)
{
    CLEANUP(str) struct str all = STR_INIT(65536);
    str_add(&all, "contracts: [{id: C, framework: fw-1}]\n");
    str_add(&all, text);
    expect_error(str_text(&all), want, why);
}

static const struct {
    const char *why, *text, *want;
} mistakes[] = {
    {"unknown key at the top", "worker: []\n", "site.yaml:2:1: "},
    {"the nearest key is named", "worker: []\n", "did you mean \"workers\"?"},
    {"unknown key in an element", "workers: [{id: W, usrname: x}]\n", "did you mean \"username\"?"},
    {"unknown key in settings", "settings: {langauge: ja}\n", "did you mean \"language\"?"},
    {"unknown key in upload", "settings: {upload: {ulr: x}}\n", "site.yaml:2:21: "},
    {"unknown key in host", "host: {aset: x}\n", "did you mean \"asset\"?"},
    {"unknown key in organisation", "organisation: {nam: x}\n", "did you mean \"name\"?"},
    {"a list is needed", "workers: {id: W}\n", "workers is a list, or the word none"},
    {"null is no list", "data_paths:\n", "data_paths is a list, or the word none"},
    {"peers cannot be none", "peers: none\n", "peers is a list"},
    {"a map is needed", "workers: [W-01]\n", "site.yaml:2:11: "},
    {"no value", "workers: [{id: W, role: ~}]\n", "role has no value"},
    {"an empty serial names nothing",
     "media: [{vendor_id: \"0951\", model_id: \"1666\", serial: \"\"}]\n", "serial has no value"},
    {"an empty path", "data_paths: [{path: \"\"}]\n", "path has no value"},
    {"id is required", "workers: [{username: x}]\n", "id is missing"},
    {"a day that does not exist", "workers: [{id: W, trained_at: 2026-02-30}]\n", "2:31"},
    {"a date, not a number", "workers: [{id: W, starts: 20260101}]\n", "starts"},
    {"end before start", "workers: [{id: W, starts: 2026-05-01, ends: 2026-04-30}]\n",
     "2:45: ends 2026-04-30 before it starts"},
    {"no boolean", "workers: [{id: W, server_access: yes}]\n", "server_access"},
    {"relative path", "data_paths: [{path: srv/city}]\n", "must be absolute"},
    {"path with ..", "data_paths: [{path: /srv/x/../city/}]\n", "did you mean \"/srv/city\"?"},
    {"path that climbs out", "data_paths: [{path: /../../x}]\n", "did you mean \"/x\"?"},
    {"final slash", "data_paths: [{path: /srv/}]\n", "did you mean \"/srv\"?"},
    {"no network", "peers: [{prefix: 10.20.0.0, port: 443}]\n", "is no network"},
    {"too many bits", "peers: [{prefix: 10.20.0.0/33, port: 443}]\n", "is no network"},
    {"too many bits, IPv6", "peers: [{prefix: \"2001:db8::/129\", port: 443}]\n", "is no network"},
    {"host bits", "peers: [{prefix: 10.20.0.5/24, port: 443}]\n", "did you mean \"10.20.0.0/24\"?"},
    {"host bits, IPv6", "peers: [{prefix: \"2001:db8::5/64\", port: 443}]\n",
     "did you mean \"2001:db8::/64\"?"},
    {"host bits inside a byte", "peers: [{prefix: 10.20.0.128/24, port: 1}]\n",
     "did you mean \"10.20.0.0/24\"?"},
    {"port too large", "peers: [{prefix: 10.0.0.0/8, port: 65536}]\n", "port"},
    {"port left out", "peers: [{prefix: 10.0.0.0/8}]\n", "port is missing"},
    {"unknown protocol", "peers: [{prefix: 10.0.0.0/8, port: 1, protocol: tpc}]\n",
     "did you mean \"tcp\"?"},
    {"vendor id of three digits", "media: [{vendor_id: \"951\", model_id: \"1666\", serial: X}]\n",
     "4 hexadecimal digits"},
    {"a medium without serial would name all of its kind",
     "media: [{vendor_id: \"0951\", model_id: \"1666\"}]\n", "serial is missing"},
    {"scope left out", "permissions: [{id: P, framework: fw-1, control: \"5.1\"}]\n",
     "scope is missing"},
    {"scope empty", "permissions: [{id: P, framework: fw-1, control: \"5.1\", scope: {}}]\n",
     "never empty"},
    {"scope holds single values",
     "permissions: [{id: P, framework: fw-1, control: \"5.1\", scope: {name: [a, b]}}]\n",
     "name is a single value"},
    {"framework of no contract",
     "permissions: [{id: P, framework: fw-2, control: \"5.1\", scope: {a: b}}]\n",
     "framework fw-2 is none of its contract's, did you mean \"fw-1\"?"},
    {"compensation without measure",
     "compensations: [{id: P, framework: fw-1, control: \"5.1\", scope: {a: b}}]\n",
     "measure is missing"},
    {"unsigned attestation",
     "attestations: [{id: T, framework: fw-1, control: \"5.1\", statement: s, signer: x}]\n",
     "signed_at is missing"},
    {"digest of the wrong length",
     "attestations: [{id: T, framework: fw-1, control: \"5.1\", statement: s, signer: x, "
     "signed_at: 2026-01-01, document_sha256: abcd}]\n",
     "64 hexadecimal digits"},
    {"endpoint without port", "tls_endpoints: [{name: e, host: h}]\n", "port is missing"},
    {"unknown starttls", "tls_endpoints: [{name: e, host: h, port: 25, starttls: smpt}]\n",
     "did you mean \"smtp\"?"},
    {"permission of an endpoint that is not there",
     "tls_endpoints: [{name: e, host: h, port: 25, permission: P-2}]\n"
     "permissions: [{id: P-1, framework: fw-1, control: \"5.1\", scope: {a: b}}]\n",
     "permission P-2 is not declared"},
    {"contract that is not there", "workers: [{id: W, contract: D}]\n",
     "2:29: contract D is not declared"},
    {"contract twice", "workers: [{id: W, contract: [C, C]}]\n", "stands twice"},
    {"no contract named", "workers: [{id: W, contract: []}]\n", "names no contract"},
    {"duplicate id", "workers: [{id: W},\n {id: W}]\n",
     "site.yaml:3:7: workers: W is there already, at site.yaml:2:16"},
    {"duplicate path", "data_paths: [{path: /srv}, {path: /srv}]\n", "is there already"},
    {"duplicate peer, written in two ways",
     "peers: [{prefix: \"2001:db8::/32\", port: 1}, {prefix: \"2001:0db8::/32\", port: 1}]\n",
     "is there already"},
    {"duplicate medium, written in two ways",
     "media: [{vendor_id: 0aBc, model_id: \"1666\", serial: X},"
     " {vendor_id: \"0abc\", model_id: \"1666\", serial: X}]\n",
     "is there already"},
    {"duplicate endpoint",
     "tls_endpoints: [{name: e, host: h, port: 1}, {name: e, host: i, port: 2}]\n",
     "is there already"},
    {"none needs a contract", "data_paths: [{none: true}]\n", "write data_paths: none"},
    {"none beside an element", "data_paths: [{none: true, contract: C}, {path: /srv}]\n",
     "but none for its contract"},
    {"unknown language", "settings: {language: jp}\n", "language"},
    {"unknown reading", "settings: {interpretation: count}\n", "did you mean \"counts\"?"},
    {"unknown requirement", "settings: {require: [landlok]}\n", "did you mean \"landlock\"?"},
    {"evidence over TLS only", "settings: {upload: {url: \"http://c.example\"}}\n",
     "over TLS only"},
    {"no password in a url", "settings: {upload: {url: \"https://u:p@c.example/\"}}\n",
     "no user name or password"},
    {"no password in a proxy", "settings: {upload: {proxy: \"http://u:p@p.example:3128\"}}\n",
     "no user name or password"},
    {"relative CA", "settings: {upload: {ca_file: ca.pem}}\n", "must be absolute"},
    {"enabled without url", "settings: {upload: {enabled: true}}\n", "without a url"},
    {"age of nothing", "settings: {max_definition_age_days: 0}\n", "max_definition_age_days"},
    {"machine id of another shape", "assets: [{id: A, machine_id: 12}]\n", "32 hexadecimal digits"},
    {"blank in an id", "assets: [{id: \"A 1\"}]\n", "no blanks"},
};

static void test_site_parse_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        expect_error_in(mistakes[i].text, mistakes[i].want, mistakes[i].why);
    }
}

static void test_site_parse_refuses_contracts(void **state)
{
    (void)state;
    static const struct {
        const char *why, *text, *want;
    } rows[] = {
        {"not YAML", "contracts: [\n", "site.yaml:"},
        {"two documents", "---\nhost: {}\n---\nhost: {}\n", "site.yaml:"},
        {"not a map", "- a\n", "site.yaml:1:1: "},
        {"id is required", "contracts: [{framework: f}]\n", "id is missing"},
        {"framework is required", "contracts: [{id: A}]\n", "framework is missing"},
        {"pair twice", "contracts:\n- {id: A, framework: f}\n- {id: A, framework: f}\n",
         "site.yaml:3:8: contracts: A is there already, at site.yaml:2:8"},
        {"unknown zone", "contracts: [{id: A, framework: f, time_zone: Asia/Tokio}]\n",
         "is unknown here"},
        {"a contract has no contract", "contracts: [{id: A, framework: f, contract: A}]\n",
         "contract"},
        {"ends before it starts",
         "contracts: [{id: A, framework: f, starts: 2026-04-01, ends: 2026-03-31}]\n",
         "before it starts"},
        {"contract of none", "workers: [{id: W, contract: A}]\n", "there are no contracts"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_error(rows[i].text, rows[i].want, rows[i].why);
    }
}

static void test_site_parse_two_contracts_need_names(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(65536);
    str_add(&text, two_contracts);
    str_add(&text, "workers: [{id: W}]\n");
    expect_error(str_text(&text), "4:11: workers: contract is missing", "two contracts");
    /* One contract under two frameworks is one contract. */
    site_free(parsed("contracts: [{id: A, framework: f}, {id: A, framework: g}]\n"
                     "workers: [{id: W}]\n"));
}

static const struct fact_table *table(const struct facts *f, const char *name, size_t want_rows)
{
    const struct fact_table *t = facts_find(f, name);
    assert_non_null(t);
    assert_int_equal(t->state, STATE_COMPLETE);
    if (t->n_rows != want_rows) {
        print_error("%s has %zu rows, want %zu\n", name, t->n_rows, want_rows);
    }
    assert_int_equal(t->n_rows, want_rows);
    return t;
}

static const struct cell *cell(const struct fact_table *t, size_t row, const char *column)
{
    int i = table_column(t->decl, column);
    assert_true(i >= 0);
    return &t->cells[row * t->decl->n_columns + (size_t)i];
}

static void assert_text(const struct fact_table *t, size_t row, const char *column,
                        const char *want)
{
    const struct cell *c = cell(t, row, column);
    if (want == NULL) {
        assert_int_equal(c->type, CELL_NULL);
        return;
    }
    assert_int_equal(c->type, CELL_TEXT);
    assert_string_equal(c->v.t.p, want);
}

static const char *setting(const struct facts *f, const char *key)
{
    const struct fact_table *t = facts_find(f, "site_settings");
    assert_non_null(t);
    for (size_t i = 0; i < t->n_rows; i++) {
        if (strcmp(cell(t, i, "key")->v.t.p, key) == 0) {
            return cell(t, i, "value")->v.t.p;
        }
    }
    return "";
}

static void test_site_facts_rows(void **state)
{
    (void)state;
    CLEANUP(site)
    struct site *s =
        parsed("contracts: [{id: C, framework: fw-1, authority: 札幌市}]\n"
               "host: {asset: SP-017, label: mnt-03}\n"
               "data_paths: [{path: /srv/city}]\n"
               "workers: [{id: W-01, username: suzuki, ends: none, server_access: true}, {id: "
               "W-02, username: \"\"}]\n"
               "peers: [{prefix: \"2001:0DB8::/32\", port: any}, {prefix: 10.0.0.0/8, port: 443}]\n"
               "permissions: [{id: P, framework: fw-1, control: \"5.1\", ends: 2026-12-20,"
               " scope: {name: eth0, check: n, port: 443}}]\n"
               "media: [{vendor_id: 0ABC, model_id: \"1666\", serial: X}]\n");
    CLEANUP(facts) struct facts f = {0};
    struct err e = {0};
    assert_int_equal(site_facts(s, "C", &f, &e), 0);
    const struct fact_table *t = table(&f, "site_contracts", 1);
    assert_text(t, 0, "authority", "札幌市");
    assert_text(t, 0, "ends", NULL); /* an end that was left out is not known */
    assert_text(t, 0, "time_zone", "Asia/Tokyo");
    t = table(&f, "site_workers", 2);
    assert_text(t, 0, "username", "suzuki");
    assert_text(t, 0, "ends", "none");
    assert_int_equal(cell(t, 0, "server_access")->v.i, 1);
    assert_text(t, 1, "username", "");
    assert_text(t, 1, "ends", NULL);
    assert_int_equal(cell(t, 1, "server_access")->type, CELL_NULL);
    assert_text(t, 1, "contract", "C");
    t = table(&f, "site_peers", 2);
    assert_text(t, 0, "prefix", "2001:db8::/32");
    assert_int_equal(cell(t, 0, "port")->v.i, 0);
    assert_text(t, 1, "protocol", "tcp");
    t = table(&f, "site_permissions", 1);
    assert_text(t, 0, "scope", "{\"check\":\"n\",\"name\":\"eth0\",\"port\":\"443\"}");
    assert_text(t, 0, "starts", NULL);
    t = table(&f, "site_media", 1);
    assert_text(t, 0, "vendor_id", "0abc");
    t = table(&f, "site_host", 1);
    assert_text(t, 0, "asset", "SP-017");
    assert_text(t, 0, "role", NULL);
    (void)table(&f, "site_organisation", 1);
    (void)table(&f, "site_attestations", 0);
}

static void test_site_facts_contracts_are_apart(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(65536);
    str_add(&text, two_contracts);
    str_add(&text, "workers:\n"
                   "  - {id: W, username: a, contract: A}\n"
                   "  - {id: W, username: b, contract: B}\n" /* B numbers its own workers */
                   "  - {id: V, username: c, contract: [A, B]}\n"
                   "data_paths: [{path: /srv/a, contract: A}, {none: true, contract: B}]\n"
                   "assets: [{id: X, contract: A}]\n");
    CLEANUP(site) struct site *s = parsed(str_text(&text));
    static const struct {
        const char *contract;
        size_t contracts, workers, paths;
        const char *list_paths, *list_assets, *list_endpoints, *why;
    } rows[] = {
        {"A", 1, 2, 1, "declared", "declared", "missing", "its own and the shared one"},
        {"B", 1, 2, 0, "none", "missing", "missing", "what A declared does not declare B's"},
        {"", 2, 4, 1, "declared", "declared", "missing", "all: one row per element and contract"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(facts) struct facts f = {0};
        struct err e = {0};
        assert_int_equal(site_facts(s, rows[i].contract, &f, &e), 0);
        (void)table(&f, "site_contracts", rows[i].contracts);
        (void)table(&f, "site_workers", rows[i].workers);
        (void)table(&f, "site_data_paths", rows[i].paths);
        assert_string_equal(setting(&f, "list.data_paths"), rows[i].list_paths);
        assert_string_equal(setting(&f, "list.assets"), rows[i].list_assets);
        assert_string_equal(setting(&f, "list.tls_endpoints"), rows[i].list_endpoints);
    }
}

static void test_site_facts_none_in_so_many_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want, *why;
    } rows[] = {
        {"", "missing", "left out"},
        {"data_paths: none\n", "none", "said"},
        {"data_paths: []\n", "missing", "an empty list says nothing"},
        {"data_paths: [{path: /srv}]\n", "declared", "declared"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(site) struct site *s = parsed(rows[i].text);
        CLEANUP(facts) struct facts f = {0};
        struct err e = {0};
        assert_int_equal(site_facts(s, "none", &f, &e), 0);
        assert_string_equal(setting(&f, "list.data_paths"), rows[i].want);
    }
}

/* The keys of a list and the columns of its table are written down in two places. */
static void test_site_tables_are_well_formed(void **state)
{
    (void)state;
    CLEANUP(site) struct site *s = parsed("");
    CLEANUP(facts) struct facts f = {0};
    struct err e = {0};
    assert_int_equal(site_facts(s, "", &f, &e), 0);
    static const char *const per_list_only[] = {"site_host", "site_organisation", "site_settings",
                                                "site_contracts"};
    size_t n = 0;
    for (; site_tables()[n] != NULL; n++) {
        const struct table *t = site_tables()[n];
        assert_int_equal(t->kind, TABLE_SITE);
        assert_non_null(facts_find(&f, t->name));
        bool has_contract = true;
        for (size_t i = 0; i < ARRAY_LEN(per_list_only); i++) {
            has_contract = has_contract && strcmp(t->name, per_list_only[i]) != 0;
        }
        assert_string_equal(has_contract ? t->columns[t->n_columns - 1].name : "contract",
                            "contract");
        for (size_t i = 0; i < t->n_columns; i++) {
            assert_true(t->columns[i].doc[0] != '\0');
        }
    }
    assert_int_equal(n, f.n);
}

static void test_site_accessors(void **state)
{
    (void)state;
    CLEANUP(site)
    struct site *s =
        parsed("contracts: [{id: A, framework: f}, {id: B, framework: f}]\n"
               "data_paths: [{path: /srv, contract: A}, {path: /srv, contract: B},"
               " {path: /var/x, contract: B}]\n"
               "workers: [{id: W-1, contract: A}, {id: W-2, username: u, contract: B}]\n"
               "settings: {language: en, strict_definitions: false, max_definition_age_days: 3,"
               " require: [landlock], upload: {url: \"https://c.example:8443/x\","
               " proxy: \"http://p.example:3128\", ca_file: /etc/ca.pem, enabled: true}}\n");
    assert_int_equal(site_n_contracts(s), 2);
    assert_string_equal(site_contract(s, 1)->id, "B");
    assert_string_equal(site_contract(s, 1)->starts, "");
    assert_null(site_contract(s, 2));
    assert_int_equal(site_n_data_paths(s), 2);
    assert_string_equal(site_data_path(s, 1), "/var/x");
    assert_null(site_data_path(s, 2));
    assert_string_equal(site_worker_username(s, 0), "u");
    assert_null(site_worker_username(s, 1));
    assert_string_equal(site_setting(s, "language"), "en");
    assert_string_equal(site_setting(s, "strict_definitions"), "false");
    assert_string_equal(site_setting(s, "max_definition_age_days"), "3");
    assert_string_equal(site_setting(s, "upload.url"), "https://c.example:8443/x");
    assert_string_equal(site_setting(s, "upload.enabled"), "true");
    assert_string_equal(site_setting(s, "require.landlock"), "true");
    assert_null(site_setting(s, "interpretation"));
    assert_null(site_setting(s, "no.such.key"));
    assert_null(site_host_asset(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_parse_refuses),
        cmocka_unit_test(test_site_parse_refuses_contracts),
        cmocka_unit_test(test_site_parse_two_contracts_need_names),
        cmocka_unit_test(test_site_facts_rows),
        cmocka_unit_test(test_site_facts_contracts_are_apart),
        cmocka_unit_test(test_site_facts_none_in_so_many_words),
        cmocka_unit_test(test_site_tables_are_well_formed),
        cmocka_unit_test(test_site_accessors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
