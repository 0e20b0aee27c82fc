/* Reading typed values out of a YAML tree, with errors that name the place and the nearest right
 * word. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/str.h"
#include "agent/base/timefmt.h"
#include "agent/base/yaml.h"

int yaml_fail(const struct yaml_doc *d, const struct yaml_node *n, struct err *e, const char *fmt,
              ...)
{
    char text[ERR_MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0) {
        text[0] = '\0';
    }
    va_end(ap);
    unsigned line = n != NULL ? n->line : 1; /* an empty file has no node */
    unsigned column = n != NULL ? n->column : 1;
    return err_set(e, ERR_INVALID, "%s:%u:%u: %s", d->file, line, column, text);
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->n; i++) {
        if (strcmp(map->keys[i]->text, key) == 0) {
            return map->items[i];
        }
    }
    return NULL;
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words[n] != NULL) {
        n++;
    }
    return n;
}

/* `"x": unknown ..., did you mean "y"?` or, when nothing is near, the whole list. */
static int fail_word(const struct yaml_doc *d, const struct yaml_node *at, const char *what,
                     const char *word, const char *const *words, struct err *e)
{
    size_t n = count_words(words);
    CLEANUP(str) struct str shown = STR_INIT(ERR_MSG_MAX);
    str_add_terminal(&shown, word);
    const char *near = str_nearest(word, words, n);
    if (near != NULL) {
        return yaml_fail(d, at, e, "%s \"%s\", did you mean \"%s\"?", what, str_text(&shown), near);
    }
    CLEANUP(str) struct str list = STR_INIT(ERR_MSG_MAX);
    for (size_t i = 0; i < n; i++) {
        str_addf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    return yaml_fail(d, at, e, "%s \"%s\"; known are: %s", what, str_text(&shown), str_text(&list));
}

int yaml_map_only(const struct yaml_doc *d, const struct yaml_node *n, const char *what,
                  const char *const *allowed, struct err *e)
{
    if (n == NULL || n->kind != YAML_MAP) {
        return yaml_fail(d, n, e, "%s: a map of keys and values is expected", what);
    }
    for (size_t i = 0; i < n->n; i++) {
        bool known = false;
        for (size_t k = 0; allowed[k] != NULL && !known; k++) {
            known = strcmp(allowed[k], n->keys[i]->text) == 0;
        }
        if (!known) {
            char title[128];
            (void)snprintf(title, sizeof(title), "%s: unknown key", what);
            return fail_word(d, n->keys[i], title, n->keys[i]->text, allowed, e);
        }
    }
    return 0;
}

/* The value of a key. *ret NULL if it is absent and need not be there. */
static int find(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                bool required, const struct yaml_node **ret, struct err *e)
{
    *ret = yaml_get(map, key);
    if (*ret == NULL && required) {
        return yaml_fail(d, map, e, "\"%s\" is missing", key);
    }
    return 0;
}

/* YAML 1.1's ways to write nothing. */
static bool is_nothing(const struct yaml_node *n)
{
    return n->plain &&
           (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0 ||
            strcmp(n->text, "Null") == 0 || strcmp(n->text, "NULL") == 0);
}

static int find_scalar(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                       bool required, const struct yaml_node **ret, struct err *e)
{
    int rc = find(d, map, key, required, ret, e);
    if (rc != 0 || *ret == NULL) {
        return rc;
    }
    if ((*ret)->kind != YAML_SCALAR) {
        return yaml_fail(d, *ret, e, "\"%s\": one value is expected, not a %s", key,
                         (*ret)->kind == YAML_LIST ? "list" : "map");
    }
    if (is_nothing(*ret)) {
        return yaml_fail(d, *ret, e, "\"%s\" has no value (leave the key out, or write \"\")", key);
    }
    return 0;
}

int yaml_get_text(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const char **ret, struct err *e)
{
    const struct yaml_node *n = NULL;
    int rc = find_scalar(d, map, key, required, &n, e);
    if (rc == 0 && n != NULL) {
        *ret = n->text;
    }
    return rc;
}

/* Decimal only: 0755 and 1_000 mean something else in YAML 1.1, so they are refused. */
static bool parse_int(const char *text, int64_t *ret)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t n = strlen(digits);
    if (n == 0 || strspn(digits, "0123456789") != n || (n > 1 && digits[0] == '0')) {
        return false;
    }
    errno = 0;
    long long v = strtoll(text, NULL, 10);
    *ret = v;
    return errno == 0;
}

int yaml_get_int(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                 bool required, int64_t min, int64_t max, int64_t *ret, struct err *e)
{
    const struct yaml_node *n = NULL;
    int rc = find_scalar(d, map, key, required, &n, e);
    if (rc != 0 || n == NULL) {
        return rc;
    }
    int64_t v = 0;
    if (!n->plain || !parse_int(n->text, &v)) {
        return yaml_fail(d, n, e, "\"%s\": a decimal number without quotes is expected", key);
    }
    if (v < min || v > max) {
        return yaml_fail(d, n, e, "\"%s\": %" PRId64 " is not from %" PRId64 " to %" PRId64, key, v,
                         min, max);
    }
    *ret = v;
    return 0;
}

int yaml_get_bool(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, bool *ret, struct err *e)
{
    const struct yaml_node *n = NULL;
    int rc = find_scalar(d, map, key, required, &n, e);
    if (rc != 0 || n == NULL) {
        return rc;
    }
    if (n->plain && strcmp(n->text, "true") == 0) {
        *ret = true;
        return 0;
    }
    if (n->plain && strcmp(n->text, "false") == 0) {
        *ret = false;
        return 0;
    }
    return yaml_fail(d, n, e, "\"%s\": true or false is expected, without quotes", key);
}

int yaml_get_date(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const char **ret, struct err *e)
{
    const struct yaml_node *n = NULL;
    int rc = find_scalar(d, map, key, required, &n, e);
    if (rc != 0 || n == NULL) {
        return rc;
    }
    int64_t days = 0;
    struct err why = {0};
    if (date_parse(n->text, &days, &why) != 0) {
        return yaml_fail(d, n, e, "\"%s\": %s", key, why.msg);
    }
    *ret = n->text;
    return 0;
}

int yaml_get_word(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const char *const *words, const char **ret, struct err *e)
{
    const struct yaml_node *n = NULL;
    int rc = find_scalar(d, map, key, required, &n, e);
    if (rc != 0 || n == NULL) {
        return rc;
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], n->text) == 0) {
            *ret = words[i]; /* static, so it outlives the document */
            return 0;
        }
    }
    char title[128];
    (void)snprintf(title, sizeof(title), "\"%s\": unknown word", key);
    return fail_word(d, n, title, n->text, words, e);
}

int yaml_get_list(const struct yaml_doc *d, const struct yaml_node *map, const char *key,
                  bool required, const struct yaml_node **ret, struct err *e)
{
    const struct yaml_node *n = NULL;
    int rc = find(d, map, key, required, &n, e);
    if (rc != 0) {
        return rc;
    }
    if (n != NULL && n->kind != YAML_LIST) {
        return yaml_fail(d, n, e, "\"%s\": a list is expected (lines that begin with \"- \")", key);
    }
    *ret = n;
    return 0;
}
