/* What changed between two evidences. The result is built as JSON once; the text for people is
 * drawn from that. */
#include <string.h>

#include "agent/evidence/evidence.h"

/* Rows of one table, to be matched. */
struct row_key {
    char *key; /* JSON text of the KEY cells, or of the whole row where there is no KEY */
    size_t row;
};

struct diff_table {
    const struct fact_table *a, *b;
    size_t *other; /* column of b for each column of a; SIZE_MAX = only in a */
    bool has_key;
};

/* As formats.md asks: what a double cannot hold is written as text. */
static json_t *int_json(int64_t i)
{
    const int64_t most = (INT64_C(1) << 53) - 1;
    return i >= -most && i <= most ? json_integer(i) : json_sprintf("%lld", (long long)i);
}

static json_t *cell_json(const struct cell *c)
{
    switch (c->type) {
    case CELL_INT:
        return int_json(c->v.i);
    case CELL_REAL:
        return json_real(c->v.r);
    case CELL_TEXT:
        return json_stringn(c->v.t.p, c->v.t.n);
    case CELL_NULL:
        break;
    }
    return json_null();
}

/* What differs at every scan and says nothing about the host. */
static bool is_volatile(const char *table, const char *column)
{
    return strcmp(table, "probe_status") == 0 &&
           (strcmp(column, "cpu_us") == 0 || strcmp(column, "wall_us") == 0);
}

/* Column i of a takes part: b has it too and it is not volatile. */
static bool is_shared(const struct diff_table *d, size_t i)
{
    return d->other[i] != SIZE_MAX && !is_volatile(d->a->decl->name, d->a->decl->columns[i].name);
}

static const struct cell *cell_at(const struct fact_table *t, size_t row, size_t column)
{
    return &t->cells[row * t->decl->n_columns + column];
}

/* Row as {column: value}, the KEY columns only or all shared ones. */
static json_t *row_json(const struct diff_table *d, bool of_b, size_t row, bool key_only)
{
    json_t *object = json_object();
    for (size_t i = 0; object != NULL && i < d->a->decl->n_columns; i++) {
        const struct column *c = &d->a->decl->columns[i];
        bool skip = key_only && d->has_key && (c->flags & COL_KEY) == 0;
        if (!is_shared(d, i) || skip) {
            continue;
        }
        const struct cell *cell = of_b ? cell_at(d->b, row, d->other[i]) : cell_at(d->a, row, i);
        if (json_object_set_new(object, c->name, cell_json(cell)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* Rows with one key (a table without KEY, or a log) keep their order: they are matched in turn. */
static int compare_row_keys(const void *a, const void *b)
{
    const struct row_key *x = a, *y = b;
    int by = strcmp(x->key, y->key);
    return by != 0 ? by : (x->row > y->row) - (x->row < y->row);
}

/* Also of a list that was filled halfway. */
static void keys_free(struct row_key *keys, size_t n)
{
    for (size_t i = 0; keys != NULL && i < n; i++) {
        free(keys[i].key);
    }
    free(keys);
}

/* JSON text as key: comparable whatever the types, and NULL is not the text "null". */
static int make_keys(const struct diff_table *d, bool of_b, struct row_key **ret, struct err *e)
{
    size_t n = of_b ? d->b->n_rows : d->a->n_rows;
    struct row_key *keys = calloc(n + 1, sizeof(*keys));
    if (keys == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < n; i++) {
        CLEANUP(json) json_t *object = row_json(d, of_b, i, true);
        keys[i].row = i;
        keys[i].key = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        if (keys[i].key == NULL) {
            keys_free(keys, n);
            return err_nomem(e);
        }
    }
    if (n > 1) {
        qsort(keys, n, sizeof(*keys), compare_row_keys);
    }
    *ret = keys;
    return 0;
}

/* {"key":{...},"columns":{name:[a,b]}} for a row of both; nothing is added if they agree. */
static int add_changed(const struct diff_table *d, size_t row_a, size_t row_b, json_t *list,
                       struct err *e)
{
    CLEANUP(json) json_t *columns = json_object();
    for (size_t i = 0; columns != NULL && i < d->a->decl->n_columns; i++) {
        if (!is_shared(d, i)) {
            continue;
        }
        const struct cell *x = cell_at(d->a, row_a, i), *y = cell_at(d->b, row_b, d->other[i]);
        if (cell_compare(x, y) == 0) {
            continue;
        }
        json_t *pair = json_pack("[o,o]", cell_json(x), cell_json(y));
        if (json_object_set_new(columns, d->a->decl->columns[i].name, pair) != 0) {
            return err_nomem(e);
        }
    }
    if (columns == NULL) {
        return err_nomem(e);
    }
    if (json_object_size(columns) == 0) {
        return 0;
    }
    json_t *entry =
        json_pack("{s:o,s:O}", "key", row_json(d, false, row_a, true), "columns", columns);
    return json_array_append_new(list, entry) == 0 ? 0 : err_nomem(e);
}

/* Merges the two sorted lists of keys into added, removed, changed. */
static int match_rows(const struct diff_table *d, const struct row_key *x, const struct row_key *y,
                      json_t *entry, struct err *e)
{
    json_t *added = json_object_get(entry, "added");
    json_t *removed = json_object_get(entry, "removed");
    json_t *changed = json_object_get(entry, "changed");
    size_t i = 0, k = 0;
    int rc = 0;
    while (rc == 0 && (i < d->a->n_rows || k < d->b->n_rows)) {
        int by = i == d->a->n_rows ? 1 : k == d->b->n_rows ? -1 : strcmp(x[i].key, y[k].key);
        if (by == 0) {
            rc = add_changed(d, x[i++].row, y[k++].row, changed, e);
            continue;
        }
        json_t *row =
            by < 0 ? row_json(d, false, x[i++].row, false) : row_json(d, true, y[k++].row, false);
        rc = json_array_append_new(by < 0 ? removed : added, row) == 0 ? 0 : err_nomem(e);
    }
    return rc;
}

/* Two recordings of one table, perhaps by different versions: columns that both have are compared,
 * those of one alone say nothing about the host. */
static int diff_rows(const struct fact_table *a, const struct fact_table *b, json_t *list,
                     struct err *e)
{
    size_t width = a->decl->n_columns;
    CLEANUP(free) size_t *other = calloc(width, sizeof(*other));
    struct diff_table d = {.a = a, .b = b, .other = other};
    CLEANUP(json)
    json_t *entry =
        json_pack("{s:s,s:[],s:[],s:[]}", "table", a->decl->name, "added", "removed", "changed");
    if (other == NULL || entry == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < width; i++) {
        int at = table_column(b->decl, a->decl->columns[i].name);
        other[i] = at < 0 ? SIZE_MAX : (size_t)at;
        d.has_key = d.has_key || ((a->decl->columns[i].flags & COL_KEY) != 0 && at >= 0);
    }
    struct row_key *x = NULL, *y = NULL;
    int rc = make_keys(&d, false, &x, e);
    if (rc == 0) {
        rc = make_keys(&d, true, &y, e);
    }
    if (rc == 0) {
        rc = match_rows(&d, x, y, entry, e);
    }
    keys_free(x, a->n_rows);
    keys_free(y, b->n_rows);
    bool same = json_array_size(json_object_get(entry, "added")) == 0 &&
                json_array_size(json_object_get(entry, "removed")) == 0 &&
                json_array_size(json_object_get(entry, "changed")) == 0;
    if (rc == 0 && !same && json_array_append(list, entry) != 0) {
        rc = err_nomem(e);
    }
    return rc;
}

/* Which tables are recorded follows from what the checks read, so other rules record others. */
static int add_only_in(json_t *list, const char *table, const char *which, struct err *e)
{
    json_t *entry = json_pack("{s:s,s:s}", "table", table, "only_in", which);
    return json_array_append_new(list, entry) == 0 ? 0 : err_nomem(e);
}

static int diff_facts(const struct facts *a, const struct facts *b, json_t *list, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->n; i++) {
        const char *name = a->tables[i]->decl->name;
        const struct fact_table *other = facts_find(b, name);
        if (strcmp(name, "scan") == 0) {
            continue; /* time and id of the scan: always other ones */
        }
        rc = other == NULL ? add_only_in(list, name, "a", e)
                           : diff_rows(a->tables[i], other, list, e);
    }
    for (size_t i = 0; rc == 0 && i < b->n; i++) {
        const char *name = b->tables[i]->decl->name;
        if (facts_find(a, name) == NULL) {
            rc = add_only_in(list, name, "b", e);
        }
    }
    return rc;
}

static const char *verdict_of(const json_t *list, const char *id)
{
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "id")), id) == 0) {
            return json_string_value(json_object_get(item, "verdict"));
        }
    }
    return "";
}

/* Verdicts of the array `name` ("checks", "controls") that differ; "" = not judged there. */
static int diff_verdicts(const struct statement *a, const struct statement *b, const char *name,
                         json_t *list, struct err *e)
{
    const json_t *x = json_object_get(json_object_get(a->root, "predicate"), name);
    const json_t *y = json_object_get(json_object_get(b->root, "predicate"), name);
    const json_t *const sides[] = {x, y};
    for (int side = 0; side < 2; side++) {
        size_t i = 0;
        const json_t *item = NULL;
        json_array_foreach(sides[side], i, item)
        {
            const char *id = json_string_value(json_object_get(item, "id"));
            const char *before = verdict_of(x, id), *after = verdict_of(y, id);
            bool seen = side == 1 && before[0] != '\0';
            if (seen || strcmp(before, after) == 0) {
                continue;
            }
            json_t *entry = json_pack("{s:s,s:s,s:s}", "id", id, "a", before, "b", after);
            if (json_array_append_new(list, entry) != 0) {
                return err_nomem(e);
            }
        }
    }
    return 0;
}

/* Which evidence it was, for the heading. */
static json_t *side_json(const struct statement *s)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s}", "host", s->host_id, "asset", s->asset,
                     "contract", s->contract, "framework", s->framework, "chain", s->chain,
                     "sequence", (json_int_t)s->sequence, "time", s->time);
}

/* --- for people --- */

static const char *say(enum lang lang, const char *ja, const char *en)
{
    return lang == LANG_JA ? ja : en;
}

/* Cells come from the inspected host: nothing of them reaches the terminal as a control. */
static void add_safe(struct str *out, const char *text)
{
    str_add_terminal(out, text);
}

static void add_value(struct str *out, const json_t *v)
{
    if (json_is_string(v)) {
        add_safe(out, json_string_value(v));
    } else if (json_is_null(v)) {
        str_add(out, "NULL");
    } else if (json_is_integer(v)) {
        str_addf(out, "%lld", (long long)json_integer_value(v));
    } else {
        str_addf(out, "%g", json_number_value(v));
    }
}

/* " name=value name=value" and the end of the line. */
static void add_object(struct str *out, const json_t *object)
{
    const char *name = NULL;
    json_t *v = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        str_add_char(out, ' ');
        add_safe(out, name);
        str_add_char(out, '=');
        add_value(out, v);
    }
    str_add_char(out, '\n');
}

static void add_table_text(struct str *out, const json_t *entry, enum lang lang)
{
    static const char *const lists[] = {"removed", "added"};
    const char *only = json_string_value(json_object_get(entry, "only_in"));
    const json_t *row = NULL;
    size_t i = 0;
    add_safe(out, json_string_value(json_object_get(entry, "table")));
    if (only != NULL) {
        str_addf(out, ": %s %s\n", say(lang, "記録があるのは片方だけ:", "recorded only in"), only);
        return;
    }
    str_add_char(out, '\n');
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        json_array_foreach(json_object_get(entry, lists[k]), i, row)
        {
            str_add(out, k == 0 ? "  -" : "  +");
            add_object(out, row);
        }
    }
    json_array_foreach(json_object_get(entry, "changed"), i, row)
    {
        const char *name = NULL;
        json_t *pair = NULL;
        str_add(out, "  ~");
        add_object(out, json_object_get(row, "key"));
        json_object_foreach(json_object_get(row, "columns"), name, pair)
        {
            str_add(out, "      ");
            add_safe(out, name);
            str_add(out, ": ");
            add_value(out, json_array_get(pair, 0));
            str_add(out, " → ");
            add_value(out, json_array_get(pair, 1));
            str_add_char(out, '\n');
        }
    }
}

static void add_verdicts_text(struct str *out, const json_t *list, const char *title)
{
    size_t i = 0;
    const json_t *entry = NULL;
    json_array_foreach(list, i, entry)
    {
        const char *a = json_string_value(json_object_get(entry, "a"));
        const char *b = json_string_value(json_object_get(entry, "b"));
        str_addf(out, "%s ", title);
        add_safe(out, json_string_value(json_object_get(entry, "id")));
        str_addf(out, "  %s → %s\n", a[0] != '\0' ? a : "-", b[0] != '\0' ? b : "-");
    }
}

static void add_text(struct str *out, const json_t *diff, bool same, enum lang lang)
{
    static const char *const sides[] = {"a", "b"};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        str_addf(out, "%s:", sides[i]);
        add_object(out, json_object_get(diff, sides[i]));
    }
    add_verdicts_text(out, json_object_get(diff, "controls"), say(lang, "条項", "control"));
    add_verdicts_text(out, json_object_get(diff, "checks"), say(lang, "点検項目", "check"));
    size_t i = 0;
    const json_t *entry = NULL;
    json_array_foreach(json_object_get(diff, "facts"), i, entry)
    {
        add_table_text(out, entry, lang);
    }
    if (same) {
        str_add(out, say(lang, "違いはありません\n", "no difference\n"));
    }
}

/* Verdicts first: they are what the reader came for. */
int evidence_diff(const struct statement *a, const struct statement *b, bool as_json,
                  enum lang lang, struct str *out, bool *ret_same, struct err *e)
{
    CLEANUP(json) json_t *facts = json_array();
    CLEANUP(json) json_t *checks = json_array();
    CLEANUP(json) json_t *controls = json_array();
    if (facts == NULL || checks == NULL || controls == NULL) {
        return err_nomem(e);
    }
    int rc = diff_facts(&a->facts, &b->facts, facts, e);
    if (rc == 0) {
        rc = diff_verdicts(a, b, "checks", checks, e);
    }
    if (rc == 0) {
        rc = diff_verdicts(a, b, "controls", controls, e);
    }
    if (rc != 0) {
        return rc;
    }
    bool same = json_array_size(facts) + json_array_size(checks) + json_array_size(controls) == 0;
    CLEANUP(json)
    json_t *diff =
        json_pack("{s:s,s:o,s:o,s:O,s:O,s:O}", "format", "tenken-diff/1", "a", side_json(a), "b",
                  side_json(b), "controls", controls, "checks", checks, "facts", facts);
    if (diff == NULL) {
        return err_nomem(e);
    }
    if (as_json) {
        CLEANUP(free) char *text = json_dumps(diff, JSON_COMPACT);
        str_add(out, text != NULL ? text : "");
        str_add_char(out, '\n');
        rc = text == NULL ? err_nomem(e) : 0;
    } else {
        add_text(out, diff, same, lang);
    }
    if (rc == 0) {
        rc = str_error(out, e);
    }
    if (rc == 0) {
        *ret_same = same;
    }
    return rc;
}
