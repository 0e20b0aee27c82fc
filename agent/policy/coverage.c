/* How much of each framework is decided, and by whom: machine, machine and person, person, not
 * yet. A clause with a `missing:` part can fail but never pass, so it counts as not yet. */
#include <string.h>

#include "agent/base/json.h"
#include "agent/policy/eval.h"

enum decider { BY_MACHINE, BY_BOTH, BY_PERSON, NOT_YET, N_DECIDERS };

static const struct {
    const char *key;
    const char *in[N_LANGS];
} deciders[] = {
    [BY_MACHINE] = {"machine", {"機械", "machine"}},
    [BY_BOTH] = {"machine-and-person", {"機械と人", "machine and person"}},
    [BY_PERSON] = {"person", {"人", "person"}},
    [NOT_YET] = {"not-yet", {"未対応", "not yet"}},
};

static bool text_check(const struct citation *legs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (legs[i].check != NULL && legs[i].basis == BASIS_TEXT) {
            return true;
        }
    }
    return false;
}

static bool statement_leg(const struct citation *legs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (legs[i].check == NULL) {
            return true;
        }
    }
    return false;
}

/* Checks by text alone: an interpretation counts only where a site says so. */
static enum decider decider_of(const struct control *c)
{
    bool machine = text_check(c->checks, c->n_checks);
    bool person = c->n_attests > 0 || statement_leg(c->checks, c->n_checks);
    for (size_t i = 0; i < c->n_any_of; i++) {
        machine = machine || text_check(c->any_of[i], c->any_of_n[i]);
        person = person || statement_leg(c->any_of[i], c->any_of_n[i]);
    }
    bool missing = c->missing != NULL && c->missing[0] != NULL;
    if ((machine && missing) || (!machine && !person)) {
        return NOT_YET;
    }
    if (machine) {
        return person ? BY_BOTH : BY_MACHINE;
    }
    return BY_PERSON;
}

static void framework_json(struct json_out *j, const struct framework *fw,
                           const size_t counts[N_DECIDERS])
{
    jout_open(j, '{');
    jout_kv_text(j, "framework", fw->id);
    jout_kv_text(j, "version", fw->version);
    jout_kv_text(j, "status", fw->status);
    jout_kv_int(j, "controls", (int64_t)fw->n_controls);
    for (size_t d = 0; d < N_DECIDERS; d++) {
        jout_kv_int(j, deciders[d].key, (int64_t)counts[d]);
    }
    jout_key(j, "clauses");
    jout_open(j, '[');
    for (size_t i = 0; i < fw->n_controls; i++) {
        jout_open(j, '{');
        jout_kv_text(j, "id", fw->controls[i].id);
        jout_kv_text(j, "decided_by", deciders[decider_of(&fw->controls[i])].key);
        jout_close(j, '}');
    }
    jout_close(j, ']');
    jout_close(j, '}');
}

/* One line per kind, with the ids: the question is always "which ones". */
static void framework_text(struct str *out, const struct framework *fw, enum lang lang,
                           const size_t counts[N_DECIDERS])
{
    str_addf(out, "%s %s: %zu %s\n", fw->id, fw->version, fw->n_controls,
             lang == LANG_JA ? "条項" : "clauses");
    for (size_t d = 0; d < N_DECIDERS; d++) {
        str_addf(out, "  %4zu %s", counts[d], deciders[d].in[lang]);
        for (size_t i = 0; i < fw->n_controls; i++) {
            if (decider_of(&fw->controls[i]) == (enum decider)d) {
                str_addf(out, " %s", fw->controls[i].id);
            }
        }
        str_add_char(out, '\n');
    }
}

int policy_coverage(const struct policy *p, bool as_json, enum lang lang, struct str *out,
                    struct err *e)
{
    struct json_out j;
    jout_begin(&j, out, true);
    if (as_json) {
        jout_open(&j, '[');
    }
    for (size_t i = 0; i < p->n_frameworks; i++) {
        const struct framework *fw = &p->frameworks[i];
        size_t counts[N_DECIDERS] = {0};
        for (size_t k = 0; k < fw->n_controls; k++) {
            counts[decider_of(&fw->controls[k])]++;
        }
        if (as_json) {
            framework_json(&j, fw, counts);
        } else {
            framework_text(out, fw, lang, counts);
        }
    }
    if (as_json) {
        jout_close(&j, ']');
        str_add_char(out, '\n');
    }
    return str_error(out, e);
}
