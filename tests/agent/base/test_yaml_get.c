/* agent/base/yaml_get.c */
#include "tests/agent/base/unit.h"

#include "agent/base/str.h"
#include "agent/base/yaml.h"

static const char text[] = "name: 点検\n"     /* line 1 */
                           "number: 12\n"     /* 2 */
                           "quoted: \"12\"\n" /* 3 */
                           "octal: 0755\n"    /* 4 */
                           "huge: 99999999999999999999\n"
                           "yes: true\n"
                           "no: false\n"
                           "maybe: yes\n" /* 8 */
                           "day: 2026-02-28\n"
                           "noday: 2026-02-29\n" /* 10 */
                           "list: [a, b]\n"
                           "map: {a: 1}\n" /* 12 */
                           "empty:\n"
                           "tilde: ~\n" /* 14 */
                           "nothing: \"\"\n"
                           "severity: hgih\n" /* 16 */
                           "level: zzzz\n"
                           "minus: -3\n";

static int setup(void **state)
{
    struct yaml_doc *doc = NULL;
    struct err e = {0};
    if (yaml_parse("f", text, sizeof(text) - 1, &doc, &e) != 0) {
        return -1;
    }
    *state = doc;
    return 0;
}

static int teardown(void **state)
{
    yaml_doc_free(*state);
    return 0;
}

static const char *const severities[] = {"critical", "high", "medium", "low", NULL};

static void test_good_values(void **state)
{
    const struct yaml_doc *d = *state;
    const struct yaml_node *m = d->root;
    struct err e = {0};
    const char *t = NULL;
    int64_t i = 0;
    bool b = false;
    const struct yaml_node *list = NULL;
    assert_int_equal(yaml_get_text(d, m, "name", true, &t, &e), 0);
    assert_string_equal(t, "点検");
    assert_int_equal(yaml_get_text(d, m, "number", true, &t, &e), 0);
    assert_string_equal(t, "12"); /* as written */
    assert_int_equal(yaml_get_text(d, m, "nothing", true, &t, &e), 0);
    assert_string_equal(t, "");
    assert_int_equal(yaml_get_int(d, m, "number", true, 0, 12, &i, &e), 0);
    assert_int_equal(i, 12);
    assert_int_equal(yaml_get_int(d, m, "minus", true, -3, 0, &i, &e), 0);
    assert_int_equal(i, -3);
    assert_int_equal(yaml_get_bool(d, m, "yes", true, &b, &e), 0);
    assert_true(b);
    assert_int_equal(yaml_get_bool(d, m, "no", true, &b, &e), 0);
    assert_false(b);
    assert_int_equal(yaml_get_date(d, m, "day", true, &t, &e), 0);
    assert_string_equal(t, "2026-02-28");
    assert_int_equal(yaml_get_list(d, m, "list", true, &list, &e), 0);
    assert_int_equal(list->n, 2);
    assert_null(yaml_get(m, "none"));
    assert_null(yaml_get(list, "none"));
    assert_null(yaml_get(NULL, "none"));
}

enum getter { TEXT, INT, BOOL, DATE, WORD, LIST };

static int get(enum getter g, const struct yaml_doc *d, const char *key, bool required,
               struct err *e)
{
    const char *t = "kept";
    int64_t i = 42;
    bool b = true;
    const struct yaml_node *n = NULL;
    int rc = 0;
    switch (g) {
    case TEXT:
        rc = yaml_get_text(d, d->root, key, required, &t, e);
        break;
    case INT:
        rc = yaml_get_int(d, d->root, key, required, 0, 10, &i, e);
        break;
    case BOOL:
        rc = yaml_get_bool(d, d->root, key, required, &b, e);
        break;
    case DATE:
        rc = yaml_get_date(d, d->root, key, required, &t, e);
        break;
    case WORD:
        rc = yaml_get_word(d, d->root, key, required, severities, &t, e);
        break;
    case LIST:
    default:
        rc = yaml_get_list(d, d->root, key, required, &n, e);
        break;
    }
    /* no failure and no absence touches the caller's value */
    assert_string_equal(t, "kept");
    assert_int_equal(i, 42);
    assert_true(b);
    assert_null(n);
    return rc;
}

static void test_bad_values(void **state)
{
    static const struct {
        enum getter getter;
        const char *key, *message, *why;
    } rows[] = {
        {TEXT, "list", "f:11:7: \"list\": one value is expected, not a list", "list for text"},
        {TEXT, "map", "f:12:6: \"map\": one value is expected, not a map", "map for text"},
        {TEXT, "empty", "f:13:7: \"empty\" has no value (leave the key out, or write \"\")",
         "no value"},
        {TEXT, "tilde", "f:14:8: \"tilde\" has no value (leave the key out, or write \"\")",
         "null"},
        {INT, "quoted", "f:3:9: \"quoted\": a decimal number without quotes is expected", "quotes"},
        {INT, "octal", "f:4:8: \"octal\": a decimal number without quotes is expected", "octal"},
        {INT, "huge", "f:5:7: \"huge\": a decimal number without quotes is expected", "huge"},
        {INT, "number", "f:2:9: \"number\": 12 is not from 0 to 10", "out of range"},
        {INT, "minus", "f:18:8: \"minus\": -3 is not from 0 to 10", "below the range"},
        {BOOL, "maybe", "f:8:8: \"maybe\": true or false is expected, without quotes", "yes"},
        {DATE, "noday", "f:10:8: \"noday\": \"2026-02-29\" is no day of the calendar (YYYY-MM-DD)",
         "no such day"},
        {WORD, "severity", "f:16:11: \"severity\": unknown word \"hgih\", did you mean \"high\"?",
         "slip"},
        {WORD, "level",
         "f:17:8: \"level\": unknown word \"zzzz\"; known are: critical, high, medium, low",
         "nothing near"},
        {LIST, "name", "f:1:7: \"name\": a list is expected (lines that begin with \"- \")",
         "text for list"},
        {TEXT, "none", "f:1:1: \"none\" is missing", "required"},
        {LIST, "none", "f:1:1: \"none\" is missing", "required list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CHECK_ROW(rows[i].why, get(rows[i].getter, *state, rows[i].key, true, &e) == ERR_INVALID);
        CHECK_TEXT(rows[i].why, e.msg, rows[i].message);
    }
    for (int g = TEXT; g <= LIST; g++) {
        struct err e = {0};
        assert_int_equal(get((enum getter)g, *state, "none", false, &e), 0);
    }
}

static void test_only_known_keys(void **state)
{
    (void)state;
    static const char *const allowed[] = {"contracts", "data_paths", NULL};
    static const struct {
        const char *text, *message, *why;
    } rows[] = {
        {"contracts: []\n", NULL, "known"},
        {"{}", NULL, "no key at all"},
        {"contracts: []\ndatapaths: []\n",
         "f:2:1: site: unknown key \"datapaths\", did you mean \"data_paths\"?", "slip"},
        {"zz: 1\n", "f:1:1: site: unknown key \"zz\"; known are: contracts, data_paths", "far"},
        {"[]", "f:1:1: site: a map of keys and values is expected", "list"},
        {"word", "f:1:1: site: a map of keys and values is expected", "text"},
        {"", "f:1:1: site: a map of keys and values is expected", "empty file"},
        {"\"a\\eb\": 1\n", "f:1:1: site: unknown key \"a\\x1bb\"; known are: contracts, data_paths",
         "what it quotes cannot steer the terminal"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CLEANUP(yaml) struct yaml_doc *d = NULL;
        assert_int_equal(yaml_parse("f", rows[i].text, strlen(rows[i].text), &d, &e), 0);
        int rc = yaml_map_only(d, d->root, "site", allowed, &e);
        CHECK_ROW(rows[i].why, rc == (rows[i].message != NULL ? ERR_INVALID : 0));
        CHECK_TEXT(rows[i].why, e.msg, rows[i].message != NULL ? rows[i].message : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_values),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_only_known_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
