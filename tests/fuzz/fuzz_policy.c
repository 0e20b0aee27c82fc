/* The readers of rules: the first byte says which (c checks, f framework, v view), the rest is the
 * file. Any bytes end in a rule or in an error that names the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/policy/policy_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_view(struct pool *pool, const struct rule_file *file, struct err *e)
{
    struct view *view = NULL;
    int rc = view_read(pool, file, &view, e);
    if (rc == 0 && (view->decl.n_columns == 0 || view->sql == NULL || view->decl.name[0] == '\0')) {
        abort();
    }
    return rc;
}

static int read_yaml(struct pool *pool, const struct rule_file *file, bool is_checks, struct err *e)
{
    static const struct check known = {.id = "disk-one"};
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    CLEANUP(ptrs) struct ptrs found = {0};
    struct framework *fw = NULL;
    int rc = yaml_parse(file->path, file->bytes, file->n, &doc, e);
    struct rule_reader r = {
        .pool = pool, .doc = doc, .file = file, .checks = &known, .n_checks = 1};
    if (rc != 0) {
        return rc;
    }
    rc = is_checks ? checks_read(&r, &found, e) : framework_read(&r, &fw, e);
    for (size_t i = 0; rc == 0 && i < found.n; i++) {
        if (!hex_is(((const struct check *)found.items[i])->digest, 64)) {
            abort();
        }
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(pool) struct pool *pool = NULL;
    struct err e = {0};
    if (size == 0 || size > 65536 || pool_new(&pool, &e) != 0) {
        return 0;
    }
    const char *bytes = pool_text_n(pool, (const char *)data + 1, size - 1, &e);
    struct rule_file file = {
        .folder = "", .rel = "views/v.sql", .path = "f", .bytes = bytes, .n = size - 1};
    if (bytes == NULL) {
        return 0;
    }
    int rc =
        data[0] == 'v' ? read_view(pool, &file, &e) : read_yaml(pool, &file, data[0] == 'c', &e);
    if (rc != 0 && strncmp(e.msg, "f:", 2) != 0) {
        abort();
    }
    return 0;
}
