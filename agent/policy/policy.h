/* Policies: checks, views, frameworks, read from directories (formats.md, "Policies"); their text
 * digests; lint. */
#ifndef TENKEN_POLICY_POLICY_H
#define TENKEN_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/digest.h"
#include "agent/base/schema.h"
#include "agent/base/str.h"

enum lang { LANG_JA, LANG_EN, N_LANGS };

struct text2 {
    const char *in[N_LANGS]; /* "" if not given in that language */
};

enum verdict { /* in order of gravity for controls: design.md 2 */
               VERDICT_FAIL,
               VERDICT_UNKNOWN,
               VERDICT_PERMITTED,
               VERDICT_COMPENSATED,
               VERDICT_UNATTESTED,
               VERDICT_PASS,
               VERDICT_ATTESTED,
               VERDICT_NOT_COVERED,
               VERDICT_NOT_APPLICABLE,
               N_VERDICTS
};
const char *verdict_word(enum verdict v); /* "fail" ... "not-applicable" */
int verdict_parse(const char *word, enum verdict *ret, struct err *e) MUST_USE;

enum basis { BASIS_TEXT, BASIS_INTERPRETATION, BASIS_RECOMMENDED };
/* "text" | "interpretation" | "recommended". */
const char *basis_word(enum basis b);

enum absent_rule { ABSENT_UNKNOWN, ABSENT_PASS, ABSENT_NOT_APPLICABLE };

struct check_fix {
    const char *family; /* "any", "debian", "rhel" */
    struct text2 text;
};

struct check_test {
    const char *host; /* directory under tests/hosts */
    enum verdict want;
    const char *site; /* file under the host's directory, or NULL = its site.yaml if there is one */
};

struct check {
    const char *id;
    struct text2 title;
    const char *severity;                  /* critical|high|medium|low */
    const char *applies, *query, *unknown; /* SQL; applies and unknown may be NULL */
    const char *const *null_ok;            /* "table.column", NULL-terminated */
    enum absent_rule absent;
    const char *code;     /* finding code */
    struct text2 finding; /* with {column} */
    const struct check_fix *fixes;
    size_t n_fixes;
    struct text2 side_effects;
    const struct check_test *tests;
    size_t n_tests;
    const char *file;
    unsigned line, column;
    char digest[SHA256_HEX]; /* over the meaning-bearing members, see policy.c */
};

struct view {
    struct table decl; /* kind TABLE_VIEW */
    const char *sql;   /* the SELECT */
    const char *file;
    char digest[SHA256_HEX];
};

struct citation {
    const struct check *check; /* NULL: leg is a statement */
    const char *attest;        /* statement id when check is NULL */
    enum basis basis;
};

struct attestation_need {
    const char *id; /* unique in its framework; site attestations name it as `statement` */
    bool leg;       /* an any_of leg names it: required through that leg only, not by itself */
    struct text2 statement;
    const char *attachment; /* NULL or what to attach */
    const char *every;      /* application|year|period|event */
};

struct crosswalk {
    const char *key;   /* "form5" */
    const char *value; /* "1(3)"; several are joined with ", " */
};

struct control {
    const char *id; /* "5.6a" */
    struct text2 title, summary;
    const char *kind; /* technical|partly|organisational|physical */
    const char *severity;
    const struct citation *checks;
    size_t n_checks;
    const struct citation *const *any_of; /* groups; their checks are not repeated in `checks` */
    const size_t *any_of_n;
    size_t n_any_of;
    const char *const *missing; /* NULL-terminated, what no check looks at yet (English if given) */
    const struct text2 *missing_texts; /* the same in both languages */
    size_t n_missing;
    const struct check *gate; /* NULL */
    bool permission, compensation;
    const char *drift; /* SQL or NULL */
    const struct attestation_need *attests;
    size_t n_attests;
    const struct crosswalk *crosswalk;
    size_t n_crosswalk;
};

struct framework {
    const char *id, *version, *source, *status; /* status: current|historical */
    struct text2 title;
    bool isolates; /* the standard forbids outside networks: the uploader asks this */
    const struct control *controls;
    size_t n_controls;
    const char *file;
    char digest[SHA256_HEX];
};

struct policy {
    const struct check *checks;
    size_t n_checks;
    const struct view *views;
    size_t n_views;
    const struct framework *frameworks;
    size_t n_frameworks;
    char digest[SHA256_HEX]; /* rules.digest: checks, views, frameworks, products, profiles */
    const char *version;     /* rules.yaml of the first directory; "" if it has none */
    bool unmodified;         /* no differences */
    unsigned differences;    /* files of the first directory that were changed, added or are missing
                                against the list built in, plus every file of further directories */
    const char *const *pam_modules; /* lines of products.h, those of later directories first */
    size_t n_pam_modules;
    const char *const *av_products; /* lines of products_av.h, likewise */
    size_t n_av_products;
    struct policy_store *store; /* owns everything above */
};

/* Loads the directories in order; an id repeated in a later one replaces. trusted: refuse what
 * others may write. Only the shape is checked here (keys, types, references between files); SQL is
 * checked by policy_lint and by evaluation. ERR_INVALID, ERR_UNSAFE with place; ERR_INVALID for a
 * directory that does not exist or holds none of checks, views, frameworks. */
int policy_load(const char *const *dirs, size_t n_dirs, bool trusted, struct policy **ret,
                struct err *e) MUST_USE;
void policy_free(struct policy *p);
static inline void cleanup_policy(struct policy **p)
{
    policy_free(*p);
}
const struct check *policy_check(const struct policy *p, const char *id);
const struct framework *policy_framework(const struct policy *p, const char *id);
/* Ids for "did you mean"; borrowed array of n_frameworks names, caller frees the array only. */
const char **policy_framework_ids(const struct policy *p);

/* Where the shipped policies are: $TENKEN_POLICY_DIR; else, for a program that lies in the build
 * tree, the sources' (an older installed set must not be mistaken for them); else the installed
 * directory. */
const char *policy_default_dir(void);

#endif
