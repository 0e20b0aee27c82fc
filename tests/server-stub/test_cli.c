/* server-stub/cli.c and server-stub/ratelimit.c: options of the subcommands; the rate of a key. */
#include "tests/server-stub/harness.h"

#include "server-stub/cli.h"

static void test_options(void **state)
{
    static const struct {
        const char *why;
        const char *args[6];
        int want;
        const char *store, *flag;
        int n_rest;
        const char *part; /* of the error */
    } rows[] = {
        {"apart", {"--store", "d", "f"}, 0, "d", NULL, 1, NULL},
        {"with an equals sign", {"--store=d=e", "--erase"}, 0, "d=e", "", 0, NULL},
        {"an empty value", {"--store="}, 0, "", NULL, 0, NULL},
        {"after the rest", {"f", "--store", "d", "g"}, 0, "d", NULL, 2, NULL},
        {"two dashes end the options", {"--store", "d", "--", "--erase"}, 0, "d", NULL, 1, NULL},
        {"a lone dash is a file", {"--store", "d", "-"}, 0, "d", NULL, 1, NULL},
        {"needed", {"f"}, ERR_INVALID, NULL, NULL, 0, "--store is needed"},
        {"no value", {"--store"}, ERR_INVALID, NULL, NULL, 0, "needs a value"},
        {"unknown", {"--stroe", "d"}, ERR_INVALID, NULL, NULL, 0, "did you mean --store"},
        {"a beginning is not the whole", {"--sto", "d"}, ERR_INVALID, NULL, NULL, 0, "no such"},
        {"a flag takes no value", {"--store", "d", "--erase=x"}, ERR_INVALID, NULL, NULL, 0, ""},
        {"one dash", {"-s", "d"}, ERR_INVALID, NULL, NULL, 0, "no such option"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *argv[8] = {(char *)(uintptr_t) "x"};
        const char *store = NULL, *flag = NULL;
        const struct cli_option options[] = {{"store", &store, false, true},
                                             {"erase", &flag, true, false}};
        int argc = 1, n_rest = 0;
        struct err err = {.msg = ""};
        for (; argc < 7 && rows[i].args[argc - 1] != NULL; argc++) {
            argv[argc] = (char *)(uintptr_t)rows[i].args[argc - 1];
        }
        int rc = cli_parse(argc, argv, options, 2, &n_rest, &err);
        if (rc != rows[i].want || (rc == 0 && n_rest != rows[i].n_rest) ||
            (rc != 0 && strstr(err.msg, rows[i].part) == NULL)) {
            fail_msg("%s: %d, %d left, %s", rows[i].why, rc, n_rest, err.msg);
        }
        if (rc == 0) {
            assert_string_equal(store, rows[i].store);
            assert_int_equal(flag != NULL, rows[i].flag != NULL);
        }
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        int want;
        int64_t value;
    } rows[] = {{"5", 0, 5},
                {"1", 0, 1},
                {"10", 0, 10},
                {"0", ERR_INVALID, 7},
                {"11", ERR_INVALID, 7},
                {"", ERR_INVALID, 7},
                {"5x", ERR_INVALID, 7},
                {"x", ERR_INVALID, 7},
                {NULL, 0, 7}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 7;
        struct err err;
        assert_int_equal(cli_number("n", rows[i].text, 1, 10, &v, &err), rows[i].want);
        assert_int_equal(v, rows[i].value);
    }
}

static void test_lang(void **state)
{
    enum lang lang = LANG_JA;
    (void)state;
    OK(cli_lang("en", &lang, e));
    assert_int_equal(lang, LANG_EN);
    FAILS(ERR_INVALID, cli_lang("de", &lang, e));
    assert_int_equal(setenv("LC_ALL", "ja_JP.UTF-8", 1), 0);
    OK(cli_lang(NULL, &lang, e));
    assert_int_equal(lang, LANG_JA);
    assert_int_equal(setenv("LC_ALL", "C", 1), 0);
    OK(cli_lang(NULL, &lang, e));
    assert_int_equal(lang, LANG_EN);
}

static void test_rate(void **state)
{
    struct ratelimit *r = NULL;
    char a[65], b[65];
    const int64_t second = 1000000;
    (void)state;
    (void)snprintf(a, sizeof a, "%064d", 1);
    (void)snprintf(b, sizeof b, "1%063d", 0);
    a[7] = '5'; /* the first eight digits choose the slot */
    FAILS(ERR_INVALID, ratelimit_new(0, &r, e));
    OK(ratelimit_new(4, &r, e)); /* one every 15 seconds, four at once */
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(ratelimit_take(r, a, 100 * second), 0);
    }
    assert_in_range(ratelimit_take(r, a, 100 * second), 15, 16);
    assert_int_equal(ratelimit_take(r, b, 100 * second), 0); /* another key is not touched */
    assert_in_range(ratelimit_take(r, a, 114 * second), 1, 2);
    assert_int_equal(ratelimit_take(r, a, 115 * second), 0);
    assert_in_range(ratelimit_take(r, a, 115 * second), 15, 16);
    for (unsigned i = 0; i < 4; i++) { /* full again, and not more than full */
        assert_int_equal(ratelimit_take(r, a, 9000 * second), 0);
    }
    assert_int_not_equal(ratelimit_take(r, a, 9000 * second), 0);
    ratelimit_free(r);
    ratelimit_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lang),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
