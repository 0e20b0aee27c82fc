/* agent/base/err.c */
#include "tests/agent/base/unit.h"

#include <errno.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

static void test_set_and_prefix(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, ERR_INVALID, "line %d", 3), ERR_INVALID);
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(e.msg, "line 3");
    assert_int_equal(err_prefix(&e, "%s", "site.yaml"), ERR_INVALID);
    assert_string_equal(e.msg, "site.yaml: line 3");
    /* the message may be an argument of its own successor */
    assert_int_equal(err_set(&e, ERR_IO, "(%s)", e.msg), ERR_IO);
    assert_string_equal(e.msg, "(site.yaml: line 3)");
}

static void test_null_error_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
    assert_int_equal(err_prefix(NULL, "x"), ERR_INTERNAL);
    errno = EACCES;
    assert_int_equal(err_errno(NULL, "x"), ERR_DENIED);
    assert_int_equal(err_nomem(NULL), ERR_NOMEM);
}

static void test_errno_codes(void **state)
{
    (void)state;
    static const struct {
        int sys_errno, code;
        const char *text, *why;
    } rows[] = {
        {EACCES, ERR_DENIED, "f: Permission denied", "mode bits"},
        {EPERM, ERR_DENIED, "f: Operation not permitted", "capability"},
        {ENOENT, ERR_ABSENT, "f: No such file or directory", "no name"},
        {ENOTDIR, ERR_ABSENT, "f: Not a directory", "a file where a directory should be"},
        {ENOMEM, ERR_NOMEM, "f: Cannot allocate memory", "memory"},
        {EIO, ERR_IO, "f: Input/output error", "anything else"},
        {9999, ERR_IO, "f: unknown error", "no such errno"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        errno = rows[i].sys_errno;
        CHECK_ROW(rows[i].why, err_errno(&e, "f") == rows[i].code);
        CHECK_ROW(rows[i].why, e.sys_errno == rows[i].sys_errno);
        CHECK_TEXT(rows[i].why, e.msg, rows[i].text);
    }
}

/* A text of n ASCII bytes and then three-byte characters must be cut between characters. */
static void test_cut_between_characters(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        struct str s = STR_INIT(4096);
        for (size_t i = 0; i < lead; i++) {
            str_add_char(&s, 'x');
        }
        while (s.len < 3000) {
            str_add(&s, "点");
        }
        struct err e = {0};
        (void)err_set(&e, ERR_INVALID, "%s", str_text(&s));
        assert_true(strlen(e.msg) < ERR_MSG_MAX);
        assert_true(strlen(e.msg) >= ERR_MSG_MAX - 3);
        assert_true(str_is_utf8(e.msg, strlen(e.msg)));
        (void)err_prefix(&e, "%s", "前");
        assert_true(str_is_utf8(e.msg, strlen(e.msg)));
        str_done(&s);
    }
}

static void test_words(void **state)
{
    (void)state;
    for (int code = ERR_NONE; code >= ERR_INTERNAL; code--) {
        assert_string_not_equal(err_word(code), "unknown");
        for (int other = code - 1; other >= ERR_INTERNAL; other--) {
            assert_string_not_equal(err_word(code), err_word(other));
        }
    }
    assert_string_equal(err_word(ERR_DENIED), "denied");
    assert_string_equal(err_word(4711), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_prefix), cmocka_unit_test(test_null_error_is_allowed),
        cmocka_unit_test(test_errno_codes),    cmocka_unit_test(test_cut_between_characters),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
