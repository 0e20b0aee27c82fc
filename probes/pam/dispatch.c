/* One step of libpam's dispatcher, and the run over given answers. */
#include "probes/pam/dispatch.h"

#include <string.h>

void pam_run_init(struct pam_run *run)
{
    memset(run, 0, sizeof(*run));
    for (size_t i = 0; i < PAM_LEVELS; i++) {
        run->saved[i] = (struct pam_vote){PAMI_UNDEF, PAMC_PERM_DENIED};
    }
    run->vote = run->saved[0];
}

bool pam_fixed_answer(const struct pam_handler *h, int *ret_code)
{
    if (h->kind == PAMH_MODULE && !h->is_absent) {
        return false;
    }
    *ret_code = h->kind == PAMH_MUST_FAIL ? PAMC_PERM_DENIED
                : h->kind == PAMH_MODULE  ? PAMC_MODULE_UNKNOWN
                                          : PAMC_SUCCESS;
    return true;
}

static void vote_against(struct pam_vote *v, int status)
{
    if (v->impression != PAMI_NEGATIVE) {
        v->impression = PAMI_NEGATIVE;
        v->status = status == PAMC_IGNORE ? PAMC_PERM_DENIED : status;
    }
}

/* Skips `count` handlers of this level; a substack with all it holds counts once. False: there are
 * not so many. */
static bool jump(const struct pam_handler *const *list, size_t n, size_t *at, int count)
{
    unsigned level = list[*at]->level;
    while (count > 0 && *at + 1 < n && list[*at + 1]->level >= level) {
        do {
            (*at)++;
        } while (*at + 1 < n && list[*at + 1]->level > level);
        count--;
    }
    return count == 0;
}

size_t pam_step(const struct pam_handler *const *list, size_t n, size_t at, int retval,
                struct pam_run *run)
{
    const struct pam_handler *h = list[at];
    struct pam_vote *v = &run->vote;
    bool is_over = false;
    if (run->previous_level < h->level) {
        run->saved[h->level] = *v;
    }
    if (h->kind == PAMH_SUBSTACK) {
        run->previous_level = h->level;
        return at + 1;
    }
    bool is_code = retval >= 0 && retval < (int)PAM_CODES;
    int action = is_code ? h->actions[retval] : PAMA_BAD;
    retval = is_code ? retval : PAMC_PERM_DENIED;
    switch (action) {
    case PAMA_RESET:
        *v = run->saved[h->level];
        break;
    case PAMA_OK:
    case PAMA_DONE:
        if (v->impression == PAMI_UNDEF ||
            (v->impression == PAMI_POSITIVE && v->status == PAMC_SUCCESS)) {
            *v = (struct pam_vote){PAMI_POSITIVE, retval};
        }
        is_over = v->impression == PAMI_POSITIVE && action == PAMA_DONE;
        break;
    case PAMA_BAD:
    case PAMA_DIE:
        vote_against(v, retval);
        is_over = action == PAMA_DIE;
        break;
    case PAMA_IGNORE:
        break;
    default:
        if (action < 0 || !jump(list, n, &at, action)) {
            *v = (struct pam_vote){PAMI_NEGATIVE, PAMC_PERM_DENIED};
        }
    }
    while (is_over && at + 1 < n && list[at + 1]->level >= h->level) {
        at++;
    }
    run->previous_level = list[at]->level;
    return at + 1;
}

int pam_dispatch(const struct pam_handler *const *list, size_t n, const int *codes)
{
    struct pam_run run;
    pam_run_init(&run);
    for (size_t at = 0; at < n;) {
        int code = codes[at];
        (void)pam_fixed_answer(list[at], &code);
        at = pam_step(list, n, at, code, &run);
    }
    /* Success that no module voted for is none. */
    return run.vote.status == PAMC_SUCCESS && run.vote.impression != PAMI_POSITIVE
               ? PAMC_PERM_DENIED
               : run.vote.status;
}
