/* sshd_config: whatever the bytes (the text includes itself), reading ends, and what is taken
 * resolves in every context with each keyword at most once. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/sshd/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t n;
};

static int read_input(void *arg, const char *path, struct str *out, struct err *e)
{
    const struct input *in = arg;
    (void)path;
    str_add_bytes(out, in->data, in->n);
    return str_error(out, e);
}

static int list_input(void *arg, const char *dir, struct strv *ret, struct err *e)
{
    (void)arg;
    (void)dir;
    return strv_add(ret, "a.conf", e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data, .n = size};
    struct sshd_files files = {.read = read_input, .list = list_input, .arg = &in};
    CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
    CLEANUP(sshd_contexts) struct sshd_contexts all = {.n = 0};
    struct err e;
    if (sshd_conf_load(&files, SSHD_CONFIG, &conf, &e) < 0 ||
        sshd_contexts_make(&conf, NULL, 0, &all, &e) < 0) {
        return 0;
    }
    for (size_t i = 0; i < all.n && i < 8; i++) {
        CLEANUP(sshd_config) struct sshd_config got = {.n = 0};
        if (sshd_conf_resolve(&conf, &all.items[i].context, &got, &e) == 0 &&
            sshd_config_get(&got, "usepam") == NULL) {
            abort();
        }
    }
    return 0;
}
