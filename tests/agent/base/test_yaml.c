/* agent/base/yaml.c */
#include "tests/agent/base/unit.h"

#include "agent/base/str.h"
#include "agent/base/yaml.h"

static int parse(const char *text, struct yaml_doc **doc, struct err *e)
{
    return yaml_parse("site.yaml", text, strlen(text), doc, e);
}

static void test_tree_and_places(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    assert_int_equal(parse("a: 1\nb:\n  - x\n  - 'y z'\nc: {d: \"e\"}\n", &doc, &e), 0);
    const struct yaml_node *root = doc->root;
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->n, 3);
    assert_string_equal(root->keys[1]->text, "b");
    assert_int_equal(root->keys[1]->line, 2);
    assert_int_equal(root->items[1]->kind, YAML_LIST);
    const struct yaml_node *y = root->items[1]->items[1];
    assert_string_equal(y->text, "y z");
    assert_int_equal(y->line, 4);
    assert_int_equal(y->column, 5);
    assert_false(y->plain);
    assert_true(root->items[0]->plain);
    assert_string_equal(root->items[2]->items[0]->text, "e");
    assert_int_equal(root->items[2]->items[0]->column, 8);
}

static void test_empty_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = {0};
        CLEANUP(yaml) struct yaml_doc *doc = NULL;
        assert_int_equal(parse(texts[i], &doc, &e), 0);
        assert_null(doc->root);
    }
}

static void test_refusals_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *says, *why;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", ":3:1:", "stands twice (first in line 1)", "a key twice"},
        {"a: 1\n\"a\": 3\n", ":2:1:", "stands twice", "quotes make no other key"},
        {"- {x: 1, y: 2, x: 3}\n", ":1:16:", "stands twice", "a key twice inside"},
        {"a: &x 1\n", ":1:4:", "anchors", "anchor on a value"},
        {"a: &x [1]\n", ":1:4:", "anchors", "anchor on a list"},
        {"&k a: 1\n", ":1:1:", "anchors", "anchor on a key"},
        {"a: *x\n", ":1:4:", "aliases", "alias"},
        {"a: !!str 1\n", ":1:4:", "tags", "tag on a value"},
        {"a: !local {}\n", ":1:4:", "tags", "tag on a map"},
        {"a: ! x\n", ":1:4:", "tags", "the bare tag"},
        {"<<: {a: 1}\n", ":1:1:", "merge keys", "merge key"},
        {"a: 1\n---\nb: 2\n", ":2:1:", "second document", "two documents"},
        {"%TAG ! tag:x,2000:\n---\na: 1\n", ":", "TAG", "tag directive"},
        {"[a]: 1\n", ":1:1:", "a key must be", "a list as key"},
        {"? {a: 1}\n: 2\n", ":1:3:", "a key must be", "a map as key"},
        {"\"\": 1\n", ":1:1:", "empty key", "empty key"},
        {"a: \"x\\0y\"\n", ":1:4:", "NUL", "NUL in a text"},
        {"\ta: 1\n", ":1:1:", "spaces, not tabs", "tab as indent"},
        {"a: b: c\n", ":1:5:", "quote a text", "colon in a text"},
        {"a: 1\n b: 2\n", ":2:3:", "", "wrong indent"},
        {"a: [1, 2\n", ":2:1:", "", "list not closed"},
        {"a: \"x\n", ":", "", "quote not closed"},
        {"a: \xff\n", "byte", "UTF-8", "invalid UTF-8"},
        {"\xff\xfe"
         "a:1",
         "byte", "UTF-8", "UTF-16"},
        {"a: \x01\n", "byte", "", "control character"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CLEANUP(yaml) struct yaml_doc *doc = NULL;
        int rc = parse(rows[i].text, &doc, &e);
        if (rc != ERR_INVALID || strncmp(e.msg, "site.yaml:", 10) != 0 ||
            strstr(e.msg, rows[i].place) == NULL || strstr(e.msg, rows[i].says) == NULL) {
            fail_msg("%s: %d %s", rows[i].why, rc, e.msg);
        }
        assert_null(doc);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    char deep[2 * YAML_DEPTH_MAX + 3] = "";
    for (size_t i = 0; i < YAML_DEPTH_MAX; i++) {
        deep[i] = '[';
        deep[YAML_DEPTH_MAX + i] = ']';
    }
    assert_int_equal(parse(deep, &doc, &e), 0);
    memset(deep, '[', YAML_DEPTH_MAX + 1);
    memset(deep + YAML_DEPTH_MAX + 1, ']', YAML_DEPTH_MAX + 1);
    CLEANUP(yaml) struct yaml_doc *more = NULL;
    assert_int_equal(parse(deep, &more, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "too deeply"));

    CLEANUP(free) char *big = malloc(YAML_FILE_MAX + 1);
    assert_non_null(big);
    memset(big, '\n', YAML_FILE_MAX + 1);
    assert_int_equal(yaml_parse("f", big, YAML_FILE_MAX + 1, &more, &e), ERR_INVALID);
    assert_int_equal(yaml_parse("f", big, YAML_FILE_MAX, &more, &e), 0);
}

static void test_many_keys(void **state)
{
    (void)state;
    CLEANUP(str) struct str s = STR_INIT(YAML_FILE_MAX);
    for (int i = 0; i < 20000; i++) {
        str_addf(&s, "k%d: %d\n", i, i);
    }
    struct err e = {0};
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    assert_int_equal(yaml_parse("f", str_text(&s), s.len, &doc, &e), 0);
    assert_int_equal(doc->root->n, 20000);
    assert_string_equal(doc->root->items[19999]->text, "19999");
    str_add(&s, "k17: again\n");
    CLEANUP(yaml) struct yaml_doc *twice = NULL;
    assert_int_equal(yaml_parse("f", str_text(&s), s.len, &twice, &e), ERR_INVALID);
    assert_string_equal(e.msg, "f:20001:1: key \"k17\" stands twice (first in line 18)");
    /* a list without end is bounded too */
    str_clear(&s);
    while (s.len < YAML_FILE_MAX - 3) {
        str_add(&s, "-\n");
    }
    assert_int_equal(yaml_parse("f", str_text(&s), s.len, &twice, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "too many values"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_and_places),
        cmocka_unit_test(test_empty_texts),
        cmocka_unit_test(test_refusals_name_the_place),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
