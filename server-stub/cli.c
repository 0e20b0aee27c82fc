/* Options and errors of the subcommands. */
#include "server-stub/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/str.h"

static const struct cli_option *find_option(const struct cli_option *options, size_t n,
                                            const char *name, size_t name_n)
{
    for (size_t i = 0; i < n; i++) {
        if (strncmp(options[i].name, name, name_n) == 0 && options[i].name[name_n] == '\0') {
            return &options[i];
        }
    }
    return NULL;
}

static int refuse_option(const struct cli_option *options, size_t n, const char *arg, struct err *e)
{
    const char *names[32];
    size_t n_names = 0;
    for (size_t i = 0; i < n && n_names < ARRAY_LEN(names); i++) {
        names[n_names++] = options[i].name;
    }
    const char *near = strncmp(arg, "--", 2) == 0 ? str_nearest(arg + 2, names, n_names) : NULL;
    if (near != NULL) {
        return err_set(e, ERR_INVALID, "%s: no such option, did you mean --%s?", arg, near);
    }
    return err_set(e, ERR_INVALID, "%s: no such option", arg);
}

int cli_parse(int argc, char **argv, const struct cli_option *options, size_t n, int *ret_n_rest,
              struct err *e)
{
    int rest = 0;
    bool only_rest = false;
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (only_rest || arg[0] != '-' || arg[1] == '\0') {
            argv[1 + rest++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            only_rest = true;
            continue;
        }
        const char *name = strncmp(arg, "--", 2) == 0 ? arg + 2 : "";
        const char *equals = strchr(name, '=');
        size_t name_n = equals != NULL ? (size_t)(equals - name) : strlen(name);
        const struct cli_option *o = find_option(options, n, name, name_n);
        if (o == NULL || name_n == 0 || (o->is_flag && equals != NULL)) {
            return refuse_option(options, n, arg, e);
        }
        if (o->is_flag) {
            *o->value = "";
        } else if (equals != NULL) {
            *o->value = equals + 1;
        } else if (i + 1 < argc) {
            *o->value = argv[++i];
        } else {
            return err_set(e, ERR_INVALID, "--%s needs a value", o->name);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (options[i].is_needed && *options[i].value == NULL) {
            return err_set(e, ERR_INVALID, "--%s is needed", options[i].name);
        }
    }
    *ret_n_rest = rest;
    return 0;
}

int cli_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret,
               struct err *e)
{
    if (text == NULL) {
        return 0;
    }
    char *end = NULL;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || v < min || v > max) {
        return err_set(e, ERR_INVALID, "--%s %s: must be a number from %lld to %lld", option, text,
                       (long long)min, (long long)max);
    }
    *ret = v;
    return 0;
}

int cli_fail(const char *name, const struct err *e)
{
    (void)fprintf(stderr, "tenken-collector %s: %s\n", name, e->msg);
    return e->code == ERR_INVALID || e->code == ERR_UNSAFE ? EXIT_USAGE : EXIT_FAILED;
}

int cli_lang(const char *text, enum lang *ret, struct err *e)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    if (text != NULL) {
        if (strcmp(text, "ja") != 0 && strcmp(text, "en") != 0) {
            return err_set(e, ERR_INVALID, "--lang %s: must be ja or en", text);
        }
        *ret = strcmp(text, "ja") == 0 ? LANG_JA : LANG_EN;
        return 0;
    }
    const char *value = NULL;
    for (size_t i = 0; i < ARRAY_LEN(variables) && (value == NULL || value[0] == '\0'); i++) {
        value = getenv(variables[i]);
    }
    *ret = value != NULL && strncmp(value, "ja", 2) == 0 ? LANG_JA : LANG_EN;
    return 0;
}

int cli_policy(const char *dir, struct policy **ret, struct err *e)
{
    const char *const dirs[] = {dir != NULL ? dir : policy_default_dir()};
    return policy_load(dirs, 1, true, ret, e);
}
