/* agent/evidence/state.c where the uploader's group exists: its user reads the spool and stores
 * receipts, and can neither read a key nor touch an envelope nor replace the collector's key. In a
 * mount namespace of our own with a group(5) file of our own; needs root. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/agent/evidence/sample.h"

#define SKIPPED 77
#define UPLOAD_GID 54321
#define UPLOAD_UID 54322

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "FAILED: %s\n", what);
        _exit(1);
    }
}

static void expect_mode(const char *dir, const char *name, mode_t want)
{
    char path[512];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    must(stat(path, &st) == 0, path);
    if ((st.st_mode & 07777) != want) {
        (void)fprintf(stderr, "%s: %o, not %o\n", path, st.st_mode & 07777, want);
        _exit(1);
    }
}

/* As root: two envelopes and a collector; the receipt of the first in *text. */
static void record_as_root(const char *dir, struct str *text)
{
    CLEANUP(state) struct state *s = NULL;
    CLEANUP(sign_key) struct sign_key *collector = seed_key(SEED_TEST2);
    CLEANUP(verify_key) struct verify_key *own = NULL;
    CLEANUP(spool_list) struct spool_list l = {0};
    char digest[SHA256_HEX];
    uint8_t pseudonym[32];
    const char *pem = sign_key_pem(collector);
    (void)umask(0077);
    OK(state_open(dir, true, &s, e));
    OK(state_pseudonym_key(s, true, pseudonym, e));
    sample_record(s, "A", digest);
    sample_record(s, "A", digest);
    OK(state_set_collector_key(s, pem, strlen(pem), e));
    OK(state_public_key(s, &own, e));
    OK(spool_list(s, &l, e));
    struct receipt r = {.sequence = 1, .received_at = "t", .collector = "c"};
    memcpy(r.digest, l.entries[0].digest, sizeof(r.digest));
    memcpy(r.chain, l.entries[0].chain, sizeof(r.chain));
    (void)snprintf(r.keyid, sizeof(r.keyid), "%s", verify_key_id(own));
    OK(receipt_sign(collector, &r, text, e));
    expect_mode(dir, ".", 0710);
    expect_mode(dir, "spool", 02750);
    expect_mode(dir, "receipts", 02770);
    expect_mode(dir, "host.key", 0600);
    expect_mode(dir, "pseudonym.key", 0600);
    expect_mode(dir, "host.pub.pem", 0644);
    expect_mode(dir, "collector.pub.pem", 0644);
    must((l.entries[0].path != NULL), "an envelope");
    struct stat st;
    must(stat(l.entries[0].path, &st) == 0 && (st.st_mode & 07777) == 0640, "envelope 0640");
    must(st.st_gid == UPLOAD_GID && st.st_uid == 0, "envelope root:tenken-upload");
}

static bool may_not(int rc)
{
    return rc < 0 && (errno == EACCES || errno == EPERM);
}

static void work_as_uploader(const char *dir, const struct str *receipt)
{
    CLEANUP(state) struct state *s = NULL, *locked = NULL;
    CLEANUP(spool_list) struct spool_list l = {0};
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(sign_key) struct sign_key *k = NULL;
    char digest[SHA256_HEX], path[512];
    must(setgroups(0, NULL) == 0 && setresgid(UPLOAD_GID, UPLOAD_GID, UPLOAD_GID) == 0 &&
             setresuid(UPLOAD_UID, UPLOAD_UID, UPLOAD_UID) == 0,
         "become the uploader");
    OK(state_open(dir, false, &s, e));
    OK(spool_list(s, &l, e));
    must(l.n == 2 && l.n_unacknowledged == 2, "the uploader sees the spool");
    OK(spool_read(s, &l.entries[0], &text, e));
    OK(receipt_store(s, receipt->data, receipt->len, digest, e));
    FAILS(ERR_DENIED, state_key(s, false, &k, e));
    FAILS(ERR_DENIED, state_open(dir, true, &locked, e));
    must(may_not(unlink(l.entries[0].path)), "the uploader cannot delete evidence");
    must(may_not(open(l.entries[0].path, O_WRONLY | O_CLOEXEC)), "nor change it");
    (void)snprintf(path, sizeof(path), "%s/pseudonym.key", dir);
    must(may_not(open(path, O_RDONLY | O_CLOEXEC)), "nor read the pseudonym key");
    (void)snprintf(path, sizeof(path), "%s/collector.pub.pem", dir);
    must(may_not(open(path, O_WRONLY | O_CLOEXEC)), "nor write the collector's key");
    must(may_not(unlink(path)), "nor replace it");
}

static void prune_as_root(const char *dir)
{
    CLEANUP(state) struct state *s = NULL;
    size_t removed = 0;
    OK(state_open(dir, true, &s, e));
    OK(spool_prune(s, &removed, e));
    must(removed == 1, "the receipt that the uploader stored counts");
}

static void child(const char *dir)
{
    char group[128], state_at[128];
    CLEANUP(str) struct str receipt = STR_INIT(65536);
    (void)snprintf(group, sizeof(group), "%s/group", dir);
    (void)snprintf(state_at, sizeof(state_at), "%s/state", dir);
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(group, "/etc/group", NULL, MS_BIND, NULL) != 0) {
        _exit(SKIPPED);
    }
    record_as_root(state_at, &receipt);
    pid_t pid = fork();
    int status = 1;
    if (pid == 0) {
        work_as_uploader(state_at, &receipt);
        _exit(0);
    }
    must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "the uploader's part");
    prune_as_root(state_at);
    _exit(0);
}

static void test_uploader_group(void **state)
{
    (void)state;
    static const char groups[] =
        "root:x:0:\ntenken-uploads:x:7:\ntenken-upload:x:54321:\nother:x:9:\n";
    char dir[64], group[128];
    int status = 0;
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        skip();
    }
    scratch_make(dir);
    assert_int_equal(chmod(dir, 0755), 0); /* the uploader passes through */
    (void)snprintf(group, sizeof(group), "%s/group", dir);
    OK(io_write_atomic(group, groups, sizeof(groups) - 1, 0644, e));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child(dir);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    scratch_remove(dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        print_message("skipped: no mount namespace here\n");
        skip();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_uploader_group)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
