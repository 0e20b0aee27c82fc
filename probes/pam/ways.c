/* From what the search found to rows: scopes in words, sets in words, none that needs more than
 * another of its kind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/pam/pam.h"

#define TRAIL_SHOWN 8U

void login_rows_done(struct login_rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->items[i].scope);
        free(r->items[i].factors);
        free(r->items[i].reason);
    }
    free(r->items);
    *r = (struct login_rows){0};
}

static unsigned bits(unsigned v)
{
    return (unsigned)__builtin_popcount(v);
}

static int add_word(struct strv *v, const char *word, struct err *e)
{
    return strv_has(v, word) ? 0 : strv_add(v, word, e);
}

static int joined(struct strv *v, const char *when_empty, char **ret, struct err *e)
{
    CLEANUP(str) struct str s = STR_INIT((size_t)32 << 10);
    strv_sort(v);
    for (size_t i = 0; i < v->n; i++) {
        str_addf(&s, "%s%s", i > 0 ? "," : "", v->items[i]);
    }
    if (s.error != 0) {
        return str_error(&s, e);
    }
    *ret = strdup(v->n > 0 ? str_text(&s) : when_empty);
    return *ret == NULL ? err_nomem(e) : 0;
}

/* The words of a way in that are not the ordinary case. */
static int scope_words(const struct pam_world *w, const struct pam_way *way, enum pam_user user,
                       struct strv *out, struct err *e)
{
    int r = 0;
    if (user != PAMU_LOCAL) {
        r = add_word(out, user == PAMU_ROOT ? "user=root" : "user=domain", e);
    }
    for (size_t i = 0; i < w->n_vars && r == 0; i++) {
        uint64_t bit = UINT64_C(1) << i;
        const char *word = (way->yes & bit) != 0  ? w->vars[i].yes
                           : (way->no & bit) != 0 ? w->vars[i].no
                                                  : NULL;
        if (word != NULL) {
            r = add_word(out, word, e);
        }
    }
    return r;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The lines that make it possible, first to last: those that had an opinion. */
static void tell_trail(const struct pam_handler *const *list, const struct pam_ways *ways,
                       uint32_t at, struct str *out)
{
    uint32_t chain[PAM_HANDLERS];
    size_t n = 0;
    for (; at != 0 && n < PAM_HANDLERS; at = ways->trails[at - 1].previous) {
        const struct pam_trail *t = &ways->trails[at - 1];
        if (list[t->handler]->kind == PAMH_MODULE && t->code != PAMC_IGNORE) {
            chain[n++] = at - 1;
        }
    }
    str_add(out, "stack:");
    for (size_t shown = 0; shown < n && shown < TRAIL_SHOWN; shown++) {
        const struct pam_trail *t = &ways->trails[chain[n - 1 - shown]];
        const struct pam_handler *h = list[t->handler];
        str_addf(out, "%s %s:%u %s %s", shown > 0 ? ";" : "", h->file, h->line,
                 base_name(h->module), pam_code_word(t->code));
    }
    str_add(out, n > TRAIL_SHOWN ? "; ..." : "");
}

/* Is every comma-separated word of a one of b's? "*" and "" hold no word. */
static bool words_within(const char *a, const char *b)
{
    while (*a != '\0' && strcmp(a, "*") != 0) {
        size_t n = strcspn(a, ",");
        bool found = false;
        for (const char *p = b; *p != '\0' && !found;) {
            size_t m = strcspn(p, ",");
            found = m == n && memcmp(a, p, n) == 0;
            p += m + (p[m] == ',');
        }
        if (!found) {
            return false;
        }
        a += n + (a[n] == ',');
    }
    return true;
}

/* Whose account it is keeps rows apart: each kind of user has rows of its own. */
static bool same_user(const char *a, const char *b)
{
    static const char *const users[] = {"user=root", "user=domain"};
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        if (words_within(users[i], a) != words_within(users[i], b)) {
            return false;
        }
    }
    return true;
}

static bool covers(const struct login_row *a, const struct login_row *b)
{
    return same_user(a->scope, b->scope) && words_within(a->scope, b->scope) &&
           words_within(a->factors, b->factors) && bits(a->kinds) <= bits(b->kinds);
}

static void row_free(struct login_row *r)
{
    free(r->scope);
    free(r->factors);
    free(r->reason);
}

/* Two rows of one key cannot stand: the weaker one does. */
static bool same_key(const struct login_row *a, const struct login_row *b)
{
    return strcmp(a->scope, b->scope) == 0 && strcmp(a->factors, b->factors) == 0;
}

/* Takes the row over. */
static int add_row(struct login_rows *rows, struct login_row *row, struct err *e)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const struct login_row *old = &rows->items[i];
        if (covers(old, row) || (same_key(old, row) && bits(old->kinds) <= bits(row->kinds))) {
            row_free(row);
            return 0;
        }
    }
    for (size_t i = 0; i < rows->n; i++) {
        if (covers(row, &rows->items[i]) || same_key(row, &rows->items[i])) {
            row_free(&rows->items[i]);
        } else {
            rows->items[kept++] = rows->items[i];
        }
    }
    rows->n = kept;
    if (rows->n == rows->cap) {
        size_t cap = rows->cap == 0 ? 8 : rows->cap * 2;
        struct login_row *more = realloc(rows->items, cap * sizeof(*more));
        if (more == NULL) {
            row_free(row);
            return err_nomem(e);
        }
        rows->items = more;
        rows->cap = cap;
    }
    rows->items[rows->n++] = *row;
    return 0;
}

static int take_way(const struct pam_world *w, const struct pam_handler *const *list,
                    const struct pam_ways *ways, const struct pam_way *way, enum pam_user user,
                    struct login_rows *rows, struct err *e)
{
    CLEANUP(strv) struct strv scope = {0};
    CLEANUP(strv) struct strv factors = {0};
    CLEANUP(str) struct str reason = STR_INIT((size_t)16 << 10);
    struct login_row row = {0};
    int r = scope_words(w, way, user, &scope, e);
    for (size_t i = 0; i < w->n_factors && r == 0; i++) {
        if ((way->factors & UINT64_C(1) << i) != 0) {
            row.kinds |= w->factors[i].kinds;
            r = add_word(&factors, w->factors[i].word, e);
        }
    }
    if (r == 0) {
        r = joined(&scope, "*", &row.scope, e);
    }
    if (r == 0) {
        r = joined(&factors, "", &row.factors, e);
    }
    if (r == 0) {
        tell_trail(list, ways, way->trail, &reason);
        row.reason = strdup(str_text(&reason));
        r = row.reason == NULL ? err_nomem(e) : 0;
    }
    if (r < 0) {
        row_free(&row);
        return r;
    }
    return add_row(rows, &row, e);
}

static void give_up(struct login_rows *rows, const char *reason)
{
    login_rows_done(rows);
    rows->is_unknown = true;
    (void)snprintf(rows->reason, sizeof(rows->reason), "%s", reason);
}

static int rows_for_user(const struct pam_catalogue *c, const struct pam_handler *const *list,
                         size_t n, const struct pam_asked *asked, struct login_rows *rows,
                         struct err *e)
{
    CLEANUP(pam_world) struct pam_world world = {0};
    CLEANUP(pam_ways) struct pam_ways ways = {0};
    CLEANUP(free) struct pam_choices *choices = calloc(n, sizeof(*choices));
    if (choices == NULL) {
        return err_nomem(e);
    }
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = pam_outcomes(c, list[i], asked, &world, choices[i].items, &choices[i].n, e);
    }
    if (r == 0 && !world.is_full) {
        r = pam_explore(list, n, choices, &ways, e);
    }
    if (r == 0 && (world.is_full || ways.bounded)) {
        give_up(rows, "bound: more conditions, factors or ways than are followed");
        return 0;
    }
    for (size_t i = 0; i < ways.n && r == 0; i++) {
        r = take_way(&world, list, &ways, &ways.items[i], asked->user, rows, e);
    }
    return r;
}

int login_rows_of(const struct pam_catalogue *c, const struct pam_stack *s, const char *service,
                  struct login_rows *ret, struct err *e)
{
    CLEANUP(free) const struct pam_handler **list = NULL;
    size_t n = 0;
    if (s->unseen != 0 || s->bounded) {
        give_up(ret, s->reason);
        return 0;
    }
    if (s->aborted) {
        return 0; /* libpam starts no log-in with such a configuration */
    }
    int r = pam_stack_of_type(s, PAMT_AUTH, &list, &n, e);
    for (int user = PAMU_LOCAL; user <= PAMU_DOMAIN && r == 0 && n > 0 && !ret->is_unknown;
         user++) {
        struct pam_asked asked = {.service = service, .user = (enum pam_user)user};
        r = rows_for_user(c, list, n, &asked, ret, e);
    }
    return r;
}

bool login_rows_equal(const struct login_rows *a, const struct login_rows *b)
{
    if (a->is_unknown != b->is_unknown || a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        bool found = false;
        for (size_t k = 0; k < b->n && !found; k++) {
            found = same_key(&a->items[i], &b->items[k]) && a->items[i].kinds == b->items[k].kinds;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}
