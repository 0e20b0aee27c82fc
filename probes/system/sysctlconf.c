/* sysctl.d(5). */
#include "probes/system/sysctlconf.h"

#include <fnmatch.h>
#include <string.h>

void sysctl_conf_done(struct sysctl_conf *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].path);
        free(c->items[i].value);
    }
    free(c->items);
    *c = (struct sysctl_conf){0};
}

void sysctl_swap_separators(char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '.') {
            *name = '/';
        } else if (*name == '/') {
            *name = '.';
        }
    }
}

/* The first separator says which of the two it is. */
static void to_path_form(char *key)
{
    char *first = strpbrk(key, "./");

    if (first != NULL && *first == '.') {
        sysctl_swap_separators(key);
    }
}

static int append(struct sysctl_conf *c, struct span key, const struct span *value, struct err *e)
{
    if (c->n == SYSCTL_ENTRIES_MAX) {
        return err_set(e, ERR_LIMIT, "more than %u assignments in the sysctl.d files",
                       SYSCTL_ENTRIES_MAX);
    }
    if (c->n == c->cap) {
        size_t cap = c->cap > 0 ? c->cap * 2 : 64;
        struct sysctl_entry *items = reallocarray(c->items, cap, sizeof(*items));
        if (items == NULL) {
            return err_nomem(e);
        }
        c->items = items;
        c->cap = cap;
    }
    CLEANUP(free) char *path = strndup(key.p, key.n);
    CLEANUP(free) char *text = value != NULL ? strndup(value->p, value->n) : NULL;
    if (path == NULL || (value != NULL && text == NULL)) {
        return err_nomem(e);
    }
    to_path_form(path);
    bool glob = strpbrk(path, "*?[") != NULL;
    c->items[c->n++] =
        (struct sysctl_entry){.path = TAKE_PTR(path), .value = TAKE_PTR(text), .glob = glob};
    return 0;
}

static int conf_line(struct sysctl_conf *c, struct span line, struct err *e)
{
    struct span key = span_trim(line);
    struct span value;

    if (key.n == 0 || *key.p == '#' || *key.p == ';' || span_has_nul(key)) {
        return 0;
    }
    bool has_value = span_cut(key, '=', &key, &value);
    bool minus = key.n > 0 && *key.p == '-'; /* errors are to be ignored: no matter here */
    if (minus) {
        key = span_of(key.p + 1, key.n - 1);
    }
    key = span_trim(key);
    if (key.n == 0 || (!has_value && !minus)) {
        return 0;
    }
    if (has_value) {
        value = span_trim(value);
    }
    return append(c, key, has_value ? &value : NULL, e);
}

int sysctl_conf_add(struct sysctl_conf *c, const char *bytes, size_t n, struct err *e)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    while (span_line(&rest, &line)) {
        int rc = conf_line(c, line, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

const char *sysctl_conf_find(const struct sysctl_conf *c, const char *path)
{
    const char *by_glob = NULL;

    for (size_t i = c->n; i-- > 0;) {
        const struct sysctl_entry *x = &c->items[i];
        if (!x->glob && strcmp(x->path, path) == 0) {
            return x->value;
        }
        if (x->glob && by_glob == NULL && x->value != NULL &&
            fnmatch(x->path, path, FNM_PATHNAME) == 0) {
            by_glob = x->value;
        }
    }
    return by_glob;
}
