/* What was seen of anti-virus, as rows. */
#include <stdio.h>
#include <string.h>

#include "agent/base/timefmt.h"
#include "probes/antivirus/clamdconf.h"
#include "probes/antivirus/state.h"
#include "probes/probe.h"

#define DAY_S 86400.0
/* Clocks of makers and of hosts may differ a little. */
#define CLOCK_SLACK_S ((int64_t)3600)

const struct table table_av_engines = {
    .name = "av_engines",
    .doc = "Known anti-virus products: what is there, and what its engine answers. Which process "
           "answered is judged in av_products.",
    .source = "clamd(8), unix(7); vendors' documentation",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"product", COL_TEXT, "", COL_KEY, NULL, "name of it here"},
        {"vendor", COL_TEXT, "", 0, NULL, "who makes it"},
        {"proved", COL_INT, "boolean", COL_DECIDES, NULL, "1: its engine can be questioned"},
        /* What decides is told by the view: of a product that cannot be asked, not knowing the
         * answer is no doubt about its presence. */
        {"installed", COL_INT, "boolean", COL_NULLABLE, NULL,
         "1: a program of it lies where only root can put it"},
        {"responding", COL_INT, "boolean", COL_NULLABLE, NULL,
         "1: something on its socket answers as it does"},
        {"peer_pid", COL_INT, "", COL_NULLABLE, NULL, "the process that answered"},
        {"peer_uid", COL_INT, "", COL_NULLABLE, NULL, "its user"},
        {"engine", COL_TEXT, "", COL_NULLABLE, NULL, "version of the engine"},
        {"scope", COL_TEXT, "", COL_NULLABLE | COL_HAS_NAMES, NULL,
         "paths that on-access scanning is told to watch, -: left out"},
        {"updated", COL_TEXT, "", COL_NULLABLE, NULL, "last success in the updater's log"},
        {"update_error", COL_TEXT, "", COL_NULLABLE, NULL, "last error in the updater's log"},
        {"reason", COL_TEXT, "", COL_HAS_NAMES, NULL, "word: detail, where something is not known"},
        {"source", COL_TEXT, "", COL_HAS_NAMES, NULL, "program or settings it was seen by"})};

const struct table table_av_definitions = {
    .name = "av_definitions",
    .doc = "Definitions by the build time inside them, never the file's time.",
    .source = "clamd(8); header of CVD, CLD and CUD files",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"product", COL_TEXT, "", COL_KEY, NULL, "as in av_products"},
        {"file", COL_TEXT, "", COL_KEY, NULL, "file; loaded = what the engine works with"},
        {"version", COL_TEXT, "", COL_NULLABLE, NULL, "as it tells"},
        {"built_at", COL_TEXT, "utc", COL_NULLABLE, NULL, "when they were made"},
        {"age_days", COL_REAL, "days", COL_DECIDES | COL_NULLABLE, NULL,
         "age at the inspection; NULL also where the clock cannot be right"},
        {"source", COL_TEXT, "", COL_HAS_NAMES, NULL, "file or socket"},
        {"reason", COL_TEXT, "", 0, NULL, "word, where the age is not known"})};

const struct table table_av_scans = {
    .name = "av_scans",
    .doc = "Scans by their summaries in logs. They do not tell what was scanned.",
    .source = "clamscan(1), option --log",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"product", COL_TEXT, "", 0, NULL, "as in av_products"},
                  {"started_at", COL_TEXT, "utc", COL_NULLABLE, NULL, "first moment"},
                  {"finished_at", COL_TEXT, "utc", COL_NULLABLE, NULL, "last moment"},
                  {"scope", COL_TEXT, "", COL_NULLABLE | COL_HAS_NAMES, NULL, "what was scanned"},
                  {"infected", COL_INT, "", COL_NULLABLE, NULL, "files found infected"},
                  {"errors", COL_INT, "", COL_NULLABLE, NULL, "files that could not be read"},
                  {"source", COL_TEXT, "", 0, NULL, "where it was read"})};

static void put_truth(struct probe_ctx *ctx, unsigned column, bool known, bool value)
{
    if (known) {
        row_int(ctx, column, value);
    }
}

/* What stands between us and an answer; "" if nothing does. */
static const char *engine_reason(const struct av_engine *g)
{
    if (g->conf_code != 0) {
        return g->conf_code == ERR_ABSENT ? "no-config" : "config-unread";
    }
    if (g->socket[0] == '\0') {
        return "no-socket-set";
    }
    return g->answer.reason;
}

static int put_engine(struct probe_ctx *ctx, const struct av_engine *g, struct err *e)
{
    CLEANUP(str) struct str scope = STR_INIT(8192);
    struct freshclam_log log;
    struct clamd_version version;
    /* Nobody listens, or somebody else does: no. Silence and refusal are no answer at all. */
    bool asked = g->conf_code == 0 && g->socket[0] != '\0';
    bool known = asked && (g->answer.code == 0 || g->answer.code == ERR_ABSENT ||
                           g->answer.code == ERR_MALFORMED);
    put_truth(ctx, AE_RESPONDING, known, g->answer.code == 0);
    if (g->answer.has_peer) {
        row_int(ctx, AE_PEER_PID, g->answer.pid);
        row_int(ctx, AE_PEER_UID, g->answer.uid);
    }
    if (asked && g->answer.code == 0 && clamd_version_parse(g->answer.version, &version)) {
        row_text(ctx, AE_ENGINE, version.engine);
    }
    if (g->conf_code == 0) {
        clamdconf_scope(str_text(&g->conf), &scope);
        if (str_error(&scope, e) == ERR_NOMEM) {
            return ERR_NOMEM;
        }
        row_text(ctx, AE_SCOPE, str_text(&scope));
    }
    freshclam_parse(str_text(&g->update_log), &log);
    if (g->update_log.len > 0) {
        row_text(ctx, AE_UPDATED, log.success);
        row_text(ctx, AE_UPDATE_ERROR, log.error);
    }
    return 0;
}

int av_rows_engines(struct probe_ctx *ctx, const struct av_state *s, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->n; i++) {
        const struct av_product *p = &s->products[i];
        bool known = p->is_installed || (!p->is_unsafe && !p->is_unknown);
        row_begin(ctx, &table_av_engines);
        row_text(ctx, AE_PRODUCT, p->product);
        row_text(ctx, AE_VENDOR, p->vendor);
        row_int(ctx, AE_PROVED, p->engine != NULL);
        put_truth(ctx, AE_INSTALLED, known, p->is_installed);
        if (p->engine != NULL && (p->is_installed || !known)) {
            rc = put_engine(ctx, p->engine, e);
            row_text(ctx, AE_REASON,
                     known          ? engine_reason(p->engine)
                     : p->is_unsafe ? "unsafe-program"
                                    : err_word(p->code));
        } else {
            bool answers = known && !p->is_installed;
            put_truth(ctx, AE_RESPONDING, answers, false);
            row_text(ctx, AE_REASON,
                     answers        ? ""
                     : p->is_unsafe ? "unsafe-program"
                     : known        ? "unproved"
                                    : err_word(p->code));
        }
        row_text(ctx, AE_SOURCE, p->exe);
        row_end(ctx);
    }
    return rc;
}

/* A clock in the past would make everything fresh: whatever is newer than now proves one. */
static bool clock_is_wrong(const struct av_state *s, int64_t built_at_s)
{
    return built_at_s > s->now_s + CLOCK_SLACK_S || s->newest_mtime_s > s->now_s + CLOCK_SLACK_S;
}

static bool any_from_the_future(const struct av_state *s)
{
    bool found = clock_is_wrong(s, 0);
    for (size_t i = 0; i < s->n; i++) {
        const struct av_engine *g = s->products[i].engine;
        for (size_t k = 0; g != NULL && k < g->n_heads; k++) {
            struct cvd c;
            found = found || (g->heads[k].code == 0 &&
                              cvd_parse(g->heads[k].bytes, g->heads[k].n, &c, NULL) == 0 &&
                              clock_is_wrong(s, c.built_at_s));
        }
    }
    return found;
}

static void put_definitions(struct probe_ctx *ctx, const struct av_state *s,
                            const struct av_product *p, const char *file, const struct cvd *c,
                            const char *reason, const char *source)
{
    char text[TIME_TEXT_MAX];
    bool distrusted = c != NULL && (any_from_the_future(s) || clock_is_wrong(s, c->built_at_s));
    row_begin(ctx, &table_av_definitions);
    row_text(ctx, AD_PRODUCT, p->product);
    row_text(ctx, AD_FILE, file);
    if (c != NULL) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)c->version);
        row_text(ctx, AD_VERSION, text);
        time_utc(c->built_at_s, text);
        row_text(ctx, AD_BUILT_AT, text);
    }
    if (c != NULL && !distrusted) {
        int64_t age_s = s->now_s - c->built_at_s;
        row_real(ctx, AD_AGE_DAYS, age_s > 0 ? (double)age_s / DAY_S : 0.0);
    }
    row_text(ctx, AD_SOURCE, source);
    row_text(ctx, AD_REASON, distrusted ? "clock-in-the-past" : reason);
    row_end(ctx);
}

/* The daily file of the version that the engine tells has the exact time; else its own word. */
static void put_loaded(struct probe_ctx *ctx, const struct av_state *s, const struct av_product *p)
{
    const struct av_engine *g = p->engine;
    struct clamd_version v = {.has_definitions = false};
    if (g->answer.code != 0 || !clamd_version_parse(g->answer.version, &v)) {
        return;
    }
    if (!v.has_definitions) {
        put_definitions(ctx, s, p, "loaded", NULL, "undated", g->socket);
        return;
    }
    for (size_t i = 0; i < g->n_heads; i++) {
        struct cvd c;
        if (g->heads[i].code == 0 && strncmp(g->heads[i].file, "daily.", 6) == 0 &&
            cvd_parse(g->heads[i].bytes, g->heads[i].n, &c, NULL) == 0 &&
            c.version == v.loaded.version) {
            v.loaded = c;
        }
    }
    put_definitions(ctx, s, p, "loaded", &v.loaded, "", g->socket);
}

int av_rows_definitions(struct probe_ctx *ctx, const struct av_state *s, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < s->n; i++) {
        const struct av_product *p = &s->products[i];
        const struct av_engine *g = p->engine;
        if (g == NULL || !p->is_installed) {
            continue;
        }
        if (g->dir_code != 0 && g->dir_code != ERR_ABSENT) {
            probe_state(ctx, &table_av_definitions, STATE_DENIED, "denied: %s", g->dir);
        }
        for (size_t k = 0; k < g->n_heads; k++) {
            const struct av_head *head = &g->heads[k];
            char source[AV_VALUE_MAX + 32];
            struct cvd c;
            bool good = head->code == 0 && cvd_parse(head->bytes, head->n, &c, NULL) == 0;
            (void)snprintf(source, sizeof(source), "%s/%s", g->dir, head->file);
            put_definitions(ctx, s, p, head->file, good ? &c : NULL,
                            good              ? ""
                            : head->code == 0 ? "malformed"
                                              : err_word(head->code),
                            source);
        }
        put_loaded(ctx, s, p);
    }
    return 0;
}

/* A local time of the host's zone as UTC; false where the zone is not known here. */
static bool to_utc(const struct av_state *s, const char *local, char out[TIME_TEXT_MAX])
{
    char text[64];
    int64_t at = 0;
    int32_t east = 0;
    if (local[0] == '\0' || s->zone[0] == '\0') {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.10sT%.8sZ", local, local + 11);
    const char *zone = strcmp(s->zone, "Etc/UTC") == 0 ? "UTC" : s->zone;
    /* Only zones that need no file: none can be opened any more. */
    if ((strcmp(zone, "UTC") != 0 && strcmp(zone, "Asia/Tokyo") != 0) ||
        time_parse_utc(text, &at, NULL) != 0 || zone_offset(zone, at, &east, NULL) != 0) {
        return false;
    }
    time_utc(at - east, out);
    return true;
}

int av_rows_scans(struct probe_ctx *ctx, const struct av_state *s, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < s->n; i++) {
        const struct av_engine *g = s->products[i].engine;
        if (g == NULL) {
            continue;
        }
        if (g->scan_log_code != 0) {
            probe_state(ctx, &table_av_scans, STATE_DENIED, "%s: a log of scans",
                        err_word(g->scan_log_code));
        }
        const char *at = str_text(&g->scan_log);
        struct scan_summary one;
        while (scan_summary_next(&at, &one)) {
            char time[TIME_TEXT_MAX];
            row_begin(ctx, &table_av_scans);
            row_text(ctx, AS_PRODUCT, s->products[i].product);
            row_text(ctx, AS_STARTED_AT, to_utc(s, one.started, time) ? time : NULL);
            row_text(ctx, AS_FINISHED_AT, to_utc(s, one.finished, time) ? time : NULL);
            if (one.infected >= 0) {
                row_int(ctx, AS_INFECTED, one.infected);
            }
            row_int(ctx, AS_ERRORS, one.errors);
            row_text(ctx, AS_SOURCE, "log");
            row_end(ctx);
        }
    }
    return 0;
}
