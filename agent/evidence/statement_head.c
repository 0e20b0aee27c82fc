/* The quick look at a statement: strict check of all bytes, subject digest, and the head's texts,
 * without a tree. Also what statement_parse begins with. */
#include <string.h>

#include "agent/evidence/statement.h"

static int malformed(struct err *e, const char *member)
{
    return err_set(e, ERR_MALFORMED, "statement: \"%s\" is missing or of another type", member);
}

/* The one subject, whose digest must be that of the facts' bytes. */
static int check_subject(struct jspan root, struct jspan facts, struct err *e)
{
    struct jspan list = {0}, subject = {0}, more = {0}, digest = {0}, sha = {0};
    struct jiter it = {0};
    char sum[SHA256_HEX];
    if (!jspan_member(root, "subject", &list) || *list.p != '[') {
        return malformed(e, "subject");
    }
    if (!jiter_begin(list, &it) || !jiter_next(&it, NULL, &subject) ||
        jiter_next(&it, NULL, &more)) {
        return err_set(e, ERR_MALFORMED, "statement: not exactly one subject");
    }
    if (*subject.p != '{' || !jspan_member(subject, "digest", &digest) || *digest.p != '{' ||
        !jspan_member(digest, "sha256", &sha)) {
        return malformed(e, "subject[0].digest.sha256");
    }
    int rc = sha256_hex(facts.p, facts.n, sum, e);
    if (rc == 0 && !jspan_is_word(sha, sum)) {
        rc = err_set(e, ERR_MALFORMED, "statement: subject digest is not that of the facts");
    }
    return rc;
}

/* Type before content: what is not ours is "unsupported", what is ours and wrong is "malformed". */
int statement_scan(const char *payload, size_t n, struct statement_spans *ret, struct err *e)
{
    struct statement_spans s = {0};
    struct jspan v = {0};
    struct jscan_path path = {.outer_name = "predicate", .inner_name = "facts"};
    int rc = jscan_check_path("statement", payload, n, &path, &s.root, e);
    if (rc != 0) {
        return rc;
    }
    s.predicate = path.outer;
    s.facts = path.inner;
    if (*s.root.p != '{') {
        return err_set(e, ERR_MALFORMED, "statement: not an object");
    }
    if (!jspan_member(s.root, "_type", &v) || !jspan_is_text(v)) {
        return malformed(e, "_type");
    }
    if (!jspan_is_word(v, STATEMENT_TYPE)) {
        return err_set(e, ERR_UNSUPPORTED, "statement: _type is not " STATEMENT_TYPE);
    }
    if (!jspan_member(s.root, "predicateType", &v) || !jspan_is_text(v)) {
        return malformed(e, "predicateType");
    }
    if (!jspan_is_word(v, PREDICATE_TYPE)) {
        return err_set(e, ERR_UNSUPPORTED, "statement: predicateType is not " PREDICATE_TYPE);
    }
    if (s.predicate.p == NULL || *s.predicate.p != '{') {
        return malformed(e, "predicate");
    }
    if (s.facts.p == NULL || *s.facts.p != '{') {
        return malformed(e, "predicate.facts");
    }
    rc = check_subject(s.root, s.facts, e);
    if (rc == 0) {
        *ret = s;
    }
    return rc;
}

/* One text of the head: where it stands, and where its pointer goes. */
struct head_text {
    const char *object; /* member of the predicate, NULL = the predicate itself */
    const char *key;
    size_t offset; /* of the pointer in struct statement_head */
    bool optional;
};
#define AT(member) offsetof(struct statement_head, member)

static const struct head_text head_texts[] = {
    {"host", "id", AT(host_id), false},
    {"host", "asset", AT(asset), false},
    {"host", "hostname", AT(hostname), false},
    {"host", "os", AT(os), false},
    {"host", "machine_id", AT(machine_id), false},
    {"agent", "version", AT(agent_version), false},
    {"rules", "version", AT(rules_version), false},
    {"rules", "digest", AT(rules_digest), false},
    {"contract", "id", AT(contract), false},
    {"contract", "framework", AT(framework), false},
    {"contract", "framework_version", AT(framework_version), false},
    {"contract", "framework_digest", AT(framework_digest), false},
    {NULL, "chain", AT(chain), false},
    {NULL, "previous", AT(previous), false},
    {NULL, "previous_chain", AT(previous_chain), true},
    {"scan", "id", AT(scan_id), false},
    {"scan", "time", AT(time), false},
    {"scan", "local_date", AT(local_date), false},
    {"scan", "time_zone", AT(time_zone), false},
    {"scan", "boot_id", AT(boot_id), false},
};

/* The predicate's members that the head needs. */
struct head_spans {
    struct jspan host, agent, rules, contract, scan, chain, previous, previous_chain, sequence;
};

/* Names are compared as they stand: ours need no escapes, and whoever escapes them gets "missing".
 */
static void walk_members(struct jiter it, struct head_spans *s)
{
    const struct {
        const char *name;
        struct jspan *span;
    } wanted[] = {
        {"host", &s->host},         {"agent", &s->agent},
        {"rules", &s->rules},       {"contract", &s->contract},
        {"scan", &s->scan},         {"chain", &s->chain},
        {"previous", &s->previous}, {"previous_chain", &s->previous_chain},
        {"sequence", &s->sequence},
    };
    struct jspan key = {0}, value = {0};
    while (jiter_next(&it, &key, &value)) {
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
            if (key.n == strlen(wanted[i].name) && memcmp(key.p, wanted[i].name, key.n) == 0) {
                *wanted[i].span = value;
            }
        }
    }
}

/* Two walks, before the facts and behind them: to skip the facts would cost as much as all else. */
static void find_spans(const struct statement_spans *spans, struct head_spans *s)
{
    const struct jspan *p = &spans->predicate, *facts = &spans->facts;
    const char *name = facts->p;
    while (*name != ':') { /* back over the facts' own name, which is no member wanted here */
        name--;
    }
    walk_members((struct jiter){p->p + 1, name, true}, s);
    walk_members((struct jiter){facts->p + facts->n, p->p + p->n - 1, true}, s);
}

static struct jspan object_of(const struct head_spans *s, const struct head_text *t)
{
    static const char *const names[] = {"host", "agent", "rules", "contract", "scan"};
    const struct jspan objects[] = {s->host, s->agent, s->rules, s->contract, s->scan};
    for (size_t i = 0; t->object != NULL && i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], t->object) == 0) {
            return objects[i];
        }
    }
    return (struct jspan){0};
}

static bool find_text(const struct head_spans *s, const struct head_text *t, struct jspan *ret)
{
    if (t->object != NULL) {
        struct jspan object = object_of(s, t);
        return object.p != NULL && *object.p == '{' && jspan_member(object, t->key, ret) &&
               jspan_is_text(*ret);
    }
    *ret = strcmp(t->key, "chain") == 0      ? s->chain
           : strcmp(t->key, "previous") == 0 ? s->previous
                                             : s->previous_chain;
    return ret->p != NULL && jspan_is_text(*ret);
}

/* Ids that become file names and keys of stores have a fixed form. */
static int check_forms(const struct statement_head *h, struct err *e)
{
    bool first = h->sequence == 1;
    if (!hex_is(h->chain, 32)) {
        return err_set(e, ERR_MALFORMED, "statement: \"chain\" is not 32 hexadecimal digits");
    }
    if (h->previous_chain[0] != '\0' && !hex_is(h->previous_chain, 32)) {
        return err_set(e, ERR_MALFORMED, "statement: \"previous_chain\" is not a chain");
    }
    if (h->sequence < 1) {
        return err_set(e, ERR_MALFORMED, "statement: \"sequence\" is less than 1");
    }
    if (first != (h->previous[0] == '\0') || (!first && !hex_is(h->previous, 64))) {
        return err_set(e, ERR_MALFORMED,
                       "statement: \"previous\" must be a digest, and empty at sequence 1 only");
    }
    return 0;
}

/* The table of texts knows where in the struct each pointer lies. */
static void set_text(struct statement_head *h, const struct head_text *t, const char *text)
{
    memcpy((char *)h + t->offset, &text, sizeof(text));
}

/* All texts go into one piece of memory; their places are kept as offsets until it stops moving. */
int statement_head_parse(const char *payload, size_t n, struct statement_head *ret, struct err *e)
{
    CLEANUP(statement_head) struct statement_head h = {0};
    struct statement_spans spans = {0};
    struct head_spans s = {0};
    size_t offsets[ARRAY_LEN(head_texts)];
    CLEANUP(str) struct str store = STR_INIT(ENVELOPE_MAX);
    struct jspan v = {0};
    int rc = statement_scan(payload, n, &spans, e);
    if (rc != 0) {
        return rc;
    }
    find_spans(&spans, &s);
    for (size_t i = 0; i < ARRAY_LEN(head_texts); i++) {
        bool found = find_text(&s, &head_texts[i], &v);
        if (!found && !head_texts[i].optional) {
            return malformed(e, head_texts[i].key);
        }
        offsets[i] = store.len;
        if (found) {
            (void)jspan_text(v, &store);
        }
        str_add_bytes(&store, "", 1); /* the text's own NUL */
    }
    if (s.sequence.p == NULL || !jspan_int(s.sequence, &h.sequence)) {
        return malformed(e, "sequence");
    }
    h.live = jspan_member(s.scan, "live", &v) && v.n == 4 && memcmp(v.p, "true", 4) == 0;
    rc = str_error(&store, e);
    if (rc != 0) {
        return rc;
    }
    h.store = str_take(&store, NULL);
    for (size_t i = 0; h.store != NULL && i < ARRAY_LEN(head_texts); i++) {
        set_text(&h, &head_texts[i], h.store + offsets[i]);
    }
    rc = h.store == NULL ? err_nomem(e) : check_forms(&h, e);
    if (rc == 0) {
        *ret = h;
        h = (struct statement_head){0};
    }
    return rc;
}

void statement_head_done(struct statement_head *h)
{
    free(h->store);
    *h = (struct statement_head){0};
}
