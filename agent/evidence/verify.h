/* Verification for people who trust nobody: signature, statement, chain, and every verdict redone.
 * Takes single envelopes (.json) and exports (.intoto.jsonl, one envelope per line). Knows no state
 * directory and no time: order is by sequence alone. */
#ifndef TENKEN_EVIDENCE_VERIFY_H
#define TENKEN_EVIDENCE_VERIFY_H

#include "agent/evidence/evidence.h"

#define VERIFY_FILE_MAX ((size_t)256 << 20)

enum verify_key_source {
    VERIFY_KEY_NONE,     /* none was found: nothing can be said */
    VERIFY_KEY_GIVEN,    /* --key */
    VERIFY_KEY_BESIDE,   /* FILE.pub.pem, which came with the evidence */
    VERIFY_KEY_FALLBACK, /* this machine's own */
};

struct verify_request {
    const char *const *paths;
    size_t n_paths;
    const struct verify_key *key;      /* NULL: FILE.pub.pem beside each file, else fallback */
    const struct verify_key *fallback; /* NULL or the state directory's own key */
    const struct policy *policy;       /* NULL: verdicts are not redone (never good then) */
};

/* One envelope. */
struct verify_item {
    char *file;
    unsigned line; /* 0: the file is one envelope */
    bool valid;    /* signature and statement hold */
    char why[512]; /* of an invalid one */
    enum verify_key_source key_source;
    char keyid[SHA256_HEX];
    char digest[SHA256_HEX];
    struct statement_head head; /* zero unless valid */
    bool redone;
    char redo_error[256]; /* why not redone */
    struct redo_report redo;
};

enum chain_problem_kind {
    CHAIN_FORK,       /* one sequence, two digests */
    CHAIN_GAP,        /* a sequence is missing */
    CHAIN_BROKEN,     /* previous is not the digest of the one before */
    CHAIN_MIXED,      /* another host, contract or framework inside one chain */
    CHAIN_DUPLICATE,  /* the same evidence twice: harmless, said */
    CHAIN_NEW_MACHINE /* another machine-id under the same key: said */
};
struct chain_problem {
    enum chain_problem_kind kind;
    char chain[33];
    int64_t sequence;
    char text[256]; /* English; verify_report_write gives both languages */
};
struct chain_span {
    char chain[33], previous_chain[33];
    int64_t first, last;
    size_t n;
    bool checked; /* links were there to be checked, and from `first` on all hold */
};

struct verify_report {
    struct verify_item *items; /* in the order read */
    size_t n_items;
    struct chain_span *chains;
    size_t n_chains;
    struct chain_problem *problems;
    size_t n_problems;
    int exit_code; /* 0 good, 2 the answer is no, 3 chain not checked or not comparable */
};

/* Gives 0 whenever all files could be read: the answer is in the report. ERR_ABSENT, ERR_DENIED,
 * ERR_IO, ERR_TRUNCATED with the file's name if one could not (exit 1); ERR_ABSENT if there is no
 * key to verify with. */
int verify_evidence(const struct verify_request *rq, struct verify_report *ret,
                    struct err *e) MUST_USE;
/* One file. */
int verify_file(const char *path, const struct verify_key *key, const struct policy *policy,
                struct verify_report *ret, struct err *e) MUST_USE;
void verify_report_done(struct verify_report *r);
static inline void cleanup_verify_report(struct verify_report *r)
{
    verify_report_done(r);
}
/* For people (one language) or as one JSON object {"format":"tenken-verify/1",...}. */
void verify_report_write(const struct verify_report *r, bool as_json, enum lang lang,
                         struct str *out);

#endif
