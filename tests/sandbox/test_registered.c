/* Every registered probe, for all its tables, on the machine that the test runs on, under its real
 * filter: nothing that it needs was left out of its declaration. As root, and as nobody. What it
 * then sees may well be denied; it must not have crashed, hung or gone unconfined.
 * Covers agent/scan/describe.c. */
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "agent/scan/filter.h"
#include "agent/scan/landlock.h"
#include "agent/scan/scan.h"

#define TABLES_MAX 512U

static size_t all_tables(const char **out)
{
    size_t n_probes = 0;
    size_t n = 0;
    const struct probe *const *probes = probe_registry(&n_probes);
    for (size_t i = 0; i < n_probes; i++) {
        for (const struct table *const *t = probes[i]->tables; *t != NULL; t++) {
            assert_true(n < TABLES_MAX);
            out[n++] = (*t)->name;
        }
    }
    return n;
}

static bool has_layer(const struct probe_layers *l, const char *word)
{
    for (size_t i = 0; i < l->n_layers; i++) {
        if (strcmp(l->layers[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static bool reads_links(const char *name)
{
    size_t n = 0;
    const struct probe *const *probes = probe_registry(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(probes[i]->name, name) == 0) {
            return probes[i]->proc_links;
        }
    }
    return false;
}

static void check_layers(const struct scan_result *r)
{
    for (size_t i = 0; i < r->n_layers; i++) {
        const struct probe_layers *l = &r->layers[i];
        bool is_root = geteuid() == 0;
        if (!has_layer(l, "nnp") || !has_layer(l, "seccomp") || has_layer(l, "uid") != is_root ||
            has_layer(l, "caps") != is_root ||
            has_layer(l, "landlock") != (landlock_abi() > 0 && !reads_links(l->probe))) {
            fail_msg("probe %s: layers", l->probe);
        }
    }
}

static void test_probes_live_within_their_declarations(void **state UNUSED)
{
    const char *tables[TABLES_MAX];
    size_t n = all_tables(tables);
    if (n == 0) {
        skip();
    }
    /* A data path, so that what a probe does only for declared paths is done too. */
    static const struct probe_input inputs[] = {
        {"data_paths", "/"}, {"data_paths", "/etc"}, {"pam_modules", "permit\tsuccess"}};
    struct launcher *l = NULL;
    CLEANUP(host) struct host *h = NULL;
    struct err e = {.code = 0};
    assert_int_equal(launcher_start(&l, &e), 0);
    assert_int_equal(host_open("/", &h, &e), 0);
    struct scan_request rq = {.host = h,
                              .tables = tables,
                              .n_tables = n,
                              .inputs = inputs,
                              .n_inputs = ARRAY_LEN(inputs)};
    CLEANUP(scan_result) struct scan_result r = {.layers = NULL};
    assert_int_equal(scan_run(l, &rq, &r, &e), 0);
    unsigned bad = 0;
    for (size_t i = 0; i < r.facts.n; i++) {
        const struct fact_table *t = r.facts.tables[i];
        if (t->state == STATE_NOT_RUN || t->state >= STATE_MALFORMED) {
            (void)printf("%s.%s: %s %s\n", t->probe, t->decl->name, fact_state_word(t->state),
                         t->reason);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
    check_layers(&r);
    launcher_stop(l);
}

static void test_declarations_are_sound(void **state UNUSED)
{
    size_t n = 0;
    const struct probe *const *probes = probe_registry(&n);
    for (size_t i = 0; i < n; i++) {
        const struct probe *p = probes[i];
        assert_true(p->timeout_ms > 0 && p->max_rows > 0);
        assert_non_null(p->reads);
        for (const char *const *path = p->reads; *path != NULL; path++) {
            assert_true((*path)[0] == '/' && strstr(*path, "..") == NULL);
        }
        for (const char *const *g = p->syscalls; g != NULL && *g != NULL; g++) {
            if (syscall_set_find(*g) == NULL) {
                fail_msg("probe %s: no group %s", p->name, *g);
            }
        }
    }
}

static void test_description_names_every_probe(void **state UNUSED)
{
    struct launcher *l = NULL;
    CLEANUP(host) struct host *h = NULL;
    struct err e = {.code = 0};
    assert_int_equal(launcher_start(&l, &e), 0);
    assert_int_equal(host_open("/", &h, &e), 0);
    for (unsigned as_json = 0; as_json < 2; as_json++) {
        CLEANUP(str) struct str out = STR_INIT((size_t)4 << 20);
        assert_int_equal(sandbox_describe(l, h, as_json != 0, &out, &e), 0);
        size_t n = 0;
        const struct probe *const *probes = probe_registry(&n);
        for (size_t i = 0; i < n; i++) {
            assert_non_null(strstr(str_text(&out), probes[i]->name));
        }
        assert_null(strstr(str_text(&out), "before it was confined"));
    }
    launcher_stop(l);
}

static int run_group(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_declarations_are_sound),
        cmocka_unit_test(test_probes_live_within_their_declarations),
        cmocka_unit_test(test_description_names_every_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    int failed = run_group();
    if (geteuid() == 0) {
        (void)fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
                setresuid(65534, 65534, 65534) != 0) {
                _exit(1);
            }
            int rc = run_group();
            (void)fflush(NULL);
            _exit(rc != 0);
        }
        int status = 0;
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            failed++;
        }
    }
    return failed;
}
