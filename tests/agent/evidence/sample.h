/* What the tests of this folder share: a scratch directory, the public test key of RFC 8032, and a
 * small inspection with its verdicts. */
#ifndef TENKEN_TESTS_EVIDENCE_SAMPLE_H
#define TENKEN_TESTS_EVIDENCE_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "agent/base/io.h"
#include "agent/evidence/evidence.h"
#include "agent/evidence/key.h"

/* Asserts rc == 0 and shows the error's text when not. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct err ok_err = {0};                                                                   \
        struct err *e = &ok_err;                                                                   \
        int ok_rc = (call);                                                                        \
        if (ok_rc != 0) {                                                                          \
            fail_msg("%s: %d %s", #call, ok_rc, ok_err.msg);                                       \
        }                                                                                          \
    } while (0)

/* Asserts that call gives code. */
#define FAILS(code, call)                                                                          \
    do {                                                                                           \
        struct err fails_err = {0};                                                                \
        struct err *e = &fails_err;                                                                \
        int fails_rc = (call);                                                                     \
        if (fails_rc != (code)) {                                                                  \
            fail_msg("%s: gave %d (%s), not %s", #call, fails_rc, fails_err.msg, #code);           \
        }                                                                                          \
        assert_string_not_equal(fails_err.msg, "");                                                \
    } while (0)

/* The directory part is removed by scratch_remove. */
static inline void scratch_make(char dir[64])
{
    (void)snprintf(dir, 64, "/tmp/tenken-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static inline void scratch_remove_below(const char *dir)
{
    struct strv names = {0};
    if (io_list(dir, "", &names, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < names.n; i++) {
        struct str path = STR_INIT(4096);
        struct stat st;
        str_addf(&path, "%s/%s", dir, names.items[i]);
        if (lstat(str_text(&path), &st) == 0 && S_ISDIR(st.st_mode)) {
            scratch_remove_below(str_text(&path));
            (void)rmdir(str_text(&path));
        } else {
            (void)unlink(str_text(&path));
        }
        str_done(&path);
    }
    strv_done(&names);
}

static inline void scratch_remove(const char *dir)
{
    scratch_remove_below(dir);
    assert_int_equal(rmdir(dir), 0);
}

/* Public test key (RFC 8032, 7.1, TEST 1); other seeds for other parties. */
#define SEED_TEST1 "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define SEED_TEST2 "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"

static inline void unhex(const char *hex, struct str *out)
{
    for (; *hex != '\0'; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        str_add_char(out, (char)strtoul(digits, NULL, 16));
    }
}

/* PKCS#8 PEM of a seed. */
static inline void seed_pem(const char *seed_hex, struct str *pem)
{
    struct str seed = STR_INIT(64);
    char *data = NULL;
    unhex(seed_hex, &seed);
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                  (const unsigned char *)seed.data, seed.len);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long n = BIO_get_mem_data(bio, &data);
    str_add_bytes(pem, data, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    str_done(&seed);
}

static inline struct sign_key *seed_key(const char *seed_hex)
{
    struct str pem = STR_INIT(4096);
    struct sign_key *k = NULL;
    seed_pem(seed_hex, &pem);
    OK(key_from_pem("seed", str_text(&pem), pem.len, &k, e));
    str_done(&pem);
    return k;
}

/* --- a small inspection --- */

static const struct table sample_mounts = {
    .name = "mount_encryption",
    .doc = "",
    .source = "",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY, NULL, ""},
                  {"role", COL_TEXT, "", COL_KEY | COL_DECIDES, "root|data|swap|other?", ""},
                  {"encrypted", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL, ""},
                  {"score", COL_REAL, "", COL_NULLABLE, NULL, ""},
                  {"reason", COL_TEXT, "", COL_NULLABLE, NULL, ""})};

static const struct table sample_status = {
    .name = "probe_status",
    .doc = "",
    .source = "",
    .kind = TABLE_SCAN,
    TABLE_COLUMNS({"probe", COL_TEXT, "", COL_KEY, NULL, ""},
                  {"tbl", COL_TEXT, "", COL_KEY, NULL, ""},
                  {"state", COL_TEXT, "", COL_DECIDES, NULL, ""},
                  {"reason", COL_TEXT, "", 0, NULL, ""}, {"rows", COL_INT, "", 0, NULL, ""},
                  {"cpu_us", COL_INT, "", 0, NULL, ""}, {"wall_us", COL_INT, "", 0, NULL, ""})};

static const struct table sample_scan = {
    .name = "scan",
    .doc = "",
    .source = "",
    .kind = TABLE_SCAN,
    TABLE_COLUMNS({"id", COL_TEXT, "", 0, NULL, ""}, {"time", COL_TEXT, "", 0, NULL, ""},
                  {"local_date", COL_TEXT, "", 0, NULL, ""},
                  {"hostname", COL_TEXT, "", 0, NULL, ""}, {"boot_id", COL_TEXT, "", 0, NULL, ""},
                  {"root", COL_TEXT, "", 0, NULL, ""},
                  {"agent_version", COL_TEXT, "", 0, NULL, ""})};

static inline void sample_facts(struct facts *f, int64_t encrypted)
{
    struct fact_table *t = NULL;
    OK(facts_add(f, &sample_mounts, "disk", &t, e));
    t->state = STATE_COMPLETE;
    t->wanted = true;
    OK(fact_row_va(t, e, "/", "root", INT64_C(1), 0.5, "luks2: 鍵"));
    OK(fact_row_va(t, e, "/srv/city", "data", encrypted, 3.0, (const char *)NULL));
    OK(facts_add(f, &sample_status, "", &t, e));
    t->state = STATE_COMPLETE;
    OK(fact_row_va(t, e, "disk", "mount_encryption", "complete", "", INT64_C(2), INT64_C(10),
                   INT64_C(20)));
    OK(facts_add(f, &sample_scan, "", &t, e));
    t->state = STATE_COMPLETE;
    OK(fact_row_va(t, e, "id", "2026-11-21T06:30:02Z", "2026-11-21", "mnt-03", "boot", "/", "0.1"));
}

static const struct check sample_check = {
    .id = "disk-data-encrypted",
    .code = "plain",
    .digest = "1111111111111111111111111111111111111111111111111111111111111111"};
static const struct control sample_controls[] = {{.id = "5.6a"}, {.id = "5.4"}};

/* The verdicts of an inspection, made by hand: one check with a finding per plain mount. */
struct sample_verdicts {
    char *columns[3];
    struct cell cells[3];
    struct check_result checks[1];
    struct control_result controls[2];
    struct drift_result drifts[1];
    char *permission[1];
    struct evaluation ev;
};

static inline char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

static inline void sample_verdicts(struct sample_verdicts *v, enum verdict verdict)
{
    *v = (struct sample_verdicts){0};
    v->columns[0] = borrowed("mount");
    v->columns[1] = borrowed("encrypted");
    v->columns[2] = borrowed("mount"); /* a SELECT may name two columns alike */
    v->cells[0] = (struct cell){.type = CELL_TEXT, .v.t = {"/srv/city", 9}};
    v->cells[1] = (struct cell){.type = CELL_INT, .v.i = 0};
    v->cells[2] = (struct cell){.type = CELL_NULL};
    v->checks[0] = (struct check_result){.check = &sample_check, .verdict = verdict};
    if (verdict == VERDICT_FAIL) {
        v->checks[0].findings = (struct result_rows){
            .columns = v->columns, .n_columns = 3, .cells = v->cells, .n_rows = 1};
    }
    v->permission[0] = borrowed("P-1");
    v->controls[0] = (struct control_result){.control = &sample_controls[0], .verdict = verdict};
    v->controls[1] =
        (struct control_result){.control = &sample_controls[1],
                                .verdict = VERDICT_PERMITTED,
                                .permissions = {.items = v->permission, .n = 1, .cap = 1}};
    v->drifts[0] = (struct drift_result){
        .control = &sample_controls[0],
        .known = false,
        .rows = {.columns = v->columns, .n_columns = 2, .cells = v->cells, .n_rows = 1}};
    v->ev = (struct evaluation){.checks = v->checks,
                                .n_checks = 1,
                                .controls = v->controls,
                                .n_controls = 2,
                                .drifts = v->drifts,
                                .n_drifts = 1};
}

static inline struct statement_meta sample_meta(const char *host_id)
{
    return (struct statement_meta){
        .agent_version = "0.1.0",
        .rules_version = "1.0",
        .rules_digest = "2222222222222222222222222222222222222222222222222222222222222222",
        .rules_unmodified = true,
        .host_id = host_id,
        .asset = "SP-017",
        .hostname = "mnt-03",
        .os = "Debian GNU/Linux 12",
        .machine_id = "0123456789abcdef0123456789abcdef",
        .dmi_serial = "S\"1",
        .contract = "SPR-2026-014",
        .framework = "sapporo-7-2",
        .framework_version = "1",
        .framework_digest = "3333333333333333333333333333333333333333333333333333333333333333",
        .chain = "00112233445566778899aabbccddeeff",
        .previous = "",
        .sequence = 1,
        .scan_id = "8b0b4a4e-0000-4000-8000-000000000000",
        .time = "2026-11-21T06:30:02Z",
        .local_date = "2026-11-21",
        .time_zone = "Asia/Tokyo",
        .boot_id = "b",
        .root = "/",
        .live = true,
        .wall_ms = 300,
        .cpu_ms = 40,
        .sqlite = "3.40.1"};
}

/* One statement of the sample. encrypted: of /srv/city. before: payload of the one before or NULL.
 */
static inline void sample_statement(const struct statement_meta *meta, int64_t encrypted,
                                    const char *before, struct str *out)
{
    static const char *const layers[] = {"uid", "caps", "nnp", "seccomp"};
    const struct layers_row rows[] = {{"disk", layers, 4}};
    struct facts facts = {0};
    struct sample_verdicts v;
    sample_facts(&facts, encrypted);
    sample_verdicts(&v, encrypted == 1 ? VERDICT_PASS : VERDICT_FAIL);
    struct statement_request rq = {.meta = *meta,
                                   .layers = rows,
                                   .n_layers = 1,
                                   .facts = &facts,
                                   .probes = &facts,
                                   .evaluation = &v.ev,
                                   .previous_payload = before,
                                   .previous_payload_n = before != NULL ? strlen(before) : 0};
    OK(statement_write(&rq, out, e));
    facts_done(&facts);
}

/* Records one sample into a chain of the state; gives its digest. */
static inline void sample_record(struct state *s, const char *contract, char digest[SHA256_HEX])
{
    struct sign_key *k = NULL;
    struct chain_head head = {0};
    struct str payload = STR_INIT(ENVELOPE_MAX), envelope = STR_INIT(ENVELOPE_MAX);
    OK(state_key(s, true, &k, e));
    OK(chain_find(s, contract, "sapporo-7-2", true, &head, e));
    struct statement_meta meta = sample_meta(sign_key_id(k));
    meta.contract = contract;
    meta.chain = head.chain;
    meta.previous = head.digest;
    meta.previous_chain = head.previous_chain;
    meta.sequence = head.sequence + 1;
    sample_statement(&meta, 0, head.payload, &payload);
    OK(sha256_hex(payload.data, payload.len, digest, e));
    OK(dsse_sign(k, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e));
    OK(chain_append(s, &head, envelope.data, envelope.len, digest, e));
    str_done(&payload);
    str_done(&envelope);
    chain_head_done(&head);
    sign_key_free(k);
}

#endif
