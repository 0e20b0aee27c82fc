/* system_controls: the leaves of /proc/sys and what sysctl.d would set. Bounded, and never touching
 * what does something when it is read. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "probes/system/sysctlconf.h"
#include "probes/system/system.h"

enum {
    CONTROL_NAME,
    CONTROL_OID,
    CONTROL_SUBSYSTEM,
    CONTROL_CURRENT,
    CONTROL_CONFIG,
    CONTROL_TYPE,
    CONTROL_FIELD
};

#define ROOT_DIR "/proc/sys"
#define LEAVES_MAX 16384U /* a router with a thousand interfaces has some 70 leaves for each */
#define DEPTH_MAX 16U
#define VALUE_MAX ((size_t)1 << 14)
#define CONF_MAX ((size_t)4 << 20)
#define CONF_FILES_MAX 1024U

const struct table table_system_controls = {
    .name = "system_controls",
    .doc = "Kernel parameters, and what the files of sysctl.d would set them to.",
    .source = "proc_sys(5), sysctl.d(5), kernel Documentation/admin-guide/sysctl",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"name", COL_TEXT, "", COL_KEY, NULL,
         "dotted name; a dot inside a part (an interface like eth0.100) is written as a slash"},
        {"oid", COL_TEXT, "", COL_BULK, NULL, "always empty: Linux has no numbers for them"},
        {"subsystem", COL_TEXT, "", 0, NULL, "first part of the name"},
        {"current_value", COL_TEXT, "", COL_DECIDES | COL_NULLABLE | COL_BULK, NULL,
         "value, tabs as blanks; empty for write-only ones, for keys and random numbers, which "
         "are never read; not known for the few that only user id 0 may read (the probe runs as "
         "another)"},
        {"config_value", COL_TEXT, "", COL_DECIDES | COL_NULLABLE | COL_BULK, NULL,
         "value that the configuration files give; empty if they give none"},
        {"type", COL_TEXT, "", COL_BULK, NULL, "always string"},
        {"field_name", COL_TEXT, "", COL_BULK, NULL, "always empty on Linux"})};

/* Not looked into: binfmt_misc is an automount point and lists interpreters, not parameters. */
static bool is_skipped_dir(const char *path)
{
    return strcmp(path, "fs/binfmt_misc") == 0;
}

/* Listed with an empty value and never read: secrets, numbers that differ at each look, and
 * stat_refresh, which makes every processor work. */
static bool is_unread(const char *path)
{
    const char *last = strrchr(path, '/');

    last = last != NULL ? last + 1 : path;
    return strcmp(last, "stable_secret") == 0 || strcmp(path, "net/ipv4/tcp_fastopen_key") == 0 ||
           strcmp(path, "kernel/random/uuid") == 0 || strcmp(path, "vm/stat_refresh") == 0;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Parameters of the IPC namespace: the caller's own values are shown under /proc/sys. */
static bool is_ipc(const char *path)
{
    static const char *const starts[] = {"kernel/shm", "kernel/msg", "kernel/sem",
                                         "kernel/auto_msgmni"};

    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        if (strncmp(path, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    return is_below(path, "fs/mqueue");
}

/* NULL, or why this leaf shows a namespace's value and not the host's. */
static const char *control_hidden(const struct host *h, const struct sys_state *s, const char *path)
{
    if (is_below(path, "net")) {
        return host_hidden(h, HOST_SEES_NET);
    }
    if (is_below(path, "user") || strcmp(path, "kernel/pid_max") == 0 ||
        strcmp(path, "kernel/ns_last_pid") == 0) {
        return host_hidden(h, HOST_SEES_PROC);
    }
    if (strcmp(path, "kernel/hostname") == 0 || strcmp(path, "kernel/domainname") == 0) {
        return s->ns_uts == NS_INITIAL ? NULL : "not_visible: other UTS namespace";
    }
    if (is_ipc(path)) {
        return s->ns_ipc == NS_INITIAL ? NULL : "not_visible: other IPC namespace";
    }
    return NULL;
}

static struct sys_control *add_control(struct sys_state *s, const char *path, struct err *e)
{
    if (s->n_controls == s->cap_controls) {
        size_t cap = s->cap_controls > 0 ? s->cap_controls * 2 : 1024;
        struct sys_control *items = reallocarray(s->controls, cap, sizeof(*items));
        if (items == NULL) {
            (void)err_nomem(e);
            return NULL;
        }
        s->controls = items;
        s->cap_controls = cap;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        (void)err_nomem(e);
        return NULL;
    }
    struct sys_control *c = &s->controls[s->n_controls++];
    *c = (struct sys_control){.path = copy};
    return c;
}

/* Tabs part the numbers of one parameter; a cell could only hold them escaped. */
static int set_value(struct sys_control *c, const char *p, size_t n, struct err *e)
{
    struct span s = span_trim(span_of(p, n));

    c->value = strndup("", 0);
    if (s.n > 0) {
        free(c->value);
        c->value = malloc(s.n + 1);
    }
    if (c->value == NULL) {
        return err_nomem(e);
    }
    for (size_t i = 0; i < s.n; i++) {
        c->value[i] = (char)(s.p[i] == '\t' ? ' ' : s.p[i]);
    }
    c->value[s.n] = '\0';
    c->value_len = s.n;
    return 0;
}

static int walk(struct probe_ctx *ctx, struct sys_state *s, const char *dir, unsigned depth,
                struct err *e);

/* A directory, or a leaf that was not read: hidden, refused, or not to be touched. Its attributes
 * are asked for only now: a question less for each of the thousand leaves that can be read. */
static int walk_unread(struct probe_ctx *ctx, struct sys_state *s, const char *path,
                       const char *full, unsigned depth, struct err *e)
{
    const char *hidden = control_hidden(probe_host(ctx), s, path);
    struct host_stat st;

    if (host_stat(probe_host(ctx), full, false, &st, NULL) != 0) {
        return 0; /* an interface went away while we walked */
    }
    if (S_ISDIR(st.mode)) {
        return walk(ctx, s, path, depth + 1, e);
    }
    if (!S_ISREG(st.mode)) {
        probe_state(ctx, &table_system_controls, STATE_MALFORMED, "malformed: %s is no file", full);
        return 0;
    }
    struct sys_control *c = add_control(s, path, e);
    if (c == NULL) {
        return e->code;
    }
    if (hidden != NULL) {
        probe_state(ctx, &table_system_controls, STATE_DENIED, "%s", hidden);
        return 0;
    }
    bool has_no_value = (st.mode & 0444) == 0 || is_unread(path); /* else it is not known */
    return has_no_value ? set_value(c, "", 0, e) : 0;
}

static int add_value(struct sys_state *s, const char *path, const struct str *value, struct err *e)
{
    struct sys_control *c = add_control(s, path, e);

    return c != NULL ? set_value(c, str_text(value), value->len, e) : e->code;
}

static int walk_entry(struct probe_ctx *ctx, struct sys_state *s, const char *path, unsigned depth,
                      struct err *e)
{
    CLEANUP(str) struct str full = STR_INIT(4096);
    CLEANUP(str) struct str value = STR_INIT(VALUE_MAX);
    int rc = ERR_DENIED;

    str_addf(&full, "%s/%s", ROOT_DIR, path);
    if (full.error != 0) {
        probe_state(ctx, &table_system_controls, STATE_TRUNCATED, "truncated: a name is too long");
        return 0;
    }
    if (is_skipped_dir(path)) {
        return 0;
    }
    if (control_hidden(probe_host(ctx), s, path) == NULL && !is_unread(path)) {
        rc = host_read(probe_host(ctx), str_text(&full), VALUE_MAX, &value, NULL);
    }
    if (rc == 0) {
        return add_value(s, path, &value, e);
    }
    if (rc == ERR_TRUNCATED) {
        probe_state(ctx, &table_system_controls, STATE_TRUNCATED,
                    "truncated: %s is longer than %zu bytes", str_text(&full), VALUE_MAX);
        return add_control(s, path, e) != NULL ? 0 : e->code;
    }
    return walk_unread(ctx, s, path, str_text(&full), depth, e);
}

/* dir: "" or relative to /proc/sys. */
static int walk(struct probe_ctx *ctx, struct sys_state *s, const char *dir, unsigned depth,
                struct err *e)
{
    CLEANUP(str) struct str full = STR_INIT(4096);
    CLEANUP(strv) struct strv names = {0};
    struct err list = {0};

    str_addf(&full, "%s/%s", ROOT_DIR, dir);
    if (depth > DEPTH_MAX) {
        probe_state(ctx, &table_system_controls, STATE_TRUNCATED, "truncated: %s is too deep",
                    str_text(&full));
        return 0;
    }
    if (host_list(probe_host(ctx), str_text(&full), LEAVES_MAX, &names, &list) != 0 &&
        (depth == 0 || list.code != ERR_ABSENT)) {
        probe_state_err(ctx, &table_system_controls, &list);
    }
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(str) struct str path = STR_INIT(4096);
        if (s->n_controls >= LEAVES_MAX) {
            probe_state(ctx, &table_system_controls, STATE_TRUNCATED,
                        "truncated: more than %u parameters", LEAVES_MAX);
            return 0;
        }
        str_addf(&path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", names.items[i]);
        int rc = walk_entry(ctx, s, str_text(&path), depth, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- the files of sysctl.d(5): by base name, the first directory that has the name wins --- */

struct conf_file {
    const char *dir;
    char *name;
};

static int compare_conf(const void *a, const void *b)
{
    return strcmp(((const struct conf_file *)a)->name, ((const struct conf_file *)b)->name);
}

/* Other names in these directories are read by nobody. */
static bool ends_in_conf(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".conf") == 0;
}

/* Directories are listed from the strongest to the weakest: a name seen before hides this one. */
static bool has_name(const struct conf_file *files, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int list_conf_dir(const struct host *h, const char *dir, struct conf_file *files, size_t *n,
                         struct err *e)
{
    CLEANUP(strv) struct strv names = {0};

    if (host_list(h, dir, CONF_FILES_MAX, &names, NULL) != 0) {
        return 0; /* most of the directories do not exist on most hosts */
    }
    for (size_t i = 0; i < names.n && *n < CONF_FILES_MAX; i++) {
        if (!ends_in_conf(names.items[i]) || has_name(files, *n, names.items[i])) {
            continue;
        }
        files[*n] = (struct conf_file){.dir = dir, .name = strdup(names.items[i])};
        if (files[*n].name == NULL) {
            return err_nomem(e);
        }
        (*n)++;
    }
    return 0;
}

static int read_conf(const struct host *h, const char *dir, const char *name, struct str *out,
                     struct err *e)
{
    CLEANUP(str) struct str path = STR_INIT(4096);
    CLEANUP(str) struct str text = STR_INIT(HOST_FILE_MAX);

    str_addf(&path, "%s/%s", dir, name);
    int rc = host_read(h, str_text(&path), HOST_FILE_MAX, &text, e);
    if (rc == 0) {
        str_add_bytes(out, str_text(&text), text.len);
        str_add_char(out, '\n');
    }
    return rc;
}

static int collect_conf(struct probe_ctx *ctx, struct sys_state *s, struct conf_file *files,
                        size_t *n, struct err *e)
{
    static const char *const dirs[] = {"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
                                       "/usr/lib/sysctl.d", "/lib/sysctl.d"};
    const struct host *h = probe_host(ctx);
    struct err file = {0};

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (list_conf_dir(h, dirs[i], files, n, e) != 0) {
            return e->code;
        }
    }
    qsort(files, *n, sizeof(*files), compare_conf);
    for (size_t i = 0; i < *n; i++) {
        int rc = read_conf(h, files[i].dir, files[i].name, &s->sysctl_conf, &file);
        if (rc != 0 && rc != ERR_ABSENT && rc != ERR_INVALID) { /* a link to /dev/null masks */
            probe_state_err(ctx, &table_system_controls, &file);
        }
    }
    /* sysctl(8) --system applies this one last of all; systemd reads it through a link in
     * sysctl.d, which comes to the same unless a file sorts behind "99-sysctl.conf". */
    int rc = read_conf(h, "/etc", "sysctl.conf", &s->sysctl_conf, &file);
    if (rc != 0 && rc != ERR_ABSENT) {
        probe_state_err(ctx, &table_system_controls, &file);
    }
    return 0;
}

int system_controls_collect(struct probe_ctx *ctx, struct sys_state *s, struct err *e)
{
    CLEANUP(free) struct conf_file *files = calloc(CONF_FILES_MAX, sizeof(*files));
    size_t n = 0;

    if (files == NULL) {
        return err_nomem(e);
    }
    if (!sys_is_kernels(probe_host(ctx), ROOT_DIR)) {
        probe_state(ctx, &table_system_controls, STATE_DENIED,
                    "not_visible: %s is not the kernel's", ROOT_DIR);
        return 0;
    }
    if (!host_is_live(probe_host(ctx)) && !host_is_whole(probe_host(ctx), ROOT_DIR)) {
        probe_state(ctx, &table_system_controls, STATE_DENIED, "not_captured: %s is not whole",
                    ROOT_DIR);
    }
    str_init(&s->sysctl_conf, CONF_MAX);
    int rc = walk(ctx, s, "", 0, e);
    if (rc == 0 && host_hidden(probe_host(ctx), HOST_SEES_ROOT) == NULL) {
        rc = collect_conf(ctx, s, files, &n, e);
        s->has_sysctl_conf = true;
    }
    for (size_t i = 0; i < n; i++) {
        free(files[i].name);
    }
    return rc;
}

/* conf: NULL = the files could not be seen. */
static int control_row(struct probe_ctx *ctx, const struct sys_control *c,
                       const struct sysctl_conf *conf, struct err *e)
{
    CLEANUP(free) char *name = strdup(c->path);
    const char *configured = conf != NULL ? sysctl_conf_find(conf, c->path) : NULL;

    if (name == NULL) {
        return err_nomem(e);
    }
    sysctl_swap_separators(name);
    row_begin(ctx, &table_system_controls);
    row_text(ctx, CONTROL_NAME, name);
    row_text(ctx, CONTROL_OID, "");
    row_text_n(ctx, CONTROL_SUBSYSTEM, c->path, strcspn(c->path, "/"));
    row_text_n(ctx, CONTROL_CURRENT, c->value, c->value_len);
    if (conf != NULL) {
        row_text(ctx, CONTROL_CONFIG, configured != NULL && !is_unread(c->path) ? configured : "");
    }
    row_text(ctx, CONTROL_TYPE, "string");
    row_text(ctx, CONTROL_FIELD, "");
    row_end(ctx);
    return 0;
}

int system_controls_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    struct sysctl_conf conf = {0};

    int rc = sysctl_conf_add(&conf, str_text(&s->sysctl_conf), s->sysctl_conf.len, e);
    if (rc == ERR_LIMIT || s->sysctl_conf.error != 0) {
        probe_state(ctx, &table_system_controls, STATE_TRUNCATED,
                    "truncated: the files of sysctl.d are too long");
        rc = rc == ERR_LIMIT ? 0 : rc;
    }
    for (size_t i = 0; i < s->n_controls && rc == 0; i++) {
        rc = control_row(ctx, &s->controls[i], s->has_sysctl_conf ? &conf : NULL, e);
    }
    sysctl_conf_done(&conf);
    return rc;
}
