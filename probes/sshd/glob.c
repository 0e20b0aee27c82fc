/* File name patterns of Include: bsd-glob.c without flags, over callbacks. */
#include <string.h>

#include "probes/sshd/parts.h"

#define NAMES_MAX 8192U

/* [...] at *at against c. False in *ret_valid: no closing bracket, "[" stands for itself. */
static bool in_class(const char **at, char c, bool *ret_valid)
{
    const char *p = *at + 1;
    bool negated = *p == '!', hit = false, first = true;
    p += negated ? 1 : 0;
    const char *close = *p == '\0' ? NULL : strchr(p + 1, ']');
    *ret_valid = close != NULL;
    for (; close != NULL && (first || *p != ']') && p < close; first = false) {
        unsigned char low = (unsigned char)*p++, high = low;
        if (*p == '-' && p[1] != ']' && p + 1 < close) {
            high = (unsigned char)p[1];
            p += 2;
        }
        hit = hit || ((unsigned char)c >= low && (unsigned char)c <= high);
    }
    *at = close == NULL ? *at : close + 1;
    return hit != negated;
}

/* One element of the pattern against c; *at moves behind it. */
static bool one_matches(const char **at, char c)
{
    bool valid = false;
    if (**at == '[') {
        bool hit = in_class(at, c, &valid);
        if (valid) {
            return hit;
        }
    }
    return *(*at)++ == c;
}

static bool name_matches(const char *name, const char *pattern)
{
    const char *star = NULL, *from = NULL;
    if (*name == '.' && *pattern != '.') {
        return false;
    }
    while (*name != '\0') {
        const char *at = pattern;
        if (*pattern == '*') {
            star = pattern++;
            from = name;
            continue;
        }
        if (*pattern == '?' || (*pattern != '\0' && one_matches(&at, *name))) {
            pattern = *pattern == '?' ? pattern + 1 : at;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool is_magic(const char *part)
{
    return strpbrk(part, "*?[") != NULL;
}

/* Each directory of `from` with one more component. */
static int expand(const struct sshd_files *f, const struct strv *from, const char *part,
                  struct strv *ret, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < from->n && r == 0; i++) {
        CLEANUP(strv) struct strv names = {0};
        const char *dir = from->items[i];
        r = is_magic(part) ? f->list(f->arg, *dir == '\0' ? "/" : dir, &names, e)
                           : strv_add(&names, part, e);
        if (r == ERR_ABSENT || r == ERR_INVALID) {
            r = 0; /* no directory: nothing there matches */
            continue;
        }
        for (size_t n = 0; n < names.n && r == 0; n++) {
            CLEANUP(str) struct str path = STR_INIT(8192);
            if (is_magic(part) && !name_matches(names.items[n], part)) {
                continue;
            }
            str_addf(&path, "%s/%s", dir, names.items[n]);
            r = ret->n >= NAMES_MAX ? err_set(e, ERR_LIMIT, "Include names too many files")
                                    : str_error(&path, e);
            r = r == 0 ? strv_add(ret, str_text(&path), e) : r;
        }
    }
    return r;
}

int sshd_glob(const struct sshd_files *f, const char *pattern, struct strv *ret, struct err *e)
{
    CLEANUP(strv) struct strv dirs = {0};
    char part[1024];
    int r = strv_add(&dirs, "", e);
    for (const char *at = pattern + strspn(pattern, "/"); *at != '\0' && r == 0;) {
        CLEANUP(strv) struct strv next = {0};
        size_t n = strcspn(at, "/");
        if (n >= sizeof(part)) {
            return 0; /* longer than any name */
        }
        memcpy(part, at, n);
        part[n] = '\0';
        if (strchr(part, '\\') != NULL) {
            return err_set(e, ERR_UNSUPPORTED, "Include with a backslash: %.64s", pattern);
        }
        r = expand(f, &dirs, part, &next, e);
        strv_done(&dirs);
        dirs = next;
        next = (struct strv){0};
        at += n + strspn(at + n, "/");
    }
    strv_sort(&dirs);
    if (r == 0) {
        *ret = dirs;
        dirs = (struct strv){0};
    }
    return r;
}
