/* The state directory: lock, permissions, keys. */
#include <fcntl.h>
#include <sys/wait.h>

#include "tests/agent/evidence/sample.h"

static mode_t mode_of(const char *dir, const char *name)
{
    char path[256];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_open_makes_and_locks(void **state)
{
    (void)state;
    char top[64], dir[128];
    struct state *s = NULL, *second = NULL;
    struct err err = {0};
    scratch_make(top);
    (void)snprintf(dir, sizeof(dir), "%s/a/state", top);
    FAILS(ERR_ABSENT, state_open(dir, false, &s, e));
    mode_t before = umask(0);
    OK(state_open(dir, true, &s, e));
    (void)umask(before);
    assert_string_equal(state_dir(s), dir);
    /* nobody else gets in; with the uploader's group (test_uploader_group.c) 0710, 02750, 02770 */
    if (mode_of(dir, "spool") == 0700) {
        assert_int_equal(mode_of(dir, "."), 0700);
        assert_int_equal(mode_of(dir, "receipts"), 0700);
    } else {
        assert_int_equal(mode_of(dir, "."), 0710);
        assert_int_equal(mode_of(dir, "spool"), 02750);
        assert_int_equal(mode_of(dir, "receipts"), 02770);
    }
    assert_int_equal(state_open(dir, true, &second, &err), ERR_BUSY);
    assert_non_null(strstr(err.msg, "another scan is recording"));
    OK(state_open(dir, false, &second, e)); /* a reader needs no lock */
    state_close(second);
    state_close(s);
    OK(state_open(dir, true, &s, e)); /* the lock goes with its holder */
    state_close(s);
    scratch_remove(top);
}

static void test_open_refuses_shared_directory(void **state)
{
    (void)state;
    char top[64];
    struct state *s = NULL;
    struct err err = {0};
    scratch_make(top);
    assert_int_equal(chmod(top, 0777), 0);
    assert_int_equal(state_open(top, true, &s, &err), ERR_UNSAFE);
    assert_non_null(strstr(err.msg, "chmod go-w"));
    assert_int_equal(chmod(top, 0700), 0);
    char file[128];
    (void)snprintf(file, sizeof(file), "%s/file", top);
    OK(io_write_atomic(file, "x", 1, 0600, e));
    struct err other = {0};
    assert_int_not_equal(state_open(file, true, &s, &other), 0);
    scratch_remove(top);
}

/* What an earlier crash may have left, anywhere. */
static void test_open_recovers(void **state)
{
    (void)state;
    static const char *const left[] = {"host.key.tmp", ".host.pub.pem.0011.tmp",
                                       "spool/00112233445566778899aabbccddeeff.tmp/chain.json",
                                       "receipts/.x.json.22.tmp"};
    char top[64], path[256], digest[SHA256_HEX];
    struct state *s = NULL;
    scratch_make(top);
    OK(state_open(top, true, &s, e));
    sample_record(s, "A", digest);
    state_close(s);
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", top, left[i]);
        if (i == 2) {
            *strrchr(path, '/') = '\0';
            assert_int_equal(mkdir(path, 0700), 0);
            (void)snprintf(path, sizeof(path), "%s/%s", top, left[i]);
        }
        OK(io_write_atomic(path, "half", 4, 0600, e));
    }
    OK(state_open(top, true, &s, e));
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", top, left[i]);
        if (io_exists(path)) {
            fail_msg("%s is still there", path);
        }
    }
    struct spool_list l = {0};
    OK(spool_list(s, &l, e));
    assert_int_equal(l.n, 1);
    assert_string_equal(l.entries[0].digest, digest);
    spool_list_done(&l);
    state_close(s);
    scratch_remove(top);
}

static void test_keys(void **state)
{
    (void)state;
    char top[64], path[256];
    struct state *s = NULL;
    CLEANUP(sign_key) struct sign_key *k = NULL;
    CLEANUP(sign_key) struct sign_key *again = NULL;
    CLEANUP(verify_key) struct verify_key *pub = NULL;
    uint8_t one[32], two[32];
    scratch_make(top);
    OK(state_open(top, true, &s, e));
    FAILS(ERR_ABSENT, state_key(s, false, &k, e));
    FAILS(ERR_ABSENT, state_public_key(s, &pub, e));
    FAILS(ERR_ABSENT, state_pseudonym_key(s, false, one, e));
    FAILS(ERR_ABSENT, state_collector_key(s, &pub, e));
    OK(state_key(s, true, &k, e));
    OK(state_pseudonym_key(s, true, one, e));
    OK(state_pseudonym_key(s, true, two, e));
    assert_memory_equal(one, two, 32); /* made once */
    assert_int_equal(mode_of(top, "host.key"), 0600);
    assert_int_equal(mode_of(top, "pseudonym.key"), 0600);

    /* a crash between the two files of a key */
    (void)snprintf(path, sizeof(path), "%s/host.pub.pem", top);
    assert_int_equal(unlink(path), 0);
    OK(state_key(s, true, &again, e));
    OK(state_public_key(s, &pub, e));
    assert_string_equal(verify_key_id(pub), sign_key_id(k));
    assert_string_equal(sign_key_id(again), sign_key_id(k));

    (void)snprintf(path, sizeof(path), "%s/pseudonym.key", top);
    OK(io_write_atomic(path, "short", 5, 0600, e));
    FAILS(ERR_MALFORMED, state_pseudonym_key(s, true, one, e));

    CLEANUP(sign_key) struct sign_key *collector = seed_key(SEED_TEST2);
    const char *pem = sign_key_pem(collector);
    FAILS(ERR_MALFORMED, state_set_collector_key(s, "junk", 4, e));
    OK(state_set_collector_key(s, pem, strlen(pem), e));
    verify_key_free(TAKE_PTR(pub));
    OK(state_collector_key(s, &pub, e));
    assert_string_equal(verify_key_id(pub), sign_key_id(collector));
    state_close(s);
    scratch_remove(top);
}

static void test_dir_default(void **state)
{
    (void)state;
    const char *was = getenv("TENKEN_STATE_DIR");
    CLEANUP(free) char *keep = was != NULL ? strdup(was) : NULL;
    assert_int_equal(setenv("TENKEN_STATE_DIR", "/x/y", 1), 0);
    assert_string_equal(state_dir_default(), "/x/y");
    assert_int_equal(setenv("TENKEN_STATE_DIR", "", 1), 0);
    assert_string_equal(state_dir_default(), "/var/lib/tenken");
    assert_int_equal(unsetenv("TENKEN_STATE_DIR"), 0);
    assert_string_equal(state_dir_default(), "/var/lib/tenken");
    if (keep != NULL) {
        assert_int_equal(setenv("TENKEN_STATE_DIR", keep, 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_makes_and_locks),
        cmocka_unit_test(test_open_refuses_shared_directory),
        cmocka_unit_test(test_open_recovers),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_dir_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
