/* Backoff: bounded, jittered, never shorter than the server asks nor longer than our ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/upload/send.h"

static void test_send_wait_bounds(void **state UNUSED)
{
    const struct send_options o = {.attempts = 5, .first_wait_ms = 1000, .longest_wait_ms = 60000};
    static const struct {
        unsigned attempt;
        int64_t retry_after_s;
        uint32_t random;
        int64_t min, max;
        const char *why;
    } rows[] = {
        {1, -1, 0, 0, 0, "full jitter may be nothing"},
        {1, -1, 1000, 1000, 1000, "and the whole first wait"},
        {1, -1, UINT32_MAX, 0, 1000, "never more than the first wait at the first try"},
        {4, -1, UINT32_MAX, 0, 8000, "doubled at each try"},
        {40, -1, UINT32_MAX, 0, 60000, "up to the ceiling, without overflow"},
        {1, 30, 0, 30000, 30000, "Retry-After wins over a shorter wait"},
        {1, 0, 0, 0, 0, "Retry-After: 0 asks for nothing"},
        {1, 86400, 0, 60000, 60000, "but not past the ceiling: the next run goes on"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = send_wait_ms(&o, rows[i].attempt, rows[i].retry_after_s, rows[i].random);
        if (got < rows[i].min || got > rows[i].max) {
            fail_msg("%s: %lld ms", rows[i].why, (long long)got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_send_wait_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
