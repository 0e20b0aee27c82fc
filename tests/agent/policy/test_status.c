/* probe_status for people: all tables, and views with the worst state of their bases. */
#include "fixture.h"

static const char *state_of(const struct facts *f, const char *table)
{
    const struct fact_table *t = facts_find(f, "probe_status");
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct cell *row = &t->cells[i * t->decl->n_columns];
        if (strcmp(row[1].v.t.p, table) == 0) {
            return row[2].v.t.p;
        }
    }
    return "(no row)";
}

static const struct view views[] = {
    {.decl = {.name = "both", .kind = TABLE_VIEW, TABLE_COLUMNS({.name = "x"})},
     .sql = "SELECT m.mount AS x FROM mount_encryption AS m JOIN tls_versions AS t ON 1",
     .file = "views/both.sql"},
    {.decl = {.name = "disks", .kind = TABLE_VIEW, TABLE_COLUMNS({.name = "x"})},
     .sql = "SELECT m.mount AS x FROM mount_encryption AS m JOIN site_media AS s ON 1",
     .file = "views/disks.sql"},
    {.decl = {.name = "people", .kind = TABLE_VIEW, TABLE_COLUMNS({.name = "x"})},
     .sql = "SELECT m.mount AS x FROM mount_encryption AS m JOIN users AS u ON 1",
     .file = "views/people.sql"},
};

static void test_probe_status_complete(void **state)
{
    (void)state;
    const struct policy p = {.views = views, .n_views = 3};
    CLEANUP(free) const struct table **schema = fixture_schema();
    CLEANUP(facts) struct facts f = {0};
    struct err e = {0};
    put_disk(&f, "/", "root", 1, "luks2");
    put_table(&f, &tls_table, STATE_TIMEOUT, "");
    assert_int_equal(probe_status_complete(&f, &p, schema, &e), ERR_INTERNAL);
    put_scan(&f);
    assert_int_equal(probe_status_complete(&f, &p, schema, &e), 0);
    static const struct {
        const char *table, *want;
    } rows[] = {
        {"mount_encryption", "complete"},
        {"tls_versions", "timeout"},
        {"login_accounts", "not-run"},
        {"users", "not-run"},
        {"both", "timeout"},
        {"disks", "complete"},
        {"people", "not-run"},
        {"site_media", "(no row)"},
        {"probe_status", "(no row)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(state_of(&f, rows[i].table), rows[i].want);
    }
    assert_int_equal(facts_find(&f, "probe_status")->n_rows, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_probe_status_complete)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
