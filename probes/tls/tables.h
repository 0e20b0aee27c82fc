/* The tables of the tls probe: declarations and column numbers. */
#ifndef TENKEN_PROBES_TLS_TABLES_H
#define TENKEN_PROBES_TLS_TABLES_H

#include "probes/probe.h"
#include "probes/tls/endpoint.h"

enum { TE_ENDPOINT, TE_HOST, TE_PORT, TE_SNI, TE_STARTTLS, TE_STATE, TE_DETAIL };
enum { TV_ENDPOINT, TV_VERSION, TV_STATE, TV_REASON };
enum { TS_ENDPOINT, TS_VERSION, TS_SUITE, TS_CODE, TS_PREFERENCE };
enum { TG_ENDPOINT, TG_VERSION, TG_GRP, TG_PREFERENCE };
enum {
    TC_ENDPOINT,
    TC_CHAIN,
    TC_DEPTH,
    TC_SUBJECT,
    TC_ISSUER,
    TC_NOT_BEFORE,
    TC_NOT_AFTER,
    TC_KEY_TYPE,
    TC_KEY_BITS,
    TC_SIGNATURE,
    TC_SHA256,
    TC_NAME_OK,
    TC_CHAIN_OK,
    TC_CHAIN_ERROR
};

extern const struct table table_tls_endpoints;
extern const struct table table_tls_versions;
extern const struct table table_tls_suites;
extern const struct table table_tls_groups;
extern const struct table table_tls_certificates;

/* All rows of the endpoints, and the states that follow from what stayed open. ERR_NOMEM. */
int rows_all(struct probe_ctx *ctx, const struct endpoint *list, size_t n, struct err *e) MUST_USE;
/* Rows that a captured tree's capture.json holds (member "tls": table name -> rows as objects), of
 * the endpoints that are declared. ERR_MALFORMED. */
int rows_recorded(struct probe_ctx *ctx, const struct endpoint *list, size_t n,
                  struct err *e) MUST_USE;

#endif
