/* Registering this host's public key with a collector. */
#ifndef TENKEN_UPLOAD_ENROLL_H
#define TENKEN_UPLOAD_ENROLL_H

#include "agent/evidence/evidence.h"
#include "agent/upload/net.h"

struct enroll_request {
    const char *token;      /* "TOKEN.<sha256 of the collector's SPKI>" */
    const char *public_key; /* SPKI PEM */
    const char *hostname, *machine_id;
};
struct enroll_answer {
    char host[SHA256_HEX];
    char collector_key[1024]; /* SPKI PEM; its digest is the one that the token pins */
    char contracts[1024];     /* comma-joined */
};
/* ERR_INVALID a token without a pin; ERR_DENIED the collector refuses (its words); ERR_MISMATCH the
 * collector's key is not the one that the token names: somebody stands in between; ERR_NETWORK;
 * ERR_MALFORMED. */
int enroll(struct net *n, const struct enroll_request *rq, struct enroll_answer *ret,
           struct err *e) MUST_USE;

#endif
