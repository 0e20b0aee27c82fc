/* /proc/modules, the mount table as the mounts table reads it, udev's records. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/system/kernelfiles.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    const char *from, *to;
    size_t rows;
};

static void inside(const struct seen *s, struct span text)
{
    if (text.n > 0 && (text.p < s->from || text.p + text.n > s->to)) {
        abort();
    }
}

static void module(const struct module_row *m, void *arg)
{
    struct seen *s = arg;

    s->rows++;
    inside(s, m->name);
    inside(s, m->used_by);
    inside(s, m->status);
    inside(s, m->address);
    if (m->name.n == 0 || m->size < 0) {
        abort();
    }
}

static void mount_seen(const struct mount_row *m, void *arg)
{
    struct seen *s = arg;
    CLEANUP(str) struct str flags = STR_INIT((m->options.n + m->super_options.n) * 2 + 16);
    CLEANUP(str) struct str path = STR_INIT(m->path.n + 1);

    s->rows++;
    inside(s, m->path);
    inside(s, m->type);
    inside(s, m->device);
    mount_flags(m->options, m->super_options, &flags);
    unescape_octal(m->path, &path);
    if (flags.error != 0 || path.error != 0 || flags.len < 2 || m->path.p[0] != '/') {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct seen s = {.from = bytes, .to = bytes + size, .rows = 0};
    CLEANUP(str) struct str text = STR_INIT(size + 1);
    struct parse_report r;
    struct span value;

    modules_parse(bytes, size, module, &s, &r);
    if (s.rows + r.bad != r.lines) {
        abort();
    }
    s.rows = 0;
    mountinfo_parse(bytes, size, mount_seen, &s, &r);
    if (s.rows + r.bad != r.lines) {
        abort();
    }
    if (udev_property(bytes, size, "ID_FS_LABEL", &value)) {
        inside(&s, value);
        udev_decode(value, &text);
        if (text.len > value.n) {
            abort();
        }
    }
    return 0;
}
