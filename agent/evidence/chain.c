/* Chains: one directory of the spool each, `chain.json` beside the envelopes says whose. A chain's
 * directory appears by one rename, complete; an envelope appears by one rename, whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/io.h"
#include "agent/evidence/state.h"
#include "agent/evidence/store.h"

/*
 *   spool/00112233...ff/chain.json            {"contract":..,"framework":..,"previous_chain":".."}
 *   spool/00112233...ff/1-DIGEST.json         an envelope; DIGEST = SHA-256 of its payload
 *   spool/00112233...ff/2-DIGEST.json         the newest is the head of the chain
 *   spool/8899aabb...77.tmp/                  half made: the next recording removes it
 *
 * There is no file that says which one is the head: it could disagree with what is there.
 */
#define CHAIN_FILE "chain.json"
#define CHAIN_FILE_MAX ((size_t)64 << 10)

/* Leading zeros are refused: one sequence has one name. 18 digits always fit an int64_t. */
bool spool_name_parse(const char *name, int64_t *ret_sequence, char ret_digest[SHA256_HEX])
{
    size_t digits = strspn(name, "0123456789");
    if (digits == 0 || digits > 18 || name[0] == '0' || strlen(name) != digits + 1 + 64 + 5) {
        return false;
    }
    if (name[digits] != '-' || strcmp(name + digits + 65, ".json") != 0) {
        return false;
    }
    char digest[SHA256_HEX];
    memcpy(digest, name + digits + 1, 64);
    digest[64] = '\0';
    if (!hex_is(digest, 64)) {
        return false;
    }
    *ret_sequence = strtoll(name, NULL, 10);
    memcpy(ret_digest, digest, sizeof(digest));
    return true;
}

/* By number: "10-..." sorts before "9-..." as text. Equal numbers would be a fork, made by hand. */
static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    int64_t m = strtoll(*x, NULL, 10), n = strtoll(*y, NULL, 10);
    return m != n ? (m < n ? -1 : 1) : strcmp(*x, *y);
}

/* O_NOFOLLOW: a link in the spool is nobody's chain. */
static int open_chain(const struct state *s, const char *chain, int *ret_fd, struct err *e)
{
    int fd = openat(s->spool_fd, chain, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_errno(e, "%s/spool/%s", s->dir, chain);
    }
    *ret_fd = fd;
    return 0;
}

int chain_files(const struct state *s, const char *chain, struct strv *ret, struct err *e)
{
    CLEANUP(fd) int fd = -1;
    CLEANUP(strv) struct strv names = {0};
    struct strv kept = {0};
    int rc = open_chain(s, chain, &fd, e);
    if (rc == 0) {
        rc = store_list(fd, chain, &names, e);
    }
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        int64_t sequence = 0;
        char digest[SHA256_HEX];
        if (spool_name_parse(names.items[i], &sequence, digest)) {
            rc = strv_add(&kept, names.items[i], e);
        }
    }
    if (rc != 0) {
        strv_done(&kept);
        return rc;
    }
    if (kept.n > 1) {
        qsort(kept.items, kept.n, sizeof(*kept.items), compare_names);
    }
    *ret = kept;
    return 0;
}

/* Reads a spooled envelope and holds it against its own name. */
static int read_envelope(const struct state *s, const char *chain, const char *name,
                         struct envelope *ret, struct statement_head *ret_head, struct err *e)
{
    CLEANUP(fd) int fd = -1;
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(statement_head) struct statement_head head = {0};
    int64_t sequence = 0;
    char digest[SHA256_HEX];
    int rc = open_chain(s, chain, &fd, e);
    if (rc == 0) {
        rc = store_read_at(fd, chain, name, ENVELOPE_MAX, &text, e);
    }
    if (rc == 0) {
        rc = envelope_parse(str_text(&text), text.len, &env, e);
    }
    if (rc == 0) {
        rc = statement_head_parse(env.payload, env.payload_n, &head, e);
    }
    if (rc == 0 && (!spool_name_parse(name, &sequence, digest) || sequence != head.sequence ||
                    strcmp(digest, env.digest) != 0 || strcmp(head.chain, chain) != 0)) {
        rc = err_set(e, ERR_MALFORMED, "content and name differ");
    }
    if (rc != 0) {
        (void)err_prefix(e, "%s/spool/%s/%s is damaged", s->dir, chain, name);
        return rc == ERR_DENIED || rc == ERR_IO || rc == ERR_NOMEM ? rc : ERR_MALFORMED;
    }
    *ret = env;
    *ret_head = head;
    env = (struct envelope){0};
    head = (struct statement_head){0};
    return 0;
}

/* Copies what a chain is about; what it points at becomes part of paths, hence the check. */
static int set_info(struct chain_info *c, const char *contract, const char *framework,
                    const char *previous_chain, struct err *e)
{
    if (previous_chain[0] != '\0' && !hex_is(previous_chain, 32)) {
        return err_set(e, ERR_MALFORMED, "previous_chain is no chain");
    }
    (void)snprintf(c->previous_chain, sizeof(c->previous_chain), "%s", previous_chain);
    c->contract = strdup(contract);
    c->framework = strdup(framework);
    return c->contract != NULL && c->framework != NULL ? 0 : err_nomem(e);
}

/* From chain.json, or if somebody removed it, from the newest envelope. */
static int read_info(const struct state *s, struct chain_info *c, const char *newest, struct err *e)
{
    CLEANUP(fd) int fd = -1;
    CLEANUP(str) struct str text = STR_INIT(CHAIN_FILE_MAX);
    CLEANUP(json) json_t *json = NULL;
    const char *contract = NULL, *framework = NULL, *previous = NULL;
    int rc = open_chain(s, c->chain, &fd, e);
    if (rc == 0) {
        rc = store_read_at(fd, c->chain, CHAIN_FILE, CHAIN_FILE_MAX, &text, e);
    }
    if (rc == ERR_ABSENT && newest != NULL) {
        CLEANUP(envelope) struct envelope env = {0};
        CLEANUP(statement_head) struct statement_head head = {0};
        rc = read_envelope(s, c->chain, newest, &env, &head, e);
        return rc != 0 ? rc : set_info(c, head.contract, head.framework, head.previous_chain, e);
    }
    if (rc == 0) {
        rc = json_parse(CHAIN_FILE, str_text(&text), text.len, &json, e);
    }
    if (rc == 0) {
        rc = json_need_text(json, "contract", &contract, e);
    }
    if (rc == 0) {
        rc = json_need_text(json, "framework", &framework, e);
    }
    if (rc == 0) {
        rc = json_need_text(json, "previous_chain", &previous, e);
    }
    if (rc == 0) {
        rc = set_info(c, contract, framework, previous, e);
    }
    if (rc != 0) {
        (void)err_prefix(e, "%s/spool/%s", s->dir, c->chain);
    }
    return rc;
}

/* Reads one directory of the spool. A damaged envelope does not stop the list: only whoever needs
 * that chain's head is told (chain_find), and chain_renew can always lead out of it. */
static int add_chain(const struct state *s, const char *name, struct chain_list *l, struct err *e)
{
    CLEANUP(strv) struct strv files = {0};
    struct chain_info *chains = reallocarray(l->chains, l->n + 1, sizeof(*chains));
    if (chains == NULL) {
        return err_nomem(e);
    }
    l->chains = chains;
    struct chain_info *c = &chains[l->n];
    *c = (struct chain_info){0};
    memcpy(c->chain, name, sizeof(c->chain));
    int rc = chain_files(s, name, &files, e);
    if (rc != 0) {
        return rc;
    }
    const char *newest = files.n > 0 ? files.items[files.n - 1] : NULL;
    if (newest != NULL) {
        (void)spool_name_parse(newest, &c->sequence, c->digest);
    }
    l->n++; /* from here on chain_list_done frees it */
    rc = read_info(s, c, newest, e);
    if (rc == ERR_ABSENT && newest == NULL) {
        l->n--; /* an empty directory is no chain */
        return 0;
    }
    return rc;
}

int chain_list(const struct state *s, struct chain_list *ret, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    CLEANUP(chain_list) struct chain_list l = {0};
    int rc = s->spool_fd < 0 ? 0 : store_list(s->spool_fd, "spool", &names, e);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        if (hex_is(names.items[i], 32)) {
            rc = add_chain(s, names.items[i], &l, e);
        }
    }
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < l.n; i++) {
        for (size_t k = 0; k < l.n; k++) {
            if (strcmp(l.chains[k].previous_chain, l.chains[i].chain) == 0) {
                l.chains[i].superseded = true;
            }
        }
    }
    *ret = l;
    l = (struct chain_list){0};
    return 0;
}

void chain_list_done(struct chain_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->chains[i].contract);
        free(l->chains[i].framework);
    }
    free(l->chains);
    *l = (struct chain_list){0};
}

/* The present chain of a contract and framework, or NULL. Should there be two (a restored backup),
 * the longer one. */
static const struct chain_info *present_chain(const struct chain_list *l, const char *contract,
                                              const char *framework)
{
    const struct chain_info *best = NULL;
    for (size_t i = 0; i < l->n; i++) {
        const struct chain_info *c = &l->chains[i];
        if (!c->superseded && strcmp(c->contract, contract) == 0 &&
            strcmp(c->framework, framework) == 0 &&
            (best == NULL || c->sequence > best->sequence)) {
            best = c;
        }
    }
    return best;
}

/* Fills a directory that does not bear its name yet. */
static int fill_directory(const struct state *s, int dir_fd, const char *path, const char *text,
                          size_t n, struct err *e)
{
    CLEANUP(str) struct str file = STR_INIT(4096);
    str_addf(&file, "%s/" CHAIN_FILE, path);
    int rc = str_error(&file, e);
    if (rc == 0 && fchmod(dir_fd, s->dir_mode) != 0) {
        rc = err_errno(e, "%s: its mode cannot be set", path);
    }
    return rc == 0 ? io_write_atomic(str_text(&file), text, n, s->file_mode, e) : rc;
}

/* spool/CHAIN with its chain.json, by one rename. */
static int make_directory(const struct state *s, const char *chain, const char *text, size_t n,
                          struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    char tmp[64];
    (void)snprintf(tmp, sizeof(tmp), "%s.tmp", chain);
    int rc = state_path(s, "spool", tmp, &path, e);
    if (rc == 0 && mkdirat(s->spool_fd, tmp, 0700) != 0) {
        rc = err_errno(e, "%s: cannot be made", str_text(&path));
    }
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd) int fd = openat(s->spool_fd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    rc = fd < 0 ? err_errno(e, "%s", str_text(&path))
                : fill_directory(s, fd, str_text(&path), text, n, e);
    if (rc == 0 && renameat(s->spool_fd, tmp, s->spool_fd, chain) != 0) {
        rc = err_errno(e, "%s: cannot be renamed", str_text(&path));
    }
    if (rc != 0) {
        /* what remains of it, the next recording removes */
        (void)unlinkat(fd, CHAIN_FILE, 0);
        (void)unlinkat(s->spool_fd, tmp, AT_REMOVEDIR);
        return rc;
    }
    return fsync(s->spool_fd) == 0 ? 0 : err_errno(e, "%s/spool: cannot be made durable", s->dir);
}

/* 128 random bits: hosts cannot see each other's chains, so chance alone keeps them apart. */
static int make_chain(const struct state *s, const char *contract, const char *framework,
                      const char *previous_chain, char ret_chain[33], struct err *e)
{
    uint8_t id[16];
    char chain[33];
    CLEANUP(str) struct str text = STR_INIT(CHAIN_FILE_MAX);
    if (!s->write) {
        return err_set(e, ERR_INTERNAL, "a chain cannot be made in a state opened for reading");
    }
    int rc = random_bytes(id, sizeof(id), e);
    if (rc != 0) {
        return rc;
    }
    hex_encode(id, sizeof(id), chain);
    struct json_out j;
    jout_begin(&j, &text, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "contract", contract);
    jout_kv_text(&j, "framework", framework);
    jout_kv_text(&j, "previous_chain", previous_chain);
    jout_close(&j, '}');
    str_add_char(&text, '\n');
    rc = str_error(&text, e);
    if (rc == 0) {
        rc = make_directory(s, chain, str_text(&text), text.len, e);
    }
    if (rc == 0) {
        memcpy(ret_chain, chain, sizeof(chain));
    }
    return rc;
}

/* The newest envelope of a chain that has some; name: its file. */
static int read_newest(const struct state *s, const struct chain_info *c, char name[STORE_NAME_MAX],
                       struct envelope *env, struct statement_head *head, struct err *e)
{
    (void)snprintf(name, STORE_NAME_MAX, "%lld-%s.json", (long long)c->sequence, c->digest);
    return read_envelope(s, c->chain, name, env, head, e);
}

/* The head of a chain that has envelopes. */
static int load_head(const struct state *s, const struct chain_info *c, struct chain_head *h,
                     struct err *e)
{
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(statement_head) struct statement_head head = {0};
    char name[STORE_NAME_MAX];
    int rc = read_newest(s, c, name, &env, &head, e);
    if (rc == 0 &&
        (strcmp(head.contract, c->contract) != 0 || strcmp(head.framework, c->framework) != 0)) {
        rc = err_set(e, ERR_MALFORMED, "%s/spool/%s/%s is of another contract", s->dir, c->chain,
                     name);
    }
    if (rc == 0) {
        h->sequence = c->sequence;
        memcpy(h->digest, c->digest, sizeof(h->digest));
        h->payload_n = env.payload_n;
        h->payload = TAKE_PTR(env.payload);
    }
    return rc;
}

int chain_find(struct state *s, const char *contract, const char *framework, bool create,
               struct chain_head *ret, struct err *e)
{
    CLEANUP(chain_list) struct chain_list l = {0};
    struct chain_head h = {0};
    int rc = chain_list(s, &l, e);
    if (rc != 0) {
        return rc;
    }
    const struct chain_info *c = present_chain(&l, contract, framework);
    if (c == NULL && !create) {
        return err_set(e, ERR_ABSENT, "nothing is recorded for contract %s and framework %s",
                       contract, framework);
    }
    if (c == NULL) {
        rc = make_chain(s, contract, framework, "", h.chain, e);
    } else {
        memcpy(h.chain, c->chain, sizeof(h.chain));
        memcpy(h.previous_chain, c->previous_chain, sizeof(h.previous_chain));
        rc = c->sequence > 0 ? load_head(s, c, &h, e) : 0;
    }
    if (rc == 0) {
        *ret = h;
    }
    return rc;
}

void chain_head_done(struct chain_head *h)
{
    free(h->payload);
    *h = (struct chain_head){0};
}

/* The envelope itself must continue the head that the caller saw. */
static int check_successor(const struct chain_head *head, const char *text, size_t n,
                           const char *digest, struct err *e)
{
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(statement_head) struct statement_head st = {0};
    int rc = envelope_parse(text, n, &env, e);
    if (rc == 0) {
        rc = statement_head_parse(env.payload, env.payload_n, &st, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (strcmp(env.digest, digest) != 0 || strcmp(st.chain, head->chain) != 0) {
        return err_set(e, ERR_MISMATCH, "evidence is not of chain %s", head->chain);
    }
    if (st.sequence != head->sequence + 1 || strcmp(st.previous, head->digest) != 0) {
        return err_set(e, ERR_MISMATCH, "evidence %lld does not follow %lld in chain %s",
                       (long long)st.sequence, (long long)head->sequence, head->chain);
    }
    return 0;
}

/* The spool's newest must still be the head that the caller saw. */
static int check_unmoved(const struct state *s, const struct chain_head *head, struct err *e)
{
    CLEANUP(strv) struct strv files = {0};
    int64_t sequence = 0;
    char digest[SHA256_HEX] = "";
    int rc = chain_files(s, head->chain, &files, e);
    if (rc == 0 && files.n > 0) {
        (void)spool_name_parse(files.items[files.n - 1], &sequence, digest);
    }
    if (rc == 0 && (sequence != head->sequence || strcmp(digest, head->digest) != 0)) {
        rc = err_set(e, ERR_MISMATCH, "chain %s has moved on to %lld meanwhile", head->chain,
                     (long long)sequence);
    }
    return rc;
}

/* The order matters: first is the new envelope right in itself, then does it still fit what lies on
 * the disk. Both are looked at although the caller has just computed them: what is spooled wrongly
 * can never be taken back, because the next one would name it. */
int chain_append(struct state *s, const struct chain_head *head, const char *envelope, size_t n,
                 const char digest[SHA256_HEX], struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    char name[STORE_NAME_MAX];
    if (!s->write) {
        return err_set(e, ERR_INTERNAL, "nothing can be recorded in a state opened for reading");
    }
    int rc = check_successor(head, envelope, n, digest, e);
    if (rc == 0) {
        rc = check_unmoved(s, head, e);
    }
    if (rc == 0) {
        (void)snprintf(name, sizeof(name), "%s/%lld-%s.json", head->chain,
                       (long long)head->sequence + 1, digest);
        rc = state_path(s, "spool", name, &path, e);
    }
    return rc == 0 ? io_write_atomic(str_text(&path), envelope, n, s->file_mode, e) : rc;
}

/* A kill between two chains leaves some renewed and some not; calling again renews the rest, since
 * a fresh chain has no envelope yet. */
int chain_renew(struct state *s, struct err *e)
{
    CLEANUP(chain_list) struct chain_list l = {0};
    int rc = chain_list(s, &l, e);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        const struct chain_info *c = &l.chains[i];
        char fresh[33];
        if (!c->superseded && c->sequence > 0) {
            rc = make_chain(s, c->contract, c->framework, c->chain, fresh, e);
        }
    }
    return rc;
}

/* One chain's newest envelope against this machine's id. */
static int check_machine(const struct state *s, const struct chain_info *c, const char *machine_id,
                         struct err *e)
{
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(statement_head) struct statement_head head = {0};
    char name[STORE_NAME_MAX];
    int rc = read_newest(s, c, name, &env, &head, e);
    if (rc != 0 || head.machine_id[0] == '\0' || strcmp(head.machine_id, machine_id) == 0) {
        return rc;
    }
    return err_set(e, ERR_MISMATCH,
                   "contract %s: the evidence so far is of machine-id %.8s..., this machine has "
                   "%.8s... under the same key. If it is a copy of another machine: "
                   "tenken enroll URL --token T --new-chain",
                   c->contract, head.machine_id, machine_id);
}

int state_identity_check(struct state *s, const char *machine_id, struct err *e)
{
    CLEANUP(chain_list) struct chain_list l = {0};
    int rc = machine_id[0] == '\0' ? 0 : chain_list(s, &l, e);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        const struct chain_info *c = &l.chains[i];
        rc = c->superseded || c->sequence == 0 ? 0 : check_machine(s, c, machine_id, e);
    }
    return rc;
}
