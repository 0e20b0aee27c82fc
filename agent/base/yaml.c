/* Builds a tree of nodes from libyaml's events and refuses everything in YAML that could mean two
 * things: duplicate keys, anchors, aliases, tags, merge keys, several documents. Reading values out
 * of the tree is yaml_get.c. */
#include "agent/base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#define NODES_MAX ((size_t)1 << 18)

struct builder {
    yaml_parser_t parser;
    struct yaml_doc *doc;
    struct yaml_node *open[YAML_DEPTH_MAX]; /* lists and maps not yet closed, outermost first */
    bool wants_value[YAML_DEPTH_MAX];       /* map: its last key has no value yet */
    unsigned depth;
    size_t n_nodes;
    bool had_document;
};

static void node_free(struct yaml_node *n)
{
    if (n == NULL) {
        return;
    }
    for (size_t i = 0; i < n->n; i++) { /* depth is bounded by YAML_DEPTH_MAX */
        if (n->keys != NULL) {
            node_free(n->keys[i]);
        }
        node_free(n->items[i]);
    }
    free(n->keys);
    free(n->items);
    free(n);
}

void yaml_doc_free(struct yaml_doc *d)
{
    if (d != NULL) {
        node_free(d->root);
        free((void *)(uintptr_t)d->file);
        free(d);
    }
}

static int fail_at(const struct builder *b, const yaml_mark_t *at, struct err *e, const char *what)
{
    return err_set(e, ERR_INVALID, "%s:%zu:%zu: %s", b->doc->file, at->line + 1, at->column + 1,
                   what);
}

/* The parser's own complaint, with a cure for the commonest. */
static int fail_parser(const struct builder *b, struct err *e)
{
    const yaml_parser_t *p = &b->parser;
    if (p->error == YAML_MEMORY_ERROR) {
        return err_nomem(e);
    }
    if (p->error == YAML_READER_ERROR) {
        return err_set(e, ERR_INVALID, "%s: byte %zu: %s (the file must be UTF-8 text)",
                       b->doc->file, p->problem_offset, p->problem);
    }
    const char *problem = p->problem != NULL ? p->problem : "not valid YAML";
    const char *cure = "";
    if (strstr(problem, "cannot start any token") != NULL) {
        cure = " (indent with spaces, not tabs; quote texts that begin with @ ` %)";
    } else if (strstr(problem, "mapping values are not allowed") != NULL) {
        cure = " (quote a text that holds \": \")";
    } else if (strstr(problem, "did not find expected key") != NULL ||
               strstr(problem, "did not find expected '-' indicator") != NULL) {
        cure = " (is this line indented like its neighbours?)";
    }
    return err_set(e, ERR_INVALID, "%s:%zu:%zu: %s%s", b->doc->file, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, problem, cure);
}

/* One node; a scalar's text lies behind the node in the same block. */
static int node_new(struct builder *b, enum yaml_kind kind, const yaml_event_t *ev,
                    struct yaml_node **ret, struct err *e)
{
    if (++b->n_nodes > NODES_MAX) {
        return fail_at(b, &ev->start_mark, e, "too many values in one file");
    }
    size_t n_text = kind == YAML_SCALAR ? ev->data.scalar.length + 1 : 0;
    struct yaml_node *n = calloc(1, sizeof(*n) + n_text);
    if (n == NULL) {
        return err_nomem(e);
    }
    n->kind = kind;
    n->line = (unsigned)ev->start_mark.line + 1;
    n->column = (unsigned)ev->start_mark.column + 1;
    if (kind == YAML_SCALAR) {
        char *text = (char *)(n + 1);
        memcpy(text, ev->data.scalar.value, ev->data.scalar.length);
        n->text = text;
        n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    }
    *ret = n;
    return 0;
}

/* Room for one more: capacities are the powers of two. */
static int grow(struct yaml_node ***array, size_t n, struct err *e)
{
    if ((n & (n - 1)) != 0) {
        return 0;
    }
    struct yaml_node **more = reallocarray(*array, n > 0 ? n * 2 : 1, sizeof(*more));
    if (more == NULL) {
        return err_nomem(e);
    }
    *array = more;
    return 0;
}

static int check_key(const struct builder *b, const struct yaml_node *key, const yaml_event_t *ev,
                     struct err *e)
{
    if (key->kind != YAML_SCALAR) {
        return fail_at(b, &ev->start_mark, e, "a key must be a plain word, not a list or a map");
    }
    if (key->plain && strcmp(key->text, "<<") == 0) {
        return fail_at(b, &ev->start_mark, e, "merge keys (<<) are not accepted; write it out");
    }
    if (key->text[0] == '\0') {
        return fail_at(b, &ev->start_mark, e, "empty key");
    }
    return 0;
}

/* Puts the node where the parser stands. Owns it from here on, also on failure. */
static int place(struct builder *b, struct yaml_node *node, const yaml_event_t *ev, struct err *e)
{
    if (b->depth == 0) {
        b->doc->root = node;
        return 0;
    }
    struct yaml_node *parent = b->open[b->depth - 1];
    bool *wants_value = &b->wants_value[b->depth - 1];
    int rc = 0;
    if (*wants_value) {
        parent->items[parent->n - 1] = node;
        *wants_value = false;
        return 0;
    }
    if (parent->kind == YAML_MAP) {
        rc = check_key(b, node, ev, e);
        if (rc == 0) {
            rc = grow(&parent->keys, parent->n, e);
        }
    }
    if (rc == 0) {
        rc = grow(&parent->items, parent->n, e);
    }
    if (rc != 0) {
        node_free(node);
        return rc;
    }
    if (parent->kind == YAML_MAP) {
        parent->keys[parent->n] = node;
        parent->items[parent->n] = NULL;
        *wants_value = true;
    } else {
        parent->items[parent->n] = node;
    }
    parent->n++;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct yaml_node *x = *(struct yaml_node *const *)a;
    const struct yaml_node *y = *(struct yaml_node *const *)b;
    int c = strcmp(x->text, y->text);
    if (c != 0) {
        return c;
    }
    if (x->line != y->line) {
        return x->line < y->line ? -1 : 1;
    }
    return (x->column > y->column) - (x->column < y->column);
}

/* Sorting a copy keeps large maps from quadratic time. */
static int check_unique(const struct builder *b, const struct yaml_node *map, struct err *e)
{
    if (map->n < 2) {
        return 0;
    }
    CLEANUP(free) struct yaml_node **sorted = reallocarray(NULL, map->n, sizeof(*sorted));
    if (sorted == NULL) {
        return err_nomem(e);
    }
    memcpy(sorted, map->keys, map->n * sizeof(struct yaml_node *));
    qsort(sorted, map->n, sizeof(struct yaml_node *), compare_keys);
    for (size_t i = 1; i < map->n; i++) {
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0) {
            return yaml_fail(b->doc, sorted[i], e, "key \"%s\" stands twice (first in line %u)",
                             sorted[i]->text, sorted[i - 1]->line);
        }
    }
    return 0;
}

static int refuse_extras(const struct builder *b, const yaml_event_t *ev, const void *anchor,
                         const void *tag, struct err *e)
{
    if (anchor != NULL) {
        return fail_at(b, &ev->start_mark, e, "anchors (&name) are not accepted; write it out");
    }
    if (tag != NULL) {
        return fail_at(b, &ev->start_mark, e,
                       "tags (!name) are not accepted; quote a text that begins with !");
    }
    return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *ev, struct err *e)
{
    int rc = refuse_extras(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag, e);
    if (rc != 0) {
        return rc;
    }
    if (memchr(ev->data.scalar.value, '\0', ev->data.scalar.length) != NULL) {
        return fail_at(b, &ev->start_mark, e, "a text may not hold the NUL character");
    }
    struct yaml_node *node = NULL;
    rc = node_new(b, YAML_SCALAR, ev, &node, e);
    return rc != 0 ? rc : place(b, node, ev, e);
}

static int on_open(struct builder *b, enum yaml_kind kind, const yaml_event_t *ev, struct err *e)
{
    const void *anchor =
        kind == YAML_LIST ? ev->data.sequence_start.anchor : ev->data.mapping_start.anchor;
    const void *tag = kind == YAML_LIST ? ev->data.sequence_start.tag : ev->data.mapping_start.tag;
    int rc = refuse_extras(b, ev, anchor, tag, e);
    if (rc != 0) {
        return rc;
    }
    if (b->depth == YAML_DEPTH_MAX) {
        return fail_at(b, &ev->start_mark, e, "nested too deeply");
    }
    struct yaml_node *node = NULL;
    rc = node_new(b, kind, ev, &node, e);
    if (rc == 0) {
        rc = place(b, node, ev, e);
    }
    if (rc != 0) {
        return rc;
    }
    b->open[b->depth] = node;
    b->wants_value[b->depth] = false;
    b->depth++;
    return 0;
}

static int on_document(struct builder *b, const yaml_event_t *ev, struct err *e)
{
    if (b->had_document) {
        return fail_at(b, &ev->start_mark, e, "a second document (---) is not accepted");
    }
    b->had_document = true;
    if (ev->data.document_start.tag_directives.start !=
        ev->data.document_start.tag_directives.end) {
        return fail_at(b, &ev->start_mark, e, "%TAG is not accepted");
    }
    return 0;
}

static int on_event(struct builder *b, const yaml_event_t *ev, struct err *e)
{
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(b, ev, e);
    case YAML_SCALAR_EVENT:
        return on_scalar(b, ev, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, YAML_LIST, ev, e);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, YAML_MAP, ev, e);
    case YAML_MAPPING_END_EVENT:
        return check_unique(b, b->open[--b->depth], e);
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return fail_at(b, &ev->start_mark, e, "aliases (*name) are not accepted; write it out");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    default:
        return 0;
    }
}

static int run_parser(struct builder *b, struct err *e)
{
    for (;;) {
        yaml_event_t ev;
        if (yaml_parser_parse(&b->parser, &ev) == 0) {
            return fail_parser(b, e);
        }
        bool end = ev.type == YAML_STREAM_END_EVENT;
        int rc = on_event(b, &ev, e);
        yaml_event_delete(&ev);
        if (rc != 0 || end) {
            return rc;
        }
    }
}

int yaml_parse(const char *file, const char *bytes, size_t n, struct yaml_doc **ret, struct err *e)
{
    if (n > YAML_FILE_MAX) {
        return err_set(e, ERR_INVALID, "%s: longer than %zu bytes", file, YAML_FILE_MAX);
    }
    CLEANUP(yaml) struct yaml_doc *doc = calloc(1, sizeof(*doc));
    if (doc == NULL) {
        return err_nomem(e);
    }
    doc->file = strdup(file);
    if (doc->file == NULL) {
        return err_nomem(e);
    }
    struct builder b = {.doc = doc};
    if (yaml_parser_initialize(&b.parser) == 0) {
        return err_nomem(e);
    }
    /* No guessing: a byte order mark would otherwise switch to UTF-16. */
    if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        n -= 3;
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(n > 0 ? bytes : ""), n);
    int rc = run_parser(&b, e);
    yaml_parser_delete(&b.parser);
    if (rc == 0) {
        *ret = TAKE_PTR(doc);
    }
    return rc;
}
