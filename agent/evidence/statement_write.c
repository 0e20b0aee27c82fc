/* Writes a statement: members in the order of formats.md, no white space outside strings, so that
 * the same facts give the same bytes. */
#include <string.h>

#include "agent/evidence/statement.h"

/* A text that is not known to the caller is written as "". */
static void kv(struct json_out *j, const char *key, const char *text)
{
    jout_kv_text(j, key, text != NULL ? text : "");
}

static void write_flag(const char *word, void *arg)
{
    jout_text(arg, word);
}

/* The vocabulary "a|b|c?" as two lists: all words, and those that count as not known. */
static void write_vocabulary(struct json_out *j, const char *values)
{
    for (int pass = 0; pass < 2; pass++) {
        bool only_unknown = pass == 1;
        if (only_unknown && strchr(values, '?') == NULL) {
            return;
        }
        jout_key(j, only_unknown ? "unknown" : "values");
        jout_open(j, '[');
        for (const char *p = values; *p != '\0';) {
            size_t n = strcspn(p, "|");
            bool unknown = n > 0 && p[n - 1] == '?';
            if (unknown || !only_unknown) {
                jout_text_n(j, p, unknown ? n - 1 : n);
            }
            p += n + (p[n] == '|');
        }
        jout_close(j, ']');
    }
}

/* What the judge needs to know of a column, and nothing more: units and words for people stay out.
 */
static void write_columns(struct json_out *j, const struct table *decl)
{
    jout_key(j, "columns");
    jout_open(j, '[');
    for (size_t i = 0; i < decl->n_columns; i++) {
        const struct column *c = &decl->columns[i];
        jout_open(j, '{');
        jout_kv_text(j, "name", c->name);
        jout_kv_text(j, "type", col_type_word(c->type));
        jout_key(j, "flags");
        jout_open(j, '[');
        column_flag_words(c->flags, write_flag, j);
        jout_close(j, ']');
        if (c->values != NULL) {
            write_vocabulary(j, c->values);
        }
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

/* {"columns":[{"name","type","flags","values"?,"unknown"?}],"rows":[[...]],"truncated":bool} */
static void write_table(struct json_out *j, const struct fact_table *t)
{
    size_t width = t->decl->n_columns;
    jout_key(j, t->decl->name);
    jout_open(j, '{');
    write_columns(j, t->decl);
    jout_key(j, "rows");
    jout_open(j, '[');
    for (size_t r = 0; r < t->n_rows; r++) {
        jout_open(j, '[');
        for (size_t c = 0; c < width; c++) {
            jout_cell(j, &t->cells[r * width + c]);
        }
        jout_close(j, ']');
    }
    jout_close(j, ']');
    jout_kv_bool(j, "truncated", t->truncated);
    jout_close(j, '}');
}

/* Into a buffer of its own: the subject, which stands before it, holds the digest of these bytes.
 */
static int write_facts(const struct facts *f, struct str *out, struct err *e)
{
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    for (size_t i = 0; i < f->n; i++) {
        write_table(&j, f->tables[i]);
    }
    jout_close(&j, '}');
    return str_error(out, e);
}

/* An object per row reads well with jq; a query may name two columns alike, which JSON must not. */
void write_result_object(struct json_out *j, const struct result_rows *rows, size_t row)
{
    jout_open(j, '{');
    for (size_t c = 0; c < rows->n_columns; c++) {
        size_t same = 1;
        for (size_t before = 0; before < c; before++) {
            same += strcmp(rows->columns[before], rows->columns[c]) == 0;
        }
        if (same == 1) {
            jout_key(j, rows->columns[c]);
        } else {
            CLEANUP(str) struct str name = STR_INIT(4096);
            str_addf(&name, "%s#%zu", rows->columns[c], same);
            jout_key(j, str_text(&name));
        }
        jout_cell(j, &rows->cells[row * rows->n_columns + c]);
    }
    jout_close(j, '}');
}

void write_result_rows(struct json_out *j, const struct result_rows *rows)
{
    jout_open(j, '[');
    for (size_t r = 0; r < rows->n_rows; r++) {
        write_result_object(j, rows, r);
    }
    jout_close(j, ']');
}

/* "known" only where it is false: the usual case stays short. */
void write_drift(struct json_out *j, const struct drift_result *drift)
{
    const struct result_rows *rows = &drift->rows;
    jout_open(j, '{');
    jout_key(j, "columns");
    jout_open(j, '[');
    for (size_t c = 0; c < rows->n_columns; c++) {
        jout_text(j, rows->columns[c]);
    }
    jout_close(j, ']');
    jout_key(j, "rows");
    jout_open(j, '[');
    for (size_t r = 0; r < rows->n_rows; r++) {
        jout_open(j, '[');
        for (size_t c = 0; c < rows->n_columns; c++) {
            jout_cell(j, &rows->cells[r * rows->n_columns + c]);
        }
        jout_close(j, ']');
    }
    jout_close(j, ']');
    if (!drift->known) {
        jout_kv_bool(j, "known", false);
    }
    jout_close(j, '}');
}

/* Who, with what, by which rules, for whom. */
static void write_parties(struct json_out *j, const struct statement_meta *m)
{
    jout_key(j, "host");
    jout_open(j, '{');
    kv(j, "id", m->host_id);
    kv(j, "asset", m->asset);
    kv(j, "hostname", m->hostname);
    kv(j, "os", m->os);
    kv(j, "machine_id", m->machine_id);
    kv(j, "dmi_serial", m->dmi_serial);
    jout_close(j, '}');
    jout_key(j, "agent");
    jout_open(j, '{');
    kv(j, "version", m->agent_version);
    jout_close(j, '}');
    jout_key(j, "rules");
    jout_open(j, '{');
    kv(j, "version", m->rules_version);
    jout_kv_bool(j, "unmodified", m->rules_unmodified);
    kv(j, "digest", m->rules_digest);
    jout_close(j, '}');
    jout_key(j, "contract");
    jout_open(j, '{');
    kv(j, "id", m->contract);
    kv(j, "framework", m->framework);
    kv(j, "framework_version", m->framework_version);
    kv(j, "framework_digest", m->framework_digest);
    jout_close(j, '}');
}

/* The place in the chain, then the inspection. */
static void write_chain_and_scan(struct json_out *j, const struct statement_meta *m)
{
    kv(j, "chain", m->chain);
    jout_kv_int(j, "sequence", m->sequence);
    kv(j, "previous", m->previous);
    if (m->previous_chain != NULL && m->previous_chain[0] != '\0') {
        jout_kv_text(j, "previous_chain", m->previous_chain);
    }
    jout_key(j, "scan");
    jout_open(j, '{');
    kv(j, "id", m->scan_id);
    kv(j, "time", m->time);
    kv(j, "local_date", m->local_date);
    kv(j, "time_zone", m->time_zone);
    kv(j, "boot_id", m->boot_id);
    kv(j, "root", m->root);
    jout_kv_bool(j, "live", m->live);
    jout_kv_int(j, "wall_ms", m->wall_ms);
    jout_kv_int(j, "cpu_ms", m->cpu_ms);
    jout_close(j, '}');
}

static const struct layers_row *layers_of(const struct statement_request *rq, const char *probe)
{
    for (size_t i = 0; i < rq->n_layers; i++) {
        if (strcmp(rq->layers[i].probe, probe) == 0) {
            return &rq->layers[i];
        }
    }
    return NULL;
}

static void write_layer_list(struct json_out *j, const struct layers_row *row)
{
    jout_open(j, '[');
    for (size_t i = 0; row != NULL && i < row->n; i++) {
        jout_text(j, row->layers[i]);
    }
    jout_close(j, ']');
}

/* What was asked for and how each part of it ended, with the layers of confinement that held. */
static void write_probes(struct json_out *j, const struct statement_request *rq)
{
    jout_key(j, "layers");
    jout_open(j, '{');
    for (size_t i = 0; i < rq->n_layers; i++) {
        jout_key(j, rq->layers[i].probe);
        write_layer_list(j, &rq->layers[i]);
    }
    jout_close(j, '}');
    jout_key(j, "probes");
    jout_open(j, '[');
    for (size_t i = 0; rq->probes != NULL && i < rq->probes->n; i++) {
        const struct fact_table *t = rq->probes->tables[i];
        if (!t->wanted || t->decl->kind != TABLE_FACTS) {
            continue; /* probe_status, among the facts, names the others too */
        }
        jout_open(j, '{');
        kv(j, "probe", t->probe);
        jout_kv_text(j, "table", t->decl->name);
        jout_kv_text(j, "state", fact_state_word(t->state));
        jout_kv_text(j, "reason", t->reason);
        jout_kv_int(j, "rows", (int64_t)t->n_rows);
        jout_key(j, "layers");
        write_layer_list(j, layers_of(rq, t->probe != NULL ? t->probe : ""));
        jout_kv_int(j, "cpu_us", t->cpu_us);
        jout_kv_int(j, "wall_us", t->wall_us);
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

/* drift{control}, then checks[]: findings and unknown rows as the judge sorted them. */
static void write_checks(struct json_out *j, const struct evaluation *ev)
{
    jout_key(j, "drift");
    jout_open(j, '{');
    for (size_t i = 0; i < ev->n_drifts; i++) {
        jout_key(j, ev->drifts[i].control->id);
        write_drift(j, &ev->drifts[i]);
    }
    jout_close(j, '}');
    jout_key(j, "checks");
    jout_open(j, '[');
    for (size_t i = 0; i < ev->n_checks; i++) {
        const struct check_result *c = &ev->checks[i];
        jout_open(j, '{');
        jout_kv_text(j, "id", c->check->id);
        jout_kv_text(j, "digest", c->check->digest);
        jout_kv_text(j, "verdict", verdict_word(c->verdict));
        jout_kv_text(j, "reason", c->reason);
        if (c->limited) {
            jout_kv_bool(j, "limited", true);
        }
        jout_key(j, "findings");
        write_result_rows(j, &c->findings);
        jout_key(j, "unknown");
        write_result_rows(j, &c->unknown);
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

static void write_words(struct json_out *j, const char *key, const struct strv *words)
{
    jout_key(j, key);
    jout_open(j, '[');
    for (size_t i = 0; i < words->n; i++) {
        jout_text(j, words->items[i]);
    }
    jout_close(j, ']');
}

/* The controls array of the envelope before, if there is one that can be read. */
static bool previous_controls(const struct statement_request *rq, struct jspan *ret)
{
    struct jspan root = {0}, predicate = {0};
    if (rq->previous_payload == NULL) {
        return false;
    }
    return jscan_check("previous", rq->previous_payload, rq->previous_payload_n, &root, NULL) ==
               0 &&
           jspan_member(root, "predicate", &predicate) && jspan_member(predicate, "controls", ret);
}

/* Appends the day since which the control has this verdict: the previous envelope's, while the
 * verdict is the same, else today. */
static void find_since(bool has_previous, struct jspan controls, const char *id,
                       const char *verdict, const char *today, struct str *out)
{
    struct jiter it = {0};
    struct jspan control = {0}, v = {0};
    bool walk = has_previous && jiter_begin(controls, &it);
    while (walk && jiter_next(&it, NULL, &control)) {
        CLEANUP(str) struct str name = STR_INIT(4096);
        if (!jspan_member(control, "id", &v) || !jspan_text(v, &name) ||
            strcmp(str_text(&name), id) != 0) {
            continue;
        }
        if (jspan_member(control, "verdict", &v) && jspan_is_word(v, verdict) &&
            jspan_member(control, "since", &v) && jspan_text(v, out)) {
            return;
        }
        break;
    }
    str_clear(out);
    str_add(out, today);
}

/* The verdicts, clause by clause. */
static int write_controls(struct json_out *j, const struct statement_request *rq, struct err *e)
{
    const struct evaluation *ev = rq->evaluation;
    const char *today = rq->meta.local_date != NULL ? rq->meta.local_date : "";
    struct jspan previous = {0};
    bool has_previous = previous_controls(rq, &previous);
    CLEANUP(str) struct str since = STR_INIT(4096);
    jout_key(j, "controls");
    jout_open(j, '[');
    for (size_t i = 0; i < ev->n_controls; i++) {
        const struct control_result *c = &ev->controls[i];
        const char *verdict = verdict_word(c->verdict);
        str_clear(&since);
        find_since(has_previous, previous, c->control->id, verdict, today, &since);
        jout_open(j, '{');
        jout_kv_text(j, "id", c->control->id);
        jout_kv_text(j, "verdict", verdict);
        jout_kv_text(j, "reason", c->reason);
        write_words(j, "permissions", &c->permissions);
        write_words(j, "compensations", &c->compensations);
        write_words(j, "unattested", &c->unattested);
        write_words(j, "advice", &c->advice);
        write_words(j, "expired", &c->expired);
        jout_kv_text(j, "since", str_text(&since));
        jout_close(j, '}');
    }
    jout_close(j, ']');
    return str_error(&since, e);
}

/* in-toto wants a digest per subject. A host is no artifact: its subject is what was seen of it. */
static void write_subject(struct json_out *j, const char *host_id, const char *digest)
{
    CLEANUP(str) struct str name = STR_INIT(256);
    str_addf(&name, "host:%s", host_id != NULL ? host_id : "");
    jout_key(j, "subject");
    jout_open(j, '[');
    jout_open(j, '{');
    jout_kv_text(j, "name", str_text(&name));
    jout_key(j, "digest");
    jout_open(j, '{');
    jout_kv_text(j, "sha256", digest);
    jout_close(j, '}');
    jout_close(j, '}');
    jout_close(j, ']');
}

/* What nobody could read again (a text that is no UTF-8, say) must not be signed. */
static int check_own(const char *text, size_t n, struct err *e)
{
    struct statement_spans spans = {0};
    struct err why = {0};
    if (statement_scan(text, n, &spans, &why) == 0) {
        return 0;
    }
    return err_set(e, ERR_INTERNAL, "statement cannot be read back, not signed: %s", why.msg);
}

/* {"_type", "subject", "predicateType", "predicate":{
 *    "host", "agent", "rules", "contract", "chain", "sequence", "previous", "previous_chain"?,
 *    "scan", "layers", "probes", "facts", "drift", "checks", "controls", "sqlite"}}
 *
 * formats.md, "Evidence". The order is part of the format: README.md's recipe for strangers cuts
 * the facts out with awk. */
int statement_write(const struct statement_request *rq, struct str *out, struct err *e)
{
    CLEANUP(str) struct str facts = STR_INIT(ENVELOPE_MAX);
    char digest[SHA256_HEX];
    size_t begin = out->len;
    int rc = write_facts(rq->facts, &facts, e);
    if (rc == 0) {
        rc = sha256_hex(str_text(&facts), facts.len, digest, e);
    }
    if (rc != 0) {
        return rc;
    }
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "_type", STATEMENT_TYPE);
    write_subject(&j, rq->meta.host_id, digest);
    jout_kv_text(&j, "predicateType", PREDICATE_TYPE);
    jout_key(&j, "predicate");
    jout_open(&j, '{');
    write_parties(&j, &rq->meta);
    write_chain_and_scan(&j, &rq->meta);
    write_probes(&j, rq);
    jout_key(&j, "facts");
    jout_raw(&j, str_text(&facts), facts.len);
    write_checks(&j, rq->evaluation);
    rc = write_controls(&j, rq, e);
    kv(&j, "sqlite", rq->meta.sqlite);
    jout_close(&j, '}');
    jout_close(&j, '}');
    if (rc == 0) {
        rc = str_error(out, e);
    }
    return rc == 0 ? check_own(out->data + begin, out->len - begin, e) : rc;
}
