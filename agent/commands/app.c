/* Languages, errors and exit codes of the command line. */
#include "agent/commands/app.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/io.h"

const char *text_in(const struct app *app, const struct text2 *t)
{
    const char *first = t->in[app->lang];
    const char *second = t->in[app->lang == LANG_JA ? LANG_EN : LANG_JA];
    if (first != NULL && first[0] != '\0') {
        return first;
    }
    return second != NULL ? second : "";
}

enum lang lang_of_environment(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]); /* one thread: nobody changes the environment */
        if (value != NULL && value[0] != '\0') {
            return strncmp(value, "ja", 2) == 0 ? LANG_JA : LANG_EN;
        }
    }
    return LANG_EN;
}

bool terminal_shows_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *value = "";
    for (size_t i = 0; i < ARRAY_LEN(names) && value[0] == '\0'; i++) {
        const char *given = getenv(names[i]); /* one thread: nobody changes the environment */
        value = given != NULL ? given : "";
    }
    return isatty(STDOUT_FILENO) &&
           (strcasestr(value, "UTF-8") != NULL || strcasestr(value, "utf8") != NULL);
}

int lang_parse(const char *word, enum lang *ret, struct err *e)
{
    if (strcmp(word, "ja") == 0) {
        *ret = LANG_JA;
        return 0;
    }
    if (strcmp(word, "en") == 0) {
        *ret = LANG_EN;
        return 0;
    }
    return err_set(e, ERR_INVALID, "--lang %s: known are ja and en", word);
}

int exit_of(const struct err *e)
{
    switch (e->code) {
    case ERR_NONE:
        return EXIT_GOOD;
    case ERR_INVALID:
    case ERR_UNSAFE:
        return EXIT_USAGE;
    case ERR_MISMATCH:
        return EXIT_NO;
    default:
        return EXIT_FAILED;
    }
}

int complain(const struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
    char copy[sizeof(e->msg)];
    char *rest = copy;
    (void)snprintf(copy, sizeof(copy), "%s", e->msg);
    str_add(&text, "tenken: ");
    /* Lines to copy into a file must stay lines; what else they hold is made harmless. */
    for (const char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        str_add_terminal(&text, line);
        str_add(&text, "\n");
    }
    (void)fflush(stdout);
    (void)fputs(str_text(&text), stderr);
    return exit_of(e);
}

int write_output(const char *path, const struct str *text)
{
    struct err e = {0};
    if (str_error(text, &e) < 0) {
        return complain(&e);
    }
    if (path != NULL) {
        return io_write_atomic(path, str_text(text), text->len, 0600, &e) < 0 ? complain(&e)
                                                                              : EXIT_GOOD;
    }
    if (fwrite(str_text(text), 1, text->len, stdout) != text->len || fflush(stdout) != 0) {
        (void)err_errno(&e, "standard output");
        return complain(&e);
    }
    return EXIT_GOOD;
}
