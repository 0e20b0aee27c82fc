/* What verification found, for people in two languages and for programs. */
#include <string.h>

#include "agent/evidence/verify.h"

#define LINES_MAX 50U /* of differing verdicts; the rest is counted */

static const char *say(enum lang lang, const char *ja, const char *en)
{
    return lang == LANG_JA ? ja : en;
}

/* FILE or FILE:LINE; names come from the command line and may hold anything. */
static void add_place(const struct verify_item *item, struct str *out)
{
    CLEANUP(str) struct str cell = STR_INIT(65536);
    str_add_cell(&cell, item->file, strlen(item->file));
    str_add_terminal(out, str_text(&cell));
    if (item->line > 0) {
        str_addf(out, ":%u", item->line);
    }
}

/* A text of ours or of the evidence, made harmless for the terminal. */
static void add_safe(struct str *out, const char *text)
{
    if (str_is_utf8(text, strlen(text))) {
        str_add_terminal(out, text);
    } else {
        str_add_cell(out, text, strlen(text));
    }
}

/* "✗ FILE:LINE: control 5.6a  recorded pass  redone fail  differs: ..." */
static void add_redo_line(const struct verify_item *item, const struct redo_line *line,
                          enum lang lang, struct str *out)
{
    bool differs = line->result == REDO_DIFFERS;
    str_add(out, differs ? "✗ " : say(lang, "？ ", "? "));
    add_place(item, out);
    str_add(out, ": ");
    str_add(out,
            line->is_control ? say(lang, "条項 ", "control ") : say(lang, "点検項目 ", "check "));
    add_safe(out, line->id);
    str_addf(out, "  %s %s  %s %s  ", say(lang, "記録", "recorded"),
             line->recorded[0] != '\0' ? line->recorded : "-", say(lang, "再判定", "redone"),
             line->redone[0] != '\0' ? line->redone : "-");
    str_add(out, differs ? say(lang, "相違: ", "differs: ")
                         : say(lang, "比較できません: ", "not comparable: "));
    add_safe(out, line->why);
    str_add_char(out, '\n');
}

/* Only what is not good: a good export of a thousand lines is told in three. */
static void add_item_text(const struct verify_item *item, enum lang lang, size_t *left,
                          size_t *dropped, struct str *out)
{
    if (!item->valid) {
        str_add(out, "✗ ");
        add_place(item, out);
        str_add(out, say(lang, ": 有効な証跡ではありません: ", ": not valid evidence: "));
        add_safe(out, item->why);
        str_add_char(out, '\n');
        return;
    }
    if (!item->redone) {
        str_add(out, say(lang, "？ ", "? "));
        add_place(item, out);
        str_add(out, say(lang, ": 判定を再実施できませんでした: ", ": verdicts were not redone: "));
        add_safe(out, item->redo_error);
        str_add_char(out, '\n');
    }
    for (size_t i = 0; i < item->redo.n; i++) {
        if (item->redo.lines[i].result == REDO_SAME) {
            continue;
        }
        if (*left == 0) {
            (*dropped)++;
            continue;
        }
        (*left)--;
        add_redo_line(item, &item->redo.lines[i], lang, out);
    }
}

static const char *problem_text(enum chain_problem_kind kind, enum lang lang)
{
    static const struct text2 texts[] = {
        [CHAIN_FORK] = {{"同じ通番の証跡が二つあります", "two evidences bear this number"}},
        [CHAIN_GAP] = {{"通番が欠けています", "numbers are missing"}},
        [CHAIN_BROKEN] = {{"前の証跡に続いていません", "does not follow the one before it"}},
        [CHAIN_MIXED] = {{"別のホスト・契約・基準が混じっています",
                          "another host, contract or framework in one chain"}},
        [CHAIN_DUPLICATE] = {{"同じ証跡が重複しています（害はありません）",
                              "the same evidence twice (harmless)"}},
        [CHAIN_NEW_MACHINE] = {{"同じ鍵で machine-id が変わっています",
                                "another machine-id under the same key"}},
    };
    return texts[kind].in[lang];
}

/* Harmless ones carry another mark. */
static void add_problem_text(const struct chain_problem *p, enum lang lang, struct str *out)
{
    bool note = p->kind == CHAIN_DUPLICATE || p->kind == CHAIN_NEW_MACHINE;
    str_addf(out, "%s %s %.8s %s %lld: %s", note ? "・" : "✗", say(lang, "連鎖", "chain"), p->chain,
             say(lang, "通番", "no."), (long long)p->sequence, problem_text(p->kind, lang));
    if (p->kind == CHAIN_GAP) {
        str_addf(out, " (%s)", p->text);
    }
    str_add_char(out, '\n');
}

/* One that breaks the chain. */
static bool chain_has_problem(const struct verify_report *r, const char *chain)
{
    for (size_t i = 0; i < r->n_problems; i++) {
        enum chain_problem_kind kind = r->problems[i].kind;
        if (kind != CHAIN_DUPLICATE && kind != CHAIN_NEW_MACHINE &&
            strcmp(r->problems[i].chain, chain) == 0) {
            return true;
        }
    }
    return false;
}

/* What could be said of the chain, and in words what could not. */
static void add_chain_text(const struct verify_report *r, const struct chain_span *c,
                           enum lang lang, struct str *out)
{
    bool bad = chain_has_problem(r, c->chain);
    str_addf(out, "%s %s %.8s  %s %lld-%lld (%zu): ",
             bad          ? "✗"
             : c->checked ? "○"
                          : "？",
             say(lang, "連鎖", "chain"), c->chain, say(lang, "通番", "no."), (long long)c->first,
             (long long)c->last, c->n);
    if (bad) {
        str_add(out, say(lang, "つながっていません", "does not hold"));
    } else if (!c->checked) {
        str_add(out, say(lang, "連鎖は検証していません（前後の証跡がありません）",
                         "chain not checked (the evidences around it are not here)"));
    } else {
        str_add(out, say(lang, "つながっています", "links hold"));
    }
    if (c->checked && c->first > 1 && lang == LANG_JA) {
        str_addf(out, "。%lld より前はこのファイルにありません", (long long)c->first);
    } else if (c->checked && c->first > 1) {
        str_addf(out, "; what came before %lld is not in this file", (long long)c->first);
    }
    if (c->previous_chain[0] != '\0') {
        str_addf(out, "%s %.8s", say(lang, "。先行する連鎖", "; follows chain"), c->previous_chain);
    }
    str_add_char(out, '\n');
}

/* Whose key it was, once per kind of source. */
static void add_key_text(const struct verify_report *r, enum lang lang, struct str *out)
{
    static const struct text2 texts[] = {
        [VERIFY_KEY_NONE] = {{"", ""}},
        [VERIFY_KEY_GIVEN] = {{"指定された鍵", "the key that was given"}},
        [VERIFY_KEY_BESIDE] = {{"証跡に添えられた鍵です。登録時の鍵 ID と照合してください",
                                "a key that came with the evidence: compare its id with the "
                                "enrolment"}},
        [VERIFY_KEY_FALLBACK] = {{"この端末自身の鍵", "this machine's own key"}},
    };
    for (int source = VERIFY_KEY_GIVEN; source <= VERIFY_KEY_FALLBACK; source++) {
        const char *last = "";
        for (size_t i = 0; i < r->n_items; i++) {
            const struct verify_item *item = &r->items[i];
            if (!item->valid || (int)item->key_source != source ||
                strcmp(item->head.host_id, last) == 0) {
                continue;
            }
            last = item->head.host_id;
            str_addf(out, "%s %s\n    %s\n", say(lang, "○ 署名 鍵 ID", "+ signature made by key"),
                     last, texts[source].in[lang]);
        }
    }
}

/* From the particular to the whole: lines that differ, keys, chains, one line of sums. */
static void write_text(const struct verify_report *r, enum lang lang, struct str *out)
{
    size_t left = LINES_MAX, dropped = 0, valid = 0, same = 0;
    for (size_t i = 0; i < r->n_items; i++) {
        const struct verify_item *item = &r->items[i];
        add_item_text(item, lang, &left, &dropped, out);
        valid += item->valid;
        same += item->redo.n - item->redo.n_differs - item->redo.n_not_comparable;
    }
    if (dropped > 0) {
        str_addf(out, "  +%zu %s\n", dropped, say(lang, "件", "more"));
    }
    add_key_text(r, lang, out);
    for (size_t i = 0; i < r->n_problems; i++) {
        add_problem_text(&r->problems[i], lang, out);
    }
    for (size_t i = 0; i < r->n_chains; i++) {
        add_chain_text(r, &r->chains[i], lang, out);
    }
    str_addf(out, "%s %zu  %s %zu  %s %zu\n", say(lang, "証跡", "evidences"), r->n_items,
             say(lang, "有効", "valid"), valid, say(lang, "再判定一致", "verdicts redone the same"),
             same);
}

static const char *redo_word(enum redo result)
{
    static const char *const words[] = {"same", "differs", "not-comparable"};
    return words[result];
}

static void write_item_json(struct json_out *j, const struct verify_item *item)
{
    static const char *const sources[] = {"none", "given", "beside", "own"};
    jout_open(j, '{');
    CLEANUP(str) struct str file = STR_INIT(65536);
    str_add_cell(&file, item->file, strlen(item->file));
    jout_kv_text(j, "file", str_text(&file));
    jout_kv_int(j, "line", item->line);
    jout_kv_bool(j, "valid", item->valid);
    jout_kv_text(j, "why", item->why);
    jout_kv_text(j, "key_source", sources[item->key_source]);
    jout_kv_text(j, "digest", item->digest);
    if (item->valid) {
        jout_kv_text(j, "host", item->head.host_id);
        jout_kv_text(j, "contract", item->head.contract);
        jout_kv_text(j, "framework", item->head.framework);
        jout_kv_text(j, "chain", item->head.chain);
        jout_kv_int(j, "sequence", item->head.sequence);
        jout_kv_text(j, "time", item->head.time);
    }
    jout_kv_bool(j, "redone", item->redone);
    jout_key(j, "verdicts");
    jout_open(j, '[');
    for (size_t i = 0; i < item->redo.n; i++) {
        const struct redo_line *line = &item->redo.lines[i];
        jout_open(j, '{');
        jout_kv_text(j, "kind", line->is_control ? "control" : "check");
        jout_kv_text(j, "id", line->id);
        jout_kv_text(j, "recorded", line->recorded);
        jout_kv_text(j, "redone", line->redone);
        jout_kv_text(j, "result", redo_word(line->result));
        jout_kv_text(j, "why", line->why);
        jout_close(j, '}');
    }
    jout_close(j, ']');
    jout_close(j, '}');
}

/* {"format","exit","evidence":[...],"chains":[...],"problems":[...]} */
static void write_json(const struct verify_report *r, struct str *out)
{
    static const char *const kinds[] = {"fork",  "gap",       "broken",
                                        "mixed", "duplicate", "machine-id-changed"};
    struct json_out j;
    jout_begin(&j, out, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "format", "tenken-verify/1");
    jout_kv_int(&j, "exit", r->exit_code);
    jout_key(&j, "evidence");
    jout_open(&j, '[');
    for (size_t i = 0; i < r->n_items; i++) {
        write_item_json(&j, &r->items[i]);
    }
    jout_close(&j, ']');
    jout_key(&j, "chains");
    jout_open(&j, '[');
    for (size_t i = 0; i < r->n_chains; i++) {
        jout_open(&j, '{');
        jout_kv_text(&j, "chain", r->chains[i].chain);
        jout_kv_text(&j, "previous_chain", r->chains[i].previous_chain);
        jout_kv_int(&j, "first", r->chains[i].first);
        jout_kv_int(&j, "last", r->chains[i].last);
        jout_kv_int(&j, "count", (int64_t)r->chains[i].n);
        jout_kv_bool(&j, "checked", r->chains[i].checked);
        jout_close(&j, '}');
    }
    jout_close(&j, ']');
    jout_key(&j, "problems");
    jout_open(&j, '[');
    for (size_t i = 0; i < r->n_problems; i++) {
        jout_open(&j, '{');
        jout_kv_text(&j, "kind", kinds[r->problems[i].kind]);
        jout_kv_text(&j, "chain", r->problems[i].chain);
        jout_kv_int(&j, "sequence", r->problems[i].sequence);
        jout_kv_text(&j, "text", r->problems[i].text);
        jout_close(&j, '}');
    }
    jout_close(&j, ']');
    jout_close(&j, '}');
    str_add_char(out, '\n');
}

void verify_report_write(const struct verify_report *r, bool as_json, enum lang lang,
                         struct str *out)
{
    if (as_json) {
        write_json(r, out);
    } else {
        write_text(r, lang, out);
    }
}
