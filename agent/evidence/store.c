/* Durable files of the state directory. */
#include "agent/evidence/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/io.h"

/* Reads an open regular file to its end. */
static int read_all(int fd, const char *path, size_t max_bytes, struct str *out, struct err *e)
{
    char chunk[16384];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(e, "%s: cannot read", path);
        }
        if (n == 0) {
            return str_error(out, e);
        }
        total += (size_t)n;
        if (total > max_bytes) {
            return err_set(e, ERR_TRUNCATED, "%s: longer than %zu bytes", path, max_bytes);
        }
        str_add_bytes(out, chunk, (size_t)n);
    }
}

/* fstat(2) on what was opened, not stat(2) on the name: nothing can be swapped in between. */
int store_read_private(const char *path, size_t max_bytes, struct str *out, struct err *e)
{
    CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_errno(e, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, ERR_IO, "%s: not a regular file", path);
    }
    if ((st.st_mode & 077) != 0) {
        return err_set(e, ERR_UNSAFE, "%s: others than its owner may use this key: chmod 600 %s",
                       path, path);
    }
    return read_all(fd, path, max_bytes, out, e);
}

/* The directory of a path made durable: a new name in it survives a power cut only then. */
static int sync_directory_of(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(free)
    char *dir = slash == NULL   ? strdup(".")
                : slash == path ? strdup("/")
                                : strndup(path, (size_t)(slash - path));
    if (dir == NULL) {
        return err_nomem(e);
    }
    CLEANUP(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : err_errno(e, "%s: cannot be made durable", dir);
}

/* The temporary name is fixed: this is called under the lock only, and a left-over is overwritten.
 */
int store_create(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    CLEANUP(str) struct str tmp = STR_INIT(4096);
    str_addf(&tmp, "%s.tmp", path);
    int rc = str_error(&tmp, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd)
    int fd = open(str_text(&tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno(e, "%s: cannot create", path);
    }
    rc = io_write_all(fd, data, n, e);
    if (rc != 0) {
        (void)err_prefix(e, "%s", path);
    } else if (fchmod(fd, mode) != 0 || fsync(fd) != 0) {
        rc = err_errno(e, "%s: cannot be made durable", path);
    } else if (link(str_text(&tmp), path) != 0) { /* unlike rename(2) never replaces */
        rc = errno == EEXIST ? err_set(e, ERR_BUSY, "%s: exists already", path)
                             : err_errno(e, "%s: cannot create", path);
    }
    (void)unlink(str_text(&tmp));
    return rc == 0 ? sync_directory_of(path, e) : rc;
}

int store_replace(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    int rc = io_write_atomic(path, data, n, mode, e);
    /* a scan that starts removes temporary files: once, so trying again is enough */
    for (int again = 0; rc == ERR_ABSENT && again < 2; again++) {
        rc = io_write_atomic(path, data, n, mode, e);
    }
    return rc;
}

/* In receipts/ the uploader's user may put links, FIFOs, devices: none is followed or waited for.
 */
int store_read_at(int dir_fd, const char *dir, const char *name, size_t max_bytes, struct str *out,
                  struct err *e)
{
    char path[STORE_NAME_MAX * 2];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    CLEANUP(fd)
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_errno(e, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, ERR_MALFORMED, "%s: not a regular file", path);
    }
    return read_all(fd, path, max_bytes, out, e);
}

/* Sorted, so that what is done does not depend on the file system's order. */
int store_list(int dir_fd, const char *dir, struct strv *ret, struct err *e)
{
    /* a descriptor of its own: fdopendir takes it over and moves its offset */
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        int rc = err_errno(e, "%s: cannot be listed", dir);
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    struct strv names = {0};
    int rc = 0;
    errno = 0;
    for (const struct dirent *entry = readdir(d); rc == 0 && entry != NULL; entry = readdir(d)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            rc = strv_add(&names, entry->d_name, e);
        }
        errno = 0;
    }
    if (rc == 0 && errno != 0) {
        rc = err_errno(e, "%s: cannot be listed", dir);
    }
    (void)closedir(d);
    if (rc != 0) {
        strv_done(&names);
        return rc;
    }
    strv_sort(&names);
    *ret = names;
    return 0;
}

static bool is_temporary(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

/* A half-made directory holds files only. */
static int remove_directory(int dir_fd, const char *dir, const char *name, struct err *e)
{
    CLEANUP(strv) struct strv inside = {0};
    CLEANUP(fd) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int rc = fd >= 0 ? store_list(fd, dir, &inside, e) : err_errno(e, "%s/%s", dir, name);
    for (size_t i = 0; rc == 0 && i < inside.n; i++) {
        if (unlinkat(fd, inside.items[i], 0) != 0 && errno != ENOENT) {
            rc = err_errno(e, "%s/%s/%s: cannot be removed", dir, name, inside.items[i]);
        }
    }
    if (rc == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        rc = err_errno(e, "%s/%s: cannot be removed", dir, name);
    }
    return rc;
}

/* unlinkat(2) never follows a link; directories of that name are half-made chains. */
int store_clean(int dir_fd, const char *dir, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    int rc = store_list(dir_fd, dir, &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        if (!is_temporary(names.items[i]) || unlinkat(dir_fd, names.items[i], 0) == 0 ||
            errno == ENOENT) {
            continue;
        }
        rc = errno == EISDIR ? remove_directory(dir_fd, dir, names.items[i], e)
                             : err_errno(e, "%s/%s: cannot be removed", dir, names.items[i]);
    }
    return rc;
}
