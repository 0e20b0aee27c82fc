/* tenken-collector: takes evidence from hosts, keeps it, and makes the monthly report of it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server-stub/cli.h"

static const struct subcommand subcommands[] = {
    {"serve",
     "--store DIR --listen ADDR:PORT --cert F --key F [--policy DIR | --no-redo] [--rate N]",
     "takes evidence over HTTPS until SIGTERM", cmd_serve, false},
    {"token",
     "--store DIR --contract ID [--hosts N] [--days D] | --role operator|officer|auditor "
     "[--contract ID]",
     "prints an enrolment token, or a token for the read API", cmd_token, false},
    {"import", "--store DIR [--enroll PUB.pem --contract ID] FILE...",
     "takes export bundles; writes FILE.receipts.jsonl beside each", cmd_import, false},
    {"month",
     "--store DIR --contract ID --month YYYY-MM [--framework ID] [--format html|json] "
     "[--lang ja|en] [--output F]",
     "the annex to the monthly report", cmd_month, false},
    {"prune", "--store DIR [--erase]",
     "lists evidence whose time of keeping is over; erases it with --erase", cmd_prune, false},
    {"doctor", "--store DIR", "says in plain words how the store is", cmd_doctor, false},
    {"user", "", "people who log in come with the collector's pages", NULL, true},
    {"baseline", "", "the state applied for comes with the version that knows applications", NULL,
     true},
    {"attest", "", "statements of people come with the collector's pages", NULL, true},
    {"report", "", "the status report comes with the version that knows its form", NULL, true},
    {"form", "", "forms of authorities come with the version that fills them in", NULL, true},
};

static void print_help(FILE *to)
{
    (void)fputs("usage: tenken-collector COMMAND ...\n\n", to);
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        const struct subcommand *c = &subcommands[i];
        if (!c->is_later) {
            (void)fprintf(to, "  %s %s\n      %s\n", c->name, c->usage, c->what);
        }
    }
    (void)fputs("\nNot in this version: user, baseline, attest, report, form.\n"
                "Exit codes: 0 good, 1 it could not be done, 2 the answer is no, 64 usage.\n",
                to);
}

static const struct subcommand *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        if (strcmp(subcommands[i].name, name) == 0) {
            return &subcommands[i];
        }
    }
    return NULL;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    /* the store holds personal data: whatever is made here is for its owner alone */
    (void)umask(077);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("tenken-collector %s\n", TENKEN_VERSION);
        return EXIT_GOOD;
    }
    const struct subcommand *c = find(argv[1]);
    if (c == NULL) {
        (void)fprintf(stderr, "tenken-collector: %s: no such command (--help lists them)\n",
                      argv[1]);
        return EXIT_USAGE;
    }
    if (c->is_later) {
        (void)fprintf(stderr, "tenken-collector %s: not in this version: %s\n", c->name, c->what);
        return EXIT_USAGE;
    }
    if (asks_help(argc - 1, argv + 1)) {
        (void)printf("usage: tenken-collector %s %s\n%s\n", c->name, c->usage, c->what);
        return EXIT_GOOD;
    }
    return c->run(argc - 1, argv + 1);
}
