/* Computing a month. Rules, in the order of their weight:
 * - due = each local day from the later of the period's start (of the month, of the contract as
 *   declared) and the host's enrolment to the earlier of today and the contract's end; a host whose
 *   evidence begins before its enrolment here is due from that evidence on;
 * - a due day without evidence is an unknown day, for every clause;
 * - the worst verdict over hosts and days counts;
 * - an evidence whose verdicts, redone here, differ proves nothing good: what it does not call
 *   failed is unknown. */
#include "server-stub/month.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/timefmt.h"

#define CONTROLS_MAX 1024

void month_init(struct month *m)
{
    *m = (struct month){.starts = INT64_MIN, .ends = INT64_MAX};
}

void month_done(struct month *m)
{
    for (size_t i = 0; i < m->n_hosts; i++) {
        free(m->hosts[i].asset);
        free(m->hosts[i].machine_rules);
        free(m->hosts[i].controls);
    }
    for (size_t i = 0; i < m->n_controls; i++) {
        free(m->controls[i].id);
    }
    free(m->hosts);
    free(m->controls);
    free(m->framework);
    free(m->zone);
    free(m->authority);
    free(m->work);
    strv_done(&m->rules);
    month_init(m);
}

int month_parse(const char *name, int64_t *ret_first, int64_t *ret_last, struct err *e)
{
    char text[TIME_TEXT_MAX];
    int64_t first = 0, day = 0;
    if (strlen(name) != 7) {
        return err_set(e, ERR_INVALID, "month %.32s: must be YYYY-MM", name);
    }
    (void)snprintf(text, sizeof text, "%s-01", name);
    if (date_parse(text, &first, NULL) != 0) {
        return err_set(e, ERR_INVALID, "month %.32s: must be YYYY-MM", name);
    }
    for (unsigned d = 28; d <= MONTH_DAYS_MAX; d++) {
        (void)snprintf(text, sizeof text, "%s-%02u", name, d);
        if (date_parse(text, &day, NULL) == 0) {
            *ret_last = day;
        }
    }
    *ret_first = first;
    return 0;
}

size_t day_count(day_set days)
{
    size_t n = 0;
    for (; days != 0; days &= days - 1) {
        n++;
    }
    return n;
}

void day_list(day_set days, struct str *out)
{
    bool any = false;
    for (unsigned d = 0; d < MONTH_DAYS_MAX; d++) {
        if ((days >> d & 1U) == 0) {
            continue;
        }
        unsigned end = d;
        while (end + 1 < MONTH_DAYS_MAX && (days >> (end + 1) & 1U) != 0) {
            end++;
        }
        str_addf(out, end > d ? "%s%u-%u" : "%s%u", any ? ", " : "", d + 1, end + 1);
        any = true;
        d = end;
    }
}

/* Days from..to of the month as a set; empty if from > to. */
static day_set days_between(const struct month *m, int64_t from, int64_t to)
{
    day_set set = 0;
    for (int64_t d = from > m->first_day ? from : m->first_day; d <= to && d <= m->last_day; d++) {
        set |= (day_set)1 << (d - m->first_day);
    }
    return set;
}

static struct month_host_control nothing_seen(void)
{
    return (struct month_host_control){.worst = VERDICT_NOT_APPLICABLE, .end = VERDICT_UNKNOWN};
}

int month_add_control(struct month *m, const char *id, struct err *e)
{
    if (m->n_controls >= CONTROLS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d clauses in one month", CONTROLS_MAX);
    }
    struct month_control *grown = realloc(m->controls, (m->n_controls + 1) * sizeof *grown);
    if (grown == NULL) {
        return err_nomem(e);
    }
    m->controls = grown;
    char *copy = strdup(id);
    if (copy == NULL) {
        return err_nomem(e);
    }
    /* hosts that are there already have seen nothing of it */
    for (size_t i = 0; i < m->n_hosts; i++) {
        struct month_host *h = &m->hosts[i];
        struct month_host_control *c =
            realloc(h->controls, (m->n_controls + 1) * sizeof *h->controls);
        if (c == NULL) {
            free(copy);
            return err_nomem(e);
        }
        h->controls = c;
        c[m->n_controls] = nothing_seen();
        if (h->n_evidence > 0) { /* its evidences so far did not name the clause */
            c[m->n_controls] = (struct month_host_control){.seen = true,
                                                           .worst = VERDICT_UNKNOWN,
                                                           .end = VERDICT_UNKNOWN,
                                                           .first_s = h->first_s,
                                                           .last_s = h->last_s,
                                                           .last_number = h->last_sequence,
                                                           .unknown_days = h->seen};
        }
    }
    m->controls[m->n_controls++] = (struct month_control){.id = copy, .last_host = SIZE_MAX};
    return 0;
}

int month_add_host(struct month *m, const char *keyid, int64_t since, struct err *e)
{
    struct month_host *grown = realloc(m->hosts, (m->n_hosts + 1) * sizeof *grown);
    if (grown == NULL) {
        return err_nomem(e);
    }
    m->hosts = grown;
    struct month_host h = {.asset = strdup("")};
    h.controls = calloc(m->n_controls > 0 ? m->n_controls : 1, sizeof *h.controls);
    h.machine_rules = strdup("");
    if (h.asset == NULL || h.controls == NULL || h.machine_rules == NULL) {
        free(h.asset);
        free(h.controls);
        free(h.machine_rules);
        return err_nomem(e);
    }
    for (size_t i = 0; i < m->n_controls; i++) {
        h.controls[i] = nothing_seen();
    }
    (void)snprintf(h.keyid, sizeof h.keyid, "%s", keyid);
    int64_t from = since > m->starts ? since : m->starts;
    int64_t to = m->today < m->ends ? m->today : m->ends;
    h.due = days_between(m, from, to);
    m->hosts[m->n_hosts++] = h;
    return 0;
}

static size_t control_index(struct month *m, const char *id, size_t n, struct err *e)
{
    for (size_t i = 0; i < m->n_controls; i++) {
        if (strncmp(m->controls[i].id, id, n) == 0 && m->controls[i].id[n] == '\0') {
            return i;
        }
    }
    CLEANUP(free) char *copy = strndup(id, n);
    if (copy == NULL) {
        (void)err_nomem(e);
        return SIZE_MAX;
    }
    return month_add_control(m, copy, e) == 0 ? m->n_controls - 1 : SIZE_MAX;
}

/* A verdict at a time, in the order of numbers. end: the newest; of two with one number (fork) the
 * graver. */
static void note(struct month_host_control *c, enum verdict v, const struct record *r, day_set day,
                 bool same_number)
{
    if (!c->seen || v < c->worst) {
        c->worst = v;
        c->first_s = c->last_s = r->time_s;
        c->last_number = r->sequence;
    } else if (v == c->worst) {
        c->first_s = r->time_s < c->first_s ? r->time_s : c->first_s;
        c->last_s = r->time_s > c->last_s ? r->time_s : c->last_s;
        c->last_number = r->sequence;
    }
    if (!same_number || v < c->end) {
        c->end = v;
    }
    c->seen = true;
    c->fail_days |= v == VERDICT_FAIL ? day : 0U;
    c->unknown_days |= v == VERDICT_UNKNOWN ? day : 0U;
}

/* The lines "id=verdict" of one evidence. */
static int note_lines(struct month *m, struct month_host *h, const struct record *r, day_set day,
                      bool same_number, struct err *e)
{
    for (const char *p = r->verdicts; *p != '\0';) {
        size_t line = strcspn(p, "\n");
        const char *equals = memchr(p, '=', line);
        char word[24] = "";
        enum verdict v = VERDICT_UNKNOWN;
        size_t n = equals != NULL ? (size_t)(p + line - equals) - 1 : sizeof word;
        if (n >= sizeof word) {
            return err_set(e, ERR_MALFORMED, "store: evidence %.16s: bad verdicts", r->digest);
        }
        memcpy(word, equals + 1, n);
        int rc = verdict_parse(word, &v, e);
        if (rc != 0) {
            return rc;
        }
        size_t i = control_index(m, p, (size_t)(equals - p), e);
        if (i == SIZE_MAX) {
            return e->code;
        }
        if (r->redo == REDO_STATE_DIFFERS && v != VERDICT_FAIL) {
            v = VERDICT_UNKNOWN;
        }
        note(&h->controls[i], v, r, day, same_number);
        p += line + (p[line] == '\n');
    }
    return 0;
}

/* Clauses that this evidence does not name are not known for its day. */
static bool names_control(const char *verdicts, const char *id)
{
    size_t n = strlen(id);
    for (const char *p = verdicts; *p != '\0';) {
        if (strncmp(p, id, n) == 0 && p[n] == '=') {
            return true;
        }
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    return false;
}

static int set_text(char **text, const char *value, struct err *e)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return err_nomem(e);
    }
    free(*text);
    *text = copy;
    return 0;
}

static int note_rules(struct month *m, struct month_host *h, const struct record *r, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(1024);
    str_addf(&text, "%s%s", r->rules_version[0] != '\0' ? r->rules_version : "?",
             r->rules_unmodified ? "" : "*");
    int rc = str_error(&text, e);
    if (rc == 0) {
        rc = set_text(&h->machine_rules, text.data, e);
    }
    if (rc == 0 && !strv_has(&m->rules, text.data)) {
        rc = strv_add(&m->rules, text.data, e);
    }
    return rc;
}

static void count_record(struct month *m, struct month_host *h, const struct record *r, day_set day)
{
    m->n_outside += (h->due & day) == 0;
    h->n_evidence++;
    h->n_differs += r->redo == REDO_STATE_DIFFERS;
    h->n_pending += r->redo == REDO_STATE_PENDING;
    h->n_partly += r->redo == REDO_STATE_PARTLY;
    h->flags |= r->flags & ~(unsigned)FLAG_GAP;
    if (h->first_s == 0 || r->time_s < h->first_s) {
        h->first_s = r->time_s;
    }
    h->last_s = r->time_s > h->last_s ? r->time_s : h->last_s;
    (void)snprintf(h->last_digest, sizeof h->last_digest, "%s", r->digest);
    (void)snprintf(h->last_chain, sizeof h->last_chain, "%s", r->chain);
    h->last_sequence = r->sequence;
}

int month_add_record(struct month *m, const struct record *r, struct err *e)
{
    struct month_host *h = &m->hosts[m->n_hosts - 1];
    int64_t day = 0;
    int rc = date_parse(r->local_date, &day, e);
    if (rc != 0 || day < m->first_day || day > m->last_day) {
        return rc != 0 ? rc : err_set(e, ERR_INTERNAL, "evidence of another month");
    }
    day_set bit = (day_set)1 << (day - m->first_day);
    bool same_number = h->n_evidence > 0 && h->last_sequence == r->sequence &&
                       strcmp(h->last_chain, r->chain) == 0;
    rc = note_lines(m, h, r, bit, same_number, e);
    for (size_t i = 0; rc == 0 && i < m->n_controls; i++) {
        if (!names_control(r->verdicts, m->controls[i].id)) {
            note(&h->controls[i], VERDICT_UNKNOWN, r, bit, same_number);
        }
    }
    if (rc == 0 && r->asset[0] != '\0') {
        rc = set_text(&h->asset, r->asset, e);
    }
    if (rc == 0) {
        rc = note_rules(m, h, r, e);
    }
    if (rc == 0) {
        count_record(m, h, r, bit);
        h->seen |= bit;
        h->last_day = day;
    }
    return rc;
}

/* --- finishing --- */

/* The instant that stands for a day on which nothing was seen: its first. */
static int64_t day_instant(const struct month *m, unsigned bit)
{
    int64_t at = 0;
    struct err e;
    int64_t day = m->first_day + bit;
    if (m->zone == NULL || zone_day_start(m->zone, day, &at, &e) != 0) {
        at = day * 86400;
    }
    return at;
}

static unsigned first_bit(day_set s)
{
    unsigned i = 0;
    while ((s >> i & 1U) == 0) {
        i++;
    }
    return i;
}

static unsigned last_bit(day_set s)
{
    unsigned i = 31;
    while ((s >> i & 1U) == 0) {
        i--;
    }
    return i;
}

static void add_missing(const struct month *m, struct month_host_control *c, day_set missing)
{
    c->unknown_days |= missing;
    if (missing == 0 || (c->seen && c->worst < VERDICT_UNKNOWN)) {
        return;
    }
    int64_t first = day_instant(m, first_bit(missing));
    int64_t last = day_instant(m, last_bit(missing));
    if (c->seen && c->worst == VERDICT_UNKNOWN) {
        first = c->first_s < first ? c->first_s : first;
        last = c->last_s > last ? c->last_s : last;
    } else {
        c->last_number = 0;
    }
    c->worst = VERDICT_UNKNOWN;
    c->first_s = first;
    c->last_s = last;
}

/* Does the newest evidence still tell the state at the end? Not if due days after it are empty;
 * the day that is not over yet is forgiven. */
static bool end_is_known(const struct month *m, const struct month_host *h)
{
    day_set after = h->due & ~h->seen;
    after &= ~days_between(m, m->today, m->today);
    day_set until = h->n_evidence > 0 ? days_between(m, m->first_day, h->last_day) : 0;
    return h->n_evidence > 0 && (after & ~until) == 0;
}

static void finish_host(struct month *m, struct month_host *h)
{
    day_set missing = h->due & ~h->seen;
    m->due += day_count(h->due);
    m->inspected += day_count(h->due & h->seen);
    m->missing += day_count(missing);
    m->n_evidence += h->n_evidence;
    m->n_differs += h->n_differs;
    m->n_pending += h->n_pending;
    m->n_partly += h->n_partly;
    bool known = end_is_known(m, h);
    for (size_t i = 0; i < m->n_controls; i++) {
        struct month_host_control *c = &h->controls[i];
        add_missing(m, c, missing);
        if (!c->seen && missing == 0) {
            c->worst = VERDICT_UNKNOWN;
        }
        if (!known || !c->seen) {
            c->end = VERDICT_UNKNOWN;
        }
    }
}

bool month_host_counts(const struct month_host *h)
{
    return h->due != 0 || h->n_evidence > 0;
}

static void finish_control(struct month *m, size_t index)
{
    struct month_control *c = &m->controls[index];
    bool any = false;
    for (size_t i = 0; i < m->n_hosts; i++) {
        const struct month_host_control *hc = &m->hosts[i].controls[index];
        if (!month_host_counts(&m->hosts[i])) {
            continue;
        }
        c->hosts[hc->end]++;
        c->fail_days |= hc->fail_days;
        c->n_fail_hosts += hc->fail_days != 0;
        if (!any || hc->worst < c->verdict) {
            c->verdict = hc->worst;
            c->first_s = hc->first_s;
            c->last_s = hc->last_s;
            c->last_host = i;
        } else if (hc->worst == c->verdict && hc->last_s != 0) {
            c->first_s = c->first_s == 0 || hc->first_s < c->first_s ? hc->first_s : c->first_s;
            c->last_host = hc->last_s > c->last_s ? i : c->last_host;
            c->last_s = hc->last_s > c->last_s ? hc->last_s : c->last_s;
        }
        any = true;
    }
    if (!any) { /* nothing evaluated is never success */
        c->verdict = VERDICT_UNKNOWN;
    }
}

void month_finish(struct month *m)
{
    for (size_t i = 0; i < m->n_hosts; i++) {
        finish_host(m, &m->hosts[i]);
    }
    for (size_t i = 0; i < m->n_controls; i++) {
        finish_control(m, i);
    }
    strv_sort(&m->rules);
}
