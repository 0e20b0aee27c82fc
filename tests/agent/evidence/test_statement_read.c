/* Reading statements back: the facts as they were, with their schema and states; and every way in
 * which a statement can be wrong. */
#include "tests/agent/evidence/sample.h"

static const char host[] = "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9";

static void test_round_trip(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(facts) struct facts f = {0};
    CLEANUP(statement) struct statement s = {0};
    struct sample_verdicts v;
    sample_facts(&f, INT64_MIN); /* NULL */
    sample_verdicts(&v, VERDICT_UNKNOWN);
    struct fact_table *mounts = facts_find(&f, "mount_encryption");
    struct cell *row = NULL;
    OK(fact_row(mounts, &row, e)); /* a row of the extremes */
    OK(fact_text(mounts, &row[0], "\"\\\\xff\" \xf0\x9f\x94\x92", 12, e));
    OK(fact_text(mounts, &row[1], "swap", 4, e));
    cell_int(&row[2], INT64_MAX);
    row[3] = (struct cell){.type = CELL_REAL, .v.r = 0.1};
    struct statement_request rq = {
        .meta = sample_meta(host), .facts = &f, .probes = &f, .evaluation = &v.ev};
    OK(statement_write(&rq, &text, e));
    OK(statement_parse(text.data, text.len, &s, e));
    assert_int_equal(s.facts.n, f.n);
    for (size_t t = 0; t < f.n; t++) {
        const struct fact_table *a = f.tables[t], *b = facts_find(&s.facts, a->decl->name);
        assert_non_null(b);
        assert_int_equal(a->n_rows, b->n_rows);
        assert_int_equal(a->decl->n_columns, b->decl->n_columns);
        assert_int_equal(a->decl->kind, b->decl->kind);
        for (size_t c = 0; c < a->decl->n_columns; c++) {
            const struct column *x = &a->decl->columns[c], *y = &b->decl->columns[c];
            assert_string_equal(x->name, y->name);
            assert_int_equal(x->type, y->type);
            assert_int_equal(x->flags, y->flags);
            assert_int_equal(x->values == NULL, y->values == NULL);
            if (x->values != NULL) {
                assert_string_equal(x->values, y->values);
            }
        }
        for (size_t i = 0; i < a->n_rows * a->decl->n_columns; i++) {
            assert_int_equal(a->cells[i].type, b->cells[i].type);
            assert_int_equal(cell_compare(&a->cells[i], &b->cells[i]), 0);
        }
    }
    assert_string_equal(s.contract, "SPR-2026-014");
    assert_string_equal(s.framework_digest, rq.meta.framework_digest);
    assert_string_equal(s.machine_id, rq.meta.machine_id);
    assert_string_equal(s.previous_chain, "");
    assert_string_equal(s.sqlite, "3.40.1");
    assert_int_equal(s.sequence, 1);
    assert_true(s.live);
}

/* One table's recorded state, as the redo will see it. */
static void state_of(const char *status_state, bool truncated, bool with_status,
                     enum fact_state want)
{
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(facts) struct facts f = {0};
    CLEANUP(statement) struct statement s = {0};
    struct sample_verdicts v;
    struct fact_table *t = NULL;
    sample_facts(&f, 1);
    facts_find(&f, "mount_encryption")->truncated = truncated;
    facts_remove(&f, "probe_status");
    if (with_status) {
        OK(facts_add(&f, &sample_status, "", &t, e));
        OK(fact_row_va(t, e, "disk", "mount_encryption", status_state, "word: detail", INT64_C(2),
                       INT64_C(1), INT64_C(1)));
    }
    sample_verdicts(&v, VERDICT_UNKNOWN);
    struct statement_request rq = {
        .meta = sample_meta(host), .facts = &f, .probes = &f, .evaluation = &v.ev};
    OK(statement_write(&rq, &text, e));
    OK(statement_parse(text.data, text.len, &s, e));
    const struct fact_table *m = facts_find(&s.facts, "mount_encryption");
    assert_int_equal(m->state, want);
    assert_int_equal(facts_find(&s.facts, "scan")->state, STATE_COMPLETE);
    if (with_status) {
        assert_string_equal(m->reason, "word: detail");
    }
}

static void test_states(void **state)
{
    (void)state;
    state_of("complete", false, true, STATE_COMPLETE);
    state_of("denied", false, true, STATE_DENIED);
    state_of("absent", false, true, STATE_ABSENT);
    state_of("complete", true, true, STATE_TRUNCATED); /* cut when recorded: not complete */
    state_of("crashed", true, true, STATE_CRASHED);    /* the graver one */
    state_of("", false, false, STATE_NOT_RUN);         /* nobody says that it was looked at */
}

/* Replaces the first `from` of the sample by `to`, mends the subject digest if asked, and parses.
 */
static int parse_changed(const char *from, const char *to, bool mend, struct err *why)
{
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str changed = STR_INIT(ENVELOPE_MAX);
    CLEANUP(statement) struct statement s = {0};
    struct statement_meta meta = sample_meta(host);
    sample_statement(&meta, 0, NULL, &text);
    const char *at = strstr(text.data, from);
    if (at == NULL) {
        fail_msg("the sample has no %s", from);
        return 0;
    }
    str_add_bytes(&changed, text.data, (size_t)(at - text.data));
    str_add(&changed, to);
    str_add(&changed, at + strlen(from));
    if (mend) {
        char *facts = strstr(changed.data, "\"facts\":") + 8;
        char *end = strstr(changed.data, ",\"drift\":");
        char *digest = strstr(changed.data, "\"sha256\":\"") + 10;
        char sum[SHA256_HEX];
        OK(sha256_hex(facts, (size_t)(end - facts), sum, e));
        memcpy(digest, sum, 64);
    }
    return statement_parse(changed.data, changed.len, &s, why);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        bool mend;
        int want;
        const char *why;
    } rows[] = {
        {"\"SP-017\"", "\"SP-018\"", false, 0,
         "the digest covers the facts alone: the signature covers this"},
        {"\"/srv/city\",\"data\",0", "\"/srv/city\",\"data\",1", false, ERR_MALFORMED,
         "a fact changed: the subject digest tells"},
        {"\"/srv/city\",\"data\",0", "\"/srv/city\",\"data\",1", true, 0,
         "and with the digest mended it is well-formed again"},
        {"\"facts\":{", "\"facts\":{ ", false, ERR_MALFORMED, "the bytes as they stand"},
        {"in-toto.io/Statement/v1", "in-toto.io/Statement/v2", false, ERR_UNSUPPORTED,
         "other type"},
        {"host-posture/v1", "host-posture/v9", false, ERR_UNSUPPORTED, "other predicate"},
        {"\"predicate\":{", "\"predicate\":[{", false, ERR_MALFORMED, "no JSON"},
        {"\"subject\":[{", "\"subject\":[{},{", false, ERR_MALFORMED, "two subjects"},
        {"\"sequence\":1", "\"sequence\":0", false, ERR_MALFORMED, "sequences begin at 1"},
        {"\"sequence\":1", "\"sequence\":2", false, ERR_MALFORMED, "second without a previous"},
        {"\"sequence\":1", "\"sequence\":1.5", false, ERR_MALFORMED, "no whole number"},
        {"\"chain\":\"0011", "\"chain\":\"00G1", false, ERR_MALFORMED,
         "chain becomes a directory's name"},
        {"\"chain\":\"0011", "\"chain\":\"../x", false, ERR_MALFORMED, "and no path"},
        {"\"machine_id\":", "\"machine\":", false, ERR_MALFORMED, "member missing"},
        {"\"framework\":\"sapporo-7-2\"", "\"framework\":7", false, ERR_MALFORMED,
         "member of another type"},
        {"\"checks\":[", "\"checks\":[7,", false, ERR_MALFORMED, "a check that is none"},
        {"\"controls\":[{\"id\":\"5.6a\"", "\"controls\":[{\"ID\":\"5.6a\"", false, ERR_MALFORMED,
         "control without id"},
        {"\"drift\":{", "\"drift\":[],\"d\":{", false, ERR_MALFORMED, "drift is no object"},
        {"\"rows\":[[\"/\"", "\"rows\":[[1,\"/\"", true, ERR_MALFORMED, "more cells than columns"},
        {"\"root\",1,0.5", "\"root\",\"x\",0.5", true, ERR_MALFORMED, "text in an integer column"},
        {"\"root\",1,0.5", "\"root\",1.5,0.5", true, ERR_MALFORMED, "real in an integer column"},
        {"\"root\",1,0.5", "7,1,0.5", true, ERR_MALFORMED, "integer in a text column"},
        {"\"root\",1,0.5", "\"root\",true,0.5", true, ERR_MALFORMED, "SQLite has no booleans"},
        {"\"root\",1,0.5", "\"root\",\"1\\\",\",0.5", true, ERR_MALFORMED, "digits only"},
        {"\"type\":\"real\"", "\"type\":\"blob\"", true, ERR_MALFORMED, "unknown type"},
        {"{\"name\":\"score\"", "{\"name\":\"mount\"", true, ERR_MALFORMED, "column twice"},
        {"{\"name\":\"score\"", "{\"name\":\"x\\\" INT); --\"", true, ERR_MALFORMED,
         "a name that is SQL"},
        {"\"facts\":{\"mount_encryption\"", "\"facts\":{\"a\\u0022b\"", true, ERR_MALFORMED,
         "a table's name that is SQL"},
        {"\"facts\":{\"mount_encryption\":{\"columns\":[{",
         "\"facts\":{\"mount_encryption\":{\"columns\":[],\"x\":[{", true, ERR_MALFORMED,
         "no columns"},
        {"\"mount_encryption\",\"complete\"", "\"mount_encryption\",\"fine\"", true, ERR_MALFORMED,
         "a state that is none"},
        {"\"flags\":[\"KEY\"]", "\"flags\":[\"KEY\",\"LATER\"]", true, 0,
         "a flag of a later version"},
        {"\"sqlite\":", "\"later\":{\"x\":[1]},\"sqlite\":", false, 0,
         "a member of a later version"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        int rc = parse_changed(rows[i].from, rows[i].to, rows[i].mend, &err);
        if (rc != rows[i].want) {
            fail_msg("%s: gave %d (%s)", rows[i].why, rc, err.msg);
        }
    }
}

/* Cut anywhere: refused, nothing leaks (the sanitizer watches). */
static void test_every_prefix(void **state)
{
    (void)state;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    struct statement_meta meta = sample_meta(host);
    sample_statement(&meta, 0, NULL, &text);
    for (size_t n = 0; n < text.len; n++) {
        CLEANUP(statement) struct statement s = {0};
        assert_int_equal(statement_parse(text.data, n, &s, NULL), ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
