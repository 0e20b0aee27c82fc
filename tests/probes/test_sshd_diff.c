/* sshd's configuration against the real sshd -T -C: random configurations with Include and Match,
 * for several users, addresses and ports. SSHD_DIFF_ROUNDS and SSHD_DIFF_SEED repeat or lengthen a
 * run. Skipped where openssh-server is not installed or this is not root. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "probes/sshd/parts.h"

#define SSHD "/usr/sbin/sshd"
#define ROUNDS 60UL
#define OUTPUT_MAX ((size_t)1 << 20)

struct fixture {
    char dir[64];
    bool made_run;
    unsigned long seed;
    uint64_t state;
};

/* --- the host's files for the core --- */

static int read_cb(void *arg, const char *path, struct str *out, struct err *e)
{
    (void)arg;
    struct stat st;
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
    if (f == NULL) {
        return err_set(e, access(path, F_OK) == 0 ? ERR_INVALID : ERR_ABSENT, "%s", path);
    }
    for (int c = 0; (c = fgetc(f)) != EOF;) {
        str_add_char(out, (char)c);
    }
    (void)fclose(f);
    return str_error(out, e);
}

static int list_cb(void *arg, const char *dir, struct strv *ret, struct err *e)
{
    (void)arg;
    static const char *const names[] = {"10-a.conf", "20-b.conf", "30-c.conf", ".hidden.conf",
                                        "sub"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(names) && r == 0; i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        r = access(path, F_OK) == 0 ? strv_add(ret, names[i], e) : 0;
    }
    return r;
}

static const struct sshd_files files = {.read = read_cb, .list = list_cb};

/* --- random configurations --- */

static unsigned pick(struct fixture *f, unsigned n)
{
    f->state = f->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(f->state >> 33) % n;
}
#define PICK(f, list) ((list)[pick((f), (unsigned)ARRAY_LEN(list))])

static void put_setting(struct fixture *f, FILE *out, bool in_match)
{
    static const char *const everywhere[] = {
        "PasswordAuthentication yes",
        "PasswordAuthentication no",
        "passwordauthentication=NO",
        "KbdInteractiveAuthentication no",
        "ChallengeResponseAuthentication yes",
        "ChallengeResponseAuthentication no",
        "PermitRootLogin prohibit-password",
        "PermitRootLogin yes",
        "PermitRootLogin no",
        "PermitRootLogin forced-commands-only",
        "PermitEmptyPasswords yes",
        "  PermitEmptyPasswords\tno  ",
        "PubkeyAuthentication \"no\"",
        "PubkeyAuthentication yes # comment",
        "PubkeyAuthOptions touch-required",
        "PubkeyAuthOptions verify-required touch-required",
        "PubkeyAuthOptions none",
        "AuthenticationMethods publickey,password",
        "AuthenticationMethods any",
        "AuthenticationMethods publickey,keyboard-interactive:pam password,publickey",
        "AllowUsers alice bob",
        "AllowUsers root@10.0.0.0/8",
        "DenyUsers mallory",
        "AllowGroups a b",
        "DenyGroups nobody",
        "AcceptEnv LANG LC_*",
        "AcceptEnv \"X Y\"",
        "ForceCommand /bin/echo a  b",
        "ForceCommand none",
        "ChrootDirectory /srv",
        "MaxAuthTries 3",
        "MaxSessions 02",
        "ClientAliveInterval 1m30s",
        "ClientAliveInterval 90",
        "ClientAliveCountMax 0",
        "X11Forwarding yes",
        "AllowTcpForwarding all",
        "AllowTcpForwarding local",
        "AllowStreamLocalForwarding remote",
        "GatewayPorts clientspecified",
        "PermitTTY no",
        "AuthorizedKeysFile /etc/k/%u .ssh/k2",
        "AuthorizedKeysFile none",
        "Banner /etc/issue",
        "TrustedUserCAKeys /etc/ca.pub",
        "TrustedUserCAKeys none",
        "GSSAPIAuthentication yes",
        "HostbasedAuthentication yes",
        "IgnoreRhosts shosts-only",
        "KerberosAuthentication no",
        "AuthorizedKeysCommand /bin/a -b %u",
        "AuthorizedKeysCommandUser nobody",
        "AuthorizedPrincipalsFile /etc/p/%u",
        "DisableForwarding yes",
        "PermitTunnel ethernet",
        "RSAAuthentication yes",
        "LogLevel INFO",
        "ExposeAuthInfo yes",
        "# nothing",
        "",
        "PubkeyAcceptedAlgorithms ssh-ed25519",
        "RevokedKeys none",
        "PermitUserRC no",
        "AllowAgentForwarding no",
        "PasswordAuthentication yes\r",
        "X11DisplayOffset 20"};
    static const char *const global[] = {"UsePAM yes",
                                         "UsePAM no",
                                         "Port 22",
                                         "Port 2222",
                                         "LoginGraceTime 2m",
                                         "StrictModes no",
                                         "KerberosOrLocalPasswd no",
                                         "DSAAuthentication no",
                                         "KeepAlive no",
                                         "UseDNS yes",
                                         "Protocol 2",
                                         "Ciphers aes256-ctr",
                                         "PrintMotd no",
                                         "IgnoreUserKnownHosts yes"};
    static const char *const wrong[] = {"Nonsense yes",
                                        "PasswordAuthentication maybe",
                                        "PasswordAuthentication",
                                        "MaxAuthTries x",
                                        "PasswordAuthentication yes no",
                                        "AuthenticationMethods any publickey",
                                        "AllowUsers",
                                        "AuthenticationMethods publickey,bogus",
                                        "Banner \"open",
                                        "Match exec true",
                                        "Match all user root",
                                        "Match address 10.0.0.1/8",
                                        "Include",
                                        "AcceptEnv A=B",
                                        "ClientAliveInterval 5x",
                                        "AllowUsers root@10.0.0.1/8",
                                        "Match user"};
    unsigned die = pick(f, 400);
    const char *line = die == 0                ? PICK(f, wrong)
                       : die < 60 && !in_match ? PICK(f, global)
                       : die == 60             ? PICK(f, global)
                                               : PICK(f, everywhere);
    (void)fprintf(out, "%s\n", line);
}

static void put_match(struct fixture *f, FILE *out)
{
    static const char *const criteria[] = {"User root",
                                           "user nobody,daemon",
                                           "User *,!root",
                                           "User !root,*",
                                           "User no*y",
                                           "User d?emon",
                                           "Group nogroup",
                                           "Group root,daemon",
                                           "Group !root,*",
                                           "Group *",
                                           "Address 10.0.0.0/8",
                                           "Address 10.1.0.0/16,!10.1.2.0/24",
                                           "Address !10.0.0.0/8,*",
                                           "Address 10.1.*",
                                           "Address *",
                                           "Address 2001:db8::/32",
                                           "LocalAddress 192.0.2.1",
                                           "LocalPort 2222",
                                           "LocalPort 22",
                                           "Host *.example.com",
                                           "Host !bad.example.com,*.EXAMPLE.com",
                                           "RDomain x"};
    if (pick(f, 8) == 0) {
        (void)fputs("Match all\n", out);
        return;
    }
    (void)fputs("Match", out);
    for (unsigned n = 1 + pick(f, 2); n > 0; n--) {
        (void)fprintf(out, " %s", PICK(f, criteria));
    }
    (void)fputs(pick(f, 9) == 0 ? " # comment\n" : "\n", out);
}

static void put_file(struct fixture *f, const char *name, unsigned level)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    bool in_match = false;
    for (unsigned n = pick(f, 14); n > 0; n--) {
        unsigned die = pick(f, 10);
        if (die < 3) {
            put_match(f, out);
            in_match = true;
        } else if (die == 3 && level == 0) {
            static const char *const globs[] = {"d/*.conf",    "d/[12]*.conf", "d/20-b.conf",
                                                "d/absent",    "d/?0-*.conf",  "d/sub",
                                                "d/sub/*.conf"};
            (void)fprintf(out, "Include %s/%s", f->dir, PICK(f, globs));
            (void)fprintf(out, pick(f, 4) == 0 ? " %s/d/30-c.conf\n" : "\n", f->dir);
        } else if (die == 3 && level == 1) {
            (void)fprintf(out, "Include %s/d/sub/*.conf\n", f->dir);
        } else {
            put_setting(f, out, in_match);
        }
    }
    assert_int_equal(fclose(out), 0);
}

/* --- both answers, as sorted lines "keyword value" --- */

static bool is_shown(const char *line)
{
    char name[64];
    size_t n = strcspn(line, " ");
    if (n >= sizeof(name)) {
        return false;
    }
    memcpy(name, line, n);
    name[n] = '\0';
    int k = sshd_keyword_find(name);
    return k >= 0 && sshd_keyword_at((size_t)k, NULL)->kind < SSHDK_IGNORED &&
           strcmp(name, "pubkeyacceptedalgorithms") != 0;
}

static bool ask_sshd(struct fixture *f, const char *spec, struct strv *ret)
{
    char command[512];
    struct err e;
    (void)snprintf(command, sizeof(command), SSHD " -T -f %s/main -h %s/key -C '%s' 2>%s/stderr",
                   f->dir, f->dir, spec, f->dir);
    FILE *in = popen(command, "re");
    assert_non_null(in);
    char line[8192];
    while (fgets(line, sizeof(line), in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (is_shown(line)) {
            assert_int_equal(strv_add(ret, line, &e), 0);
        }
    }
    strv_sort(ret);
    return pclose(in) == 0;
}

static int ask_core(const struct sshd_conf *c, const struct sshd_context *ctx, struct strv *ret,
                    struct err *e)
{
    CLEANUP(sshd_config) struct sshd_config config = {.n = 0};
    int r = sshd_conf_resolve(c, ctx, &config, e);
    for (size_t i = 0; i < config.n; i++) {
        for (size_t v = 0; v < config.items[i].values.n; v++) {
            CLEANUP(str) struct str line = STR_INIT(8192);
            str_addf(&line, "%s %s", config.items[i].keyword, config.items[i].values.items[v]);
            if (is_shown(str_text(&line))) {
                assert_int_equal(strv_add(ret, str_text(&line), e), 0);
            }
        }
    }
    strv_sort(ret);
    return r;
}

static void show_file(const struct fixture *f, const char *name)
{
    char path[160];
    CLEANUP(str) struct str text = STR_INIT(OUTPUT_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    if (read_cb(NULL, path, &text, NULL) == 0) {
        print_message("--- %s\n%s\n", name, str_text(&text));
    }
}

static void show_all(const struct fixture *f, unsigned long round, const char *spec)
{
    print_message("seed %lu round %lu spec %s\n", f->seed, round, spec);
    static const char *const names[] = {"main",        "d/10-a.conf",     "d/20-b.conf",
                                        "d/30-c.conf", "d/sub/10-a.conf", "stderr"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        show_file(f, names[i]);
    }
}

static size_t groups_of(const char *user, const char **ret, size_t max)
{
    gid_t gids[64];
    int n = (int)ARRAY_LEN(gids);
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL || getgrouplist(user, pw->pw_gid, gids, &n) < 0) {
        return 0;
    }
    size_t count = 0;
    for (int i = 0; i < n && count < max; i++) {
        const struct group *g = getgrgid(gids[i]);
        if (g != NULL) {
            ret[count] = strdup(g->gr_name);
            count += ret[count] != NULL ? 1 : 0;
        }
    }
    return count;
}

static bool compare(struct fixture *f, unsigned long round)
{
    static const char *const users[] = {"root", "nobody", "daemon", "nosuchuser"};
    static const char *const addresses[] = {"10.1.2.3", "10.1.9.9", "198.51.100.7", "2001:db8::5"};
    static const char *const hosts[] = {"a.example.com", "bad.example.com", "Other.Example.COM",
                                        "x"};
    static const int ports[] = {22, 2222, 443};
    CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
    struct err e = {0};
    char path[160], spec[256];
    const char *groups[64];
    (void)snprintf(path, sizeof(path), "%s/main", f->dir);
    int loaded = sshd_conf_load(&files, path, &conf, &e);
    bool same = true;
    for (unsigned i = 0; i < 3 && same; i++) {
        CLEANUP(strv) struct strv theirs = {0};
        CLEANUP(strv) struct strv ours = {0};
        struct sshd_context ctx = {.user = PICK(f, users),
                                   .host = PICK(f, hosts),
                                   .address = PICK(f, addresses),
                                   .laddress = "192.0.2.1",
                                   .lport = PICK(f, ports)};
        (void)snprintf(spec, sizeof(spec), "user=%s,host=%s,addr=%s,laddr=%s,lport=%d", ctx.user,
                       ctx.host, ctx.address, ctx.laddress, ctx.lport);
        ctx.n_groups = groups_of(ctx.user, groups, ARRAY_LEN(groups));
        ctx.groups = groups;
        bool is_good = ask_sshd(f, spec, &theirs);
        int taken = loaded == 0 ? ask_core(&conf, &ctx, &ours, &e) : loaded;
        same = is_good == (taken == 0);
        if (!same) {
            print_message("sshd %s, we: %s\n", is_good ? "accepts" : "refuses", e.msg);
        }
        if (same && is_good) {
            for (size_t k = 0; k < ours.n || k < theirs.n; k++) {
                const char *a = k < theirs.n ? theirs.items[k] : "(end)";
                const char *b = k < ours.n ? ours.items[k] : "(end)";
                if (strcmp(a, b) != 0) {
                    print_message("sshd: %s\nwe:   %s\n", a, b);
                    same = false;
                    break;
                }
            }
        }
        for (size_t k = 0; k < ctx.n_groups; k++) {
            free((void *)(uintptr_t)groups[k]);
        }
    }
    if (!same) {
        show_all(f, round, spec);
    }
    return same;
}

static unsigned long from_env(const char *name, unsigned long fallback)
{
    const char *text = getenv(name);
    return text == NULL ? fallback : strtoul(text, NULL, 10);
}

static void test_random_configurations(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0 || access(SSHD, X_OK) != 0) {
        print_message("skipped: needs root and openssh-server (dist/deps.sh test)\n");
        skip();
    }
    unsigned long rounds = from_env("SSHD_DIFF_ROUNDS", ROUNDS), bad = 0;
    f->seed = from_env("SSHD_DIFF_SEED", (unsigned long)time(NULL));
    print_message("seed %lu, %lu rounds\n", f->seed, rounds);
    for (unsigned long i = 0; i < rounds && bad < 3; i++) {
        f->state = f->seed * 1000003UL + i;
        (void)pick(f, 2);
        put_file(f, "d/sub/10-a.conf", 2);
        put_file(f, "d/10-a.conf", 1);
        put_file(f, "d/20-b.conf", 2);
        put_file(f, "d/30-c.conf", 2);
        put_file(f, "d/.hidden.conf", 2);
        put_file(f, "main", 0);
        bad += compare(f, i) ? 0 : 1;
    }
    assert_int_equal(bad, 0);
}

static int set_up(void **state)
{
    static struct fixture f; /* of this one test */
    char command[256];
    (void)snprintf(f.dir, sizeof(f.dir), "/tmp/tenken-sshd-XXXXXX");
    if (mkdtemp(f.dir) == NULL) {
        return -1;
    }
    f.made_run = geteuid() == 0 && mkdir("/run/sshd", 0755) == 0;
    (void)snprintf(command, sizeof(command),
                   "mkdir -p %s/d/sub; ssh-keygen -q -t ed25519 -N '' -f %s/key 2>/dev/null", f.dir,
                   f.dir);
    *state = &f;
    return system(command) == -1 ? -1 : 0;
}

static int tear_down(void **state)
{
    const struct fixture *f = *state;
    char command[128];
    if (f->made_run) {
        (void)rmdir("/run/sshd");
    }
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    return system(command) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_configurations, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
