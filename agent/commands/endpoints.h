/* What the tls probe is handed of the site's endpoints: whether each may be contacted, where it is,
 * and what its certificates must lead to. Here, not in the child: the child resolves no name and
 * reads no file of the operator's. */
#ifndef TENKEN_COMMANDS_ENDPOINTS_H
#define TENKEN_COMMANDS_ENDPOINTS_H

#include "agent/base/str.h"
#include "agent/policy/site.h"

/* One line per declared endpoint (probes/tls/target.h) into *ret. live: false = nothing is
 * contacted, so no name is resolved. Names are resolved for endpoints that may be contacted alone.
 * An endpoint without owner, or of another owner without a permission, is handed over as not to be
 * contacted. ERR_NOMEM. */
int endpoints_lines(const struct site *s, bool live, struct strv *ret, struct err *e) MUST_USE;

#endif
