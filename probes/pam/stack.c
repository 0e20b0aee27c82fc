/* Lines to handlers, as libpam/pam_handlers.c does it. */
#include "probes/pam/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/pam/lex.h"

#define INCLUDE_DEPTH_MAX 64U /* of our own; an honest configuration has five */

struct loader {
    const struct pam_files *files;
    const struct pam_dialect *dialect;
    struct pam_stack *stack;
    const char *service;
    struct err *e;
};

struct source {
    const char *text;
    size_t n;
    const char *path;
    const char *service; /* NULL: pam.conf, each line names its own */
    enum pam_type requested;
    unsigned level;
    unsigned depth;
    const struct source *outer; /* the file that includes this one */
};

enum { LOAD_OK = 0, LOAD_FAILED = 1 }; /* besides ERR_NOMEM: libpam's PAM_ABORT */

void pam_stack_done(struct pam_stack *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct pam_handler *h = s->items[i];
        free(h->control);
        free(h->module);
        free(h->file);
        strv_done(&h->args);
        free(h);
    }
    free(s->items);
    *s = (struct pam_stack){0};
}

const char *pam_type_word(enum pam_type type)
{
    static const char *const words[] = {"", "auth", "session", "account", "password"};
    return words[type];
}

static int add_handler(struct loader *l, const struct pam_handler *from, const char *control,
                       const char *module, const char *path)
{
    struct pam_stack *s = l->stack;
    if (s->n >= PAM_HANDLERS) {
        s->bounded = true;
        (void)snprintf(s->reason, sizeof(s->reason), "bound: more than %u lines", PAM_HANDLERS);
        return LOAD_FAILED;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 16 : s->cap * 2;
        struct pam_handler **items = realloc(s->items, cap * sizeof(struct pam_handler *));
        if (items == NULL) {
            return err_nomem(l->e);
        }
        s->items = items;
        s->cap = cap;
    }
    struct pam_handler *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return err_nomem(l->e);
    }
    *h = *from;
    h->args = (struct strv){0};
    h->control = strdup(control != NULL ? control : "");
    h->module = strdup(module != NULL ? module : "");
    h->file = strdup(path);
    s->items[s->n++] = h;
    return h->control == NULL || h->module == NULL || h->file == NULL ? err_nomem(l->e) : LOAD_OK;
}

static void set_default(int actions[PAM_CODES], int action)
{
    for (size_t i = 0; i < PAM_CODES; i++) {
        if (actions[i] == PAMA_UNDEF) {
            actions[i] = action;
        }
    }
}

static int parse_text(struct loader *l, const struct source *from);

/* True if the file already stands in the chain of includes: Debian's engine then goes on until it
 * runs out of descriptors, and the line fails. */
static bool is_loop(const struct source *from, const char *path)
{
    for (const struct source *f = from; f != NULL; f = f->outer) {
        if (strcmp(f->path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int load_file(struct loader *l, const struct source *from, const char *name,
                     enum pam_type type, unsigned level)
{
    CLEANUP(str) struct str text = STR_INIT(PAM_FILE_MAX);
    CLEANUP(str) struct str path = STR_INIT(4096);
    struct err local = {0};
    unsigned depth = from->depth + 1;
    if (level >= PAM_LEVELS || name == NULL ||
        (l->dialect->counts_includes && depth >= PAM_LEVELS)) {
        return LOAD_FAILED;
    }
    int r = l->files->read(l->files->arg, name, true, &text, &path, &local);
    if (r == ERR_ABSENT) {
        return LOAD_FAILED;
    }
    if (r < 0) {
        l->stack->unseen = r;
        (void)snprintf(l->stack->reason, sizeof(l->stack->reason), "%.250s", local.msg);
        return LOAD_FAILED;
    }
    if (depth >= INCLUDE_DEPTH_MAX) {
        if (!is_loop(from, str_text(&path))) {
            l->stack->bounded = true;
            (void)snprintf(l->stack->reason, sizeof(l->stack->reason),
                           "bound: includes deeper than %u", INCLUDE_DEPTH_MAX);
        }
        return LOAD_FAILED;
    }
    struct source to = {.text = str_text(&text),
                        .n = text.len,
                        .path = str_text(&path),
                        .service = from->service != NULL ? from->service : l->service,
                        .requested = type,
                        .level = level,
                        .depth = depth,
                        .outer = from};
    return parse_text(l, &to);
}

struct line {
    struct pam_handler h;
    bool is_include;
    bool is_substack;
    char *control;
    char *module;
};

/* "auth", "-auth", "@include", or what is none of them: a handler that must fail, of type auth
 * where the file was not included for another. */
static void read_type(const struct loader *l, const struct source *from, char **rest,
                      struct line *line)
{
    enum pam_type fallback = from->requested != PAMT_ANY ? from->requested : PAMT_AUTH;
    const char *tok = pam_token(rest);
    line->h.type = fallback;
    if (tok == NULL) {
        line->h.kind = PAMH_MUST_FAIL;
        return;
    }
    tok += tok[0] == '-';
    if (l->dialect->at_include && strcasecmp(tok, "@include") == 0) {
        line->is_include = true;
        line->h.type = from->requested;
        return;
    }
    for (enum pam_type t = PAMT_AUTH; t <= PAMT_PASSWORD; t++) {
        if (strcasecmp(tok, pam_type_word(t)) == 0) {
            line->h.type = t;
            return;
        }
    }
    line->h.kind = PAMH_MUST_FAIL;
}

static void read_control(const struct loader *l, char **rest, struct line *line)
{
    char *tok = pam_token(rest);
    line->control = tok;
    if (tok == NULL) {
        set_default(line->h.actions, PAMA_BAD);
        line->h.kind = PAMH_MUST_FAIL;
    } else if (strcasecmp(tok, "include") == 0) {
        line->is_include = true;
    } else if (strcasecmp(tok, "substack") == 0) {
        line->is_include = true;
        line->is_substack = true;
    } else {
        pam_control_parse(tok, l->dialect->engine_15, line->h.actions);
    }
}

/* The marker in front of a substack's lines, then these; or in their place one line that fails. */
static int take_include(struct loader *l, const struct source *from, struct line *line)
{
    const char *word = line->control != NULL ? line->control : "@include";
    if (line->is_substack) {
        struct pam_handler marker = line->h;
        marker.kind = PAMH_SUBSTACK;
        int r = add_handler(l, &marker, word, line->module, from->path);
        if (r != LOAD_OK) {
            return r;
        }
    }
    int r =
        load_file(l, from, line->module, line->h.type, from->level + (line->is_substack ? 1 : 0));
    if (r != LOAD_FAILED || l->stack->bounded) {
        return r;
    }
    line->h.kind = PAMH_MUST_FAIL;
    set_default(line->h.actions, PAMA_BAD);
    if (line->control == NULL && line->h.type != PAMT_ANY) {
        /* Debian's libpam takes the actions of this line from memory that it has not set. */
        l->stack->bounded = true;
        (void)snprintf(l->stack->reason, sizeof(l->stack->reason),
                       "bound: %.200s:%u: what libpam does with it is undefined", from->path,
                       line->h.line);
    }
    /* A failed @include belongs to no type: there is no list to put it on. */
    return line->h.type == PAMT_ANY ? LOAD_FAILED
                                    : add_handler(l, &line->h, word, line->module, from->path);
}

static int take_args(struct loader *l, char *rest)
{
    struct strv *args = &l->stack->items[l->stack->n - 1]->args;
    for (const char *tok = pam_token(&rest); tok != NULL; tok = pam_token(&rest)) {
        if (strv_add(args, tok, l->e) < 0) {
            return ERR_NOMEM;
        }
    }
    return LOAD_OK;
}

static int take_line(struct loader *l, const struct source *from, char *text, unsigned number)
{
    char *rest = text;
    const char *service = from->service;
    if (service == NULL) {
        service = pam_token(&rest);
    }
    if (service == NULL) {
        return LOAD_OK;
    }
    bool other = strcasecmp(service, "other") == 0;
    if (!other && strcasecmp(service, l->service) != 0) {
        return LOAD_OK;
    }
    struct line line = {.h = {.level = (uint8_t)from->level, .line = number, .other = other}};
    for (size_t i = 0; i < PAM_CODES; i++) {
        line.h.actions[i] = PAMA_UNDEF;
    }
    read_type(l, from, &rest, &line);
    if (from->requested != PAMT_ANY && line.h.type != from->requested) {
        return LOAD_OK;
    }
    if (!line.is_include) {
        read_control(l, &rest, &line);
    }
    line.module = pam_token(&rest);
    if (line.is_include) {
        /* Which service included lines belong to is what the line itself says (pam.conf). */
        struct source named = *from;
        named.service = service;
        return take_include(l, &named, &line);
    }
    if (line.module == NULL) {
        line.h.kind = PAMH_MUST_FAIL;
    }
    int r = add_handler(l, &line.h, line.control, line.module, from->path);
    return r == LOAD_OK ? take_args(l, rest) : r;
}

static int parse_text(struct loader *l, const struct source *from)
{
    CLEANUP(str) struct str line = STR_INIT(PAM_FILE_MAX + 1);
    struct pam_lines lines = {
        .text = from->text, .n = from->n, .limit = l->dialect->engine_15 ? PAM_LINE_LIMIT : 0};
    for (;;) {
        int r = pam_lines_next(&lines, &line);
        if (r == 0) {
            return LOAD_OK;
        }
        if (r < 0) {
            return LOAD_FAILED;
        }
        if (line.error != 0) {
            return err_nomem(l->e);
        }
        r = take_line(l, from, line.data, lines.number);
        if (r != LOAD_OK) {
            return r;
        }
    }
}

/* One of the two files of a service in pam.d. *found: it was there. */
static int load_service(struct loader *l, const char *name, bool *found)
{
    CLEANUP(str) struct str text = STR_INIT(PAM_FILE_MAX);
    CLEANUP(str) struct str path = STR_INIT(4096);
    struct err local = {0};
    int r = l->files->read(l->files->arg, name, false, &text, &path, &local);
    if (r == ERR_ABSENT) {
        return LOAD_OK;
    }
    if (r < 0) {
        l->stack->unseen = r;
        (void)snprintf(l->stack->reason, sizeof(l->stack->reason), "%.250s", local.msg);
        return LOAD_FAILED;
    }
    *found = true;
    struct source from = {
        .text = str_text(&text), .n = text.len, .path = str_text(&path), .service = name};
    return parse_text(l, &from);
}

static int ended(struct loader *l, int r)
{
    if (r < 0) {
        return r;
    }
    l->stack->aborted = r == LOAD_FAILED;
    if (l->stack->aborted && l->stack->reason[0] == '\0') {
        (void)snprintf(l->stack->reason, sizeof(l->stack->reason), "config-error");
    }
    return 0;
}

int pam_stack_load(const struct pam_files *files, const struct pam_dialect *dialect,
                   const char *service, struct pam_stack *ret, struct err *e)
{
    struct loader l = {
        .files = files, .dialect = dialect, .stack = ret, .service = service, .e = e};
    bool found = false;
    int r = load_service(&l, service, &found);
    if (r == LOAD_OK && strcmp(service, "other") != 0) {
        r = load_service(&l, "other", &found);
    }
    return ended(&l, r == LOAD_OK && !found ? LOAD_FAILED : r);
}

int pam_stack_load_conf(const struct pam_files *files, const struct pam_dialect *dialect,
                        const char *service, const char *text, size_t n, const char *path,
                        struct pam_stack *ret, struct err *e)
{
    struct loader l = {
        .files = files, .dialect = dialect, .stack = ret, .service = service, .e = e};
    struct source from = {.text = text, .n = n, .path = path};
    return ended(&l, parse_text(&l, &from));
}

int pam_stack_of_type(const struct pam_stack *s, enum pam_type type,
                      const struct pam_handler ***ret, size_t *ret_n, struct err *e)
{
    *ret = NULL;
    *ret_n = 0;
    if (s->n == 0) {
        return 0;
    }
    const struct pam_handler **list = calloc(s->n, sizeof(*list));
    if (list == NULL) {
        return err_nomem(e);
    }
    size_t n = 0;
    for (int other = 0; other < 2 && n == 0; other++) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->items[i]->type == type && s->items[i]->other == (other == 1)) {
                list[n++] = s->items[i];
            }
        }
    }
    if (n == 0) {
        free(list);
        return 0;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}
