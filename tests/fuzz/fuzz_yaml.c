/* agent/base/yaml.c and yaml_get.c: any bytes give a tree or an error with a place, and every
 * getter may be called on what came out. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/str.h"
#include "agent/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct yaml_doc *d, const struct yaml_node *n, const char *key)
{
    static const char *const words[] = {"high", "low", NULL};
    struct err e = {0};
    const char *text = NULL;
    int64_t i = 0;
    bool b = false;
    const struct yaml_node *list = NULL;
    int rc = yaml_get_text(d, n, key, true, &text, &e);
    if (rc == 0 && !str_is_utf8(text, strlen(text))) {
        abort();
    }
    rc = yaml_get_int(d, n, key, true, -5, 5, &i, &e);
    if (rc == 0 && (i < -5 || i > 5)) {
        abort();
    }
    rc = yaml_get_bool(d, n, key, true, &b, &e);
    rc = rc != 0 ? yaml_get_date(d, n, key, true, &text, &e) : rc;
    rc = rc != 0 ? yaml_get_word(d, n, key, true, words, &text, &e) : rc;
    rc = rc != 0 ? yaml_get_list(d, n, key, true, &list, &e) : rc;
    if (rc != 0 && (rc != ERR_INVALID || strncmp(e.msg, "f:", 2) != 0)) {
        abort();
    }
}

static void visit(const struct yaml_doc *d, const struct yaml_node *n, unsigned depth)
{
    if (depth > YAML_DEPTH_MAX) {
        abort();
    }
    if (n->kind == YAML_MAP) {
        static const char *const allowed[] = {"contracts", "checks", NULL};
        struct err e = {0};
        if (yaml_map_only(d, n, "f", allowed, &e) != 0 && e.code != ERR_INVALID) {
            abort();
        }
    }
    for (size_t i = 0; i < n->n; i++) {
        if (n->kind == YAML_MAP) {
            ask(d, n, n->keys[i]->text);
        }
        if (n->items[i]->kind != YAML_SCALAR) {
            visit(d, n->items[i], depth + 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    CLEANUP(yaml) struct yaml_doc *d = NULL;
    int rc = yaml_parse("f", (const char *)data, size, &d, &e);
    if (rc != 0) {
        if (rc != ERR_INVALID || strncmp(e.msg, "f:", 2) != 0) {
            abort();
        }
        return 0;
    }
    if (d->root != NULL) {
        visit(d, d->root, 0);
    }
    return 0;
}
