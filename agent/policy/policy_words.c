/* The words for verdicts and bases (design.md 2; the same in every language's JSON). */
#include <stdio.h>
#include <string.h>

#include "agent/policy/policy_internal.h"

static const char *const verdict_words[N_VERDICTS] = {
    [VERDICT_FAIL] = "fail",
    [VERDICT_UNKNOWN] = "unknown",
    [VERDICT_PERMITTED] = "permitted",
    [VERDICT_COMPENSATED] = "compensated",
    [VERDICT_UNATTESTED] = "unattested",
    [VERDICT_PASS] = "pass",
    [VERDICT_ATTESTED] = "attested",
    [VERDICT_NOT_COVERED] = "not-covered",
    [VERDICT_NOT_APPLICABLE] = "not-applicable",
};

/* A value outside the enum cannot look better than unknown. */
const char *verdict_word(enum verdict v)
{
    return (unsigned)v < N_VERDICTS ? verdict_words[v] : "unknown";
}

int verdict_parse(const char *word, enum verdict *ret, struct err *e)
{
    for (size_t i = 0; i < N_VERDICTS; i++) {
        if (strcmp(word, verdict_words[i]) == 0) {
            *ret = (enum verdict)i;
            return 0;
        }
    }
    char hint[RULE_HINT_MAX];
    return err_set(e, ERR_INVALID, "\"%s\" is no verdict%s", word,
                   rule_hint(hint, word, verdict_words, N_VERDICTS));
}

/* Nor can a basis count for more than advice. */
const char *basis_word(enum basis b)
{
    static const char *const words[] = {
        [BASIS_TEXT] = "text",
        [BASIS_INTERPRETATION] = "interpretation",
        [BASIS_RECOMMENDED] = "recommended",
    };
    return (unsigned)b < ARRAY_LEN(words) ? words[b] : "recommended";
}

const char *rule_hint(char buf[RULE_HINT_MAX], const char *word, const char *const *words,
                      size_t n_words)
{
    const char *nearest = str_nearest(word, words, n_words);
    buf[0] = '\0';
    if (nearest != NULL) {
        (void)snprintf(buf, RULE_HINT_MAX, ", did you mean \"%s\"?", nearest);
    }
    return buf;
}
