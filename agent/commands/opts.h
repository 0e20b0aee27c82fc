/* Command line options from a table: parsing, help and completion all derive from it. Long options
 * only, "--name VALUE" or
 * "--name=VALUE", "--" ends them; options may stand after arguments. getopt_long(3) is not used: it
 * prints by itself. */
#ifndef TENKEN_COMMANDS_OPTS_H
#define TENKEN_COMMANDS_OPTS_H

#include "agent/commands/app.h"

enum opt_kind {
    OPT_FLAG, /* dest: bool * */
    OPT_TEXT, /* dest: const char ** ; borrowed from argv */
    OPT_LIST, /* dest: struct strv * ; may be repeated */
    OPT_WORD  /* dest: const char ** ; one of words */
};

struct opt {
    const char *name; /* without the dashes */
    enum opt_kind kind;
    const char *arg; /* what stands for the value in help, NULL for flags */
    void *dest;
    struct text2 doc;
    const char *const *words; /* OPT_WORD: NULL-terminated */
};

struct usage {
    const char *command;   /* "scan" */
    const char *arguments; /* "FILE…" or "" */
    struct text2 doc;
    const struct opt *opts;
    size_t n_opts;
    size_t min_args, max_args;
};

enum opts_result { OPTS_RUN, OPTS_DONE, OPTS_WRONG };

/* Parses argv[1..]. --help and --lang L are understood everywhere. OPTS_DONE: help was printed
 * (exit 0). OPTS_WRONG: an error was printed (exit 64). args: positional arguments, appended. */
enum opts_result opts_parse(struct app *app, const struct usage *u, int argc, char **argv,
                            struct strv *args);
/* For the common beginning of a command: turns the two ends into exit codes. */
static inline int opts_exit(enum opts_result r)
{
    return r == OPTS_DONE ? EXIT_GOOD : EXIT_USAGE;
}
/* The arguments as a NULL-terminated list for the callee, owned by the caller (free the array
 * only); NULL on no memory. */
const char **strv_list(const struct strv *v);

#endif
