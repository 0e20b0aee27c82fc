/* scan and probe_status: what every inspection says about itself. */
#include "agent/policy/scan_tables.h"

#include <string.h>

const struct table table_scan = {
    .name = "scan",
    .doc = "The inspection itself; one row.",
    .source = "the program",
    .kind = TABLE_SCAN,
    TABLE_COLUMNS(
        {"id", COL_TEXT, "", COL_KEY, NULL, "UUID of the inspection"},
        {"time", COL_TEXT, "utc", 0, NULL, "when it began"},
        {"local_date", COL_TEXT, "date", 0, NULL, "that instant's day in the contract's time zone"},
        {"hostname", COL_TEXT, "", 0, NULL, "name of the host"},
        {"boot_id", COL_TEXT, "", 0, NULL, "boot that the host was in"},
        {"root", COL_TEXT, "", COL_HAS_NAMES, NULL, "/ or the inspected tree"},
        {"agent_version", COL_TEXT, "", 0, NULL, "version of this program"}),
};

const struct table table_probe_status = {
    .name = "probe_status",
    .doc = "How the observation of each table ended.",
    .source = "the program",
    .kind = TABLE_SCAN,
    TABLE_COLUMNS(
        {"probe", COL_TEXT, "", COL_KEY, NULL, "who observed"},
        {"tbl", COL_TEXT, "", COL_KEY, NULL, "table"},
        {"state", COL_TEXT, "", 0,
         "complete|absent|denied|malformed|truncated|timeout|crashed|unconfined|not-run",
         "complete, proved absent, or why it is incomplete"},
        {"reason", COL_TEXT, "", COL_HAS_NAMES, NULL, "word: detail"},
        {"rows", COL_INT, "rows", 0, NULL, "rows observed; in evidence, recorded"},
        {"cpu_us", COL_INT, "microseconds", COL_BULK, NULL, "CPU time of the probe"},
        {"wall_us", COL_INT, "microseconds", COL_BULK, NULL, "elapsed time of the probe"}),
};

const struct table table_recorded_owed = {
    .name = "recorded_owed",
    .doc = "Which recorded tables hold rows that exist because the site declared something.",
    .source = "the program",
    .kind = TABLE_SCAN,
    TABLE_COLUMNS({"tbl", COL_TEXT, "", COL_KEY, NULL, "table"},
                  {"key_column", COL_TEXT, "", 0, NULL, "column that holds the declared name"},
                  {"role_column", COL_TEXT, "", 0, NULL, "column that marks such rows"},
                  {"role", COL_TEXT, "", 0, NULL, "by this word"},
                  {"list", COL_TEXT, "", 0, NULL, "list of the site"}),
};

static int add_status(struct fact_table *status, const struct fact_table *t, struct err *e)
{
    return fact_row_va(status, e, t->probe != NULL ? t->probe : "", t->decl->name,
                       fact_state_word(t->state), t->reason, (int64_t)t->n_rows, t->cpu_us,
                       t->wall_us);
}

int scan_tables_add(struct facts *f, const struct scan_row *row, struct err *e)
{
    struct fact_table *scan = NULL;
    struct fact_table *status = NULL;
    facts_remove(f, table_scan.name);
    facts_remove(f, table_probe_status.name);
    int rc = facts_add(f, &table_scan, "", &scan, e);
    if (rc == 0) {
        rc = fact_row_va(scan, e, row->id, row->time, row->local_date, row->hostname, row->boot_id,
                         row->root, row->agent_version);
    }
    rc = rc == 0 ? facts_add(f, &table_probe_status, "", &status, e) : rc;
    for (size_t i = 0; rc == 0 && i < f->n; i++) {
        if (f->tables[i]->decl->kind == TABLE_FACTS) {
            rc = add_status(status, f->tables[i], e);
        }
    }
    if (rc != 0) {
        return rc;
    }
    scan->state = STATE_COMPLETE;
    status->state = STATE_COMPLETE;
    fact_sort(status);
    return 0;
}
