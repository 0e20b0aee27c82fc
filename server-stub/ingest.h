/* Taking evidence in: what is checked of one envelope, in which order, with which answer; then its
 * place in the chain, its flags and its receipt. The same way for HTTP and for export bundles.
 * formats.md, "Collector"; evidence is judged on arrival for its form only, never for its content.
 */
#ifndef TENKEN_COLLECTOR_INGEST_H
#define TENKEN_COLLECTOR_INGEST_H

#include "agent/evidence/evidence.h"
#include "server-stub/store.h"

/* Why something is not taken: HTTP status, a word for programs, a sentence for people. */
struct refusal {
    unsigned status; /* 0 = not refused */
    const char *code;
    char message[256];
};

/* An envelope that passed, ready for the store. Owns what record points to. */
struct ingest {
    struct record record;
    struct statement_head head;
    struct str verdicts;
    struct str declared[5];
    void *packed;
    struct str receipt;
    bool repeated; /* its receipt was given before */
};
void ingest_free(struct ingest *in);
static inline void cleanup_ingest(struct ingest **in)
{
    ingest_free(*in);
}

/* What compressing keeps from one payload to the next (half of its time otherwise goes into setting
 * it up). Used by one thread at a time. */
struct packer;
/* ERR_NOMEM. */
int packer_new(struct packer **ret, struct err *e) MUST_USE;
void packer_free(struct packer *p);
static inline void cleanup_packer(struct packer **p)
{
    packer_free(*p);
}

/* Checks one envelope. First of: 413 too long, 400 not JSON or no envelope, 422 not exactly one
 * signature, 401 key unknown, 403 signature, 422 type, 422 statement or host, 403 contract. s: any
 * connection. Returns 0 with either *ret or no->status set; an error only where the collector
 * itself could not (store, memory). */
int ingest_check(struct store *s, struct packer *p, const char *text, size_t n, struct ingest **ret,
                 struct refusal *no, struct err *e) MUST_USE;

/* Stores it and makes the receipt, within the caller's transaction. A repeated digest gets the
 * receipt it had. The receipt counts only once the transaction is committed. */
int ingest_put(struct store *s, const struct sign_key *key, int64_t now_s, struct ingest *in,
               struct err *e) MUST_USE;

/* The flags that a record earns by its place in the chain (receiving order only decides gap and
 * late). */
unsigned ingest_flags(const struct record *r, const struct chain_look *look, bool machine_any,
                      bool machine_known);

/* The envelope of a stored record, as agents write it; the payload's digest is checked. */
int record_envelope(const struct record *r, struct str *out, struct err *e) MUST_USE;
/* The payload of a stored record, unpacked and its digest checked. */
int record_payload(const struct record *r, struct str *out, struct err *e) MUST_USE;

#endif
