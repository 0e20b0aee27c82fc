/* agent/evidence: statements from anybody. The subject digest is mended first, else nothing behind
 * it would ever be reached. */
#include <stdlib.h>
#include <string.h>

#include "agent/evidence/statement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Writes the right digest over the subject's, where there is one of 64 characters. */
static void mend(char *text, size_t n)
{
    struct jspan root = {0}, list = {0}, subject = {0}, digest = {0}, sha = {0}, predicate = {0};
    struct jspan facts = {0};
    struct jiter it = {0};
    char sum[SHA256_HEX];
    bool found =
        jscan_check("fuzz", text, n, &root, NULL) == 0 && jspan_member(root, "subject", &list) &&
        jiter_begin(list, &it) && jiter_next(&it, NULL, &subject) &&
        jspan_member(subject, "digest", &digest) && jspan_member(digest, "sha256", &sha) &&
        jspan_member(root, "predicate", &predicate) && jspan_member(predicate, "facts", &facts);
    if (found && sha.n == 66 && sha256_hex(facts.p, facts.n, sum, NULL) == 0) {
        memcpy(text + (sha.p - text) + 1, sum, 64);
    }
}

static void check_facts(const struct facts *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct fact_table *t = f->tables[i];
        require(t->decl->n_columns > 0 && t->owns_decl);
        for (size_t k = 0; k < t->n_rows * t->decl->n_columns; k++) {
            const struct cell *c = &t->cells[k];
            enum col_type type = t->decl->columns[k % t->decl->n_columns].type;
            require(c->type == CELL_NULL || (c->type == CELL_TEXT) == (type == COL_TEXT));
            require(c->type != CELL_TEXT || strlen(c->v.t.p) == c->v.t.n);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    CLEANUP(free) char *text = malloc(size > 0 ? size : 1);
    CLEANUP(statement_head) struct statement_head head = {0};
    CLEANUP(statement) struct statement s = {0};
    require(text != NULL);
    memcpy(text, data, size);
    mend(text, size);
    int quick = statement_head_parse(text, size, &head, &e);
    int whole = statement_parse(text, size, &s, &e);
    require(whole != 0 ||
            quick == 0); /* the whole reading takes nothing that the quick one refuses */
    require(quick == 0 || (e.msg[0] != '\0' && head.store == NULL));
    if (quick == 0) {
        require(hex_is(head.chain, 32) && head.sequence >= 1);
    }
    if (whole == 0) {
        require(strcmp(head.contract, s.contract) == 0 && head.sequence == s.sequence);
        check_facts(&s.facts);
        CLEANUP(str) struct str out = STR_INIT(ENVELOPE_MAX * 4);
        bool same = false;
        require(evidence_diff(&s, &s, false, LANG_EN, &out, &same, &e) == 0 && same);
    }
    return 0;
}
