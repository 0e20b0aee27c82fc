/* Directories and links by openat(2) and readlinkat(2) alone: their flags stand in registers, where
 * a seccomp filter can insist on directories. No RESOLVE_IN_ROOT here, so no component may be a
 * link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/host_parts.h"

#define BLOCK_SIZE 16384U

/* Descends from the root one component at a time. *ret_fd is for getdents64 if `listed`, else
 * path-only. */
static int descend(const struct host *h, const char *dir, bool listed, int *ret_fd, struct err *e)
{
    const int base = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const char *p = dir;
    bool is_root = p[strspn(p, "/")] == '\0';
    CLEANUP(fd) int fd = openat(h->root_fd, ".", base | (is_root && listed ? O_RDONLY : O_PATH));
    while (fd >= 0 && *(p += strspn(p, "/")) != '\0') {
        char name[NAME_MAX + 1];
        size_t n = strcspn(p, "/");
        if (n >= sizeof(name) || (n == 2 && p[0] == '.' && p[1] == '.')) {
            return err_set(e, ERR_INVALID, "%s: not a plain path", dir);
        }
        memcpy(name, p, n);
        name[n] = '\0';
        p += n;
        bool last = p[strspn(p, "/")] == '\0';
        int next = openat(fd, name, last && listed ? base | O_RDONLY : base | O_PATH);
        int saved = errno;
        (void)close(TAKE_FD(fd));
        fd = next;
        errno = saved;
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        return err_set(e, ERR_INVALID, "%s: a component is a link or no directory", dir);
    }
    if (fd < 0) {
        return err_errno(e, "%s", dir);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* The entries of one block that getdents64 gave. */
static int take_block(const char *block, size_t n, size_t max_entries, struct strv *names,
                      struct err *e)
{
    for (size_t at = 0; at < n;) {
        const struct dirent64 *d = (const struct dirent64 *)(const void *)(block + at);
        at += d->d_reclen;
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
            continue;
        }
        if (names->n == max_entries) {
            return err_set(e, ERR_TRUNCATED, "more than %zu entries", max_entries);
        }
        int rc = strv_add(names, d->d_name, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int host_links_list(const struct host *h, const char *dir, size_t max_entries, struct strv *ret,
                    struct err *e)
{
    CLEANUP(fd) int fd = -1;
    CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
    int rc = descend(h, dir, true, &fd, e);
    while (rc == 0) {
        _Alignas(struct dirent64) char block[BLOCK_SIZE];
        ssize_t n = getdents64(fd, block, sizeof(block));
        if (n < 0) {
            rc = err_errno(e, "%s", dir);
        } else if (n == 0) {
            break;
        } else {
            rc = take_block(block, (size_t)n, max_entries, &names, e);
        }
    }
    if (rc == 0 || rc == ERR_TRUNCATED) {
        strv_sort(&names);
        strv_done(ret);
        *ret = names;
        names = (struct strv){.items = NULL, .n = 0, .cap = 0};
    }
    return rc;
}

int host_links_read(const struct host *h, const char *dir, const char *name, struct str *out,
                    struct err *e)
{
    CLEANUP(fd) int fd = -1;
    int rc = descend(h, dir, false, &fd, e);
    if (rc != 0) {
        return rc;
    }
    char target[PATH_MAX];
    ssize_t n = strchr(name, '/') == NULL ? readlinkat(fd, name, target, sizeof(target)) : -1;
    if (n < 0 && errno == EINVAL) {
        return err_set(e, ERR_INVALID, "%s/%s: not a symbolic link", dir, name);
    }
    if (n < 0) {
        return err_errno(e, "%s/%s", dir, name);
    }
    str_add_bytes(out, target, (size_t)n);
    return str_error(out, e);
}
