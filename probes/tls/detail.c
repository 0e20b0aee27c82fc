/* After versions and suites: whose certificates, which groups, and whose order counts. */
#include <stdio.h>
#include <string.h>

#include "probes/tls/certificate.h"
#include "probes/tls/survey.h"

#define ORDER_MAX 97U
#define V13 (N_VERSIONS - 1U)

bool version_accepted(const struct endpoint *ep, size_t i)
{
    const struct version_state *vs = &ep->versions[i];
    return i == 0 ? vs->confirmed : vs->n_suites > 0;
}

/* The accepted suites of a version that are of these kinds and authentications (bit masks). */
static size_t pick(const struct version_state *vs, unsigned kinds, unsigned auths, uint16_t *out,
                   size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < vs->n_suites && n < max; i++) {
        const struct suite *s = suite_find(vs->suites[i]);
        if (s != NULL && (kinds >> suite_kind(s) & 1U) != 0 && (auths >> suite_auth(s) & 1U) != 0) {
            out[n++] = vs->suites[i];
        }
    }
    return n;
}

#define ANY_KIND ((1U << N_KINDS) - 1U)
#define ANY_AUTH (1U << AUTH_RSA | 1U << AUTH_ECDSA | 1U << AUTH_NONE)

static void ask_certificates_12(struct endpoint *ep, unsigned v)
{
    static const enum suite_auth auths[] = {AUTH_RSA, AUTH_ECDSA};
    for (unsigned c = 0; c < ARRAY_LEN(auths); c++) {
        uint16_t list[ORDER_MAX];
        size_t n = pick(&ep->versions[v], ANY_KIND, 1U << auths[c], list, 16);
        struct ask *a = n > 0 ? survey_ask(ep, ASK_CERTIFICATE, v, list, n) : NULL;
        if (a != NULL) {
            a->want = WANT_CERTIFICATE;
            a->chain = c;
            survey_push(ep, a);
        }
    }
}

static void ask_certificates_13(struct endpoint *ep)
{
    static const enum hello_sigs sigs[CHAINS_MAX] = {SIGS_RSA, SIGS_ECDSA, SIGS_EDDSA};
    const struct version_state *vs = &ep->versions[V13];
    uint16_t list[8];
    size_t n = 0;
    uint16_t group = 0;
    for (size_t i = 0; i < vs->n_suites && n < ARRAY_LEN(list); i++) {
        if (vs->suites[i] >= 0x1301 && vs->suites[i] <= 0x1303) {
            list[n++] = vs->suites[i];
        }
    }
    for (size_t i = 0; i < vs->n_groups && group == 0; i++) {
        group = secret13_can(vs->groups[i]) ? vs->groups[i] : 0;
    }
    if (n == 0 || group == 0) {
        ep->chains_unfinished = true;
        return;
    }
    for (unsigned c = 0; c < CHAINS_MAX; c++) {
        struct ask *a = survey_ask(ep, ASK_CERTIFICATE, V13, list, n);
        if (a == NULL) {
            return;
        }
        a->want = WANT_CERTIFICATE;
        a->chain = c;
        a->hello.sigs = sigs[c];
        if (secret13_new(group, &a->hello, &a->secret, NULL) < 0) {
            ep->chains_unfinished = true;
            ask_free(a);
            return;
        }
        survey_push(ep, a);
    }
}

static void ask_order(struct endpoint *ep, unsigned v)
{
    const struct version_state *vs = &ep->versions[v];
    if (vs->n_suites < 2 || vs->n_suites > ORDER_MAX || version_code(v) == TLS_SSL2) {
        return;
    }
    for (unsigned back = 0; back < 2; back++) {
        struct ask *a = survey_ask(ep, ASK_ORDER, v, vs->suites, vs->n_suites);
        if (a == NULL) {
            return;
        }
        for (size_t i = 0; back == 1 && i < vs->n_suites; i++) {
            a->hello.suites[i] = vs->suites[vs->n_suites - 1 - i];
        }
        a->is_backward = back == 1;
        survey_push(ep, a);
    }
}

static void push_groups(struct endpoint *ep, enum purpose purpose, unsigned v,
                        const uint16_t *suites, size_t n, const uint16_t *groups, size_t n_groups)
{
    struct ask *a = n > 0 ? survey_ask(ep, purpose, v, suites, n) : NULL;
    if (a != NULL) {
        a->want = version_code(v) == TLS_13 ? WANT_HELLO : WANT_EXCHANGE;
        survey_groups(a, groups, n_groups);
        survey_push(ep, a);
    }
}

/* Suites whose key exchange names a curve. RSA's if there are any: with ECDSA the list of curves
 * binds the certificate too. */
static size_t curve_suites(const struct version_state *vs, uint16_t *list, size_t max)
{
    size_t n = pick(vs, 1U << KIND_ECDHE, 1U << AUTH_RSA, list, max);
    return n > 0 ? n : pick(vs, 1U << KIND_ECDHE, 1U << AUTH_ECDSA, list, max);
}

static void ask_groups(struct endpoint *ep, unsigned v)
{
    const struct version_state *vs = &ep->versions[v];
    uint16_t list[32];
    size_t n_groups = 0;
    if (version_code(v) == TLS_13) {
        const uint16_t *groups = group_list_13(&n_groups);
        size_t n = vs->n_suites < ARRAY_LEN(list) ? vs->n_suites : ARRAY_LEN(list);
        push_groups(ep, ASK_GROUPS, v, vs->suites, n, groups, n_groups);
        return;
    }
    const uint16_t *groups = group_list_12(&n_groups);
    size_t n = curve_suites(vs, list, ARRAY_LEN(list));
    /* SSLv3 has no list of groups: the server's own choice is all there is to see. */
    push_groups(ep, version_code(v) == TLS_SSL3 ? ASK_DH : ASK_GROUPS, v, list, n, groups,
                n_groups);
    n = pick(vs, 1U << KIND_DHE, ANY_AUTH, list, ARRAY_LEN(list));
    push_groups(ep, ASK_DH, v, list, n, groups, 0);
}

static void ask_group_order(struct endpoint *ep, unsigned v)
{
    const struct version_state *vs = &ep->versions[v];
    uint16_t list[32];
    size_t n = 0;
    if (vs->n_groups < 2 || vs->n_groups > HELLO_GROUPS_MAX) {
        return;
    }
    if (version_code(v) == TLS_13) {
        n = vs->n_suites < ARRAY_LEN(list) ? vs->n_suites : ARRAY_LEN(list);
        memcpy(list, vs->suites, n * sizeof(*list));
    } else {
        n = curve_suites(vs, list, ARRAY_LEN(list));
    }
    for (unsigned back = 0; back < 2; back++) {
        uint16_t groups[HELLO_GROUPS_MAX];
        for (size_t i = 0; i < vs->n_groups; i++) {
            groups[i] = vs->groups[back == 0 ? i : vs->n_groups - 1 - i];
        }
        struct ask *a = n > 0 ? survey_ask(ep, ASK_GROUP_ORDER, v, list, n) : NULL;
        if (a != NULL) {
            a->want = version_code(v) == TLS_13 ? WANT_HELLO : WANT_EXCHANGE;
            a->is_backward = back == 1;
            survey_groups(a, groups, vs->n_groups);
            survey_push(ep, a);
        }
    }
}

void survey_detail_begin(struct endpoint *ep)
{
    unsigned newest_old = 0;
    for (unsigned v = 1; v < V13; v++) {
        newest_old = version_accepted(ep, v) ? v : newest_old;
    }
    if (ep->phase == PHASE_CERTIFICATES && newest_old > 0) {
        ask_certificates_12(ep, newest_old);
    } else if (ep->phase == PHASE_ORDER && newest_old == 0 && version_accepted(ep, V13)) {
        ask_certificates_13(ep);
    }
    for (unsigned v = 1; v < N_VERSIONS; v++) {
        if (!version_accepted(ep, v)) {
            continue;
        }
        switch (ep->phase) {
        case PHASE_CERTIFICATES:
            ask_order(ep, v);
            break;
        case PHASE_GROUPS:
            ask_groups(ep, v);
            break;
        case PHASE_ORDER:
            ask_group_order(ep, v);
            break;
        case PHASE_VERSIONS:
        case PHASE_DONE:
        default:
            break;
        }
    }
}

/* --- answers --- */

static void add_group(struct version_state *vs, uint16_t group)
{
    for (size_t i = 0; i < vs->n_groups; i++) {
        if (vs->groups[i] == group) {
            return;
        }
    }
    if (vs->n_groups < GROUPS_MAX) {
        vs->groups[vs->n_groups++] = group;
    }
}

static void push_rest(struct endpoint *ep, const struct ask *a, uint16_t hit, unsigned parts)
{
    for (unsigned k = 0; k < parts; k++) {
        uint16_t list[HELLO_GROUPS_MAX];
        size_t n = 0;
        for (size_t i = 0, at = 0; i < a->hello.n_groups; i++) {
            if (a->hello.groups[i] != hit && at++ % parts == k) {
                list[n++] = a->hello.groups[i];
            }
        }
        if (n > 0) {
            push_groups(ep, ASK_GROUPS, a->version, a->hello.suites, a->hello.n_suites, list, n);
        }
    }
}

static bool offers(const struct ask *a, uint16_t group)
{
    for (size_t i = 0; i < a->hello.n_groups; i++) {
        if (a->hello.groups[i] == group) {
            return true;
        }
    }
    return false;
}

/* With an ECDSA certificate a list without its curve is refused for the certificate's sake: the
 * same list once more, its curve last. A server that then still takes that curve has none of the
 * others if it follows the client's order; if the order is its own, nothing is known. */
static void groups_refused(struct endpoint *ep, const struct ask *a)
{
    const struct suite *s = suite_find(a->hello.suites[0]);
    if (a->hello.version == TLS_13 || s == NULL || suite_auth(s) != AUTH_ECDSA || a->is_confirm) {
        return;
    }
    if (ep->certificate_group == 0) {
        ep->versions[a->version].groups_unfinished = true;
        return;
    }
    if (offers(a, ep->certificate_group) || a->hello.n_groups >= HELLO_GROUPS_MAX) {
        return;
    }
    struct ask *again = survey_ask(ep, ASK_GROUPS, a->version, a->hello.suites, a->hello.n_suites);
    if (again != NULL) {
        survey_groups(again, a->hello.groups, a->hello.n_groups);
        again->hello.groups[again->hello.n_groups++] = ep->certificate_group;
        again->want = WANT_EXCHANGE;
        again->is_confirm = true;
        survey_push(ep, again);
    }
}

static void groups_answer(struct endpoint *ep, const struct ask *a)
{
    struct version_state *vs = &ep->versions[a->version];
    uint16_t group = a->reply.group;
    if (a->reply.version != a->hello.version || !offers(a, group)) {
        vs->groups_unfinished = true;
        return;
    }
    if (a->is_confirm && group == ep->certificate_group) {
        bool follows = vs->first[0] >= 0 && vs->first[1] >= 0 && vs->first[0] != vs->first[1];
        vs->groups_unfinished = vs->groups_unfinished || !follows;
        return;
    }
    add_group(vs, group);
    push_rest(ep, a, group, (unsigned)survey_parts(ep, a->hello.n_groups));
}

static void dh_answer(struct endpoint *ep, const struct ask *a)
{
    struct version_state *vs = &ep->versions[a->version];
    if (a->reply.dh_bits > 0) {
        vs->dh_bits = a->reply.dh_bits;
        memcpy(vs->dh_head, a->reply.dh_head, sizeof(vs->dh_head));
    } else if (a->reply.group > 0) {
        add_group(vs, a->reply.group);
    }
}

/* The messages with the certificates stay with the endpoint. */
static void certificate_answer(struct endpoint *ep, struct ask *a)
{
    size_t n = 0;
    const uint8_t *der = reply_certificate(&a->reply, 0, &n);
    if (der == NULL) {
        ep->chains_unfinished = true;
        return;
    }
    if (a->chain == 1) {
        ep->certificate_group = certificate_curve(der, n);
    }
    reply_done(&ep->chains[a->chain]);
    ep->chains[a->chain] = a->reply;
    ep->has_chain[a->chain] = true;
    reply_init(&a->reply, WANT_HELLO);
}

void survey_detail(struct endpoint *ep, struct ask *a)
{
    struct version_state *vs = &ep->versions[a->version];
    bool is_answer = a->outcome == OUT_ANSWER;
    switch (a->purpose) {
    case ASK_GROUPS:
        if (is_answer) {
            groups_answer(ep, a);
        } else {
            groups_refused(ep, a);
        }
        break;
    case ASK_DH:
        vs->groups_unfinished = vs->groups_unfinished || !is_answer;
        if (is_answer) {
            dh_answer(ep, a);
        }
        break;
    case ASK_ORDER:
        if (is_answer && a->reply.version == a->hello.version) {
            vs->first[a->is_backward ? 1 : 0] = a->reply.suite;
        }
        break;
    case ASK_GROUP_ORDER:
        if (is_answer && a->reply.version == a->hello.version) {
            vs->first_group[a->is_backward ? 1 : 0] = a->reply.group;
        }
        break;
    case ASK_CERTIFICATE: /* refused: it has none of that kind (TLS 1.3), or changed its mind */
        if (is_answer) {
            certificate_answer(ep, a);
        } else if (a->hello.version != TLS_13) {
            ep->chains_unfinished = true;
        }
        break;
    case ASK_SUITES:
    case ASK_CONTROL:
    default:
        break;
    }
    ask_free(a);
}
