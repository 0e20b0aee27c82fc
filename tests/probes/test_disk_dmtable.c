/* Device-mapper tables: redaction first, then meaning: probes/disk/dmtable.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/dm-ioctl.h>

#include "probes/disk/dmtable.h"

static void test_redact(void **state)
{
    (void)state;
    static const struct {
        const char *type, *params, *want, *why;
    } cases[] = {
        {"crypt", "aes-xts-plain64 00ffab12 0 8:3 0", "aes-xts-plain64 00000000 0 8:3 0",
         "a hexadecimal key, length kept"},
        {"crypt", "aes-xts-plain64 :64:logon:cryptsetup:d0 0 8:3 0",
         "aes-xts-plain64 :64:------------------- 0 8:3 0", "a keyring key: size kept"},
        {"crypt", "cipher_null-ecb - 0 8:3 0", "cipher_null-ecb - 0 8:3 0", "no key"},
        {"crypt", "aes :abc 0 8:3 0", "aes ---- 0 8:3 0", "no size behind the colon: all of it"},
        {"crypt", "aes", "aes", "cut before the key"},
        {"integrity", "8:3 0 32 J 2 meta_device:8:9 internal_hash:hmac(sha256):aabb",
         "8:3 0 32 J 2 meta_device:8:9 internal_hash:hmac(sha256):0000", "hash key"},
        {"linear", "8:3 2048", "8:3 2048", "nothing to hide"},
        {"newtype", "8:3 secret", "", "a type not known to be without a key"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char params[256];
        strcpy(params, cases[i].params);
        dm_redact(cases[i].type, params);
        if (strcmp(params, cases[i].want) != 0) {
            fail_msg("%s: \"%s\"", cases[i].why, params);
        }
    }
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum dm_kind kind;
        unsigned key_bits;
        size_t n_devs;
        const char *why;
    } cases[] = {
        {"0 1 crypt aes-xts-plain64 :64:logon:x 0 8:3 32768", DM_ENCRYPTS, 512, 1, "LUKS2"},
        {"0 1 crypt aes-cbc-essiv:sha256 00112233445566778899aabbccddeeff 0 8:3 0", DM_ENCRYPTS,
         128, 1, "hexadecimal key"},
        {"0 1 crypt aes-cbc-null 00112233445566778899aabbccddeeff 0 8:3 0", DM_ENCRYPTS, 128, 1,
         "an IV generator called null still enciphers"},
        {"0 1 crypt cipher_null-ecb - 0 8:3 0", DM_CLEAR, 0, 1, "null cipher"},
        {"0 1 crypt capi:ecb(cipher_null)-plain 00 0 8:3 0", DM_CLEAR, 8, 1, "in capi: form"},
        {"0 1 crypt aes-xts-plain64 - 0 8:3 0", DM_CLEAR, 0, 1, "no key, no secret"},
        {"0 1 crypt aes-xts-plain64 abc 0 8:3 0", DM_UNKNOWN, 12, 1, "odd number of digits"},
        {"0 1 crypt aes-xts-plain64 00 0", DM_UNKNOWN, 8, 0, "no device"},
        {"0 1 linear 8:3 0", DM_PASSES, 0, 1, "linear"},
        {"0 1 linear", DM_UNKNOWN, 0, 0, "passes on to what?"},
        {"0 1 striped 2 128 8:1 0 8:17 0", DM_PASSES, 0, 2, "both stripes"},
        {"0 1 cache 253:1 253:2 253:3 128 0 default 0", DM_PASSES, 0, 3,
         "metadata, cache and origin"},
        {"0 1 thin-pool 253:1 253:2 128 0", DM_PASSES, 0, 2, "metadata and data"},
        {"0 1 integrity 8:1 0 32 J 1 meta_device:8:9", DM_PASSES, 0, 2, "named device"},
        {"0 1 verity 1 8:1 8:2 4096 4096 1 1 sha256 aa bb", DM_PASSES, 0, 2, "no secrecy"},
        {"0 1 error", DM_NOTHING, 0, 0, "no storage"},
        {"0 1 inlinecrypt aes 00 0 8:3 0", DM_UNKNOWN, 0, 0, "never heard of"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(dm_table) struct dm_table t = {0};
        CLEANUP(str) struct str text = STR_INIT(4096);
        struct err e = {0};
        str_addf(&text, "name\nuuid\n%s\n", cases[i].line);
        assert_int_equal(dm_table_parse(str_text(&text), text.len, &t, &e), 0);
        assert_int_equal(t.n, 1);
        const struct dm_target *dt = &t.targets[0];
        if (dt->kind != cases[i].kind || dt->key_bits != cases[i].key_bits ||
            dt->n_devs != cases[i].n_devs) {
            fail_msg("%s: kind %d, %u bits, %zu devices", cases[i].why, (int)dt->kind, dt->key_bits,
                     dt->n_devs);
        }
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "name",
                                        "name\nuuid",
                                        "name\nuuid\n0 x linear 8:1 0\n",
                                        "name\nuuid\n0 1\n",
                                        "n\nu\n0 1 a-type-name-longer-than-any-kernel-has 8:1\n"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(dm_table) struct dm_table t = {0};
        struct err e = {0};
        if (dm_table_parse(cases[i], strlen(cases[i]), &t, &e) != ERR_MALFORMED) {
            fail_msg("accepted: \"%s\"", cases[i]);
        }
    }
}

/* A kernel's reply with two targets in buf; gives its length. */
static size_t make_reply(char *buf, size_t start, const char *key)
{
    char params[300];
    struct dm_target_spec spec = {.sector_start = 0, .length = 100, .target_type = "crypt"};
    size_t len = (size_t)snprintf(params, sizeof(params), "aes-xts-plain64 %s 0 8:3 0", key) + 1;
    spec.next = (uint32_t)((sizeof(spec) + len + 7U) & ~(size_t)7);
    memcpy(buf + start, &spec, sizeof(spec));
    memcpy(buf + start + sizeof(spec), params, len);
    struct dm_target_spec second = {.sector_start = 100, .length = 5, .target_type = "linear"};
    size_t at = start + spec.next;
    memcpy(buf + at, &second, sizeof(second));
    memcpy(buf + at + sizeof(second), "8:3 7", 6);
    return at + sizeof(second) + 6;
}

static void test_reply(void **state)
{
    (void)state;
    static const char key[] = "d1ce5eedd1ce5eedd1ce5eedd1ce5eed";
    char buf[1024] = {0};
    CLEANUP(str) struct str out = STR_INIT(4096);
    struct err e = {0};
    size_t n = make_reply(buf, 312, key);
    assert_int_equal(dm_reply_lines(buf, n, 312, 2, &out, &e), 0);
    assert_string_equal(str_text(&out),
                        "0 100 crypt aes-xts-plain64 00000000000000000000000000000000 0 8:3 0\n"
                        "100 5 linear 8:3 7\n");
    /* The buffer itself is clean, too: not four digits of the key are left. */
    assert_null(memmem(buf, sizeof(buf), "d1ce", 4));
    assert_null(memmem(buf, sizeof(buf), "5eed", 4));
}

static void test_reply_hostile(void **state)
{
    (void)state;
    char buf[1024] = {0};
    size_t n = make_reply(buf, 0, "00");
    for (size_t cut = 0; cut < n; cut++) {
        CLEANUP(str) struct str out = STR_INIT(4096);
        struct err e = {0};
        CLEANUP(free)
        char *copy = malloc(cut + 1); /* exact, so that a sanitizer sees one too far */
        assert_non_null(copy);
        memcpy(copy, buf, cut);
        assert_int_equal(dm_reply_lines(copy, cut, 0, 2, &out, &e), ERR_MALFORMED);
    }
    struct dm_target_spec spec;
    memcpy(&spec, buf, sizeof(spec));
    static const uint32_t nexts[] = {0, 0xffffffffU, 1000, 4096};
    for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
        CLEANUP(str) struct str out = STR_INIT(4096);
        struct err e = {0};
        spec.next = nexts[i];
        memcpy(buf, &spec, sizeof(spec));
        assert_int_equal(dm_reply_lines(buf, n, 0, 2, &out, &e), ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redact),        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_reply),
        cmocka_unit_test(test_reply_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
