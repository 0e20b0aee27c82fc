/* The scan for people: the mock-up of domain.md 5, Japanese and English line for line. Marks carry
 * the meaning; colour only repeats it. 80 columns. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/commands/render.h"

#define LINE_COLUMNS 80U

/* A clause as the authority writes it: its parts (5.6a, 5.6b …) put together, worst verdict first.
 */
struct clause {
    char name[48];
    char id[48]; /* without the part's letter, as `explain` takes it */
    enum verdict worst;
    size_t first, n; /* controls of the evaluation */
};

struct page {
    const struct session *s;
    const struct judged *j;
    const struct render_options *o;
    struct str *out;
    struct clause *clauses;
    size_t n_clauses;
};

/* --- lines --- */

static size_t char_bytes(const char *p)
{
    size_t n = 1;
    while (((unsigned char)p[n] & 0xc0U) == 0x80U) {
        n++;
    }
    return n;
}

void put_wrapped(struct str *out, const char *first, unsigned indent, const char *text)
{
    size_t column = str_width(first);
    const char *p = text;
    str_add(out, first);
    while (*p != '\0') {
        /* A word of ASCII stays together; wide characters may be parted anywhere. */
        size_t n = char_bytes(p);
        while (n > 0 && (unsigned char)p[0] < 0x80 && p[0] != ' ' && (unsigned char)p[n] < 0x80 &&
               p[n] != '\0' && p[n] != ' ') {
            n++;
        }
        char word[256];
        (void)snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : sizeof(word) - 1),
                       p);
        size_t width = str_width(word);
        if (column + width > LINE_COLUMNS && column > indent) {
            str_addf(out, "\n%*s", (int)indent, "");
            column = indent;
            if (p[0] == ' ') {
                p++;
                continue;
            }
        }
        str_add_bytes(out, p, n);
        column += width;
        p += n;
    }
    str_add_char(out, '\n');
}

/* left … right, the right part at the edge of 80 columns. */
static void put_edges(struct str *out, const char *left, const char *right)
{
    size_t used = str_width(left) + str_width(right);
    size_t gap = used + 2 < LINE_COLUMNS ? LINE_COLUMNS - used : 2;
    str_addf(out, "%s%*s%s\n", left, (int)gap, "", right);
}

/* Mail of cron, logs and old consoles may not show the marks: then they are ASCII in both
 * languages. */
static const char *mark_of(const struct page *p, enum verdict v)
{
    const struct app *app = p->s->app;
    bool plain = p->o->ascii;
    switch (v) {
    case VERDICT_FAIL:
        return plain ? "x" : "✗";
    case VERDICT_UNKNOWN:
        return plain ? "?" : say(app, "？", "?");
    case VERDICT_PERMITTED:
    case VERDICT_COMPENSATED:
    case VERDICT_UNATTESTED:
        return plain ? "~" : say(app, "△", "~");
    case VERDICT_PASS:
        return plain ? "+" : say(app, "○", "+");
    case VERDICT_ATTESTED:
    case VERDICT_NOT_COVERED:
    case VERDICT_NOT_APPLICABLE:
    case N_VERDICTS:
        break;
    }
    return plain ? "-" : say(app, "・", "-");
}

static const char *colour_of(const struct page *p, enum verdict v)
{
    if (!p->o->colour) {
        return "";
    }
    switch (v) {
    case VERDICT_FAIL:
        return "\033[31m";
    case VERDICT_UNKNOWN:
        return "\033[33m";
    case VERDICT_PERMITTED:
    case VERDICT_COMPENSATED:
    case VERDICT_UNATTESTED:
        return "\033[36m";
    case VERDICT_PASS:
        return "\033[32m";
    case VERDICT_ATTESTED:
    case VERDICT_NOT_COVERED:
    case VERDICT_NOT_APPLICABLE:
    case N_VERDICTS:
        break;
    }
    return "";
}

/* --- clauses --- */

static int collect_clauses(struct page *p)
{
    const struct evaluation *ev = p->j->evaluation;
    p->clauses = calloc(ev->n_controls + 1, sizeof(*p->clauses));
    if (p->clauses == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < ev->n_controls; i++) {
        char name[48];
        clause_name(ev->controls[i].control->id, name, sizeof(name));
        struct clause *last = p->n_clauses > 0 ? &p->clauses[p->n_clauses - 1] : NULL;
        if (last == NULL || strcmp(last->name, name) != 0) {
            last = &p->clauses[p->n_clauses++];
            (void)snprintf(last->name, sizeof(last->name), "%s", name);
            (void)snprintf(last->id, sizeof(last->id), "%s", ev->controls[i].control->id);
            last->worst = ev->controls[i].verdict;
            last->first = i;
        } else if (last->n == 1) {
            last->id[strlen(last->id) - 1] =
                '\0'; /* a second part: the clause goes by its number */
        }
        last->n++;
        if (ev->controls[i].verdict < last->worst) {
            last->worst = ev->controls[i].verdict;
        }
    }
    return 0;
}

/* --- head --- */

static void local_time(const struct judged *j, int64_t unix_s, char *out, size_t n)
{
    int32_t offset = 0;
    char text[TIME_TEXT_MAX];
    if (zone_offset(j->time_zone, unix_s, &offset, NULL) < 0) {
        offset = 0;
    }
    time_utc(unix_s + offset, text);
    text[10] = ' ';
    text[19] = '\0';
    (void)snprintf(out, n, "%s %s", text,
                   strcmp(j->time_zone, "Asia/Tokyo") == 0 ? "JST" : j->time_zone);
}

/* Which standard, which rules, which contract. */
static void put_rules(struct page *p)
{
    const struct session *s = p->s;
    const struct app *app = s->app;
    CLEANUP(str) struct str rules = STR_INIT(4096);
    str_addf(&rules, "%s %s", say(app, "基準", "standard"), text_in(app, &p->j->framework->title));
    put_wrapped(p->out, "", 5, str_text(&rules));
    str_clear(&rules);
    str_addf(&rules, "%s v%s%s", say(app, "     標準基準", "         rules"), s->policy->version,
             p->o->ascii ? ", " : say(app, "・", ", "));
    if (s->policy->unmodified) {
        str_add(&rules, say(app, "改変なし", "unmodified"));
    } else {
        str_addf(&rules, say(app, "%u か所の違い", "%u differences"), s->policy->differences);
    }
    str_addf(&rules, "   %s %s", say(app, "契約", "contract"),
             strcmp(p->j->contract, "none") == 0 ? say(app, "なし（試し）", "none (trial)")
                                                 : p->j->contract);
    put_wrapped(p->out, "", 5, str_text(&rules));
}

static void put_head(struct page *p)
{
    const struct session *s = p->s;
    const struct app *app = s->app;
    const char *label = site_host_label(s->site);
    const char *asset = site_host_asset(s->site);
    char when[96];
    CLEANUP(str) struct str left = STR_INIT(4096);
    CLEANUP(str) struct str right = STR_INIT(4096);

    local_time(p->j, s->time_s, when, sizeof(when));
    str_addf(&left, "%s ", say(app, "点検", "inspected"));
    str_add_terminal(&left, label != NULL && label[0] != '\0' ? label : s->info.hostname);
    str_add(&left, say(app, "（資産 ", " (asset "));
    str_add_terminal(
        &left, asset != NULL && asset[0] != '\0' ? asset : say(app, "未登録", "not registered"));
    str_add(&left, say(app, "）", ")"));
    str_addf(&right, "%s  %" PRId64 ".%" PRId64 "%s", when, p->o->wall_us / 1000000,
             p->o->wall_us / 100000 % 10, say(app, "秒", " s"));
    put_edges(p->out, str_text(&left), str_text(&right));
    if (!host_is_live(s->host)) {
        str_add(p->out, say(app, "対象 取り込んだファイル木（この端末ではない）: ",
                            "of a captured tree, not of this host: "));
        str_add_terminal(p->out, s->root);
        str_add_char(p->out, '\n');
    }
    put_rules(p);
}

static void put_counts(struct page *p)
{
    size_t counts[N_VERDICTS] = {0};
    CLEANUP(str) struct str line = STR_INIT(4096);
    for (size_t i = 0; i < p->n_clauses; i++) {
        counts[p->clauses[i].worst]++;
    }
    for (int v = 0; v < N_VERDICTS; v++) {
        if (counts[v] > 0) {
            str_addf(&line, "%s%s %zu", line.len > 0 ? "  " : "",
                     verdict_name(p->s->app, (enum verdict)v), counts[v]);
        }
    }
    put_wrapped(p->out, "", 0, str_text(&line));
    str_add_char(p->out, '\n');
}

/* --- one clause in full --- */

static void put_age(const struct page *p, const struct control_result *c, struct str *out)
{
    const char *since = control_since(p->j, c);
    int64_t from = 0;
    int64_t to = 0;
    if (date_parse(since, &from, NULL) < 0 || date_parse(p->j->local_date, &to, NULL) < 0 ||
        to <= from) {
        str_add(out, say(p->s->app, " 新規", " new"));
        return;
    }
    str_addf(out, say(p->s->app, " %" PRId64 "日目", " day %" PRId64), to - from + 1);
}

static void put_rows(struct page *p, const struct check_result *r)
{
    const struct app *app = p->s->app;
    for (size_t i = 0; i < r->findings.n_rows; i++) {
        CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
        CLEANUP(str) struct str seen = STR_INIT((size_t)64 << 10);
        CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
        finding_text(app, &r->check->finding, &r->findings, i, p->j->names, &text);
        finding_seen(app, &r->check->finding, &r->findings, i, p->j->names, &seen);
        str_add_terminal(&shown, str_text(&text));
        put_wrapped(p->out, "   ", 3, str_text(&shown));
        if (seen.len > 0) {
            str_clear(&shown);
            str_add_terminal(&shown, str_text(&seen));
            put_wrapped(p->out, say(app, "   観測   ", "   seen   "), 10, str_text(&shown));
        }
    }
}

static void put_unknown(struct page *p, const struct check_result *r)
{
    const struct app *app = p->s->app;
    CLEANUP(str) struct str reason = STR_INIT((size_t)64 << 10);
    reason_text(app, r->reason, &reason);
    if (reason.len > 0) {
        CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
        str_add_terminal(&shown, str_text(&reason));
        str_add(&shown, say(app, "。適合とはみなしません", "; never counted as a pass"));
        put_wrapped(p->out, "   ", 3, str_text(&shown));
    }
    for (size_t i = 0; i < r->unknown.n_rows; i++) {
        static const struct text2 none = {{"", ""}};
        CLEANUP(str) struct str seen = STR_INIT((size_t)64 << 10);
        CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
        finding_seen(app, &none, &r->unknown, i, p->j->names, &seen);
        str_add_terminal(&shown, str_text(&seen));
        put_wrapped(p->out, say(app, "   不明   ", "   unknown "), 10, str_text(&shown));
    }
}

static void put_fix(struct page *p, const struct check_result *r, const char *clause)
{
    const struct app *app = p->s->app;
    CLEANUP(str) struct str text = STR_INIT((size_t)64 << 10);
    cure_text(p->s, r, &text);
    str_addf(&text, "%stenken explain %s%s", text.len > 0 ? ": " : "", clause,
             say(app, "（手順・影響）", " (steps, side effects)"));
    put_wrapped(p->out, say(app, "   直し方 ", "   fix    "), 10, str_text(&text));
}

static void put_clause_title(struct page *p, const struct clause *c,
                             const struct control_result *lead)
{
    const struct app *app = p->s->app;
    CLEANUP(str) struct str left = STR_INIT(4096);
    CLEANUP(str) struct str right = STR_INIT(4096);
    bool has_basis = false;
    enum basis best = BASIS_RECOMMENDED;
    for (size_t i = 0; i < p->j->evaluation->n_checks; i++) {
        const struct check_result *r = &p->j->evaluation->checks[i];
        enum basis basis = BASIS_RECOMMENDED;
        if (r->verdict == c->worst && check_counts(p->j, lead->control, r->check, &basis) &&
            (!has_basis || basis < best)) {
            best = basis;
            has_basis = true;
        }
    }
    str_addf(&left, "%s %s %s", mark_of(p, c->worst), c->name, text_in(app, &lead->control->title));
    str_add(&right, verdict_name(app, c->worst));
    if (has_basis) {
        str_addf(&right, say(app, "［%s］", " [%s]"), basis_name(app, best));
    }
    put_age(p, lead, &right);
    str_add(p->out, colour_of(p, c->worst));
    put_edges(p->out, str_text(&left), str_text(&right));
    str_add(p->out, p->o->colour ? "\033[0m" : "");
}

static void put_covering(struct page *p, const struct control_result *c)
{
    const struct app *app = p->s->app;
    for (size_t i = 0; i < c->expired.n; i++) {
        str_addf(p->out, "   %s %s\n", say(app, "許可期限切れ", "permission expired:"),
                 c->expired.items[i]);
    }
    if (c->control->permission && c->verdict == VERDICT_FAIL && c->expired.n == 0) {
        put_wrapped(p->out, "          ", 10,
                    say(app, "市の許可がある場合は permissions に登録",
                        "if the authority has permitted it: register it under permissions"));
    }
    if (c->control->compensation && c->verdict == VERDICT_FAIL) {
        put_wrapped(p->out, "          ", 10,
                    say(app, "別の手段で満たしている場合は「代替措置」(compensations) として登録",
                        "if another measure meets the clause: register it under compensations"));
    }
}

static void put_control(struct page *p, const struct clause *c,
                        const struct control_result *control)
{
    bool fix_shown = false;
    for (size_t i = 0; i < p->j->evaluation->n_checks; i++) {
        const struct check_result *r = &p->j->evaluation->checks[i];
        if (!check_counts(p->j, control->control, r->check, NULL)) {
            continue;
        }
        if (r->verdict == VERDICT_FAIL) {
            put_rows(p, r);
        } else if (r->verdict == VERDICT_UNKNOWN) {
            put_unknown(p, r);
        } else {
            continue;
        }
        if (!fix_shown) {
            put_fix(p, r, c->id);
            fix_shown = true;
        }
    }
    put_covering(p, control);
}

static void put_bad(struct page *p, enum verdict v)
{
    for (size_t i = 0; i < p->n_clauses; i++) {
        const struct clause *c = &p->clauses[i];
        bool titled = false;
        for (size_t k = c->first; c->worst == v && k < c->first + c->n; k++) {
            const struct control_result *r = &p->j->evaluation->controls[k];
            if (r->verdict != VERDICT_FAIL && r->verdict != VERDICT_UNKNOWN) {
                continue;
            }
            if (!titled) {
                put_clause_title(p, c, r);
                titled = true;
            }
            put_control(p, c, r);
        }
    }
}

/* --- permissions, greens, people's --- */

static const char *permission_field(const struct judged *j, const char *table, const char *id,
                                    const char *column)
{
    const struct fact_table *t = facts_find(&j->recorded, table);
    int id_at = t != NULL ? table_column(t->decl, "id") : -1;
    int at = t != NULL ? table_column(t->decl, column) : -1;
    for (size_t i = 0; id_at >= 0 && at >= 0 && i < t->n_rows; i++) {
        const struct cell *row = t->cells + i * t->decl->n_columns;
        if (row[id_at].type == CELL_TEXT && row[at].type == CELL_TEXT &&
            strcmp(row[id_at].v.t.p, id) == 0) {
            return row[at].v.t.p;
        }
    }
    return "";
}

static void put_cover_line(struct page *p, const struct clause *c, const struct control_result *r,
                           const char *id, const char *table)
{
    const struct app *app = p->s->app;
    const char *ends = permission_field(p->j, table, id, "ends");
    CLEANUP(str) struct str line = STR_INIT(4096);
    CLEANUP(str) struct str first = STR_INIT(512);
    int64_t to = 0;
    int64_t today = 0;
    str_addf(&first, "%s %s ", mark_of(p, r->verdict), c->name);
    str_addf(&line, "%s  %s  %s %s", text_in(app, &r->control->title),
             verdict_name(app, r->verdict), id, permission_field(p->j, table, id, "document"));
    if (date_parse(ends, &to, NULL) == 0 && date_parse(p->j->local_date, &today, NULL) == 0) {
        str_addf(&line, say(app, " %s まで 残%lld日", " until %s, %lld days left"), ends,
                 (long long)(to - today));
    }
    CLEANUP(str) struct str shown = STR_INIT(4096);
    str_add_terminal(&shown, str_text(&line));
    put_wrapped(p->out, str_text(&first), 3, str_text(&shown));
}

static void put_covered(struct page *p)
{
    for (size_t i = 0; i < p->n_clauses; i++) {
        const struct clause *c = &p->clauses[i];
        if (c->worst != VERDICT_PERMITTED && c->worst != VERDICT_COMPENSATED) {
            continue;
        }
        for (size_t k = c->first; k < c->first + c->n; k++) {
            const struct control_result *r = &p->j->evaluation->controls[k];
            for (size_t m = 0; m < r->permissions.n; m++) {
                put_cover_line(p, c, r, r->permissions.items[m], "site_permissions");
            }
            for (size_t m = 0; m < r->compensations.n; m++) {
                put_cover_line(p, c, r, r->compensations.items[m], "site_compensations");
            }
        }
    }
}

/* Clauses with one verdict on one line: "○ 適合 5(8) 5(9)". */
static void put_list(struct page *p, enum verdict v, const char *note)
{
    CLEANUP(str) struct str line = STR_INIT(4096);
    CLEANUP(str) struct str first = STR_INIT(256);
    for (size_t i = 0; i < p->n_clauses; i++) {
        if (p->clauses[i].worst == v) {
            str_addf(&line, "%s%s", line.len > 0 ? " " : "", p->clauses[i].name);
        }
    }
    if (line.len == 0) {
        return;
    }
    str_add(&line, note);
    str_addf(&first, "%s %s ", mark_of(p, v), verdict_name(p->s->app, v));
    put_wrapped(p->out, str_text(&first), 3, str_text(&line));
}

/* A check that has no say in any verdict here and has something to say. */
static bool is_advice(const struct page *p, const struct check_result *r)
{
    for (size_t k = 0; k < p->j->evaluation->n_controls; k++) {
        if (check_counts(p->j, p->j->evaluation->controls[k].control, r->check, NULL)) {
            return false;
        }
    }
    return r->verdict == VERDICT_FAIL || r->verdict == VERDICT_UNKNOWN;
}

static void put_advised(struct page *p, const struct check_result *r)
{
    const struct app *app = p->s->app;
    CLEANUP(str) struct str line = STR_INIT((size_t)64 << 10);
    CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
    finding_text(app, &r->check->finding, &r->findings, 0, p->j->names, &line);
    if (r->findings.n_rows > 1) {
        str_addf(&line, say(app, "（ほか %zu 件）", " (and %zu more)"), r->findings.n_rows - 1);
    }
    str_add_terminal(&shown, str_text(&line));
    put_wrapped(p->out, p->o->ascii ? " - " : say(app, " ・ ", " - "), 4, str_text(&shown));
}

/* All that is unknown for the reason that results[first] has, on one line. */
static void put_unadvised(struct page *p, size_t first)
{
    const struct app *app = p->s->app;
    const struct evaluation *ev = p->j->evaluation;
    CLEANUP(str) struct str line = STR_INIT((size_t)64 << 10);
    CLEANUP(str) struct str shown = STR_INIT((size_t)64 << 10);
    reason_text(app, ev->checks[first].reason, &line);
    for (size_t i = first; i < ev->n_checks; i++) {
        const struct check_result *r = &ev->checks[i];
        if (is_advice(p, r) && r->verdict == VERDICT_UNKNOWN &&
            strcmp(r->reason, ev->checks[first].reason) == 0) {
            str_addf(&line, "%s%s",
                     i == first ? say(app, "。分からないもの: ", "; so not known: ")
                                : say(app, "、", "; "),
                     text_in(app, &r->check->title));
        }
    }
    str_add_terminal(&shown, str_text(&line));
    put_wrapped(p->out, p->o->ascii ? " ? " : say(app, " ？ ", " ? "), 4, str_text(&shown));
}

static bool is_first_of_reason(const struct page *p, size_t at)
{
    const struct evaluation *ev = p->j->evaluation;
    for (size_t i = 0; i < at; i++) {
        if (is_advice(p, &ev->checks[i]) && ev->checks[i].verdict == VERDICT_UNKNOWN &&
            strcmp(ev->checks[i].reason, ev->checks[at].reason) == 0) {
            return false;
        }
    }
    return true;
}

static void put_advice(struct page *p)
{
    const struct evaluation *ev = p->j->evaluation;
    bool titled = false;
    for (size_t i = 0; i < ev->n_checks; i++) {
        if (!is_advice(p, &ev->checks[i])) {
            continue;
        }
        if (!titled) {
            str_add(p->out, say(p->s->app, "\n要改善（判定には含めません）\n",
                                "\nadvice (no part of the verdicts)\n"));
            titled = true;
        }
        if (ev->checks[i].verdict == VERDICT_FAIL) {
            put_advised(p, &ev->checks[i]);
        } else if (is_first_of_reason(p, i)) {
            put_unadvised(p, i);
        }
    }
}

/* --- change, evidence --- */

static size_t put_changes(struct page *p, bool heading)
{
    const struct app *app = p->s->app;
    size_t n = 0;
    CLEANUP(str) struct str line = STR_INIT((size_t)64 << 10);
    for (size_t i = 0; i < p->j->evaluation->n_controls; i++) {
        const struct control_result *r = &p->j->evaluation->controls[i];
        enum verdict before = VERDICT_PASS;
        char name[48];
        if (!control_previous(p->j, r->control->id, &before) || before == r->verdict) {
            continue;
        }
        clause_name(r->control->id, name, sizeof(name));
        str_addf(&line, "%s%s %s %s %s", n > 0 ? say(app, "、", ", ") : "", name,
                 verdict_name(app, before), p->o->ascii ? "->" : "→",
                 verdict_name(app, r->verdict));
        n++;
    }
    if (!heading) {
        return n;
    }
    CLEANUP(str) struct str first = STR_INIT(256);
    str_add_char(p->out, '\n');
    if (p->j->has_previous) {
        str_addf(&first, say(app, "前回 %s から   ", "since %s   "), p->j->previous.local_date);
        put_wrapped(p->out, str_text(&first), 3,
                    n > 0 ? str_text(&line) : say(app, "判定の変化なし", "no verdict changed"));
    }
    put_wrapped(p->out, say(app, "申出時から     ", "since application   "), 3,
                say(app, "基準時点が未登録のため、変更の有無は言えません",
                    "no baseline registered yet: nothing can be said of changes"));
    return n;
}

static void put_evidence(struct page *p)
{
    const struct app *app = p->s->app;
    CLEANUP(str) struct str line = STR_INIT(4096);
    if (p->o->recorded) {
        str_addf(&line, say(app, "証跡 通番 %lld 署名済", "evidence #%lld signed"),
                 (long long)p->j->sequence);
    } else {
        str_add(&line, say(app, "証跡は作っていません（記録するには --record）",
                           "no evidence made (--record signs and keeps it)"));
    }
    put_wrapped(p->out, "", 5, str_text(&line));
}

static bool all_good(const struct page *p)
{
    for (size_t i = 0; i < p->n_clauses; i++) {
        if (p->clauses[i].worst <= VERDICT_UNATTESTED) {
            return false;
        }
    }
    return true;
}

static void put_page(struct page *p)
{
    const struct app *app = p->s->app;
    if ((p->o->quiet && all_good(p)) ||
        (p->o->changes && p->j->has_previous && put_changes(p, false) == 0)) {
        return;
    }
    put_head(p);
    if (p->o->changes && p->j->has_previous) {
        (void)put_changes(p, true);
        put_evidence(p);
        return;
    }
    if (!p->o->quiet) {
        put_counts(p);
    }
    put_bad(p, VERDICT_FAIL);
    put_bad(p, VERDICT_UNKNOWN);
    put_covered(p);
    put_list(p, VERDICT_UNATTESTED, say(app, "（書面の確認待ち）", " (a statement is missing)"));
    if (!p->o->quiet) {
        put_list(p, VERDICT_PASS, "");
        put_list(p, VERDICT_ATTESTED, "");
        put_list(p, VERDICT_NOT_APPLICABLE, "");
        put_list(p, VERDICT_NOT_COVERED,
                 say(app, "（この版ではまだ見ていません）", " (this version does not look yet)"));
        put_advice(p);
        (void)put_changes(p, true);
        put_evidence(p);
    }
}

void render_text(const struct session *s, const struct judged *list, size_t n,
                 const struct render_options *o, struct str *out)
{
    for (size_t i = 0; i < n; i++) {
        struct page p = {
            .s = s, .j = &list[i], .o = o, .out = out, .clauses = NULL, .n_clauses = 0};
        size_t before = out->len;
        if (collect_clauses(&p) == 0) {
            if (i > 0 && out->len > 0) {
                str_add_char(out, '\n');
            }
            put_page(&p);
        } else {
            out->error = ERR_NOMEM;
        }
        if (out->len == before + 1 && i > 0) {
            out->len = before; /* nothing followed the blank line */
        }
        free(p.clauses);
    }
    if (o->notice != NULL && (out->len > 0 || !(o->changes || o->quiet))) {
        put_wrapped(out, "", 5, o->notice);
    }
    if (o->warning != NULL) {
        put_wrapped(out, "! ", 2, o->warning);
    }
}
