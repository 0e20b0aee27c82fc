/* The catalogue of modules and its meaning for one line. */
#include "probes/pam/modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/pam/dispatch.h"

#define RULE_ARGS_MAX 6U

struct rule {
    int code;
    const char *users, *services, *notservices, *scope, *needs;
    const char *args[RULE_ARGS_MAX], *noargs[RULE_ARGS_MAX];
    size_t n_args, n_noargs;
    const char *condition; /* text after if= or unless= */
    bool is_unless;
    bool has_pin;
};

struct module {
    char *text; /* the line, cut up; everything points into it */
    const char *names;
    bool is_gate;
    struct rule rules[PAM_OUTCOMES_MAX];
    size_t n_rules;
};

struct pam_catalogue {
    struct module *modules;
    size_t n, cap;
};

static const struct {
    const char *word;
    unsigned kinds;
} factor_kinds[] = {
    {"password", KIND_KNOWLEDGE},    {"kerberos", KIND_KNOWLEDGE},
    {"federated", KIND_KNOWLEDGE},   {"opaque", KIND_KNOWLEDGE},
    {"biometric", KIND_INHERENCE},   {"otp", KIND_POSSESSION},
    {"push", KIND_POSSESSION},       {"security-key", KIND_POSSESSION},
    {"public-key", KIND_POSSESSION}, {"certificate", KIND_POSSESSION},
    {"host-based", KIND_POSSESSION}, {"smartcard", KIND_POSSESSION | KIND_KNOWLEDGE}};

/* scope words: which variable, what its truth and its falsehood are called. Those of a module are
 * told apart by the module. */
static const struct {
    const char *word;
    const char *variable;
    bool of_module;
    bool is_yes;
    const char *yes, *no;
} scopes[] = {{"enrolled", "enrolled", true, true, NULL, "not-enrolled"},
              {"not-enrolled", "enrolled", true, false, NULL, "not-enrolled"},
              {"up", "up", true, true, NULL, "backend-down"},
              {"down", "up", true, false, NULL, "backend-down"},
              {"cached", "cached", true, true, "cached", NULL},
              {"aux", "aux", true, true, "aux", NULL},
              {"blank-password", "blank", false, true, "blank-password", NULL},
              {"invoker-root", "invoker", false, true, "invoker=root", NULL},
              {"invoker-user", "invoker", false, false, "invoker=root", NULL}};

struct pam_catalogue *pam_catalogue_new(void)
{
    return calloc(1, sizeof(struct pam_catalogue));
}

void pam_catalogue_free(struct pam_catalogue *c)
{
    for (size_t i = 0; c != NULL && i < c->n; i++) {
        free(c->modules[i].text);
    }
    if (c != NULL) {
        free(c->modules);
    }
    free(c);
}

void pam_world_done(struct pam_world *w)
{
    for (size_t i = 0; i < w->n_vars; i++) {
        free(w->vars[i].name);
        free(w->vars[i].yes);
        free(w->vars[i].no);
    }
    for (size_t i = 0; i < w->n_factors; i++) {
        free(w->factors[i].name);
        free(w->factors[i].word);
    }
    *w = (struct pam_world){0};
}

/* True if word is one of the list's, which are separated by `by`. */
static bool list_has(const char *list, char by, const char *word, size_t word_n)
{
    while (list != NULL && *list != '\0') {
        const char *end = strchr(list, by);
        size_t n = end != NULL ? (size_t)(end - list) : strlen(list);
        if (n == word_n && memcmp(list, word, n) == 0) {
            return true;
        }
        list = end != NULL ? end + 1 : NULL;
    }
    return false;
}

static int rule_key(struct rule *r, char *key, char *value)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {{"users", &r->users},
                 {"services", &r->services},
                 {"notservices", &r->notservices},
                 {"scope", &r->scope},
                 {"needs", &r->needs}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(texts[i].key, key) == 0) {
            *texts[i].to = value;
            return 0;
        }
    }
    if (strcmp(key, "pin") == 0) {
        r->has_pin = true;
        return 0;
    }
    if (strcmp(key, "arg") == 0 && r->n_args < RULE_ARGS_MAX) {
        r->args[r->n_args++] = value;
        return 0;
    }
    if (strcmp(key, "noarg") == 0 && r->n_noargs < RULE_ARGS_MAX) {
        r->noargs[r->n_noargs++] = value;
        return 0;
    }
    return ERR_MALFORMED;
}

/* "success users=local,root if=group={group}". */
static int parse_rule(char *text, struct rule *r, struct err *e)
{
    char *condition = strstr(text, " if=");
    char *unless = strstr(text, " unless=");
    if (condition == NULL || (unless != NULL && unless < condition)) {
        condition = unless;
    }
    if (condition != NULL) {
        r->is_unless = condition == unless;
        r->condition = strchr(condition, '=') + 1;
        *condition = '\0';
    }
    char *rest = text;
    const char *word = strsep(&rest, " ");
    r->code = pam_code_of(word);
    if (r->code < 0) {
        return err_set(e, ERR_MALFORMED, "\"%s\" is no return code", word);
    }
    for (char *item = strsep(&rest, " "); item != NULL; item = strsep(&rest, " ")) {
        char *value = strchr(item, '=');
        if (value == NULL) {
            return err_set(e, ERR_MALFORMED, "\"%s\" has no value", item);
        }
        *value++ = '\0';
        if (rule_key(r, item, value) < 0) {
            return err_set(e, ERR_MALFORMED, "\"%s\" is not known here", item);
        }
    }
    return 0;
}

static int parse_module(struct module *m, struct err *e)
{
    char *rest = m->text;
    m->names = strsep(&rest, "\t");
    for (char *field = strsep(&rest, "\t"); field != NULL; field = strsep(&rest, "\t")) {
        if (strcmp(field, "gate=succeed_if") == 0) {
            m->is_gate = true;
            continue;
        }
        if (m->n_rules == PAM_OUTCOMES_MAX) {
            return err_set(e, ERR_MALFORMED, "%s: more than %u outcomes", m->names,
                           PAM_OUTCOMES_MAX);
        }
        if (parse_rule(field, &m->rules[m->n_rules++], e) < 0) {
            return err_prefix(e, "module %s", m->names);
        }
    }
    return m->names[0] != '\0' && (m->n_rules > 0 || m->is_gate)
               ? 0
               : err_set(e, ERR_MALFORMED, "module \"%s\" has no outcome", m->names);
}

int pam_catalogue_add(struct pam_catalogue *c, const char *line, struct err *e)
{
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 64 : c->cap * 2;
        struct module *more = realloc(c->modules, cap * sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        c->modules = more;
        c->cap = cap;
    }
    struct module m = {.text = strdup(line)};
    if (m.text == NULL) {
        return err_nomem(e);
    }
    int r = parse_module(&m, e);
    if (r < 0) {
        free(m.text);
        return r;
    }
    c->modules[c->n++] = m;
    return 0;
}

/* "/lib/security/pam_unix.so" -> "unix"; a name of another form is its own. */
static const char *short_name(const char *module, size_t *ret_n)
{
    const char *slash = strrchr(module, '/');
    const char *name = slash != NULL ? slash + 1 : module;
    name += strncmp(name, "pam_", 4) == 0 ? 4 : 0;
    size_t n = strlen(name);
    *ret_n = n > 3 && strcmp(name + n - 3, ".so") == 0 ? n - 3 : n;
    return name;
}

static const struct module *find(const struct pam_catalogue *c, const char *module)
{
    size_t n = 0;
    const char *name = short_name(module, &n);
    for (size_t i = 0; i < c->n; i++) {
        if (list_has(c->modules[i].names, ',', name, n)) {
            return &c->modules[i];
        }
    }
    return NULL;
}

bool pam_module_is_known(const struct pam_catalogue *c, const char *module)
{
    return find(c, module) != NULL;
}

const char *pam_module_factor(const struct pam_catalogue *c, const char *module)
{
    const struct module *m = find(c, module);
    if (m == NULL) {
        return "opaque";
    }
    for (size_t i = 0; i < m->n_rules; i++) {
        if (m->rules[i].needs != NULL) {
            return m->rules[i].needs;
        }
    }
    return "";
}

static bool has_arg(const struct pam_handler *h, const char *alternatives)
{
    for (size_t i = 0; i < h->args.n; i++) {
        const char *arg = h->args.items[i];
        const char *equals = strchr(arg, '=');
        /* "nullok", "auth=x" as they stand; "grace_period=" for any value. */
        if (list_has(alternatives, '|', arg, strlen(arg)) ||
            (equals != NULL && list_has(alternatives, '|', arg, (size_t)(equals - arg) + 1))) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct rule *r, const struct pam_handler *h, const struct pam_asked *asked)
{
    static const char *const users[] = {"local", "root", "domain"};
    const char *user = users[asked->user];
    bool is_ok = r->users == NULL || list_has(r->users, ',', user, strlen(user));
    is_ok = is_ok && (r->services == NULL ||
                      list_has(r->services, ',', asked->service, strlen(asked->service)));
    is_ok = is_ok && (r->notservices == NULL ||
                      !list_has(r->notservices, ',', asked->service, strlen(asked->service)));
    for (size_t i = 0; i < r->n_args && is_ok; i++) {
        is_ok = has_arg(h, r->args[i]);
    }
    for (size_t i = 0; i < r->n_noargs && is_ok; i++) {
        is_ok = !has_arg(h, r->noargs[i]);
    }
    return is_ok;
}

/* Bit of a variable, made if need be; *ret_bit 0: the world is full. */
static int world_var(struct pam_world *w, const char *name, const char *yes, const char *no,
                     uint64_t *ret_bit, struct err *e)
{
    *ret_bit = 0;
    for (size_t i = 0; i < w->n_vars; i++) {
        if (strcmp(w->vars[i].name, name) == 0) {
            *ret_bit = UINT64_C(1) << i;
            return 0;
        }
    }
    if (w->n_vars == PAM_VARS_MAX) {
        w->is_full = true;
        return 0;
    }
    struct pam_var *v = &w->vars[w->n_vars];
    *v = (struct pam_var){.name = strdup(name),
                          .yes = yes != NULL ? strdup(yes) : NULL,
                          .no = no != NULL ? strdup(no) : NULL};
    *ret_bit = UINT64_C(1) << w->n_vars++;
    bool is_short =
        v->name == NULL || (yes != NULL && v->yes == NULL) || (no != NULL && v->no == NULL);
    return is_short ? err_nomem(e) : 0;
}

int pam_world_if(struct pam_world *w, const char *text, uint64_t *ret_bit, struct err *e)
{
    CLEANUP(str) struct str yes = STR_INIT(1024);
    CLEANUP(str) struct str no = STR_INIT(1024);
    str_addf(&yes, "if:%s", text);
    str_addf(&no, "if:not %s", text);
    if (str_error(&yes, NULL) < 0 || str_error(&no, NULL) < 0) {
        w->is_full = true; /* a condition of a length that nobody writes */
        *ret_bit = 0;
        return 0;
    }
    /* A comma separates the words of a scope. */
    for (size_t i = 0; i < yes.len; i++) {
        yes.data[i] = yes.data[i] == ',' ? ';' : yes.data[i];
    }
    for (size_t i = 0; i < no.len; i++) {
        no.data[i] = no.data[i] == ',' ? ';' : no.data[i];
    }
    return world_var(w, str_text(&yes), str_text(&yes), str_text(&no), ret_bit, e);
}

static int world_factor(struct pam_world *w, const char *word, const char *module, size_t module_n,
                        bool has_pin, uint64_t *ret_bit, struct err *e)
{
    char name[512];
    (void)snprintf(name, sizeof(name), "%s%s@%.*s", word, has_pin ? "+pin" : "",
                   (int)(module_n < 400 ? module_n : 400), module);
    for (size_t i = 0; i < w->n_factors; i++) {
        if (strcmp(w->factors[i].name, name) == 0) {
            *ret_bit |= UINT64_C(1) << i;
            return 0;
        }
    }
    if (w->n_factors == PAM_FACTORS_MAX) {
        w->is_full = true;
        return 0;
    }
    struct pam_factor *f = &w->factors[w->n_factors];
    *f = (struct pam_factor){.name = strdup(name), .word = strdup(word)};
    for (size_t i = 0; i < ARRAY_LEN(factor_kinds); i++) {
        if (strcmp(factor_kinds[i].word, word) == 0) {
            f->kinds = factor_kinds[i].kinds;
        }
    }
    f->kinds |= has_pin ? KIND_KNOWLEDGE : 0U;
    *ret_bit |= UINT64_C(1) << w->n_factors++;
    return f->name == NULL || f->word == NULL ? err_nomem(e) : 0;
}

/* "listed {item} in {file}" with the line's own arguments. */
static void expand(const char *text, const struct pam_handler *h, struct str *out)
{
    while (*text != '\0') {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        if (end == NULL) {
            str_add_char(out, *text++);
            continue;
        }
        size_t n = (size_t)(end - text) - 1;
        for (size_t i = 0; i < h->args.n; i++) {
            const char *arg = h->args.items[i];
            if (strncmp(arg, text + 1, n) == 0 && arg[n] == '=') {
                str_add(out, arg + n + 1);
                break;
            }
        }
        text = end + 1;
    }
}

static int apply_scope(const char *scope, const char *module, size_t module_n, struct pam_world *w,
                       struct pam_outcome *o, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        char name[512];
        uint64_t bit = 0;
        if (!list_has(scope, ',', scopes[i].word, strlen(scopes[i].word))) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "%s:%.*s", scopes[i].variable,
                       (int)(!scopes[i].of_module ? 0
                             : module_n < 400     ? module_n
                                                  : 400),
                       module);
        int r = world_var(w, name, scopes[i].yes, scopes[i].no, &bit, e);
        if (r < 0) {
            return r;
        }
        if (scopes[i].is_yes) {
            o->yes |= bit;
        } else {
            o->no |= bit;
        }
    }
    return 0;
}

static int apply_rule(const struct rule *r, const struct pam_handler *h, struct pam_world *w,
                      struct pam_outcome *o, struct err *e)
{
    size_t module_n = 0;
    const char *module = short_name(h->module, &module_n);
    int rc = r->scope != NULL ? apply_scope(r->scope, module, module_n, w, o, e) : 0;
    if (rc == 0 && r->needs != NULL) {
        rc = world_factor(w, r->needs, module, module_n, r->has_pin, &o->factors, e);
    }
    if (rc == 0 && r->condition != NULL) {
        CLEANUP(str) struct str text = STR_INIT(900);
        uint64_t bit = 0;
        expand(r->condition, h, &text);
        rc = pam_world_if(w, str_text(&text), &bit, e);
        if (text.error != 0) {
            w->is_full = true;
        }
        if (r->is_unless) {
            o->no |= bit;
        } else {
            o->yes |= bit;
        }
    }
    return rc;
}

void pam_outcome_push(struct pam_outcome_list *l, struct pam_outcome o)
{
    if (l->n == PAM_OUTCOMES_MAX) {
        l->world->is_full = true;
        return;
    }
    l->items[l->n++] = o;
}

/* Success for something that is not known, or any failure; and it may have no opinion at all, as
 * many small modules do. */
static int opaque_outcomes(const struct pam_handler *h, struct pam_outcome_list *out, struct err *e)
{
    size_t n = 0;
    const char *name = short_name(h->module, &n);
    struct pam_outcome o = {.code = PAMC_SUCCESS};
    int r = world_factor(out->world, "opaque", name, n, false, &o.factors, e);
    pam_outcome_push(out, o);
    pam_outcome_push(out, (struct pam_outcome){.code = PAMC_AUTH_ERR});
    pam_outcome_push(out, (struct pam_outcome){.code = PAMC_IGNORE});
    return r;
}

/* pam_debug(8): "auth=authinfo_unavail"; without it, success. */
static bool debug_outcome(const struct pam_handler *h, struct pam_outcome_list *out)
{
    size_t n = 0;
    const char *name = short_name(h->module, &n);
    if (n != 5 || memcmp(name, "debug", 5) != 0) {
        return false;
    }
    int code = PAMC_SUCCESS;
    for (size_t i = 0; i < h->args.n; i++) {
        int said =
            strncmp(h->args.items[i], "auth=", 5) == 0 ? pam_code_of(h->args.items[i] + 5) : -1;
        code = said >= 0 ? said : code;
    }
    pam_outcome_push(out, (struct pam_outcome){.code = code});
    return true;
}

int pam_outcomes(const struct pam_catalogue *c, const struct pam_handler *h,
                 const struct pam_asked *asked, struct pam_world *w,
                 struct pam_outcome ret[PAM_OUTCOMES_MAX], size_t *ret_n, struct err *e)
{
    struct pam_outcome_list out = {.items = ret, .world = w};
    int fixed = 0;
    int r = 0;
    if (pam_fixed_answer(h, &fixed)) {
        pam_outcome_push(&out, (struct pam_outcome){.code = fixed});
        *ret_n = out.n;
        return 0;
    }
    const struct module *m = find(c, h->module);
    if (m == NULL) {
        r = opaque_outcomes(h, &out, e);
    } else if (m->is_gate) {
        r = pam_gate_succeed_if(h, asked, &out, e);
    } else if (!debug_outcome(h, &out)) {
        for (size_t i = 0; i < m->n_rules && r == 0; i++) {
            if (holds(&m->rules[i], h, asked)) {
                struct pam_outcome o = {.code = m->rules[i].code};
                r = apply_rule(&m->rules[i], h, w, &o, e);
                pam_outcome_push(&out, o);
            }
        }
    }
    if (out.n == 0) {
        pam_outcome_push(&out, (struct pam_outcome){.code = PAMC_AUTH_ERR});
    }
    *ret_n = out.n;
    return r;
}
