/* Which SQLite judges here: recorded in evidence, since a redo elsewhere may run on another. */
#include <sqlite3.h>

#include "agent/policy/eval.h"

const char *sql_library_version(void)
{
    return sqlite3_libversion();
}
