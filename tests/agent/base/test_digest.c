/* agent/base/digest.c: known answers of FIPS 180-4, RFC 4231, RFC 4648. */
#include "tests/agent/base/unit.h"

#include "agent/base/digest.h"

static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex, *why;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "empty"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "FIPS 180-4"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "two blocks"},
    };
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char hex[SHA256_HEX];
        assert_int_equal(sha256_hex(rows[i].text, strlen(rows[i].text), hex, &e), 0);
        CHECK_TEXT(rows[i].why, hex, rows[i].hex);
    }
}

static void digest_of(const char *a, const char *b, char hex[SHA256_HEX])
{
    struct err e = {0};
    CLEANUP(digest) struct digest *d = NULL;
    assert_int_equal(digest_new(&d, &e), 0);
    assert_int_equal(digest_part(d, a, strlen(a), &e), 0);
    assert_int_equal(digest_part(d, b, strlen(b), &e), 0);
    assert_int_equal(digest_finish(d, hex, &e), 0);
}

static void test_parts_do_not_run_together(void **state)
{
    (void)state;
    char one[SHA256_HEX];
    char two[SHA256_HEX];
    char whole[SHA256_HEX];
    digest_of("ab", "c", one);
    digest_of("a", "bc", two);
    assert_string_not_equal(one, two);
    /* the documented form: each part after its length in 8 bytes, big endian */
    struct err e = {0};
    assert_int_equal(sha256_hex("\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c", 19, whole, &e), 0);
    assert_string_equal(one, whole);
}

static void test_hmac(void **state)
{
    (void)state;
    struct err e = {0};
    char hex[SHA256_HEX];
    const char *data = "what do ya want for nothing?"; /* RFC 4231, case 2 */
    assert_int_equal(hmac_sha256_hex("Jefe", 4, data, strlen(data), hex, &e), 0);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(hmac_sha256_hex("", 0, "", 0, hex, &e), 0);
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_hexadecimal(void **state)
{
    (void)state;
    char out[9];
    hex_encode("\x00\xff\x10\xab", 4, out);
    assert_string_equal(out, "00ff10ab");
    assert_true(hex_is("00ff10ab", 8));
    assert_false(hex_is("00ff10ab", 7));
    assert_false(hex_is("00ff10ab", 9));
    assert_false(hex_is("00FF10AB", 8));
    assert_false(hex_is("00ff10ag", 8));
    assert_true(hex_is("", 0));
}

static void test_random(void **state)
{
    (void)state;
    struct err e = {0};
    char a[37];
    char b[37];
    assert_int_equal(random_uuid(a, &e), 0);
    assert_int_equal(random_uuid(b, &e), 0);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    for (size_t i = 0; i < 36; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        assert_int_equal(a[i] == '-', hyphen);
    }
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
}

static void test_base64_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *text;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str s = STR_INIT(100);
        base64_encode(rows[i].plain, strlen(rows[i].plain), &s);
        assert_string_equal(str_text(&s), rows[i].text);
        str_clear(&s);
        assert_int_equal(base64_decode(rows[i].text, strlen(rows[i].text), &s, &e), 0);
        assert_string_equal(str_text(&s), rows[i].plain);
        str_clear(&s);
        size_t bare = strcspn(rows[i].text, "=");
        assert_int_equal(base64_decode(rows[i].text, bare, &s, &e), 0);
        assert_string_equal(str_text(&s), rows[i].plain);
    }
    /* every length around the chunk's, every byte value */
    static unsigned char bytes[10000];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    }
    for (size_t n = 2290; n < sizeof(bytes); n += n < 2330 ? 1 : 977) {
        CLEANUP(str) struct str text = STR_INIT(100000);
        CLEANUP(str) struct str back = STR_INIT(100000);
        base64_encode(bytes, n, &text);
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_int_equal(base64_decode(str_text(&text), text.len, &back, &e), 0);
        assert_int_equal(back.len, n);
        assert_memory_equal(back.data, bytes, n);
    }
}

static void test_base64_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"Z", "one digit says nothing"},     {"Zg=", "half a padding"},
        {"Zg===", "too much padding"},       {"Zm9v====", "padding without need"},
        {"Zm9v Zm9v", "white space"},        {"Zm9v\n", "line end"},
        {"Zm=v", "padding in the middle"},   {"Zh==", "stray bits: a second text for one byte"},
        {"Zm9=", "stray bits in two bytes"}, {"Zm9*", "foreign character"},
        {"====", "nothing but padding"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CLEANUP(str) struct str s = STR_INIT(100);
        CHECK_ROW(rows[i].why,
                  base64_decode(rows[i].text, strlen(rows[i].text), &s, &e) == ERR_MALFORMED);
    }
    struct err e = {0};
    CLEANUP(str) struct str s = STR_INIT(100);
    assert_int_equal(base64_decode("-_8", 3, &s, &e), 0); /* the URL-safe alphabet */
    assert_memory_equal(s.data, "\xfb\xff", 2);
    CLEANUP(str) struct str small = STR_INIT(2);
    assert_int_equal(base64_decode("Zm9v", 4, &small, &e), ERR_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),         cmocka_unit_test(test_parts_do_not_run_together),
        cmocka_unit_test(test_hmac),           cmocka_unit_test(test_hexadecimal),
        cmocka_unit_test(test_random),         cmocka_unit_test(test_base64_both_ways),
        cmocka_unit_test(test_base64_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
