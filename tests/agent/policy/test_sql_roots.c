/* Root pages: an index that SQLite makes by itself belongs to its table. Our own tables have none,
 * so this looks inside the connection and makes one. */
#include "fixture.h"

#include "agent/policy/sql_internal.h"

static const struct table keyed = {
    .name = "keyed",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({.name = "k"}, {.name = "v"}),
};

static void test_roots_of_an_autoindex(void **state)
{
    (void)state;
    CLEANUP(sql) struct sql *s = NULL;
    struct err e = {0};
    assert_int_equal(sql_open(&s, &e), 0);
    assert_int_equal(sql_create(s, &keyed, &e), 0);
    assert_int_equal(
        sql_own_exec(s, "DROP TABLE keyed; CREATE TABLE keyed(k TEXT PRIMARY KEY, v TEXT)", &e), 0);
    CLEANUP(sql_reads) struct sql_reads r = {0};
    /* Both read the index alone, which has a root page and a name of its own. */
    assert_int_equal(sql_explain(s, "SELECT count(*) FROM keyed WHERE k > 'a'", true, &r, NULL, &e),
                     0);
    assert_true(r.named[0]);
    s->roots_stale = true;
    size_t mapped = 0;
    assert_int_equal(sql_roots_refresh(s, &e), 0);
    for (size_t i = 0; i < s->n_roots; i++) {
        mapped += s->roots[i] == 1 ? 1 : 0;
    }
    assert_int_equal(mapped, 2);
}

/* What is none of our tables is refused even if the authorizer let it by. */
static void test_roots_of_strangers(void **state)
{
    (void)state;
    CLEANUP(sql) struct sql *s = NULL;
    struct err e = {0};
    assert_int_equal(sql_open(&s, &e), 0);
    assert_int_equal(sql_own_exec(s, "CREATE TABLE stranger(k TEXT)", &e), 0);
    CLEANUP(sql_reads) struct sql_reads r = {0};
    assert_int_equal(sql_explain(s, "SELECT count(*) FROM stranger", true, &r, NULL, &e),
                     ERR_INVALID);
    assert_non_null(strstr(e.msg, "no table"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots_of_an_autoindex),
        cmocka_unit_test(test_roots_of_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
