/* Ed25519 keys through OpenSSL EVP. The private key is a PEM file of mode 0600, or stands behind an
 * OpenSSL store URI (TPM, PKCS#11); it never leaves this file's structs. RFC 8032, RFC 8410. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

#include "agent/base/io.h"
#include "agent/evidence/key.h"
#include "agent/evidence/store.h"

#define KEY_FILE_MAX ((size_t)16 << 10)

/* err_set with OpenSSL's own reason; empties its queue so that nothing stale is reported later. */
static int crypto_fail(struct err *e, int code, const char *what)
{
    unsigned long reason = ERR_peek_last_error();
    const char *text = reason != 0 ? ERR_reason_error_string(reason) : NULL;
    ERR_clear_error();
    return err_set(e, code, "%s%s%s", what, text != NULL ? ": " : "", text != NULL ? text : "");
}

/* OpenSSL asks here for a pass phrase: never a prompt, a scan has nobody to answer. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

/* keyid = SHA-256 of the DER SubjectPublicKeyInfo; pem: its text form. */
static int describe_public(EVP_PKEY *pkey, char id[SHA256_HEX], char **ret_pem, struct err *e)
{
    unsigned char *der = NULL;
    int der_n = i2d_PUBKEY(pkey, &der);
    if (der_n <= 0) {
        return crypto_fail(e, ERR_CRYPTO, "public key cannot be encoded");
    }
    int rc = sha256_hex(der, (size_t)der_n, id, e);
    OPENSSL_free(der);
    if (rc != 0) {
        return rc;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, pkey) != 1) {
        BIO_free(bio);
        return crypto_fail(e, ERR_CRYPTO, "public key cannot be written as PEM");
    }
    long n = BIO_get_mem_data(bio, &data);
    char *pem = n > 0 ? strndup(data, (size_t)n) : NULL;
    BIO_free(bio);
    if (pem == NULL) {
        return err_nomem(e);
    }
    *ret_pem = pem;
    return 0;
}

/* Takes pkey over, also on failure. */
static int sign_key_wrap(EVP_PKEY *pkey, const char *name, struct sign_key **ret, struct err *e)
{
    if (EVP_PKEY_is_a(pkey, "ED25519") != 1) {
        EVP_PKEY_free(pkey);
        return err_set(e, ERR_MALFORMED, "%s: not an Ed25519 key", name);
    }
    struct sign_key *k = calloc(1, sizeof(*k));
    if (k == NULL) {
        EVP_PKEY_free(pkey);
        return err_nomem(e);
    }
    int rc = describe_public(pkey, k->id, &k->pem, e);
    if (rc != 0) {
        free(k);
        EVP_PKEY_free(pkey);
        return rc;
    }
    k->pkey = pkey;
    *ret = k;
    return 0;
}

/* OpenSSL's decoder here, not our own: PKCS#8 has more than one form, and a host reads it once. */
int key_from_pem(const char *name, const char *pem, size_t n, struct sign_key **ret, struct err *e)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    if (bio == NULL) {
        return err_nomem(e);
    }
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (pkey == NULL) {
        (void)crypto_fail(e, ERR_MALFORMED, "no private key without a pass phrase in it");
        (void)err_prefix(e, "%s", name);
        return ERR_MALFORMED;
    }
    return sign_key_wrap(pkey, name, ret, e);
}

/* The first private key behind an OSSL_STORE URI. */
static int key_from_store(const char *uri, struct sign_key **ret, struct err *e)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, UI_null(), NULL, NULL, NULL);
    EVP_PKEY *pkey = NULL;
    if (store == NULL) {
        return crypto_fail(e, ERR_CRYPTO, "key store cannot be opened");
    }
    while (pkey == NULL && OSSL_STORE_eof(store) == 0) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
            pkey = OSSL_STORE_INFO_get1_PKEY(info);
        }
        OSSL_STORE_INFO_free(info);
        if (info == NULL && OSSL_STORE_error(store) != 0) {
            break;
        }
    }
    (void)OSSL_STORE_close(store);
    if (pkey == NULL) {
        return crypto_fail(e, ERR_CRYPTO, "no private key in the key store");
    }
    ERR_clear_error();
    return sign_key_wrap(pkey, uri, ret, e);
}

/* True for "scheme:rest" with a scheme of RFC 3986 (a path never looks so: it begins with / or
 * .).*/
static bool is_uri(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    return n > 1 && text[0] >= 'a' && text[0] <= 'z' && text[n] == ':';
}

/* The text of the key is wiped afterwards; what OpenSSL holds, EVP_PKEY_free wipes. */
int sign_key_load(const char *uri, struct sign_key **ret, struct err *e)
{
    if (is_uri(uri)) {
        return key_from_store(uri, ret, e);
    }
    CLEANUP(str) struct str text = STR_INIT(KEY_FILE_MAX);
    int rc = store_read_private(uri, KEY_FILE_MAX, &text, e);
    if (rc == 0 && strncmp(str_text(&text), "uri:", 4) == 0) {
        char *line = text.data + 4;
        line[strcspn(line, "\r\n")] = '\0';
        rc = key_from_store(line, ret, e);
    } else if (rc == 0) {
        rc = key_from_pem(uri, str_text(&text), text.len, ret, e);
    }
    if (text.data != NULL) {
        OPENSSL_cleanse(text.data, text.cap);
    }
    return rc;
}

/* The private half first. Should the power go between the two files, the public one is made again
 * from it (state_key). */
int sign_key_create(const char *path, const char *pub_path, struct sign_key **ret, struct err *e)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct sign_key *k = NULL;
    if (pkey == NULL) {
        return crypto_fail(e, ERR_CRYPTO, "key cannot be made");
    }
    int rc = sign_key_wrap(pkey, path, &k, e);
    if (rc != 0) {
        return rc;
    }
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data = NULL;
    if (bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        rc = crypto_fail(e, ERR_CRYPTO, "private key cannot be written as PEM");
    } else {
        long n = BIO_get_mem_data(bio, &data);
        rc = store_create(path, data, (size_t)n, 0600, e);
    }
    BIO_free(bio); /* wipes its memory */
    if (rc == 0) {
        rc = io_write_atomic(pub_path, k->pem, strlen(k->pem), 0644, e);
    }
    if (rc != 0) {
        sign_key_free(k);
        return rc;
    }
    *ret = k;
    return 0;
}

void sign_key_free(struct sign_key *k)
{
    if (k != NULL) {
        EVP_PKEY_free(k->pkey);
        free(k->pem);
        free(k);
    }
}

const char *sign_key_id(const struct sign_key *k)
{
    return k->id;
}

const char *sign_key_pem(const struct sign_key *k)
{
    return k->pem;
}

/* RFC 8410, 4: the SubjectPublicKeyInfo of an Ed25519 key is these 12 bytes and the 32 of the key;
 * there is no other DER for it. */
static const uint8_t spki_prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                      0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
#define SPKI_BYTES (sizeof(spki_prefix) + 32)
#define PEM_BEGIN "-----BEGIN PUBLIC KEY-----"
#define PEM_END "-----END PUBLIC KEY-----"

/* The DER between the lines of a PEM text (RFC 7468). */
static int decode_pem(const char *pem, size_t n, struct str *der, struct err *e)
{
    CLEANUP(str) struct str digits = STR_INIT(KEY_FILE_MAX);
    const char *begin = memmem(pem, n, PEM_BEGIN, strlen(PEM_BEGIN));
    const char *text = begin != NULL ? begin + strlen(PEM_BEGIN) : pem + n;
    const char *end = memmem(text, (size_t)(pem + n - text), PEM_END, strlen(PEM_END));
    if (end == NULL) {
        return err_set(e, ERR_MALFORMED, "not a public key in PEM (SubjectPublicKeyInfo)");
    }
    for (; text < end; text++) {
        if (strchr(" \t\r\n", *text) == NULL || *text == '\0') {
            str_add_char(&digits, *text);
        }
    }
    int rc = str_error(&digits, e);
    if (rc == 0 && (rc = base64_decode(str_text(&digits), digits.len, der, e)) != 0) {
        rc = err_set(e, ERR_MALFORMED, "public key: its PEM is no base64");
    }
    return rc;
}

/* Reading this fixed form ourselves costs a fortieth of OpenSSL's decoders, and the collector does
 * it for each host. */
int verify_key_pem(const char *pem, size_t n, struct verify_key **ret, struct err *e)
{
    CLEANUP(str) struct str der = STR_INIT(KEY_FILE_MAX);
    if (n > KEY_FILE_MAX) {
        return err_set(e, ERR_MALFORMED, "public key: longer than %zu bytes", KEY_FILE_MAX);
    }
    int rc = decode_pem(pem, n, &der, e);
    if (rc != 0) {
        return rc;
    }
    if (der.len != SPKI_BYTES || memcmp(der.data, spki_prefix, sizeof(spki_prefix)) != 0) {
        return err_set(e, ERR_MALFORMED, "public key: not Ed25519");
    }
    CLEANUP(verify_key) struct verify_key *k = calloc(1, sizeof(*k));
    CLEANUP(str) struct str text = STR_INIT(KEY_FILE_MAX);
    if (k == NULL) {
        return err_nomem(e);
    }
    const uint8_t *raw = (const uint8_t *)der.data + sizeof(spki_prefix);
    k->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, 32);
    if (k->pkey == NULL) {
        return crypto_fail(e, ERR_CRYPTO, "public key cannot be used");
    }
    str_add(&text, PEM_BEGIN "\n");
    base64_encode(der.data, der.len, &text);
    str_add(&text, "\n" PEM_END "\n");
    rc = str_error(&text, e);
    if (rc == 0) {
        rc = sha256_hex(der.data, der.len, k->id, e);
    }
    if (rc != 0) {
        return rc;
    }
    k->pem = str_take(&text, NULL);
    if (k->pem == NULL) {
        return err_nomem(e);
    }
    *ret = TAKE_PTR(k);
    return 0;
}

int verify_key_file(const char *path, struct verify_key **ret, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(KEY_FILE_MAX);
    int rc = io_read_file(path, KEY_FILE_MAX, &text, e);
    if (rc == 0 && (rc = verify_key_pem(str_text(&text), text.len, ret, e)) != 0) {
        rc = err_prefix(e, "%s", path);
    }
    return rc;
}

int verify_key_of(const struct sign_key *k, struct verify_key **ret, struct err *e)
{
    return verify_key_pem(k->pem, strlen(k->pem), ret, e);
}

void verify_key_free(struct verify_key *k)
{
    if (k != NULL) {
        EVP_PKEY_free(k->pkey);
        free(k->pem);
        free(k);
    }
}

const char *verify_key_id(const struct verify_key *k)
{
    return k->id;
}

const char *verify_key_text(const struct verify_key *k)
{
    return k->pem;
}
