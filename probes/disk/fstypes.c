/* Which words of mountinfo mean what kind of storage. */
#include <string.h>

#include "probes/disk/mountinfo.h"

struct fs_row {
    const char *type;
    enum fs_kind kind;
};

/* Sorted by kind. A word that is missing here is judged by its device number: a file system that
 * this list does not know must come out as not known, never as "holds nothing". */
static const struct fs_row fs_rows[] = {
    {"autofs", FS_AUTOFS},
    {"bcachefs", FS_BCACHEFS},
    {"btrfs", FS_BTRFS},
    {"ecryptfs", FS_ECRYPTFS},
    {"overlay", FS_OVERLAY},
    {"overlayfs", FS_OVERLAY},
    {"tmpfs", FS_TMPFS},
    {"ramfs", FS_RAMFS},
    {"zfs", FS_ZFS},
    {"anon_inodefs", FS_PSEUDO},
    {"bdev", FS_PSEUDO},
    {"binder", FS_PSEUDO},
    {"binfmt_misc", FS_PSEUDO},
    {"bpf", FS_PSEUDO},
    {"cgroup", FS_PSEUDO},
    {"cgroup2", FS_PSEUDO},
    {"configfs", FS_PSEUDO},
    {"cpuset", FS_PSEUDO},
    {"debugfs", FS_PSEUDO},
    {"devpts", FS_PSEUDO},
    {"devtmpfs", FS_PSEUDO}, /* device nodes only */
    {"efivarfs", FS_PSEUDO},
    {"functionfs", FS_PSEUDO},
    {"fusectl", FS_PSEUDO},
    {"hugetlbfs", FS_PSEUDO}, /* memory that is never swapped */
    {"mqueue", FS_PSEUDO},
    {"nfsd", FS_PSEUDO},
    {"nsfs", FS_PSEUDO},
    {"oprofilefs", FS_PSEUDO},
    {"pipefs", FS_PSEUDO},
    {"proc", FS_PSEUDO},
    {"pstore", FS_PSEUDO},
    {"resctrl", FS_PSEUDO},
    {"rpc_pipefs", FS_PSEUDO},
    {"securityfs", FS_PSEUDO},
    {"selinuxfs", FS_PSEUDO},
    {"smackfs", FS_PSEUDO},
    {"sockfs", FS_PSEUDO},
    {"sysfs", FS_PSEUDO},
    {"tracefs", FS_PSEUDO},
    {"fuse.gvfsd-fuse", FS_PSEUDO}, /* views of other mounts, no storage of their own */
    {"fuse.lxcfs", FS_PSEUDO},
    {"fuse.portal", FS_PSEUDO},
    {"fuse.xdg-document-portal", FS_PSEUDO},
    {"9p", FS_NETWORK},
    {"afs", FS_NETWORK},
    {"beegfs", FS_NETWORK},
    {"ceph", FS_NETWORK},
    {"cifs", FS_NETWORK},
    {"coda", FS_NETWORK},
    {"davfs", FS_NETWORK},
    {"gpfs", FS_NETWORK},
    {"lustre", FS_NETWORK},
    {"ncpfs", FS_NETWORK},
    {"nfs", FS_NETWORK},
    {"nfs4", FS_NETWORK},
    {"orangefs", FS_NETWORK},
    {"prl_fs", FS_NETWORK},
    {"pvfs2", FS_NETWORK},
    {"smb3", FS_NETWORK},
    {"smbfs", FS_NETWORK},
    {"vboxsf", FS_NETWORK},
    {"virtiofs", FS_NETWORK}, /* the host of this machine */
    {"vmhgfs", FS_NETWORK},
    {"fuse.ceph", FS_NETWORK},
    {"fuse.ceph-fuse", FS_NETWORK},
    {"fuse.curlftpfs", FS_NETWORK},
    {"fuse.davfs2", FS_NETWORK},
    {"fuse.gcsfuse", FS_NETWORK},
    {"fuse.glusterfs", FS_NETWORK},
    {"fuse.goofys", FS_NETWORK},
    {"fuse.google-drive-ocamlfuse", FS_NETWORK},
    {"fuse.juicefs", FS_NETWORK},
    {"fuse.mfs", FS_NETWORK},
    {"fuse.rclone", FS_NETWORK},
    {"fuse.s3fs", FS_NETWORK},
    {"fuse.smbnetfs", FS_NETWORK},
    {"fuse.sshfs", FS_NETWORK},
    {"fuse.vmhgfs-fuse", FS_NETWORK},
};

enum fs_kind fs_kind_of(const struct mount *m)
{
    for (size_t i = 0; i < ARRAY_LEN(fs_rows); i++) {
        if (strcmp(fs_rows[i].type, m->fstype) == 0) {
            return fs_rows[i].kind;
        }
    }
    if (strcmp(m->fstype, "fuse") == 0 || strncmp(m->fstype, "fuse.", 5) == 0) {
        return FS_FUSE;
    }
    /* fuseblk (ntfs-3g) names its device as source; everything else with a device number is an
     * ordinary disk file system. */
    return m->dev_major != 0 || strncmp(m->fstype, "fuseblk", 7) == 0 ? FS_BLOCK : FS_FUSE;
}

bool mount_untouchable(const struct mount *m)
{
    enum fs_kind kind = fs_kind_of(m);
    /* Also the harmless looking kinds of fuse: a stopped daemon blocks every look. */
    return kind == FS_NETWORK || kind == FS_AUTOFS || strncmp(m->fstype, "fuse", 4) == 0 ||
           (kind == FS_FUSE && m->dev_major == 0);
}
