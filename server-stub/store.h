/* The collector's store: the one seam between the collector and a database. Callers know records,
 * hosts and tokens; SQL stands in store_sqlite*.c alone, so that another database can be added
 * beside it.
 *
 * A struct store is one connection, used by one thread at a time. Reads may go on while another
 * connection writes. What store_commit has accepted survives the loss of power. */
#ifndef TENKEN_COLLECTOR_STORE_H
#define TENKEN_COLLECTOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/digest.h"
#include "agent/base/str.h"

#define STORE_SCHEMA 2 /* version that this program writes; older ones are upgraded */
#define CHAIN_HEX 33   /* 32 hex digits and NUL */

struct store;

enum store_mode {
    STORE_READ, /* existing store of exactly this schema version */
    STORE_WRITE /* made if absent, upgraded if older */
};

/* where: a directory (holds evidence.db). ERR_ABSENT no store there (STORE_READ); ERR_UNSUPPORTED a
 * newer schema, or a kind of store that this version has not; ERR_MALFORMED not a store. */
int store_open(const char *where, enum store_mode mode, struct store **ret, struct err *e) MUST_USE;
void store_close(struct store *s);
static inline void cleanup_store(struct store **s)
{
    store_close(*s);
}

/* One transaction; the lock for writing is taken at once (waits up to 20 s: ERR_BUSY). */
int store_begin(struct store *s, struct err *e) MUST_USE;
/* Durable when it returns 0. On an error the transaction is gone as a whole. ERR_IO disk full. */
int store_commit(struct store *s, struct err *e) MUST_USE;
void store_rollback(struct store *s);
/* A part of the transaction that can be undone alone. */
int store_part_begin(struct store *s, struct err *e) MUST_USE;
int store_part_end(struct store *s, bool keep, struct err *e) MUST_USE;

/* --- flags of an evidence: bits, fixed for ever (they stand in stores) --- */
enum flag {
    FLAG_GAP = 1U << 0,          /* the one before it was not here when it came */
    FLAG_LATE = 1U << 1,         /* a later one of its chain was here already */
    FLAG_FORK = 1U << 2,         /* contradicts another of its chain */
    FLAG_CLOCK_BEHIND = 1U << 3, /* its time lies before that of an earlier number */
    FLAG_REDO_DIFFERS = 1U << 4, /* the verdicts, redone here, are others */
    FLAG_MACHINE_ID = 1U << 5    /* same key, another machine-id */
};
#define N_FLAGS 6
/* The words of formats.md, by bit number. NULL past the end. */
const char *flag_word(unsigned bit);

/* --- tokens --- */
struct token_row {
    char id[17];        /* 16 hex digits, the public part */
    uint8_t hash[32];   /* SHA-256 of the secret part; the secret is nowhere */
    char role[16];      /* "" = enrolment; operator, officer, auditor = read API */
    char contract[128]; /* "" = all contracts (read API only) */
    int64_t uses_left;  /* enrolments still allowed */
    int64_t expires_s;
};
int store_token_add(struct store *s, const struct token_row *t, struct err *e) MUST_USE;
int store_token_get(struct store *s, const char *id, struct token_row *ret,
                    struct err *e) MUST_USE; /* ERR_ABSENT */
/* Takes one use. ERR_LIMIT if none is left. */
int store_token_use(struct store *s, const char *id, struct err *e) MUST_USE;

/* --- hosts --- */
struct host_row {
    const char *keyid, *pem, *hostname, *machine_id;
    int64_t enrolled_at;
};
/* Adds the host, or further enrols one that is known: names are renewed, the contract and the
 * machine-id added. */
int store_host_put(struct store *s, const struct host_row *h, const char *contract,
                   struct err *e) MUST_USE;
int store_host_pem(struct store *s, const char *keyid, struct str *ret,
                   struct err *e) MUST_USE; /* ERR_ABSENT */
int store_host_may(struct store *s, const char *keyid, const char *contract, bool *ret,
                   struct err *e) MUST_USE;
int store_host_contracts(struct store *s, const char *keyid, struct strv *ret,
                         struct err *e) MUST_USE;
/* Is this machine-id one under which the key was enrolled? *ret_any: any was given at all. */
int store_machine_known(struct store *s, const char *keyid, const char *machine_id, bool *ret_any,
                        bool *ret_known, struct err *e) MUST_USE;

/* --- evidence --- */
enum redo_state { REDO_STATE_PENDING, REDO_STATE_SAME, REDO_STATE_DIFFERS, REDO_STATE_PARTLY };

/* What the site declared about the contract, as recorded in the evidence ("" = not declared). */
struct declaration {
    const char *authority, *work, *starts, *ends, *time_zone;
};

struct record {
    char digest[SHA256_HEX], keyid[SHA256_HEX];
    char chain[CHAIN_HEX], previous_chain[CHAIN_HEX];
    char previous[SHA256_HEX];
    char local_date[11];
    int64_t sequence, time_s;
    const char *contract, *framework, *framework_version;
    const char *asset, *hostname, *machine_id, *rules_version;
    bool rules_unmodified;
    struct declaration declared;
    const char *verdicts;  /* one line "control=verdict" each */
    const void *payload_z; /* zstd */
    size_t payload_z_n, payload_n;
    uint8_t sig[64];
    /* given by the collector */
    unsigned flags;
    int64_t received_at;
    const char *receipt;
    /* filled when read back */
    int64_t id;
    enum redo_state redo;
    const char *redo_report; /* JSON array of the lines that are not the same */
};

/* The receipt given for a digest. ERR_ABSENT if it is not stored. */
int store_receipt_find(struct store *s, const char *digest, struct str *ret,
                       struct err *e) MUST_USE;

/* What stands around a place in a chain (same key, contract and framework). */
struct chain_look {
    bool any;             /* the chain is known */
    int64_t max_sequence; /* 0 if not */
    bool same_number;     /* another evidence with this number */
    bool has_previous, previous_matches;
    bool has_next, next_matches;
    bool has_lower, has_higher; /* nearest stored numbers below and above */
    int64_t lower_time_s, higher_time_s;
    char machine_id[128]; /* of the lowest number stored */
};
int store_chain_look(struct store *s, const struct record *r, struct chain_look *ret,
                     struct err *e) MUST_USE;
/* Inserts. ERR_MISMATCH if the digest is there already. */
int store_evidence_add(struct store *s, const struct record *r, struct err *e) MUST_USE;

/* Rows are handed to fn one by one; pointers are valid during the call only. fn's non-zero return
 * ends the walk and is returned. */
typedef int (*record_fn)(void *arg, const struct record *r, struct err *e);
/* With payload and receipt. ERR_ABSENT. */
int store_evidence_get(struct store *s, const char *digest, record_fn fn, void *arg,
                       struct err *e) MUST_USE;

/* The next evidence after `after` (row id) whose verdicts were not redone. ERR_ABSENT: none. */
int store_redo_next(struct store *s, int64_t after, char ret_digest[SHA256_HEX], int64_t *ret_id,
                    struct err *e) MUST_USE;
int store_redo_set(struct store *s, int64_t id, enum redo_state state, const char *report,
                   struct err *e) MUST_USE;

/* --- reading for pages --- */
struct member_row { /* a host, and its enrolment for one contract where one was asked for */
    const char *keyid, *hostname;
    int64_t enrolled_at;
    const char *first_date; /* earliest local day of its evidence for the contract, or "" */
};
typedef int (*member_fn)(void *arg, const struct member_row *m, struct err *e);
/* By keyid. contract "" = all hosts (first_date then over all contracts). */
int store_each_host(struct store *s, const char *contract, member_fn fn, void *arg,
                    struct err *e) MUST_USE;
int store_host_get(struct store *s, const char *keyid, member_fn fn, void *arg,
                   struct err *e) MUST_USE; /* ERR_ABSENT */

struct chain_row {
    const char *contract, *framework, *chain, *previous_chain;
    int64_t first_time_s;            /* of its lowest number */
    int64_t max_sequence, n_numbers; /* numbers missing = max_sequence - n_numbers */
    unsigned flags;                  /* of all its evidences together */
    int64_t n_evidence;
};
typedef int (*chain_fn)(void *arg, const struct chain_row *c, struct err *e);
/* Chains of a host by contract, framework, chain. contract "" = all. */
int store_each_chain(struct store *s, const char *keyid, const char *contract, chain_fn fn,
                     void *arg, struct err *e) MUST_USE;
/* Evidences of a chain with local_date in [from, to], by number and digest, without payload and
 * receipt. newest: only those with the highest number. */
struct record_range {
    const char *keyid, *contract, *framework, *chain, *from, *to;
    bool newest;
};
int store_each_record(struct store *s, const struct record_range *range, record_fn fn, void *arg,
                      struct err *e) MUST_USE;

/* Distinct frameworks of a contract's evidence; declarations made about it. */
int store_contract_frameworks(struct store *s, const char *contract, struct strv *ret,
                              struct err *e) MUST_USE;
typedef int (*declaration_fn)(void *arg, const struct declaration *d, const char *last_date,
                              struct err *e);
int store_each_declaration(struct store *s, const char *contract, declaration_fn fn, void *arg,
                           struct err *e) MUST_USE;
/* Contracts that anything is known of (tokens, hosts, evidence). */
int store_contracts(struct store *s, struct strv *ret, struct err *e) MUST_USE;

struct store_counts {
    int64_t hosts, evidence, redo_pending, redo_differs, flagged, tokens, bytes;
};
/* Numbers for the doctor and for /metrics. */
int store_count(struct store *s, struct store_counts *ret, struct err *e) MUST_USE;
/* ERR_MALFORMED with the first complaint of the database's own check. */
int store_check(struct store *s, struct err *e) MUST_USE;

/* --- erasing --- */
struct deletion {
    const char *contract, *reason;
    int64_t erased_at;
    int64_t n;                /* set by store_erase */
    char first[11], last[11]; /* local days, set by store_erase */
    char digests[SHA256_HEX]; /* over the erased digests in order, set by store_erase */
};
/* Erases a contract's evidence (content overwritten) and its enrolments, and writes a deletion
 * record. Within a transaction. */
int store_erase(struct store *s, struct deletion *d, struct err *e) MUST_USE;
/* Empties the write-ahead log, so that erased content does not linger there. */
int store_flush(struct store *s, struct err *e) MUST_USE;

#endif
