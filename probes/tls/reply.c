/* Records, then handshake messages, then the few fields that tell what a server accepts. */
#include "probes/tls/reply.h"

#include <string.h>

#define RECORD_MAX (16384U + 2048U)
#define HS_SERVER_HELLO 2
#define HS_ENCRYPTED_EXTENSIONS 8
#define HS_CERTIFICATE 11
#define HS_SERVER_KEY_EXCHANGE 12
#define HS_SERVER_HELLO_DONE 14
#define ALERT_UNRECOGNIZED_NAME 112

/* SHA-256 of "HelloRetryRequest": the random that marks one (RFC 8446 4.1.3). */
static const uint8_t retry_random[32] = {
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C};

/* A view of bytes that shrinks from the left. bad: something reached past the end. */
struct view {
    const uint8_t *p;
    size_t n;
    bool bad;
};

static size_t take(struct view *v, size_t bytes)
{
    size_t value = 0;
    if (v->bad || v->n < bytes) {
        v->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | v->p[i];
    }
    v->p += bytes;
    v->n -= bytes;
    return value;
}

static struct view take_part(struct view *v, size_t n)
{
    struct view part = {.p = v->p, .n = n, .bad = v->bad || v->n < n};
    if (part.bad) {
        v->bad = true;
        return (struct view){.p = v->p, .n = 0, .bad = true};
    }
    v->p += n;
    v->n -= n;
    return part;
}

void reply_init(struct reply *a, enum reply_want want)
{
    memset(a, 0, sizeof(*a));
    a->want = want;
    str_init(&a->raw, RECORD_MAX + 5);
    str_init(&a->messages, REPLY_BYTES_MAX);
}

void reply_done(struct reply *a)
{
    str_done(&a->raw);
    str_done(&a->messages);
}

static enum reply_state end(struct reply *a, enum reply_state state)
{
    a->state = state;
    return state;
}

static void hello_extension(struct reply *a, size_t type, struct view *body)
{
    if (type == 0x2b) {
        a->version = (uint16_t)take(body, 2);
    } else if (type == 0x33) {
        a->group = (uint16_t)take(body, 2);
        if (body->n >= 2) { /* a ServerHello; a HelloRetryRequest names the group alone */
            struct view share = take_part(body, take(body, 2));
            if (!share.bad && share.n <= sizeof(a->share)) {
                memcpy(a->share, share.p, share.n);
                a->n_share = share.n;
            }
        }
    }
}

static bool server_hello(struct reply *a, struct view v)
{
    a->version = (uint16_t)take(&v, 2);
    struct view random = take_part(&v, 32);
    (void)take_part(&v, take(&v, 1));
    a->suite = (uint16_t)take(&v, 2);
    (void)take(&v, 1);
    if (v.bad || a->has_hello) {
        return false;
    }
    a->retry = memcmp(random.p, retry_random, sizeof(retry_random)) == 0;
    if (v.n > 0) {
        struct view all = take_part(&v, take(&v, 2));
        while (!all.bad && all.n > 0) {
            size_t type = take(&all, 2);
            struct view body = take_part(&all, take(&all, 2));
            hello_extension(a, type, &body);
            all.bad = all.bad || body.bad;
        }
        if (all.bad) {
            return false;
        }
    }
    a->has_hello = true;
    return true;
}

static unsigned count_bits(struct view v)
{
    while (v.n > 0 && v.p[0] == 0) {
        v.p++;
        v.n--;
    }
    if (v.n == 0) {
        return 0;
    }
    unsigned bits = (unsigned)(8 * (v.n - 1));
    for (uint8_t top = v.p[0]; top != 0; top >>= 1) {
        bits++;
    }
    return bits;
}

static bool key_exchange(struct reply *a, struct view v)
{
    const struct suite *s = suite_find(a->suite);
    if (s == NULL) {
        return false;
    }
    if (strstr(s->name, "ECDH") != NULL) {
        if (take(&v, 1) != 3) {
            return !v.bad; /* explicit curve: no name to tell */
        }
        a->group = (uint16_t)take(&v, 2);
        return !v.bad;
    }
    struct view prime = take_part(&v, take(&v, 2));
    if (prime.bad) {
        return false;
    }
    a->dh_bits = count_bits(prime);
    memcpy(a->dh_head, prime.p, prime.n < sizeof(a->dh_head) ? prime.n : sizeof(a->dh_head));
    return true;
}

/* Where the list of certificates stands; TLS 1.3 has a context before it. */
static bool certificate(struct reply *a, size_t at, struct view v)
{
    size_t before = v.n;
    if (a->version == TLS_13) {
        (void)take_part(&v, take(&v, 1));
    }
    size_t n = take(&v, 3);
    if (v.bad || n > v.n) {
        return false;
    }
    a->cert_at = at + (before - v.n);
    a->cert_n = n;
    return true;
}

static enum reply_state message(struct reply *a, size_t type, size_t at, struct view v)
{
    bool good = true;
    switch (type) {
    case HS_SERVER_HELLO:
        good = server_hello(a, v);
        if (good && (a->want == WANT_HELLO || a->want == WANT_13)) {
            return end(a, REPLY_DONE);
        }
        break;
    case HS_CERTIFICATE:
        good = a->has_hello && certificate(a, at, v);
        if (good && a->want == WANT_CERTIFICATE) {
            return end(a, REPLY_DONE);
        }
        break;
    case HS_SERVER_KEY_EXCHANGE:
        good = a->has_hello && (a->want != WANT_EXCHANGE || key_exchange(a, v));
        if (good && a->want == WANT_EXCHANGE) {
            return end(a, REPLY_DONE);
        }
        break;
    case HS_SERVER_HELLO_DONE: /* what was wanted does not come */
        return end(a, a->has_hello ? REPLY_DONE : REPLY_MALFORMED);
    default:
        good = a->has_hello;
        break;
    }
    return good ? REPLY_MORE : end(a, REPLY_MALFORMED);
}

static enum reply_state read_messages(struct reply *a)
{
    while (a->state == REPLY_MORE && a->messages.len - a->used >= 4) {
        const uint8_t *p = (const uint8_t *)a->messages.data + a->used;
        size_t n = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (n > REPLY_CERTS_MAX) {
            return end(a, a->has_hello ? REPLY_TOO_LONG : REPLY_MALFORMED);
        }
        if (a->messages.len - a->used < 4 + n) {
            break;
        }
        size_t at = a->used + 4;
        a->used += 4 + n;
        (void)message(a, p[0], at, (struct view){.p = p + 4, .n = n, .bad = false});
    }
    return a->state;
}

enum reply_state reply_feed_messages(struct reply *a, const void *bytes, size_t n)
{
    str_add_bytes(&a->messages, bytes, n);
    if (a->messages.error != 0) {
        return end(a, REPLY_TOO_LONG);
    }
    return read_messages(a);
}

static enum reply_state alert(struct reply *a, struct view v)
{
    size_t level = take(&v, 1);
    size_t what = take(&v, 1);
    if (v.bad) {
        return end(a, REPLY_MALFORMED);
    }
    if (level == 1 && what != 0) { /* a warning: the handshake goes on */
        a->warned_name = a->warned_name || what == ALERT_UNRECOGNIZED_NAME;
        return REPLY_MORE;
    }
    a->alert = (uint8_t)what;
    return end(a, REPLY_ALERT);
}

static enum reply_state record(struct reply *a, uint8_t type, struct view v)
{
    switch (type) {
    case 0x15:
        return alert(a, v);
    case 0x16:
        return reply_feed_messages(a, v.p, v.n);
    case 0x14: /* sent for the sake of middleboxes */
        return a->has_hello ? REPLY_MORE : end(a, REPLY_MALFORMED);
    default:
        return end(a, REPLY_MALFORMED);
    }
}

/* Gives how many bytes the first record in raw takes, 0 = not all there yet. */
static size_t whole_record(struct reply *a)
{
    const uint8_t *p = (const uint8_t *)a->raw.data;
    if (a->raw.len > 0 && (p[0] < 0x14 || p[0] > 0x17)) {
        (void)end(a, a->records == 0 ? REPLY_NOT_TLS : REPLY_MALFORMED);
        return 0;
    }
    if (a->raw.len > 1 && p[1] != 3) {
        (void)end(a, a->records == 0 ? REPLY_NOT_TLS : REPLY_MALFORMED);
        return 0;
    }
    if (a->raw.len < 5) {
        return 0;
    }
    size_t n = (size_t)p[3] << 8 | p[4];
    if (n > RECORD_MAX) {
        (void)end(a, REPLY_MALFORMED);
        return 0;
    }
    return a->raw.len < 5 + n ? 0 : 5 + n;
}

/* SERVER-HELLO: 4, session hit (1), certificate type (1), version (2), lengths of certificate,
 * ciphers, connection id (2 each). ERROR: 0, code (2). */
static enum reply_state ssl2_message(struct reply *a)
{
    struct view v = {.p = (const uint8_t *)a->raw.data, .n = a->raw.len, .bad = false};
    size_t head = take(&v, 2);
    size_t n = head & 0x7fffU;
    if (v.bad || v.n < n) {
        return REPLY_MORE;
    }
    struct view body = take_part(&v, n);
    size_t type = take(&body, 1);
    if (type == 0) {
        a->alert = 40;
        return end(a, REPLY_ALERT);
    }
    (void)take(&body, 2);
    size_t version = take(&body, 2);
    size_t n_cert = take(&body, 2);
    size_t n_ciphers = take(&body, 2);
    (void)take(&body, 2);
    (void)take_part(&body, n_cert);
    struct view ciphers = take_part(&body, n_ciphers);
    if (type != 4 || version != TLS_SSL2 || body.bad || ciphers.bad || n_ciphers % 3 != 0) {
        return end(a, REPLY_NOT_TLS);
    }
    while (ciphers.n >= 3 && a->n_ssl2 < ARRAY_LEN(a->ssl2)) {
        a->ssl2[a->n_ssl2++] = (uint32_t)take(&ciphers, 3);
    }
    a->version = TLS_SSL2;
    a->has_hello = true;
    return end(a, REPLY_DONE);
}

static void drop_front(struct str *s, size_t n)
{
    s->len -= n;
    memmove(s->data, s->data + n, s->len);
}

enum reply_state reply_feed(struct reply *a, const void *bytes, size_t n, bool ssl2)
{
    a->bytes += n;
    if (a->bytes > REPLY_BYTES_MAX) {
        return end(a, REPLY_TOO_LONG);
    }
    const uint8_t *p = bytes;
    while (a->state == REPLY_MORE) {
        /* Never more than one record is held back. */
        size_t room = RECORD_MAX + 5 - a->raw.len;
        size_t part = n < room ? n : room;
        str_add_bytes(&a->raw, p, part);
        p += part;
        n -= part;
        if (a->raw.error != 0 || a->raw.len == 0) {
            return a->raw.error != 0 ? end(a, REPLY_TOO_LONG) : a->state;
        }
        if (ssl2 && ((uint8_t)a->raw.data[0] & 0x80U) != 0) {
            (void)ssl2_message(a);
            return a->state;
        }
        size_t whole = whole_record(a);
        if (whole == 0) {
            break;
        }
        if (++a->records > REPLY_RECORDS_MAX) {
            return end(a, REPLY_TOO_LONG);
        }
        const uint8_t *r = (const uint8_t *)a->raw.data;
        (void)record(a, r[0], (struct view){.p = r + 5, .n = whole - 5, .bad = false});
        drop_front(&a->raw, whole);
    }
    return a->state;
}

const uint8_t *reply_certificate(const struct reply *a, size_t i, size_t *ret_n)
{
    if (a->cert_n == 0 || a->cert_at + a->cert_n > a->messages.len) {
        return NULL;
    }
    struct view v = {
        .p = (const uint8_t *)a->messages.data + a->cert_at, .n = a->cert_n, .bad = false};
    for (size_t k = 0; v.n > 0; k++) {
        struct view der = take_part(&v, take(&v, 3));
        if (a->version == TLS_13) {
            (void)take_part(&v, take(&v, 2));
        }
        if (v.bad || der.bad) {
            return NULL;
        }
        if (k == i) {
            *ret_n = der.n;
            return der.p;
        }
    }
    return NULL;
}
