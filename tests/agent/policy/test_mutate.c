/* NULL mutation: finds the cell that a check would not miss. */
#include "fixture.h"

static const struct {
    const char *why;
    struct check check;
    const char *null_ok;
    size_t n;
    const char *want;
} rows[] = {
    {"the NULL rule answers",
     {.id = "c",
      .query = "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role = 'root'"},
     NULL,
     0,
     ""},
    {"unknown: answers",
     {.id = "c",
      .query = "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role = 'root'",
      .unknown = "SELECT m.mount FROM mount_encryption AS m WHERE m.encrypted IS NULL AND m.role = "
                 "'root'"},
     NULL,
     0,
     ""},
    {"unknown: is narrower than the query",
     {.id = "c",
      .query = "SELECT mount FROM mount_encryption WHERE encrypted = 0 AND role IN ('root', "
               "'home')",
      .unknown = "SELECT m.mount FROM mount_encryption AS m WHERE m.encrypted IS NULL AND m.role = "
                 "'root'"},
     NULL,
     1,
     "mount_encryption.encrypted of /home home: \"0\" would fail, but NULL gives pass\n"},
    {"null_ok says too much",
     {.id = "c",
      .query = "SELECT mount FROM mount_encryption WHERE method = 'none' AND role IN "
               "('root', 'home')"},
     "mount_encryption.method",
     2,
     "mount_encryption.method of / root: \"none\" would fail, but NULL gives pass\n"},
    {"null_ok of what cannot fail",
     {.id = "c",
      .query = "SELECT mount, method FROM mount_encryption WHERE encrypted = 0 AND role = 'root'"},
     "mount_encryption.method",
     0,
     ""},
};

static void test_policy_null_mutations(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *ok[] = {rows[i].null_ok, NULL};
        struct check c = rows[i].check;
        c.null_ok = ok;
        const struct policy p = {.checks = &c, .n_checks = 1};
        CLEANUP(facts) struct facts f = {0};
        put_disk(&f, "/", "root", 1, "luks2");
        put_disk(&f, "/home", "home", 1, "luks2");
        finish_facts(&f, "data_paths: none\n");
        CLEANUP(str) struct str out = STR_INIT(65536);
        struct err e = {0};
        size_t n = 99;
        assert_int_equal(policy_null_mutations(&p, NULL, &c, &f, "C", &out, &n, &e), 0);
        if (n != rows[i].n || strstr(str_text(&out), rows[i].want) == NULL) {
            print_error("%s: %zu\n%s", rows[i].why, n, str_text(&out));
        }
        assert_int_equal(n, rows[i].n);
        assert_non_null(strstr(str_text(&out), rows[i].want));
        /* The facts are as they were. */
        assert_int_equal(facts_find(&f, "mount_encryption")->cells[3].v.i, 1);
    }
}

static void test_policy_null_mutations_need_a_pass(void **state)
{
    (void)state;
    const struct policy p = {.checks = &rows[0].check, .n_checks = 1};
    CLEANUP(facts) struct facts f = {0};
    put_disk(&f, "/", "root", 0, "none");
    finish_facts(&f, "data_paths: none\n");
    CLEANUP(str) struct str out = STR_INIT(65536);
    struct err e = {0};
    size_t n = 0;
    assert_int_equal(policy_null_mutations(&p, NULL, &rows[0].check, &f, "C", &out, &n, &e),
                     ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_null_mutations),
        cmocka_unit_test(test_policy_null_mutations_need_a_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
