/* Loads the directories of rules: every file is read once, hashed, then read as check, view or
 * framework. Order of work: all checks first, since a framework of one directory may cite a check
 * that a later one replaces. */
#include "agent/policy/policy.h"

#include <string.h>
#include <unistd.h>

#include "agent/base/io.h"
#include "agent/policy/policy_internal.h"
#include "agent/policy/products.h"
#include "agent/policy/products_av.h"

struct policy_store {
    struct pool *pool;
};

/* What belongs to the rules. Forms do not decide anything and may be exchanged freely. */
struct folder {
    const char *name;
    const char *suffix;
    bool is_rule; /* one of the three that make a directory a policy directory */
};
static const struct folder folders[] = {
    {"checks", ".yaml", true},    {"views", ".sql", true},          {"frameworks", ".yaml", true},
    {"products", ".yaml", false}, {"tls-profiles", ".yaml", false},
};
#define VERSION_FILE "rules.yaml"

struct loader {
    struct pool *pool;
    bool trusted;
    struct ptrs files; /* struct rule_file, directory by directory, sorted by rel in each */
    struct ptrs checks, views, frameworks;
    const char *version;
};

/* The pool has been handed over where loading succeeded. */
static void loader_done(struct loader *l)
{
    ptrs_done(&l->files);
    ptrs_done(&l->checks);
    ptrs_done(&l->views);
    ptrs_done(&l->frameworks);
    pool_free(l->pool);
}

static const char *joined(struct pool *pool, const char *a, const char *b, struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    str_addf(&path, "%s/%s", a, b);
    return str_error(&path, e) != 0 ? NULL : pool_text(pool, str_text(&path), e);
}

/* ERR_ABSENT if there is no such file. */
static int load_file(struct loader *l, size_t dir_index, const char *dir, const char *folder,
                     const char *rel, struct err *e)
{
    struct rule_file *f = pool_alloc(l->pool, sizeof *f, e);
    if (f == NULL) {
        return ERR_NOMEM;
    }
    f->dir = dir_index;
    f->folder = folder;
    f->rel = pool_text(l->pool, rel, e);
    f->path = joined(l->pool, dir, rel, e);
    if (f->rel == NULL || f->path == NULL) {
        return ERR_NOMEM;
    }
    CLEANUP(str) struct str bytes = STR_INIT(YAML_FILE_MAX);
    int rc = l->trusted ? io_read_trusted(f->path, YAML_FILE_MAX, &bytes, e)
                        : io_read_file(f->path, YAML_FILE_MAX, &bytes, e);
    if (rc != 0) {
        return rc;
    }
    f->n = bytes.len;
    f->bytes = pool_text_n(l->pool, str_text(&bytes), bytes.len, e);
    if (f->bytes == NULL) {
        return ERR_NOMEM;
    }
    rc = sha256_hex(f->bytes, f->n, f->sha256, e);
    return rc != 0 ? rc : ptrs_add(&l->files, f, e);
}

/* *ret_found: the folder exists. */
static int load_folder(struct loader *l, size_t dir_index, const char *dir,
                       const struct folder *folder, bool *ret_found, struct err *e)
{
    const char *path = joined(l->pool, dir, folder->name, e);
    if (path == NULL) {
        return ERR_NOMEM;
    }
    CLEANUP(strv) struct strv names = {0};
    int rc = io_list(path, folder->suffix, &names, e);
    if (rc == ERR_ABSENT) {
        return 0;
    }
    if (rc == 0 && l->trusted) {
        /* An empty folder too: who may write into it decides what is loaded next time. */
        rc = io_check_trusted(path, e);
    }
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        const char *rel = joined(l->pool, folder->name, names.items[i], e);
        rc = rel == NULL ? ERR_NOMEM : load_file(l, dir_index, dir, folder->name, rel, e);
    }
    *ret_found = *ret_found || folder->is_rule;
    return rc;
}

static int by_rel(const void *a, const void *b)
{
    const struct rule_file *const *x = a;
    const struct rule_file *const *y = b;
    return strcmp((*x)->rel, (*y)->rel);
}

/* Sorted by relative path, whatever the file system's order: the digest depends on it. */
static int load_dir(struct loader *l, size_t index, const char *dir, struct err *e)
{
    size_t before = l->files.n;
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        int rc = load_folder(l, index, dir, &folders[i], &found, e);
        if (rc != 0) {
            return rc;
        }
    }
    if (!found) {
        return err_set(e, ERR_INVALID,
                       "%s: no policy directory: there is no checks, views or frameworks in it",
                       dir);
    }
    int rc = load_file(l, index, dir, "", VERSION_FILE, e);
    if (rc != 0 && rc != ERR_ABSENT) {
        return rc;
    }
    if (l->files.n > before) {
        qsort(l->files.items + before, l->files.n - before, sizeof *l->files.items, by_rel);
    }
    return 0;
}

/* A check, view or framework under its id. */
struct entry {
    const char *id;
    void *item;
    const struct rule_file *file;
    unsigned line;
};

/* An id of an earlier directory is replaced where it stands, so the order of checks stays; twice in
 * one directory is a mistake. */
static int place(struct loader *l, struct ptrs *list, const struct entry *new, const char *what,
                 struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        struct entry *old = list->items[i];
        if (strcmp(old->id, new->id) != 0) {
            continue;
        }
        if (old->file->dir == new->file->dir) {
            return err_set(e, ERR_INVALID, "%s:%u:1: %s %s is there already, at %s:%u",
                           new->file->path, new->line, what, new->id, old->file->path, old->line);
        }
        *old = *new;
        return 0;
    }
    struct entry *copy = pool_alloc(l->pool, sizeof *copy, e);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    *copy = *new;
    return ptrs_add(list, copy, e);
}

/* The version is text on purpose: 1.10 must not become 1.1. */
static int read_version(struct loader *l, const struct rule_reader *r, struct err *e)
{
    static const char *const keys[] = {"version", NULL};
    if (r->doc->root == NULL) {
        return err_set(e, ERR_INVALID, "%s:1:1: empty; write version: \"...\"", r->file->path);
    }
    const char *version = NULL;
    int rc = yaml_map_only(r->doc, r->doc->root, "rules", keys, e);
    if (rc == 0) {
        rc = rule_text(r, r->doc->root, "version", true, &version, e);
    }
    if (rc == 0 && r->file->dir == 0) {
        l->version = version;
    }
    return rc;
}

/* Places are those of the check, not of the file: a file holds many. */
static int read_checks(struct loader *l, struct rule_reader *r, struct err *e)
{
    CLEANUP(ptrs) struct ptrs found = {0};
    int rc = checks_read(r, &found, e);
    for (size_t i = 0; rc == 0 && i < found.n; i++) {
        struct check *c = found.items[i];
        struct entry entry = {.id = c->id, .item = c, .file = r->file, .line = c->line};
        rc = place(l, &l->checks, &entry, "check", e);
    }
    return rc;
}

static int read_view(struct loader *l, const struct rule_file *file, struct err *e)
{
    struct view *view = NULL;
    int rc = view_read(l->pool, file, &view, e);
    if (rc != 0) {
        return rc;
    }
    struct entry entry = {.id = view->decl.name, .item = view, .file = file, .line = 1};
    return place(l, &l->views, &entry, "view", e);
}

/* Everything but frameworks. Products and profiles are data of their probes: here they are only
 * hashed; those of PAM and of anti-virus see load_products. */
static int read_file(struct loader *l, const struct rule_file *file, struct err *e)
{
    if (strcmp(file->folder, "views") == 0) {
        return read_view(l, file, e);
    }
    bool is_checks = strcmp(file->folder, "checks") == 0;
    if (!is_checks && strcmp(file->rel, VERSION_FILE) != 0) {
        return 0;
    }
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    int rc = yaml_parse(file->path, file->bytes, file->n, &doc, e);
    if (rc != 0) {
        return rc;
    }
    struct rule_reader r = {.pool = l->pool, .doc = doc, .file = file};
    return is_checks ? read_checks(l, &r, e) : read_version(l, &r, e);
}

/* After all checks of all directories, see the head of this file. */
static int read_framework(struct loader *l, const struct rule_file *file, const struct policy *p,
                          struct err *e)
{
    CLEANUP(yaml) struct yaml_doc *doc = NULL;
    int rc = yaml_parse(file->path, file->bytes, file->n, &doc, e);
    if (rc != 0) {
        return rc;
    }
    struct rule_reader r = {
        .pool = l->pool, .doc = doc, .file = file, .checks = p->checks, .n_checks = p->n_checks};
    struct framework *fw = NULL;
    rc = framework_read(&r, &fw, e);
    if (rc != 0) {
        return rc;
    }
    struct entry entry = {.id = fw->id, .item = fw, .file = file, .line = 1};
    return place(l, &l->frameworks, &entry, "framework", e);
}

/* Contiguous copies of the entries' items, size bytes each. NULL: ERR_NOMEM. */
static void *collected(struct pool *pool, const struct ptrs *list, size_t size, struct err *e)
{
    char *items = pool_array(pool, list->n, size, e);
    for (size_t i = 0; items != NULL && i < list->n; i++) {
        memcpy(items + i * size, ((const struct entry *)list->items[i])->item, size);
    }
    return items;
}

/* Over (relative path, digest of the bytes) of every file but the version's, directory by directory
 * in the order given. */
static int digest_rules(const struct loader *l, struct policy *p, struct err *e)
{
    CLEANUP(digest) struct digest *d = NULL;
    int rc = digest_new(&d, e);
    for (size_t i = 0; rc == 0 && i < l->files.n; i++) {
        const struct rule_file *f = l->files.items[i];
        if (f->folder[0] == '\0') {
            continue;
        }
        rc = digest_part(d, f->rel, strlen(f->rel), e);
        if (rc == 0) {
            rc = digest_part(d, f->sha256, strlen(f->sha256), e);
        }
    }
    return rc != 0 ? rc : digest_finish(d, p->digest, e);
}

/* Lines of one file of products, of the last directory first: what it names again, it replaces. */
static int load_products(const struct loader *l, const char *rel,
                         int (*read)(const char *, const char *, size_t, struct strv *,
                                     struct err *),
                         const char *const **ret, size_t *ret_n, struct err *e)
{
    CLEANUP(strv) struct strv lines = {0};
    for (size_t i = l->files.n; i > 0; i--) {
        const struct rule_file *f = l->files.items[i - 1];
        if (strcmp(f->rel, rel) != 0) {
            continue;
        }
        int rc = read(f->path, f->bytes, f->n, &lines, e);
        if (rc != 0) {
            return rc;
        }
    }
    const char **kept = pool_array(l->pool, lines.n + 1, sizeof *kept, e);
    if (kept == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < lines.n; i++) {
        kept[i] = pool_text(l->pool, lines.items[i], e);
        if (kept[i] == NULL) {
            return ERR_NOMEM;
        }
    }
    *ret = kept;
    *ret_n = lines.n;
    return 0;
}

/* Three passes over the files that are in memory: checks and views, then frameworks, then the
 * digest. */
static int load_all(struct loader *l, const char *const *dirs, size_t n_dirs, struct policy *p,
                    struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_dirs; i++) {
        rc = load_dir(l, i, dirs[i], e);
    }
    for (size_t i = 0; rc == 0 && i < l->files.n; i++) {
        rc = read_file(l, l->files.items[i], e);
    }
    if (rc == 0) {
        rc = load_products(l, PRODUCTS_PAM_FILE, products_pam_modules, &p->pam_modules,
                           &p->n_pam_modules, e);
    }
    if (rc == 0) {
        rc = load_products(l, PRODUCTS_AV_FILE, products_av_lines, &p->av_products,
                           &p->n_av_products, e);
    }
    if (rc != 0) {
        return rc;
    }
    p->n_checks = l->checks.n;
    p->n_views = l->views.n;
    if ((p->checks = collected(l->pool, &l->checks, sizeof *p->checks, e)) == NULL ||
        (p->views = collected(l->pool, &l->views, sizeof *p->views, e)) == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; rc == 0 && i < l->files.n; i++) {
        const struct rule_file *f = l->files.items[i];
        rc = strcmp(f->folder, "frameworks") == 0 ? read_framework(l, f, p, e) : 0;
    }
    if (rc != 0) {
        return rc;
    }
    p->n_frameworks = l->frameworks.n;
    p->frameworks = collected(l->pool, &l->frameworks, sizeof *p->frameworks, e);
    return p->frameworks == NULL ? ERR_NOMEM : digest_rules(l, p, e);
}

int policy_load(const char *const *dirs, size_t n_dirs, bool trusted, struct policy **ret,
                struct err *e)
{
    struct loader l = {.trusted = trusted, .version = ""};
    int rc = pool_new(&l.pool, e);
    if (rc != 0) {
        return rc;
    }
    struct policy *p = pool_alloc(l.pool, sizeof *p, e);
    struct policy_store *store = p == NULL ? NULL : pool_alloc(l.pool, sizeof *store, e);
    rc = store == NULL ? ERR_NOMEM : load_all(&l, dirs, n_dirs, p, e);
    if (rc == 0) {
        p->version = l.version;
        p->differences = manifest_differences(policy_manifest, policy_manifest_n, &l.files);
        p->unmodified = p->differences == 0;
        p->store = store;
        store->pool = TAKE_PTR(l.pool);
        *ret = p;
    }
    loader_done(&l);
    return rc;
}

void policy_free(struct policy *p)
{
    if (p != NULL) {
        pool_free(p->store->pool); /* p and its store lie in it */
    }
}

/* A few hundred at most: a walk is as fast as anything. */
const struct check *policy_check(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->n_checks; i++) {
        if (strcmp(p->checks[i].id, id) == 0) {
            return &p->checks[i];
        }
    }
    return NULL;
}

const struct framework *policy_framework(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->n_frameworks; i++) {
        if (strcmp(p->frameworks[i].id, id) == 0) {
            return &p->frameworks[i];
        }
    }
    return NULL;
}

const char **policy_framework_ids(const struct policy *p)
{
    const char **ids = calloc(p->n_frameworks + 1, sizeof *ids);
    for (size_t i = 0; ids != NULL && i < p->n_frameworks; i++) {
        ids[i] = p->frameworks[i].id;
    }
    return ids;
}

/* True if this program's file lies in the build tree. */
static bool runs_from_build(void)
{
    char exe[4096];
    static const char build[] = TENKEN_BUILD_DIR "/";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0) {
        return false;
    }
    exe[n] = '\0';
    return strncmp(exe, build, sizeof build - 1) == 0;
}

/* secure_getenv: the environment does not choose the rules of a program with privileges it was
 * given. */
const char *policy_default_dir(void)
{
    const char *dir = secure_getenv("TENKEN_POLICY_DIR");
    if (dir != NULL && dir[0] != '\0') {
        return dir;
    }
    return runs_from_build() ? TENKEN_SOURCE_POLICY_DIR : TENKEN_INSTALLED_POLICY_DIR;
}
