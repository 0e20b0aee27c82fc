/* The two tables that every inspection has: scan and probe_status (tables.md, "Every scan"). */
#ifndef TENKEN_POLICY_SCAN_TABLES_H
#define TENKEN_POLICY_SCAN_TABLES_H

#include "agent/base/facts.h"

extern const struct table table_scan;
extern const struct table table_probe_status;
/* Of recorded facts alone: which tables hold rows that exist by declaration (struct owed). */
extern const struct table table_recorded_owed;

struct scan_row {
    const char *id, *time, *local_date, *hostname, *boot_id, *root, *agent_version;
};
/* Adds both tables to *f (replacing them if there): scan from row; probe_status from the states of
 * *f's own fact tables. */
int scan_tables_add(struct facts *f, const struct scan_row *row, struct err *e) MUST_USE;

#endif
