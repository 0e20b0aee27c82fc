/* One look at a host, shared by scan, query, explain, init and policy test: site, policy, host,
 * facts, and per contract the recorded facts with their verdicts. Nothing is printed here. */
#ifndef TENKEN_COMMANDS_SESSION_H
#define TENKEN_COMMANDS_SESSION_H

#include "agent/base/host.h"
#include "agent/base/timefmt.h"
#include "agent/commands/app.h"
#include "agent/evidence/evidence.h"
#include "agent/policy/eval.h"
#include "agent/policy/scan_tables.h"
#include "agent/policy/site.h"

/* Who is looked at, read once from the host itself. Unknown = "". */
struct host_info {
    char hostname[256];
    char os[256];       /* PRETTY_NAME of os-release(5) */
    char os_family[64]; /* "debian", "rhel" or "any": which way of mending is shown */
    char boot_id[64];
    char machine_id[64];
    char capture_time[TIME_TEXT_MAX]; /* the time that a captured tree stands for, "" if none */
};

struct session_options {
    const char *site_path;       /* NULL = /etc/tenken/site.yaml */
    bool site_none;              /* declares nothing, whatever lies at the default place */
    const struct strv *policies; /* further --policy directories */
    const char *root;            /* NULL = "/" */
    const char *state_dir;       /* NULL = default */
    bool site_required;          /* scan: no site file is an error; query: it is not */
    bool offline;                /* contact no declared endpoint */
    bool site_trusted;           /* refuse what others may write (all but fixtures) */
};

struct session {
    struct app *app;
    struct site *site;
    bool has_site; /* a site file was read */
    bool offline;
    const char *site_path;
    struct policy *policy;
    struct host *host;
    struct host_info info;
    const struct table **schema; /* every fact, site and scan table, NULL-terminated */
    const char *root;            /* as given, "/" when live */
    char host_id[SHA256_HEX];    /* keyid of the state directory's key, "" without one */
    const char *state_dir;
    uint8_t pseudonym_key[32]; /* of the state directory, else random for this run */
    char scan_id[37];
    int64_t time_s;
    struct scan_result scan; /* after session_scan */
};

/* Where rules come from: the shipped ones, then --policy (more: NULL = none). A program that was
 * brought without its rules does without the shipped ones where others are named, or where none are
 * needed (facts alone). dirs: room for more->n + 1. Gives how many were written. */
size_t rules_dirs(const struct strv *more, bool needed, const char **dirs);
/* Loads policy and site, opens the host, and takes the site's language. ERR_* as its parts give. */
int session_open(struct app *app, const struct session_options *o, struct session *ret,
                 struct err *e) MUST_USE;
void session_done(struct session *s);
static inline void cleanup_session(struct session *s)
{
    session_done(s);
}

/* Every table that SQL may name, from the probes, the site and the scan itself; caller frees the
 * array. */
const struct table **schema_of_program(struct err *e) MUST_USE;

/* True if a control of the framework cites the check (also as a leg or a gate). */
bool control_cites(const struct control *c, const char *check_id);
bool framework_cites(const struct framework *f, const char *check_id);

/* Runs the probes behind the fact tables of the read set, plus extra (NULL-terminated, may be
 * NULL). */
int session_scan(struct session *s, const struct read_set *reads, const char *const *extra,
                 struct err *e) MUST_USE;

/* One contract's share: what would be recorded and what follows from it. */
struct judged {
    char contract[128];
    char time_zone[64];
    char local_date[TIME_TEXT_MAX];
    const struct framework *framework;
    struct facts recorded;
    struct pseudonyms *names;
    struct evaluation *evaluation;
    /* from the newest envelope of the chain, if there is one */
    bool has_previous;
    struct chain_head head;
    struct statement previous;
    /* after recording */
    int64_t sequence;
    char digest[SHA256_HEX];
};
void judged_done(struct judged *j);

/* Evaluates one contract of the site (contract NULL: none, framework fw) over the session's facts.
 * only: check ids or NULL. */
int session_judge(struct session *s, const struct site_contract *contract,
                  const struct framework *fw, const struct read_set *reads, const char *const *only,
                  struct judged *ret, struct err *e) MUST_USE;

/* Loads the newest envelope of the contract's chain into j->head and j->previous, if the state
 * directory can be read. Never an error: without it there is nothing to compare with. */
void session_previous(const struct session *s, struct judged *j);

#endif
