/* The handle of the inspected host. The only place that opens an inspected path: everything goes
 * through openat2(2) below one root descriptor. Reads only. */
#include "agent/base/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/base/host_parts.h"
#include "agent/base/io.h"

#define CAPTURE_MAX ((size_t)8 << 20)
#define AGAIN_MAX 64U
#define READ_CHUNK 16384U

int host_openat(int root_fd, const char *path, int flags)
{
    /* The kernel refuses unknown combinations: O_PATH goes with few flags (openat2(2)). */
    int always = (flags & O_PATH) != 0 ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct open_how how = {
        .flags = (__u64)(unsigned)(flags | always),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    for (unsigned i = 0; i < AGAIN_MAX; i++) {
        long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0) {
            return (int)fd;
        }
        if (errno != EAGAIN && errno != EINTR) {
            break;
        }
    }
    return -1;
}

/* --- opening the host --- */

void host_free(struct host *h)
{
    if (h == NULL) {
        return;
    }
    if (h->root_fd >= 0) {
        (void)close(h->root_fd);
    }
    json_decref(h->capture);
    free(h->capture_text);
    free(h->meta_text);
    free(h->meta_work);
    free(h->meta);
    free(h);
}

/* Takes root_fd over, also on failure. */
static int host_new(int root_fd, struct host **ret, struct err *e)
{
    struct host *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        (void)close(root_fd);
        return err_nomem(e);
    }
    h->root_fd = root_fd;
    *ret = h;
    return 0;
}

static int open_root(const char *root, int *ret_fd, struct err *e)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR) {
        struct stat st;
        if (stat(root, &st) == 0) {
            return err_set(e, ERR_INVALID, "%s: not a directory", root);
        }
    }
    if (fd < 0) {
        return err_errno(e, "%s: cannot open the directory", root);
    }
    *ret_fd = fd;
    return 0;
}

/* A kernel without openat2 must not lead to a scan with weaker confinement. */
static int check_openat2(int root_fd, struct err *e)
{
    CLEANUP(fd) int fd = host_openat(root_fd, "/", O_PATH | O_DIRECTORY);
    if (fd >= 0) {
        return 0;
    }
    if (errno == ENOSYS) {
        return err_set(e, ERR_UNSUPPORTED,
                       "kernel before 5.6: no openat2(2), the host cannot be read safely");
    }
    return err_errno(e, "openat2 on the root directory");
}

/* What a capture consists of is never a link: it would lead out of the capture. */
static int no_link(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        return err_set(e, ERR_INVALID, "%s: a link, in a capture only files and directories count",
                       path);
    }
    return 0;
}

/* Text of a file beside a captured tree; stays empty (*ret NULL) if there is none. */
static int read_beside(const char *dir, const char *name, char **ret, size_t *ret_len,
                       struct err *e)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return err_set(e, ERR_INVALID, "%s: path too long", dir);
    }
    if (!io_exists(path)) {
        return 0;
    }
    int rc = no_link(path, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(str) struct str text = STR_INIT(CAPTURE_MAX);
    rc = io_read_file(path, CAPTURE_MAX, &text, e);
    if (rc != 0) {
        return rc;
    }
    *ret = str_take(&text, ret_len);
    return *ret != NULL ? 0 : err_nomem(e);
}

/* Where capture.json would lie for this root: DIR itself if it holds root/, the directory above if
 * it is called root. *ret_inner: root/ is to be inspected instead. */
static int find_capture(const char *root, char **ret_dir, bool *ret_inner, struct err *e)
{
    CLEANUP(free) char *real = realpath(root, NULL);
    if (real == NULL) {
        return err_errno(e, "%s: cannot resolve", root);
    }
    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/capture.json", real);
    bool has_capture = io_exists(path);
    (void)snprintf(path, sizeof(path), "%s/root", real);
    if (has_capture && io_exists(path)) {
        *ret_inner = true;
        *ret_dir = TAKE_PTR(real);
        return 0;
    }
    *ret_inner = false;
    char *slash = strrchr(real, '/');
    if (slash == real || slash == NULL || strcmp(slash + 1, "root") != 0) {
        return 0; /* a plain tree ("/root", root's home, is one too) */
    }
    *slash = '\0';
    (void)snprintf(path, sizeof(path), "%s/capture.json", real);
    if (io_exists(path)) {
        *ret_dir = TAKE_PTR(real);
    }
    return 0;
}

static int load_beside(struct host *h, const char *dir, struct err *e)
{
    CLEANUP(free) char *capture = NULL;
    CLEANUP(free) char *meta = NULL;
    size_t capture_len = 0;
    size_t meta_len = 0;
    int rc = read_beside(dir, "capture.json", &capture, &capture_len, e);
    if (rc == 0 && capture != NULL) {
        rc = host_capture_load(h, capture, capture_len, e);
    }
    if (rc == 0) {
        rc = read_beside(dir, "meta.tsv", &meta, &meta_len, e);
    }
    if (rc == 0 && meta != NULL) {
        rc = host_meta_load(h, meta, meta_len, e);
    }
    return rc != 0 ? err_prefix(e, "%s", dir) : 0;
}

static int open_tree(const char *root, struct host **ret, struct err *e)
{
    int fd = -1;
    int rc = open_root(root, &fd, e);
    if (rc == 0) {
        rc = host_new(fd, ret, e);
    }
    return rc != 0 ? rc : check_openat2((*ret)->root_fd, e);
}

int host_open(const char *root, struct host **ret, struct err *e)
{
    CLEANUP(host) struct host *h = NULL;
    bool live = root[0] == '/' && root[strspn(root, "/")] == '\0';
    if (live) {
        int rc = open_tree("/", &h, e);
        if (rc != 0) {
            return rc;
        }
        h->live = true;
        h->sights = host_sight_look(h->root_fd);
        *ret = TAKE_PTR(h);
        return 0;
    }
    int rc = open_tree(root, &h, e); /* first, for its plain errors */
    if (rc != 0) {
        return rc;
    }
    CLEANUP(free) char *dir = NULL;
    bool inner = false;
    rc = find_capture(root, &dir, &inner, e);
    if (rc != 0) {
        return rc;
    }
    if (inner) {
        char path[PATH_MAX + 16];
        (void)snprintf(path, sizeof(path), "%s/root", dir);
        host_free(TAKE_PTR(h));
        rc = no_link(path, e);
        rc = rc == 0 ? open_tree(path, &h, e) : rc;
    }
    if (rc == 0 && dir != NULL) {
        rc = load_beside(h, dir, e);
    }
    if (rc == 0) {
        *ret = TAKE_PTR(h);
    }
    return rc;
}

int host_adopt(int root_fd, bool live, unsigned sights, const char *capture, size_t capture_len,
               const char *meta, size_t meta_len, struct host **ret, struct err *e)
{
    CLEANUP(host) struct host *h = NULL;
    int rc = host_new(root_fd, &h, e);
    if (rc == 0 && capture != NULL) {
        rc = host_capture_load(h, capture, capture_len, e);
    }
    if (rc == 0 && meta != NULL) {
        rc = host_meta_load(h, meta, meta_len, e);
    }
    if (rc != 0) {
        return rc;
    }
    h->live = live;
    h->sights = sights;
    *ret = TAKE_PTR(h);
    return 0;
}

bool host_is_live(const struct host *h)
{
    return h->live;
}

bool host_is_captured(const struct host *h)
{
    return h->capture != NULL;
}

int host_root_fd(const struct host *h)
{
    return h->root_fd;
}

unsigned host_sights(const struct host *h)
{
    return h->sights;
}

const char *host_capture_text(const struct host *h, size_t *ret_len)
{
    *ret_len = h->capture_len;
    return h->capture_text;
}

const char *host_meta_text(const struct host *h, size_t *ret_len)
{
    *ret_len = h->meta_len;
    return h->meta_text;
}

const struct json_t *host_capture(const struct host *h, const char *member)
{
    return json_object_get(h->capture, member);
}

/* --- errors of the inspected side --- */

/* pid 1 always exists on a live host: if even it is missing, /proc hides processes (hidepid, or a
 * pid namespace), and "no such file" proves nothing. */
static bool is_hidden_process(const struct host *h, const char *path)
{
    const char *p = path + strspn(path, "/");
    if (!h->live || strncmp(p, "proc/", 5) != 0 || p[5] < '0' || p[5] > '9') {
        return false;
    }
    int saved = errno;
    /* a leaf, because the directory itself can be opened with O_PATH even when it is hidden */
    CLEANUP(fd) int fd = host_openat(h->root_fd, "/proc/1/status", O_PATH);
    errno = saved;
    return fd < 0;
}

/* errno of a look at `path` as an error of ours. */
static int path_error(const struct host *h, const char *path, struct err *e)
{
    switch (errno) {
    case ENOSYS:
        return err_set(e, ERR_UNSUPPORTED, "%s: kernel before 5.6: no openat2(2)", path);
    case ESRCH: /* the process went away while its files were read */
        return err_set(e, ERR_ABSENT, "%s: no such process", path);
    case ENXIO: /* a socket, or a FIFO or device that nobody serves */
        return err_set(e, ERR_INVALID, "%s: not a regular file", path);
    case ENOENT:
        if (is_hidden_process(h, path)) {
            return err_set(e, ERR_DENIED, "%s: processes are hidden (hidepid)", path);
        }
        return err_errno(e, "%s", path);
    default:
        return err_errno(e, "%s", path);
    }
}

static int check_path(const char *path, struct err *e)
{
    return path[0] == '/' ? 0 : err_set(e, ERR_INVALID, "\"%s\": not an absolute path", path);
}

/* --- reading --- */

/* Opening some devices does things (a watchdog starts, a tape rewinds), so where device nodes may
 * lie in wait the type is looked at before anything is opened. */
static bool must_look_first(const struct host *h, const char *path)
{
    return !h->live || strncmp(path, "/dev/", 5) == 0;
}

static bool is_wanted(mode_t mode, bool or_block)
{
    return S_ISREG(mode) || (or_block && S_ISBLK(mode));
}

static int not_regular(const char *path, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s: not a regular file", path);
}

/* A regular file (or_block: or a block device), open for reading. */
static int open_readable(const struct host *h, const char *path, bool or_block, int *ret_fd,
                         struct err *e)
{
    int rc = check_path(path, e);
    if (rc != 0) {
        return rc;
    }
    struct stat st;
    if (must_look_first(h, path)) {
        CLEANUP(fd) int look_fd = host_openat(h->root_fd, path, O_PATH);
        if (look_fd < 0 || fstat(look_fd, &st) != 0) {
            return path_error(h, path, e);
        }
        if (!is_wanted(st.st_mode, or_block)) {
            return not_regular(path, e);
        }
    }
    CLEANUP(fd) int fd = host_openat(h->root_fd, path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return path_error(h, path, e);
    }
    if (!is_wanted(st.st_mode, or_block)) {
        return not_regular(path, e);
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int host_read(const struct host *h, const char *path, size_t max_bytes, struct str *out,
              struct err *e)
{
    CLEANUP(fd) int fd = -1;
    int rc = open_readable(h, path, false, &fd, e);
    if (rc != 0) {
        return rc;
    }
    char chunk[READ_CHUNK];
    size_t room = max_bytes;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return path_error(h, path, e);
        }
        if (n == 0) {
            break;
        }
        bool fits = (size_t)n <= room;
        str_add_bytes(out, chunk, fits ? (size_t)n : room);
        if (!fits) {
            return err_set(e, ERR_TRUNCATED, "%s: longer than %zu bytes", path, max_bytes);
        }
        room -= (size_t)n;
    }
    rc = str_error(out, e);
    return rc != 0 ? err_prefix(e, "%s", path) : 0;
}

/* pread until n bytes or the end. */
static int read_span(const struct host *h, const char *path, int fd, int64_t offset, char *buf,
                     size_t n, size_t *ret_n, struct err *e)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, buf + done, n - done, (off_t)offset + (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return path_error(h, path, e);
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    *ret_n = done;
    return 0;
}

int host_read_at(const struct host *h, const char *path, int64_t offset, void *buf, size_t n,
                 size_t *ret_n, struct err *e)
{
    CLEANUP(fd) int fd = -1;
    int rc = open_readable(h, path, true, &fd, e);
    return rc != 0 ? rc : read_span(h, path, fd, offset, buf, n, ret_n, e);
}

int host_read_line(const struct host *h, const char *path, char *buf, size_t n, struct err *e)
{
    CLEANUP(fd) int fd = -1;
    int rc = open_readable(h, path, false, &fd, e);
    if (rc != 0) {
        return rc;
    }
    /* read, not pread: some leaves of /proc/sys answer only from the beginning, and all of it. */
    char text[4096];
    size_t done = 0;
    while (done < sizeof(text)) {
        ssize_t got = read(fd, text + done, sizeof(text) - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return path_error(h, path, e);
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    size_t line = done;
    if (done > 0 && text[done - 1] == '\n' && done < sizeof(text)) {
        line--;
    }
    if (line >= n || done == sizeof(text)) {
        return err_set(e, ERR_TRUNCATED, "%s: longer than %zu bytes", path, n - 1);
    }
    memcpy(buf, text, line);
    buf[line] = '\0';
    return 0;
}

/* --- directories, links, attributes --- */

/* Names of one getdents64 answer. */
static int take_names(const char *block, size_t n, size_t max_entries, struct strv *names,
                      const char *dir, struct err *e)
{
    size_t at = 0;
    while (at < n) {
        const struct dirent64 *d = (const struct dirent64 *)(const void *)(block + at);
        at += d->d_reclen;
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
            continue;
        }
        if (names->n == max_entries) {
            return err_set(e, ERR_TRUNCATED, "%s: more than %zu entries", dir, max_entries);
        }
        int rc = strv_add(names, d->d_name, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int list_fd(const struct host *h, const char *dir, int fd, size_t max_entries,
                   struct strv *names, struct err *e)
{
    _Alignas(struct dirent64) char block[READ_CHUNK];
    for (;;) {
        ssize_t n = getdents64(fd, block, sizeof(block));
        if (n < 0) {
            return path_error(h, dir, e);
        }
        if (n == 0) {
            return 0;
        }
        int rc = take_names(block, (size_t)n, max_entries, names, dir, e);
        if (rc != 0) {
            return rc;
        }
    }
}

int host_list(const struct host *h, const char *dir, size_t max_entries, struct strv *ret,
              struct err *e)
{
    int rc = check_path(dir, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd) int fd = host_openat(h->root_fd, dir, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return path_error(h, dir, e);
    }
    CLEANUP(strv) struct strv names = {0};
    rc = list_fd(h, dir, fd, max_entries, &names, e);
    if (rc != 0 && rc != ERR_TRUNCATED) {
        return rc;
    }
    strv_sort(&names);
    strv_done(ret);
    *ret = names;
    names = (struct strv){0};
    return rc;
}

int host_readlink(const struct host *h, const char *path, struct str *out, struct err *e)
{
    int rc = check_path(path, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd) int fd = host_openat(h->root_fd, path, O_PATH | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return path_error(h, path, e);
    }
    if (!S_ISLNK(st.st_mode)) {
        return err_set(e, ERR_INVALID, "%s: not a symbolic link", path);
    }
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof(target));
    if (n < 0) {
        return path_error(h, path, e);
    }
    str_add_bytes(out, target, (size_t)n);
    return str_error(out, e);
}

/* Where an open descriptor of a captured tree lies inside it: meta.tsv names real paths, callers
 * may come through links (/bin -> usr/bin). False where /proc does not tell. */
static bool path_inside(const struct host *h, int fd, char *buf, size_t n)
{
    char link[64];
    char root[PATH_MAX];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", h->root_fd);
    ssize_t n_root = readlink(link, root, sizeof(root));
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n_path = readlink(link, buf, n - 1);
    if (n_root <= 0 || n_path <= n_root || (size_t)n_root >= sizeof(root) ||
        memcmp(buf, root, (size_t)n_root) != 0 || buf[n_root] != '/') {
        return false;
    }
    memmove(buf, buf + n_root, (size_t)(n_path - n_root));
    buf[n_path - n_root] = '\0';
    return true;
}

static void overlay_meta(const struct host *h, const char *path, int fd, struct host_stat *st)
{
    if (h->n_meta == 0) {
        return;
    }
    char real[PATH_MAX];
    bool known = path_inside(h, fd, real, sizeof(real));
    const struct host_meta *m = host_meta_find(h, known ? real : path);
    if (m == NULL) {
        return;
    }
    bool has_type = (m->mode & S_IFMT) != 0;
    st->mode = has_type ? m->mode : ((st->mode & S_IFMT) | (m->mode & 07777U));
    st->uid = m->uid;
    st->gid = m->gid;
}

int host_stat(const struct host *h, const char *path, bool follow, struct host_stat *ret,
              struct err *e)
{
    int rc = check_path(path, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd) int fd = host_openat(h->root_fd, path, O_PATH | (follow ? 0 : O_NOFOLLOW));
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return path_error(h, path, e);
    }
    *ret = (struct host_stat){
        .mode = st.st_mode,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .size_bytes = st.st_size,
        .mtime_s = st.st_mtim.tv_sec,
        .dev_major = major(st.st_dev),
        .dev_minor = minor(st.st_dev),
        .rdev_major = major(st.st_rdev),
        .rdev_minor = minor(st.st_rdev),
        .ino = st.st_ino,
    };
    overlay_meta(h, path, fd, ret);
    return 0;
}

int host_open_fd(const struct host *h, const char *path, int flags, int *ret_fd, struct err *e)
{
    int rc = check_path(path, e);
    if (rc != 0) {
        return rc;
    }
    if ((flags & ~(O_DIRECTORY | O_PATH | O_RDWR)) != 0) {
        return err_set(e, ERR_INTERNAL, "%s: host_open_fd with foreign flags", path);
    }
    struct stat st;
    if ((flags & O_RDWR) != 0 || must_look_first(h, path)) {
        CLEANUP(fd) int look_fd = host_openat(h->root_fd, path, O_PATH);
        if (look_fd < 0 || fstat(look_fd, &st) != 0) {
            return path_error(h, path, e);
        }
        if ((flags & O_RDWR) != 0 && (!S_ISCHR(st.st_mode) || !h->live)) {
            return err_set(e, ERR_INVALID, "%s: not a control device of this machine", path);
        }
    }
    int fd = host_openat(h->root_fd, path, flags);
    if (fd < 0) {
        return path_error(h, path, e);
    }
    *ret_fd = fd;
    return 0;
}

/* --- what is seen --- */

const char *host_hidden(const struct host *h, unsigned needs)
{
    static const struct {
        unsigned sight;
        const char *reason;
    } reasons[] = {
        {HOST_SEES_PROC, "not_visible: other pid or user namespace, or /proc is masked"},
        {HOST_SEES_ROOT, "not_visible: the root directory is not the host's own"},
        {HOST_SEES_NET, "not_visible: other network namespace"},
        {HOST_SEES_SYS, "not_visible: /sys is not the host's, or is masked"},
        {HOST_SEES_DEV, "not_visible: /dev is not the host's"},
    };
    unsigned missing = needs & ~h->sights;
    if (missing == 0) {
        return NULL;
    }
    if (!h->live && h->capture == NULL) {
        return "not_captured";
    }
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if ((missing & reasons[i].sight) != 0) {
            return reasons[i].reason;
        }
    }
    return "not_visible";
}

/* True if path is dir or lies below it. */
static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static unsigned sights_for(const char *dir)
{
    if (is_below(dir, "/proc/net") || is_below(dir, "/proc/1/net")) {
        return HOST_SEES_PROC | HOST_SEES_NET;
    }
    if (is_below(dir, "/proc")) {
        return HOST_SEES_PROC;
    }
    if (is_below(dir, "/sys/class/net")) {
        return HOST_SEES_SYS | HOST_SEES_NET;
    }
    if (is_below(dir, "/sys")) {
        return HOST_SEES_SYS;
    }
    return is_below(dir, "/dev") ? HOST_SEES_DEV : HOST_SEES_ROOT;
}

bool host_is_whole(const struct host *h, const char *dir)
{
    /* "a/../b" may stand for anything once links are followed */
    if (dir[0] != '/' || strstr(dir, "/..") != NULL) {
        return false;
    }
    if (!h->live) {
        return h->capture != NULL && host_capture_whole(h, dir);
    }
    unsigned needs = sights_for(dir);
    if ((h->sights & needs) != needs) {
        return false;
    }
    return (needs & HOST_SEES_PROC) == 0 || !is_hidden_process(h, "/proc/1");
}
