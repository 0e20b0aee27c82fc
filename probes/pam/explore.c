/* The search over all outcomes. Handlers are only ever passed forwards, so the places are worked
 * off in order; at each place lie the states with which it can be reached, and with each state the
 * smallest sets of what had to be given and had to hold to come there. */
#include "probes/pam/explore.h"

#include <stdlib.h>
#include <string.h>

/* State of the dispatcher without what no longer matters: two bits for the vote and for the votes
 * saved at each level, four for the level before. */
struct cell {
    uint64_t state;
    struct pam_way *ways;
    size_t n, cap;
};

struct place {
    struct cell *cells;
    size_t n, cap;
};

struct search {
    const struct pam_handler *const *list;
    size_t n;
    const struct pam_choices *choices;
    struct place *places; /* n + 1 */
    struct pam_ways *out;
};

void pam_ways_done(struct pam_ways *w)
{
    free(w->items);
    free(w->trails);
    *w = (struct pam_ways){0};
}

/* Which error it was makes no difference for getting in. */
static uint64_t vote_bits(struct pam_vote v)
{
    return v.impression == PAMI_UNDEF      ? 0
           : v.impression == PAMI_NEGATIVE ? 1
           : v.status == PAMC_SUCCESS      ? 2
                                           : 3;
}

static struct pam_vote vote_of(uint64_t bits)
{
    static const struct pam_vote votes[] = {{PAMI_UNDEF, PAMC_PERM_DENIED},
                                            {PAMI_NEGATIVE, PAMC_PERM_DENIED},
                                            {PAMI_POSITIVE, PAMC_SUCCESS},
                                            {PAMI_POSITIVE, PAMC_AUTH_ERR}};
    return votes[bits & 3];
}

/* What was saved on levels above `level` is saved anew before it is used again. */
static uint64_t state_bits(const struct pam_run *run, unsigned level)
{
    uint64_t bits = vote_bits(run->vote) | (uint64_t)run->previous_level << 2;
    for (unsigned i = 1; i <= level && i < PAM_LEVELS; i++) {
        bits |= vote_bits(run->saved[i]) << (4 + 2 * i);
    }
    return bits;
}

static void state_run(uint64_t bits, struct pam_run *run)
{
    pam_run_init(run);
    run->vote = vote_of(bits);
    run->previous_level = (unsigned)(bits >> 2) & 15U;
    for (unsigned i = 1; i < PAM_LEVELS; i++) {
        run->saved[i] = vote_of(bits >> (4 + 2 * i));
    }
}

static void *grown(void *items, size_t *cap, size_t size)
{
    size_t more = *cap == 0 ? 8 : *cap * 2;
    void *p = reallocarray(items, more, size);
    if (p != NULL) {
        *cap = more;
    }
    return p;
}

static bool is_within(const struct pam_way *a, const struct pam_way *b)
{
    return (a->factors & ~b->factors) == 0 && (a->yes & ~b->yes) == 0 && (a->no & ~b->no) == 0;
}

/* Adds a way unless one that asks no more is there; drops those that ask more. *ret_new. */
static int add_way(struct pam_ways *work, struct pam_way **items, size_t *n, size_t *cap,
                   const struct pam_way *w, bool *ret_new, struct err *e)
{
    size_t kept = 0;
    *ret_new = false;
    work->work += *n + 1;
    for (size_t i = 0; i < *n; i++) {
        if (is_within(&(*items)[i], w)) {
            return 0;
        }
    }
    for (size_t i = 0; i < *n; i++) {
        if (!is_within(w, &(*items)[i])) {
            (*items)[kept++] = (*items)[i];
        }
    }
    *n = kept;
    if (*n == *cap) {
        struct pam_way *more = grown(*items, cap, sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        *items = more;
    }
    (*items)[(*n)++] = *w;
    *ret_new = true;
    return 0;
}

static int cell_of(struct place *p, uint64_t state, struct cell **ret, struct err *e)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->cells[i].state == state) {
            *ret = &p->cells[i];
            return 0;
        }
    }
    if (p->n == p->cap) {
        struct cell *more = grown(p->cells, &p->cap, sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        p->cells = more;
    }
    p->cells[p->n] = (struct cell){.state = state};
    *ret = &p->cells[p->n++];
    return 0;
}

static int add_trail(struct pam_ways *w, struct pam_trail t, uint32_t *ret, struct err *e)
{
    if (w->n_trails == w->cap_trails) {
        struct pam_trail *more = grown(w->trails, &w->cap_trails, sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        w->trails = more;
    }
    w->trails[w->n_trails++] = t;
    *ret = (uint32_t)w->n_trails;
    return 0;
}

/* One answer of one handler, from one state, for one way to there. */
static int follow(struct search *s, size_t at, uint64_t state, const struct pam_way *way,
                  const struct pam_outcome *o, struct err *e)
{
    struct pam_way next = {
        .factors = way->factors | o->factors, .yes = way->yes | o->yes, .no = way->no | o->no};
    if ((next.yes & next.no) != 0) {
        return 0; /* it cannot be so and not so */
    }
    struct pam_run run;
    struct cell *cell = NULL;
    bool is_new = false;
    state_run(state, &run);
    size_t to = pam_step(s->list, s->n, at, o->code, &run);
    int r =
        add_trail(s->out, (struct pam_trail){way->trail, (uint32_t)at, o->code}, &next.trail, e);
    if (r == 0 && to == s->n) {
        bool is_in = run.vote.impression == PAMI_POSITIVE && run.vote.status == PAMC_SUCCESS;
        return is_in ? add_way(s->out, &s->out->items, &s->out->n, &s->out->cap, &next, &is_new, e)
                     : 0;
    }
    if (r == 0) {
        r = cell_of(&s->places[to], state_bits(&run, s->list[to]->level), &cell, e);
    }
    if (r == 0) {
        r = add_way(s->out, &cell->ways, &cell->n, &cell->cap, &next, &is_new, e);
    }
    return r;
}

static int work_off(struct search *s, size_t at, struct err *e)
{
    const struct place *p = &s->places[at];
    int r = 0;
    for (size_t c = 0; c < p->n; c++) {
        for (size_t w = 0; w < p->cells[c].n; w++) {
            for (size_t o = 0; o < s->choices[at].n && r == 0; o++) {
                r = follow(s, at, p->cells[c].state, &p->cells[c].ways[w], &s->choices[at].items[o],
                           e);
                s->out->bounded = s->out->bounded || ++s->out->work > PAM_WORK_MAX;
                if (s->out->bounded) {
                    return 0;
                }
            }
        }
    }
    return r;
}

static void place_done(struct place *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->cells[i].ways);
    }
    free(p->cells);
    *p = (struct place){0};
}

int pam_explore(const struct pam_handler *const *list, size_t n, const struct pam_choices *choices,
                struct pam_ways *ret, struct err *e)
{
    if (n == 0) {
        return 0; /* nobody is asked, nobody gets in */
    }
    struct search s = {.list = list, .n = n, .choices = choices, .out = ret};
    s.places = calloc(n + 1, sizeof(*s.places));
    if (s.places == NULL) {
        return err_nomem(e);
    }
    struct pam_run run;
    struct cell *cell = NULL;
    bool is_new = false;
    pam_run_init(&run);
    int r = cell_of(&s.places[0], state_bits(&run, 0), &cell, e);
    if (r == 0) {
        r = add_way(ret, &cell->ways, &cell->n, &cell->cap, &(struct pam_way){0}, &is_new, e);
    }
    for (size_t at = 0; at < n && r == 0 && !ret->bounded; at++) {
        r = work_off(&s, at, e);
        place_done(&s.places[at]);
    }
    for (size_t at = 0; at <= n; at++) {
        place_done(&s.places[at]);
    }
    free(s.places);
    return r;
}
