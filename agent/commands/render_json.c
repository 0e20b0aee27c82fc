/* The scan as JSON: formats.md, "tenken-scan/1". Names are shown: this goes to the operator, not
 * into evidence. */
#include "agent/base/json.h"
#include "agent/commands/render.h"

#include <string.h>

static void put_row(struct json_out *j, const struct result_rows *rows, size_t row,
                    const struct pseudonyms *names)
{
    const struct cell *cells = rows->cells + row * rows->n_columns;
    jout_open(j, '{');
    for (size_t i = 0; i < rows->n_columns; i++) {
        jout_key(j, rows->columns[i]);
        if (cells[i].type == CELL_TEXT) {
            CLEANUP(str) struct str shown = STR_INIT((size_t)1 << 20);
            pseudonyms_show(names, cells[i].v.t.p, &shown);
            jout_text(j, str_text(&shown));
        } else {
            jout_cell(j, &cells[i]);
        }
    }
    jout_close(j, '}');
}

static void put_rows(struct json_out *j, const struct app *app, const struct check_result *c,
                     const struct result_rows *rows, bool is_finding,
                     const struct pseudonyms *names)
{
    jout_open(j, '[');
    for (size_t i = 0; i < rows->n_rows; i++) {
        CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
        finding_text(app, &c->check->finding, rows, i, names, &text);
        jout_open(j, '{');
        if (is_finding) {
            jout_kv_text(j, "code", c->check->code);
        }
        jout_key(j, "row");
        put_row(j, rows, i, names);
        if (is_finding) {
            jout_kv_text(j, "text", str_text(&text));
        } else {
            CLEANUP(str) struct str seen = STR_INIT((size_t)64 << 10);
            static const struct text2 none = {{"", ""}};
            finding_seen(app, &none, rows, i, names, &seen);
            jout_kv_text(j, "text", str_text(&seen));
        }
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

static void put_ids(struct json_out *j, const char *key, const struct strv *ids)
{
    jout_key(j, key);
    jout_open(j, '[');
    for (size_t i = 0; i < ids->n; i++) {
        jout_text(j, ids->items[i]);
    }
    jout_close(j, ']');
}

static void put_checks(struct json_out *j, const struct app *app, const struct judged *c)
{
    jout_key(j, "checks");
    jout_open(j, '[');
    for (size_t i = 0; i < c->evaluation->n_checks; i++) {
        const struct check_result *r = &c->evaluation->checks[i];
        jout_open(j, '{');
        jout_kv_text(j, "id", r->check->id);
        jout_kv_text(j, "verdict", verdict_word(r->verdict));
        jout_kv_text(j, "reason", r->reason);
        jout_kv_text(j, "severity", r->check->severity);
        jout_key(j, "findings");
        put_rows(j, app, r, &r->findings, true, c->names);
        jout_key(j, "unknown");
        put_rows(j, app, r, &r->unknown, false, c->names);
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

static void put_cited(struct json_out *j, const struct control *c)
{
    jout_key(j, "checks");
    jout_open(j, '[');
    for (size_t i = 0; i < c->n_checks; i++) {
        jout_text(j, c->checks[i].check->id);
    }
    for (size_t g = 0; g < c->n_any_of; g++) {
        for (size_t i = 0; i < c->any_of_n[g]; i++) {
            if (c->any_of[g][i].check != NULL) {
                jout_text(j, c->any_of[g][i].check->id);
            }
        }
    }
    jout_close(j, ']');
}

static void put_controls(struct json_out *j, const struct judged *c)
{
    jout_key(j, "controls");
    jout_open(j, '[');
    for (size_t i = 0; i < c->evaluation->n_controls; i++) {
        const struct control_result *r = &c->evaluation->controls[i];
        jout_open(j, '{');
        jout_kv_text(j, "id", r->control->id);
        jout_kv_text(j, "verdict", verdict_word(r->verdict));
        jout_kv_text(j, "reason", r->reason);
        put_cited(j, r->control);
        put_ids(j, "advice", &r->advice);
        put_ids(j, "permissions", &r->permissions);
        put_ids(j, "compensations", &r->compensations);
        put_ids(j, "expired", &r->expired);
        put_ids(j, "unattested", &r->unattested);
        jout_kv_text(j, "since", control_since(c, r));
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

static void put_contract(struct json_out *j, const struct app *app, const struct judged *c)
{
    jout_open(j, '{');
    jout_kv_text(j, "id", c->contract);
    jout_kv_text(j, "framework", c->framework->id);
    jout_kv_text(j, "framework_version", c->framework->version);
    jout_kv_text(j, "local_date", c->local_date);
    put_checks(j, app, c);
    put_controls(j, c);
    jout_key(j, "summary");
    jout_open(j, '{');
    for (int v = 0; v < N_VERDICTS; v++) {
        jout_kv_int(j, verdict_word((enum verdict)v), (int64_t)c->evaluation->counts[v]);
    }
    jout_close(j, '}');
    if (c->sequence > 0) {
        jout_key(j, "evidence");
        jout_open(j, '{');
        jout_kv_int(j, "sequence", c->sequence);
        jout_kv_text(j, "digest", c->digest);
        jout_close(j, '}');
    }
    jout_close(j, '}');
}

static const struct probe_layers *layers_of(const struct scan_result *r, const char *probe)
{
    for (size_t i = 0; i < r->n_layers; i++) {
        if (strcmp(r->layers[i].probe, probe) == 0) {
            return &r->layers[i];
        }
    }
    return NULL;
}

static void put_probes(struct json_out *j, const struct scan_result *r)
{
    jout_key(j, "probes");
    jout_open(j, '[');
    for (size_t i = 0; i < r->facts.n; i++) {
        const struct fact_table *t = r->facts.tables[i];
        if (!t->wanted || t->decl->kind != TABLE_FACTS) {
            continue;
        }
        const struct probe_layers *l = layers_of(r, t->probe);
        jout_open(j, '{');
        jout_kv_text(j, "probe", t->probe);
        jout_kv_text(j, "table", t->decl->name);
        jout_kv_text(j, "state", fact_state_word(t->state));
        jout_kv_text(j, "reason", t->reason);
        jout_kv_int(j, "rows", (int64_t)t->n_rows);
        jout_key(j, "layers");
        jout_open(j, '[');
        for (size_t k = 0; l != NULL && k < l->n_layers; k++) {
            jout_text(j, l->layers[k]);
        }
        jout_close(j, ']');
        jout_kv_int(j, "cpu_us", t->cpu_us);
        jout_kv_int(j, "wall_us", t->wall_us);
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

static void put_head(struct json_out *j, const struct session *s)
{
    char time[TIME_TEXT_MAX];
    time_utc(s->time_s, time);
    jout_kv_text(j, "format", "tenken-scan/1");
    jout_key(j, "agent");
    jout_open(j, '{');
    jout_kv_text(j, "version", TENKEN_VERSION);
    jout_key(j, "rules");
    jout_open(j, '{');
    jout_kv_text(j, "version", s->policy->version);
    jout_kv_bool(j, "unmodified", s->policy->unmodified);
    jout_kv_int(j, "differences", (int64_t)s->policy->differences);
    jout_close(j, '}');
    jout_close(j, '}');
    jout_key(j, "host");
    jout_open(j, '{');
    jout_kv_text(j, "id", s->host_id);
    jout_kv_text(j, "asset", site_host_asset(s->site) != NULL ? site_host_asset(s->site) : "");
    jout_kv_text(j, "hostname", s->info.hostname);
    jout_kv_text(j, "os", s->info.os);
    jout_close(j, '}');
    jout_key(j, "scan");
    jout_open(j, '{');
    jout_kv_text(j, "id", s->scan_id);
    jout_kv_text(j, "time", time);
    jout_kv_text(j, "boot_id", s->info.boot_id);
    jout_kv_text(j, "root", host_is_live(s->host) ? "/" : s->root);
    jout_kv_bool(j, "live", host_is_live(s->host));
    jout_kv_int(j, "wall_ms", s->scan.wall_us / 1000);
    jout_kv_int(j, "cpu_ms", s->scan.cpu_us / 1000);
    jout_close(j, '}');
}

void render_json(const struct session *s, const struct judged *list, size_t n, struct str *out)
{
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    put_head(&j, s);
    put_probes(&j, &s->scan);
    jout_key(&j, "contracts");
    jout_open(&j, '[');
    for (size_t i = 0; i < n; i++) {
        put_contract(&j, s->app, &list[i]);
    }
    jout_close(&j, ']');
    jout_close(&j, '}');
    str_add_char(out, '\n');
}
