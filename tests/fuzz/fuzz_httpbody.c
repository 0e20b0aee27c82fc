/* The body of POST /v1/evidence and of POST /v1/enroll: encodings and lines as server-stub/unpack.c
 * takes them, then envelopes and the heads of their statements as server-stub/ingest.c does
 * (without the signature, or nothing would get past it). First byte: the encoding and into which
 * pieces the rest is cut. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/evidence/evidence.h"
#include "agent/policy/policy.h"
#include "server-stub/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t n;
};

static void require(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

static void look_at_statement(const struct envelope *env)
{
    struct err e;
    CLEANUP(statement_head) struct statement_head head = {.store = NULL};
    int rc = statement_head_parse(env->payload, env->payload_n, &head, &e);
    if (rc == 0) {
        require(head.sequence >= 1, "a statement has a number");
        require(head.contract != NULL && head.host_id != NULL, "a statement has its names");
    } else {
        require(e.msg[0] != '\0', "an error has a text");
    }
}

static int take_line(void *arg, const char *line, size_t n, struct err *e)
{
    struct seen *seen = arg;
    CLEANUP(envelope) struct envelope env = {.payload = NULL};
    CLEANUP(json) json_t *json = NULL;
    struct err why;
    (void)e;
    require(n <= UNPACK_LINE_MAX, "a line is bounded");
    require(++seen->n <= UNPACK_LINES_MAX, "lines are bounded");
    if (envelope_parse(line, n, &env, &why) == 0) {
        look_at_statement(&env);
    }
    /* the enrolment's body goes this way */
    (void)!json_parse("body", line, n, &json, &why);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct err e;
    struct seen seen = {.n = 0};
    CLEANUP(unpack) struct unpack *u = NULL;
    size_t piece = (size_t)(data[0] >> 2) * 7 + 1;
    if (unpack_new((enum unpack_encoding)((data[0] & 3U) % 3U), take_line, &seen, &u, &e) != 0) {
        return 0;
    }
    int rc = 0;
    for (size_t at = 1; rc == 0 && at < size; at += piece) {
        rc = unpack_feed(u, data + at, size - at < piece ? size - at : piece, &e);
        require(unpack_memory(u) < ((size_t)32 << 20), "memory is bounded");
    }
    if (rc == 0) {
        rc = unpack_end(u, &e);
    }
    require(rc == 0 || e.msg[0] != '\0', "an error has a text");
    return 0;
}
