/* What is in a certificate, and whether its chain leads to an anchor that is trusted. libcrypto
 * does the path building, so the order in which a server sends its chain does not matter. */
#ifndef TENKEN_PROBES_TLS_CERTIFICATE_H
#define TENKEN_PROBES_TLS_CERTIFICATE_H

#include "agent/base/digest.h"
#include "agent/base/timefmt.h"
#include "probes/tls/reply.h"

struct trust; /* anchors */

/* From PEM text; certificates that do not parse are skipped. ERR_ABSENT none in it; ERR_NOMEM. */
int trust_from_pem(const char *pem, size_t n, struct trust **ret, struct err *e) MUST_USE;
void trust_free(struct trust *t);

struct certificate_facts {
    char *subject, *issuer; /* RFC 2253, owned */
    char not_before[TIME_TEXT_MAX], not_after[TIME_TEXT_MAX];
    char key_type[16], signature[64], sha256[SHA256_HEX];
    int64_t key_bits;
};

/* The group number of an EC key's curve, 0 if it is none. */
uint16_t certificate_curve(const uint8_t *der, size_t n);
/* ERR_MALFORMED if the bytes are no certificate. */
int certificate_read(const uint8_t *der, size_t n, struct certificate_facts *ret,
                     struct err *e) MUST_USE;
void certificate_facts_done(struct certificate_facts *f);
/* Does the leaf bear the name (or address), and does its chain hold at time_s? word: "" or what is
 * wrong. ERR_MALFORMED: the leaf is no certificate. */
int chain_judge(const struct reply *chain, const struct trust *t, const char *name, bool is_address,
                int64_t time_s, bool *ret_name_ok, bool *ret_chain_ok, char word[80],
                struct err *e) MUST_USE;

#endif
