/* Inside of a state directory, for the files of this folder. */
#ifndef TENKEN_EVIDENCE_STATE_H
#define TENKEN_EVIDENCE_STATE_H

#include <sys/types.h>

#include "agent/evidence/evidence.h"

struct state {
    char *dir;
    int dir_fd, lock_fd;
    int spool_fd, receipts_fd; /* -1: not there (only when not opened for writing) */
    bool write;
    mode_t dir_mode;  /* of the spool's directories */
    mode_t file_mode; /* of envelopes */
};

/* DIR/a or DIR/a/b (b NULL) in *out; ERR_TRUNCATED when too long. */
int state_path(const struct state *s, const char *a, const char *b, struct str *out,
               struct err *e) MUST_USE;

/* --- chain.c, for spool.c and others --- */
struct chain_info {
    char chain[33];
    char previous_chain[33]; /* "" if none */
    char *contract, *framework;
    int64_t sequence;        /* newest, 0 = none */
    char digest[SHA256_HEX]; /* of the newest */
    bool superseded;         /* another chain follows it */
};
struct chain_list {
    struct chain_info *chains;
    size_t n;
};
/* All chains of the spool, by name. */
int chain_list(const struct state *s, struct chain_list *ret, struct err *e) MUST_USE;
void chain_list_done(struct chain_list *l);
static inline void cleanup_chain_list(struct chain_list *l)
{
    chain_list_done(l);
}
/* "SEQUENCE-DIGEST.json" taken apart; false if it is not of that form. */
bool spool_name_parse(const char *name, int64_t *ret_sequence, char ret_digest[SHA256_HEX]);
/* File names of one chain's envelopes, in the order of their sequences. */
int chain_files(const struct state *s, const char *chain, struct strv *ret, struct err *e) MUST_USE;

#endif
