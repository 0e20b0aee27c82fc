/* agent/base/host_capture.c: capture.json, then (after a line "---") meta.tsv, from a tree that
 * anybody may have made. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *cut = size > 0 ? memmem(text, size, "\n---\n", 5) : NULL;
    size_t n_capture = cut != NULL ? (size_t)(cut - text) : size;
    const char *meta = cut != NULL ? cut + 5 : NULL;
    size_t n_meta = cut != NULL ? size - n_capture - 5 : 0;
    int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    int rc = host_adopt(root_fd, false, 0, text, n_capture, meta, n_meta, &h, &e);
    if (rc != 0) {
        if (rc != ERR_INVALID || e.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    static const char *const paths[] = {"/", "/etc", "/etc/modprobe.d/", "/proc/sys", "relative"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        /* a whole directory makes everything below it whole */
        if (host_is_whole(h, "/") && paths[i][0] == '/' && !host_is_whole(h, paths[i])) {
            abort();
        }
    }
    struct host_stat st;
    (void)!host_stat(h, "/usr", true, &st, &e);
    (void)host_hidden(h, HOST_SEES_ALL);
    return 0;
}
