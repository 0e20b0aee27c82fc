/* Keys: made once, private, Ed25519 only, loaded from a file or through a store URI. */
#include <fcntl.h>

#include "tests/agent/evidence/sample.h"

static void path_in(const char *dir, const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", dir, name);
}

static void test_create(void **state)
{
    (void)state;
    char dir[64], path[128], pub[128];
    struct stat st;
    CLEANUP(sign_key) struct sign_key *k = NULL;
    CLEANUP(sign_key) struct sign_key *again = NULL;
    CLEANUP(sign_key) struct sign_key *third = NULL;
    CLEANUP(verify_key) struct verify_key *v = NULL;
    scratch_make(dir);
    path_in(dir, "host.key", path);
    path_in(dir, "host.pub.pem", pub);
    mode_t before = umask(0);
    OK(sign_key_create(path, pub, &k, e));
    (void)umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(pub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    OK(sign_key_load(path, &again, e));
    assert_string_equal(sign_key_id(k), sign_key_id(again));
    assert_true(hex_is(sign_key_id(k), 64));
    OK(verify_key_file(pub, &v, e));
    assert_string_equal(verify_key_id(v), sign_key_id(k));
    assert_string_equal(verify_key_text(v), sign_key_pem(k));

    /* never replaced: the evidence so far hangs on it */
    FAILS(ERR_BUSY, sign_key_create(path, pub, &third, e));
    sign_key_free(TAKE_PTR(again));
    OK(sign_key_load(path, &again, e));
    assert_string_equal(sign_key_id(k), sign_key_id(again));
    CLEANUP(strv) struct strv names = {0};
    OK(io_list(dir, "", &names, e));
    assert_int_equal(names.n, 2);
    scratch_remove(dir);
}

static void write_key(const char *path, const char *text, mode_t mode)
{
    OK(io_write_atomic(path, text, strlen(text), mode, e));
}

static void test_load_refuses(void **state)
{
    (void)state;
    char dir[64], path[128];
    CLEANUP(str) struct str pem = STR_INIT(4096);
    struct sign_key *k = NULL;
    scratch_make(dir);
    path_in(dir, "host.key", path);
    FAILS(ERR_ABSENT, sign_key_load(path, &k, e));
    seed_pem(SEED_TEST1, &pem);
    static const mode_t open_modes[] = {0640, 0604, 0660};
    for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
        struct err err = {0};
        write_key(path, str_text(&pem), open_modes[i]);
        assert_int_equal(sign_key_load(path, &k, &err), ERR_UNSAFE);
        assert_non_null(strstr(err.msg, "chmod 600 "));
    }
    write_key(path, "junk\n", 0600);
    FAILS(ERR_MALFORMED, sign_key_load(path, &k, e));
    write_key(path, "", 0600);
    FAILS(ERR_MALFORMED, sign_key_load(path, &k, e));
    write_key(path, "uri:file:/nonexistent/key.pem\n", 0600);
    FAILS(ERR_CRYPTO, sign_key_load(path, &k, e));

    /* another kind of key */
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, ec, NULL, NULL, 0, NULL, NULL), 1);
    long n = BIO_get_mem_data(bio, &data);
    OK(io_write_atomic(path, data, (size_t)n, 0600, e));
    FAILS(ERR_MALFORMED, sign_key_load(path, &k, e));
    /* locked with a pass phrase: refused at once, nobody is asked */
    (void)BIO_reset(bio);
    CLEANUP(sign_key) struct sign_key *good = seed_key(SEED_TEST1);
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(bio, good->pkey, EVP_aes_128_cbc(), "abcd", 4, NULL, NULL),
        1);
    n = BIO_get_mem_data(bio, &data);
    OK(io_write_atomic(path, data, (size_t)n, 0600, e));
    FAILS(ERR_MALFORMED, sign_key_load(path, &k, e));
    BIO_free(bio);
    EVP_PKEY_free(ec);
    scratch_remove(dir);
}

/* A provider URI may stand in for the file; OpenSSL's own file: scheme takes the same path as a
 * token's. */
static void test_load_uri(void **state)
{
    (void)state;
    char dir[64], path[128], key[128], uri[256];
    CLEANUP(str) struct str pem = STR_INIT(4096);
    CLEANUP(sign_key) struct sign_key *direct = NULL;
    CLEANUP(sign_key) struct sign_key *through = NULL;
    CLEANUP(sign_key) struct sign_key *want = seed_key(SEED_TEST1);
    scratch_make(dir);
    path_in(dir, "token.pem", key);
    path_in(dir, "host.key", path);
    seed_pem(SEED_TEST1, &pem);
    write_key(key, str_text(&pem), 0600);
    (void)snprintf(uri, sizeof(uri), "file:%s", key);
    OK(sign_key_load(uri, &direct, e));
    assert_string_equal(sign_key_id(direct), sign_key_id(want));
    (void)snprintf(uri, sizeof(uri), "uri:file:%s\n", key);
    write_key(path, uri, 0600);
    OK(sign_key_load(path, &through, e));
    assert_string_equal(sign_key_id(through), sign_key_id(want));
    CLEANUP(str) struct str envelope = STR_INIT(4096);
    OK(dsse_sign(through, "t", "x", 1, &envelope, e));
    scratch_remove(dir);
}

static void test_verify_key_refuses(void **state)
{
    (void)state;
    CLEANUP(str) struct str pem = STR_INIT(4096);
    struct verify_key *k = NULL;
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    assert_int_equal(PEM_write_bio_PUBKEY(bio, ec), 1);
    long n = BIO_get_mem_data(bio, &data);
    FAILS(ERR_MALFORMED, verify_key_pem(data, (size_t)n, &k, e)); /* not Ed25519 */
    BIO_free(bio);
    EVP_PKEY_free(ec);
    FAILS(ERR_MALFORMED, verify_key_pem("", 0, &k, e));
    FAILS(ERR_MALFORMED, verify_key_pem("junk", 4, &k, e));
    seed_pem(SEED_TEST1, &pem); /* a private key is no public one */
    FAILS(ERR_MALFORMED, verify_key_pem(pem.data, pem.len, &k, e));
    char *big = calloc(1, 1 << 20);
    assert_non_null(big);
    FAILS(ERR_MALFORMED, verify_key_pem(big, 1 << 20, &k, e));
    free(big);
    FAILS(ERR_ABSENT, verify_key_file("/nonexistent.pem", &k, e));
    assert_null(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_load_refuses),
        cmocka_unit_test(test_load_uri),
        cmocka_unit_test(test_verify_key_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
