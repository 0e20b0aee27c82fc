/* Inside the judge: one connection over recorded facts, views made on demand, and the parts of
 * which evaluate() is put together. Shared by the files of the judge alone. */
#ifndef TENKEN_POLICY_JUDGE_H
#define TENKEN_POLICY_JUDGE_H

#include "agent/policy/eval.h"
#include "agent/policy/sql.h"

/* --- views.c: the policy's views on a connection --- */

struct view_slot {
    const struct view *view;
    struct sql_reads reads; /* direct reads of its SELECT, once known */
    bool known;
    bool made;         /* rows are in the connection */
    struct facts rows; /* the one table that holds them */
    int failed;        /* ERR_* of the attempt, 0 = none */
    char why[ERR_MSG_MAX];
};

struct view_set {
    struct sql *sql;
    size_t first; /* index of the first view among the connection's tables */
    struct view_slot *slots;
    size_t n;
};
void view_set_done(struct view_set *v);
/* Makes an empty table for each view of p, after all other tables of sql. ERR_MALFORMED if a name
 * is taken by another table. */
int views_create(struct view_set *v, struct sql *sql, const struct policy *p,
                 struct err *e) MUST_USE;
/* Adds to *reads what the views named in it read themselves. ERR_INVALID: a view's SQL does not
 * prepare or its columns are not the declared ones. */
int views_expand(struct view_set *v, struct sql_reads *reads, struct err *e) MUST_USE;
/* The slot of a table index, NULL if it is no view. */
struct view_slot *view_at(const struct view_set *v, size_t index);

/* --- judge.c --- */

struct judge_table {
    const struct fact_table *facts; /* NULL for views */
    bool loaded;
    enum fact_state state;
    const char *reason; /* of the state, borrowed from the facts; "" */
};

struct judge {
    const struct policy *policy;
    const struct facts *facts;
    struct sql *sql;
    struct judge_table *tables; /* by index of the connection; n_tables of them, views not among */
    size_t n_tables;
    struct view_set views;
    const char *local_date; /* of the scan, "" if there is none */
    bool interpretation_counts;
};

/* facts must outlive *j. ERR_MALFORMED: the facts do not make tables. */
int judge_open(struct judge *j, const struct policy *p, const struct facts *facts,
               struct err *e) MUST_USE;
void judge_close(struct judge *j);
static inline void cleanup_judge(struct judge *j)
{
    judge_close(j);
}
/* Compiles text; what it reads is united with *direct as written, and with *all including the
 * bases of views; those tables and views are filled. ERR_INVALID bad SQL, ERR_LIMIT a view hit a
 * bound. */
int judge_prepare(struct judge *j, const char *text, struct sql_reads *direct,
                  struct sql_reads *all, struct sql_statement **ret, struct err *e) MUST_USE;
/* Runs it; rows as a sorted set. Errors as sql_rows. */
int judge_run(struct judge *j, struct sql_statement *st, struct result_rows *ret,
              struct err *e) MUST_USE;
/* Text of a cell of a row of a recorded table by column name: NULL if there is no such column, or
 * the cell is no text. */
const char *fact_cell_text(const struct fact_table *t, size_t row, const char *column);
/* site_settings: value of key, NULL if there is none. */
const char *judge_setting(const struct judge *j, const char *key);

/* --- doubt.c: why nothing found is not yet a pass --- */

/* What the check's statements read, by statement. */
enum { PART_APPLIES, PART_QUERY, PART_UNKNOWN, N_PARTS };
struct check_reads {
    struct sql_reads direct[N_PARTS];
    struct sql_reads all; /* of the parts that were needed, views' bases charged */
};
void check_reads_done(struct check_reads *r);

/* Writes the reason ("incomplete: ...", "undeclared: ...", "null: ...") why a verdict that leans
 * on these reads is unknown; *reason stays "" if there is none. *ret_absent: some table read is
 * proved not to exist and the check says what that means. */
int doubt_find(struct judge *j, const struct check *c, const struct check_reads *r,
               char reason[256], bool *ret_absent, struct err *e) MUST_USE;
/* The first incomplete table read, as a reason. False if all are complete (or absent, where
 * absent_ok). */
bool doubt_incomplete(const struct judge *j, const struct sql_reads *r, bool absent_ok,
                      char reason[256]);

/* --- check.c --- */

/* ERR_NOMEM only: whatever else goes wrong makes the check unknown. */
int judge_check(struct judge *j, const struct check *c, struct check_result *ret,
                struct err *e) MUST_USE;
void check_result_done(struct check_result *r);

/* --- control.c --- */

/* Checks of ev are judged already. ERR_NOMEM. */
int judge_control(const struct judge *j, const struct evaluation *ev, const struct control *c,
                  struct control_result *ret, struct err *e) MUST_USE;
void control_result_done(struct control_result *r);
bool basis_counts(const struct judge *j, enum basis b);

/* --- cover.c: papers of the authority against findings --- */

struct paper {
    const char *id;
    bool covers; /* its scope fits the finding */
    bool in_force;
};
/* True if paper_control names control: the same id, or the id without its letter. */
bool control_matches(const char *paper_control, const char *control);
/* True if day is within starts..ends, both inclusive; "" = no bound; NULL = not known, false. */
bool day_within(const char *day, const char *starts, const char *ends);
/* Row `row` of site_permissions or site_compensations against one finding of a check. ERR_NOMEM. */
int paper_covers(const struct judge *j, const struct fact_table *papers, size_t row,
                 const struct framework *fw, const struct control *c,
                 const struct check_result *check, size_t finding, struct paper *ret,
                 struct err *e) MUST_USE;
/* Is a signed statement of that id in force for the control? */
bool statement_in_force(const struct judge *j, const struct framework *fw, const struct control *c,
                        const char *statement);

/* --- eval.c --- */

/* Is the check cited (or the gate) anywhere in fw? */
bool framework_uses(const struct framework *fw, const struct check *c);
/* only NULL: all that fw uses, or (fw NULL) all; else the named ones. */
bool check_selected(const struct check *c, const struct framework *fw, const char *const *only);
/* ERR_INVALID if only names what is no check. */
int only_checks_exist(const struct policy *p, const char *const *only, struct err *e) MUST_USE;

#endif
