/* The proposal of `tenken init`: it loads as it stands, declares nothing, and every commented line
 * is right once a person takes its # away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/site.h"
#include "agent/policy/site_init.h"

static const struct table mounts = {
    .name = "mounts",
    TABLE_COLUMNS({"device", COL_TEXT, "", 0, NULL, "d"}, {"path", COL_TEXT, "", 0, NULL, "d"},
                  {"type", COL_TEXT, "", 0, NULL, "d"}, {"flags", COL_TEXT, "", 0, NULL, "d"})};
static const struct table users = {.name = "users",
                                   TABLE_COLUMNS({"uid", COL_INT, "", 0, NULL, "d"},
                                                 {"username", COL_TEXT, "", 0, NULL, "d"},
                                                 {"shell", COL_TEXT, "", 0, NULL, "d"})};
static const struct table asset_identity = {
    .name = "asset_identity",
    TABLE_COLUMNS({"item", COL_TEXT, "", 0, NULL, "d"}, {"value", COL_TEXT, "", 0, NULL, "d"})};
static const struct table system_info = {.name = "system_info",
                                         TABLE_COLUMNS({"hostname", COL_TEXT, "", 0, NULL, "d"})};
static const struct table mount_encryption = {
    .name = "mount_encryption",
    TABLE_COLUMNS({"mount", COL_TEXT, "", 0, NULL, "d"}, {"encrypted", COL_INT, "", 0, NULL, "d"})};

static struct fact_table *add(struct facts *f, const struct table *decl)
{
    struct fact_table *t = NULL;
    struct err e = {0};
    assert_int_equal(facts_add(f, decl, "", &t, &e), 0);
    return t;
}

static void a_host(struct facts *f, const char *serial)
{
    struct err e = {0};
    struct fact_table *t = add(f, &mounts);
    static const char *const rows[][4] = {
        {"/dev/sda2", "/", "ext4", "rw,relatime"},   {"/dev/sda3", "/srv/city", "xfs", "rw"},
        {"/dev/sda4", "/home", "ext4", "rw,nosuid"}, {"/dev/sda5", "/var/lib/pg", "ext4", "ro"},
        {"nas:/x", "/srv/nas", "nfs4", "rw"},        {"tmpfs", "/srv/tmp", "tmpfs", "rw"},
        {"/dev/sda6", "/srvx", "ext4", "rw"},        {"/dev/sda7", "/srv/o\\x22dd", "ext4", "rw"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(fact_row_va(t, &e, rows[i][0], rows[i][1], rows[i][2], rows[i][3]), 0);
    }
    t = add(f, &users);
    assert_int_equal(fact_row_va(t, &e, (int64_t)0, "root", "/bin/bash"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)1000, "suzuki", "/bin/bash"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)1001, "svc", "/usr/sbin/nologin"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)65534, "nobody", "/bin/sh"), 0);
    t = add(f, &asset_identity);
    assert_int_equal(fact_row_va(t, &e, "machine-id", "0123456789abcdef0123456789abcdef"), 0);
    assert_int_equal(fact_row_va(t, &e, "dmi-serial", serial), 0);
    t = add(f, &system_info);
    assert_int_equal(fact_row_va(t, &e, "mnt-03"), 0);
    t = add(f, &mount_encryption);
    assert_int_equal(fact_row_va(t, &e, "/srv/city", (int64_t)1), 0);
    assert_int_equal(fact_row_va(t, &e, "/home", (int64_t)0), 0);
}

static struct site *loaded(const char *text)
{
    struct site *s = NULL;
    struct err e = {0};
    int rc = site_parse("proposal", text, strlen(text), &s, &e);
    if (rc != 0) {
        print_error("%s\n%s", e.msg, text);
    }
    assert_int_equal(rc, 0);
    return s;
}

static void assert_claims_nothing(const struct site *s)
{
    CLEANUP(facts) struct facts f = {0};
    struct err e = {0};
    assert_int_equal(site_n_contracts(s), 0);
    assert_int_equal(site_facts(s, "", &f, &e), 0);
    for (size_t i = 0; i < f.n; i++) {
        const struct fact_table *t = f.tables[i];
        bool may_hold = strcmp(t->decl->name, "site_host") == 0 ||
                        strcmp(t->decl->name, "site_organisation") == 0 ||
                        strcmp(t->decl->name, "site_settings") == 0;
        assert_true(may_hold || t->n_rows == 0);
        for (size_t r = 0; r < t->n_rows && strcmp(t->decl->name, "site_settings") == 0; r++) {
            const struct cell *cells = &t->cells[r * 2];
            bool is_list = strncmp(cells[0].v.t.p, "list.", 5) == 0;
            assert_string_equal(is_list ? cells[1].v.t.p : "missing", "missing");
        }
    }
}

/* Takes the # off the lines that are YAML: keys of lists, and their elements. */
static void uncommented(const char *text, struct str *out)
{
    static const char *const starts[] = {
        "# contracts:", "# data_paths:", "# workers:", "# assets:", "#   - {", "# host: {"};
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        size_t skip = 0;
        for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
            skip = strncmp(text, starts[i], strlen(starts[i])) == 0 ? 2 : skip;
        }
        str_add_bytes(out, text + skip, n - skip);
        str_add_char(out, '\n');
        text += n + (text[n] == '\n' ? 1 : 0);
    }
}

static void test_site_propose_loads_and_claims_nothing(void **state)
{
    (void)state;
    for (int lang = 0; lang < N_LANGS; lang++) {
        for (int with_facts = 0; with_facts < 2; with_facts++) {
            CLEANUP(facts) struct facts f = {0};
            CLEANUP(str) struct str out = STR_INIT(65536);
            CLEANUP(str) struct str active = STR_INIT(65536);
            struct err e = {0};
            if (with_facts == 1) {
                a_host(&f, "PF3ABCDE");
            }
            assert_int_equal(site_propose(&f, (enum lang)lang, &out, &e), 0);
            CLEANUP(site) struct site *s = loaded(str_text(&out));
            assert_claims_nothing(s);
            assert_string_equal(site_setting(s, "language"), lang == LANG_JA ? "ja" : "en");
            uncommented(str_text(&out), &active);
            CLEANUP(site) struct site *whole = loaded(str_text(&active));
            assert_int_equal(site_n_contracts(whole), 1);
            assert_int_equal(site_n_data_paths(whole), with_facts == 1 ? 2 : 1);
            assert_non_null(site_host_asset(whole));
        }
    }
}

static void test_site_propose_candidates(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts f = {0};
    CLEANUP(str) struct str out = STR_INIT(65536);
    struct err e = {0};
    a_host(&f, "PF3ABCDE");
    assert_int_equal(site_propose(&f, LANG_EN, &out, &e), 0);
    static const struct {
        const char *text;
        bool want;
        const char *why;
    } rows[] = {
        {"path: \"/srv/city\"", true, "a volume below /srv"},
        {"/dev/sda3 xfs, encrypted", true, "with what is known of it"},
        {"/dev/sda4 ext4, not encrypted", true, "also where it is bad"},
        {"path: \"/var/lib/pg\"", false, "read-only"},
        {"path: \"/srv/nas\"", false, "a network mount"},
        {"path: \"/srv/tmp\"", false, "memory"},
        {"/srvx", false, "only looks alike"},
        {"o\\x22dd", false, "an escaped name"},
        {"username: \"suzuki\"", true, "a person's account"},
        {"\"root\"", false, "root"},
        {"\"svc\"", false, "cannot log in"},
        {"\"nobody\"", false, "the overflow user"},
        {"machine_id: \"0123456789abcdef0123456789abcdef\"", true, "the register's line"},
        {"host: {asset: \"PF3ABCDE\", label: \"mnt-03\"}", true, "what it is called"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool found = strstr(str_text(&out), rows[i].text) != NULL;
        if (found != rows[i].want) {
            print_error("%s: %s\n%s", rows[i].text, rows[i].why, str_text(&out));
        }
        assert_int_equal(found, rows[i].want);
    }
}

static void test_site_propose_serial_fillers(void **state)
{
    (void)state;
    static const char *const fillers[] = {
        "To Be Filled By O.E.M.", "Not Specified", "0",      "",
        "Default string",         "with blank",    "x\\x0a", NULL};
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        CLEANUP(facts) struct facts f = {0};
        CLEANUP(str) struct str out = STR_INIT(65536);
        struct err e = {0};
        a_host(&f, fillers[i]);
        assert_int_equal(site_propose(&f, LANG_JA, &out, &e), 0);
        CLEANUP(site) struct site *s = loaded(str_text(&out));
        assert_string_equal(site_host_asset(s), "mnt-03");
        assert_null(strstr(str_text(&out), "serial:"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_propose_loads_and_claims_nothing),
        cmocka_unit_test(test_site_propose_candidates),
        cmocka_unit_test(test_site_propose_serial_fillers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
