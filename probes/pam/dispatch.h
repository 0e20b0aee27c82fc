/* How libpam makes one answer of the answers of many modules: _pam_dispatch_aux of Linux-PAM
 * libpam/pam_dispatch.c. The one step below serves both the plain run over given codes, which is
 * compared with the real library, and the search over all outcomes. Pure. */
#ifndef TENKEN_PROBES_PAM_DISPATCH_H
#define TENKEN_PROBES_PAM_DISPATCH_H

#include "probes/pam/stack.h"

enum pam_impression { PAMI_UNDEF, PAMI_POSITIVE, PAMI_NEGATIVE };

struct pam_vote {
    enum pam_impression impression;
    int status;
};

struct pam_run {
    struct pam_vote vote;
    unsigned previous_level;
    struct pam_vote saved[PAM_LEVELS]; /* as each level was entered */
};

/* As before the first handler. */
void pam_run_init(struct pam_run *run);
/* Handler `at` answers retval (not looked at for a substack's marker; what must fail, and absent
 * modules, have an answer of their own). Gives the handler that comes next, n at the end. */
size_t pam_step(const struct pam_handler *const *list, size_t n, size_t at, int retval,
                struct pam_run *run);
/* True if a handler's answer is not its module's to give; *ret_code: the answer. */
bool pam_fixed_answer(const struct pam_handler *h, int *ret_code);
/* What pam_authenticate returns when handler i answers codes[i]. */
int pam_dispatch(const struct pam_handler *const *list, size_t n, const int *codes);

#endif
