/* What statx(2) tells of the place that a path leads to, beyond what stat(2) has. */
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/host_parts.h"

int host_place(const struct host *h, const char *path, struct host_place *ret, struct err *e)
{
    struct statx x;
    CLEANUP(fd) int fd = host_openat(h->root_fd, path, O_PATH);
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &x) != 0) {
        return err_errno(e, "%s", path);
    }
    *ret = (struct host_place){0};
    if (!h->live) {
        return 0; /* of the machine that holds the captured tree, not of the captured one */
    }
    ret->has_mount_id = (x.stx_mask & STATX_MNT_ID) != 0;
    ret->mount_id = x.stx_mnt_id;
    ret->knows_encrypted = (x.stx_attributes_mask & STATX_ATTR_ENCRYPTED) != 0;
    ret->is_encrypted = (x.stx_attributes & STATX_ATTR_ENCRYPTED) != 0;
    return 0;
}
