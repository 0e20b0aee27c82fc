#include "probes/tls/handshake13.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define HASH_MAX 64U
#define KEY_MAX 32U
#define IV_BYTES 12U
#define TAG_BYTES 16U
#define RECORD_MAX (16384U + 256U)

struct secret13 {
    EVP_PKEY *key;
    uint16_t group;
    struct str transcript; /* ClientHello, then ServerHello */
    struct str raw;
    struct reply hello; /* the ServerHello alone */
    bool has_keys;
    uint8_t write_key[KEY_MAX], iv[IV_BYTES];
    const EVP_CIPHER *cipher;
    uint64_t sequence;
    size_t records, bytes;
};

/* named: what EVP_PKEY_Q_keygen calls it; curve: the parameter of "EC". */
static const struct {
    uint16_t group;
    const char *named, *curve;
} kinds[] = {{29, "X25519", NULL},
             {23, "EC", "P-256"},
             {24, "EC", "P-384"},
             {25, "EC", "P-521"},
             {30, "X448", NULL}};

bool secret13_can(uint16_t group)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].group == group) {
            return true;
        }
    }
    return false;
}

static EVP_PKEY *make_key(uint16_t group)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].group == group) {
            return kinds[i].curve != NULL
                       ? EVP_PKEY_Q_keygen(NULL, NULL, kinds[i].named, kinds[i].curve)
                       : EVP_PKEY_Q_keygen(NULL, NULL, kinds[i].named);
        }
    }
    return NULL;
}

int secret13_new(uint16_t group, struct hello *h, struct secret13 **ret, struct err *e)
{
    struct secret13 *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_nomem(e);
    }
    str_init(&s->transcript, HELLO_MAX + REPLY_BYTES_MAX);
    str_init(&s->raw, RECORD_MAX + 5);
    reply_init(&s->hello, WANT_13);
    s->group = group;
    s->key = make_key(group);
    unsigned char *share = NULL;
    size_t n = s->key != NULL ? EVP_PKEY_get1_encoded_public_key(s->key, &share) : 0;
    if (n == 0 || n > sizeof(h->share)) {
        OPENSSL_free(share);
        secret13_free(s);
        return err_set(e, ERR_CRYPTO, "no key share of group %u", group);
    }
    memcpy(h->share, share, n);
    h->n_share = n;
    h->share_group = group;
    h->groups[0] = group;
    h->n_groups = 1;
    OPENSSL_free(share);
    *ret = s;
    return 0;
}

void secret13_free(struct secret13 *s)
{
    if (s == NULL) {
        return;
    }
    EVP_PKEY_free(s->key);
    str_done(&s->transcript);
    str_done(&s->raw);
    reply_done(&s->hello);
    free(s);
}

void secret13_sent(struct secret13 *s, const struct str *record)
{
    str_add_bytes(&s->transcript, record->data + 5, record->len - 5);
}

/* HKDF-Expand-Label for at most one block of output (RFC 8446 7.1). */
static bool expand_label(const EVP_MD *md, const uint8_t *secret, const char *label,
                         const uint8_t *context, size_t context_n, uint8_t *out, size_t n)
{
    uint8_t info[128];
    uint8_t block[EVP_MAX_MD_SIZE];
    size_t label_n = strlen(label);
    size_t at = 0;
    unsigned block_n = 0;
    info[at++] = (uint8_t)(n >> 8);
    info[at++] = (uint8_t)n;
    info[at++] = (uint8_t)(6 + label_n);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_n);
    at += 6 + label_n;
    info[at++] = (uint8_t)context_n;
    if (context_n > 0) {
        memcpy(info + at, context, context_n);
        at += context_n;
    }
    info[at++] = 1;
    if (HMAC(md, secret, EVP_MD_get_size(md), info, at, block, &block_n) == NULL || n > block_n) {
        return false;
    }
    memcpy(out, block, n);
    return true;
}

static bool shared_secret(struct secret13 *s, uint8_t *out, size_t *n)
{
    EVP_PKEY *peer = EVP_PKEY_new();
    EVP_PKEY_CTX *ctx = NULL;
    bool good = peer != NULL && EVP_PKEY_copy_parameters(peer, s->key) == 1;
    if (!good) { /* X25519 and X448 have no parameters to copy */
        EVP_PKEY_free(peer);
        peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_get_id(s->key), NULL, s->hello.share,
                                           s->hello.n_share);
        good = peer != NULL;
    } else {
        good = EVP_PKEY_set1_encoded_public_key(peer, s->hello.share, s->hello.n_share) == 1;
    }
    ctx = good ? EVP_PKEY_CTX_new(s->key, NULL) : NULL;
    good = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
           EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, out, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return good;
}

static bool choose(struct secret13 *s, const EVP_MD **ret_md)
{
    switch (s->hello.suite) {
    case 0x1301:
        s->cipher = EVP_aes_128_gcm();
        *ret_md = EVP_sha256();
        return true;
    case 0x1302:
        s->cipher = EVP_aes_256_gcm();
        *ret_md = EVP_sha384();
        return true;
    case 0x1303:
        s->cipher = EVP_chacha20_poly1305();
        *ret_md = EVP_sha256();
        return true;
    default:
        return false;
    }
}

/* Early secret, "derived", handshake secret, the server's handshake traffic key. */
static bool derive(struct secret13 *s)
{
    const EVP_MD *md = NULL;
    uint8_t zero[HASH_MAX] = {0};
    uint8_t early[HASH_MAX];
    uint8_t derived[HASH_MAX];
    uint8_t handshake[HASH_MAX];
    uint8_t traffic[HASH_MAX];
    uint8_t hash[EVP_MAX_MD_SIZE];
    uint8_t shared[160];
    size_t shared_n = sizeof(shared);
    unsigned hash_n = 0;
    unsigned n = 0;
    if (s->hello.retry || s->hello.version != TLS_13 || s->hello.group != s->group ||
        !choose(s, &md) || !shared_secret(s, shared, &shared_n)) {
        return false;
    }
    size_t md_n = (size_t)EVP_MD_get_size(md);
    return HMAC(md, zero, (int)md_n, zero, md_n, early, &n) != NULL &&
           EVP_Digest("", 0, hash, &hash_n, md, NULL) == 1 &&
           expand_label(md, early, "derived", hash, hash_n, derived, md_n) &&
           HMAC(md, derived, (int)md_n, shared, shared_n, handshake, &n) != NULL &&
           EVP_Digest(s->transcript.data, s->transcript.len, hash, &hash_n, md, NULL) == 1 &&
           expand_label(md, handshake, "s hs traffic", hash, hash_n, traffic, md_n) &&
           expand_label(md, traffic, "key", NULL, 0, s->write_key,
                        (size_t)EVP_CIPHER_get_key_length(s->cipher)) &&
           expand_label(md, traffic, "iv", NULL, 0, s->iv, IV_BYTES);
}

/* Opens one record in place; gives the length of the inner plaintext, -1 if it does not open. */
static int open_record(struct secret13 *s, uint8_t *record, size_t n)
{
    uint8_t nonce[IV_BYTES];
    int out_n = 0;
    int last_n = 0;
    if (n < 5 + TAG_BYTES + 1) {
        return -1;
    }
    memcpy(nonce, s->iv, sizeof(nonce));
    for (size_t i = 0; i < 8; i++) {
        nonce[IV_BYTES - 1 - i] ^= (uint8_t)(s->sequence >> (8 * i));
    }
    s->sequence++;
    uint8_t *body = record + 5;
    size_t body_n = n - 5 - TAG_BYTES;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL && EVP_DecryptInit_ex(ctx, s->cipher, NULL, s->write_key, nonce) == 1 &&
                EVP_DecryptUpdate(ctx, NULL, &out_n, record, 5) == 1 &&
                EVP_DecryptUpdate(ctx, body, &out_n, body, (int)body_n) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, body + body_n) == 1 &&
                EVP_DecryptFinal_ex(ctx, body + out_n, &last_n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good) {
        return -1;
    }
    while (body_n > 0 && body[body_n - 1] == 0) { /* padding */
        body_n--;
    }
    return (int)body_n;
}

static enum reply_state stop(struct reply *a, enum reply_state state)
{
    a->state = state;
    return state;
}

static enum reply_state plain_record(struct secret13 *s, struct reply *a, const uint8_t *r,
                                     size_t n)
{
    enum reply_state state = reply_feed(&s->hello, r, n, false);
    if (r[0] == 0x16) {
        str_add_bytes(&s->transcript, r + 5, n - 5);
    }
    if (state == REPLY_DONE) {
        s->has_keys = s->transcript.error == 0 && derive(s);
        if (!s->has_keys) {
            return stop(a, REPLY_MALFORMED);
        }
        a->version = TLS_13;
        a->suite = s->hello.suite;
        a->has_hello = true;
    } else if (state != REPLY_MORE) {
        a->alert = s->hello.alert;
        return stop(a, state);
    }
    return a->state;
}

static enum reply_state sealed_record(struct secret13 *s, struct reply *a, uint8_t *r, size_t n)
{
    int inner = open_record(s, r, n);
    if (inner < 1) {
        return stop(a, REPLY_MALFORMED);
    }
    uint8_t type = r[5 + inner - 1];
    if (type == 0x15) {
        a->alert = inner >= 3 ? r[6] : 0;
        return stop(a, REPLY_ALERT);
    }
    return type == 0x16 ? reply_feed_messages(a, r + 5, (size_t)inner - 1)
                        : stop(a, REPLY_MALFORMED);
}

enum reply_state secret13_feed(struct secret13 *s, struct reply *a, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    s->bytes += n;
    if (s->bytes > REPLY_BYTES_MAX) {
        return stop(a, REPLY_TOO_LONG);
    }
    while (a->state == REPLY_MORE) {
        size_t room = RECORD_MAX + 5 - s->raw.len;
        size_t part = n < room ? n : room;
        str_add_bytes(&s->raw, p, part);
        p += part;
        n -= part;
        uint8_t *r = (uint8_t *)s->raw.data;
        if (s->raw.error != 0 || s->raw.len < 5) {
            return s->raw.error != 0 ? stop(a, REPLY_TOO_LONG) : a->state;
        }
        size_t whole = 5 + ((size_t)r[3] << 8 | r[4]);
        if (whole > RECORD_MAX + 5 || ++s->records > REPLY_RECORDS_MAX) {
            return stop(a, REPLY_TOO_LONG);
        }
        if (s->raw.len < whole) {
            s->records--;
            return a->state;
        }
        if (s->has_keys && r[0] == 0x17) {
            (void)sealed_record(s, a, r, whole);
        } else if (!(s->has_keys && r[0] == 0x14)) {
            (void)(s->has_keys ? stop(a, REPLY_MALFORMED) : plain_record(s, a, r, whole));
        }
        s->raw.len -= whole;
        memmove(s->raw.data, s->raw.data + whole, s->raw.len);
    }
    return a->state;
}
