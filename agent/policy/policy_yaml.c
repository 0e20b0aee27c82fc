/* Typed values of policy files, copied out of the YAML document into the policy's pool. */
#include <string.h>

#include "agent/policy/policy_internal.h"

static int keep(const struct rule_reader *r, const char *text, const char **ret, struct err *e)
{
    const char *copy = pool_text(r->pool, text, e);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    *ret = copy;
    return 0;
}

/* An empty text is a mistake everywhere in the rules: leaving the key out says the same. */
int rule_text(const struct rule_reader *r, const struct yaml_node *map, const char *key,
              bool required, const char **ret, struct err *e)
{
    const char *text = NULL;
    int rc = yaml_get_text(r->doc, map, key, required, &text, e);
    if (rc != 0 || text == NULL) {
        return rc;
    }
    if (text[0] == '\0') {
        return yaml_fail(r->doc, yaml_get(map, key), e, "%s is empty", key);
    }
    return keep(r, text, ret, e);
}

/* One language is enough: an authority's own checks need not be translated to run. */
int rule_text2_node(const struct rule_reader *r, const struct yaml_node *node, const char *what,
                    struct text2 *ret, struct err *e)
{
    static const char *const keys[] = {"ja", "en", NULL};
    int rc = yaml_map_only(r->doc, node, what, keys, e);
    if (rc != 0) {
        return rc;
    }
    struct text2 text = {{"", ""}};
    for (size_t i = 0; i < N_LANGS; i++) {
        rc = rule_text(r, node, keys[i], false, &text.in[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    if (text.in[LANG_JA][0] == '\0' && text.in[LANG_EN][0] == '\0') {
        return yaml_fail(r->doc, node, e, "%s has neither ja nor en", what);
    }
    *ret = text;
    return 0;
}

int rule_text2(const struct rule_reader *r, const struct yaml_node *map, const char *key,
               bool required, struct text2 *ret, struct err *e)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (node == NULL) {
        *ret = (struct text2){{"", ""}};
        return required ? yaml_fail(r->doc, map, e, "%s is missing: give {ja: ..., en: ...}", key)
                        : 0;
    }
    return rule_text2_node(r, node, key, ret, e);
}

int rule_word(const struct rule_reader *r, const struct yaml_node *map, const char *key,
              bool required, const char *const *words, const char **ret, struct err *e)
{
    const char *text = NULL;
    int rc = yaml_get_word(r->doc, map, key, required, words, &text, e);
    return rc != 0 || text == NULL ? rc : keep(r, text, ret, e);
}

/* Ids stand in evidence, file names and URLs; the alphabet is kept to what needs no quoting in any.
 */
int rule_id(const struct rule_reader *r, const struct yaml_node *map, const char *key,
            const char **ret, struct err *e)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text = "";
    int rc = rule_text(r, map, key, true, &text, e);
    if (rc != 0) {
        return rc;
    }
    if (strspn(text, first) == 0 || strspn(text, rest) != strlen(text) || strlen(text) > 63) {
        return yaml_fail(r->doc, yaml_get(map, key), e,
                         "%s \"%s\" is no id: small letters, digits, dot, hyphen, at most 63", key,
                         text);
    }
    *ret = text;
    return 0;
}

int rule_texts(const struct rule_reader *r, const struct yaml_node *map, const char *key,
               const char *const **ret, struct err *e)
{
    const struct yaml_node *list = NULL;
    int rc = yaml_get_list(r->doc, map, key, false, &list, e);
    if (rc != 0 || list == NULL) {
        return rc;
    }
    const char **texts = pool_array(r->pool, list->n + 1, sizeof *texts, e);
    if (texts == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *item = list->items[i];
        if (item->kind != YAML_SCALAR || item->text[0] == '\0') {
            return yaml_fail(r->doc, item, e, "%s is a list of texts", key);
        }
        rc = keep(r, item->text, &texts[i], e);
        if (rc != 0) {
            return rc;
        }
    }
    *ret = texts;
    return 0;
}
