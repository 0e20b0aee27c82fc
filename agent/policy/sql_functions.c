/* The functions that checks may call: an allow-list of SQLite's deterministic ones, and our own.
 * What is left out, and why: date and time functions ('now'), random ones, printf, round, avg and
 * total (reals differ between versions), char (can make invalid text), group arrays (order of
 * rows), everything that tells of the engine or the connection. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/timefmt.h"
#include "agent/policy/sql.h"
#include "agent/policy/sql_internal.h"

static const char *const allowed[] = {
    "abs",          "coalesce",
    "count",        "date_in",
    "days_between", "glob",
    "group_concat", "hex",
    "ifnull",       "iif",
    "instr",        "json",
    "json_array",   "json_array_length",
    "json_each",    "json_extract",
    "json_object",  "json_quote",
    "json_tree",    "json_type",
    "json_valid",   "length",
    "like",         "lower",
    "ltrim",        "max",
    "min",          "nullif",
    "replace",      "rtrim",
    "substr",       "sum",
    "trim",         "typeof",
    "unicode",      "upper",
};

bool sql_function_allowed(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (strcasecmp(allowed[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* A day or an instant as seconds. What is neither is an error, not NULL: a comparison with NULL
 * finds nothing, and garbage in a date would then look like a pass. */
static bool instant_of(sqlite3_context *ctx, sqlite3_value *v, int64_t *ret_s, bool *ret_is_day)
{
    const char *text = (const char *)sqlite3_value_text(v);
    struct err err;
    int64_t days = 0;
    if (text != NULL && strlen(text) == 10 && date_parse(text, &days, &err) == 0) {
        *ret_s = days * 86400;
        *ret_is_day = true;
        return true;
    }
    *ret_is_day = false;
    if (text != NULL && time_parse_utc(text, ret_s, &err) == 0) {
        return true;
    }
    struct str msg = STR_INIT(256);
    str_addf(&msg, "\"%.64s\" is neither a day nor a UTC time", text != NULL ? text : "");
    sqlite3_result_error(ctx, str_text(&msg), -1);
    str_done(&msg);
    return false;
}

/* days_between(a, b): whole days from a to b, negative if b is earlier. */
static void fn_days_between(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    int64_t from_s = 0;
    int64_t to_s = 0;
    bool is_day = false;
    if (n != 2 || sqlite3_value_type(v[0]) == SQLITE_NULL ||
        sqlite3_value_type(v[1]) == SQLITE_NULL) {
        sqlite3_result_null(ctx);
        return;
    }
    if (!instant_of(ctx, v[0], &from_s, &is_day) || !instant_of(ctx, v[1], &to_s, &is_day)) {
        return;
    }
    int64_t diff_s = to_s - from_s;
    int64_t days = diff_s / 86400;
    if (diff_s % 86400 < 0) {
        days--; /* floor, so that a second too early is not yet day 0 */
    }
    sqlite3_result_int64(ctx, days);
}

/* date_in(time, zone): the local day of an instant. */
static void fn_date_in(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    int64_t at_s = 0;
    bool is_day = false;
    if (n != 2 || sqlite3_value_type(v[0]) == SQLITE_NULL ||
        sqlite3_value_type(v[1]) == SQLITE_NULL) {
        sqlite3_result_null(ctx);
        return;
    }
    if (!instant_of(ctx, v[0], &at_s, &is_day)) {
        return;
    }
    if (is_day) { /* a day has no zone: it is already local */
        sqlite3_result_value(ctx, v[0]);
        return;
    }
    const char *zone = (const char *)sqlite3_value_text(v[1]);
    char day[TIME_TEXT_MAX] = "";
    struct err err;
    if (zone == NULL || date_in_zone(zone, at_s, day, &err) != 0) {
        sqlite3_result_error(ctx, "date_in: unknown time zone", -1);
        return;
    }
    sqlite3_result_text(ctx, day, -1, SQLITE_TRANSIENT);
}

/* group_concat(x [, separator]) with its parts in byte order: SQLite's own takes them as the rows
 * happen to come. */
struct concat {
    struct strv *parts;
    size_t bytes;
    char separator[16];
};

/* Parts are kept until the end, since only then can they be sorted; bytes are bounded meanwhile. */
static void concat_step(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    struct concat *c = sqlite3_aggregate_context(ctx, (int)sizeof *c);
    if (c == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    if (c->parts == NULL) {
        c->parts = calloc(1, sizeof *c->parts);
        const char *sep = n == 2 ? (const char *)sqlite3_value_text(v[1]) : ",";
        (void)snprintf(c->separator, sizeof c->separator, "%s", sep != NULL ? sep : "");
    }
    const char *text = (const char *)sqlite3_value_text(v[0]);
    if (text == NULL) {
        return; /* NULL is left out, as in SQLite's own */
    }
    c->bytes += strlen(text) + sizeof c->separator;
    if (c->bytes > SQL_MAX_CELL_BYTES) {
        sqlite3_result_error_toobig(ctx);
        return;
    }
    struct err err;
    if (c->parts == NULL || strv_add(c->parts, text, &err) != 0) {
        sqlite3_result_error_nomem(ctx);
    }
}

/* Also called when a statement is broken off: then it only frees. */
static void concat_final(sqlite3_context *ctx)
{
    struct concat *c = sqlite3_aggregate_context(ctx, 0);
    if (c == NULL || c->parts == NULL) {
        return; /* no row: NULL */
    }
    struct str out = STR_INIT(SQL_MAX_CELL_BYTES);
    strv_sort(c->parts);
    for (size_t i = 0; i < c->parts->n; i++) {
        str_add(&out, i > 0 ? c->separator : "");
        str_add(&out, c->parts->items[i]);
    }
    if (c->parts->n > 0) {
        sqlite3_result_text(ctx, str_text(&out), -1, SQLITE_TRANSIENT);
    }
    str_done(&out);
    strv_done(c->parts);
    free(c->parts);
    c->parts = NULL;
}

int sql_functions_add(sqlite3 *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    int rc = sqlite3_create_function_v2(db, "days_between", 2, flags, NULL, fn_days_between, NULL,
                                        NULL, NULL);
    if (rc == SQLITE_OK) {
        rc =
            sqlite3_create_function_v2(db, "date_in", 2, flags, NULL, fn_date_in, NULL, NULL, NULL);
    }
    for (int n = 1; n <= 2 && rc == SQLITE_OK; n++) {
        rc = sqlite3_create_function_v2(db, "group_concat", n, flags, NULL, NULL, concat_step,
                                        concat_final, NULL);
    }
    return rc;
}
