/* agent/evidence: envelopes and receipts from anybody. The strict scanner is held against jansson:
 * what one takes, the other must take. */
#include <stdlib.h>
#include <string.h>

#include "agent/evidence/evidence.h"
#include "agent/evidence/jscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Public test key of RFC 8032, 7.1, TEST 1: the corpus is signed with it. */
static const char test_key[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                               "-----END PUBLIC KEY-----\n";

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Where the two readers may differ: depth (ours is lower), numbers that jansson cannot hold, bare
 * scalars, which base/json.h does not take, and a NUL after a number, which jansson 2.14 swallows.
 */
static void compare_readers(const char *text, size_t n)
{
    struct jspan span = {0};
    struct err ours = {0}, theirs = {0};
    CLEANUP(json) json_t *json = NULL;
    int a = jscan_check("fuzz", text, n, &span, &ours);
    int b = json_parse("fuzz", text, n, &json, &theirs);
    if (a != 0 && b == 0) {
        require(strstr(ours.msg, "nested too deeply") != NULL || memchr(text, '\0', n) != NULL);
    }
    if (a == 0 && b != 0) {
        require((*span.p != '{' && *span.p != '[') || strstr(theirs.msg, "too big") != NULL ||
                strstr(theirs.msg, "too large") != NULL || strstr(theirs.msg, "overflow") != NULL);
    }
}

/* Every span that the walk gives lies inside. */
static void walk(struct jspan v, unsigned depth)
{
    struct jiter it = {0};
    struct jspan key = {0}, item = {0};
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    int64_t number = 0;
    require(depth <= 65);
    if (jspan_text(v, &text)) {
        require(text.error == 0 && str_is_utf8(str_text(&text), text.len));
    }
    (void)jspan_int(v, &number);
    if (!jiter_begin(v, &it)) {
        return;
    }
    while (jiter_next(&it, &key, &item)) {
        require(item.n > 0 && item.p > v.p && item.p + item.n < v.p + v.n);
        require(!it.is_object || (key.p > v.p && key.p + key.n < item.p));
        walk(item, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct jspan span = {0};
    struct err e = {0};
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(verify_key) struct verify_key *key = NULL;
    compare_readers(text, size);
    if (jscan_check("fuzz", text, size, &span, NULL) == 0) {
        walk(span, 0);
    }
    require(verify_key_pem(test_key, strlen(test_key), &key, &e) == 0);
    int rc = envelope_parse(text, size, &env, &e);
    if (rc != 0) {
        require(e.msg[0] != '\0' && env.payload == NULL);
        return 0;
    }
    require(env.payload[env.payload_n] == '\0' && hex_is(env.digest, 64));
    rc = envelope_verify(&env, key, &e);
    require(rc == 0 || rc == ERR_MISMATCH);
    struct receipt r = {0};
    rc = receipt_parse(key, text, size, &r, &e);
    require(rc != 0 || (hex_is(r.digest, 64) && hex_is(r.chain, 32) && hex_is(r.keyid, 64)));
    return 0;
}
