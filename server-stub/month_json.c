/* The month as JSON (formats.md, "Collector"). */
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "server-stub/month.h"

static void kv_time(struct json_out *j, const char *key, int64_t time_s)
{
    char text[TIME_TEXT_MAX];
    jout_key(j, key);
    if (time_s == 0) {
        jout_null(j);
        return;
    }
    time_utc(time_s, text);
    jout_text(j, text);
}

static void kv_day(struct json_out *j, const char *key, int64_t day)
{
    char text[TIME_TEXT_MAX];
    jout_key(j, key);
    if (day == INT64_MIN || day == INT64_MAX) {
        jout_null(j);
        return;
    }
    date_text(day, text);
    jout_text(j, text);
}

static void kv_days(struct json_out *j, const char *key, const struct month *m, day_set days)
{
    char text[TIME_TEXT_MAX];
    jout_key(j, key);
    jout_open(j, '[');
    for (unsigned d = 0; d < MONTH_DAYS_MAX; d++) {
        if ((days >> d & 1U) != 0) {
            date_text(m->first_day + d, text);
            jout_text(j, text);
        }
    }
    jout_close(j, ']');
}

static void kv_count(struct json_out *j, const char *key, size_t n)
{
    jout_kv_int(j, key, (int64_t)n);
}

static void write_host(struct json_out *j, const struct month *m, const struct month_host *h)
{
    jout_open(j, '{');
    jout_kv_text(j, "id", h->keyid);
    jout_kv_text(j, "asset", h->asset);
    kv_count(j, "due", day_count(h->due));
    kv_count(j, "inspected", day_count(h->due & h->seen));
    jout_kv_int(j, "off", 0);
    kv_count(j, "missing", day_count(h->due & ~h->seen));
    kv_days(j, "missing_days", m, h->due & ~h->seen);
    kv_count(j, "evidence", h->n_evidence);
    kv_time(j, "first", h->first_s);
    kv_time(j, "last", h->last_s);
    jout_kv_text(j, "last_evidence", h->last_digest);
    jout_kv_int(j, "last_sequence", h->last_sequence);
    jout_key(j, "flags");
    jout_open(j, '[');
    for (unsigned i = 0; i < N_FLAGS; i++) {
        if ((h->flags & (1U << i)) != 0) {
            jout_text(j, flag_word(i));
        }
    }
    jout_close(j, ']');
    jout_key(j, "verdicts");
    jout_open(j, '{');
    for (size_t i = 0; i < m->n_controls; i++) {
        jout_kv_text(j, m->controls[i].id, verdict_word(h->controls[i].worst));
    }
    jout_close(j, '}');
    jout_close(j, '}');
}

static void write_control(struct json_out *j, const struct month *m, const struct month_control *c)
{
    jout_open(j, '{');
    jout_kv_text(j, "id", c->id);
    jout_kv_text(j, "verdict", verdict_word(c->verdict));
    kv_time(j, "first", c->first_s);
    kv_time(j, "last", c->last_s);
    jout_key(j, "hosts");
    jout_open(j, '{');
    for (unsigned v = 0; v < N_VERDICTS; v++) {
        if (c->hosts[v] > 0) {
            kv_count(j, verdict_word((enum verdict)v), c->hosts[v]);
        }
    }
    jout_close(j, '}');
    kv_count(j, "failing_hosts", c->n_fail_hosts);
    kv_days(j, "failing_days", m, c->fail_days);
    jout_close(j, '}');
}

static void write_head(struct json_out *j, const struct month *m)
{
    jout_kv_text(j, "format", "tenken-month/1");
    jout_kv_text(j, "contract", m->contract);
    jout_kv_text(j, "framework", m->framework);
    jout_kv_text(j, "month", m->name);
    jout_kv_text(j, "time_zone", m->zone);
    jout_key(j, "term"); /* declared by the sites: there is no register of contracts yet */
    jout_open(j, '{');
    kv_day(j, "starts", m->starts);
    kv_day(j, "ends", m->ends);
    jout_kv_text(j, "source", m->declared ? "declared" : "unknown");
    jout_kv_bool(j, "differs", m->terms_differ);
    jout_close(j, '}');
    jout_key(j, "coverage");
    jout_open(j, '{');
    kv_count(j, "due", m->due);
    kv_count(j, "inspected", m->inspected);
    /* whether a machine was off on a day is not known without its boot records */
    jout_kv_int(j, "off", 0);
    kv_count(j, "missing", m->missing);
    jout_kv_bool(j, "off_known", false);
    jout_close(j, '}');
    jout_key(j, "evidence");
    jout_open(j, '{');
    kv_count(j, "count", m->n_evidence);
    kv_count(j, "redo_pending", m->n_pending);
    kv_count(j, "redo_differs", m->n_differs);
    kv_count(j, "redo_not_comparable", m->n_partly);
    kv_count(j, "outside_due_days", m->n_outside);
    jout_close(j, '}');
}

void month_json(const struct month *m, struct str *out)
{
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    write_head(&j, m);
    jout_key(&j, "rules");
    jout_open(&j, '[');
    for (size_t i = 0; i < m->rules.n; i++) {
        jout_text(&j, m->rules.items[i]);
    }
    jout_close(&j, ']');
    jout_key(&j, "hosts");
    jout_open(&j, '[');
    for (size_t i = 0; i < m->n_hosts; i++) {
        if (month_host_counts(&m->hosts[i])) {
            write_host(&j, m, &m->hosts[i]);
        }
    }
    jout_close(&j, ']');
    jout_key(&j, "controls");
    jout_open(&j, '[');
    for (size_t i = 0; i < m->n_controls; i++) {
        write_control(&j, m, &m->controls[i]);
    }
    jout_close(&j, ']');
    jout_close(&j, '}');
    str_add_char(out, '\n');
}
