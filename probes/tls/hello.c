/* The bytes of a ClientHello.
 *
 *   record     0x16, version (2), length (2)
 *   handshake  0x01, length (3), legacy version (2), random (32), session id (1+n),
 *              suites (2+2n), compression (1+1), extensions (2+...)
 *   SSLv2      length|0x8000 (2), 0x01, 0x0002, n ciphers (2), 0 (2), n challenge (2), ...
 */
#include "probes/tls/hello.h"

#include <string.h>

#define EXT_SNI 0x0000
#define EXT_GROUPS 0x000a
#define EXT_POINTS 0x000b
#define EXT_SIGS 0x000d
#define EXT_PADDING 0x0015
#define EXT_VERSIONS 0x002b
#define EXT_SHARE 0x0033
#define SCSV_RENEGOTIATION 0x00ff
#define NAME_MAX_BYTES 255U

/* Old and broken ones too: a server that can sign with nothing else is to be seen. */
static const uint16_t sigs_all[] = {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401,
                                    0x0501, 0x0601, 0x0807, 0x0808, 0x0203, 0x0201, 0x0809,
                                    0x080a, 0x080b, 0x0402, 0x0202, 0x0303, 0x0301, 0x0101};
static const uint16_t sigs_rsa[] = {0x0804, 0x0805, 0x0806, 0x0809, 0x080a,
                                    0x080b, 0x0401, 0x0501, 0x0601, 0x0201};
static const uint16_t sigs_ecdsa[] = {0x0403, 0x0503, 0x0603, 0x0203};
static const uint16_t sigs_eddsa[] = {0x0807, 0x0808};

static void put16(struct str *out, size_t v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    str_add_bytes(out, b, sizeof(b));
}

static void put8(struct str *out, size_t v)
{
    uint8_t b = (uint8_t)v;
    str_add_bytes(out, &b, 1);
}

static void put_list(struct str *out, const uint16_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put16(out, list[i]);
    }
}

static void put_sni(struct str *out, const char *sni)
{
    size_t n = strlen(sni);
    if (n == 0 || n > NAME_MAX_BYTES) {
        return;
    }
    put16(out, EXT_SNI);
    put16(out, n + 5);
    put16(out, n + 3);
    put8(out, 0);
    put16(out, n);
    str_add_bytes(out, sni, n);
}

static void put_sigs(struct str *out, enum hello_sigs which)
{
    static const struct {
        const uint16_t *list;
        size_t n;
    } lists[] = {[SIGS_ALL] = {sigs_all, ARRAY_LEN(sigs_all)},
                 [SIGS_RSA] = {sigs_rsa, ARRAY_LEN(sigs_rsa)},
                 [SIGS_ECDSA] = {sigs_ecdsa, ARRAY_LEN(sigs_ecdsa)},
                 [SIGS_EDDSA] = {sigs_eddsa, ARRAY_LEN(sigs_eddsa)}};
    put16(out, EXT_SIGS);
    put16(out, 2 * lists[which].n + 2);
    put16(out, 2 * lists[which].n);
    put_list(out, lists[which].list, lists[which].n);
}

static void put_13(struct str *out, const struct hello *h)
{
    put16(out, EXT_VERSIONS);
    put16(out, 3);
    put8(out, 2);
    put16(out, TLS_13);
    put16(out, EXT_SHARE);
    if (h->n_share == 0) {
        put16(out, 2);
        put16(out, 0);
        return;
    }
    put16(out, h->n_share + 6);
    put16(out, h->n_share + 4);
    put16(out, h->share_group);
    put16(out, h->n_share);
    str_add_bytes(out, h->share, h->n_share);
}

static void put_extensions(struct str *out, const struct hello *h, const char *sni)
{
    put_sni(out, sni);
    if (h->version == TLS_SSL3) {
        return;
    }
    if (h->n_groups > 0) {
        put16(out, EXT_GROUPS);
        put16(out, 2 * h->n_groups + 2);
        put16(out, 2 * h->n_groups);
        put_list(out, h->groups, h->n_groups);
        if (h->version != TLS_13) {
            put16(out, EXT_POINTS);
            put16(out, 2);
            put8(out, 1);
            put8(out, 0);
        }
    }
    if (h->version >= TLS_12) {
        put_sigs(out, h->sigs);
    }
    if (h->version == TLS_13) {
        put_13(out, h);
    }
}

static void build_ssl2(const struct hello *h, const uint8_t *random, struct str *out)
{
    size_t n = 0;
    while (ssl2_cipher_code(n) != 0) {
        n++;
    }
    /* The second shape leaves the export and exotic kinds out: n_suites says how many to take. */
    n = h->n_suites > 0 && h->n_suites < n ? h->n_suites : n;
    put16(out, 0x8000U | (9 + 3 * n + 16));
    put8(out, 1);
    put16(out, TLS_SSL2);
    put16(out, 3 * n);
    put16(out, 0);
    put16(out, 16);
    for (size_t i = 0; i < n; i++) {
        put8(out, ssl2_cipher_code(i) >> 16);
        put16(out, ssl2_cipher_code(i) & 0xffffU);
    }
    str_add_bytes(out, random, 16);
}

/* The handshake message without padding. */
static void build_body(const struct hello *h, const uint8_t *random, struct str *out)
{
    put16(out, h->version == TLS_13 ? TLS_12 : h->version);
    str_add_bytes(out, random, 32);
    if (h->version == TLS_13) { /* middleboxes want to see a session id (RFC 8446 D.4) */
        put8(out, 32);
        str_add_bytes(out, random + 32, 32);
    } else {
        put8(out, 0);
    }
    bool scsv = h->version != TLS_13; /* some servers refuse whoever is silent about it */
    put16(out, 2 * (h->n_suites + (scsv ? 1U : 0U)));
    put_list(out, h->suites, h->n_suites);
    if (scsv) {
        put16(out, SCSV_RENEGOTIATION);
    }
    put8(out, 1);
    put8(out, 0);
}

static bool has_extensions(const struct hello *h)
{
    return h->version > TLS_SSL3 || h->with_name;
}

size_t hello_size(const struct hello *h, const char *sni)
{
    static const uint8_t none[64] = {0};
    struct str body = STR_INIT(HELLO_MAX);
    build_body(h, none, &body);
    size_t n = 4 + body.len;
    if (has_extensions(h)) {
        str_clear(&body);
        put_extensions(&body, h, sni);
        n += body.len > 0 ? 2 + body.len : 0;
    }
    str_done(&body);
    return n;
}

void hello_build(const struct hello *h, const char *sni, const uint8_t *random, struct str *out)
{
    if (h->version == TLS_SSL2) {
        build_ssl2(h, random, out);
        return;
    }
    struct str body = STR_INIT(HELLO_MAX);
    struct str ext = STR_INIT(HELLO_MAX);
    build_body(h, random, &body);
    if (has_extensions(h)) {
        put_extensions(&ext, h, sni);
        size_t n = 4 + body.len + 2 + ext.len;
        if (n >= 256 && n < 512) {
            size_t pad = n + 4 < 512 ? 512 - n - 4 : 0;
            put16(&ext, EXT_PADDING);
            put16(&ext, pad);
            for (size_t i = 0; i < pad; i++) {
                put8(&ext, 0);
            }
        }
    }
    size_t n_ext = ext.len > 0 ? 2 + ext.len : 0;
    size_t n = body.len + n_ext;
    put8(out, 0x16);
    put16(out, h->version == TLS_SSL3 ? TLS_SSL3 : TLS_10);
    put16(out, 4 + n);
    put8(out, 1);
    put8(out, n >> 16);
    put16(out, n & 0xffffU);
    str_add_bytes(out, str_text(&body), body.len);
    if (n_ext > 0) {
        put16(out, ext.len);
        str_add_bytes(out, ext.data, ext.len);
    }
    if (body.error != 0 || ext.error != 0) {
        out->error = ERR_NOMEM;
    }
    str_done(&body);
    str_done(&ext);
}
