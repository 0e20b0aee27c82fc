/* Whole host trees: for each tests/hosts/NAME/expect/TABLE.json the probe that fills TABLE is run
 * on that tree, and state, first word of the reason and rows are compared.
 *   {"state":"complete","reason":"","rows":[{"column":value,…},…]}
 * Rows are a set: their order in the file does not matter. tests/hosts/NAME/inputs.tsv (kind, tab,
 * value per line) stands for what a site would hand to the probe. UPDATE=1 rewrites the files.
 * The only look at loaded modules (probes/system/modules.c) where the kernel here has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/host.h"
#include "agent/base/io.h"
#include "agent/base/json.h"
#include "agent/scan/local.h"
#include "probes/probe.h"

#define HOSTS_DIR TENKEN_SOURCE_DIR "/tests/hosts"
#define EXPECT_MAX ((size_t)16 << 20)
#define INPUTS_MAX 64U

struct expectation {
    char *host;
    char *table;
};

struct inputs {
    struct str text; /* the file; items point into it */
    struct probe_input items[INPUTS_MAX];
    size_t n;
};

static void cleanup_inputs(struct inputs *in)
{
    str_done(&in->text);
}

static char *join(const char *host, const char *rest)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s%s", HOSTS_DIR, host, rest) > 0);
    return path;
}

static void load_inputs(const char *host, struct inputs *in)
{
    CLEANUP(free) char *path = join(host, "/inputs.tsv");
    struct err e = {0};

    str_init(&in->text, HOST_FILE_MAX);
    if (!io_exists(path)) {
        return;
    }
    if (io_read_file(path, HOST_FILE_MAX, &in->text, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    char *rest = in->text.data;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (*line == '\0' || *line == '#') {
            continue;
        }
        char *tab = strchr(line, '\t');
        if (tab == NULL || in->n == INPUTS_MAX) {
            fail_msg("%s: each line is kind, tab, value; at most %u", path, INPUTS_MAX);
            return;
        }
        *tab = '\0';
        in->items[in->n++] = (struct probe_input){.kind = line, .value = tab + 1};
    }
}

/* A tree without capture.json stands for a mounted disk: its root/ is opened as it is. */
static void open_tree(const char *name, struct host **ret)
{
    CLEANUP(free) char *dir = join(name, "");
    CLEANUP(free) char *capture = join(name, "/capture.json");
    CLEANUP(free) char *root = join(name, "/root");
    struct err e = {0};

    if (host_open(io_exists(capture) ? dir : root, ret, &e) != 0) {
        fail_msg("%s: %s", name, e.msg);
    }
}

static void write_row(struct str *out, const struct fact_table *t, size_t row)
{
    struct json_out j;
    const struct cell *cells = t->cells + row * t->decl->n_columns;

    jout_begin(&j, out, false);
    jout_open(&j, '{');
    for (size_t c = 0; c < t->decl->n_columns; c++) {
        jout_key(&j, t->decl->columns[c].name);
        jout_cell(&j, &cells[c]);
    }
    jout_close(&j, '}');
}

/* One row a line, so that a change of one row is a change of one line. */
static void write_expectation(struct str *out, struct fact_table *t)
{
    size_t word = strcspn(t->reason, ":");
    struct json_out j;

    fact_sort(t);
    str_add(out, "{\"state\":");
    jout_begin(&j, out, false);
    jout_text(&j, fact_state_word(t->state));
    str_add(out, ",\"reason\":");
    jout_begin(&j, out, false);
    jout_text_n(&j, t->reason, word);
    str_add(out, ",\"rows\":[");
    for (size_t row = 0; row < t->n_rows; row++) {
        str_add(out, row == 0 ? "\n" : ",\n");
        write_row(out, t, row);
    }
    str_add(out, "\n]}\n");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void rows_as_texts(const json_t *document, struct strv *ret)
{
    const json_t *rows = NULL;
    const json_t *row = NULL;
    size_t i = 0;
    struct err e = {0};

    if (json_need_array(document, "rows", &rows, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    json_array_foreach(rows, i, row)
    {
        CLEANUP(free) char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
        assert_non_null(text);
        assert_int_equal(strv_add(ret, text, &e), 0);
    }
    if (ret->n > 0) {
        qsort(ret->items, ret->n, sizeof(*ret->items), compare_texts);
    }
}

/* Prints what one side has and the other has not; gives the number of such rows. */
static size_t compare_rows(const json_t *want, const json_t *got)
{
    CLEANUP(strv) struct strv a = {0};
    CLEANUP(strv) struct strv b = {0};
    size_t i = 0;
    size_t k = 0;
    size_t differences = 0;

    rows_as_texts(want, &a);
    rows_as_texts(got, &b);
    while (i < a.n || k < b.n) {
        int order = i == a.n ? 1 : k == b.n ? -1 : strcmp(a.items[i], b.items[k]);
        if (order == 0) {
            i++;
            k++;
            continue;
        }
        differences++;
        print_error("%s %s\n",
                    order < 0 ? "expected:" : "seen:    ", order < 0 ? a.items[i++] : b.items[k++]);
    }
    return differences;
}

static size_t compare_word(const char *key, const json_t *want, const json_t *got)
{
    const char *a = NULL;
    const char *b = NULL;
    struct err e = {0};

    if (json_need_text(want, key, &a, &e) != 0 || json_need_text(got, key, &b, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    if (strcmp(a, b) == 0) {
        return 0;
    }
    print_error("%s: expected \"%s\", seen \"%s\"\n", key, a, b);
    return 1;
}

static void compare_with_file(const char *path, const struct str *seen, const char *reason)
{
    CLEANUP(str) struct str text = STR_INIT(EXPECT_MAX);
    CLEANUP(json) json_t *want = NULL;
    CLEANUP(json) json_t *got = NULL;
    struct err e = {0};

    if (io_read_file(path, EXPECT_MAX, &text, &e) != 0 ||
        json_parse(path, str_text(&text), text.len, &want, &e) != 0 ||
        json_parse("rows seen", str_text(seen), seen->len, &got, &e) != 0) {
        fail_msg("%s", e.msg);
    }
    size_t differences = compare_word("state", want, got) + compare_word("reason", want, got) +
                         compare_rows(want, got);
    if (differences != 0) {
        fail_msg("%s: %zu differences (reason seen: \"%s\")", path, differences, reason);
    }
}

static void test_expectation(void **state)
{
    const struct expectation *x = *state;
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(facts) struct facts facts = {0};
    CLEANUP(inputs) struct inputs in = {0};
    CLEANUP(str) struct str seen = STR_INIT(EXPECT_MAX);
    CLEANUP(free) char *file = NULL;
    struct err e = {0};

    const struct probe *p = probe_for_table(x->table, NULL);
    if (p == NULL) {
        fail_msg("%s: no probe fills a table of that name", x->table);
        return;
    }
    assert_true(asprintf(&file, "/expect/%s.json", x->table) > 0);
    CLEANUP(free) char *path = join(x->host, file);
    open_tree(x->host, &h);
    load_inputs(x->host, &in);
    if (probe_run_local(p, h, (const char *const[]){x->table, NULL}, in.items, in.n, &facts, &e) !=
        0) {
        fail_msg("%s", e.msg);
    }
    struct fact_table *t = facts_find(&facts, x->table);
    assert_non_null(t);
    write_expectation(&seen, t);
    assert_int_equal(str_error(&seen, &e), 0);
    if (getenv("UPDATE") != NULL) {
        assert_int_equal(io_write_atomic(path, seen.data, seen.len, 0644, &e), 0);
        return;
    }
    compare_with_file(path, &seen, t->reason);
}

static void add_test(struct CMUnitTest **tests, size_t *n, const char *host, const char *file)
{
    struct expectation *x = calloc(1, sizeof(*x));
    struct CMUnitTest *more = realloc(*tests, (*n + 1) * sizeof(*more));
    char *name = NULL;

    if (x == NULL || more == NULL || asprintf(&name, "%s: %s", host, file) < 0) {
        abort();
    }
    x->host = strdup(host);
    x->table = strndup(file, strlen(file) - strlen(".json"));
    if (x->host == NULL || x->table == NULL) {
        abort();
    }
    more[(*n)++] =
        (struct CMUnitTest){.name = name, .test_func = test_expectation, .initial_state = x};
    *tests = more;
}

static void free_tests(struct CMUnitTest *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct expectation *x = tests[i].initial_state;
        union {
            const char *borrowed;
            char *owned;
        } name = {.borrowed = tests[i].name}; /* cmocka's member is const, ours to free */
        free(x->host);
        free(x->table);
        free(x);
        free(name.owned);
    }
    free(tests);
}

static void find_tests(struct CMUnitTest **tests, size_t *n)
{
    CLEANUP(strv) struct strv hosts = {0};
    struct err e = {0};

    if (io_list(HOSTS_DIR, "", &hosts, &e) != 0) {
        (void)fprintf(stderr, "%s\n", e.msg);
        return;
    }
    for (size_t i = 0; i < hosts.n; i++) {
        CLEANUP(strv) struct strv files = {0};
        CLEANUP(free) char *dir = join(hosts.items[i], "/expect");
        if (!io_exists(dir)) {
            continue;
        }
        if (io_list(dir, ".json", &files, &e) != 0) {
            (void)fprintf(stderr, "%s\n", e.msg);
            continue;
        }
        for (size_t f = 0; f < files.n; f++) {
            add_test(tests, n, hosts.items[i], files.items[f]);
        }
    }
}

int main(void)
{
    struct CMUnitTest *tests = NULL;
    size_t n = 0;

    find_tests(&tests, &n);
    if (n == 0) {
        (void)fprintf(stderr, "no expectations under %s: nothing was tested\n", HOSTS_DIR);
        return 1;
    }
    int failed = _cmocka_run_group_tests("hosts", tests, n, NULL, NULL);
    free_tests(tests, n);
    return failed == 0 ? 0 : 1;
}
