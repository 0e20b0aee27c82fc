/* POST /v1/enroll (formats.md, "Collector"). */
#include "agent/upload/enroll.h"

#include <string.h>

#include "agent/base/json.h"

static int check_token(const char *token, const char **ret_pin, struct err *e)
{
    const char *dot = strrchr(token, '.');
    if (dot == NULL || dot == token || !hex_is(dot + 1, SHA256_HEX - 1)) {
        return err_set(
            e, ERR_INVALID,
            "--token: must be TOKEN.<64 hex digits>, as tenken-collector token prints it");
    }
    *ret_pin = dot + 1;
    return 0;
}

static int refused(const struct net_answer *a, struct err *e)
{
    json_t *root = NULL;
    const char *words = NULL;
    if (json_parse("answer", str_text(&a->body), a->body.len, &root, NULL) == 0) {
        words = json_string_value(json_object_get(json_object_get(root, "error"), "message"));
    }
    int r = err_set(e, a->status == 401 || a->status == 403 ? ERR_DENIED : ERR_NETWORK,
                    "the collector answered %ld%s%s", a->status, words != NULL ? ": " : "",
                    words != NULL ? words : "");
    json_decref(root);
    return r;
}

static int read_answer(const struct net_answer *a, const char *pin, struct enroll_answer *ret,
                       struct err *e)
{
    CLEANUP(json) json_t *root = NULL;
    CLEANUP(verify_key) struct verify_key *key = NULL;
    const char *host = NULL;
    const char *pem = NULL;
    const json_t *contracts = NULL;
    int r = json_parse("the collector's answer", str_text(&a->body), a->body.len, &root, e);
    if (r == 0) {
        r = json_need_text(root, "host", &host, e);
    }
    if (r == 0) {
        r = json_need_text(root, "collector_key", &pem, e);
    }
    if (r == 0) {
        r = json_need_array(root, "contracts", &contracts, e);
    }
    if (r == 0) {
        r = verify_key_pem(pem, strlen(pem), &key, e);
    }
    if (r < 0) {
        return r;
    }
    if (strcmp(verify_key_id(key), pin) != 0) {
        return err_set(e, ERR_MISMATCH,
                       "the collector shows key %s, but the token was made for key %s: wrong "
                       "collector, or somebody stands in between. Nothing was kept",
                       verify_key_id(key), pin);
    }
    if (strlen(pem) >= sizeof(ret->collector_key)) {
        return err_set(e, ERR_MALFORMED, "collector_key is too long");
    }
    (void)snprintf(ret->collector_key, sizeof(ret->collector_key), "%s", pem);
    (void)snprintf(ret->host, sizeof(ret->host), "%s", host);
    CLEANUP(str) struct str names = STR_INIT(sizeof(ret->contracts) - 1);
    for (size_t i = 0; i < json_array_size(contracts); i++) {
        const json_t *item = json_array_get(contracts, i);
        /* An element is the contract's id, or an object that has one. */
        const char *id = json_is_string(item) ? json_string_value(item)
                                              : json_string_value(json_object_get(item, "id"));
        str_addf(&names, "%s%s", names.len > 0 ? ", " : "", id != NULL ? id : "?");
    }
    (void)snprintf(ret->contracts, sizeof(ret->contracts), "%s", str_text(&names));
    return 0;
}

int enroll(struct net *n, const struct enroll_request *rq, struct enroll_answer *ret, struct err *e)
{
    CLEANUP(str) struct str body = STR_INIT((size_t)64 << 10);
    struct json_out j;
    struct net_answer a;
    const char *pin = NULL;
    int r = check_token(rq->token, &pin, e);
    if (r < 0) {
        return r;
    }
    jout_begin(&j, &body, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "token", rq->token);
    jout_kv_text(&j, "public_key", rq->public_key);
    jout_kv_text(&j, "hostname", rq->hostname);
    jout_kv_text(&j, "machine_id", rq->machine_id);
    jout_close(&j, '}');
    r = str_error(&body, e);
    if (r < 0) {
        return r;
    }
    r = net_post(n, "/v1/enroll", "application/json", body.data, body.len, &a, e);
    if (r == 0) {
        r = a.status == 201 ? read_answer(&a, pin, ret, e) : refused(&a, e);
    }
    str_done(&a.body);
    return r;
}
