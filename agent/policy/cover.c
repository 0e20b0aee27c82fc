/* Papers against findings: the authority's permissions, compensating measures, signed statements.
 * Days are the scan's local day, both ends inclusive; a scope names columns, and all must match. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "agent/policy/judge.h"
#include "agent/policy/result.h"

bool control_matches(const char *paper_control, const char *control)
{
    size_t n = strlen(paper_control);
    if (n == 0 || strncmp(paper_control, control, n) != 0) {
        return false;
    }
    const char *rest = control + n;
    bool letter_left_out = isdigit((unsigned char)paper_control[n - 1]) &&
                           islower((unsigned char)rest[0]) && rest[1] == '\0';
    return rest[0] == '\0' || letter_left_out;
}

bool day_within(const char *day, const char *starts, const char *ends)
{
    if (starts == NULL || ends == NULL || strlen(day) != 10) {
        return false;
    }
    /* YYYY-MM-DD sorts as text; of a time only the day counts. */
    bool open_end = ends[0] == '\0' || strcmp(ends, "none") == 0;
    return (starts[0] == '\0' || strncmp(starts, day, 10) <= 0) &&
           (open_end || strncmp(day, ends, 10) <= 0);
}

static bool text_is(const char *text, const char *want)
{
    return text != NULL && strcmp(text, want) == 0;
}

/* A scope's value as the text that a cell would be. */
static bool value_text(const json_t *value, struct str *out)
{
    struct cell c = {.type = CELL_NULL};
    if (json_is_string(value)) {
        str_add_bytes(out, json_string_value(value), json_string_length(value));
        return true;
    }
    if (json_is_integer(value)) {
        cell_int(&c, (int64_t)json_integer_value(value));
    } else if (json_is_boolean(value)) {
        cell_int(&c, json_is_true(value) ? 1 : 0);
    } else if (json_is_real(value)) {
        c.type = CELL_REAL;
        c.v.r = json_real_value(value);
    }
    return cell_as_text(&c, out);
}

/* A column that the finding does not have is no match: a scope must never grow by a typing error.
 */
static int member_matches(const char *key, const json_t *value, const struct check_result *check,
                          size_t finding, bool *ret, struct err *e)
{
    CLEANUP(str) struct str want = STR_INIT(SQL_MAX_CELL_BYTES);
    CLEANUP(str) struct str have = STR_INIT((size_t)SQL_MAX_CELL_BYTES * 8);
    *ret = false;
    if (!value_text(value, &want)) {
        return 0;
    }
    int column = result_column(&check->findings, key);
    if (strcmp(key, "check") == 0) {
        str_add(&have, check->check->id);
    } else if (column < 0 ||
               !cell_as_text(
                   &check->findings.cells[finding * check->findings.n_columns + (size_t)column],
                   &have)) {
        return 0; /* no such column, or NULL, which equals nothing */
    }
    int rc = str_error(&want, e);
    rc = rc == 0 ? str_error(&have, e) : rc;
    *ret = rc == 0 && strcmp(str_text(&want), str_text(&have)) == 0;
    return rc;
}

/* All members equal; an empty or unreadable scope covers nothing. */
static int scope_matches(const char *scope, const struct check_result *check, size_t finding,
                         bool *ret, struct err *e)
{
    CLEANUP(json) json_t *members = NULL;
    struct err err;
    *ret = false;
    if (scope == NULL || json_parse("scope", scope, strlen(scope), &members, &err) != 0 ||
        !json_is_object(members) || json_object_size(members) == 0) {
        return 0;
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(members, key, value)
    {
        bool same = false;
        int rc = member_matches(key, value, check, finding, &same, e);
        if (rc != 0 || !same) {
            return rc;
        }
    }
    *ret = true;
    return 0;
}

int paper_covers(const struct judge *j, const struct fact_table *papers, size_t row,
                 const struct framework *fw, const struct control *c,
                 const struct check_result *check, size_t finding, struct paper *ret, struct err *e)
{
    const char *control = fact_cell_text(papers, row, "control");
    *ret = (struct paper){.id = fact_cell_text(papers, row, "id")};
    if (ret->id == NULL || control == NULL || !control_matches(control, c->id) ||
        !text_is(fact_cell_text(papers, row, "framework"), fw->id)) {
        return 0;
    }
    ret->in_force = day_within(j->local_date, fact_cell_text(papers, row, "starts"),
                               fact_cell_text(papers, row, "ends"));
    return scope_matches(fact_cell_text(papers, row, "scope"), check, finding, &ret->covers, e);
}

/* Last day of a statement that names none, by how often it is owed; "" = no end. A statement about
 * a reporting period (a month) is signed at its end and stands until the next one is due. */
static void last_day(const char *signed_at, const char *every, char buf[16])
{
    int64_t days = 0;
    struct err err;
    (void)snprintf(buf, 16, "%.10s", signed_at);
    if (date_parse(buf, &days, &err) != 0) {
        (void)snprintf(buf, 16, "0000-00-00"); /* signed on no day: never in force */
        return;
    }
    long year = strtol(buf, NULL, 10);
    long month = strtol(buf + 5, NULL, 10);
    if (strcmp(every, "year") == 0) {
        char rest[8];
        (void)snprintf(rest, sizeof rest, "%s", buf + 4);
        (void)snprintf(buf, 16, "%04ld%s", (year + 1) % 10000, rest);
    } else if (strcmp(every, "period") == 0) {
        (void)snprintf(buf, 16, "%04ld-%02ld-31", (year + month / 12) % 10000, month % 12 + 1);
    } else {
        buf[0] = '\0';
    }
}

/* How often the control asks for the statement, "" if it does not say. */
static const char *every_of(const struct control *c, const char *statement)
{
    for (size_t i = 0; i < c->n_attests; i++) {
        if (strcmp(c->attests[i].id, statement) == 0 && c->attests[i].every != NULL) {
            return c->attests[i].every;
        }
    }
    return "";
}

bool statement_in_force(const struct judge *j, const struct framework *fw, const struct control *c,
                        const char *statement)
{
    const struct fact_table *t = facts_find(j->facts, "site_attestations");
    for (size_t i = 0; t != NULL && i < t->n_rows; i++) {
        const char *control = fact_cell_text(t, i, "control");
        const char *signed_at = fact_cell_text(t, i, "signed_at");
        const char *until = fact_cell_text(t, i, "valid_until");
        if (!text_is(fact_cell_text(t, i, "statement"), statement) ||
            !text_is(fact_cell_text(t, i, "framework"), fw->id) || control == NULL ||
            !control_matches(control, c->id) || signed_at == NULL || signed_at[0] == '\0') {
            continue; /* a statement that nobody signed on any day is none */
        }
        char by_rule[16];
        last_day(signed_at, every_of(c, statement), by_rule);
        if (day_within(j->local_date, signed_at, until != NULL ? until : by_rule)) {
            return true;
        }
    }
    return false;
}
