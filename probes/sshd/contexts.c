/* Which connections the Match blocks can tell apart: per dimension (who, from where, to where) the
 * candidates that the patterns themselves suggest, one kept for each distinct answer to all
 * criteria; then their combinations. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/sshd/parts.h"

/* What no pattern of a person is meant to name. */
#define ORDINARY_USER "~ordinary~"
#define ORDINARY_HOST "ordinary.invalid"
#define ORDINARY_ADDRESS "198.51.100.77"
#define ORDINARY_LOCAL "198.51.100.1"
#define CLASSES_MAX 64U /* per dimension */

enum dimension { DIM_USER, DIM_HOST, DIM_ADDRESS, DIM_LADDRESS, DIM_LPORT, DIM_RDOMAIN, DIM_N };

struct class
{
    struct sshd_context context; /* only the fields of its dimension are set */
    const char *word;            /* of the scope; NULL: the ordinary one */
    unsigned char *answers;      /* one per criterion of the dimension */
};

struct maker {
    const struct sshd_conf *conf;
    struct sshd_contexts *out;
    const struct sshd_criterion **criteria[DIM_N];
    size_t n_criteria[DIM_N];
    struct class classes[DIM_N][CLASSES_MAX];
    size_t n[DIM_N];
    size_t work, n_groups;
};

static enum dimension dimension_of(enum sshd_attribute a)
{
    static const enum dimension of[] = {DIM_USER,     DIM_USER,  DIM_HOST,   DIM_ADDRESS,
                                        DIM_LADDRESS, DIM_LPORT, DIM_RDOMAIN};
    return of[a];
}

/* Keeps the text for as long as the contexts live. NULL: out of memory. */
static const char *keep(struct maker *m, const char *prefix, const char *text)
{
    CLEANUP(str) struct str s = STR_INIT(SSHD_FILE_MAX);
    struct strv *texts = &m->out->texts;
    str_addf(&s, "%s%s", prefix, text);
    if (s.error != 0 || strv_add(texts, str_text(&s), NULL) < 0) {
        return NULL;
    }
    return texts->items[texts->n - 1];
}

/* Adds the candidate unless another answers alike. */
static int try_candidate(struct maker *m, enum dimension d, const struct sshd_context *ctx,
                         const char *prefix, const char *label, struct err *e)
{
    size_t n = m->n_criteria[d];
    CLEANUP(free) unsigned char *answers = calloc(n + 1, 1);
    m->work += n + 1;
    if (answers == NULL) {
        return err_nomem(e);
    }
    if (m->work > SSHD_WORK_MAX && label != NULL) { /* the ordinary one is always there */
        m->out->is_truncated = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        answers[i] = sshd_criterion_holds(m->criteria[d][i], ctx);
    }
    for (size_t i = 0; i < m->n[d]; i++) {
        if (memcmp(m->classes[d][i].answers, answers, n) == 0) {
            return 0;
        }
    }
    if (m->n[d] == CLASSES_MAX) {
        m->out->is_truncated = true;
        return 0;
    }
    struct class *c = &m->classes[d][m->n[d]];
    c->context = *ctx;
    c->word = label == NULL ? NULL : keep(m, prefix, label);
    if (label != NULL && c->word == NULL) {
        return err_nomem(e);
    }
    c->answers = TAKE_PTR(answers);
    m->n[d]++;
    return 0;
}

/* A text that the pattern matches. */
static const char *witness(struct maker *m, const char *item, char star)
{
    const char *kept = keep(m, "", item);
    char *text = kept == NULL ? NULL : m->out->texts.items[m->out->texts.n - 1];
    for (char *at = text; at != NULL && *at != '\0'; at++) {
        *at = *at == '*' || *at == '?' ? star : *at;
    }
    return text;
}

static int try_group(struct maker *m, const char *item, const char *text, struct err *e)
{
    const char **list = m->out->group_of;
    struct sshd_context ctx = {.user = ORDINARY_USER, .groups = &list[m->n_groups], .n_groups = 1};
    list[m->n_groups++] = text;
    return try_candidate(m, DIM_USER, &ctx, "if:group=", item, e);
}

/* Of nested or disjoint ranges every region begins at a first address or behind a last one. */
static int try_cidr(struct maker *m, enum dimension d, const char *item, struct err *e)
{
    uint8_t ends[2][16];
    size_t n = 0;
    int r = 0;
    if (!sshd_cidr(item, ends[0], ends[1], &n)) {
        return 0;
    }
    for (size_t i = n; i > 0 && ++ends[1][i - 1] == 0; i--) {
    }
    for (size_t i = 0; i < 2 && r == 0; i++) {
        char shown[INET6_ADDRSTRLEN];
        (void)inet_ntop(n == 4 ? AF_INET : AF_INET6, ends[i], shown, sizeof(shown));
        const char *text = keep(m, "", shown);
        if (text == NULL) {
            return err_nomem(e);
        }
        struct sshd_context ctx = {.address = d == DIM_ADDRESS ? text : NULL,
                                   .laddress = d == DIM_LADDRESS ? text : NULL};
        r = try_candidate(
            m, d, &ctx, d == DIM_ADDRESS ? "if:address=" : "if:laddress=", i == 0 ? item : text, e);
    }
    return r;
}

static int try_item(struct maker *m, const struct sshd_criterion *c, const char *item,
                    struct err *e)
{
    enum dimension d = dimension_of(c->attribute);
    bool is_address = d == DIM_ADDRESS || d == DIM_LADDRESS;
    const char *text = witness(m, item, is_address ? '1' : 'x');
    struct sshd_context ctx = {.lport = 0};
    if (text == NULL) {
        return err_nomem(e);
    }
    switch (c->attribute) {
    case SSHDA_USER:
        ctx.user = text;
        return strcmp(text, "root") == 0 ? 0 : try_candidate(m, d, &ctx, "if:user=", item, e);
    case SSHDA_GROUP:
        return try_group(m, item, text, e);
    case SSHDA_HOST:
        ctx.host = text;
        return try_candidate(m, d, &ctx, "if:host=", item, e);
    case SSHDA_RDOMAIN:
        ctx.rdomain = text;
        return try_candidate(m, d, &ctx, "if:rdomain=", item, e);
    case SSHDA_ADDRESS:
    case SSHDA_LADDRESS:
        ctx.address = d == DIM_ADDRESS ? text : NULL;
        ctx.laddress = d == DIM_LADDRESS ? text : NULL;
        if (strpbrk(item, "*?") == NULL) {
            return try_cidr(m, d, item, e);
        }
        return try_candidate(m, d, &ctx, d == DIM_ADDRESS ? "if:address=" : "if:laddress=", item,
                             e);
    case SSHDA_LPORT:
    default:
        return 0;
    }
}

static int try_criterion(struct maker *m, const struct sshd_criterion *c, struct err *e)
{
    int r = 0;
    if (c->attribute == SSHDA_LPORT) {
        struct sshd_context ctx = {.lport = c->port};
        char shown[16];
        (void)snprintf(shown, sizeof(shown), "%d", c->port);
        return try_candidate(m, DIM_LPORT, &ctx, "if:port=", shown, e);
    }
    CLEANUP(free) char *copy = strdup(c->pattern);
    if (copy == NULL) {
        return err_nomem(e);
    }
    char *rest = copy;
    for (char *item = NULL; r == 0 && (item = strsep(&rest, ",")) != NULL;) {
        item += *item == '!' ? 1 : 0;
        r = *item == '\0' || m->out->is_truncated ? 0 : try_item(m, c, item, e);
    }
    return r;
}

/* The ordinary connection first, then root and the accounts, whose groups are real. */
static int try_known(struct maker *m, const struct sshd_account *accounts, size_t n, struct err *e)
{
    static const struct sshd_context ordinary[DIM_N] = {
        [DIM_USER] = {.user = ORDINARY_USER},
        [DIM_HOST] = {.host = ORDINARY_HOST},
        [DIM_ADDRESS] = {.address = ORDINARY_ADDRESS},
        [DIM_LADDRESS] = {.laddress = ORDINARY_LOCAL},
        [DIM_LPORT] = {.lport = 22},
        [DIM_RDOMAIN] = {.rdomain = NULL}};
    CLEANUP(sshd_config) struct sshd_config global = {.n = 0};
    int r = sshd_conf_resolve(m->conf, NULL, &global, e);
    for (enum dimension d = DIM_USER; d < DIM_N && r == 0; d++) {
        struct sshd_context ctx = ordinary[d];
        const char *port = d == DIM_LPORT ? sshd_config_get(&global, "port") : NULL;
        ctx.lport = port == NULL ? ctx.lport : sshd_port(port);
        r = try_candidate(m, d, &ctx, "", NULL, e);
    }
    /* root is a class of its own: sshd treats it as one (PermitRootLogin). */
    struct sshd_context root = {.user = "root"};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(accounts[i].name, "root") == 0) {
            root.groups = accounts[i].groups;
            root.n_groups = accounts[i].n_groups;
        }
    }
    r = r == 0 ? try_candidate(m, DIM_USER, &root, "", "user=root", e) : r;
    return r;
}

static int try_accounts(struct maker *m, const struct sshd_account *accounts, size_t n,
                        struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0 && !m->out->is_truncated; i++) {
        struct sshd_context ctx = {.user = accounts[i].name,
                                   .groups = accounts[i].groups,
                                   .n_groups = accounts[i].n_groups};
        r = strcmp(ctx.user, "root") == 0
                ? 0
                : try_candidate(m, DIM_USER, &ctx, "if:user=", accounts[i].name, e);
    }
    return r;
}

/* Each criterion once, however often it is written. */
static int collect(struct maker *m, struct err *e)
{
    size_t items = 1;
    for (size_t i = 0; i < m->conf->n; i++) {
        const struct sshd_op *op = &m->conf->ops[i];
        for (size_t k = 0; k < op->n_criteria; k++) {
            const struct sshd_criterion *c = &op->criteria[k];
            enum dimension d = dimension_of(c->attribute);
            bool known = false;
            items += c->attribute == SSHDA_GROUP ? strlen(c->pattern) + 1 : 0;
            for (size_t j = 0; j < m->n_criteria[d] && !known; j++, m->work++) {
                const struct sshd_criterion *o = m->criteria[d][j];
                known = o->attribute == c->attribute && strcmp(o->pattern, c->pattern) == 0;
            }
            if (known || m->work > SSHD_WORK_MAX) {
                m->out->is_truncated = m->out->is_truncated || !known;
                continue;
            }
            const struct sshd_criterion **grown =
                reallocarray(m->criteria[d], m->n_criteria[d] + 1, sizeof(*grown));
            if (grown == NULL) {
                return err_nomem(e);
            }
            m->criteria[d] = grown;
            m->criteria[d][m->n_criteria[d]++] = c;
        }
    }
    m->out->group_of = calloc(items, sizeof(*m->out->group_of));
    return m->out->group_of == NULL ? err_nomem(e) : 0;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The combination that takes class at[d] of each dimension. */
static int add_case(struct maker *m, const size_t *at, struct err *e)
{
    struct sshd_case *c = &m->out->items[m->out->n];
    const char *words[DIM_N];
    size_t n = 0;
    CLEANUP(str) struct str scope = STR_INIT(SSHD_FILE_MAX);
    for (size_t d = 0; d < DIM_N; d++) {
        const char *word = m->classes[d][at[d]].word;
        if (word != NULL) {
            words[n++] = word;
        }
    }
    const struct class *user = &m->classes[DIM_USER][at[DIM_USER]];
    c->context = user->context;
    c->context.host = m->classes[DIM_HOST][at[DIM_HOST]].context.host;
    c->context.address = m->classes[DIM_ADDRESS][at[DIM_ADDRESS]].context.address;
    c->context.laddress = m->classes[DIM_LADDRESS][at[DIM_LADDRESS]].context.laddress;
    c->context.lport = m->classes[DIM_LPORT][at[DIM_LPORT]].context.lport;
    c->context.rdomain = m->classes[DIM_RDOMAIN][at[DIM_RDOMAIN]].context.rdomain;
    qsort(words, n, sizeof(words[0]), compare_words);
    for (size_t i = 0; i < n; i++) {
        str_addf(&scope, "%s%s", i > 0 ? "," : "", words[i]);
    }
    c->deviations = (unsigned)n;
    c->scope = n == 0 ? strdup("*") : str_take(&scope, NULL);
    m->out->n += c->scope == NULL ? 0 : 1;
    return c->scope == NULL ? err_nomem(e) : 0;
}

static int compare_cases(const void *a, const void *b)
{
    const struct sshd_case *x = a, *y = b;
    return x->deviations != y->deviations ? (x->deviations < y->deviations ? -1 : 1)
                                          : strcmp(x->scope, y->scope);
}

static int combine(struct maker *m, struct err *e)
{
    size_t at[DIM_N] = {0};
    int r = 0;
    m->out->items = calloc(SSHD_CONTEXTS_MAX, sizeof(*m->out->items));
    if (m->out->items == NULL) {
        return err_nomem(e);
    }
    for (bool more = true; more && r == 0;) {
        if (m->out->n == SSHD_CONTEXTS_MAX) {
            m->out->is_truncated = true;
            break;
        }
        r = add_case(m, at, e);
        size_t d = 0;
        while (d < DIM_N && ++at[d] == m->n[d]) {
            at[d++] = 0;
        }
        more = d < DIM_N;
    }
    qsort(m->out->items, m->out->n, sizeof(*m->out->items), compare_cases);
    return r;
}

static void maker_done(struct maker *m)
{
    for (size_t d = 0; d < DIM_N; d++) {
        for (size_t i = 0; i < m->n[d]; i++) {
            free(m->classes[d][i].answers);
        }
        free(m->criteria[d]);
    }
    free(m);
}

int sshd_contexts_make(const struct sshd_conf *c, const struct sshd_account *accounts, size_t n,
                       struct sshd_contexts *ret, struct err *e)
{
    CLEANUP(sshd_contexts) struct sshd_contexts out = {.n = 0};
    struct maker *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return err_nomem(e);
    }
    m->conf = c;
    m->out = &out;
    int r = collect(m, e);
    r = r == 0 ? try_known(m, accounts, n, e) : r;
    for (size_t d = 0; d < DIM_N && r == 0; d++) {
        for (size_t i = 0; i < m->n_criteria[d] && r == 0 && !out.is_truncated; i++) {
            r = try_criterion(m, m->criteria[d][i], e);
        }
    }
    r = r == 0 ? try_accounts(m, accounts, n, e) : r;
    r = r == 0 ? combine(m, e) : r;
    maker_done(m);
    if (r == 0) {
        *ret = out;
        out = (struct sshd_contexts){.n = 0};
    }
    return r;
}

void sshd_contexts_done(struct sshd_contexts *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].scope);
    }
    free(c->items);
    free(c->group_of);
    strv_done(&c->texts);
    *c = (struct sshd_contexts){.n = 0};
}
