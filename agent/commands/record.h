/* Turning what was judged into evidence: one statement per contract, signed, chained, spooled. */
#ifndef TENKEN_COMMANDS_RECORD_H
#define TENKEN_COMMANDS_RECORD_H

#include "agent/commands/session.h"

/* Records list[0..n) into the opened (locked) state directory; sets sequence and digest of each;
 * makes the key if there is none; prunes what receipts acknowledge. notice: appended with what the
 * operator should know (unsent evidence, another machine under the same key). Contracts of a trial
 * (no contract) are ERR_INVALID. */
int record_all(struct session *s, struct state *state, struct judged *list, size_t n,
               struct str *notice, struct err *e) MUST_USE;

#endif
