/* sshd's configuration as sshd computes it, from bytes. Pure: files come through callbacks.
 * Semantics of OpenSSH 8.7 and later (keyboard-interactive and challenge-response are one option);
 * proved against 9.2. What sshd would refuse to start with is ERR_MALFORMED here.
 *
 * How to combine it with PAM: sshd_conf_load once; sshd_contexts_make gives the contexts that the
 * Match blocks can tell apart, their scope in the words of login_paths; per context
 * sshd_conf_resolve and sshd_config_get. One's own context goes into struct sshd_context. */
#ifndef TENKEN_PROBES_SSHD_CONF_H
#define TENKEN_PROBES_SSHD_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/str.h"

#define SSHD_CONFIG "/etc/ssh/sshd_config"
#define SSHD_DIR "/etc/ssh" /* relative Include paths start here */
#define SSHD_FILE_MAX ((size_t)1 << 20)
#define SSHD_OPS_MAX 200000U    /* lines that count, includes resolved */
#define SSHD_READS_MAX 4096U    /* files included, with repetitions */
#define SSHD_DEPTH_MAX 16U      /* as sshd: servconf.c SERVCONF_MAX_DEPTH */
#define SSHD_CONTEXTS_MAX 1024U /* beyond it the enumeration is truncated */
#define SSHD_WORK_MAX 4000000U  /* steps of an enumeration */
#define SSHD_KEYWORDS_MAX 160U

/* Where the bytes come from. Paths are absolute. */
struct sshd_files {
    /* Appends the file. ERR_ABSENT; ERR_INVALID = a directory, which sshd reads as empty. */
    int (*read)(void *arg, const char *path, struct str *out, struct err *e);
    /* Names in a directory, any order. ERR_ABSENT. */
    int (*list)(void *arg, const char *dir, struct strv *ret, struct err *e);
    void *arg;
};

struct sshd_criterion; /* one attribute of a Match line */
struct sshd_op;

struct sshd_conf {
    struct sshd_op *ops;
    size_t n, cap;
    struct strv files; /* every file that was read, by the number that ops give */
    size_t reads;
};

/* One connection. NULL = not known to sshd: no criterion on it holds. */
struct sshd_context {
    const char *user, *host, *address, *laddress, *rdomain;
    int lport;
    const char *const *groups; /* of the user, primary one included */
    size_t n_groups;
};

/* One keyword's effective value. */
struct sshd_setting {
    const char *keyword; /* lower case, canonical name: borrowed, static */
    struct strv values;  /* one, or a row each for port, allowusers, acceptenv, ... */
    const char *file;    /* borrowed from the conf; NULL = built-in default */
    unsigned line;
};
struct sshd_config {
    struct sshd_setting items[SSHD_KEYWORDS_MAX];
    size_t n;
};

/* Reads the configuration. main_path: usually SSHD_CONFIG. ERR_MALFORMED with file and line where
 * sshd would not start; ERR_LIMIT beyond the bounds above; ERR_UNSUPPORTED where it leans on what
 * cannot be known from files (service names as ports, Match attributes of later versions); else
 * what a callback gave. */
int sshd_conf_load(const struct sshd_files *f, const char *main_path, struct sshd_conf *ret,
                   struct err *e) MUST_USE;
void sshd_conf_done(struct sshd_conf *c);
static inline void cleanup_sshd_conf(struct sshd_conf *c)
{
    sshd_conf_done(c);
}
/* The effective configuration of that connection; ctx NULL: before any Match is looked at (as
 * sshd -T without -C). ERR_MALFORMED: sshd drops such a connection over its configuration;
 * ERR_NOMEM. */
int sshd_conf_resolve(const struct sshd_conf *c, const struct sshd_context *ctx,
                      struct sshd_config *ret, struct err *e) MUST_USE;
void sshd_config_done(struct sshd_config *c);
static inline void cleanup_sshd_config(struct sshd_config *c)
{
    sshd_config_done(c);
}
/* First value of a keyword, NULL if it has none. */
const char *sshd_config_get(const struct sshd_config *c, const char *keyword);
/* True if every keyword has the same values in both. */
bool sshd_config_equal(const struct sshd_config *a, const struct sshd_config *b);

/* --- contexts.c --- */
struct sshd_account {
    const char *name;
    const char *const *groups;
    size_t n_groups;
};
/* A connection for each combination that the Match blocks can tell apart. */
struct sshd_case {
    struct sshd_context context;
    char *scope;         /* "*" or the sorted, comma-joined words: user=root if:user= if:group=
                            if:address= if:laddress= if:host= if:port= if:rdomain= */
    unsigned deviations; /* how many words; 0 for "*" */
};
struct sshd_contexts {
    struct sshd_case *items; /* "*" first, then by number of deviations */
    size_t n;
    bool is_truncated;     /* more than the bounds allow: what is here is not all */
    struct strv texts;     /* owns what contexts point to */
    const char **group_of; /* owns the one-group lists */
};
/* accounts: those known; users beyond them (directories) are represented by the patterns
 * themselves. ERR_NOMEM. */
int sshd_contexts_make(const struct sshd_conf *c, const struct sshd_account *accounts, size_t n,
                       struct sshd_contexts *ret, struct err *e) MUST_USE;
void sshd_contexts_done(struct sshd_contexts *c);
static inline void cleanup_sshd_contexts(struct sshd_contexts *c)
{
    sshd_contexts_done(c);
}

#endif
