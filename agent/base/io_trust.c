/* Who may change a file of ours: the file, every directory above it, and every symbolic link on the
 * way must be in the hands of root or of the effective user. Path by path as sshd's StrictModes and
 * sudo's sudo_secure_path do, but for each link's own directories too. path_resolution(7). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/io.h"

#define LINKS_MAX 40U /* as the kernel's own limit, path_resolution(7) */

/* Is the mode and owner of one object good? leaf = false: a directory above. */
static int check_object(const char *path, const struct stat *st, bool leaf, struct err *e)
{
    uid_t me = geteuid();
    const char *kind = S_ISDIR(st->st_mode) ? "directory" : S_ISLNK(st->st_mode) ? "link" : "file";
    if (st->st_uid != 0 && st->st_uid != me) {
        return err_set(e, ERR_UNSAFE,
                       "%s: %s belongs to user %u, neither root nor the user running this; mend "
                       "with: chown %s root '%s'",
                       path, kind, (unsigned)st->st_uid, S_ISLNK(st->st_mode) ? "-h" : "--", path);
    }
    if (S_ISLNK(st->st_mode) || (st->st_mode & (S_IWGRP | S_IWOTH)) == 0) {
        return 0;
    }
    /* In a sticky directory of root's others cannot rename or remove what is not theirs. */
    if (!leaf && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0 && st->st_uid == 0) {
        return 0;
    }
    return err_set(e, ERR_UNSAFE,
                   "%s: %s can be written by others (mode %04o); mend with: chmod go-w '%s'", path,
                   kind, (unsigned)(st->st_mode & 07777U), path);
}

/* Removes the last component of an absolute path: "/a/b" -> "/a", "/a" -> "/". */
static void go_up(struct str *at)
{
    while (at->len > 1 && at->data[at->len - 1] != '/') {
        at->len--;
    }
    if (at->len > 1) {
        at->len--;
    }
    at->data[at->len] = '\0';
}

/* The rest still to be walked: the link's target, then what stood behind the link. */
static int splice_link(struct str *at, struct str *rest, const char *after, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlink(str_text(at), target, sizeof(target) - 1);
    if (n < 0) {
        return err_errno(e, "%s: cannot read the link", str_text(at));
    }
    target[n] = '\0';
    CLEANUP(str) struct str joined = STR_INIT((size_t)PATH_MAX * 4);
    str_addf(&joined, "%s/%s", target, after);
    int rc = str_error(&joined, e);
    if (rc != 0) {
        return rc;
    }
    if (target[0] == '/') {
        str_clear(at);
        str_add(at, "/");
    } else {
        go_up(at);
    }
    struct str old = *rest;
    *rest = joined;
    joined = old;
    return 0;
}

/* Appends one component to the absolute path. */
static int step_down(struct str *at, const char *name, size_t n, struct err *e)
{
    if (at->len > 1) {
        str_add_char(at, '/');
    }
    str_add_bytes(at, name, n);
    return str_error(at, e);
}

static int begin(const char *path, struct str *at, struct str *rest, struct err *e)
{
    if (path[0] == '/') {
        str_add(at, "/");
        str_add(rest, path + 1);
    } else {
        char cwd[PATH_MAX];
        if (getcwd(cwd, sizeof(cwd)) == NULL) {
            return err_errno(e, "cannot tell the working directory");
        }
        str_add(at, "/");
        str_addf(rest, "%s/%s", cwd + 1, path);
    }
    int rc = str_error(at, e);
    return rc != 0 ? rc : str_error(rest, e);
}

/* Walks path component by component without letting the kernel follow a link unseen. On success
 * *at is the real path and *ret_last what stands there. */
static int walk(const char *path, struct str *at, struct stat *ret_last, struct err *e)
{
    CLEANUP(str) struct str rest = STR_INIT((size_t)PATH_MAX * 4);
    int rc = begin(path, at, &rest, e);
    if (rc != 0) {
        return rc;
    }
    struct stat st;
    if (lstat("/", &st) != 0) {
        return err_errno(e, "/: cannot stat");
    }
    rc = check_object("/", &st, false, e);
    unsigned links = 0;
    const char *p = str_text(&rest);
    while (rc == 0) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n == 0) {
            *ret_last = st;
            return 0;
        }
        const char *name = p;
        p += n;
        if (n == 1 && name[0] == '.') {
            continue;
        }
        if (n == 2 && name[0] == '.' && name[1] == '.') {
            go_up(at);
            if (lstat(str_text(at), &st) != 0) {
                return err_errno(e, "%s: cannot stat", str_text(at));
            }
            continue;
        }
        rc = step_down(at, name, n, e);
        if (rc != 0) {
            return rc;
        }
        if (lstat(str_text(at), &st) != 0) {
            return err_errno(e, "%s: cannot stat", str_text(at));
        }
        bool leaf = p[strspn(p, "/")] == '\0';
        rc = check_object(str_text(at), &st, leaf, e);
        if (rc == 0 && S_ISLNK(st.st_mode)) {
            if (++links > LINKS_MAX) {
                return err_set(e, ERR_UNSAFE, "%s: too many symbolic links", path);
            }
            rc = splice_link(at, &rest, p, e);
            p = str_text(&rest);
        }
    }
    return rc;
}

int io_check_trusted(const char *path, struct err *e)
{
    CLEANUP(str) struct str at = STR_INIT(PATH_MAX);
    struct stat st;
    return walk(path, &at, &st, e);
}

int io_read_trusted(const char *path, size_t max_bytes, struct str *out, struct err *e)
{
    CLEANUP(str) struct str at = STR_INIT(PATH_MAX);
    struct stat seen = {0};
    int rc = walk(path, &at, &seen, e);
    if (rc != 0) {
        return rc;
    }
    /* The walk found nobody else who could change the path; opening without following and comparing
     * the inode proves that what is read is what was checked. */
    CLEANUP(fd)
    int fd = open(str_text(&at), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        return err_errno(e, "%s: cannot open", path);
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_errno(e, "%s: cannot stat", path);
    }
    if (st.st_dev != seen.st_dev || st.st_ino != seen.st_ino) {
        return err_set(e, ERR_UNSAFE, "%s: was replaced while it was being checked", path);
    }
    rc = check_object(str_text(&at), &st, true, e);
    if (rc != 0) {
        return rc;
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(e, ERR_IO, "%s: not a regular file", path);
    }
    return io_read_fd(fd, path, max_bytes, out, e);
}
