/* Between the files that write and read statements. */
#ifndef TENKEN_EVIDENCE_STATEMENT_H
#define TENKEN_EVIDENCE_STATEMENT_H

#include "agent/evidence/evidence.h"
#include "agent/evidence/jscan.h"

/* Where the parts of a statement stand in its bytes. */
struct statement_spans {
    struct jspan root, predicate, facts;
};
/* Strict check of the whole text, of _type, predicateType, subject and of the subject digest over
 * the bytes of facts. Errors as statement_parse. */
int statement_scan(const char *payload, size_t n, struct statement_spans *ret,
                   struct err *e) MUST_USE;

/* Makes facts of the recorded tables (their schema included) and sets the states that probe_status
 * recorded. ERR_MALFORMED with the table's name. */
int statement_facts(const json_t *facts, struct facts *ret, struct err *e) MUST_USE;

/* One row of a result as an object; a second column of the same name is written NAME#2. */
void write_result_object(struct json_out *j, const struct result_rows *rows, size_t row);
/* All rows of a result, as an array of objects. */
void write_result_rows(struct json_out *j, const struct result_rows *rows);
/* {"columns":[...],"rows":[[...]]}, and "known":false where the rows lean on incomplete facts. */
void write_drift(struct json_out *j, const struct drift_result *drift);

#endif
