/* A sorted list of named byte strings. */
#include "probes/disk/bag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAG_KEY_MAX 5000U

void bag_done(struct bag *b)
{
    for (size_t i = 0; i < b->n; i++) {
        explicit_bzero(b->items[i].bytes, b->items[i].n);
        free(b->items[i].bytes);
        free(b->items[i].key);
    }
    free(b->items);
    *b = (struct bag){0};
}

/* First index whose key is not below key. */
static size_t bag_lower(const struct bag *b, const char *key)
{
    size_t lo = 0;
    size_t hi = b->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(b->items[mid].key, key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int bag_grow(struct bag *b, struct err *e)
{
    if (b->n < b->cap) {
        return 0;
    }
    if (b->n >= BAG_ITEMS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %u things to look at", BAG_ITEMS_MAX);
    }
    size_t cap = b->cap == 0 ? 256 : b->cap * 2;
    struct bag_item *items = realloc(b->items, cap * sizeof(*items));
    if (items == NULL) {
        return err_nomem(e);
    }
    b->items = items;
    b->cap = cap;
    return 0;
}

/* Insertion into a sorted array: some hundred items on a usual host, thousands on a large one, and
 * look-ups outnumber insertions by far. */
int bag_put(struct bag *b, const char *key, int code, const void *bytes, size_t n, struct err *e)
{
    if (n > BAG_BYTES_MAX - b->total_bytes) {
        return err_set(e, ERR_LIMIT, "more than %zu bytes gathered", BAG_BYTES_MAX);
    }
    CLEANUP(free) char *copy = malloc(n + 1);
    if (copy == NULL) {
        return err_nomem(e);
    }
    if (n > 0) {
        memcpy(copy, bytes, n);
    }
    copy[n] = '\0';
    size_t at = bag_lower(b, key);
    if (at < b->n && strcmp(b->items[at].key, key) == 0) {
        struct bag_item *old = &b->items[at];
        b->total_bytes = b->total_bytes - old->n + n;
        explicit_bzero(old->bytes, old->n);
        free(old->bytes);
        old->bytes = TAKE_PTR(copy);
        old->n = n;
        old->code = code;
        return 0;
    }
    int r = bag_grow(b, e);
    if (r < 0) {
        return r;
    }
    CLEANUP(free) char *name = strdup(key);
    if (name == NULL) {
        return err_nomem(e);
    }
    memmove(&b->items[at + 1], &b->items[at], (b->n - at) * sizeof(*b->items));
    b->items[at] =
        (struct bag_item){.key = TAKE_PTR(name), .code = code, .bytes = TAKE_PTR(copy), .n = n};
    b->n++;
    b->total_bytes += n;
    return 0;
}

static const struct bag_item *PRINTF_LIKE(2, 0)
    bag_getv(const struct bag *b, const char *fmt, va_list args)
{
    char key[BAG_KEY_MAX];
    int len = vsnprintf(key, sizeof(key), fmt, args);
    if (len < 0 || (size_t)len >= sizeof(key)) {
        return NULL;
    }
    size_t at = bag_lower(b, key);
    return at < b->n && strcmp(b->items[at].key, key) == 0 ? &b->items[at] : NULL;
}

const struct bag_item *bag_getf(const struct bag *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const struct bag_item *item = bag_getv(b, fmt, args);
    va_end(args);
    return item;
}

const char *bag_textf(const struct bag *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const struct bag_item *item = bag_getv(b, fmt, args);
    va_end(args);
    return item != NULL && item->code == ERR_NONE ? item->bytes : "";
}

const char *bag_next_name(const struct bag_item *dir, const char *before)
{
    if (dir == NULL) {
        return NULL;
    }
    const char *next = before == NULL ? dir->bytes : before + strlen(before) + 1;
    return next < dir->bytes + dir->n ? next : NULL;
}

bool bag_has_name(const struct bag_item *dir, const char *name)
{
    for (const char *at = bag_next_name(dir, NULL); at != NULL; at = bag_next_name(dir, at)) {
        if (strcmp(at, name) == 0) {
            return true;
        }
    }
    return false;
}
