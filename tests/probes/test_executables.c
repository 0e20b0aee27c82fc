/* What processes execute, seen by links alone: in this process and by a confined child that must
 * get round Landlock for it. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/scan/launcher.h"
#include "agent/scan/local.h"
#include "agent/scan/scan.h"

static const char *const tables[] = {"process_executables", NULL};

static bool has_exe(const struct fact_table *t, const char *exe)
{
    for (size_t row = 0; row < t->n_rows; row++) {
        const struct cell *c = &t->cells[row * t->decl->n_columns];
        if (strlen(exe) == c->v.t.n && memcmp(c->v.t.p, exe, c->v.t.n) == 0) {
            return true;
        }
    }
    return false;
}

static void own_exe(char ret[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    assert_true(n > 0);
    ret[n] = '\0';
}

/* In a container nothing is visible, and the state says so; otherwise we are among the rows. */
static void check(const struct fact_table *t)
{
    char exe[PATH_MAX];
    own_exe(exe);
    assert_non_null(t);
    if (t->state == STATE_DENIED && t->n_rows == 0) {
        assert_true(strstr(t->reason, "not_visible") != NULL || geteuid() != 0);
        return;
    }
    if (geteuid() == 0) {
        assert_int_equal(t->state, STATE_COMPLETE);
        assert_true(has_exe(t, exe));
    } else {
        assert_int_equal(t->state, STATE_DENIED); /* pid 1 does not show itself to a user */
    }
}

static void test_seen_by_this_process(void **state UNUSED)
{
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(facts) struct facts facts = {.n = 0};
    struct err e = {.code = 0};
    assert_int_equal(host_open("/", &h, &e), 0);
    const struct probe *p = probe_for_table(tables[0], NULL);
    assert_int_equal(probe_run_local(p, h, tables, NULL, 0, &facts, &e), 0);
    check(facts_find(&facts, tables[0]));
}

static void test_seen_by_a_confined_child(void **state UNUSED)
{
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    struct launcher *l = NULL;
    struct err e = {.code = 0};
    assert_int_equal(launcher_start(&l, &e), 0);
    assert_int_equal(host_open("/", &h, &e), 0);
    struct scan_request rq = {.host = h, .tables = tables, .n_tables = 1};
    assert_int_equal(scan_run(l, &rq, &r, &e), 0);
    check(facts_find(&r.facts, tables[0]));
    launcher_stop(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen_by_this_process),
        cmocka_unit_test(test_seen_by_a_confined_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
