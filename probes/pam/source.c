/* Where the host keeps its PAM configuration and its modules, and which libpam reads it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "probes/pam/pam.h"
#include "probes/system/osrelease.h"

#define DIR_ETC "/etc/pam.d"
#define DIR_LIB "/usr/lib/pam.d"
#define DIR_VENDOR "/usr/etc/pam.d"
#define CONF "/etc/pam.conf"
#define OS_RELEASE_MAX ((size_t)64 << 10)

struct pam_cached {
    char *name;
    bool in_etc;
    int code;
    char *text, *path, *reason;
    size_t n;
};

static const struct pam_dialect dialect_debian_old = {
    .at_include = true, .engine_15 = true, .includes_in_etc = true};
static const struct pam_dialect dialect_debian_new = {.at_include = true, .counts_includes = true};
static const struct pam_dialect dialect_upstream = {.counts_includes = true};

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p += n) {
        bool begins = p == list || p[-1] == ' ';
        if (begins && (p[n] == '\0' || p[n] == ' ' || p[n] == '-')) {
            return true;
        }
    }
    return false;
}

/* Debian's libpam has "@include"; since 1.7 (Debian 13, Ubuntu 25) it reads like upstream's
 * otherwise. Where the version does not tell, both are tried. */
static void choose_dialects(struct pam_host *p, const struct os_release *os)
{
    bool is_debian = strcmp(os->id, "debian") == 0;
    bool is_ubuntu = strcmp(os->id, "ubuntu") == 0;
    int64_t major = version_numbers(os->version_id).major;
    p->is_suse =
        has_word(os->id_like, "suse") || has_word(os->id, "suse") || has_word(os->id, "opensuse");
    if (is_debian || is_ubuntu || has_word(os->id_like, "debian")) {
        int64_t first_new = is_debian ? 13 : 25;
        bool is_told = (is_debian || is_ubuntu) && major > 0;
        if (!is_told || major < first_new) {
            p->dialects[p->n_dialects++] = dialect_debian_old;
        }
        if (!is_told || major >= first_new) {
            p->dialects[p->n_dialects++] = dialect_debian_new;
        }
        return;
    }
    if (os->id[0] == '\0') {
        p->dialects[p->n_dialects++] = dialect_debian_old;
        p->dialects[p->n_dialects++] = dialect_debian_new;
    }
    p->dialects[p->n_dialects++] = dialect_upstream;
}

static void read_os(struct pam_host *p)
{
    static const char *const paths[] = {"/etc/os-release", "/usr/lib/os-release"};
    struct os_release os = {.id = ""};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(str) struct str text = STR_INIT(OS_RELEASE_MAX);
        if (host_read(p->host, paths[i], OS_RELEASE_MAX, &text, NULL) == 0) {
            struct parse_report report = {0};
            osrelease_parse(str_text(&text), text.len, &os, &report);
            break;
        }
    }
    choose_dialects(p, &os);
}

static bool is_dir(const struct host *h, const char *path)
{
    struct host_stat st;
    return host_stat(h, path, true, &st, NULL) == 0 && S_ISDIR(st.mode);
}

/* libpam is built with one directory of modules; Debian's looks into /lib/security besides. */
static void find_module_dirs(struct pam_host *p)
{
    static const char *const debian[] = {"/usr/lib/x86_64-linux-gnu/security",
                                         "/usr/lib/aarch64-linux-gnu/security",
                                         "/usr/lib/arm-linux-gnueabihf/security",
                                         "/usr/lib/arm-linux-gnueabi/security",
                                         "/usr/lib/i386-linux-gnu/security",
                                         "/usr/lib/powerpc64le-linux-gnu/security",
                                         "/usr/lib/riscv64-linux-gnu/security",
                                         "/usr/lib/s390x-linux-gnu/security",
                                         "/usr/lib/mips64el-linux-gnuabi64/security",
                                         "/usr/lib/loongarch64-linux-gnu/security",
                                         "/lib/x86_64-linux-gnu/security",
                                         "/lib/aarch64-linux-gnu/security",
                                         "/lib/i386-linux-gnu/security"};
    static const char *const upstream[] = {"/usr/lib64/security", "/lib64/security",
                                           "/usr/lib/security", "/lib/security"};
    if (p->dialects[0].at_include) {
        for (size_t i = 0; i < ARRAY_LEN(debian) && p->n_module_dirs == 0; i++) {
            if (is_dir(p->host, debian[i])) {
                p->module_dirs[p->n_module_dirs++] = debian[i];
            }
        }
        if (is_dir(p->host, "/lib/security")) {
            p->module_dirs[p->n_module_dirs++] = "/lib/security";
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(upstream) && p->n_module_dirs == 0; i++) {
        if (is_dir(p->host, upstream[i])) {
            p->module_dirs[p->n_module_dirs++] = upstream[i];
        }
    }
}

/* The service's name is folded to small letters before it is looked up: a file with others in its
 * name is no service. */
static bool is_service(const struct host *h, const char *dir, const char *name)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    struct host_stat st;
    for (const char *p = name; *p != '\0'; p++) {
        if (isupper((unsigned char)*p)) {
            return false;
        }
    }
    str_addf(&path, "%s/%s", dir, name);
    /* A link that leads nowhere is no file; what cannot be told is kept and answered later. */
    return host_stat(h, str_text(&path), true, &st, NULL) != 0 || !S_ISDIR(st.mode);
}

static int list_dir(struct pam_host *p, const char *dir, struct err *e)
{
    CLEANUP(strv) struct strv names = {0};
    int r = host_list(p->host, dir, PAM_SERVICES_MAX, &names, e);
    if (r == ERR_ABSENT) {
        return 0;
    }
    p->has_dirs = true;
    if (r < 0) {
        return err_prefix(e, "%s", dir);
    }
    for (size_t i = 0; i < names.n && r == 0; i++) {
        if (is_service(p->host, dir, names.items[i]) && !strv_has(&p->services, names.items[i])) {
            r = strv_add(&p->services, names.items[i], e);
        }
    }
    return r;
}

/* Services are the first words of its lines. */
static int list_conf(struct pam_host *p, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(PAM_FILE_MAX);
    int r = host_read(p->host, CONF, PAM_FILE_MAX, &text, e);
    if (r == ERR_ABSENT) {
        return 0;
    }
    if (r < 0) {
        return r;
    }
    p->has_conf = true;
    const char *line = str_text(&text);
    while (*line != '\0' && r == 0) {
        line += strspn(line, " \t");
        size_t n = strcspn(line, " \t\n#");
        char name[256];
        if (n > 0 && n < sizeof(name)) {
            for (size_t i = 0; i < n; i++) {
                name[i] = (char)tolower((unsigned char)line[i]);
            }
            name[n] = '\0';
            r = strv_has(&p->services, name) ? 0 : strv_add(&p->services, name, e);
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return p->services.n > PAM_SERVICES_MAX
               ? err_set(e, ERR_LIMIT, "%s: more than %u services", CONF, PAM_SERVICES_MAX)
               : r;
}

int pam_host_open(const struct host *h, struct pam_host *ret, struct err *e)
{
    *ret = (struct pam_host){.host = h};
    read_os(ret);
    find_module_dirs(ret);
    int r = list_dir(ret, DIR_ETC, e);
    if (r == 0) {
        r = list_dir(ret, DIR_LIB, e);
    }
    if (r == 0 && ret->is_suse) {
        r = list_dir(ret, DIR_VENDOR, e);
    }
    if (r == 0 && !ret->has_dirs) {
        r = list_conf(ret, e);
    }
    strv_sort(&ret->services);
    return r;
}

void pam_host_done(struct pam_host *p)
{
    for (size_t i = 0; i < p->n_cached; i++) {
        free(p->cached[i].name);
        free(p->cached[i].text);
        free(p->cached[i].path);
        free(p->cached[i].reason);
    }
    free(p->cached);
    strv_done(&p->services);
    *p = (struct pam_host){0};
}

/* First that opens wins, the whole file hides the later ones. */
static int read_first(const struct pam_host *p, const char *name, bool in_etc, struct str *text,
                      struct str *path, struct err *e)
{
    static const char *const dirs[] = {DIR_ETC, DIR_LIB, DIR_VENDOR};
    if (name[0] == '/') {
        str_add(path, name);
        return host_read(p->host, name, PAM_FILE_MAX, text, e);
    }
    size_t n = in_etc ? 1 : p->is_suse ? 3 : 2;
    int r = ERR_ABSENT;
    for (size_t i = 0; i < n && r == ERR_ABSENT; i++) {
        str_clear(path);
        str_addf(path, "%s/%s", dirs[i], name);
        r = host_read(p->host, str_text(path), PAM_FILE_MAX, text, e);
    }
    return r;
}

static int remember(struct pam_host *p, const struct pam_cached *c, const struct str *text,
                    const struct str *path, const struct err *why, struct err *e)
{
    if (p->n_cached == p->cap_cached) {
        size_t cap = p->cap_cached == 0 ? 32 : p->cap_cached * 2;
        struct pam_cached *more = realloc(p->cached, cap * sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        p->cached = more;
        p->cap_cached = cap;
    }
    struct pam_cached *to = &p->cached[p->n_cached++];
    *to = *c;
    to->name = strdup(c->name);
    to->n = text->len;
    to->text = malloc(text->len + 1);
    to->path = strdup(str_text(path));
    to->reason = strdup(why->msg);
    if (to->name == NULL || to->text == NULL || to->path == NULL || to->reason == NULL) {
        return err_nomem(e);
    }
    memcpy(to->text, str_text(text), text->len + 1);
    return 0;
}

struct reader {
    struct pam_host *host;
    const struct pam_dialect *dialect;
};

/* struct pam_files.read. Each file is read once however many services include it. */
static int read_file(void *arg, const char *name, bool is_include, struct str *text,
                     struct str *path, struct err *e)
{
    const struct reader *r = arg;
    struct pam_host *p = r->host;
    bool in_etc = is_include && r->dialect->includes_in_etc;
    for (size_t i = 0; i < p->n_cached; i++) {
        const struct pam_cached *c = &p->cached[i];
        if (c->in_etc == in_etc && strcmp(c->name, name) == 0) {
            str_add_bytes(text, c->text, c->n);
            str_add(path, c->path);
            return c->code < 0 ? err_set(e, c->code, "%s", c->reason) : 0;
        }
    }
    CLEANUP(str) struct str fresh = STR_INIT(PAM_FILE_MAX);
    struct err why = {0};
    char copy[300];
    if (snprintf(copy, sizeof(copy), "%s", name) >= (int)sizeof(copy)) {
        return err_set(e, ERR_ABSENT, "a name of that length opens no file");
    }
    struct pam_cached c = {.name = copy, .in_etc = in_etc};
    c.code = read_first(p, name, in_etc, &fresh, path, &why);
    str_add_bytes(text, str_text(&fresh), fresh.len);
    int rc = remember(p, &c, &fresh, path, &why, e);
    return rc < 0 ? rc : c.code < 0 ? err_set(e, c.code, "%s", why.msg) : 0;
}

/* 1 there, 0 not, ERR_* not to be told. */
static int has_file(const struct pam_host *p, const char *dir, const char *rest, const char *isa)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    struct host_stat st;
    str_add(&path, dir);
    str_add(&path, dir[0] != '\0' ? "/" : "");
    for (const char *at = rest; *at != '\0';) {
        if (strncmp(at, "$ISA", 4) == 0) {
            str_add(&path, isa);
            at += 4;
        } else {
            str_add_char(&path, *at++);
        }
    }
    if (path.error != 0 || strlen(str_text(&path)) != path.len) {
        return 0;
    }
    int r = host_stat(p->host, str_text(&path), true, &st, NULL);
    if (r == 0) {
        return S_ISDIR(st.mode) ? 0 : 1;
    }
    if (r != ERR_ABSENT) {
        return r;
    }
    /* A captured tree need not hold every file of the host. */
    return host_is_captured(p->host) && !host_is_whole(p->host, dir) ? ERR_DENIED : 0;
}

static int has_module(const struct pam_host *p, const char *module)
{
    static const char *const isas[] = {".", "../../lib64/security"};
    size_t n_isas = strstr(module, "$ISA") == NULL || p->dialects[0].at_include ? 1 : 2;
    int answer = 0;
    if (module[0] != '/' && p->n_module_dirs == 0) {
        return ERR_DENIED;
    }
    for (size_t i = 0; i < n_isas; i++) {
        if (module[0] == '/') {
            int r = has_file(p, "", module, isas[i]);
            answer = r == 1 ? 1 : answer == 0 ? r : answer;
            continue;
        }
        for (size_t d = 0; d < p->n_module_dirs && answer != 1; d++) {
            int r = has_file(p, p->module_dirs[d], module, isas[i]);
            answer = r == 1 ? 1 : answer == 0 ? r : answer;
        }
    }
    return answer;
}

static void mark_absent(const struct pam_host *p, struct pam_stack *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct pam_handler *h = s->items[i];
        if (h->kind != PAMH_MODULE) {
            continue;
        }
        int r = has_module(p, h->module);
        h->is_absent = r == 0;
        if (r < 0 && h->type == PAMT_AUTH) {
            s->unseen = r;
            (void)snprintf(s->reason, sizeof(s->reason), "modules: %.200s may be there or not",
                           h->module);
        }
    }
}

int pam_host_stack(struct pam_host *p, const struct pam_dialect *d, const char *service,
                   struct pam_stack *ret, struct err *e)
{
    struct reader reader = {.host = p, .dialect = d};
    struct pam_files files = {.read = read_file, .arg = &reader};
    int r = 0;
    if (p->has_dirs) {
        r = pam_stack_load(&files, d, service, ret, e);
    } else {
        CLEANUP(str) struct str text = STR_INIT(PAM_FILE_MAX);
        r = host_read(p->host, CONF, PAM_FILE_MAX, &text, e);
        if (r == 0) {
            r = pam_stack_load_conf(&files, d, service, str_text(&text), text.len, CONF, ret, e);
        }
    }
    if (r == 0) {
        mark_absent(p, ret);
    }
    return r;
}
