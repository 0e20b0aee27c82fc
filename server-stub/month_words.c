/* Words of verdicts and flags. */
#include "server-stub/month_words.h"

#include "server-stub/store.h"

static const struct {
    const char *mark;
    struct text2 text;
} verdicts[N_VERDICTS] = {
    [VERDICT_FAIL] = {"✗", {{"不適合", "fail"}}},
    [VERDICT_UNKNOWN] = {"？", {{"確認不能", "unknown"}}},
    [VERDICT_PERMITTED] = {"△", {{"許可済", "permitted"}}},
    [VERDICT_COMPENSATED] = {"△", {{"代替措置", "compensated"}}},
    [VERDICT_UNATTESTED] = {"？", {{"未確認（書面）", "unattested"}}},
    [VERDICT_PASS] = {"○", {{"適合", "pass"}}},
    [VERDICT_ATTESTED] = {"○", {{"確認済（書面）", "attested"}}},
    [VERDICT_NOT_COVERED] = {"・", {{"未対応", "not covered"}}},
    [VERDICT_NOT_APPLICABLE] = {"・", {{"対象外", "not applicable"}}},
};

const char *verdict_text(enum verdict v, enum lang lang)
{
    return verdicts[v].text.in[lang];
}

const char *verdict_mark(enum verdict v)
{
    return verdicts[v].mark;
}

const char *flag_text(unsigned bit, enum lang lang)
{
    static const struct text2 texts[N_FLAGS] = {
        {{"通番に欠けがある", "numbers are missing"}},
        {{"後から届いた証跡がある", "some evidence came late"}},
        {{"同じ通番で内容の異なる証跡がある", "contradicting evidence for one number"}},
        {{"時計が戻っている", "the clock went back"}},
        {{"判定の再計算が一致しない", "redone verdicts differ"}},
        {{"同じ鍵で別の機器から届いている", "same key, another machine"}},
    };
    return bit < N_FLAGS ? texts[bit].in[lang] : "";
}
