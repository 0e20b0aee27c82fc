/* The list of probes, made from registry.def. */
#include <string.h>

#include "probes/probe.h"

static const struct probe *const all_probes[] = {
#define PROBE(name) &probe_##name,
#include "probes/registry.def"
#undef PROBE
};

const struct probe *const *probe_registry(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(all_probes);
    return all_probes;
}

const struct probe *probe_for_table(const char *table, const struct table **ret_decl)
{
    for (size_t i = 0; i < ARRAY_LEN(all_probes); i++) {
        for (const struct table *const *t = all_probes[i]->tables; *t != NULL; t++) {
            if (strcmp((*t)->name, table) == 0) {
                if (ret_decl != NULL) {
                    *ret_decl = *t;
                }
                return all_probes[i];
            }
        }
    }
    return NULL;
}
