/* Errors travel by value on the caller's stack: a code, the errno, a text that names the place and
 * the cure. No global error state, no logging below the commands. */
#ifndef TENKEN_BASE_ERR_H
#define TENKEN_BASE_ERR_H

#include "agent/base/compiler.h"

enum err_code {
    ERR_NONE = 0,
    ERR_NOMEM = -1,     /* allocation failed */
    ERR_IO = -2,        /* system call failed; sys_errno says which way */
    ERR_ABSENT = -3,    /* no such file, key, row */
    ERR_DENIED = -4,    /* permission or capability missing */
    ERR_MALFORMED = -5, /* input breaks its format */
    ERR_TRUNCATED = -6, /* input longer than the limit */
    ERR_TIMEOUT = -7,   /* deadline passed */
    ERR_INVALID = -8,   /* what the operator wrote is wrong: usage, site, policy, SQL (exit 64) */
    ERR_UNSAFE = -9,    /* site or policy owned or writable by others (exit 64) */
    ERR_BUSY = -10,     /* lock held by another */
    ERR_CRYPTO = -11,   /* OpenSSL refused */
    ERR_MISMATCH = -12, /* signature, digest or chain does not hold (the answer is no) */
    ERR_UNSUPPORTED = -13, /* kernel or library lacks it */
    ERR_LIMIT = -14,       /* a bound of ours was hit (steps, rows, memory) */
    ERR_NETWORK = -15,     /* peer unreachable or refused */
    ERR_INTERNAL = -16     /* our own mistake */
};

#define ERR_MSG_MAX 768

struct err {
    int code;
    int sys_errno;
    char msg[ERR_MSG_MAX];
};

/* Fills *e (may be NULL) and returns code, so that callers write `return err_set(e, ERR_IO, ...)`.
 * The text is cut at ERR_MSG_MAX - 1 bytes, never in the middle of a UTF-8 character. sys_errno is
 * set to 0. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, records the current errno first and appends ": strerror". Maps EACCES/EPERM to
 * ERR_DENIED, ENOENT/ENOTDIR to ERR_ABSENT, ENOMEM to ERR_NOMEM, anything else to ERR_IO, and
 * returns that. */
int err_errno(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "prefix: " before the text that *e holds; returns e->code (ERR_INTERNAL if e is NULL). */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Out-of-memory in one word. Inline, so that analysers see that it never returns 0. */
static inline int err_nomem(struct err *e)
{
    (void)err_set(e, ERR_NOMEM, "out of memory");
    return ERR_NOMEM;
}

/* The word for a code: "denied", "malformed", ... never NULL. */
const char *err_word(int code);

#endif
