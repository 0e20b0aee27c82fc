/* Option tables: one parser, one help writer. */
#include "agent/commands/opts.h"

#include <string.h>

static const struct opt *find_opt(const struct usage *u, const char *name, size_t n)
{
    for (size_t i = 0; i < u->n_opts; i++) {
        if (strlen(u->opts[i].name) == n && strncmp(u->opts[i].name, name, n) == 0) {
            return &u->opts[i];
        }
    }
    return NULL;
}

static void print_help(const struct app *app, const struct usage *u)
{
    printf("%s tenken %s%s%s%s\n\n%s\n", say(app, "使い方:", "usage:"), u->command,
           u->n_opts > 0 ? " [OPTION]…" : "", u->arguments[0] != '\0' ? " " : "", u->arguments,
           text_in(app, &u->doc));
    if (u->n_opts > 0) {
        printf("\n");
    }
    for (size_t i = 0; i < u->n_opts; i++) {
        const struct opt *o = &u->opts[i];
        char left[64];
        (void)snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg != NULL ? " " : "",
                       o->arg != NULL ? o->arg : "");
        printf("  %-22s %s\n", left, text_in(app, &o->doc));
    }
    printf("  %-22s %s\n", "--lang ja|en", say(app, "表示の言語", "language of the texts"));
    printf("  %-22s %s\n", "--help", say(app, "この説明", "this text"));
}

static enum opts_result wrong(const struct usage *u, const char *before, const char *what,
                              const char *after)
{
    struct err e = {0};
    (void)err_set(&e, ERR_INVALID, "%s: %s%s%s (tenken %s --help)", u->command, before, what, after,
                  u->command);
    (void)complain(&e);
    return OPTS_WRONG;
}

static enum opts_result unknown_opt(const struct usage *u, const char *arg, size_t n)
{
    const char *names[32];
    size_t n_names = 0;
    char given[64];
    char hint[128] = "";
    for (size_t i = 0; i < u->n_opts && n_names < ARRAY_LEN(names); i++) {
        names[n_names++] = u->opts[i].name;
    }
    (void)snprintf(given, sizeof(given), "%.*s", (int)(n < 60 ? n : 60), arg);
    const char *near = str_nearest(given, names, n_names);
    if (near != NULL) {
        (void)snprintf(hint, sizeof(hint), ", did you mean --%s?", near);
    }
    return wrong(u, "unknown option --", given, hint);
}

static bool is_word(const struct opt *o, const char *value)
{
    for (const char *const *w = o->words; *w != NULL; w++) {
        if (strcmp(*w, value) == 0) {
            return true;
        }
    }
    return false;
}

static enum opts_result take_value(const struct usage *u, const struct opt *o, const char *value)
{
    struct err e = {0};
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->dest = true;
        return OPTS_RUN;
    case OPT_TEXT:
        *(const char **)o->dest = value;
        return OPTS_RUN;
    case OPT_LIST:
        if (strv_add(o->dest, value, &e) < 0) {
            (void)complain(&e);
            return OPTS_WRONG;
        }
        return OPTS_RUN;
    case OPT_WORD:
        if (!is_word(o, value)) {
            return wrong(u, value, ": not one of ", o->arg);
        }
        *(const char **)o->dest = value;
        return OPTS_RUN;
    }
    return OPTS_WRONG;
}

static enum opts_result take_lang(struct app *app, const char *value)
{
    struct err e = {0};
    if (lang_parse(value, &app->lang, &e) < 0) {
        (void)complain(&e);
        return OPTS_WRONG;
    }
    app->lang_fixed = true;
    return OPTS_RUN;
}

/* One option at argv[*i]; *i moves on when the value stands apart. */
static enum opts_result take_option(struct app *app, const struct usage *u, int argc, char **argv,
                                    int *i)
{
    const char *name = argv[*i] + 2;
    const char *eq = strchr(name, '=');
    size_t n = eq != NULL ? (size_t)(eq - name) : strlen(name);
    bool is_lang = n == 4 && strncmp(name, "lang", n) == 0;
    const struct opt *o = find_opt(u, name, n);

    if (o == NULL && !is_lang) {
        return unknown_opt(u, name, n);
    }
    if (o != NULL && o->kind == OPT_FLAG) {
        return eq != NULL ? wrong(u, argv[*i], " takes no value", "") : take_value(u, o, "");
    }
    if (eq == NULL && *i + 1 >= argc) {
        return wrong(u, argv[*i], " needs a value", "");
    }
    const char *value = eq != NULL ? eq + 1 : argv[++*i];
    return is_lang ? take_lang(app, value) : take_value(u, o, value);
}

static enum opts_result take_argument(const char *arg, struct strv *args)
{
    struct err e = {0};
    if (strv_add(args, arg, &e) < 0) {
        (void)complain(&e);
        return OPTS_WRONG;
    }
    return OPTS_RUN;
}

enum opts_result opts_parse(struct app *app, const struct usage *u, int argc, char **argv,
                            struct strv *args)
{
    bool options = true;
    bool help = false;
    for (int i = 1; i < argc; i++) {
        enum opts_result r = OPTS_RUN;
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            help = true;
        } else if (options && strncmp(argv[i], "--", 2) == 0) {
            r = take_option(app, u, argc, argv, &i);
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            r = wrong(u, "unknown option ", argv[i], "; options are written --name");
        } else {
            r = take_argument(argv[i], args);
        }
        if (r != OPTS_RUN) {
            return r;
        }
    }
    if (help) {
        print_help(app, u);
        return OPTS_DONE;
    }
    if (args->n < u->min_args) {
        return wrong(u, "needs ", u->arguments, "");
    }
    if (args->n > u->max_args) {
        return wrong(u, "one argument too many: ", args->items[u->max_args], "");
    }
    return OPTS_RUN;
}

const char **strv_list(const struct strv *v)
{
    const char **list = calloc(v->n + 1, sizeof(*list));
    if (list == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < v->n; i++) {
        list[i] = v->items[i];
    }
    return list;
}
