/* Trees with what the real sshd -T said of them (sshd-corpus/NAME: root/, truth.json) through
 * probes/sshd/load.c probes/sshd/resolve.c probes/sshd/glob.c probes/sshd/words.c
 * probes/sshd/match.c probes/sshd/keywords.c probes/sshd/contexts.c probes/sshd/sshd.c; and
 * hostile files, which end within the bounds. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/host.h"
#include "agent/base/json.h"
#include "probes/sshd/conf.h"

#define CORPUS TENKEN_SOURCE_DIR "/tests/probes/sshd-corpus"

static int read_host(void *arg, const char *path, struct str *out, struct err *e)
{
    return host_read(arg, path, SSHD_FILE_MAX, out, e);
}

static int list_host(void *arg, const char *dir, struct strv *ret, struct err *e)
{
    return host_list(arg, dir, 1000, ret, e);
}

static void check_context(const struct sshd_conf *conf, const char *who, json_t *lines)
{
    static const char *const groups[] = {"mfagrp", "mfaalice"};
    char user[64];
    size_t n = strcspn(who, "@");
    assert_true(n < sizeof(user));
    memcpy(user, who, n);
    user[n] = '\0';
    struct sshd_context ctx = {.user = user,
                               .host = "x",
                               .address = who + n + 1,
                               .laddress = "127.0.0.1",
                               .lport = 22,
                               .groups = groups,
                               .n_groups = strcmp(user, "mfaalice") == 0 ? 2 : 0};
    CLEANUP(sshd_config) struct sshd_config got = {.n = 0};
    struct err e = {0};
    assert_int_equal(sshd_conf_resolve(conf, &ctx, &got, &e), 0);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const char *line = json_string_value(json_array_get(lines, i));
        char keyword[64];
        size_t k = strcspn(line, " ");
        assert_true(k < sizeof(keyword));
        memcpy(keyword, line, k);
        keyword[k] = '\0';
        const char *value = sshd_config_get(&got, keyword);
        assert_non_null(value);
        assert_string_equal(value, line + k + 1);
    }
}

static void check_case(const char *name)
{
    char path[512];
    struct host *h = NULL;
    struct err e = {0};
    (void)snprintf(path, sizeof(path), CORPUS "/%s/truth.json", name);
    json_t *truth = json_load_file(path, 0, NULL);
    assert_non_null(truth);
    (void)snprintf(path, sizeof(path), CORPUS "/%s/root", name);
    assert_int_equal(host_open(path, &h, &e), 0);
    struct sshd_files files = {.read = read_host, .list = list_host, .arg = h};
    CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
    assert_int_equal(sshd_conf_load(&files, SSHD_CONFIG, &conf, &e), 0);
    const char *who = NULL;
    json_t *lines = NULL;
    size_t seen = 0;
    json_object_foreach(json_object_get(truth, "sshd_T"), who, lines)
    {
        check_context(&conf, who, lines);
        seen++;
    }
    assert_true(seen > 0);
    json_decref(truth);
    host_free(h);
}

static void test_corpus_exact(void **state)
{
    (void)state;
    DIR *d = opendir(CORPUS);
    assert_non_null(d);
    size_t cases = 0;
    for (struct dirent *at = NULL; (at = readdir(d)) != NULL;) {
        if (at->d_name[0] != '.') {
            print_message("%s\n", at->d_name);
            check_case(at->d_name);
            cases++;
        }
    }
    (void)closedir(d);
    assert_true(cases >= 6);
}

/* --- one text as the main file; includes lead back to it --- */

static int read_text(void *arg, const char *path, struct str *out, struct err *e)
{
    (void)path;
    const struct str *text = arg;
    str_add_bytes(out, str_text(text), text->len);
    return str_error(out, e);
}

static int list_none(void *arg, const char *dir, struct strv *ret, struct err *e)
{
    (void)arg;
    (void)dir;
    return strv_add(ret, "a.conf", e);
}

static void test_hostile_files_end(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned times;
        int code;
        const char *why;
    } rows[] = {
        {"Match User u%u\nPasswordAuthentication no\n", 10000, 0, "blocks beyond any enumeration"},
        {"Match Address 10.0.%u.0/24\n", 255, 0, "many networks"},
        {"Include /etc/ssh/x/*.conf\n", 3, ERR_MALFORMED, "an include of itself: as sshd, 16 deep"},
        {"AllowUsers ************************a%u\n", 1000, 0, "patterns that backtrack"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(str) struct str text = STR_INIT(SSHD_FILE_MAX);
        CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
        CLEANUP(sshd_contexts) struct sshd_contexts all = {.n = 0};
        struct err e = {0};
        for (unsigned k = 0; k < rows[i].times; k++) {
            const char *mark = strstr(rows[i].line, "%u");
            str_add_bytes(&text, rows[i].line,
                          mark == NULL ? strlen(rows[i].line) : (size_t)(mark - rows[i].line));
            if (mark != NULL) {
                str_addf(&text, "%u%s", k, mark + 2);
            }
        }
        struct sshd_files files = {.read = read_text, .list = list_none, .arg = &text};
        print_message("%s\n", rows[i].why);
        assert_int_equal(sshd_conf_load(&files, SSHD_CONFIG, &conf, &e), rows[i].code);
        if (rows[i].code == 0) {
            assert_int_equal(sshd_contexts_make(&conf, NULL, 0, &all, &e), 0);
            assert_string_equal(all.items[0].scope, "*");
            assert_int_equal(all.is_truncated, i < 2);
        }
    }
}

static void test_contexts_tell_apart(void **state)
{
    (void)state;
    static const char config[] = "PasswordAuthentication no\n"
                                 "Match Group nootp\nPasswordAuthentication yes\n"
                                 "Match Address 10.0.0.0/8,!10.1.0.0/16\nMaxAuthTries 2\n"
                                 "Match LocalPort 2222\nPermitEmptyPasswords yes\n"
                                 "Match User *,!root\nX11Forwarding yes\n";
    static const char *const scopes[] = {"*", "if:group=nootp", "user=root", "if:port=2222",
                                         "if:address=10.0.0.0/8,if:group=nootp"};
    CLEANUP(str) struct str text = STR_INIT(SSHD_FILE_MAX);
    CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
    CLEANUP(sshd_contexts) struct sshd_contexts all = {.n = 0};
    struct err e = {0};
    str_add(&text, config);
    struct sshd_files files = {.read = read_text, .list = list_none, .arg = &text};
    assert_int_equal(sshd_conf_load(&files, SSHD_CONFIG, &conf, &e), 0);
    assert_int_equal(sshd_contexts_make(&conf, NULL, 0, &all, &e), 0);
    assert_false(all.is_truncated);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        bool found = false;
        for (size_t k = 0; k < all.n; k++) {
            found = found || strcmp(all.items[k].scope, scopes[i]) == 0;
        }
        print_message("%s\n", scopes[i]);
        assert_true(found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus_exact),
                                       cmocka_unit_test(test_hostile_files_end),
                                       cmocka_unit_test(test_contexts_tell_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
