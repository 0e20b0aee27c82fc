/* POST /v1/evidence: one envelope, or up to 64 of them one per line. Each line is checked as it
 * arrives; all that passed are stored in one transaction; line n of the answer belongs to line n of
 * the body. The Content-Type is not looked at: the form of the body says what it is. */
#include <string.h>

#include "agent/base/timefmt.h"
#include "server-stub/http.h"
#include "server-stub/unpack.h"

struct line {
    struct ingest *in; /* NULL: refused */
    struct refusal no;
    unsigned wait_s; /* with 429 */
};

struct batch {
    struct request *rq;
    struct unpack *unpack;
    struct line lines[UNPACK_LINES_MAX];
    size_t n;
    size_t packed_bytes;
    int64_t now_s;
    bool failed; /* an error of ours, not of the body */
};

static void batch_free(void *state)
{
    struct batch *b = state;
    unpack_free(b->unpack);
    for (size_t i = 0; i < b->n; i++) {
        ingest_free(b->lines[i].in);
    }
    free(b);
}

static size_t batch_memory(const struct request *rq)
{
    const struct batch *b = rq->state;
    return b != NULL && b->unpack != NULL ? unpack_memory(b->unpack) + b->packed_bytes : 0;
}

/* The rate counts only what was signed by the key: nobody can use up another's share. */
static void limit_line(struct batch *b, struct line *line)
{
    line->wait_s = ratelimit_take(b->rq->server->rate, line->in->record.keyid, time_monotonic_us());
    if (line->wait_s > 0) {
        ingest_free(line->in);
        line->in = NULL;
        line->no = (struct refusal){
            .status = 429, .code = "rate", .message = "too much evidence from this key at once"};
        (void)atomic_fetch_add(&b->rq->server->count.limited, 1);
    }
}

static int take_line(void *arg, const char *text, size_t n, struct err *e)
{
    struct batch *b = arg;
    struct line *line = &b->lines[b->n++]; /* unpack gives at most UNPACK_LINES_MAX */
    struct reader *r = server_take(b->rq->server);
    int rc = ingest_check(r->store, r->packer, text, n, &line->in, &line->no, e);
    server_give(b->rq->server, r);
    if (rc == 0 && line->in != NULL) {
        limit_line(b, line);
    }
    if (rc == 0 && line->in != NULL) {
        b->packed_bytes += line->in->record.payload_z_n;
    }
    b->failed = b->failed || rc != 0;
    return rc;
}

static int evidence_begin(struct request *rq, struct err *e)
{
    const char *name = request_header(rq, "Content-Encoding");
    enum unpack_encoding encoding = UNPACK_IDENTITY;
    if (unpack_encoding_parse(name != NULL ? name : "", &encoding, e) != 0) {
        answer_error(rq, 415, "encoding", e->msg);
        return 0;
    }
    struct batch *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return err_nomem(e);
    }
    b->rq = rq;
    rq->state = b;
    rq->state_free = batch_free;
    return unpack_new(encoding, take_line, b, &b->unpack, e);
}

/* What unpack says about the body as a whole; others are the collector's own errors. */
static int answer_unpack(struct request *rq, int rc, const struct err *e)
{
    const struct batch *b = rq->state;
    switch (b->failed ? ERR_NONE : rc) {
    case ERR_TRUNCATED:
    case ERR_LIMIT:
        answer_error(rq, 413, rc == ERR_LIMIT ? "lines" : "size", e->msg);
        return 0;
    case ERR_MALFORMED:
        answer_error(rq, 400, "body", e->msg);
        return 0;
    default:
        return rc;
    }
}

static int evidence_body(struct request *rq, const void *data, size_t n, struct err *e)
{
    struct batch *b = rq->state;
    return answer_unpack(rq, unpack_feed(b->unpack, data, n, e), e);
}

/* In the writer. One line that cannot be placed is refused alone; an error of the store undoes the
 * whole request. */
static int evidence_apply(struct store *s, void *arg, struct err *e)
{
    struct request *rq = arg;
    struct batch *b = rq->state;
    for (size_t i = 0; i < b->n; i++) {
        struct line *line = &b->lines[i];
        if (line->in == NULL) {
            continue;
        }
        int rc = ingest_put(s, rq->server->collector->key, b->now_s, line->in, e);
        if (rc == ERR_DENIED) {
            ingest_free(line->in);
            line->in = NULL;
            line->no = (struct refusal){.status = 403,
                                        .code = "contract",
                                        .message = "this host is not enrolled for the contract"};
        } else if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void count_line(struct server *s, const struct line *line)
{
    if (line->in == NULL) {
        (void)atomic_fetch_add(&s->count.refused, 1);
    } else if (line->in->repeated) {
        (void)atomic_fetch_add(&s->count.repeated, 1);
    } else {
        (void)atomic_fetch_add(&s->count.stored, 1);
    }
}

static int evidence_finish(struct request *rq, int rc, const struct err *e)
{
    struct batch *b = rq->state;
    struct str *out = &rq->answer.body;
    (void)e;
    if (rc != 0) {
        return rc;
    }
    unsigned status = 0;
    bool accepted = false;
    for (size_t i = 0; i < b->n; i++) {
        const struct line *line = &b->lines[i];
        count_line(rq->server, line);
        if (line->in != NULL) {
            accepted = true;
            str_add_bytes(out, str_text(&line->in->receipt), line->in->receipt.len);
        } else {
            status = status == 0 ? line->no.status : status;
            error_json(out, line->no.code, line->no.message);
        }
        str_add_char(out, '\n');
        if (line->wait_s > rq->answer.retry_after_s) {
            rq->answer.retry_after_s = line->wait_s;
        }
    }
    rq->answer.status = accepted ? 200 : status;
    rq->answer.type = b->n == 1 ? "application/json" : "application/jsonl";
    return 0;
}

static int evidence_end(struct request *rq, struct err *e)
{
    struct batch *b = rq->state;
    int rc = answer_unpack(rq, unpack_end(b->unpack, e), e);
    if (rc != 0 || rq->answer.status != 0) {
        return rc;
    }
    if (b->n == 0) {
        answer_error(rq, 400, "body", "the body is empty");
        return 0;
    }
    bool any = false;
    for (size_t i = 0; i < b->n; i++) {
        any = any || b->lines[i].in != NULL;
    }
    if (!any) {
        return evidence_finish(rq, 0, e);
    }
    b->now_s = time_now_s();
    request_defer(rq, evidence_apply, evidence_finish);
    return 0;
}

const struct route route_evidence = {.method = "POST",
                                     .path = "/v1/evidence",
                                     .begin = evidence_begin,
                                     .body = evidence_body,
                                     .end = evidence_end,
                                     .memory = batch_memory};
