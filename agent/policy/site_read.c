/* One document of the site: strict keys, typed values, added to what earlier documents said. Lists
 * grow; a single value may be said twice only if it is the same. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/policy/site_internal.h"

#define ROWS_MAX 10000U
/* Keys of an element: its fields, contract, none, NULL. */
#define KEYS_MAX 16U

int site_fail(const char *file, unsigned line, unsigned column, struct err *e, const char *fmt, ...)
{
    char what[ERR_MSG_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(e, ERR_INVALID, "%s:%u:%u: %s", file, line, column, what);
}

const char *site_hint(char buf[SITE_HINT_MAX], const char *word, const char *const *words,
                      size_t n_words)
{
    const char *nearest = str_nearest(word, words, n_words);
    buf[0] = '\0';
    if (nearest != NULL) {
        (void)snprintf(buf, SITE_HINT_MAX, ", did you mean \"%s\"?", nearest);
    }
    return buf;
}

/* A scalar with its place. */
static int value_of(struct site *s, const struct yaml_node *n, const char *file,
                    struct site_value *ret, struct err *e)
{
    ret->text = pool_text(s->pool, n->text, e);
    ret->file = file;
    ret->line = n->line;
    ret->column = n->column;
    return ret->text == NULL ? ERR_NOMEM : 0;
}

/* contract: ID, or a list of IDs. */
static int read_row_contracts(struct site *s, const struct yaml_doc *d, const char *file,
                              const struct yaml_node *map, struct site_row *row, struct err *e)
{
    const struct yaml_node *node = yaml_get(map, "contract");
    if (node == NULL) {
        return 0;
    }
    bool is_list = node->kind == YAML_LIST;
    size_t n = is_list ? node->n : 1;
    if (n == 0) {
        return yaml_fail(d, node, e, "contract names no contract");
    }
    row->contracts = pool_array(s->pool, n, sizeof *row->contracts, e);
    if (row->contracts == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = is_list ? node->items[i] : node;
        if (item->kind != YAML_SCALAR || item->text[0] == '\0') {
            return yaml_fail(d, item, e, "contract is an id or a list of ids");
        }
        int rc = value_of(s, item, file, &row->contracts[i], e);
        if (rc != 0) {
            return rc;
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(row->contracts[k].text, item->text) == 0) {
                return yaml_fail(d, item, e, "contract %s stands twice", item->text);
            }
        }
    }
    row->n_contracts = n;
    return 0;
}

/* A period that ends before it starts would never be in force; the operator meant another one. */
static int check_dates(const struct site_list *list, const struct site_row *row, struct err *e)
{
    const struct site_value *starts = &row->values[site_field(list, "starts")];
    const struct site_value *ends = &row->values[site_field(list, "ends")];
    /* Dates of one length compare as texts; the word none sorts behind every date. */
    if (list->has_dates && starts->text != NULL && ends->text != NULL &&
        strcmp(starts->text, ends->text) > 0) {
        return site_fail(ends->file, ends->line, ends->column, e, "ends %s before it starts, %s",
                         ends->text, starts->text);
    }
    return 0;
}

/* {none: true, contract: ID}: the contract has none of these, where others have. */
static int read_none_element(const struct yaml_doc *d, const struct site_list *list,
                             const struct yaml_node *node, bool *ret, struct err *e)
{
    static const char *const keys[] = {"none", "contract", NULL};
    if (!list->owed || node->kind != YAML_MAP || yaml_get(node, "none") == NULL) {
        return 0;
    }
    bool none = false;
    int rc = yaml_map_only(d, node, "declaration that there is none", keys, e);
    if (rc == 0) {
        rc = yaml_get_bool(d, node, "none", true, &none, e);
    }
    if (rc == 0 && !none) {
        rc = yaml_fail(d, node, e, "none is true or left out");
    }
    if (rc == 0 && yaml_get(node, "contract") == NULL) {
        rc =
            yaml_fail(d, node, e, "write %s: none, or name the contract that has none", list->name);
    }
    *ret = none;
    return rc;
}

/* One element. A contract belongs to no contract. */
static int read_row(struct site *s, const struct yaml_doc *d, const char *file,
                    const struct site_list *list, const struct yaml_node *node,
                    struct site_row *row, struct err *e)
{
    const char *keys[KEYS_MAX] = {NULL};
    size_t n = 0;
    for (; n < list->n_fields; n++) {
        keys[n] = list->fields[n].key;
    }
    bool is_contract = list == &site_lists[LIST_CONTRACTS];
    keys[n] = is_contract ? NULL : "contract";
    row->file = file;
    row->line = node->line;
    row->column = node->column;
    row->values = pool_array(s->pool, list->n_fields, sizeof *row->values, e);
    if (row->values == NULL) {
        return ERR_NOMEM;
    }
    int rc = read_none_element(d, list, node, &row->says_none, e);
    if (rc == 0 && !row->says_none) {
        rc = yaml_map_only(d, node, list->name, keys, e);
        if (rc == 0) {
            rc = fields_read(s->pool, d, file, node, list->fields, list->n_fields, row->values, e);
        }
        if (rc == 0) {
            rc = check_dates(list, row, e);
        }
    }
    return rc != 0 || is_contract ? rc : read_row_contracts(s, d, file, node, row, e);
}

/* "none" is a word, not an empty list: an empty list may be what is left of a forgotten one. */
static int read_list(struct site *s, const struct yaml_doc *d, const char *file,
                     enum site_list_id id, const struct yaml_node *node, struct err *e)
{
    const struct site_list *list = &site_lists[id];
    if (list->owed && node->kind == YAML_SCALAR && strcmp(node->text, "none") == 0) {
        return s->none[id].text != NULL ? 0 : value_of(s, node, file, &s->none[id], e);
    }
    if (node->kind != YAML_LIST) {
        return yaml_fail(d, node, e, "%s is a list%s", list->name,
                         list->owed ? ", or the word none if there are none" : "");
    }
    for (size_t i = 0; i < node->n; i++) {
        if (s->rows[id].n >= ROWS_MAX) {
            return yaml_fail(d, node->items[i], e, "more than %u %s", ROWS_MAX, list->name);
        }
        struct site_row *row = pool_alloc(s->pool, sizeof *row, e);
        int rc = row == NULL ? ERR_NOMEM : read_row(s, d, file, list, node->items[i], row, e);
        if (rc == 0) {
            rc = ptrs_add(&s->rows[id], row, e);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* Files of site.d may repeat what stands elsewhere, they may not contradict it: whichever won would
 * surprise somebody. */
static int merge_value(struct site_value *old, const struct site_value *new, const char *map,
                       const char *key, struct err *e)
{
    if (new->text == NULL) {
        return 0;
    }
    if (old->text != NULL && strcmp(old->text, new->text) != 0) {
        return site_fail(new->file, new->line, new->column, e,
                         "%s.%s is \"%s\" here, but \"%s\" at %s:%u", map, key, new->text,
                         old->text, old->file, old->line);
    }
    if (old->text == NULL) {
        *old = *new;
    }
    return 0;
}

/* settings.require: [landlock]. */
static int read_require(struct site *s, const struct yaml_doc *d, const char *file,
                        const struct yaml_node *node, struct err *e)
{
    static const char *const known[] = {"landlock"};
    if (node->kind != YAML_LIST) {
        return yaml_fail(d, node, e, "require is a list: [landlock]");
    }
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_node *item = node->items[i];
        if (item->kind != YAML_SCALAR || strcmp(item->text, known[0]) != 0) {
            char hint[SITE_HINT_MAX];
            const char *word = item->kind == YAML_SCALAR ? item->text : "";
            return yaml_fail(d, item, e, "\"%s\" cannot be required%s", word,
                             site_hint(hint, word, known, ARRAY_LEN(known)));
        }
        int rc = value_of(s, item, file, &s->require_landlock, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* settings.upload is a map in a map, read the same way. */
static int read_map(struct site *s, const struct yaml_doc *d, const char *file, enum site_map_id id,
                    const struct yaml_node *node, struct err *e)
{
    const struct site_map *map = &site_maps[id];
    const char *keys[SITE_MAP_FIELDS_MAX + 3] = {NULL};
    size_t n = 0;
    for (; n < map->n_fields; n++) {
        keys[n] = map->fields[n].key;
    }
    if (id == MAP_SETTINGS) {
        keys[n++] = "require";
        keys[n] = "upload";
    }
    struct site_value values[SITE_MAP_FIELDS_MAX] = {{0}};
    int rc = yaml_map_only(d, node, map->name, keys, e);
    if (rc == 0) {
        rc = fields_read(s->pool, d, file, node, map->fields, map->n_fields, values, e);
    }
    for (size_t i = 0; rc == 0 && i < map->n_fields; i++) {
        rc = merge_value(&s->maps[id][i], &values[i], map->name, map->fields[i].key, e);
    }
    if (rc != 0 || id != MAP_SETTINGS) {
        return rc;
    }
    const struct yaml_node *require = yaml_get(node, "require");
    if (require != NULL) {
        rc = read_require(s, d, file, require, e);
    }
    const struct yaml_node *upload = yaml_get(node, "upload");
    return rc == 0 && upload != NULL ? read_map(s, d, file, MAP_UPLOAD, upload, e) : rc;
}

/* Lists before maps, each in the order of their tables: the first mistake reported is always the
 * same. */
int site_read(struct site *s, const struct yaml_doc *d, struct err *e)
{
    static const enum site_map_id top_maps[] = {MAP_HOST, MAP_ORGANISATION, MAP_SETTINGS};
    const char *keys[N_SITE_LISTS + ARRAY_LEN(top_maps) + 1] = {NULL};
    for (size_t i = 0; i < N_SITE_LISTS; i++) {
        keys[i] = site_lists[i].name;
    }
    for (size_t i = 0; i < ARRAY_LEN(top_maps); i++) {
        keys[N_SITE_LISTS + i] = site_maps[top_maps[i]].name;
    }
    if (d->root == NULL) {
        return 0; /* an empty file declares nothing */
    }
    const char *file = pool_text(s->pool, d->file, e);
    if (file == NULL) {
        return ERR_NOMEM;
    }
    int rc = yaml_map_only(d, d->root, "site", keys, e);
    for (size_t i = 0; rc == 0 && i < N_SITE_LISTS; i++) {
        const struct yaml_node *node = yaml_get(d->root, site_lists[i].name);
        rc = node == NULL ? 0 : read_list(s, d, file, (enum site_list_id)i, node, e);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(top_maps); i++) {
        const struct yaml_node *node = yaml_get(d->root, site_maps[top_maps[i]].name);
        rc = node == NULL ? 0 : read_map(s, d, file, top_maps[i], node, e);
    }
    return rc;
}
