/* What the subcommands share: the table of them, options, exit codes. */
#ifndef TENKEN_COLLECTOR_CLI_H
#define TENKEN_COLLECTOR_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/policy/policy.h"

/* Exit codes of design.md 5. */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_NO = 2, EXIT_INCOMPLETE = 3, EXIT_USAGE = 64 };

struct subcommand {
    const char *name, *usage, *what;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name; gives the exit code */
    bool
        is_later; /* comes with a later version: named so that nobody takes it for a typing error */
};

/* One file each; they print their own errors and give the exit code. */
int cmd_serve(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_month(int argc, char **argv);
int cmd_prune(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

struct cli_option {
    const char *name; /* without dashes */
    const char **value;
    bool is_flag; /* takes no value; *value becomes "" */
    bool is_needed;
};
/* Reads --name VALUE, --name=VALUE and flags; the rest of the arguments is moved to the front of
 * argv + 1, its number to *ret_n_rest. ERR_INVALID. Prints nothing. */
int cli_parse(int argc, char **argv, const struct cli_option *options, size_t n, int *ret_n_rest,
              struct err *e) MUST_USE;
/* Whole number in [min, max]; text NULL: unchanged. ERR_INVALID naming the option. */
int cli_number(const char *option, const char *text, int64_t min, int64_t max, int64_t *ret,
               struct err *e) MUST_USE;
/* "tenken-collector NAME: message" on standard error; the exit code for the error. */
int cli_fail(const char *name, const struct err *e);
/* ja or en, NULL: from LC_ALL, LC_MESSAGES, LANG. ERR_INVALID. */
int cli_lang(const char *text, enum lang *ret, struct err *e) MUST_USE;
/* The installed rules, or those of --policy. */
int cli_policy(const char *dir, struct policy **ret, struct err *e) MUST_USE;

#endif
