/* What gets in when a module is probed, in libkmod's order (libkmod-module.c,
 * kmod_module_get_probe_list and kmod_module_probe_insert_module): what it needs first, soft
 * dependencies around each, install commands instead of loading. */
#include <fnmatch.h>
#include <string.h>

#include "probes/media/kmod.h"
#include "probes/system/text.h"

#define STEPS_MAX 512U
#define DEPTH_MAX 24U

struct step {
    const struct kmod_module *m; /* NULL: no such module, perhaps an install command */
    char name[KMOD_NAME_MAX];
    bool required;
    bool ignore_command;
};

struct steps {
    const struct kmod_world *w;
    struct step list[STEPS_MAX];
    size_t n;
    char visited[STEPS_MAX][KMOD_NAME_MAX];
    size_t n_visited;
    bool overflow;
};

const struct kmod_rule *kmod_conf_find(const struct kmod_conf *c, int kind, const char *module)
{
    for (size_t i = 0; i < c->n; i++) {
        if ((int)c->rules[i].kind == kind && fnmatch(c->rules[i].name, module, 0) == 0) {
            return &c->rules[i];
        }
    }
    return NULL;
}

bool kmod_is_blacklisted(const struct kmod_world *w, const char *module, unsigned *ret_barrier)
{
    for (size_t i = 0; i < w->conf->n; i++) {
        const struct kmod_rule *r = &w->conf->rules[i];
        unsigned by = r->from_cmdline ? KMOD_BY_CMDLINE : KMOD_BY_BLACKLIST;
        if (r->kind == KMOD_BLACKLIST && (w->barriers & by) != 0 && strcmp(r->name, module) == 0) {
            if (ret_barrier != NULL) {
                *ret_barrier = by;
            }
            return true;
        }
    }
    return false;
}

static void add_step(struct steps *s, const struct kmod_module *m, const char *name, bool ignore)
{
    if (s->n == STEPS_MAX || strlen(name) >= KMOD_NAME_MAX) {
        s->overflow = true;
        return;
    }
    struct step *step = &s->list[s->n++];
    *step = (struct step){.m = m, .ignore_command = ignore};
    memcpy(step->name, name, strlen(name) + 1);
}

static void add_tree(struct steps *s, const char *name, unsigned depth);

/* Names in "pre: a b post: c" of one side; resolved like any name, aliases of the configuration
 * included. */
static size_t soft_side(struct steps *s, const struct kmod_rule *r, bool post, bool run,
                        unsigned depth)
{
    struct span rest = span_of(r->text, strlen(r->text));
    struct span word;
    int side = -1;
    size_t n = 0;
    /* libkmod takes one leading blank for a part of the first word, and then knows no "pre:" */
    if (strchr(" \t", r->text[0]) != NULL && strchr(" \t", r->text[1]) == NULL) {
        (void)span_word(&rest, &word);
    }
    while (span_word(&rest, &word)) {
        if (span_is(word, "pre:") || span_is(word, "post:")) {
            side = span_is(word, "post:");
            continue;
        }
        char name[KMOD_NAME_MAX];
        if (side != (int)post || word.n >= sizeof(name)) {
            continue;
        }
        for (size_t i = 0; i < word.n; i++) {
            name[i] = word.p[i] == '-' ? '_' : word.p[i];
        }
        name[word.n] = '\0';
        const struct kmod_rule *alias = NULL;
        bool found = false;
        for (size_t i = 0; i < s->w->conf->n; i++) {
            alias = &s->w->conf->rules[i];
            if (alias->kind == KMOD_ALIAS && fnmatch(alias->name, name, 0) == 0) {
                found = true;
                n++;
                if (run) {
                    add_tree(s, alias->text, depth + 1);
                }
            }
        }
        bool known = kmod_index_find(s->w->index, name, strlen(name)) != NULL;
        for (size_t i = 0; i < s->w->conf->n && !known; i++) {
            known = s->w->conf->rules[i].kind == KMOD_INSTALL &&
                    strcmp(s->w->conf->rules[i].name, name) == 0;
        }
        if (!found && known) {
            n++;
            if (run) {
                add_tree(s, name, depth + 1);
            }
        }
    }
    return n;
}

/* The module among its soft dependencies. libkmod ignores the install command of a module that has
 * any. */
static void add_with_soft(struct steps *s, const struct kmod_module *m, const char *name,
                          unsigned depth)
{
    const struct kmod_rule *soft = kmod_conf_find(s->w->conf, KMOD_SOFTDEP, name);
    bool any = false;
    if (soft != NULL) {
        any = soft_side(s, soft, false, false, depth) + soft_side(s, soft, true, false, depth) > 0;
        (void)soft_side(s, soft, false, true, depth);
    }
    add_step(s, m, name, any);
    if (soft != NULL) {
        (void)soft_side(s, soft, true, true, depth);
    }
}

static bool visit(struct steps *s, const char *name)
{
    for (size_t i = 0; i < s->n_visited; i++) {
        if (strcmp(s->visited[i], name) == 0) {
            return false;
        }
    }
    if (s->n_visited == STEPS_MAX || strlen(name) >= KMOD_NAME_MAX) {
        s->overflow = true;
        return false;
    }
    memcpy(s->visited[s->n_visited++], name, strlen(name) + 1);
    return true;
}

static const struct kmod_module *module_of_path(const struct kmod_index *x, struct span path)
{
    size_t from = 0;
    for (size_t i = 0; i < path.n; i++) {
        from = path.p[i] == '/' ? i + 1 : from;
    }
    size_t n = from;
    while (n < path.n && path.p[n] != '.') {
        n++;
    }
    return kmod_index_find(x, path.p + from, n - from);
}

/* What a module needs, deepest first: the reverse of its line in modules.dep. */
static size_t needs_of(const struct kmod_index *x, const struct kmod_module *m,
                       const struct kmod_module **ret, size_t max)
{
    struct span rest = span_of(m != NULL ? m->deps : "", m != NULL ? m->deps_n : 0);
    struct span word;
    size_t n = 0;
    while (span_word(&rest, &word) && n < max) {
        const struct kmod_module *dep = module_of_path(x, word);
        if (dep != NULL) {
            ret[n++] = dep;
        }
    }
    for (size_t i = 0; i < n / 2; i++) {
        const struct kmod_module *swap = ret[i];
        ret[i] = ret[n - 1 - i];
        ret[n - 1 - i] = swap;
    }
    return n;
}

static void add_tree(struct steps *s, const char *name, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        s->overflow = true;
        return;
    }
    if (!visit(s, name)) {
        return;
    }
    const struct kmod_module *needs[128];
    const struct kmod_module *m = kmod_index_find(s->w->index, name, strlen(name));
    size_t n = needs_of(s->w->index, m, needs, ARRAY_LEN(needs));
    s->overflow = s->overflow || n == ARRAY_LEN(needs);
    for (size_t i = 0; i < n; i++) {
        add_with_soft(s, needs[i], needs[i]->name, depth);
    }
    add_with_soft(s, m, name, depth);
}

/* The whole list; required are the module and what it needs, not soft dependencies. */
static void make_steps(struct steps *s, const struct kmod_world *w, const char *module)
{
    const struct kmod_module *needs[128];
    s->w = w;
    s->n = 0;
    s->n_visited = 0;
    s->overflow = false;
    add_tree(s, module, 0);
    const struct kmod_module *m = kmod_index_find(w->index, module, strlen(module));
    size_t n = needs_of(w->index, m, needs, ARRAY_LEN(needs));
    for (size_t i = 0; i < s->n; i++) {
        struct step *step = &s->list[i];
        step->required = strcmp(step->name, module) == 0;
        for (size_t k = 0; k < n && !step->required; k++) {
            step->required = step->m == needs[k];
        }
    }
}

/* The install command that counts: the first whose pattern matches; for a name that modules.dep
 * does not hold, kmod's look-up comes upon the command of exactly that name before. */
static const struct kmod_rule *command_of(const struct kmod_world *w, const struct step *step)
{
    bool listed = step->m != NULL && !step->m->builtin;
    for (size_t i = 0; i < w->conf->n && !listed; i++) {
        const struct kmod_rule *r = &w->conf->rules[i];
        if (r->kind == KMOD_INSTALL && strcmp(r->name, step->name) == 0) {
            return r;
        }
    }
    return kmod_conf_find(w->conf, KMOD_INSTALL, step->name);
}

/* Commands that are known to load nothing. Anything else may. */
static bool loads_nothing(const char *command)
{
    static const char *const words[] = {
        "/bin/false",    "/bin/true", "/usr/bin/false",    "/usr/bin/true", "false", "true",
        "/sbin/nologin", ":",         "/usr/sbin/nologin", "/dev/null"};
    struct span rest = span_of(command, strlen(command));
    struct span word;
    if (!span_word(&rest, &word)) {
        return false;
    }
    rest = span_trim(rest);
    bool alone = rest.n == 0 || rest.p[0] == '#';
    for (size_t i = 0; i < ARRAY_LEN(words) && alone; i++) {
        if (span_is(word, words[i])) {
            return true;
        }
    }
    return false;
}

/* How far each module of the list gets. */
static enum kmod_answer in_kernel_after(const struct steps *s, size_t upto,
                                        const enum kmod_answer *after, const struct kmod_module *m)
{
    enum kmod_answer best = m->builtin || (m->loaded && !s->w->after_boot) ? KMOD_YES : KMOD_NO;
    for (size_t i = 0; i < upto; i++) {
        if (s->list[i].m == m && after[i] > best) {
            best = after[i];
        }
    }
    return best;
}

static enum kmod_answer insert(const struct steps *s, size_t at, const enum kmod_answer *after,
                               unsigned *barrier)
{
    const struct kmod_world *w = s->w;
    const struct step *step = &s->list[at];
    if (step->m != NULL && in_kernel_after(s, at, after, step->m) == KMOD_YES) {
        return KMOD_YES;
    }
    const struct kmod_rule *command = command_of(w, step);
    if (command != NULL && !step->ignore_command && (w->barriers & KMOD_BY_INSTALL) != 0) {
        *barrier |= KMOD_BY_INSTALL;
        return loads_nothing(command->text) ? KMOD_NO : KMOD_MAYBE;
    }
    if (step->m == NULL) {
        return KMOD_NO;
    }
    if ((w->barriers & KMOD_BY_CMDLINE) != 0 && strv_has(&w->conf->kernel_blacklist, step->name)) {
        *barrier |= KMOD_BY_CMDLINE;
        return KMOD_NO;
    }
    if ((w->barriers & KMOD_BY_DISABLED) != 0 && w->modules_disabled && !w->after_boot) {
        *barrier |= KMOD_BY_DISABLED;
        return KMOD_NO;
    }
    const struct kmod_module *needs[128];
    size_t n = needs_of(w->index, step->m, needs, ARRAY_LEN(needs));
    enum kmod_answer answer = KMOD_YES;
    for (size_t i = 0; i < n; i++) { /* unknown symbols without them */
        enum kmod_answer one = in_kernel_after(s, at, after, needs[i]);
        answer = one < answer ? one : answer;
    }
    return answer;
}

enum kmod_answer kmod_probe(const struct kmod_world *w, const char *module, const char *target,
                            unsigned *ret_barrier)
{
    CLEANUP(free) struct steps *s = malloc(sizeof(*s));
    enum kmod_answer after[STEPS_MAX];
    enum kmod_answer got = KMOD_NO;
    unsigned barrier = 0;
    bool certain = true; /* that the list is still being worked through */
    if (s == NULL) {
        *ret_barrier = 0;
        return KMOD_MAYBE;
    }
    make_steps(s, w, module);
    for (size_t i = 0; i < s->n; i++) {
        after[i] = insert(s, i, after, &barrier);
        if (!certain && after[i] == KMOD_YES) {
            after[i] = KMOD_MAYBE;
        }
        if (strcmp(s->list[i].name, target) == 0 && after[i] > got) {
            got = after[i];
        }
        if (s->list[i].required && after[i] == KMOD_NO) {
            /* a command that ends well goes on without it, one that fails ends the list */
            certain = false;
        }
    }
    *ret_barrier = barrier;
    return s->overflow && got == KMOD_NO ? KMOD_MAYBE : got;
}

int kmod_show_depends(const struct kmod_world *w, const char *module, struct str *out,
                      struct err *e)
{
    CLEANUP(free) struct steps *s = malloc(sizeof(*s));
    if (s == NULL) {
        return err_nomem(e);
    }
    make_steps(s, w, module);
    for (size_t i = 0; i < s->n; i++) {
        const struct step *step = &s->list[i];
        const struct kmod_rule *command = command_of(w, step);
        if (command != NULL && !step->ignore_command) {
            str_addf(out, "install %s\n", command->text);
        } else if (step->m != NULL && step->m->builtin) {
            str_addf(out, "builtin %s\n", step->name);
        } else if (step->m != NULL) {
            str_addf(out, "insmod %.*s\n", (int)step->m->path_n, step->m->path);
        }
    }
    if (s->overflow) {
        return err_set(e, ERR_LIMIT, "%s: more than %u steps", module, STEPS_MAX);
    }
    return str_error(out, e);
}
