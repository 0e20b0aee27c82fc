/* Batches, backoff, receipts. */
#include "agent/upload/send.h"

#include <string.h>
#include <time.h>

#include "agent/base/io.h"

int64_t send_wait_ms(const struct send_options *o, unsigned attempt, int64_t retry_after_s,
                     uint32_t random)
{
    int64_t ceiling = o->first_wait_ms;
    for (unsigned i = 1; i < attempt && ceiling < o->longest_wait_ms; i++) {
        ceiling *= 2;
    }
    ceiling = ceiling < o->longest_wait_ms ? ceiling : o->longest_wait_ms;
    int64_t wait = ceiling > 0 ? (int64_t)(random % (uint64_t)(ceiling + 1)) : 0;
    if (retry_after_s >= 0 && retry_after_s <= o->longest_wait_ms / 1000 &&
        wait < retry_after_s * 1000) {
        wait = retry_after_s * 1000;
    } else if (retry_after_s > o->longest_wait_ms / 1000) {
        wait = o->longest_wait_ms;
    }
    return wait;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};
    while (nanosleep(&t, &t) != 0) {
    }
}

/* Fills body with the envelopes from list[*at] on; *at moves behind the last that was taken. */
static int next_batch(const struct spool_list *list, size_t *at, struct str *body,
                      size_t *ret_lines, struct err *e)
{
    *ret_lines = 0;
    while (*at < list->n && *ret_lines < BATCH_LINES) {
        const struct spool_entry *entry = &list->entries[*at];
        CLEANUP(str) struct str line = STR_INIT(ENVELOPE_MAX);
        if (entry->acknowledged) {
            (*at)++;
            continue;
        }
        int r = io_read_file(entry->path, ENVELOPE_MAX, &line, e);
        if (r == ERR_ABSENT) {
            (*at)++; /* pruned in between: somebody else's receipt came first */
            continue;
        }
        if (r < 0) {
            return r;
        }
        while (line.len > 0 && line.data[line.len - 1] == '\n') {
            line.len--;
        }
        if (*ret_lines > 0 && body->len + line.len > BATCH_BYTES) {
            return 0;
        }
        str_add_bytes(body, line.data, line.len);
        str_add_char(body, '\n');
        (*ret_lines)++;
        (*at)++;
    }
    return str_error(body, e);
}

static void note_error(struct send_report *ret, const char *text, size_t n)
{
    ret->n_refused++;
    if (ret->first_error[0] == '\0') {
        size_t room = sizeof(ret->first_error) - 1;
        memcpy(ret->first_error, text, n < room ? n : room);
        ret->first_error[n < room ? n : room] = '\0';
    }
}

/* Line n answers line n: a receipt, or {"error":…}. A receipt is kept only if it verifies. */
static void take_receipts(struct state *s, const struct str *body, struct send_report *ret)
{
    const char *p = str_text(body);
    while (*p != '\0') {
        size_t n = strcspn(p, "\n");
        char digest[SHA256_HEX];
        struct err e = {0};
        if (n > 0 && receipt_store(s, p, n, digest, &e) == 0) {
            ret->n_sent++;
        } else if (n > 0 && strncmp(p, "{\"error\"", 8) == 0) {
            note_error(ret, p, n);
        } else if (n > 0) {
            note_error(ret, e.msg, strlen(e.msg));
        }
        p += n + (p[n] == '\n' ? 1 : 0);
    }
}

static bool worth_another_try(long status)
{
    return status == 408 || status == 429 || status >= 500;
}

static int send_batch(struct net *n, struct state *s, const struct send_options *o,
                      const struct str *body, size_t lines, struct send_report *ret, struct err *e)
{
    const char *type = lines > 1 ? "application/x-ndjson" : "application/json";
    for (unsigned attempt = 1;; attempt++) {
        struct net_answer a;
        uint32_t random = 0;
        int r = net_post(n, "/v1/evidence", type, body->data, body->len, &a, e);
        int64_t retry_after_s = a.retry_after_s;
        if (r == 0 && !worth_another_try(a.status)) {
            if (a.body.len == 0) {
                (void)err_set(e, ERR_NETWORK, "the collector answered %ld without a word",
                              a.status);
                note_error(ret, e->msg, strlen(e->msg));
            }
            take_receipts(s, &a.body, ret);
            str_done(&a.body);
            return 0;
        }
        if (r == 0) {
            r = err_set(e, ERR_NETWORK, "the collector answered %ld", a.status);
        }
        str_done(&a.body);
        if (r != ERR_NETWORK || attempt >= o->attempts) {
            return r;
        }
        if (random_bytes(&random, sizeof(random), NULL) < 0) {
            random = UINT32_MAX; /* no jitter is no reason to lose the upload */
        }
        pause_ms(send_wait_ms(o, attempt, retry_after_s, random));
    }
}

int send_spool(struct net *n, struct state *s, const struct send_options *o,
               struct send_report *ret, struct err *e)
{
    struct spool_list list = {0};
    size_t at = 0;
    memset(ret, 0, sizeof(*ret));
    int r = spool_list(s, &list, e);
    while (r == 0 && at < list.n) {
        CLEANUP(str) struct str body = STR_INIT(BATCH_BYTES + ENVELOPE_MAX);
        size_t lines = 0;
        r = next_batch(&list, &at, &body, &lines, e);
        if (r == 0 && lines > 0) {
            r = send_batch(n, s, o, &body, lines, ret, e);
        }
    }
    spool_list_done(&list);
    return r;
}
