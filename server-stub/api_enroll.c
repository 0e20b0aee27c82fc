/* POST /v1/enroll: a host hands in its public key with a token that the operator gave it. */
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "server-stub/http.h"

#define NAME_MAX_BYTES 255

struct enrolment {
    struct str body;
    json_t *json;
    const char *token, *hostname, *machine_id;
    struct verify_key *key;
    struct token_row row;
    struct strv contracts;
    int64_t now_s;
};

static void enrolment_free(void *state)
{
    struct enrolment *en = state;
    str_done(&en->body);
    json_decref(en->json);
    verify_key_free(en->key);
    strv_done(&en->contracts);
    free(en);
}

static size_t enrolment_memory(const struct request *rq)
{
    const struct enrolment *en = rq->state;
    return en != NULL ? en->body.cap : 0;
}

static int enroll_begin(struct request *rq, struct err *e)
{
    struct enrolment *en = calloc(1, sizeof *en);
    if (en == NULL) {
        return err_nomem(e);
    }
    str_init(&en->body, HTTP_ENROL_BODY_MAX);
    rq->state = en;
    rq->state_free = enrolment_free;
    return 0;
}

static int enroll_body(struct request *rq, const void *data, size_t n, struct err *e)
{
    struct enrolment *en = rq->state;
    (void)e;
    str_add_bytes(&en->body, data, n);
    if (en->body.error == ERR_TRUNCATED) {
        answer_error(rq, 413, "size", "the body is too long");
    }
    return 0;
}

/* Names are shown on pages: bounded, and without control characters. */
static bool is_name(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return n <= NAME_MAX_BYTES;
}

static bool read_members(struct request *rq, struct enrolment *en)
{
    struct err e;
    const char *pem = NULL;
    int rc = json_parse("body", str_text(&en->body), en->body.len, &en->json, &e);
    if (rc == 0 && !json_is_object(en->json)) {
        rc = err_set(&e, ERR_MALFORMED, "body is not an object");
    }
    if (rc == 0) {
        rc = json_need_text(en->json, "token", &en->token, &e);
    }
    if (rc == 0) {
        rc = json_need_text(en->json, "public_key", &pem, &e);
    }
    if (rc == 0) {
        rc = json_need_text(en->json, "hostname", &en->hostname, &e);
    }
    if (rc == 0) {
        rc = json_need_text(en->json, "machine_id", &en->machine_id, &e);
    }
    if (rc == 0 && (!is_name(en->hostname) || !is_name(en->machine_id))) {
        rc = err_set(&e, ERR_MALFORMED, "hostname or machine_id is no name");
    }
    if (rc != 0) {
        answer_error(rq, 400, "json", e.msg);
        return false;
    }
    if (verify_key_pem(pem, strlen(pem), &en->key, &e) != 0) {
        answer_error(rq, 422, "key", "public_key is not an Ed25519 key in SPKI PEM");
        return false;
    }
    return true;
}

/* In the writer: a token is taken and the host added together or not at all. The token is looked at
 * here once more, for between two requests with one token only one may win. */
static int enroll_apply(struct store *s, void *arg, struct err *e)
{
    struct request *rq = arg;
    struct enrolment *en = rq->state;
    const char *collector = sign_key_id(rq->server->collector->key);
    int rc = token_check(s, collector, en->token, false, en->now_s, &en->row, e);
    if (rc == 0) {
        rc = store_token_use(s, en->row.id, e);
    }
    if (rc != 0) {
        return rc;
    }
    const struct host_row host = {.keyid = verify_key_id(en->key),
                                  .pem = verify_key_text(en->key),
                                  .hostname = en->hostname,
                                  .machine_id = en->machine_id,
                                  .enrolled_at = en->now_s};
    rc = store_host_put(s, &host, en->row.contract, e);
    return rc == 0 ? store_host_contracts(s, host.keyid, &en->contracts, e) : rc;
}

static int enroll_finish(struct request *rq, int rc, const struct err *e)
{
    struct enrolment *en = rq->state;
    (void)e;
    if (rc == ERR_MISMATCH || rc == ERR_LIMIT) {
        answer_error(rq, 401, "token", "the token is unknown, used up or expired");
        return 0;
    }
    if (rc != 0) {
        return rc;
    }
    struct json_out j;
    jout_begin(&j, &rq->answer.body, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "host", verify_key_id(en->key));
    jout_key(&j, "contracts");
    jout_open(&j, '[');
    for (size_t i = 0; i < en->contracts.n; i++) {
        jout_text(&j, en->contracts.items[i]);
    }
    jout_close(&j, ']');
    jout_kv_text(&j, "collector_key", sign_key_pem(rq->server->collector->key));
    jout_close(&j, '}');
    str_add_char(&rq->answer.body, '\n');
    rq->answer.status = 201;
    rq->answer.type = "application/json";
    (void)atomic_fetch_add(&rq->server->count.enrolled, 1);
    return 0;
}

static int enroll_end(struct request *rq, struct err *e)
{
    struct enrolment *en = rq->state;
    if (!read_members(rq, en)) {
        return 0;
    }
    en->now_s = time_now_s();
    const char *collector = sign_key_id(rq->server->collector->key);
    struct reader *r = server_take(rq->server);
    int rc = token_check(r->store, collector, en->token, false, en->now_s, &en->row, e);
    server_give(rq->server, r);
    if (rc == ERR_MISMATCH) {
        answer_error(rq, 401, "token", e->msg);
        return 0;
    }
    if (rc == 0) {
        request_defer(rq, enroll_apply, enroll_finish);
    }
    return rc;
}

const struct route route_enroll = {.method = "POST",
                                   .path = "/v1/enroll",
                                   .begin = enroll_begin,
                                   .body = enroll_body,
                                   .end = enroll_end,
                                   .memory = enrolment_memory};
