/* tenken explain: why a check or a clause was judged so on this host, and how to mend it. */
#include <stdio.h>
#include <string.h>

#include "agent/commands/opts.h"
#include "agent/commands/render.h"

struct subject {
    const struct framework *framework;
    const struct site_contract *contract; /* NULL: none of that framework */
    const struct check *check;            /* a check was named */
    const char *clause;                   /* else a clause */
};

/* "5.6" names 5.6a, 5.6b …; "5.6a" only itself. */
static bool clause_matches(const char *named, const char *control)
{
    size_t n = strlen(named);
    if (strncmp(named, control, n) != 0) {
        return false;
    }
    return control[n] == '\0' || (control[n] >= 'a' && control[n] <= 'z' && control[n + 1] == '\0');
}

static bool framework_has(const struct framework *f, const struct subject *x)
{
    for (size_t i = 0; i < f->n_controls; i++) {
        if (x->check != NULL ? control_cites(&f->controls[i], x->check->id)
                             : clause_matches(x->clause, f->controls[i].id)) {
            return true;
        }
    }
    return false;
}

/* A contract's framework first, else any that has it. */
static int find_subject(const struct session *s, const char *name, struct subject *x, struct err *e)
{
    x->check = policy_check(s->policy, name);
    x->clause = name;
    for (size_t i = 0; i < site_n_contracts(s->site) && x->framework == NULL; i++) {
        const struct site_contract *c = site_contract(s->site, i);
        const struct framework *f = policy_framework(s->policy, c->framework);
        if (f != NULL && framework_has(f, x)) {
            x->framework = f;
            x->contract = c;
        }
    }
    for (size_t i = 0; i < s->policy->n_frameworks && x->framework == NULL; i++) {
        if (framework_has(&s->policy->frameworks[i], x)) {
            x->framework = &s->policy->frameworks[i];
        }
    }
    if (x->framework != NULL) {
        return 0;
    }
    return err_set(e, ERR_INVALID,
                   "explain: %s is neither a check nor a clause of the policies (tenken policy "
                   "coverage lists clauses)",
                   name);
}

static void put_block(struct str *out, const char *title, const char *text)
{
    str_addf(out, "  %s\n", title);
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        str_addf(out, "    %.*s\n", (int)n, p);
        p += n + (p[n] == '\n' ? 1 : 0);
    }
}

static void put_lines(struct str *out, const char *indent, const char *text)
{
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        CLEANUP(str) struct str line = STR_INIT((size_t)64 << 10);
        str_add_bytes(&line, p, n);
        put_wrapped(out, indent, (unsigned)strlen(indent), str_text(&line));
        p += n + (p[n] == '\n' ? 1 : 0);
    }
}

static void put_tables(const struct session *s, const struct check *c, struct str *out)
{
    const char *only[] = {c->id, NULL};
    CLEANUP(read_set) struct read_set reads = {0};
    struct err e = {0};
    if (policy_reads(s->policy, NULL, only, s->schema, &reads, &e) < 0) {
        str_addf(out, "  %s\n", e.msg);
        return;
    }
    str_addf(out, "  %s\n", say(s->app, "読む表", "tables read"));
    for (size_t i = 0; i < reads.tables.n; i++) {
        const struct fact_table *t = facts_find(&s->scan.facts, reads.tables.items[i]);
        if (t != NULL && t->decl->kind == TABLE_FACTS) {
            str_addf(out, "    %-20s %s, %zu %s%s%s\n", reads.tables.items[i],
                     fact_state_word(t->state), t->n_rows, say(s->app, "行", "rows"),
                     t->reason[0] != '\0' ? ", " : "", t->reason);
        } else {
            str_addf(out, "    %s\n", reads.tables.items[i]);
        }
    }
}

static void put_result(const struct session *s, const struct judged *j,
                       const struct check_result *r, struct str *out)
{
    const struct app *app = s->app;
    static const struct text2 none = {{"", ""}};
    str_addf(out, "  %s %s", say(app, "この端末の判定:", "verdict on this host:"),
             verdict_name(app, r->verdict));
    if (r->reason[0] != '\0') {
        str_add(out, " — ");
        reason_text(app, r->reason, out);
    }
    str_add_char(out, '\n');
    for (size_t i = 0; i < r->findings.n_rows; i++) {
        CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
        CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
        finding_text(app, &r->check->finding, &r->findings, i, j->names, &text);
        str_add(&text, "  ");
        finding_seen(app, &none, &r->findings, i, j->names, &text);
        str_add_terminal(&shown, str_text(&text));
        put_wrapped(out, "    ✗ ", 6, str_text(&shown));
    }
    for (size_t i = 0; i < r->unknown.n_rows; i++) {
        CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
        CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
        finding_seen(app, &none, &r->unknown, i, j->names, &text);
        str_add_terminal(&shown, str_text(&text));
        put_wrapped(out, "    ? ", 6, str_text(&shown));
    }
}

static void put_fixes(const struct app *app, const struct check *c, struct str *out)
{
    for (size_t i = 0; i < c->n_fixes; i++) {
        str_addf(out, "  %s [%s]\n", say(app, "直し方", "fix"), c->fixes[i].family);
        put_lines(out, "    ", text_in(app, &c->fixes[i].text));
    }
    if (text_in(app, &c->side_effects)[0] != '\0') {
        str_addf(out, "  %s\n", say(app, "影響", "side effects"));
        put_lines(out, "    ", text_in(app, &c->side_effects));
    }
}

static void put_check(const struct session *s, const struct judged *j, const struct check *c,
                      struct str *out)
{
    const struct app *app = s->app;
    str_addf(out, "%s  %s (%s)\n", c->id, text_in(app, &c->title), c->severity);
    for (size_t i = 0; i < j->framework->n_controls; i++) {
        const struct control *control = &j->framework->controls[i];
        enum basis basis = BASIS_RECOMMENDED;
        if (control_cites(control, c->id)) {
            bool counts = check_counts(j, control, c, &basis);
            str_addf(out, "  %s %s %s [%s]%s\n", say(app, "条項", "clause"), control->id,
                     text_in(app, &control->title), basis_name(app, basis),
                     counts ? "" : say(app, "（判定に含めない）", " (no part of the verdict)"));
        }
    }
    const struct check_result *r = evaluation_check(j->evaluation, c->id);
    if (r != NULL) {
        put_result(s, j, r, out);
    }
    put_tables(s, c, out);
    if (c->applies != NULL) {
        put_block(out, "applies:", c->applies);
    }
    put_block(out, "query:", c->query);
    if (c->unknown != NULL) {
        put_block(out, "unknown:", c->unknown);
    }
    put_fixes(app, c, out);
    str_add_char(out, '\n');
}

static void put_control(const struct session *s, const struct judged *j,
                        const struct control_result *r, struct str *out)
{
    const struct app *app = s->app;
    const struct control *c = r->control;
    str_addf(out, "%s %s  %s: %s\n", j->framework->id, c->id, text_in(app, &c->title),
             verdict_name(app, r->verdict));
    put_lines(out, "  ", text_in(app, &c->summary));
    for (size_t i = 0; i < c->n_attests; i++) {
        const struct attestation_need *need = &c->attests[i];
        const char *state = say(app, "あり", "in force");
        if (need->leg && r->verdict != VERDICT_ATTESTED) {
            state = say(app, "書面によるもう一つの道", "another way to meet the clause");
        } else if (strv_has(&r->unattested, need->id)) {
            state = say(app, "未確認", "missing");
        } else if (r->verdict == VERDICT_NOT_APPLICABLE || r->verdict == VERDICT_NOT_COVERED) {
            state = say(app, "今は求められていない", "not asked for now");
        }
        CLEANUP(str) struct str line = STR_INIT((size_t)64 << 10);
        str_addf(&line, "%s (%s): %s", need->id, state, text_in(app, &need->statement));
        put_wrapped(out, say(app, "  書面 ", "  statement "), 7, str_text(&line));
    }
    for (size_t i = 0; i < c->n_missing; i++) {
        str_addf(out, say(app, "  まだ見ていないもの: %s\n", "  not looked at yet: %s\n"),
                 text_in(app, &c->missing_texts[i]));
    }
    str_add_char(out, '\n');
}

static int explain_subject(struct session *s, const struct subject *x, struct str *out,
                           struct err *e)
{
    CLEANUP(read_set) struct read_set reads = {0};
    struct judged j;
    int r = policy_reads(s->policy, x->framework, NULL, s->schema, &reads, e);
    if (r == 0) {
        r = session_scan(s, &reads, NULL, e);
    }
    if (r == 0) {
        r = session_judge(s, x->contract, x->framework, &reads, NULL, &j, e);
    }
    if (r < 0) {
        return r;
    }
    if (x->check != NULL) {
        put_check(s, &j, x->check, out);
        judged_done(&j);
        return 0;
    }
    for (size_t i = 0; i < j.evaluation->n_controls; i++) {
        const struct control_result *c = &j.evaluation->controls[i];
        if (!clause_matches(x->clause, c->control->id)) {
            continue;
        }
        put_control(s, &j, c, out);
        for (size_t k = 0; k < s->policy->n_checks; k++) {
            if (control_cites(c->control, s->policy->checks[k].id)) {
                put_check(s, &j, &s->policy->checks[k], out);
            }
        }
    }
    judged_done(&j);
    return 0;
}

int cmd_explain(struct app *app, int argc, char **argv)
{
    struct session_options so = {.site_required = false, .site_trusted = true};
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
    };
    const struct usage u = {
        .command = "explain",
        .arguments = "CHECK|CLAUSE",
        .doc = {{"点検項目又は条項の根拠: SQL、読む表、この端末で見えた行、直し方とその影響。",
                 "Why: the SQL, the tables, the rows seen on this host, the cure and its side "
                 "effects."}},
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
    struct subject x = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)16 << 20);
    so.policies = &policies;
    if (session_open(app, &so, &s, &e) < 0) {
        return complain(&e);
    }
    int r = find_subject(&s, args.items[0], &x, &e);
    if (r == 0) {
        r = explain_subject(&s, &x, &out, &e);
    }
    int code = r < 0 ? complain(&e) : write_output(NULL, &out);
    session_done(&s);
    return code;
}
