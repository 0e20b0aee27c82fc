/* Validates documents against the JSON Schemas of dist/schemas (draft 2020-12, the part of it that
 * they use). A keyword that is not known here fails the validation, so that no schema says more
 * than is checked. */
#ifndef TENKEN_TESTS_SUPPORT_JSON_SCHEMA_H
#define TENKEN_TESTS_SUPPORT_JSON_SCHEMA_H

#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/io.h"
#include "agent/base/json.h"

struct schema_ctx {
    const json_t *root;
    char *why; /* of 512 bytes: where and what */
};

static inline bool schema_fail(const struct schema_ctx *c, const char *path, const char *what)
{
    (void)snprintf(c->why, 512, "%.300s: %.180s", path[0] != '\0' ? path : "/", what);
    return false;
}

static inline bool schema_type_is(const json_t *v, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(v)) ||
           (strcmp(type, "array") == 0 && json_is_array(v)) ||
           (strcmp(type, "string") == 0 && json_is_string(v)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(v)) ||
           (strcmp(type, "number") == 0 && json_is_number(v)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(v)) ||
           (strcmp(type, "null") == 0 && json_is_null(v));
}

static inline bool schema_type(const struct schema_ctx *c, const json_t *want, const json_t *v,
                               const char *path)
{
    bool good = json_is_string(want) && schema_type_is(v, json_string_value(want));
    size_t i = 0;
    const json_t *type = NULL;
    json_array_foreach(want, i, type)
    {
        good = good || schema_type_is(v, json_string_value(type));
    }
    return good || schema_fail(c, path, "is of another type");
}

static inline bool schema_pattern(const struct schema_ctx *c, const json_t *want, const json_t *v,
                                  const char *path)
{
    regex_t re;
    if (!json_is_string(v)) {
        return true;
    }
    if (regcomp(&re, json_string_value(want), REG_EXTENDED | REG_NOSUB) != 0) {
        return schema_fail(c, path, "the schema's pattern is none");
    }
    bool good = regexec(&re, json_string_value(v), 0, NULL, 0) == 0;
    regfree(&re);
    return good || schema_fail(c, path, "does not match the pattern");
}

static bool schema_value(const struct schema_ctx *c, const json_t *schema, const json_t *v,
                         const char *path, unsigned depth);

static inline bool schema_object(const struct schema_ctx *c, const json_t *schema, const json_t *v,
                                 const char *path, unsigned depth)
{
    const json_t *known = json_object_get(schema, "properties");
    const json_t *rest = json_object_get(schema, "additionalProperties");
    size_t i = 0;
    const json_t *name = NULL;
    const char *key = NULL;
    json_t *member = NULL;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        if (json_object_get(v, json_string_value(name)) == NULL) {
            char what[128];
            (void)snprintf(what, sizeof(what), "\"%.100s\" is missing", json_string_value(name));
            return schema_fail(c, path, what);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        const json_t *sub = json_object_get(known, key);
        char below[512];
        (void)snprintf(below, sizeof(below), "%.400s/%.100s", path, key);
        sub = sub != NULL ? sub : rest;
        if (json_is_false(sub)) {
            return schema_fail(c, below, "is not expected here");
        }
        if (json_is_object(sub) && !schema_value(c, sub, member, below, depth)) {
            return false;
        }
    }
    return true;
}

static inline bool schema_array(const struct schema_ctx *c, const json_t *schema, const json_t *v,
                                const char *path, unsigned depth)
{
    const json_t *items = json_object_get(schema, "items");
    const json_t *least = json_object_get(schema, "minItems");
    const json_t *most = json_object_get(schema, "maxItems");
    json_int_t n = (json_int_t)json_array_size(v);
    size_t i = 0;
    const json_t *item = NULL;
    if ((least != NULL && n < json_integer_value(least)) ||
        (most != NULL && n > json_integer_value(most))) {
        return schema_fail(c, path, "has another number of items");
    }
    json_array_foreach(v, i, item)
    {
        char below[512];
        (void)snprintf(below, sizeof(below), "%.400s/%zu", path, i);
        if (items != NULL && !schema_value(c, items, item, below, depth)) {
            return false;
        }
    }
    return true;
}

/* One of the listed schemas holds. */
static inline bool schema_any(const struct schema_ctx *c, const json_t *list, const json_t *v,
                              const char *path, unsigned depth)
{
    size_t i = 0;
    const json_t *one = NULL;
    json_array_foreach(list, i, one)
    {
        if (schema_value(c, one, v, path, depth)) {
            return true;
        }
    }
    return schema_fail(c, path, "is none of the allowed forms");
}

static inline bool schema_keyword(const struct schema_ctx *c, const json_t *schema, const char *key,
                                  const json_t *want, const json_t *v, const char *path,
                                  unsigned depth)
{
    static const char *const silent[] = {
        "$schema",  "$id",        "$defs", "$comment", "title",    "description",
        "required", "properties", "items", "minItems", "maxItems", "additionalProperties"};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (strcmp(key, silent[i]) == 0) {
            return true; /* words for people, or looked at by schema_object and schema_array */
        }
    }
    if (strcmp(key, "type") == 0) {
        return schema_type(c, want, v, path);
    }
    if (strcmp(key, "const") == 0) {
        return json_equal(want, v) || schema_fail(c, path, "is not the constant");
    }
    if (strcmp(key, "pattern") == 0) {
        return schema_pattern(c, want, v, path);
    }
    if (strcmp(key, "minimum") == 0) {
        return !json_is_number(v) || json_number_value(v) >= json_number_value(want) ||
               schema_fail(c, path, "is too small");
    }
    if (strcmp(key, "anyOf") == 0) {
        return schema_any(c, want, v, path, depth);
    }
    if (strcmp(key, "enum") == 0) {
        size_t i = 0;
        const json_t *word = NULL;
        json_array_foreach(want, i, word)
        {
            if (json_equal(word, v)) {
                return true;
            }
        }
        return schema_fail(c, path, "is none of the words");
    }
    if (strcmp(key, "$ref") == 0) {
        const char *name = json_string_value(want);
        const json_t *def = strncmp(name, "#/$defs/", 8) == 0
                                ? json_object_get(json_object_get(c->root, "$defs"), name + 8)
                                : NULL;
        return def != NULL ? schema_value(c, def, v, path, depth)
                           : schema_fail(c, path, "the schema's $ref leads nowhere");
    }
    (void)schema;
    char what[128];
    (void)snprintf(what, sizeof(what), "the schema's keyword \"%.80s\" is not known here", key);
    return schema_fail(c, path, what);
}

static bool schema_value(const struct schema_ctx *c, const json_t *schema, const json_t *v,
                         const char *path, unsigned depth)
{
    const char *key = NULL;
    json_t *want = NULL;
    if (depth > 64) {
        return schema_fail(c, path, "the schema refers to itself without end");
    }
    json_object_foreach((json_t *)(uintptr_t)schema, key, want)
    {
        if (!schema_keyword(c, schema, key, want, v, path, depth + 1)) {
            return false;
        }
    }
    if (json_is_object(v)) {
        return schema_object(c, schema, v, path, depth + 1);
    }
    return !json_is_array(v) || schema_array(c, schema, v, path, depth + 1);
}

/* True if the n bytes of JSON are valid under the schema in the file; else why (512 bytes) says
 * where and what. */
static inline bool schema_holds(const char *schema_path, const char *text, size_t n, char why[512])
{
    struct str file = STR_INIT((size_t)1 << 20);
    json_t *schema = NULL, *doc = NULL;
    struct err e = {0};
    bool good = io_read_file(schema_path, (size_t)1 << 20, &file, &e) == 0 &&
                json_parse("schema", str_text(&file), file.len, &schema, &e) == 0 &&
                json_parse("document", text, n, &doc, &e) == 0;
    (void)snprintf(why, 512, "%.500s", e.msg);
    if (good) {
        const struct schema_ctx c = {schema, why};
        good = schema_value(&c, schema, doc, "", 0);
    }
    json_decref(schema);
    json_decref(doc);
    str_done(&file);
    return good;
}

#endif
