/* agent/base/utf8.c: against an independent, arithmetic encoder over all code points. */
#include "tests/agent/base/unit.h"

#include "agent/base/str.h"
#include "agent/base/utf8.h"

/* The textbook encoder; knows nothing of surrogates. */
static size_t encode(uint32_t point, unsigned char out[4])
{
    if (point < 0x80) {
        out[0] = (unsigned char)point;
        return 1;
    }
    size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80U | (point & 0x3FU));
        point >>= 6;
    }
    out[0] = (unsigned char)(lead[n] | point);
    return n;
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x110000; point++) {
        unsigned char bytes[4];
        size_t n = encode(point, bytes);
        uint32_t back = 0;
        size_t step = utf8_decode(bytes, n, &back);
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        if (step != (surrogate ? 0 : n) || (!surrogate && back != point)) {
            fail_msg("U+%04X: %zu bytes decoded as %zu, U+%04X", point, n, step, back);
        }
        if (utf8_decode(bytes, n - 1, &back) != 0) {
            fail_msg("U+%04X: a cut character was accepted", point);
        }
    }
}

/* Number of two-byte and three-byte sequences that decode whole = number of such code points. */
static void test_no_second_form(void **state)
{
    (void)state;
    size_t two = 0;
    size_t three = 0;
    for (unsigned a = 0x80; a < 0x100; a++) {
        for (unsigned b = 0; b < 0x100; b++) {
            unsigned char pair[2] = {(unsigned char)a, (unsigned char)b};
            uint32_t point = 0;
            two += utf8_decode(pair, 2, &point) == 2 ? 1 : 0;
            for (unsigned c = 0; c < 0x100; c++) {
                unsigned char triple[3] = {(unsigned char)a, (unsigned char)b, (unsigned char)c};
                three += utf8_decode(triple, 3, &point) == 3 ? 1 : 0;
            }
        }
    }
    assert_int_equal(two, 0x800 - 0x80);
    assert_int_equal(three, 0x10000 - 0x800 - 0x800);
}

static void test_whole_texts(void **state)
{
    (void)state;
    assert_true(str_is_utf8("", 0));
    assert_true(str_is_utf8("a\0b", 3));
    assert_true(str_is_utf8("点検", 6));
    assert_false(str_is_utf8("点検", 5));
    assert_false(str_is_utf8("\xf5\x80\x80\x80", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_no_second_form),
        cmocka_unit_test(test_whole_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
