/* The account that confined children become. */
#ifndef TENKEN_SCAN_USER_H
#define TENKEN_SCAN_USER_H

#include "agent/scan/child.h"

/* The account `tenken` in the text of passwd(5); nobody (65534) if there is none, or if its line is
 * malformed or names uid or gid 0. */
struct child_user child_user_find(const char *passwd);

#endif
