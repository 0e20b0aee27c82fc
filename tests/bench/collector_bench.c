/* CPU that the collector spends per accepted evidence, over TLS with kept connections, beside the
 * floor: checking the signature and one insert into SQLite. Prints ratios.
 *   collector-bench [HOSTS [ROUNDS]]     (1000 hosts, 3 rounds; 10000 hosts take a few minutes) */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sqlite3.h>

#include "agent/base/io.h"
#include "agent/evidence/key.h"
#include "server-stub/http.h"

#define CONNECTIONS 8
#define FACT_ROWS 160 /* makes a payload of about 15 KB, as a host with a few mounts has */
#define BUDGET_US 500.0

static _Noreturn void die(const char *what, const struct err *e)
{
    (void)fprintf(stderr, "collector-bench: %s%s%s\n", what, e != NULL ? ": " : "",
                  e != NULL ? e->msg : "");
    exit(1);
}

#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct err must_err = {0};                                                                 \
        struct err *e = &must_err;                                                                 \
        if ((call) != 0) {                                                                         \
            die(#call, e);                                                                         \
        }                                                                                          \
    } while (0)

/* --- evidence --- */

struct host {
    struct sign_key *key;
    char previous[SHA256_HEX];
};

static struct sign_key *new_key(void)
{
    struct sign_key *k = NULL;
    struct str pem = STR_INIT(4096);
    char *data = NULL;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    if (pkey == NULL || bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        die("no key", NULL);
    }
    long n = BIO_get_mem_data(bio, &data);
    str_add_bytes(&pem, data, (size_t)n);
    MUST(key_from_pem("bench", str_text(&pem), pem.len, &k, e));
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    str_done(&pem);
    return k;
}

static const struct table rows_table = {
    .name = "mount_encryption",
    .doc = "",
    .source = "",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"mount", COL_TEXT, "", COL_KEY, NULL, ""},
                  {"encrypted", COL_INT, "", COL_DECIDES, NULL, ""},
                  {"reason", COL_TEXT, "", COL_NULLABLE, NULL, ""})};

/* A payload of the host's chain number `sequence`. */
static void make_payload(const struct host *h, int64_t sequence, struct str *out)
{
    static const char *const ids[] = {"5.1a", "5.1b", "5.3a", "5.4", "5.6a", "5.6b", "5.8", "5.9"};
    struct control controls[ARRAY_LEN(ids)] = {{0}};
    struct control_result results[ARRAY_LEN(ids)] = {{0}};
    struct facts facts = {0};
    struct fact_table *t = NULL;
    char chain[CHAIN_HEX];
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        controls[i].id = ids[i];
        results[i] = (struct control_result){.control = &controls[i], .verdict = VERDICT_PASS};
    }
    const struct evaluation ev = {.controls = results, .n_controls = ARRAY_LEN(ids)};
    MUST(facts_add(&facts, &rows_table, "disk", &t, e));
    t->state = STATE_COMPLETE;
    for (int64_t i = 0; i < FACT_ROWS; i++) {
        char mount[64];
        (void)snprintf(mount, sizeof mount, "/srv/city/volume-%lld/data-%s", (long long)i,
                       sign_key_id(h->key) + 56);
        MUST(fact_row_va(t, e, mount, (int64_t)1, "luks2 aes-xts-plain64, all leaves seen"));
    }
    (void)snprintf(chain, sizeof chain, "%.32s", sign_key_id(h->key));
    const struct statement_request rq = {.meta = {.agent_version = "0",
                                                  .rules_version = "1.0",
                                                  .rules_digest = "00",
                                                  .host_id = sign_key_id(h->key),
                                                  .asset = "SP-1",
                                                  .hostname = "bench",
                                                  .machine_id = "m",
                                                  .contract = "BENCH-1",
                                                  .framework = "sapporo-7-2",
                                                  .framework_version = "1",
                                                  .framework_digest = "00",
                                                  .chain = chain,
                                                  .previous = h->previous,
                                                  .sequence = sequence,
                                                  .scan_id = "s",
                                                  .time = "2026-11-21T06:30:02Z",
                                                  .local_date = "2026-11-21",
                                                  .time_zone = "Asia/Tokyo",
                                                  .boot_id = "b",
                                                  .root = "/",
                                                  .sqlite = "3"},
                                         .facts = &facts,
                                         .probes = &facts,
                                         .evaluation = &ev};
    MUST(statement_write(&rq, out, e));
    facts_done(&facts);
}

static char *make_evidence(struct host *h, int64_t sequence, size_t *ret_payload_n)
{
    struct str payload = STR_INIT(ENVELOPE_MAX), envelope = STR_INIT(ENVELOPE_MAX);
    make_payload(h, sequence, &payload);
    MUST(sha256_hex(payload.data, payload.len, h->previous, e));
    MUST(dsse_sign(h->key, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, e));
    *ret_payload_n = payload.len;
    str_done(&payload);
    char *text = str_take(&envelope, NULL);
    if (text == NULL) {
        die("no memory", NULL);
    }
    return text;
}

/* --- the server, in a process of its own --- */

static void serve(const char *dir, int port_fd, const char *cert, const char *key)
{
    struct collector c = {.dir = NULL};
    struct server s;
    struct http *h = NULL;
    sigset_t ends;
    memset(&s, 0, sizeof s);
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    const struct server_options so = {.rate_per_minute = 100000};
    const struct http_options ho = {.listen = "127.0.0.1:0",
                                    .cert = cert,
                                    .key = key,
                                    .max_connections = 1000,
                                    .max_per_address = 1000,
                                    .request_timeout_s = 60};
    MUST(collector_open(dir, false, &c, e));
    MUST(server_open(&s, &c, NULL, &so, e));
    MUST(http_start(&s, &ho, &h, e));
    unsigned port = http_port(h);
    if (write(port_fd, &port, sizeof port) != (ssize_t)sizeof port) {
        die("pipe", NULL);
    }
    int got = 0;
    (void)sigwait(&ends, &got);
    http_stop(h);
    server_done(&s);
    collector_done(&c);
    exit(0);
}

static double cpu_us(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) {
        die("clock", NULL);
    }
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long resident_kib(pid_t pid)
{
    char path[64], line[256];
    long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        (void)sscanf(line, "VmRSS: %ld", &kib);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return kib;
}

/* --- clients --- */

struct client {
    char **texts;
    size_t first, step, n;
    char url[64];
    size_t accepted;
};

static size_t swallow(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    CURL *curl = curl_easy_init();
    (void)curl_easy_setopt(curl, CURLOPT_URL, c->url);
    /* the certificate is this program's own: what is measured is the server */
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    for (size_t i = c->first; i < c->n; i += c->step) {
        long status = 0;
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(c->texts[i]));
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, c->texts[i]);
        if (curl_easy_perform(curl) == CURLE_OK) {
            (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        }
        c->accepted += status == 200;
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return NULL;
}

static void send_all(char **texts, size_t n, unsigned port)
{
    struct client clients[CONNECTIONS];
    pthread_t threads[CONNECTIONS];
    size_t accepted = 0;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        clients[i] = (struct client){.texts = texts, .first = i, .step = CONNECTIONS, .n = n};
        (void)snprintf(clients[i].url, sizeof clients[i].url, "https://127.0.0.1:%u/v1/evidence",
                       port);
        if (pthread_create(&threads[i], NULL, run_client, &clients[i]) != 0) {
            die("thread", NULL);
        }
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        (void)pthread_join(threads[i], NULL);
        accepted += clients[i].accepted;
    }
    if (accepted != n) {
        die("not everything was accepted", NULL);
    }
}

/* --- the floor --- */

static double floor_us(const char *dir, const struct host *h, size_t n)
{
    struct str payload = STR_INIT(ENVELOPE_MAX), signed_text = STR_INIT(ENVELOPE_MAX);
    struct verify_key *key = NULL;
    struct envelope env = {.payload = NULL};
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    make_payload(h, 1, &payload);
    MUST(dsse_sign(h->key, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &signed_text, e));
    MUST(envelope_parse(signed_text.data, signed_text.len, &env, e));
    MUST(verify_key_of(h->key, &key, e));
    (void)snprintf(path, sizeof path, "%s/floor.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE e(id INTEGER PRIMARY KEY, digest TEXT UNIQUE, payload BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO e(digest, payload) VALUES(?, ?)", -1, &st, NULL) !=
            SQLITE_OK) {
        die("floor", NULL);
    }
    double before = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < n; i++) {
        char digest[32];
        if (i % CONNECTIONS == 0) {
            (void)sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        }
        MUST(envelope_verify(&env, key, e));
        (void)snprintf(digest, sizeof digest, "%zu", i * 2654435761U);
        (void)sqlite3_bind_text(st, 1, digest, -1, SQLITE_STATIC);
        (void)sqlite3_bind_blob(st, 2, env.payload, (int)env.payload_n, SQLITE_STATIC);
        (void)sqlite3_step(st);
        (void)sqlite3_reset(st);
        if (i % CONNECTIONS == CONNECTIONS - 1 || i + 1 == n) {
            (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        }
    }
    double used = cpu_us(CLOCK_PROCESS_CPUTIME_ID) - before;
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    envelope_done(&env);
    verify_key_free(key);
    str_done(&payload);
    str_done(&signed_text);
    return used / (double)n;
}

static void read_pem(const char *dir, const char *name, struct str *out)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    MUST(io_read_file(path, 65536, out, e));
}

static void run_command(const char *command)
{
    if (system(command) != 0) {
        die(command, NULL);
    }
}

static void enroll(const char *dir, const struct host *hosts, size_t n)
{
    struct collector c = {.dir = NULL};
    struct store *s = NULL;
    MUST(collector_open(dir, true, &c, e));
    MUST(store_open(dir, STORE_WRITE, &s, e));
    MUST(store_begin(s, e));
    for (size_t i = 0; i < n; i++) {
        const struct host_row row = {.keyid = sign_key_id(hosts[i].key),
                                     .pem = sign_key_pem(hosts[i].key),
                                     .hostname = "bench",
                                     .machine_id = "m",
                                     .enrolled_at = 1};
        MUST(store_host_put(s, &row, "BENCH-1", e));
    }
    MUST(store_commit(s, e));
    store_close(s);
    collector_done(&c);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 3;
    char dir[] = "/tmp/tenken-bench-XXXXXX";
    struct str cert = STR_INIT(65536), key = STR_INIT(65536);
    int fds[2];
    if (n < 1 || rounds < 1 || mkdtemp(dir) == NULL || pipe(fds) != 0) {
        die("usage: collector-bench [HOSTS [ROUNDS]]", NULL);
    }
    char command[512];
    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                   "-subj /CN=bench -days 2 -keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
                   dir, dir);
    run_command(command);
    read_pem(dir, "cert.pem", &cert);
    read_pem(dir, "key.pem", &key);
    struct host *hosts = calloc(n, sizeof *hosts);
    char **texts = calloc(n, sizeof *texts);
    if (hosts == NULL || texts == NULL) {
        die("no memory", NULL);
    }
    for (size_t i = 0; i < n; i++) {
        hosts[i].key = new_key();
    }
    enroll(dir, hosts, n);
    pid_t pid = fork();
    if (pid == 0) {
        serve(dir, fds[1], str_text(&cert), str_text(&key));
    }
    unsigned port = 0;
    clockid_t clock;
    if (pid < 0 || read(fds[0], &port, sizeof port) != (ssize_t)sizeof port ||
        clock_getcpuclockid(pid, &clock) != 0) {
        die("the server does not start", NULL);
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    double floor = floor_us(dir, &hosts[0], 2000);
    size_t payload_n = 0;
    for (size_t r = 0; r < rounds; r++) {
        for (size_t i = 0; i < n; i++) {
            free(texts[i]);
            texts[i] = make_evidence(&hosts[i], (int64_t)r + 1, &payload_n);
        }
        double before = cpu_us(clock);
        send_all(texts, n, port);
        double each = (cpu_us(clock) - before) / (double)n;
        (void)printf("collector, round %zu: %zu hosts, payload %zu bytes: %.0f us CPU per evidence "
                     "(floor %.0f us, ratio %.1f; budget %.0f us: %s); resident %ld KiB\n",
                     r + 1, n, payload_n, each, floor, each / floor, BUDGET_US,
                     each <= BUDGET_US ? "held" : "NOT held", resident_kib(pid));
    }
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        sign_key_free(hosts[i].key);
        free(texts[i]);
    }
    free(hosts);
    free(texts);
    str_done(&cert);
    str_done(&key);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    run_command(command);
    return 0;
}
