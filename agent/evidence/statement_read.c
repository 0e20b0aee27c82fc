/* Reads a statement back whole: the tree, the head's texts, and the facts with the schema that was
 * recorded with them. The strict scan comes first: what it refused never reaches jansson. */
#include <string.h>

#include "agent/evidence/statement.h"

/* Table and column names become SQL identifiers in the redo. */
static bool is_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= 64 && text[n] == '\0' && !(text[0] >= '0' && text[0] <= '9');
}

static int bad_table(struct err *e, const char *table, const char *what)
{
    return err_set(e, ERR_MALFORMED, "statement: facts.%.64s: %s", table, what);
}

static bool list_has(const json_t *list, const char *word)
{
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

/* The vocabulary in the form of struct column: "a|b|c?". NULL stays NULL. */
static int join_vocabulary(const json_t *column, char **ret, struct err *e)
{
    const json_t *values = json_object_get(column, "values");
    const json_t *unknown = json_object_get(column, "unknown");
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
    size_t i = 0;
    const json_t *word = NULL;
    if (values == NULL) {
        *ret = NULL;
        return 0;
    }
    json_array_foreach(values, i, word)
    {
        if (!json_is_string(word)) {
            return err_set(e, ERR_MALFORMED, "\"values\" holds what is no text");
        }
        str_addf(&text, "%s%s%s", i > 0 ? "|" : "", json_string_value(word),
                 list_has(unknown, json_string_value(word)) ? "?" : "");
    }
    int rc = str_error(&text, e);
    if (rc == 0) {
        *ret = text.len > 0 ? str_take(&text, NULL) : strdup("");
        rc = *ret == NULL ? err_nomem(e) : 0;
    }
    return rc;
}

/* Unit and documentation are not recorded: nothing is judged by them. */
static int read_column(const json_t *json, struct column *c, char **ret_values, struct err *e)
{
    const char *type = NULL;
    const json_t *flags = NULL;
    int rc = json_need_text(json, "name", &c->name, e);
    if (rc == 0) {
        rc = json_need_text(json, "type", &type, e);
    }
    if (rc == 0) {
        rc = json_need_array(json, "flags", &flags, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (!is_name(c->name)) {
        return err_set(e, ERR_MALFORMED, "a column's name is none");
    }
    c->type = COL_TEXT;
    while (strcmp(col_type_word(c->type), type) != 0) {
        if (c->type == COL_REAL) {
            return err_set(e, ERR_MALFORMED, "column %s: unknown type", c->name);
        }
        c->type = (enum col_type)(c->type + 1);
    }
    size_t i = 0;
    const json_t *flag = NULL;
    json_array_foreach(flags, i, flag)
    {
        /* a flag of a later version means nothing here */
        c->flags |= json_is_string(flag) ? column_flag_bit(json_string_value(flag)) : 0;
    }
    c->unit = "";
    c->doc = "";
    return join_vocabulary(json, ret_values, e);
}

/* Follows from the name, as tables.md fixes them; the judge goes by the same names. */
static enum table_kind kind_of(const char *name)
{
    if (strncmp(name, "site_", 5) == 0) {
        return TABLE_SITE;
    }
    bool scan = strcmp(name, "scan") == 0 || strcmp(name, "probe_status") == 0 ||
                strcmp(name, "recorded_notes") == 0;
    return scan ? TABLE_SCAN : TABLE_FACTS;
}

/* Declaration, columns and vocabularies in one piece of memory, because facts_done frees just the
 * declaration. Names stay in the tree, which lives as long. */
static struct table *pack_table(const char *name, const struct column *columns, size_t n,
                                char *const *values)
{
    size_t texts = 0;
    for (size_t i = 0; i < n; i++) {
        texts += values[i] != NULL ? strlen(values[i]) + 1 : 0;
    }
    struct table *t = calloc(1, sizeof(*t) + n * sizeof(struct column) + texts);
    if (t == NULL) {
        return NULL;
    }
    struct column *copy = (struct column *)(t + 1);
    char *text = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = columns[i];
        if (values[i] != NULL) {
            size_t size = strlen(values[i]) + 1;
            copy[i].values = memcpy(text, values[i], size);
            text += size;
        }
    }
    *t = (struct table){.name = name,
                        .doc = "",
                        .source = "",
                        .kind = kind_of(name),
                        .columns = copy,
                        .n_columns = n};
    return t;
}

#define COLUMNS_MAX 256U

/* The recorded schema, not this program's: an evidence of years ago is judged by the columns and
 * flags that it was judged by then. */
static int read_schema(const char *name, const json_t *list, struct table **ret, struct err *e)
{
    size_t n = json_array_size(list), done = 0;
    struct column columns[COLUMNS_MAX];
    char *values[COLUMNS_MAX];
    int rc = 0;
    if (!is_name(name) || n == 0 || n > COLUMNS_MAX) {
        return bad_table(e, name, "not a table's name, or columns missing");
    }
    for (; rc == 0 && done < n; done += rc == 0) {
        columns[done] = (struct column){0};
        values[done] = NULL;
        rc = read_column(json_array_get(list, done), &columns[done], &values[done], e);
        for (size_t k = 0; rc == 0 && k < done; k++) {
            if (strcmp(columns[k].name, columns[done].name) == 0) {
                free(values[done]);
                rc = err_set(e, ERR_MALFORMED, "column %s twice", columns[k].name);
            }
        }
    }
    struct table *t = rc == 0 ? pack_table(name, columns, n, values) : NULL;
    for (size_t i = 0; i < done; i++) {
        free(values[i]);
    }
    if (rc != 0) {
        (void)err_prefix(e, "statement: facts.%.64s", name);
        return rc;
    }
    *ret = t;
    return t == NULL ? err_nomem(e) : 0;
}

/* By the column's type, not by the JSON's: whole reals are written without a point, and integers
 * beyond 2^53-1 as text. */
static int read_cell(struct fact_table *t, const struct column *c, const json_t *v,
                     struct cell *cell, struct err *e)
{
    if (json_is_null(v)) {
        return 0;
    }
    if (c->type == COL_TEXT && json_is_string(v)) {
        return fact_text(t, cell, json_string_value(v), json_string_length(v), e);
    }
    if (c->type == COL_REAL && json_is_number(v)) {
        *cell = (struct cell){.type = CELL_REAL, .v = {.r = json_number_value(v)}};
        return 0;
    }
    if (c->type == COL_INT && json_is_integer(v)) {
        cell_int(cell, json_integer_value(v));
        return 0;
    }
    if (c->type == COL_INT && json_is_string(v)) {
        int64_t i = 0;
        const char *text = json_string_value(v);
        size_t n = json_string_length(v);
        if (strspn(text, "-0123456789") == n && jspan_int((struct jspan){text, n}, &i)) {
            cell_int(cell, i);
            return 0;
        }
    }
    return err_set(e, ERR_MALFORMED, "column %s: a cell is not of the column's type", c->name);
}

/* As many cells as columns, in their order. */
static int read_rows(struct fact_table *t, const json_t *rows, struct err *e)
{
    size_t r = 0;
    const json_t *row = NULL;
    json_array_foreach(rows, r, row)
    {
        struct cell *cells = NULL;
        if (!json_is_array(row) || json_array_size(row) != t->decl->n_columns) {
            return bad_table(e, t->decl->name, "a row has another number of cells than columns");
        }
        int rc = fact_row(t, &cells, e);
        for (size_t c = 0; rc == 0 && c < t->decl->n_columns; c++) {
            rc = read_cell(t, &t->decl->columns[c], json_array_get(row, c), &cells[c], e);
        }
        if (rc != 0) {
            (void)err_prefix(e, "statement: facts.%s", t->decl->name);
            return rc;
        }
    }
    return 0;
}

/* The declaration belongs to the table from here on (owns_decl). */
static int read_table(const char *name, const json_t *json, struct facts *f, struct err *e)
{
    const json_t *columns = json_object_get(json, "columns");
    const json_t *rows = json_object_get(json, "rows");
    const json_t *truncated = json_object_get(json, "truncated");
    struct table *decl = NULL;
    struct fact_table *t = NULL;
    if (!json_is_array(columns) || !json_is_array(rows) || !json_is_boolean(truncated)) {
        return bad_table(e, name, "\"columns\", \"rows\" or \"truncated\" is missing");
    }
    int rc = read_schema(name, columns, &decl, e);
    if (rc != 0) {
        return rc;
    }
    rc = facts_add(f, decl, "", &t, e);
    if (rc != 0) {
        free(decl);
        return rc;
    }
    t->owns_decl = true;
    t->wanted = true;
    t->truncated = json_is_true(truncated);
    /* until probe_status says otherwise: what a probe did not report on was not looked at */
    t->state = decl->kind == TABLE_FACTS ? STATE_NOT_RUN : STATE_COMPLETE;
    return read_rows(t, rows, e);
}

static const char *text_at(const struct fact_table *t, size_t row, const char *column)
{
    int i = table_column(t->decl, column);
    if (i < 0) {
        return "";
    }
    const struct cell *c = &t->cells[row * t->decl->n_columns + (size_t)i];
    return c->type == CELL_TEXT ? c->v.t.p : "";
}

/* The states of the tables are what probe_status recorded, no better. */
static int apply_states(struct facts *f, struct err *e)
{
    const struct fact_table *status = facts_find(f, "probe_status");
    for (size_t r = 0; status != NULL && r < status->n_rows; r++) {
        struct fact_table *t = facts_find(f, text_at(status, r, "tbl"));
        if (t == NULL || t->decl->kind != TABLE_FACTS) {
            continue;
        }
        enum fact_state state = STATE_NOT_RUN;
        int rc = fact_state_parse(text_at(status, r, "state"), &state, e);
        if (rc != 0) {
            return bad_table(e, "probe_status", "a state is none");
        }
        /* two rows for one table: the worse counts */
        t->state = fact_state_worse(t->state, state);
        const char *reason = text_at(status, r, "reason");
        memccpy(t->reason, reason, '\0', sizeof(t->reason) - 1);
    }
    for (size_t i = 0; i < f->n; i++) {
        if (f->tables[i]->truncated) {
            f->tables[i]->state = fact_state_worse(f->tables[i]->state, STATE_TRUNCATED);
        }
    }
    return 0;
}

int statement_facts(const json_t *facts, struct facts *ret, struct err *e)
{
    CLEANUP(facts) struct facts f = {0};
    const char *name = NULL;
    json_t *table = NULL;
    /* the macro wants a pointer to non-const; nothing is changed through it */
    json_t *object = (json_t *)(uintptr_t)facts;
    json_object_foreach(object, name, table)
    {
        int rc = read_table(name, table, &f, e);
        if (rc != 0) {
            return rc;
        }
    }
    int rc = apply_states(&f, e);
    if (rc == 0) {
        *ret = f;
        f = (struct facts){0};
    }
    return rc;
}

static const char *text_or_empty(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* The head's texts point into the tree; that they are there statement_head_parse has seen. */
static void fill_texts(struct statement *s, const json_t *predicate)
{
    const json_t *host = json_object_get(predicate, "host");
    const json_t *contract = json_object_get(predicate, "contract");
    const json_t *scan = json_object_get(predicate, "scan");
    s->host_id = text_or_empty(host, "id");
    s->machine_id = text_or_empty(host, "machine_id");
    s->asset = text_or_empty(host, "asset");
    s->hostname = text_or_empty(host, "hostname");
    s->os = text_or_empty(host, "os");
    s->agent_version = text_or_empty(json_object_get(predicate, "agent"), "version");
    s->rules_digest = text_or_empty(json_object_get(predicate, "rules"), "digest");
    s->contract = text_or_empty(contract, "id");
    s->framework = text_or_empty(contract, "framework");
    s->framework_version = text_or_empty(contract, "framework_version");
    s->framework_digest = text_or_empty(contract, "framework_digest");
    s->chain = text_or_empty(predicate, "chain");
    s->previous = text_or_empty(predicate, "previous");
    s->previous_chain = text_or_empty(predicate, "previous_chain");
    s->sqlite = text_or_empty(predicate, "sqlite");
    s->scan_id = text_or_empty(scan, "id");
    s->time = text_or_empty(scan, "time");
    s->local_date = text_or_empty(scan, "local_date");
    s->time_zone = text_or_empty(scan, "time_zone");
    s->boot_id = text_or_empty(scan, "boot_id");
    s->live = json_is_true(json_object_get(scan, "live"));
}

/* Each element of the array is an object with these texts. */
static int check_list(const json_t *predicate, const char *name, const char *const *texts,
                      struct err *e)
{
    const json_t *list = NULL, *item = NULL;
    size_t i = 0;
    int rc = json_need_array(predicate, name, &list, e);
    if (rc != 0) {
        return err_prefix(e, "statement: predicate");
    }
    json_array_foreach(list, i, item)
    {
        const char *text = NULL;
        for (size_t k = 0; texts[k] != NULL; k++) {
            if (json_need_text(item, texts[k], &text, e) != 0) {
                return err_prefix(e, "statement: %s[%zu]", name, i);
            }
        }
    }
    return 0;
}

/* What the redo and the differences rely on being there. */
static int check_results(const json_t *predicate, struct err *e)
{
    static const char *const check[] = {"id", "digest", "verdict", NULL};
    static const char *const control[] = {"id", "verdict", NULL};
    static const char *const probe[] = {"probe", "table", "state", NULL};
    const json_t *object = NULL;
    int rc = check_list(predicate, "checks", check, e);
    if (rc == 0) {
        rc = check_list(predicate, "controls", control, e);
    }
    if (rc == 0) {
        rc = check_list(predicate, "probes", probe, e);
    }
    if (rc == 0) {
        rc = json_need_object(predicate, "drift", &object, e);
    }
    if (rc == 0) {
        rc = json_need_object(predicate, "layers", &object, e);
    }
    return rc;
}

/* The head first: it checks the bytes strictly and cheaply, so that no tree is built of junk. */
int statement_parse(const char *payload, size_t n, struct statement *ret, struct err *e)
{
    CLEANUP(statement_head) struct statement_head head = {0};
    CLEANUP(statement) struct statement s = {0};
    int rc = statement_head_parse(payload, n, &head, e);
    if (rc == 0) {
        rc = json_parse("statement", payload, n, &s.root, e);
    }
    if (rc != 0) {
        return rc;
    }
    const json_t *predicate = json_object_get(s.root, "predicate");
    s.sequence = head.sequence;
    fill_texts(&s, predicate);
    rc = check_results(predicate, e);
    if (rc == 0) {
        rc = statement_facts(json_object_get(predicate, "facts"), &s.facts, e);
    }
    if (rc == 0) {
        *ret = s;
        s = (struct statement){0};
    }
    return rc;
}

void statement_done(struct statement *s)
{
    facts_done(&s->facts); /* before the tree that its names point into */
    json_decref(s->root);
    *s = (struct statement){0};
}
