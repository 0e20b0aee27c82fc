/* The SQLite store: server-stub/store_sqlite.c, server-stub/store_sqlite_sql.c,
 * server-stub/store_sqlite_read.c, server-stub/store_sqlite_write.c; and what stands close to it:
 * server-stub/collector.c, server-stub/chains.c. */
#include "tests/server-stub/harness.h"

#include <sqlite3.h>

#include "server-stub/chains.h"

/* Version 1 as it was: made here, so that the upgrade is tried on what the program no longer makes.
 */
static const char version_1[] =
    "CREATE TABLE token(id TEXT PRIMARY KEY, hash BLOB NOT NULL, role TEXT NOT NULL,"
    "  contract TEXT NOT NULL, uses_left INTEGER NOT NULL, expires_s INTEGER NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE TABLE host(keyid TEXT PRIMARY KEY, pem TEXT NOT NULL, hostname TEXT NOT NULL,"
    "  enrolled_at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE host_contract(keyid TEXT NOT NULL, contract TEXT NOT NULL,"
    "  enrolled_at INTEGER NOT NULL, PRIMARY KEY(keyid, contract)) WITHOUT ROWID;"
    "CREATE INDEX host_contract_contract ON host_contract(contract);"
    "CREATE TABLE host_machine(keyid TEXT NOT NULL, machine_id TEXT NOT NULL,"
    "  PRIMARY KEY(keyid, machine_id)) WITHOUT ROWID;"
    "CREATE TABLE declaration(id INTEGER PRIMARY KEY, contract TEXT NOT NULL,"
    "  authority TEXT NOT NULL, work TEXT NOT NULL, starts TEXT NOT NULL, ends TEXT NOT NULL,"
    "  time_zone TEXT NOT NULL, last_date TEXT NOT NULL,"
    "  UNIQUE(contract, authority, work, starts, ends, time_zone));"
    "CREATE TABLE evidence(id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
    "  keyid TEXT NOT NULL, contract TEXT NOT NULL, framework TEXT NOT NULL,"
    "  framework_version TEXT NOT NULL, chain TEXT NOT NULL, sequence INTEGER NOT NULL,"
    "  previous TEXT NOT NULL, previous_chain TEXT NOT NULL, time_s INTEGER NOT NULL,"
    "  local_date TEXT NOT NULL, asset TEXT NOT NULL, hostname TEXT NOT NULL,"
    "  machine_id TEXT NOT NULL, rules_version TEXT NOT NULL, rules_unmodified INTEGER NOT NULL,"
    "  declaration INTEGER NOT NULL REFERENCES declaration(id), verdicts TEXT NOT NULL,"
    "  flags INTEGER NOT NULL, received_at INTEGER NOT NULL, redo INTEGER NOT NULL DEFAULT 0,"
    "  receipt TEXT NOT NULL, sig BLOB NOT NULL, payload_n INTEGER NOT NULL,"
    "  payload BLOB NOT NULL);"
    "CREATE INDEX evidence_chain ON evidence(keyid, contract, framework, chain, sequence);"
    "CREATE INDEX evidence_redo ON evidence(id) WHERE redo = 0;"
    "CREATE TABLE deletion(id INTEGER PRIMARY KEY, contract TEXT NOT NULL, reason TEXT NOT NULL,"
    "  erased_at INTEGER NOT NULL, n INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,"
    "  digests TEXT NOT NULL);"
    "INSERT INTO host VALUES('k1','pem-1','mnt-01',1794000000);"
    "INSERT INTO host_contract VALUES('k1','SPR-2026-014',1794000000);"
    "INSERT INTO declaration VALUES(1,'SPR-2026-014','a','w','2026-04-01','2027-03-31',"
    "  'Asia/Tokyo','2026-11-01');"
    "INSERT INTO evidence VALUES(1,'d1','k1','SPR-2026-014','sapporo-7-2','1','c1',1,'','',"
    "  1794000000,'2026-11-01','SP-1','mnt-01','m','1.0',1,1,'5.4=pass' || char(10),0,1794000001,1,"
    "  'receipt-1',zeroblob(64),1,x'00');"
    "PRAGMA user_version=1;";

static void sql(const char *dir, const char *text)
{
    char path[128];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/evidence.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_upgrade(void **state)
{
    char dir[64];
    struct store *s = NULL;
    struct store_counts c;
    (void)state;
    scratch_make(dir);
    sql(dir, version_1);
    FAILS(ERR_UNSUPPORTED, store_open(dir, STORE_READ, &s, e)); /* reading never changes it */
    for (unsigned i = 0; i < 2; i++) {
        struct str receipt = STR_INIT(100);
        OK(store_open(dir, STORE_WRITE, &s, e));
        OK(store_check(s, e));
        OK(store_count(s, &c, e));
        assert_int_equal(c.evidence, 1);
        assert_int_equal(c.hosts, 1);
        OK(store_receipt_find(s, "d1", &receipt, e));
        assert_string_equal(receipt.data, "receipt-1");
        OK(store_redo_set(s, 1, REDO_STATE_DIFFERS, "[1]", e)); /* a column of version 2 */
        OK(store_count(s, &c, e));
        assert_int_equal(c.redo_differs, 1);
        assert_int_equal(c.flagged, 1);
        OK(store_redo_set(s, 1, REDO_STATE_SAME, "[]", e));
        OK(store_count(s, &c, e));
        assert_int_equal(c.flagged, 0); /* the flag goes with its cause */
        store_close(s);
        str_done(&receipt);
    }
    scratch_remove(dir);
}

static void test_versions(void **state)
{
    static const struct {
        const char *why, *make;
        int read, write;
    } rows[] = {
        {"a newer store", "PRAGMA user_version=99", ERR_UNSUPPORTED, ERR_UNSUPPORTED},
        {"an empty database", "PRAGMA user_version=0", ERR_UNSUPPORTED, 0},
        {"another program's database", "CREATE TABLE token(x); PRAGMA user_version=0",
         ERR_UNSUPPORTED, ERR_INTERNAL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char dir[64];
        struct store *s = NULL;
        struct err err;
        scratch_make(dir);
        sql(dir, rows[i].make);
        int rc = store_open(dir, STORE_READ, &s, &err);
        if (rc != rows[i].read) {
            fail_msg("%s: reading: %d %s", rows[i].why, rc, err.msg);
        }
        rc = store_open(dir, STORE_WRITE, &s, &err);
        if (rc != rows[i].write) {
            fail_msg("%s: writing: %d %s", rows[i].why, rc, err.msg);
        }
        store_close(rc == 0 ? s : NULL);
        scratch_remove(dir);
    }
}

static void test_not_a_store(void **state)
{
    char dir[64], path[128];
    struct store *s = NULL;
    (void)state;
    scratch_make(dir);
    FAILS(ERR_ABSENT, store_open(dir, STORE_READ, &s, e));
    FAILS(ERR_UNSUPPORTED, store_open("postgresql://db/x", STORE_WRITE, &s, e));
    (void)snprintf(path, sizeof path, "%s/evidence.db", dir);
    OK(io_write_atomic(path, "this is no database, whatever its name says.........", 52, 0600, e));
    FAILS(ERR_MALFORMED, store_open(dir, STORE_WRITE, &s, e));
    scratch_remove(dir);
}

static void test_tokens(void **state)
{
    static const struct {
        const char *why;
        struct token_request rq;
        int want;
    } rows[] = {
        {"enrolment", {"C-1", "", 1, 0}, 0},
        {"reading, of all contracts", {"", "auditor", 1, 0}, 0},
        {"reading, of one", {"C-1", "operator", 1, 3660}, 0},
        {"enrolment for no contract", {"", "", 1, 0}, ERR_INVALID},
        {"no such role", {"C-1", "admin", 1, 0}, ERR_INVALID},
        {"for no host", {"C-1", "", 0, 0}, ERR_INVALID},
        {"for ever", {"C-1", "", 1, 99999}, ERR_INVALID},
    };
    struct bench_store b;
    (void)state;
    bench_open(&b);
    const char *keyid = sign_key_id(b.collector.key);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[TOKEN_TEXT_MAX] = "";
        struct token_row t;
        struct err err;
        bool api = rows[i].rq.role[0] != '\0';
        int rc = token_make(b.store, &b.collector, &rows[i].rq, 1000, text, &err);
        if (rc != rows[i].want) {
            fail_msg("%s: %d", rows[i].why, rc);
        }
        if (rc != 0) {
            continue;
        }
        int64_t days = rows[i].rq.days != 0 ? rows[i].rq.days : api ? 365 : 14;
        OK(token_check(b.store, keyid, text, api, 1000 + days * 86400 - 1, &t, e));
        assert_string_equal(t.contract, rows[i].rq.contract);
        FAILS(ERR_MISMATCH,
              token_check(b.store, keyid, text, api, 1000 + days * 86400, &t, e)); /* expired */
        FAILS(ERR_MISMATCH, token_check(b.store, keyid, text, !api, 1000, &t, e));
        FAILS(ERR_MISMATCH, token_check(b.store, "00", text, api, 1000, &t, e));
        text[56] = '\0'; /* without the pin it is good too */
        OK(token_check(b.store, keyid, text, api, 1000, &t, e));
        text[55] = '\0';
        FAILS(ERR_MISMATCH, token_check(b.store, keyid, text, api, 1000, &t, e));
    }
    /* the secret part is nowhere in the store */
    char text[TOKEN_TEXT_MAX], path[128];
    struct str db = STR_INIT((size_t)4 << 20);
    const struct token_request rq = {"C-1", "", 1, 0};
    OK(token_make(b.store, &b.collector, &rq, 1000, text, e));
    text[56] = '\0';
    OK(store_flush(b.store, e));
    (void)snprintf(path, sizeof path, "%s/evidence.db", b.dir);
    OK(io_read_file(path, (size_t)4 << 20, &db, e));
    assert_null(memmem(db.data, db.len, text + 16, 40));
    assert_non_null(memmem(db.data, db.len, text, 16));
    str_done(&db);
    struct token_row t;
    OK(token_check(b.store, keyid, text, false, 1000, &t, e));
    OK(store_token_use(b.store, t.id, e));
    FAILS(ERR_LIMIT, store_token_use(b.store, t.id, e));
    FAILS(ERR_MISMATCH, token_check(b.store, keyid, text, false, 1000, &t, e));
    bench_close(&b);
}

static void test_collector_key(void **state)
{
    char dir[64], path[128];
    struct collector c = {.dir = NULL}, again = {.dir = NULL};
    struct stat st;
    (void)state;
    scratch_make(dir);
    FAILS(ERR_ABSENT, collector_open(dir, false, &c, e));
    FAILS(ERR_INVALID, collector_open("postgresql://x", true, &c, e));
    OK(collector_open(dir, true, &c, e));
    OK(collector_open(dir, true, &again, e));
    assert_string_equal(sign_key_id(c.key), sign_key_id(again.key));
    (void)snprintf(path, sizeof path, "%s/collector.key", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    collector_done(&c);
    collector_done(&again);
    scratch_remove(dir);
}

/* A part that fails is undone alone; a transaction that is dropped leaves nothing. */
static void test_parts(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1), other = maker_new(SEED_TEST2);
    struct store_counts c;
    (void)state;
    bench_open(&b);
    OK(store_begin(b.store, e));
    OK(store_part_begin(b.store, e));
    bench_enroll(&b, &m, 1);
    OK(store_part_end(b.store, true, e));
    OK(store_part_begin(b.store, e));
    bench_enroll(&b, &other, 1);
    OK(store_part_end(b.store, false, e));
    OK(store_commit(b.store, e));
    OK(store_count(b.store, &c, e));
    assert_int_equal(c.hosts, 1);
    OK(store_begin(b.store, e));
    bench_enroll(&b, &other, 1);
    store_rollback(b.store);
    OK(store_count(b.store, &c, e));
    assert_int_equal(c.hosts, 1);
    sign_key_free(m.key);
    sign_key_free(other.key);
    bench_close(&b);
}

/* Erased is erased: not in the tables, not in the file; a record of it stays. */
static void test_erase(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1), kept = maker_new(SEED_TEST2);
    char path[128];
    struct str db = STR_INIT((size_t)16 << 20);
    struct store_counts c;
    (void)state;
    bench_open(&b);
    kept.contract = "KEPT-1";
    bench_enroll(&b, &m, 1);
    bench_enroll(&b, &kept, 1);
    m.asset = "ERASE-ME-ASSET";
    (void)bench_put(&b, maker_day(&m, 1, "5.4=pass"));
    (void)bench_put(&b, maker_day(&m, 3, "5.4=pass"));
    (void)bench_put(&b, maker_day(&kept, 1, "5.4=pass"));
    struct deletion d = {.contract = CONTRACT, .reason = "kept until", .erased_at = 5};
    OK(store_begin(b.store, e));
    OK(store_erase(b.store, &d, e));
    OK(store_commit(b.store, e));
    OK(store_flush(b.store, e));
    assert_int_equal(d.n, 2);
    assert_string_equal(d.first, "2026-11-01");
    assert_string_equal(d.last, "2026-11-03");
    OK(store_count(b.store, &c, e));
    assert_int_equal(c.evidence, 1);
    assert_int_equal(c.hosts, 1);
    OK(store_check(b.store, e));
    (void)snprintf(path, sizeof path, "%s/evidence.db", b.dir);
    OK(io_read_file(path, (size_t)16 << 20, &db, e));
    assert_null(memmem(db.data, db.len, "ERASE-ME-ASSET", 14));
    assert_non_null(memmem(db.data, db.len, d.digests, 64));
    /* what comes after the erasure is not taken */
    struct ingest *in = NULL;
    struct refusal no;
    char *t = maker_day(&m, 4, "5.4=pass");
    OK(ingest_check(b.store, b.packer, t, strlen(t), &in, &no, e));
    assert_null(in);
    assert_int_equal(no.status, 401);
    free(t);
    str_done(&db);
    sign_key_free(m.key);
    sign_key_free(kept.key);
    bench_close(&b);
}

/* Chains in the order of their links, whatever their times say. */
static void test_chain_order(void **state)
{
    struct chain_item items[] = {
        {.contract = (char *)(uintptr_t) "A",
         .framework = (char *)(uintptr_t) "f",
         .chain = "3",
         .previous_chain = "2",
         .first_time_s = 10},
        {.contract = (char *)(uintptr_t) "A",
         .framework = (char *)(uintptr_t) "f",
         .chain = "1",
         .first_time_s = 30},
        {.contract = (char *)(uintptr_t) "A",
         .framework = (char *)(uintptr_t) "f",
         .chain = "2",
         .previous_chain = "1",
         .first_time_s = 20},
        {.contract = (char *)(uintptr_t) "A",
         .framework = (char *)(uintptr_t) "g",
         .chain = "9",
         .first_time_s = 5},
    };
    struct chain_items list = {.items = items, .n = ARRAY_LEN(items)};
    (void)state;
    chains_order(&list);
    assert_string_equal(items[0].chain, "1");
    assert_string_equal(items[1].chain, "2");
    assert_string_equal(items[2].chain, "3");
    assert_false(items[1].is_current);
    assert_true(items[2].is_current);
    assert_true(items[3].is_current);
    /* a circle of links ends */
    (void)snprintf(items[0].previous_chain, sizeof items[0].previous_chain, "3");
    chains_order(&list);
}

static void test_chain_gap(void **state)
{
    struct bench_store b;
    struct maker m = maker_new(SEED_TEST1);
    struct chain_items chains = {.n = 0};
    (void)state;
    bench_open(&b);
    bench_enroll(&b, &m, 1);
    char *first = maker_day(&m, 1, "5.4=pass"), *second = maker_day(&m, 2, "5.4=pass");
    (void)bench_put(&b, second);
    OK(chains_load(b.store, sign_key_id(m.key), "", NULL, &chains, e));
    assert_int_equal(chains.n, 1);
    assert_int_equal(chain_flags(&chains.items[0]), FLAG_GAP);
    assert_int_equal(chains.items[0].first_time_s, 1793588400);
    chain_items_done(&chains);
    (void)bench_put(&b, first);
    OK(chains_load(b.store, sign_key_id(m.key), "", NULL, &chains, e));
    assert_int_equal(chain_flags(&chains.items[0]), FLAG_LATE); /* the gap is closed */
    chain_items_done(&chains);
    OK(chains_load(b.store, sign_key_id(m.key), "", "other", &chains, e));
    assert_int_equal(chains.n, 0);
    chain_items_done(&chains);
    sign_key_free(m.key);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upgrade),       cmocka_unit_test(test_versions),
        cmocka_unit_test(test_not_a_store),   cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_collector_key), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_erase),         cmocka_unit_test(test_chain_order),
        cmocka_unit_test(test_chain_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
