/* The read API: hosts, one host, one evidence, the month of a contract. A token may be bound to a
 * contract: it then shows nothing of others. */
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "server-stub/chains.h"
#include "server-stub/http.h"
#include "server-stub/month.h"

/* --- pieces of JSON --- */

static void kv_time(struct json_out *j, const char *key, int64_t time_s)
{
    char text[TIME_TEXT_MAX];
    time_utc(time_s, text);
    jout_kv_text(j, key, text);
}

static void write_flags(struct json_out *j, unsigned flags)
{
    jout_key(j, "flags");
    jout_open(j, '[');
    for (unsigned i = 0; i < N_FLAGS; i++) {
        if ((flags & (1U << i)) != 0) {
            jout_text(j, flag_word(i));
        }
    }
    jout_close(j, ']');
}

static const char *redo_state_word(enum redo_state s)
{
    static const char *const words[] = {"pending", "same", "differs", "not-comparable"};
    return (size_t)s < ARRAY_LEN(words) ? words[s] : "pending";
}

/* Calls fn for each line "id=verdict". */
static void each_verdict(const char *lines,
                         void (*fn)(void *arg, const char *id, size_t id_n, const char *word,
                                    size_t word_n),
                         void *arg)
{
    for (const char *p = lines; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        const char *equals = memchr(p, '=', n);
        if (equals != NULL) {
            fn(arg, p, (size_t)(equals - p), equals + 1, (size_t)(p + n - equals) - 1);
        }
        p += n + (p[n] == '\n');
    }
}

static void write_verdict(void *arg, const char *id, size_t id_n, const char *word, size_t word_n)
{
    struct json_out *j = arg;
    char key[64] = "";
    memcpy(key, id, id_n < sizeof key ? id_n : sizeof key - 1);
    jout_key(j, key);
    jout_text_n(j, word, word_n);
}

/* --- a host --- */

struct host_view {
    struct store *s;
    struct json_out *j;
    const char *scope; /* contract of the token, "" = all */
    bool whole;        /* with chains and newest evidence */
    bool seen;         /* a host was written */
    /* of the host in hand */
    size_t counts[N_VERDICTS];
    char asset[512];
    char last_digest[SHA256_HEX];
    int64_t last_time_s;
};

static void count_verdict(void *arg, const char *id, size_t id_n, const char *word, size_t word_n)
{
    struct host_view *v = arg;
    char text[24] = "";
    enum verdict verdict = VERDICT_UNKNOWN;
    (void)id;
    (void)id_n;
    memcpy(text, word, word_n < sizeof text ? word_n : sizeof text - 1);
    if (verdict_parse(text, &verdict, NULL) == 0) {
        v->counts[verdict]++;
    }
}

static void write_newest(struct json_out *j, const struct record *r)
{
    jout_open(j, '{');
    jout_kv_text(j, "contract", r->contract);
    jout_kv_text(j, "framework", r->framework);
    jout_kv_text(j, "framework_version", r->framework_version);
    jout_kv_text(j, "chain", r->chain);
    jout_kv_int(j, "sequence", r->sequence);
    jout_kv_text(j, "digest", r->digest);
    kv_time(j, "time", r->time_s);
    jout_kv_text(j, "local_date", r->local_date);
    kv_time(j, "received_at", r->received_at);
    jout_kv_text(j, "redo", redo_state_word(r->redo));
    write_flags(j, r->flags);
    jout_key(j, "controls");
    jout_open(j, '{');
    each_verdict(r->verdicts, write_verdict, j);
    jout_close(j, '}');
    jout_close(j, '}');
}

static int take_newest(void *arg, const struct record *r, struct err *e)
{
    struct host_view *v = arg;
    (void)e;
    each_verdict(r->verdicts, count_verdict, v);
    if (v->last_digest[0] == '\0' || r->time_s > v->last_time_s) {
        v->last_time_s = r->time_s;
        memcpy(v->last_digest, r->digest, sizeof v->last_digest);
        (void)memccpy(v->asset, r->asset, 0, sizeof v->asset - 1);
    }
    if (v->whole) {
        write_newest(v->j, r);
    }
    return 0;
}

/* The newest evidence of each current chain. */
static int walk_newest(struct host_view *v, const char *keyid, const struct chain_items *chains,
                       struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < chains->n; i++) {
        const struct chain_item *c = &chains->items[i];
        const struct record_range range = {.keyid = keyid,
                                           .contract = c->contract,
                                           .framework = c->framework,
                                           .chain = c->chain,
                                           .from = "0000-00-00",
                                           .to = "9999-99-99",
                                           .newest = true};
        if (c->is_current) {
            rc = store_each_record(v->s, &range, take_newest, v, e);
        }
    }
    return rc;
}

static void write_chains(struct json_out *j, const struct chain_items *chains)
{
    jout_key(j, "chains");
    jout_open(j, '[');
    for (size_t i = 0; i < chains->n; i++) {
        const struct chain_item *c = &chains->items[i];
        jout_open(j, '{');
        jout_kv_text(j, "contract", c->contract);
        jout_kv_text(j, "framework", c->framework);
        jout_kv_text(j, "chain", c->chain);
        jout_kv_text(j, "previous_chain", c->previous_chain);
        jout_kv_bool(j, "current", c->is_current);
        jout_kv_int(j, "max_sequence", c->max_sequence);
        jout_kv_int(j, "missing", c->max_sequence - c->n_numbers);
        jout_kv_int(j, "evidence", c->n_evidence);
        write_flags(j, chain_flags(c));
        jout_close(j, '}');
    }
    jout_close(j, ']');
}

static int write_contracts(struct host_view *v, const char *keyid, struct err *e)
{
    CLEANUP(strv) struct strv contracts = {.n = 0};
    int rc = store_host_contracts(v->s, keyid, &contracts, e);
    jout_key(v->j, "contracts");
    jout_open(v->j, '[');
    for (size_t i = 0; i < contracts.n; i++) {
        if (v->scope[0] == '\0' || strcmp(contracts.items[i], v->scope) == 0) {
            jout_text(v->j, contracts.items[i]);
        }
    }
    jout_close(v->j, ']');
    return rc;
}

static int write_host(void *arg, const struct member_row *m, struct err *e)
{
    struct host_view *v = arg;
    struct json_out *j = v->j;
    CLEANUP(chain_items) struct chain_items chains = {.n = 0};
    int rc = chains_load(v->s, m->keyid, v->scope, NULL, &chains, e);
    if (rc != 0) {
        return rc;
    }
    memset(v->counts, 0, sizeof v->counts);
    memset(v->asset, 0, sizeof v->asset);
    v->last_digest[0] = '\0';
    v->last_time_s = 0;
    v->seen = true;
    unsigned flags = 0;
    for (size_t i = 0; i < chains.n; i++) {
        flags |= chain_flags(&chains.items[i]);
    }
    jout_open(j, '{');
    jout_kv_text(j, "id", m->keyid);
    jout_kv_text(j, "hostname", m->hostname);
    kv_time(j, "enrolled_at", m->enrolled_at);
    rc = write_contracts(v, m->keyid, e);
    if (v->whole) {
        write_chains(j, &chains);
        jout_key(j, "newest");
        jout_open(j, '[');
    }
    if (rc == 0) {
        rc = walk_newest(v, m->keyid, &chains, e);
    }
    if (v->whole) {
        jout_close(j, ']');
    }
    jout_kv_text(j, "asset", v->asset);
    jout_kv_text(j, "last_evidence", v->last_digest[0] != '\0' ? v->last_digest : NULL);
    if (v->last_digest[0] != '\0') {
        kv_time(j, "last_time", v->last_time_s);
    } else {
        jout_kv_text(j, "last_time", NULL);
    }
    write_flags(j, flags);
    jout_key(j, "verdicts");
    jout_open(j, '{');
    for (unsigned i = 0; i < N_VERDICTS; i++) {
        jout_kv_int(j, verdict_word((enum verdict)i), (int64_t)v->counts[i]);
    }
    jout_close(j, '}');
    jout_close(j, '}');
    return rc;
}

/* --- the requests --- */

static int finish_json(struct request *rq)
{
    rq->answer.status = 200;
    rq->answer.type = "application/json";
    return 0;
}

/* Takes a connection and looks at the token. NULL: answered. */
static struct reader *begin_read(struct request *rq, struct token_row *token)
{
    struct reader *r = server_take(rq->server);
    if (request_authorised(rq, r->store, token)) {
        return r;
    }
    server_give(rq->server, r);
    return NULL;
}

static int hosts_end(struct request *rq, struct err *e)
{
    struct token_row token;
    struct reader *r = begin_read(rq, &token);
    if (r == NULL) {
        return 0;
    }
    struct store *s = r->store;
    struct json_out j;
    jout_begin(&j, &rq->answer.body, false);
    struct host_view v = {.s = s, .j = &j, .scope = token.contract};
    jout_open(&j, '[');
    int rc = store_each_host(s, token.contract, write_host, &v, e);
    jout_close(&j, ']');
    str_add_char(&rq->answer.body, '\n');
    server_give(rq->server, r);
    return rc == 0 ? finish_json(rq) : rc;
}

/* What a token may not see is, for it, not there. */
static int host_visible(struct store *s, const char *keyid, const char *scope, bool *ret,
                        struct err *e)
{
    *ret = true;
    return scope[0] == '\0' ? 0 : store_host_may(s, keyid, scope, ret, e);
}

static int host_end(struct request *rq, struct err *e)
{
    struct token_row token;
    struct reader *r = begin_read(rq, &token);
    if (r == NULL) {
        return 0;
    }
    struct store *s = r->store;
    struct json_out j;
    jout_begin(&j, &rq->answer.body, false);
    struct host_view v = {.s = s, .j = &j, .scope = token.contract, .whole = true};
    bool visible = false;
    int rc = host_visible(s, rq->args[0], token.contract, &visible, e);
    if (rc == 0 && visible) {
        rc = store_host_get(s, rq->args[0], write_host, &v, e);
    }
    server_give(rq->server, r);
    if ((rc == 0 && !visible) || (rc == ERR_ABSENT && !v.seen)) {
        answer_error(rq, 404, "host", "no such host");
        return 0;
    }
    str_add_char(&rq->answer.body, '\n');
    return rc == 0 ? finish_json(rq) : rc;
}

struct record_view {
    struct request *rq;
    const char *scope;
    bool hidden;
};

/* The envelope itself, as it was sent, with one member more: what the collector knows of it. DSSE
 * lets verifiers ignore members that they do not know. */
static int write_record(void *arg, const struct record *r, struct err *e)
{
    struct record_view *v = arg;
    struct str *out = &v->rq->answer.body;
    if (v->scope[0] != '\0' && strcmp(v->scope, r->contract) != 0) {
        v->hidden = true;
        return 0;
    }
    int rc = record_envelope(r, out, e);
    if (rc != 0) {
        return rc;
    }
    out->len--; /* its closing brace comes after the new member */
    str_add(out, ",\"record\":");
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "digest", r->digest);
    jout_kv_text(&j, "keyid", r->keyid);
    jout_kv_text(&j, "contract", r->contract);
    jout_kv_text(&j, "framework", r->framework);
    jout_kv_text(&j, "chain", r->chain);
    jout_kv_int(&j, "sequence", r->sequence);
    kv_time(&j, "time", r->time_s);
    jout_kv_text(&j, "local_date", r->local_date);
    kv_time(&j, "received_at", r->received_at);
    write_flags(&j, r->flags);
    jout_kv_text(&j, "redo", redo_state_word(r->redo));
    jout_key(&j, "redo_report");
    jout_raw(&j, r->redo_report[0] != '\0' ? r->redo_report : "[]",
             r->redo_report[0] != '\0' ? strlen(r->redo_report) : 2);
    jout_key(&j, "controls");
    jout_open(&j, '{');
    each_verdict(r->verdicts, write_verdict, &j);
    jout_close(&j, '}');
    jout_key(&j, "receipt");
    jout_raw(&j, r->receipt, strlen(r->receipt));
    jout_close(&j, '}');
    str_add(out, "}\n");
    return 0;
}

static int record_end(struct request *rq, struct err *e)
{
    struct token_row token;
    struct reader *r = begin_read(rq, &token);
    if (r == NULL) {
        return 0;
    }
    struct store *s = r->store;
    struct record_view v = {.rq = rq, .scope = token.contract};
    int rc = store_evidence_get(s, rq->args[0], write_record, &v, e);
    server_give(rq->server, r);
    if (rc == ERR_ABSENT || v.hidden) {
        answer_error(rq, 404, "evidence", "no such evidence");
        return 0;
    }
    return rc == 0 ? finish_json(rq) : rc;
}

static int month_end(struct request *rq, struct err *e)
{
    struct token_row token;
    struct reader *r = begin_read(rq, &token);
    if (r == NULL) {
        return 0;
    }
    struct store *s = r->store;
    CLEANUP(month) struct month m;
    month_init(&m);
    const struct month_request month = {.contract = rq->args[0],
                                        .name = rq->args[1],
                                        .framework = request_query(rq, "framework"),
                                        .policy = rq->server->policy,
                                        .now_s = time_now_s()};
    bool hidden = token.contract[0] != '\0' && strcmp(token.contract, rq->args[0]) != 0;
    int rc = hidden ? ERR_ABSENT : month_load(s, &month, &m, e);
    server_give(rq->server, r);
    if (rc == ERR_ABSENT) {
        answer_error(rq, 404, "contract", "nothing is known of this contract");
        return 0;
    }
    if (rc == ERR_INVALID) {
        answer_error(rq, 400, "month", e->msg);
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    month_json(&m, &rq->answer.body);
    return finish_json(rq);
}

const struct route route_hosts = {.method = "GET", .path = "/v1/hosts", .end = hosts_end};
const struct route route_host = {.method = "GET", .path = "/v1/hosts/*", .end = host_end};
const struct route route_record = {.method = "GET", .path = "/v1/evidence/*", .end = record_end};
const struct route route_month = {
    .method = "GET", .path = "/v1/contracts/*/months/*", .end = month_end};
