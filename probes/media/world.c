/* From what was gathered to something that can be asked: kmod's merged configuration, the kernel's
 * modules, the settings of USBGuard. */
#include <stdio.h>
#include <string.h>

#include "probes/media/tables.h"
#include "probes/system/text.h"

#define NAME_TEXT_MAX 256U

void media_world_done(struct media_world *w)
{
    kmod_conf_done(&w->conf);
    kmod_index_done(&w->index);
    strv_done(&w->load_lists);
    str_done(&w->extra_modules);
    str_done(&w->extra_builtin);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int compare_names(const void *a, const void *b)
{
    const struct look *const *x = a;
    const struct look *const *y = b;
    int order = strcmp(base_name((*x)->path), base_name((*y)->path));
    return order != 0 ? order : (*x > *y) - (*x < *y); /* looked at in order of precedence */
}

static bool is_configuration(const struct look *l)
{
    const char *at = strstr(l->path, "/modprobe.d/");
    return at != NULL && at[strlen("/modprobe.d/")] != '\0';
}

/* kmod's merge: files of all directories in the order of their names; of two with one name that of
 * the higher directory. What cannot be read leaves everything in doubt. */
static int merge_rules(struct media_world *w, struct err *e)
{
    const struct look **files = calloc(w->s->n + 1, sizeof(struct look *));
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; files != NULL && i < w->s->n; i++) {
        const struct look *l = &w->s->looks[i];
        if (is_configuration(l) || strcmp(base_name(l->path), "modules.softdep") == 0) {
            files[n++] = l;
        }
    }
    if (n > 0) {
        qsort(files, n, sizeof(struct look *), compare_names);
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        const struct look *l = files[i];
        if (i > 0 && strcmp(base_name(files[i - 1]->path), base_name(l->path)) == 0) {
            continue; /* hidden by the same name */
        }
        if (l->code == 0) {
            rc = kmod_conf_parse(&w->conf, l->path, l->bytes, l->n, e);
        } else if (l->code != ERR_ABSENT && l->code != ERR_INVALID) { /* /dev/null hides others */
            w->doubt = "a file of modprobe.d cannot be read";
        }
    }
    rc = files == NULL ? err_nomem(e) : rc;
    free(files);
    return rc;
}

/* The first words of the lines of /etc/modules and modules-load.d. */
static int read_load_lists(struct media_world *w, struct err *e)
{
    for (size_t i = 0; i < w->s->n; i++) {
        const struct look *l = &w->s->looks[i];
        struct span rest = span_of(l->bytes, l->n);
        struct span line;
        if (strcmp(l->path, "/etc/modules") != 0 && strstr(l->path, "/modules-load.d/") == NULL) {
            continue;
        }
        while (l->path[strlen(l->path) - 1] != '/' && span_line(&rest, &line)) {
            struct span word;
            if (span_word(&line, &word) && word.p[0] != '#' && word.p[0] != ';') {
                int rc = strv_add_n(&w->load_lists, word.p, word.n, e);
                if (rc != 0) {
                    return rc;
                }
            }
        }
    }
    return 0;
}

static bool is_loaded(const struct look *modules, const char *name)
{
    struct span rest = modules != NULL ? span_of(modules->bytes, modules->n) : span_of("", 0);
    struct span line;
    while (span_line(&rest, &line)) {
        struct span word;
        if (span_word(&line, &word) && span_is(word, name)) {
            return true;
        }
    }
    return false;
}

/* What is in the kernel without standing in its lists: modules from elsewhere, and drivers built in
 * where modules.builtin is missing. */
static void add_from_sysfs(struct media_world *w, const char *dir, const struct look *modules)
{
    const struct look *list = media_look(w->s, "%s", dir);
    const char *p = NULL;
    char name[NAME_TEXT_MAX];
    while (media_next_name(list, &p, name, sizeof(name))) {
        for (char *c = name; *c != '\0'; c++) {
            *c = *c == '-' ? '_' : *c;
        }
        if (kmod_index_find(&w->index, name, strlen(name)) == NULL && !is_loaded(modules, name)) {
            str_addf(&w->extra_builtin, "%s.ko\n", name);
        }
    }
}

static int read_loaded(struct media_world *w, const struct look *modules, struct err *e)
{
    struct span rest = modules != NULL ? span_of(modules->bytes, modules->n) : span_of("", 0);
    struct span line;
    struct span again = rest;
    struct span word;
    while (span_line(&rest, &line)) {
        if (span_word(&line, &word) && kmod_index_find(&w->index, word.p, word.n) == NULL) {
            str_addf(&w->extra_modules, "%.*s.ko:\n", (int)word.n, word.p);
        }
    }
    int rc = str_error(&w->extra_modules, e);
    if (rc == 0) {
        rc = kmod_index_add(&w->index, str_text(&w->extra_modules), w->extra_modules.len, false, e);
    }
    while (rc == 0 && span_line(&again, &line)) {
        struct kmod_module *m =
            span_word(&line, &word) ? kmod_index_find(&w->index, word.p, word.n) : NULL;
        if (m != NULL && !m->builtin) {
            m->loaded = true;
        }
    }
    return rc;
}

static int read_modules(struct media_world *w, struct err *e)
{
    const struct look *dep = media_look(w->s, "/lib/modules/%s/modules.dep", w->s->release);
    const struct look *builtin = media_look(w->s, "/lib/modules/%s/modules.builtin", w->s->release);
    const struct look *aliases = media_look(w->s, "/lib/modules/%s/modules.alias", w->s->release);
    const struct look *modules = media_look(w->s, "/proc/modules");
    w->no_modules = modules != NULL && modules->code == ERR_ABSENT && w->s->proc_seen;
    bool has_dep = dep != NULL && dep->code == 0;
    /* with no list, kmod finds nothing either */
    w->lists_known =
        w->no_modules || has_dep || (dep != NULL && dep->code == ERR_ABSENT && w->s->root_seen);
    if (!w->lists_known || (has_dep && (aliases == NULL || aliases->code != 0)) ||
        modules == NULL || (modules->code != 0 && !w->no_modules)) {
        w->doubt = "the lists of modules cannot be read";
    }
    int rc =
        has_dep && !w->no_modules ? kmod_index_add(&w->index, dep->bytes, dep->n, false, e) : 0;
    if (rc == 0 && builtin != NULL && builtin->code == 0) {
        rc = kmod_index_add(&w->index, builtin->bytes, builtin->n, true, e);
    }
    if (rc == 0) {
        add_from_sysfs(w, "/sys/bus/usb/drivers/", modules);
        add_from_sysfs(w, "/sys/module/", modules);
        rc = str_error(&w->extra_builtin, e);
    }
    if (rc == 0) {
        rc = kmod_index_add(&w->index, str_text(&w->extra_builtin), w->extra_builtin.len, true, e);
    }
    if (rc == 0) {
        rc = read_loaded(w, modules, e);
    }
    if (rc == 0 && has_dep && aliases != NULL && aliases->code == 0) {
        rc = kmod_index_add_aliases(&w->index, aliases->bytes, aliases->n, e);
    }
    return rc;
}

/* Ticks since boot at which the youngest process of that name began; /proc/stat says when boot was.
 * -1: there is none. proc_pid_stat(5), field 22. */
static int64_t daemon_began(const struct media_state *s)
{
    const struct look *stat = media_look(s, "/proc/stat");
    const char *boot = stat != NULL ? strstr(stat->bytes, "\nbtime ") : NULL;
    int64_t latest = -1;
    for (size_t i = 0; i < s->n && boot != NULL; i++) {
        const struct look *l = &s->looks[i];
        const char *at =
            strncmp(l->path, "/proc/", 6) == 0 ? strstr(l->bytes, "(usbguard-daemon)") : NULL;
        if (at == NULL) {
            continue;
        }
        struct span rest = span_of(at + 17, strlen(at + 17));
        struct span word = {0};
        for (unsigned field = 3; field <= 22; field++) {
            if (!span_word(&rest, &word)) {
                break;
            }
        }
        int64_t ticks = 0;
        if (span_decimal(word, INT64_MAX, &ticks)) {
            /* _SC_CLK_TCK is 100 wherever user space can ask (USER_HZ) */
            int64_t began = strtoll(boot + 7, NULL, 10) + ticks / 100;
            latest = began > latest ? began : latest;
        }
    }
    return latest;
}

static void read_usbguard(struct media_world *w)
{
    const struct media_state *s = w->s;
    const struct look *conf = media_look(s, "/etc/usbguard/usbguard-daemon.conf");
    const struct look *program = media_look(s, "/usr/sbin/usbguard-daemon");
    bool has_conf = conf != NULL && conf->code == 0;
    int64_t began = daemon_began(s);
    usbguard_conf_parse(has_conf ? conf->bytes : "", has_conf ? conf->n : 0, &w->usbguard);
    w->usbguard_installed = program != NULL && program->code == 0;
    w->rules_known = conf == NULL || conf->code == 0 || conf->code == ERR_ABSENT;
    for (size_t i = 0; i < s->n; i++) {
        const struct look *l = &s->looks[i];
        if (strncmp(l->path, "/etc/usbguard/", 14) != 0) {
            continue;
        }
        w->rules_newer = w->rules_newer || (l->code == 0 && began >= 0 && l->mtime_s > began);
        if (l == conf || l->path[strlen(l->path) - 1] == '/') {
            continue;
        }
        if (l->code == 0 && w->n_rules < ARRAY_LEN(w->rules)) {
            w->rules[w->n_rules++] = l->bytes;
        } else if (l->code != ERR_ABSENT) {
            w->rules_known = false;
        }
    }
    /* rules outside the folder that may be read, or named in a form that the gathering missed */
    const struct look *named = media_look(s, "%s", w->usbguard.rule_file);
    w->rules_known = w->rules_known && (w->usbguard.rule_file[0] == '\0' ||
                                        (named != NULL && named->code != ERR_DENIED));
    const struct look *unit = media_look(s, "/etc/systemd/system/usbguard.service");
    bool masked = unit != NULL && unit->code == 0 && strcmp(unit->bytes, "/dev/null") == 0;
    for (size_t i = 0; i < s->n; i++) {
        w->usbguard_enabled =
            w->usbguard_enabled || (!masked && s->looks[i].code == 0 &&
                                    strstr(s->looks[i].path, ".wants/usbguard.service") != NULL);
    }
}

int media_world_make(const struct media_state *s, struct media_world *ret, struct err *e)
{
    char text[32];
    *ret = (struct media_world){.s = s};
    str_init(&ret->extra_modules, (size_t)1 << 20);
    str_init(&ret->extra_builtin, (size_t)1 << 20);
    ret->modules_disabled =
        strcmp(media_text(s, text, sizeof(text), "/proc/sys/kernel/modules_disabled"), "1") == 0;
    const struct look *cmdline = media_look(s, "/proc/cmdline");
    int rc = merge_rules(ret, e);
    if (rc == 0 && cmdline != NULL && cmdline->code == 0) {
        rc = kmod_conf_cmdline(&ret->conf, cmdline->bytes, cmdline->n, e);
    } else if (cmdline == NULL || cmdline->code != 0) {
        ret->doubt = "the kernel's command line cannot be read";
    }
    if (rc == 0) {
        rc = read_load_lists(ret, e);
    }
    if (rc == 0) {
        rc = read_modules(ret, e);
    }
    read_usbguard(ret);
    return rc;
}
