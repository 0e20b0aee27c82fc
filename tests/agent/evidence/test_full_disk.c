/* A full disk and a directory that cannot be written: said clearly, nothing recorded so far is
 * harmed, and the next run goes on. The full disk is a small file system of our own in a mount
 * namespace of our own; needs root. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/agent/evidence/sample.h"

#define SKIPPED 77

/* Runs the check in a child with a mount namespace of its own, a tmpfs of `size` at dir. */
static void in_small_disk(const char *size, void (*check)(const char *dir))
{
    char dir[64];
    int status = 0;
    scratch_make(dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char options[64];
        (void)snprintf(options, sizeof(options), "size=%s,mode=0700", size);
        if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", dir, "tmpfs", 0, options) != 0) {
            _exit(SKIPPED);
        }
        check(dir); /* a failed assertion there ends the child by abort(3) */
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(dir), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        print_message("skipped: no mount namespace here\n");
        skip();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "FAILED: %s\n", what);
        abort();
    }
}

/* One recording without assertions of cmocka's, which belong to the parent. */
static int record(const char *dir, struct err *e)
{
    CLEANUP(state) struct state *s = NULL;
    CLEANUP(sign_key) struct sign_key *k = NULL;
    CLEANUP(chain_head) struct chain_head head = {0};
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str envelope = STR_INIT(ENVELOPE_MAX);
    char digest[SHA256_HEX];
    int rc = state_open(dir, true, &s, e);
    if (rc == 0) {
        rc = state_key(s, true, &k, e);
    }
    if (rc == 0) {
        rc = chain_find(s, "A", "sapporo-7-2", true, &head, e);
    }
    if (rc != 0) {
        return rc;
    }
    struct statement_meta meta = sample_meta(sign_key_id(k));
    meta.contract = "A";
    meta.chain = head.chain;
    meta.previous = head.digest;
    meta.sequence = head.sequence + 1;
    sample_statement(&meta, 0, NULL, &payload);
    rc = sha256_hex(payload.data, payload.len, digest, e);
    if (rc == 0) {
        rc = dsse_sign(k, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e);
    }
    return rc == 0 ? chain_append(s, &head, envelope.data, envelope.len, digest, e) : rc;
}

/* How many envelopes there are; all must be whole. */
static int64_t count(const char *dir)
{
    CLEANUP(state) struct state *s = NULL;
    CLEANUP(spool_list) struct spool_list l = {0};
    struct err err = {0};
    must(state_open(dir, false, &s, &err) == 0, err.msg);
    must(spool_list(s, &l, &err) == 0, err.msg);
    for (size_t i = 0; i < l.n; i++) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        CLEANUP(envelope) struct envelope env = {0};
        must(spool_read(s, &l.entries[i], &text, &err) == 0, err.msg);
        must(envelope_parse(text.data, text.len, &env, &err) == 0, err.msg);
        must(strcmp(env.digest, l.entries[i].digest) == 0, "an envelope is not what its name says");
        must(l.entries[i].sequence == (int64_t)i + 1, "the chain has a hole");
    }
    return (int64_t)l.n;
}

/* Records until the disk is full, then makes room. */
static void fill_and_go_on(const char *dir)
{
    struct err err = {0};
    char filler[128];
    int64_t good = 0;
    (void)snprintf(filler, sizeof(filler), "%s/filler", dir);
    must(io_write_atomic(filler, "", 0, 0600, &err) == 0, err.msg);
    must(truncate(filler, 0) == 0, "truncate");
    int fd = open(filler, O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && fallocate(fd, 0, 0, 64 << 10) == 0, "room to give back later");
    (void)close(fd);
    while (good < 1000 && record(dir, &err) == 0) {
        good++;
    }
    must(good > 0 && good < 1000, "the disk was to be full at some point");
    must(err.code == ERR_IO && strstr(err.msg, "No space left") != NULL, err.msg);
    must(strstr(err.msg, dir) != NULL, "the message names the file");
    must(count(dir) == good, "what was recorded is there");
    err = (struct err){0};
    must(record(dir, &err) != 0, "still full");
    must(count(dir) == good, "and still nothing is lost");
    must(unlink(filler) == 0, "unlink");
    must(record(dir, &err) == 0, err.msg);
    must(count(dir) == good + 1, "the next run goes on");
}

/* Full before anything was made: no key is half there. */
static void full_from_the_start(const char *dir)
{
    struct err err = {0};
    char filler[128], key[128];
    (void)snprintf(filler, sizeof(filler), "%s/filler", dir);
    (void)snprintf(key, sizeof(key), "%s/host.key", dir);
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0, "filler");
    char block[4096] = "";
    while (write(fd, block, sizeof(block)) > 0) {
    }
    (void)close(fd);
    must(record(dir, &err) != 0 && strstr(err.msg, "No space left") != NULL, err.msg);
    must(!io_exists(key), "a key that could not be written is not there");
    must(unlink(filler) == 0, "unlink");
    must(record(dir, &err) == 0, err.msg);
    must(count(dir) == 1, "recorded");
}

static void read_only(const char *dir)
{
    struct err err = {0};
    must(record(dir, &err) == 0, err.msg);
    must(mount("", dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0, "remount");
    must(record(dir, &err) != 0 && strstr(err.msg, "Read-only file system") != NULL, err.msg);
    must(strstr(err.msg, dir) != NULL, "the message names the place");
    must(count(dir) == 1, "what was recorded can be read"); /* by a reader: export still works */
    must(mount("", dir, NULL, MS_REMOUNT, NULL) == 0, "remount");
    must(record(dir, &err) == 0, err.msg);
    must(count(dir) == 2, "the next run goes on");
}

static void test_fill_and_go_on(void **state)
{
    (void)state;
    in_small_disk("256k", fill_and_go_on);
}

static void test_full_from_the_start(void **state)
{
    (void)state;
    in_small_disk("128k", full_from_the_start);
}

static void test_read_only(void **state)
{
    (void)state;
    in_small_disk("1m", read_only);
}

/* Without root: a directory that we may not write into. */
static void test_no_permission(void **state)
{
    (void)state;
    char dir[64];
    struct state *s = NULL;
    if (geteuid() == 0) {
        print_message("skipped: root may write anywhere\n");
        skip();
    }
    scratch_make(dir);
    assert_int_equal(chmod(dir, 0500), 0);
    FAILS(ERR_DENIED, state_open(dir, true, &s, e));
    assert_int_equal(chmod(dir, 0700), 0);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill_and_go_on),
        cmocka_unit_test(test_full_from_the_start),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_no_permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
