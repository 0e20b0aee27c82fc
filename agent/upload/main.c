/* tenken-upload: the only program of tenken that opens connections for evidence. `enroll URL
 * --token T` and `upload`; called by `tenken enroll` and `tenken upload`, or by its systemd unit.
 * Runs as user tenken-upload; cannot delete evidence. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/base/host.h"
#include "agent/base/io.h"
#include "agent/upload/approval.h"
#include "agent/upload/drop.h"
#include "agent/upload/enroll.h"
#include "agent/upload/send.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_NO = 2, EXIT_INCOMPLETE = 3, EXIT_USAGE = 64 };

struct arguments {
    const char *verb, *url, *token, *ca, *site, *state, *attempts;
    bool new_chain, help;
};

static int complain(const struct err *e)
{
    CLEANUP(str) struct str line = STR_INIT((size_t)16 << 10);
    str_add_terminal(&line, e->msg);
    (void)fprintf(stderr, "tenken-upload: %s\n", str_text(&line));
    if (e->code == ERR_INVALID || e->code == ERR_UNSAFE) {
        return EXIT_USAGE;
    }
    return e->code == ERR_MISMATCH ? EXIT_NO : EXIT_FAILED;
}

static void print_help(void)
{
    printf(
        "usage: tenken enroll URL --token T [--ca FILE] [--new-chain] [--site FILE] [--state DIR]\n"
        "       tenken upload [--ca FILE] [--site FILE] [--state DIR] [--attempts N]\n\n"
        "enroll registers this host's public key with the collector and keeps the collector's key, "
        "which the token pins.\n"
        "       --new-chain  starts new chains: the cure for a cloned machine\n"
        "upload sends what no receipt acknowledges to settings.upload.url of the site file. Off "
        "until that is set; under a\n"
        "       standard that isolates the host only to a collector among the approved peers.\n"
        "exit:  0 good, 1 could not be done, 2 refused or key mismatch, 64 usage\n\n"
        "使い方: enroll は公開鍵を収集サーバに登録し、upload "
        "は未受領の証跡を送ります。ネットワークから隔離する基準のもとでは、\n"
        "       承認済みの接続先 (peers) にある収集サーバにだけ送ります。--new-chain "
        "は複製した端末の直し方です。\n");
}

static int parse_arguments(int argc, char **argv, struct arguments *a, struct err *e)
{
    const struct {
        const char *name;
        const char **value;
        bool *flag;
    } options[] = {{"--token", &a->token, NULL},       {"--ca", &a->ca, NULL},
                   {"--site", &a->site, NULL},         {"--state", &a->state, NULL},
                   {"--attempts", &a->attempts, NULL}, {"--new-chain", NULL, &a->new_chain},
                   {"--help", NULL, &a->help}};
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(options) && strcmp(options[k].name, argv[i]) != 0) {
            k++;
        }
        if (k < ARRAY_LEN(options) && options[k].flag != NULL) {
            *options[k].flag = true;
        } else if (k < ARRAY_LEN(options)) {
            if (i + 1 >= argc) {
                return err_set(e, ERR_INVALID, "%s needs a value (--help)", argv[i]);
            }
            *options[k].value = argv[++i];
        } else if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc) {
            i++; /* understood by every command of tenken; the few words here are in both languages
                  */
        } else if (argv[i][0] == '-') {
            return err_set(e, ERR_INVALID, "unknown option %s (--help)", argv[i]);
        } else if (a->verb == NULL) {
            a->verb = argv[i];
        } else if (a->url == NULL && strcmp(a->verb, "enroll") == 0) {
            a->url = argv[i];
        } else {
            return err_set(e, ERR_INVALID, "one argument too many: %s (--help)", argv[i]);
        }
    }
    return 0;
}

/* --- site and policy: who may be talked to --- */

struct setup {
    struct site *site;
    struct policy *policy;
    struct str address; /* approved and pinned; empty = free */
    const char *url, *ca;
};

static void setup_done(struct setup *s)
{
    site_free(s->site);
    policy_free(s->policy);
    str_done(&s->address);
}

static int setup_load(const struct arguments *a, struct setup *s, struct err *e)
{
    const char *dirs[] = {policy_default_dir()};
    const char *path = a->site != NULL ? a->site : SITE_DEFAULT_PATH;
    str_init(&s->address, 256);
    int r = policy_load(dirs, 1, true, &s->policy, e);
    if (r == 0) {
        r = site_load(path, true, &s->site, e);
        /* Enrolling may come before the site file is written: then no contract isolates this host
         * yet. */
        if (r == ERR_ABSENT && a->site == NULL && a->url != NULL) {
            r = site_empty(&s->site, e);
        }
    }
    if (r < 0) {
        return r;
    }
    s->url = a->url != NULL ? a->url : site_setting(s->site, "upload.url");
    s->ca = a->ca != NULL ? a->ca : site_setting(s->site, "upload.ca_file");
    if (s->url == NULL) {
        return err_set(e, ERR_INVALID,
                       "%s sets no settings.upload.url: sending is off (tenken export writes a "
                       "bundle instead)",
                       path);
    }
    const char *enabled = site_setting(s->site, "upload.enabled");
    if (a->url == NULL && enabled != NULL && strcmp(enabled, "false") == 0) {
        return err_set(e, ERR_INVALID, "%s: settings.upload.enabled is false: sending is off",
                       path);
    }
    return approval_check(s->site, s->policy, s->url, &s->address, e);
}

static int setup_connect(const struct setup *s, struct net **ret, struct err *e)
{
    struct net_config c = {.url = s->url,
                           .ca_file = s->ca,
                           .proxy = site_setting(s->site, "upload.proxy"),
                           .address = s->address.len > 0 ? str_text(&s->address) : NULL};
    return net_open(&c, ret, e);
}

/* --- enroll: the network half runs in a child without root; only the answer comes back --- */

static void read_identity(char *hostname, size_t hostname_n, char *machine_id, size_t machine_id_n)
{
    struct host *h = NULL;
    hostname[0] = '\0';
    machine_id[0] = '\0';
    if (host_open("/", &h, NULL) == 0) {
        if (host_read_line(h, "/proc/sys/kernel/hostname", hostname, hostname_n, NULL) < 0) {
            hostname[0] = '\0';
        }
        if (host_read_line(h, "/etc/machine-id", machine_id, machine_id_n, NULL) < 0) {
            machine_id[0] = '\0';
        }
    }
    host_free(h);
}

struct child_answer {
    struct err e;
    struct enroll_answer answer;
};

static int enroll_child(const struct setup *s, const struct enroll_request *rq, int pipe_fd)
{
    struct child_answer out = {0};
    struct net *n = NULL;
    int r = drop_privileges(&out.e);
    if (r == 0) {
        r = setup_connect(s, &n, &out.e);
    }
    if (r == 0) {
        r = enroll(n, rq, &out.answer, &out.e);
    }
    net_free(n);
    struct err ignored = {0};
    r = io_write_all(pipe_fd, &out, sizeof(out), &ignored);
    return r < 0 ? EXIT_FAILED : EXIT_GOOD;
}

static int read_child(int fd, struct child_answer *ret, struct err *e)
{
    size_t got = 0;
    while (got < sizeof(*ret)) {
        ssize_t n = read(fd, (char *)ret + got, sizeof(*ret) - got);
        if (n <= 0) {
            return err_set(e, ERR_NETWORK, "the part that talks to the collector ended early");
        }
        got += (size_t)n;
    }
    /* Texts from another process: end them here, whatever it sent. */
    ret->e.msg[sizeof(ret->e.msg) - 1] = '\0';
    ret->answer.collector_key[sizeof(ret->answer.collector_key) - 1] = '\0';
    ret->answer.contracts[sizeof(ret->answer.contracts) - 1] = '\0';
    ret->answer.host[sizeof(ret->answer.host) - 1] = '\0';
    if (ret->e.code != ERR_NONE) {
        return err_set(e, ret->e.code, "%s", ret->e.msg);
    }
    return 0;
}

static int enroll_apart(const struct setup *s, const struct enroll_request *rq,
                        struct child_answer *ret, struct err *e)
{
    int fds[2];
    if (pipe(fds) != 0) {
        return err_errno(e, "pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        _exit(enroll_child(s, rq, fds[1]));
    }
    (void)close(fds[1]);
    int r = pid < 0 ? err_errno(e, "fork") : read_child(fds[0], ret, e);
    (void)close(fds[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return r;
}

static int run_enroll(const struct arguments *a, const struct setup *s, struct err *e)
{
    char hostname[256];
    char machine_id[64];
    struct child_answer answer = {0};
    CLEANUP(state) struct state *state = NULL;
    CLEANUP(sign_key) struct sign_key *key = NULL;
    if (a->token == NULL) {
        return err_set(e, ERR_INVALID,
                       "enroll: --token T is needed (the collector's operator makes one: "
                       "tenken-collector token)");
    }
    int r = state_open(a->state != NULL ? a->state : state_dir_default(), true, &state, e);
    if (r == 0) {
        r = state_key(state, true, &key, e);
    }
    if (r < 0) {
        return r;
    }
    read_identity(hostname, sizeof(hostname), machine_id, sizeof(machine_id));
    struct enroll_request rq = {.token = a->token,
                                .public_key = sign_key_pem(key),
                                .hostname = hostname,
                                .machine_id = machine_id};
    r = enroll_apart(s, &rq, &answer, e);
    if (r == 0) {
        r = state_set_collector_key(state, answer.answer.collector_key,
                                    strlen(answer.answer.collector_key), e);
    }
    if (r == 0 && a->new_chain) {
        r = chain_renew(state, e);
    }
    if (r == 0) {
        printf("enrolled with %s (登録しました)\n  host      %s\n  contracts %s\n", s->url,
               sign_key_id(key),
               answer.answer.contracts[0] != '\0' ? answer.answer.contracts : "-");
    }
    return r;
}

/* --- upload --- */

static int run_upload(const struct arguments *a, const struct setup *s, struct send_report *report,
                      struct err *e)
{
    CLEANUP(state) struct state *state = NULL;
    CLEANUP(net) struct net *net = NULL;
    struct send_options o = {.attempts = 6, .first_wait_ms = 1000, .longest_wait_ms = 300000};
    if (a->attempts != NULL) {
        char *end = NULL;
        unsigned long n = strtoul(a->attempts, &end, 10);
        if (*end != '\0' || n < 1 || n > 100) {
            return err_set(e, ERR_INVALID, "--attempts %s: a number from 1 to 100", a->attempts);
        }
        o.attempts = (unsigned)n;
    }
    int r = drop_privileges(e);
    if (r == 0) {
        r = state_open(a->state != NULL ? a->state : state_dir_default(), false, &state, e);
    }
    if (r == 0) {
        CLEANUP(verify_key) struct verify_key *collector = NULL;
        r = state_collector_key(state, &collector, e);
        if (r == ERR_ABSENT) {
            r = err_set(
                e, ERR_ABSENT,
                "this host is not enrolled with a collector yet: tenken enroll %s --token T",
                s->url);
        }
    }
    if (r == 0) {
        r = setup_connect(s, &net, e);
    }
    return r < 0 ? r : send_spool(net, state, &o, report, e);
}

static int finish_upload(const struct send_report *report)
{
    printf("%zu sent and acknowledged (送信・受領済み), %zu refused (拒否)\n", report->n_sent,
           report->n_refused);
    if (report->n_refused > 0) {
        struct err e = {0};
        (void)err_set(&e, ERR_MISMATCH, "%s", report->first_error);
        return complain(&e);
    }
    return EXIT_GOOD;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    struct setup s = {0};
    struct err e = {0};
    struct send_report report = {0};
    int r = parse_arguments(argc, argv, &a, &e);
    if (r == 0 && a.help) {
        print_help();
        return EXIT_GOOD;
    }
    if (r == 0 &&
        (a.verb == NULL || (strcmp(a.verb, "enroll") != 0 && strcmp(a.verb, "upload") != 0))) {
        r = err_set(&e, ERR_INVALID, "say enroll or upload (--help)");
    }
    if (r == 0 && strcmp(a.verb, "enroll") == 0 && a.url == NULL) {
        r = err_set(&e, ERR_INVALID, "enroll: the collector's URL is needed (--help)");
    }
    if (r < 0) {
        return complain(&e);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)err_set(&e, ERR_INTERNAL, "libcurl does not start");
        return complain(&e);
    }
    r = setup_load(&a, &s, &e);
    if (r == 0 && strcmp(a.verb, "enroll") == 0) {
        r = run_enroll(&a, &s, &e);
    } else if (r == 0) {
        r = run_upload(&a, &s, &report, &e);
    }
    int code = r < 0 ? complain(&e) : EXIT_GOOD;
    if (r == 0 && strcmp(a.verb, "upload") == 0) {
        code = finish_upload(&report);
    }
    setup_done(&s);
    curl_global_cleanup();
    return code;
}
