/* Real and adversarial trees (pam-corpus/NAME: root/, truth.json, NOTE) through probes/pam/pam.c
 * probes/pam/source.c probes/pam/ways.c probes/pam/modules.c probes/pam/gate.c
 * probes/pam/explore.c probes/pam/stack.c probes/pam/lex.c probes/pam/dispatch.c. The truth was
 * obtained by running the real libpam over every outcome of every module. For each service the
 * weakest kinds in the ordinary case and in the worst one must be what the truth says, no more and
 * no less.
 *
 * The truth counts what is decided elsewhere (F) and a program of the site's own (C) as kinds by
 * themselves; login_paths counts them as knowledge. So kinds are counted again here, from the
 * truth's paths, by the table's rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/json.h"
#include "agent/scan/local.h"
#include "probes/probe.h"
#include "tests/support/pam_products.h"

#define CORPUS TENKEN_SOURCE_DIR "/tests/probes/pam-corpus"
#define INPUTS_MAX 256U
#define NO_WAY 99

struct fixture {
    struct strv lines;
    struct probe_input inputs[INPUTS_MAX];
};

enum { SERVICE, SCOPE, FACTORS, KINDS, VIA };

static bool has_word(const char *scope, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = scope; p != NULL; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL) {
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* "*" or only "if:" words. */
static bool is_ordinary(const char *scope)
{
    if (strcmp(scope, "*") == 0) {
        return true;
    }
    for (const char *p = scope; p != NULL; p = strchr(p, ',') != NULL ? strchr(p, ',') + 1 : NULL) {
        if (strncmp(p, "if:", 3) != 0) {
            return false;
        }
    }
    return true;
}

static bool counts(const char *scope, bool worst)
{
    return worst ? !has_word(scope, "blank-password") && !has_word(scope, "invoker=root")
                 : is_ordinary(scope);
}

/* Weakest kinds in the rows; -2: a row that says it does not know. *found: the service has rows
 * or, having none, is known to let nobody in. */
static int weakest(const struct fact_table *t, const char *service, bool worst)
{
    int min = NO_WAY;
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct cell *c = t->cells + i * t->decl->n_columns;
        if (strcmp(c[SERVICE].v.t.p, service) != 0) {
            continue;
        }
        if (c[KINDS].type == CELL_NULL) {
            return -2;
        }
        if (counts(c[SCOPE].v.t.p, worst) && c[KINDS].v.i < min) {
            min = (int)c[KINDS].v.i;
        }
    }
    return min == NO_WAY ? -1 : min;
}

static int letters_kinds(const json_t *factors, const json_t *kinds_of)
{
    unsigned bits = 0;
    size_t i = 0;
    const json_t *f = NULL;
    json_array_foreach(factors, i, f)
    {
        const char *letters = json_string_value(json_object_get(kinds_of, json_string_value(f)));
        assert_non_null(letters);
        bits |= strpbrk(letters, "KFC") != NULL ? 1U : 0U;
        bits |= strchr(letters, 'P') != NULL ? 2U : 0U;
        bits |= strchr(letters, 'I') != NULL ? 4U : 0U;
    }
    return __builtin_popcount(bits);
}

static int truth_of(const json_t *service, const char *scenario)
{
    const json_t *sets = json_object_get(
        json_object_get(json_object_get(service, "scenarios"), scenario), "min_sets");
    const json_t *kinds_of = json_object_get(service, "factors");
    const json_t *set = NULL;
    size_t i = 0;
    int min = NO_WAY;
    assert_true(json_is_array(sets));
    json_array_foreach(sets, i, set)
    {
        int kinds = letters_kinds(set, kinds_of);
        min = kinds < min ? kinds : min;
    }
    return min == NO_WAY ? -1 : min;
}

static bool has_service_file(const char *name, const char *service)
{
    static const char *const dirs[] = {"etc/pam.d", "usr/lib/pam.d"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        CLEANUP(free) char *path = NULL;
        assert_true(asprintf(&path, CORPUS "/%s/root/%s/%s", name, dirs[i], service) > 0);
        if (io_exists(path)) {
            return true;
        }
    }
    return false;
}

static bool has_conf_alone(const char *name)
{
    CLEANUP(free) char *dir = NULL;
    assert_true(asprintf(&dir, CORPUS "/%s/root/etc/pam.d", name) > 0);
    return !io_exists(dir);
}

static size_t compare_service(const char *name, const struct fact_table *t, const char *service,
                              const json_t *truth)
{
    static const struct {
        const char *scenario;
        bool worst;
    } cases[] = {{"baseline_local", false}, {"any", true}};
    size_t wrong = 0;
    /* A service without a file of its own has the stack of "other". */
    const char *row = has_service_file(name, service) || has_conf_alone(name) ? service : "other";
    if (has_conf_alone(name) && weakest(t, service, true) == -1) {
        row = truth_of(truth, "any") == -1 ? service : "other";
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int want = truth_of(truth, cases[i].scenario);
        int got = weakest(t, row, cases[i].worst);
        if (want != got) {
            print_error("%s %s %s: the truth is %d, we say %d\n", name, service, cases[i].scenario,
                        want, got);
            wrong++;
        }
    }
    return wrong;
}

static void run_tree(const struct fixture *fx, const char *name, struct facts *facts)
{
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(free) char *root = NULL;
    struct err e = {0};
    assert_true(asprintf(&root, CORPUS "/%s/root", name) > 0);
    if (host_open(root, &h, &e) != 0 ||
        probe_run_local(&probe_pam, h, NULL, fx->inputs, fx->lines.n, facts, &e) != 0) {
        fail_msg("%s: %s", name, e.msg);
    }
}

static size_t compare_tree(const struct fixture *fx, const char *name)
{
    CLEANUP(facts) struct facts facts = {0};
    CLEANUP(free) char *path = NULL;
    CLEANUP(str) struct str text = STR_INIT((size_t)4 << 20);
    CLEANUP(json) json_t *truth = NULL;
    struct err e = {0};
    size_t wrong = 0;
    const char *service = NULL;
    json_t *value = NULL;
    assert_true(asprintf(&path, CORPUS "/%s/truth.json", name) > 0);
    if (io_read_file(path, (size_t)4 << 20, &text, &e) != 0 ||
        json_parse(path, str_text(&text), text.len, &truth, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    run_tree(fx, name, &facts);
    const struct fact_table *t = facts_find(&facts, "login_paths");
    assert_non_null(t);
    if (t->state != STATE_COMPLETE) {
        print_error("%s: %s %s\n", name, fact_state_word(t->state), t->reason);
        return 1;
    }
    json_object_foreach(json_object_get(truth, "services"), service, value)
    {
        wrong += compare_service(name, t, service, value);
    }
    return wrong;
}

static void test_corpus_exact(void **state)
{
    CLEANUP(strv) struct strv names = {0};
    struct err e = {0};
    size_t wrong = 0;
    assert_int_equal(io_list(CORPUS, "", &names, &e), 0);
    assert_true(names.n >= 65);
    for (size_t i = 0; i < names.n; i++) {
        wrong += compare_tree(*state, names.items[i]);
    }
    assert_int_equal(wrong, 0);
}

/* Without the catalogue nothing is known; nothing may then look like a way in or like none. */
static void test_no_catalogue_is_no_answer(void **state)
{
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(facts) struct facts facts = {0};
    struct err e = {0};
    (void)state;
    assert_int_equal(host_open(CORPUS "/debian12-default/root", &h, &e), 0);
    assert_int_equal(probe_run_local(&probe_pam, h, NULL, NULL, 0, &facts, &e), 0);
    const struct fact_table *t = facts_find(&facts, "login_paths");
    assert_non_null(t);
    assert_int_equal(t->state, STATE_MALFORMED);
    assert_int_equal(t->n_rows, 0);
}

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));
    struct err e = {0};
    if (fx == NULL || pam_products_load(&fx->lines, &e) != 0 || fx->lines.n > INPUTS_MAX) {
        (void)fprintf(stderr, "%s\n", e.msg);
        free(fx);
        return -1;
    }
    for (size_t i = 0; i < fx->lines.n; i++) {
        fx->inputs[i] =
            (struct probe_input){.kind = PRODUCTS_PAM_INPUT, .value = fx->lines.items[i]};
    }
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    strv_done(&fx->lines);
    free(fx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_exact),
        cmocka_unit_test(test_no_catalogue_is_no_answer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
