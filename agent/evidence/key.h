/* Inside of a key, for the files of this folder that sign and verify. */
#ifndef TENKEN_EVIDENCE_KEY_H
#define TENKEN_EVIDENCE_KEY_H

#include <openssl/evp.h>

#include "agent/evidence/evidence.h"

struct sign_key {
    EVP_PKEY *pkey;
    char id[SHA256_HEX];
    char *pem; /* public half, SPKI */
};

struct verify_key {
    EVP_PKEY *pkey;
    char id[SHA256_HEX];
    char *pem;
};

/* A private key from PEM text (PKCS#8, no pass phrase); name for messages. ERR_MALFORMED. */
int key_from_pem(const char *name, const char *pem, size_t n, struct sign_key **ret,
                 struct err *e) MUST_USE;

#endif
