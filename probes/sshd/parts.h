/* Shared by the files of the configuration core. */
#ifndef TENKEN_PROBES_SSHD_PARTS_H
#define TENKEN_PROBES_SSHD_PARTS_H

#include <stdint.h>

#include "probes/sshd/conf.h"

enum sshd_kind {
    SSHDK_FLAG,    /* yes, no */
    SSHDK_ENUM,    /* words of .words; "a=b": a is shown as b */
    SSHDK_INT,     /* decimal, not negative */
    SSHDK_TIME,    /* time formats of sshd_config(5), shown in seconds */
    SSHDK_TEXT,    /* one word as it stands */
    SSHDK_REST,    /* the rest of the line */
    SSHDK_WORDS,   /* all words, one value; first line wins */
    SSHDK_APPEND,  /* each word a value; lines add up */
    SSHDK_KEYOPTS, /* PubkeyAuthOptions */
    SSHDK_PORT,
    SSHDK_IGNORED, /* deprecated: any arguments, no effect */
    SSHDK_OTHER,   /* known, value not looked at: no row */
    SSHDK_INCLUDE,
    SSHDK_MATCH
};

struct sshd_keyword {
    const char *name;
    const char *canonical; /* NULL: name */
    enum sshd_kind kind;
    bool in_match;
    const char *fallback; /* built-in default; NULL: no row unless set */
    const char *words;
};

enum sshd_attribute {
    SSHDA_USER,
    SSHDA_GROUP,
    SSHDA_HOST,
    SSHDA_ADDRESS,
    SSHDA_LADDRESS,
    SSHDA_LPORT,
    SSHDA_RDOMAIN
};
struct sshd_criterion {
    enum sshd_attribute attribute;
    char *pattern;
    int port;
};

enum sshd_op_kind { SSHDO_SET, SSHDO_MATCH, SSHDO_ENTER, SSHDO_LEAVE };
struct sshd_op {
    enum sshd_op_kind kind;
    uint16_t keyword; /* index of the canonical keyword */
    unsigned file, line;
    struct strv values;              /* SET: canonical */
    struct sshd_criterion *criteria; /* MATCH: all must hold; none = "all" */
    size_t n_criteria;
};

/* --- keywords.c --- */
/* Index of the keyword (any case), aliases kept; -1 unknown. */
int sshd_keyword_find(const char *name);
const struct sshd_keyword *sshd_keyword_at(size_t i, size_t *ret_n);
/* Index under which the values are kept. */
size_t sshd_keyword_slot(size_t i);
/* The values of one line in canonical form. rest: the line behind the keyword. ERR_MALFORMED,
 * ERR_UNSUPPORTED, ERR_NOMEM. */
int sshd_keyword_values(const struct sshd_keyword *k, const struct strv *args, const char *rest,
                        struct strv *ret, struct err *e) MUST_USE;

/* --- words.c: splitting as sshd's misc.c --- */
/* strdelim: cuts the first word off *rest, "=" counts as a blank once. NULL at the end. */
char *sshd_delim(char **rest);
/* argv_split with comments. ERR_MALFORMED: quote left open. */
int sshd_split(const char *text, struct strv *ret, struct err *e) MUST_USE;

/* --- match.c --- */
/* One pattern with * and ?. */
bool sshd_pattern(const char *text, const char *pattern);
/* 1 matched, 0 not, -1 negated match. fold: pattern in lower case. */
int sshd_pattern_list(const char *text, const char *list, bool fold);
/* 1, 0, -1 as above, -2 invalid list. address NULL: checks the list only. */
int sshd_address_list(const char *address, const char *list);
/* First and behind-last address of one CIDR item as bytes; *ret_n 4 or 16. False: no CIDR. */
bool sshd_cidr(const char *item, uint8_t first[16], uint8_t last[16], size_t *ret_n);
bool sshd_criterion_holds(const struct sshd_criterion *c, const struct sshd_context *ctx);
/* Port number 0..65535, -1 not a number. */
int sshd_port(const char *text);
/* glob(3) over the callbacks: sorted paths; where the last part is a plain name, it need not be
 * there. ERR_LIMIT; ERR_UNSUPPORTED with a backslash; what the callbacks gave. */
int sshd_glob(const struct sshd_files *f, const char *pattern, struct strv *ret,
              struct err *e) MUST_USE;

/* --- resolve.c --- */
/* As sshd_conf_resolve; holds(arg, op) tells whether a MATCH holds; NULL: first reading. */
typedef bool sshd_holds_fn(const void *arg, const struct sshd_op *op);
int sshd_resolve_with(const struct sshd_conf *c, sshd_holds_fn *holds, const void *arg,
                      struct sshd_config *ret, struct err *e) MUST_USE;

#endif
