/* Memory of sites and policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/policy/policy_pool.h"

static void test_pool_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    CLEANUP(pool) struct pool *p = NULL;
    struct err e = {0};
    assert_int_equal(pool_new(&p, &e), 0);
    for (size_t size = 0; size < 40; size++) {
        unsigned char *bytes = pool_alloc(p, size, &e);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(bytes[i], 0);
        }
        memset(bytes, 0xa5, size); /* the sanitizer sees a block that is too short */
    }
    assert_string_equal(pool_text(p, "abc", &e), "abc");
    assert_string_equal(pool_text_n(p, "abc", 2, &e), "ab");
    assert_string_equal(pool_text_n(p, NULL, 0, &e), "");
}

static void test_pool_refuses_what_overflows(void **state)
{
    (void)state;
    CLEANUP(pool) struct pool *p = NULL;
    struct err e = {0};
    assert_int_equal(pool_new(&p, &e), 0);
    assert_null(pool_array(p, SIZE_MAX / 2, 3, &e));
    assert_int_equal(e.code, ERR_NOMEM);
    assert_null(pool_alloc(p, SIZE_MAX, &e));
    assert_null(pool_text_n(p, "x", SIZE_MAX, &e));
}

static void test_ptrs_keep_order(void **state)
{
    (void)state;
    CLEANUP(ptrs) struct ptrs v = {0};
    struct err e = {0};
    int items[100];
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        assert_int_equal(ptrs_add(&v, &items[i], &e), 0);
    }
    assert_int_equal(v.n, ARRAY_LEN(items));
    for (size_t i = 0; i < v.n; i++) {
        assert_ptr_equal(v.items[i], &items[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_gives_zeroed_aligned_memory),
        cmocka_unit_test(test_pool_refuses_what_overflows),
        cmocka_unit_test(test_ptrs_keep_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
