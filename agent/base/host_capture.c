/* capture.json and meta.tsv: what a captured tree says about itself. The tree cannot hold it: a
 * directory of files does not tell which namespaces it came from, which directories were copied
 * whole, or who owned what (git keeps neither owner nor setuid bit).
 *
 * capture.json: {"format":"tenken-capture/1", "sights":["proc",...], "whole":["/etc/modprobe.d",
 * ...], ...}; any further member belongs to the probe that asks for it.
 * meta.tsv: path TAB mode (octal) TAB uid TAB gid [TAB xattr]; empty lines and # comments. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/host_parts.h"
#include "agent/base/json.h"

static const char *const sight_words[] = {"proc", "root", "net", "sys", "dev"};
static const unsigned sight_bits[] = {HOST_SEES_PROC, HOST_SEES_ROOT, HOST_SEES_NET, HOST_SEES_SYS,
                                      HOST_SEES_DEV};

static int bad(struct err *e, const char *member, const char *what)
{
    return err_set(e, ERR_INVALID, "capture.json: \"%s\": %s", member, what);
}

/* An optional member that must be a list of texts. *ret NULL: not there. */
static int text_list(const json_t *doc, const char *member, const json_t **ret, struct err *e)
{
    *ret = json_object_get(doc, member);
    if (*ret == NULL) {
        return 0;
    }
    if (!json_is_array(*ret)) {
        return bad(e, member, "a list is expected");
    }
    for (size_t i = 0; i < json_array_size(*ret); i++) {
        if (!json_is_string(json_array_get(*ret, i))) {
            return bad(e, member, "a list of texts is expected");
        }
    }
    return 0;
}

static int read_sights(const json_t *doc, unsigned *ret, struct err *e)
{
    const json_t *list = NULL;
    int rc = text_list(doc, "sights", &list, e);
    if (rc != 0) {
        return rc;
    }
    unsigned sights = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));
        size_t k = 0;
        while (k < ARRAY_LEN(sight_words) && strcmp(sight_words[k], word) != 0) {
            k++;
        }
        if (k == ARRAY_LEN(sight_words)) {
            return bad(e, "sights", "known are: proc, root, net, sys, dev");
        }
        sights |= sight_bits[k];
    }
    *ret = sights;
    return 0;
}

/* Absolute, no empty part, no "." or "..", no slash at the end (but "/" itself). */
static bool is_clean_path(const char *path)
{
    if (strcmp(path, "/") == 0) {
        return true;
    }
    if (path[0] != '/') {
        return false;
    }
    const char *p = path;
    while (*p == '/') {
        p++;
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) {
            return false;
        }
        p += n;
    }
    return true;
}

static int check_whole(const json_t *doc, struct err *e)
{
    const json_t *list = NULL;
    int rc = text_list(doc, "whole", &list, e);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!is_clean_path(json_string_value(json_array_get(list, i)))) {
            return bad(e, "whole", "absolute paths without \".\", \"..\" or \"//\" are expected");
        }
    }
    return 0;
}

int host_capture_load(struct host *h, const char *text, size_t n, struct err *e)
{
    CLEANUP(json) json_t *doc = NULL;
    int rc = json_parse("capture.json", text, n, &doc, e);
    if (rc == ERR_MALFORMED && e != NULL) {
        e->code = ERR_INVALID; /* the operator named this tree */
    }
    if (rc != 0) {
        return rc == ERR_MALFORMED ? ERR_INVALID : rc;
    }
    const char *format = json_string_value(json_object_get(doc, "format"));
    if (format == NULL || strcmp(format, "tenken-capture/1") != 0) {
        return bad(e, "format", "\"tenken-capture/1\" is expected");
    }
    unsigned sights = 0;
    rc = read_sights(doc, &sights, e);
    if (rc == 0) {
        rc = check_whole(doc, e);
    }
    if (rc != 0) {
        return rc;
    }
    char *copy = strndup(text, n);
    if (copy == NULL) {
        return err_nomem(e);
    }
    free(h->capture_text);
    h->capture_text = copy;
    h->capture_len = n;
    json_decref(h->capture);
    h->capture = TAKE_PTR(doc);
    h->sights = sights;
    return 0;
}

bool host_capture_whole(const struct host *h, const char *dir)
{
    size_t n_dir = strlen(dir);
    while (n_dir > 1 && dir[n_dir - 1] == '/') {
        n_dir--;
    }
    const json_t *list = json_object_get(h->capture, "whole");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *whole = json_string_value(json_array_get(list, i));
        size_t n = strlen(whole);
        bool is_root = n == 1;
        if (is_root ||
            (n <= n_dir && memcmp(whole, dir, n) == 0 && (n == n_dir || dir[n] == '/'))) {
            return true;
        }
    }
    return false;
}

/* --- meta.tsv --- */

/* Cuts the next field off *line (up to a tab or the end); NULL if there is none. */
static char *next_field(char **line)
{
    char *field = *line;
    if (field == NULL) {
        return NULL;
    }
    char *tab = strchr(field, '\t');
    if (tab != NULL) {
        *tab = '\0';
        *line = tab + 1;
    } else {
        *line = NULL;
    }
    return field;
}

/* A whole number in that base, at most max. */
static bool parse_number(const char *text, int base, unsigned long max, unsigned long *ret)
{
    const char *digits = base == 8 ? "01234567" : "0123456789";
    size_t n = text != NULL ? strlen(text) : 0;
    if (n == 0 || n > 10 || strspn(text, digits) != n) {
        return false;
    }
    errno = 0;
    *ret = strtoul(text, NULL, base);
    return errno == 0 && *ret <= max;
}

static int meta_line(char *line, unsigned number, struct host_meta *ret, struct err *e)
{
    const char *path = next_field(&line);
    const char *mode_text = next_field(&line);
    const char *uid_text = next_field(&line);
    const char *gid_text = next_field(&line);
    unsigned long mode = 0;
    unsigned long uid = 0;
    unsigned long gid = 0;
    if (!is_clean_path(path) || !parse_number(mode_text, 8, S_IFMT | 07777U, &mode) ||
        !parse_number(uid_text, 10, UINT_MAX, &uid) ||
        !parse_number(gid_text, 10, UINT_MAX, &gid)) {
        return err_set(e, ERR_INVALID,
                       "meta.tsv:%u: expected: absolute path, octal mode, uid, gid, parted by tabs",
                       number);
    }
    *ret = (struct host_meta){
        .path = path, .mode = (mode_t)mode, .uid = (uid_t)uid, .gid = (gid_t)gid};
    return 0;
}

static int compare_meta(const void *a, const void *b)
{
    return strcmp(((const struct host_meta *)a)->path, ((const struct host_meta *)b)->path);
}

static size_t count_lines(const char *text)
{
    size_t n = 1;
    for (const char *p = text; *p != '\0'; p++) {
        n += *p == '\n' ? 1 : 0;
    }
    return n;
}

/* Cuts work into lines and fills meta (as many as there are lines), sorted by path. */
static int parse_meta(char *work, struct host_meta *meta, size_t *ret_n, struct err *e)
{
    size_t n = 0;
    unsigned number = 0;
    for (char *line = work; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        number++;
        if (line[0] != '\0' && line[0] != '#') {
            int rc = meta_line(line, number, &meta[n], e);
            if (rc != 0) {
                return rc;
            }
            n++;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    if (n > 1) {
        qsort(meta, n, sizeof(*meta), compare_meta);
    }
    for (size_t i = 1; i < n; i++) {
        if (strcmp(meta[i - 1].path, meta[i].path) == 0) {
            return err_set(e, ERR_INVALID, "meta.tsv: %s stands twice", meta[i].path);
        }
    }
    *ret_n = n;
    return 0;
}

int host_meta_load(struct host *h, const char *text, size_t n, struct err *e)
{
    if (memchr(text, '\0', n) != NULL) {
        return err_set(e, ERR_INVALID, "meta.tsv: holds a NUL byte");
    }
    CLEANUP(free) char *copy = strndup(text, n);
    CLEANUP(free) char *work = strndup(text, n);
    if (copy == NULL || work == NULL) {
        return err_nomem(e);
    }
    CLEANUP(free) struct host_meta *meta = calloc(count_lines(work), sizeof(*meta));
    if (meta == NULL) {
        return err_nomem(e);
    }
    size_t n_meta = 0;
    int rc = parse_meta(work, meta, &n_meta, e);
    if (rc != 0) {
        return rc;
    }
    free(h->meta_text);
    free(h->meta_work);
    free(h->meta);
    h->meta_text = TAKE_PTR(copy);
    h->meta_len = n;
    h->meta_work = TAKE_PTR(work);
    h->meta = TAKE_PTR(meta);
    h->n_meta = n_meta;
    return 0;
}

const struct host_meta *host_meta_find(const struct host *h, const char *path)
{
    if (h->n_meta == 0) {
        return NULL;
    }
    struct host_meta key = {.path = path};
    return bsearch(&key, h->meta, h->n_meta, sizeof(*h->meta), compare_meta);
}
