/* What the tests of agent/base share: cmocka with its preamble, a scratch directory that is removed
 * again, small files. */
#ifndef TENKEN_TESTS_BASE_UNIT_H
#define TENKEN_TESTS_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Says which row failed before the assertion stops the test. */
#define CHECK_ROW(why, condition)                                                                  \
    do {                                                                                           \
        bool check_row_holds = (condition);                                                        \
        if (!check_row_holds) {                                                                    \
            print_error("row failed: %s: %s\n", (why), #condition);                                \
        }                                                                                          \
        assert_true(check_row_holds);                                                              \
    } while (0)

#define CHECK_TEXT(why, got, wanted)                                                               \
    do {                                                                                           \
        if (strcmp((got), (wanted)) != 0) {                                                        \
            print_error("row failed: %s\n", (why));                                                \
        }                                                                                          \
        assert_string_equal((got), (wanted));                                                      \
    } while (0)

static inline int scratch_remove_one(const char *path, const struct stat *st, int flag,
                                     struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* cmocka group or test setup and teardown: *state is the path of an empty directory. */
static inline int scratch_setup(void **state)
{
    char *path = strdup("/tmp/tenken-test-XXXXXX");
    if (path == NULL || mkdtemp(path) == NULL) {
        free(path);
        return -1;
    }
    *state = path;
    return 0;
}

static inline int scratch_teardown(void **state)
{
    (void)nftw(*state, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

/* "DIR/NAME" in one of a few rotating buffers. */
static inline const char *in_dir(const char *dir, const char *name)
{
    static char buffers[8][PATH_MAX];
    static unsigned next;
    char *b = buffers[next++ % 8];
    int n = snprintf(b, PATH_MAX, "%s/%s", dir, name);
    assert_true(n > 0 && n < PATH_MAX);
    return b;
}

static inline void put_bytes(const char *path, const void *data, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, n), (ssize_t)n);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static inline void put_text(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text), 0644);
}

#endif
