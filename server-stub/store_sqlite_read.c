/* The SQLite store: what is read. Walks hand rows to a function one by one, so that memory does
 * not grow with the store. */
#include <string.h>

#include "server-stub/store_sqlite.h"

static void copy_text(char *out, size_t size, const char *text)
{
    size_t n = strnlen(text, size - 1);
    memcpy(out, text, n);
    out[n] = '\0';
}

/* The one row that a statement gives; ERR_ABSENT if none. The statement still stands on it. */
static int one_row(struct store *s, sqlite3_stmt *st, const char *what, struct err *e)
{
    int rc = q_step(s, st, e);
    if (rc == 0) {
        return err_set(e, ERR_ABSENT, "no such %s", what);
    }
    return rc == 1 ? 0 : rc;
}

/* --- tokens and hosts --- */

int store_token_get(struct store *s, const char *id, struct token_row *ret, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_TOKEN_GET, &st, e, "t", id);
    if (rc == 0) {
        rc = one_row(s, st, "token", e);
    }
    if (rc != 0) {
        return rc;
    }
    struct token_row t = {.uses_left = sqlite3_column_int64(st, 3),
                          .expires_s = sqlite3_column_int64(st, 4)};
    copy_text(t.id, sizeof t.id, id);
    copy_text(t.role, sizeof t.role, q_text(st, 1));
    copy_text(t.contract, sizeof t.contract, q_text(st, 2));
    if (sqlite3_column_bytes(st, 0) == (int)sizeof t.hash) {
        memcpy(t.hash, sqlite3_column_blob(st, 0), sizeof t.hash);
        *ret = t;
    } else {
        rc = err_set(e, ERR_MALFORMED, "store: token without a hash");
    }
    (void)sqlite3_reset(st);
    return rc;
}

static int one_text(struct store *s, enum query q, const char *key, const char *what,
                    struct str *ret, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, q, &st, e, "t", key);
    if (rc == 0) {
        rc = one_row(s, st, what, e);
    }
    if (rc != 0) {
        return rc;
    }
    str_add(ret, q_text(st, 0));
    (void)sqlite3_reset(st);
    return str_error(ret, e);
}

int store_host_pem(struct store *s, const char *keyid, struct str *ret, struct err *e)
{
    return one_text(s, Q_HOST_PEM, keyid, "host", ret, e);
}

int store_receipt_find(struct store *s, const char *digest, struct str *ret, struct err *e)
{
    return one_text(s, Q_RECEIPT, digest, "evidence", ret, e);
}

int store_host_may(struct store *s, const char *keyid, const char *contract, bool *ret,
                   struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_HOST_MAY, &st, e, "tt", keyid, contract);
    if (rc == 0) {
        rc = q_step(s, st, e);
    }
    if (rc < 0) {
        return rc;
    }
    *ret = rc == 1;
    (void)sqlite3_reset(st);
    return 0;
}

static int text_list(struct store *s, enum query q, const char *fmt, const char *key,
                     struct strv *ret, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, q, &st, e, fmt, key);
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        rc = strv_add(ret, q_text(st, 0), e);
    }
    return rc;
}

int store_host_contracts(struct store *s, const char *keyid, struct strv *ret, struct err *e)
{
    return text_list(s, Q_HOST_CONTRACTS, "t", keyid, ret, e);
}

int store_contract_frameworks(struct store *s, const char *contract, struct strv *ret,
                              struct err *e)
{
    return text_list(s, Q_FRAMEWORKS, "t", contract, ret, e);
}

int store_contracts(struct store *s, struct strv *ret, struct err *e)
{
    return text_list(s, Q_CONTRACTS, "", NULL, ret, e);
}

int store_machine_known(struct store *s, const char *keyid, const char *machine_id, bool *ret_any,
                        bool *ret_known, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_MACHINE_KNOWN, &st, e, "tt", keyid, machine_id);
    if (rc == 0) {
        rc = one_row(s, st, "host", e);
    }
    if (rc != 0) {
        return rc;
    }
    *ret_any = sqlite3_column_int64(st, 0) > 0;
    *ret_known = sqlite3_column_int64(st, 1) > 0;
    (void)sqlite3_reset(st);
    return 0;
}

static int walk_members(struct store *s, sqlite3_stmt *st, member_fn fn, void *arg, size_t *ret_n,
                        struct err *e)
{
    int rc = 0;
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        const struct member_row m = {.keyid = q_text(st, 0),
                                     .hostname = q_text(st, 1),
                                     .enrolled_at = sqlite3_column_int64(st, 2),
                                     .first_date = q_text(st, 3)};
        ++*ret_n;
        rc = fn(arg, &m, e);
    }
    (void)sqlite3_reset(st);
    return rc;
}

int store_each_host(struct store *s, const char *contract, member_fn fn, void *arg, struct err *e)
{
    sqlite3_stmt *st = NULL;
    size_t n = 0;
    int rc = contract[0] == '\0' ? q_start(s, Q_EACH_HOST, &st, e, "")
                                 : q_start(s, Q_EACH_MEMBER, &st, e, "t", contract);
    return rc == 0 ? walk_members(s, st, fn, arg, &n, e) : rc;
}

int store_host_get(struct store *s, const char *keyid, member_fn fn, void *arg, struct err *e)
{
    sqlite3_stmt *st = NULL;
    size_t n = 0;
    int rc = q_start(s, Q_HOST_GET, &st, e, "t", keyid);
    if (rc == 0) {
        rc = walk_members(s, st, fn, arg, &n, e);
    }
    return rc == 0 && n == 0 ? err_set(e, ERR_ABSENT, "no such host") : rc;
}

/* --- chains --- */

/* The numbers directly before, at and after the record's own. */
static int look_near(struct store *s, const struct record *r, struct chain_look *look,
                     struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_CHAIN_NEAR, &st, e, "tttti", r->keyid, r->contract, r->framework,
                     r->chain, r->sequence);
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        int64_t sequence = sqlite3_column_int64(st, 0);
        rc = 0;
        if (sequence < r->sequence) {
            look->has_previous = true;
            look->previous_matches |= strcmp(q_text(st, 1), r->previous) == 0;
        } else if (sequence > r->sequence) {
            look->has_next = true;
            look->next_matches |= strcmp(q_text(st, 2), r->digest) == 0;
        } else {
            look->same_number |= strcmp(q_text(st, 1), r->digest) != 0;
        }
    }
    return rc;
}

static int look_time(struct store *s, enum query q, const struct record *r, bool *ret_has,
                     int64_t *ret_time_s, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc =
        q_start(s, q, &st, e, "tttti", r->keyid, r->contract, r->framework, r->chain, r->sequence);
    if (rc == 0) {
        rc = q_step(s, st, e);
    }
    if (rc == 1) {
        *ret_has = true;
        *ret_time_s = sqlite3_column_int64(st, 1);
        (void)sqlite3_reset(st);
        rc = 0;
    }
    return rc;
}

int store_chain_look(struct store *s, const struct record *r, struct chain_look *ret, struct err *e)
{
    struct chain_look look = {.any = false};
    sqlite3_stmt *st = NULL;
    int rc =
        q_start(s, Q_CHAIN_RANGE, &st, e, "tttt", r->keyid, r->contract, r->framework, r->chain);
    if (rc == 0) {
        rc = one_row(s, st, "chain", e);
    }
    if (rc != 0) {
        return rc;
    }
    look.max_sequence = sqlite3_column_int64(st, 0);
    look.any = look.max_sequence > 0;
    (void)sqlite3_reset(st);
    if (look.any) {
        rc = look_near(s, r, &look, e);
        if (rc == 0) {
            rc = look_time(s, Q_CHAIN_LOWER, r, &look.has_lower, &look.lower_time_s, e);
        }
        if (rc == 0) {
            rc = look_time(s, Q_CHAIN_HIGHER, r, &look.has_higher, &look.higher_time_s, e);
        }
        if (rc == 0) {
            rc = q_start(s, Q_CHAIN_FIRST, &st, e, "tttt", r->keyid, r->contract, r->framework,
                         r->chain);
        }
        if (rc == 0) {
            rc = one_row(s, st, "chain", e);
        }
        if (rc == 0) {
            copy_text(look.machine_id, sizeof look.machine_id, q_text(st, 0));
            (void)sqlite3_reset(st);
        }
    }
    if (rc == 0) {
        *ret = look;
    }
    return rc;
}

int store_each_chain(struct store *s, const char *keyid, const char *contract, chain_fn fn,
                     void *arg, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_EACH_CHAIN, &st, e, "tt", keyid, contract);
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        const struct chain_row c = {.contract = q_text(st, 0),
                                    .framework = q_text(st, 1),
                                    .chain = q_text(st, 2),
                                    .previous_chain = q_text(st, 3),
                                    .first_time_s = sqlite3_column_int64(st, 4),
                                    .max_sequence = sqlite3_column_int64(st, 5),
                                    .n_numbers = sqlite3_column_int64(st, 6),
                                    .n_evidence = sqlite3_column_int64(st, 7),
                                    .flags = (unsigned)sqlite3_column_int64(st, 8)};
        rc = fn(arg, &c, e);
    }
    if (st != NULL) {
        (void)sqlite3_reset(st);
    }
    return rc;
}

/* --- records --- */

enum { COL_RECEIPT = 27, COL_SIG, COL_PAYLOAD_N, COL_PAYLOAD };

static void row_record(sqlite3_stmt *st, struct record *r)
{
    memset(r, 0, sizeof *r);
    r->id = sqlite3_column_int64(st, 0);
    copy_text(r->digest, sizeof r->digest, q_text(st, 1));
    copy_text(r->keyid, sizeof r->keyid, q_text(st, 2));
    r->contract = q_text(st, 3);
    r->framework = q_text(st, 4);
    r->framework_version = q_text(st, 5);
    copy_text(r->chain, sizeof r->chain, q_text(st, 6));
    r->sequence = sqlite3_column_int64(st, 7);
    copy_text(r->previous, sizeof r->previous, q_text(st, 8));
    copy_text(r->previous_chain, sizeof r->previous_chain, q_text(st, 9));
    r->time_s = sqlite3_column_int64(st, 10);
    copy_text(r->local_date, sizeof r->local_date, q_text(st, 11));
    r->asset = q_text(st, 12);
    r->hostname = q_text(st, 13);
    r->machine_id = q_text(st, 14);
    r->rules_version = q_text(st, 15);
    r->rules_unmodified = sqlite3_column_int(st, 16) != 0;
    r->declared.authority = q_text(st, 17);
    r->declared.work = q_text(st, 18);
    r->declared.starts = q_text(st, 19);
    r->declared.ends = q_text(st, 20);
    r->declared.time_zone = q_text(st, 21);
    r->verdicts = q_text(st, 22);
    r->flags = (unsigned)sqlite3_column_int64(st, 23);
    r->received_at = sqlite3_column_int64(st, 24);
    r->redo = (enum redo_state)sqlite3_column_int(st, 25);
    r->redo_report = q_text(st, 26);
}

int store_evidence_get(struct store *s, const char *digest, record_fn fn, void *arg, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_EVIDENCE_GET, &st, e, "t", digest);
    if (rc == 0) {
        rc = one_row(s, st, "evidence", e);
    }
    if (rc != 0) {
        return rc;
    }
    struct record r;
    row_record(st, &r);
    r.receipt = q_text(st, COL_RECEIPT);
    r.payload_n = (size_t)sqlite3_column_int64(st, COL_PAYLOAD_N);
    r.payload_z = sqlite3_column_blob(st, COL_PAYLOAD);
    r.payload_z_n = (size_t)sqlite3_column_bytes(st, COL_PAYLOAD);
    if (sqlite3_column_bytes(st, COL_SIG) == (int)sizeof r.sig) {
        memcpy(r.sig, sqlite3_column_blob(st, COL_SIG), sizeof r.sig);
        rc = fn(arg, &r, e);
    } else {
        rc = err_set(e, ERR_MALFORMED, "store: evidence without a signature");
    }
    (void)sqlite3_reset(st);
    return rc;
}

int store_each_record(struct store *s, const struct record_range *range, record_fn fn, void *arg,
                      struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc =
        q_start(s, Q_EACH_RECORD, &st, e, "tttttti", range->keyid, range->contract,
                range->framework, range->chain, range->from, range->to, (int64_t)range->newest);
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        struct record r;
        row_record(st, &r);
        rc = fn(arg, &r, e);
    }
    if (st != NULL) {
        (void)sqlite3_reset(st);
    }
    return rc;
}

int store_redo_next(struct store *s, int64_t after, char ret_digest[SHA256_HEX], int64_t *ret_id,
                    struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_REDO_NEXT, &st, e, "i", after);
    if (rc == 0) {
        rc = one_row(s, st, "evidence", e);
    }
    if (rc != 0) {
        return rc;
    }
    *ret_id = sqlite3_column_int64(st, 0);
    copy_text(ret_digest, SHA256_HEX, q_text(st, 1));
    (void)sqlite3_reset(st);
    return 0;
}

int store_each_declaration(struct store *s, const char *contract, declaration_fn fn, void *arg,
                           struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_DECLARATIONS, &st, e, "t", contract);
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        const struct declaration d = {.authority = q_text(st, 0),
                                      .work = q_text(st, 1),
                                      .starts = q_text(st, 2),
                                      .ends = q_text(st, 3),
                                      .time_zone = q_text(st, 4)};
        rc = fn(arg, &d, q_text(st, 5), e);
    }
    if (st != NULL) {
        (void)sqlite3_reset(st);
    }
    return rc;
}

int store_count(struct store *s, struct store_counts *ret, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = q_start(s, Q_COUNT, &st, e, "");
    if (rc == 0) {
        rc = one_row(s, st, "count", e);
    }
    if (rc != 0) {
        return rc;
    }
    int64_t *const fields[] = {&ret->hosts,        &ret->evidence, &ret->redo_pending,
                               &ret->redo_differs, &ret->flagged,  &ret->tokens,
                               &ret->bytes};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *fields[i] = sqlite3_column_int64(st, (int)i);
    }
    (void)sqlite3_reset(st);
    return 0;
}
