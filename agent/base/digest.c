/* Hashes, random, hexadecimal, base64. Keys and signatures are made elsewhere (agent/evidence). */
#include "agent/base/digest.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

struct digest {
    EVP_MD_CTX *md;
};

int sha256(const void *data, size_t n, uint8_t out[SHA256_BYTES], struct err *e)
{
    unsigned len = 0;
    /* OpenSSL wants a pointer even for no bytes. */
    if (EVP_Digest(n > 0 ? data : "", n, out, &len, EVP_sha256(), NULL) != 1 ||
        len != SHA256_BYTES) {
        return err_set(e, ERR_CRYPTO, "OpenSSL cannot compute SHA-256");
    }
    return 0;
}

int sha256_hex(const void *data, size_t n, char out[SHA256_HEX], struct err *e)
{
    uint8_t sum[SHA256_BYTES];
    int rc = sha256(data, n, sum, e);
    if (rc == 0) {
        hex_encode(sum, sizeof(sum), out);
    }
    return rc;
}

int digest_new(struct digest **ret, struct err *e)
{
    CLEANUP(digest) struct digest *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return err_nomem(e);
    }
    d->md = EVP_MD_CTX_new();
    if (d->md == NULL) {
        return err_nomem(e);
    }
    if (EVP_DigestInit_ex(d->md, EVP_sha256(), NULL) != 1) {
        return err_set(e, ERR_CRYPTO, "OpenSSL cannot begin SHA-256");
    }
    *ret = TAKE_PTR(d);
    return 0;
}

int digest_part(struct digest *d, const void *data, size_t n, struct err *e)
{
    uint8_t length[8];
    for (size_t i = 0; i < sizeof(length); i++) {
        length[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
    }
    if (EVP_DigestUpdate(d->md, length, sizeof(length)) != 1 ||
        (n > 0 && EVP_DigestUpdate(d->md, data, n) != 1)) {
        return err_set(e, ERR_CRYPTO, "OpenSSL cannot continue SHA-256");
    }
    return 0;
}

int digest_finish(struct digest *d, char out[SHA256_HEX], struct err *e)
{
    uint8_t sum[SHA256_BYTES];
    unsigned len = 0;
    if (EVP_DigestFinal_ex(d->md, sum, &len) != 1 || len != sizeof(sum)) {
        return err_set(e, ERR_CRYPTO, "OpenSSL cannot finish SHA-256");
    }
    hex_encode(sum, sizeof(sum), out);
    return 0;
}

void digest_free(struct digest *d)
{
    if (d != NULL) {
        EVP_MD_CTX_free(d->md);
        free(d);
    }
}

int hmac_sha256_hex(const void *key, size_t key_n, const void *data, size_t n, char out[SHA256_HEX],
                    struct err *e)
{
    uint8_t sum[SHA256_BYTES];
    unsigned len = 0;
    if (key_n > INT_MAX) {
        return err_set(e, ERR_CRYPTO, "key of HMAC is too long");
    }
    /* A NULL key would mean "the key of last time". */
    if (HMAC(EVP_sha256(), key_n > 0 ? key : "", (int)key_n, data, n, sum, &len) == NULL ||
        len != sizeof(sum)) {
        return err_set(e, ERR_CRYPTO, "OpenSSL cannot compute HMAC-SHA-256");
    }
    hex_encode(sum, sizeof(sum), out);
    return 0;
}

void hex_encode(const void *data, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 0x0FU];
    }
    out[2 * n] = '\0';
}

bool hex_is(const char *text, size_t n_digits)
{
    for (size_t i = 0; i < n_digits; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        bool letter = text[i] >= 'a' && text[i] <= 'f';
        if (!digit && !letter) {
            return false; /* also the NUL of a shorter text */
        }
    }
    return text[n_digits] == '\0';
}

int random_bytes(void *out, size_t n, struct err *e)
{
    unsigned char *p = out;
    while (n > 0) {
        int step = n > INT_MAX ? INT_MAX : (int)n;
        if (RAND_bytes(p, step) != 1) {
            return err_set(e, ERR_CRYPTO, "OpenSSL has no random bytes");
        }
        p += step;
        n -= (size_t)step;
    }
    return 0;
}

int random_uuid(char out[37], struct err *e)
{
    uint8_t b[16];
    int rc = random_bytes(b, sizeof(b), e);
    if (rc != 0) {
        return rc;
    }
    b[6] = (uint8_t)((b[6] & 0x0FU) | 0x40U); /* RFC 9562: version 4 */
    b[8] = (uint8_t)((b[8] & 0x3FU) | 0x80U); /* variant */
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    size_t from = 0;
    for (size_t g = 0; g < sizeof(groups); g++) {
        hex_encode(b + from, groups[g], out);
        out += (size_t)groups[g] * 2;
        from += groups[g];
        *out++ = '-';
    }
    out[-1] = '\0';
    return 0;
}

/* Bytes are put together here and handed to the buffer in one go: envelopes run to a megabyte. A
 * multiple of 3 and of 4. */
#define BASE64_CHUNK 3072U

void base64_encode(const void *data, size_t n, struct str *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = data;
    char chunk[BASE64_CHUNK];
    size_t fill = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
        v |= i + 2 < n ? (uint32_t)p[i + 2] : 0;
        chunk[fill] = alphabet[v >> 18];
        chunk[fill + 1] = alphabet[(v >> 12) & 63U];
        chunk[fill + 2] = (char)(i + 1 < n ? alphabet[(v >> 6) & 63U] : '=');
        chunk[fill + 3] = (char)(i + 2 < n ? alphabet[v & 63U] : '=');
        fill += 4;
        if (fill == sizeof(chunk)) {
            str_add_bytes(out, chunk, fill);
            fill = 0;
        }
    }
    str_add_bytes(out, chunk, fill);
}

/* Value + 1 of a digit of either alphabet (RFC 4648, 4 and 5); 0 for none. */
static const uint8_t base64_values[256] = {
    ['+'] = 63, ['-'] = 63, ['/'] = 64, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57,
    ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['A'] = 1,  ['B'] = 2,  ['C'] = 3,
    ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11,
    ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
    ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['_'] = 64,
    ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34,
    ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50,
    ['y'] = 51, ['z'] = 52,
};

/* Number of digits once correct padding is taken off; SIZE_MAX if the padding is wrong. */
static size_t base64_digits(const char *text, size_t n)
{
    size_t pad = 0;
    while (pad < n && text[n - 1 - pad] == '=') {
        pad++;
    }
    if (pad > 2 || (pad > 0 && n % 4 != 0) || (n - pad) % 4 == 1) {
        return SIZE_MAX;
    }
    return n - pad;
}

static int base64_foreign(const char *text, size_t from, size_t digits, struct err *e)
{
    while (from + 1 < digits && base64_values[(unsigned char)text[from]] != 0) {
        from++;
    }
    return err_set(e, ERR_MALFORMED, "base64 text has a foreign character at byte %zu", from);
}

int base64_decode(const char *text, size_t n, struct str *out, struct err *e)
{
    size_t digits = base64_digits(text, n);
    if (digits == SIZE_MAX) {
        return err_set(e, ERR_MALFORMED, "base64 text of %zu bytes has a wrong length or padding",
                       n);
    }
    uint8_t chunk[BASE64_CHUNK];
    size_t fill = 0;
    size_t i = 0;
    /* Four digits are three bytes: the accept path of a collector spends its time here. */
    for (; i + 4 <= digits; i += 4) {
        uint32_t a = base64_values[(unsigned char)text[i]];
        uint32_t b = base64_values[(unsigned char)text[i + 1]];
        uint32_t c = base64_values[(unsigned char)text[i + 2]];
        uint32_t d = base64_values[(unsigned char)text[i + 3]];
        if (a == 0 || b == 0 || c == 0 || d == 0) {
            return base64_foreign(text, i, digits, e);
        }
        uint32_t group = ((a - 1) << 18) | ((b - 1) << 12) | ((c - 1) << 6) | (d - 1);
        chunk[fill++] = (uint8_t)(group >> 16);
        chunk[fill++] = (uint8_t)(group >> 8);
        chunk[fill++] = (uint8_t)group;
        if (fill + 3 > sizeof(chunk)) {
            str_add_bytes(out, chunk, fill);
            fill = 0;
        }
    }
    uint32_t bits = 0;
    unsigned n_bits = 0;
    for (; i < digits; i++) {
        uint32_t value = base64_values[(unsigned char)text[i]];
        if (value == 0) {
            return base64_foreign(text, i, digits, e);
        }
        bits = (bits << 6) | (value - 1);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            chunk[fill++] = (uint8_t)(bits >> n_bits);
            bits &= (1U << n_bits) - 1U;
        }
    }
    /* Left-over bits that are not zero would be a second text for the same bytes (RFC 4648, 3.5):
     * refused, so that an envelope cannot be altered without notice. */
    if (bits != 0) {
        return err_set(e, ERR_MALFORMED, "base64 text has stray bits at its end");
    }
    str_add_bytes(out, chunk, fill);
    return str_error(out, e);
}
