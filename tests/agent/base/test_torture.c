/* Every allocation of agent/base fails once: the Nth of each operation, for N = 1, 2, ... until the
 * operation succeeds. Each failure must end in ERR_NOMEM, leave outputs untouched and (with the
 * sanitizers) leak nothing. The linker's --wrap leads the allocations of our objects here; nothing
 * of the product knows about it. Tests agent/base as a whole, so it has no source of its own. */
#include "tests/agent/base/unit.h"

#include <jansson.h>

#include "agent/base/digest.h"
#include "agent/base/facts.h"
#include "agent/base/host.h"
#include "agent/base/io.h"
#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "agent/base/yaml.h"

static long countdown = -1; /* allocations until one fails; below zero: never */
static bool has_failed;

static bool must_fail(void)
{
    if (countdown < 0 || countdown-- > 0) {
        return false;
    }
    has_failed = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

void *__wrap_malloc(size_t n)
{
    return must_fail() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return must_fail() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return must_fail() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *text)
{
    return must_fail() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return must_fail() ? NULL : __real_strndup(text, n);
}

/* --- the operations: 0 or an error, and everything freed again --- */

static int buffers(const char *dir)
{
    (void)dir;
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(100000);
    for (int i = 0; i < 1000; i++) {
        str_addf(&s, "%d\n", i);
    }
    str_add_cell(&s, "\x01", 1);
    base64_encode("abc", 3, &s);
    int rc = str_error(&s, &e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(free) char *taken = str_take(&s, NULL);
    CLEANUP(free) char *empty = str_take(&s, NULL); /* allocates for "" */
    return taken != NULL && empty != NULL ? 0 : ERR_NOMEM;
}

static int lists(const char *dir)
{
    (void)dir;
    struct err e = {0};
    CLEANUP(strv) struct strv v = {0};
    for (int i = 0; i < 20; i++) {
        size_t before = v.n;
        int rc = strv_add(&v, "word", &e);
        if (rc != 0) {
            assert_int_equal(v.n, before);
            return rc;
        }
    }
    return 0;
}

static const struct table decl = {
    .name = "t",
    .doc = "d",
    TABLE_COLUMNS({"k", COL_TEXT, "", COL_KEY, "a|b", "doc"}, {"i", COL_INT, "", 0, NULL, ""}),
};

static int facts(const char *dir)
{
    (void)dir;
    struct err e = {0};
    CLEANUP(facts) struct facts f = {0};
    struct table *copy = NULL;
    int rc = table_dup(&decl, &copy, &e);
    if (rc != 0) {
        assert_null(copy);
        return rc;
    }
    struct fact_table *t = NULL;
    rc = facts_add(&f, copy, "", &t, &e);
    if (rc != 0) {
        free(copy);
        return rc;
    }
    t->owns_decl = true;
    for (int i = 0; i < 20 && rc == 0; i++) {
        rc = fact_row_va(t, &e, "some text that is stored in the arena", (int64_t)i);
        assert_int_equal(t->n_rows, rc == 0 ? i + 1 : i); /* never half a row */
    }
    return rc;
}

static int own_files(const char *dir)
{
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(1000);
    CLEANUP(strv) struct strv names = {0};
    int rc = io_write_atomic(in_dir(dir, "atomic"), "new", 3, 0600, &e);
    if (rc == 0) {
        rc = io_read_trusted(in_dir(dir, "atomic"), 100, &s, &e);
    }
    if (rc == 0) {
        rc = io_list(dir, "", &names, &e);
    }
    if (rc == 0) {
        rc = io_make_dir(in_dir(dir, "deep/er"), 0700, &e);
    }
    return rc;
}

static int yaml(const char *dir)
{
    (void)dir;
    static const char text[] = "a: [1, {b: c, d: e}]\nf: 'g'\nh: {}\n";
    struct err e = {0};
    CLEANUP(yaml) struct yaml_doc *d = NULL;
    int rc = yaml_parse("f", text, sizeof(text) - 1, &d, &e);
    assert_int_equal(d == NULL, rc != 0);
    return rc;
}

static int json(const char *dir)
{
    (void)dir;
    static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}],\"d\":1.5,\"e\":null}";
    struct err e = {0};
    CLEANUP(json) json_t *v = NULL;
    int rc = json_parse("t", text, sizeof(text) - 1, &v, &e);
    assert_int_equal(v == NULL, rc != 0);
    return rc;
}

static int zones(const char *dir)
{
    (void)dir;
    struct err e = {0};
    int32_t offset = 42;
    int rc = zone_offset("Europe/London", 0, &offset, &e);
    return rc == ERR_INVALID ? 0 : rc; /* no zone files here */
}

static int digests(const char *dir)
{
    (void)dir;
    struct err e = {0};
    CLEANUP(digest) struct digest *d = NULL;
    return digest_new(&d, &e);
}

static int captured_host(const char *dir)
{
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    int rc = host_open(in_dir(dir, "tree"), &h, &e);
    assert_int_equal(h == NULL, rc != 0);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(str) struct str s = STR_INIT(100);
    CLEANUP(strv) struct strv names = {0};
    rc = host_read(h, "/file", 100, &s, &e);
    if (rc == 0) {
        rc = host_list(h, "/", 100, &names, &e);
    }
    struct host_stat st;
    if (rc == 0) {
        rc = host_stat(h, "/file", true, &st, &e);
    }
    return rc;
}

/* The look at the machine cannot fail: without memory it just sees less. */
static int live_host(const char *dir)
{
    (void)dir;
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    long saved = countdown;
    countdown = -1;
    CLEANUP(host) struct host *whole = NULL;
    assert_int_equal(host_open("/", &whole, &e), 0);
    countdown = saved;
    int rc = host_open("/", &h, &e);
    if (rc == 0) {
        assert_int_equal(host_sights(h) & ~host_sights(whole), 0);
        return has_failed ? ERR_NOMEM : 0;
    }
    return rc;
}

static void torture(int (*operation)(const char *dir), const char *name, bool uses_jansson,
                    const char *dir)
{
    for (long n = 0;; n++) {
        assert_true(n < 10000);
        countdown = n;
        has_failed = false;
        int rc = operation(dir);
        countdown = -1;
        if (!has_failed) {
            CHECK_ROW(name, rc == 0);
            CHECK_ROW(name, n > 0); /* it did allocate */
            return;
        }
        /* jansson takes some failures of its own for an invalid token: an error all the same */
        bool jansson = rc == ERR_MALFORMED || rc == ERR_INVALID;
        if (rc != ERR_NOMEM && !(jansson && uses_jansson)) {
            fail_msg("%s: allocation %ld failed, the answer was %d", name, n, rc);
        }
    }
}

static void test_every_allocation_fails_once(void **state)
{
    const char *dir = *state;
    assert_int_equal(mkdir(in_dir(dir, "tree"), 0755), 0);
    assert_int_equal(mkdir(in_dir(dir, "tree/root"), 0755), 0);
    put_text(in_dir(dir, "tree/root/file"), "x");
    put_text(in_dir(dir, "tree/capture.json"),
             "{\"format\":\"tenken-capture/1\",\"sights\":[\"proc\"],\"whole\":[\"/etc\"]}");
    put_text(in_dir(dir, "tree/meta.tsv"), "/file\t755\t0\t0\n");
    json_object_seed(0);
    json_set_alloc_funcs(__wrap_malloc, free);
    static const struct {
        int (*operation)(const char *dir);
        const char *name;
        bool uses_jansson;
    } operations[] = {
        {buffers, "buffers", false},
        {lists, "lists", false},
        {facts, "facts", false},
        {own_files, "own files", false},
        {yaml, "YAML", false},
        {json, "JSON", true},
        {zones, "zones", false},
        {digests, "digests", false},
        {captured_host, "captured host", true},
        {live_host, "live host", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        torture(operations[i].operation, operations[i].name, operations[i].uses_jansson, dir);
    }
    /* what was written while memory was short is whole or not there; nothing else lies around */
    static const char *const expected[] = {"atomic", "deep", "tree"};
    CLEANUP(strv) struct strv names = {0};
    struct err e = {0};
    assert_int_equal(io_list(dir, "", &names, &e), 0);
    assert_int_equal(names.n, ARRAY_LEN(expected));
    for (size_t i = 0; i < names.n; i++) {
        assert_string_equal(names.items[i], expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        test_every_allocation_fails_once, scratch_setup, scratch_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
