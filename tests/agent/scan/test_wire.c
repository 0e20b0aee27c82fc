/* Frames as they are written, and the texts in them.
 * Covers agent/scan/bytes.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/scan/bytes.h"
#include "agent/scan/wire.h"

static void test_numbers_go_there_and_back(void **state UNUSED)
{
    CLEANUP(str) struct str s = STR_INIT(1000);
    put_u8(&s, 0xfe);
    put_u32(&s, 0x01020304);
    put_u64(&s, UINT64_MAX - 1);
    put_bytes(&s, "ab\0c", 4);
    put_bytes(&s, NULL, 0);
    assert_int_equal((uint8_t)s.data[1], 4); /* little-endian, whatever the machine */
    struct cursor c = {.p = (const uint8_t *)s.data, .n = s.len, .bad = false};
    size_t n = 0;
    assert_int_equal(take_u8(&c), 0xfe);
    assert_int_equal(take_u32(&c), 0x01020304);
    assert_true(take_u64(&c) == UINT64_MAX - 1);
    assert_memory_equal(take_bytes(&c, &n), "ab\0c", 4);
    assert_int_equal(n, 4);
    (void)take_bytes(&c, &n);
    assert_int_equal(n, 0);
    assert_false(c.bad);
    assert_int_equal(c.n, 0);
}

static void test_reading_past_the_end(void **state UNUSED)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } rows[] = {{"", 0, "nothing"},
                {"\x05\0\0", 3, "half a length"},
                {"\x05\0\0\0abcd", 8, "one byte less than said"},
                {"\xff\xff\xff\xff", 4, "a length that would wrap"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cursor c = {.p = (const uint8_t *)rows[i].bytes, .n = rows[i].n, .bad = false};
        size_t n = 7;
        const char *p = take_bytes(&c, &n);
        if (!c.bad || n != 0 || p[0] != '\0' || take_u8(&c) != 0) {
            fail_msg("%s", rows[i].why);
        }
    }
}

static void test_frame_lengths(void **state UNUSED)
{
    CLEANUP(str) struct str s = STR_INIT(1000);
    wire_layers(&s, LAYER_ALL);
    wire_begin(&s, 3, PHASE_PARSE);
    wire_done(&s);
    static const char want[] = "\x02\0\0\0L\x1f"
                               "\x03\0\0\0B\x03\x01"
                               "\x01\0\0\0Z";
    assert_int_equal(s.len, sizeof(want) - 1);
    assert_memory_equal(s.data, want, s.len);
}

static void test_escaped_cells(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t n;
        bool want;
        const char *why;
    } rows[] = {
        {"", 0, true, "empty"},
        {"plain", 5, true, "ASCII"},
        {"点検", 6, true, "UTF-8"},
        {"a\\x0ab", 6, true, "an escape"},
        {"\\\\", 2, false, "a backslash is not its own escape"},
        {"\\x0", 3, false, "an escape cut short"},
        {"\\x0A", 4, false, "upper-case digits are not what we write"},
        {"\\u0a0a", 6, false, "another kind of escape"},
        {"a\nb", 3, false, "a new line"},
        {"a\0b", 3, false, "a NUL"},
        {"\x7f", 1, false, "DEL"},
        {"\xc3\x28", 2, false, "a broken sequence"},
        {"\xed\xa0\x80", 3, false, "a surrogate"},
        {"\xe7\x82", 2, false, "a character cut short"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (cell_is_escaped(rows[i].text, rows[i].n) != rows[i].want) {
            fail_msg("%s", rows[i].why);
        }
    }
}

/* What str_add_cell makes of any byte is what the parent takes. */
static void test_every_byte_escaped_is_accepted(void **state UNUSED)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char raw[3] = {'a', (char)byte, 'b'};
        CLEANUP(str) struct str s = STR_INIT(100);
        str_add_cell(&s, raw, sizeof(raw));
        assert_true(cell_is_escaped(str_text(&s), s.len));
    }
}

static void test_reasons_are_cut_between_units(void **state UNUSED)
{
    char out[FACT_REASON_MAX];
    reason_copy(out, "denied: /a\nb");
    assert_string_equal(out, "denied: /a\\x0ab");
    char twice[FACT_REASON_MAX];
    reason_copy(twice, out); /* escaped text is not escaped twice */
    assert_string_equal(twice, out);

    static const char *const units[] = {"点", "\n", "\xff", "x", "é"};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            CLEANUP(str) struct str s = STR_INIT(10000);
            str_add_bytes(&s, "abc", shift);
            while (s.len < 1200) {
                str_add(&s, units[i]);
            }
            reason_copy(out, str_text(&s));
            size_t n = strlen(out);
            assert_true(n < FACT_REASON_MAX && n > FACT_REASON_MAX - 6);
            assert_true(cell_is_escaped(out, n));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_go_there_and_back),
        cmocka_unit_test(test_reading_past_the_end),
        cmocka_unit_test(test_frame_lengths),
        cmocka_unit_test(test_escaped_cells),
        cmocka_unit_test(test_every_byte_escaped_is_accepted),
        cmocka_unit_test(test_reasons_are_cut_between_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
