/* The site as tables site_*: what SQL sees of it, for one contract or for all. */
#include <string.h>

#include "agent/policy/site_internal.h"

/* Arrives with every cell NULL; a value that was left out stays so. */
static int put(struct fact_table *t, struct cell *cell, enum field_kind kind,
               const struct site_value *value, struct err *e)
{
    if (value->text == NULL) {
        return 0;
    }
    if (field_is_int(kind)) {
        cell_int(cell, value->i);
        return 0;
    }
    return fact_text_raw(t, cell, value->text, strlen(value->text), e);
}

/* Fields in order, then the contract: the tables are declared so (site_lists.c). */
static int put_row(struct fact_table *t, const struct site_list *list, const struct site_row *row,
                   const char *contract, struct err *e)
{
    struct cell *cells = NULL;
    int rc = fact_row(t, &cells, e);
    for (size_t i = 0; rc == 0 && i < list->n_fields; i++) {
        rc = put(t, &cells[i], list->fields[i].kind, &row->values[i], e);
    }
    if (rc == 0 && t->decl->n_columns > list->n_fields) {
        rc = fact_text_raw(t, &cells[list->n_fields], contract, strlen(contract), e);
    }
    return rc;
}

/* contract "": an element of two contracts is two rows, so that `contract` can be joined on. */
static int put_element(struct fact_table *t, const struct site_list *list,
                       const struct site_row *row, const char *contract, struct err *e)
{
    if (row->says_none || !row_belongs(row, contract)) {
        return 0;
    }
    if (contract[0] != '\0' || row->n_contracts == 0) {
        return put_row(t, list, row, contract, e);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < row->n_contracts; i++) {
        rc = put_row(t, list, row, row->contracts[i].text, e);
    }
    return rc;
}

/* Read from a file that was checked whole: never incomplete. What is not declared is said by
 * site_settings, list.*. */
static int add_table(struct facts *f, const struct table *decl, struct fact_table **ret,
                     struct err *e)
{
    int rc = facts_add(f, decl, "", ret, e);
    if (rc == 0) {
        (*ret)->state = STATE_COMPLETE;
        (*ret)->wanted = true;
    }
    return rc;
}

/* A contract of two frameworks has two rows in site_contracts; the evidence says which one it is
 * for. */
static int add_list(const struct site *s, size_t id, const char *contract, struct facts *f,
                    struct err *e)
{
    const struct site_list *list = &site_lists[id];
    struct fact_table *t = NULL;
    int rc = add_table(f, list->table, &t, e);
    for (size_t i = 0; rc == 0 && i < s->rows[id].n; i++) {
        const struct site_row *row = s->rows[id].items[i];
        bool is_other = id == LIST_CONTRACTS && contract[0] != '\0' &&
                        strcmp(row->values[0].text, contract) != 0;
        if (!is_other) {
            rc = id == LIST_CONTRACTS ? put_row(t, list, row, contract, e)
                                      : put_element(t, list, row, contract, e);
        }
    }
    return rc;
}

/* host and organisation: one row, whatever was declared. */
static int add_map(const struct site *s, enum site_map_id id, const struct table *decl,
                   struct facts *f, struct err *e)
{
    const struct site_map *map = &site_maps[id];
    struct fact_table *t = NULL;
    struct cell *cells = NULL;
    int rc = add_table(f, decl, &t, e);
    if (rc == 0) {
        rc = fact_row(t, &cells, e);
    }
    for (size_t i = 0; rc == 0 && i < map->n_fields; i++) {
        rc = put(t, &cells[i], map->fields[i].kind, &s->maps[id][i], e);
    }
    return rc;
}

/* Defaults are not written out: the table holds what the operator said. */
static int add_setting(struct fact_table *t, const char *prefix, const char *key, const char *value,
                       struct err *e)
{
    CLEANUP(str) struct str name = STR_INIT(128);
    struct cell *cells = NULL;
    if (value == NULL) {
        return 0;
    }
    str_addf(&name, "%s%s", prefix, key);
    int rc = str_error(&name, e);
    if (rc == 0) {
        rc = fact_row(t, &cells, e);
    }
    if (rc == 0) {
        rc = fact_text_raw(t, &cells[0], name.data, name.len, e);
    }
    return rc != 0 ? rc : fact_text_raw(t, &cells[1], value, strlen(value), e);
}

/* An element of another contract does not make this one's list declared. */
static const char *list_state(const struct site *s, size_t id, const char *contract)
{
    const char *state = s->none[id].text != NULL ? "none" : "missing";
    for (size_t i = 0; i < s->rows[id].n; i++) {
        const struct site_row *row = s->rows[id].items[i];
        if (row_belongs(row, contract)) {
            if (!row->says_none) {
                return "declared";
            }
            state = "none";
        }
    }
    return state;
}

static int add_settings(const struct site *s, const char *contract, struct facts *f, struct err *e)
{
    static const struct {
        enum site_map_id id;
        const char *prefix;
    } maps[] = {{MAP_SETTINGS, ""}, {MAP_UPLOAD, "upload."}};
    struct fact_table *t = NULL;
    int rc = add_table(f, &site_settings_table, &t, e);
    for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
        const struct site_map *map = &site_maps[maps[m].id];
        for (size_t i = 0; rc == 0 && i < map->n_fields; i++) {
            rc = add_setting(t, maps[m].prefix, map->fields[i].key, s->maps[maps[m].id][i].text, e);
        }
    }
    if (rc == 0) {
        rc = add_setting(t, "", "require.landlock", site_setting(s, "require.landlock"), e);
    }
    for (size_t id = 0; rc == 0 && id < N_SITE_LISTS; id++) {
        if (site_lists[id].owed) {
            rc = add_setting(t, "list.", site_lists[id].name, list_state(s, id, contract), e);
        }
    }
    return rc;
}

int site_facts(const struct site *s, const char *contract_id, struct facts *f, struct err *e)
{
    int rc = add_map(s, MAP_HOST, &site_host_table, f, e);
    if (rc == 0) {
        rc = add_map(s, MAP_ORGANISATION, &site_organisation_table, f, e);
    }
    for (size_t id = 0; rc == 0 && id < N_SITE_LISTS; id++) {
        rc = add_list(s, id, contract_id, f, e);
    }
    return rc != 0 ? rc : add_settings(s, contract_id, f, e);
}
