/* Judging: SQL over recorded facts gives check verdicts, checks and statements give control
 * verdicts (design.md 2, 3). Input is the facts alone (site_* tables included), so that a stranger
 * gets the same answer from the evidence. */
#ifndef TENKEN_POLICY_EVAL_H
#define TENKEN_POLICY_EVAL_H

#include "agent/base/facts.h"
#include "agent/policy/policy.h"
#include "agent/policy/site.h"

/* --- what the SQL reads --- */

struct read_column {
    const char *table;
    const char *column;
};

struct read_set {
    struct strv tables;          /* raw fact tables (views resolved to their bases), site_*, scan,
                                    probe_status; sorted */
    struct read_column *columns; /* read by name, of raw tables and views */
    size_t n_columns;
    bool users_for_names; /* `users` is in tables for pseudonyms alone: filled, not recorded */
};
void read_set_done(struct read_set *r);
static inline void cleanup_read_set(struct read_set *r)
{
    read_set_done(r);
}
bool read_set_has_table(const struct read_set *r, const char *table);
bool read_set_has_column(const struct read_set *r, const char *table, const char *column);

/* Declared tables that SQL may name: probes' tables, site_*, scan, probe_status. NULL-terminated.
 */
typedef const struct table *const *schema_list;

/* All that the checks, gates and drift queries of these frameworks (or of the named checks only)
 * read; also `users` where names would be recorded (record_wants_users). framework NULL = all of
 * p. ERR_INVALID with the check's file:line when its SQL does not
 * prepare. */
int policy_reads(const struct policy *p, const struct framework *fw, const char *const *only_checks,
                 schema_list schema, struct read_set *ret, struct err *e) MUST_USE;

/* `tenken query`: what this SQL reads; ERR_INVALID for bad SQL, more than one statement, a write,
 * an unknown table. */
int sql_reads(const struct policy *p, const char *sql, schema_list schema, struct read_set *ret,
              struct err *e) MUST_USE;

/* --- what is recorded --- */

struct record_request {
    const struct facts *facts; /* as the scan gave them, scan and probe_status included */
    const struct site *site;
    const char *contract; /* id */
    const struct read_set *reads;
    const uint8_t *pseudonym_key; /* 32 bytes */
    size_t max_bytes;             /* 1 MiB cap over all tables */
    int64_t uid_min;              /* UID_MIN of this host, 0 = 1000 */
};

/* True if record_build would replace names in what these reads ask for: then `users` must be filled
 * too, or names of accounts inside texts would leave, and root's own would not stay plain. */
bool record_wants_users(const struct read_set *reads, schema_list schema);

/* Rows that exist because of a declaration (struct owed): leaves out those declared for others than
 * the contract ("" = all contracts), and rows of the mount that a declared path replaces. For
 * `tenken query`, which records nothing. ERR_NOMEM. */
int owed_apply(struct facts *f, const struct site *site, const char *contract,
               struct err *e) MUST_USE;

/* Plain text of a pseudonym, for people's eyes. */
struct pseudonyms;
const char *pseudonym_plain(const struct pseudonyms *p, const char *pseudonym); /* NULL if none */
void pseudonyms_free(struct pseudonyms *p);
/* Replaces every pseudonym inside text by what it stands for; appends to out. */
void pseudonyms_show(const struct pseudonyms *p, const char *text, struct str *out);

/* Makes the facts of one contract as they will be recorded: tables read only, rows owed to other
 * contracts left out, columns chosen, PERSONAL replaced, site_* tables added, sorted, cut at the
 * cap (STATE_TRUNCATED); scan.local_date is the day in the contract's time zone. Which
 * rows are owed to declarations stands in the table recorded_owed, so that facts read back from
 * evidence judge alike (their columns must keep name, type, flags and vocabulary).
 * ERR_INVALID unknown time zone; ERR_NOMEM, ERR_CRYPTO. Names in the
 * result are borrowed from the declarations of rq->facts and the site's. */
int record_build(const struct record_request *rq, struct facts *ret, struct pseudonyms **ret_names,
                 struct err *e) MUST_USE;

/* --- verdicts --- */

struct result_rows {
    char **columns; /* names */
    size_t n_columns;
    struct cell *cells; /* n_rows * n_columns, sorted set */
    size_t n_rows;
    struct arena_block *arena;
};

struct check_result {
    const struct check *check;
    enum verdict verdict; /* pass, fail, unknown, not-applicable */
    char reason[256];     /* "word: detail", "" for pass and fail */
    bool limited;         /* a bound was hit: not comparable elsewhere */
    struct result_rows findings;
    struct result_rows unknown;
};

struct control_result {
    const struct control *control;
    enum verdict verdict;
    char reason[256];
    struct strv permissions; /* ids that cover findings */
    struct strv compensations;
    struct strv unattested; /* statement ids missing or expired */
    struct strv advice;  /* check ids that do not count here and found something or are unknown */
    struct strv expired; /* permissions that would have covered but are out of date */
    bool decided;        /* some check that counts here reached pass or fail */
};

struct drift_result {
    const struct control *control;
    bool known; /* false: leans on incomplete facts */
    struct result_rows rows;
};

struct evaluation {
    const struct framework *framework;
    struct check_result *checks; /* each check once, in policy order */
    size_t n_checks;
    struct control_result *controls; /* framework order */
    size_t n_controls;
    struct drift_result *drifts;
    size_t n_drifts;
    size_t counts[N_VERDICTS]; /* of controls */
    bool partial; /* only_checks was given: no controls, the checks' own verdicts stand */
};

struct eval_request {
    const struct policy *policy;
    const struct framework *framework;
    const char *contract;
    const char *const *only_checks; /* NULL-terminated list, or NULL = all of the framework */
    const struct facts *facts;      /* recorded; nothing else is looked at */
};

/* framework may be NULL if only_checks is given. With only_checks no control and no drift is
 * judged. Trouble with one check (SQL, bounds, tables not recorded) makes that check unknown.
 * ERR_INVALID: only_checks names no check; ERR_MALFORMED: the facts do not make tables. */
int evaluate(const struct eval_request *rq, struct evaluation **ret, struct err *e) MUST_USE;
void evaluation_free(struct evaluation *ev);
static inline void cleanup_evaluation(struct evaluation **ev)
{
    evaluation_free(*ev);
}
const struct check_result *evaluation_check(const struct evaluation *ev, const char *id);
/* Exit code of design.md 5 for a set of evaluations: 2 something host-decided fails, 3 incomplete,
 * 0 good. */
int evaluation_exit_code(const struct evaluation *const *evs, size_t n);

/* --- ad hoc SQL (tenken query): views materialised, bounded, read only --- */
/* Fills up probe_status of *f (after scan_tables_add) for people's queries: a row not-run for each
 * fact table of the schema that *f does not hold, and one per view with the worst state of its
 * bases. ERR_NOMEM, ERR_INVALID a view's SQL is wrong. */
int probe_status_complete(struct facts *f, const struct policy *p, schema_list schema,
                          struct err *e) MUST_USE;
int sql_query(const struct policy *p, const struct facts *f, const char *sql,
              struct result_rows *ret, struct err *e) MUST_USE;
void result_rows_done(struct result_rows *r);

/* Version of the SQLite library that judges here (recorded in evidence). */
const char *sql_library_version(void);

/* --- for authors --- */

/* For a host on which the check passes: sets each DECIDES cell that it reads to NULL in turn. Where
 * some value of the column's vocabulary (0 or 1 for booleans) there would make it fail, NULL must
 * make it unknown; for each cell where it does not, one line "table.column of KEYS: ..." is
 * appended to out. recorded: as record_build gave them; fw and contract as for evaluate().
 * *ret_n = lines. ERR_INVALID if the check does not pass to begin with. */
int policy_null_mutations(const struct policy *p, const struct framework *fw, const struct check *c,
                          const struct facts *recorded, const char *contract, struct str *out,
                          size_t *ret_n, struct err *e) MUST_USE;

/* Appends one line "file:line: text\n" per message. *ret_n = how many. */
int policy_lint(const struct policy *p, schema_list schema, struct str *out, size_t *ret_n,
                struct err *e) MUST_USE;
/* Per framework: clauses decided by machine, machine and person, person, not yet. */
int policy_coverage(const struct policy *p, bool as_json, enum lang lang, struct str *out,
                    struct err *e) MUST_USE;

#endif
