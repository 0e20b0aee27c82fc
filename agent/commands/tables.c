/* tenken tables: the schema, from the declarations that the probes themselves write by. */
#include <stdio.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/commands/opts.h"
#include "agent/commands/session.h"

static void add_flag_json(const char *word, void *arg)
{
    jout_text(arg, word);
}

static void put_values(struct json_out *j, const char *values)
{
    jout_key(j, "values");
    jout_open(j, '[');
    for (const char *p = values; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, "|");
        size_t word = n > 0 && p[n - 1] == '?' ? n - 1 : n; /* '?' flags UNKNOWN */
        jout_text_n(j, p, word);
        p += n + (p[n] == '|' ? 1 : 0);
    }
    jout_close(j, ']');
}

static const char *kind_word(const struct table *t)
{
    return t->kind == TABLE_VIEW ? "view" : "table";
}

static void put_json(const struct table *t, struct json_out *j)
{
    jout_open(j, '{');
    jout_kv_text(j, "name", t->name);
    jout_kv_text(j, "kind", kind_word(t));
    jout_kv_text(j, "doc", t->doc);
    jout_kv_text(j, "source", t->source != NULL ? t->source : "");
    jout_kv_bool(j, "osquery", t->osquery);
    jout_key(j, "columns");
    jout_open(j, '[');
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column *c = &t->columns[i];
        jout_open(j, '{');
        jout_kv_text(j, "name", c->name);
        jout_kv_text(j, "type", col_type_word(c->type));
        jout_kv_text(j, "unit", c->unit != NULL ? c->unit : "");
        jout_key(j, "flags");
        jout_open(j, '[');
        column_flag_words(c->flags, add_flag_json, j);
        jout_close(j, ']');
        put_values(j, c->values);
        jout_kv_text(j, "doc", c->doc != NULL ? c->doc : "");
        jout_close(j, '}');
    }
    jout_close(j, ']');
    jout_close(j, '}');
}

static void add_flag_text(const char *word, void *arg)
{
    struct str *out = arg;
    str_addf(out, "%s%s", out->len > 0 ? " " : "", word);
}

static void put_column_text(const struct column *c, bool markdown, struct str *out)
{
    CLEANUP(str) struct str flags = STR_INIT(256);
    CLEANUP(str) struct str doc = STR_INIT(8192);
    column_flag_words(c->flags, add_flag_text, &flags);
    str_add(&doc, c->doc != NULL ? c->doc : "");
    if (c->values != NULL) {
        str_addf(&doc, "%s{%s}", doc.len > 0 ? " " : "", c->values);
    }
    if (c->unit != NULL && c->unit[0] != '\0') {
        str_addf(&doc, " (%s)", c->unit);
    }
    if (!markdown) {
        str_addf(out, "  %-22s %-8s %-16s %s\n", c->name, col_type_word(c->type), str_text(&flags),
                 str_text(&doc));
        return;
    }
    str_addf(out, "| `%s` | %s | %s | ", c->name, col_type_word(c->type), str_text(&flags));
    for (const char *p = str_text(&doc); *p != '\0'; p++) {
        if (*p == '|') {
            str_add_char(out, '\\');
        }
        str_add_char(out, *p);
    }
    str_add(out, " |\n");
}

static void put_text(const struct table *t, bool markdown, struct str *out)
{
    if (markdown) {
        str_addf(out, "## `%s`\n\n%s\n\n", t->name, t->doc);
        if (t->source != NULL && t->source[0] != '\0') {
            str_addf(out, "Source: %s\n\n", t->source);
        }
        str_add(out, "| column | type | flags | meaning |\n|---|---|---|---|\n");
    } else {
        str_addf(out, "%s (%s): %s\n", t->name, kind_word(t), t->doc);
        if (t->source != NULL && t->source[0] != '\0') {
            str_addf(out, "  source: %s\n", t->source);
        }
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        put_column_text(&t->columns[i], markdown, out);
    }
    str_add_char(out, '\n');
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct table *const *)a)->name, (*(const struct table *const *)b)->name);
}

/* All tables and views, sorted by name; caller frees the array. */
static const struct table **all_tables(const struct policy *p, size_t *ret_n, struct err *e)
{
    CLEANUP(free) const struct table **schema = schema_of_program(e);
    size_t n = 0;
    if (schema == NULL) {
        return NULL;
    }
    while (schema[n] != NULL) {
        n++;
    }
    const struct table **list = calloc(n + p->n_views + 1, sizeof(*list));
    if (list == NULL) {
        (void)err_nomem(e);
        return NULL;
    }
    memcpy(list, schema, n * sizeof(*list));
    for (size_t i = 0; i < p->n_views; i++) {
        list[n++] = &p->views[i].decl;
    }
    qsort(list, n, sizeof(*list), by_name);
    *ret_n = n;
    return list;
}

static int no_table(const struct table *const *list, size_t n, const char *name)
{
    struct err e = {0};
    CLEANUP(free) const char **names = calloc(n + 1, sizeof(*names));
    for (size_t i = 0; names != NULL && i < n; i++) {
        names[i] = list[i]->name;
    }
    const char *near = names != NULL ? str_nearest(name, names, n) : NULL;
    (void)err_set(&e, ERR_INVALID, "no table %s%s%s", name, near != NULL ? ", did you mean " : "",
                  near != NULL ? near : "");
    return complain(&e);
}

static int print_tables(const struct table *const *list, size_t n, const char *name,
                        const char *format)
{
    CLEANUP(str) struct str out = STR_INIT((size_t)16 << 20);
    struct json_out j;
    bool json = strcmp(format, "json") == 0;
    bool found = name == NULL;
    jout_begin(&j, &out, true);
    if (json) {
        jout_open(&j, '[');
    }
    for (size_t i = 0; i < n; i++) {
        if (name != NULL && strcmp(list[i]->name, name) != 0) {
            continue;
        }
        found = true;
        if (json) {
            put_json(list[i], &j);
        } else {
            put_text(list[i], strcmp(format, "markdown") == 0, &out);
        }
    }
    if (!found) {
        return no_table(list, n, name);
    }
    if (json) {
        jout_close(&j, ']');
        str_add_char(&out, '\n');
    }
    return write_output(NULL, &out);
}

int cmd_tables(struct app *app, int argc, char **argv)
{
    static const char *const formats[] = {"text", "json", "markdown", NULL};
    const char *format = "text";
    CLEANUP(strv) struct strv args = {0};
    const struct opt opts[] = {
        {"format",
         OPT_WORD,
         "text|json|markdown",
         &format,
         {{"出力の形", "form of the output"}},
         formats},
    };
    const struct usage u = {
        .command = "tables",
        .arguments = "[NAME]",
        .doc = {{"事実の表、宣言の表、ビューと、その列の意味。",
                 "Tables of facts, of the site and views, with the meaning of their columns."}},
        .opts = opts,
        .n_opts = ARRAY_LEN(opts),
        .min_args = 0,
        .max_args = 1};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    const char *dirs[1];
    CLEANUP(policy) struct policy *policy = NULL;
    if (policy_load(dirs, rules_dirs(NULL, false, dirs), true, &policy, &e) < 0) {
        return complain(&e);
    }
    size_t n = 0;
    CLEANUP(free) const struct table **list = all_tables(policy, &n, &e);
    if (list == NULL) {
        return complain(&e);
    }
    return print_tables(list, n, args.n > 0 ? args.items[0] : NULL, format);
}
