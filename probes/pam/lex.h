/* Logical lines and words of PAM configuration. Pure. Ref: Linux-PAM libpam/pam_misc.c
 * (_pam_StrTok), pam_handlers.c (_assemble_line). */
#ifndef TENKEN_PROBES_PAM_LEX_H
#define TENKEN_PROBES_PAM_LEX_H

#include <stddef.h>

#include "agent/base/str.h"

#define PAM_LINE_LIMIT                                                                             \
    1024U /* libpam 1.5: buffer of a logical line with its NUL; more is cut off                    \
             and read as the next line */

struct pam_lines {
    const char *text;
    size_t n, at;
    size_t limit;    /* 0 = none */
    unsigned number; /* physical line, from 1, where the logical line last returned begins */
    unsigned next;   /* newlines passed so far */
};

/* The next line that holds something, continuations joined, comment cut. 1: *out has it; 0: end;
 * -1: libpam fails on the file (end inside a continuation, no room for it). */
int pam_lines_next(struct pam_lines *l, struct str *out);
/* Cuts the next word off *rest (NULL: nothing left): separated by blank, tab, newline; "[...]" is
 * one word, its brackets removed, "\]" inside stands for "]". Changes the text. */
char *pam_token(char **rest);

#endif
