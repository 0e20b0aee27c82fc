/* The spool as a whole: what lies in it, what the collector has acknowledged, and what may go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/evidence/state.h"
#include "agent/evidence/store.h"

#define RECEIPT_FILE_MAX ((size_t)64 << 10)

/* What acknowledgements are held against; keys NULL before enrolment. */
struct judge {
    struct verify_key *collector;
    struct verify_key *own;
};

/* Before enrolment there is no key to hold a receipt against: nothing is acknowledged then. */
static int judge_open(struct state *s, struct judge *j, struct err *e)
{
    int rc = state_collector_key(s, &j->collector, e);
    if (rc == 0) {
        rc = state_public_key(s, &j->own, e);
    }
    return rc == ERR_ABSENT ? 0 : rc;
}

static void judge_done(struct judge *j)
{
    verify_key_free(j->collector);
    verify_key_free(j->own);
}

/* A receipt lies there, and is the collector's for exactly this envelope of this host. What does
 * not verify counts as not there: the uploader may write into receipts/. */
static bool is_acknowledged(const struct state *s, const struct judge *j,
                            const struct spool_entry *entry)
{
    CLEANUP(str) struct str text = STR_INIT(RECEIPT_FILE_MAX);
    struct receipt r = {0};
    char name[STORE_NAME_MAX];
    if (j->collector == NULL || j->own == NULL || s->receipts_fd < 0) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%s.json", entry->digest);
    if (store_read_at(s->receipts_fd, "receipts", name, RECEIPT_FILE_MAX, &text, NULL) != 0 ||
        receipt_parse(j->collector, str_text(&text), text.len, &r, NULL) != 0) {
        return false;
    }
    return strcmp(r.digest, entry->digest) == 0 && strcmp(r.chain, entry->chain) == 0 &&
           r.sequence == entry->sequence && strcmp(r.keyid, verify_key_id(j->own)) == 0;
}

/* The receipt is looked for by the envelope's digest, so that the cost follows the spool and not
 * the receipts of years. */
static int add_entry(const struct state *s, const struct judge *j, const char *chain,
                     const char *name, bool is_head, struct spool_list *l, struct err *e)
{
    struct spool_entry *entries = reallocarray(l->entries, l->n + 1, sizeof(*entries));
    char below[STORE_NAME_MAX];
    CLEANUP(str) struct str path = STR_INIT(4096);
    if (entries == NULL) {
        return err_nomem(e);
    }
    l->entries = entries;
    struct spool_entry *entry = &entries[l->n];
    *entry = (struct spool_entry){.is_head = is_head};
    (void)snprintf(entry->chain, sizeof(entry->chain), "%s", chain);
    (void)spool_name_parse(name, &entry->sequence, entry->digest);
    (void)snprintf(below, sizeof(below), "%s/%s", chain, name);
    int rc = state_path(s, "spool", below, &path, e);
    if (rc != 0) {
        return rc;
    }
    entry->acknowledged = is_acknowledged(s, j, entry);
    entry->path = str_take(&path, NULL);
    if (entry->path == NULL) {
        return err_nomem(e);
    }
    l->n++;
    l->n_unacknowledged += !entry->acknowledged;
    return 0;
}

/* Half-made chains (".tmp") are no chains yet. */
static int list_with(const struct state *s, const struct judge *j, struct spool_list *ret,
                     struct err *e)
{
    CLEANUP(strv) struct strv chains = {0};
    CLEANUP(spool_list) struct spool_list l = {0};
    int rc = s->spool_fd < 0 ? 0 : store_list(s->spool_fd, "spool", &chains, e);
    for (size_t i = 0; rc == 0 && i < chains.n; i++) {
        CLEANUP(strv) struct strv files = {0};
        if (!hex_is(chains.items[i], 32)) {
            continue;
        }
        rc = chain_files(s, chains.items[i], &files, e);
        for (size_t k = 0; rc == 0 && k < files.n; k++) {
            rc = add_entry(s, j, chains.items[i], files.items[k], k + 1 == files.n, &l, e);
        }
    }
    if (rc == 0) {
        *ret = l;
        l = (struct spool_list){0};
    }
    return rc;
}

int spool_list(struct state *s, struct spool_list *ret, struct err *e)
{
    struct judge j = {0};
    int rc = judge_open(s, &j, e);
    if (rc == 0) {
        rc = list_with(s, &j, ret, e);
    }
    judge_done(&j);
    return rc;
}

void spool_list_done(struct spool_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->entries[i].path);
    }
    free(l->entries);
    *l = (struct spool_list){0};
}

/* Through the descriptor, not the path: the entry may be old and the directory another by now. */
int spool_read(struct state *s, const struct spool_entry *entry, struct str *out, struct err *e)
{
    char name[STORE_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%lld-%s.json", (long long)entry->sequence, entry->digest);
    if (s->spool_fd < 0) {
        return err_set(e, ERR_ABSENT, "%s/spool: not there", s->dir);
    }
    CLEANUP(fd)
    int fd = openat(s->spool_fd, entry->chain, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return err_errno(e, "%s/spool/%s", s->dir, entry->chain);
    }
    return store_read_at(fd, entry->chain, name, ENVELOPE_MAX, out, e);
}

/* Only under the lock, hence by the recording scan alone: the uploader can write receipts, but
 * never cause a removal that their signatures do not justify. */
int spool_prune(struct state *s, size_t *ret_removed, struct err *e)
{
    CLEANUP(spool_list) struct spool_list l = {0};
    size_t removed = 0;
    if (!s->write) {
        return err_set(e, ERR_INTERNAL, "nothing can be pruned in a state opened for reading");
    }
    int rc = spool_list(s, &l, e);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        const struct spool_entry *entry = &l.entries[i];
        if (!entry->acknowledged || entry->is_head) {
            continue;
        }
        /* no sync: an envelope that comes back after a power cut is pruned again next time */
        if (unlink(entry->path) != 0 && errno != ENOENT) {
            rc = err_errno(e, "%s: cannot be removed", entry->path);
        }
        removed += rc == 0;
    }
    if (rc == 0) {
        *ret_removed = removed;
    }
    return rc;
}
