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
/* uri: a path of a PKCS#8 PEM file that only its owner can read, or an OpenSSL store URI (pkcs11:,
 * handle:). A file that holds one line "uri:SCHEME:..." instead stands for that URI. Never asks for
 * a pass phrase. ERR_ABSENT, ERR_UNSAFE (others may read it, with the command that mends it),
 * ERR_MALFORMED, ERR_CRYPTO. */
int sign_key_load(const char *uri, struct sign_key **ret, struct err *e) MUST_USE;
/* Makes an Ed25519 key, 0600, durable; never replaces an existing file (ERR_BUSY). Also writes
 * pub_path (SPKI PEM, 0644). */
int sign_key_create(const char *path, const char *pub_path, struct sign_key **ret,
                    struct err *e) MUST_USE;
void sign_key_free(struct sign_key *k);
static inline void cleanup_sign_key(struct sign_key **k)
{
    sign_key_free(*k);
}
const char *sign_key_id(const struct sign_key *k);  /* hex sha256 of DER SPKI */
const char *sign_key_pem(const struct sign_key *k); /* SPKI PEM */
int verify_key_pem(const char *pem, size_t n, struct verify_key **ret,
                   struct err *e) MUST_USE; /* ERR_MALFORMED; only Ed25519 */
/* The same from a file. */
int verify_key_file(const char *path, struct verify_key **ret, struct err *e) MUST_USE;
/* The public half of a private key. */
int verify_key_of(const struct sign_key *k, struct verify_key **ret, struct err *e) MUST_USE;
void verify_key_free(struct verify_key *k);
static inline void cleanup_verify_key(struct verify_key **k)
{
    verify_key_free(*k);
}
const char *verify_key_id(const struct verify_key *k);
const char *verify_key_text(const struct verify_key *k); /* SPKI PEM */

/* --- DSSE --- */
/* Appends "DSSEv1 LEN type LEN body" to *out (DSSE 1.0.2, protocol.md): what is signed. */
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
/* Decodes only. ERR_MALFORMED not JSON (a member twice, bytes that are no UTF-8, nesting past 64)
 * or not an envelope; ERR_UNSUPPORTED not exactly one signature; ERR_TRUNCATED longer than
 * ENVELOPE_MAX (looked at before anything else). Unknown members are ignored, both base64 alphabets
 * are taken. *ret is untouched on failure. */
int envelope_parse(const char *text, size_t n, struct envelope *ret, struct err *e) MUST_USE;
/* ERR_MISMATCH if the signature does not hold under k. The keyid is not looked at: it never decides
 * trust. The caller then compares type with the one it expects, and uses payload, nothing else. */
int envelope_verify(const struct envelope *env, const struct verify_key *k, struct err *e) MUST_USE;
void envelope_done(struct envelope *env);
static inline void cleanup_envelope(struct envelope *env)
{
    envelope_done(env);
}

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
    const char *sqlite; /* sqlite3_libversion() of the program that judged */
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
/* Members in the order of formats.md, no white space. The result was read back strictly: what
 * cannot be parsed again is ERR_INTERNAL and never signed. Texts of meta may be NULL (written as
 * ""). */
int statement_write(const struct statement_request *rq, struct str *out, struct err *e) MUST_USE;

/* A statement read back. */
struct statement {
    json_t *root;
    const char *host_id, *contract, *framework, *framework_version, *chain, *previous, *time,
        *local_date, *rules_digest;
    const char *machine_id, *asset, *hostname, *agent_version, *boot_id;
    int64_t sequence;
    struct facts facts; /* with the recorded schema (owns_decl); states as probe_status says */
    const char *framework_digest, *previous_chain; /* previous_chain "" if none */
    const char *scan_id, *os, *time_zone, *sqlite;
    bool live;
};
/* ERR_MALFORMED (schema) with the member's name; ERR_UNSUPPORTED other _type or predicateType.
 * Checks that the subject digest is that of the facts bytes. */
int statement_parse(const char *payload, size_t n, struct statement *ret, struct err *e) MUST_USE;
void statement_done(struct statement *s);
static inline void cleanup_statement(struct statement *s)
{
    statement_done(s);
}

/* The head of a statement, for who must be quick (the collector's accept path): the whole text is
 * checked strictly, the subject digest too, but rows, checks and controls are not read. */
struct statement_head {
    const char *host_id, *asset, *hostname, *os, *machine_id; /* all point into store */
    const char *agent_version, *rules_version, *rules_digest;
    const char *contract, *framework, *framework_version, *framework_digest;
    const char *chain, *previous, *previous_chain; /* "" if none */
    const char *scan_id, *time, *local_date, *time_zone, *boot_id;
    int64_t sequence;
    bool live;
    char *store; /* owned */
};
/* Errors as statement_parse. */
int statement_head_parse(const char *payload, size_t n, struct statement_head *ret,
                         struct err *e) MUST_USE;
void statement_head_done(struct statement_head *h);
static inline void cleanup_statement_head(struct statement_head *h)
{
    statement_head_done(h);
}

/* --- what changed between two evidences --- */
/* Facts added, removed, changed (rows are matched by their KEY columns) and verdicts that differ,
 * appended to *out as text or as one JSON object. *ret_same: nothing differs. Tables that only one
 * of the two recorded are named, not compared row by row. */
int evidence_diff(const struct statement *a, const struct statement *b, bool as_json,
                  enum lang lang, struct str *out, bool *ret_same, struct err *e) MUST_USE;

/* --- redo --- */
enum redo { REDO_SAME, REDO_DIFFERS, REDO_NOT_COMPARABLE };
struct redo_line {
    enum redo result;
    bool is_control;
    char id[128];
    char recorded[24], redone[24]; /* verdict words; redone "" if it could not be */
    char why[192];
};
struct redo_report {
    struct redo_line *lines;
    size_t n, n_differs, n_not_comparable;
};
/* Evaluates the statement's facts with p and compares every check and control verdict, the
 * findings, the unknown rows and the drift rows. NOT_COMPARABLE where the texts differ (a check's
 * or the framework's digest; a view of other rules) or a bound was hit; both verdicts are shown all
 * the same. p without the framework: every line is NOT_COMPARABLE. */
int statement_redo(const struct statement *s, const struct policy *p, struct redo_report *ret,
                   struct err *e) MUST_USE;
void redo_report_done(struct redo_report *r);
static inline void cleanup_redo_report(struct redo_report *r)
{
    redo_report_done(r);
}

/* --- state directory, chain, spool --- */
struct state;
#define UPLOAD_GROUP "tenken-upload"
/* Opens dir. write: makes what is missing, takes the lock (ERR_BUSY "another scan is recording")
 * and removes the temporary files that an earlier crash left. Not write: nothing is made,
 * ERR_ABSENT if there is no state directory; the uploader opens it so, and may call receipt_store.
 * Root's directory is 0700, or where the group tenken-upload exists: directory 0710, spool 0750,
 * files 0640, receipts 0770. ERR_UNSAFE if others than its owner may write into it. */
int state_open(const char *dir, bool write, struct state **ret, struct err *e) MUST_USE;
void state_close(struct state *s);
static inline void cleanup_state(struct state **s)
{
    state_close(*s);
}
const char *state_dir(const struct state *s);
/* The collector's public key; ERR_ABSENT before enrolment. */
int state_collector_key(struct state *s, struct verify_key **ret, struct err *e) MUST_USE;
/* Keeps it (durably). Only root or the owner can: who may replace it could forge receipts. */
int state_set_collector_key(struct state *s, const char *pem, size_t n, struct err *e) MUST_USE;
/* This host's public key, from host.pub.pem. ERR_ABSENT before the first recording. */
int state_public_key(struct state *s, struct verify_key **ret, struct err *e) MUST_USE;
/* Cloned machines: compares machine_id with the one in the newest envelope of every current chain.
 * ERR_MISMATCH with a text for people that names the cure; 0 if they agree, or nothing is recorded,
 * or either is empty (not known). */
int state_identity_check(struct state *s, const char *machine_id, struct err *e) MUST_USE;
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
/* The present chain of a contract and framework (the one that no other follows); made (random id,
 * needs write) if there is none and create, else ERR_ABSENT. ERR_MALFORMED if its newest envelope
 * is damaged. */
int chain_find(struct state *s, const char *contract, const char *framework, bool create,
               struct chain_head *ret, struct err *e) MUST_USE;
void chain_head_done(struct chain_head *h);
static inline void cleanup_chain_head(struct chain_head *h)
{
    chain_head_done(h);
}
/* Durable: temporary file, fsync, rename, fsync of the directory; on 0 the envelope is recorded
 * whatever happens next. ERR_MISMATCH if it is not of this chain, its sequence is not head + 1, its
 * previous not the head's digest, or the spool has moved on since chain_find; ERR_IO "no space..."
 * leaves everything as it was. */
int chain_append(struct state *s, const struct chain_head *head, const char *envelope, size_t n,
                 const char digest[SHA256_HEX], struct err *e) MUST_USE;
/* Starts new chains for every contract (cloned machine); each names the one it follows. A chain
 * without an envelope yet is left as it is, so that a second call changes nothing. */
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
static inline void cleanup_spool_list(struct spool_list *l)
{
    spool_list_done(l);
}
/* The envelope of an entry, appended to *out. ERR_ABSENT if it was pruned meanwhile. */
int spool_read(struct state *s, const struct spool_entry *entry, struct str *out,
               struct err *e) MUST_USE;
/* Verifies receipts against collector.pub.pem; removes acknowledged envelopes that are not a head.
 * Called by the recording scan alone. */
int spool_prune(struct state *s, size_t *ret_removed, struct err *e) MUST_USE;
/* Verifies a receipt (text of a DSSE envelope) for our key and stores it durably in receipts/. A
 * receipt that is there already is good. ERR_MISMATCH: not signed by the collector of this state
 * directory, for another key, or for no envelope of ours. */
int receipt_store(struct state *s, const char *text, size_t n, char ret_digest[SHA256_HEX],
                  struct err *e) MUST_USE;

struct receipt {
    char digest[SHA256_HEX]; /* of the evidence's payload */
    char chain[33];
    char keyid[SHA256_HEX]; /* of the host */
    int64_t sequence;
    char received_at[32];
    char collector[256];
    char flags[256]; /* comma-joined: "gap,late" */
};
/* Verifies and reads. ERR_MISMATCH signature; ERR_UNSUPPORTED other payload type; ERR_MALFORMED. */
int receipt_parse(const struct verify_key *collector, const char *text, size_t n,
                  struct receipt *ret, struct err *e) MUST_USE;
/* The same for who wants the digest only. */
int receipt_verify(const struct verify_key *collector, const char *text, size_t n,
                   char ret_digest[SHA256_HEX], struct err *e) MUST_USE;
/* The collector's side: writes and signs. */
int receipt_sign(const struct sign_key *collector, const struct receipt *r, struct str *out,
                 struct err *e) MUST_USE;

#endif
