/* One block per allocation, chained: sites and policies hold a few thousand small pieces at most,
 * and single blocks let the sanitizers see every overrun. */
#include "agent/policy/policy_pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    alignas(max_align_t) unsigned char bytes[];
};

struct pool {
    struct pool_block *blocks;
};

int pool_new(struct pool **ret, struct err *e)
{
    struct pool *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return err_nomem(e);
    }
    *ret = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (p == NULL) {
        return;
    }
    struct pool_block *b = p->blocks;
    while (b != NULL) {
        struct pool_block *next = b->next;
        free(b);
        b = next;
    }
    free(p);
}

void *pool_alloc(struct pool *p, size_t size, struct err *e)
{
    if (size > SIZE_MAX - sizeof(struct pool_block)) {
        (void)err_nomem(e);
        return NULL;
    }
    struct pool_block *b = calloc(1, sizeof *b + size);
    if (b == NULL) {
        (void)err_nomem(e);
        return NULL;
    }
    b->next = p->blocks;
    p->blocks = b;
    return b->bytes;
}

/* The product is checked: sizes come from files. */
void *pool_array(struct pool *p, size_t n, size_t size, struct err *e)
{
    size_t total = 0;
    if (__builtin_mul_overflow(n, size, &total)) {
        (void)err_nomem(e);
        return NULL;
    }
    return pool_alloc(p, total, e);
}

const char *pool_text_n(struct pool *p, const char *text, size_t n, struct err *e)
{
    if (n == SIZE_MAX) {
        (void)err_nomem(e);
        return NULL;
    }
    char *copy = pool_alloc(p, n + 1, e);
    if (copy != NULL && n > 0) {
        memcpy(copy, text, n);
    }
    return copy;
}

const char *pool_text(struct pool *p, const char *text, struct err *e)
{
    return pool_text_n(p, text, strlen(text), e);
}

int ptrs_add(struct ptrs *v, void *item, struct err *e)
{
    if (v->n == v->cap) {
        size_t cap = v->cap == 0 ? 16 : v->cap * 2;
        void **items = reallocarray(v->items, cap, sizeof *items);
        if (items == NULL) {
            return err_nomem(e);
        }
        v->items = items;
        v->cap = cap;
    }
    v->items[v->n++] = item;
    return 0;
}

void ptrs_done(struct ptrs *v)
{
    free(v->items);
    *v = (struct ptrs){0};
}
