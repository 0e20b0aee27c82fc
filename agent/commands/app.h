/* What every command shares: language, the launcher, how errors become exit codes. */
#ifndef TENKEN_COMMANDS_APP_H
#define TENKEN_COMMANDS_APP_H

#include <stdbool.h>
#include <stdio.h>

#include "agent/base/err.h"
#include "agent/base/str.h"
#include "agent/policy/policy.h"
#include "agent/scan/scan.h"

/* Exit codes of design.md 5. */
enum exit_code {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,
    EXIT_NO = 2,
    EXIT_INCOMPLETE = 3,
    EXIT_USAGE = 64
};

struct app {
    enum lang lang;            /* of people's texts */
    bool lang_fixed;           /* named by --lang: the site's setting does not change it */
    struct launcher *launcher; /* NULL for commands that inspect nothing */
};

struct command {
    const char *name;
    struct text2 summary;
    bool needs_launcher;
    /* argv[0] is the command's name. Gives the exit code. Prints its own errors. */
    int (*run)(struct app *app, int argc, char **argv);
};

/* All commands, n of them, in the order that help shows. */
const struct command *command_table(size_t *ret_n);

/* The commands. Each takes argv[0] = its name, prints its own errors, and gives the exit code. */
/* Inspects, judges, prints; --record signs and spools. */
int cmd_scan(struct app *app, int argc, char **argv);
/* Prints the rows of an SQL statement over the facts that it names. */
int cmd_query(struct app *app, int argc, char **argv);
/* Prints the schema. */
int cmd_tables(struct app *app, int argc, char **argv);
/* Prints why a check or clause was judged so here, and the cure. */
int cmd_explain(struct app *app, int argc, char **argv);
/* lint, test, coverage of policies. */
int cmd_policy(struct app *app, int argc, char **argv);
/* Verifies evidence. */
int cmd_verify(struct app *app, int argc, char **argv);
/* Prints what differs between two evidences. */
int cmd_diff(struct app *app, int argc, char **argv);
/* Prints a site file proposed for this host. */
int cmd_init(struct app *app, int argc, char **argv);
/* Becomes the uploader, to register the public key. */
int cmd_enroll(struct app *app, int argc, char **argv);
/* Becomes the uploader, to send. */
int cmd_upload(struct app *app, int argc, char **argv);
/* Writes an export bundle. */
int cmd_export(struct app *app, int argc, char **argv);
/* Takes receipts back. */
int cmd_import(struct app *app, int argc, char **argv);
/* Says what is missing, or describes the confinement. */
int cmd_doctor(struct app *app, int argc, char **argv);

/* One of two texts. A macro, so that the compiler still checks both as formats. */
#define say(app, ja, en) ((app)->lang == LANG_JA ? (ja) : (en))

/* The text of t in the app's language, the other one if that is empty, never NULL. */
const char *text_in(const struct app *app, const struct text2 *t);

/* Language from LC_ALL, LC_MESSAGES, LANG (first that is set): Japanese if it begins with "ja",
 * else English. */
enum lang lang_of_environment(void);
/* True if standard output is a terminal and the environment (LC_ALL, LC_CTYPE, LANG, first that is
 * set) names a UTF-8 locale: marks beyond ASCII can be read. locale(7) */
bool terminal_shows_utf8(void);
/* "ja" or "en"; ERR_INVALID else. */
int lang_parse(const char *word, enum lang *ret, struct err *e) MUST_USE;

/* Exit code for an error: what the operator wrote is 64, a refused answer 2, the rest 1. */
int exit_of(const struct err *e);
/* Prints "tenken: text" on stderr (control characters escaped), gives exit_of(e). */
int complain(const struct err *e);

/* Writes to the file (atomically) or, with path NULL, to standard output. Prints its own error. */
int write_output(const char *path, const struct str *text);

#endif
