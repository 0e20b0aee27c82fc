/* tenken: the command line. Finds the command, forks the launcher while nothing is loaded yet,
 * hands over. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/commands/app.h"

static void print_help(const struct app *app)
{
    size_t n = 0;
    const struct command *table = command_table(&n);
    printf("%s\n\n",
           say(app, "使い方: tenken COMMAND [OPTION]…", "usage: tenken COMMAND [OPTION]…"));
    for (size_t i = 0; i < n; i++) {
        printf("  %-9s %s\n", table[i].name, text_in(app, &table[i].summary));
    }
    printf("\n%s\n", say(app,
                         "tenken COMMAND --help で各コマンドの説明。終了コード: 0 良 1 実行不可 2 "
                         "否 3 未確認あり 64 使い方の誤り",
                         "tenken COMMAND --help tells more. Exit: 0 good, 1 could not be done, 2 "
                         "the answer is no, 3 "
                         "incomplete, 64 usage"));
}

static int unknown_command(const char *name)
{
    size_t n = 0;
    const struct command *table = command_table(&n);
    const char *names[32];
    struct err e = {0};
    for (size_t i = 0; i < n && i < ARRAY_LEN(names); i++) {
        names[i] = table[i].name;
    }
    const char *near = str_nearest(name, names, n);
    (void)err_set(&e, ERR_INVALID, "unknown command %s%s%s (tenken --help)", name,
                  near != NULL ? ", did you mean " : "", near != NULL ? near : "");
    return complain(&e);
}

static int run_command(struct app *app, const struct command *c, int argc, char **argv)
{
    struct err e = {0};
    if (c->needs_launcher && launcher_start(&app->launcher, &e) < 0) {
        return complain(&e);
    }
    int code = c->run(app, argc, argv);
    launcher_stop(app->launcher);
    if (fflush(stdout) != 0 && code == EXIT_GOOD) {
        code = EXIT_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    struct app app = {.lang = lang_of_environment(), .lang_fixed = false, .launcher = NULL};
    size_t n = 0;
    const struct command *table = command_table(&n);

    (void)umask(077); /* what we write belongs to us unless a mode says otherwise */
    if (argc < 2) {
        print_help(&app);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(&app);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("tenken %s\n", TENKEN_VERSION);
        return EXIT_GOOD;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i].name, argv[1]) == 0) {
            return run_command(&app, &table[i], argc - 1, argv + 1);
        }
    }
    return unknown_command(argv[1]);
}
