/* tenken doctor: does the inspection run every day, and does its evidence leave? All is read from
 * files below the host's root; a service manager is never asked. */
#include <string.h>

#include "agent/commands/doctor.h"

#define RECENT_S ((int64_t)36 * 3600)
#define SMALL_FILE ((size_t)1 << 20)

static bool is_there(const struct session *s, const char *path)
{
    struct host_stat st;
    return host_stat(s->host, path, false, &st, NULL) == 0;
}

/* --- what starts it --- */

enum unit_state { UNIT_MISSING, UNIT_DISABLED, UNIT_MASKED, UNIT_ENABLED };

/* As systemd.unit(5) looks: a link to /dev/null masks, a link in timers.target.wants enables. */
static enum unit_state timer_state(const struct session *s, const char *unit)
{
    static const char *const dirs[] = {"/etc/systemd/system", "/run/systemd/system",
                                       "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                       "/lib/systemd/system"};
    enum unit_state found = UNIT_MISSING;
    bool is_wanted = false;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        char path[256];
        CLEANUP(str) struct str target = STR_INIT(4096);
        (void)snprintf(path, sizeof(path), "%s/timers.target.wants/%s", dirs[i], unit);
        is_wanted = is_wanted || is_there(s, path);
        (void)snprintf(path, sizeof(path), "%s/%s", dirs[i], unit);
        if (found == UNIT_MISSING && is_there(s, path)) {
            bool masked = host_readlink(s->host, path, &target, NULL) == 0 &&
                          strcmp(str_text(&target), "/dev/null") == 0;
            found = masked ? UNIT_MASKED : UNIT_DISABLED;
        }
    }
    return found == UNIT_DISABLED && is_wanted ? UNIT_ENABLED : found;
}

/* True if a line of the cron file that is no comment names the program. */
static bool cron_line(const struct session *s, const char *path, const char *program)
{
    CLEANUP(str) struct str text = STR_INIT(SMALL_FILE);
    if (host_read(s->host, path, SMALL_FILE, &text, NULL) < 0) {
        return false;
    }
    char *rest = text.data;
    for (const char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] != '#' && strstr(line, program) != NULL) {
            return true;
        }
    }
    return false;
}

/* Its pid file with a process behind it. Not every cron daemon writes one. */
static bool cron_runs(const struct session *s)
{
    static const char *const files[] = {"/run/crond.pid", "/run/cron.pid", "/run/fcron.pid"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char pid[32];
        char path[64];
        if (host_read_line(s->host, files[i], pid, sizeof(pid), NULL) == 0 && pid[0] != '\0' &&
            strspn(pid, "0123456789") == strlen(pid)) {
            (void)snprintf(path, sizeof(path), "/proc/%s", pid);
            if (is_there(s, path)) {
                return true;
            }
        }
    }
    return false;
}

static void daily_systemd(struct doctor *d, const struct session *s, bool is_recent)
{
    static const struct text2 texts[] = {
        [UNIT_MISSING] = {{"始めるものがありません（tenken-scan.timer "
                           "がない）: パッケージを導入してください",
                           "nothing starts the inspection (there is no "
                           "tenken-scan.timer): install the package"}},
        [UNIT_DISABLED] = {{"タイマーが無効です: systemctl enable --now tenken-scan.timer",
                            "the timer is disabled: systemctl enable --now tenken-scan.timer"}},
        [UNIT_MASKED] = {{"タイマーが mask されています: systemctl unmask tenken-scan.timer の後 "
                          "systemctl enable --now tenken-scan.timer",
                          "the timer is masked: systemctl unmask tenken-scan.timer, then systemctl "
                          "enable --now tenken-scan.timer"}},
        [UNIT_ENABLED] = {{"タイマー tenken-scan.timer が有効です",
                           "the timer tenken-scan.timer is enabled"}},
    };
    enum unit_state state = timer_state(s, "tenken-scan.timer");
    const char *what = say(d->app, "毎日の点検", "daily run");
    const char *text = text_in(d->app, &texts[state]);
    if (state == UNIT_ENABLED) {
        doctor_good(d, what, text);
    } else if (is_recent) {
        doctor_note(d, what, text); /* something else does it */
    } else {
        doctor_bad(d, what, text);
    }
}

static void daily_cron(struct doctor *d, const struct session *s, bool is_recent)
{
    static const char path[] = "/etc/cron.d/tenken";
    const char *what = say(d->app, "毎日の点検", "daily run");
    bool has_line = cron_line(s, path, "tenken-cron") || cron_line(s, path, "tenken scan");
    const char *text = say(d->app, "cron の /etc/cron.d/tenken が始めます",
                           "cron starts it by /etc/cron.d/tenken");
    if (has_line && cron_runs(s)) {
        doctor_good(d, what, text);
        return;
    }
    if (has_line) {
        text = say(d->app,
                   "/etc/cron.d/tenken はありますが、cron デーモンが見当たりません "
                   "(/run/crond.pid)",
                   "/etc/cron.d/tenken is there, but no cron daemon is seen (/run/crond.pid)");
    } else {
        text = say(d->app,
                   "始めるものがありません: systemd "
                   "は動いておらず、/etc/cron.d/tenken に有効な行がありません",
                   "nothing starts the inspection: systemd does not run here, and "
                   "/etc/cron.d/tenken has no line for it");
    }
    if (is_recent) {
        doctor_note(d, what, text);
    } else {
        doctor_bad(d, what, text);
    }
}

void doctor_daily(struct doctor *d, const struct session *s, bool is_recent)
{
    if (is_there(s, "/run/systemd/system")) {
        daily_systemd(d, s, is_recent);
    } else {
        daily_cron(d, s, is_recent);
    }
}

/* --- what it left --- */

/* Time of the newest evidence of a contract; false if there is none or it cannot be read, *e why.
 */
static bool newest_record(struct state *state, const struct site_contract *c, int64_t *ret_s,
                          struct err *e)
{
    CLEANUP(chain_head) struct chain_head chain = {0};
    CLEANUP(statement_head) struct statement_head head = {0};
    return chain_find(state, c->id, c->framework, false, &chain, e) == 0 && chain.payload != NULL &&
           statement_head_parse(chain.payload, chain.payload_n, &head, e) == 0 &&
           time_parse_utc(head.time, ret_s, e) == 0;
}

/* Not in force today: no inspection is due. */
static bool is_over(const struct session *s, const struct site_contract *c)
{
    char today[TIME_TEXT_MAX];
    const char *zone = c->time_zone[0] != '\0' ? c->time_zone : "Asia/Tokyo";
    return date_in_zone(zone, s->time_s, today, NULL) == 0 &&
           ((c->ends[0] != '\0' && strcmp(c->ends, today) < 0) || strcmp(c->starts, today) > 0);
}

static bool one_record(struct doctor *d, const struct session *s, struct state *state,
                       const struct site_contract *c)
{
    struct err e = {0};
    CLEANUP(str) struct str text = STR_INIT(4096);
    const char *what = say(d->app, "最後の記録", "last record");
    int64_t time_s = 0;
    if (state == NULL || !newest_record(state, c, &time_s, &e)) {
        bool broken = state != NULL && e.code != ERR_NONE && e.code != ERR_ABSENT;
        str_addf(&text, "%s (%s): %s", c->id, c->framework,
                 broken ? e.msg
                        : say(d->app, "まだありません (tenken scan --record)",
                              "none yet (tenken scan --record)"));
        doctor_bad(d, what, str_text(&text));
        return false;
    }
    int64_t hours = (s->time_s - time_s) / 3600;
    str_addf(&text, say(d->app, "%s (%s): %lld 時間前", "%s (%s): %lld hours ago"), c->id,
             c->framework, (long long)hours);
    if (s->time_s < time_s) {
        str_add(&text, say(d->app, "（未来の日時: 時計を確かめてください）",
                           " (in the future: look at the clock)"));
        doctor_bad(d, what, str_text(&text));
        return false;
    }
    if (s->time_s - time_s > RECENT_S) {
        str_add(&text, say(d->app, "。毎日の点検が動いていません",
                           ": the inspection does not run every day"));
        doctor_bad(d, what, str_text(&text));
        return false;
    }
    doctor_good(d, what, str_text(&text));
    return true;
}

bool doctor_records(struct doctor *d, const struct session *s, struct state *state)
{
    size_t n = 0;
    bool recent = true;
    for (size_t i = 0; i < site_n_contracts(s->site); i++) {
        const struct site_contract *c = site_contract(s->site, i);
        if (!is_over(s, c)) {
            bool one = one_record(d, s, state, c);
            recent = recent && one;
            n++;
        }
    }
    return n > 0 && recent;
}

/* --- how it leaves --- */

/* The number in the third field of NAME's line in passwd(5) or group(5); false if there is none. */
static bool account_number(const struct session *s, const char *path, const char *name,
                           unsigned long *ret)
{
    CLEANUP(str) struct str text = STR_INIT(SMALL_FILE);
    size_t n = strlen(name);
    if (host_read(s->host, path, SMALL_FILE, &text, NULL) < 0) {
        return false;
    }
    for (const char *line = str_text(&text); line != NULL && *line != '\0';) {
        if (strncmp(line, name, n) == 0 && line[n] == ':' &&
            sscanf(line + n, ":%*[^:\n]:%lu", ret) == 1) {
            return true;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

/* The uploader reads the site file as its own user; root may have kept it to itself. */
static bool uploader_reads_site(const struct session *s)
{
    struct host_stat st;
    unsigned long gid = 0;
    return host_stat(s->host, s->site_path, true, &st, NULL) == 0 &&
           ((st.mode & 0004U) != 0 ||
            ((st.mode & 0040U) != 0 && account_number(s, "/etc/group", UPLOAD_GROUP, &gid) &&
             st.gid == gid));
}

void doctor_upload(struct doctor *d, const struct session *s, bool is_enrolled)
{
    const char *what = say(d->app, "送信", "sending");
    const char *enabled = site_setting(s->site, "upload.enabled");
    bool has_url = site_setting(s->site, "upload.url") != NULL &&
                   (enabled == NULL || strcmp(enabled, "true") == 0);
    bool is_on = is_there(s, "/run/systemd/system")
                     ? timer_state(s, "tenken-upload.timer") == UNIT_ENABLED
                     : cron_line(s, "/etc/cron.d/tenken", "tenken-upload upload");
    if (!is_on && !(has_url && is_enrolled)) {
        doctor_note(d, what,
                    say(d->app, "切れています（tenken export で持出し、又は tenken-upload(8)）",
                        "off (tenken export writes a bundle; tenken-upload(8) tells how to turn "
                        "it on)"));
    } else if (!is_on) {
        doctor_note(d, what,
                    say(d->app,
                        "登録済みですが、定期の送信は切れています: systemctl enable --now "
                        "tenken-upload.timer",
                        "enrolled, but nothing sends by itself: systemctl enable --now "
                        "tenken-upload.timer"));
    } else if (!has_url || !is_enrolled) {
        doctor_bad(d, what,
                   has_url ? say(d->app, "有効ですが、未登録です: tenken enroll URL --token T",
                                 "on, but not enrolled: tenken enroll URL --token T")
                           : say(d->app,
                                 "有効ですが、宣言ファイルの settings.upload "
                                 "に有効な送信先がありません",
                                 "on, but settings.upload of the site file names no collector that "
                                 "is enabled"));
    } else if (s->has_site && !uploader_reads_site(s)) {
        doctor_bad(d, what,
                   say(d->app,
                       "送信用ユーザーが宣言ファイルを読めません: chgrp tenken-upload "
                       "/etc/tenken/site.yaml && chmod 0640 /etc/tenken/site.yaml",
                       "the uploader's user cannot read the site file: chgrp tenken-upload "
                       "/etc/tenken/site.yaml && chmod 0640 /etc/tenken/site.yaml"));
    } else {
        doctor_good(d, what, say(d->app, "定期に送信します", "evidence is sent by itself"));
    }
}

void doctor_users(struct doctor *d, const struct session *s)
{
    unsigned long uid = 0;
    if (!account_number(s, "/etc/passwd", "tenken", &uid)) {
        doctor_note(d, say(d->app, "ユーザー", "users"),
                    say(d->app,
                        "tenken がないため、プローブは nobody として動きます: useradd "
                        "--system --user-group --no-create-home --shell /usr/sbin/nologin tenken",
                        "there is no user tenken, so probes run as nobody: useradd --system "
                        "--user-group --no-create-home --shell /usr/sbin/nologin tenken"));
    }
}
