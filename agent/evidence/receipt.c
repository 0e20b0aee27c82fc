/* Receipts: what the collector signs for each evidence that it has stored. A DSSE envelope like the
 * evidence's, of another payload type, so that neither can be taken for the other. */
#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/evidence/jscan.h"
#include "agent/evidence/state.h"
#include "agent/evidence/store.h"

#define RECEIPT_MAX ((size_t)64 << 10)

/* A text member into a fixed buffer; too long is malformed. */
static int member_text(struct jspan object, const char *key, char *buf, size_t size, struct err *e)
{
    struct jspan v = {0};
    CLEANUP(str) struct str text = STR_INIT(size - 1);
    if (!jspan_member(object, key, &v) || !jspan_text(v, &text) || text.error != 0) {
        return err_set(e, ERR_MALFORMED, "receipt: \"%s\" is missing or not of its type", key);
    }
    memcpy(buf, str_text(&text), text.len + 1);
    return 0;
}

/* ["gap","late"] as "gap,late". */
static int read_flags(struct jspan object, char *buf, size_t size, struct err *e)
{
    struct jspan list = {0}, flag = {0};
    struct jiter it = {0};
    CLEANUP(str) struct str text = STR_INIT(size - 1);
    if (!jspan_member(object, "flags", &list) || *list.p != '[' || !jiter_begin(list, &it)) {
        return err_set(e, ERR_MALFORMED, "receipt: \"flags\" is missing or no array");
    }
    while (jiter_next(&it, NULL, &flag)) {
        if (text.len > 0) {
            str_add_char(&text, ',');
        }
        if (!jspan_text(flag, &text)) {
            return err_set(e, ERR_MALFORMED, "receipt: a flag is no text");
        }
    }
    if (str_error(&text, e) != 0) {
        return err_set(e, ERR_MALFORMED, "receipt: too many flags");
    }
    memcpy(buf, str_text(&text), text.len + 1);
    return 0;
}

/* {"digest","chain","sequence","keyid","received_at","collector","flags"}: the ids become file
 * names and are compared, so their form is checked here once. */
static int read_payload(const struct envelope *env, struct receipt *r, struct err *e)
{
    struct jspan object = {0}, v = {0};
    int rc = jscan_check("receipt", env->payload, env->payload_n, &object, e);
    if (rc == 0 && *object.p != '{') {
        rc = err_set(e, ERR_MALFORMED, "receipt: not an object");
    }
    if (rc == 0) {
        rc = member_text(object, "digest", r->digest, sizeof(r->digest), e);
    }
    if (rc == 0) {
        rc = member_text(object, "chain", r->chain, sizeof(r->chain), e);
    }
    if (rc == 0) {
        rc = member_text(object, "keyid", r->keyid, sizeof(r->keyid), e);
    }
    if (rc == 0) {
        rc = member_text(object, "received_at", r->received_at, sizeof(r->received_at), e);
    }
    if (rc == 0) {
        rc = member_text(object, "collector", r->collector, sizeof(r->collector), e);
    }
    if (rc == 0) {
        rc = read_flags(object, r->flags, sizeof(r->flags), e);
    }
    if (rc == 0 && (!jspan_member(object, "sequence", &v) || !jspan_int(v, &r->sequence))) {
        rc = err_set(e, ERR_MALFORMED, "receipt: \"sequence\" is missing or no number");
    }
    if (rc == 0 && (!hex_is(r->digest, 64) || !hex_is(r->chain, 32) || !hex_is(r->keyid, 64))) {
        rc = err_set(e, ERR_MALFORMED, "receipt: digest, chain or keyid is none");
    }
    return rc;
}

/* Signature, then type, then content: evidence signed with the same key is no receipt. */
int receipt_parse(const struct verify_key *collector, const char *text, size_t n,
                  struct receipt *ret, struct err *e)
{
    CLEANUP(envelope) struct envelope env = {0};
    struct receipt r = {0};
    if (n > RECEIPT_MAX) {
        return err_set(e, ERR_MALFORMED, "receipt: longer than %zu bytes", RECEIPT_MAX);
    }
    int rc = envelope_parse(text, n, &env, e);
    if (rc == 0) {
        rc = envelope_verify(&env, collector, e);
    }
    if (rc != 0) {
        (void)err_prefix(e, "receipt");
        return rc;
    }
    if (strcmp(env.type, PAYLOAD_TYPE_RECEIPT) != 0) {
        return err_set(e, ERR_UNSUPPORTED, "receipt: payload type is not " PAYLOAD_TYPE_RECEIPT);
    }
    rc = read_payload(&env, &r, e);
    if (rc == 0) {
        *ret = r;
    }
    return rc;
}

int receipt_verify(const struct verify_key *collector, const char *text, size_t n,
                   char ret_digest[SHA256_HEX], struct err *e)
{
    struct receipt r = {0};
    int rc = receipt_parse(collector, text, n, &r, e);
    if (rc == 0) {
        memcpy(ret_digest, r.digest, sizeof(r.digest));
    }
    return rc;
}

int receipt_sign(const struct sign_key *collector, const struct receipt *r, struct str *out,
                 struct err *e)
{
    CLEANUP(str) struct str body = STR_INIT(RECEIPT_MAX);
    struct json_out j;
    jout_begin(&j, &body, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "digest", r->digest);
    jout_kv_text(&j, "chain", r->chain);
    jout_kv_int(&j, "sequence", r->sequence);
    jout_kv_text(&j, "keyid", r->keyid);
    jout_kv_text(&j, "received_at", r->received_at);
    jout_kv_text(&j, "collector", r->collector);
    jout_key(&j, "flags");
    jout_open(&j, '[');
    for (const char *p = r->flags; *p != '\0';) {
        size_t n = strcspn(p, ",");
        jout_text_n(&j, p, n);
        p += n + (p[n] == ',');
    }
    jout_close(&j, ']');
    jout_close(&j, '}');
    int rc = str_error(&body, e);
    return rc == 0 ? dsse_sign(collector, PAYLOAD_TYPE_RECEIPT, str_text(&body), body.len, out, e)
                   : rc;
}

/* True if the receipt's envelope lies in our spool under the receipt's chain and sequence. */
static bool is_spooled(const struct state *s, const struct receipt *r)
{
    char name[STORE_NAME_MAX];
    CLEANUP(str) struct str path = STR_INIT(4096);
    (void)snprintf(name, sizeof(name), "%s/%lld-%s.json", r->chain, (long long)r->sequence,
                   r->digest);
    return state_path(s, "spool", name, &path, NULL) == 0 && io_exists(str_text(&path));
}

/* Runs as the uploader's user too, without the lock: it only adds a file, and the recording scan
 * verifies again whatever lies there before it removes anything. */
int receipt_store(struct state *s, const char *text, size_t n, char ret_digest[SHA256_HEX],
                  struct err *e)
{
    CLEANUP(verify_key) struct verify_key *collector = NULL;
    CLEANUP(verify_key) struct verify_key *own = NULL;
    CLEANUP(str) struct str path = STR_INIT(4096);
    struct receipt r = {0};
    char name[STORE_NAME_MAX];
    int rc = state_collector_key(s, &collector, e);
    if (rc == 0) {
        rc = state_public_key(s, &own, e);
    }
    if (rc == 0) {
        rc = receipt_parse(collector, text, n, &r, e);
    }
    if (rc == 0 && strcmp(r.keyid, verify_key_id(own)) != 0) {
        rc = err_set(e, ERR_MISMATCH, "receipt: for another host's key %.16s", r.keyid);
    }
    if (rc == 0) {
        (void)snprintf(name, sizeof(name), "%s.json", r.digest);
        rc = state_path(s, "receipts", name, &path, e);
    }
    if (rc != 0) {
        return rc;
    }
    /* the first one stays: a second for the same digest says the same, and the envelope may have
     * been pruned since */
    if (!io_exists(str_text(&path))) {
        rc = is_spooled(s, &r) ? store_replace(str_text(&path), text, n, s->file_mode, e)
                               : err_set(e, ERR_MISMATCH, "receipt: for no evidence of this spool");
    }
    if (rc == 0) {
        memcpy(ret_digest, r.digest, sizeof(r.digest));
    }
    return rc;
}
