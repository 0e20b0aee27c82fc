/* The annex to the status report as one page of HTML, Japanese or English. Everything that comes
 * from a host or a site is escaped; the page has no script and loads nothing, so it can be mailed,
 * printed and archived as it is. What this version cannot know it says in words: no cell is empty.
 */
#include <string.h>

#include "agent/base/timefmt.h"
#include "server-stub/month.h"
#include "server-stub/month_words.h"

struct html {
    struct str *out;
    enum lang lang;
    const struct month *m;
    const struct month_page *page;
};

static const char style[] =
    "body{font-family:sans-serif;max-width:62em;margin:1.5em auto;padding:0 1em;color:#111;"
    "line-height:1.5}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}"
    "table{border-collapse:collapse;width:100%;margin:.5em 0}"
    "th,td{border:1px solid #888;padding:.25em .5em;text-align:left;vertical-align:top;"
    "overflow-wrap:break-word}th{background:#eee}td.n{text-align:right;white-space:nowrap}"
    ".v{white-space:nowrap}.v-fail{background:#fdd;font-weight:bold}.v-unknown,.v-unattested"
    "{background:#ffd}.note{border-left:4px solid #888;padding-left:.8em}code{font-size:.85em}"
    "@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:"
    "table-header-group}}";

/* One of two texts of ours (no escaping needed). A macro, so that both are checked as formats. */
#define say(h, ja, en) ((h)->lang == LANG_JA ? (ja) : (en))

/* Foreign text: controls made visible first, then HTML's own characters. */
static void esc(struct html *h, const char *text)
{
    CLEANUP(str) struct str plain = STR_INIT((size_t)1 << 20);
    str_add_terminal(&plain, text);
    for (const char *p = str_text(&plain); *p != '\0'; p++) {
        switch (*p) {
        case '&':
            str_add(h->out, "&amp;");
            break;
        case '<':
            str_add(h->out, "&lt;");
            break;
        case '>':
            str_add(h->out, "&gt;");
            break;
        case '"':
            str_add(h->out, "&quot;");
            break;
        case '\'':
            str_add(h->out, "&#39;");
            break;
        default:
            str_add_char(h->out, *p);
        }
    }
}

static void esc_or(struct html *h, const char *text, const char *otherwise)
{
    if (text != NULL && text[0] != '\0') {
        esc(h, text);
    } else {
        str_add(h->out, otherwise);
    }
}

static void heading(struct html *h, const char *ja, const char *en)
{
    str_addf(h->out, "<h2>%s</h2>\n", say(h, ja, en));
}

static void row_start(struct html *h, const char *ja, const char *en)
{
    str_addf(h->out, "<tr><th scope=\"row\">%s</th><td>", say(h, ja, en));
}

static void row_end(struct html *h)
{
    str_add(h->out, "</td></tr>\n");
}

/* Local day of an instant in the contract's zone. */
static void local_day(struct html *h, int64_t time_s)
{
    char day[TIME_TEXT_MAX];
    struct err e;
    if (time_s != 0 && date_in_zone(h->m->zone, time_s, day, &e) == 0) {
        str_add(h->out, day);
    } else {
        str_add(h->out, say(h, "日時不明", "day not known"));
    }
}

static void day_or_words(struct html *h, int64_t day)
{
    char text[TIME_TEXT_MAX];
    if (day == INT64_MIN || day == INT64_MAX) {
        str_add(h->out, say(h, "宣言なし", "not declared"));
        return;
    }
    date_text(day, text);
    str_add(h->out, text);
}

/* The asset number; a host without one is named by its key, never by its host name. */
static void asset(struct html *h, const struct month_host *host)
{
    if (host->asset[0] != '\0') {
        esc(h, host->asset);
    } else {
        str_addf(h->out, "%s %.12s…", say(h, "資産番号の宣言なし、鍵", "no asset number, key"),
                 host->keyid);
    }
}

static const struct control *find_control(const struct html *h, const char *id)
{
    const struct framework *f =
        h->page->policy != NULL ? policy_framework(h->page->policy, h->m->framework) : NULL;
    for (size_t i = 0; f != NULL && i < f->n_controls; i++) {
        if (strcmp(f->controls[i].id, id) == 0) {
            return &f->controls[i];
        }
    }
    return NULL;
}

/* Text in the page's language, else in the other, else the fallback. */
static const char *text_or(const struct html *h, const struct text2 *t, const char *otherwise)
{
    if (t != NULL && t->in[h->lang] != NULL && t->in[h->lang][0] != '\0') {
        return t->in[h->lang];
    }
    enum lang other = h->lang == LANG_JA ? LANG_EN : LANG_JA;
    return t != NULL && t->in[other] != NULL && t->in[other][0] != '\0' ? t->in[other] : otherwise;
}

/* --- sections --- */

static void write_top(struct html *h)
{
    const char *title = say(h, "個人情報取扱状況報告書 別添（点検結果）",
                            "Annex to the status report (inspection results)");
    str_addf(h->out,
             "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "style-src 'unsafe-inline'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<title>%s ",
             h->lang == LANG_JA ? "ja" : "en", title);
    esc(h, h->m->contract);
    str_addf(h->out, " %s</title>\n<style>%s</style></head><body>\n<h1>%s</h1>\n", h->m->name,
             style, title);
}

static void write_subject(struct html *h)
{
    const struct month *m = h->m;
    const char *none = say(h, "宣言なし", "not declared");
    const struct framework *f =
        h->page->policy != NULL ? policy_framework(h->page->policy, m->framework) : NULL;
    str_add(h->out, "<table>\n");
    row_start(h, "契約", "Contract");
    esc(h, m->contract);
    row_end(h);
    row_start(h, "提出先（宣言）", "Authority (declared)");
    esc_or(h, m->authority, none);
    row_end(h);
    row_start(h, "業務（宣言）", "Work (declared)");
    esc_or(h, m->work, none);
    row_end(h);
    row_start(h, "受託期間（宣言）", "Contract term (declared)");
    day_or_words(h, m->starts);
    str_add(h->out, say(h, " ～ ", " to "));
    day_or_words(h, m->ends);
    if (m->terms_differ) {
        str_add(h->out, say(h, "（機器により宣言が異なるため最も広い期間）",
                            " (hosts declare different terms: the widest is used)"));
    }
    row_end(h);
    row_start(h, "対象期間", "Reporting period");
    day_or_words(h, m->first_day);
    str_add(h->out, say(h, " ～ ", " to "));
    day_or_words(h, m->last_day);
    str_add(h->out, say(h, "（", " ("));
    esc(h, m->zone);
    str_add(h->out, say(h, "）", ")"));
    row_end(h);
    row_start(h, "安全管理基準", "Standard");
    esc_or(h, text_or(h, f != NULL ? &f->title : NULL, m->framework),
           say(h, "証跡がないため不明", "not known: no evidence"));
    row_end(h);
    row_start(h, "規則の版", "Rules version");
    for (size_t i = 0; i < m->rules.n; i++) {
        str_add(h->out, i > 0 ? ", " : "");
        esc(h, m->rules.items[i]);
    }
    if (m->rules.n == 0) {
        str_add(h->out, say(h, "証跡がないため不明", "not known: no evidence"));
    }
    str_add(h->out, say(h, "（* は標準基準に改変あり）", " (* = differs from the standard rules)"));
    row_end(h);
    str_add(h->out, "</table>\n");
}

static void write_coverage(struct html *h)
{
    const struct month *m = h->m;
    size_t by_agent = 0, silent = 0;
    for (size_t i = 0; i < m->n_hosts; i++) {
        by_agent += m->hosts[i].n_evidence > 0;
        silent += m->hosts[i].n_evidence == 0 && month_host_counts(&m->hosts[i]);
    }
    heading(h, "対象機器と点検率", "Computers and coverage");
    str_add(h->out, "<table>\n");
    row_start(h, "点検プログラムで点検した機器", "Inspected by the agent");
    str_addf(h->out, say(h, "%zu 台", "%zu"), by_agent);
    row_end(h);
    row_start(h, "目視で点検した機器", "Inspected by sight");
    str_add(h->out, say(h, "本版では記録できません（目視点検票は今後の版）",
                        "cannot be recorded in this version (sheets for inspection by sight come "
                        "later)"));
    row_end(h);
    row_start(h, "登録済みで証跡のない機器", "Enrolled, but without evidence");
    str_addf(h->out, say(h, "%zu 台（理由は確認不能）", "%zu (the reason is not known)"), silent);
    row_end(h);
    row_start(h, "点検すべき日（機器×日）", "Due (host days)");
    str_addf(h->out, "%zu", m->due);
    row_end(h);
    row_start(h, "点検済", "Inspected");
    str_addf(h->out, "%zu", m->inspected);
    row_end(h);
    row_start(h, "停止していた日", "Switched off");
    str_add(h->out, say(h, "0（起動記録をまだ集めていないため、停止日は欠測に含まれます）",
                        "0 (boot records are not collected yet: such days count as missing)"));
    row_end(h);
    row_start(h, "欠測", "Missing");
    str_addf(h->out, say(h, "%zu（確認不能として扱います）", "%zu (counted as unknown)"),
             m->missing);
    row_end(h);
    str_add(h->out, "</table>\n");
}

/* Number of PCs in each state at the end of the period. */
static void write_states(struct html *h, const struct month_control *c)
{
    bool any = false;
    for (unsigned v = 0; v < N_VERDICTS; v++) {
        if (c->hosts[v] > 0) {
            str_addf(h->out, "%s%s %zu", any ? say(h, "、", ", ") : "",
                     verdict_text((enum verdict)v, h->lang), c->hosts[v]);
            any = true;
        }
    }
    if (!any) {
        str_add(h->out, say(h, "対象機器なし", "no computer in the period"));
    }
}

/* Where the verdict can be looked up: asset and number of the newest record of a host that has it.
 */
static void write_record_number(struct html *h, const struct month_control *c)
{
    const struct month_host *host = c->last_host != SIZE_MAX ? &h->m->hosts[c->last_host] : NULL;
    int64_t number = host != NULL ? host->controls[c - h->m->controls].last_number : 0;
    if (number == 0) {
        str_add(h->out, say(h, "証跡なし", "no evidence"));
        return;
    }
    asset(h, host);
    str_addf(h->out, " #%lld", (long long)number);
}

static void write_clause(struct html *h, const struct month_control *c)
{
    const struct control *k = find_control(h, c->id);
    const char *word = verdict_word(c->verdict);
    str_add(h->out, "<tr><td>");
    esc(h, c->id);
    str_add(h->out, "</td><td>");
    esc(h, text_or(h, k != NULL ? &k->title : NULL, c->id));
    str_addf(h->out, "</td><td class=\"v v-%s\">%s %s</td><td>", word, verdict_mark(c->verdict),
             verdict_text(c->verdict, h->lang));
    local_day(h, c->first_s);
    str_add(h->out, say(h, " ～ ", " to "));
    local_day(h, c->last_s);
    str_add(h->out, "</td><td>");
    write_states(h, c);
    str_addf(h->out, "</td><td>%s</td><td>%s</td><td>", say(h, "基準時点なし", "no baseline yet"),
             say(h, "未記入（本版に記入欄なし）", "none (no entry in this version)"));
    write_record_number(h, c);
    str_add(h->out, "</td></tr>\n");
}

static void write_clauses(struct html *h)
{
    heading(h, "条項ごとの判定（期間中で最も悪い状態）",
            "Verdict of each clause (the worst of the period)");
    if (h->m->n_controls == 0) {
        str_addf(h->out, "<p>%s</p>\n",
                 say(h, "この期間の証跡がなく、条項を判定できません。",
                     "No evidence: no clause can be judged."));
        return;
    }
    str_addf(h->out,
             "<table><thead><tr><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th>"
             "<th>%s</th><th>%s</th></tr></thead><tbody>\n",
             say(h, "条項", "Clause"), say(h, "内容", "Subject"), say(h, "判定", "Verdict"),
             say(h, "その状態の期間", "From, to"), say(h, "期末の状態（台数）", "PCs at the end"),
             say(h, "申出時から", "Since application"),
             say(h, "担当者の説明", "Officer's explanation"), say(h, "記録番号", "Record"));
    for (size_t i = 0; i < h->m->n_controls; i++) {
        write_clause(h, &h->m->controls[i]);
    }
    str_add(h->out, "</tbody></table>\n");
}

static void write_fail_hosts(struct html *h, size_t index)
{
    bool any = false;
    for (size_t i = 0; i < h->m->n_hosts; i++) {
        if (h->m->hosts[i].controls[index].fail_days != 0) {
            str_add(h->out, any ? say(h, "、", ", ") : "");
            asset(h, &h->m->hosts[i]);
            any = true;
        }
    }
}

static void write_failures(struct html *h)
{
    const struct month *m = h->m;
    bool any = false;
    heading(h, "期間中に一度でも不適合となった条項", "Failing at any time in the period");
    for (size_t i = 0; i < m->n_controls; i++) {
        const struct month_control *c = &m->controls[i];
        if (c->fail_days == 0) {
            continue;
        }
        if (!any) {
            str_addf(h->out,
                     "<table><thead><tr><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>\n",
                     say(h, "条項", "Clause"), say(h, "機器", "PCs"),
                     say(h, "日（対象月）", "Days of the month"));
        }
        any = true;
        str_add(h->out, "<tr><td>");
        esc(h, c->id);
        str_add(h->out, "</td><td>");
        write_fail_hosts(h, i);
        str_add(h->out, "</td><td>");
        day_list(c->fail_days, h->out);
        str_addf(h->out, say(h, "（%zu 日）</td></tr>\n", " (%zu)</td></tr>\n"),
                 day_count(c->fail_days));
    }
    if (any) {
        str_add(h->out, "</tbody></table>\n");
    } else {
        str_addf(h->out, "<p>%s</p>\n",
                 m->n_evidence > 0
                     ? say(h, "受け取った証跡には不適合はありません。欠測日は確認不能です。",
                           "None in the evidence received. Missing days are unknown.")
                     : say(h, "証跡がないため確認不能です。", "Not known: no evidence."));
    }
}

static void write_remarks(struct html *h, const struct month_host *host)
{
    bool any = false;
    for (unsigned i = 0; i < N_FLAGS; i++) {
        if ((host->flags & (1U << i)) != 0) {
            str_addf(h->out, "%s%s", any ? say(h, "、", ", ") : "", flag_text(i, h->lang));
            any = true;
        }
    }
    if (!any) {
        str_add(h->out, say(h, "特になし", "none"));
    }
}

static void write_host(struct html *h, const struct month_host *host)
{
    day_set missing = host->due & ~host->seen;
    str_add(h->out, "<tr><td>");
    asset(h, host);
    str_addf(h->out, "</td><td class=\"n\">%zu</td><td class=\"n\">%zu</td><td>",
             day_count(host->due), day_count(host->due & host->seen));
    if (missing == 0) {
        str_add(h->out, say(h, "なし", "none"));
    } else {
        day_list(missing, h->out);
        str_addf(h->out, say(h, "（%zu 日）", " (%zu)"), day_count(missing));
    }
    str_add(h->out, "</td><td>");
    if (host->n_evidence == 0) {
        str_add(h->out, say(h, "証跡なし", "no evidence"));
    } else {
        str_addf(h->out, "#%lld <code>%.16s</code>", (long long)host->last_sequence,
                 host->last_digest);
    }
    str_add(h->out, "</td><td>");
    write_remarks(h, host);
    str_add(h->out, "</td></tr>\n");
}

static void write_hosts(struct html *h)
{
    heading(h, "機器ごとの点検日", "Days inspected, by computer");
    str_addf(h->out,
             "<table><thead><tr><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th><th>%s</th>"
             "</tr></thead><tbody>\n",
             say(h, "資産番号", "Asset"), say(h, "点検すべき日", "Due"),
             say(h, "点検済", "Inspected"), say(h, "欠測日", "Missing days"),
             say(h, "最新の記録番号と要約値", "Newest record and digest"),
             say(h, "特記", "Remarks"));
    bool any = false;
    for (size_t i = 0; i < h->m->n_hosts; i++) {
        if (month_host_counts(&h->m->hosts[i])) {
            write_host(h, &h->m->hosts[i]);
            any = true;
        }
    }
    if (!any) {
        str_addf(
            h->out, "<tr><td colspan=\"6\">%s</td></tr>\n",
            say(h, "この期間に対象となる機器はありません", "no computer was due in the period"));
    }
    str_add(h->out, "</tbody></table>\n");
}

/* The redoing of verdicts, as far as it has come. */
static void write_redo(struct html *h)
{
    const struct month *m = h->m;
    size_t same = m->n_evidence - m->n_differs - m->n_pending - m->n_partly;
    str_addf(
        h->out,
        say(h,
            "<li>証跡 %zu 件の判定を記録された事実から再計算しました: 一致 %zu、不一致 %zu"
            "（不適合以外は確認不能として扱う）、規則が異なり比較できないものを含む %zu、"
            "未実施 %zu。</li>\n",
            "<li>%zu evidences redone from their recorded facts: same %zu, different %zu (what "
            "they do not call failed counts as unknown), partly not comparable because rules "
            "differ %zu, not yet redone %zu.</li>\n"),
        m->n_evidence, same, m->n_differs, m->n_partly, m->n_pending);
    if (m->n_outside > 0) {
        str_addf(h->out,
                 say(h, "<li>点検すべき日以外の証跡が %zu 件あり、判定には含めています。</li>\n",
                     "<li>%zu evidences are of days that were not due; they count in the "
                     "verdicts.</li>\n"),
                 m->n_outside);
    }
}

static void write_limits(struct html *h)
{
    static const struct text2 lines[] = {
        {{"観測は点検した時刻の状態です。点検と点検の間に何もなかったとは言えません。",
          "What was observed is the state at the time of inspection; nothing is said of the time "
          "between."}},
        {{"契約、受託期間、資産番号、許可、書面による確認は各機器の設定で宣言されたものです"
          "（契約台帳・資産台帳は今後の版）。台帳にない機器や点検プログラムのない機器は数えていませ"
          "ん。",
          "Contract, term, asset numbers, permissions and statements are declarations of each "
          "host's site file (there is no register of contracts or assets yet). Computers without "
          "the agent are not counted."}},
        {{"適合申出書の時点の基準（基準時点）はまだ登録できません。申出時からの変更の有無は、この別"
          "添から"
          "は言えません。",
          "No baseline of the application can be registered yet: this annex says nothing about "
          "change since the application."}},
        {{"月次封印はまだありません。届いた後に記録が除かれていないことは、各機器の通番と要約値の連"
          "なり"
          "で確かめられる範囲に限られます。",
          "There is no month checkpoint yet: that nothing was removed afterwards can be seen only "
          "as far as numbers and digests of the chains show it."}},
        {{"記入者・確認者: "
          "まだ登録できません。本書は自動作成されたもので、誰の確認も受けていません。",
          "Filled in by, confirmed by: cannot be registered yet. This page was made by the program "
          "and nobody has confirmed it."}},
        {{"条項全体の遵守は人が述べるものです。機器から見えない事項は未対応・未確認として示していま"
          "す。",
          "That a whole clause is kept is for a person to say; what a computer cannot show is "
          "listed as not covered or unattested."}},
    };
    heading(h, "この証跡で言えること・言えないこと", "What this evidence says and does not say");
    str_add(h->out, "<ul class=\"note\">\n");
    write_redo(h);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        str_addf(h->out, "<li>%s</li>\n", lines[i].in[h->lang]);
    }
    str_add(h->out, "</ul>\n");
}

void month_html(const struct month *m, const struct month_page *page, struct str *out)
{
    struct html h = {.out = out, .lang = page->lang, .m = m, .page = page};
    char now[TIME_TEXT_MAX];
    time_utc(page->now_s, now);
    write_top(&h);
    write_subject(&h);
    write_coverage(&h);
    write_clauses(&h);
    write_failures(&h);
    write_hosts(&h);
    write_limits(&h);
    str_addf(out, "<p>%s %s ／ %s <code>%s</code></p>\n</body></html>\n", say(&h, "作成", "Made"),
             now, say(&h, "収集サーバの鍵", "collector key"), page->collector);
}
