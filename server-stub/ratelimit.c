/* Token buckets in a fixed table. */
#include "server-stub/ratelimit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16384U /* a power of two; 10,000 hosts share few slots */
#define KEY_PART 16
#define MINUTE_US 60000000LL

struct bucket {
    char key[KEY_PART]; /* first digits of the key id */
    int64_t full_at_us; /* when the bucket will be full again; past = full */
};

struct ratelimit {
    pthread_mutex_t lock;
    int64_t step_us; /* time that one evidence costs */
    struct bucket slots[SLOTS];
};

int ratelimit_new(unsigned per_minute, struct ratelimit **ret, struct err *e)
{
    if (per_minute == 0) {
        return err_set(e, ERR_INVALID, "--rate: must be at least 1 a minute");
    }
    struct ratelimit *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return err_nomem(e);
    }
    r->step_us = MINUTE_US / per_minute > 0 ? MINUTE_US / per_minute : 1;
    (void)pthread_mutex_init(&r->lock, NULL);
    *ret = r;
    return 0;
}

void ratelimit_free(struct ratelimit *r)
{
    if (r != NULL) {
        (void)pthread_mutex_destroy(&r->lock);
        free(r);
    }
}

/* The key id is a digest: its digits are already spread evenly. */
static size_t slot_of(const char *keyid)
{
    char digits[9] = "";
    memcpy(digits, keyid, 8);
    return (size_t)strtoul(digits, NULL, 16) & (SLOTS - 1);
}

unsigned ratelimit_take(struct ratelimit *r, const char *keyid, int64_t now_us)
{
    unsigned wait_s = 0;
    (void)pthread_mutex_lock(&r->lock);
    struct bucket *b = &r->slots[slot_of(keyid)];
    if (memcmp(b->key, keyid, KEY_PART) != 0) {
        memcpy(b->key, keyid, KEY_PART);
        b->full_at_us = now_us;
    }
    int64_t from = b->full_at_us > now_us ? b->full_at_us : now_us;
    int64_t over_us = from + r->step_us - now_us - MINUTE_US;
    if (over_us > 0) {
        wait_s = (unsigned)(over_us / 1000000) + 1;
    } else {
        b->full_at_us = from + r->step_us;
    }
    (void)pthread_mutex_unlock(&r->lock);
    return wait_s;
}
