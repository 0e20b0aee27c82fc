/* policies/products/pam-modules.yaml to lines. */
#include "agent/policy/products.h"

#include <string.h>

#include "agent/base/yaml.h"

static const char *const code_words[] = {"success",          "open_err",       "symbol_err",
                                         "service_err",      "system_err",     "buf_err",
                                         "perm_denied",      "auth_err",       "cred_insufficient",
                                         "authinfo_unavail", "user_unknown",   "maxtries",
                                         "new_authtok_reqd", "acct_expired",   "session_err",
                                         "cred_unavail",     "cred_expired",   "cred_err",
                                         "no_module_data",   "conv_err",       "authtok_err",
                                         "try_again",        "ignore",         "abort",
                                         "authtok_expired",  "module_unknown", "bad_item",
                                         "conv_again",       "incomplete",     NULL};
static const char *const factor_words[] = {
    "password",    "otp",      "push",       "security-key", "smartcard", "biometric", "public-key",
    "certificate", "kerberos", "host-based", "federated",    "opaque",    NULL};
static const char *const user_words[] = {"local", "root", "domain", NULL};
static const char *const scope_words[] = {
    "enrolled", "not-enrolled",   "up",           "down",         "cached",
    "aux",      "blank-password", "invoker-root", "invoker-user", NULL};

static size_t words_n(const char *const *words)
{
    size_t n = 0;
    while (words[n] != NULL) {
        n++;
    }
    return n;
}

/* A word that cannot be taken for the separators of a line. */
static int check_plain(const struct yaml_doc *d, const struct yaml_node *n, const char *what,
                       struct err *e)
{
    if (n->kind != YAML_SCALAR || n->text[0] == '\0' || strpbrk(n->text, " ,\t\n") != NULL) {
        return yaml_fail(d, n, e, "%s is a list of words without blanks or commas", what);
    }
    return 0;
}

static int check_word(const struct yaml_doc *d, const struct yaml_node *n, const char *what,
                      const char *const *words, struct err *e)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], n->text) == 0) {
            return 0;
        }
    }
    const char *near = str_nearest(n->text, words, words_n(words));
    return yaml_fail(d, n, e, "\"%s\" is no word of %s%s%s%s", n->text, what,
                     near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"?" : "");
}

/* Appends " out=a,b", or " out=a out=b" where each item stands by itself. words: NULL = any. */
static int put_list(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                    const char *out, bool each, const char *const *words, struct str *line,
                    struct err *e)
{
    const struct yaml_node *list = NULL;
    int r = yaml_get_list(d, map, key, false, &list, e);
    if (r < 0 || list == NULL) {
        return r;
    }
    if (list->n == 0) {
        return yaml_fail(d, list, e, "%s is empty", key);
    }
    for (size_t i = 0; i < list->n && r == 0; i++) {
        r = check_plain(d, list->items[i], key, e);
        if (r == 0 && words != NULL) {
            r = check_word(d, list->items[i], key, words, e);
        }
        if (r == 0) {
            if (i == 0 || each) {
                str_addf(line, " %s=", out);
            } else {
                str_add_char(line, ',');
            }
            str_add(line, list->items[i]->text);
        }
    }
    return r;
}

static int put_condition(const struct yaml_doc *d, const struct yaml_node *map, struct str *line,
                         struct err *e)
{
    static const char *const keys[] = {"if", "unless"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *text = NULL;
        int r = yaml_get_text(d, map, keys[i], false, &text, e);
        if (r < 0) {
            return r;
        }
        if (text == NULL) {
            continue;
        }
        if (found || text[0] == '\0' || strpbrk(text, "\t\n") != NULL) {
            return yaml_fail(d, map, e, "one of if and unless, one line, not empty");
        }
        found = true;
        str_addf(line, " %s=%s", keys[i], text);
    }
    return 0;
}

static int put_outcome(const struct yaml_doc *d, const struct yaml_node *n, struct str *line,
                       struct err *e)
{
    static const char *const keys[] = {
        "code",     "needs",           "pin", "users",  "args", "without_args", "scope",
        "services", "except_services", "if",  "unless", NULL};
    static const struct {
        const char *key, *out;
        bool each;
        const char *const *words;
    } lists[] = {{"users", "users", false, user_words},
                 {"services", "services", false, NULL},
                 {"except_services", "notservices", false, NULL},
                 {"scope", "scope", false, scope_words},
                 {"args", "arg", true, NULL},
                 {"without_args", "noarg", true, NULL}};
    const char *code = NULL;
    const char *needs = NULL;
    bool pin = false;
    int r = yaml_map_only(d, n, "outcome", keys, e);
    if (r < 0 || (r = yaml_get_word(d, n, "code", true, code_words, &code, e)) < 0 ||
        (r = yaml_get_word(d, n, "needs", false, factor_words, &needs, e)) < 0 ||
        (r = yaml_get_bool(d, n, "pin", false, &pin, e)) < 0) {
        return r;
    }
    str_addf(line, "\t%s", code);
    if (needs != NULL) {
        str_addf(line, " needs=%s", needs);
    }
    if (pin) {
        str_add(line, " pin=1");
    }
    for (size_t i = 0; i < ARRAY_LEN(lists) && r == 0; i++) {
        r = put_list(d, n, lists[i].key, lists[i].out, lists[i].each, lists[i].words, line, e);
    }
    return r == 0 ? put_condition(d, n, line, e) : r;
}

static int put_module(const struct yaml_doc *d, const struct yaml_node *n, struct str *line,
                      struct err *e)
{
    static const char *const keys[] = {"names", "outcomes", "gate", NULL};
    static const char *const gates[] = {"succeed_if", NULL};
    const struct yaml_node *names = NULL;
    const struct yaml_node *outcomes = NULL;
    const char *gate = NULL;
    int r = yaml_map_only(d, n, "module", keys, e);
    if (r < 0 || (r = yaml_get_list(d, n, "names", true, &names, e)) < 0 ||
        (r = yaml_get_list(d, n, "outcomes", false, &outcomes, e)) < 0 ||
        (r = yaml_get_word(d, n, "gate", false, gates, &gate, e)) < 0) {
        return r;
    }
    if (names->n == 0 || (gate != NULL) == (outcomes != NULL && outcomes->n > 0)) {
        return yaml_fail(d, n, e, "a module has names, and either outcomes or a gate");
    }
    for (size_t i = 0; i < names->n; i++) {
        r = check_plain(d, names->items[i], "names", e);
        if (r < 0) {
            return r;
        }
        str_addf(line, "%s%s", i == 0 ? "" : ",", names->items[i]->text);
    }
    if (gate != NULL) {
        str_addf(line, "\tgate=%s", gate);
    }
    for (size_t i = 0; outcomes != NULL && i < outcomes->n && r == 0; i++) {
        r = put_outcome(d, outcomes->items[i], line, e);
    }
    return r;
}

int products_pam_modules(const char *file, const char *bytes, size_t n, struct strv *ret,
                         struct err *e)
{
    static const char *const keys[] = {"modules", NULL};
    CLEANUP(yaml) struct yaml_doc *d = NULL;
    const struct yaml_node *list = NULL;
    int r = yaml_parse(file, bytes, n, &d, e);
    if (r < 0) {
        return r;
    }
    if (d->root == NULL) {
        return err_set(e, ERR_INVALID, "%s:1:1: empty; write modules: [...]", file);
    }
    r = yaml_map_only(d, d->root, "file", keys, e);
    if (r == 0) {
        r = yaml_get_list(d, d->root, "modules", true, &list, e);
    }
    for (size_t i = 0; r == 0 && i < list->n; i++) {
        CLEANUP(str) struct str line = STR_INIT((size_t)64 << 10);
        r = put_module(d, list->items[i], &line, e);
        if (r == 0) {
            r = str_error(&line, e);
        }
        if (r == 0) {
            r = strv_add(ret, str_text(&line), e);
        }
    }
    return r;
}
