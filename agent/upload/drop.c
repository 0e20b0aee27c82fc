/* Giving up root, irrevocably. */
#include "agent/upload/drop.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

int drop_privileges(struct err *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return err_errno(e, "no_new_privs");
    }
    if (geteuid() != 0) {
        return 0;
    }
    /* One thread, and this program is not on the scan path: the libc look-up is allowed here. */
    const struct passwd *pw = getpwnam(UPLOAD_USER);
    if (pw == NULL) {
        return err_set(e, ERR_ABSENT,
                       "there is no user " UPLOAD_USER
                       " for the uploader to run as: useradd --system --no-create-home "
                       "--shell /usr/sbin/nologin " UPLOAD_USER);
    }
    uid_t uid = pw->pw_uid;
    gid_t gid = pw->pw_gid;
    if (initgroups(UPLOAD_USER, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0) {
        return err_errno(e, "becoming " UPLOAD_USER);
    }
    if (setuid(0) == 0) {
        return err_set(e, ERR_INTERNAL, "root could be regained");
    }
    return 0;
}
