/* Export and import of files: the way without a network. */
#include "agent/evidence/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/io.h"
#include "agent/evidence/state.h"
#include "agent/evidence/store.h"

#define POLICY_FILE_MAX ((size_t)8 << 20)
#define POLICY_DEPTH_MAX 6U
#define IMPORT_MAX ((size_t)64 << 20)

/* --- envelopes --- */

/* Entry i of a chain is written if it, or one before it in the chain, awaits a receipt: no holes.
 */
static void choose(const struct spool_list *l, bool all, bool *chosen)
{
    for (size_t i = 0; i < l->n; i++) {
        bool same_chain = i > 0 && strcmp(l->entries[i].chain, l->entries[i - 1].chain) == 0;
        chosen[i] = all || !l->entries[i].acknowledged || (same_chain && chosen[i - 1]);
    }
}

/* One envelope as one line; counts it if it was judged with other rules than the copied ones. */
static int write_line(struct state *s, const struct spool_entry *entry, int fd,
                      const char *rules_digest, struct export_report *report, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX + 1);
    CLEANUP(envelope) struct envelope env = {0};
    CLEANUP(statement_head) struct statement_head head = {0};
    int rc = spool_read(s, entry, &text, e);
    if (rc == 0) {
        rc = envelope_parse(str_text(&text), text.len, &env, e);
    }
    if (rc == 0) {
        rc = statement_head_parse(env.payload, env.payload_n, &head, e);
    }
    if (rc != 0) {
        (void)err_prefix(e, "%s", entry->path);
        return rc;
    }
    if (memchr(text.data, '\n', text.len) != NULL) {
        return err_set(e, ERR_MALFORMED, "%s: not on one line", entry->path);
    }
    str_add_char(&text, '\n');
    rc = str_error(&text, e);
    if (rc == 0) {
        rc = io_write_all(fd, text.data, text.len, e);
    }
    report->n_written += rc == 0;
    report->n_other_rules += rc == 0 && strcmp(head.rules_digest, rules_digest) != 0;
    return rc;
}

/* Streams the lines into fd: an export may be longer than what one wants in memory. */
static int write_lines(struct state *s, const struct export_request *rq, int fd,
                       struct export_report *report, struct err *e)
{
    CLEANUP(spool_list) struct spool_list l = {0};
    const char *digest = rq->policy_digest != NULL ? rq->policy_digest : "";
    int rc = spool_list(s, &l, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(free) bool *chosen = calloc(l.n + 1, sizeof(*chosen));
    if (chosen == NULL) {
        return err_nomem(e);
    }
    choose(&l, rq->all, chosen);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        rc = chosen[i] ? write_line(s, &l.entries[i], fd, digest, report, e) : 0;
    }
    if (rc == 0 && report->n_written == 0) {
        rc =
            err_set(e, ERR_ABSENT, "%s",
                    l.n == 0 ? "nothing is recorded yet: tenken scan --record"
                             : "the collector has acknowledged everything: --all exports it again");
    }
    return rc;
}

/* OUTPUT by way of OUTPUT.tmp, so that an earlier export stays whole until this one is. */
static int write_output(struct state *s, const struct export_request *rq,
                        struct export_report *report, struct err *e)
{
    CLEANUP(str) struct str tmp = STR_INIT(8192);
    str_addf(&tmp, "%s.tmp", rq->output);
    int rc = str_error(&tmp, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(fd)
    int fd = open(str_text(&tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_errno(e, "%s: cannot be made", str_text(&tmp));
    }
    rc = write_lines(s, rq, fd, report, e);
    if (rc == 0 && fsync(fd) != 0) {
        rc = err_errno(e, "%s: cannot be made durable", rq->output);
    }
    if (rc == 0 && rename(str_text(&tmp), rq->output) != 0) {
        rc = err_errno(e, "%s: cannot be renamed", rq->output);
    }
    if (rc != 0) {
        (void)unlink(str_text(&tmp));
    }
    return rc;
}

/* --- the rules beside --- */

static int copy_tree(const char *from, const char *to, unsigned depth, struct err *e);

/* Contents are read and written anew: modes, owners and links of the rules' directory are this
 * machine's affair. */
static int copy_entry(const char *from, const char *to, const char *name, unsigned depth,
                      struct err *e)
{
    CLEANUP(str) struct str source = STR_INIT(8192);
    CLEANUP(str) struct str target = STR_INIT(8192);
    struct stat st;
    str_addf(&source, "%s/%s", from, name);
    str_addf(&target, "%s/%s", to, name);
    int rc = str_error(&source, e);
    if (rc == 0) {
        rc = str_error(&target, e);
    }
    if (rc == 0 && stat(str_text(&source), &st) != 0) {
        rc = err_errno(e, "%s", str_text(&source));
    }
    if (rc != 0) {
        return rc;
    }
    if (S_ISDIR(st.st_mode)) {
        return copy_tree(str_text(&source), str_text(&target), depth + 1, e);
    }
    CLEANUP(str) struct str text = STR_INIT(POLICY_FILE_MAX);
    rc = io_read_file(str_text(&source), POLICY_FILE_MAX, &text, e);
    return rc == 0 ? io_write_atomic(str_text(&target), str_text(&text), text.len, 0644, e) : rc;
}

/* Hidden files are left out. The depth ends loops of links. */
static int copy_tree(const char *from, const char *to, unsigned depth, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    if (depth > POLICY_DEPTH_MAX) {
        return err_set(e, ERR_LIMIT, "%s: nested too deeply", from);
    }
    int rc = io_make_dir(to, 0755, e);
    if (rc == 0) {
        rc = io_list(from, "", &names, e);
    }
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        rc = copy_entry(from, to, names.items[i], depth, e);
    }
    return rc;
}

/* Only what rules consist of (policy_load): an export may be written into the very directory that
 * holds them, and must not copy itself. */
static int copy_rules(const char *from, const char *to, struct err *e)
{
    static const char *const parts[] = {"checks",   "views",        "frameworks",
                                        "products", "tls-profiles", "rules.yaml"};
    int rc = io_make_dir(to, 0755, e);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(parts); i++) {
        CLEANUP(str) struct str path = STR_INIT(8192);
        str_addf(&path, "%s/%s", from, parts[i]);
        rc = str_error(&path, e);
        if (rc == 0 && io_exists(str_text(&path))) {
            rc = copy_entry(from, to, parts[i], 0, e);
        }
    }
    return rc;
}

/* policies/DIGEST beside the output; with several directories one below the other: DIGEST/1, 2...
 */
static int copy_policies(const struct export_request *rq, struct export_report *report,
                         struct err *e)
{
    const char *slash = strrchr(rq->output, '/');
    int n_dir = slash != NULL ? (int)(slash - rq->output) + 1 : 0;
    int rc = 0;
    if (rq->n_policy_dirs == 0 || rq->policy_digest == NULL || !hex_is(rq->policy_digest, 64)) {
        return 0;
    }
    (void)snprintf(report->policies, sizeof(report->policies), "policies/%s", rq->policy_digest);
    for (size_t i = 0; rc == 0 && i < rq->n_policy_dirs; i++) {
        CLEANUP(str) struct str to = STR_INIT(8192);
        str_addf(&to, "%.*s%s", n_dir, rq->output, report->policies);
        if (rq->n_policy_dirs > 1) {
            str_addf(&to, "/%zu", i + 1);
        }
        rc = str_error(&to, e);
        if (rc == 0) {
            rc = copy_rules(rq->policy_dirs[i], str_text(&to), e);
        }
    }
    return rc;
}

/* Handy for the reader, but no proof: verification says so when it uses it. */
static int write_key(struct state *s, const char *output, struct err *e)
{
    CLEANUP(verify_key) struct verify_key *k = NULL;
    CLEANUP(str) struct str path = STR_INIT(8192);
    int rc = state_public_key(s, &k, e);
    str_addf(&path, "%s.pub.pem", output);
    if (rc == 0) {
        rc = str_error(&path, e);
    }
    if (rc == 0) {
        const char *pem = verify_key_text(k);
        rc = io_write_atomic(str_text(&path), pem, strlen(pem), 0644, e);
    }
    return rc;
}

/* The evidence first: should the stick be full after that, the part that matters is on it. */
int export_write(struct state *s, const struct export_request *rq, struct export_report *ret,
                 struct err *e)
{
    struct export_report report = {0};
    int rc = write_output(s, rq, &report, e);
    if (rc == 0) {
        rc = write_key(s, rq->output, e);
    }
    if (rc == 0) {
        rc = copy_policies(rq, &report, e);
    }
    if (rc == 0) {
        *ret = report;
    }
    return rc;
}

/* --- receipts --- */

/* Line by line: one receipt that is not ours must not keep the others out. */
int import_receipts(struct state *s, const char *path, struct import_report *ret, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(IMPORT_MAX);
    CLEANUP(verify_key) struct verify_key *collector = NULL;
    struct import_report report = {0};
    unsigned line = 0;
    int rc = state_collector_key(s, &collector, e);
    if (rc == ERR_ABSENT) {
        return err_set(e, ERR_ABSENT,
                       "no collector is enrolled: its key is not known "
                       "(tenken enroll URL --token T)");
    }
    if (rc == 0) {
        rc = io_read_file(path, IMPORT_MAX, &text, e);
    }
    const char *end = str_text(&text) + text.len;
    for (const char *p = str_text(&text); rc == 0 && p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop != NULL ? stop : end) - p);
        char digest[SHA256_HEX];
        struct err why = {0};
        line++;
        int stored = n == 0 ? 0 : receipt_store(s, p, n, digest, &why);
        if (stored == ERR_IO || stored == ERR_DENIED || stored == ERR_NOMEM) {
            return err_set(e, stored, "%s", why.msg); /* our trouble, not the receipt's */
        }
        if (stored != 0 && report.n_refused++ == 0) {
            (void)snprintf(report.first_refusal, sizeof(report.first_refusal), "%.200s:%u: %.280s",
                           path, line, why.msg);
        }
        report.n_stored += n > 0 && stored == 0;
        p += n + 1;
    }
    if (rc == 0) {
        *ret = report;
    }
    return rc;
}
