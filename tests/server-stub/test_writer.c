/* server-stub/writer.c: each job hears its own result, a failing one is undone alone, all of a
 * batch fail when the commit does. */
#include "tests/server-stub/harness.h"

#include <pthread.h>

struct job {
    struct maker *maker;
    int rc; /* what apply gives back, after it has written */
};

static int apply(struct store *s, void *arg, struct err *e)
{
    struct job *job = arg;
    const struct host_row h = {.keyid = sign_key_id(job->maker->key),
                               .pem = "p",
                               .hostname = "h",
                               .machine_id = "",
                               .enrolled_at = 1};
    int rc = store_host_put(s, &h, CONTRACT, e);
    return rc == 0 && job->rc != 0 ? err_set(e, job->rc, "as told") : rc;
}

static void test_results(void **state)
{
    char dir[64];
    struct writer *w = NULL;
    struct store *s = NULL;
    struct store_counts c;
    struct maker good = maker_new(SEED_TEST1), bad = maker_new(SEED_TEST2);
    struct job jobs[] = {{&bad, ERR_DENIED}, {&good, 0}};
    (void)state;
    scratch_make(dir);
    OK(writer_start(dir, &w, e));
    FAILS(ERR_DENIED, writer_run(w, apply, &jobs[0], e));
    OK(writer_run(w, apply, &jobs[1], e));
    OK(store_open(dir, STORE_READ, &s, e));
    OK(store_count(s, &c, e));
    assert_int_equal(c.hosts, 1); /* durable as soon as it was told so; the other is undone */
    assert_int_equal(writer_batches(w), 2);
    store_close(s);
    writer_stop(w);
    writer_stop(NULL);
    sign_key_free(good.key);
    sign_key_free(bad.key);
    scratch_remove(dir);
}

struct told {
    pthread_mutex_t lock;
    size_t n_good, n_bad;
};

static int apply_or_end(struct store *s, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    /* ends the transaction under the writer's feet, as SQLite does on a full disk */
    store_rollback(s);
    return 0;
}

static void told(void *arg, int rc, const struct err *e)
{
    struct told *t = arg;
    (void)pthread_mutex_lock(&t->lock);
    t->n_good += rc == 0;
    t->n_bad += rc != 0 && e->msg[0] != '\0';
    (void)pthread_mutex_unlock(&t->lock);
}

static void test_lost_transaction(void **state)
{
    char dir[64];
    struct writer *w = NULL;
    struct told t = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct write_job jobs[20];
    (void)state;
    scratch_make(dir);
    OK(writer_start(dir, &w, e));
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        jobs[i] = (struct write_job){.apply = apply_or_end, .done = told, .arg = &t};
        writer_submit(w, &jobs[i]);
    }
    writer_stop(w); /* finishes all */
    assert_int_equal(t.n_good, 0);
    assert_int_equal(t.n_bad, ARRAY_LEN(jobs));
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_lost_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
