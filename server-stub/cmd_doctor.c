/* tenken-collector doctor: how the store is, in plain words. Changes nothing. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "server-stub/cli.h"
#include "server-stub/collector.h"

#define SPACE_WANTED ((uint64_t)1 << 30)

struct doctor {
    const char *dir;
    unsigned n_bad;
};

static void bad(struct doctor *d, const char *what, const char *cure)
{
    (void)printf("BAD   %s\n      %s\n", what, cure);
    d->n_bad++;
}

static void check_modes(struct doctor *d)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(str) struct str cure = STR_INIT(8192);
    struct stat st;
    str_addf(&path, "%s/collector.key", d->dir);
    str_addf(&cure, "chmod 700 %s && chmod 600 %s/collector.key %s/evidence.db*", d->dir, d->dir,
             d->dir);
    if (stat(d->dir, &st) != 0 || (st.st_mode & 077) != 0) {
        bad(d, "others may look into the store's directory", str_text(&cure));
    } else if (stat(str_text(&path), &st) != 0 || (st.st_mode & 077) != 0) {
        bad(d, "others may read the collector's key", str_text(&cure));
    } else {
        (void)printf("good  only the owner may read the store and its key\n");
    }
}

static void check_space(struct doctor *d)
{
    struct statvfs fs;
    if (statvfs(d->dir, &fs) != 0) {
        bad(d, "the space left cannot be seen", "look at the file system of the store");
        return;
    }
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (left < SPACE_WANTED) {
        bad(d, "less than 1 GiB is left on the store's file system", "make room");
    } else {
        (void)printf("good  %llu GiB left on the store's file system\n",
                     (unsigned long long)(left >> 30));
    }
}

static int check_store(struct doctor *d, struct store *s, struct err *e)
{
    struct store_counts c;
    struct err why;
    if (store_check(s, &why) != 0) {
        bad(d, why.msg, "restore the store from a backup; hosts still hold what is unreceipted");
    } else {
        (void)printf("good  the database is whole (schema %d)\n", STORE_SCHEMA);
    }
    int rc = store_count(s, &c, e);
    if (rc != 0) {
        return rc;
    }
    (void)printf("      %lld hosts, %lld evidences, %lld flagged, %lld tokens\n",
                 (long long)c.hosts, (long long)c.evidence, (long long)c.flagged,
                 (long long)c.tokens);
    if (c.redo_pending > 0) {
        (void)printf("note  %lld evidences wait for their verdicts to be redone (serve does it)\n",
                     (long long)c.redo_pending);
    }
    if (c.redo_differs > 0) {
        bad(d, "verdicts of some evidence differ when redone",
            "GET /v1/hosts shows which host; GET /v1/evidence/DIGEST shows what");
    }
    return 0;
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor d = {.dir = NULL};
    const struct cli_option options[] = {{"store", &d.dir, false, true}};
    struct err e;
    int n_rest = 0;
    CLEANUP(collector) struct collector c = {.dir = NULL};
    CLEANUP(store) struct store *s = NULL;
    int rc = cli_parse(argc, argv, options, ARRAY_LEN(options), &n_rest, &e);
    if (rc == 0 && n_rest > 0) {
        rc = err_set(&e, ERR_INVALID, "%s: what is this for?", argv[1]);
    }
    if (rc == 0) {
        rc = collector_open(d.dir, false, &c, &e);
    }
    if (rc == 0) {
        rc = store_open(d.dir, STORE_READ, &s, &e);
    }
    if (rc != 0) {
        return cli_fail("doctor", &e);
    }
    (void)printf("good  collector key %s\n", sign_key_id(c.key));
    check_modes(&d);
    check_space(&d);
    rc = check_store(&d, s, &e);
    if (rc != 0) {
        return cli_fail("doctor", &e);
    }
    return d.n_bad > 0 ? EXIT_NO : EXIT_GOOD;
}
