/* The read pass: one connection with all declared tables, empty, on which statements are looked
 * at. Shared by reads.c and lint. */
#ifndef TENKEN_POLICY_READS_H
#define TENKEN_POLICY_READS_H

#include "agent/policy/judge.h"

struct read_pass {
    struct sql *sql;
    struct view_set views;
};
/* schema and p must outlive *r. ERR_MALFORMED: two tables or views share a name. */
int read_pass_open(struct read_pass *r, const struct policy *p, schema_list schema,
                   struct err *e) MUST_USE;
void read_pass_close(struct read_pass *r);
static inline void cleanup_read_pass(struct read_pass *r)
{
    read_pass_close(r);
}
/* Adds what text reads, views' bases charged; ret_columns as sql_explain. ERR_INVALID with a "did
 * you mean" where a name is unknown. */
int read_pass_add(struct read_pass *r, const char *text, struct sql_reads *all,
                  struct strv *ret_columns, struct err *e) MUST_USE;

#endif
