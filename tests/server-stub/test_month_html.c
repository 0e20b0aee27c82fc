/* What is made of a month in the store: server-stub/month_load.c, server-stub/month_json.c,
 * server-stub/month_html.c, server-stub/month_words.c. */
#include "tests/server-stub/harness.h"
#include "tests/support/json_schema.h"

#include "agent/base/timefmt.h"
#include "server-stub/month.h"
#include "server-stub/month_words.h"

#define SCHEMA TENKEN_SOURCE_DIR "/dist/schemas/month.schema.json"
#define NOV_20 INT64_C(1795143600) /* noon in Tokyo */

static void load(struct bench_store *b, const char *contract, const char *name, struct month *m)
{
    month_init(m);
    const struct month_request rq = {.contract = contract, .name = name, .now_s = NOV_20};
    OK(month_load(b->store, &rq, m, e));
}

static void page(const struct month *m, enum lang lang, struct str *out)
{
    const struct month_page p = {.lang = lang, .collector = "c0ffee", .now_s = NOV_20};
    month_html(m, &p, out);
    OK(str_error(out, e));
}

/* Two hosts, one without an asset number; failing, mending, a hole. */
static void fill(struct bench_store *b, struct maker *m, struct maker *other)
{
    *m = maker_new(SEED_TEST1);
    *other = maker_new(SEED_TEST2);
    m->asset = "<script>alert(1)</script>\"'&";
    other->asset = "";
    bench_enroll(b, m, NOV_20 - 10 * 86400);
    bench_enroll(b, other, NOV_20 - 2 * 86400);
    (void)bench_put(b, maker_day(m, 10, "5.4=pass 5.6a=fail"));
    (void)bench_put(b, maker_day(m, 12, "5.4=pass 5.6a=pass"));
    (void)bench_put(b, maker_day(m, 20, "5.4=pass 5.6a=pass"));
    (void)bench_put(b, maker_day(other, 18, "5.4=permitted 5.6a=pass"));
}

static void test_json(void **state)
{
    struct bench_store b;
    struct maker m, other;
    struct month month;
    char why[512] = "";
    struct str out = STR_INIT((size_t)1 << 20);
    (void)state;
    bench_open(&b);
    fill(&b, &m, &other);
    load(&b, CONTRACT, "2026-11", &month);
    month_json(&month, &out);
    if (!schema_holds(SCHEMA, out.data, out.len, why)) {
        fail_msg("%s", why);
    }
    static const char *const parts[] = {
        "\"coverage\":{\"due\":14,\"inspected\":4,\"off\":0,\"missing\":10",
        "\"5.6a\",\"verdict\":\"fail\",\"first\":\"2026-11-10T03:00:00Z\"",
        "\"failing_days\":[\"2026-11-10\"]",
        "\"term\":{\"starts\":\"2026-04-01\",\"ends\":\"2027-03-31\"",
        "\"id\":\"5.4\",\"verdict\":\"unknown\",\"first\":\"2026-11-10T15:00:00Z\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (strstr(out.data, parts[i]) == NULL) {
            fail_msg("%s is not in %s", parts[i], out.data);
        }
    }
    assert_null(strstr(out.data, "secret-hostname"));
    assert_false(schema_holds(SCHEMA, "{\"format\":\"tenken-month/1\"}", 27, why));
    str_done(&out);
    month_done(&month);
    sign_key_free(m.key);
    sign_key_free(other.key);
    bench_close(&b);
}

/* The order in which evidence arrives changes nothing. */
static void test_any_order(void **state)
{
    static const unsigned orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};
    struct str first = STR_INIT((size_t)1 << 20);
    (void)state;
    for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
        struct bench_store b;
        struct maker m = maker_new(SEED_TEST1);
        struct month month;
        char *texts[4];
        struct str out = STR_INIT((size_t)1 << 20);
        bench_open(&b);
        bench_enroll(&b, &m, NOV_20);
        for (unsigned i = 0; i < 4; i++) {
            texts[i] = maker_day(&m, 10 + i, i == 1 ? "5.4=fail" : "5.4=pass");
        }
        for (unsigned i = 0; i < 4; i++) {
            (void)bench_put(&b, texts[orders[o][i]]);
        }
        load(&b, CONTRACT, "2026-11", &month);
        month_json(&month, &out);
        /* that some came late is said, and only that differs */
        char *late = strstr(out.data, "[\"late\"]");
        if (late != NULL) {
            memmove(late + 1, late + 7, strlen(late + 7) + 1);
        }
        if (o == 0) {
            str_add(&first, out.data);
        }
        assert_string_equal(out.data, first.data);
        str_done(&out);
        month_done(&month);
        sign_key_free(m.key);
        bench_close(&b);
    }
    str_done(&first);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part)) {
        n++;
    }
    return n;
}

static void check_page(const struct str *out)
{
    static const char *const forbidden[] = {
        "<script",  "secret-hostname", "<td></td>", "<td class=\"n\"></td>",
        "http://",  "https://",        "<img",      "<link",
        " onclick", "javascript",      "<b>",       "(null)",
        "mnt-03"};
    const char *body = strstr(out->data, "<body>");
    assert_non_null(body);
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        if (strstr(body, forbidden[i]) != NULL) {
            fail_msg("the page has %s", forbidden[i]);
        }
    }
    static const char *const pairs[] = {"table", "tr", "td", "th", "ul",   "li",   "thead",
                                        "tbody", "h1", "h2", "p",  "body", "html", "code"};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char open[16], opens[16], close[16];
        (void)snprintf(open, sizeof open, "<%s>", pairs[i]);
        (void)snprintf(opens, sizeof opens, "<%s ", pairs[i]);
        (void)snprintf(close, sizeof close, "</%s>", pairs[i]);
        assert_int_equal(count(out->data, open) + count(out->data, opens), count(out->data, close));
    }
}

static void test_page(void **state)
{
    struct bench_store b;
    struct maker m, other;
    (void)state;
    bench_open(&b);
    fill(&b, &m, &other);
    static const struct {
        enum lang lang;
        const char *parts[7];
    } want[] = {
        {LANG_JA,
         {"✗ 不適合", "？ 確認不能", "基準時点なし", "月次封印はまだありません", "札幌市",
          "資産番号の宣言なし、鍵", "保守 &lt;b&gt;&amp;"}},
        {LANG_EN,
         {"✗ fail", "？ unknown", "no baseline yet", "no month checkpoint yet", "札幌市",
          "no asset number, key", "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct month month;
        struct str out = STR_INIT((size_t)1 << 20);
        load(&b, CONTRACT, "2026-11", &month);
        page(&month, want[i].lang, &out);
        check_page(&out);
        for (size_t k = 0; k < ARRAY_LEN(want[i].parts); k++) {
            if (strstr(out.data, want[i].parts[k]) == NULL) {
                fail_msg("%s is not in the page", want[i].parts[k]);
            }
        }
        str_done(&out);
        month_done(&month);
    }
    sign_key_free(m.key);
    sign_key_free(other.key);
    bench_close(&b);
}

/* Nothing came: nothing is good, and no cell is empty. */
static void test_page_of_nothing(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    struct month month;
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, NOV_20 - 86400);
    for (int lang = LANG_JA; lang < N_LANGS; lang++) {
        struct str out = STR_INIT((size_t)1 << 20);
        load(&b, CONTRACT, "2026-11", &month);
        page(&month, (enum lang)lang, &out);
        check_page(&out);
        assert_null(strstr(out.data, "○"));
        str_done(&out);
        month_done(&month);
    }
    sign_key_free(m.key);
    bench_close(&b);
}

static void test_what_cannot_be(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    struct month month;
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, NOV_20);
    (void)bench_put(&b, maker_day(&m, 10, "5.4=pass"));
    struct maker second = m;
    second.framework = "machida-1";
    second.sequence = 0;
    second.previous[0] = '\0';
    month_init(&month);
    struct month_request rq = {.contract = "NONE", .name = "2026-11", .now_s = NOV_20};
    FAILS(ERR_ABSENT, month_load(b.store, &rq, &month, e));
    rq.contract = CONTRACT;
    rq.name = "2026-13";
    FAILS(ERR_INVALID, month_load(b.store, &rq, &month, e));
    rq.name = "2026-11";
    rq.framework = "none-such";
    FAILS(ERR_ABSENT, month_load(b.store, &rq, &month, e));
    (void)bench_put(&b, maker_day(&second, 10, "1.1=pass"));
    rq.framework = NULL;
    FAILS(ERR_INVALID, month_load(b.store, &rq, &month, e)); /* which of the two? */
    rq.framework = "machida-1";
    OK(month_load(b.store, &rq, &month, e));
    assert_int_equal(month.n_controls, 1);
    month_done(&month);
    sign_key_free(m.key);
    bench_close(&b);
}

/* Of terms that differ the widest counts. */
static void test_terms(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    struct month month;
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, NOV_20 - 20 * 86400);
    m.ends = "2026-11-10";
    (void)bench_put(&b, maker_day(&m, 10, "5.4=pass"));
    load(&b, CONTRACT, "2026-11", &month);
    assert_int_equal(month.due, 10);
    assert_false(month.terms_differ);
    month_done(&month);
    m.ends = "2026-11-12";
    (void)bench_put(&b, maker_day(&m, 11, "5.4=pass"));
    load(&b, CONTRACT, "2026-11", &month);
    assert_int_equal(month.due, 12);
    assert_true(month.terms_differ);
    month_done(&month);
    m.ends = "";
    (void)bench_put(&b, maker_day(&m, 12, "5.4=pass"));
    load(&b, CONTRACT, "2026-11", &month);
    assert_int_equal(month.due, 20); /* no end declared: due until today */
    month_done(&month);
    sign_key_free(m.key);
    bench_close(&b);
}

static void test_words(void **state)
{
    (void)state;
    for (unsigned v = 0; v < N_VERDICTS; v++) {
        assert_string_not_equal(verdict_text((enum verdict)v, LANG_JA), "");
        assert_string_not_equal(verdict_text((enum verdict)v, LANG_EN), "");
        assert_string_not_equal(verdict_mark((enum verdict)v), "");
    }
    assert_string_equal(verdict_text(VERDICT_UNKNOWN, LANG_JA), "確認不能");
    for (unsigned i = 0; i < N_FLAGS; i++) {
        assert_string_not_equal(flag_text(i, LANG_JA), "");
        assert_string_not_equal(flag_text(i, LANG_EN), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),           cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_page),           cmocka_unit_test(test_page_of_nothing),
        cmocka_unit_test(test_what_cannot_be), cmocka_unit_test(test_terms),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
