/* Rows that exist because the operator declared something (struct owed), sorted out by contract. */
#ifndef TENKEN_POLICY_OWED_H
#define TENKEN_POLICY_OWED_H

#include "agent/base/facts.h"

/* Takes the rows out of t (a table with decl->owed) that are owed to declarations which declared
 * (the site_... table of one contract, its first column the name) does not hold, and the rows of
 * the mount that a kept one replaces. declared NULL = nothing is declared. */
void owed_filter(struct fact_table *t, const struct fact_table *declared);

#endif
