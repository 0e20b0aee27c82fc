/* One declared endpoint: what is asked of it, what it answered, and what follows. dial.c moves
 * bytes, survey.c decides what to ask next and what an answer means. */
#ifndef TENKEN_PROBES_TLS_ENDPOINT_H
#define TENKEN_PROBES_TLS_ENDPOINT_H

#include "probes/tls/hello.h"
#include "probes/tls/reply.h"
#include "probes/tls/starttls.h"
#include "probes/tls/target.h"

#define SUITES_MAX 512U
#define GROUPS_MAX 64U
#define CHAINS_MAX 3U

/* How one connection ended. Only the first three say something about TLS in the server's words. */
enum outcome {
    OUT_ANSWER,
    OUT_ALERT,
    OUT_CLOSED, /* ended in order, without a word */
    OUT_RESET,
    OUT_TIMEOUT,
    OUT_NOT_TLS,
    OUT_MALFORMED,
    OUT_TOO_LONG,
    OUT_STARTTLS, /* TLS is refused in the protocol around it */
    OUT_CONNECT_REFUSED,
    OUT_UNREACHABLE
};

enum purpose {
    ASK_SUITES,      /* which of the list; a hit splits the rest */
    ASK_GROUPS,      /* the same for groups */
    ASK_DH,          /* the prime of classic DHE */
    ASK_ORDER,       /* accepted suites forwards, then backwards */
    ASK_GROUP_ORDER, /* the same for groups */
    ASK_CERTIFICATE,
    ASK_CONTROL /* what was accepted before: is the server still there? */
};

struct secret13; /* key of a real TLS 1.3 handshake: handshake13.h */

struct ask {
    struct ask *next;
    enum purpose purpose;
    unsigned version; /* index */
    struct hello hello;
    enum reply_want want;
    bool is_first;    /* of its version: the other lists wait for it */
    bool is_split;    /* a refused list is split once where the refusal was odd */
    bool is_confirm;  /* the second shape of a surprising no */
    bool is_backward; /* of an order */
    unsigned chain;   /* which certificate */
    unsigned tries, address;
    enum outcome outcome;
    unsigned said; /* errno, or the reply that refused STARTTLS */
    struct reply reply;
    struct secret13 *secret;
};

struct version_state {
    uint16_t suites[SUITES_MAX];
    size_t n_suites;
    uint32_t ssl2[16];
    size_t n_ssl2;
    bool is_closed;     /* the version itself was refused */
    bool is_unfinished; /* a list stayed without a clear answer */
    bool confirmed;
    char why[96]; /* first reason of is_unfinished */
    int first[2]; /* suite chosen forwards and backwards, -1 = not known */
    uint16_t groups[GROUPS_MAX];
    size_t n_groups;
    bool groups_unfinished;
    int first_group[2];
    unsigned dh_bits;
    uint8_t dh_head[16];
};

enum phase { PHASE_VERSIONS, PHASE_CERTIFICATES, PHASE_GROUPS, PHASE_ORDER, PHASE_DONE };
/* CERTIFICATES also asks for the order of suites, ORDER for that of groups and for the certificates
 * of a server with TLS 1.3 alone, which takes a group that it is known to have. */

struct endpoint {
    struct target target;
    struct ask *queue, **queue_end;
    struct ask *doubtful; /* closed twice without a word */
    unsigned n_active, parallel, address;
    int64_t next_start_us, deadline_us;
    unsigned pause_ms;
    bool is_started, is_slow, short_only, refused_name;
    unsigned n_answers; /* hellos that were accepted */
    bool has_alert, has_hello;
    enum outcome worst; /* first trouble */
    bool has_trouble;
    unsigned trouble_said;
    int64_t rtt_us;
    struct hello control;
    bool has_control, control_asked, control_done;
    enum phase phase;
    struct version_state versions[N_VERSIONS];
    struct reply chains[CHAINS_MAX]; /* certificates as they came */
    bool has_chain[CHAINS_MAX];
    bool chains_unfinished;
    uint16_t certificate_group; /* curve of an ECDSA certificate, 0 = none */
    bool out_of_time;
    int error; /* ERR_NOMEM sticks */
};

/* Fills the queue with the first round. */
void survey_begin(struct endpoint *ep);
/* Takes over a finished ask, draws its conclusions, may put new ones into the queue. */
void survey_answer(struct endpoint *ep, struct ask *ask, int64_t now_us);
/* The queue is empty and nothing is under way: the next phase. */
void survey_next(struct endpoint *ep);
/* True if the server was seen to speak the i-th version. */
bool version_accepted(const struct endpoint *ep, size_t i);
/* No time is left: what is open stays untested. */
void survey_cut(struct endpoint *ep);
void endpoint_done(struct endpoint *ep);
void ask_free(struct ask *a);

/* Talks to all endpoints until each is done; never longer than limit_ms. ERR_NOMEM, ERR_IO. */
int dial_all(struct endpoint *list, size_t n, unsigned limit_ms, struct err *e) MUST_USE;

#endif
