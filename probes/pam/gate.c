/* pam_succeed_if(8): what it says of a local user, of root, of a domain user, in a given service.
 * What depends on the user's name, groups, number or address is a condition of the way in. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "probes/pam/modules.h"

/* Ordinary accounts have numbers in this range (login.defs(5) UID_MIN, UID_MAX); a comparison that
 * comes out the same for all of it is decided, any other is a condition. */
#define UID_FIRST 1000L
#define UID_LAST 60000L
#define CODE_SERVICE_ERR 3

enum truth { TRUTH_NO, TRUTH_YES, TRUTH_OPEN, TRUTH_ERROR };

struct condition {
    const char *left, *op, *right;
};

static enum truth truth_of(bool b)
{
    return b ? TRUTH_YES : TRUTH_NO;
}

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p != NULL; p = strchr(p, ':') != NULL ? strchr(p, ':') + 1 : NULL) {
        if (strcspn(p, ":") == n && strncmp(p, word, n) == 0) {
            return true;
        }
    }
    return false;
}

/* The operators that say the opposite of another. */
static const struct {
    const char *op;
    const char *positive;
} opposites[] = {{"!=", "="},
                 {"ne", "eq"},
                 {"ge", "lt"},
                 {"gt", "le"},
                 {"!~", "=~"},
                 {"notin", "in"},
                 {"notingroup", "ingroup"},
                 {"notinnetgr", "innetgr"}};

static const char *positive_of(const char *op, bool *ret_negated)
{
    for (size_t i = 0; i < ARRAY_LEN(opposites); i++) {
        if (strcmp(opposites[i].op, op) == 0) {
            *ret_negated = true;
            return opposites[i].positive;
        }
    }
    *ret_negated = false;
    return op;
}

/* lt, le, eq of a number in [low, high]. */
static enum truth compare(const char *op, long low, long high, const char *right)
{
    char *end = NULL;
    long value = strtol(right, &end, 10);
    if (end == right || *end != '\0') {
        return TRUTH_ERROR;
    }
    if (strcmp(op, "eq") == 0) {
        return low == high                   ? truth_of(low == value)
               : value < low || value > high ? TRUTH_NO
                                             : TRUTH_OPEN;
    }
    long bound = strcmp(op, "le") == 0 ? value : value - 1; /* left <= bound */
    return high <= bound ? TRUTH_YES : low > bound ? TRUTH_NO : TRUTH_OPEN;
}

/* A text that is known whole. */
static enum truth match_text(const char *op, const char *left, const char *right)
{
    if (strcmp(op, "=") == 0) {
        return truth_of(strcmp(left, right) == 0);
    }
    if (strcmp(op, "=~") == 0) {
        return truth_of(fnmatch(right, left, 0) == 0);
    }
    return strcmp(op, "in") == 0 ? truth_of(in_list(right, left)) : TRUTH_OPEN;
}

static bool is_number_op(const char *op)
{
    return strcmp(op, "lt") == 0 || strcmp(op, "le") == 0 || strcmp(op, "eq") == 0;
}

static bool is_known_op(const char *op)
{
    static const char *const ops[] = {"lt", "le", "eq", "=", "=~", "in", "ingroup", "innetgr"};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (strcmp(ops[i], op) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_attribute(const char *left)
{
    static const char *const names[] = {"user",  "uid",   "gid", "shell",  "home",
                                        "ruser", "rhost", "tty", "service"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], left) == 0) {
            return true;
        }
    }
    return false;
}

static enum truth judge_user(const char *op, const char *right, enum pam_user user)
{
    if (strcmp(op, "ingroup") == 0 || strcmp(op, "innetgr") == 0) {
        return TRUTH_OPEN;
    }
    if (user == PAMU_ROOT) {
        return match_text(op, "root", right);
    }
    /* Somebody who is not root, else nothing is known of the name. */
    return strcmp(op, "=") == 0 && strcmp(right, "root") == 0 ? TRUTH_NO : TRUTH_OPEN;
}

static enum truth judge(const struct condition *c, const char *op, const struct pam_asked *asked,
                        bool use_uid)
{
    if (!is_attribute(c->left) || !is_known_op(op)) {
        return TRUTH_ERROR;
    }
    if (strcmp(c->left, "service") == 0) {
        return is_number_op(op) ? TRUTH_ERROR : match_text(op, asked->service, c->right);
    }
    if (use_uid) {
        return TRUTH_OPEN; /* of the caller, who is not the one who logs in */
    }
    if (strcmp(c->left, "user") == 0) {
        return judge_user(op, c->right, asked->user);
    }
    if (strcmp(c->left, "uid") != 0) {
        return is_number_op(op) && strcmp(c->left, "gid") != 0 ? TRUTH_ERROR : TRUTH_OPEN;
    }
    bool is_root = asked->user == PAMU_ROOT;
    if (strcmp(op, "=") == 0) {
        op = "eq";
    }
    return is_number_op(op) ? compare(op, is_root ? 0 : UID_FIRST, is_root ? 0 : UID_LAST, c->right)
                            : TRUTH_OPEN;
}

/* "if:group=mfa", "if:address=10.0.0.1", "if:user=backup", else the words as they stand. */
static void name_condition(const struct condition *c, const char *op, bool use_uid, struct str *out)
{
    if (use_uid) {
        str_add(out, "invoker ");
    }
    if (strcmp(op, "ingroup") == 0) {
        str_addf(out, "group=%s", c->right);
    } else if (strcmp(c->left, "rhost") == 0) {
        str_addf(out, "address%s%s", op, c->right);
    } else if (strcmp(op, "=") == 0 || strcmp(op, "=~") == 0) {
        str_addf(out, "%s%s%s", c->left, op, c->right);
    } else {
        str_addf(out, "%s %s %s", c->left, op, c->right);
    }
}

static bool is_flag(const char *arg)
{
    static const char *const flags[] = {"debug",      "use_uid",       "quiet",
                                        "quiet_fail", "quiet_success", "audit"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (strcmp(flags[i], arg) == 0) {
            return true;
        }
    }
    return false;
}

/* "uid > 0" is no condition of the manual; where it is found, both readings are followed: the
 * comparison that was meant, and the error that the module gives. */
static const char *word_of_symbol(const char *op)
{
    static const struct {
        const char *symbol, *word;
    } symbols[] = {{"<", "lt"}, {"<=", "le"}, {">", "gt"}, {">=", "ge"}, {"==", "eq"}};
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        if (strcmp(symbols[i].symbol, op) == 0) {
            return symbols[i].word;
        }
    }
    return NULL;
}

/* One condition: the ways in which it fails are pushed, *held takes what it needs to hold.
 * *ret_on: whether the next one is looked at. */
static int take_condition(const struct condition *c, const struct pam_asked *asked, bool use_uid,
                          struct pam_outcome *held, struct pam_outcome_list *out, bool *ret_on,
                          struct err *e)
{
    bool is_negated = false;
    const char *meant = word_of_symbol(c->op);
    const char *op = positive_of(meant != NULL ? meant : c->op, &is_negated);
    enum truth t = judge(c, op, asked, use_uid);
    if (meant != NULL && t != TRUTH_ERROR) {
        struct pam_outcome o = *held;
        o.code = CODE_SERVICE_ERR;
        pam_outcome_push(out, o);
    }
    if (t == TRUTH_ERROR) {
        struct pam_outcome o = *held;
        o.code = CODE_SERVICE_ERR;
        pam_outcome_push(out, o);
        *ret_on = false;
        return 0;
    }
    if (t != TRUTH_OPEN) {
        *ret_on = (t == TRUTH_YES) != is_negated;
        if (!*ret_on) {
            struct pam_outcome o = *held;
            o.code = PAMC_AUTH_ERR;
            pam_outcome_push(out, o);
        }
        return 0;
    }
    CLEANUP(str) struct str text = STR_INIT(900);
    uint64_t bit = 0;
    name_condition(c, op, use_uid, &text);
    if (text.error != 0) {
        out->world->is_full = true;
    }
    int r = pam_world_if(out->world, str_text(&text), &bit, e);
    struct pam_outcome fails = *held;
    fails.code = PAMC_AUTH_ERR;
    *(is_negated ? &fails.yes : &fails.no) |= bit;
    *(is_negated ? &held->no : &held->yes) |= bit;
    if ((fails.yes & fails.no) == 0) {
        pam_outcome_push(out, fails);
    }
    *ret_on = (held->yes & held->no) == 0;
    return r;
}

int pam_gate_succeed_if(const struct pam_handler *h, const struct pam_asked *asked,
                        struct pam_outcome_list *out, struct err *e)
{
    const char *words[3] = {NULL, NULL, NULL};
    size_t n = 0;
    bool use_uid = strv_has(&h->args, "use_uid");
    bool goes_on = true;
    struct pam_outcome held = {.code = PAMC_SUCCESS};
    for (size_t i = 0; i < h->args.n && goes_on; i++) {
        if (is_flag(h->args.items[i])) {
            continue;
        }
        words[n++] = h->args.items[i];
        if (n == 3) {
            struct condition c = {words[0], words[1], words[2]};
            int r = take_condition(&c, asked, use_uid, &held, out, &goes_on, e);
            if (r < 0) {
                return r;
            }
            n = 0;
        }
    }
    if (goes_on) {
        held.code = n == 0 ? PAMC_SUCCESS : CODE_SERVICE_ERR; /* an unfinished condition */
        pam_outcome_push(out, held);
    }
    return 0;
}
