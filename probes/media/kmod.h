/* What kmod would do, from its configuration and the kernel's module lists as text: which modules a
 * plugged device's alias leads to, and what gets in when one of them is probed. Pure; follows
 * libkmod (modprobe.d(5), modprobe(8), depmod.d(5)) and is held against modprobe in tests. */
#ifndef TENKEN_PROBES_MEDIA_KMOD_H
#define TENKEN_PROBES_MEDIA_KMOD_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

#define KMOD_NAME_MAX 64U

/* One statement of modprobe.d or of the kernel's command line. */
struct kmod_rule {
    enum { KMOD_ALIAS, KMOD_BLACKLIST, KMOD_INSTALL, KMOD_SOFTDEP, KMOD_OPTIONS } kind;
    char *name; /* module or pattern, '-' as '_' */
    char *text; /* alias: module; install: command; softdep, options: the rest; blacklist: "" */
    char *file; /* where it stands */
    unsigned line;
    bool from_cmdline;
};

struct kmod_conf {
    struct kmod_rule *rules; /* in kmod's order */
    size_t n, cap;
    struct strv kernel_blacklist; /* module_blacklist= of the command line: the kernel's own */
    size_t n_bad;                 /* lines that kmod refuses, with the first one */
    char first_bad[160];
};

void kmod_conf_done(struct kmod_conf *c);
static inline void cleanup_kmod_conf(struct kmod_conf *c)
{
    kmod_conf_done(c);
}
/* Adds the statements of one file. Lines that kmod refuses are counted. ERR_NOMEM. */
int kmod_conf_parse(struct kmod_conf *c, const char *file, const char *bytes, size_t n,
                    struct err *e) MUST_USE;
/* Adds modprobe.blacklist=, module_blacklist= and MODULE.PARAMETER=VALUE of /proc/cmdline. */
int kmod_conf_cmdline(struct kmod_conf *c, const char *bytes, size_t n, struct err *e) MUST_USE;

/* A module that the kernel's lists know. */
struct kmod_module {
    char *name;       /* with '_' */
    const char *path; /* "kernel/drivers/usb/storage/uas.ko.xz", borrowed from the list's bytes */
    size_t path_n;
    const char *deps; /* the rest of its line: paths of what it needs, nearest first */
    size_t deps_n;
    bool builtin;
    bool loaded;
};

/* An alias of modules.alias that a device plugged by hand can have. */
struct kmod_alias {
    const char *pattern; /* borrowed */
    size_t pattern_n;
    unsigned module; /* number in kmod_index.modules */
};

struct kmod_index {
    struct kmod_module *modules; /* sorted by name */
    size_t n, cap;
    struct kmod_alias *aliases;
    size_t n_aliases, cap_aliases;
};

void kmod_index_done(struct kmod_index *x);
static inline void cleanup_kmod_index(struct kmod_index *x)
{
    kmod_index_done(x);
}
/* Adds modules.dep (builtin = false) or modules.builtin, whose bytes stay borrowed; then sorts.
 * ERR_NOMEM. */
int kmod_index_add(struct kmod_index *x, const char *bytes, size_t n, bool builtin,
                   struct err *e) MUST_USE;
/* Adds modules.alias, whose bytes stay borrowed; after the modules. Aliases of buses that nobody
 * plugs into by hand are left out. ERR_NOMEM. */
int kmod_index_add_aliases(struct kmod_index *x, const char *bytes, size_t n,
                           struct err *e) MUST_USE;
/* The module of that name ('-' counts as '_'), NULL if none. */
struct kmod_module *kmod_index_find(const struct kmod_index *x, const char *name, size_t n);

/* Which barriers are looked at. */
enum kmod_barrier {
    KMOD_BY_BLACKLIST = 1U << 0,
    KMOD_BY_INSTALL = 1U << 1,
    KMOD_BY_CMDLINE = 1U << 2, /* module_blacklist=, and modprobe.blacklist= as a blacklist */
    KMOD_BY_DISABLED = 1U << 3,
    KMOD_BY_ALL = 0xfU
};

struct kmod_world {
    const struct kmod_conf *conf;
    const struct kmod_index *index;
    const struct strv *load_lists; /* modules that are loaded by name at boot; may be NULL */
    bool modules_disabled;
    bool after_boot; /* loaded modules count as not loaded */
    unsigned barriers;
};

enum kmod_answer { KMOD_NO, KMOD_MAYBE, KMOD_YES };

/* Would probing `module` (by alias or list; its own blacklisting looked at by the caller) bring
 * `target` into the kernel? *ret_barrier: what stands against it, of those looked at; 0 if none. */
enum kmod_answer kmod_probe(const struct kmod_world *w, const char *module, const char *target,
                            unsigned *ret_barrier);
/* What modprobe --show-depends prints for a module: "insmod PATH", "install COMMAND", "builtin
 * NAME", one a line, paths as in modules.dep. ERR_ABSENT no such module; ERR_NOMEM. */
int kmod_show_depends(const struct kmod_world *w, const char *module, struct str *out,
                      struct err *e) MUST_USE;
/* True if a blacklist line names the module. *ret_barrier (may be NULL): KMOD_BY_CMDLINE if the
 * command line does, else KMOD_BY_BLACKLIST. Only barriers that the world looks at. */
bool kmod_is_blacklisted(const struct kmod_world *w, const char *module, unsigned *ret_barrier);

/* Whether a newly plugged device can bring the driver in, by any alias or list that leads to it or
 * to a module that pulls it in. *ret_why: a text naming the way in, or the barrier. In the kernel
 * already: KMOD_YES. ERR_NOMEM through *ret_code. */
struct kmod_reach {
    enum kmod_answer answer;
    bool exists;    /* built in, on disk or loaded */
    bool in_kernel; /* built in, or loaded */
    bool is_builtin;
    unsigned barriers; /* that were met */
    char why[128];
};
int kmod_reach(const struct kmod_world *w, const char *driver, struct kmod_reach *ret,
               struct err *e) MUST_USE;
/* The first rule of that kind for the module (a pattern for install and softdep), NULL if none. */
const struct kmod_rule *kmod_conf_find(const struct kmod_conf *c, int kind, const char *module);

#endif
