/* tenken query: fills the tables that the SQL names and prints the rows. */
#include <stdio.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/commands/opts.h"
#include "agent/commands/session.h"

static void put_table(const struct result_rows *rows, struct str *out)
{
    CLEANUP(free) size_t *width = calloc(rows->n_columns + 1, sizeof(*width));
    CLEANUP(strv) struct strv shown = {0};
    if (width == NULL) {
        out->error = ERR_NOMEM;
        return;
    }
    for (size_t i = 0; i < rows->n_columns; i++) {
        width[i] = str_width(rows->columns[i]);
    }
    for (size_t i = 0; i < rows->n_rows * rows->n_columns; i++) {
        CLEANUP(str) struct str text = STR_INIT((size_t)4 << 20);
        CLEANUP(str) struct str plain = STR_INIT((size_t)4 << 20);
        struct json_out j;
        const struct cell *c = &rows->cells[i];
        jout_begin(&j, &plain, false);
        if (c->type == CELL_TEXT) {
            str_add_terminal(&text, c->v.t.p);
        } else if (c->type == CELL_NULL) {
            str_add(&text, "NULL");
        } else {
            jout_cell(&j, c);
            str_add(&text, str_text(&plain));
        }
        struct err e = {0};
        if (strv_add(&shown, str_text(&text), &e) < 0) {
            out->error = ERR_NOMEM;
            return;
        }
        size_t w = str_width(shown.items[i]);
        size_t column = i % rows->n_columns;
        width[column] = w > width[column] ? w : width[column];
    }
    for (size_t r = 0; r <= rows->n_rows; r++) {
        for (size_t i = 0; i < rows->n_columns; i++) {
            const char *cell =
                r == 0 ? rows->columns[i] : shown.items[(r - 1) * rows->n_columns + i];
            bool last = i + 1 == rows->n_columns;
            str_addf(out, "%s%*s", cell, last ? 0 : (int)(width[i] - str_width(cell) + 2), "");
        }
        str_add_char(out, '\n');
    }
}

static void put_json(const struct result_rows *rows, struct str *out)
{
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '[');
    for (size_t r = 0; r < rows->n_rows; r++) {
        jout_open(&j, '{');
        for (size_t i = 0; i < rows->n_columns; i++) {
            jout_key(&j, rows->columns[i]);
            jout_cell(&j, &rows->cells[r * rows->n_columns + i]);
        }
        jout_close(&j, '}');
    }
    jout_close(&j, ']');
    str_add_char(out, '\n');
}

static void put_csv_text(const char *text, struct str *out)
{
    bool quote = strpbrk(text, ",\"\r\n") != NULL;
    if (!quote) {
        str_add(out, text);
        return;
    }
    str_add_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            str_add_char(out, '"');
        }
        str_add_char(out, *text);
    }
    str_add_char(out, '"');
}

/* RFC 4180 with a header line; NULL is an empty field, an empty text is "". */
static void put_csv(const struct result_rows *rows, struct str *out)
{
    for (size_t i = 0; i < rows->n_columns; i++) {
        str_add(out, i > 0 ? "," : "");
        put_csv_text(rows->columns[i], out);
    }
    str_add(out, "\r\n");
    for (size_t r = 0; r < rows->n_rows; r++) {
        for (size_t i = 0; i < rows->n_columns; i++) {
            const struct cell *c = &rows->cells[r * rows->n_columns + i];
            str_add(out, i > 0 ? "," : "");
            if (c->type == CELL_TEXT) {
                str_add(out, c->v.t.n == 0 ? "\"\"" : "");
                put_csv_text(c->v.t.p, out);
            } else if (c->type != CELL_NULL) {
                struct json_out j;
                jout_begin(&j, out, false);
                jout_cell(&j, c);
            }
        }
        str_add(out, "\r\n");
    }
}

/* One line on stderr for each table of the query that was not looked at whole. */
static bool report_incomplete(const struct session *s)
{
    bool incomplete = false;
    for (size_t i = 0; i < s->scan.facts.n; i++) {
        const struct fact_table *t = s->scan.facts.tables[i];
        if (t->decl->kind != TABLE_FACTS || !t->wanted || t->state == STATE_COMPLETE ||
            t->state == STATE_ABSENT) {
            continue;
        }
        CLEANUP(str) struct str line = STR_INIT(4096);
        str_add_terminal(&line, t->reason);
        (void)fprintf(stderr, "tenken: %s: %s%s%s\n", t->decl->name, fact_state_word(t->state),
                      line.len > 0 ? ": " : "", str_text(&line));
        incomplete = true;
    }
    return incomplete;
}

/* Tables that nobody asked for: probe_status lists them too, as not-run, under their probe's name.
 */
static int add_not_run(struct session *s, struct err *e)
{
    size_t n = 0;
    const struct probe *const *probes = probe_registry(&n);
    for (size_t i = 0; i < n; i++) {
        for (const struct table *const *t = probes[i]->tables; *t != NULL; t++) {
            struct fact_table *added = NULL;
            if (facts_find(&s->scan.facts, (*t)->name) == NULL &&
                facts_add(&s->scan.facts, *t, probes[i]->name, &added, e) < 0) {
                return ERR_NOMEM;
            }
        }
    }
    return 0;
}

static int fill(struct session *s, const struct read_set *reads, struct err *e)
{
    char time[TIME_TEXT_MAX];
    char date[TIME_TEXT_MAX];
    const struct site_contract *c =
        site_n_contracts(s->site) > 0 ? site_contract(s->site, 0) : NULL;
    const char *zone = c != NULL && c->time_zone[0] != '\0' ? c->time_zone : "Asia/Tokyo";
    int r = session_scan(s, reads, NULL, e);
    if (r == 0) {
        r = date_in_zone(zone, s->time_s, date, e);
    }
    if (r < 0) {
        return r;
    }
    time_utc(s->time_s, time);
    struct scan_row row = {.id = s->scan_id,
                           .time = time,
                           .local_date = date,
                           .hostname = s->info.hostname,
                           .boot_id = s->info.boot_id,
                           .root = s->root,
                           .agent_version = TENKEN_VERSION};
    r = add_not_run(s, e);
    if (r == 0) {
        r = scan_tables_add(&s->scan.facts, &row, e);
    }
    if (r == 0) {
        r = probe_status_complete(&s->scan.facts, s->policy, s->schema, e);
    }
    if (r == 0) {
        r = site_facts(s->site, "", &s->scan.facts, e);
    }
    return r < 0 ? r : owed_apply(&s->scan.facts, s->site, "", e);
}

static int run_query(struct session *s, const char *sql, const char *format)
{
    struct err e = {0};
    CLEANUP(read_set) struct read_set reads = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)256 << 20);
    struct result_rows rows = {0};
    int r = sql_reads(s->policy, sql, s->schema, &reads, &e);
    if (r == 0) {
        r = fill(s, &reads, &e);
    }
    if (r == 0) {
        r = sql_query(s->policy, &s->scan.facts, sql, &rows, &e);
    }
    if (r < 0) {
        return complain(&e);
    }
    if (strcmp(format, "json") == 0) {
        put_json(&rows, &out);
    } else if (strcmp(format, "csv") == 0) {
        put_csv(&rows, &out);
    } else {
        put_table(&rows, &out);
    }
    result_rows_done(&rows);
    int code = write_output(NULL, &out);
    bool incomplete = report_incomplete(s);
    return code == EXIT_GOOD && incomplete ? EXIT_INCOMPLETE : code;
}

int cmd_query(struct app *app, int argc, char **argv)
{
    static const char *const formats[] = {"table", "json", "csv", NULL};
    struct session_options so = {.site_required = false, .site_trusted = true};
    const char *format = "table";
    CLEANUP(strv) struct strv args = {0};
    CLEANUP(strv) struct strv policies = {0};
    const struct opt opts[] = {
        {"site", OPT_TEXT, "FILE", &so.site_path, {{"宣言ファイル", "site file"}}, NULL},
        {"policy",
         OPT_LIST,
         "DIR",
         &policies,
         {{"標準の規則に加える規則", "rules to add to the shipped ones"}},
         NULL},
        {"root",
         OPT_TEXT,
         "DIR",
         &so.root,
         {{"取り込んだファイル木を見る", "look at a captured tree"}},
         NULL},
        {"format",
         OPT_WORD,
         "table|json|csv",
         &format,
         {{"出力の形", "form of the output"}},
         formats},
    };
    const struct usage u = {
        .command = "query",
        .arguments = "SQL",
        .doc = {{"SQL "
                 "が名指す事実の表を観測し、結果の行を出します。見られなかった表は標準エラー出力に"
                 "示し、終了コード 3。例: "
                 "tenken query \"SELECT mount, encrypted, method FROM mount_encryption\"",
                 "Observes the tables of facts that the SQL names and prints its rows. A table "
                 "that could not be looked at is named on "
                 "stderr and the exit code is 3. Example: tenken query \"SELECT mount, encrypted, "
                 "method FROM mount_encryption\""}},
        .opts = opts,
        .n_opts = ARRAY_LEN(opts),
        .min_args = 1,
        .max_args = 1};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    struct session s;
    so.policies = &policies;
    if (session_open(app, &so, &s, &e) < 0) {
        return complain(&e);
    }
    int code = run_query(&s, args.items[0], format);
    session_done(&s);
    return code;
}
