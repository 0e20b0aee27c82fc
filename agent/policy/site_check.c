/* What the site says of the rules: frameworks, clauses, statements and checks that it names must be
 * there. Apart from loading, since a site is also read where no rules are. */
#include <string.h>

#include "agent/base/json.h"
#include "agent/policy/policy.h"
#include "agent/policy/site_internal.h"

/* "PLACE: WHERE has no WHAT "x", did you mean "y"?" */
static int unknown_word(const struct site_value *named, const char *what, const char *where,
                        const char *const *words, size_t n_words, struct err *e)
{
    char hint[SITE_HINT_MAX];
    return site_fail(named->file, named->line, named->column, e, "%s has no %s \"%s\"%s", where,
                     what, named->text, site_hint(hint, named->text, words, n_words));
}

static int find_framework(const struct policy *p, const struct site_value *named,
                          const struct framework **ret, struct err *e)
{
    *ret = policy_framework(p, named->text);
    if (*ret != NULL) {
        return 0;
    }
    CLEANUP(free) const char **ids = policy_framework_ids(p);
    return ids == NULL ? err_nomem(e)
                       : unknown_word(named, "framework", "the policy", ids, p->n_frameworks, e);
}

bool control_is_named(const char *control, const char *name)
{
    size_t n = strlen(name);
    bool ends_in_digit = n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9';
    /* "5.6" names 5.6a, never 5.60 or 5.6.1. */
    return strncmp(control, name, n) == 0 &&
           (control[n] == '\0' ||
            (ends_in_digit && control[n] >= 'a' && control[n] <= 'z' && control[n + 1] == '\0'));
}

/* Any part will do: "5.6" is there if 5.6a is. */
static int find_control(const struct framework *fw, const struct site_value *named,
                        const struct control **ret, struct err *e)
{
    CLEANUP(free) const char **ids = calloc(fw->n_controls + 1, sizeof *ids);
    if (ids == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < fw->n_controls; i++) {
        ids[i] = fw->controls[i].id;
        if (control_is_named(fw->controls[i].id, named->text)) {
            *ret = &fw->controls[i];
            return 0;
        }
    }
    return unknown_word(named, "control", fw->id, ids, fw->n_controls, e);
}

/* Statements of the named clause, or of all its parts. */
static int find_statement(const struct framework *fw, const struct site_value *control,
                          const struct site_value *named, struct err *e)
{
    size_t n_all = 0;
    for (size_t i = 0; i < fw->n_controls; i++) {
        n_all += fw->controls[i].n_attests;
    }
    CLEANUP(free) const char **ids = calloc(n_all + 1, sizeof *ids);
    if (ids == NULL) {
        return err_nomem(e);
    }
    size_t n = 0;
    for (size_t i = 0; i < fw->n_controls; i++) {
        const struct control *c = &fw->controls[i];
        for (size_t k = 0; control_is_named(c->id, control->text) && k < c->n_attests; k++) {
            if (strcmp(c->attests[k].id, named->text) == 0) {
                return 0;
            }
            ids[n++] = c->attests[k].id;
        }
    }
    return unknown_word(named, "statement", control->text, ids, n, e);
}

/* scope.check, where a scope names one. */
static int check_scope(const struct policy *p, const struct site_value *scope, struct err *e)
{
    CLEANUP(json) json_t *root = NULL;
    int rc = json_parse("scope", scope->text, strlen(scope->text), &root, e);
    if (rc != 0) {
        return rc;
    }
    struct site_value named = *scope;
    named.text = json_string_value(json_object_get(root, "check"));
    if (named.text == NULL || policy_check(p, named.text) != NULL) {
        return 0;
    }
    CLEANUP(free) const char **ids = calloc(p->n_checks + 1, sizeof *ids);
    if (ids == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < p->n_checks; i++) {
        ids[i] = p->checks[i].id;
    }
    return unknown_word(&named, "check", "the policy", ids, p->n_checks, e);
}

/* A contract names a framework only; the others name a clause of it, and then what that clause has.
 */
static int check_row(const struct policy *p, enum site_list_id id, const struct site_row *row,
                     struct err *e)
{
    const struct site_list *list = &site_lists[id];
    const struct framework *fw = NULL;
    const struct control *control = NULL;
    int rc = find_framework(p, &row->values[site_field(list, "framework")], &fw, e);
    if (rc != 0 || id == LIST_CONTRACTS) {
        return rc;
    }
    const struct site_value *named = &row->values[site_field(list, "control")];
    rc = find_control(fw, named, &control, e);
    if (rc != 0) {
        return rc;
    }
    return id == LIST_ATTESTATIONS
               ? find_statement(fw, named, &row->values[site_field(list, "statement")], e)
               : check_scope(p, &row->values[site_field(list, "scope")], e);
}

/* Peers, media and the like name nothing of the policy. */
int site_check_policy(const struct site *s, const struct policy *p, struct err *e)
{
    static const enum site_list_id lists[] = {LIST_CONTRACTS, LIST_PERMISSIONS, LIST_COMPENSATIONS,
                                              LIST_ATTESTATIONS};
    int rc = 0;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t i = 0; rc == 0 && i < s->rows[lists[l]].n; i++) {
            rc = check_row(p, lists[l], s->rows[lists[l]].items[i], e);
        }
    }
    return rc;
}
