/* agent/base/json.c: what the strict reader accepts, our writer writes so that it is read back
 * equal. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH_MAX 60

/* False: nested deeper than our writer writes. */
static bool write_value(struct json_out *j, const json_t *v, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        return false;
    }
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        jout_open(j, '{');
        /* jansson's iterator wants a writable object; nothing is changed */
        json_t *object = json_incref((json_t *)(uintptr_t)v);
        const char *key;
        json_t *member;
        bool ok = true;
        json_object_foreach(object, key, member)
        {
            jout_key(j, key);
            ok = ok && write_value(j, member, depth + 1);
            if (!ok) {
                break;
            }
        }
        json_decref(object);
        jout_close(j, '}');
        return ok;
    }
    case JSON_ARRAY: {
        bool ok = true;
        jout_open(j, '[');
        for (size_t i = 0; i < json_array_size(v) && ok; i++) {
            ok = write_value(j, json_array_get(v, i), depth + 1);
        }
        jout_close(j, ']');
        return ok;
    }
    case JSON_STRING:
        jout_text_n(j, json_string_value(v), json_string_length(v));
        return true;
    case JSON_INTEGER:
        if (json_integer_value(v) > INT64_C(9007199254740991) ||
            json_integer_value(v) < -INT64_C(9007199254740991)) {
            return false; /* becomes a text, so is not equal */
        }
        jout_int(j, json_integer_value(v));
        return true;
    case JSON_REAL:
        jout_real(j, json_real_value(v));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        jout_bool(j, json_is_true(v));
        return true;
    case JSON_NULL:
    default:
        jout_null(j);
        return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    CLEANUP(json) json_t *v = NULL;
    if (json_parse("f", (const char *)data, size, &v, &e) != 0) {
        return 0;
    }
    for (int pretty = 0; pretty < 2; pretty++) {
        CLEANUP(str) struct str out = STR_INIT((size_t)4 << 20);
        struct json_out j;
        jout_begin(&j, &out, pretty != 0);
        if (!write_value(&j, v, 0)) {
            return 0;
        }
        CLEANUP(json) json_t *back = NULL;
        if (str_error(&out, &e) != 0 || json_parse("b", str_text(&out), out.len, &back, &e) != 0 ||
            !json_equal(v, back)) {
            abort();
        }
    }
    return 0;
}
