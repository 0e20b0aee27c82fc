/* Small things that every API function uses: error answers, headers, who is asking. */
#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "server-stub/http.h"

void error_json(struct str *out, const char *code, const char *message)
{
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    jout_key(&j, "error");
    jout_open(&j, '{');
    jout_kv_text(&j, "code", code);
    jout_kv_text(&j, "message", message);
    jout_key(&j, "detail");
    jout_open(&j, '{');
    jout_close(&j, '}');
    jout_close(&j, '}');
    jout_close(&j, '}');
}

void answer_error(struct request *rq, unsigned status, const char *code, const char *message)
{
    rq->answer.status = status;
    rq->answer.type = "application/json";
    str_clear(&rq->answer.body);
    error_json(&rq->answer.body, code, message);
    str_add_char(&rq->answer.body, '\n');
}

const char *request_header(struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

const char *request_query(struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool request_authorised(struct request *rq, struct store *s, struct token_row *ret)
{
    const char *header = request_header(rq, "Authorization");
    const char *scheme = "Bearer ";
    const char *keyid = sign_key_id(rq->server->collector->key);
    struct err e;
    if (header != NULL && strncasecmp(header, scheme, strlen(scheme)) == 0 &&
        token_check(s, keyid, header + strlen(scheme), true, time_now_s(), ret, &e) == 0) {
        return true;
    }
    answer_error(rq, 401, "token",
                 "a valid API token is needed: Authorization: Bearer TOKEN (tenken-collector token "
                 "--role auditor)");
    return false;
}
