/* probes/tls/tls.c in its parts: probes/tls/names.c, probes/tls/hello.c, probes/tls/reply.c,
 * probes/tls/starttls.c, probes/tls/target.c, and the conclusions of probes/tls/survey.c and
 * probes/tls/detail.c against a server made of a few lines. What needs real bytes of real servers
 * (probes/tls/dial.c, probes/tls/handshake13.c, probes/tls/certificate.c, probes/tls/rows.c) is
 * held against them by tests/differential/tls; probes/tls/recorded.c by the fixtures of
 * policies/checks/tls.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probes/tls/survey.h"

/* --- names and hellos --- */

static void test_suites_are_in_order(void **state)
{
    (void)state;
    size_t n = 0;
    const struct suite *all = suite_all(&n);
    assert_true(n > 350);
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || all[i].code > all[i - 1].code);
        assert_ptr_equal(suite_find(all[i].code), &all[i]);
    }
    assert_null(suite_find(0xfafa));
    size_t n_common = 0;
    const uint16_t *common = suite_common(&n_common);
    for (size_t i = 0; i < n_common; i++) {
        assert_non_null(suite_find(common[i]));
        assert_false(suite_find(common[i])->tls13);
    }
}

/* No hello may take 256 to 511 bytes: load balancers are known that hang on it. */
static void test_no_hello_of_the_bad_length(void **state)
{
    static const char *const names[] = {"", "a.example",
                                        "a-rather-long-name.of.an.organisation.example"};
    static const uint8_t random[64] = {1};
    (void)state;
    for (size_t v = 1; v < N_VERSIONS; v++) {
        for (size_t n = 1; n <= 97; n++) {
            for (size_t k = 0; k < ARRAY_LEN(names); k++) {
                struct hello h = {.version = version_code(v), .n_suites = n, .n_groups = 30};
                CLEANUP(str) struct str out = STR_INIT(2 * HELLO_MAX);
                hello_build(&h, names[k], random, &out);
                assert_int_equal(out.error, 0);
                size_t body = out.len - 5;
                assert_int_equal((size_t)(uint8_t)out.data[3] << 8 | (uint8_t)out.data[4], body);
                if (body >= 256 && body < 512) {
                    fail_msg("%s, %zu suites, name %zu: %zu bytes", version_word(v), n, k, body);
                }
            }
        }
    }
}

static void test_ssl2_hello(void **state)
{
    static const uint8_t random[64] = {7};
    (void)state;
    struct hello h = {.version = TLS_SSL2};
    CLEANUP(str) struct str out = STR_INIT(HELLO_MAX);
    hello_build(&h, "", random, &out);
    assert_int_equal((uint8_t)out.data[0], 0x80);
    assert_int_equal((uint8_t)out.data[1], out.len - 2);
    assert_memory_equal(out.data + 2, "\x01\x00\x02\x00\x1e\x00\x00\x00\x10", 9);
}

/* --- replies --- */

#define HELLO_12 "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" ZEROS "\x00\xc0\x2f\x00"
#define ZEROS "0123456789abcdef0123456789abcdef"
#define RETRY                                                                                      \
    "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91"                             \
    "\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C"
#define BYTES(text) (text), sizeof(text) - 1

static const struct {
    const char *why;
    const char *bytes;
    size_t n;
    bool ssl2;
    enum reply_want want;
    enum reply_state state;
    unsigned version, suite, group, alert;
} replies[] = {
    {"a ServerHello", BYTES(HELLO_12), false, WANT_HELLO, REPLY_DONE, TLS_12, 0xc02f, 0, 0},
    {"HelloRetryRequest names suite and group",
     BYTES("\x16\x03\x03\x00\x38\x02\x00\x00\x34\x03\x03" RETRY
           "\x00\x13\x02\x00\x00\x0c\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x02\x00\x18"),
     false, WANT_HELLO, REPLY_DONE, TLS_13, 0x1302, 24, 0},
    {"fatal alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), false, WANT_HELLO, REPLY_ALERT, 0, 0, 0,
     70},
    {"a warning is no end", BYTES("\x15\x03\x01\x00\x02\x01\x70" HELLO_12), false, WANT_HELLO,
     REPLY_DONE, TLS_12, 0xc02f, 0, 0},
    {"key exchange on a named curve",
     BYTES(HELLO_12 "\x16\x03\x03\x00\x08\x0c\x00\x00\x04\x03\x00\x17\x00"), false, WANT_EXCHANGE,
     REPLY_DONE, TLS_12, 0xc02f, 23, 0},
    {"end of the flight without what was wanted",
     BYTES(HELLO_12 "\x16\x03\x03\x00\x04\x0e\x00\x00\x00"), false, WANT_CERTIFICATE, REPLY_DONE,
     TLS_12, 0xc02f, 0, 0},
    {"half a record", BYTES("\x16\x03\x03\x00\x2a\x02"), false, WANT_HELLO, REPLY_MORE, 0, 0, 0, 0},
    {"HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n"), false, WANT_HELLO, REPLY_NOT_TLS, 0, 0, 0, 0},
    {"handshake of another kind first", BYTES("\x16\x03\x03\x00\x04\x14\x00\x00\x00"), false,
     WANT_HELLO, REPLY_MALFORMED, 0, 0, 0, 0},
    {"application data before any hello", BYTES("\x17\x03\x03\x00\x01\x00"), false, WANT_HELLO,
     REPLY_MALFORMED, 0, 0, 0, 0},
    {"a ServerHello that ends early", BYTES("\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03"), false,
     WANT_HELLO, REPLY_MALFORMED, TLS_12, 0, 0, 0},
    {"SSLv2 SERVER-HELLO",
     BYTES("\x80\x0e\x04\x00\x01\x00\x02\x00\x00\x00\x03\x00\x00\x01\x00\x80"), true, WANT_HELLO,
     REPLY_DONE, TLS_SSL2, 0, 0, 0},
    {"SSLv2 error: no cipher", BYTES("\x80\x03\x00\x00\x01"), true, WANT_HELLO, REPLY_ALERT, 0, 0,
     0, 40},
    {"an alert to an SSLv2 hello", BYTES("\x15\x03\x01\x00\x02\x02\x46"), true, WANT_HELLO,
     REPLY_ALERT, 0, 0, 0, 70},
};

static void check_reply(size_t i, const struct reply *r)
{
    if (r->state != replies[i].state || r->version != replies[i].version ||
        r->suite != replies[i].suite || r->group != replies[i].group ||
        r->alert != replies[i].alert) {
        fail_msg("%s: state %u, version %x, suite %x, group %u, alert %u", replies[i].why,
                 (unsigned)r->state, r->version, r->suite, r->group, r->alert);
    }
}

static void test_replies_whole_and_in_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        struct reply r;
        reply_init(&r, replies[i].want);
        (void)reply_feed(&r, replies[i].bytes, replies[i].n, replies[i].ssl2);
        check_reply(i, &r);
        reply_done(&r);
        reply_init(&r, replies[i].want);
        for (size_t k = 0; k < replies[i].n && r.state == REPLY_MORE; k++) {
            (void)reply_feed(&r, replies[i].bytes + k, 1, replies[i].ssl2);
        }
        check_reply(i, &r);
        reply_done(&r);
    }
}

/* Memory and work are bounded whatever comes. */
static void test_floods_end(void **state)
{
    static const struct {
        const char *why, *bytes;
        size_t n;
    } floods[] = {{"warnings", BYTES("\x15\x03\x03\x00\x02\x01\x5a")},
                  {"empty records", BYTES("\x16\x03\x03\x00\x00")}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        struct reply r;
        reply_init(&r, WANT_CERTIFICATE);
        size_t n = 0;
        while (reply_feed(&r, floods[i].bytes, floods[i].n, false) == REPLY_MORE && n < 100000) {
            n++;
        }
        assert_int_equal(r.state, REPLY_TOO_LONG);
        assert_true(r.raw.cap + r.messages.cap < ((size_t)1 << 20));
        reply_done(&r);
    }
}

/* --- before TLS --- */

static const struct {
    const char *why, *word, *says; /* '|' between what is said after each of our turns */
    enum starttls_next last;
} talks[] = {
    {"mail server", "smtp", "220-a\r\n220 b\r\n|250-x\r\n250 STARTTLS\r\n|220 go\r\n", ST_READY},
    {"mail server without", "smtp", "220 b\r\n|250 x\r\n|502 no\r\n", ST_REFUSED},
    {"not a mail server", "smtp", "* OK\r\n", ST_NOT_SPOKEN},
    {"half a line", "smtp", "22", ST_WAIT},
    {"imap", "imap", "* OK hi\r\n|* CAPABILITY\r\na1 OK go\r\n", ST_READY},
    {"imap that says no", "imap", "* OK hi\r\n|a1 BAD no\r\n", ST_REFUSED},
    {"pop3", "pop3", "+OK hi\r\n|+OK go\r\n", ST_READY},
    {"pop3 that says no", "pop3", "+OK hi\r\n|-ERR no\r\n", ST_REFUSED},
    {"ftp", "ftp", "220 hi\r\n|234 go\r\n", ST_READY},
    {"ftp that says no", "ftp", "220 hi\r\n|530 no\r\n", ST_REFUSED},
    {"postgresql", "postgresql", "|S", ST_READY},
    {"postgresql that says no", "postgresql", "|N", ST_REFUSED},
    {"postgresql that is none", "postgresql", "|HTTP", ST_NOT_SPOKEN},
    {"xmpp", "xmpp",
     "|<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
     "</stream:features>|<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
     ST_READY},
    {"xmpp without", "xmpp", "|<stream:stream><stream:features/>", ST_REFUSED},
};

static void test_talks_in_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
        struct starttls_talk t;
        CLEANUP(str) struct str out = STR_INIT(4096);
        starttls_init(&t, starttls_parse(talks[i].word));
        enum starttls_next next = starttls_feed(&t, "", 0, "host", &out);
        for (const char *p = talks[i].says;
             *p != '\0' && next != ST_READY && next != ST_REFUSED && next != ST_NOT_SPOKEN; p++) {
            if (*p == '|') {
                assert_int_equal(next, ST_SEND);
                continue;
            }
            next = starttls_feed(&t, p, 1, "host", &out);
        }
        if (next != talks[i].last) {
            fail_msg("%s: ended with %u", talks[i].why, (unsigned)next);
        }
        starttls_done(&t);
    }
    assert_int_equal(starttls_parse("smpt"), N_STARTTLS);
}

static void test_targets(void **state)
{
    static const struct {
        const char *why, *text;
        bool good, blocked, is_address;
        size_t n;
    } rows[] = {
        {"two addresses", "a\th.example\t192.0.2.1 2001:db8::1\t443\t\tnone\t", true, false, false,
         2},
        {"an address as host", "a\t192.0.2.1\t192.0.2.1\t25\t\tsmtp\t", true, false, true, 1},
        {"an address with a name", "a\t192.0.2.1\t192.0.2.1\t25\tn.example\tsmtp\t", true, false,
         false, 1},
        {"not to be contacted", "a\th\t!not-contacted: no owner\t443\t\tnone\t", true, true, false,
         0},
        {"trust with tabs and lines", "a\th\t192.0.2.1\t443\t\tnone\t-----\n\t-----", true, false,
         false, 1},
        {"no field of trust", "a\th\t192.0.2.1\t443\t\tnone", false, false, false, 0},
        {"a name where an address must be", "a\th\tlocalhost\t443\t\tnone\t", false, false, false,
         0},
        {"port 0", "a\th\t192.0.2.1\t0\t\tnone\t", false, false, false, 0},
        {"unknown protocol", "a\th\t192.0.2.1\t443\t\tsmpt\t", false, false, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct target t;
        struct err e = {0};
        int rc = target_parse(rows[i].text, &t, &e);
        if ((rc == 0) != rows[i].good) {
            fail_msg("%s: %s", rows[i].why, e.msg);
        }
        if (rc == 0) {
            assert_int_equal(t.n_addresses, rows[i].n);
            assert_int_equal(t.blocked != NULL, rows[i].blocked);
            assert_int_equal(target_is_address(&t), rows[i].is_address);
            target_done(&t);
        }
    }
}

/* --- conclusions --- */

/* A server in a few lines: what it answers to one hello. */
enum manner { MANNER_OPENSSL, MANNER_CLOSES, MANNER_TIRES, MANNER_SILENT_ON_LONG, MANNER_DEAD };
struct model {
    const char *why;
    enum manner manner;
    unsigned versions; /* bits */
    uint16_t suites[6];
    size_t n;
    const char *old; /* state that versions not offered must get */
};

static enum outcome model_answer(const struct model *m, struct ask *a, unsigned asked)
{
    a->reply.alert = 40;
    if (m->manner == MANNER_DEAD) {
        return OUT_TIMEOUT;
    }
    if (m->manner == MANNER_TIRES && asked > 6) { /* accepts, then resets everything */
        return OUT_RESET;
    }
    if (m->manner == MANNER_SILENT_ON_LONG && a->hello.version != TLS_SSL2 &&
        hello_size(&a->hello, "h.example") >= 256) {
        return OUT_TIMEOUT;
    }
    if ((m->versions >> a->version & 1U) == 0) {
        a->reply.alert = 70;
        return m->manner == MANNER_CLOSES ? OUT_CLOSED : OUT_ALERT;
    }
    for (size_t i = 0; i < m->n; i++) {
        for (size_t k = 0; k < a->hello.n_suites; k++) {
            if (m->suites[i] == a->hello.suites[k]) {
                a->reply.version = a->hello.version;
                a->reply.suite = m->suites[i];
                a->reply.group = a->hello.groups[0];
                a->reply.has_hello = true;
                return OUT_ANSWER;
            }
        }
    }
    return OUT_ALERT;
}

static const struct model models[] = {
    {"clean", MANNER_OPENSSL, 1U << 4, {0xc02f, 0xc030, 0x009c, 0x00a8}, 4, "refused"},
    {"old", MANNER_OPENSSL, 1U << 1 | 1U << 2 | 1U << 4, {0x0004, 0x0005}, 2, "refused"},
    {"hangs up instead of an alert", MANNER_CLOSES, 1U << 4, {0xc02f, 0x003c}, 2, "refused"},
    {"no long hellos", MANNER_SILENT_ON_LONG, 1U << 4, {0xc02f, 0xc05c, 0xc0a2}, 3, "refused"},
    {"resets after a while", MANNER_TIRES, 1U << 4, {0xc02f, 0xc030}, 2, NULL},
    {"dead", MANNER_DEAD, 0, {0}, 0, "untested"},
};

static void run_model(const struct model *m, struct endpoint *ep)
{
    struct err e = {0};
    unsigned asked = 0;
    memset(ep, 0, sizeof(*ep));
    assert_int_equal(target_parse("a\th.example\t192.0.2.1\t443\t\tnone\t", &ep->target, &e), 0);
    survey_begin(ep);
    while (ep->phase != PHASE_DONE) {
        struct ask *a = ep->queue;
        if (a == NULL) {
            survey_next(ep);
            continue;
        }
        ep->queue = a->next;
        if (ep->queue == NULL) {
            ep->queue_end = &ep->queue;
        }
        assert_true(asked++ < 2000); /* it comes to an end */
        a->outcome = model_answer(m, a, asked);
        survey_answer(ep, a, 0);
    }
}

static void test_conclusions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        const struct model *m = &models[i];
        struct endpoint ep;
        run_model(m, &ep);
        for (unsigned v = 0; v < N_VERSIONS; v++) {
            const struct version_state *vs = &ep.versions[v];
            bool offered = (m->versions >> v & 1U) != 0;
            bool refused = !version_accepted(&ep, v) && !vs->is_unfinished && ep.n_answers > 0;
            if (version_accepted(&ep, v) && !offered) {
                fail_msg("%s: %s is not offered", m->why, version_word(v));
            }
            if (offered && (refused || (m->old != NULL && vs->n_suites != m->n))) {
                fail_msg("%s: %s: %zu suites", m->why, version_word(v), vs->n_suites);
            }
            if (!offered && m->old != NULL && refused != (strcmp(m->old, "refused") == 0)) {
                fail_msg("%s: %s must be %s", m->why, version_word(v), m->old);
            }
            /* Silence after a success is never a refusal, of a suite neither. */
            if (m->manner == MANNER_TIRES && offered && vs->n_suites < m->n) {
                assert_true(vs->is_unfinished);
            }
        }
        endpoint_done(&ep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suites_are_in_order),
        cmocka_unit_test(test_no_hello_of_the_bad_length),
        cmocka_unit_test(test_ssl2_hello),
        cmocka_unit_test(test_replies_whole_and_in_bytes),
        cmocka_unit_test(test_floods_end),
        cmocka_unit_test(test_talks_in_bytes),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_conclusions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
