/* Writing statements: order of members, bytes, `since`. */
#include "tests/agent/evidence/sample.h"

#include "agent/evidence/statement.h"

static const char host[] = "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9";

/* Names of an object's members, joined. */
static void member_names(struct jspan object, struct str *out)
{
    struct jiter it = {0};
    struct jspan key = {0}, value = {0};
    assert_true(jiter_begin(object, &it));
    while (jiter_next(&it, &key, &value)) {
        str_add_bytes(out, key.p, key.n);
        str_add_char(out, ' ');
    }
}

static struct jspan at(struct jspan object, const char *key)
{
    struct jspan v = {0};
    assert_true(jspan_member(object, key, &v));
    return v;
}

static void expect(struct jspan v, const char *want)
{
    if (v.n != strlen(want) || memcmp(v.p, want, v.n) != 0) {
        fail_msg("%.*s is not %s", (int)v.n, v.p, want);
    }
}

static void test_order_and_bytes(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str names = STR_INIT(4096);
    CLEANUP(str) struct str inner = STR_INIT(4096);
    struct statement_meta meta = sample_meta(host);
    struct statement_spans s = {0};
    sample_statement(&meta, 0, NULL, &text);
    OK(statement_scan(text.data, text.len, &s, e));
    member_names(s.root, &names);
    assert_string_equal(str_text(&names), "_type subject predicateType predicate ");
    member_names(s.predicate, &inner);
    assert_string_equal(str_text(&inner),
                        "host agent rules contract chain sequence previous scan layers probes "
                        "facts drift checks controls sqlite ");

    /* no white space outside strings: the text is its own compact form */
    CLEANUP(json) json_t *json = NULL;
    OK(json_parse("statement", text.data, text.len, &json, e));
    CLEANUP(free) char *compact = json_dumps(json, JSON_COMPACT);
    assert_int_equal(strlen(compact), text.len);

    char digest[SHA256_HEX], subject[512];
    OK(sha256_hex(s.facts.p, s.facts.n, digest, e));
    (void)snprintf(subject, sizeof(subject),
                   "[{\"name\":\"host:%s\",\"digest\":{\"sha256\":\"%s\"}}]", host, digest);
    expect(at(s.root, "subject"), subject);
    expect(at(s.predicate, "sqlite"), "\"3.40.1\"");
    expect(at(s.predicate, "layers"), "{\"disk\":[\"uid\",\"caps\",\"nnp\",\"seccomp\"]}");
    expect(at(s.predicate, "probes"),
           "[{\"probe\":\"disk\",\"table\":\"mount_encryption\",\"state\":\"complete\",\"reason\":"
           "\"\",\"rows\":2,\"layers\":[\"uid\",\"caps\",\"nnp\",\"seccomp\"],\"cpu_us\":0,"
           "\"wall_us\":0}]");
    expect(at(at(s.facts, "mount_encryption"), "rows"),
           "[[\"/\",\"root\",1,0.5,\"luks2: 鍵\"],[\"/srv/city\",\"data\",0,3.0,null]]");
    expect(at(s.predicate, "drift"),
           "{\"5.6a\":{\"columns\":[\"mount\",\"encrypted\"],\"rows\":[[\"/srv/city\",0]],"
           "\"known\":false}}");
    expect(at(s.predicate, "checks"),
           "[{\"id\":\"disk-data-encrypted\",\"digest\":\"11111111111111111111111111111111111111111"
           "11111111111111111111111\",\"verdict\":\"fail\",\"reason\":\"\",\"findings\":[{"
           "\"mount\":\"/srv/city\",\"encrypted\":0,\"mount#2\":null}],\"unknown\":[]}]");
    /* the same facts give the same bytes */
    CLEANUP(str) struct str again = STR_INIT(ENVELOPE_MAX);
    sample_statement(&meta, 0, NULL, &again);
    assert_string_equal(str_text(&text), str_text(&again));
}

static void test_columns_carry_the_schema(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(host);
    struct statement_spans s = {0};
    sample_statement(&meta, 0, NULL, &text);
    OK(statement_scan(text.data, text.len, &s, e));
    expect(at(at(s.facts, "mount_encryption"), "columns"),
           "[{\"name\":\"mount\",\"type\":\"text\",\"flags\":[\"KEY\"]},"
           "{\"name\":\"role\",\"type\":\"text\",\"flags\":[\"KEY\",\"DECIDES\"],"
           "\"values\":[\"root\",\"data\",\"swap\",\"other\"],\"unknown\":[\"other\"]},"
           "{\"name\":\"encrypted\",\"type\":\"integer\",\"flags\":[\"DECIDES\",\"NULLABLE\"]},"
           "{\"name\":\"score\",\"type\":\"real\",\"flags\":[\"NULLABLE\"]},"
           "{\"name\":\"reason\",\"type\":\"text\",\"flags\":[\"NULLABLE\"]}]");
}

static void since_of(const struct str *text, const char *control, char out[32])
{
    CLEANUP(json) json_t *json = NULL;
    size_t i = 0;
    json_t *item = NULL;
    OK(json_parse("statement", text->data, text->len, &json, e));
    out[0] = '\0';
    json_array_foreach(json_object_get(json_object_get(json, "predicate"), "controls"), i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "id")), control) == 0) {
            (void)snprintf(out, 32, "%s", json_string_value(json_object_get(item, "since")));
        }
    }
}

static void test_since(void **state)
{
    (void)state;
    char since[32];
    CLEANUP(str) struct str first = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str second = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str third = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str odd = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(host);
    sample_statement(&meta, 0, NULL, &first);
    since_of(&first, "5.6a", since);
    assert_string_equal(since, "2026-11-21"); /* first seen today */

    meta.local_date = "2026-11-23";
    sample_statement(&meta, 0, str_text(&first), &second);
    since_of(&second, "5.6a", since);
    assert_string_equal(since, "2026-11-21"); /* the same verdict: carried over */

    meta.local_date = "2026-11-24";
    sample_statement(&meta, 1, str_text(&second), &third);
    since_of(&third, "5.6a", since);
    assert_string_equal(since, "2026-11-24"); /* another verdict: new */
    since_of(&third, "5.4", since);
    assert_string_equal(since, "2026-11-21");

    sample_statement(&meta, 0, "not a statement", &odd);
    since_of(&odd, "5.6a", since);
    assert_string_equal(since, "2026-11-24"); /* nothing to carry over */
}

static void test_previous_chain(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(host);
    struct statement_spans s = {0};
    meta.previous_chain = "ffeeddccbbaa99887766554433221100";
    sample_statement(&meta, 0, NULL, &text);
    OK(statement_scan(text.data, text.len, &s, e));
    expect(at(s.predicate, "previous_chain"), "\"ffeeddccbbaa99887766554433221100\"");
}

/* What nobody could read back must not be signed. */
static void test_refuses_what_cannot_be_read(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(facts) struct facts facts = {0};
    struct sample_verdicts v;
    sample_facts(&facts, 0);
    sample_verdicts(&v, VERDICT_FAIL);
    struct fact_table *twice = NULL; /* one name for two tables: which one is meant? */
    OK(facts_add(&facts, &sample_mounts, "disk", &twice, e));
    struct statement_request rq = {
        .meta = sample_meta(host), .facts = &facts, .probes = &facts, .evaluation = &v.ev};
    FAILS(ERR_INTERNAL, statement_write(&rq, &text, e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bytes),
        cmocka_unit_test(test_columns_carry_the_schema),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_previous_chain),
        cmocka_unit_test(test_refuses_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
