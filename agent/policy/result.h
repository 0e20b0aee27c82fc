/* Rows that a statement gave, collected and then held as a sorted set, so that two runs compare
 * cell by cell whatever order the engine took. */
#ifndef TENKEN_POLICY_RESULT_H
#define TENKEN_POLICY_RESULT_H

#include "agent/policy/eval.h"

/* Starts *r (zeroed by the caller) with copies of the n column names. ERR_NOMEM. */
int result_begin(struct result_rows *r, const char *const *names, size_t n, struct err *e) MUST_USE;
/* Appends a row of NULL cells; *ret_cells valid until the next call. ERR_NOMEM. */
int result_row(struct result_rows *r, struct cell **ret_cells, struct err *e) MUST_USE;
/* Stores a copy of n bytes of text in *c. ERR_NOMEM. */
int result_text(struct result_rows *r, struct cell *c, const char *text, size_t n,
                struct err *e) MUST_USE;
/* Sorts by cell_compare from left to right; distinct: repeated rows are removed. */
void result_sort(struct result_rows *r, bool distinct);
/* Index of a column by name (as written), or -1. */
int result_column(const struct result_rows *r, const char *name);
/* A cell as text, for {column} and for scopes. NULL cells give false and append nothing. */
bool cell_as_text(const struct cell *c, struct str *out);

#endif
