/* policies/checks/NAME.yaml: one file, a list of checks (formats.md, "Policies"). Only the shape is
 * judged here; the SQL is left as it stands. */
#include <string.h>

#include "agent/base/json.h"
#include "agent/policy/policy_internal.h"

static const char *const severities[] = {"critical", "high", "medium", "low", NULL};
static const char *const wants[] = {"pass", "fail", "unknown", "not-applicable", NULL};

/* What a change of means another verdict on the same facts. Severity, titles and cures may be
 * reworded without making old evidence incomparable. The members are written in one fixed order,
 * texts as YAML gave them, `null_ok` sorted: a list of columns has no order of its own. */
static int digest_check(struct check *c, struct err *e)
{
    static const char *const absent_words[] = {"unknown", "pass", "not-applicable"};
    CLEANUP(str) struct str text = STR_INIT(YAML_FILE_MAX * 2);
    CLEANUP(strv) struct strv null_ok = {0};
    for (const char *const *n = c->null_ok; n != NULL && *n != NULL; n++) {
        int rc = strv_add(&null_ok, *n, e);
        if (rc != 0) {
            return rc;
        }
    }
    strv_sort(&null_ok);
    struct json_out j;
    jout_begin(&j, &text, false);
    jout_open(&j, '{');
    jout_kv_text(&j, "id", c->id);
    jout_kv_text(&j, "applies", c->applies);
    jout_kv_text(&j, "query", c->query);
    jout_kv_text(&j, "unknown", c->unknown);
    jout_key(&j, "null_ok");
    jout_open(&j, '[');
    for (size_t i = 0; i < null_ok.n; i++) {
        jout_text(&j, null_ok.items[i]);
    }
    jout_close(&j, ']');
    jout_kv_text(&j, "absent", absent_words[c->absent]);
    jout_kv_text(&j, "code", c->code);
    jout_close(&j, '}');
    int rc = str_error(&text, e);
    return rc != 0 ? rc : sha256_hex(text.data, text.len, c->digest, e);
}

/* fix: {ja, en}, or one such map per family of distributions. */
static int read_fix(const struct rule_reader *r, const struct yaml_node *map, struct check *c,
                    struct err *e)
{
    static const char *const families[] = {"any", "debian", "rhel", NULL};
    const struct yaml_node *node = yaml_get(map, "fix");
    if (node == NULL) {
        return yaml_fail(r->doc, map, e,
                         "fix is missing: a failure needs a cure {ja: ..., en: ...}");
    }
    bool is_plain = yaml_get(node, "ja") != NULL || yaml_get(node, "en") != NULL;
    size_t n = is_plain ? 1 : node->n;
    struct check_fix *fixes = pool_array(r->pool, n, sizeof *fixes, e);
    if (fixes == NULL) {
        return ERR_NOMEM;
    }
    if (is_plain) {
        fixes[0].family = "any";
        int rc = rule_text2_node(r, node, "fix", &fixes[0].text, e);
        if (rc != 0) {
            return rc;
        }
    } else {
        int rc = yaml_map_only(r->doc, node, "fix", families, e);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            fixes[i].family = pool_text(r->pool, node->keys[i]->text, e);
            rc = fixes[i].family == NULL
                     ? ERR_NOMEM
                     : rule_text2_node(r, node->items[i], fixes[i].family, &fixes[i].text, e);
        }
        if (rc != 0) {
            return rc;
        }
        if (n == 0) {
            return yaml_fail(r->doc, node, e, "fix is empty");
        }
    }
    c->fixes = fixes;
    c->n_fixes = n;
    return 0;
}

/* Names under tests/hosts: nothing that could lead out of there. */
static int plain_name(const struct rule_reader *r, const struct yaml_node *map, const char *key,
                      const char *name, struct err *e)
{
    if (name != NULL && (strchr(name, '/') != NULL || name[0] == '.')) {
        return yaml_fail(r->doc, yaml_get(map, key), e,
                         "%s \"%s\" must be a plain name under tests/hosts", key, name);
    }
    return 0;
}

/* A host of tests/hosts with the verdict that it must give; run by `policy test`, never by a scan.
 */
static int read_test(const struct rule_reader *r, const struct yaml_node *node,
                     struct check_test *ret, struct err *e)
{
    static const char *const keys[] = {"host", "want", "site", NULL};
    const char *want = NULL;
    int rc = yaml_map_only(r->doc, node, "test", keys, e);
    if (rc == 0) {
        rc = rule_text(r, node, "host", true, &ret->host, e);
    }
    if (rc == 0) {
        rc = plain_name(r, node, "host", ret->host, e);
    }
    if (rc == 0) {
        rc = rule_word(r, node, "want", true, wants, &want, e);
    }
    if (rc == 0) {
        rc = verdict_parse(want, &ret->want, e);
    }
    if (rc == 0) {
        rc = rule_text(r, node, "site", false, &ret->site, e);
    }
    return rc != 0 ? rc : plain_name(r, node, "site", ret->site, e);
}

static int read_tests(const struct rule_reader *r, const struct yaml_node *map, struct check *c,
                      struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, "tests", false, &list, e);
    if (rc != 0 || list == NULL) {
        return rc; /* a check without tests loads; lint refuses it */
    }
    struct check_test *tests = pool_array(r->pool, list->n, sizeof *tests, e);
    if (tests == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        rc = read_test(r, list->items[i], &tests[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    c->tests = tests;
    c->n_tests = list->n;
    return 0;
}

/* Left out: proved absence is unknown, like everything else that was not looked at. */
static int read_absent(const struct rule_reader *r, const struct yaml_node *map, struct check *c,
                       struct err *e)
{
    static const char *const words[] = {"pass", "not-applicable", NULL};
    const char *word = NULL;
    int rc = rule_word(r, map, "absent", false, words, &word, e);
    if (rc == 0 && word != NULL) {
        c->absent = strcmp(word, "pass") == 0 ? ABSENT_PASS : ABSENT_NOT_APPLICABLE;
    }
    return rc;
}

/* Only the shape: whether table and column exist is lint's question, which knows the tables. */
static int null_ok_shape(const struct rule_reader *r, const struct yaml_node *map,
                         const struct check *c, struct err *e)
{
    for (size_t i = 0; c->null_ok != NULL && c->null_ok[i] != NULL; i++) {
        const char *dot = strchr(c->null_ok[i], '.');
        if (dot == NULL || dot == c->null_ok[i] || dot[1] == '\0' || strchr(dot + 1, '.') != NULL) {
            return yaml_fail(r->doc, yaml_get(map, "null_ok")->items[i], e,
                             "null_ok \"%s\": write table.column", c->null_ok[i]);
        }
    }
    return 0;
}

/* The members that decide, all of them part of the digest. Texts stay as YAML gave them, line
 * breaks included: what is hashed is what is run. */
static int read_sql(const struct rule_reader *r, const struct yaml_node *map, struct check *c,
                    struct err *e)
{
    int rc = rule_text(r, map, "applies", false, &c->applies, e);
    if (rc == 0) {
        rc = rule_text(r, map, "query", true, &c->query, e);
    }
    if (rc == 0) {
        rc = rule_text(r, map, "unknown", false, &c->unknown, e);
    }
    if (rc == 0) {
        rc = rule_texts(r, map, "null_ok", &c->null_ok, e);
    }
    if (rc == 0) {
        rc = null_ok_shape(r, map, c, e);
    }
    if (rc == 0) {
        rc = read_absent(r, map, c, e);
    }
    return rc != 0 ? rc : rule_id(r, map, "code", &c->code, e);
}

/* One element of checks:. Order of the calls is the order in which mistakes are reported, the same
 * as in formats.md. */
static int read_check(const struct rule_reader *r, const struct yaml_node *node, struct check *c,
                      struct err *e)
{
    static const char *const keys[] = {"id",      "title",        "severity", "applies", "query",
                                       "unknown", "null_ok",      "absent",   "code",    "finding",
                                       "fix",     "side_effects", "tests",    NULL};
    int rc = yaml_map_only(r->doc, node, "check", keys, e);
    if (rc == 0) {
        rc = rule_id(r, node, "id", &c->id, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, node, "title", true, &c->title, e);
    }
    if (rc == 0) {
        rc = rule_word(r, node, "severity", true, severities, &c->severity, e);
    }
    if (rc == 0) {
        rc = read_sql(r, node, c, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, node, "finding", true, &c->finding, e);
    }
    if (rc == 0) {
        rc = read_fix(r, node, c, e);
    }
    if (rc == 0) {
        rc = rule_text2(r, node, "side_effects", false, &c->side_effects, e);
    }
    if (rc == 0) {
        rc = read_tests(r, node, c, e);
    }
    c->file = r->file->path;
    c->line = node->line;
    c->column = node->column;
    return rc != 0 ? rc : digest_check(c, e);
}

/* An empty file is refused rather than read as no checks: it is more likely cut than meant. */
int checks_read(struct rule_reader *r, struct ptrs *ret, struct err *e)
{
    static const char *const keys[] = {"checks", NULL};
    const struct yaml_node *list = NULL;
    if (r->doc->root == NULL) {
        return err_set(e, ERR_INVALID, "%s:1:1: empty; write checks: [...]", r->file->path);
    }
    int rc = yaml_map_only(r->doc, r->doc->root, "file of checks", keys, e);
    if (rc == 0) {
        rc = yaml_get_list(r->doc, r->doc->root, "checks", true, &list, e);
    }
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        struct check *c = pool_alloc(r->pool, sizeof *c, e);
        if (c == NULL) {
            return ERR_NOMEM;
        }
        rc = read_check(r, list->items[i], c, e);
        if (rc == 0) {
            rc = ptrs_add(ret, c, e);
        }
    }
    return rc;
}
