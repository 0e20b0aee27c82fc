/* A captured tree cannot be asked over the network: its capture.json may hold what was seen when it
 * was captured, as rows. */
#include <string.h>

#include "agent/base/json.h"
#include "probes/tls/tables.h"

static bool is_declared(const struct endpoint *list, size_t n, const char *name)
{
    for (size_t i = 0; name != NULL && i < n; i++) {
        if (strcmp(list[i].target.name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int cell(struct probe_ctx *ctx, const struct table *t, unsigned c, const json_t *value,
                struct err *e)
{
    if (value == NULL || json_is_null(value)) {
        return 0;
    }
    if (t->columns[c].type == COL_TEXT && json_is_string(value)) {
        row_text(ctx, c, json_string_value(value));
        return 0;
    }
    if (t->columns[c].type == COL_INT && json_is_integer(value)) {
        row_int(ctx, c, json_integer_value(value));
        return 0;
    }
    return err_set(e, ERR_MALFORMED, "capture.json: tls.%s.%s: wrong type", t->name,
                   t->columns[c].name);
}

/* Checked before the first row: a word outside the vocabulary is the fixture's mistake, not ours.
 */
static bool words_fit(const struct table *t, const json_t *row)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        const json_t *value = json_object_get(row, t->columns[c].name);
        bool is_null = value == NULL || json_is_null(value);
        if (((t->columns[c].flags & COL_KEY) != 0 && is_null) ||
            (!is_null && json_is_string(value) &&
             !column_allows(&t->columns[c], json_string_value(value), NULL))) {
            return false;
        }
    }
    return true;
}

static int rows_of(struct probe_ctx *ctx, const struct table *t, const json_t *rows,
                   const struct endpoint *list, size_t n, struct err *e)
{
    size_t i = 0;
    const json_t *row = NULL;
    int rc = 0;
    json_array_foreach(rows, i, row)
    {
        if (!is_declared(list, n, json_string_value(json_object_get(row, "endpoint")))) {
            continue;
        }
        if (!words_fit(t, row)) {
            return err_set(e, ERR_MALFORMED, "capture.json: tls.%s: row %zu", t->name, i);
        }
        row_begin(ctx, t);
        for (unsigned c = 0; c < t->n_columns && rc == 0; c++) {
            rc = cell(ctx, t, c, json_object_get(row, t->columns[c].name), e);
        }
        row_end(ctx);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int rows_recorded(struct probe_ctx *ctx, const struct endpoint *list, size_t n, struct err *e)
{
    static const struct table *const tables[] = {&table_tls_endpoints, &table_tls_versions,
                                                 &table_tls_suites, &table_tls_groups,
                                                 &table_tls_certificates};
    const json_t *all = host_capture(probe_host(ctx), "tls");
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(tables) && rc == 0; i++) {
        const json_t *rows = json_object_get(all, tables[i]->name);
        if (!json_is_array(rows)) {
            if (n > 0) {
                probe_state(ctx, tables[i], STATE_DENIED, "not_captured");
            }
            continue;
        }
        rc = rows_of(ctx, tables[i], rows, list, n, e);
    }
    return rc;
}
