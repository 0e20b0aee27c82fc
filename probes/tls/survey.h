/* Between survey.c (versions and suites, trouble) and detail.c (groups, order, certificates). */
#ifndef TENKEN_PROBES_TLS_SURVEY_H
#define TENKEN_PROBES_TLS_SURVEY_H

#include "probes/tls/endpoint.h"
#include "probes/tls/handshake13.h"

/* A new ask with the groups that belong to the version; NULL and ep->error without memory. */
struct ask *survey_ask(struct endpoint *ep, enum purpose purpose, unsigned v,
                       const uint16_t *suites, size_t n);
void survey_groups(struct ask *a, const uint16_t *groups, size_t n);
/* Into how many lists the rest of one of n is split after a hit. */
size_t survey_parts(const struct endpoint *ep, size_t n);
/* Takes the ask over into the queue. */
void survey_push(struct endpoint *ep, struct ask *a);
/* Takes an answered ask that is not about suites; frees it. */
void survey_detail(struct endpoint *ep, struct ask *a);
/* Queues what the phase asks for. */
void survey_detail_begin(struct endpoint *ep);

#endif
