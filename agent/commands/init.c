/* tenken init: a commented site file proposed for this host. */
#include "agent/commands/opts.h"
#include "agent/commands/session.h"
#include "agent/policy/site_init.h"

int cmd_init(struct app *app, int argc, char **argv)
{
    static const char *const tables[] = {
        "mounts", "users", "asset_identity", "system_info", "mount_encryption", NULL};
    struct session_options so = {.site_required = false, .site_trusted = true};
    const char *output = NULL;
    CLEANUP(strv) struct strv args = {0};
    const struct opt opts[] = {
        {"root",
         OPT_TEXT,
         "DIR",
         &so.root,
         {{"取り込んだファイル木を見る", "look at a captured tree"}},
         NULL},
        {"output",
         OPT_TEXT,
         "FILE",
         &output,
         {{"画面の代わりにファイルへ", "to a file instead of the screen"}},
         NULL},
    };
    const struct usage u = {.command = "init",
                            .arguments = "",
                            .doc = {{"この端末を見て、説明つきの site.yaml 案を出します。確認して "
                                     "/etc/tenken/site.yaml に置いてください。",
                                     "Looks at this host and proposes a commented site file. Read "
                                     "it, then put it at /etc/tenken/site.yaml."}},
                            .opts = opts,
                            .n_opts = ARRAY_LEN(opts),
                            .min_args = 0,
                            .max_args = 0};
    enum opts_result parsed = opts_parse(app, &u, argc, argv, &args);
    if (parsed != OPTS_RUN) {
        return opts_exit(parsed);
    }
    struct err e = {0};
    struct session s;
    struct read_set none = {0};
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    if (session_open(app, &so, &s, &e) < 0) {
        return complain(&e);
    }
    int r = session_scan(&s, &none, tables, &e);
    if (r == 0) {
        r = site_propose(&s.scan.facts, app->lang, &out, &e);
    }
    int code = r < 0 ? complain(&e) : write_output(output, &out);
    session_done(&s);
    return code;
}
