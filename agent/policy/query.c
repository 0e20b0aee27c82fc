/* `tenken query`: one SELECT of a person over facts as they are, in the order the SELECT gives. */
#include "agent/policy/judge.h"

int sql_query(const struct policy *p, const struct facts *f, const char *sql,
              struct result_rows *ret, struct err *e)
{
    CLEANUP(judge) struct judge j = {0};
    CLEANUP(sql_reads) struct sql_reads direct = {0};
    CLEANUP(sql_reads) struct sql_reads all = {0};
    struct sql_statement *st = NULL;
    int rc = judge_open(&j, p, f, e);
    rc = rc == 0 ? judge_prepare(&j, sql, &direct, &all, &st, e) : rc;
    rc = rc == 0 ? sql_rows(j.sql, st, ret, e) : rc;
    sql_statement_free(st); /* before its connection ends */
    return rc;
}
