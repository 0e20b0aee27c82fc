/* The site as a whole: files in their order, then what callers ask of it. */
#include "agent/policy/site.h"

#include <string.h>

#include "agent/base/io.h"
#include "agent/policy/site_internal.h"

#define SITE_DROP_IN_DIR "site.d"

int site_empty(struct site **ret, struct err *e)
{
    struct pool *pool = NULL;
    int rc = pool_new(&pool, e);
    if (rc != 0) {
        return rc;
    }
    struct site *s = pool_alloc(pool, sizeof *s, e);
    if (s == NULL) {
        pool_free(pool);
        return ERR_NOMEM;
    }
    s->pool = pool;
    *ret = s;
    return 0;
}

/* The lists are on the heap, everything in them in the pool. */
void site_free(struct site *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < N_SITE_LISTS; i++) {
        ptrs_done(&s->rows[i]);
    }
    ptrs_done(&s->paths);
    pool_free(s->pool); /* s lies in it */
}

static int add_text(struct site *s, const char *file, const char *text, size_t n, struct err *e)
{
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    int rc = yaml_parse(file, text, n, &doc, e);
    return rc != 0 ? rc : site_read(s, doc, e);
}

/* Untrusted are only the sites of fixtures: a site decides what counts as permitted. */
static int add_file(struct site *s, const char *path, bool trusted, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(YAML_FILE_MAX);
    int rc = trusted ? io_read_trusted(path, YAML_FILE_MAX, &text, e)
                     : io_read_file(path, YAML_FILE_MAX, &text, e);
    return rc != 0 ? rc : add_text(s, path, str_text(&text), text.len, e);
}

/* The directory part of path with the final slash, "" if there is none. */
static int drop_in_dir(const char *path, struct str *out, struct err *e)
{
    const char *slash = strrchr(path, '/');
    str_add_bytes(out, path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
    str_add(out, SITE_DROP_IN_DIR);
    return str_error(out, e);
}

static int add_drop_ins(struct site *s, const char *path, bool trusted, struct err *e)
{
    CLEANUP(str) struct str dir = STR_INIT(4096);
    CLEANUP(strv) struct strv names = {0};
    int rc = drop_in_dir(path, &dir, e);
    if (rc != 0 || !io_exists(str_text(&dir))) {
        return rc;
    }
    /* Who may write the directory may add a file to it: looked at even while it is empty. */
    rc = trusted ? io_check_trusted(str_text(&dir), e) : 0;
    if (rc == 0) {
        rc = io_list(str_text(&dir), ".yaml", &names, e);
    }
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        CLEANUP(str) struct str file = STR_INIT(4096);
        str_addf(&file, "%s/%s", str_text(&dir), names.items[i]);
        rc = str_error(&file, e);
        if (rc == 0) {
            rc = add_file(s, str_text(&file), trusted, e);
        }
    }
    return rc;
}

/* References are resolved once at the end: an element may stand before, or in another file than,
 * the contract that it names. */
int site_load(const char *path, bool trusted, struct site **ret, struct err *e)
{
    CLEANUP(site) struct site *s = NULL;
    int rc = site_empty(&s, e);
    if (rc == 0) {
        rc = add_file(s, path, trusted, e);
    }
    if (rc == 0) {
        rc = add_drop_ins(s, path, trusted, e);
    }
    if (rc == 0) {
        rc = site_resolve(s, e);
    }
    if (rc == 0) {
        *ret = TAKE_PTR(s);
    }
    return rc;
}

/* As site_load for one file without site.d. */
int site_parse(const char *file, const char *text, size_t n, struct site **ret, struct err *e)
{
    CLEANUP(site) struct site *s = NULL;
    int rc = site_empty(&s, e);
    if (rc == 0) {
        rc = add_text(s, file, text, n, e);
    }
    if (rc == 0) {
        rc = site_resolve(s, e);
    }
    if (rc == 0) {
        *ret = TAKE_PTR(s);
    }
    return rc;
}

size_t site_n_contracts(const struct site *s)
{
    return s->rows[LIST_CONTRACTS].n;
}

const struct site_contract *site_contract(const struct site *s, size_t i)
{
    return i < site_n_contracts(s) ? &s->contracts[i] : NULL;
}

static const char *map_text(const struct site *s, enum site_map_id id, const char *key)
{
    const struct site_map *map = &site_maps[id];
    for (size_t i = 0; i < map->n_fields; i++) {
        if (strcmp(map->fields[i].key, key) == 0) {
            return s->maps[id][i].text;
        }
    }
    return NULL;
}

/* Left out is NULL, not a default: who asks knows what to do without. */
const char *site_setting(const struct site *s, const char *key)
{
    static const char upload[] = "upload.";
    if (strcmp(key, "require.landlock") == 0) {
        return s->require_landlock.text == NULL ? NULL : "true";
    }
    if (strncmp(key, upload, sizeof upload - 1) == 0) {
        return map_text(s, MAP_UPLOAD, key + sizeof upload - 1);
    }
    return map_text(s, MAP_SETTINGS, key);
}

const char *site_host_asset(const struct site *s)
{
    return map_text(s, MAP_HOST, "asset");
}

const char *site_host_label(const struct site *s)
{
    return map_text(s, MAP_HOST, "label");
}

size_t site_n_data_paths(const struct site *s)
{
    return s->paths.n;
}

const char *site_data_path(const struct site *s, size_t i)
{
    return i < s->paths.n ? ((const struct site_value *)s->paths.items[i])->text : NULL;
}

/* Workers without an account here have no name to hide. */
const char *site_worker_username(const struct site *s, size_t i)
{
    const struct ptrs *rows = &s->rows[LIST_WORKERS];
    size_t column = site_field(&site_lists[LIST_WORKERS], "username");
    for (size_t k = 0; k < rows->n; k++) {
        const struct site_row *row = rows->items[k];
        const char *username = row->says_none ? "" : row->values[column].text;
        if (username[0] != '\0' && i-- == 0) {
            return username;
        }
    }
    return NULL;
}
