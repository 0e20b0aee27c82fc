/* Pseudonyms: "p:" and 16 hex digits of an HMAC under a key that stays with the vendor. The same
 * text always gets the same pseudonym, so equality works in the facts and names do not leave. */
#include "agent/policy/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/digest.h"

#define PSEUDONYM_HEX 16
#define UID_MIN_DEFAULT 1000
#define UID_NOBODY 65534 /* no person */

struct pseudonym {
    char *plain;
    char text[2 + PSEUDONYM_HEX + 1];
};

/* Sorted twice: by plain text for giving, by pseudonym for showing. */
struct pseudonyms {
    struct pseudonym **by_plain;
    struct pseudonym **by_text;
    size_t n, cap;
};

struct names {
    const uint8_t *key;
    struct strv words;  /* names of people, sorted */
    struct strv system; /* names of system accounts, sorted */
    struct pseudonyms *given;
};

void pseudonyms_free(struct pseudonyms *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->n; i++) {
        free(p->by_plain[i]->plain);
        free(p->by_plain[i]);
    }
    free(p->by_plain);
    free(p->by_text);
    free(p);
}

void names_free(struct names *n)
{
    if (n == NULL) {
        return;
    }
    strv_done(&n->words);
    strv_done(&n->system);
    pseudonyms_free(n->given);
    free(n);
}

struct pseudonyms *names_take(struct names *n)
{
    return TAKE_PTR(n->given);
}

/* Words that settings are made of. An account of such a name would otherwise turn every "no" of a
 * configuration into a pseudonym, and a rule that looks for it would find nothing. */
static bool is_setting_word(const char *word)
{
    static const char *const words[] = {
        "all", "any",  "auto", "default", "deny", "disabled", "enabled",  "false", "home", "local",
        "no",  "none", "null", "off",     "on",   "permit",   "required", "true",  "yes",
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* Accounts below UID_MIN belong to the system; their names are in every manual. */
static int add_account(struct names *n, const struct fact_table *users, size_t row, int name_at,
                       int uid_at, int64_t uid_min, struct err *e)
{
    const struct cell *cells = &users->cells[row * users->decl->n_columns];
    const struct cell *name = &cells[name_at];
    const struct cell *uid = &cells[uid_at];
    if (name->type != CELL_TEXT || name->v.t.n == 0) {
        return 0;
    }
    /* An account whose uid is not known is taken for a person's. */
    bool system = uid->type == CELL_INT && (uid->v.i < uid_min || uid->v.i == UID_NOBODY);
    if (!system && is_setting_word(name->v.t.p)) {
        return 0;
    }
    return strv_add(system ? &n->system : &n->words, name->v.t.p, e);
}

/* A worker's name is a name even if the host has no such account yet. */
static int collect(struct names *n, const struct fact_table *users,
                   const struct fact_table *workers, int64_t uid_min, struct err *e)
{
    int name_at = users != NULL ? table_column(users->decl, "username") : -1;
    int uid_at = users != NULL ? table_column(users->decl, "uid") : -1;
    int rc = 0;
    for (size_t i = 0; name_at >= 0 && uid_at >= 0 && rc == 0 && i < users->n_rows; i++) {
        rc = add_account(n, users, i, name_at, uid_at, uid_min, e);
    }
    strv_sort(&n->system);
    int worker_at = workers != NULL ? table_column(workers->decl, "username") : -1;
    for (size_t i = 0; worker_at >= 0 && rc == 0 && i < workers->n_rows; i++) {
        const struct cell *c = &workers->cells[i * workers->decl->n_columns + (size_t)worker_at];
        if (c->type == CELL_TEXT && c->v.t.n > 0 && !strv_has(&n->system, c->v.t.p) &&
            !is_setting_word(c->v.t.p)) {
            rc = strv_add(&n->words, c->v.t.p, e);
        }
    }
    strv_sort(&n->words);
    return rc;
}

int names_new(const struct fact_table *users, const struct fact_table *workers, int64_t uid_min,
              const uint8_t *key, struct names **ret, struct err *e)
{
    CLEANUP(names) struct names *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return err_nomem(e);
    }
    n->key = key;
    n->given = calloc(1, sizeof *n->given);
    if (n->given == NULL) {
        return err_nomem(e);
    }
    int rc = collect(n, users, workers, uid_min > 0 ? uid_min : UID_MIN_DEFAULT, e);
    if (rc == 0) {
        *ret = TAKE_PTR(n);
    }
    return rc;
}

/* Place of text among n sorted strings given by get. */
static size_t place(struct pseudonym *const *sorted, size_t n, const char *text, bool by_plain,
                    bool *ret_found)
{
    size_t low = 0;
    size_t high = n;
    *ret_found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(by_plain ? sorted[mid]->plain : sorted[mid]->text, text);
        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static int reserve(struct pseudonyms *p, struct err *e)
{
    if (p->n < p->cap) {
        return 0;
    }
    size_t cap = p->cap == 0 ? 16 : p->cap * 2;
    struct pseudonym **plain = reallocarray(p->by_plain, cap, sizeof(struct pseudonym *));
    if (plain == NULL) {
        return err_nomem(e);
    }
    p->by_plain = plain;
    struct pseudonym **text = reallocarray(p->by_text, cap, sizeof(struct pseudonym *));
    if (text == NULL) {
        return err_nomem(e);
    }
    p->by_text = text;
    p->cap = cap;
    return 0;
}

static void insert(struct pseudonym **sorted, size_t n, size_t at, struct pseudonym *item)
{
    memmove(sorted + at + 1, sorted + at, (n - at) * sizeof(struct pseudonym *));
    sorted[at] = item;
}

/* 64 bits of the HMAC: enough for the few hundred texts of a host to stay apart. */
static int pseudonym_of(struct names *n, const char *plain, const char **ret, struct err *e)
{
    struct pseudonyms *p = n->given;
    bool found = false;
    size_t at = place(p->by_plain, p->n, plain, true, &found);
    if (found) {
        *ret = p->by_plain[at]->text;
        return 0;
    }
    char hex[SHA256_HEX];
    int rc = hmac_sha256_hex(n->key, SHA256_BYTES, plain, strlen(plain), hex, e);
    rc = rc == 0 ? reserve(p, e) : rc;
    if (rc != 0) {
        return rc;
    }
    struct pseudonym *item = calloc(1, sizeof *item);
    char *copy = strdup(plain);
    if (item == NULL || copy == NULL) {
        free(item);
        free(copy);
        return err_nomem(e);
    }
    item->plain = copy;
    (void)snprintf(item->text, sizeof item->text, "p:%.*s", PSEUDONYM_HEX, hex);
    insert(p->by_plain, p->n, at, item);
    insert(p->by_text, p->n, place(p->by_text, p->n, item->text, false, &found), item);
    p->n++;
    *ret = item->text;
    return 0;
}

static bool sorted_has(const struct strv *v, const char *text, size_t n)
{
    size_t low = 0;
    size_t high = v->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strncmp(v->items[mid], text, n);
        if (order == 0 && v->items[mid][n] != '\0') {
            order = 1;
        }
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return false;
}

int names_personal(struct names *n, const char *text, const char **ret, struct err *e)
{
    if (text[0] == '\0' || sorted_has(&n->system, text, strlen(text))) {
        *ret = text;
        return 0;
    }
    return pseudonym_of(n, text, ret, e);
}

/* --- words inside texts --- */

/* Names may hold dots and hyphens, but these also end a word ("suzuki.txt", "suzuki-mnt"). */
static bool letter(char c)
{
    return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80U) != 0;
}

/* What the longest possible name at a place may be made of. */
static bool run_char(char c)
{
    return letter(c) || c == '.' || c == '-';
}

/* Length of the longest name that starts at p and ends at the end of a word; 0 if there is none. */
static size_t name_at(const struct names *n, const char *p)
{
    size_t run = 0;
    while (run_char(p[run])) {
        run++;
    }
    for (size_t len = run; len > 0; len--) {
        if (!letter(p[len]) && sorted_has(&n->words, p, len)) {
            return len;
        }
    }
    return 0;
}

int names_replace(struct names *n, const char *text, struct str *out, struct err *e)
{
    bool at_start = true;
    for (const char *p = text; *p != '\0';) {
        bool escape = p[0] == '\\' && p[1] == 'x' && p[2] != '\0' && p[3] != '\0';
        if (escape) { /* an escaped byte is no part of a word */
            str_add_bytes(out, p, 4);
            p += 4;
            at_start = true;
            continue;
        }
        size_t len = at_start && letter(*p) ? name_at(n, p) : 0;
        if (len > 0) {
            CLEANUP(free) char *word = strndup(p, len);
            const char *stands = NULL;
            int rc = word != NULL ? pseudonym_of(n, word, &stands, e) : err_nomem(e);
            if (rc != 0) {
                return rc;
            }
            str_add(out, stands);
            p += len;
            at_start = false;
            continue;
        }
        at_start = !letter(*p);
        str_add_char(out, *p++);
    }
    return str_error(out, e);
}

/* --- back to names, for people's eyes --- */

const char *pseudonym_plain(const struct pseudonyms *p, const char *pseudonym)
{
    if (p == NULL) {
        return NULL;
    }
    bool found = false;
    size_t at = place(p->by_text, p->n, pseudonym, false, &found);
    return found ? p->by_text[at]->plain : NULL;
}

void pseudonyms_show(const struct pseudonyms *p, const char *text, struct str *out)
{
    while (*text != '\0') {
        char candidate[2 + PSEUDONYM_HEX + 1] = "";
        const char *plain = NULL;
        if (strncmp(text, "p:", 2) == 0 && strlen(text) >= sizeof candidate - 1) {
            memcpy(candidate, text, sizeof candidate - 1);
            plain = pseudonym_plain(p, candidate);
        }
        if (plain != NULL) {
            str_add(out, plain);
            text += sizeof candidate - 1;
        } else {
            str_add_char(out, *text++);
        }
    }
}
