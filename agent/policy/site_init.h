/* `tenken init`: a site file proposed for this host, for a person to read and complete. */
#ifndef TENKEN_POLICY_SITE_INIT_H
#define TENKEN_POLICY_SITE_INIT_H

#include "agent/base/facts.h"
#include "agent/policy/policy.h"

/* Appends the text to *out, with comments in lang. f: mounts, users, asset_identity, system_info
 * and mount_encryption are looked at, each may be absent or incomplete. What only a person can
 * confirm (contracts, data paths, workers, the asset register) stands in comments, so that the text
 * as it stands loads with site_load and declares none of it. ERR_NOMEM, ERR_TRUNCATED of *out. */
int site_propose(const struct facts *f, enum lang lang, struct str *out, struct err *e) MUST_USE;

#endif
