/* What is recorded for one contract (agent/policy/record.c, agent/policy/names.c,
 * agent/policy/owed.c): which tables, rows and columns,
 * which names, how much. */
#include "fixture.h"

#include "agent/base/json.h"

static const uint8_t key[32] = {1, 2, 3};

struct recorded {
    struct facts facts;
    struct pseudonyms *names;
};

static void cleanup_recorded(struct recorded *r)
{
    facts_done(&r->facts);
    pseudonyms_free(r->names);
}

static struct recorded record(const struct facts *raw, const char *site_text, const char *contract,
                              const char *sql, size_t max_bytes)
{
    CLEANUP(site) struct site *site = fixture_site(site_text);
    CLEANUP(read_set) struct read_set reads = {0};
    CLEANUP(free) const struct table **schema = fixture_schema();
    const struct policy p = {.n_checks = 0};
    struct recorded r = {0};
    struct err e = {0};
    assert_int_equal(sql_reads(&p, sql, schema, &reads, &e), 0);
    const struct record_request rq = {.facts = raw,
                                      .site = site,
                                      .contract = contract,
                                      .reads = &reads,
                                      .pseudonym_key = key,
                                      .max_bytes = max_bytes};
    int rc = record_build(&rq, &r.facts, &r.names, &e);
    if (rc != 0) {
        print_error("%s\n", e.msg);
    }
    assert_int_equal(rc, 0);
    return r;
}

static const char *cell(const struct facts *f, const char *table, size_t row, const char *column)
{
    const struct fact_table *t = facts_find(f, table);
    assert_non_null(t);
    assert_true(row < t->n_rows);
    int at = table_column(t->decl, column);
    if (at < 0) {
        return NULL;
    }
    const struct cell *c = &t->cells[row * t->decl->n_columns + (size_t)at];
    return c->type == CELL_TEXT ? c->v.t.p : "(no text)";
}

static bool has_column(const struct facts *f, const char *table, const char *column)
{
    const struct fact_table *t = facts_find(f, table);
    return t != NULL && table_column(t->decl, column) >= 0;
}

#define SITE                                                                                       \
    "contracts:\n"                                                                                 \
    "  - {id: A, framework: fw, time_zone: Asia/Tokyo}\n"                                          \
    "  - {id: B, framework: fw, time_zone: UTC}\n"                                                 \
    "data_paths:\n"                                                                                \
    "  - {path: /srv/a, contract: A}\n"                                                            \
    "  - {path: /srv/b, contract: B}\n"                                                            \
    "workers: [{id: W-01, username: tanaka, contract: A}]\n"

static void put_people(struct facts *f)
{
    struct err e = {0};
    struct fact_table *t = put_table(f, &users_table, STATE_COMPLETE, "");
    assert_int_equal(fact_row_va(t, &e, (int64_t)0, "root"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)999, "daemonish"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)1000, "suzuki"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)1001, "taro.sato"), 0);
    assert_int_equal(fact_row_va(t, &e, (int64_t)1002, "no"), 0);
}

static void test_record_tables_and_columns(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_people(&raw);
    put_account(&raw, "suzuki", 1000, 1, "Suzuki Ichiro", 1.5, "x");
    put_disk(&raw, "/", "root", 1, "luks2");
    put_scan(&raw);
    CLEANUP(recorded)
    struct recorded r = record(&raw, SITE, "A", "SELECT can_login FROM login_accounts", 0);
    static const char *const there[] = {
        "scan",          "probe_status",     "login_accounts",     "site_contracts",
        "site_settings", "site_permissions", "site_compensations", "site_attestations",
    };
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        if (facts_find(&r.facts, there[i]) == NULL) {
            print_error("%s is not recorded\n", there[i]);
        }
        assert_non_null(facts_find(&r.facts, there[i]));
    }
    /* Not read: not recorded, however interesting. */
    assert_null(facts_find(&r.facts, "users"));
    assert_null(facts_find(&r.facts, "mount_encryption"));
    assert_null(facts_find(&r.facts, "site_workers"));
    /* KEY though PERSONAL; not read but neither PERSONAL nor BULK; the rest only if read. */
    assert_true(has_column(&r.facts, "login_accounts", "username"));
    assert_true(has_column(&r.facts, "login_accounts", "uid"));
    assert_false(has_column(&r.facts, "login_accounts", "gecos"));
    assert_false(has_column(&r.facts, "login_accounts", "history"));
    CLEANUP(recorded)
    struct recorded all = record(&raw, SITE, "A", "SELECT gecos, history FROM login_accounts", 0);
    assert_true(has_column(&all.facts, "login_accounts", "gecos"));
    assert_true(has_column(&all.facts, "login_accounts", "history"));
    assert_false(has_column(&all.facts, "probe_status", "cpu_us"));
}

static void test_record_status_rows(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_people(&raw);
    put_table(&raw, &tls_table, STATE_DENIED, "not_visible: x");
    put_scan(&raw);
    CLEANUP(recorded)
    struct recorded r = record(&raw, SITE, "A", "SELECT endpoint FROM tls_versions", 0);
    const struct fact_table *t = facts_find(&r.facts, "probe_status");
    assert_int_equal(t->n_rows, 1);
    assert_string_equal(cell(&r.facts, "probe_status", 0, "tbl"), "tls_versions");
    assert_string_equal(cell(&r.facts, "probe_status", 0, "state"), "denied");
}

static void test_record_personal(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_people(&raw);
    put_account(&raw, "suzuki", 1000, 1, "Suzuki Ichiro", 1.5,
                "suzuki, taro.sato and /home/suzuki/x\nsuzuki; suzukis no tanaka root");
    put_account(&raw, "root", 0, 1, "", 1.5, "suzuki");
    put_account(&raw, "daemonish", 999, 0, "", 1.5, "");
    put_account(&raw, "yamada", 1000, 0, "", 1.5, "");
    put_scan(&raw);
    CLEANUP(recorded)
    struct recorded r =
        record(&raw, SITE, "A", "SELECT gecos, note, username FROM login_accounts", 0);
    char suzuki[32] = "";
    size_t plain = 0;
    for (size_t i = 0; i < 4; i++) {
        const char *name = cell(&r.facts, "login_accounts", i, "username");
        assert_string_not_equal(name, "suzuki");
        assert_string_not_equal(name, "yamada");
        bool is_system = strcmp(name, "root") == 0 || strcmp(name, "daemonish") == 0;
        plain += is_system ? 1 : 0;
        if (is_system) { /* no text is a value of its own */
            assert_string_equal(cell(&r.facts, "login_accounts", i, "gecos"), "");
        }
        const char *known = pseudonym_plain(r.names, name);
        if (known != NULL && strcmp(known, "suzuki") == 0) {
            (void)snprintf(suzuki, sizeof suzuki, "%s", name);
            assert_string_equal(
                pseudonym_plain(r.names, cell(&r.facts, "login_accounts", i, "gecos")),
                "Suzuki Ichiro");
        }
    }
    assert_int_equal(plain, 2);
    assert_int_equal(strlen(suzuki), 18);
    assert_int_equal(strncmp(suzuki, "p:", 2), 0);
    for (size_t i = 0; i < 4; i++) {
        const char *note = cell(&r.facts, "login_accounts", i, "note");
        if (strcmp(cell(&r.facts, "login_accounts", i, "username"), suzuki) != 0) {
            continue;
        }
        /* Whole words, the same pseudonym as in the PERSONAL column; words of settings stay. */
        assert_non_null(strstr(note, suzuki));
        assert_null(strstr(note, "suzuki,"));
        assert_null(strstr(note, "/suzuki/"));
        assert_null(strstr(note, "sato"));
        assert_null(strstr(note, "tanaka"));
        assert_null(strstr(note, "\\x0asuzuki"));
        assert_non_null(strstr(note, "suzukis"));
        assert_non_null(strstr(note, " no "));
        assert_non_null(strstr(note, " root"));
        CLEANUP(str) struct str shown = STR_INIT(4096);
        pseudonyms_show(r.names, note, &shown);
        assert_string_equal(str_text(&shown), "suzuki, taro.sato and /home/suzuki/x\\x0asuzuki; "
                                              "suzukis no tanaka root");
    }
}

static void test_record_without_users(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_account(&raw, "root", 0, 1, "", 1.5, "");
    put_scan(&raw);
    CLEANUP(recorded)
    struct recorded r = record(&raw, SITE, "A", "SELECT username FROM login_accounts", 0);
    /* Nothing says that root is no person: then no name leaves. */
    assert_string_equal(pseudonym_plain(r.names, cell(&r.facts, "login_accounts", 0, "username")),
                        "root");
}

/* Filled to tell names, not to be recorded. */
static void test_record_users_for_names(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_people(&raw);
    put_disk(&raw, "/home/suzuki", "home", 1, "luks2");
    put_scan(&raw);
    const struct check c = {.id = "c",
                            .query = "SELECT mount FROM mount_encryption WHERE encrypted = 0",
                            .file = "f",
                            .line = 1};
    const struct policy p = {.checks = &c, .n_checks = 1};
    CLEANUP(site) struct site *site = fixture_site(SITE);
    CLEANUP(free) const struct table **schema = fixture_schema();
    CLEANUP(read_set) struct read_set reads = {0};
    CLEANUP(recorded) struct recorded r = {0};
    struct err e = {0};
    assert_int_equal(policy_reads(&p, NULL, NULL, schema, &reads, &e), 0);
    const struct record_request rq = {
        .facts = &raw, .site = site, .contract = "A", .reads = &reads, .pseudonym_key = key};
    assert_int_equal(record_build(&rq, &r.facts, &r.names, &e), 0);
    assert_null(facts_find(&r.facts, "users"));
    assert_int_equal(facts_find(&r.facts, "probe_status")->n_rows, 1);
    assert_null(strstr(cell(&r.facts, "mount_encryption", 0, "mount"), "suzuki"));
}

static void test_record_joins_still_work(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_people(&raw);
    put_account(&raw, "tanaka", 1000, 1, "", 1.5, "");
    put_disk(&raw, "/home/suzuki/data", "data", 0, "none");
    put_scan(&raw);
    const char *site = "contracts: [{id: A, framework: fw}]\n"
                       "data_paths: [{path: /home/suzuki/data}]\n"
                       "workers: [{id: W-01, username: tanaka}]\n";
    const struct check c = {
        .id = "c",
        .query = "SELECT w.id, p.path FROM login_accounts AS a JOIN site_workers AS w ON "
                 "a.username = w.username JOIN site_data_paths AS p ON 1 JOIN mount_encryption "
                 "AS m ON m.mount = p.path"};
    CLEANUP(recorded) struct recorded r = record(&raw, site, "A", c.query, 0);
    const struct policy p = {.checks = &c, .n_checks = 1};
    CLEANUP(evaluation) struct evaluation *ev = judge_only(&p, &r.facts, "c");
    assert_int_equal(ev->checks[0].findings.n_rows, 1);
    assert_string_equal(ev->checks[0].findings.cells[0].v.t.p, "W-01");
    assert_null(strstr(ev->checks[0].findings.cells[1].v.t.p, "suzuki"));
}

static void test_record_owed_rows(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_disk(&raw, "/", "root", 1, "luks2");
    put_disk(&raw, "/srv/a", "other", 1, "luks2");
    put_disk(&raw, "/srv/a", "data", 1, "luks2");
    put_disk(&raw, "/srv/b", "other", 0, "none");
    put_disk(&raw, "/srv/b", "data", 0, "none");
    put_disk(&raw, "/srv/a", "coredump", 0, "none");
    put_disk(&raw, "/srv/a", "swap", 0, "none");
    put_disk(&raw, "/srv/a", "hibernate", 0, "none");
    put_scan(&raw);
    const char *sql = "SELECT mount FROM mount_encryption WHERE encrypted = 0";
    CLEANUP(recorded) struct recorded a = record(&raw, SITE, "A", sql, 0);
    const struct fact_table *t = facts_find(&a.facts, "mount_encryption");
    static const char *const want[] = {"/ root",           "/srv/a coredump", "/srv/a data",
                                       "/srv/a hibernate", "/srv/a swap",     "/srv/b other"};
    assert_int_equal(t->n_rows, ARRAY_LEN(want));
    for (size_t i = 0; i < t->n_rows; i++) {
        char row[64];
        (void)snprintf(row, sizeof row, "%s %s", cell(&a.facts, "mount_encryption", i, "mount"),
                       cell(&a.facts, "mount_encryption", i, "role"));
        assert_string_equal(row, want[i]);
    }
    /* Another contract's path is not in this one's evidence, and what was left out not counted. */
    assert_int_equal(facts_find(&a.facts, "site_data_paths")->n_rows, 1);
    const struct fact_table *status = facts_find(&a.facts, "probe_status");
    assert_int_equal(status->cells[table_column(status->decl, "rows")].v.i, 6);
    /* The raw facts are still whole, for the next contract and for query. */
    assert_int_equal(facts_find(&raw, "mount_encryption")->n_rows, 8);
    CLEANUP(site) struct site *site = fixture_site(SITE);
    struct err e = {0};
    assert_int_equal(owed_apply(&raw, site, "", &e), 0);
    assert_int_equal(facts_find(&raw, "mount_encryption")->n_rows, 6);
}

static void test_record_own_day(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_scan(&raw); /* 16:30 UTC: in Tokyo the next day has begun */
    CLEANUP(recorded) struct recorded a = record(&raw, SITE, "A", "SELECT 1", 0);
    CLEANUP(recorded) struct recorded b = record(&raw, SITE, "B", "SELECT 1", 0);
    assert_string_equal(cell(&a.facts, "scan", 0, "local_date"), "2026-11-21");
    assert_string_equal(cell(&b.facts, "scan", 0, "local_date"), "2026-11-20");
}

static void test_record_cap(void **state)
{
    (void)state;
    CLEANUP(facts) struct facts raw = {0};
    put_disk(&raw, "/", "root", 1, "luks2");
    for (int i = 0; i < 400; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "user%03d", i);
        put_account(&raw, name, 2000 + i, 0, "", 1.0, "");
    }
    put_scan(&raw);
    const char *sql = "SELECT m.mount FROM mount_encryption AS m JOIN login_accounts AS a ON "
                      "a.can_login = 1 AND m.role = 'root' AND m.encrypted = 0";
    const struct check c = {.id = "c", .query = sql};
    CLEANUP(recorded) struct recorded whole = record(&raw, SITE, "A", sql, 0);
    expect_verdict(&c, NULL, 0, &whole.facts, VERDICT_PASS, "", "below the cap");
    CLEANUP(recorded) struct recorded cut = record(&raw, SITE, "A", sql, 12000);
    const struct fact_table *t = facts_find(&cut.facts, "login_accounts");
    assert_true(t->truncated);
    assert_int_equal(t->state, STATE_TRUNCATED);
    assert_true(t->n_rows > 0 && t->n_rows < 400);
    assert_false(facts_find(&cut.facts, "mount_encryption")->truncated);
    expect_verdict(&c, NULL, 0, &cut.facts, VERDICT_UNKNOWN,
                   "incomplete: login_accounts truncated (cap: ", "beyond the cap");
}

static void test_record_wants_users(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        bool want;
    } rows[] = {
        {"SELECT endpoint FROM tls_versions", false},
        {"SELECT can_login FROM login_accounts", true}, /* its KEY is a name */
        {"SELECT device FROM mount_encryption", true},  /* mounts may hold names */
    };
    CLEANUP(free) const struct table **schema = fixture_schema();
    const struct policy p = {.n_checks = 0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(read_set) struct read_set reads = {0};
        struct err e = {0};
        assert_int_equal(sql_reads(&p, rows[i].sql, schema, &reads, &e), 0);
        assert_int_equal(record_wants_users(&reads, schema), rows[i].want);
    }
}

/* --- through JSON and back --- */

static void copy_json(struct fact_table *to, struct cell *c, const json_t *v)
{
    struct err e = {0};
    if (json_is_integer(v)) {
        cell_int(c, (int64_t)json_integer_value(v));
    } else if (json_is_real(v)) {
        c->type = CELL_REAL;
        c->v.r = json_real_value(v);
    } else if (json_is_string(v)) {
        assert_int_equal(fact_text(to, c, json_string_value(v), json_string_length(v), &e), 0);
    }
}

static void round_trip(const struct facts *from, struct facts *to)
{
    for (size_t i = 0; i < from->n; i++) {
        const struct fact_table *t = from->tables[i];
        struct fact_table *back = put_table(to, t->decl, STATE_NOT_RUN, "");
        back->truncated = t->truncated;
        for (size_t row = 0; row < t->n_rows; row++) {
            struct err e = {0};
            struct cell *cells = NULL;
            assert_int_equal(fact_row(back, &cells, &e), 0);
            for (size_t k = 0; k < t->decl->n_columns; k++) {
                CLEANUP(str) struct str text = STR_INIT(1 << 20);
                CLEANUP(json) json_t *json = NULL;
                struct json_out j;
                jout_begin(&j, &text, false);
                jout_open(&j, '[');
                jout_cell(&j, &t->cells[row * t->decl->n_columns + k]);
                jout_close(&j, ']');
                assert_int_equal(json_parse("cell", str_text(&text), text.len, &json, &e), 0);
                copy_json(back, &cells[k], json_array_get(json, 0));
            }
        }
    }
}

static void same_rows(const struct result_rows *a, const struct result_rows *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(a->n_columns, b->n_columns);
    for (size_t i = 0; i < a->n_rows * a->n_columns; i++) {
        assert_int_equal(cell_compare(&a->cells[i], &b->cells[i]), 0);
        assert_int_equal(a->cells[i].type, b->cells[i].type);
    }
}

static void test_record_redone(void **state)
{
    (void)state;
    static const struct check checks[] = {
        {.id = "ages",
         .query = "SELECT username, age_days, uid FROM login_accounts WHERE age_days > 1"},
        {.id = "disks", .query = "SELECT mount FROM mount_encryption WHERE encrypted = 0"},
    };
    const struct policy p = {.checks = checks, .n_checks = 2};
    CLEANUP(facts) struct facts raw = {0};
    put_people(&raw);
    put_account(&raw, "suzuki", 1000, 1, "x", 2.0, "");
    put_account(&raw, "yamada", 1001, 1, "x", 0.1 + 0.2 + 1, "");
    put_disk(&raw, "/", "root", 1, "luks2");
    put_scan(&raw);
    CLEANUP(str) struct str sql = STR_INIT(4096);
    str_addf(&sql, "SELECT a.username FROM login_accounts AS a, mount_encryption AS m WHERE "
                   "a.age_days > a.uid AND m.encrypted = 0 AND m.role = 'x'");
    CLEANUP(recorded)
    struct recorded r =
        record(&raw, "contracts: [{id: A, framework: fw}]\n", "A", str_text(&sql), 0);
    CLEANUP(facts) struct facts back = {0};
    round_trip(&r.facts, &back);
    /* What a reader of evidence does not have: the pointers of the declaration. */
    struct table bare = *facts_find(&back, "mount_encryption")->decl;
    bare.owed = NULL;
    facts_find(&back, "mount_encryption")->decl = &bare;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(evaluation) struct evaluation *one = judge_only(&p, &r.facts, checks[i].id);
        CLEANUP(evaluation) struct evaluation *two = judge_only(&p, &r.facts, checks[i].id);
        CLEANUP(evaluation) struct evaluation *three = judge_only(&p, &back, checks[i].id);
        assert_int_equal(one->checks[0].verdict, i == 0 ? VERDICT_FAIL : VERDICT_UNKNOWN);
        assert_int_equal(one->checks[0].verdict, two->checks[0].verdict);
        assert_int_equal(one->checks[0].verdict, three->checks[0].verdict);
        assert_string_equal(one->checks[0].reason, two->checks[0].reason);
        assert_string_equal(one->checks[0].reason, three->checks[0].reason);
        same_rows(&one->checks[0].findings, &two->checks[0].findings);
        same_rows(&one->checks[0].findings, &three->checks[0].findings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_tables_and_columns),
        cmocka_unit_test(test_record_status_rows),
        cmocka_unit_test(test_record_personal),
        cmocka_unit_test(test_record_without_users),
        cmocka_unit_test(test_record_users_for_names),
        cmocka_unit_test(test_record_joins_still_work),
        cmocka_unit_test(test_record_owed_rows),
        cmocka_unit_test(test_record_own_day),
        cmocka_unit_test(test_record_cap),
        cmocka_unit_test(test_record_wants_users),
        cmocka_unit_test(test_record_redone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
