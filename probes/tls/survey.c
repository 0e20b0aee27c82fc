/* What to ask next, and what an answer means. A list of suites goes out whole; the server names one
 * of them, the rest is split and asked again; a list refused in so many words is empty. Only words
 * count: silence, a reset, a close are asked again in another shape and at a slower pace, and what
 * then still has no answer stays untested. */
#include "probes/tls/survey.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PARALLEL 8U
#define FAR_US 20000 /* beyond it rounds cost more than connections */
#define LIST_LONG 97U
#define FEW 40U
#define SHORT_BYTES 256U
#define TRIES_MAX 3U
#define PAUSE_FIRST_MS 60U
#define PAUSE_MAX_MS 500U

enum {
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_ILLEGAL_PARAMETER = 47,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INSUFFICIENT_SECURITY = 71,
    ALERT_MISSING_EXTENSION = 109,
    ALERT_UNRECOGNIZED_NAME = 112
};

static const char *sni_of(const struct endpoint *ep)
{
    return target_is_address(&ep->target) ? "" : target_name(&ep->target);
}

void ask_free(struct ask *a)
{
    if (a != NULL) {
        reply_done(&a->reply);
        secret13_free(a->secret);
        free(a);
    }
}

static void free_list(struct ask **list)
{
    while (*list != NULL) {
        struct ask *next = (*list)->next;
        ask_free(*list);
        *list = next;
    }
}

void survey_push(struct endpoint *ep, struct ask *a)
{
    a->next = NULL;
    *ep->queue_end = a;
    ep->queue_end = &a->next;
}

struct ask *survey_ask(struct endpoint *ep, enum purpose purpose, unsigned v,
                       const uint16_t *suites, size_t n)
{
    struct ask *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        ep->error = ERR_NOMEM;
        return NULL;
    }
    a->purpose = purpose;
    a->version = v;
    a->want = WANT_HELLO;
    a->hello.version = version_code(v);
    a->hello.n_suites = n < HELLO_SUITES_MAX ? n : HELLO_SUITES_MAX;
    memcpy(a->hello.suites, suites, a->hello.n_suites * sizeof(*suites));
    size_t n_groups = 0;
    const uint16_t *groups =
        a->hello.version == TLS_13 ? group_list_13(&n_groups) : group_list_12(&n_groups);
    survey_groups(a, groups, n_groups);
    return a;
}

void survey_groups(struct ask *a, const uint16_t *groups, size_t n)
{
    a->hello.n_groups = n < HELLO_GROUPS_MAX ? n : HELLO_GROUPS_MAX;
    memcpy(a->hello.groups, groups, a->hello.n_groups * sizeof(*groups));
}

/* How many more suites fit below 256 bytes beside what the hello has; the groups are cut first, to
 * those that nearly every server has one of. */
static size_t make_short(const struct endpoint *ep, struct ask *a)
{
    if (a->purpose == ASK_SUITES && a->hello.n_groups > 8 && a->hello.version != TLS_13) {
        a->hello.n_groups = 8;
    }
    size_t n = hello_size(&a->hello, sni_of(ep)) - 2 * a->hello.n_suites;
    return n + 2 < SHORT_BYTES ? (SHORT_BYTES - 1 - n) / 2 : 1;
}

/* Puts the list into the queue as one ask or, where hellos must be short or it is too long, more.
 */
static void push_list(struct endpoint *ep, const struct ask *like, const uint16_t *list, size_t n,
                      bool is_short)
{
    while (n > 0) {
        struct ask *a = survey_ask(ep, like->purpose, like->version, list, 0);
        if (a == NULL) {
            return;
        }
        a->hello = like->hello;
        a->hello.n_suites = 0;
        a->is_split = like->is_split;
        a->is_confirm = like->is_confirm;
        size_t room = is_short ? make_short(ep, a) : LIST_LONG;
        size_t part = n < room ? n : room;
        memcpy(a->hello.suites, list, part * sizeof(*list));
        a->hello.n_suites = part;
        a->tries = is_short && !ep->short_only ? like->tries : 0;
        survey_push(ep, a);
        list += part;
        n -= part;
    }
}

/* Interleaved: neighbours are alike, and each part should hold a hit early or be refused whole. */
static void push_split(struct endpoint *ep, const struct ask *like, const uint16_t *list, size_t n,
                       size_t parts)
{
    for (size_t k = 0; k < parts && k < n; k++) {
        uint16_t part[HELLO_SUITES_MAX] = {0};
        size_t part_n = 0;
        for (size_t i = k; i < n && part_n < HELLO_SUITES_MAX; i += parts) {
            part[part_n++] = list[i];
        }
        push_list(ep, like, part, part_n, ep->short_only);
    }
}

/* Near: a list goes out again without what was named, one connection per hit; in halves where that
 * would take many rounds. Far: rounds are dear, connections are not. */
size_t survey_parts(const struct endpoint *ep, size_t n)
{
    if (ep->rtt_us > FAR_US && !ep->is_slow) {
        return n > FEW ? 4 : 3;
    }
    return n > FEW ? 2 : 1;
}

static bool has_code(const uint16_t *list, size_t n, uint16_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == code) {
            return true;
        }
    }
    return false;
}

/* All that the first list of the version left out, by kind: a server without DH parameters may
 * fail on a list as soon as it holds one DHE suite. */
static void push_rest(struct endpoint *ep, const struct ask *first)
{
    static const unsigned passes[] = {1U << KIND_ECDHE | 1U << KIND_RSA, 1U << KIND_DHE,
                                      1U << KIND_OTHER};
    size_t n_all = 0;
    const struct suite *all = suite_all(&n_all);
    for (size_t p = 0; p < ARRAY_LEN(passes); p++) {
        uint16_t list[SUITES_MAX];
        size_t n = 0;
        for (size_t i = 1; i < n_all; i++) { /* number 0 must never be agreed on */
            if (!all[i].tls13 && (passes[p] >> suite_kind(&all[i]) & 1U) != 0 &&
                !has_code(first->hello.suites, first->hello.n_suites, all[i].code)) {
                list[n++] = all[i].code;
            }
        }
        struct ask *like = survey_ask(ep, ASK_SUITES, first->version, list, 0);
        if (like != NULL) {
            push_list(ep, like, list, n, ep->short_only);
            ask_free(like);
        }
    }
}

static void drop_version(struct endpoint *ep, unsigned v)
{
    struct ask **at = &ep->queue;
    while (*at != NULL) {
        struct ask *a = *at;
        if (a->purpose == ASK_SUITES && a->version == v) {
            *at = a->next;
            ask_free(a);
        } else {
            at = &a->next;
        }
    }
    ep->queue_end = at;
}

static void push_first(struct endpoint *ep, unsigned v, bool other_shape)
{
    uint16_t list[HELLO_SUITES_MAX];
    size_t n = 0;
    if (version_code(v) == TLS_13) {
        size_t n_all = 0;
        const struct suite *all = suite_all(&n_all);
        for (size_t i = 0; i < n_all; i++) {
            /* The second shape leaves out what is rare, to stay short. */
            if (all[i].tls13 && (!other_shape || all[i].code >> 8 == 0x13)) {
                list[n++] = all[i].code;
            }
        }
    } else if (version_code(v) != TLS_SSL2) {
        const uint16_t *common = suite_common(&n);
        memcpy(list, common, n * sizeof(*common));
    }
    struct ask *a = survey_ask(ep, ASK_SUITES, v, list, n);
    if (a == NULL) {
        return;
    }
    a->is_first = !other_shape;
    a->is_confirm = other_shape;
    if (version_code(v) == TLS_13 && other_shape) {
        /* The base point of X25519 is as good a share as any: nothing is computed with it. */
        survey_groups(a, group_list_13(&n), 5);
        a->hello.share_group = 29;
        a->hello.share[0] = 9;
        a->hello.n_share = 32;
    } else if (version_code(v) > TLS_SSL3 && version_code(v) != TLS_13 && !other_shape) {
        size_t room = make_short(ep, a);
        a->hello.n_suites = n < room ? n : room;
    }
    survey_push(ep, a);
}

void survey_begin(struct endpoint *ep)
{
    ep->queue_end = &ep->queue;
    ep->parallel = PARALLEL;
    for (unsigned v = 0; v < N_VERSIONS; v++) {
        ep->versions[v].first[0] = ep->versions[v].first[1] = -1;
        ep->versions[v].first_group[0] = ep->versions[v].first_group[1] = -1;
    }
    for (unsigned v = N_VERSIONS; v-- > 0;) {
        push_first(ep, v, false);
    }
}

/* --- trouble --- */

static const char *trouble_word(enum outcome o)
{
    static const char *const words[] = {
        [OUT_ANSWER] = "answer",          [OUT_ALERT] = "alert",
        [OUT_CLOSED] = "closed",          [OUT_RESET] = "reset",
        [OUT_TIMEOUT] = "timeout",        [OUT_NOT_TLS] = "not-tls",
        [OUT_MALFORMED] = "malformed",    [OUT_TOO_LONG] = "too-long",
        [OUT_STARTTLS] = "starttls",      [OUT_CONNECT_REFUSED] = "connection-refused",
        [OUT_UNREACHABLE] = "unreachable"};
    return words[o];
}

static void give_up(struct endpoint *ep, const struct ask *a, const char *why)
{
    struct version_state *vs = &ep->versions[a->version];
    switch (a->purpose) {
    case ASK_SUITES:
        if (!vs->is_unfinished) {
            (void)snprintf(vs->why, sizeof(vs->why), "%s", why);
        }
        vs->is_unfinished = true;
        break;
    case ASK_GROUPS:
    case ASK_DH:
        vs->groups_unfinished = true;
        break;
    case ASK_CERTIFICATE:
        ep->chains_unfinished = true;
        break;
    case ASK_ORDER:
    case ASK_GROUP_ORDER:
    case ASK_CONTROL:
    default:
        break; /* the order stays unknown */
    }
}

/* One connection at a time, with rests: the server may count them. */
static void slow_down(struct endpoint *ep, int64_t now_us)
{
    ep->pause_ms = ep->pause_ms == 0 ? PAUSE_FIRST_MS : ep->pause_ms * 2;
    ep->pause_ms = ep->pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ep->pause_ms;
    ep->parallel = 1;
    ep->is_slow = true;
    int64_t rest_us = now_us + (int64_t)ep->pause_ms * 4000;
    ep->next_start_us = rest_us > ep->next_start_us ? rest_us : ep->next_start_us;
}

static void again(struct endpoint *ep, struct ask *a)
{
    a->tries++;
    survey_push(ep, a);
}

static bool is_long(const struct endpoint *ep, const struct ask *a)
{
    return a->purpose == ASK_SUITES && a->hello.version != TLS_SSL2 && a->hello.version != TLS_13 &&
           hello_size(&a->hello, sni_of(ep)) >= SHORT_BYTES;
}

/* Takes over a long ask; its list goes into the queue as short ones. */
static void shorten(struct endpoint *ep, struct ask *a)
{
    push_list(ep, a, a->hello.suites, a->hello.n_suites, true);
    ask_free(a);
}

/* The server answers, but not to long hellos: those that wait are cut before they are sent. */
static void only_short(struct endpoint *ep)
{
    struct ask *list = ep->queue;
    ep->short_only = true;
    ep->queue = NULL;
    ep->queue_end = &ep->queue;
    while (list != NULL) {
        struct ask *a = list;
        list = a->next;
        if (is_long(ep, a)) {
            shorten(ep, a);
        } else {
            survey_push(ep, a);
        }
    }
}

/* Once more, in another shape where there is one. */
static void retry(struct endpoint *ep, struct ask *a)
{
    if (is_long(ep, a)) {
        a->tries++;
        shorten(ep, a);
        return;
    }
    if (a->hello.version == TLS_SSL2) {
        a->hello.n_suites = 4;
    }
    if (a->secret != NULL) { /* a key is for one handshake */
        give_up(ep, a, trouble_word(a->outcome));
        ask_free(a);
        return;
    }
    again(ep, a);
}

static void note_trouble(struct endpoint *ep, const struct ask *a)
{
    if (!ep->has_trouble) {
        ep->has_trouble = true;
        ep->worst = a->outcome;
        ep->trouble_said = a->said;
    }
}

/* No answer in TLS's words. */
static void trouble(struct endpoint *ep, struct ask *a, int64_t now_us)
{
    bool no_link = a->outcome == OUT_CONNECT_REFUSED || a->outcome == OUT_UNREACHABLE ||
                   (a->outcome == OUT_TIMEOUT && ep->n_answers == 0 && !ep->has_alert);
    if (no_link && ep->n_answers == 0 && ep->address + 1 < ep->target.n_addresses &&
        a->address == ep->address) {
        ep->address++; /* the name has another address */
    }
    if (no_link && a->address < ep->address) {
        survey_push(ep, a);
        return;
    }
    note_trouble(ep, a);
    /* An SSLv2 hello is no TLS: to hang up on it is the usual no. It counts once the server is
     * shown to be there still. */
    bool by_end =
        a->outcome == OUT_CLOSED || (a->outcome == OUT_RESET && a->hello.version == TLS_SSL2);
    bool is_dead = ep->n_answers == 0 && !ep->has_alert;
    unsigned tries = is_dead || a->outcome == OUT_TIMEOUT || by_end || a->outcome == OUT_NOT_TLS ||
                             a->outcome == OUT_MALFORMED
                         ? 1
                         : TRIES_MAX;
    if (a->outcome == OUT_CONNECT_REFUSED && is_dead) {
        tries = 0;
    }
    if (a->tries < tries && a->outcome != OUT_TOO_LONG) {
        bool by_length = is_long(ep, a) && ep->n_answers > 0 && a->outcome != OUT_CONNECT_REFUSED;
        if (by_length && !ep->short_only) {
            only_short(ep);
        } else if (a->hello.version != TLS_SSL2 && !by_length &&
                   !(is_dead && a->outcome == OUT_TIMEOUT)) {
            slow_down(ep, now_us);
        }
        retry(ep, a);
        return;
    }
    if (by_end && a->purpose == ASK_SUITES) {
        a->next = ep->doubtful;
        ep->doubtful = a;
        return;
    }
    give_up(ep, a, trouble_word(a->outcome));
    ask_free(a);
}

/* --- answers --- */

static void add_suite(struct version_state *vs, uint16_t code)
{
    if (vs->n_suites < SUITES_MAX && !has_code(vs->suites, vs->n_suites, code)) {
        vs->suites[vs->n_suites++] = code;
    }
}

static size_t without(const uint16_t *list, size_t n, uint16_t code, uint16_t *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i] != code) {
            out[k++] = list[i];
        }
    }
    return k;
}

static void suites_answer(struct endpoint *ep, struct ask *a)
{
    struct version_state *vs = &ep->versions[a->version];
    const struct reply *w = &a->reply;
    if (a->hello.version == TLS_SSL2 && w->version == TLS_SSL2) {
        memcpy(vs->ssl2, w->ssl2, sizeof(vs->ssl2));
        vs->n_ssl2 = w->n_ssl2;
        vs->n_suites = w->n_ssl2 > 0 ? 0 : vs->n_suites;
        vs->confirmed = true;
        return;
    }
    if (w->version != a->hello.version) { /* another version: this one is not to be had */
        vs->is_closed = vs->is_closed || vs->n_suites == 0;
        if (vs->is_closed) {
            drop_version(ep, a->version);
        }
        return;
    }
    if (!has_code(a->hello.suites, a->hello.n_suites, w->suite)) {
        return; /* what was not offered is no acceptance */
    }
    vs->is_closed = false;
    add_suite(vs, w->suite);
    if (!ep->has_control) {
        ep->control = a->hello;
        ep->has_control = true;
    }
    uint16_t rest[HELLO_SUITES_MAX];
    size_t n = without(a->hello.suites, a->hello.n_suites, w->suite, rest);
    push_split(ep, a, rest, n, survey_parts(ep, n));
}

/* The server wants to hear a name. SSLv2 has no place for one: nobody gets in that way. SSLv3 has
 * none either, but servers read it there all the same. Else it is our name that it does not know.
 */
static void name_refused(struct endpoint *ep, const struct ask *a)
{
    if (a->hello.version == TLS_SSL2) {
        return;
    }
    if (a->hello.version == TLS_SSL3 && !a->hello.with_name && sni_of(ep)[0] != '\0') {
        struct ask *again = survey_ask(ep, ASK_SUITES, a->version, a->hello.suites, 0);
        if (again != NULL) {
            again->hello = a->hello;
            again->hello.with_name = true;
            again->is_first = a->is_first;
            again->is_split = a->is_split;
            survey_push(ep, again);
        }
        return;
    }
    ep->refused_name = true;
    give_up(ep, a, "name-refused");
}

static void suites_refused(struct endpoint *ep, struct ask *a)
{
    struct version_state *vs = &ep->versions[a->version];
    switch (a->reply.alert) {
    case ALERT_UNRECOGNIZED_NAME:
        name_refused(ep, a);
        return;
    case ALERT_PROTOCOL_VERSION:
        if (vs->n_suites == 0) {
            vs->is_closed = true;
            drop_version(ep, a->version);
        }
        return;
    case ALERT_HANDSHAKE_FAILURE:
    case ALERT_INSUFFICIENT_SECURITY:
    case ALERT_ILLEGAL_PARAMETER:
    case ALERT_MISSING_EXTENSION:
        break;
    default: /* an odd word may be about one suite of the list: ask for the halves once */
        if (!a->is_split && a->hello.n_suites > 1) {
            a->is_split = true;
            push_split(ep, a, a->hello.suites, a->hello.n_suites, 2);
        }
        break;
    }
    if (a->is_first && a->hello.version != TLS_13 && a->hello.version != TLS_SSL2) {
        push_rest(ep, a);
    }
}

static void take_suites(struct endpoint *ep, struct ask *a)
{
    if (a->outcome == OUT_ANSWER) {
        suites_answer(ep, a);
        if (a->is_first && ep->versions[a->version].n_suites > 0 && a->hello.version != TLS_13) {
            push_rest(ep, a);
        }
    } else {
        suites_refused(ep, a);
    }
    ask_free(a);
}

/* An answer that takes up something of the question. One that does not is no acceptance. */
static bool is_sound(const struct ask *a)
{
    return a->hello.version == TLS_SSL2 ||
           has_code(a->hello.suites, a->hello.n_suites, a->reply.suite);
}

void survey_answer(struct endpoint *ep, struct ask *a, int64_t now_us)
{
    bool in_words = a->outcome == OUT_ANSWER || a->outcome == OUT_ALERT;
    ep->has_hello = ep->has_hello || a->outcome == OUT_ANSWER;
    if (a->outcome == OUT_ANSWER && is_sound(a)) {
        ep->n_answers++;
    }
    if (in_words && ep->pause_ms > PAUSE_FIRST_MS) { /* it can bear it: a little faster again */
        ep->pause_ms -= ep->pause_ms / 8 + 1;
    }
    ep->has_alert = ep->has_alert || a->outcome == OUT_ALERT;
    if (ep->phase == PHASE_DONE) { /* cut off: too late to count */
        ask_free(a);
        return;
    }
    if (!in_words) {
        trouble(ep, a, now_us);
        return;
    }
    switch (a->purpose) {
    case ASK_SUITES:
        take_suites(ep, a);
        break;
    case ASK_CONTROL:
        ep->control_done = a->outcome == OUT_ANSWER;
        ask_free(a);
        break;
    case ASK_GROUPS:
    case ASK_DH:
    case ASK_ORDER:
    case ASK_GROUP_ORDER:
    case ASK_CERTIFICATE:
    default:
        survey_detail(ep, a);
        break;
    }
}

/* --- phases --- */

/* Lists on which the server hung up twice: with proof that it still serves, that is a no. */
static bool settle_doubts(struct endpoint *ep)
{
    if (ep->doubtful == NULL) {
        return false;
    }
    if (ep->has_control && !ep->control_done) {
        struct ask *a =
            ep->control_asked ? NULL : survey_ask(ep, ASK_CONTROL, 0, ep->control.suites, 0);
        if (a != NULL) {
            ep->control_asked = true;
            a->hello = ep->control;
            while (version_code(a->version) != a->hello.version) {
                a->version++;
            }
            survey_push(ep, a);
            return true;
        }
    }
    struct ask *list = ep->doubtful;
    ep->doubtful = NULL;
    while (list != NULL) {
        struct ask *a = list;
        list = a->next;
        a->next = NULL;
        if (!ep->control_done) {
            give_up(ep, a, trouble_word(a->outcome));
        } else if (a->is_first && a->hello.version != TLS_13 && a->hello.version != TLS_SSL2) {
            push_rest(ep, a);
        }
        ask_free(a);
    }
    ep->control_done = false;
    ep->control_asked = false;
    return ep->queue != NULL;
}

/* That a server has no TLS 1.2, or no TLS 1.3, is a surprise: asked once more in another shape. */
static bool confirm(struct endpoint *ep)
{
    for (unsigned v = N_VERSIONS - 2; v < N_VERSIONS; v++) {
        struct version_state *vs = &ep->versions[v];
        if (ep->n_answers > 0 && !vs->confirmed && vs->n_suites == 0 && !vs->is_unfinished) {
            vs->confirmed = true;
            push_first(ep, v, true);
        }
    }
    return ep->queue != NULL;
}

void survey_next(struct endpoint *ep)
{
    if (settle_doubts(ep)) {
        return;
    }
    if (ep->phase == PHASE_VERSIONS && confirm(ep)) {
        return;
    }
    while (ep->queue == NULL && ep->phase != PHASE_DONE) {
        ep->phase++;
        if (ep->n_answers == 0) {
            ep->phase = PHASE_DONE;
        }
        survey_detail_begin(ep);
    }
}

void survey_cut(struct endpoint *ep)
{
    if (ep->phase == PHASE_DONE) {
        return;
    }
    bool was_versions = ep->phase == PHASE_VERSIONS;
    ep->phase = PHASE_DONE;
    ep->out_of_time = true;
    for (unsigned v = 0; v < N_VERSIONS; v++) {
        ep->versions[v].groups_unfinished = true;
        if (was_versions && !ep->versions[v].is_closed) {
            ep->versions[v].is_unfinished = true;
            if (ep->versions[v].why[0] == '\0') {
                (void)snprintf(ep->versions[v].why, sizeof(ep->versions[v].why), "deadline");
            }
        }
    }
    ep->chains_unfinished = true;
    free_list(&ep->queue);
    ep->queue_end = &ep->queue;
    free_list(&ep->doubtful);
}

void endpoint_done(struct endpoint *ep)
{
    free_list(&ep->queue);
    free_list(&ep->doubtful);
    for (size_t i = 0; i < CHAINS_MAX; i++) {
        reply_done(&ep->chains[i]);
    }
    target_done(&ep->target);
}
