/* The kernel's lists of modules: modules.dep and modules.builtin, depmod(8). */
#include <string.h>

#include "probes/media/kmod.h"
#include "probes/system/text.h"

void kmod_index_done(struct kmod_index *x)
{
    for (size_t i = 0; i < x->n; i++) {
        free(x->modules[i].name);
    }
    free(x->modules);
    free(x->aliases);
    *x = (struct kmod_index){.modules = NULL};
}

/* "kernel/drivers/usb/storage/usb-storage.ko.xz" -> usb_storage */
static char *name_of_path(struct span path)
{
    size_t from = 0;
    for (size_t i = 0; i < path.n; i++) {
        from = path.p[i] == '/' ? i + 1 : from;
    }
    size_t n = from;
    while (n < path.n && path.p[n] != '.') {
        n++;
    }
    char *name = strndup(path.p + from, n - from);
    for (char *p = name; p != NULL && *p != '\0'; p++) {
        *p = *p == '-' ? '_' : *p;
    }
    return name;
}

static int compare(const void *a, const void *b)
{
    const struct kmod_module *x = a;
    const struct kmod_module *y = b;
    return strcmp(x->name, y->name);
}

static int add_module(struct kmod_index *x, struct span line, bool builtin, struct err *e)
{
    struct span path = span_trim(line);
    struct span deps = {0};
    if (!builtin && !span_cut(line, ':', &path, &deps)) {
        return 0;
    }
    if (path.n == 0) {
        return 0;
    }
    if (x->n == x->cap) {
        size_t cap = x->cap == 0 ? 1024 : x->cap * 2;
        struct kmod_module *more = reallocarray(x->modules, cap, sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        x->modules = more;
        x->cap = cap;
    }
    char *name = name_of_path(path);
    if (name == NULL) {
        return err_nomem(e);
    }
    x->modules[x->n++] = (struct kmod_module){.name = name,
                                              .path = path.p,
                                              .path_n = path.n,
                                              .deps = deps.p,
                                              .deps_n = deps.n,
                                              .builtin = builtin};
    return 0;
}

int kmod_index_add(struct kmod_index *x, const char *bytes, size_t n, bool builtin, struct err *e)
{
    struct span rest = span_of(bytes, n);
    struct span line;
    while (span_line(&rest, &line)) {
        int rc = add_module(x, line, builtin, e);
        if (rc != 0) {
            return rc;
        }
    }
    if (x->n > 0) {
        qsort(x->modules, x->n, sizeof(*x->modules), compare);
    }
    return 0;
}

struct kmod_module *kmod_index_find(const struct kmod_index *x, const char *name, size_t n)
{
    char text[KMOD_NAME_MAX];
    if (n >= sizeof(text)) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        text[i] = name[i] == '-' ? '_' : name[i];
    }
    text[n] = '\0';
    struct kmod_module key = {.name = text};
    return x->n == 0 ? NULL : bsearch(&key, x->modules, x->n, sizeof(*x->modules), compare);
}

/* Buses whose devices a person can plug in while the machine runs. */
static bool is_pluggable(struct span pattern)
{
    static const char *const buses[] = {
        "usb:", "scsi:", "mmc:", "sdio:", "hid:", "pcmcia:", "tbsvc:", "ieee1394:", "input:"};
    for (size_t i = 0; i < ARRAY_LEN(buses); i++) {
        if (span_starts(pattern, buses[i])) {
            return true;
        }
    }
    return false;
}

int kmod_index_add_aliases(struct kmod_index *x, const char *bytes, size_t n, struct err *e)
{
    struct span rest = span_of(bytes, n);
    struct span line;
    struct span before = {0}; /* aliases of one module stand together */
    const struct kmod_module *m = NULL;
    while (span_line(&rest, &line)) {
        struct span word[3];
        if (!span_starts(line, "alias ") || span_split(line, ' ', word, 3) != 3 ||
            !is_pluggable(word[1])) {
            continue;
        }
        if (word[2].n != before.n || memcmp(word[2].p, before.p, before.n) != 0) {
            before = word[2];
            m = kmod_index_find(x, word[2].p, word[2].n);
        }
        if (m == NULL) {
            continue; /* nothing of that name could be loaded */
        }
        if (x->n_aliases == x->cap_aliases) {
            size_t cap = x->cap_aliases == 0 ? 4096 : x->cap_aliases * 2;
            struct kmod_alias *more = reallocarray(x->aliases, cap, sizeof(*more));
            if (more == NULL) {
                return err_nomem(e);
            }
            x->aliases = more;
            x->cap_aliases = cap;
        }
        x->aliases[x->n_aliases++] = (struct kmod_alias){
            .pattern = word[1].p, .pattern_n = word[1].n, .module = (unsigned)(m - x->modules)};
    }
    return 0;
}
