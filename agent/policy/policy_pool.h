/* Memory that lives and dies together: what a loaded site or policy holds is allocated here and
 * freed in one call. Also a small list of pointers for counting while reading. */
#ifndef TENKEN_POLICY_POLICY_POOL_H
#define TENKEN_POLICY_POLICY_POOL_H

#include <stddef.h>

#include "agent/base/err.h"

struct pool;

/* An empty pool; the caller frees it with pool_free. ERR_NOMEM. */
int pool_new(struct pool **ret, struct err *e) MUST_USE;
/* Frees everything that came from p. NULL ok. */
void pool_free(struct pool *p);
static inline void cleanup_pool(struct pool **p)
{
    pool_free(*p);
}
/* size bytes, zeroed, aligned for any type; size 0 gives a valid pointer. NULL with ERR_NOMEM in
 * *e. */
void *pool_alloc(struct pool *p, size_t size, struct err *e) MUST_USE;
/* As pool_alloc for n elements; an overflowing product is ERR_NOMEM. */
void *pool_array(struct pool *p, size_t n, size_t size, struct err *e) MUST_USE;
/* Copies of text; n bytes need no NUL, one is added. NULL with ERR_NOMEM in *e. */
const char *pool_text_n(struct pool *p, const char *text, size_t n, struct err *e) MUST_USE;
const char *pool_text(struct pool *p, const char *text, struct err *e) MUST_USE;

/* A growing list of borrowed pointers. */
struct ptrs {
    void **items;
    size_t n;
    size_t cap;
};
int ptrs_add(struct ptrs *v, void *item, struct err *e) MUST_USE;
void ptrs_done(struct ptrs *v);
static inline void cleanup_ptrs(struct ptrs *v)
{
    ptrs_done(v);
}

#endif
