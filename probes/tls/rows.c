/* From what an endpoint answered to rows. */
#include <stdio.h>
#include <string.h>

#include "probes/tls/certificate.h"
#include "probes/tls/tables.h"

#define ANCHORS_MAX ((size_t)4 << 20)

/* --- the endpoint and its versions --- */

static const char *endpoint_state(const struct endpoint *ep)
{
    if (ep->target.blocked != NULL) {
        return NULL; /* it was not looked at */
    }
    if (ep->has_hello || ep->has_alert) {
        return "tls";
    }
    switch (ep->worst) {
    case OUT_NOT_TLS:
    case OUT_STARTTLS:
        return "not-tls";
    case OUT_CONNECT_REFUSED:
        return "refused";
    case OUT_TIMEOUT:
    case OUT_TOO_LONG:
        return "timeout";
    case OUT_CLOSED:
    case OUT_RESET:
    case OUT_MALFORMED:
        return "reset";
    case OUT_UNREACHABLE:
    case OUT_ANSWER:
    case OUT_ALERT:
    default:
        return "unreachable";
    }
}

static void row_endpoint(struct probe_ctx *ctx, const struct endpoint *ep)
{
    static const char *const words[N_STARTTLS] = {"none", "smtp",       "imap",  "pop3", "ldap",
                                                  "ftp",  "postgresql", "mysql", "xmpp"};
    char address[80] = "";
    char detail[256] = "";
    if (ep->target.blocked != NULL) {
        (void)snprintf(detail, sizeof(detail), "%s", ep->target.blocked);
    } else {
        target_address_text(&ep->target, ep->address, address, sizeof(address));
        (void)snprintf(detail, sizeof(detail), "%s%s%s%s", address,
                       ep->worst == OUT_STARTTLS && ep->has_trouble ? "; starttls refused" : "",
                       ep->refused_name ? "; server name refused" : "",
                       ep->target.n_addresses > 1 ? "; other addresses not looked at" : "");
    }
    row_begin(ctx, &table_tls_endpoints);
    row_text(ctx, TE_ENDPOINT, ep->target.name);
    row_text(ctx, TE_HOST, ep->target.host);
    row_int(ctx, TE_PORT, ep->target.port);
    row_text(ctx, TE_SNI, ep->target.sni);
    row_text(ctx, TE_STARTTLS, words[ep->target.starttls]);
    row_text(ctx, TE_STATE, endpoint_state(ep));
    row_text(ctx, TE_DETAIL, detail);
    row_end(ctx);
}

/* Refused takes an endpoint that answers: where nothing at all is accepted, there is nothing to
 * compare a refusal with. */
static const char *version_state(const struct endpoint *ep, size_t v, const char **ret_why)
{
    const struct version_state *vs = &ep->versions[v];
    *ret_why = "";
    if (version_accepted(ep, v)) {
        return "accepted";
    }
    if (ep->target.blocked != NULL) {
        *ret_why = ep->target.blocked;
    } else if (vs->is_unfinished) {
        *ret_why = vs->why;
    } else if (ep->n_answers == 0) {
        *ret_why = ep->has_alert || ep->has_hello ? "nothing-accepted" : endpoint_state(ep);
    } else {
        return "refused";
    }
    return "untested";
}

static void row_versions(struct probe_ctx *ctx, const struct endpoint *ep)
{
    for (size_t v = 0; v < N_VERSIONS; v++) {
        const char *why = "";
        row_begin(ctx, &table_tls_versions);
        row_text(ctx, TV_ENDPOINT, ep->target.name);
        row_text(ctx, TV_VERSION, version_word(v));
        row_text(ctx, TV_STATE, version_state(ep, v, &why));
        row_text(ctx, TV_REASON, why);
        row_end(ctx);
    }
}

/* --- suites and groups --- */

/* 1 the server's own favourite, 0 it follows the client, -1 not known. */
static int preference(const int first[2], size_t n, uint16_t front, uint16_t back, uint16_t of)
{
    if (n == 1) {
        return 1;
    }
    if (first[0] < 0 || first[1] < 0) {
        return -1;
    }
    if (first[0] == first[1]) {
        return first[0] == of ? 1 : -1;
    }
    return first[0] == front && first[1] == back ? 0 : -1;
}

static void row_suite(struct probe_ctx *ctx, const char *endpoint, const char *version,
                      const char *name, int64_t code, int order)
{
    row_begin(ctx, &table_tls_suites);
    row_text(ctx, TS_ENDPOINT, endpoint);
    row_text(ctx, TS_VERSION, version);
    row_text(ctx, TS_SUITE, name);
    row_int(ctx, TS_CODE, code);
    if (order >= 0) {
        row_int(ctx, TS_PREFERENCE, order);
    }
    row_end(ctx);
}

static void row_suites(struct probe_ctx *ctx, const struct endpoint *ep)
{
    for (size_t i = 0; i < ep->versions[0].n_ssl2; i++) {
        char number[32];
        const char *name = ssl2_cipher_name(ep->versions[0].ssl2[i]);
        (void)snprintf(number, sizeof(number), "SSL_CK_%06X", ep->versions[0].ssl2[i]);
        row_suite(ctx, ep->target.name, "SSLv2", name != NULL ? name : number,
                  ep->versions[0].ssl2[i], 0); /* in SSLv2 the client chooses */
    }
    for (size_t v = 1; v < N_VERSIONS; v++) {
        const struct version_state *vs = &ep->versions[v];
        for (size_t i = 0; i < vs->n_suites; i++) {
            const struct suite *s = suite_find(vs->suites[i]);
            row_suite(ctx, ep->target.name, version_word(v), s != NULL ? s->name : "unknown",
                      vs->suites[i],
                      preference(vs->first, vs->n_suites, vs->suites[0],
                                 vs->suites[vs->n_suites - 1], vs->suites[i]));
        }
    }
}

static void row_group(struct probe_ctx *ctx, const struct endpoint *ep, size_t v, const char *name,
                      int order)
{
    row_begin(ctx, &table_tls_groups);
    row_text(ctx, TG_ENDPOINT, ep->target.name);
    row_text(ctx, TG_VERSION, version_word(v));
    row_text(ctx, TG_GRP, name);
    if (order >= 0) {
        row_int(ctx, TG_PREFERENCE, order);
    }
    row_end(ctx);
}

/* Well-known primes begin with 64 ones and then pi (RFC 2409, 3526) or e (RFC 7919). */
static void dh_name(const struct version_state *vs, char *buf, size_t n)
{
    static const uint8_t pi[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34};
    static const uint8_t e[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a};
    if (memcmp(vs->dh_head, e, sizeof(e)) == 0) {
        (void)snprintf(buf, n, "ffdhe%u", vs->dh_bits);
    } else {
        (void)snprintf(buf, n, "%s%u", memcmp(vs->dh_head, pi, sizeof(pi)) == 0 ? "modp" : "dh",
                       vs->dh_bits);
    }
}

static void row_groups(struct probe_ctx *ctx, const struct endpoint *ep)
{
    for (size_t v = 1; v < N_VERSIONS; v++) {
        const struct version_state *vs = &ep->versions[v];
        for (size_t i = 0; i < vs->n_groups; i++) {
            const char *name = group_name(vs->groups[i]);
            row_group(ctx, ep, v, name != NULL ? name : "unknown",
                      preference(vs->first_group, vs->n_groups, vs->groups[0],
                                 vs->groups[vs->n_groups - 1], vs->groups[i]));
        }
        if (vs->dh_bits > 0) {
            char name[32];
            dh_name(vs, name, sizeof(name));
            row_group(ctx, ep, v, name, 1); /* the prime is the server's to choose */
        }
    }
}

/* --- certificates --- */

struct anchors {
    struct trust *trust;
    bool tried;
};

static void system_anchors(const struct host *h, struct anchors *a)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    for (size_t i = 0; !a->tried && a->trust == NULL && i < ARRAY_LEN(files); i++) {
        CLEANUP(str) struct str pem = STR_INIT(ANCHORS_MAX);
        struct err e = {0};
        if (host_read(h, files[i], ANCHORS_MAX, &pem, &e) == 0 &&
            trust_from_pem(pem.data, pem.len, &a->trust, &e) != 0) {
            a->trust = NULL;
        }
    }
    a->tried = true;
}

/* The word of what is wrong with the chain; judged says whether it could be judged at all. */
struct judgement {
    bool name_ok, chain_ok, judged;
    char word[80];
};

static int judge(const struct host *h, const struct endpoint *ep, const struct reply *chain,
                 struct anchors *system, struct judgement *ret, struct err *e)
{
    const char *trust_text = ep->target.trust;
    struct trust *own = NULL;
    const struct trust *use = NULL;
    *ret = (struct judgement){.judged = true};
    const char *why = "trust-store: none readable";
    if (trust_text[0] == '\0') {
        system_anchors(h, system);
        use = system->trust;
    } else if (trust_text[0] == '!') {
        why = trust_text + 1;
    } else if (trust_from_pem(trust_text, strlen(trust_text), &own, e) == 0) {
        use = own;
    } else {
        why = "ca-file: holds no certificate";
    }
    char word[80];
    int rc = chain_judge(chain, use, target_name(&ep->target), target_is_address(&ep->target),
                         time_now_s(), &ret->name_ok, &ret->chain_ok, word, e);
    (void)snprintf(ret->word, sizeof(ret->word), "%.79s", use != NULL ? word : why);
    ret->judged = use != NULL;
    trust_free(own);
    return rc;
}

static void row_certificate(struct probe_ctx *ctx, const char *endpoint, const char *chain,
                            int64_t depth, const struct certificate_facts *f,
                            const struct judgement *j)
{
    row_begin(ctx, &table_tls_certificates);
    row_text(ctx, TC_ENDPOINT, endpoint);
    row_text(ctx, TC_CHAIN, chain);
    row_int(ctx, TC_DEPTH, depth);
    row_text(ctx, TC_SUBJECT, f->subject);
    row_text(ctx, TC_ISSUER, f->issuer);
    row_text(ctx, TC_NOT_BEFORE, f->not_before[0] != '\0' ? f->not_before : NULL);
    row_text(ctx, TC_NOT_AFTER, f->not_after[0] != '\0' ? f->not_after : NULL);
    row_text(ctx, TC_KEY_TYPE, f->key_type);
    row_int(ctx, TC_KEY_BITS, f->key_bits);
    row_text(ctx, TC_SIGNATURE, f->signature);
    row_text(ctx, TC_SHA256, f->sha256);
    row_int(ctx, TC_NAME_OK, j->name_ok ? 1 : 0);
    if (j->judged) {
        row_int(ctx, TC_CHAIN_OK, j->chain_ok ? 1 : 0);
    }
    row_text(ctx, TC_CHAIN_ERROR, j->word);
    row_end(ctx);
}

/* False if something of the chain could not be read. */
static bool row_chain(struct probe_ctx *ctx, const struct endpoint *ep, size_t c,
                      struct anchors *system)
{
    struct judgement j;
    const struct reply *chain = &ep->chains[c];
    struct err e = {0};
    size_t n = 0;
    if (judge(probe_host(ctx), ep, chain, system, &j, &e) != 0) {
        return false;
    }
    char name[16] = "";
    const uint8_t *der = NULL;
    bool whole = true;
    for (size_t i = 0; (der = reply_certificate(chain, i, &n)) != NULL; i++) {
        struct certificate_facts f;
        if (certificate_read(der, n, &f, &e) != 0) {
            whole = false;
            certificate_facts_done(&f);
            continue;
        }
        if (i == 0) {
            (void)snprintf(name, sizeof(name), "%s", f.key_type);
        }
        row_certificate(ctx, ep->target.name, name, (int64_t)i, &f, &j);
        certificate_facts_done(&f);
    }
    return whole;
}

/* A server may show the same chain whatever is asked for. */
static bool is_repeated(const struct endpoint *ep, size_t c)
{
    for (size_t i = 0; i < c; i++) {
        size_t a_n = 0;
        size_t b_n = 0;
        const uint8_t *a = ep->has_chain[i] ? reply_certificate(&ep->chains[i], 0, &a_n) : NULL;
        const uint8_t *b = reply_certificate(&ep->chains[c], 0, &b_n);
        if (a != NULL && b != NULL && a_n == b_n && memcmp(a, b, a_n) == 0) {
            return true;
        }
    }
    return false;
}

static void row_certificates(struct probe_ctx *ctx, const struct endpoint *ep,
                             struct anchors *system)
{
    for (size_t c = 0; c < CHAINS_MAX; c++) {
        if (ep->has_chain[c] && !is_repeated(ep, c) && !row_chain(ctx, ep, c, system)) {
            probe_state(ctx, &table_tls_certificates, STATE_TRUNCATED, "certificate: %s",
                        ep->target.name);
        }
    }
}

/* --- states --- */

static void states(struct probe_ctx *ctx, const struct endpoint *ep)
{
    bool seen = ep->n_answers > 0;
    bool suites = !seen;
    bool groups = !seen;
    for (size_t v = 0; v < N_VERSIONS; v++) {
        const struct version_state *vs = &ep->versions[v];
        suites = suites || vs->is_unfinished;
        groups = groups || vs->is_unfinished || (version_accepted(ep, v) && vs->groups_unfinished);
    }
    if (suites) {
        probe_state(ctx, &table_tls_suites, STATE_TRUNCATED, "unfinished: %s", ep->target.name);
    }
    if (groups) {
        probe_state(ctx, &table_tls_groups, STATE_TRUNCATED, "unfinished: %s", ep->target.name);
    }
    if (!seen || ep->chains_unfinished) {
        probe_state(ctx, &table_tls_certificates, STATE_TRUNCATED, "unfinished: %s",
                    ep->target.name);
    }
}

int rows_all(struct probe_ctx *ctx, const struct endpoint *list, size_t n, struct err *e)
{
    struct anchors system = {0};
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        const struct endpoint *ep = &list[i];
        row_endpoint(ctx, ep);
        row_versions(ctx, ep);
        row_suites(ctx, ep);
        row_groups(ctx, ep);
        if (probe_wants(ctx, &table_tls_certificates)) {
            row_certificates(ctx, ep, &system);
        }
        states(ctx, ep);
        rc = ep->error != 0 ? err_nomem(e) : rc;
    }
    trust_free(system.trust);
    return rc;
}
