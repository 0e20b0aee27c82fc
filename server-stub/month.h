/* The month of a contract: what was due, what was seen, and the worst verdict of each clause.
 * Computing (here) knows no store; month_load.c brings the rows, month_json.c and month_html.c show
 * the result. design.md 2, "Verdict of a period"; domain.md 1 and 5 (annex to form 5). */
#ifndef TENKEN_COLLECTOR_MONTH_H
#define TENKEN_COLLECTOR_MONTH_H

#include "agent/policy/policy.h"
#include "server-stub/store.h"

#define MONTH_DAYS_MAX 31

/* A set of days of the month: bit 0 = the first. */
typedef uint32_t day_set;

struct month_host_control {  /* of one host and one clause */
    bool seen;               /* any evidence says something of it */
    enum verdict worst;      /* over evidences; missing days are added by month_finish */
    enum verdict end;        /* at the end of the period */
    int64_t first_s, last_s; /* times at which `worst` was seen */
    int64_t last_number;     /* of the newest evidence with `worst`; 0 = no evidence has it */
    day_set fail_days, unknown_days;
};

struct month_host {
    char keyid[SHA256_HEX];
    char *asset; /* "" if none was declared */
    day_set due, seen;
    size_t n_evidence, n_differs, n_pending, n_partly;
    unsigned flags;
    int64_t first_s, last_s; /* 0: no evidence */
    char last_digest[SHA256_HEX], last_chain[CHAIN_HEX];
    int64_t last_sequence;
    int64_t last_day;                    /* days since 1970 */
    char *machine_rules;                 /* rules version of the newest, with " (modified)" */
    struct month_host_control *controls; /* n = month.n_controls */
};

struct month_control {
    char *id;
    enum verdict verdict;
    int64_t first_s, last_s;  /* of that verdict; 0 = no time is known */
    size_t hosts[N_VERDICTS]; /* at the end of the period */
    day_set fail_days;
    size_t n_fail_hosts; /* that failed at any time */
    size_t last_host;    /* index of a host with the verdict, for the record number; SIZE_MAX */
};

struct month {
    const char *contract, *name; /* name: YYYY-MM; borrowed */
    char *framework, *zone;
    int64_t first_day, last_day; /* of the month, days since 1970 */
    int64_t today;               /* local day on which this is computed */
    /* as declared by the sites; INT64_MIN / INT64_MAX where not declared */
    int64_t starts, ends;
    char *authority, *work;
    bool declared;     /* any declaration is known */
    bool terms_differ; /* sites declare different ones: the widest counts */
    struct month_host *hosts;
    size_t n_hosts;
    struct month_control *controls;
    size_t n_controls;
    size_t due, inspected, missing; /* host days */
    struct strv rules;              /* rules versions seen, "(modified)" added */
    size_t n_evidence, n_differs, n_pending, n_partly, n_outside; /* outside: on days not due */
};

/* An empty month without a declared term. */
void month_init(struct month *m);
void month_done(struct month *m);
static inline void cleanup_month(struct month *m)
{
    month_done(m);
}
/* YYYY-MM into the first and last day. ERR_INVALID. */
int month_parse(const char *name, int64_t *ret_first, int64_t *ret_last, struct err *e) MUST_USE;
/* A clause that is to be listed even if no evidence names it. Before the first host. */
int month_add_control(struct month *m, const char *id, struct err *e) MUST_USE;
/* A host of the contract. since: local day of its enrolment or of its first evidence, whichever is
 * earlier. The new host is m->hosts[m->n_hosts - 1]. */
int month_add_host(struct month *m, const char *keyid, int64_t since, struct err *e) MUST_USE;
/* One evidence of the last host, in the order of chain and number, its local day in the month. A
 * clause that was not listed yet is added. */
int month_add_record(struct month *m, const struct record *r, struct err *e) MUST_USE;
/* Missing days, worst verdicts, counts. */
void month_finish(struct month *m);

/* False for a host that was neither due nor seen in the period: it says nothing about it. */
bool month_host_counts(const struct month_host *h);

/* Number of days in a set. */
size_t day_count(day_set days);
/* Adds "1, 3-5" to *out: the days of the month. */
void day_list(day_set days, struct str *out);

struct month_request {
    const char *contract, *name;
    const char *framework;       /* NULL: the only one there is */
    const struct policy *policy; /* for the list of clauses and their titles; NULL = none */
    int64_t now_s;
};
/* ERR_INVALID bad month, or several frameworks and none named (the message lists them); ERR_ABSENT
 * nothing is known of the contract. contract and name are borrowed by *ret. */
int month_load(struct store *s, const struct month_request *rq, struct month *ret,
               struct err *e) MUST_USE;

/* {"format":"tenken-month/1",…} with a final newline. */
void month_json(const struct month *m, struct str *out);
struct month_page {
    enum lang lang;
    const struct policy *policy; /* titles; NULL: ids */
    const char *collector;       /* key id */
    int64_t now_s;
};
/* One HTML page: no script, nothing from outside, fit for printing. Asset numbers only: no host
 * names, no persons. */
void month_html(const struct month *m, const struct month_page *page, struct str *out);

#endif
