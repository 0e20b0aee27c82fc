/* policies/frameworks/NAME.yaml: one framework a file, its clauses as controls (formats.md,
 * "Policies"). Citations are resolved against the checks of all directories. */
#include <string.h>

#include "agent/policy/policy_internal.h"

static const char *const kinds[] = {"technical", "partly", "organisational", "physical", NULL};
static const char *const severities[] = {"critical", "high", "medium", "low", NULL};
static const char *const bases[] = {"text", "interpretation", "recommended", NULL};
static const char *const recurrences[] = {"application", "year", "period", "event", NULL};
static const char *const statuses[] = {"current", "historical", NULL};

/* A citation of nothing must not load: the clause would silently lose what decides it. */
static int find_check(const struct rule_reader *r, const struct yaml_node *node, const char *id,
                      const struct check **ret, struct err *e)
{
    for (size_t i = 0; i < r->n_checks; i++) {
        if (strcmp(r->checks[i].id, id) == 0) {
            *ret = &r->checks[i];
            return 0;
        }
    }
    const char **ids = pool_array(r->pool, r->n_checks, sizeof *ids, e);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < r->n_checks; i++) {
        ids[i] = r->checks[i].id;
    }
    char hint[RULE_HINT_MAX];
    return yaml_fail(r->doc, node, e, "there is no check \"%s\"%s", id,
                     rule_hint(hint, id, ids, r->n_checks));
}

/* {id, basis}. */
static int read_citation(const struct rule_reader *r, const struct yaml_node *node,
                         struct citation *ret, struct err *e)
{
    static const char *const keys[] = {"id", "basis", NULL};
    const char *id = NULL;
    const char *basis = NULL;
    int rc = yaml_map_only(r->doc, node, "cited check", keys, e);
    if (rc == 0) {
        rc = rule_id(r, node, "id", &id, e);
    }
    if (rc == 0) {
        rc = find_check(r, yaml_get(node, "id"), id, &ret->check, e);
    }
    if (rc == 0) {
        rc = yaml_get_word(r->doc, node, "basis", true, bases, &basis, e);
    }
    for (size_t i = 0; rc == 0 && bases[i] != NULL; i++) {
        if (strcmp(basis, bases[i]) == 0) {
            ret->basis = (enum basis)i;
        }
    }
    return rc;
}

/* The same check twice in one clause would count its findings twice, and under which basis? */
static int read_citations(const struct rule_reader *r, const struct yaml_node *map,
                          struct control *c, struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, "checks", false, &list, e);
    if (rc != 0 || list == NULL) {
        return rc;
    }
    struct citation *citations = pool_array(r->pool, list->n, sizeof *citations, e);
    if (citations == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        rc = read_citation(r, list->items[i], &citations[i], e);
        for (size_t k = 0; rc == 0 && k < i; k++) {
            if (citations[k].check == citations[i].check) {
                rc = yaml_fail(r->doc, list->items[i], e, "check %s is cited twice",
                               citations[i].check->id);
            }
        }
        if (rc != 0) {
            return rc;
        }
    }
    c->checks = citations;
    c->n_checks = list->n;
    return 0;
}

/* `every` says how long a signature holds where it names no last day. */
static int read_need(const struct rule_reader *r, const struct yaml_node *node,
                     struct attestation_need *ret, struct err *e)
{
    static const char *const keys[] = {"id", "statement", "attachment", "every", NULL};
    int rc = yaml_map_only(r->doc, node, "statement to attest", keys, e);
    if (rc == 0) {
        rc = rule_id(r, node, "id", &ret->id, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, node, "statement", true, &ret->statement, e);
    }
    if (rc == 0) {
        rc = rule_text(r, node, "attachment", false, &ret->attachment, e);
    }
    return rc != 0 ? rc : rule_word(r, node, "every", true, recurrences, &ret->every, e);
}

static int read_needs(const struct rule_reader *r, const struct yaml_node *map,
                      struct attestation_need **ret, size_t *ret_n, struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, "attest", false, &list, e);
    if (rc != 0 || list == NULL) {
        return rc;
    }
    struct attestation_need *needs = pool_array(r->pool, list->n, sizeof *needs, e);
    if (needs == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        rc = read_need(r, list->items[i], &needs[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    *ret = needs;
    *ret_n = list->n;
    return 0;
}

/* {attest: ID} names one of the control's own statements and makes it the leg's. */
static int read_attest_leg(const struct rule_reader *r, const struct yaml_node *node,
                           struct attestation_need *needs, size_t n_needs, struct citation *ret,
                           struct err *e)
{
    static const char *const keys[] = {"attest", NULL};
    const char *id = NULL;
    int rc = yaml_map_only(r->doc, node, "leg", keys, e);
    if (rc == 0) {
        rc = rule_id(r, node, "attest", &id, e);
    }
    for (size_t i = 0; rc == 0 && i < n_needs; i++) {
        if (strcmp(needs[i].id, id) == 0) {
            needs[i].leg = true;
            *ret = (struct citation){.attest = needs[i].id, .basis = BASIS_TEXT};
            return 0;
        }
    }
    return rc != 0
               ? rc
               : yaml_fail(r->doc, node, e, "this control's attest: has no statement \"%s\"", id);
}

/* Groups are alternatives, the legs of one group belong together. */
static int read_group(const struct rule_reader *r, const struct yaml_node *list,
                      struct attestation_need *needs, size_t n_needs, const struct citation **ret,
                      struct err *e)
{
    if (list->kind != YAML_LIST || list->n == 0) {
        return yaml_fail(r->doc, list, e,
                         "any_of is a list of groups: [[{id, basis}, ...], [{attest: ID}]]");
    }
    struct citation *group = pool_array(r->pool, list->n, sizeof *group, e);
    if (group == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *leg = list->items[i];
        bool is_statement = leg->kind == YAML_MAP && yaml_get(leg, "attest") != NULL;
        int rc = is_statement ? read_attest_leg(r, leg, needs, n_needs, &group[i], e)
                              : read_citation(r, leg, &group[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    *ret = group;
    return 0;
}

/* Statements are read before, since legs name them. */
static int read_any_of(const struct rule_reader *r, const struct yaml_node *map,
                       struct attestation_need *needs, size_t n_needs, struct control *c,
                       struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, "any_of", false, &list, e);
    if (rc != 0 || list == NULL) {
        return rc;
    }
    const struct citation **groups = pool_array(r->pool, list->n, sizeof *groups, e);
    size_t *sizes = pool_array(r->pool, list->n, sizeof *sizes, e);
    if (groups == NULL || sizes == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        rc = read_group(r, list->items[i], needs, n_needs, &groups[i], e);
        if (rc != 0) {
            return rc;
        }
        sizes[i] = list->items[i]->n;
    }
    c->any_of = groups;
    c->any_of_n = sizes;
    c->n_any_of = list->n;
    return 0;
}

/* missing: texts, each plain or {ja, en}. */
static int read_missing(const struct rule_reader *r, const struct yaml_node *map, struct control *c,
                        struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, "missing", false, &list, e);
    if (rc != 0 || list == NULL) {
        return rc;
    }
    struct text2 *both = pool_array(r->pool, list->n, sizeof *both, e);
    const char **plain = pool_array(r->pool, list->n + 1, sizeof *plain, e);
    if (both == NULL || plain == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *item = list->items[i];
        if (item->kind == YAML_SCALAR && item->text[0] != '\0') {
            const char *text = pool_text(r->pool, item->text, e);
            rc = text == NULL ? ERR_NOMEM : 0;
            both[i] = (struct text2){{text, text}};
        } else {
            rc = rule_text2_node(r, item, "missing", &both[i], e);
        }
        if (rc != 0) {
            return rc;
        }
        const char *en = both[i].in[LANG_EN];
        plain[i] = en[0] != '\0' ? en : both[i].in[LANG_JA];
    }
    c->missing = plain;
    c->missing_texts = both;
    c->n_missing = list->n;
    return 0;
}

/* A crosswalk value: a text, or a list of texts. */
static int crosswalk_value(const struct rule_reader *r, const struct yaml_node *node,
                           const char **ret, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(1024);
    size_t n = node->kind == YAML_LIST ? node->n : 1;
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = node->kind == YAML_LIST ? node->items[i] : node;
        if (item->kind != YAML_SCALAR || item->text[0] == '\0') {
            return yaml_fail(r->doc, item, e,
                             "a crosswalk names clauses: a text or a list of them");
        }
        str_add(&text, i == 0 ? "" : ", ");
        str_add(&text, item->text);
    }
    int rc = str_error(&text, e);
    if (rc != 0) {
        return rc;
    }
    *ret = pool_text(r->pool, str_text(&text), e);
    return *ret == NULL ? ERR_NOMEM : 0;
}

/* Where the clause stands in other papers (form 5). Shown and reported, never judged. */
static int read_crosswalk(const struct rule_reader *r, const struct yaml_node *map,
                          struct control *c, struct err *e)
{
    const struct yaml_node *node = yaml_get(map, "crosswalk");
    if (node == NULL) {
        return 0;
    }
    if (node->kind != YAML_MAP) {
        return yaml_fail(r->doc, node, e, "crosswalk is a map: {form5: ...}");
    }
    struct crosswalk *items = pool_array(r->pool, node->n, sizeof *items, e);
    if (items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < node->n; i++) {
        items[i].key = pool_text(r->pool, node->keys[i]->text, e);
        int rc = items[i].key == NULL ? ERR_NOMEM
                                      : crosswalk_value(r, node->items[i], &items[i].value, e);
        if (rc != 0) {
            return rc;
        }
    }
    c->crosswalk = items;
    c->n_crosswalk = node->n;
    return 0;
}

/* Checks, gate, groups, statements: what a verdict is made of. */
static int read_decision(const struct rule_reader *r, const struct yaml_node *node,
                         struct control *c, struct err *e)
{
    struct attestation_need *needs = NULL;
    size_t n_needs = 0;
    int rc = read_citations(r, node, c, e);
    if (rc == 0) {
        rc = read_needs(r, node, &needs, &n_needs, e);
    }
    if (rc == 0) {
        rc = read_any_of(r, node, needs, n_needs, c, e);
    }
    if (rc == 0 && yaml_get(node, "gate") != NULL) {
        const char *gate = NULL;
        rc = rule_id(r, node, "gate", &gate, e);
        if (rc == 0) {
            rc = find_check(r, yaml_get(node, "gate"), gate, &c->gate, e);
        }
    }
    c->attests = needs;
    c->n_attests = n_needs;
    if (rc == 0) {
        rc = yaml_get_bool(r->doc, node, "permission", false, &c->permission, e);
    }
    if (rc == 0) {
        rc = yaml_get_bool(r->doc, node, "compensation", false, &c->compensation, e);
    }
    return rc != 0 ? rc : rule_text(r, node, "drift", false, &c->drift, e);
}

/* One clause. What is missing here is missing in every verdict, so nothing has a default that
 * decides: permission and compensation are false unless written. */
static int read_control(const struct rule_reader *r, const struct yaml_node *node,
                        struct control *c, struct err *e)
{
    static const char *const keys[] = {
        "id",   "title",      "summary",      "kind",  "severity", "checks",    "any_of", "missing",
        "gate", "permission", "compensation", "drift", "attest",   "crosswalk", NULL};
    int rc = yaml_map_only(r->doc, node, "control", keys, e);
    if (rc == 0) {
        rc = rule_id(r, node, "id", &c->id, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, node, "title", true, &c->title, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, node, "summary", true, &c->summary, e);
    }
    if (rc == 0) {
        rc = rule_word(r, node, "kind", true, kinds, &c->kind, e);
    }
    if (rc == 0) {
        rc = rule_word(r, node, "severity", true, severities, &c->severity, e);
    }
    if (rc == 0) {
        rc = read_decision(r, node, c, e);
    }
    if (rc == 0) {
        rc = read_missing(r, node, c, e);
    }
    return rc != 0 ? rc : read_crosswalk(r, node, c, e);
}

/* Control ids, and statement ids (a site's attestation names control and statement), are unique in
 * the framework. */
static int check_unique(const struct rule_reader *r, const struct yaml_node *list,
                        const struct control *controls, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(controls[i].id, controls[k].id) == 0) {
                return yaml_fail(r->doc, list->items[i], e, "control %s is there already, line %u",
                                 controls[i].id, list->items[k]->line);
            }
        }
        for (size_t a = 0; a < controls[i].n_attests; a++) {
            for (size_t b = 0; b < a; b++) {
                if (strcmp(controls[i].attests[a].id, controls[i].attests[b].id) == 0) {
                    return yaml_fail(r->doc, list->items[i], e, "statement %s stands twice",
                                     controls[i].attests[a].id);
                }
            }
        }
    }
    return 0;
}

static int read_controls(const struct rule_reader *r, const struct yaml_node *map,
                         struct framework *fw, struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, "controls", true, &list, e);
    if (rc != 0) {
        return rc;
    }
    struct control *controls = pool_array(r->pool, list->n, sizeof *controls, e);
    if (controls == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        rc = read_control(r, list->items[i], &controls[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    fw->controls = controls;
    fw->n_controls = list->n;
    return check_unique(r, list, controls, list->n, e);
}

/* The digest covers the bytes of the file, comments too: an auditor compares files. */
int framework_read(struct rule_reader *r, struct framework **ret, struct err *e)
{
    static const char *const keys[] = {"framework", "version",  "title",    "source",
                                       "status",    "isolates", "controls", NULL};
    const struct yaml_node *root = r->doc->root;
    if (root == NULL) {
        return err_set(e, ERR_INVALID, "%s:1:1: empty; write framework: ...", r->file->path);
    }
    struct framework *fw = pool_alloc(r->pool, sizeof *fw, e);
    if (fw == NULL) {
        return ERR_NOMEM;
    }
    int rc = yaml_map_only(r->doc, root, "framework", keys, e);
    if (rc == 0) {
        rc = rule_id(r, root, "framework", &fw->id, e);
    }
    if (rc == 0) {
        rc = rule_text(r, root, "version", true, &fw->version, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, root, "title", true, &fw->title, e);
    }
    if (rc == 0) {
        rc = rule_text(r, root, "source", true, &fw->source, e);
    }
    if (rc == 0) {
        rc = rule_word(r, root, "status", true, statuses, &fw->status, e);
    }
    if (rc == 0) {
        rc = yaml_get_bool(r->doc, root, "isolates", false, &fw->isolates, e);
    }
    if (rc == 0) {
        rc = read_controls(r, root, fw, e);
    }
    if (rc != 0) {
        return rc;
    }
    fw->file = r->file->path;
    memcpy(fw->digest, r->file->sha256, sizeof fw->digest);
    *ret = fw;
    return 0;
}
