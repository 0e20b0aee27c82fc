/* Signing of a DSSE envelope (DSSE 1.0.2, protocol.md) with pure Ed25519: the message is the PAE
 * itself, no digest before it. */
#include <string.h>

#include "agent/evidence/key.h"

/* PAE of DSSE 1.0.2, what is signed and verified:
 *
 *   "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body
 *
 * LEN is the number of bytes in decimal; the lengths make it impossible to move a byte from the
 * type into the body. */
void dsse_pae(const char *type, const void *body, size_t n, struct str *out)
{
    str_addf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, n);
    str_add_bytes(out, body, n);
}

/* The 64 bytes of the signature over the PAE. */
static int sign_pae(const struct sign_key *k, const struct str *pae, uint8_t sig[64], struct err *e)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 64;
    bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
                EVP_DigestSign(ctx, sig, &n, (const unsigned char *)pae->data, pae->len) == 1 &&
                n == 64;
    EVP_MD_CTX_free(ctx);
    return good ? 0 : err_set(e, ERR_CRYPTO, "signing failed");
}

/* A JSON string of base64: nothing in that alphabet needs escaping. */
static int add_base64(struct json_out *j, const void *data, size_t n, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(2 * ENVELOPE_MAX);
    str_add_char(&text, '"');
    base64_encode(data, n, &text);
    str_add_char(&text, '"');
    int rc = str_error(&text, e);
    if (rc == 0) {
        jout_raw(j, str_text(&text), text.len);
    }
    return rc;
}

/* One signature, always: verifiers in the wild (sigstore's) take exactly one. The envelope ends
 * without a newline, so that a line of an export is the file of the spool. */
int dsse_sign(const struct sign_key *k, const char *type, const void *body, size_t n,
              struct str *out, struct err *e)
{
    uint8_t sig[64];
    CLEANUP(str) struct str pae = STR_INIT(ENVELOPE_MAX + 1024);
    dsse_pae(type, body, n, &pae);
    int rc = str_error(&pae, e);
    if (rc == 0) {
        rc = sign_pae(k, &pae, sig, e);
    }
    if (rc != 0) {
        return rc;
    }
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    jout_key(&j, "payload");
    rc = add_base64(&j, body, n, e);
    jout_kv_text(&j, "payloadType", type);
    jout_key(&j, "signatures");
    jout_open(&j, '[');
    jout_open(&j, '{');
    jout_kv_text(&j, "keyid", k->id);
    jout_key(&j, "sig");
    if (rc == 0) {
        rc = add_base64(&j, sig, sizeof(sig), e);
    }
    jout_close(&j, '}');
    jout_close(&j, ']');
    jout_close(&j, '}');
    return rc == 0 ? str_error(out, e) : rc;
}
