/* What the file system behind a path says about itself. Apart from host.c because it is the one
 * question that a dead network server can leave unanswered for ever. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "agent/base/host_parts.h"

static int64_t count_of(unsigned long long n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n; /* some file systems say "without end" */
}

int host_statfs(const struct host *h, const char *path, struct host_fs *ret, struct err *e)
{
    if (path[0] != '/') {
        return err_set(e, ERR_INVALID, "\"%s\": not an absolute path", path);
    }
    CLEANUP(fd) int fd = host_openat(h->root_fd, path, O_PATH);
    struct statfs fs;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0) {
        return err_errno(e, "%s", path);
    }
    *ret = (struct host_fs){
        .type = (uint32_t)fs.f_type,
        .block_size = fs.f_bsize,
        .blocks = count_of(fs.f_blocks),
        .blocks_free = count_of(fs.f_bfree),
        .blocks_available = count_of(fs.f_bavail),
        .inodes = count_of(fs.f_files),
        .inodes_free = count_of(fs.f_ffree),
        .dev_major = major(st.st_dev),
        .dev_minor = minor(st.st_dev),
    };
    return 0;
}
