/* Shared by sql.c and sql_functions.c alone: the one place, with them, that sees SQLite. */
#ifndef TENKEN_POLICY_SQL_INTERNAL_H
#define TENKEN_POLICY_SQL_INTERNAL_H

#include <stdbool.h>

#include <sqlite3.h>

#include "agent/base/err.h"

/* Registers our own functions (days_between, date_in, a group_concat that sorts). SQLITE_OK or an
 * SQLite code. */
int sql_functions_add(sqlite3 *db) MUST_USE;
/* True if SQL of checks may call the function of that name. */
bool sql_function_allowed(const char *name);

#endif
