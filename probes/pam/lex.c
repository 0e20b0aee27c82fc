/* Logical lines, words and controls. */
#include "probes/pam/lex.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "probes/pam/stack.h"

/* Piece of text at l->at, as fgets(3) would read it into what is left of the buffer: its length
 * with the newline; *used: bytes before a NUL, which ends a line for functions on C strings. 0: no
 * room is left. */
static size_t piece(const struct pam_lines *l, size_t taken, size_t *used)
{
    const char *at = l->text + l->at;
    const char *end = memchr(at, '\n', l->n - l->at);
    size_t n = end != NULL ? (size_t)(end - at) + 1 : l->n - l->at;
    if (l->limit != 0) {
        size_t room = taken + 1 < l->limit ? l->limit - taken - 1 : 0;
        n = n < room ? n : room;
    }
    const char *nul = memchr(at, '\0', n);
    *used = nul != NULL ? (size_t)(nul - at) : n;
    return n;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

int pam_lines_next(struct pam_lines *l, struct str *out)
{
    bool has_begun = false;
    str_clear(out);
    while (l->at < l->n) {
        size_t used = 0;
        size_t n = piece(l, out->len, &used);
        const char *p = l->text + l->at;
        size_t lead = 0;
        if (n == 0) {
            return -1;
        }
        unsigned number = l->next + 1;
        l->at += n;
        l->next += p[n - 1] == '\n';
        while (lead < used && is_blank(p[lead])) {
            lead++;
        }
        if (lead == used || p[lead] == '#') {
            continue; /* also between the parts of a continued line */
        }
        if (!has_begun) {
            l->number = number;
            has_begun = true;
        }
        const char *hash = memchr(p, '#', used);
        if (hash != NULL) {
            str_add_bytes(out, p, (size_t)(hash - p));
            return 1;
        }
        size_t end = used;
        while (end > lead + 1 && is_blank(p[end - 1])) {
            end--;
        }
        if (p[end - 1] != '\\') {
            str_add_bytes(out, p, used);
            return 1;
        }
        str_add_bytes(out, p, end - 1);
        str_add_char(out, ' ');
    }
    return has_begun ? -1 : 0;
}

char *pam_token(char **rest)
{
    char *from = *rest;
    if (from == NULL) {
        return NULL;
    }
    from += strspn(from, " \n\t");
    if (*from == '\0') {
        *rest = NULL;
        return NULL;
    }
    char *end = from;
    if (*from == '[') {
        char *to = ++from;
        for (end = from; *end != '\0' && *end != ']'; to++, end++) {
            if (*end == '\\' && end[1] == ']') {
                end++;
            }
            *to = *end;
        }
        bool is_open = *end == '\0';
        *rest = is_open || end[1] == '\0' ? NULL : end + 1;
        *to = '\0';
        return from;
    }
    end += strcspn(end, " \n\t");
    *rest = *end == '\0' || end[1] == '\0' ? NULL : end + 1;
    *end = '\0';
    return from;
}

/* _pam_token_returns: matched as prefixes, in this order. */
static const char *const code_words[PAM_CODES + 1] = {"success",
                                                      "open_err",
                                                      "symbol_err",
                                                      "service_err",
                                                      "system_err",
                                                      "buf_err",
                                                      "perm_denied",
                                                      "auth_err",
                                                      "cred_insufficient",
                                                      "authinfo_unavail",
                                                      "user_unknown",
                                                      "maxtries",
                                                      "new_authtok_reqd",
                                                      "acct_expired",
                                                      "session_err",
                                                      "cred_unavail",
                                                      "cred_expired",
                                                      "cred_err",
                                                      "no_module_data",
                                                      "conv_err",
                                                      "authtok_err",
                                                      "authtok_recover_err",
                                                      "authtok_lock_busy",
                                                      "authtok_disable_aging",
                                                      "try_again",
                                                      "ignore",
                                                      "abort",
                                                      "authtok_expired",
                                                      "module_unknown",
                                                      "bad_item",
                                                      "conv_again",
                                                      "incomplete",
                                                      "default"};
static const char *const action_words[] = {"ignore", "ok", "done", "bad", "die", "reset"};

int pam_code_of(const char *word)
{
    for (unsigned i = 0; i < PAM_CODES; i++) {
        if (strcmp(code_words[i], word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *pam_code_word(int code)
{
    return code >= 0 && code < (int)PAM_CODES ? code_words[code] : "?";
}

static void fill(int actions[PAM_CODES], int action, bool only_unset)
{
    for (size_t i = 0; i < PAM_CODES; i++) {
        if (!only_unset || actions[i] == PAMA_UNDEF) {
            actions[i] = action;
        }
    }
}

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* Index of the first word that begins the text, n if none; moves past it. */
static unsigned match(const char *const *words, unsigned n, const char **text)
{
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(words[i]);
        if (strncmp(words[i], *text, len) == 0) {
            *text += len;
            return i;
        }
    }
    return n;
}

/* A number of handlers to skip; 0 is none and an error. One that an int cannot hold is an error
 * too, but for libpam 1.5, where it wraps: what is negative then, skips more than there is. */
static int jump_of(const char **text, bool wraps)
{
    uint32_t value = 0;
    for (; isdigit((unsigned char)**text); (*text)++) {
        uint32_t digit = (uint32_t)(**text - '0');
        if (!wraps && value > (INT_MAX - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    return value > INT_MAX ? INT_MAX : (int)value;
}

/* _pam_parse_control. False: syntax error. */
static bool parse_pairs(const char *p, bool wraps, int actions[PAM_CODES])
{
    for (p = skip_space(p); *p != '\0'; p = skip_space(p)) {
        unsigned code = match(code_words, PAM_CODES + 1, &p);
        p = skip_space(p);
        if (code > PAM_CODES || *p != '=') {
            return false;
        }
        p = skip_space(p + 1);
        if (*p == '\0') {
            return false;
        }
        unsigned word = match(action_words, ARRAY_LEN(action_words), &p);
        int action = word < ARRAY_LEN(action_words) ? -(int)word : jump_of(&p, wraps);
        if (word == ARRAY_LEN(action_words) && action == 0) {
            return false;
        }
        if (code < PAM_CODES) {
            actions[code] = action;
        } else {
            fill(actions, action, true);
        }
    }
    return true;
}

void pam_control_parse(const char *control, bool wraps, int actions[PAM_CODES])
{
    static const struct {
        const char *word;
        int good; /* success, new_authtok_reqd */
        int rest;
        int ignored;
    } simple[] = {{"required", PAMA_OK, PAMA_BAD, PAMA_IGNORE},
                  {"requisite", PAMA_OK, PAMA_DIE, PAMA_IGNORE},
                  {"optional", PAMA_OK, PAMA_IGNORE, PAMA_IGNORE},
                  {"sufficient", PAMA_DONE, PAMA_IGNORE, PAMA_IGNORE}};
    fill(actions, PAMA_UNDEF, false);
    for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
        if (strcasecmp(simple[i].word, control) == 0) {
            actions[PAMC_SUCCESS] = simple[i].good;
            actions[12] = simple[i].good;
            actions[PAMC_IGNORE] = simple[i].ignored;
            fill(actions, simple[i].rest, true);
            return;
        }
    }
    if (!parse_pairs(control, wraps, actions)) {
        fill(actions, PAMA_BAD, false);
        return;
    }
    fill(actions, PAMA_BAD, true);
}
