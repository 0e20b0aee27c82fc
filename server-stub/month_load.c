/* Brings the rows of a month from the store to month.c. */
#include <string.h>

#include "agent/base/timefmt.h"
#include "server-stub/chains.h"
#include "server-stub/month.h"

#define DEFAULT_ZONE "Asia/Tokyo"

struct load {
    struct store *s;
    struct month *m;
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    bool any_term;
    int64_t first_starts, first_ends;
};

static int copy_text(char **to, const char *text, struct err *e)
{
    if (*to == NULL) {
        *to = strdup(text);
    }
    return *to != NULL ? 0 : err_nomem(e);
}

static int64_t day_or(const char *text, int64_t otherwise)
{
    int64_t day = 0;
    return date_parse(text, &day, NULL) == 0 ? day : otherwise;
}

/* The newest declaration names the contract; of terms the widest counts, for leaving a day out of a
 * declaration must not make a day less due. */
static int take_declaration(void *arg, const struct declaration *d, const char *last_date,
                            struct err *e)
{
    struct load *l = arg;
    struct month *m = l->m;
    int64_t starts = day_or(d->starts, INT64_MIN);
    int64_t ends = day_or(d->ends, INT64_MAX);
    (void)last_date;
    if (!l->any_term) {
        m->starts = starts;
        m->ends = ends;
        l->first_starts = starts;
        l->first_ends = ends;
        l->any_term = true;
    } else if (starts != l->first_starts || ends != l->first_ends) {
        m->terms_differ = true;
        m->starts = starts < m->starts ? starts : m->starts;
        m->ends = ends > m->ends ? ends : m->ends;
    }
    m->declared = true;
    int rc = copy_text(&m->authority, d->authority, e);
    if (rc == 0) {
        rc = copy_text(&m->work, d->work, e);
    }
    return rc == 0 ? copy_text(&m->zone, d->time_zone, e) : rc;
}

static int take_record(void *arg, const struct record *r, struct err *e)
{
    struct load *l = arg;
    return month_add_record(l->m, r, e);
}

static int take_host(void *arg, const struct member_row *row, struct err *e)
{
    struct load *l = arg;
    struct month *m = l->m;
    char day[TIME_TEXT_MAX];
    int64_t since = 0;
    int rc = date_in_zone(m->zone, row->enrolled_at, day, e);
    if (rc == 0) {
        rc = date_parse(day, &since, e);
    }
    if (rc != 0) {
        return rc;
    }
    int64_t first = day_or(row->first_date, INT64_MAX);
    rc = month_add_host(m, row->keyid, first < since ? first : since, e);
    CLEANUP(chain_items) struct chain_items chains = {.n = 0};
    if (rc == 0) {
        rc = chains_load(l->s, row->keyid, m->contract, m->framework, &chains, e);
    }
    for (size_t i = 0; rc == 0 && i < chains.n; i++) {
        m->hosts[m->n_hosts - 1].flags |= chain_flags(&chains.items[i]) & (unsigned)FLAG_GAP;
        const struct record_range range = {.keyid = row->keyid,
                                           .contract = m->contract,
                                           .framework = m->framework,
                                           .chain = chains.items[i].chain,
                                           .from = l->from,
                                           .to = l->to};
        rc = store_each_record(l->s, &range, take_record, l, e);
    }
    return rc;
}

static int refuse_frameworks(const struct strv *list, const char *contract, struct err *e)
{
    CLEANUP(str) struct str names = STR_INIT(256);
    for (size_t i = 0; i < list->n; i++) {
        str_addf(&names, "%s%s", i > 0 ? ", " : "", list->items[i]);
    }
    return err_set(e, ERR_INVALID, "contract %s has evidence of several frameworks: name one of %s",
                   contract, str_text(&names));
}

/* Which framework: the one asked for, or the only one. None at all: no evidence yet. */
static int choose_framework(struct store *s, const struct month_request *rq, char **ret,
                            struct err *e)
{
    CLEANUP(strv) struct strv list = {.n = 0};
    int rc = store_contract_frameworks(s, rq->contract, &list, e);
    if (rc != 0) {
        return rc;
    }
    const char *name = rq->framework != NULL ? rq->framework : "";
    if (rq->framework == NULL && list.n == 1) {
        name = list.items[0];
    } else if (rq->framework == NULL && list.n > 1) {
        return refuse_frameworks(&list, rq->contract, e);
    } else if (rq->framework != NULL && !strv_has(&list, rq->framework) &&
               (rq->policy == NULL || policy_framework(rq->policy, rq->framework) == NULL)) {
        return err_set(e, ERR_ABSENT, "no evidence of framework %s for contract %s", rq->framework,
                       rq->contract);
    }
    *ret = strdup(name);
    return *ret != NULL ? 0 : err_nomem(e);
}

static int add_policy_controls(struct month *m, const struct policy *p, struct err *e)
{
    const struct framework *f = p != NULL ? policy_framework(p, m->framework) : NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && f != NULL && i < f->n_controls; i++) {
        rc = month_add_control(m, f->controls[i].id, e);
    }
    return rc;
}

static int check_known(struct store *s, const char *contract, struct err *e)
{
    CLEANUP(strv) struct strv all = {.n = 0};
    int rc = store_contracts(s, &all, e);
    if (rc == 0 && !strv_has(&all, contract)) {
        rc = err_set(e, ERR_ABSENT, "nothing is known of contract %s", contract);
    }
    return rc;
}

int month_load(struct store *s, const struct month_request *rq, struct month *ret, struct err *e)
{
    CLEANUP(month) struct month m;
    month_init(&m);
    struct load l = {.s = s, .m = &m};
    m.contract = rq->contract;
    m.name = rq->name;
    int rc = month_parse(rq->name, &m.first_day, &m.last_day, e);
    if (rc == 0) {
        rc = check_known(s, rq->contract, e);
    }
    if (rc == 0) {
        rc = choose_framework(s, rq, &m.framework, e);
    }
    if (rc == 0) {
        rc = store_each_declaration(s, rq->contract, take_declaration, &l, e);
    }
    if (rc == 0 && m.zone == NULL) {
        rc = copy_text(&m.zone, DEFAULT_ZONE, e);
    }
    char today[TIME_TEXT_MAX];
    int32_t offset = 0;
    /* a zone that this machine does not know must not make the report impossible */
    if (rc == 0 && zone_offset(m.zone, rq->now_s, &offset, e) != 0) {
        free(m.zone);
        m.zone = NULL;
        rc = copy_text(&m.zone, DEFAULT_ZONE, e);
    }
    if (rc == 0) {
        rc = date_in_zone(m.zone, rq->now_s, today, e);
    }
    if (rc == 0) {
        rc = date_parse(today, &m.today, e);
    }
    if (rc == 0) {
        rc = add_policy_controls(&m, rq->policy, e);
    }
    if (rc == 0) {
        date_text(m.first_day, l.from);
        date_text(m.last_day, l.to);
        rc = store_each_host(s, rq->contract, take_host, &l, e);
    }
    if (rc == 0) {
        month_finish(&m);
        *ret = m;
        month_init(&m);
    }
    return rc;
}
