/* The site parser: any bytes end in a site or in an error with a place; what it makes becomes
 * facts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/policy/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every text that SQL will see must be valid UTF-8, whatever the file held. */
static void check_facts(const struct facts *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct fact_table *t = f->tables[i];
        size_t n_cells = t->n_rows * t->decl->n_columns;
        for (size_t k = 0; k < n_cells; k++) {
            const struct cell *c = &t->cells[k];
            if (c->type == CELL_TEXT && !str_is_utf8(c->v.t.p, c->v.t.n)) {
                abort();
            }
            bool is_key = (t->decl->columns[k % t->decl->n_columns].flags & COL_KEY) != 0;
            if (is_key && c->type == CELL_NULL) {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(site) struct site *s = NULL;
    struct err e = {0};
    if (size > 65536) {
        return 0;
    }
    int rc = site_parse("f", (const char *)data, size, &s, &e);
    if (rc != 0) {
        if (s != NULL || strncmp(e.msg, "f:", 2) != 0) {
            abort();
        }
        return 0;
    }
    for (size_t i = 0; i <= site_n_contracts(s); i++) {
        CLEANUP(facts) struct facts f = {0};
        const struct site_contract *contract = site_contract(s, i);
        if (site_facts(s, contract == NULL ? "" : contract->id, &f, &e) != 0) {
            abort();
        }
        check_facts(&f);
    }
    return 0;
}
