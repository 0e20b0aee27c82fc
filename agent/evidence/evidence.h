/* Evidence: in-toto Statement in a DSSE envelope, signed with pure Ed25519, chained per host and
 * contract, spooled, verified. formats.md "Evidence"; evidence/notes.md; DSSE 1.0.2; in-toto
 * Statement v1; RFC 8032. */
#ifndef TENKEN_EVIDENCE_EVIDENCE_H
#define TENKEN_EVIDENCE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/digest.h"
#include "agent/base/facts.h"
#include "agent/base/json.h"
#include "agent/policy/eval.h"

#define PAYLOAD_TYPE_EVIDENCE "application/vnd.in-toto+json"
#define PAYLOAD_TYPE_RECEIPT "application/vnd.tenken.receipt+json"
#define STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define PREDICATE_TYPE "https://tenken.dev/host-posture/v1"
#define ENVELOPE_MAX ((size_t)4 << 20)
#define STATE_DEFAULT_DIR "/var/lib/tenken"

/* --- keys --- */
struct sign_key;   /* private: Ed25519, file or provider URI */
struct verify_key; /* public */
/* uri: a path of a PKCS#8 PEM file, or an OpenSSL store URI (pkcs11:, handle:). */
int sign_key_load(const char *uri, struct sign_key **ret, struct err *e) MUST_USE;
/* Makes an Ed25519 key, 0600, durable; never replaces an existing file (ERR_BUSY). Also writes
 * pub_path (SPKI PEM, 0644). */
int sign_key_create(const char *path, const char *pub_path, struct sign_key **ret,
                    struct err *e) MUST_USE;
void sign_key_free(struct sign_key *k);
const char *sign_key_id(const struct sign_key *k);  /* hex sha256 of DER SPKI */
const char *sign_key_pem(const struct sign_key *k); /* SPKI PEM */
int verify_key_pem(const char *pem, size_t n, struct verify_key **ret,
                   struct err *e) MUST_USE; /* ERR_MALFORMED; only Ed25519 */
void verify_key_free(struct verify_key *k);
const char *verify_key_id(const struct verify_key *k);
const char *verify_key_text(const struct verify_key *k); /* SPKI PEM */

/* --- DSSE --- */
void dsse_pae(const char *type, const void *body, size_t n, struct str *out);
/* {"payload":...,"payloadType":...,"signatures":[{"keyid":...,"sig":...}]} without a final newline.
 */
int dsse_sign(const struct sign_key *k, const char *type, const void *body, size_t n,
              struct str *out, struct err *e) MUST_USE;

struct envelope {
    char *payload; /* decoded, owned, NUL after the last byte */
    size_t payload_n;
    char *type;
    char keyid[SHA256_HEX]; /* "" if absent; unauthenticated */
    uint8_t sig[64];
    size_t sig_n;
    char digest[SHA256_HEX]; /* of the payload */
};
/* Decodes only. ERR_MALFORMED not JSON or not an envelope; ERR_UNSUPPORTED not exactly one
 * signature; ERR_TRUNCATED too large. */
int envelope_parse(const char *text, size_t n, struct envelope *ret, struct err *e) MUST_USE;
/* ERR_MISMATCH if the signature does not hold under k. */
int envelope_verify(const struct envelope *env, const struct verify_key *k, struct err *e) MUST_USE;
void envelope_done(struct envelope *env);

/* --- statement --- */
struct statement_meta {
    const char *agent_version;
    const char *rules_version, *rules_digest;
    bool rules_unmodified;
    const char *host_id, *asset, *hostname, *os, *machine_id, *dmi_serial;
    const char *contract, *framework, *framework_version, *framework_digest;
    const char *chain, *previous, *previous_chain; /* previous_chain NULL if none */
    int64_t sequence;
    const char *scan_id, *time, *local_date, *time_zone, *boot_id, *root;
    bool live;
    int64_t wall_ms, cpu_ms;
};
struct layers_row {
    const char *probe;
    const char *const *layers;
    size_t n;
};
struct statement_request {
    struct statement_meta meta;
    const struct layers_row *layers;
    size_t n_layers;
    const struct facts *facts;  /* recorded */
    const struct facts *probes; /* states of all tables (probe_status is made of these) */
    const struct evaluation *evaluation;
    const char *previous_payload; /* for `since`, NULL if none */
    size_t previous_payload_n;
};
/* Members in the order of formats.md, no white space. */
int statement_write(const struct statement_request *rq, struct str *out, struct err *e) MUST_USE;

/* A statement read back. */
struct statement {
    json_t *root;
    const char *host_id, *contract, *framework, *framework_version, *chain, *previous, *time,
        *local_date, *rules_digest;
    const char *machine_id, *asset, *hostname, *agent_version, *boot_id;
    int64_t sequence;
    struct facts facts; /* with the recorded schema (owns_decl) */
};
/* ERR_MALFORMED (schema) with the member's name; ERR_UNSUPPORTED other _type or predicateType.
 * Checks that the subject digest is that of the facts bytes. */
int statement_parse(const char *payload, size_t n, struct statement *ret, struct err *e) MUST_USE;
void statement_done(struct statement *s);

/* --- redo --- */
enum redo { REDO_SAME, REDO_DIFFERS, REDO_NOT_COMPARABLE };
struct redo_line {
    enum redo result;
    bool is_control;
    char id[64];
    char recorded[24], redone[24]; /* verdict words; redone "" if it could not be */
    char why[192];
};
struct redo_report {
    struct redo_line *lines;
    size_t n, n_differs, n_not_comparable;
};
/* Evaluates the statement's facts with p and compares every check and control verdict and the
 * findings. */
int statement_redo(const struct statement *s, const struct policy *p, struct redo_report *ret,
                   struct err *e) MUST_USE;
void redo_report_done(struct redo_report *r);

/* --- state directory, chain, spool --- */
struct state;
/* Opens or makes dir (0700 root's; spool readable to the uploader's group). write: takes the lock
 * (ERR_BUSY "another scan is recording"). Recovers from whatever an earlier crash left (temporary
 * files). */
int state_open(const char *dir, bool write, struct state **ret, struct err *e) MUST_USE;
void state_close(struct state *s);
const char *state_dir_default(void); /* $TENKEN_STATE_DIR or /var/lib/tenken */
int state_key(struct state *s, bool create, struct sign_key **ret,
              struct err *e) MUST_USE; /* ERR_ABSENT without create */
int state_pseudonym_key(struct state *s, bool create, uint8_t out[32], struct err *e) MUST_USE;

struct chain_head {
    char chain[33];          /* 32 hex digits */
    int64_t sequence;        /* of the newest; 0 = none yet */
    char digest[SHA256_HEX]; /* of the newest payload, "" */
    char previous_chain[33]; /* "" or the chain that this one follows (enroll --new-chain) */
    char *payload;           /* of the newest envelope, NULL */
    size_t payload_n;
};
/* The chain of a contract and framework; made (random id) if none and create. */
int chain_find(struct state *s, const char *contract, const char *framework, bool create,
               struct chain_head *ret, struct err *e) MUST_USE;
void chain_head_done(struct chain_head *h);
/* Durable: temporary file, fsync, rename, fsync of the directory. Refuses a sequence that is not
 * head + 1. */
int chain_append(struct state *s, const struct chain_head *head, const char *envelope, size_t n,
                 const char digest[SHA256_HEX], struct err *e) MUST_USE;
/* Starts new chains for every contract (cloned machine). */
int chain_renew(struct state *s, struct err *e) MUST_USE;

struct spool_entry {
    char *path;
    char chain[33];
    int64_t sequence;
    char digest[SHA256_HEX];
    bool acknowledged; /* a valid receipt lies in receipts/ */
    bool is_head;
};
struct spool_list {
    struct spool_entry *entries; /* by chain, sequence */
    size_t n, n_unacknowledged;
};
int spool_list(struct state *s, struct spool_list *ret, struct err *e) MUST_USE;
void spool_list_done(struct spool_list *l);
/* Verifies receipts against collector.pub.pem; removes acknowledged envelopes that are not a head.
 * Called by the recording scan alone. */
int spool_prune(struct state *s, size_t *ret_removed, struct err *e) MUST_USE;
/* Verifies a receipt (text of a DSSE envelope) for our key and stores it durably in receipts/. */
int receipt_store(struct state *s, const char *text, size_t n, char ret_digest[SHA256_HEX],
                  struct err *e) MUST_USE;
int receipt_verify(const struct verify_key *collector, const char *text, size_t n,
                   char ret_digest[SHA256_HEX], struct err *e) MUST_USE;

#endif
