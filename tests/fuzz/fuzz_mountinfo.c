/* Mount table, swap list, and the settings that say where memory images go: any bytes. What holds
 * for every input: no crash, and a found mount's point lies above the path that was asked for. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/config.h"
#include "probes/disk/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_find(const struct mounts *m, const char *path)
{
    int at = mounts_find(m, path);
    if (at >= 0 && ((size_t)at >= m->n || !path_below(path, m->items[at].point))) {
        abort();
    }
}

static void check_settings(const char *text)
{
    char out[CONFIG_TEXT_MAX];
    (void)cmdline_option(text, "resume", out, sizeof(out));
    (void)conf_value(text, "Coredump", "Storage", out, sizeof(out));
    (void)core_pattern_parse(text, "1", out, sizeof(out));
    (void)kdump_parse_debian(text, out, sizeof(out));
    (void)kdump_parse_redhat(text, out, sizeof(out));
    (void)kdump_parse_suse(text, out, sizeof(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(mounts) struct mounts m = {0};
    CLEANUP(swaps) struct swaps s = {0};
    CLEANUP(free) char *text = malloc(size + 1);
    struct err e = {0};
    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (mounts_parse(text, size, &m, &e) == 0) {
        check_find(&m, "/");
        check_find(&m, "/srv/city/deep/er");
        for (size_t i = 0; i < m.n; i++) {
            char option[64];
            check_find(&m, m.items[i].point);
            (void)fs_kind_of(&m.items[i]);
            (void)mount_untouchable(&m.items[i]);
            (void)mount_option(m.items[i].super, "upperdir", option, sizeof(option));
        }
    }
    if (swaps_parse(text, size, &s, &e) != 0) {
        return 0;
    }
    check_settings(text);
    return 0;
}
