/* "rules v1.0, unmodified": the files found against the list that was built in. */
#include <string.h>

#include "agent/policy/policy_internal.h"

static const struct manifest_item *find(const struct manifest_item *items, size_t n,
                                        const char *rel)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i].rel, rel) == 0) {
            return &items[i];
        }
    }
    return NULL;
}

/* A file that was renamed counts twice: one is missing, one was added. */
unsigned manifest_differences(const struct manifest_item *items, size_t n_items,
                              const struct ptrs *files)
{
    unsigned differences = 0;
    size_t known = 0;
    for (size_t i = 0; i < files->n; i++) {
        const struct rule_file *file = files->items[i];
        const struct manifest_item *item = file->dir == 0 ? find(items, n_items, file->rel) : NULL;
        known += item == NULL ? 0 : 1;
        if (item == NULL || strcmp(item->sha256, file->sha256) != 0) {
            differences++;
        }
    }
    return differences + (unsigned)(n_items - known);
}
