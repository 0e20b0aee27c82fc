/* What both writers need: sentences, clause names, ages, the words of verdicts. */
#include "agent/commands/render.h"

#include <ctype.h>
#include <string.h>

#include "agent/base/json.h"

static void cell_text(const struct cell *c, const struct pseudonyms *names, struct str *out)
{
    switch (c->type) {
    case CELL_NULL:
        str_add(out, "?");
        break;
    case CELL_INT:
        str_addf(out, "%lld", (long long)c->v.i);
        break;
    case CELL_REAL:
        str_addf(out, "%.6g", c->v.r);
        break;
    case CELL_TEXT:
        pseudonyms_show(names, c->v.t.p, out);
        break;
    }
}

static bool find_column(const struct result_rows *rows, const char *name, size_t n, size_t *ret)
{
    for (size_t i = 0; i < rows->n_columns; i++) {
        if (strlen(rows->columns[i]) == n && strncmp(rows->columns[i], name, n) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

void finding_text(const struct app *app, const struct text2 *sentence,
                  const struct result_rows *rows, size_t row, const struct pseudonyms *names,
                  struct str *out)
{
    const struct cell *cells = rows->cells + row * rows->n_columns;
    const char *p = text_in(app, sentence);
    while (*p != '\0') {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        size_t column = 0;
        if (close != NULL && find_column(rows, p + 1, (size_t)(close - p - 1), &column)) {
            cell_text(&cells[column], names, out);
            p = close + 1;
        } else {
            str_add_char(out, *p++);
        }
    }
}

void finding_seen(const struct app *app, const struct text2 *sentence,
                  const struct result_rows *rows, size_t row, const struct pseudonyms *names,
                  struct str *out)
{
    const struct cell *cells = rows->cells + row * rows->n_columns;
    const char *text = text_in(app, sentence);
    bool first = true;
    for (size_t i = 0; i < rows->n_columns; i++) {
        char marker[80];
        (void)snprintf(marker, sizeof(marker), "{%s}", rows->columns[i]);
        if (strstr(text, marker) != NULL) {
            continue;
        }
        str_addf(out, "%s%s=", first ? "" : "  ", rows->columns[i]);
        cell_text(&cells[i], names, out);
        first = false;
    }
}

static const json_t *previous_control(const struct judged *j, const char *id)
{
    if (!j->has_previous) {
        return NULL;
    }
    const json_t *list =
        json_object_get(json_object_get(j->previous.root, "predicate"), "controls");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        const json_t *c = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(c, "id"));
        if (name != NULL && strcmp(name, id) == 0) {
            return c;
        }
    }
    return NULL;
}

bool control_previous(const struct judged *j, const char *control, enum verdict *ret)
{
    const char *word = json_string_value(json_object_get(previous_control(j, control), "verdict"));
    return word != NULL && verdict_parse(word, ret, NULL) == 0;
}

const char *control_since(const struct judged *j, const struct control_result *c)
{
    const json_t *before = previous_control(j, c->control->id);
    const char *word = json_string_value(json_object_get(before, "verdict"));
    const char *since = json_string_value(json_object_get(before, "since"));
    bool same = word != NULL && since != NULL && strcmp(word, verdict_word(c->verdict)) == 0;
    return same ? since : j->local_date;
}

void clause_name(const char *control, char *out, size_t n)
{
    size_t len = strlen(control);
    if (len > 1 && isalpha((unsigned char)control[len - 1]) &&
        isdigit((unsigned char)control[len - 2])) {
        len--;
    }
    const char *dot = memchr(control, '.', len);
    if (dot == NULL) {
        (void)snprintf(out, n, "%.*s", (int)len, control);
        return;
    }
    (void)snprintf(out, n, "%.*s(%.*s)", (int)(dot - control), control,
                   (int)(len - (size_t)(dot - control) - 1), dot + 1);
}

/* settings.interpretation as recorded: the same source that the evaluation reads. */
static bool interpretation_counts(const struct judged *j)
{
    const struct fact_table *t = facts_find(&j->recorded, "site_settings");
    int key = t != NULL ? table_column(t->decl, "key") : -1;
    int value = t != NULL ? table_column(t->decl, "value") : -1;
    for (size_t i = 0; key >= 0 && value >= 0 && i < t->n_rows; i++) {
        const struct cell *row = t->cells + i * t->decl->n_columns;
        if (row[key].type == CELL_TEXT && strcmp(row[key].v.t.p, "interpretation") == 0) {
            return row[value].type == CELL_TEXT && strcmp(row[value].v.t.p, "counts") == 0;
        }
    }
    return false;
}

bool check_counts(const struct judged *j, const struct control *c, const struct check *check,
                  enum basis *ret_basis)
{
    bool found = false;
    enum basis best = BASIS_RECOMMENDED;
    for (size_t i = 0; i < c->n_checks; i++) {
        if (c->checks[i].check == check && (!found || c->checks[i].basis < best)) {
            best = c->checks[i].basis;
            found = true;
        }
    }
    for (size_t g = 0; g < c->n_any_of; g++) {
        for (size_t i = 0; i < c->any_of_n[g]; i++) {
            if (c->any_of[g][i].check == check && (!found || c->any_of[g][i].basis < best)) {
                best = c->any_of[g][i].basis;
                found = true;
            }
        }
    }
    if (ret_basis != NULL) {
        *ret_basis = best;
    }
    return found &&
           (best == BASIS_TEXT || (best == BASIS_INTERPRETATION && interpretation_counts(j)));
}

const struct text2 *check_fix_for(const struct check *check, const char *family)
{
    const struct text2 *any = NULL;
    for (size_t i = 0; i < check->n_fixes; i++) {
        if (strcmp(check->fixes[i].family, family) == 0) {
            return &check->fixes[i].text;
        }
        if (strcmp(check->fixes[i].family, "any") == 0) {
            any = &check->fixes[i].text;
        }
    }
    return any;
}

void cure_text(const struct session *s, const struct check_result *r, struct str *out)
{
    const struct app *app = s->app;
    const struct text2 *fix = check_fix_for(r->check, s->info.os_family);
    bool undeclared = strncmp(r->reason, "undeclared", strlen("undeclared")) == 0;
    bool incomplete = strncmp(r->reason, "incomplete", strlen("incomplete")) == 0;
    if (r->verdict == VERDICT_UNKNOWN && undeclared) {
        str_add(
            out,
            say(app,
                "site.yaml に宣言する（該当がなければ none と書く。tenken init が案を出します）",
                "declare it in the site file (or say none there; tenken init proposes one)"));
    } else if (r->verdict == VERDICT_UNKNOWN && strstr(r->reason, "not_visible") != NULL) {
        str_add(out, say(app, "コンテナや chroot の中ではなく、ホスト自身で実行する",
                         "run it on the host itself, not in a container or chroot"));
    } else if (r->verdict == VERDICT_UNKNOWN && incomplete && host_is_live(s->host) &&
               geteuid() != 0) {
        str_add(out, say(app, "root で実行する", "run it as root"));
    } else if (r->verdict == VERDICT_FAIL && fix != NULL) {
        const char *whole = text_in(app, fix);
        str_add_bytes(out, whole, strcspn(whole, "\n"));
    }
}

const char *verdict_name(const struct app *app, enum verdict v)
{
    static const struct text2 names[N_VERDICTS] = {
        [VERDICT_FAIL] = {{"不適合", "FAIL"}},
        [VERDICT_UNKNOWN] = {{"確認不能", "UNKNOWN"}},
        [VERDICT_PERMITTED] = {{"許可済", "PERMITTED"}},
        [VERDICT_COMPENSATED] = {{"代替措置", "COMPENSATED"}},
        [VERDICT_UNATTESTED] = {{"未確認", "UNATTESTED"}},
        [VERDICT_PASS] = {{"適合", "pass"}},
        [VERDICT_ATTESTED] = {{"確認済（書面）", "attested"}},
        [VERDICT_NOT_COVERED] = {{"未対応", "not covered"}},
        [VERDICT_NOT_APPLICABLE] = {{"対象外", "not applicable"}},
    };
    return v < N_VERDICTS ? text_in(app, &names[v]) : "?";
}

const char *basis_name(const struct app *app, enum basis b)
{
    switch (b) {
    case BASIS_TEXT:
        return say(app, "文言", "text");
    case BASIS_INTERPRETATION:
        return say(app, "解釈", "interpretation");
    case BASIS_RECOMMENDED:
        return say(app, "推奨", "recommended");
    }
    return "?";
}

void reason_text(const struct app *app, const char *reason, struct str *out)
{
    static const struct {
        const char *word;
        struct text2 text;
    } words[] = {
        {"incomplete", {{"見られなかった表: ", "could not be looked at: "}}},
        {"null", {{"値が分からない: ", "value not known: "}}},
        {"undeclared", {{"site.yaml に宣言がない: ", "not declared in the site file: "}}},
        {"limit", {{"上限に達した: ", "a bound was hit: "}}},
        {"absent", {{"存在しない: ", "does not exist: "}}},
    };
    const char *colon = strchr(reason, ':');
    size_t n = colon != NULL ? (size_t)(colon - reason) : strlen(reason);
    const char *detail = colon != NULL ? colon + 1 : "";
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strlen(words[i].word) == n && strncmp(words[i].word, reason, n) == 0) {
            str_add(out, text_in(app, &words[i].text));
            str_add(out, detail + (detail[0] == ' ' ? 1 : 0));
            return;
        }
    }
    str_add(out, reason);
}
