/* Turns rows of syscall_sets.c into a seccomp program. Made in the launcher, once per group of
 * probes; installed by the child. seccomp(2), libseccomp. */
#ifndef TENKEN_SCAN_FILTER_H
#define TENKEN_SCAN_FILTER_H

#include <linux/filter.h>

#include "agent/base/err.h"
#include "agent/base/str.h"
#include "agent/scan/syscall_sets.h"

struct filter {
    struct sock_filter *insns; /* owned */
    unsigned short n;
    unsigned n_skipped; /* calls that this architecture or libseccomp does not know */
};

void filter_done(struct filter *f);
static inline void cleanup_filter(struct filter *f)
{
    filter_done(f);
}

/* groups: n names of rows. Everything not in them kills the process, as does any call through
 * another architecture's entry (x32, 32 bit). ERR_INVALID for a group that does not exist;
 * ERR_NOMEM; ERR_UNSUPPORTED if libseccomp fails. */
int filter_build(const char *const *groups, size_t n, struct filter *ret, struct err *e) MUST_USE;
/* Takes the program for this process, for good; needs no_new_privs. Gives 0 or -1 with errno. */
int filter_install(const struct filter *f) MUST_USE;
/* Names of the calls that the groups allow, sorted, a "(some)" after those tied to an argument. */
int filter_names(const char *const *groups, size_t n, struct strv *ret, struct err *e) MUST_USE;

#endif
