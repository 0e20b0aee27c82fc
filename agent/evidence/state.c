/* The state directory: opening, lock, permissions, keys. What lies where: formats.md, "Evidence".
 */
#include "agent/evidence/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/io.h"
#include "agent/evidence/store.h"

/*
 *   host.key           0600   never leaves this directory
 *   host.pub.pem       0644   what is enrolled
 *   pseudonym.key      0600   stays with the vendor
 *   collector.pub.pem  0644   what receipts are held against: root's, or receipts could be forged
 *   spool/             02750  envelopes 0640; the uploader reads
 *   receipts/          02770  the uploader writes
 *   lock               0600   flock(2), held by the one scan that records
 *
 * Without the uploader's group: 0700 and 0600 all over.
 */
#define GROUP_FILE_MAX ((size_t)4 << 20)

const char *state_dir_default(void)
{
    const char *dir = getenv("TENKEN_STATE_DIR");
    return dir != NULL && dir[0] != '\0' ? dir : STATE_DEFAULT_DIR;
}

const char *state_dir(const struct state *s)
{
    return s->dir;
}

int state_path(const struct state *s, const char *a, const char *b, struct str *out, struct err *e)
{
    str_addf(out, "%s/%s%s%s", s->dir, a, b != NULL ? "/" : "", b != NULL ? b : "");
    return str_error(out, e);
}

/* The id of the uploader's group. Read from group(5) itself: name services may start programs or
 * ask the network. False if there is none. */
static bool find_group(gid_t *ret)
{
    CLEANUP(str) struct str text = STR_INIT(GROUP_FILE_MAX);
    if (io_read_file("/etc/group", GROUP_FILE_MAX, &text, NULL) != 0) {
        return false;
    }
    for (const char *line = str_text(&text); *line != '\0';) {
        uint64_t gid = 0;
        size_t n = strcspn(line, "\n");
        if (strncmp(line, UPLOAD_GROUP ":", strlen(UPLOAD_GROUP) + 1) == 0) {
            const char *at = line + strlen(UPLOAD_GROUP) + 1;
            at += strcspn(at, ":\n");
            /* (gid_t)-1 means "leave it" to chown(2): no group has it */
            if (*at++ == ':' && text_digits(&at, UINT32_MAX - 1, &gid) && *at == ':') {
                *ret = (gid_t)gid;
                return true;
            }
        }
        line += n + (line[n] == '\n');
    }
    return false;
}

/* Whoever may write here may choose the signing key and the collector's. */
static int check_owner(const struct state *s, struct err *e)
{
    struct stat st;
    if (fstat(s->dir_fd, &st) != 0) {
        return err_errno(e, "%s", s->dir);
    }
    if (!S_ISDIR(st.st_mode)) {
        return err_set(e, ERR_IO, "%s: not a directory", s->dir);
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return err_set(e, ERR_UNSAFE, "%s: belongs to another user: chown root %s", s->dir, s->dir);
    }
    if ((st.st_mode & 022) != 0) {
        return err_set(e, ERR_UNSAFE, "%s: others may write into it: chmod go-w %s", s->dir,
                       s->dir);
    }
    return 0;
}

/* flock(2) goes with the process, however it ends: no stale lock is possible. */
static int take_lock(struct state *s, struct err *e)
{
    s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        return err_errno(e, "%s/lock: cannot be opened for writing", s->dir);
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? err_set(e, ERR_BUSY, "another scan is recording (%s/lock is held)", s->dir)
                   : err_errno(e, "%s/lock: cannot be locked", s->dir);
    }
    return 0;
}

/* Owner group and mode as they should be; changes nothing that is right already. */
static int settle(int fd, const char *path, bool shared, gid_t group, mode_t mode, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_errno(e, "%s", path);
    }
    if (shared && st.st_gid != group && fchown(fd, (uid_t)-1, group) != 0) {
        return err_errno(e, "%s: cannot be given to the group " UPLOAD_GROUP, path);
    }
    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0) {
        return err_errno(e, "%s: its mode cannot be set", path);
    }
    return 0;
}

/* A directory below: made if missing when writing. */
static int open_below(struct state *s, const char *name, int *ret_fd, struct err *e)
{
    if (s->write && mkdirat(s->dir_fd, name, 0700) != 0 && errno != EEXIST) {
        return err_errno(e, "%s/%s: cannot be made", s->dir, name);
    }
    *ret_fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd < 0 && (s->write || errno != ENOENT)) {
        return err_errno(e, "%s/%s", s->dir, name);
    }
    return 0;
}

/* Modes of spool and receipts, clean-up of what a crash left. Under the lock. */
static int prepare(struct state *s, struct err *e)
{
    gid_t group = 0;
    bool shared = geteuid() == 0 && find_group(&group);
    /* the setgid bit hands the group on to whatever is made inside */
    s->dir_mode = shared ? 02750 : 0700;
    s->file_mode = shared ? 0640 : 0600;
    CLEANUP(fd) int own_fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = own_fd < 0 ? err_errno(e, "%s", s->dir)
                        : settle(own_fd, s->dir, shared, group, shared ? 0710 : 0700, e);
    if (rc == 0) {
        rc = settle(s->spool_fd, "spool", shared, group, s->dir_mode, e);
    }
    if (rc == 0) {
        rc = settle(s->receipts_fd, "receipts", shared, group, shared ? 02770 : 0700, e);
    }
    if (rc == 0) {
        rc = store_clean(own_fd, s->dir, e);
    }
    if (rc == 0) {
        rc = store_clean(s->spool_fd, "spool", e);
    }
    if (rc == 0) {
        rc = store_clean(s->receipts_fd, "receipts", e);
    }
    return rc;
}

/* Temporary files inside the chains' directories. */
static int clean_chains(const struct state *s, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    int rc = store_list(s->spool_fd, "spool", &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        CLEANUP(fd)
        int fd =
            openat(s->spool_fd, names.items[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        rc = fd < 0 ? 0 : store_clean(fd, names.items[i], e);
    }
    return rc;
}

/* Lock before clean-up: what looks like a left-over might be another scan's work. */
int state_open(const char *dir, bool write, struct state **ret, struct err *e)
{
    CLEANUP(state) struct state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return err_nomem(e);
    }
    s->dir_fd = s->lock_fd = s->spool_fd = s->receipts_fd = -1;
    s->write = write;
    s->dir_mode = 0700;
    s->file_mode = 0600;
    s->dir = strdup(dir);
    int rc = s->dir == NULL ? err_nomem(e) : 0;
    if (rc == 0 && write && !io_exists(dir)) {
        rc = io_make_dir(dir, 0700, e);
    }
    /* O_PATH: the uploader may pass through the directory but not list it */
    if (rc == 0 && (s->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
        rc = err_errno(e, "%s", dir);
    }
    if (rc == 0) {
        rc = check_owner(s, e);
    }
    if (rc == 0 && write) {
        rc = take_lock(s, e);
    }
    if (rc == 0) {
        rc = open_below(s, "spool", &s->spool_fd, e);
    }
    if (rc == 0) {
        rc = open_below(s, "receipts", &s->receipts_fd, e);
    }
    if (rc == 0 && write) {
        rc = prepare(s, e);
    }
    if (rc == 0 && write) {
        rc = clean_chains(s, e);
    }
    if (rc == 0) {
        *ret = TAKE_PTR(s);
    }
    return rc;
}

void state_close(struct state *s)
{
    if (s == NULL) {
        return;
    }
    const int fds[] = {s->spool_fd, s->receipts_fd, s->dir_fd, s->lock_fd};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        cleanup_fd(&fds[i]);
    }
    free(s->dir);
    free(s);
}

/* host.pub.pem follows from host.key: a crash between the two writes, or a key put in by hand, is
 * mended here. */
static int mend_public(const struct state *s, const struct sign_key *k, const char *pub_path,
                       struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(16384);
    const char *pem = sign_key_pem(k);
    if (!s->write ||
        (io_read_file(pub_path, 16384, &text, NULL) == 0 && strcmp(str_text(&text), pem) == 0)) {
        return 0;
    }
    return store_replace(pub_path, pem, strlen(pem), 0644, e);
}

/* Made on first use only when asked: a scan that does not record leaves no trace. */
int state_key(struct state *s, bool create, struct sign_key **ret, struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(str) struct str pub_path = STR_INIT(4096);
    CLEANUP(sign_key) struct sign_key *k = NULL;
    int rc = state_path(s, "host.key", NULL, &path, e);
    if (rc == 0) {
        rc = state_path(s, "host.pub.pem", NULL, &pub_path, e);
    }
    if (rc == 0) {
        rc = sign_key_load(str_text(&path), &k, e);
    }
    if (rc == ERR_ABSENT && create) {
        rc = sign_key_create(str_text(&path), str_text(&pub_path), &k, e);
    } else if (rc == 0) {
        rc = mend_public(s, k, str_text(&pub_path), e);
    }
    if (rc == 0) {
        *ret = TAKE_PTR(k);
    }
    return rc;
}

/* If it changed, every pseudonym would, and all evidence would seem to speak of other people. So it
 * is made once, and a damaged one is an error, not a reason for a new one. */
int state_pseudonym_key(struct state *s, bool create, uint8_t out[32], struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(str) struct str key = STR_INIT(4096);
    int rc = state_path(s, "pseudonym.key", NULL, &path, e);
    if (rc == 0) {
        rc = store_read_private(str_text(&path), 4096, &key, e);
    }
    if (rc == ERR_ABSENT && create) {
        uint8_t fresh[32];
        rc = random_bytes(fresh, sizeof(fresh), e);
        if (rc == 0) {
            rc = store_create(str_text(&path), fresh, sizeof(fresh), 0600, e);
        }
        str_add_bytes(&key, fresh, sizeof(fresh));
    }
    if (rc == 0 && key.len != 32) {
        rc = err_set(e, ERR_MALFORMED, "%s: not 32 bytes long", str_text(&path));
    }
    if (rc == 0) {
        memcpy(out, key.data, 32);
    }
    return rc;
}

static int public_key(struct state *s, const char *name, struct verify_key **ret, struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    int rc = state_path(s, name, NULL, &path, e);
    return rc == 0 ? verify_key_file(str_text(&path), ret, e) : rc;
}

int state_collector_key(struct state *s, struct verify_key **ret, struct err *e)
{
    return public_key(s, "collector.pub.pem", ret, e);
}

int state_public_key(struct state *s, struct verify_key **ret, struct err *e)
{
    return public_key(s, "host.pub.pem", ret, e);
}

/* Written anew from what was parsed, so that the file holds one key and nothing else. */
int state_set_collector_key(struct state *s, const char *pem, size_t n, struct err *e)
{
    CLEANUP(verify_key) struct verify_key *k = NULL;
    CLEANUP(str) struct str path = STR_INIT(4096);
    int rc = verify_key_pem(pem, n, &k, e);
    if (rc == 0) {
        rc = state_path(s, "collector.pub.pem", NULL, &path, e);
    }
    if (rc == 0) {
        const char *text = verify_key_text(k);
        rc = store_replace(str_text(&path), text, strlen(text), 0644, e);
    }
    return rc;
}
