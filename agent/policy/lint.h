/* Parts of lint: messages, and the rules on the text of one statement. */
#ifndef TENKEN_POLICY_LINT_H
#define TENKEN_POLICY_LINT_H

#include "agent/policy/reads.h"

struct lint {
    const struct policy *policy;
    struct read_pass pass;
    struct str *out;
    size_t n;
    /* the place that messages are about */
    const char *file;
    unsigned line;
    char what[256]; /* "check x: query" */
};

/* Sets what. */
void lint_about(struct lint *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends "file:line: what: text\n". */
void lint_say(struct lint *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The rules of design.md 3 that show in the text of a statement. ERR_NOMEM. */
int lint_sql(struct lint *l, const char *text, struct err *e) MUST_USE;

#endif
