/* Turning what was judged into evidence: one statement per contract, signed, chained, spooled. */
#ifndef TENKEN_COMMANDS_RECORD_H
#define TENKEN_COMMANDS_RECORD_H

#include "agent/commands/session.h"

/* Records list[0..n) into the opened (locked) state directory; sets sequence and digest of each;
 * makes the key if there is none; prunes what receipts acknowledge. notice: appended with what
 * waits (unsent evidence); warning: with what must not be missed (another machine under this key).
 * Contracts of a trial (no contract) are ERR_INVALID. */
int record_all(struct session *s, struct state *state, struct judged *list, size_t n,
               struct str *notice, struct str *warning, struct err *e) MUST_USE;

#endif
