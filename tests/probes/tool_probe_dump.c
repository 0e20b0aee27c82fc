/* Not a test: runs one probe in this very process and prints its tables as JSON. For the lab, where
 * the answers are compared with those of the system's own tools.
 *   tool_probe_dump PROBE [--root DIR] [KIND=VALUE ...]      (data_paths=/srv/data) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/json.h"
#include "agent/scan/local.h"

#define INPUTS_MAX 64U
#define OUTPUT_MAX ((size_t)64 << 20)

static void write_table(struct json_out *j, struct fact_table *t)
{
    fact_sort(t);
    jout_key(j, t->decl->name);
    jout_open(j, '{');
    jout_kv_text(j, "state", fact_state_word(t->state));
    jout_kv_text(j, "reason", t->reason);
    jout_key(j, "rows");
    jout_open(j, '[');
    for (size_t row = 0; row < t->n_rows; row++) {
        jout_open(j, '{');
        for (size_t c = 0; c < t->decl->n_columns; c++) {
            jout_key(j, t->decl->columns[c].name);
            jout_cell(j, &t->cells[row * t->decl->n_columns + c]);
        }
        jout_close(j, '}');
    }
    jout_close(j, ']');
    jout_close(j, '}');
}

static int print_facts(const struct facts *facts, struct err *e)
{
    CLEANUP(str) struct str out = STR_INIT(OUTPUT_MAX);
    struct json_out j;
    jout_begin(&j, &out, true);
    jout_open(&j, '{');
    for (size_t i = 0; i < facts->n; i++) {
        write_table(&j, facts->tables[i]);
    }
    jout_close(&j, '}');
    int r = str_error(&out, e);
    if (r == 0 && printf("%s\n", str_text(&out)) < 0) {
        r = err_errno(e, "standard output");
    }
    return r;
}

static const struct probe *find_probe(const char *name)
{
    size_t n = 0;
    const struct probe *const *all = probe_registry(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
}

static int run(int argc, char **argv, struct err *e)
{
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(facts) struct facts facts = {0};
    struct probe_input inputs[INPUTS_MAX];
    size_t n_inputs = 0;
    const char *root = "/";
    const struct probe *p = argc > 1 ? find_probe(argv[1]) : NULL;
    if (p == NULL) {
        return err_set(e, ERR_INVALID, "usage: %s PROBE [--root DIR] [KIND=VALUE ...]", argv[0]);
    }
    for (int i = 2; i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
            root = argv[++i];
        } else if (eq != NULL && n_inputs < INPUTS_MAX) {
            *eq = '\0';
            inputs[n_inputs++] = (struct probe_input){.kind = argv[i], .value = eq + 1};
        }
    }
    int r = host_open(root, &h, e);
    if (r == 0) {
        r = probe_run_local(p, h, NULL, inputs, n_inputs, &facts, e);
    }
    return r == 0 ? print_facts(&facts, e) : r;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (run(argc, argv, &e) != 0) {
        (void)fprintf(stderr, "%s\n", e.msg);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
