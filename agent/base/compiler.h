/* Compiler attributes and ownership helpers. Everything that is GNU C and not ISO C17 stands here.
 * Follows the "cleanup" and "warn_unused_result" attributes of the GCC manual, 6.33. */
#ifndef TENKEN_BASE_COMPILER_H
#define TENKEN_BASE_COMPILER_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NO_RETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* CLEANUP(fd) int x_fd = -1;  CLEANUP(free) char *p = NULL;  A module foo offers cleanup_foo(). */
#define CLEANUP(name) __attribute__((cleanup(cleanup_##name)))

/* Hands a pointer or descriptor on and leaves nothing to clean up behind. */
#define TAKE_PTR(p)                                                                                \
    __extension__({                                                                                \
        __typeof__(p) take_ptr_value = (p);                                                        \
        (p) = NULL;                                                                                \
        take_ptr_value;                                                                            \
    })
#define TAKE_FD(fd)                                                                                \
    __extension__({                                                                                \
        int take_fd_value = (fd);                                                                  \
        (fd) = -1;                                                                                 \
        take_fd_value;                                                                             \
    })

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

#endif
