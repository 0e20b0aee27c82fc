/* Verification: reads files, checks each envelope, then the chains over all that is valid. */
#include "agent/evidence/verify.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/evidence/jscan.h"

/* --- keys --- */

struct file_key {
    const struct verify_key *key;
    struct verify_key *owned;
    enum verify_key_source source;
};

/* The key for one file: the given one; else the one beside it; else this machine's own. */
static int choose_key(const struct verify_request *rq, const char *path, struct file_key *ret,
                      struct err *e)
{
    CLEANUP(str) struct str beside = STR_INIT(8192);
    if (rq->key != NULL) {
        *ret = (struct file_key){rq->key, NULL, VERIFY_KEY_GIVEN};
        return 0;
    }
    str_addf(&beside, "%s.pub.pem", path);
    int rc = str_error(&beside, e);
    if (rc != 0) {
        return rc;
    }
    if (io_exists(str_text(&beside))) {
        struct verify_key *k = NULL;
        rc = verify_key_file(str_text(&beside), &k, e);
        if (rc == 0) {
            *ret = (struct file_key){k, k, VERIFY_KEY_BESIDE};
        }
        return rc;
    }
    if (rq->fallback == NULL) {
        return err_set(e, ERR_ABSENT,
                       "%s: no public key to verify with: give --key FILE (the key that was "
                       "enrolled)",
                       path);
    }
    *ret = (struct file_key){rq->fallback, NULL, VERIFY_KEY_FALLBACK};
    return 0;
}

/* --- one envelope --- */

/* A broken rest makes the item invalid; trouble of our own (memory, rules) leaves it "not redone".
 */
static void redo_item(const struct policy *p, const struct envelope *env, struct verify_item *item)
{
    CLEANUP(statement) struct statement s = {0};
    struct err why = {0};
    if (p == NULL) {
        (void)snprintf(item->redo_error, sizeof(item->redo_error), "no rules were given");
        return;
    }
    int rc = statement_parse(env->payload, env->payload_n, &s, &why);
    if (rc == ERR_MALFORMED) { /* the head was good, the rest is not */
        item->valid = false;
        (void)snprintf(item->why, sizeof(item->why), "%.500s", why.msg);
        return;
    }
    if (rc == 0) {
        rc = statement_redo(&s, p, &item->redo, &why);
    }
    item->redone = rc == 0;
    if (rc != 0) {
        (void)snprintf(item->redo_error, sizeof(item->redo_error), "%.250s", why.msg);
    }
}

/* Signature before content: nothing of the payload is looked at unless the signature holds. */
static int check_envelope(const char *text, size_t n, const struct verify_key *key,
                          struct envelope *env, struct verify_item *item, struct err *e)
{
    int rc = envelope_parse(text, n, env, e);
    if (rc != 0) {
        return rc;
    }
    memcpy(item->keyid, env->keyid, sizeof(item->keyid));
    memcpy(item->digest, env->digest, sizeof(item->digest));
    rc = envelope_verify(env, key, e);
    if (rc == 0 && strcmp(env->type, PAYLOAD_TYPE_EVIDENCE) != 0) {
        rc = err_set(e, ERR_UNSUPPORTED, "payload type is not " PAYLOAD_TYPE_EVIDENCE);
    }
    if (rc == 0) {
        rc = statement_head_parse(env->payload, env->payload_n, &item->head, e);
    }
    if (rc == 0 && strcmp(item->head.host_id, verify_key_id(key)) != 0) {
        rc = err_set(e, ERR_MISMATCH, "statement names host %.16s, the key is %.16s",
                     item->head.host_id, verify_key_id(key));
    }
    return rc;
}

/* The evidence's faults go into the report; the function fails for our own trouble only. */
static int add_item(const struct verify_request *rq, const char *path, unsigned line,
                    const char *text, size_t n, const struct file_key *key, struct verify_report *r,
                    struct err *e)
{
    struct verify_item *items = reallocarray(r->items, r->n_items + 1, sizeof(*items));
    if (items == NULL) {
        return err_nomem(e);
    }
    r->items = items;
    struct verify_item *item = &items[r->n_items];
    *item = (struct verify_item){.line = line, .key_source = key->source};
    item->file = strdup(path);
    if (item->file == NULL) {
        return err_nomem(e);
    }
    r->n_items++;
    CLEANUP(envelope) struct envelope env = {0};
    struct err why = {0};
    int rc = check_envelope(text, n, key->key, &env, item, &why);
    if (rc == ERR_NOMEM || rc == ERR_CRYPTO) {
        return err_set(e, rc, "%s: %s", path, why.msg); /* our trouble, not the evidence's */
    }
    item->valid = rc == 0;
    if (rc == 0) {
        redo_item(rq->policy, &env, item);
    } else {
        (void)snprintf(item->why, sizeof(item->why), "%.500s", why.msg);
    }
    return 0;
}

/* --- files --- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* An export: by its name, or because its first line alone is a JSON value and more follows. */
static bool is_lines(const char *path, const struct str *text)
{
    const char *first = str_text(text), *end = strchr(first, '\n');
    struct jspan span = {0};
    if (ends_with(path, ".jsonl")) {
        return true;
    }
    return end != NULL && strspn(end, " \t\r\n") < strlen(end) &&
           jscan_check("line", first, (size_t)(end - first), &span, NULL) == 0;
}

/* Empty lines are nothing; a cut last line is a line that is no envelope. */
static int add_lines(const struct verify_request *rq, const char *path, const struct str *text,
                     const struct file_key *key, struct verify_report *r, struct err *e)
{
    unsigned line = 0;
    const char *end = str_text(text) + text->len;
    for (const char *p = str_text(text); p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop != NULL ? stop : end) - p);
        line++;
        if (n > 0 && strspn(p, " \t\r") < n) {
            int rc = add_item(rq, path, line, p, n, key, r, e);
            if (rc != 0) {
                return rc;
            }
        }
        p += n + 1;
    }
    return 0;
}

/* Read before the key is looked for: a file that is not there is the first thing to be said. */
static int add_file(const struct verify_request *rq, const char *path, struct verify_report *r,
                    struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(VERIFY_FILE_MAX);
    struct file_key key = {0};
    size_t before = r->n_items;
    int rc = io_read_file(path, VERIFY_FILE_MAX, &text, e);
    if (rc == 0) {
        rc = choose_key(rq, path, &key, e);
    }
    if (rc == 0 && is_lines(path, &text)) {
        rc = add_lines(rq, path, &text, &key, r, e);
    } else if (rc == 0) {
        rc = add_item(rq, path, 0, str_text(&text), text.len, &key, r, e);
    }
    if (rc == 0 && r->n_items == before) { /* an export without a line proves nothing */
        rc = add_item(rq, path, 0, "", 0, &key, r, e);
    }
    verify_key_free(key.owned);
    return rc;
}

/* --- chains --- */

/* By chain and sequence. Time plays no part: clocks step. */
static int compare_items(const void *a, const void *b)
{
    const struct verify_item *const *x = a, *const *y = b;
    int by = strcmp((*x)->head.chain, (*y)->head.chain);
    if (by == 0 && (*x)->head.sequence != (*y)->head.sequence) {
        by = (*x)->head.sequence < (*y)->head.sequence ? -1 : 1;
    }
    return by != 0 ? by : strcmp((*x)->digest, (*y)->digest);
}

static int add_problem(struct verify_report *r, enum chain_problem_kind kind,
                       const struct verify_item *at, const char *text, struct err *e)
{
    struct chain_problem *problems =
        reallocarray(r->problems, r->n_problems + 1, sizeof(*problems));
    if (problems == NULL) {
        return err_nomem(e);
    }
    r->problems = problems;
    struct chain_problem *p = &problems[r->n_problems++];
    *p = (struct chain_problem){.kind = kind, .sequence = at->head.sequence};
    (void)snprintf(p->chain, sizeof(p->chain), "%s", at->head.chain);
    (void)snprintf(p->text, sizeof(p->text), "%s", text);
    return 0;
}

/* What is wrong between an evidence and the one before it in the same chain. */
static int check_pair(struct verify_report *r, const struct verify_item *a,
                      const struct verify_item *b, struct err *e)
{
    const struct statement_head *x = &a->head, *y = &b->head;
    char text[256];
    int rc = 0;
    if (strcmp(x->host_id, y->host_id) != 0 || strcmp(x->contract, y->contract) != 0 ||
        strcmp(x->framework, y->framework) != 0) {
        rc = add_problem(r, CHAIN_MIXED, b, "another host, contract or framework", e);
    }
    if (rc == 0 && strcmp(x->machine_id, y->machine_id) != 0) {
        rc = add_problem(r, CHAIN_NEW_MACHINE, b, "another machine-id under the same key", e);
    }
    if (rc != 0) {
        return rc;
    }
    if (x->sequence == y->sequence) {
        bool same = strcmp(a->digest, b->digest) == 0;
        return add_problem(r, same ? CHAIN_DUPLICATE : CHAIN_FORK, b,
                           same ? "the same evidence twice" : "two evidences with this number", e);
    }
    if (y->sequence != x->sequence + 1) {
        (void)snprintf(text, sizeof(text), "%lld to %lld are missing", (long long)x->sequence + 1,
                       (long long)y->sequence - 1);
        return add_problem(r, CHAIN_GAP, b, text, e);
    }
    return strcmp(y->previous, a->digest) == 0
               ? 0
               : add_problem(r, CHAIN_BROKEN, b, "does not follow the one before it", e);
}

/* Items of one chain, in order. */
static int check_chain(struct verify_report *r, struct verify_item **items, size_t n, struct err *e)
{
    struct chain_span *chains = reallocarray(r->chains, r->n_chains + 1, sizeof(*chains));
    if (chains == NULL) {
        return err_nomem(e);
    }
    r->chains = chains;
    struct chain_span *c = &chains[r->n_chains++];
    const struct statement_head *first = &items[0]->head;
    size_t problems = r->n_problems;
    int rc = 0;
    bool gap_in_selection = false;
    *c = (struct chain_span){.first = first->sequence, .last = items[n - 1]->head.sequence, .n = n};
    (void)snprintf(c->chain, sizeof(c->chain), "%s", first->chain);
    (void)snprintf(c->previous_chain, sizeof(c->previous_chain), "%s", first->previous_chain);
    for (size_t i = 1; rc == 0 && i < n; i++) {
        rc = check_pair(r, items[i - 1], items[i], e);
    }
    for (size_t i = problems; i < r->n_problems; i++) {
        gap_in_selection = gap_in_selection || r->problems[i].kind == CHAIN_GAP;
    }
    /* a file alone never shows that nothing was left out before it; an export that begins at 1 does
     */
    bool from_one = first->sequence == 1 && items[0]->line > 0;
    c->checked = !gap_in_selection && (c->last > c->first || from_one);
    return rc;
}

/* Over all files together: evidence of one chain may come in several. */
static int check_chains(struct verify_report *r, struct err *e)
{
    CLEANUP(free)
    struct verify_item **sorted = calloc(r->n_items + 1, sizeof(struct verify_item *));
    size_t n = 0;
    if (sorted == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < r->n_items; i++) {
        if (r->items[i].valid) {
            sorted[n++] = &r->items[i];
        }
    }
    if (n > 1) {
        qsort(sorted, n, sizeof(*sorted), compare_items);
    }
    for (size_t i = 0; i < n;) {
        size_t k = i + 1;
        while (k < n && strcmp(sorted[k]->head.chain, sorted[i]->head.chain) == 0) {
            k++;
        }
        int rc = check_chain(r, sorted + i, k - i, e);
        if (rc != 0) {
            return rc;
        }
        i = k;
    }
    return 0;
}

/* --- the answer --- */

/* True if every envelope was a line of an export. */
static bool all_from_exports(const struct verify_report *r)
{
    for (size_t i = 0; i < r->n_items; i++) {
        if (r->items[i].line == 0) {
            return false;
        }
    }
    return true;
}

/* Exit code of design.md 5: 2 before 3 before 0. */
static int exit_code(const struct verify_report *r)
{
    bool no = false, incomplete = false;
    for (size_t i = 0; i < r->n_items; i++) {
        const struct verify_item *item = &r->items[i];
        no = no || !item->valid || item->redo.n_differs > 0;
        incomplete = incomplete || !item->redone || item->redo.n_not_comparable > 0;
    }
    for (size_t i = 0; i < r->n_chains; i++) {
        incomplete = incomplete || !r->chains[i].checked;
    }
    for (size_t i = 0; i < r->n_problems; i++) {
        switch (r->problems[i].kind) {
        case CHAIN_FORK:
        case CHAIN_BROKEN:
        case CHAIN_MIXED:
            no = true;
            break;
        case CHAIN_GAP: /* an export is written without holes; loose files are somebody's choice */
            no = no || all_from_exports(r);
            break;
        case CHAIN_DUPLICATE:
        case CHAIN_NEW_MACHINE:
            break;
        }
    }
    return no ? 2 : incomplete ? 3 : 0;
}

int verify_evidence(const struct verify_request *rq, struct verify_report *ret, struct err *e)
{
    CLEANUP(verify_report) struct verify_report r = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rq->n_paths; i++) {
        rc = add_file(rq, rq->paths[i], &r, e);
    }
    if (rc == 0) {
        rc = check_chains(&r, e);
    }
    if (rc == 0) {
        r.exit_code = exit_code(&r);
        *ret = r;
        r = (struct verify_report){0};
    }
    return rc;
}

int verify_file(const char *path, const struct verify_key *key, const struct policy *policy,
                struct verify_report *ret, struct err *e)
{
    const struct verify_request rq = {.paths = &path, .n_paths = 1, .key = key, .policy = policy};
    return verify_evidence(&rq, ret, e);
}

void verify_report_done(struct verify_report *r)
{
    for (size_t i = 0; i < r->n_items; i++) {
        free(r->items[i].file);
        statement_head_done(&r->items[i].head);
        redo_report_done(&r->items[i].redo);
    }
    free(r->items);
    free(r->chains);
    free(r->problems);
    *r = (struct verify_report){0};
}
