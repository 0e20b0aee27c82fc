/* From verdicts to evidence. */
#include "agent/commands/record.h"

#include <string.h>

#include "agent/base/json.h"

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void fill_meta(const struct session *s, const struct judged *j, const struct sign_key *key,
                      const char *time, struct statement_meta *m)
{
    *m = (struct statement_meta){
        .agent_version = TENKEN_VERSION,
        .rules_version = s->policy->version,
        .rules_digest = s->policy->digest,
        .rules_unmodified = s->policy->unmodified,
        .host_id = sign_key_id(key),
        .asset = text_or_empty(site_host_asset(s->site)),
        .hostname = s->info.hostname,
        .os = s->info.os,
        .machine_id = s->info.machine_id,
        .dmi_serial = "",
        .contract = j->contract,
        .framework = j->framework->id,
        .framework_version = j->framework->version,
        .framework_digest = j->framework->digest,
        .chain = j->head.chain,
        .previous = j->head.digest,
        .previous_chain = j->head.previous_chain[0] != '\0' ? j->head.previous_chain : NULL,
        .sequence = j->head.sequence + 1,
        .scan_id = s->scan_id,
        .time = time,
        .local_date = j->local_date,
        .time_zone = j->time_zone,
        .boot_id = s->info.boot_id,
        .root = "/",
        .live = true,
        .wall_ms = s->scan.wall_us / 1000,
        .cpu_ms = s->scan.cpu_us / 1000,
        .sqlite = sql_library_version(),
    };
}

static int write_statement(struct session *s, struct judged *j, const struct sign_key *key,
                           struct str *out, struct err *e)
{
    char time[TIME_TEXT_MAX];
    struct statement_request rq = {.n_layers = s->scan.n_layers,
                                   .facts = &j->recorded,
                                   .probes = &s->scan.facts,
                                   .evaluation = j->evaluation,
                                   .previous_payload = j->head.payload,
                                   .previous_payload_n = j->head.payload_n};
    CLEANUP(free) struct layers_row *layers = calloc(s->scan.n_layers + 1, sizeof(*layers));
    if (layers == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < s->scan.n_layers; i++) {
        layers[i] = (struct layers_row){.probe = s->scan.layers[i].probe,
                                        .layers = s->scan.layers[i].layers,
                                        .n = s->scan.layers[i].n_layers};
    }
    rq.layers = layers;
    time_utc(s->time_s, time);
    fill_meta(s, j, key, time, &rq.meta);
    return statement_write(&rq, out, e);
}

static int record_one(struct session *s, struct state *state, struct judged *j,
                      const struct sign_key *key, struct err *e)
{
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str envelope = STR_INIT(ENVELOPE_MAX * 2);
    /* What was read for display may be older than what the lock now protects. */
    chain_head_done(&j->head);
    memset(&j->head, 0, sizeof(j->head));
    int r = chain_find(state, j->contract, j->framework->id, true, &j->head, e);
    if (r == 0) {
        r = write_statement(s, j, key, &payload, e);
    }
    if (r == 0) {
        r = str_error(&payload, e);
    }
    if (r == 0) {
        r = sha256_hex(payload.data, payload.len, j->digest, e);
    }
    if (r == 0) {
        r = dsse_sign(key, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e);
    }
    if (r == 0) {
        r = chain_append(state, &j->head, str_text(&envelope), envelope.len, j->digest, e);
    }
    if (r < 0) {
        return err_prefix(e, "recording contract %s", j->contract);
    }
    j->sequence = j->head.sequence + 1;
    return 0;
}

static int note_spool(const struct session *s, struct state *state, struct str *notice,
                      struct err *e)
{
    struct spool_list list = {0};
    size_t removed = 0;
    int r = spool_prune(state, &removed, e);
    if (r == 0) {
        r = spool_list(state, &list, e);
    }
    if (r == 0 && list.n_unacknowledged > 0) {
        str_addf(notice,
                 say(s->app, "未送信 %zu 件: tenken upload で送信、又は tenken export で持出し",
                     "%zu unsent: tenken upload sends, tenken export writes a bundle"),
                 list.n_unacknowledged);
    }
    spool_list_done(&list);
    return r;
}

int record_all(struct session *s, struct state *state, struct judged *list, size_t n,
               struct str *notice, struct str *warning, struct err *e)
{
    struct sign_key *key = NULL;
    struct err clone = {0};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].contract, "none") == 0) {
            return err_set(e, ERR_INVALID,
                           "--record needs a contract in %s: a trial is never recorded",
                           s->site_path);
        }
    }
    /* Before the new envelope becomes the head that is compared with. A clone still records: its
     * collector sees it too. */
    if (state_identity_check(state, s->info.machine_id, &clone) < 0) {
        str_add(warning, clone.msg);
    }
    int r = state_key(state, true, &key, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = record_one(s, state, &list[i], key, e);
    }
    if (r == 0) {
        (void)snprintf(s->host_id, sizeof(s->host_id), "%s", sign_key_id(key));
        r = note_spool(s, state, notice, e);
    }
    sign_key_free(key);
    return r;
}
