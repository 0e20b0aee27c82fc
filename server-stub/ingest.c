/* Checking, placing and receipting of evidence. */
#include "server-stub/ingest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <zstd.h>

#include "agent/base/timefmt.h"
#include "agent/evidence/jscan.h"
#include "server-stub/unpack.h"

#define PACK_LEVEL 1 /* evidence is repetitive: higher levels cost more than they save */
#define CONTROLS_MAX 512
#define TEXT_MAX 512 /* of a declared text or a name */
#define DEFAULT_ZONE "Asia/Tokyo"

void ingest_free(struct ingest *in)
{
    if (in == NULL) {
        return;
    }
    statement_head_done(&in->head);
    str_done(&in->verdicts);
    for (size_t i = 0; i < ARRAY_LEN(in->declared); i++) {
        str_done(&in->declared[i]);
    }
    str_done(&in->receipt);
    free(in->packed);
    free(in);
}

static int refuse(struct refusal *no, unsigned status, const char *code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Returns 0: being refused is an answer, not an error of the collector. */
static int refuse(struct refusal *no, unsigned status, const char *code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    no->status = status;
    no->code = code;
    (void)vsnprintf(no->message, sizeof no->message, fmt, ap);
    va_end(ap);
    return 0;
}

/* --- the envelope --- */

static int refuse_envelope(int rc, struct refusal *no, const struct err *e)
{
    switch (rc) {
    case ERR_TRUNCATED:
        return refuse(no, 413, "size", "%s", e->msg);
    case ERR_UNSUPPORTED:
        return refuse(no, 422, "signatures", "%s", e->msg);
    case ERR_MALFORMED:
        return refuse(no, 400, "json", "%s", e->msg);
    default:
        return rc;
    }
}

/* The key that the envelope names. The name narrows the search only: what is believed is the
 * signature under the key that was enrolled. */
static int check_signature(struct store *s, const struct envelope *env, struct refusal *no,
                           struct err *e)
{
    CLEANUP(str) struct str pem = STR_INIT(4096);
    CLEANUP(verify_key) struct verify_key *key = NULL;
    int rc = store_host_pem(s, env->keyid, &pem, e);
    if (rc == ERR_ABSENT) {
        return refuse(no, 401, "keyid",
                      "the key that the envelope names is not enrolled here: tenken enroll");
    }
    if (rc == 0) {
        rc = verify_key_pem(str_text(&pem), pem.len, &key, e);
    }
    if (rc == 0) {
        rc = envelope_verify(env, key, e);
        if (rc == ERR_MISMATCH) {
            return refuse(no, 403, "signature", "the signature does not hold under the named key");
        }
    }
    return rc;
}

/* --- the statement --- */

/* statement_head_parse has checked the whole text: spans may be walked. */
static struct jspan payload_span(const struct envelope *env)
{
    struct jspan v = {.p = env->payload, .n = env->payload_n};
    while (v.n > 0 && *v.p != '{') {
        v.p++;
        v.n--;
    }
    return v;
}

static bool is_id(const struct str *text)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (c < 0x20 || c == '=' || c == 0x7f) {
            return false;
        }
    }
    return text->len > 0 && text->len < 64;
}

static int add_verdict(struct jspan control, struct str *out)
{
    CLEANUP(str) struct str id = STR_INIT(TEXT_MAX);
    CLEANUP(str) struct str word = STR_INIT(TEXT_MAX);
    struct jspan v = {0};
    enum verdict verdict = VERDICT_UNKNOWN;
    if (!jspan_member(control, "id", &v) || !jspan_text(v, &id) || id.error != 0 || !is_id(&id) ||
        !jspan_member(control, "verdict", &v) || !jspan_text(v, &word) || word.error != 0 ||
        verdict_parse(str_text(&word), &verdict, NULL) != 0) {
        return ERR_MALFORMED;
    }
    str_addf(out, "%s=%s\n", str_text(&id), verdict_word(verdict));
    return 0;
}

/* The members of the predicate that are wanted here, found in one walk: each look-up by name would
 * pass over the facts again. */
struct predicate_parts {
    struct jspan rules, facts, controls;
};

static struct predicate_parts predicate_parts(const struct envelope *env)
{
    struct predicate_parts parts = {{0}, {0}, {0}};
    const struct {
        const char *name;
        struct jspan *to;
    } wanted[] = {{"rules", &parts.rules}, {"facts", &parts.facts}, {"controls", &parts.controls}};
    struct jspan predicate = {0}, key = {0}, value = {0};
    struct jiter it = {0};
    if (!jspan_member(payload_span(env), "predicate", &predicate) || !jiter_begin(predicate, &it)) {
        return parts;
    }
    while (parts.controls.n == 0 && jiter_next(&it, &key, &value)) {
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
            if (key.n == strlen(wanted[i].name) && memcmp(key.p, wanted[i].name, key.n) == 0) {
                *wanted[i].to = value;
            }
        }
    }
    return parts;
}

/* predicate.controls as lines "id=verdict": all that pages and reports need of an evidence, so that
 * they never unpack payloads. */
static int read_verdicts(struct jspan list, struct str *out)
{
    struct jspan control = {0};
    struct jiter it = {0};
    size_t n = 0;
    if (list.n == 0 || *list.p != '[' || !jiter_begin(list, &it)) {
        return ERR_MALFORMED;
    }
    while (jiter_next(&it, NULL, &control)) {
        int rc =
            ++n > CONTROLS_MAX || *control.p != '{' ? ERR_MALFORMED : add_verdict(control, out);
        if (rc != 0) {
            return rc;
        }
    }
    return out->error;
}

/* Cell of the table's only (first) row. */
static void read_cell(struct jspan columns, struct jspan row, const char *name, struct str *out)
{
    struct jiter c = {0}, v = {0};
    struct jspan column = {0}, cell = {0}, given = {0};
    if (!jiter_begin(columns, &c) || !jiter_begin(row, &v)) {
        return;
    }
    while (jiter_next(&c, NULL, &column) && jiter_next(&v, NULL, &cell)) {
        if (*column.p == '{' && jspan_member(column, "name", &given) &&
            jspan_is_word(given, name)) {
            (void)jspan_text(cell, out); /* null stays empty: not declared */
            return;
        }
    }
}

static bool is_date(const char *text)
{
    int64_t days = 0;
    return date_parse(text, &days, NULL) == 0;
}

/* The contract as the site declared it. There is no register of contracts yet: the recorded
 * site_contracts facts are the only source, and pages say "declared". */
static void read_declaration(struct jspan facts, struct ingest *in)
{
    static const char *const names[] = {"authority", "work", "starts", "ends", "time_zone"};
    struct jspan table = {0}, columns = {0}, rows = {0}, row = {0};
    struct jiter it = {0};
    if (facts.n > 0 && *facts.p == '{' && jspan_member(facts, "site_contracts", &table) &&
        *table.p == '{' && jspan_member(table, "columns", &columns) &&
        jspan_member(table, "rows", &rows) && jiter_begin(rows, &it) &&
        jiter_next(&it, NULL, &row)) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            read_cell(columns, row, names[i], &in->declared[i]);
        }
    }
    /* a day that is none is as good as not declared */
    for (size_t i = 2; i <= 3; i++) {
        if (!is_date(str_text(&in->declared[i]))) {
            str_clear(&in->declared[i]);
        }
    }
    if (in->head.time_zone[0] != '\0') {
        str_clear(&in->declared[4]);
        str_add(&in->declared[4], in->head.time_zone);
    } else if (in->declared[4].len == 0) {
        str_add(&in->declared[4], DEFAULT_ZONE);
    }
    struct declaration *d = &in->record.declared;
    d->authority = str_text(&in->declared[0]);
    d->work = str_text(&in->declared[1]);
    d->starts = str_text(&in->declared[2]);
    d->ends = str_text(&in->declared[3]);
    d->time_zone = str_text(&in->declared[4]);
}

static bool is_short(const char *text)
{
    return strlen(text) < TEXT_MAX;
}

/* What the head must hold to have a place here; NULL if it does, else what is wrong. */
static const char *head_fault(const struct statement_head *h)
{
    if (!hex_is(h->chain, 32)) {
        return "predicate.chain is not 32 hex digits";
    }
    if (h->previous_chain[0] != '\0' && !hex_is(h->previous_chain, 32)) {
        return "predicate.previous_chain is not 32 hex digits";
    }
    if (h->sequence < 1) {
        return "predicate.sequence is not a number from 1";
    }
    if (h->previous[0] != '\0' && !hex_is(h->previous, 64)) {
        return "predicate.previous is not a digest";
    }
    if (!is_date(h->local_date)) {
        return "predicate.scan.local_date is not a day";
    }
    if (h->contract[0] == '\0' || h->framework[0] == '\0') {
        return "predicate.contract is empty";
    }
    const char *const texts[] = {h->contract, h->framework,  h->framework_version, h->asset,
                                 h->hostname, h->machine_id, h->rules_version,     h->time_zone};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!is_short(texts[i])) {
            return "a name is longer than 511 bytes";
        }
    }
    return NULL;
}

/* The day that evidence belongs to is a claim of its own; it must at least be the day of the time,
 * give or take a time zone. */
static bool is_day_of_time(const char *local_date, int64_t time_s)
{
    int64_t day = 0;
    if (date_parse(local_date, &day, NULL) != 0) {
        return false;
    }
    int64_t utc_day = time_s / 86400;
    return day >= utc_day - 1 && day <= utc_day + 1;
}

static int fill_record(const struct envelope *env, struct ingest *in, struct refusal *no)
{
    const struct statement_head *h = &in->head;
    struct record *r = &in->record;
    const char *fault = head_fault(h);
    if (fault == NULL && time_parse_utc(h->time, &r->time_s, NULL) != 0) {
        fault = "predicate.scan.time is not a UTC time";
    }
    if (fault == NULL && !is_day_of_time(h->local_date, r->time_s)) {
        fault = "predicate.scan.local_date is not the day of predicate.scan.time";
    }
    if (fault != NULL) {
        return refuse(no, 422, "schema", "%s", fault);
    }
    if (strcmp(h->host_id, env->keyid) != 0) {
        return refuse(no, 422, "host", "predicate.host.id is not the key that signed");
    }
    (void)snprintf(r->digest, sizeof r->digest, "%s", env->digest);
    (void)snprintf(r->keyid, sizeof r->keyid, "%s", env->keyid);
    (void)snprintf(r->chain, sizeof r->chain, "%s", h->chain);
    (void)snprintf(r->previous_chain, sizeof r->previous_chain, "%s", h->previous_chain);
    (void)snprintf(r->previous, sizeof r->previous, "%s", h->previous);
    (void)snprintf(r->local_date, sizeof r->local_date, "%.10s", h->local_date);
    r->sequence = h->sequence;
    r->contract = h->contract;
    r->framework = h->framework;
    r->framework_version = h->framework_version;
    r->asset = h->asset;
    r->hostname = h->hostname;
    r->machine_id = h->machine_id;
    r->rules_version = h->rules_version;
    memcpy(r->sig, env->sig, sizeof r->sig);
    return 0;
}

struct packer {
    ZSTD_CCtx *zstd;
};

int packer_new(struct packer **ret, struct err *e)
{
    struct packer *p = calloc(1, sizeof *p);
    if (p == NULL || (p->zstd = ZSTD_createCCtx()) == NULL) {
        free(p);
        return err_nomem(e);
    }
    *ret = p;
    return 0;
}

void packer_free(struct packer *p)
{
    if (p != NULL) {
        (void)ZSTD_freeCCtx(p->zstd);
        free(p);
    }
}

static int pack(struct packer *p, const struct envelope *env, struct ingest *in, struct err *e)
{
    size_t room = ZSTD_compressBound(env->payload_n);
    CLEANUP(free) void *buf = malloc(room > 0 ? room : 1);
    if (buf == NULL) {
        return err_nomem(e);
    }
    size_t n = ZSTD_compressCCtx(p->zstd, buf, room, env->payload, env->payload_n, PACK_LEVEL);
    if (ZSTD_isError(n)) {
        return err_set(e, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(n));
    }
    /* what waits in a batch should not hold the room for the worst case */
    void *fit = realloc(buf, n);
    in->packed = fit != NULL ? fit : buf;
    buf = NULL;
    in->record.payload_z = in->packed;
    in->record.payload_z_n = n;
    in->record.payload_n = env->payload_n;
    return 0;
}

static int check_statement(const struct envelope *env, struct ingest *in, struct refusal *no,
                           struct err *e)
{
    if (strcmp(env->type, PAYLOAD_TYPE_EVIDENCE) != 0) {
        return refuse(no, 422, "type", "payloadType is not " PAYLOAD_TYPE_EVIDENCE);
    }
    int rc = statement_head_parse(env->payload, env->payload_n, &in->head, e);
    if (rc == ERR_UNSUPPORTED) {
        return refuse(no, 422, "type", "%s", e->msg);
    }
    if (rc == ERR_MALFORMED || rc == ERR_MISMATCH) {
        return refuse(no, 422, "schema", "%s", e->msg);
    }
    if (rc != 0) {
        return rc;
    }
    struct jspan unmodified = {0};
    const struct predicate_parts parts = predicate_parts(env);
    if (read_verdicts(parts.controls, &in->verdicts) != 0) {
        return refuse(no, 422, "schema", "predicate.controls is not a list of {id, verdict}");
    }
    in->record.rules_unmodified = parts.rules.n > 0 && *parts.rules.p == '{' &&
                                  jspan_member(parts.rules, "unmodified", &unmodified) &&
                                  *unmodified.p == 't';
    in->record.verdicts = str_text(&in->verdicts);
    read_declaration(parts.facts, in);
    return fill_record(env, in, no);
}

static int check_contract(struct store *s, const struct record *r, struct refusal *no,
                          struct err *e)
{
    bool may = false;
    int rc = store_host_may(s, r->keyid, r->contract, &may, e);
    if (rc == 0 && !may) {
        return refuse(no, 403, "contract",
                      "this host is not enrolled for the contract of the evidence: tenken enroll "
                      "with a token of that contract");
    }
    return rc;
}

static struct ingest *ingest_new(void)
{
    struct ingest *in = calloc(1, sizeof *in);
    if (in != NULL) {
        str_init(&in->verdicts, (size_t)CONTROLS_MAX * 128);
        str_init(&in->receipt, 65536);
        for (size_t i = 0; i < ARRAY_LEN(in->declared); i++) {
            str_init(&in->declared[i], TEXT_MAX);
        }
    }
    return in;
}

int ingest_check(struct store *s, struct packer *p, const char *text, size_t n, struct ingest **ret,
                 struct refusal *no, struct err *e)
{
    *no = (struct refusal){.status = 0};
    if (n > UNPACK_LINE_MAX) {
        return refuse(no, 413, "size", "the envelope is longer than %zu bytes", UNPACK_LINE_MAX);
    }
    CLEANUP(envelope) struct envelope env = {.payload = NULL};
    int rc = envelope_parse(text, n, &env, e);
    if (rc != 0) {
        return refuse_envelope(rc, no, e);
    }
    rc = check_signature(s, &env, no, e);
    if (rc != 0 || no->status != 0) {
        return rc;
    }
    CLEANUP(ingest) struct ingest *in = ingest_new();
    if (in == NULL) {
        return err_nomem(e);
    }
    rc = check_statement(&env, in, no, e);
    if (rc == 0 && no->status == 0) {
        rc = check_contract(s, &in->record, no, e);
    }
    if (rc == 0 && no->status == 0) {
        rc = pack(p, &env, in, e);
    }
    if (rc == 0 && no->status == 0) {
        *ret = TAKE_PTR(in);
    }
    return rc;
}

/* --- place in the chain --- */

unsigned ingest_flags(const struct record *r, const struct chain_look *look, bool machine_any,
                      bool machine_known)
{
    unsigned flags = 0;
    if (r->sequence > 1 && !look->has_previous) {
        flags |= FLAG_GAP;
    }
    if (look->max_sequence > r->sequence) {
        flags |= FLAG_LATE;
    }
    bool first_with_previous = (r->sequence == 1) != (r->previous[0] == '\0');
    if (look->same_number || first_with_previous ||
        (look->has_previous && !look->previous_matches) ||
        (look->has_next && !look->next_matches)) {
        flags |= FLAG_FORK;
    }
    if ((look->has_lower && r->time_s < look->lower_time_s) ||
        (look->has_higher && r->time_s > look->higher_time_s)) {
        flags |= FLAG_CLOCK_BEHIND;
    }
    if (r->machine_id[0] != '\0') {
        /* a cloned machine that was given a chain of its own is enrolled anew with its own id */
        bool changed = look->any && look->machine_id[0] != '\0'
                           ? strcmp(look->machine_id, r->machine_id) != 0
                           : machine_any && !machine_known;
        flags |= changed ? (unsigned)FLAG_MACHINE_ID : 0U;
    }
    return flags;
}

static int make_receipt(const struct sign_key *key, const struct record *r, struct str *out,
                        struct err *e)
{
    CLEANUP(str) struct str body = STR_INIT(4096);
    struct json_out j;
    char received[TIME_TEXT_MAX];
    time_utc(r->received_at, received);
    jout_begin(&j, &body, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "digest", r->digest);
    jout_kv_text(&j, "chain", r->chain);
    jout_kv_int(&j, "sequence", r->sequence);
    jout_kv_text(&j, "keyid", r->keyid);
    jout_kv_text(&j, "received_at", received);
    jout_kv_text(&j, "collector", sign_key_id(key));
    jout_key(&j, "flags");
    jout_open(&j, '[');
    for (unsigned i = 0; i < N_FLAGS; i++) {
        if ((r->flags & (1U << i)) != 0) {
            jout_text(&j, flag_word(i));
        }
    }
    jout_close(&j, ']');
    jout_close(&j, '}');
    int rc = str_error(&body, e);
    return rc == 0 ? dsse_sign(key, PAYLOAD_TYPE_RECEIPT, str_text(&body), body.len, out, e) : rc;
}

int ingest_put(struct store *s, const struct sign_key *key, int64_t now_s, struct ingest *in,
               struct err *e)
{
    struct record *r = &in->record;
    str_clear(&in->receipt);
    int rc = store_receipt_find(s, r->digest, &in->receipt, e);
    if (rc != ERR_ABSENT) {
        in->repeated = rc == 0;
        return rc;
    }
    /* between the check and now the contract may have been erased */
    bool may = false, any = false, known = false;
    struct chain_look look;
    rc = store_host_may(s, r->keyid, r->contract, &may, e);
    if (rc == 0 && !may) {
        return err_set(e, ERR_DENIED, "the host is no longer enrolled for the contract");
    }
    if (rc == 0) {
        rc = store_chain_look(s, r, &look, e);
    }
    if (rc == 0) {
        rc = store_machine_known(s, r->keyid, r->machine_id, &any, &known, e);
    }
    if (rc != 0) {
        return rc;
    }
    r->flags = ingest_flags(r, &look, any, known);
    r->received_at = now_s;
    rc = make_receipt(key, r, &in->receipt, e);
    if (rc == 0) {
        r->receipt = str_text(&in->receipt);
        rc = store_evidence_add(s, r, e);
    }
    return rc;
}

/* --- stored records --- */

int record_payload(const struct record *r, struct str *out, struct err *e)
{
    if (r->payload_n > ENVELOPE_MAX) {
        return err_set(e, ERR_MALFORMED, "store: evidence %.16s is too long", r->digest);
    }
    CLEANUP(free) char *buf = malloc(r->payload_n + 1);
    if (buf == NULL) {
        return err_nomem(e);
    }
    char digest[SHA256_HEX];
    size_t n = ZSTD_decompress(buf, r->payload_n, r->payload_z, r->payload_z_n);
    if (ZSTD_isError(n) || n != r->payload_n) {
        return err_set(e, ERR_MALFORMED, "store: evidence %.16s cannot be unpacked", r->digest);
    }
    int rc = sha256_hex(buf, n, digest, e);
    if (rc == 0 && strcmp(digest, r->digest) != 0) {
        rc = err_set(e, ERR_MALFORMED, "store: evidence %.16s was altered", r->digest);
    }
    if (rc == 0) {
        str_add_bytes(out, buf, n);
        rc = str_error(out, e);
    }
    return rc;
}

int record_envelope(const struct record *r, struct str *out, struct err *e)
{
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    int rc = record_payload(r, &payload, e);
    if (rc != 0) {
        return rc;
    }
    /* hex ids and base64 need no escaping */
    str_add(out, "{\"payload\":\"");
    base64_encode(str_text(&payload), payload.len, out);
    str_addf(out, "\",\"payloadType\":\"%s\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"",
             PAYLOAD_TYPE_EVIDENCE, r->keyid);
    base64_encode(r->sig, sizeof r->sig, out);
    str_add(out, "\"}]}");
    return str_error(out, e);
}
