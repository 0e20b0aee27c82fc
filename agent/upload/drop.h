/* The uploader's own user: it reads the spool and writes receipts, and can neither delete evidence
 * nor read keys. */
#ifndef TENKEN_UPLOAD_DROP_H
#define TENKEN_UPLOAD_DROP_H

#include "agent/base/err.h"

#define UPLOAD_USER "tenken-upload"

/* Root becomes tenken-upload for good (all ids, its groups, no capability, no new privileges). Not
 * root: nothing to drop. ERR_ABSENT with the command that makes the user; ERR_IO. setresuid(2),
 * initgroups(3), PR_SET_NO_NEW_PRIVS in prctl(2). */
int drop_privileges(struct err *e) MUST_USE;

#endif
