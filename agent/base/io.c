/* Our own files: site, policies, state. Never used on the inspected host (that is host.c). */
#include "agent/base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/digest.h"

#define READ_CHUNK 65536U

/* Reads fd to its end. One byte more than max is asked for, so that "exactly max" is not an
 * error. */
int io_read_fd(int fd, const char *name, size_t max_bytes, struct str *out, struct err *e)
{
    char chunk[READ_CHUNK];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_errno(e, "%s: cannot read", name);
        }
        if (n == 0) {
            break;
        }
        total += (size_t)n;
        if (total > max_bytes) {
            return err_set(e, ERR_TRUNCATED, "%s: longer than %zu bytes", name, max_bytes);
        }
        str_add_bytes(out, chunk, (size_t)n);
    }
    int rc = str_error(out, e);
    return rc != 0 ? err_prefix(e, "%s", name) : 0;
}

/* O_NONBLOCK only for the open itself: a FIFO put in a file's place must not stop us. */
static int open_regular(const char *path, int *ret_fd, struct err *e)
{
    CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return err_errno(e, "%s: cannot open", path);
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_errno(e, "%s: cannot stat", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, ERR_IO, "%s: not a regular file", path);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int io_read_file(const char *path, size_t max_bytes, struct str *out, struct err *e)
{
    if (strcmp(path, "-") == 0) {
        return io_read_fd(STDIN_FILENO, "standard input", max_bytes, out, e);
    }
    CLEANUP(fd) int fd = -1;
    int rc = open_regular(path, &fd, e);
    if (rc != 0) {
        return rc;
    }
    return io_read_fd(fd, path, max_bytes, out, e);
}

int io_write_all(int fd, const void *data, size_t n, struct err *e)
{
    const char *p = data;
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);
        if (wrote < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_errno(e, "cannot write");
        }
        p += wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

/* The directory part of path: "." for a bare name, "/" for "/x". *ret_name: the last part. */
static char *directory_of(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash != NULL ? slash + 1 : path;
    if (slash == NULL) {
        return strdup(".");
    }
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    return strndup(path, n);
}

/* Creates "NAME.RANDOM.tmp" beside the target; *ret_tmp is owned by the caller, also on
 * failure. */
static int open_temporary(int dir_fd, const char *name, mode_t mode, char **ret_tmp, int *ret_fd,
                          struct err *e)
{
    unsigned char salt[8];
    char hex[sizeof(salt) * 2 + 1];
    int rc = random_bytes(salt, sizeof(salt), e);
    if (rc != 0) {
        return rc;
    }
    hex_encode(salt, sizeof(salt), hex);
    CLEANUP(str) struct str tmp = STR_INIT(PATH_MAX);
    str_addf(&tmp, ".%s.%s.tmp", name, hex);
    rc = str_error(&tmp, e);
    if (rc != 0) {
        return rc;
    }
    *ret_tmp = str_take(&tmp, NULL);
    if (*ret_tmp == NULL) {
        return err_nomem(e);
    }
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    CLEANUP(fd) int fd = openat(dir_fd, *ret_tmp, flags, 0600);
    if (fd < 0) {
        return err_errno(e, "cannot create");
    }
    /* fchmod and not open's mode: the umask must not decide over a contract. */
    if (fchmod(fd, mode) != 0) {
        rc = err_errno(e, "cannot set the mode");
        (void)unlinkat(dir_fd, *ret_tmp, 0);
        return rc;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Everything between creation and durable name; the caller removes the temporary on failure. */
static int write_and_rename(int dir_fd, int *fd, const char *tmp, const char *name,
                            const void *data, size_t n, struct err *e)
{
    int rc = io_write_all(*fd, data, n, e);
    if (rc != 0) {
        return rc;
    }
    if (fsync(*fd) != 0) {
        return err_errno(e, "cannot make durable");
    }
    int closed = close(*fd); /* network file systems report a full disk only here */
    *fd = -1;
    if (closed != 0) {
        return err_errno(e, "cannot close");
    }
    if (renameat(dir_fd, tmp, dir_fd, name) != 0) {
        return err_errno(e, "cannot rename");
    }
    return 0;
}

int io_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *e)
{
    const char *name = NULL;
    CLEANUP(free) char *dir = directory_of(path, &name);
    if (dir == NULL) {
        return err_nomem(e);
    }
    CLEANUP(fd) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return err_errno(e, "%s: cannot open the directory", dir);
    }
    CLEANUP(free) char *tmp = NULL;
    CLEANUP(fd) int fd = -1;
    int rc = open_temporary(dir_fd, name, mode, &tmp, &fd, e);
    if (rc != 0) {
        (void)err_prefix(e, "%s", path);
        return rc;
    }
    rc = write_and_rename(dir_fd, &fd, tmp, name, data, n, e);
    if (rc != 0) {
        (void)unlinkat(dir_fd, tmp, 0);
        (void)err_prefix(e, "%s", path);
        return rc;
    }
    if (fsync(dir_fd) != 0) {
        return err_errno(e, "%s: cannot make the directory durable", dir);
    }
    return 0;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text);
    size_t n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

int io_list(const char *dir, const char *suffix, struct strv *ret, struct err *e)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return err_errno(e, "%s: cannot open the directory", dir);
    }
    struct strv names = {0};
    int rc = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL) {
            if (errno != 0) {
                rc = err_errno(e, "%s: cannot read the directory", dir);
            }
            break;
        }
        if (entry->d_name[0] != '.' && ends_with(entry->d_name, suffix)) {
            rc = strv_add(&names, entry->d_name, e);
            if (rc != 0) {
                break;
            }
        }
    }
    (void)closedir(d);
    if (rc != 0) {
        strv_done(&names);
        return rc;
    }
    strv_sort(&names);
    strv_done(ret);
    *ret = names;
    return 0;
}

/* One directory; an existing directory (or a link to one) is good. */
static int make_one(const char *path, mode_t mode, struct err *e)
{
    if (mkdir(path, 0700) == 0) {
        /* The umask must not decide over a contract here either. */
        return chmod(path, mode) == 0 ? 0 : err_errno(e, "%s: cannot set the mode", path);
    }
    if (errno != EEXIST) {
        return err_errno(e, "%s: cannot create the directory", path);
    }
    struct stat st;
    if (stat(path, &st) != 0) {
        return err_errno(e, "%s: cannot stat", path);
    }
    return S_ISDIR(st.st_mode) ? 0 : err_set(e, ERR_IO, "%s: exists and is no directory", path);
}

int io_make_dir(const char *path, mode_t mode, struct err *e)
{
    CLEANUP(free) char *work = strdup(path);
    if (work == NULL) {
        return err_nomem(e);
    }
    for (char *p = work; *p != '\0'; p++) {
        if (*p != '/' || p == work || p[-1] == '/') {
            continue;
        }
        *p = '\0';
        int rc = make_one(work, mode, e);
        *p = '/';
        if (rc != 0) {
            return rc;
        }
    }
    return make_one(work, mode, e);
}

bool io_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}
