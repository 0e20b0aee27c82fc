/* A directory of a test's own, with files written by relative path; removed with all that is in it.
 */
#ifndef TENKEN_TESTS_POLICY_SCRATCH_H
#define TENKEN_TESTS_POLICY_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/str.h"

struct scratch {
    char dir[64];
};

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void cleanup_scratch(struct scratch *s)
{
    (void)nftw(s->dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline bool scratch_make(struct scratch *s)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(s->dir, sizeof s->dir, "%s/tenken-test-XXXXXX", base != NULL ? base : "/tmp");
    return n > 0 && (size_t)n < sizeof s->dir && mkdtemp(s->dir) != NULL;
}

/* Writes rel with its directory, mode 0644. False if it could not. */
static inline bool scratch_write(const struct scratch *s, const char *rel, const char *text)
{
    char path[256];
    int n = snprintf(path, sizeof path, "%s/%s", s->dir, rel);
    if (n < 0 || (size_t)n >= sizeof path) {
        return false;
    }
    for (char *p = path + strlen(s->dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void)mkdir(path, 0755);
        *p = '/';
    }
    FILE *f = fopen(path, "we");
    if (f == NULL) {
        return false;
    }
    bool good = fputs(text, f) >= 0;
    return fclose(f) == 0 && good && chmod(path, 0644) == 0;
}

/* Path of rel inside, in a buffer of the caller's. */
static inline const char *scratch_path(const struct scratch *s, const char *rel, char buf[256])
{
    (void)snprintf(buf, 256, "%s/%s", s->dir, rel);
    return buf;
}

#endif
