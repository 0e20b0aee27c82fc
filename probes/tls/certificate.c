#include "probes/tls/certificate.h"

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 64U

struct trust {
    X509_STORE *store;
};

static X509 *parse(const uint8_t *der, size_t n)
{
    const unsigned char *p = der;
    X509 *x = n <= REPLY_CERTS_MAX ? d2i_X509(NULL, &p, (long)n) : NULL;
    if (x != NULL && p != der + n) { /* bytes behind it */
        X509_free(x);
        x = NULL;
    }
    return x;
}

int trust_from_pem(const char *pem, size_t n, struct trust **ret, struct err *e)
{
    BIO *in = BIO_new_mem_buf(pem, (int)n);
    struct trust *t = calloc(1, sizeof(*t));
    size_t found = 0;
    if (t != NULL) {
        t->store = X509_STORE_new();
    }
    if (in == NULL || t == NULL || t->store == NULL) {
        BIO_free(in);
        trust_free(t);
        return err_nomem(e);
    }
    for (X509 *x = NULL; (x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL)) != NULL; found++) {
        (void)X509_STORE_add_cert(t->store, x); /* the store has its own reference */
        X509_free(x);
    }
    BIO_free(in);
    if (found == 0) {
        trust_free(t);
        return err_set(e, ERR_ABSENT, "no certificate in the list of trust anchors");
    }
    *ret = t;
    return 0;
}

void trust_free(struct trust *t)
{
    if (t != NULL) {
        X509_STORE_free(t->store);
        free(t);
    }
}

uint16_t certificate_curve(const uint8_t *der, size_t n)
{
    static const struct {
        const char *name;
        uint16_t group;
    } curves[] = {{"prime256v1", 23},      {"secp384r1", 24},       {"secp521r1", 25},
                  {"secp256k1", 22},       {"brainpoolP256r1", 26}, {"brainpoolP384r1", 27},
                  {"brainpoolP512r1", 28}, {"secp224r1", 21},       {"prime192v1", 19}};
    char name[64] = "";
    X509 *x = parse(der, n);
    EVP_PKEY *key = x != NULL ? X509_get0_pubkey(x) : NULL;
    uint16_t group = 0;
    if (key != NULL && EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) == 1) {
        for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
            group = strcmp(curves[i].name, name) == 0 ? curves[i].group : group;
        }
    }
    X509_free(x);
    return group;
}

static char *name_text(const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *ret = NULL;
    if (out != NULL &&
        X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        long n = BIO_get_mem_data(out, &text);
        ret = n >= 0 ? strndup(text, (size_t)n) : NULL;
    }
    BIO_free(out);
    return ret;
}

static void time_text(const ASN1_TIME *t, char buf[TIME_TEXT_MAX])
{
    struct tm tm;
    memset(&tm, 0, sizeof(tm));
    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        buf[0] = '\0';
        return;
    }
    /* Reduced so that no year, however silly, can outgrow the buffer. */
    (void)snprintf(buf, TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ",
                   (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                   (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
                   (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

static const char *key_word(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return "rsa";
    case EVP_PKEY_RSA_PSS:
        return "rsa-pss";
    case EVP_PKEY_EC:
        return "ec";
    case EVP_PKEY_ED25519:
        return "ed25519";
    case EVP_PKEY_ED448:
        return "ed448";
    case EVP_PKEY_DSA:
        return "dsa";
    default:
        return "other";
    }
}

int certificate_read(const uint8_t *der, size_t n, struct certificate_facts *ret, struct err *e)
{
    memset(ret, 0, sizeof(*ret));
    X509 *x = parse(der, n);
    if (x == NULL) {
        return err_set(e, ERR_MALFORMED, "not a certificate");
    }
    ret->subject = name_text(X509_get_subject_name(x));
    ret->issuer = name_text(X509_get_issuer_name(x));
    time_text(X509_get0_notBefore(x), ret->not_before);
    time_text(X509_get0_notAfter(x), ret->not_after);
    const EVP_PKEY *key = X509_get0_pubkey(x);
    (void)snprintf(ret->key_type, sizeof(ret->key_type), "%s",
                   key != NULL ? key_word(key) : "other");
    ret->key_bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;
    const char *signature = OBJ_nid2sn(X509_get_signature_nid(x));
    (void)snprintf(ret->signature, sizeof(ret->signature), "%s",
                   signature != NULL ? signature : "other");
    X509_free(x);
    return sha256_hex(der, n, ret->sha256, e);
}

void certificate_facts_done(struct certificate_facts *f)
{
    free(f->subject);
    free(f->issuer);
}

static const char *error_word(int code)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "not-yet-valid";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "untrusted-root";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "unknown-issuer";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "bad-signature";
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        return "not-for-this-use";
    default:
        return "invalid";
    }
}

static bool verify(X509 *leaf, STACK_OF(X509) * others, const struct trust *t, int64_t time_s,
                   char word[80])
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = ctx != NULL && X509_STORE_CTX_init(ctx, t->store, leaf, others) == 1;
    if (good) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)time_s);
        (void)X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
        /* An intermediate or the leaf itself may have been declared as the anchor. */
        (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        good = X509_verify_cert(ctx) == 1;
        if (!good) {
            int code = X509_STORE_CTX_get_error(ctx);
            (void)snprintf(word, 80, "%s: at depth %d", error_word(code),
                           X509_STORE_CTX_get_error_depth(ctx));
        }
    } else {
        (void)snprintf(word, 80, "invalid");
    }
    X509_STORE_CTX_free(ctx);
    return good;
}

int chain_judge(const struct reply *chain, const struct trust *t, const char *name, bool is_address,
                int64_t time_s, bool *ret_name_ok, bool *ret_chain_ok, char word[80], struct err *e)
{
    size_t n = 0;
    const uint8_t *der = reply_certificate(chain, 0, &n);
    X509 *leaf = der != NULL ? parse(der, n) : NULL;
    STACK_OF(X509) *others = sk_X509_new_null();
    if (leaf == NULL || others == NULL) {
        X509_free(leaf);
        sk_X509_free(others);
        return err_set(e, ERR_MALFORMED, "the first certificate does not parse");
    }
    for (size_t i = 1; i < CHAIN_MAX && (der = reply_certificate(chain, i, &n)) != NULL; i++) {
        X509 *x = parse(der, n);
        if (x != NULL && sk_X509_push(others, x) <= 0) {
            X509_free(x);
        }
    }
    word[0] = '\0';
    *ret_name_ok = is_address ? X509_check_ip_asc(leaf, name, 0) == 1
                              : X509_check_host(leaf, name, 0, 0, NULL) == 1;
    *ret_chain_ok = t != NULL && verify(leaf, others, t, time_s, word);
    sk_X509_pop_free(others, X509_free);
    X509_free(leaf);
    return 0;
}
