/* Every way in for a driver: the aliases and lists that lead to it, or to a module that pulls it in
 * with itself. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "probes/media/kmod.h"
#include "probes/system/text.h"

#define ALIAS_TEXT_MAX 512U

/* A name that a device matching the pattern can have, wildcards filled in. Two fillings tell apart
 * a rule for all such devices from one for some. */
static bool fill_pattern(const struct kmod_alias *a, char fill, char *ret, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < a->pattern_n; i++) {
        char c = a->pattern[i];
        size_t times = c == '*' ? 4 : 1;
        if (n + times >= size) {
            return false;
        }
        if (c == '[') {
            ret[n++] = i + 1 < a->pattern_n ? a->pattern[i + 1] : '0';
            while (i < a->pattern_n && a->pattern[i] != ']') {
                i++;
            }
            continue;
        }
        for (size_t k = 0; k < times; k++) {
            ret[n++] = c == '*' || c == '?' ? fill : c == '-' ? '_' : c;
        }
    }
    ret[n] = '\0';
    return true;
}

struct reach {
    const struct kmod_world *w;
    const char *driver;
    bool *leads; /* per module: pulls the driver in */
    struct kmod_reach *ret;
};

/* One way in. how: what leads there. */
static void try_way(struct reach *r, const char *module, const char *how)
{
    unsigned barrier = 0;
    enum kmod_answer answer = KMOD_NO;
    if (!kmod_is_blacklisted(r->w, module, &barrier)) {
        answer = kmod_probe(r->w, module, r->driver, &barrier);
    }
    r->ret->barriers |= barrier;
    if (answer > r->ret->answer) {
        r->ret->answer = answer;
        (void)snprintf(r->ret->why, sizeof(r->ret->why), "%s by %s",
                       answer == KMOD_MAYBE ? "perhaps" : "loaded", how);
    }
}

/* libkmod asks the configuration's aliases first; what they say hides the kernel's own. */
static bool try_configured(struct reach *r, const char *name)
{
    bool hides = false;
    for (size_t i = 0; i < r->w->conf->n; i++) {
        const struct kmod_rule *rule = &r->w->conf->rules[i];
        if (rule->kind == KMOD_ALIAS && fnmatch(rule->name, name, 0) == 0) {
            hides = true;
            try_way(r, rule->text, rule->name);
        }
    }
    return hides;
}

static void try_aliases(struct reach *r)
{
    const struct kmod_index *x = r->w->index;
    unsigned tried = ~0U; /* one alias without a rule of its own stands for all of a module */
    bool plain = false;
    for (size_t i = 0; i < x->n_aliases && r->ret->answer != KMOD_YES; i++) {
        const struct kmod_alias *a = &x->aliases[i];
        char low[ALIAS_TEXT_MAX];
        char high[ALIAS_TEXT_MAX];
        if (!r->leads[a->module] || (a->module == tried && plain)) {
            continue;
        }
        tried = a->module;
        /* an alias that leads elsewhere is a blacklisting by another spelling */
        bool filled = (r->w->barriers & KMOD_BY_BLACKLIST) != 0 &&
                      fill_pattern(a, '0', low, sizeof(low)) &&
                      fill_pattern(a, 'F', high, sizeof(high));
        bool hidden = filled && try_configured(r, low);
        hidden = filled && try_configured(r, high) && hidden;
        plain = !hidden;
        if (hidden) {
            r->ret->barriers |= KMOD_BY_BLACKLIST;
        } else {
            try_way(r, x->modules[a->module].name, x->modules[a->module].name);
        }
    }
}

/* Aliases of the configuration may name devices that the kernel's own do not. */
static void try_added_aliases(struct reach *r)
{
    for (size_t i = 0; i < r->w->conf->n && r->ret->answer != KMOD_YES; i++) {
        const struct kmod_rule *rule = &r->w->conf->rules[i];
        if (rule->kind != KMOD_ALIAS || strchr(rule->name, ':') == NULL) {
            continue;
        }
        const struct kmod_module *m = kmod_index_find(r->w->index, rule->text, strlen(rule->text));
        if (m != NULL && r->leads[m - r->w->index->modules]) {
            try_way(r, m->name, rule->name);
        }
    }
}

static void try_lists(struct reach *r)
{
    const struct strv *lists = r->w->load_lists;
    for (size_t i = 0; lists != NULL && i < lists->n && r->ret->answer != KMOD_YES; i++) {
        const struct kmod_module *m =
            kmod_index_find(r->w->index, lists->items[i], strlen(lists->items[i]));
        if (r->w->after_boot && m != NULL && r->leads[m - r->w->index->modules]) {
            try_way(r, m->name, "modules-load.d");
        }
    }
}

static bool names_module(const char *text, const char *name)
{
    struct span rest = span_of(text, strlen(text));
    struct span word;
    while (span_word(&rest, &word)) {
        bool same = word.n == strlen(name);
        for (size_t i = 0; i < word.n && same; i++) {
            same = (word.p[i] == '-' ? '_' : word.p[i]) == name[i];
        }
        if (same) {
            return true;
        }
    }
    return false;
}

/* Marks what pulls module `of` in: what needs it, and what names it as a soft dependency. True if
 * anything new was marked. */
static bool mark_above(struct reach *r, const struct kmod_module *of)
{
    const struct kmod_index *x = r->w->index;
    bool any = false;
    for (size_t i = 0; i < x->n; i++) {
        const struct kmod_module *m = &x->modules[i];
        bool above =
            m->deps_n > of->path_n && memmem(m->deps, m->deps_n, of->path, of->path_n) != NULL;
        if (above && !r->leads[i]) {
            r->leads[i] = true;
            any = true;
        }
    }
    for (size_t k = 0; k < r->w->conf->n; k++) {
        const struct kmod_rule *rule = &r->w->conf->rules[k];
        if (rule->kind != KMOD_SOFTDEP || !names_module(rule->text, of->name)) {
            continue;
        }
        for (size_t i = 0; i < x->n; i++) {
            if (!r->leads[i] && fnmatch(rule->name, x->modules[i].name, 0) == 0) {
                r->leads[i] = true;
                any = true;
            }
        }
    }
    return any;
}

/* modules.dep names all that a module needs, so one look suffices but for soft dependencies. */
static void mark_leads(struct reach *r, const struct kmod_module *driver)
{
    const struct kmod_index *x = r->w->index;
    r->leads[driver - x->modules] = true;
    bool again = mark_above(r, driver);
    for (size_t k = 0; k < r->w->conf->n && again; k++) {
        const struct kmod_rule *rule = &r->w->conf->rules[k];
        for (size_t i = 0; i < x->n && rule->kind == KMOD_SOFTDEP; i++) {
            if (r->leads[i] && fnmatch(rule->name, x->modules[i].name, 0) == 0) {
                (void)mark_above(r, &x->modules[i]);
            }
        }
    }
}

static void say_barrier(struct kmod_reach *ret)
{
    if (ret->answer == KMOD_NO && ret->why[0] == '\0') {
        (void)snprintf(ret->why, sizeof(ret->why), "%s",
                       ret->barriers == 0 ? "nothing loads it by itself" : "");
    }
}

int kmod_reach(const struct kmod_world *w, const char *driver, struct kmod_reach *ret,
               struct err *e)
{
    *ret = (struct kmod_reach){.answer = KMOD_NO};
    const struct kmod_module *m = kmod_index_find(w->index, driver, strlen(driver));
    if (m == NULL) {
        return 0;
    }
    ret->exists = true;
    ret->is_builtin = m->builtin;
    ret->in_kernel = m->builtin || (m->loaded && !w->after_boot);
    if (ret->in_kernel) {
        ret->answer = KMOD_YES;
        (void)snprintf(ret->why, sizeof(ret->why), "%s",
                       m->builtin ? "built into the kernel" : "loaded already");
        return 0;
    }
    CLEANUP(free) bool *leads = calloc(w->index->n, sizeof(*leads));
    if (leads == NULL) {
        return err_nomem(e);
    }
    struct reach r = {.w = w, .driver = driver, .leads = leads, .ret = ret};
    mark_leads(&r, m);
    try_aliases(&r);
    try_added_aliases(&r);
    try_lists(&r);
    say_barrier(ret);
    return 0;
}
