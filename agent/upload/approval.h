/* May this host talk to that collector at all? Under a standard that isolates the host only to an
 * approved peer. */
#ifndef TENKEN_UPLOAD_APPROVAL_H
#define TENKEN_UPLOAD_APPROVAL_H

#include "agent/base/err.h"
#include "agent/base/str.h"
#include "agent/policy/policy.h"
#include "agent/policy/site.h"

/* Where no contract's framework isolates the host: 0, *ret_address stays empty. Else every address
 * that url's host resolves to is held against the site's peers; 0 with one approved address in
 * *ret_address (the connection is pinned to it). ERR_DENIED with the way without a network (tenken
 * export) if none is approved; ERR_NETWORK if the name does not resolve. */
int approval_check(const struct site *site, const struct policy *policy, const char *url,
                   struct str *ret_address, struct err *e) MUST_USE;

/* True if address lies in prefix ("10.20.0.0/24", "2001:db8::/32", a bare address is its own
 * prefix). Malformed = false. */
bool approval_in_prefix(const char *address, const char *prefix);

#endif
