/* Reads sshd's configuration into a list of operations, as its first pass over the files does:
 * includes resolved in their place, every line checked whether it applies or not. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/sshd/parts.h"

#define BLANKS " \t\r\n"
#define INCLUDED_BYTES_MAX ((size_t)16 << 20)

struct loader {
    const struct sshd_files *files;
    struct sshd_conf *conf;
    size_t bytes;
    bool active; /* of the first pass: false within Match other than "all" */
    /* of the line at hand */
    unsigned file, line;
};

static void op_done(struct sshd_op *op)
{
    strv_done(&op->values);
    for (size_t i = 0; i < op->n_criteria; i++) {
        free(op->criteria[i].pattern);
    }
    free(op->criteria);
    *op = (struct sshd_op){.kind = SSHDO_SET};
}

void sshd_conf_done(struct sshd_conf *c)
{
    for (size_t i = 0; i < c->n; i++) {
        op_done(&c->ops[i]);
    }
    free(c->ops);
    strv_done(&c->files);
    *c = (struct sshd_conf){.ops = NULL};
}

/* Takes op over, also on failure. */
static int add_op(struct loader *l, struct sshd_op *op, struct err *e)
{
    struct sshd_conf *c = l->conf;
    op->file = l->file;
    op->line = l->line;
    if (c->n >= SSHD_OPS_MAX) {
        op_done(op);
        return err_set(e, ERR_LIMIT, "more than %u lines", SSHD_OPS_MAX);
    }
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 64 : c->cap * 2;
        struct sshd_op *grown = reallocarray(c->ops, cap, sizeof(*grown));
        if (grown == NULL) {
            op_done(op);
            return err_nomem(e);
        }
        c->ops = grown;
        c->cap = cap;
    }
    c->ops[c->n++] = *op;
    return 0;
}

static int add_criterion(struct sshd_op *op, const char *name, const char *pattern, struct err *e)
{
    static const char *const names[] = {"user",         "group",     "host",   "address",
                                        "localaddress", "localport", "rdomain"};
    size_t a = 0;
    while (a < ARRAY_LEN(names) && strcasecmp(names[a], name) != 0) {
        a++;
    }
    if (a == ARRAY_LEN(names)) {
        /* Refused by 9.2; 9.9 and 10.0 know one more each. */
        bool is_later = strcasecmp(name, "invalid-user") == 0 || strcasecmp(name, "version") == 0;
        return err_set(e, is_later ? ERR_UNSUPPORTED : ERR_MALFORMED,
                       "unsupported Match attribute %.32s", name);
    }
    struct sshd_criterion c = {.attribute = (enum sshd_attribute)a, .port = sshd_port(pattern)};
    if (c.attribute == SSHDA_LPORT && c.port < 0) {
        return err_set(e, ERR_UNSUPPORTED, "LocalPort %.32s is not a number", pattern);
    }
    bool is_address = c.attribute == SSHDA_ADDRESS || c.attribute == SSHDA_LADDRESS;
    if (is_address && strchr(pattern, '%') != NULL) {
        return err_set(e, ERR_UNSUPPORTED, "address with a zone: %.64s", pattern);
    }
    if (is_address && sshd_address_list(NULL, pattern) != 0) {
        return err_set(e, ERR_MALFORMED, "invalid Match address %.64s", pattern);
    }
    struct sshd_criterion *grown =
        reallocarray(op->criteria, op->n_criteria + 1, sizeof(*op->criteria));
    if (grown == NULL) {
        return err_nomem(e);
    }
    op->criteria = grown;
    c.pattern = strdup(pattern);
    if (c.pattern == NULL) {
        return err_nomem(e);
    }
    op->criteria[op->n_criteria++] = c;
    return 0;
}

static bool ends(const char *word)
{
    return word == NULL || *word == '\0' || *word == '#';
}

static int take_match(struct loader *l, char *rest, bool never, struct err *e)
{
    struct sshd_op op = {.kind = SSHDO_MATCH};
    size_t attributes = 0;
    bool is_all = false;
    int r = 0;
    for (char *name = NULL; r == 0 && !ends(name = sshd_delim(&rest)); attributes++) {
        char *pattern = sshd_delim(&rest);
        if (strcasecmp(name, "all") == 0) {
            is_all = true;
            if (attributes > 0 || !ends(pattern)) {
                r = err_set(e, ERR_MALFORMED, "\"all\" with other Match attributes");
            }
            attributes++;
            break;
        }
        r = ends(pattern) ? err_set(e, ERR_MALFORMED, "Match %.32s: nothing to compare", name)
                          : add_criterion(&op, name, pattern, e);
    }
    if (r == 0 && attributes == 0) {
        r = err_set(e, ERR_MALFORMED, "Match without attributes");
    }
    if (r < 0) {
        op_done(&op);
        return r;
    }
    l->active = is_all && !never;
    return add_op(l, &op, e);
}

static int load_file(struct loader *l, const char *path, unsigned depth, bool never, struct err *e);

static int include_one(struct loader *l, const char *path, unsigned depth, struct err *e)
{
    struct sshd_op enter = {.kind = SSHDO_ENTER}, leave = {.kind = SSHDO_LEAVE};
    bool was_active = l->active;
    unsigned file = l->file, line = l->line;
    int r = add_op(l, &enter, e);
    if (r == 0) {
        r = load_file(l, path, depth + 1, !was_active, e);
    }
    if (r < 0) {
        return r;
    }
    l->file = file;
    l->line = line;
    l->active = was_active;
    return add_op(l, &leave, e);
}

static int take_include(struct loader *l, const struct strv *args, unsigned depth, struct err *e)
{
    int r = args->n == 0 ? err_set(e, ERR_MALFORMED, "Include without a file name") : 0;
    for (size_t i = 0; i < args->n && r == 0; i++) {
        CLEANUP(strv) struct strv paths = {0};
        CLEANUP(str) struct str pattern = STR_INIT(8192);
        const char *word = args->items[i];
        if (*word == '\0' || *word == '~') {
            /* "~" is no directory of that name here, nor is it expanded. */
            r = *word == '\0' ? err_set(e, ERR_MALFORMED, "Include: empty argument") : 0;
            continue;
        }
        str_addf(&pattern, "%s%s", *word == '/' ? "" : SSHD_DIR "/", word);
        r = str_error(&pattern, e);
        if (r == 0) {
            r = sshd_glob(l->files, str_text(&pattern), &paths, e);
        }
        for (size_t p = 0; p < paths.n && r == 0; p++) {
            r = include_one(l, paths.items[p], depth, e);
        }
    }
    return r;
}

static int take_setting(struct loader *l, size_t k, const struct strv *args, const char *rest,
                        struct err *e)
{
    struct sshd_op op = {.kind = SSHDO_SET, .keyword = (uint16_t)sshd_keyword_slot(k)};
    int r = sshd_keyword_values(sshd_keyword_at(k, NULL), args, rest, &op.values, e);
    if (r < 0 || op.values.n == 0) {
        op_done(&op);
        return r;
    }
    return add_op(l, &op, e);
}

/* line: NUL-terminated, changed. */
static int take_line(struct loader *l, char *line, unsigned depth, bool never, struct err *e)
{
    for (size_t n = strlen(line); n > 1 && strchr(BLANKS "\f", line[n - 1]) != NULL; n--) {
        line[n - 1] = '\0';
    }
    char *rest = line, *name = sshd_delim(&rest);
    if (name != NULL && *name == '\0') {
        name = sshd_delim(&rest);
    }
    if (name == NULL || *name == '\0' || *name == '#') {
        return 0;
    }
    if (rest == NULL || *rest == '\0') {
        return err_set(e, ERR_MALFORMED, "no argument after keyword %.64s", name);
    }
    int k = sshd_keyword_find(name);
    CLEANUP(strv) struct strv args = {0};
    if (k < 0) {
        return err_set(e, ERR_MALFORMED, "unknown keyword %.64s", name);
    }
    const struct sshd_keyword *keyword = sshd_keyword_at((size_t)k, NULL);
    int r = sshd_split(rest, &args, e);
    if (r < 0) {
        return r;
    }
    if (!l->active && !keyword->in_match) {
        return err_set(e, ERR_MALFORMED, "%s is not allowed within Match", keyword->name);
    }
    if (keyword->kind == SSHDK_MATCH) {
        return take_match(l, rest, never, e);
    }
    return keyword->kind == SSHDK_INCLUDE ? take_include(l, &args, depth, e)
                                          : take_setting(l, (size_t)k, &args, rest, e);
}

/* As load_server_config: leading blanks off; a NUL hides the rest of its line, newline included. */
static void trim_lines(const char *text, size_t n, struct str *out)
{
    for (const char *at = text, *end = text + n; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline == NULL ? end : newline + 1;
        const char *nul = memchr(at, '\0', (size_t)(next - at));
        const char *stop = nul == NULL ? next : nul;
        while (at < stop && strchr(" \t\r", *at) != NULL) {
            at++;
        }
        str_add_bytes(out, at, (size_t)(stop - at));
        at = next;
    }
}

static int read_file(struct loader *l, const char *path, unsigned depth, struct str *out,
                     struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(SSHD_FILE_MAX);
    if (++l->conf->reads > SSHD_READS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %u included files", SSHD_READS_MAX);
    }
    int r = l->files->read(l->files->arg, path, &text, e);
    /* A directory reads as empty. A plain name that is not there matches nothing (sshd_glob does
     * not look), and a link that leads nowhere is taken the same way, though sshd would not start.
     */
    if (r == ERR_INVALID || (r == ERR_ABSENT && depth > 0)) {
        return 0;
    }
    if (r < 0) {
        return r;
    }
    l->bytes += text.len;
    if (l->bytes > INCLUDED_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "more than %zu bytes", INCLUDED_BYTES_MAX);
    }
    trim_lines(str_text(&text), text.len, out);
    return str_error(out, e);
}

static int load_file(struct loader *l, const char *path, unsigned depth, bool never, struct err *e)
{
    CLEANUP(str) struct str text = STR_INIT(SSHD_FILE_MAX);
    if (depth > SSHD_DEPTH_MAX) {
        return err_set(e, ERR_MALFORMED, "%s: includes nested too deeply", path);
    }
    int r = read_file(l, path, depth, &text, e);
    if (r == 0) {
        r = strv_add(&l->conf->files, path, e);
    }
    if (r < 0 || text.len == 0) {
        return r;
    }
    l->file = (unsigned)l->conf->files.n - 1;
    unsigned number = 0, file = l->file;
    char *rest = text.data;
    for (char *line = NULL; r == 0 && (line = strsep(&rest, "\n")) != NULL;) {
        l->file = file;
        l->line = ++number;
        r = take_line(l, line, depth, never, e);
        if (r < 0 && l->file == file && l->line == number) {
            r = err_prefix(e, "%s:%u", path, number);
        }
    }
    return r;
}

static bool is_enabled(const struct sshd_config *c, const char *method, size_t n)
{
    static const char *const switches[][2] = {
        {"publickey", "pubkeyauthentication"},
        {"password", "passwordauthentication"},
        {"keyboard-interactive", "kbdinteractiveauthentication"},
        {"hostbased", "hostbasedauthentication"},
        {"gssapi-with-mic", "gssapiauthentication"},
        {"gssapi-keyex", "gssapiauthentication"}};
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        if (strlen(switches[i][0]) == n && strncmp(switches[i][0], method, n) == 0) {
            const char *value = sshd_config_get(c, switches[i][1]);
            return value != NULL && strcmp(value, "yes") == 0;
        }
    }
    return true;
}

/* sshd does not start where no list of AuthenticationMethods holds enabled methods alone. */
static int check_methods(const struct sshd_config *c, struct err *e)
{
    const char *at = sshd_config_get(c, "authenticationmethods");
    bool usable = true;
    if (at == NULL || strcmp(at, "any") == 0) {
        return 0;
    }
    for (; *at != '\0'; at++) {
        size_t n = strcspn(at, ":, ");
        usable = usable && is_enabled(c, at, n);
        at += strcspn(at, ", ");
        if (*at != ',' && usable) {
            return 0;
        }
        usable = *at == ',' ? usable : true;
        if (*at == '\0') {
            break;
        }
    }
    return err_set(e, ERR_MALFORMED, "AuthenticationMethods names methods that are not enabled");
}

/* Nor where a command has no user to run as. */
static int check_commands(const struct sshd_config *c, struct err *e)
{
    static const char *const pairs[][2] = {
        {"authorizedkeyscommand", "authorizedkeyscommanduser"},
        {"authorizedprincipalscommand", "authorizedprincipalscommanduser"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        const char *command = sshd_config_get(c, pairs[i][0]);
        const char *user = sshd_config_get(c, pairs[i][1]);
        if (command != NULL && user != NULL && strcmp(command, "none") != 0 &&
            strcmp(user, "none") == 0) {
            return err_set(e, ERR_MALFORMED, "%s without %s", pairs[i][0], pairs[i][1]);
        }
    }
    return 0;
}

int sshd_conf_load(const struct sshd_files *f, const char *main_path, struct sshd_conf *ret,
                   struct err *e)
{
    CLEANUP(sshd_conf) struct sshd_conf conf = {.ops = NULL};
    struct loader l = {.files = f, .conf = &conf, .active = true};
    CLEANUP(sshd_config) struct sshd_config global = {.n = 0};
    int r = load_file(&l, main_path, 0, false, e);
    /* What only shows in the order of the lines: sshd would not start. */
    r = r == 0 ? sshd_conf_resolve(&conf, NULL, &global, e) : r;
    r = r == 0 ? check_methods(&global, e) : r;
    r = r == 0 ? check_commands(&global, e) : r;
    if (r == 0) {
        *ret = conf;
        conf = (struct sshd_conf){.ops = NULL};
    }
    return r;
}
