/* PAM configuration as libpam reads it: lines, tokens, controls, includes, and the flat list of
 * handlers that comes of them. Pure: files come from the caller. Nothing is judged here.
 * Ref: Linux-PAM libpam/pam_handlers.c, pam_misc.c, pam_line.c. */
#ifndef TENKEN_PROBES_PAM_STACK_H
#define TENKEN_PROBES_PAM_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

#define PAM_CODES 32U      /* return codes of a module, 0 = success */
#define PAM_LEVELS 16U     /* nesting of substacks */
#define PAM_HANDLERS 4096U /* handlers of one service; more is beyond our bound */
#define PAM_FILE_MAX ((size_t)1 << 20)

enum pam_code {
    PAMC_SUCCESS = 0,
    PAMC_PERM_DENIED = 6,
    PAMC_AUTH_ERR = 7,
    PAMC_IGNORE = 25,
    PAMC_MODULE_UNKNOWN = 28
};

/* What a control says to a return code; above 0: skip that many handlers. */
enum pam_action {
    PAMA_IGNORE = 0,
    PAMA_OK = -1,
    PAMA_DONE = -2,
    PAMA_BAD = -3,
    PAMA_DIE = -4,
    PAMA_RESET = -5,
    PAMA_UNDEF = -6
};

enum pam_type { PAMT_ANY, PAMT_AUTH, PAMT_SESSION, PAMT_ACCOUNT, PAMT_PASSWORD };
enum pam_handler_kind { PAMH_MODULE, PAMH_MUST_FAIL, PAMH_SUBSTACK };

struct pam_handler {
    enum pam_handler_kind kind;
    enum pam_type type;
    bool other;     /* of the service "other" */
    bool is_absent; /* the module is not there: set by who can look */
    uint8_t level;
    int actions[PAM_CODES];
    char *control; /* as written */
    char *module;  /* as written; file name for a substack; "" if none */
    struct strv args;
    char *file; /* where the line stands */
    unsigned line;
};

/* The two engines that are in use, by what differs. */
struct pam_dialect {
    bool at_include;      /* Debian's patch: "@include FILE" */
    bool engine_15;       /* libpam 1.5: lines are cut into pieces of 1023 bytes, numbers wrap */
    bool includes_in_etc; /* Debian 1.5.2: included names are looked up in /etc/pam.d alone */
    bool counts_includes; /* upstream: at most 15 includes deep, not only substacks */
};

/* Gives the bytes of a configuration file and its path. name: service, included name or absolute
 * path. ERR_ABSENT: there is none (libpam fails on it); any other error: it could not be seen. */
struct pam_files {
    int (*read)(void *arg, const char *name, bool is_include, struct str *text, struct str *path,
                struct err *e);
    void *arg;
};

struct pam_stack {
    struct pam_handler **items;
    size_t n, cap;
    bool aborted; /* libpam gives up on the whole configuration: nobody gets in */
    bool bounded; /* more than we look at */
    int unseen;   /* ERR_* of a file that could not be read, 0 = all seen */
    char reason[256];
};

void pam_stack_done(struct pam_stack *s);
static inline void cleanup_pam_stack(struct pam_stack *s)
{
    pam_stack_done(s);
}

/* Handlers of a service from pam.d: its own file, then "other". ERR_NOMEM alone; everything else
 * is told in *ret. */
int pam_stack_load(const struct pam_files *files, const struct pam_dialect *dialect,
                   const char *service, struct pam_stack *ret, struct err *e) MUST_USE;
/* The same from the text of pam.conf, whose lines begin with a service. */
int pam_stack_load_conf(const struct pam_files *files, const struct pam_dialect *dialect,
                        const char *service, const char *text, size_t n, const char *path,
                        struct pam_stack *ret, struct err *e) MUST_USE;

/* The handlers that count for a type: the service's own, or where it has none those of "other".
 * *ret: array of borrowed pointers, caller frees; NULL if *ret_n is 0. */
int pam_stack_of_type(const struct pam_stack *s, enum pam_type type,
                      const struct pam_handler ***ret, size_t *ret_n, struct err *e) MUST_USE;

/* Actions of a control as written, brackets removed: the simple words or the [code=action] form.
 * Unset codes are PAMA_BAD. wraps: a number too large is taken modulo 2^32, as libpam 1.5 does,
 * else it is an error. */
void pam_control_parse(const char *control, bool wraps, int actions[PAM_CODES]);
/* Number of a return code's word ("auth_err"), -1 if there is none. */
int pam_code_of(const char *word);
const char *pam_code_word(int code); /* never NULL */
const char *pam_type_word(enum pam_type type);

#endif
