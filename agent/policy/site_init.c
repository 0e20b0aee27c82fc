/* The proposal is text, not a data structure: most of it is comment. Only the host's label and
 * asset are set, since they merely name it; everything that would claim something stays commented
 * out. */
#include "agent/policy/site_init.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define UID_FIRST 1000
#define UID_LAST 59999
/* Lines of one kind; a host with more of them needs a person anyway. */
#define LINES_MAX 50U

struct proposal {
    const struct facts *facts;
    enum lang lang;
    struct str *out;
};

/* Comments are for people, in their language; keys are not. */
static const char *say(const struct proposal *p, const char *ja, const char *en)
{
    return p->lang == LANG_JA ? ja : en;
}

static void line(struct proposal *p, const char *ja, const char *en)
{
    str_addf(p->out, "%s\n", say(p, ja, en));
}

/* NULL if the column is not there, or the cell holds no text. */
static const char *text_of(const struct fact_table *t, size_t row, const char *column)
{
    int i = table_column(t->decl, column);
    const struct cell *c = i < 0 ? NULL : &t->cells[row * t->decl->n_columns + (size_t)i];
    return c != NULL && c->type == CELL_TEXT ? c->v.t.p : NULL;
}

static int64_t int_of(const struct fact_table *t, size_t row, const char *column, int64_t otherwise)
{
    int i = table_column(t->decl, column);
    const struct cell *c = i < 0 ? NULL : &t->cells[row * t->decl->n_columns + (size_t)i];
    return c != NULL && c->type == CELL_INT ? c->v.i : otherwise;
}

/* Cells hold no control characters; a backslash is an escaped byte, and such a name is left to the
 * person who knows it. */
static bool is_plain(const char *text)
{
    return text != NULL && text[0] != '\0' && strpbrk(text, "\\\"") == NULL && strlen(text) <= 63;
}

static const char *identity(const struct proposal *p, const char *item)
{
    const struct fact_table *t = facts_find(p->facts, "asset_identity");
    for (size_t i = 0; t != NULL && i < t->n_rows; i++) {
        const char *name = text_of(t, i, "item");
        if (name != NULL && strcmp(name, item) == 0) {
            return text_of(t, i, "value");
        }
    }
    return NULL;
}

/* What makers leave in the firmware when they have no serial number. */
static bool is_serial(const char *serial)
{
    static const char *const fillers[] = {"none",
                                          "not specified",
                                          "default string",
                                          "0",
                                          "to be filled by o.e.m.",
                                          "unknown",
                                          "system serial number",
                                          "n/a",
                                          "not applicable"};
    for (size_t i = 0; serial != NULL && i < ARRAY_LEN(fillers); i++) {
        if (strcasecmp(serial, fillers[i]) == 0) {
            return false;
        }
    }
    return is_plain(serial) && strchr(serial, ' ') == NULL;
}

/* A label has no blanks and needs no escaping. */
static const char *hostname_of(const struct proposal *p)
{
    const struct fact_table *t = facts_find(p->facts, "system_info");
    const char *name = t != NULL && t->n_rows > 0 ? text_of(t, 0, "hostname") : NULL;
    return is_plain(name) && strchr(name, ' ') == NULL ? name : NULL;
}

static void put_head(struct proposal *p)
{
    line(
        p,
        "# tenken の申告ファイル案。この端末を見て作りました。\n"
        "# 「#」を外した行だけが申告になります。確かめられない行は外さないでください。\n"
        "# 申告しない項目は「確認不能」になり、適合にはなりません。\n"
        "# 確認したら /etc/tenken/site.yaml に置き（root 所有、0644）、tenken scan を実行します。\n"
        "# 書き方の全体: site.example.yaml",
        "# Site file proposed by tenken from what it saw of this host.\n"
        "# Only lines without # declare anything. Do not uncomment what you cannot confirm.\n"
        "# What is not declared makes verdicts unknown, never good.\n"
        "# Once confirmed, put it at /etc/tenken/site.yaml (owned by root, 0644), run tenken "
        "scan.\n"
        "# All that can be written: site.example.yaml");
    str_addf(p->out, "\nsettings: {language: %s}\n", p->lang == LANG_JA ? "ja" : "en");
}

/* Both are names, not claims: a wrong asset number is seen at once in every output. */
static void put_host(struct proposal *p)
{
    const char *hostname = hostname_of(p);
    const char *serial = identity(p, "dmi-serial");
    bool has_serial = is_serial(serial);
    const char *asset = has_serial ? serial : hostname;
    line(p, "\n# この端末の呼び名。asset は資産台帳の番号に書き換えてください。",
         "\n# What this host is called. Replace asset by its number in your asset register.");
    if (asset == NULL && hostname == NULL) {
        line(p, "# host: {asset: 資産番号, label: 短い呼び名}",
             "# host: {asset: ASSET-NUMBER, label: short-name}");
        return;
    }
    str_addf(p->out, "host: {asset: \"%s\"", asset);
    if (hostname != NULL) {
        str_addf(p->out, ", label: \"%s\"", hostname);
    }
    str_addf(p->out, "}  # asset: %s\n",
             has_serial ? say(p, "機器の製造番号（仮）", "the maker's serial number, for now")
                        : say(p, "ホスト名（仮）", "the host name, for now"));
}

/* Nothing on a host tells which contract it serves. */
static void put_contracts(struct proposal *p)
{
    line(p,
         "\n# 契約。判定はこれがないと始まりません。契約と基準の組ごとに1行。\n"
         "# contracts:\n"
         "#   - {id: 契約番号, authority: 札幌市, work: 委託業務名, starts: 2026-04-01, ends: "
         "2027-03-31, framework: sapporo-7-2}",
         "\n# Contracts. Nothing is judged without one. One line per contract and standard.\n"
         "# contracts:\n"
         "#   - {id: NUMBER, authority: Sapporo City, work: NAME-OF-THE-WORK, starts: 2026-04-01, "
         "ends: 2027-03-31, framework: sapporo-7-2}");
}

struct place {
    const char *prefix;
    const char *ja, *en;
};
static const struct place places[] = {
    {"/srv", "サービスのデータ置き場", "data of services"},
    {"/home", "利用者の領域", "home directories"},
    {"/var/lib", "データベースやサービスの保存先", "databases and other services"},
    {"/var/www", "Web の公開領域", "web content"},
    {"/data", "データ用に分けた領域", "a volume set apart for data"},
    {"/opt", "追加ソフトの領域", "added software"},
    {"/mnt", "手で接続した領域", "mounted by hand"},
    {"/media", "外付けの媒体", "removable media"},
};

/* /srvx is not below /srv. */
static const struct place *place_of(const char *path)
{
    for (size_t i = 0; path != NULL && i < ARRAY_LEN(places); i++) {
        size_t n = strlen(places[i].prefix);
        if (strncmp(path, places[i].prefix, n) == 0 && (path[n] == '\0' || path[n] == '/')) {
            return &places[i];
        }
    }
    return NULL;
}

/* Local file systems that keep data; a network mount belongs to the server that holds it. */
static bool keeps_data(const char *type)
{
    static const char *const types[] = {"ext2",     "ext3",  "ext4", "xfs",     "btrfs",
                                        "zfs",      "f2fs",  "jfs",  "vfat",    "exfat",
                                        "bcachefs", "ntfs3", "ntfs", "fuseblk", "reiserfs"};
    for (size_t i = 0; type != NULL && i < ARRAY_LEN(types); i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The first option says it; "rw" further on belongs to the file system. */
static bool is_writable(const char *flags)
{
    return flags != NULL && strncmp(flags, "rw", 2) == 0 && (flags[2] == '\0' || flags[2] == ',');
}

/* What is known of the encryption below a mount, in a word or two. */
static const char *encryption_of(const struct proposal *p, const char *path)
{
    const struct fact_table *t = facts_find(p->facts, "mount_encryption");
    for (size_t i = 0; t != NULL && i < t->n_rows; i++) {
        const char *mount = text_of(t, i, "mount");
        int64_t encrypted = int_of(t, i, "encrypted", -1);
        if (mount != NULL && strcmp(mount, path) == 0 && encrypted >= 0) {
            return encrypted == 1 ? say(p, "暗号化あり", "encrypted")
                                  : say(p, "暗号化なし", "not encrypted");
        }
    }
    return say(p, "暗号化は未確認", "encryption not known");
}

/* A volume of its own is where data are usually put; whether they are the authority's only people
 * know. */
static void put_data_paths(struct proposal *p)
{
    line(p,
         "\n# 市のデータを置くディレクトリ。一つも置かないなら、その旨を data_paths: none "
         "と書きます。\n# data_paths:",
         "\n# Directories that hold the authority's data. If there are none, say so: data_paths: "
         "none\n# data_paths:");
    const struct fact_table *t = facts_find(p->facts, "mounts");
    unsigned n = 0;
    for (size_t i = 0; t != NULL && i < t->n_rows && n < LINES_MAX; i++) {
        const char *path = text_of(t, i, "path");
        const struct place *place = place_of(path);
        if (place == NULL || !is_plain(path) || !keeps_data(text_of(t, i, "type")) ||
            !is_writable(text_of(t, i, "flags"))) {
            continue;
        }
        const char *device = text_of(t, i, "device");
        str_addf(p->out, "#   - {path: \"%s\", dataset: %s}  # %s, %s %s, %s\n", path,
                 say(p, "内容", "WHAT"), say(p, place->ja, place->en),
                 is_plain(device) ? device : "-", text_of(t, i, "type"), encryption_of(p, path));
        n++;
    }
    if (n == 0) {
        line(
            p, "#   - {path: /srv/city, dataset: 住民情報}  # 例。専用の領域は見当たりませんでした",
            "#   - {path: /srv/city, dataset: residents}  # example; no volume set apart was seen");
    }
}

/* Accounts that can log in, outside the ranges of services and of nobody. */
static bool is_person(const struct fact_table *t, size_t row)
{
    const char *shell = text_of(t, row, "shell");
    const char *base = shell == NULL ? NULL : strrchr(shell, '/');
    int64_t uid = int_of(t, row, "uid", -1);
    return uid >= UID_FIRST && uid <= UID_LAST && base != NULL && strcmp(base, "/nologin") != 0 &&
           strcmp(base, "/false") != 0;
}

static void put_workers(struct proposal *p)
{
    line(p,
         "\n# 従業者の名簿。アカウントが本人のものかは人が確かめます。\n"
         "# 指定の期間（starts、ends）と研修日（trained_at）も書いてください。\n# workers:",
         "\n# Register of workers. Whether an account is that person's is for people to confirm.\n"
         "# Add the time of the designation (starts, ends) and of the training (trained_at).\n"
         "# workers:");
    const struct fact_table *t = facts_find(p->facts, "users");
    unsigned n = 0;
    for (size_t i = 0; t != NULL && i < t->n_rows && n < LINES_MAX; i++) {
        const char *username = text_of(t, i, "username");
        if (is_person(t, i) && is_plain(username)) {
            n++;
            str_addf(p->out, "#   - {id: W-%02u, username: \"%s\", role: handler}\n", n, username);
        }
    }
    if (n == 0) {
        line(p, "#   - {id: W-01, username: suzuki, role: handler}  # 例",
             "#   - {id: W-01, username: suzuki, role: handler}  # example");
    }
}

/* The register needs what identifies the machine even when the disk is cloned: both numbers. */
static void put_assets(struct proposal *p)
{
    const char *machine_id = identity(p, "machine-id");
    const char *serial = identity(p, "dmi-serial");
    line(p, "\n# 資産台帳。この端末の行は次のとおり（id を台帳の番号に書き換える）。\n# assets:",
         "\n# Asset register. This host's line (replace id by its number in the register).\n"
         "# assets:");
    str_add(p->out, "#   - {id: ");
    str_add(p->out, say(p, "資産番号", "ASSET-NUMBER"));
    if (machine_id != NULL && strlen(machine_id) == 32 && is_plain(machine_id)) {
        str_addf(p->out, ", machine_id: \"%s\"", machine_id);
    }
    if (is_serial(serial)) {
        str_addf(p->out, ", serial: \"%s\"", serial);
    }
    str_add(p->out, "}\n");
}

static void put_rest(struct proposal *p)
{
    line(p,
         "\n# そのほか: peers（接続先）、media（許可媒体）、permissions（市の許可）、\n"
         "# compensations（代替措置）、attestations（書面）、tls_endpoints（TLS の点検先）。\n"
         "# 証跡の送信は初めから無効です（settings.upload）。",
         "\n# Also: peers, media (approved), permissions (the authority's), compensations,\n"
         "# attestations, tls_endpoints. Sending evidence is off to begin with (settings.upload).");
}

int site_propose(const struct facts *f, enum lang lang, struct str *out, struct err *e)
{
    struct proposal p = {.facts = f, .lang = lang, .out = out};
    put_head(&p);
    put_host(&p);
    put_contracts(&p);
    put_data_paths(&p);
    put_workers(&p);
    put_assets(&p);
    put_rest(&p);
    return str_error(out, e);
}
