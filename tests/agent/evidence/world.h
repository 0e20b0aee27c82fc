/* A small set of rules and evidence that was really judged by them, for the tests that redo. */
#ifndef TENKEN_TESTS_EVIDENCE_WORLD_H
#define TENKEN_TESTS_EVIDENCE_WORLD_H

#include "tests/agent/evidence/sample.h"

static const char world_checks[] =
    "checks:\n"
    "  - id: mounts-encrypted\n"
    "    title: {ja: a, en: a}\n"
    "    severity: high\n"
    "    query: SELECT mount, encrypted FROM mount_encryption WHERE encrypted = 0\n"
    "    unknown: SELECT mount FROM mount_encryption WHERE encrypted IS NULL\n"
    "    code: plain\n"
    "    finding: {ja: '{mount}', en: '{mount}'}\n"
    "    fix: {ja: x, en: x}\n"
    "    tests: [{host: h, want: pass}]\n"
    "  - id: nothing-open\n"
    "    title: {ja: a, en: a}\n"
    "    severity: high\n"
    "    query: SELECT mount FROM open_mounts WHERE open = 1\n"
    "    unknown: SELECT mount FROM open_mounts WHERE open IS NULL\n"
    "    code: open\n"
    "    finding: {ja: '{mount}', en: '{mount}'}\n"
    "    fix: {ja: x, en: x}\n"
    "    tests: [{host: h, want: pass}]\n";

static const char world_view[] =
    "-- doc What is open.\n"
    "-- column mount text KEY the mount\n"
    "-- column open integer DECIDES NULLABLE whether it is\n"
    "CREATE VIEW open_mounts AS SELECT mount, 1 - encrypted AS open FROM mount_encryption;\n";

static const char world_framework[] =
    "framework: city-1\n"
    "version: '1'\n"
    "title: {ja: a, en: a}\n"
    "source: s\n"
    "status: current\n"
    "controls:\n"
    "  - id: '1.1'\n"
    "    title: {ja: a, en: a}\n"
    "    summary: {ja: a, en: a}\n"
    "    kind: technical\n"
    "    severity: high\n"
    "    permission: false\n"
    "    compensation: false\n"
    "    checks: [{id: mounts-encrypted, basis: text}]\n"
    "    drift: SELECT mount, encrypted FROM mount_encryption ORDER BY mount\n"
    "  - id: '1.2'\n"
    "    title: {ja: a, en: a}\n"
    "    summary: {ja: a, en: a}\n"
    "    kind: technical\n"
    "    severity: high\n"
    "    permission: false\n"
    "    compensation: false\n"
    "    checks: [{id: nothing-open, basis: text}]\n";

/* text with the first `from` replaced by `to`; from NULL = as it is. */
static inline void replaced(const char *text, const char *from, const char *to, struct str *out)
{
    const char *at = from != NULL ? strstr(text, from) : NULL;
    if (from == NULL) {
        str_add(out, text);
        return;
    }
    if (at == NULL) {
        fail_msg("there is no %s", from);
        return;
    }
    str_add_bytes(out, text, (size_t)(at - text));
    str_add(out, to);
    str_add(out, at + strlen(from));
}

static inline void world_file(const char *dir, const char *name, const char *text, const char *from,
                              const char *to)
{
    char path[256];
    CLEANUP(str) struct str changed = STR_INIT(65536);
    replaced(text, from, to, &changed);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    OK(io_write_atomic(path, str_text(&changed), changed.len, 0644, e));
}

/* Writes the rules into dir (made) and loads them. One of the three files may be changed. */
static inline struct policy *world_policy(const char *dir, const char *file, const char *from,
                                          const char *to)
{
    static const struct {
        const char *name, *text;
    } files[] = {{"checks/c.yaml", world_checks},
                 {"views/open_mounts.sql", world_view},
                 {"frameworks/f.yaml", world_framework},
                 {"rules.yaml", "version: '1'\n"}};
    static const char *const folders[] = {"checks", "views", "frameworks"};
    struct policy *p = NULL;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
        OK(io_make_dir(path, 0755, e));
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        bool change = file != NULL && strcmp(file, files[i].name) == 0;
        world_file(dir, files[i].name, files[i].text, change ? from : NULL, to);
    }
    OK(policy_load(&dir, 1, false, &p, e));
    return p;
}

/* Makes the subject digest right again after somebody changed the facts. */
static inline void world_mend(struct str *payload)
{
    char *facts = strstr(payload->data, "\"facts\":") + 8;
    char sum[SHA256_HEX];
    OK(sha256_hex(facts, (size_t)(strstr(facts, ",\"drift\":") - facts), sum, e));
    memcpy(strstr(payload->data, "\"sha256\":\"") + 10, sum, 64);
}

/* The payload of an evidence of the sample facts, judged by p. Chain values from meta. */
static inline void world_statement(const struct policy *p, struct statement_meta meta,
                                   int64_t encrypted, struct str *out)
{
    CLEANUP(facts) struct facts facts = {0};
    struct evaluation *ev = NULL;
    const struct framework *fw = policy_framework(p, "city-1");
    assert_non_null(fw);
    sample_facts(&facts, encrypted);
    meta.framework = "city-1";
    meta.framework_version = fw->version;
    meta.framework_digest = fw->digest;
    meta.rules_digest = p->digest;
    const struct eval_request er = {
        .policy = p, .framework = fw, .contract = meta.contract, .facts = &facts};
    OK(evaluate(&er, &ev, e));
    const struct statement_request rq = {
        .meta = meta, .facts = &facts, .probes = &facts, .evaluation = ev};
    OK(statement_write(&rq, out, e));
    evaluation_free(ev);
}

#endif
