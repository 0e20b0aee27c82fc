/* Parsers of /proc/PID/mountinfo and /proc/swaps; the walk from a path to its mount. */
#include "probes/disk/mountinfo.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void mounts_done(struct mounts *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct mount *x = &m->items[i];
        free(x->root);
        free(x->point);
        free(x->fstype);
        free(x->source);
        free(x->super);
    }
    free(m->items);
    *m = (struct mounts){0};
}

void swaps_done(struct swaps *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].path);
    }
    free(s->items);
    *s = (struct swaps){0};
}

static bool octal3(const char *p)
{
    return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* Undoes \040 and the like in place. The kernel escapes space, tab, newline, backslash, '#'. */
static void unescape(char *s)
{
    char *out = s;
    while (*s != '\0') {
        if (s[0] == '\\' && octal3(s + 1)) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

/* Splits at single spaces, in place. An empty field is a field: a mount's source may be empty. */
static char *take_field(char **rest)
{
    char *start = *rest;
    if (start == NULL) {
        return NULL;
    }
    char *space = strchr(start, ' ');
    if (space != NULL) {
        *space = '\0';
        *rest = space + 1;
    } else {
        *rest = NULL;
    }
    return start;
}

static bool parse_int(const char *text, int *ret)
{
    char *end = NULL;
    if (text == NULL || !isdigit((unsigned char)text[0])) {
        return false;
    }
    unsigned long v = strtoul(text, &end, 10);
    if (*end != '\0' || v > INT_MAX) {
        return false;
    }
    *ret = (int)v;
    return true;
}

static bool parse_dev(char *text, unsigned *ret_major, unsigned *ret_minor)
{
    char *colon = text == NULL ? NULL : strchr(text, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    int a = 0;
    int b = 0;
    if (!parse_int(text, &a) || !parse_int(colon + 1, &b)) {
        return false;
    }
    *ret_major = (unsigned)a;
    *ret_minor = (unsigned)b;
    return true;
}

static char *copy_unescaped(const char *text)
{
    char *copy = strdup(text);
    if (copy != NULL) {
        unescape(copy);
    }
    return copy;
}

/* One line, writable. 1 taken, 0 broken, ERR_NOMEM. */
static int parse_mount(char *line, struct mount *ret, struct err *e)
{
    struct mount m = {.up = -1, .first = -1, .next = -1};
    char *rest = line;
    if (!parse_int(take_field(&rest), &m.id) || !parse_int(take_field(&rest), &m.parent) ||
        !parse_dev(take_field(&rest), &m.dev_major, &m.dev_minor)) {
        return 0;
    }
    const char *root = take_field(&rest);
    const char *point = take_field(&rest);
    const char *options = take_field(&rest);
    if (root == NULL || point == NULL || point[0] != '/' || options == NULL) {
        return 0;
    }
    const char *tag = take_field(&rest);
    while (tag != NULL && strcmp(tag, "-") != 0) {
        tag = take_field(&rest);
    }
    const char *fstype = take_field(&rest);
    const char *source = take_field(&rest);
    const char *super = take_field(&rest);
    if (super == NULL || fstype[0] == '\0') {
        return 0;
    }
    char flag[2];
    m.writable = mount_option(super, "rw", flag, sizeof(flag));
    m.root = copy_unescaped(root);
    m.point = copy_unescaped(point);
    m.fstype = copy_unescaped(fstype);
    m.source = copy_unescaped(source);
    m.super = strdup(super);
    *ret = m;
    if (m.root == NULL || m.point == NULL || m.fstype == NULL || m.source == NULL ||
        m.super == NULL) {
        (void)err_nomem(e);
        return ERR_NOMEM;
    }
    return 1;
}

static int mounts_add(struct mounts *m, char *line, struct err *e)
{
    if (m->n == m->cap) {
        size_t cap = m->cap == 0 ? 64 : m->cap * 2;
        struct mount *items = realloc(m->items, cap * sizeof(*items));
        if (items == NULL) {
            return err_nomem(e);
        }
        m->items = items;
        m->cap = cap;
    }
    struct mount *slot = &m->items[m->n];
    *slot = (struct mount){0};
    int r = parse_mount(line, slot, e);
    if (r == 0) {
        m->bad_lines++;
        return 0;
    }
    m->n++; /* also when half filled: mounts_done frees it */
    return r < 0 ? r : 0;
}

bool path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    if (n > 0 && dir[n - 1] == '/') {
        n--; /* "/" holds everything */
    }
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* A mount whose parent is not listed hangs below the longest other mount point above it: the
 * kernel leaves out what is outside the reader's root, and captured tables may be cut. */
static int orphan_parent(const struct mounts *m, size_t orphan)
{
    int best = -1;
    size_t best_len = 0;
    for (size_t i = 0; i < m->n; i++) {
        size_t len = strlen(m->items[i].point);
        if (i != orphan && strcmp(m->items[i].point, m->items[orphan].point) != 0 &&
            path_below(m->items[orphan].point, m->items[i].point) && len >= best_len) {
            best = (int)i;
            best_len = len;
        }
    }
    return best;
}

static void link_tree(struct mounts *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct mount *x = &m->items[i];
        for (size_t j = 0; j < m->n && x->up < 0; j++) {
            if (j != i && m->items[j].id == x->parent) {
                x->up = (int)j;
            }
        }
        if (x->up < 0 && strcmp(x->point, "/") != 0) {
            x->up = orphan_parent(m, i);
        }
    }
    /* Backwards, so that each list of children stands in the kernel's order. */
    for (size_t i = m->n; i-- > 0;) {
        struct mount *x = &m->items[i];
        if (x->up >= 0) {
            x->next = m->items[x->up].first;
            m->items[x->up].first = (int)i;
        }
    }
}

int mounts_parse(const char *text, size_t n, struct mounts *ret, struct err *e)
{
    CLEANUP(mounts) struct mounts m = {0};
    CLEANUP(free) char *copy = malloc(n + 1);
    if (copy == NULL) {
        return err_nomem(e);
    }
    if (n > 0) {
        memcpy(copy, text, n);
    }
    copy[n] = '\0';
    char *at = copy;
    while (at < copy + n) {
        char *end = memchr(at, '\n', (size_t)(copy + n - at));
        char *next = end == NULL ? copy + n : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
        /* A NUL inside a line is not the kernel's: the line is broken. */
        if (strlen(at) != (size_t)((end == NULL ? copy + n : end) - at)) {
            m.bad_lines++;
        } else if (*at != '\0') {
            int r = mounts_add(&m, at, e);
            if (r < 0) {
                return r;
            }
        }
        at = next;
    }
    link_tree(&m);
    *ret = m;
    m = (struct mounts){0};
    return 0;
}

int mounts_find(const struct mounts *m, const char *path)
{
    int at = -1;
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].up < 0 && strcmp(m->items[i].point, "/") == 0) {
            at = (int)i;
        }
    }
    /* From each mount go on to the mount point met first on the way down. Its own root covered by
     * another mount counts as met at once. n steps bound a table whose parents form a ring. */
    for (size_t step = 0; at >= 0 && step < m->n; step++) {
        size_t here = strlen(m->items[at].point);
        size_t best_len = SIZE_MAX;
        int best = -1;
        for (int c = m->items[at].first; c >= 0; c = m->items[c].next) {
            size_t len = strlen(m->items[c].point);
            if (len >= here && len <= best_len && path_below(path, m->items[c].point)) {
                best = c; /* of two at one place the later one covers the earlier */
                best_len = len;
            }
        }
        if (best < 0) {
            return at;
        }
        at = best;
    }
    return at;
}

bool mount_option(const char *options, const char *name, char *out, size_t out_n)
{
    size_t want = strlen(name);
    for (const char *at = options; at != NULL;) {
        const char *comma = strchr(at, ',');
        size_t len = comma == NULL ? strlen(at) : (size_t)(comma - at);
        if (len >= want && strncmp(at, name, want) == 0 && (len == want || at[want] == '=')) {
            size_t skip = len == want ? want : want + 1;
            if (len - skip >= out_n) {
                return false;
            }
            memcpy(out, at + skip, len - skip);
            out[len - skip] = '\0';
            unescape(out);
            return true;
        }
        at = comma == NULL ? NULL : comma + 1;
    }
    return false;
}

static int swaps_add(struct swaps *s, char *line, struct err *e)
{
    char *save = NULL;
    char *path = strtok_r(line, " \t", &save);
    const char *type = strtok_r(NULL, " \t", &save);
    if (path == NULL || path[0] != '/' || type == NULL) {
        s->bad_lines++;
        return 0;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : s->cap * 2;
        struct swap_area *items = realloc(s->items, cap * sizeof(*items));
        if (items == NULL) {
            return err_nomem(e);
        }
        s->items = items;
        s->cap = cap;
    }
    static const char deleted[] = "\\040(deleted)";
    struct swap_area area = {.is_file = strcmp(type, "partition") != 0};
    size_t len = strlen(path);
    if (len > sizeof(deleted) - 1 && strcmp(path + len - (sizeof(deleted) - 1), deleted) == 0) {
        path[len - (sizeof(deleted) - 1)] = '\0';
        area.is_deleted = true;
    }
    area.path = copy_unescaped(path);
    if (area.path == NULL) {
        return err_nomem(e);
    }
    s->items[s->n++] = area;
    return 0;
}

int swaps_parse(const char *text, size_t n, struct swaps *ret, struct err *e)
{
    CLEANUP(swaps) struct swaps s = {0};
    CLEANUP(free) char *copy = strndup(text == NULL ? "" : text, n);
    if (copy == NULL) {
        return err_nomem(e);
    }
    char *save = NULL;
    char *line = strtok_r(copy, "\n", &save);
    if (line == NULL || strncmp(line, "Filename", 8) != 0) {
        s.bad_lines++; /* the kernel always writes the header: without it this is another file */
    }
    for (line = line == NULL ? NULL : strtok_r(NULL, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        int r = swaps_add(&s, line, e);
        if (r < 0) {
            return r;
        }
    }
    *ret = s;
    s = (struct swaps){0};
    return 0;
}
