/* The store directory, the collector's key, and tokens. */
#include "server-stub/collector.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "agent/base/io.h"
#include "agent/base/timefmt.h"

#define TOKEN_ID_HEX 16
#define TOKEN_SECRET_HEX 40
#define SECONDS_A_DAY 86400
#define DAYS_MAX 3660
#define HOSTS_MAX 100000

static int open_key(const char *dir, bool create, struct sign_key **ret, struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(str) struct str pub = STR_INIT(4096);
    str_addf(&path, "%s/collector.key", dir);
    str_addf(&pub, "%s/collector.pub.pem", dir);
    int rc = str_error(&path, e);
    if (rc == 0) {
        rc = str_error(&pub, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (create && !io_exists(path.data)) {
        rc = sign_key_create(path.data, pub.data, ret, e);
        /* another program made it at the same moment: its key is the key */
        if (rc != ERR_BUSY) {
            return rc;
        }
    }
    if (!io_exists(path.data)) {
        return err_set(e, ERR_ABSENT,
                       "%s: no collector here (tenken-collector serve or token makes one)", dir);
    }
    return sign_key_load(path.data, ret, e);
}

int collector_open(const char *dir, bool create, struct collector *ret, struct err *e)
{
    CLEANUP(collector) struct collector c = {.dir = NULL};
    if (strstr(dir, "://") != NULL) {
        return err_set(e, ERR_INVALID,
                       "--store %s: this version keeps its store in a directory; a database server "
                       "comes with a later version",
                       dir);
    }
    int rc = create ? io_make_dir(dir, 0700, e) : 0;
    if (rc != 0) {
        return rc;
    }
    rc = open_key(dir, create, &c.key, e);
    if (rc != 0) {
        return rc;
    }
    c.dir = strdup(dir);
    if (c.dir == NULL) {
        return err_nomem(e);
    }
    *ret = c;
    c = (struct collector){.dir = NULL};
    return 0;
}

void collector_done(struct collector *c)
{
    sign_key_free(c->key);
    free(c->dir);
    *c = (struct collector){.dir = NULL};
}

/* --- tokens --- */

static bool is_role(const char *role)
{
    static const char *const roles[] = {"operator", "officer", "auditor"};
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (strcmp(role, roles[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int check_request(const struct token_request *rq, struct err *e)
{
    bool api = rq->role[0] != '\0';
    if (api && !is_role(rq->role)) {
        return err_set(e, ERR_INVALID, "--role %s: must be operator, officer or auditor", rq->role);
    }
    if (!api && rq->contract[0] == '\0') {
        return err_set(e, ERR_INVALID, "an enrolment token needs --contract ID");
    }
    if (strlen(rq->contract) >= sizeof((struct token_row *)NULL)->contract) {
        return err_set(e, ERR_INVALID, "--contract: longer than 127 bytes");
    }
    if (rq->hosts < 1 || rq->hosts > HOSTS_MAX) {
        return err_set(e, ERR_INVALID, "--hosts: must be 1 to %d", HOSTS_MAX);
    }
    if (rq->days < 0 || rq->days > DAYS_MAX) {
        return err_set(e, ERR_INVALID, "--days: must be 1 to %d", DAYS_MAX);
    }
    return 0;
}

int token_make(struct store *s, const struct collector *c, const struct token_request *rq,
               int64_t now_s, char ret[TOKEN_TEXT_MAX], struct err *e)
{
    int rc = check_request(rq, e);
    if (rc != 0) {
        return rc;
    }
    bool api = rq->role[0] != '\0';
    struct token_row t = {.uses_left = api ? 0 : rq->hosts};
    int64_t days = rq->days != 0 ? rq->days : api ? API_DAYS_DEFAULT : ENROL_DAYS_DEFAULT;
    t.expires_s = now_s + days * SECONDS_A_DAY;
    (void)snprintf(t.role, sizeof t.role, "%s", rq->role);
    (void)snprintf(t.contract, sizeof t.contract, "%s", rq->contract);
    uint8_t raw[(TOKEN_ID_HEX + TOKEN_SECRET_HEX) / 2];
    char text[TOKEN_ID_HEX + TOKEN_SECRET_HEX + 1];
    rc = random_bytes(raw, sizeof raw, e);
    if (rc != 0) {
        return rc;
    }
    hex_encode(raw, sizeof raw, text);
    memcpy(t.id, text, TOKEN_ID_HEX);
    rc = sha256(text + TOKEN_ID_HEX, TOKEN_SECRET_HEX, t.hash, e);
    if (rc == 0) {
        rc = store_token_add(s, &t, e);
    }
    if (rc == 0) {
        (void)snprintf(ret, TOKEN_TEXT_MAX, "%s.%s", text, sign_key_id(c->key));
    }
    return rc;
}

static int token_refuse(struct err *e)
{
    return err_set(e, ERR_MISMATCH, "the token is unknown, used up or expired");
}

int token_check(struct store *s, const char *keyid, const char *text, bool api, int64_t now_s,
                struct token_row *ret, struct err *e)
{
    const size_t secret_n = TOKEN_ID_HEX + TOKEN_SECRET_HEX;
    size_t n = strnlen(text, TOKEN_TEXT_MAX);
    /* with or without the pin of the collector's key; a wrong pin was meant for another collector
     */
    bool pinned = n == secret_n + 1 + SHA256_HEX - 1;
    char secret[TOKEN_ID_HEX + TOKEN_SECRET_HEX + 1] = "";
    memcpy(secret, text, n < secret_n ? n : secret_n);
    if ((n != secret_n && !pinned) || !hex_is(secret, secret_n) ||
        (pinned && (text[secret_n] != '.' || strcmp(text + secret_n + 1, keyid) != 0))) {
        return token_refuse(e);
    }
    char id[TOKEN_ID_HEX + 1] = "";
    memcpy(id, secret, TOKEN_ID_HEX);
    uint8_t hash[32];
    int rc = sha256(secret + TOKEN_ID_HEX, TOKEN_SECRET_HEX, hash, e);
    struct token_row t;
    memset(&t, 0, sizeof t);
    if (rc == 0) {
        rc = store_token_get(s, id, &t, e);
        if (rc == ERR_ABSENT) {
            return token_refuse(e);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (CRYPTO_memcmp(hash, t.hash, sizeof hash) != 0 || (t.role[0] != '\0') != api ||
        now_s >= t.expires_s || (!api && t.uses_left <= 0)) {
        return token_refuse(e);
    }
    *ret = t;
    return 0;
}
