/* policies/products/antivirus.yaml to lines. */
#include "agent/policy/products_av.h"

#include <string.h>

#include "agent/base/yaml.h"

#define LINE_MAX_BYTES ((size_t)16 << 10)

/* Keys of the file that hold absolute paths. */
static const char *const lists[] = {"daemon",      "on_access",  "scanner", "config",
                                    "definitions", "update_log", "scan_log"};

static int put_word(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                    bool required, struct str *line, struct err *e)
{
    const char *text = NULL;
    int r = yaml_get_text(d, map, key, required, &text, e);
    if (r < 0 || text == NULL) {
        return r;
    }
    if (text[0] == '\0' || strpbrk(text, "\t\n") != NULL) {
        return yaml_fail(d, map, e, "%s is one line, not empty", key);
    }
    str_addf(line, "%s%s=%s", line->len == 0 ? "" : "\t", key, text);
    return 0;
}

/* A path that anybody could write to would let anybody pass as the product: no relative ones, none
 * that climbs. Who may write is looked at on the host itself. */
static int put_paths(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                     struct str *line, struct err *e)
{
    const struct yaml_node *list = NULL;
    int r = yaml_get_list(d, map, key, false, &list, e);
    for (size_t i = 0; r == 0 && list != NULL && i < list->n; i++) {
        const struct yaml_node *item = list->items[i];
        if (item->kind != YAML_SCALAR || item->text[0] != '/' || strstr(item->text, "..") != NULL ||
            strpbrk(item->text, "\t\n") != NULL) {
            return yaml_fail(d, item, e, "%s is a list of absolute paths", key);
        }
        str_addf(line, "\t%s=%s", key, item->text);
    }
    return r;
}

static bool has_product(const struct strv *lines, const char *line)
{
    size_t n = strcspn(line, "\t");
    for (size_t i = 0; i < lines->n; i++) {
        if (strcspn(lines->items[i], "\t") == n && memcmp(lines->items[i], line, n) == 0) {
            return true;
        }
    }
    return false;
}

static int put_product(const struct yaml_doc *d, const struct yaml_node *n, struct strv *ret,
                       struct err *e)
{
    static const char *const keys[] = {"product",    "vendor",   "dialect", "daemon",
                                       "on_access",  "scanner",  "config",  "definitions",
                                       "update_log", "scan_log", NULL};
    static const char *const dialects[] = {"clamd", NULL};
    CLEANUP(str) struct str line = STR_INIT(LINE_MAX_BYTES);
    const char *dialect = NULL;
    int r = yaml_map_only(d, n, "product", keys, e);
    r = r == 0 ? put_word(d, n, "product", true, &line, e) : r;
    r = r == 0 ? put_word(d, n, "vendor", true, &line, e) : r;
    r = r == 0 ? yaml_get_word(d, n, "dialect", false, dialects, &dialect, e) : r;
    if (r == 0 && dialect != NULL) {
        str_addf(&line, "\tdialect=%s", dialect);
    }
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++) {
        r = put_paths(d, n, lists[i], &line, e);
    }
    if (r == 0 && yaml_get(n, "daemon") == NULL) {
        r = yaml_fail(d, n, e, "a product has the paths of its daemon");
    }
    r = r == 0 ? str_error(&line, e) : r;
    if (r < 0 || has_product(ret, str_text(&line))) {
        return r;
    }
    return strv_add(ret, str_text(&line), e);
}

int products_av_lines(const char *file, const char *bytes, size_t n, struct strv *ret,
                      struct err *e)
{
    static const char *const keys[] = {"products", NULL};
    CLEANUP(yaml) struct yaml_doc *d = NULL;
    const struct yaml_node *list = NULL;
    int r = yaml_parse(file, bytes, n, &d, e);
    if (r < 0) {
        return r;
    }
    if (d->root == NULL) {
        return err_set(e, ERR_INVALID, "%s:1:1: empty; write products: [...]", file);
    }
    r = yaml_map_only(d, d->root, "file", keys, e);
    r = r == 0 ? yaml_get_list(d, d->root, "products", true, &list, e) : r;
    for (size_t i = 0; r == 0 && i < list->n; i++) {
        r = put_product(d, list->items[i], ret, e);
    }
    return r;
}
