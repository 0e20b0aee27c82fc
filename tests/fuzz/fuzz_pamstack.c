/* PAM configuration, from any bytes to handlers and ways in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/pam/pam.h"

#define READS_MAX 12U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    const uint8_t *data;
    size_t size;
    unsigned reads; /* after so many there are no more files: a loop ends sooner */
};

/* Every name is the same file, so that includes nest as deep as they may. */
static int read_bytes(void *arg, const char *name, bool is_include, struct str *text,
                      struct str *path, struct err *e)
{
    struct bytes *b = arg;
    (void)is_include;
    if (name[0] == 'z' || ++b->reads > READS_MAX) {
        return err_set(e, ERR_ABSENT, "%s", name);
    }
    str_add_bytes(text, b->data, b->size);
    str_add(path, name);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pam_dialect dialects[] = {
        {.at_include = true, .engine_15 = true, .includes_in_etc = true},
        {.counts_includes = true}};
    struct bytes b = {.data = data, .size = size < 2048 ? size : 2048};
    struct pam_files files = {.read = read_bytes, .arg = &b};
    CLEANUP(pam_catalogue) struct pam_catalogue *c = pam_catalogue_new();
    struct err e = {0};
    if (c == NULL || pam_catalogue_add(c, "unix\tsuccess needs=password\tauth_err", &e) < 0) {
        abort();
    }
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        CLEANUP(pam_stack) struct pam_stack s = {0};
        CLEANUP(login_rows) struct login_rows rows = {0};
        b.reads = 0;
        if (pam_stack_load(&files, &dialects[i], "svc", &s, &e) == 0 &&
            login_rows_of(c, &s, "svc", &rows, &e) == 0 &&
            (s.n > PAM_HANDLERS || (rows.is_unknown && rows.n > 0))) {
            abort();
        }
    }
    return 0;
}
