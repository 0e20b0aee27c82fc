/* Shared by the files of the PAM probe: the host's configuration as it is read, and the ways into
 * one service. */
#ifndef TENKEN_PROBES_PAM_PAM_H
#define TENKEN_PROBES_PAM_PAM_H

#include "probes/pam/explore.h"
#include "probes/probe.h"

extern const struct table table_pam_stack, table_login_paths;

#define PAM_DIALECTS_MAX 3U
#define PAM_SERVICES_MAX 512U

struct pam_cached; /* one file that was read, or the answer that it could not be */

/* --- source.c: the host's side --- */
struct pam_host {
    const struct host *host;
    struct pam_dialect dialects[PAM_DIALECTS_MAX]; /* more than one: the host does not tell */
    size_t n_dialects;
    bool is_suse;  /* reads a vendor's directory too */
    bool has_dirs; /* one of the pam.d directories is there: pam.conf is not read */
    bool has_conf; /* else: pam.conf is there */
    const char *module_dirs[4];
    size_t n_module_dirs;
    struct pam_cached *cached;
    size_t n_cached, cap_cached;
    struct strv services; /* sorted */
};

/* Looks which engine the host has and which services there are. ERR_* as of host_list. */
int pam_host_open(const struct host *h, struct pam_host *ret, struct err *e) MUST_USE;
void pam_host_done(struct pam_host *p);
static inline void cleanup_pam_host(struct pam_host *p)
{
    pam_host_done(p);
}
/* The handlers of a service as that dialect reads them, absent modules marked. Whatever could not
 * be seen is told in ret->unseen. ERR_NOMEM. */
int pam_host_stack(struct pam_host *p, const struct pam_dialect *d, const char *service,
                   struct pam_stack *ret, struct err *e) MUST_USE;

/* --- ways.c: the ways into one service --- */
struct login_row {
    char *scope, *factors, *reason;
    unsigned kinds;
};
struct login_rows {
    struct login_row *items;
    size_t n, cap;
    bool is_unknown; /* no answer: reason says why; no rows */
    char reason[256];
};
void login_rows_done(struct login_rows *r);
static inline void cleanup_login_rows(struct login_rows *r)
{
    login_rows_done(r);
}
/* Rows of one stack, in no particular order, none needless. ERR_NOMEM. */
int login_rows_of(const struct pam_catalogue *c, const struct pam_stack *s, const char *service,
                  struct login_rows *ret, struct err *e) MUST_USE;
/* True if both say the same of who gets in. */
bool login_rows_equal(const struct login_rows *a, const struct login_rows *b);

#endif
