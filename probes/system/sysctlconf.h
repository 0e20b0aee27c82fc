/* sysctl.d(5): what the configuration files would set. Pure over bytes; the order of the files is
 * the caller's. Keys are kept in path form ("net/ipv4/ip_forward"). */
#ifndef TENKEN_PROBES_SYSTEM_SYSCTLCONF_H
#define TENKEN_PROBES_SYSTEM_SYSCTLCONF_H

#include "agent/base/str.h"
#include "probes/system/text.h"

#define SYSCTL_ENTRIES_MAX 4096U

struct sysctl_entry {
    char *path;
    char *value; /* NULL: "-key", globs are to leave it alone */
    bool glob;
};

struct sysctl_conf {
    struct sysctl_entry *items; /* in the order in which they are applied */
    size_t n, cap;
};

void sysctl_conf_done(struct sysctl_conf *c);
/* Appends the assignments of one file. Lines that are none are passed over, as sysctl(8) does.
 * ERR_NOMEM; ERR_LIMIT past SYSCTL_ENTRIES_MAX. */
int sysctl_conf_add(struct sysctl_conf *c, const char *bytes, size_t n, struct err *e) MUST_USE;
/* The value that the files give to a path; NULL if none does. The last exact assignment wins over
 * every pattern. */
const char *sysctl_conf_find(const struct sysctl_conf *c, const char *path);
/* "net/ipv4/conf/eth0.100/rp_filter" <-> "net.ipv4.conf.eth0/100.rp_filter", in place: dots and
 * slashes change places. */
void sysctl_swap_separators(char *name);

#endif
