/* The server over real connections (without TLS here; tests/system/test_collector.sh has it):
 * server-stub/http.c, server-stub/http_answer.c, server-stub/server.c, server-stub/connwatch.c,
 * server-stub/api_enroll.c, server-stub/api_evidence.c, server-stub/api_read.c,
 * server-stub/api_health.c. */
#include "tests/server-stub/harness.h"
#include "tests/support/json_schema.h"

#include <pthread.h>
#include <zlib.h>

#include "agent/base/timefmt.h"

static void expect(const char *why, struct reply r, int status, const char *part)
{
    if (r.status != status || (part[0] != '\0' && strstr(r.body, part) == NULL)) {
        fail_msg("%s: %d %s (wanted %d %s)", why, r.status, r.body, status, part);
    }
    char wrong[512] = "";
    /* every error is JSON of one shape */
    if (status >= 400 && !schema_holds(TENKEN_SOURCE_DIR "/dist/schemas/error.schema.json", r.body,
                                       strcspn(r.body, "\n"), wrong)) {
        fail_msg("%s: %s: %s", why, r.body, wrong);
    }
    reply_done(&r);
}

/* A server with one enrolled host. */
static struct maker up(struct bench_server *b)
{
    char token[TOKEN_TEXT_MAX];
    struct maker m = maker_new(SEED_TEST1);
    server_up(b, 600);
    server_token(b, CONTRACT, "", 1, token);
    expect("enrolling", client_enroll(b, &m, token), 201, sign_key_id(m.key));
    return m;
}

static void down(struct bench_server *b, struct maker *m)
{
    sign_key_free(m->key);
    server_down(b);
}

static void test_enroll(void **state)
{
    struct bench_server b;
    struct maker m = maker_new(SEED_TEST1), other = maker_new(SEED_TEST2);
    char token[TOKEN_TEXT_MAX], twice[TOKEN_TEXT_MAX], api[TOKEN_TEXT_MAX], bad[TOKEN_TEXT_MAX];
    (void)state;
    server_up(&b, 600);
    server_token(&b, CONTRACT, "", 1, token);
    server_token(&b, "OTHER-1", "", 2, twice);
    server_token(&b, CONTRACT, "auditor", 1, api);
    expect("an API token enrols nobody", client_enroll(&b, &m, api), 401, "token");
    (void)snprintf(bad, sizeof bad, "%s", token);
    bad[20] = bad[20] == '0' ? '1' : '0';
    expect("a token with one digit changed", client_enroll(&b, &m, bad), 401, "token");
    (void)snprintf(bad, sizeof bad, "%s", token);
    bad[strlen(bad) - 1] = bad[strlen(bad) - 1] == '0' ? '1' : '0';
    expect("a token of another collector", client_enroll(&b, &m, bad), 401, "token");
    expect("no token", client_enroll(&b, &m, ""), 401, "token");
    expect("good", client_enroll(&b, &m, token), 201, "\"contracts\":[\"SPR-2026-014\"]");
    expect("used", client_enroll(&b, &other, token), 401, "token");
    expect("used, by the same host", client_enroll(&b, &m, token), 401, "token");
    expect("a further contract", client_enroll(&b, &m, twice), 201,
           "\"contracts\":[\"OTHER-1\",\"SPR-2026-014\"]");
    expect("the second of two", client_enroll(&b, &other, twice), 201, "BEGIN PUBLIC KEY");
    expect("the third of two", client_enroll(&b, &m, twice), 401, "token");
    static const char *const bodies[] = {
        "", "{", "[]", "{}", "{\"token\":1}", "{\"token\":\"a\",\"token\":\"b\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        expect(bodies[i], client_do(&b, "POST", "/v1/enroll", "", bodies[i], strlen(bodies[i])),
               400, "json");
    }
    char long_body[HTTP_ENROL_BODY_MAX + 10];
    memset(long_body, ' ', sizeof long_body);
    expect("a long body", client_do(&b, "POST", "/v1/enroll", "", long_body, sizeof long_body), 413,
           "size");
    sign_key_free(m.key);
    sign_key_free(other.key);
    server_down(&b);
}

static void test_evidence(void **state)
{
    struct bench_server b;
    struct maker m = up(&b), stranger = maker_new(SEED_TEST2);
    (void)state;
    char *first = maker_day(&m, 1, "5.4=pass"), *second = maker_day(&m, 2, "5.4=fail"),
         *third = maker_day(&m, 3, "5.4=pass"), *alien = maker_day(&stranger, 1, "5.4=pass");
    struct reply r = client_post(&b, first), again = client_post(&b, first);
    assert_int_equal(r.status, 200);
    assert_int_equal(again.status, 200);
    assert_string_equal(r.body, again.body); /* the same receipt, byte for byte */
    struct verify_key *collector = NULL;
    char digest[SHA256_HEX];
    OK(verify_key_of(b.collector.key, &collector, e));
    OK(receipt_verify(collector, r.body, strlen(r.body), digest, e));
    reply_done(&r);
    reply_done(&again);
    verify_key_free(collector);
    expect("an unknown key", client_post(&b, alien), 401, "keyid");
    expect("junk", client_post(&b, "hello"), 400, "json");
    expect("nothing", client_post(&b, ""), 400, "body");
    expect("blank lines only", client_post(&b, "\n\n"), 400, "body");
    /* several lines: each has its answer; one good line is enough for 200 */
    struct str lines = STR_INIT((size_t)1 << 20);
    str_addf(&lines, "junk\n%s\n%s\n\n%s\n", second, alien, third);
    r = client_post(&b, lines.data);
    assert_int_equal(r.status, 200);
    const char *at = r.body;
    static const char *const parts[] = {"\"code\":\"json\"", "receipt+json", "\"code\":\"keyid\"",
                                        "\"code\":\"json\"", "receipt+json"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *end = strchr(at, '\n');
        const char *part = strstr(at, parts[i]);
        assert_non_null(end);
        assert_true(part != NULL && part < end);
        at = end + 1;
    }
    assert_string_equal(at, "");
    reply_done(&r);
    str_clear(&lines);
    str_addf(&lines, "%s\njunk\n", alien);
    expect("all bad: the first one's status", client_post(&b, lines.data), 401, "");
    str_clear(&lines);
    for (unsigned i = 0; i < 65; i++) {
        str_add(&lines, "x\n");
    }
    expect("65 lines", client_post(&b, lines.data), 413, "lines");
    str_done(&lines);
    /* the form of a text does not matter, nor the content type */
    expect(
        "any content type",
        client_do(&b, "POST", "/v1/evidence", "Content-Type: text/html\r\n", first, strlen(first)),
        200, "receipt");
    expect("an unknown encoding",
           client_do(&b, "POST", "/v1/evidence", "Content-Encoding: br\r\n", first, strlen(first)),
           415, "encoding");
    expect(
        "not gzip though it says so",
        client_do(&b, "POST", "/v1/evidence", "Content-Encoding: gzip\r\n", first, strlen(first)),
        400, "body");
    free(first);
    free(second);
    free(third);
    free(alien);
    sign_key_free(stranger.key);
    down(&b, &m);
}

/* 400 MiB of white space in 400 KiB of gzip. */
static void test_bomb(void **state)
{
    struct bench_server b;
    struct maker m = up(&b);
    (void)state;
    uLong room = compressBound((uLong)64 << 20);
    Bytef *packed = malloc(room);
    char *plain = calloc(1, (size_t)64 << 20);
    assert_non_null(packed);
    assert_non_null(plain);
    memset(plain, ' ', (size_t)64 << 20);
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)plain;
    z.avail_in = (uInt)64 << 20;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = room - z.avail_out;
    (void)deflateEnd(&z);
    free(plain);
    expect("a bomb", client_do(&b, "POST", "/v1/evidence", "Content-Encoding: gzip\r\n", packed, n),
           413, "size");
    free(packed);
    expect("a body announced too long",
           client_do(&b, "POST", "/v1/evidence", "X: y\r\nContent-Length: 999999999999\r\n", "", 0),
           413, "size");
    down(&b, &m);
}

static void test_read(void **state)
{
    struct bench_server b;
    struct maker m = up(&b);
    char all[TOKEN_TEXT_MAX], mine[TOKEN_TEXT_MAX], other[TOKEN_TEXT_MAX], enrol[TOKEN_TEXT_MAX],
        path[256];
    (void)state;
    server_token(&b, "", "auditor", 1, all);
    server_token(&b, CONTRACT, "officer", 1, mine);
    server_token(&b, "OTHER-1", "operator", 1, other);
    server_token(&b, CONTRACT, "", 1, enrol);
    char *t = maker_day(&m, 1, "5.4=fail 5.1a=pass"), *third = NULL;
    expect("evidence", client_post(&b, t), 200, "receipt");
    free(t);
    free(maker_day(&m, 2, "5.4=pass")); /* never arrives */
    third = maker_day(&m, 3, "5.4=pass 5.1a=pass");
    expect("evidence", client_post(&b, third), 200, "receipt");
    expect("no token", client_get(&b, "/v1/hosts", ""), 401, "token");
    expect("an enrolment token reads nothing", client_get(&b, "/v1/hosts", enrol), 401, "token");
    expect("hosts", client_get(&b, "/v1/hosts", all), 200,
           "\"asset\":\"SP-017\",\"last_evidence\":\"");
    expect("the gap shows", client_get(&b, "/v1/hosts", mine), 200, "\"flags\":[\"gap\"]");
    expect("verdicts of the newest", client_get(&b, "/v1/hosts", mine), 200, "\"pass\":2");
    struct reply hosts = client_get(&b, "/v1/hosts", all);
    char wrong[512] = "";
    if (!schema_holds(TENKEN_SOURCE_DIR "/dist/schemas/hosts.schema.json", hosts.body,
                      strlen(hosts.body), wrong)) {
        fail_msg("%s", wrong);
    }
    reply_done(&hosts);
    struct reply none = client_get(&b, "/v1/hosts", other);
    assert_string_equal(none.body, "[]\n");
    reply_done(&none);
    (void)snprintf(path, sizeof path, "/v1/hosts/%s", sign_key_id(m.key));
    expect("one host", client_get(&b, path, mine), 200, "\"5.4\":\"pass\"");
    expect("one host, another contract", client_get(&b, path, other), 404, "host");
    expect("no such host", client_get(&b, "/v1/hosts/abc", all), 404, "host");
    (void)snprintf(path, sizeof path, "/v1/evidence/%s", m.digest);
    struct reply r = client_get(&b, path, mine);
    struct envelope env;
    OK(envelope_parse(r.body, strlen(r.body), &env, e)); /* it is an envelope as it stands */
    assert_string_equal(env.digest, m.digest);
    envelope_done(&env);
    assert_non_null(strstr(r.body, "\"redo\":\"pending\""));
    reply_done(&r);
    expect("evidence, another contract", client_get(&b, path, other), 404, "evidence");
    expect("no such evidence", client_get(&b, "/v1/evidence/abc", all), 404, "evidence");
    expect("month", client_get(&b, "/v1/contracts/" CONTRACT "/months/2026-11", mine), 200,
           "\"format\":\"tenken-month/1\",\"contract\":\"SPR-2026-014\"");
    expect("month, another contract",
           client_get(&b, "/v1/contracts/" CONTRACT "/months/2026-11", other), 404, "contract");
    expect("no month", client_get(&b, "/v1/contracts/" CONTRACT "/months/2026-99", all), 400,
           "month");
    expect("no contract", client_get(&b, "/v1/contracts/X/months/2026-11", all), 404, "contract");
    expect("metrics from here", client_get(&b, "/metrics", ""), 200,
           "tenken_collector_evidence_stored_total 2\n");
    expect("healthz", client_get(&b, "/healthz", ""), 200, "ok");
    static const char *const nowhere[] = {"/",
                                          "/v1",
                                          "/v1/hosts/",
                                          "/v1/hosts/a/b",
                                          "/v1/evidence/",
                                          "/v1/contracts/a/months/",
                                          "/v1/contracts//months/2026-11",
                                          "/../etc/passwd",
                                          "/v1/hosts/%2e%2e%2f"};
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        expect(nowhere[i], client_get(&b, nowhere[i], all), 404, "");
    }
    expect("method", client_do(&b, "PUT", "/v1/hosts", "", "", 0), 405, "method");
    expect("method", client_do(&b, "GET", "/v1/enroll", "", "", 0), 405, "method");
    free(third);
    down(&b, &m);
}

static void test_rate(void **state)
{
    struct bench_server b;
    char token[TOKEN_TEXT_MAX];
    struct maker m = maker_new(SEED_TEST1);
    (void)state;
    server_up(&b, 3);
    server_token(&b, CONTRACT, "", 1, token);
    expect("enrolling", client_enroll(&b, &m, token), 201, "");
    char *t = maker_day(&m, 1, "5.4=pass");
    for (unsigned i = 0; i < 3; i++) {
        expect("within the rate", client_post(&b, t), 200, "");
    }
    struct reply r = client_post(&b, t);
    assert_non_null(strstr(r.headers, "Retry-After: "));
    expect("beyond it", r, 429, "rate");
    free(t);
    sign_key_free(m.key);
    server_down(&b);
}

/* Bodies cut off, connections left open, too many of them: the server goes on serving. */
static void test_misbehaviour(void **state)
{
    struct bench_server b;
    struct maker m = up(&b);
    (void)state;
    char *t = maker_day(&m, 1, "5.4=pass");
    int fds[80];
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) { /* more than are allowed */
        char head[256];
        fds[i] = client_connect(&b);
        int n = snprintf(head, sizeof head,
                         "POST /v1/evidence HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                         strlen(t));
        send_all(fds[i], head, (size_t)n - (i % 3)); /* some stop inside the headers */
        send_all(fds[i], t, strlen(t) / 2);
    }
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        (void)close(fds[i]);
    }
    /* over the limit per address the server hangs up: it takes a moment to see that all left */
    struct reply r = client_post(&b, t);
    for (unsigned i = 0; i < 600 && r.status == 0; i++) {
        const struct timespec pause = {.tv_nsec = 50000000};
        (void)nanosleep(&pause, NULL);
        reply_done(&r);
        r = client_post(&b, t);
    }
    expect("after cut bodies", r, 200, "receipt");
    static const char bad_chunk[] = "POST /v1/evidence HTTP/1.1\r\nHost: x\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\nZZ\r\n";
    static const char *const junk[] = {"\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                       "\x16\x03\x01\x02", bad_chunk};
    for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
        int fd = client_connect(&b);
        send_all(fd, junk[i], strlen(junk[i]));
        /* an answer or none: it may go on waiting for the rest, which never comes */
        const struct timeval moment = {.tv_usec = 300000};
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment), 0);
        struct reply got = client_reply(fd);
        assert_true(got.status == 0 || got.status >= 400);
        reply_done(&got);
    }
    expect("after junk", client_post(&b, t), 200, "receipt");
    /* chunked is as good as announced */
    int fd = client_connect(&b);
    struct str chunked = STR_INIT((size_t)1 << 20);
    str_addf(&chunked,
             "POST /v1/evidence HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
             "chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
             strlen(t), t);
    send_all(fd, chunked.data, chunked.len);
    expect("chunked", client_reply(fd), 200, "receipt");
    str_done(&chunked);
    free(t);
    down(&b, &m);
}

/* A client that never finishes its request is put out, one that is served is not. */
static void test_slow_client(void **state)
{
    struct bench_server b;
    char token[TOKEN_TEXT_MAX];
    struct maker m = maker_new(SEED_TEST1);
    (void)state;
    server_up(&b, 600);
    server_token(&b, CONTRACT, "", 1, token);
    http_stop(b.http);
    const struct http_options ho = {.listen = "127.0.0.1:0",
                                    .max_connections = 64,
                                    .max_per_address = 32,
                                    .request_timeout_s = 0}; /* whatever is open is overdue */
    OK(http_start(&b.server, &ho, &b.http, e));
    int fd = client_connect(&b);
    send_all(fd, "GET /healthz HTTP/1.1\r\n", 23);
    char byte = 0;
    ssize_t n = -1;
    /* the connection is put out at one of the next looks; recv then ends */
    for (unsigned i = 0; i < 600 && n != 0; i++) {
        const struct timespec pause = {.tv_nsec = 50000000};
        http_tick(b.http);
        n = recv(fd, &byte, 1, MSG_DONTWAIT);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(n, 0);
    (void)close(fd);
    expect("served", client_get(&b, "/healthz", ""), 200, "ok");
    sign_key_free(m.key);
    server_down(&b);
}

struct sender {
    const struct bench_server *b;
    char *texts[12];
    int status[12];
};

static void *send_texts(void *arg)
{
    struct sender *s = arg;
    for (size_t i = 0; i < ARRAY_LEN(s->texts); i++) {
        struct reply r = client_post(s->b, s->texts[i]);
        s->status[i] = r.status;
        reply_done(&r);
    }
    return NULL;
}

/* Many at once: all are stored, in fewer commits than requests or as many; stopping is clean. */
static void test_together(void **state)
{
    struct bench_server b;
    struct maker m = up(&b);
    struct sender senders[8];
    pthread_t threads[8];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        struct maker chain = m;
        (void)snprintf(chain.chain, sizeof chain.chain, "%032zu", i);
        senders[i].b = &b;
        for (unsigned k = 0; k < 12; k++) {
            senders[i].texts[k] = maker_day(&chain, k + 1, "5.4=pass");
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_texts, &senders[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (unsigned k = 0; k < 12; k++) {
            assert_int_equal(senders[i].status[k], 200);
            free(senders[i].texts[k]);
        }
    }
    struct store_counts counts;
    struct reader *reader = server_take(&b.server);
    OK(store_count(reader->store, &counts, e));
    server_give(&b.server, reader);
    assert_int_equal(counts.evidence, 96);
    assert_int_equal(counts.flagged, 0);
    assert_true(writer_batches(b.server.writer) <= 97);
    down(&b, &m);
}

static void test_listen(void **state)
{
    static const char *const bad[] = {
        "127.0.0.1",       "localhost:80", "127.0.0.1:", "127.0.0.1:x",
        "127.0.0.1:70000", ":80",          "[::1:80",    "::1:80x"};
    struct bench_server b;
    (void)state;
    server_up(&b, 600);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http *h = NULL;
        const struct http_options o = {
            .listen = bad[i], .max_connections = 1, .max_per_address = 1, .request_timeout_s = 1};
        FAILS(ERR_INVALID, http_start(&b.server, &o, &h, e));
    }
    server_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enroll),      cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_bomb),        cmocka_unit_test(test_read),
        cmocka_unit_test(test_rate),        cmocka_unit_test(test_misbehaviour),
        cmocka_unit_test(test_slow_client), cmocka_unit_test(test_together),
        cmocka_unit_test(test_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
