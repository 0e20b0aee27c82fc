/* References inside the site: each element belongs to contracts that exist, stands once, and names
 * nothing that is not there. What the site says about the policy is looked at in site_check.c. */
#include <string.h>

#include "agent/policy/site_internal.h"

static const char *text_at(const struct site_row *row, const struct site_list *list,
                           const char *key)
{
    const char *text = row->values[site_field(list, key)].text;
    return text == NULL ? "" : text;
}

/* The form in which callers ask for contracts; a date that was left out is "" there and NULL in
 * SQL. */
static int make_contracts(struct site *s, struct err *e)
{
    const struct site_list *list = &site_lists[LIST_CONTRACTS];
    const struct ptrs *rows = &s->rows[LIST_CONTRACTS];
    s->contracts = pool_array(s->pool, rows->n, sizeof *s->contracts, e);
    if (s->contracts == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct site_row *row = rows->items[i];
        s->contracts[i] = (struct site_contract){
            .id = text_at(row, list, "id"),
            .authority = text_at(row, list, "authority"),
            .work = text_at(row, list, "work"),
            .starts = text_at(row, list, "starts"),
            .ends = text_at(row, list, "ends"),
            .framework = text_at(row, list, "framework"),
            .time_zone = text_at(row, list, "time_zone"),
        };
    }
    return 0;
}

/* Distinct contract ids: one id may be there once per framework. */
static int contract_ids(const struct site *s, struct ptrs *ret, struct err *e)
{
    for (size_t i = 0; i < s->rows[LIST_CONTRACTS].n; i++) {
        struct site_row *row = s->rows[LIST_CONTRACTS].items[i];
        bool is_known = false;
        for (size_t k = 0; k < ret->n; k++) {
            is_known = is_known || strcmp(((const struct site_value *)ret->items[k])->text,
                                          row->values[0].text) == 0;
        }
        if (!is_known) {
            int rc = ptrs_add(ret, &row->values[0], e);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int unknown_contract(struct site *s, const struct site_value *named, const struct ptrs *ids,
                            struct err *e)
{
    if (ids->n == 0) {
        return site_fail(named->file, named->line, named->column, e,
                         "contract %s is not declared: there are no contracts", named->text);
    }
    const char **words = pool_array(s->pool, ids->n, sizeof *words, e);
    if (words == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < ids->n; i++) {
        words[i] = ((const struct site_value *)ids->items[i])->text;
    }
    char hint[SITE_HINT_MAX];
    return site_fail(named->file, named->line, named->column, e, "contract %s is not declared%s",
                     named->text, site_hint(hint, named->text, words, ids->n));
}

/* With one contract there is nothing to choose; with more, guessing would put one authority's data
 * into another's evidence. */
static int resolve_contracts(struct site *s, const struct site_list *list, struct site_row *row,
                             const struct ptrs *ids, struct err *e)
{
    if (row->n_contracts == 0) {
        if (ids->n > 1) {
            return site_fail(row->file, row->line, row->column, e,
                             "%s: contract is missing: more than one contract is declared",
                             list->name);
        }
        row->contracts = ids->n == 0 ? NULL : ids->items[0];
        row->n_contracts = ids->n;
        return 0;
    }
    for (size_t i = 0; i < row->n_contracts; i++) {
        bool is_known = false;
        for (size_t k = 0; k < ids->n; k++) {
            is_known = is_known || strcmp(((const struct site_value *)ids->items[k])->text,
                                          row->contracts[i].text) == 0;
        }
        if (!is_known) {
            return unknown_contract(s, &row->contracts[i], ids, e);
        }
    }
    return 0;
}

/* See site_internal.h: a site without contracts is looked at as a whole (query, scan --framework).
 */
bool row_belongs(const struct site_row *row, const char *contract)
{
    bool is_any = contract[0] == '\0' || row->n_contracts == 0;
    for (size_t i = 0; !is_any && i < row->n_contracts; i++) {
        is_any = strcmp(row->contracts[i].text, contract) == 0;
    }
    return is_any;
}

/* Without contracts all elements share the one that is not there. */
static bool share_a_contract(const struct site_row *a, const struct site_row *b)
{
    bool share = a->n_contracts == 0 || b->n_contracts == 0;
    for (size_t i = 0; !share && i < a->n_contracts; i++) {
        share = row_belongs(b, a->contracts[i].text);
    }
    return share;
}

/* Keys are required fields and hence never NULL. */
static bool same_key(const struct site_list *list, const struct site_row *a,
                     const struct site_row *b)
{
    for (size_t i = 0; i < list->n_fields; i++) {
        if ((list->key & 1U << i) != 0 && strcmp(a->values[i].text, b->values[i].text) != 0) {
            return false;
        }
    }
    return true;
}

/* Two contracts may number their workers alike: only rows of one contract can be duplicates. */
static int check_duplicates(const struct site_list *list, const struct ptrs *rows, struct err *e)
{
    bool is_contract = list == &site_lists[LIST_CONTRACTS];
    for (size_t i = 0; i < rows->n; i++) {
        const struct site_row *row = rows->items[i];
        for (size_t k = 0; k < i; k++) {
            const struct site_row *old = rows->items[k];
            if (row->says_none || old->says_none || !same_key(list, row, old) ||
                (!is_contract && !share_a_contract(row, old))) {
                continue;
            }
            return site_fail(row->values[0].file, row->values[0].line, row->values[0].column, e,
                             "%s: %s is there already, at %s:%u:%u", list->name,
                             row->values[0].text, old->values[0].file, old->values[0].line,
                             old->values[0].column);
        }
    }
    return 0;
}

/* "None" beside an element of the same contract is a contradiction. */
static int check_none(const struct site *s, enum site_list_id id, struct err *e)
{
    const struct ptrs *rows = &s->rows[id];
    const char *name = site_lists[id].name;
    const struct site_value *whole = &s->none[id];
    if (whole->text != NULL && rows->n > 0) {
        const struct site_row *row = rows->items[0];
        return site_fail(row->file, row->line, row->column, e,
                         "%s: an element here, but none at %s:%u", name, whole->file, whole->line);
    }
    for (size_t i = 0; i < rows->n; i++) {
        const struct site_row *none = rows->items[i];
        for (size_t k = 0; none->says_none && k < rows->n; k++) {
            const struct site_row *row = rows->items[k];
            if (!row->says_none && share_a_contract(none, row)) {
                return site_fail(row->file, row->line, row->column, e,
                                 "%s: an element here, but none for its contract at %s:%u", name,
                                 none->file, none->line);
            }
        }
    }
    return 0;
}

/* A permission, compensation or attestation speaks of a standard that one of its contracts has. */
static int check_framework(struct site *s, enum site_list_id id, const struct site_row *row,
                           struct err *e)
{
    const struct ptrs *contracts = &s->rows[LIST_CONTRACTS];
    const struct site_value *named = &row->values[site_field(&site_lists[id], "framework")];
    const char **words = pool_array(s->pool, contracts->n, sizeof *words, e);
    if (words == NULL) {
        return ERR_NOMEM;
    }
    size_t n_words = 0;
    for (size_t i = 0; i < contracts->n; i++) {
        if (!row_belongs(row, s->contracts[i].id)) {
            continue;
        }
        if (strcmp(s->contracts[i].framework, named->text) == 0) {
            return 0;
        }
        words[n_words++] = s->contracts[i].framework;
    }
    char hint[SITE_HINT_MAX];
    return n_words == 0 ? 0
                        : site_fail(named->file, named->line, named->column, e,
                                    "framework %s is none of its contract's%s", named->text,
                                    site_hint(hint, named->text, words, n_words));
}

/* An endpoint's permission is one of the same contract. */
static int check_endpoint(struct site *s, const struct site_row *row, struct err *e)
{
    const struct ptrs *permissions = &s->rows[LIST_PERMISSIONS];
    const struct site_value *named =
        &row->values[site_field(&site_lists[LIST_TLS_ENDPOINTS], "permission")];
    if (named->text[0] == '\0') {
        return 0;
    }
    const char **words = pool_array(s->pool, permissions->n, sizeof *words, e);
    if (words == NULL) {
        return ERR_NOMEM;
    }
    size_t n_words = 0;
    for (size_t i = 0; i < permissions->n; i++) {
        const struct site_row *permission = permissions->items[i];
        if (!share_a_contract(permission, row)) {
            continue;
        }
        if (strcmp(permission->values[0].text, named->text) == 0) {
            return 0;
        }
        words[n_words++] = permission->values[0].text;
    }
    char hint[SITE_HINT_MAX];
    return site_fail(named->file, named->line, named->column, e,
                     "permission %s is not declared%s%s", named->text,
                     n_words == 0 ? " for this contract" : "",
                     site_hint(hint, named->text, words, n_words));
}

/* After duplicates: a name that stands twice would be found at its first place. */
static int check_references(struct site *s, enum site_list_id id, struct err *e)
{
    bool has_framework =
        id == LIST_PERMISSIONS || id == LIST_COMPENSATIONS || id == LIST_ATTESTATIONS;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->rows[id].n; i++) {
        const struct site_row *row = s->rows[id].items[i];
        if (has_framework) {
            rc = check_framework(s, id, row, e);
        } else if (id == LIST_TLS_ENDPOINTS && !row->says_none) {
            rc = check_endpoint(s, row, e);
        }
    }
    return rc;
}

/* Two contracts may declare the same path; the children are told of it once. */
static int collect_paths(struct site *s, struct err *e)
{
    const struct ptrs *rows = &s->rows[LIST_DATA_PATHS];
    for (size_t i = 0; i < rows->n; i++) {
        const struct site_row *row = rows->items[i];
        bool is_known = row->says_none;
        for (size_t k = 0; !is_known && k < s->paths.n; k++) {
            const struct site_value *path = s->paths.items[k];
            is_known = strcmp(path->text, row->values[0].text) == 0;
        }
        int rc = is_known ? 0 : ptrs_add(&s->paths, &row->values[0], e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* Enabled and going nowhere is a mistake that would look like a silent collector. */
static int check_upload(const struct site *s, struct err *e)
{
    const struct site_map *map = &site_maps[MAP_UPLOAD];
    const struct site_value *url = NULL;
    const struct site_value *enabled = NULL;
    for (size_t i = 0; i < map->n_fields; i++) {
        url = strcmp(map->fields[i].key, "url") == 0 ? &s->maps[MAP_UPLOAD][i] : url;
        enabled = strcmp(map->fields[i].key, "enabled") == 0 ? &s->maps[MAP_UPLOAD][i] : enabled;
    }
    if (url != NULL && url->text == NULL && enabled != NULL && enabled->text != NULL &&
        enabled->i == 1) {
        return site_fail(enabled->file, enabled->line, enabled->column, e,
                         "upload is enabled without a url to send to");
    }
    return 0;
}

/* Duplicates and contradictions of all lists first, references after them. */
int site_resolve(struct site *s, struct err *e)
{
    CLEANUP(ptrs) struct ptrs ids = {0};
    int rc = contract_ids(s, &ids, e);
    if (rc == 0) {
        rc = make_contracts(s, e);
    }
    for (size_t id = 0; rc == 0 && id < N_SITE_LISTS; id++) {
        for (size_t i = 0; rc == 0 && id != LIST_CONTRACTS && i < s->rows[id].n; i++) {
            rc = resolve_contracts(s, &site_lists[id], s->rows[id].items[i], &ids, e);
        }
        if (rc == 0) {
            rc = check_duplicates(&site_lists[id], &s->rows[id], e);
        }
        if (rc == 0 && site_lists[id].owed) {
            rc = check_none(s, (enum site_list_id)id, e);
        }
    }
    for (size_t id = 0; rc == 0 && id < N_SITE_LISTS; id++) {
        rc = check_references(s, (enum site_list_id)id, e);
    }
    if (rc == 0) {
        rc = check_upload(s, e);
    }
    return rc != 0 ? rc : collect_paths(s, e);
}
