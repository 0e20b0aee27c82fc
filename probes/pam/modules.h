/* What PAM modules can answer, and what it takes: the catalogue that the parent hands over (made
 * from policies/products/pam-modules.yaml), and its meaning for one line of one service. A module
 * that is in no catalogue is opaque: it may ask for something, nobody here knows what.
 *
 * A line of the catalogue: fields separated by TAB. First the names, comma-joined. Then outcomes,
 * each a code's word and "key=value" separated by blanks: users= services= notservices= scope=
 * needs= (comma-joined words), pin=1, arg= and noarg= (repeatable; alternatives joined by "|"), and
 * last if= or unless= to the end of the field ("{x}" there stands for the value of argument x).
 * Or gate=succeed_if: answered by rules in code. */
#ifndef TENKEN_PROBES_PAM_MODULES_H
#define TENKEN_PROBES_PAM_MODULES_H

#include "probes/pam/stack.h"

#define PAM_VARS_MAX 64U
#define PAM_FACTORS_MAX 64U
#define PAM_OUTCOMES_MAX 16U

enum pam_user { PAMU_LOCAL, PAMU_ROOT, PAMU_DOMAIN };
enum { KIND_KNOWLEDGE = 1, KIND_POSSESSION = 2, KIND_INHERENCE = 4 };

struct pam_catalogue;

/* Parses one line and adds it. ERR_MALFORMED says where. */
int pam_catalogue_add(struct pam_catalogue *c, const char *line, struct err *e) MUST_USE;
struct pam_catalogue *pam_catalogue_new(void); /* NULL: no memory */
void pam_catalogue_free(struct pam_catalogue *c);
static inline void cleanup_pam_catalogue(struct pam_catalogue **c)
{
    pam_catalogue_free(*c);
}
/* First word that the module may ask for, "opaque" for an unknown one, "" for none. */
const char *pam_module_factor(const struct pam_catalogue *c, const char *module);
bool pam_module_is_known(const struct pam_catalogue *c, const char *module);

/* What may be so or not, each true or false for one log-in. */
struct pam_var {
    char *name; /* identity: "enrolled:unix", "if:group=mfa" */
    char *yes;  /* word of a scope if it holds, NULL: the ordinary case */
    char *no;   /* word of a scope if it does not */
};

struct pam_factor {
    char *name; /* "password@unix" */
    char *word; /* "password" */
    unsigned kinds;
};

/* What the ways into one service speak of. */
struct pam_world {
    struct pam_var vars[PAM_VARS_MAX];
    size_t n_vars;
    struct pam_factor factors[PAM_FACTORS_MAX];
    size_t n_factors;
    bool is_full; /* more than the bound: nothing may be concluded */
};
void pam_world_done(struct pam_world *w);
static inline void cleanup_pam_world(struct pam_world *w)
{
    pam_world_done(w);
}

struct pam_outcome {
    int code;
    uint64_t factors; /* bits of world.factors */
    uint64_t yes, no; /* bits of world.vars */
};

struct pam_asked {
    const char *service;
    enum pam_user user;
};

/* Every outcome that the handler can have; at most PAM_OUTCOMES_MAX, else world.is_full.
 * ERR_NOMEM. */
int pam_outcomes(const struct pam_catalogue *c, const struct pam_handler *h,
                 const struct pam_asked *asked, struct pam_world *w,
                 struct pam_outcome ret[PAM_OUTCOMES_MAX], size_t *ret_n, struct err *e) MUST_USE;

/* --- shared by modules.c and gate.c --- */

struct pam_outcome_list {
    struct pam_outcome *items;
    size_t n;
    struct pam_world *world;
};
/* Appends; past the bound the world is full. */
void pam_outcome_push(struct pam_outcome_list *l, struct pam_outcome o);
/* Bit of a condition "if:TEXT", made if need be; 0 when the world is full. */
int pam_world_if(struct pam_world *w, const char *text, uint64_t *ret_bit, struct err *e) MUST_USE;
/* pam_succeed_if(8): its conditions, as far as they are known of such a user and service. */
int pam_gate_succeed_if(const struct pam_handler *h, const struct pam_asked *asked,
                        struct pam_outcome_list *out, struct err *e) MUST_USE;

#endif
