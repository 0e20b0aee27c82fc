/* From a path as somebody wrote it to the directory that it means, one component at a time, asking
 * the mount table before the file system: a dead network mount or an automount point on the way is
 * recognised before it is touched. path_resolution(7). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "probes/disk/state.h"

#define WALK_LINKS_MAX 40U
#define WALK_PATH_MAX ((size_t)4096)

struct walk {
    const struct host *h;
    const struct mounts *m;
    bool missing_ok;
    struct str *done; /* resolved so far, "" = "/" */
    char *todo;       /* still to come */
    unsigned links;
};

/* Takes the rest as it stands; ".." in it could lead out again, which nobody has looked at. */
static int take_rest(struct walk *w, const char *comp, const char *rest, struct err *e)
{
    char copy[2 * WALK_PATH_MAX];
    (void)snprintf(copy, sizeof(copy), "%s/%s", comp, rest);
    char *save = NULL;
    for (char *part = strtok_r(copy, "/", &save); part != NULL; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, "..") == 0) {
            return err_set(e, ERR_INVALID, "\"..\" below a place that may not be touched");
        }
        if (strcmp(part, ".") != 0) {
            str_addf(w->done, "/%s", part);
        }
    }
    return 0;
}

/* ".." of a resolved path is its parent: there are no links left in it. */
static void pop_component(struct str *s)
{
    while (s->len > 0 && s->data[s->len - 1] != '/') {
        s->data[--s->len] = '\0';
    }
    if (s->len > 0) {
        s->data[--s->len] = '\0';
    }
}

/* The link's text takes the link's place in what is still to come. Forty in all, as the kernel has
 * it. */
static int follow_link(struct walk *w, const char *link, const char *rest, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(WALK_PATH_MAX);
    int r = host_readlink(w->h, link, &text, e);
    if (r < 0) {
        return r;
    }
    if (++w->links > WALK_LINKS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %u links on the way", WALK_LINKS_MAX);
    }
    if (str_text(&text)[0] == '/') {
        str_clear(w->done);
    }
    char *todo = NULL;
    if (asprintf(&todo, "%s/%s", str_text(&text), rest) < 0) {
        return err_nomem(e);
    }
    free(w->todo);
    w->todo = todo;
    return strlen(todo) >= WALK_PATH_MAX ? err_set(e, ERR_LIMIT, "path too long") : 0;
}

/* One component. *ret_end: nothing more is to be looked at. */
static int step(struct walk *w, const char *comp, const char *rest, bool *ret_end, struct err *e)
{
    char next[2 * WALK_PATH_MAX];
    struct host_stat st;
    int len = snprintf(next, sizeof(next), "%s/%s", str_text(w->done), comp);
    if (len < 0 || (size_t)len >= sizeof(next)) {
        return err_set(e, ERR_LIMIT, "path too long");
    }
    int at = mounts_find(w->m, next);
    if (at >= 0 && mount_untouchable(&w->m->items[at])) {
        *ret_end = true;
        return take_rest(w, comp, rest, e);
    }
    int r = host_stat(w->h, next, false, &st, e);
    if (r == ERR_ABSENT && w->missing_ok) {
        *ret_end = true;
        return take_rest(w, comp, rest, e);
    }
    if (r < 0) {
        return r;
    }
    if (S_ISLNK(st.mode)) {
        return follow_link(w, next, rest, e);
    }
    if (!S_ISDIR(st.mode) && rest[strspn(rest, "/")] != '\0') {
        return err_set(e, ERR_ABSENT, "a part of the path is no directory");
    }
    str_addf(w->done, "/%s", comp);
    return 0;
}

static int walk_all(struct walk *w, struct err *e)
{
    for (;;) {
        char comp[WALK_PATH_MAX];
        const char *at = w->todo + strspn(w->todo, "/");
        size_t n = strcspn(at, "/");
        if (n == 0) {
            return 0;
        }
        if (n > 255) {
            return err_set(e, ERR_LIMIT, "a name of %zu bytes", n);
        }
        memcpy(comp, at, n);
        comp[n] = '\0';
        CLEANUP(free) char *rest = strdup(at + n);
        if (rest == NULL) {
            return err_nomem(e);
        }
        memmove(w->todo, rest, strlen(rest) + 1);
        if (strcmp(comp, ".") == 0) {
            continue;
        }
        if (strcmp(comp, "..") == 0) {
            pop_component(w->done);
            continue;
        }
        bool end = false;
        int r = step(w, comp, rest, &end, e);
        if (r < 0 || end) {
            return r;
        }
    }
}

int disk_walk(const struct host *h, const struct mounts *m, const char *path, bool missing_ok,
              struct str *out, struct err *e)
{
    CLEANUP(str) struct str done = STR_INIT(2 * WALK_PATH_MAX);
    if (path[0] != '/' || strlen(path) >= WALK_PATH_MAX) {
        return err_set(e, ERR_INVALID, "no absolute path of less than %zu bytes", WALK_PATH_MAX);
    }
    struct walk w = {.h = h, .m = m, .missing_ok = missing_ok, .done = &done};
    w.todo = strdup(path);
    int r = w.todo == NULL ? err_nomem(e) : walk_all(&w, e);
    free(w.todo);
    if (r == 0) {
        r = str_error(&done, e);
    }
    if (r == 0) {
        str_add(out, done.len == 0 ? "/" : str_text(&done));
    }
    return r;
}
