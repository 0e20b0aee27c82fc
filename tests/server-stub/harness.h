/* What the tests of the collector share: hosts that sign evidence made by hand, a store in a
 * scratch directory, a server in this process, and a small HTTP client that can also misbehave. */
#ifndef TENKEN_TESTS_COLLECTOR_HARNESS_H
#define TENKEN_TESTS_COLLECTOR_HARNESS_H

#include "tests/agent/evidence/sample.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/policy/site.h"
#include "server-stub/http.h"

#define CONTRACT "SPR-2026-014"
#define MACHINE "0123456789abcdef0123456789abcdef"

/* --- a host --- */

struct maker {
    struct sign_key *key;
    const char *contract, *framework, *asset, *machine_id;
    const char *starts, *ends; /* as its site declares */
    char chain[CHAIN_HEX];
    char previous[SHA256_HEX];
    char digest[SHA256_HEX]; /* of the last one made */
    int64_t sequence;        /* of the last one made */
};

static inline struct maker maker_new(const char *seed)
{
    struct maker m = {.key = seed_key(seed),
                      .contract = CONTRACT,
                      .framework = "sapporo-7-2",
                      .asset = "SP-017",
                      .machine_id = MACHINE,
                      .starts = "2026-04-01",
                      .ends = "2027-03-31"};
    (void)snprintf(m.chain, sizeof m.chain, "%.32s", sign_key_id(m.key));
    return m;
}

/* "starts: 2026-04-01, " or nothing. */
static inline const char *declared(char out[40], const char *key, const char *value)
{
    (void)snprintf(out, 40, "%s%s%s%s", value[0] != '\0' ? key : "", value[0] != '\0' ? ": " : "",
                   value, value[0] != '\0' ? ", " : "");
    return out;
}

static inline void maker_facts(const struct maker *m, struct facts *f)
{
    char yaml[1024], starts[40], ends[40];
    struct site *site = NULL;
    (void)snprintf(
        yaml, sizeof yaml,
        "contracts:\n  - {id: %s, authority: 札幌市, work: \"保守 <b>&\", %s%sframework: %s, "
        "time_zone: Asia/Tokyo}\n",
        m->contract, declared(starts, "starts", m->starts), declared(ends, "ends", m->ends),
        m->framework);
    OK(site_parse("site.yaml", yaml, strlen(yaml), &site, e));
    OK(site_facts(site, m->contract, f, e));
    site_free(site);
}

/* The next payload of the chain. verdicts: "5.4=fail 5.1a=pass". */
static inline void maker_payload(struct maker *m, const char *time, const char *local_date,
                                 const char *verdicts, struct str *out)
{
    struct control controls[8];
    struct control_result results[8];
    char ids[8][16], word[24];
    size_t n = 0;
    memset(results, 0, sizeof results);
    memset(controls, 0, sizeof controls);
    for (const char *p = verdicts; *p != '\0' && n < 8; n++) {
        assert_int_equal(sscanf(p, "%15[^=]=%23s", ids[n], word), 2);
        controls[n].id = ids[n];
        results[n].control = &controls[n];
        OK(verdict_parse(word, &results[n].verdict, e));
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    struct evaluation ev = {.controls = results, .n_controls = n};
    struct facts facts = {0};
    maker_facts(m, &facts);
    struct statement_meta meta = sample_meta(sign_key_id(m->key));
    meta.contract = m->contract;
    meta.framework = m->framework;
    meta.asset = m->asset;
    meta.machine_id = m->machine_id;
    meta.chain = m->chain;
    meta.previous = m->previous;
    meta.sequence = m->sequence + 1;
    meta.time = time;
    meta.local_date = local_date;
    const struct statement_request rq = {
        .meta = meta, .facts = &facts, .probes = &facts, .evaluation = &ev};
    OK(statement_write(&rq, out, e));
    facts_done(&facts);
}

/* The next envelope of the chain; caller frees. */
static inline char *maker_evidence(struct maker *m, const char *time, const char *local_date,
                                   const char *verdicts)
{
    struct str payload = STR_INIT(ENVELOPE_MAX), envelope = STR_INIT(ENVELOPE_MAX);
    maker_payload(m, time, local_date, verdicts, &payload);
    OK(sha256_hex(payload.data, payload.len, m->digest, e));
    OK(dsse_sign(m->key, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e));
    m->sequence++;
    memcpy(m->previous, m->digest, sizeof m->previous);
    str_done(&payload);
    return str_take(&envelope, NULL);
}

/* One with a plain time: day 1-28 of November 2026, noon in Tokyo. */
static inline char *maker_day(struct maker *m, unsigned day, const char *verdicts)
{
    char time[32], date[16];
    (void)snprintf(time, sizeof time, "2026-11-%02uT03:00:00Z", day);
    (void)snprintf(date, sizeof date, "2026-11-%02u", day);
    return maker_evidence(m, time, date, verdicts);
}

/* --- a store --- */

struct bench_store {
    char dir[64];
    struct collector collector;
    struct store *store;
    struct packer *packer;
};

static inline void bench_open(struct bench_store *b)
{
    scratch_make(b->dir);
    OK(collector_open(b->dir, true, &b->collector, e));
    OK(store_open(b->dir, STORE_WRITE, &b->store, e));
    OK(packer_new(&b->packer, e));
}

static inline void bench_close(struct bench_store *b)
{
    packer_free(b->packer);
    store_close(b->store);
    collector_done(&b->collector);
    scratch_remove(b->dir);
}

static inline void bench_enroll(struct bench_store *b, const struct maker *m, int64_t at_s)
{
    const struct host_row h = {.keyid = sign_key_id(m->key),
                               .pem = sign_key_pem(m->key),
                               .hostname = "secret-hostname",
                               .machine_id = m->machine_id,
                               .enrolled_at = at_s};
    OK(store_host_put(b->store, &h, m->contract, e));
}

/* Checks and stores an envelope (freed); gives the flags it got. */
static inline unsigned bench_put(struct bench_store *b, char *envelope)
{
    struct ingest *in = NULL;
    struct refusal no;
    OK(ingest_check(b->store, b->packer, envelope, strlen(envelope), &in, &no, e));
    if (in == NULL) {
        fail_msg("refused: %u %s %s", no.status, no.code, no.message);
    }
    OK(store_begin(b->store, e));
    OK(ingest_put(b->store, b->collector.key, 1795000000, in, e));
    OK(store_commit(b->store, e));
    unsigned flags = in->record.flags;
    ingest_free(in);
    free(envelope);
    return flags;
}

/* --- a server and a client --- */

struct bench_server {
    char dir[64];
    struct collector collector;
    struct server server;
    struct http *http;
};

static inline void server_up(struct bench_server *b, unsigned rate)
{
    scratch_make(b->dir);
    memset(&b->server, 0, sizeof b->server);
    const struct server_options so = {.rate_per_minute = rate};
    const struct http_options ho = {.listen = "127.0.0.1:0",
                                    .max_connections = 64,
                                    .max_per_address = 32,
                                    .request_timeout_s = 60};
    OK(collector_open(b->dir, true, &b->collector, e));
    OK(server_open(&b->server, &b->collector, NULL, &so, e));
    OK(http_start(&b->server, &ho, &b->http, e));
}

static inline void server_down(struct bench_server *b)
{
    http_stop(b->http);
    server_done(&b->server);
    collector_done(&b->collector);
    scratch_remove(b->dir);
}

/* A token made beside the running server, as the command does. */
static inline void server_token(struct bench_server *b, const char *contract, const char *role,
                                int64_t hosts, char text[TOKEN_TEXT_MAX])
{
    struct store *s = NULL;
    const struct token_request rq = {.contract = contract, .role = role, .hosts = hosts};
    OK(store_open(b->dir, STORE_WRITE, &s, e));
    OK(token_make(s, &b->collector, &rq, 1795000000, text, e));
    store_close(s);
}

static inline int client_connect(const struct bench_server *b)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(b->http)),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct timeval limit = {.tv_sec = 60}; /* a hang fails instead of hanging the tests */
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

struct reply {
    int status; /* 0: closed without an answer */
    struct str text;
    const char *body;
    char headers[2048];
};

/* Reads to the end of the connection. */
static inline struct reply client_reply(int fd)
{
    struct reply r = {.text = STR_INIT((size_t)64 << 20), .body = ""};
    char chunk[65536];
    ssize_t n = 0;
    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) {
        str_add_bytes(&r.text, chunk, (size_t)n);
    }
    (void)close(fd);
    const char *text = str_text(&r.text);
    /* 100 Continue goes before the answer */
    while (strncmp(text, "HTTP/1.1 100", 12) == 0) {
        text = strstr(text, "\r\n\r\n") + 4;
    }
    if (sscanf(text, "HTTP/1.1 %d", &r.status) == 1) {
        r.body = strstr(text, "\r\n\r\n");
        assert_non_null(r.body);
        (void)snprintf(r.headers, sizeof r.headers, "%.*s", (int)(r.body - text), text);
        r.body += 4;
    }
    return r;
}

static inline void send_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0) {
            return; /* the server has closed: its answer tells */
        }
        p += k;
        n -= (size_t)k;
    }
}

/* One request on a connection of its own. headers: complete lines with \r\n. */
static inline struct reply client_do(const struct bench_server *b, const char *method,
                                     const char *path, const char *headers, const void *body,
                                     size_t n)
{
    char head[2048];
    int fd = client_connect(b);
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
                       "Content-Length: %zu\r\n\r\n",
                       method, path, headers, n);
    send_all(fd, head, (size_t)len);
    send_all(fd, body, n);
    return client_reply(fd);
}

static inline struct reply client_get(const struct bench_server *b, const char *path,
                                      const char *token)
{
    char head[512] = "";
    if (token[0] != '\0') {
        (void)snprintf(head, sizeof head, "Authorization: Bearer %s\r\n", token);
    }
    return client_do(b, "GET", path, head, "", 0);
}

static inline struct reply client_post(const struct bench_server *b, const char *body)
{
    return client_do(b, "POST", "/v1/evidence", "", body, strlen(body));
}

static inline void reply_done(struct reply *r)
{
    str_done(&r->text);
}

/* Enrols the maker through the API. */
static inline struct reply client_enroll(const struct bench_server *b, const struct maker *m,
                                         const char *token)
{
    struct str body = STR_INIT(8192);
    struct json_out j;
    jout_begin(&j, &body, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "token", token);
    jout_kv_text(&j, "public_key", sign_key_pem(m->key));
    jout_kv_text(&j, "hostname", "mnt-03");
    jout_kv_text(&j, "machine_id", m->machine_id);
    jout_close(&j, '}');
    struct reply r = client_do(b, "POST", "/v1/enroll", "", body.data, body.len);
    str_done(&body);
    return r;
}

#endif
