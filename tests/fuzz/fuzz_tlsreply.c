/* What a TLS server answers, cut as the first byte says; STARTTLS talks; lines of endpoints;
 * certificates. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/tls/certificate.h"
#include "probes/tls/starttls.h"
#include "probes/tls/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replies(const uint8_t *data, size_t size, unsigned choice)
{
    struct reply r;
    size_t step = choice % 7 + 1;
    reply_init(&r, (enum reply_want)(choice % 3));
    for (size_t i = 0; i < size && r.state == REPLY_MORE; i += step) {
        (void)reply_feed(&r, data + i, size - i < step ? size - i : step, choice % 2 == 1);
    }
    size_t n = 0;
    for (size_t i = 0; i < 8; i++) {
        const uint8_t *der = reply_certificate(&r, i, &n);
        struct certificate_facts f = {0};
        if (der != NULL) {
            (void)certificate_curve(der, n);
            if (certificate_read(der, n, &f, NULL) == 0 && f.key_type[0] == '\0') {
                abort();
            }
            certificate_facts_done(&f);
        }
    }
    reply_done(&r);
}

static void talks(const uint8_t *data, size_t size)
{
    for (unsigned kind = 0; kind < N_STARTTLS; kind++) {
        struct starttls_talk t;
        CLEANUP(str) struct str out = STR_INIT(4096);
        starttls_init(&t, (enum starttls)kind);
        enum starttls_next next = starttls_feed(&t, "", 0, "h", &out);
        for (size_t i = 0; i < size && i < 4096 && (next == ST_WAIT || next == ST_SEND); i++) {
            next = starttls_feed(&t, data + i, 1, "h", &out);
        }
        starttls_done(&t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target t;
    if (size == 0) {
        return 0;
    }
    replies(data + 1, size - 1, data[0]);
    talks(data + 1, size - 1);
    char *text = strndup((const char *)data + 1, size - 1);
    if (text != NULL && target_parse(text, &t, NULL) == 0) {
        target_done(&t);
    }
    free(text);
    return 0;
}
