/* server-stub/unpack.c: lines, encodings, bounds. */
#include "tests/server-stub/harness.h"

#include <zlib.h>
#include <zstd.h>

#include "server-stub/unpack.h"

struct lines {
    struct str text; /* lines joined with '|' */
    size_t n, longest;
};

static int take(void *arg, const char *line, size_t n, struct err *e)
{
    struct lines *l = arg;
    (void)e;
    str_add_bytes(&l->text, line, n < 40 ? n : 40);
    str_add_char(&l->text, '|');
    l->longest = n > l->longest ? n : l->longest;
    l->n++;
    return 0;
}

/* Feeds in pieces of `piece` bytes; the first error ends. */
static int run(enum unpack_encoding encoding, const void *data, size_t n, size_t piece,
               struct lines *l)
{
    struct unpack *u = NULL;
    struct err err;
    int rc = 0;
    *l = (struct lines){.text = STR_INIT((size_t)1 << 20)};
    OK(unpack_new(encoding, take, l, &u, e));
    for (size_t at = 0; rc == 0 && at < n; at += piece) {
        rc = unpack_feed(u, (const char *)data + at, n - at < piece ? n - at : piece, &err);
        assert_true(unpack_memory(u) < 2 * UNPACK_LINE_MAX + ((size_t)16 << 20));
    }
    if (rc == 0) {
        rc = unpack_end(u, &err);
    }
    unpack_free(u);
    return rc;
}

static void gzip(const void *data, size_t n, struct str *out)
{
    z_stream z = {0};
    unsigned char buf[65536];
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    do {
        z.next_out = buf;
        z.avail_out = sizeof buf;
        assert_int_not_equal(deflate(&z, Z_FINISH), Z_STREAM_ERROR);
        str_add_bytes(out, buf, sizeof buf - z.avail_out);
    } while (z.avail_out == 0);
    (void)deflateEnd(&z);
}

static void zstd(const void *data, size_t n, struct str *out)
{
    size_t room = ZSTD_compressBound(n);
    char *buf = malloc(room);
    assert_non_null(buf);
    size_t len = ZSTD_compress(buf, room, data, n, 3);
    assert_false(ZSTD_isError(len));
    str_add_bytes(out, buf, len);
    free(buf);
}

static void test_lines(void **state)
{
    static const struct {
        const char *why, *body, *want;
    } rows[] = {
        {"one line without a newline", "{}", "{}|"},
        {"one line with a newline", "{}\n", "{}|"},
        {"several", "a\nb\nc\n", "a|b|c|"},
        {"blank lines at the end are no lines", "a\n\n \t\r\n\n", "a|"},
        {"blank lines inside are lines: line n answers line n", "a\n\nb\n", "a||b|"},
        {"a blank first line counts once something follows", "\na\n", "|a|"},
        {"nothing", "", ""},
        {"only blanks", "\n\n\n", ""},
        {"a lone brace begins one document", "{\n \"a\": 1\n}\n", "{\n \"a\": 1\n}\n|"},
        {"a lone brace later does not", "a\n{\nb\n", "a|{|b|"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece <= 64; piece += 63) {
            struct lines l;
            struct str z = STR_INIT(4096), g = STR_INIT(4096);
            size_t n = strlen(rows[i].body);
            const enum unpack_encoding encodings[] = {UNPACK_IDENTITY, UNPACK_GZIP, UNPACK_ZSTD};
            gzip(rows[i].body, n, &g);
            zstd(rows[i].body, n, &z);
            const struct str plain = {.data = (char *)(uintptr_t)rows[i].body, .len = n};
            const struct str *const bodies[] = {&plain, &g, &z};
            for (size_t k = 0; k < 3; k++) {
                int rc = run(encodings[k], bodies[k]->data, bodies[k]->len, piece, &l);
                if (rc != 0 || strcmp(str_text(&l.text), rows[i].want) != 0) {
                    fail_msg("%s (encoding %zu): %d \"%s\"", rows[i].why, k, rc, str_text(&l.text));
                }
                str_done(&l.text);
            }
            str_done(&g);
            str_done(&z);
        }
    }
}

static void test_bounds(void **state)
{
    static const struct {
        const char *why;
        size_t n_lines, length;
        int want;
    } rows[] = {
        {"64 lines", 64, 10, 0},
        {"65 lines", 65, 10, ERR_LIMIT},
        {"65 lines of which the last are blank: blanks are counted, they cost too", 65, 0,
         ERR_LIMIT},
        {"the longest line", 1, UNPACK_LINE_MAX, 0},
        {"one byte more", 1, UNPACK_LINE_MAX + 1, ERR_TRUNCATED},
        {"a bomb", 1, UNPACK_LINE_MAX * 20, ERR_TRUNCATED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str body = STR_INIT((size_t)64 << 20), g = STR_INIT((size_t)64 << 20),
                   z = STR_INIT((size_t)64 << 20);
        for (size_t k = 0; k < rows[i].n_lines; k++) {
            for (size_t b = 0; b < rows[i].length; b++) {
                str_add_char(&body, 'x');
            }
            str_add_char(&body, '\n');
        }
        gzip(body.data, body.len, &g);
        zstd(body.data, body.len, &z);
        const struct str *const bodies[] = {&body, &g, &z};
        for (unsigned k = 0; k < 3; k++) {
            struct lines l;
            int rc = run((enum unpack_encoding)k, bodies[k]->data, bodies[k]->len, 16384, &l);
            if (rc != rows[i].want) {
                fail_msg("%s (encoding %u): %d", rows[i].why, k, rc);
            }
            assert_true(l.longest <= UNPACK_LINE_MAX);
            str_done(&l.text);
        }
        str_done(&body);
        str_done(&g);
        str_done(&z);
    }
}

static void test_broken_streams(void **state)
{
    struct str g = STR_INIT(4096), z = STR_INIT(4096);
    (void)state;
    gzip("hello\nworld\n", 12, &g);
    zstd("hello\nworld\n", 12, &z);
    const struct str *const good[] = {NULL, &g, &z};
    struct lines l;
    for (unsigned k = 1; k < 3; k++) {
        enum unpack_encoding encoding = (enum unpack_encoding)k;
        for (size_t n = 0; n < good[k]->len; n++) { /* cut at every byte */
            assert_int_equal(run(encoding, good[k]->data, n, 7, &l), ERR_MALFORMED);
            str_done(&l.text);
        }
        assert_int_equal(run(encoding, "not compressed at all", 21, 7, &l), ERR_MALFORMED);
        str_done(&l.text);
        struct str two = STR_INIT(4096);
        str_add_bytes(&two, good[k]->data, good[k]->len);
        str_add_bytes(&two, good[k]->data, good[k]->len);
        assert_int_equal(run(encoding, two.data, two.len, 5, &l), 0); /* members in a row */
        assert_int_equal(l.n, 4);
        str_done(&l.text);
        str_add(&two, "rubbish");
        assert_int_equal(run(encoding, two.data, two.len, 5, &l), ERR_MALFORMED);
        str_done(&l.text);
        str_done(&two);
    }
    str_done(&g);
    str_done(&z);
}

/* A zstd frame that asks for a window of 2 GiB before it gives a byte. */
static void test_zstd_window(void **state)
{
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00};
    struct lines l;
    (void)state;
    assert_int_equal(run(UNPACK_ZSTD, frame, sizeof frame, 1, &l), ERR_MALFORMED);
    str_done(&l.text);
}

static void test_encoding_names(void **state)
{
    enum unpack_encoding encoding = UNPACK_IDENTITY;
    (void)state;
    OK(unpack_encoding_parse("GZIP", &encoding, e));
    assert_int_equal(encoding, UNPACK_GZIP);
    OK(unpack_encoding_parse("zstd", &encoding, e));
    assert_int_equal(encoding, UNPACK_ZSTD);
    OK(unpack_encoding_parse("", &encoding, e));
    assert_int_equal(encoding, UNPACK_IDENTITY);
    FAILS(ERR_UNSUPPORTED, unpack_encoding_parse("br", &encoding, e));
    FAILS(ERR_UNSUPPORTED, unpack_encoding_parse("gzip, gzip", &encoding, e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),          cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_broken_streams), cmocka_unit_test(test_zstd_window),
        cmocka_unit_test(test_encoding_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
