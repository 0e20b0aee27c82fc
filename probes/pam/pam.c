/* The PAM probe: through which services one gets into this host, and what it takes. The stacks are
 * read and followed as libpam does it; what modules answer is data that the parent hands over.
 * Whether that is enough is not said here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "probes/pam/pam.h"

#define INPUT_MODULES "pam_modules"

const struct table table_pam_stack = {
    .name = "pam_stack",
    .doc = "PAM configuration as libpam reads it: every line of every service, includes resolved "
           "in their place. Lines of \"other\" are listed under that service alone.",
    .source = "pam.conf(5); Linux-PAM libpam/pam_handlers.c",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"service", COL_TEXT, "", COL_KEY, NULL, "name of the file under pam.d"},
        {"type", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, "auth|session|account|password",
         "which of its four stacks"},
        {"seq", COL_INT, "", COL_KEY, NULL, "order of the lines in the service, from 1"},
        {"control", COL_TEXT, "", 0, NULL,
         "as written; substack marks the beginning of one, include a line that could not be "
         "followed"},
        {"module", COL_TEXT, "", 0, NULL, "as written; file name of a substack"},
        {"args", COL_TEXT, "", COL_HAS_NAMES, NULL,
         "separated by blanks; values of what looks like a secret left out"},
        {"factor", COL_TEXT, "", COL_NULLABLE, NULL,
         "what the module may ask for; empty = nothing; opaque = not known; absent: = the module "
         "is not installed; NULL: must fail, no module"},
        {"file", COL_TEXT, "", COL_NULLABLE, NULL, "where the line stands"},
        {"line", COL_INT, "", COL_NULLABLE, NULL, "its number, from 1"}, )};

const struct table table_login_paths = {
    .name = "login_paths",
    .doc =
        "Every minimal set of factors that is enough to get in, per PAM service and "
        "circumstance. No row for a scope: no way in. Where there is an sshd_config the service "
        "sshd has one row with factors \"?\": its own methods are not combined with its stack yet.",
    .source = "pam.conf(5); Linux-PAM libpam/pam_dispatch.c; documents of the modules",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"service", COL_TEXT, "", COL_KEY, NULL, "PAM service, or the display manager"},
        {"scope", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL,
         "* = an ordinary local, enrolled user with a password, back ends reachable, nothing "
         "cached; else what must be unusual or must hold: user=root user=domain not-enrolled "
         "backend-down blank-password cached aux invoker=root if:..."},
        {"factors", COL_TEXT, "", COL_KEY, NULL,
         "password otp push security-key smartcard biometric public-key certificate kerberos "
         "host-based federated opaque, sorted, comma joined; empty = nothing is needed; ? = not "
         "known"},
        {"kinds", COL_INT, "", COL_DECIDES | COL_NULLABLE, NULL,
         "how many of knowledge, possession, inherence the set holds"},
        {"via", COL_TEXT, "", COL_DECIDES, "pam|sshd|autologin", "who decides"},
        {"reason", COL_TEXT, "", COL_HAS_NAMES, NULL,
         "stack: the lines that make it possible. For ?: bound, dialect (the host does not tell "
         "which libpam reads it, and it matters), modules, unread, sshd"}, )};

enum {
    STACK_SERVICE,
    STACK_TYPE,
    STACK_SEQ,
    STACK_CONTROL,
    STACK_MODULE,
    STACK_ARGS,
    STACK_FACTOR,
    STACK_FILE,
    STACK_LINE
};
enum { PATH_SERVICE, PATH_SCOPE, PATH_FACTORS, PATH_KINDS, PATH_VIA, PATH_REASON };

/* Some modules take the password of their data base as an argument. */
static void put_args(struct probe_ctx *ctx, const struct strv *args)
{
    static const char *const secrets[] = {"passwd=", "password=", "secret=", "bindpw=", "key="};
    CLEANUP(str) struct str text = STR_INIT((size_t)60 << 10);
    for (size_t i = 0; i < args->n; i++) {
        size_t shown = strlen(args->items[i]);
        for (size_t s = 0; s < ARRAY_LEN(secrets); s++) {
            size_t n = strlen(secrets[s]);
            shown = strncmp(args->items[i], secrets[s], n) == 0 ? n : shown;
        }
        str_add(&text, i > 0 ? " " : "");
        str_add_bytes(&text, args->items[i], shown);
        str_add(&text, args->items[i][shown] != '\0' ? "..." : "");
    }
    row_text_n(ctx, STACK_ARGS, str_text(&text), text.len);
}

static void put_handler(struct probe_ctx *ctx, const struct pam_catalogue *c, const char *service,
                        int64_t seq, const struct pam_handler *h)
{
    bool is_pairs = strchr(h->control, '=') != NULL;
    CLEANUP(str) struct str control = STR_INIT((size_t)60 << 10);
    str_addf(&control, is_pairs ? "[%s]" : "%s", h->control);
    row_begin(ctx, &table_pam_stack);
    row_text(ctx, STACK_SERVICE, service);
    row_text(ctx, STACK_TYPE, pam_type_word(h->type));
    row_int(ctx, STACK_SEQ, seq);
    row_text_n(ctx, STACK_CONTROL, str_text(&control), control.len);
    row_text(ctx, STACK_MODULE, h->module);
    put_args(ctx, &h->args);
    if (h->kind == PAMH_MODULE && h->is_absent) {
        row_text(ctx, STACK_FACTOR, "absent:");
    } else if (h->kind == PAMH_MODULE) {
        row_text(ctx, STACK_FACTOR, pam_module_factor(c, h->module));
    } else if (h->kind == PAMH_SUBSTACK) {
        row_text(ctx, STACK_FACTOR, "");
    }
    row_text(ctx, STACK_FILE, h->file);
    row_int(ctx, STACK_LINE, h->line);
    row_end(ctx);
}

static void put_stack(struct probe_ctx *ctx, const struct pam_catalogue *c, const char *service,
                      const struct pam_stack *s)
{
    bool is_other = strcmp(service, "other") == 0;
    int64_t seq = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->items[i]->other == is_other) {
            put_handler(ctx, c, service, ++seq, s->items[i]);
        }
    }
    if (s->unseen != 0 || s->bounded) {
        probe_state(ctx, &table_pam_stack, s->bounded ? STATE_TRUNCATED : STATE_DENIED, "%s: %s",
                    service, s->reason);
    }
}

static void put_path(struct probe_ctx *ctx, const char *service, const struct login_row *row,
                     const char *via)
{
    row_begin(ctx, &table_login_paths);
    row_text(ctx, PATH_SERVICE, service);
    row_text(ctx, PATH_SCOPE, row->scope);
    row_text(ctx, PATH_FACTORS, row->factors);
    row_int(ctx, PATH_KINDS, __builtin_popcount(row->kinds));
    row_text(ctx, PATH_VIA, via);
    row_text(ctx, PATH_REASON, row->reason);
    row_end(ctx);
}

static void put_unknown(struct probe_ctx *ctx, const char *service, const char *via,
                        const char *reason)
{
    row_begin(ctx, &table_login_paths);
    row_text(ctx, PATH_SERVICE, service);
    row_text(ctx, PATH_SCOPE, "*");
    row_text(ctx, PATH_FACTORS, "?");
    row_text(ctx, PATH_VIA, via);
    row_text(ctx, PATH_REASON, reason);
    row_end(ctx);
}

/* One service as each libpam that may be the host's reads it. */
static int take_service(struct probe_ctx *ctx, const struct pam_catalogue *c, struct pam_host *p,
                        const char *service, struct err *e)
{
    CLEANUP(login_rows) struct login_rows first = {0};
    bool differs = false;
    for (size_t i = 0; i < p->n_dialects; i++) {
        CLEANUP(pam_stack) struct pam_stack stack = {0};
        CLEANUP(login_rows) struct login_rows rows = {0};
        int r = pam_host_stack(p, &p->dialects[i], service, &stack, e);
        if (r == 0 && i == 0 && probe_wants(ctx, &table_pam_stack)) {
            put_stack(ctx, c, service, &stack);
        }
        if (r == 0 && probe_wants(ctx, &table_login_paths)) {
            r = login_rows_of(c, &stack, service, i == 0 ? &first : &rows, e);
        }
        if (r < 0) {
            return r;
        }
        differs = differs || (i > 0 && !login_rows_equal(&first, &rows));
    }
    if (!probe_wants(ctx, &table_login_paths)) {
        return 0;
    }
    if (first.is_unknown || differs) {
        put_unknown(ctx, service, "pam",
                    first.is_unknown ? first.reason : "dialect: os-release does not tell");
        return 0;
    }
    for (size_t i = 0; i < first.n; i++) {
        put_path(ctx, service, &first.items[i], "pam");
    }
    return 0;
}

/* Is sshd configured here? True also where that cannot be told. */
static bool may_have_sshd(const struct host *h)
{
    static const char *const files[] = {"/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct host_stat st;
        if (host_stat(h, files[i], true, &st, NULL) != ERR_ABSENT) {
            return true;
        }
    }
    return host_is_captured(h) && !host_is_whole(h, "/etc/ssh");
}

/* No directory and no file: absent where that is proof, as on the machine itself. */
static void put_nothing(struct probe_ctx *ctx, const struct table *t)
{
    bool is_proof = host_is_whole(probe_host(ctx), "/etc");
    probe_state(ctx, t, is_proof ? STATE_ABSENT : STATE_DENIED, "%s",
                is_proof ? "no_config: neither /etc/pam.d nor /etc/pam.conf"
                         : "not_captured: /etc/pam.d");
}

static int take_catalogue(struct probe_ctx *ctx, struct pam_catalogue *c, struct err *e)
{
    size_t n = 0;
    for (const char *line = NULL; (line = probe_input(ctx, INPUT_MODULES, n)) != NULL; n++) {
        int r = pam_catalogue_add(c, line, e);
        if (r < 0) {
            return r;
        }
    }
    /* Without it every module would be opaque, and one that asks for nothing would count. */
    return n > 0 ? 0 : err_set(e, ERR_MALFORMED, "catalogue: no PAM modules were handed over");
}

static int pam_probe_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    const struct host *h = probe_host(ctx);
    CLEANUP(pam_catalogue) struct pam_catalogue *c = pam_catalogue_new();
    CLEANUP(pam_host) struct pam_host p = {0};
    *ret_state = NULL;
    if (c == NULL) {
        return err_nomem(e);
    }
    /* A plain tree stands for a mounted disk: its files are all there is to see. */
    bool is_plain_tree = !host_is_live(h) && !host_is_captured(h);
    const char *hidden = is_plain_tree ? NULL : host_hidden(h, HOST_SEES_ROOT);
    if (hidden != NULL) {
        probe_state(ctx, &table_pam_stack, STATE_DENIED, "%s", hidden);
        probe_state(ctx, &table_login_paths, STATE_DENIED, "%s", hidden);
        return 0;
    }
    int r = take_catalogue(ctx, c, e);
    if (r == 0) {
        r = pam_host_open(h, &p, e);
    }
    if (r < 0) {
        return r;
    }
    bool has_sshd = may_have_sshd(h);
    if (has_sshd && probe_wants(ctx, &table_login_paths)) {
        put_unknown(ctx, "sshd", "sshd", "sshd: its own methods are not looked at yet");
    }
    if (!p.has_dirs && !p.has_conf) {
        put_nothing(ctx, &table_pam_stack);
        put_nothing(ctx, &table_login_paths);
        return 0;
    }
    for (size_t i = 0; i < p.services.n && r == 0; i++) {
        if (!has_sshd || strcmp(p.services.items[i], "sshd") != 0) {
            r = take_service(ctx, c, &p, p.services.items[i], e);
        }
    }
    return r;
}

const struct probe probe_pam = {
    .name = "pam",
    .doc = "Ways into this host through PAM, and what each one asks for.",
    .source = "pam.conf(5); Linux-PAM",
    .tables = PROBE_TABLES(&table_pam_stack, &table_login_paths),
    .reads = PROBE_LIST("/etc/pam.d", "/etc/pam.conf", "/usr/lib/pam.d", "/usr/etc/pam.d",
                        "/etc/os-release", "/usr/lib/os-release"),
    .syscalls = PROBE_LIST("@dir-walk"),
    .caps = 0,
    .inputs = PROBE_LIST(INPUT_MODULES),
    .timeout_ms = 5000,
    .max_rows = 65536,
    .run = pam_probe_run,
};
