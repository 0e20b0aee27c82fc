/* /proc/modules, mountinfo, cpuinfo, meminfo, uptime, cmdline; udev's records. */
#include "probes/system/kernelfiles.h"

#include <string.h>

#include "agent/base/compiler.h"

/* Built without unloading, the kernel writes "-" for the number of references: it is not read. */
static bool module_line(struct span line, struct module_row *row)
{
    struct span f[6];
    size_t n = 0;

    if (span_has_nul(line)) {
        return false;
    }
    while (n < ARRAY_LEN(f) && span_word(&line, &f[n])) {
        n++;
    }
    if (n < ARRAY_LEN(f) || !span_decimal(f[1], INT64_MAX, &row->size)) {
        return false;
    }
    row->name = f[0];
    row->used_by = f[3];
    if (row->used_by.p[row->used_by.n - 1] == ',') {
        row->used_by.n--;
    }
    row->status = f[4];
    row->address = f[5];
    return true;
}

void modules_parse(const char *bytes, size_t n, module_fn *fn, void *arg, struct parse_report *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    *ret = (struct parse_report){0};
    while (span_line(&rest, &line)) {
        struct module_row row;
        ret->lines++;
        if (module_line(line, &row)) {
            fn(&row, arg);
        } else {
            report_bad(ret);
        }
    }
}

/* "8:1": the superblock's device, anonymous (0:N) where it has none. */
static bool device_number(struct span s, struct mount_row *row)
{
    struct span major;
    struct span minor;
    int64_t a = 0;
    int64_t b = 0;

    if (!span_cut(s, ':', &major, &minor) || !span_decimal(major, UINT32_MAX, &a) ||
        !span_decimal(minor, UINT32_MAX, &b)) {
        return false;
    }
    row->dev_major = (unsigned)a;
    row->dev_minor = (unsigned)b;
    return true;
}

/* id parent major:minor root point options [optional…] - type source super-options */
static bool mount_line(struct span line, struct mount_row *row)
{
    struct span head[6];
    struct span word;
    struct span tail[3] = {{0}};

    if (span_has_nul(line)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(head); i++) {
        if (!span_word(&line, &head[i])) {
            return false;
        }
    }
    do {
        if (!span_word(&line, &word)) {
            return false;
        }
    } while (!span_is(word, "-"));
    /* The source may be empty: fields are told apart by single blanks here. */
    if (line.n == 0 || span_split(span_of(line.p + 1, line.n - 1), ' ', tail, 3) != 3) {
        return false;
    }
    row->path = head[4];
    row->options = head[5];
    row->type = tail[0];
    row->device = tail[1];
    row->super_options = tail[2];
    return device_number(head[2], row) && row->path.p[0] == '/' && row->type.n > 0;
}

void mountinfo_parse(const char *bytes, size_t n, mount_fn *fn, void *arg, struct parse_report *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    *ret = (struct parse_report){0};
    while (span_line(&rest, &line)) {
        struct mount_row row;
        ret->lines++;
        if (mount_line(line, &row)) {
            fn(&row, arg);
        } else {
            report_bad(ret);
        }
    }
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

void unescape_octal(struct span s, struct str *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && s.n - i > 3 && s.p[i + 1] <= '3' && is_octal(s.p[i + 1]) &&
            is_octal(s.p[i + 2]) && is_octal(s.p[i + 3])) {
            str_add_char(
                out, (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0')));
            i += 3;
        } else {
            str_add_char(out, s.p[i]);
        }
    }
}

/* Takes the next comma-separated option off *rest. A comma inside double quotes (SELinux contexts)
 * does not separate. */
static bool next_option(struct span *rest, struct span *ret)
{
    size_t n = 0;
    bool quoted = false;

    if (rest->n == 0) {
        return false;
    }
    while (n < rest->n && (quoted || rest->p[n] != ',')) {
        quoted = rest->p[n] == '"' ? !quoted : quoted;
        n++;
    }
    *ret = span_of(rest->p, n);
    size_t taken = n < rest->n ? n + 1 : n;
    *rest = span_of(rest->p + taken, rest->n - taken);
    return true;
}

enum option_part { PART_FIRST, PART_REST };

/* Options of a superblock that /proc/mounts shows before those of the mount. */
static enum option_part option_part(struct span o)
{
    static const char *const first[] = {"sync", "dirsync", "mand", "lazytime", "seclabel"};

    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        if (span_is(o, first[i])) {
            return PART_FIRST;
        }
    }
    return span_starts(o, "context=") || span_starts(o, "fscontext=") ||
                   span_starts(o, "defcontext=") || span_starts(o, "rootcontext=")
               ? PART_FIRST
               : PART_REST;
}

/* True if the list holds exactly that word. */
static bool has_option(struct span options, const char *word)
{
    struct span o;

    while (next_option(&options, &o)) {
        if (span_is(o, word)) {
            return true;
        }
    }
    return false;
}

/* rw and ro are left out: they stand in front, once for mount and superblock together. */
static void add_options(struct span options, bool super, enum option_part part, struct str *out)
{
    struct span o;

    while (next_option(&options, &o)) {
        if (o.n == 0 || span_is(o, "rw") || span_is(o, "ro") || (super && option_part(o) != part)) {
            continue;
        }
        str_add_char(out, ',');
        unescape_octal(o, out);
    }
}

void mount_flags(struct span options, struct span super_options, struct str *out)
{
    str_add(out, has_option(options, "ro") || has_option(super_options, "ro") ? "ro" : "rw");
    add_options(super_options, true, PART_FIRST, out);
    add_options(options, false, PART_REST, out);
    add_options(super_options, true, PART_REST, out);
}

/* --- cpuinfo --- */

struct core_id {
    int64_t package, core;
};

struct core_list {
    struct core_id *items;
    size_t n;
};

/* By package, then by core: equal neighbours are threads of one core. */
static int compare_cores(const void *a, const void *b)
{
    const struct core_id *x = a;
    const struct core_id *y = b;

    if (x->package != y->package) {
        return x->package < y->package ? -1 : 1;
    }
    return x->core < y->core ? -1 : x->core > y->core;
}

static void count_cores(struct core_list *l, struct cpuinfo *ret)
{
    if (l->n == 0) {
        return;
    }
    qsort(l->items, l->n, sizeof(*l->items), compare_cores);
    for (size_t i = 0; i < l->n; i++) {
        bool first = i == 0;
        ret->physical += first || compare_cores(&l->items[i - 1], &l->items[i]) != 0;
        ret->sockets += first || l->items[i - 1].package != l->items[i].package;
    }
}

static void keep_text(struct span value, char ret[CPU_TEXT_MAX])
{
    if (ret[0] != '\0' || value.n == 0 || value.n >= CPU_TEXT_MAX || span_has_nul(value)) {
        return; /* the first processor speaks for all */
    }
    memcpy(ret, value.p, value.n);
    ret[value.n] = '\0';
}

/* Whole words only: other flags may contain that word. */
static void cpu_flags(struct span value, struct cpuinfo *ret)
{
    struct span word;

    ret->has_flags = true;
    while (span_word(&value, &word)) {
        ret->hypervisor = ret->hypervisor || span_is(word, "hypervisor");
    }
}

/* Keys of x86; the others' (ARM: Features, CPU part) have no column that they could fill. */
static void cpu_line(struct span key, struct span value, struct core_list *l, struct cpuinfo *ret)
{
    int64_t number = 0;

    if (span_is(key, "processor") && span_decimal(value, INT32_MAX, &number)) {
        ret->logical++;
    } else if (span_is(key, "physical id") && span_decimal(value, INT32_MAX, &number)) {
        if (l->n < CPU_MAX) {
            l->items[l->n++] = (struct core_id){.package = number, .core = 0};
        }
    } else if (span_is(key, "core id") && span_decimal(value, INT32_MAX, &number)) {
        /* the kernel writes it behind the "physical id" of the same processor */
        if (l->n > 0) {
            l->items[l->n - 1].core = number;
        }
    } else if (span_is(key, "model name")) {
        keep_text(value, ret->brand);
    } else if (span_is(key, "model")) {
        keep_text(value, ret->model);
    } else if (span_is(key, "microcode")) {
        keep_text(value, ret->microcode);
    } else if (span_is(key, "flags")) {
        cpu_flags(value, ret);
    }
}

int cpuinfo_parse(const char *bytes, size_t n, struct cpuinfo *ret, struct err *e)
{
    CLEANUP(free) struct core_id *items = calloc(CPU_MAX, sizeof(*items));
    struct core_list list = {.items = items, .n = 0};
    struct span rest = span_of(bytes, n);
    struct span line;

    if (items == NULL) {
        return err_nomem(e);
    }
    memset(ret, 0, sizeof(*ret));
    while (span_line(&rest, &line)) {
        struct span key;
        struct span value;
        if (span_cut(line, ':', &key, &value)) {
            cpu_line(span_trim(key), span_trim(value), &list, ret);
        }
    }
    count_cores(&list, ret);
    return 0;
}

bool meminfo_total(const char *bytes, size_t n, int64_t *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    while (span_line(&rest, &line)) {
        struct span word;
        int64_t kib = 0;
        if (!span_starts(line, "MemTotal:")) {
            continue;
        }
        line = span_of(line.p + 9, line.n - 9);
        if (!span_word(&line, &word) || !span_decimal(word, INT64_MAX / 1024, &kib)) {
            return false;
        }
        *ret = kib * 1024;
        return true;
    }
    return false;
}

bool uptime_seconds(const char *bytes, size_t n, int64_t *ret)
{
    struct span whole = span_of(bytes, n);

    return span_cut(whole, '.', &whole, NULL) && span_decimal(whole, INT64_MAX, ret);
}

void cmdline_parse(struct span line, struct str *arguments, struct str *path, struct str *device)
{
    struct span rest = span_trim(line);
    struct span word;

    while (span_word(&rest, &word)) {
        struct span value;
        if (span_starts(word, "BOOT_IMAGE=") && span_cut(word, '=', NULL, &value)) {
            str_clear(path);
            str_add_bytes(path, value.p, value.n);
        } else if (span_starts(word, "root=") && span_cut(word, '=', NULL, &value)) {
            str_clear(device); /* the last one counts for the kernel */
            str_add_bytes(device, value.p, value.n);
        } else {
            if (arguments->len > 0) {
                str_add_char(arguments, ' ');
            }
            str_add_bytes(arguments, word.p, word.n);
        }
    }
}

bool udev_property(const char *bytes, size_t n, const char *key, struct span *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    while (span_line(&rest, &line)) {
        struct span name;
        struct span value;
        if (span_starts(line, "E:") &&
            span_cut(span_of(line.p + 2, line.n - 2), '=', &name, &value) && span_is(name, key)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* -1: no hexadecimal digit. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void udev_decode(struct span s, struct str *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.n - i > 3 ? hex_value(s.p[i + 2]) : -1;
        int low = s.n - i > 3 ? hex_value(s.p[i + 3]) : -1;
        if (s.p[i] == '\\' && s.n - i > 3 && s.p[i + 1] == 'x' && high >= 0 && low >= 0) {
            str_add_char(out, (char)(high * 16 + low));
            i += 3;
        } else {
            str_add_char(out, s.p[i]);
        }
    }
}
