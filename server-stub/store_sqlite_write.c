/* The SQLite store: what is written (tokens, hosts, evidence, results of redoing, erasing). */
#include <string.h>

#include "server-stub/store_sqlite.h"

int store_token_add(struct store *s, const struct token_row *t, struct err *e)
{
    return q_run(s, Q_TOKEN_ADD, e, "tbttii", t->id, (const void *)t->hash, sizeof t->hash, t->role,
                 t->contract, t->uses_left, t->expires_s);
}

int store_token_use(struct store *s, const char *id, struct err *e)
{
    int rc = q_run(s, Q_TOKEN_USE, e, "t", id);
    if (rc == 0 && sqlite3_changes(s->db) != 1) {
        return err_set(e, ERR_LIMIT, "token used up");
    }
    return rc;
}

int store_host_put(struct store *s, const struct host_row *h, const char *contract, struct err *e)
{
    int rc = q_run(s, Q_HOST_PUT, e, "ttti", h->keyid, h->pem, h->hostname, h->enrolled_at);
    if (rc == 0) {
        rc = q_run(s, Q_HOST_CONTRACT, e, "tti", h->keyid, contract, h->enrolled_at);
    }
    if (rc == 0 && h->machine_id[0] != '\0') {
        rc = q_run(s, Q_HOST_MACHINE, e, "tt", h->keyid, h->machine_id);
    }
    return rc;
}

/* Declarations repeat from day to day: one row each, with the last local day on which it was made.
 */
static int declaration_id(struct store *s, const struct record *r, int64_t *ret, struct err *e)
{
    const struct declaration *d = &r->declared;
    int rc = q_run(s, Q_DECLARATION_ADD, e, "ttttttt", r->contract, d->authority, d->work,
                   d->starts, d->ends, d->time_zone, r->local_date);
    sqlite3_stmt *st = NULL;
    if (rc == 0) {
        rc = q_start(s, Q_DECLARATION_ID, &st, e, "tttttt", r->contract, d->authority, d->work,
                     d->starts, d->ends, d->time_zone);
    }
    if (rc == 0) {
        rc = q_step(s, st, e);
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        return err_set(e, ERR_INTERNAL, "store: a declaration was not kept");
    }
    *ret = sqlite3_column_int64(st, 0);
    (void)sqlite3_reset(st);
    return 0;
}

int store_evidence_add(struct store *s, const struct record *r, struct err *e)
{
    int64_t declaration = 0;
    int rc = declaration_id(s, r, &declaration, e);
    if (rc != 0) {
        return rc;
    }
    return q_run(s, Q_EVIDENCE_ADD, e, "ttttttittitttttiitiitbib", r->digest, r->keyid, r->contract,
                 r->framework, r->framework_version, r->chain, r->sequence, r->previous,
                 r->previous_chain, r->time_s, r->local_date, r->asset, r->hostname, r->machine_id,
                 r->rules_version, (int64_t)r->rules_unmodified, declaration, r->verdicts,
                 (int64_t)r->flags, r->received_at, r->receipt, (const void *)r->sig, sizeof r->sig,
                 (int64_t)r->payload_n, r->payload_z, r->payload_z_n);
}

int store_redo_set(struct store *s, int64_t id, enum redo_state state, const char *report,
                   struct err *e)
{
    return q_run(s, Q_REDO_SET, e, "iit", id, (int64_t)state, report);
}

/* Walks the digests that will be erased: their count, days and a digest over them stay behind, so
 * that somebody who holds an erased evidence can be shown that it was among them. */
static int erase_list(struct store *s, struct deletion *d, struct err *e)
{
    CLEANUP(digest) struct digest *sum = NULL;
    int rc = digest_new(&sum, e);
    sqlite3_stmt *st = NULL;
    if (rc == 0) {
        rc = q_start(s, Q_ERASE_LIST, &st, e, "t", d->contract);
    }
    while (rc == 0 && (rc = q_step(s, st, e)) == 1) {
        const char *day = q_text(st, 1);
        if (d->first[0] == '\0' || strcmp(day, d->first) < 0) {
            (void)memccpy(d->first, day, 0, sizeof d->first - 1);
        }
        if (strcmp(day, d->last) > 0) {
            (void)memccpy(d->last, day, 0, sizeof d->last - 1);
        }
        d->n++;
        rc = digest_part(sum, q_text(st, 0), strlen(q_text(st, 0)), e);
    }
    return rc == 0 ? digest_finish(sum, d->digests, e) : rc;
}

int store_erase(struct store *s, struct deletion *d, struct err *e)
{
    d->n = 0;
    memset(d->first, 0, sizeof d->first);
    memset(d->last, 0, sizeof d->last);
    int rc = erase_list(s, d, e);
    static const enum query by_contract[] = {Q_ERASE, Q_ERASE_ENROLMENT, Q_ERASE_DECLARATIONS,
                                             Q_ERASE_TOKENS};
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(by_contract); i++) {
        rc = q_run(s, by_contract[i], e, "t", d->contract);
    }
    if (rc == 0) {
        rc = q_run(s, Q_ERASE_MACHINES, e, "");
    }
    if (rc == 0) {
        rc = q_run(s, Q_ERASE_HOSTS, e, "");
    }
    if (rc == 0) {
        rc = q_run(s, Q_DELETION_ADD, e, "ttiittt", d->contract, d->reason, d->erased_at, d->n,
                   d->first, d->last, d->digests);
    }
    return rc;
}
