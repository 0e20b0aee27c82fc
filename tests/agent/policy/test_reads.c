/* What SQL of a policy reads: the read-set that decides which probes run. */
#include "fixture.h"

static const struct view peers = {
    .decl = {.name = "sealed",
             .kind = TABLE_VIEW,
             TABLE_COLUMNS({.name = "mount"}, {.name = "state"})},
    .sql = "SELECT m.mount AS mount, t.state AS state FROM mount_encryption AS m LEFT JOIN "
           "tls_versions AS t ON t.endpoint = m.device",
    .file = "views/sealed.sql",
};

static void expect_reads(const char *sql, const char *tables, const char *columns)
{
    CLEANUP(free) const struct table **schema = fixture_schema();
    const struct policy p = {.views = &peers, .n_views = 1};
    CLEANUP(read_set) struct read_set r = {0};
    CLEANUP(str) struct str have = STR_INIT(4096);
    CLEANUP(str) struct str names = STR_INIT(4096);
    struct err e = {0};
    assert_int_equal(sql_reads(&p, sql, schema, &r, &e), 0);
    for (size_t i = 0; i < r.tables.n; i++) {
        str_addf(&have, "%s%s", i == 0 ? "" : " ", r.tables.items[i]);
    }
    for (size_t i = 0; i < r.n_columns; i++) {
        str_addf(&names, "%s%s.%s", i == 0 ? "" : " ", r.columns[i].table, r.columns[i].column);
    }
    assert_string_equal(str_text(&have), tables);
    assert_string_equal(str_text(&names), columns);
}

static void test_sql_reads(void **state)
{
    (void)state;
    expect_reads("SELECT mount FROM mount_encryption", "mount_encryption",
                 "mount_encryption.mount");
    expect_reads("SELECT count(*) FROM tls_versions", "tls_versions", "");
    expect_reads("SELECT 1", "", "");
    expect_reads("SELECT count(*) FROM users NATURAL JOIN login_accounts", "login_accounts users",
                 "login_accounts.username login_accounts.uid users.uid users.username");
    expect_reads("SELECT device FROM mount_encryption JOIN site_data_paths ON path = mount",
                 "mount_encryption site_data_paths",
                 "mount_encryption.mount mount_encryption.device site_data_paths.path");
    /* A view: its bases are the tables, both its columns and theirs are read. */
    expect_reads("SELECT state FROM sealed", "mount_encryption tls_versions",
                 "mount_encryption.mount mount_encryption.device tls_versions.endpoint "
                 "tls_versions.state sealed.state");
    expect_reads("SELECT count(*) FROM sealed", "mount_encryption tls_versions",
                 "mount_encryption.mount mount_encryption.device tls_versions.endpoint "
                 "tls_versions.state");
}

static void test_sql_reads_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *want;
    } rows[] = {
        {"SELECT mount FROM mount_encrypton", "did you mean mount_encryption?"},
        {"SELECT encryptd FROM mount_encryption", "did you mean encrypted?"},
        {"SELECT m.encryptd FROM mount_encryption AS m", "did you mean encrypted?"},
        {"DELETE FROM users", "only one SELECT"},
        {"SELECT 1; SELECT 2", "more than one"},
        {"SELECT random()", "not allowed"},
    };
    CLEANUP(free) const struct table **schema = fixture_schema();
    const struct policy p = {.n_checks = 0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct read_set r = {0};
        struct err e = {0};
        assert_int_equal(sql_reads(&p, rows[i].sql, schema, &r, &e), ERR_INVALID);
        if (strstr(e.msg, rows[i].want) == NULL) {
            print_error("%s\n", e.msg);
        }
        assert_non_null(strstr(e.msg, rows[i].want));
    }
}

static const struct check checks[] = {
    {.id = "a",
     .applies = "SELECT endpoint FROM tls_versions",
     .query = "SELECT mount FROM mount_encryption",
     .unknown = "SELECT username FROM login_accounts",
     .file = "a.yaml",
     .line = 7},
    {.id = "b", .query = "SELECT id FROM site_assets", .file = "a.yaml", .line = 20},
    {.id = "gate", .query = "SELECT serial FROM site_media", .file = "a.yaml", .line = 30},
};

static void test_policy_reads(void **state)
{
    (void)state;
    static const struct citation legs[] = {{.check = &checks[0], .basis = BASIS_RECOMMENDED}};
    static const struct control controls[] = {
        {.id = "1",
         .checks = legs,
         .n_checks = 1,
         .gate = &checks[2],
         .drift = "SELECT uid FROM users"},
    };
    const struct framework fw[] = {
        {.id = "fw", .controls = controls, .n_controls = 1, .file = "fw.yaml"},
        {.id = "empty", .file = "empty.yaml"},
    };
    const struct policy p = {.checks = checks, .n_checks = 3, .frameworks = fw, .n_frameworks = 2};
    CLEANUP(free) const struct table **schema = fixture_schema();
    struct err e = {0};
    CLEANUP(read_set) struct read_set all = {0};
    assert_int_equal(policy_reads(&p, &fw[0], NULL, schema, &all, &e), 0);
    /* Advice is run too; gate and drift are. What nobody cites is not. */
    assert_true(read_set_has_table(&all, "tls_versions"));
    assert_true(read_set_has_table(&all, "mount_encryption"));
    assert_true(read_set_has_table(&all, "login_accounts"));
    assert_true(read_set_has_table(&all, "users"));
    assert_true(read_set_has_table(&all, "site_media"));
    assert_false(read_set_has_table(&all, "site_assets"));
    assert_true(read_set_has_column(&all, "users", "uid"));
    assert_false(read_set_has_column(&all, "users", "username"));
    CLEANUP(read_set) struct read_set none = {0};
    assert_int_equal(policy_reads(&p, &fw[1], NULL, schema, &none, &e), 0);
    assert_int_equal(none.tables.n, 0);
    CLEANUP(read_set) struct read_set one = {0};
    const char *only[] = {"b", NULL};
    assert_int_equal(policy_reads(&p, &fw[0], only, schema, &one, &e), 0);
    assert_true(read_set_has_table(&one, "site_assets"));
    assert_false(read_set_has_table(&one, "tls_versions"));
    CLEANUP(read_set) struct read_set every = {0};
    assert_int_equal(policy_reads(&p, NULL, NULL, schema, &every, &e), 0);
    assert_true(read_set_has_table(&every, "site_assets"));
    assert_true(read_set_has_table(&every, "users"));
}

/* Where names would be recorded the accounts of the host are needed to tell them. */
static void test_policy_reads_users_for_names(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool users, for_names;
    } rows[] = {
        {"SELECT endpoint FROM tls_versions", false, false},
        {"SELECT can_login FROM login_accounts", true, true},
        {"SELECT a.uid FROM login_accounts AS a JOIN users AS u ON u.uid = a.uid", true, false},
    };
    CLEANUP(free) const struct table **schema = fixture_schema();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct check c = {.id = "c", .query = rows[i].query, .file = "f", .line = 1};
        const struct policy p = {.checks = &c, .n_checks = 1};
        CLEANUP(read_set) struct read_set r = {0};
        struct err e = {0};
        assert_int_equal(policy_reads(&p, NULL, NULL, schema, &r, &e), 0);
        assert_int_equal(read_set_has_table(&r, "users"), rows[i].users);
        assert_int_equal(r.users_for_names, rows[i].for_names);
    }
}

static void test_policy_reads_names_the_place(void **state)
{
    (void)state;
    const struct check bad = {.id = "bad",
                              .query = "SELECT x FROM nowhere",
                              .file = "checks/x.yaml",
                              .line = 12,
                              .column = 5};
    const struct policy p = {.checks = &bad, .n_checks = 1};
    CLEANUP(free) const struct table **schema = fixture_schema();
    struct read_set r = {0};
    struct err e = {0};
    assert_int_equal(policy_reads(&p, NULL, NULL, schema, &r, &e), ERR_INVALID);
    static const char want[] = "checks/x.yaml:12:5: check bad: query: no such table: nowhere";
    assert_int_equal(strncmp(e.msg, want, strlen(want)), 0);
    /* Also where no control of the framework that is asked for cites it. */
    const struct framework other = {.id = "other"};
    assert_int_equal(policy_reads(&p, &other, NULL, schema, &r, &e), ERR_INVALID);
    const char *only[] = {"goood", NULL};
    assert_int_equal(policy_reads(&p, NULL, only, schema, &r, &e), ERR_INVALID);
}

static void test_policy_reads_bad_views(void **state)
{
    (void)state;
    static const struct {
        const char *why, *sql, *want;
    } rows[] = {
        {"unknown table", "SELECT x AS mount, 1 AS state FROM nowhere", "no such table"},
        {"too few columns", "SELECT mount FROM mount_encryption", "2 columns are declared"},
        {"another name", "SELECT mount, 1 AS status FROM mount_encryption", "declared as state"},
        {"a view of a view", "SELECT mount, state FROM other", "may not read the view"},
    };
    const struct view other = {
        .decl = {.name = "other",
                 .kind = TABLE_VIEW,
                 TABLE_COLUMNS({.name = "mount"}, {.name = "state"})},
        .sql = "SELECT 'x' AS mount, 'y' AS state",
        .file = "views/other.sql",
    };
    CLEANUP(free) const struct table **schema = fixture_schema();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view views[] = {peers, other};
        views[0].sql = rows[i].sql;
        const struct policy p = {.views = views, .n_views = 2};
        struct read_set r = {0};
        struct err e = {0};
        assert_int_equal(sql_reads(&p, "SELECT mount FROM sealed", schema, &r, &e), ERR_INVALID);
        if (strstr(e.msg, rows[i].want) == NULL) {
            print_error("%s: %s\n", rows[i].why, e.msg);
        }
        assert_non_null(strstr(e.msg, rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_reads),
        cmocka_unit_test(test_sql_reads_refuses),
        cmocka_unit_test(test_policy_reads),
        cmocka_unit_test(test_policy_reads_users_for_names),
        cmocka_unit_test(test_policy_reads_names_the_place),
        cmocka_unit_test(test_policy_reads_bad_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
