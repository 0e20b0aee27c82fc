/* The way without a network: evidence out as a file, receipts back in. */
#ifndef TENKEN_EVIDENCE_EXPORT_H
#define TENKEN_EVIDENCE_EXPORT_H

#include "agent/evidence/evidence.h"

struct export_request {
    const char *output;             /* NAME.intoto.jsonl; replaced atomically */
    bool all;                       /* everything in the spool, not only what awaits a receipt */
    const char *const *policy_dirs; /* as policy_load got them; copied below policies/ */
    size_t n_policy_dirs;
    const char *policy_digest; /* of the loaded policy: the name of the copy */
};
struct export_report {
    size_t n_written;               /* envelopes */
    size_t n_other_rules;           /* of them judged with rules other than those copied beside */
    char policies[SHA256_HEX + 16]; /* "policies/DIGEST", relative to the output's directory */
};
/* Writes the envelopes, one per line, by chain and sequence; beside it OUTPUT.pub.pem and
 * policies/DIGEST/. Each chain is written without holes, from its first unacknowledged envelope to
 * its head, so that the reader can check its links. Reads the spool only: nothing is marked as sent
 * (a receipt does that). ERR_ABSENT if there is nothing to write; ERR_IO "no space..." leaves an
 * earlier export as it was. */
int export_write(struct state *s, const struct export_request *rq, struct export_report *ret,
                 struct err *e) MUST_USE;

struct import_report {
    size_t n_stored;  /* receipts now in the state directory */
    size_t n_refused; /* not ours, or signature does not hold */
    char first_refusal[512];
};
/* Takes a file of receipts, one per line (an {"error":...} line, which a collector's import writes
 * for what it did not take, counts as refused; empty lines are nothing). Gives 0 even if all were
 * refused. ERR_ABSENT etc. if the file cannot be read or no collector is enrolled. */
int import_receipts(struct state *s, const char *path, struct import_report *ret,
                    struct err *e) MUST_USE;

#endif
