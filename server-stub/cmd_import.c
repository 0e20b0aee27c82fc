/* tenken-collector import: the way without a network. Takes export bundles (.intoto.jsonl, or one
 * envelope), answers with a file of receipts beside each, then redoes the verdicts. The key of a
 * host that cannot reach the collector is registered here, by somebody who knows whose it is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "agent/base/io.h"
#include "agent/base/timefmt.h"
#include "server-stub/cli.h"
#include "server-stub/collector.h"
#include "server-stub/ingest.h"
#include "server-stub/redo.h"
#include "server-stub/unpack.h"

#define BATCH 64
#define RECEIPTS_MAX ((size_t)256 << 20)

struct importer {
    struct collector collector;
    struct store *store;
    struct packer *packer;
    const char *file;
    struct ingest *batch[BATCH];
    size_t n_batch;
    struct str receipts;
    size_t n_stored, n_repeated, n_refused;
    unsigned line;
};

static void drop_batch(struct importer *im)
{
    while (im->n_batch > 0) {
        ingest_free(im->batch[--im->n_batch]);
    }
}

/* One transaction for the batch; receipts are written out only for what is durable. */
static int commit_batch(struct importer *im, struct err *e)
{
    if (im->n_batch == 0) {
        return 0;
    }
    int rc = store_begin(im->store, e);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < im->n_batch; i++) {
        rc = ingest_put(im->store, im->collector.key, time_now_s(), im->batch[i], e);
    }
    if (rc != 0) {
        store_rollback(im->store);
        return rc;
    }
    rc = store_commit(im->store, e);
    for (size_t i = 0; rc == 0 && i < im->n_batch; i++) {
        const struct ingest *in = im->batch[i];
        str_add_bytes(&im->receipts, str_text(&in->receipt), in->receipt.len);
        str_add_char(&im->receipts, '\n');
        im->n_repeated += in->repeated;
        im->n_stored += !in->repeated;
    }
    drop_batch(im);
    return rc == 0 ? str_error(&im->receipts, e) : rc;
}

static int take_line(struct importer *im, const char *text, size_t n, struct err *e)
{
    struct refusal no;
    struct ingest *in = NULL;
    int rc = ingest_check(im->store, im->packer, text, n, &in, &no, e);
    if (rc != 0) {
        return rc;
    }
    if (in == NULL) {
        im->n_refused++;
        (void)fprintf(stderr, "%s:%u: refused (%s): %s\n", im->file, im->line, no.code, no.message);
        return 0;
    }
    im->batch[im->n_batch++] = in;
    return im->n_batch == BATCH ? commit_batch(im, e) : 0;
}

static bool is_blank(const char *text, size_t n)
{
    return strspn(text, " \t\r\n") >= n;
}

/* Lines of any number; memory is bounded by one line and one batch. */
static int read_lines(struct importer *im, FILE *f, struct err *e)
{
    CLEANUP(free) char *line = NULL;
    size_t room = 0;
    int rc = 0;
    for (;;) {
        errno = 0;
        ssize_t n = getline(&line, &room, f);
        if (n < 0) {
            break;
        }
        im->line++;
        size_t len = (size_t)n;
        len -= len > 0 && line[len - 1] == '\n';
        if (!is_blank(line, len)) {
            rc = take_line(im, line, len, e);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return ferror(f) != 0 ? err_errno(e, "%s", im->file) : commit_batch(im, e);
}

/* mnt-03.intoto.jsonl -> mnt-03.receipts.jsonl */
static int write_receipts(struct importer *im, struct err *e)
{
    static const char suffix[] = ".intoto.jsonl";
    CLEANUP(str) struct str path = STR_INIT(4096);
    size_t n = strlen(im->file);
    if (n > strlen(suffix) && strcmp(im->file + n - strlen(suffix), suffix) == 0) {
        n -= strlen(suffix);
    }
    str_add_bytes(&path, im->file, n);
    str_add(&path, ".receipts.jsonl");
    int rc = str_error(&path, e);
    if (rc == 0) {
        rc = io_write_atomic(path.data, str_text(&im->receipts), im->receipts.len, 0644, e);
    }
    if (rc == 0) {
        (void)printf("%s: %zu stored, %zu known already, %zu refused; receipts in %s\n", im->file,
                     im->n_stored, im->n_repeated, im->n_refused, path.data);
    }
    return rc;
}

static int import_file(struct importer *im, const char *file, struct err *e)
{
    im->file = file;
    im->line = 0;
    im->n_stored = im->n_repeated = im->n_refused = 0;
    str_clear(&im->receipts);
    FILE *f = fopen(file, "re");
    if (f == NULL) {
        return err_errno(e, "%s", file);
    }
    int rc = read_lines(im, f, e);
    (void)fclose(f);
    drop_batch(im);
    if (rc == 0 && im->receipts.len > 0) {
        return write_receipts(im, e);
    }
    if (rc == 0) {
        (void)fprintf(stderr, "%s: no evidence was taken\n", file);
    }
    return rc;
}

static int enroll_key(struct importer *im, const char *path, const char *contract, struct err *e)
{
    CLEANUP(str) struct str pem = STR_INIT(16384);
    CLEANUP(verify_key) struct verify_key *key = NULL;
    int rc = io_read_file(path, 16384, &pem, e);
    if (rc == 0) {
        rc = verify_key_pem(str_text(&pem), pem.len, &key, e);
    }
    if (rc == 0) {
        rc = store_begin(im->store, e);
    }
    if (rc != 0) {
        return rc;
    }
    const struct host_row host = {.keyid = verify_key_id(key),
                                  .pem = verify_key_text(key),
                                  .hostname = "",
                                  .machine_id = "",
                                  .enrolled_at = time_now_s()};
    rc = store_host_put(im->store, &host, contract, e);
    if (rc == 0) {
        rc = store_commit(im->store, e);
    } else {
        store_rollback(im->store);
    }
    if (rc == 0) {
        (void)printf("enrolled %s for %s\n", host.keyid, contract);
    }
    return rc;
}

/* What is pending in the store, these bundles or not. */
static int redo_pending(struct importer *im, struct err *e)
{
    CLEANUP(policy) struct policy *rules = NULL;
    struct err why;
    if (cli_policy(NULL, &rules, &why) != 0) {
        (void)fprintf(stderr, "verdicts are not redone now: %s\n", why.msg);
        return 0;
    }
    char digest[SHA256_HEX];
    int64_t id = 0;
    int rc = store_redo_next(im->store, 0, digest, &id, e);
    while (rc == 0) {
        struct redo_result r = {.id = 0};
        rc = redo_evidence(im->store, rules, digest, &r, e);
        if (rc == 0) {
            rc = store_redo_set(im->store, r.id, r.state, r.report, e);
        }
        if (rc == 0 && r.state == REDO_STATE_DIFFERS) {
            (void)fprintf(stderr, "%.16s: redone verdicts differ\n", digest);
        }
        redo_result_done(&r);
        if (rc == 0) {
            rc = store_redo_next(im->store, id, digest, &id, e);
        }
    }
    return rc == ERR_ABSENT ? 0 : rc;
}

static int run(struct importer *im, int n_files, char **files, size_t *ret_refused, struct err *e)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < n_files; i++) {
        rc = import_file(im, files[i], e);
        *ret_refused += im->n_refused;
    }
    return rc == 0 ? redo_pending(im, e) : rc;
}

int cmd_import(int argc, char **argv)
{
    const char *store_dir = NULL, *enroll = NULL, *contract = NULL;
    const struct cli_option options[] = {{"store", &store_dir, false, true},
                                         {"enroll", &enroll, false, false},
                                         {"contract", &contract, false, false}};
    struct importer im = {.store = NULL};
    struct err e;
    int n_rest = 0;
    size_t refused = 0;
    str_init(&im.receipts, RECEIPTS_MAX);
    int rc = cli_parse(argc, argv, options, ARRAY_LEN(options), &n_rest, &e);
    if (rc == 0 && (enroll == NULL) != (contract == NULL)) {
        rc = err_set(&e, ERR_INVALID, "--enroll PUB.pem and --contract ID go together");
    }
    if (rc == 0 && n_rest == 0 && enroll == NULL) {
        rc = err_set(&e, ERR_INVALID, "which FILE?");
    }
    if (rc == 0) {
        rc = collector_open(store_dir, true, &im.collector, &e);
    }
    if (rc == 0) {
        rc = store_open(store_dir, STORE_WRITE, &im.store, &e);
    }
    if (rc == 0) {
        rc = packer_new(&im.packer, &e);
    }
    if (rc == 0 && enroll != NULL) {
        rc = enroll_key(&im, enroll, contract, &e);
    }
    if (rc == 0) {
        rc = run(&im, n_rest, argv + 1, &refused, &e);
    }
    packer_free(im.packer);
    store_close(im.store);
    collector_done(&im.collector);
    str_done(&im.receipts);
    if (rc != 0) {
        return cli_fail("import", &e);
    }
    return refused > 0 ? EXIT_NO : EXIT_GOOD;
}
