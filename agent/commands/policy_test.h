/* Running the tests: of checks on captured hosts. */
#ifndef TENKEN_COMMANDS_POLICY_TEST_H
#define TENKEN_COMMANDS_POLICY_TEST_H

#include "agent/commands/session.h"

/* Runs the tests of the checks named in args[1..] (all if none) on the captured hosts below
 * hosts_dir (NULL: tests/hosts beside the policies). Prints one line per failure and a summary;
 * gives the exit code: 0 all hold, 2 some do not, 1 could not be run. */
int run_policy_tests(struct app *app, const struct policy *policy, const struct strv *policies,
                     const char *hosts_dir, const struct strv *args);

#endif
