/* Reading and checking a DSSE envelope. Hostile input: size before anything, then strict JSON, then
 * base64, then the signature; only after that does anybody look at the payload. */
#include <string.h>

#include "agent/evidence/jscan.h"
#include "agent/evidence/key.h"

/* A text member, unescaped. */
static int need_text(struct jspan object, const char *key, struct str *out, struct err *e)
{
    struct jspan v = {0};
    if (!jspan_member(object, key, &v) || !jspan_is_text(v)) {
        return err_set(e, ERR_MALFORMED, "envelope: \"%s\" is missing or no text", key);
    }
    (void)jspan_text(v, out);
    return str_error(out, e);
}

/* Base64 of a member, decoded. */
static int need_base64(struct jspan object, const char *key, struct str *out, struct err *e)
{
    struct jspan v = {0};
    int rc = 0;
    if (!jspan_member(object, key, &v) || !jspan_is_text(v)) {
        return err_set(e, ERR_MALFORMED, "envelope: \"%s\" is missing or no text", key);
    }
    if (memchr(v.p, '\\', v.n) != NULL) { /* "\/" is how some writers put a slash */
        CLEANUP(str) struct str plain = STR_INIT(ENVELOPE_MAX);
        (void)jspan_text(v, &plain);
        rc = str_error(&plain, e);
        if (rc == 0) {
            rc = base64_decode(str_text(&plain), plain.len, out, e);
        }
    } else {
        rc = base64_decode(v.p + 1, v.n - 2, out, e);
    }
    return rc == 0 ? 0 : err_prefix(e, "envelope: \"%s\"", key);
}

/* The one signature: sigstore's verifiers take exactly one, and so do we. */
static int read_signature(struct jspan object, struct envelope *env, struct err *e)
{
    struct jspan list = {0}, sig = {0}, more = {0}, keyid = {0};
    struct jiter it = {0};
    if (!jspan_member(object, "signatures", &list) || *list.p != '[') {
        return err_set(e, ERR_MALFORMED, "envelope: \"signatures\" is missing or no array");
    }
    if (!jiter_begin(list, &it) || !jiter_next(&it, NULL, &sig) || jiter_next(&it, NULL, &more)) {
        return err_set(e, ERR_UNSUPPORTED, "envelope: not exactly one signature");
    }
    if (*sig.p != '{') {
        return err_set(e, ERR_MALFORMED, "envelope: a signature is no object");
    }
    if (jspan_member(sig, "keyid", &keyid)) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        if (!jspan_text(keyid, &text)) {
            return err_set(e, ERR_MALFORMED, "envelope: \"keyid\" is no text");
        }
        /* any text is allowed in it; one that cannot be ours narrows nothing */
        if (text.error == 0 && text.len < sizeof(env->keyid)) {
            memcpy(env->keyid, str_text(&text), text.len + 1);
        }
    }
    CLEANUP(str) struct str bytes = STR_INIT(ENVELOPE_MAX);
    int rc = need_base64(sig, "sig", &bytes, e);
    if (rc == 0) {
        /* another length than 64 stays visible in sig_n and fails in envelope_verify */
        env->sig_n = bytes.len;
        size_t n = bytes.len < sizeof(env->sig) ? bytes.len : sizeof(env->sig);
        memcpy(env->sig, str_text(&bytes), n);
    }
    return rc;
}

/* The caller gets the decoded bytes and their digest; nobody decodes the payload a second time, so
 * what was verified is what is read (DSSE, "parse, then verify" attacks). */
int envelope_parse(const char *text, size_t n, struct envelope *ret, struct err *e)
{
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(str) struct str type = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    struct jspan object = {0};
    if (n > ENVELOPE_MAX) {
        return err_set(e, ERR_TRUNCATED, "envelope: longer than %zu bytes", ENVELOPE_MAX);
    }
    int rc = jscan_check("envelope", text, n, &object, e);
    if (rc == 0 && *object.p != '{') {
        rc = err_set(e, ERR_MALFORMED, "envelope: not an object");
    }
    if (rc == 0) {
        rc = need_text(object, "payloadType", &type, e);
    }
    if (rc == 0) {
        rc = need_base64(object, "payload", &payload, e);
    }
    if (rc == 0) {
        rc = read_signature(object, &env, e);
    }
    if (rc == 0) {
        rc = sha256_hex(str_text(&payload), payload.len, env.digest, e);
    }
    if (rc != 0) {
        return rc;
    }
    env.payload_n = payload.len;
    env.payload = payload.len > 0 ? str_take(&payload, NULL) : strdup("");
    env.type = type.len > 0 ? str_take(&type, NULL) : strdup("");
    if (env.payload == NULL || env.type == NULL) {
        return err_nomem(e);
    }
    *ret = env;
    env = (struct envelope){0};
    return 0;
}

/* OpenSSL refuses S >= L (RFC 8032, 5.1.7), so a signature has one form only. */
int envelope_verify(const struct envelope *env, const struct verify_key *k, struct err *e)
{
    if (env->sig_n != sizeof(env->sig)) {
        return err_set(e, ERR_MISMATCH, "signature is %zu bytes long, Ed25519 has 64", env->sig_n);
    }
    CLEANUP(str) struct str pae = STR_INIT(2 * ENVELOPE_MAX + 1024);
    dsse_pae(env->type, env->payload, env->payload_n, &pae);
    int rc = str_error(&pae, e);
    if (rc != 0) {
        return rc;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, k->pkey) != 1) {
        EVP_MD_CTX_free(ctx);
        return err_set(e, ERR_CRYPTO, "signature cannot be checked: OpenSSL refuses the key");
    }
    int good =
        EVP_DigestVerify(ctx, env->sig, env->sig_n, (const unsigned char *)pae.data, pae.len);
    EVP_MD_CTX_free(ctx);
    if (good == 1) {
        return 0;
    }
    /* the key ids are named because the commonest cause is another host's key */
    return err_set(e, ERR_MISMATCH, "signature does not hold (it names key %.16s, tried %.16s)",
                   env->keyid[0] != '\0' ? env->keyid : "none", k->id);
}

void envelope_done(struct envelope *env)
{
    free(env->payload);
    free(env->type);
    *env = (struct envelope){0};
}
