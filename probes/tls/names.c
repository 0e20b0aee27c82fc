/* The registries as data. Sources: IANA "TLS Cipher Suites", "TLS Supported Groups". */
#include "probes/tls/names.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/compiler.h"

static const struct {
    uint16_t code;
    const char *word;
} versions[N_VERSIONS] = {{TLS_SSL2, "SSLv2"}, {TLS_SSL3, "SSLv3"}, {TLS_10, "TLS1.0"},
                          {TLS_11, "TLS1.1"},  {TLS_12, "TLS1.2"},  {TLS_13, "TLS1.3"}};

static const struct suite suites[] = {
#define SUITE(number, text, is_13) {.code = (number), .name = (text), .tls13 = (is_13)},
#include "probes/tls/suites.def"
#undef SUITE
};

static const uint16_t common[] = {
    0xC02F, 0xC02B, 0xC030, 0xC02C, 0xCCA8, 0xCCA9, 0xC013, 0xC009, 0xC014, 0xC00A, 0xC027,
    0xC023, 0xC028, 0xC024, 0x009C, 0x009D, 0x002F, 0x0035, 0x003C, 0x003D, 0x000A, 0x0005,
    0x0004, 0x009E, 0x009F, 0x0033, 0x0039, 0xCCAA, 0x0016, 0xC012, 0xC011, 0xC008, 0xC007,
    0x0067, 0x006B, 0x0041, 0x0084, 0x0032, 0x0038, 0x0013, 0x0034, 0x003A, 0x0018, 0xC018};

static const struct {
    uint32_t code;
    const char *name;
} ssl2_ciphers[] = {{0x010080, "SSL_CK_RC4_128_WITH_MD5"},
                    {0x020080, "SSL_CK_RC4_128_EXPORT40_WITH_MD5"},
                    {0x030080, "SSL_CK_RC2_128_CBC_WITH_MD5"},
                    {0x040080, "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5"},
                    {0x050080, "SSL_CK_IDEA_128_CBC_WITH_MD5"},
                    {0x060040, "SSL_CK_DES_64_CBC_WITH_MD5"},
                    {0x060140, "SSL_CK_DES_64_CBC_WITH_SHA"},
                    {0x0700C0, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"},
                    {0x0701C0, "SSL_CK_DES_192_EDE3_CBC_WITH_SHA"},
                    {0x080080, "SSL_CK_RC4_64_WITH_MD5"}};

static const uint16_t groups_13[] = {29,  23,  24,  25,  30, 4588, 4587, 4589, 256,
                                     257, 258, 259, 260, 31, 32,   33,   41};
static const uint16_t groups_12[] = {29, 23, 24, 25, 30, 22, 26, 27, 28, 21, 20, 19, 18, 17, 16,
                                     15, 14, 13, 12, 11, 10, 9,  8,  7,  6,  5,  4,  3,  2,  1};

static const struct {
    uint16_t code;
    const char *name;
} groups[] = {{1, "sect163k1"},
              {2, "sect163r1"},
              {3, "sect163r2"},
              {4, "sect193r1"},
              {5, "sect193r2"},
              {6, "sect233k1"},
              {7, "sect233r1"},
              {8, "sect239k1"},
              {9, "sect283k1"},
              {10, "sect283r1"},
              {11, "sect409k1"},
              {12, "sect409r1"},
              {13, "sect571k1"},
              {14, "sect571r1"},
              {15, "secp160k1"},
              {16, "secp160r1"},
              {17, "secp160r2"},
              {18, "secp192k1"},
              {19, "secp192r1"},
              {20, "secp224k1"},
              {21, "secp224r1"},
              {22, "secp256k1"},
              {23, "secp256r1"},
              {24, "secp384r1"},
              {25, "secp521r1"},
              {26, "brainpoolP256r1"},
              {27, "brainpoolP384r1"},
              {28, "brainpoolP512r1"},
              {29, "x25519"},
              {30, "x448"},
              {31, "brainpoolP256r1tls13"},
              {32, "brainpoolP384r1tls13"},
              {33, "brainpoolP512r1tls13"},
              {41, "curveSM2"},
              {256, "ffdhe2048"},
              {257, "ffdhe3072"},
              {258, "ffdhe4096"},
              {259, "ffdhe6144"},
              {260, "ffdhe8192"},
              {4587, "SecP256r1MLKEM768"},
              {4588, "X25519MLKEM768"},
              {4589, "SecP384r1MLKEM1024"}};

uint16_t version_code(size_t i)
{
    return versions[i].code;
}

const char *version_word(size_t i)
{
    return versions[i].word;
}

const struct suite *suite_all(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(suites);
    return suites;
}

static int compare_code(const void *key, const void *entry)
{
    int a = *(const uint16_t *)key;
    int b = ((const struct suite *)entry)->code;
    return a - b;
}

const struct suite *suite_find(uint16_t code)
{
    return bsearch(&code, suites, ARRAY_LEN(suites), sizeof(suites[0]), compare_code);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

enum suite_kind suite_kind(const struct suite *s)
{
    if (begins(s->name, "TLS_ECDHE_RSA") || begins(s->name, "TLS_ECDHE_ECDSA")) {
        return KIND_ECDHE;
    }
    if (begins(s->name, "TLS_DHE_RSA") || begins(s->name, "TLS_DHE_DSS")) {
        return KIND_DHE;
    }
    return begins(s->name, "TLS_RSA_") && !begins(s->name, "TLS_RSA_PSK") ? KIND_RSA : KIND_OTHER;
}

enum suite_auth suite_auth(const struct suite *s)
{
    if (begins(s->name, "TLS_ECDHE_ECDSA") || begins(s->name, "TLS_ECDH_ECDSA")) {
        return AUTH_ECDSA;
    }
    static const char *const rsa[] = {"TLS_ECDHE_RSA", "TLS_DHE_RSA", "TLS_ECDH_RSA", "TLS_RSA_",
                                      "SSL_RSA_"};
    for (size_t i = 0; i < ARRAY_LEN(rsa); i++) {
        if (begins(s->name, rsa[i])) {
            return AUTH_RSA;
        }
    }
    return AUTH_NONE;
}

const uint16_t *suite_common(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(common);
    return common;
}

const char *ssl2_cipher_name(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(ssl2_ciphers); i++) {
        if (ssl2_ciphers[i].code == code) {
            return ssl2_ciphers[i].name;
        }
    }
    return NULL;
}

uint32_t ssl2_cipher_code(size_t i)
{
    return i < ARRAY_LEN(ssl2_ciphers) ? ssl2_ciphers[i].code : 0;
}

const uint16_t *group_list_13(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(groups_13);
    return groups_13;
}

const uint16_t *group_list_12(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(groups_12);
    return groups_12;
}

const char *group_name(uint16_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (groups[i].code == code) {
            return groups[i].name;
        }
    }
    return NULL;
}
