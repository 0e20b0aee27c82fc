/* Errors by value: formatting, cutting at a character, mapping of errno. Prints nothing and keeps
 * nothing. */
#include "agent/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of text if cut to at most max bytes without splitting a UTF-8 character. */
static size_t whole_characters(const char *text, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    size_t n = max;
    while (n > 0 && ((unsigned char)text[n] & 0xC0U) == 0x80U) {
        n--;
    }
    return n;
}

/* Fills buf and cuts it; the result may have been built from e->msg itself, hence the own buffer
 * in the callers. */
static void store(struct err *e, const char *text)
{
    size_t n = whole_characters(text, strlen(text), ERR_MSG_MAX - 1);
    memcpy(e->msg, text, n);
    e->msg[n] = '\0';
}

/* Room beyond ERR_MSG_MAX lets store() see where the character at the cut begins. */
#define WORK_MAX (ERR_MSG_MAX * 2)

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e == NULL) {
        return code;
    }
    char work[WORK_MAX];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(work, sizeof(work), fmt, ap) < 0) {
        work[0] = '\0';
    }
    va_end(ap);
    e->code = code;
    e->sys_errno = 0;
    store(e, work);
    return code;
}

static int code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOENT:
    case ENOTDIR:
        return ERR_ABSENT;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

/* The beginning of a message; gives how much of work it fills. */
static size_t PRINTF_LIKE(2, 0) begin_text(char work[WORK_MAX], const char *fmt, va_list ap)
{
    int n = vsnprintf(work, WORK_MAX, fmt, ap);
    if (n < 0) {
        work[0] = '\0';
        return 0;
    }
    return n < WORK_MAX ? (size_t)n : WORK_MAX - 1;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    int code = code_of_errno(saved);
    if (e == NULL) {
        return code;
    }
    char work[WORK_MAX];
    va_list ap;
    va_start(ap, fmt);
    size_t used = begin_text(work, fmt, ap);
    va_end(ap);
    /* strerrordesc_np: no locale, no static buffer, so the same text everywhere. */
    const char *why = strerrordesc_np(saved);
    (void)snprintf(work + used, sizeof(work) - used, ": %s", why != NULL ? why : "unknown error");
    e->code = code;
    e->sys_errno = saved;
    store(e, work);
    return code;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    if (e == NULL) {
        return ERR_INTERNAL;
    }
    char work[WORK_MAX];
    va_list ap;
    va_start(ap, fmt);
    size_t used = begin_text(work, fmt, ap);
    va_end(ap);
    (void)snprintf(work + used, sizeof(work) - used, ": %s", e->msg);
    store(e, work);
    return e->code;
}

const char *err_word(int code)
{
    static const struct {
        int code;
        const char *word;
    } words[] = {
        {ERR_NONE, "none"},
        {ERR_NOMEM, "no-memory"},
        {ERR_IO, "io"},
        {ERR_ABSENT, "absent"},
        {ERR_DENIED, "denied"},
        {ERR_MALFORMED, "malformed"},
        {ERR_TRUNCATED, "truncated"},
        {ERR_TIMEOUT, "timeout"},
        {ERR_INVALID, "invalid"},
        {ERR_UNSAFE, "unsafe"},
        {ERR_BUSY, "busy"},
        {ERR_CRYPTO, "crypto"},
        {ERR_MISMATCH, "mismatch"},
        {ERR_UNSUPPORTED, "unsupported"},
        {ERR_LIMIT, "limit"},
        {ERR_NETWORK, "network"},
        {ERR_INTERNAL, "internal"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].code == code) {
            return words[i].word;
        }
    }
    return "unknown";
}
