/* LUKS headers, taken from the fixtures and damaged in every way that matters:
 * probes/disk/luks.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/digest.h"
#include "agent/base/io.h"
#include "probes/disk/luks.h"

#define HOSTS TENKEN_SOURCE_DIR "/tests/hosts/"
#define CORPUS TENKEN_SOURCE_DIR "/tests/fuzz/corpus/luks/"
#define HEADER ((size_t)16384)

static void load(const char *path, struct str *out)
{
    struct err e = {0};
    if (io_read_file(path, (size_t)1 << 20, out, &e) != 0) {
        fail_msg("%s", e.msg);
    }
}

/* Primary at 0 and secondary at 16 KiB, with those sequence numbers and valid checksums. */
static void two_copies(uint8_t *out, uint8_t seq0, uint8_t seq1)
{
    CLEANUP(str) struct str one = STR_INIT((size_t)1 << 20);
    load(HOSTS "fully-encrypted/root/dev/sda3", &one);
    assert_int_equal(one.len, HEADER);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *p = out + i * HEADER;
        uint8_t sum[SHA256_BYTES];
        memcpy(p, one.data, HEADER);
        memcpy(p, i == 0 ? "LUKS" : "SKUL", 4);
        p[23] = i == 0 ? seq0 : seq1;
        memset(p + 448, 0, 64);
        assert_int_equal(sha256(p, HEADER, sum, NULL), 0);
        memcpy(p + 448, sum, sizeof(sum));
    }
}

static void test_luks2(void **state)
{
    (void)state;
    CLEANUP(free) uint8_t *both = malloc(2 * HEADER);
    struct luks l;
    struct err e = {0};
    assert_non_null(both);
    two_copies(both, 3, 3);
    assert_int_equal(luks_wanted_bytes(both, 4096), 2 * HEADER);
    assert_int_equal(luks_parse(both, 2 * HEADER, &l, &e), 0);
    assert_int_equal(l.version, 2);
    assert_string_equal(l.cipher, "aes-xts-plain64");
    assert_int_equal(l.key_bits, 512);
    assert_int_equal(l.n_slots, 1);
    assert_string_equal(l.slots[0].kdf, "argon2id");
    assert_int_equal(l.slots[0].memory_kib, 1048576);
    assert_int_equal(l.slots[0].iterations, 4);
    assert_false(l.is_converting);
    assert_false(l.from_secondary);
}

static void test_luks2_copies(void **state)
{
    (void)state;
    static const struct {
        uint8_t seq0, seq1;
        bool break0, break1, wipe0;
        int want;
        bool secondary;
        const char *why;
    } cases[] = {
        {3, 3, false, false, false, 0, false, "equal: the primary"},
        {3, 4, false, false, false, 0, true, "the newer copy counts"},
        {3, 3, true, false, false, 0, true, "primary damaged"},
        {3, 3, false, true, false, 0, false, "secondary damaged"},
        {3, 3, false, false, true, 0, true, "primary wiped"},
        {3, 3, true, true, false, ERR_MALFORMED, false, "both damaged"},
        {3, 3, false, true, true, ERR_MALFORMED, false, "one wiped, one damaged"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(free) uint8_t *both = malloc(2 * HEADER);
        struct luks l = {0};
        struct err e = {0};
        assert_non_null(both);
        two_copies(both, cases[i].seq0, cases[i].seq1);
        both[5000] = (uint8_t)(both[5000] ^ (cases[i].break0 ? 1 : 0));
        both[HEADER + 5000] = (uint8_t)(both[HEADER + 5000] ^ (cases[i].break1 ? 1 : 0));
        if (cases[i].wipe0) {
            memset(both, 0, 4096);
        }
        int r = luks_parse(both, 2 * HEADER, &l, &e);
        if (r != cases[i].want || (r == 0 && l.from_secondary != cases[i].secondary)) {
            fail_msg("%s: %d, secondary %d", cases[i].why, r, (int)l.from_secondary);
        }
    }
}

static void test_states_of_luks2(void **state)
{
    (void)state;
    CLEANUP(str) struct str decrypting = STR_INIT((size_t)1 << 20);
    CLEANUP(str) struct str opal = STR_INIT((size_t)1 << 20);
    struct luks l;
    struct err e = {0};
    load(HOSTS "decrypting/root/dev/sdb1", &decrypting);
    assert_int_equal(luks_parse(decrypting.data, decrypting.len, &l, &e), 0);
    assert_true(l.is_converting);
    assert_true(l.is_decrypting);
    assert_int_equal(l.n_slots, 1); /* the slot that only carries the conversion is none */
    load(HOSTS "drive-behind-luks2/root/dev/sdb1", &opal);
    assert_int_equal(luks_parse(opal.data, opal.len, &l, &e), 0);
    assert_true(l.uses_opal);
    assert_string_equal(l.cipher, "");
}

static void test_luks1(void **state)
{
    (void)state;
    CLEANUP(str) struct str one = STR_INIT((size_t)1 << 20);
    struct luks l;
    struct err e = {0};
    load(CORPUS "luks1", &one);
    assert_int_equal(luks_wanted_bytes(one.data, one.len), 1024);
    assert_int_equal(luks_parse(one.data, one.len, &l, &e), 0);
    assert_int_equal(l.version, 1);
    assert_string_equal(l.cipher, "aes-cbc-essiv:sha256");
    assert_int_equal(l.key_bits, 128);
    assert_int_equal(l.n_slots, 1);
    assert_string_equal(l.slots[0].kdf, "pbkdf2");
    assert_int_equal(l.slots[0].iterations, 1000);
    assert_int_equal(luks_parse(one.data, 591, &l, &e), ERR_MALFORMED);
}

static void test_none(void **state)
{
    (void)state;
    static const uint8_t zeros[8192];
    struct luks l;
    struct err e = {0};
    assert_int_equal(luks_parse(zeros, sizeof(zeros), &l, &e), ERR_ABSENT);
    assert_int_equal(luks_parse("LUKS", 4, &l, &e), ERR_ABSENT);
    assert_int_equal(luks_wanted_bytes(zeros, sizeof(zeros)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_luks2),
        cmocka_unit_test(test_luks2_copies),
        cmocka_unit_test(test_states_of_luks2),
        cmocka_unit_test(test_luks1),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
