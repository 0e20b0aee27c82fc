/* users, groups, user_groups, shadow: the local account files. Directory services are not asked. */
#include <string.h>

#include "probes/system/passwd.h"
#include "probes/system/system.h"

enum {
    USER_UID,
    USER_GID,
    USER_UID_SIGNED,
    USER_GID_SIGNED,
    USER_NAME,
    USER_DESCRIPTION,
    USER_DIRECTORY,
    USER_SHELL,
    USER_UUID
};

const struct table table_users = {
    .name = "users",
    .doc = "Accounts of /etc/passwd. Accounts of directory services are not in it.",
    .source = "passwd(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"uid", COL_INT, "", COL_KEY, NULL, "user id"},
        {"gid", COL_INT, "", COL_DECIDES, NULL, "primary group's id"},
        {"uid_signed", COL_INT, "", COL_BULK, NULL, "uid read as a signed 32 bit number"},
        {"gid_signed", COL_INT, "", COL_BULK, NULL, "gid read as a signed 32 bit number"},
        {"username", COL_TEXT, "", COL_KEY | COL_PERSONAL, NULL, "login name"},
        {"description", COL_TEXT, "", COL_PERSONAL | COL_BULK, NULL, "comment field (gecos)"},
        {"directory", COL_TEXT, "", COL_PERSONAL, NULL, "home directory"},
        {"shell", COL_TEXT, "", COL_DECIDES, NULL, "login shell; empty means /bin/sh"},
        {"uuid", COL_TEXT, "", COL_BULK, NULL, "always empty: Linux accounts have none"})};

enum { GROUP_GID, GROUP_GID_SIGNED, GROUP_NAME };

const struct table table_groups = {
    .name = "groups",
    .doc = "Groups of /etc/group.",
    .source = "group(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS({"gid", COL_INT, "", COL_KEY, NULL, "group id"},
                  {"gid_signed", COL_INT, "", COL_BULK, NULL, "gid read as a signed 32 bit number"},
                  {"groupname", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL,
                   "name; a user's private group is named like the user"})};

enum { USER_GROUP_UID, USER_GROUP_GID };

const struct table table_user_groups = {
    .name = "user_groups",
    .doc = "Who is in which group, the primary group included. Members without an account in "
           "/etc/passwd are left out.",
    .source = "passwd(5), group(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS({"uid", COL_INT, "", COL_KEY, NULL, "user id"},
                  {"gid", COL_INT, "", COL_KEY, NULL, "group id"})};

enum {
    SHADOW_STATUS,
    SHADOW_ALG,
    SHADOW_LAST_CHANGE,
    SHADOW_MIN,
    SHADOW_MAX,
    SHADOW_WARNING,
    SHADOW_INACTIVE,
    SHADOW_EXPIRE,
    SHADOW_FLAG,
    SHADOW_NAME
};

const struct table table_shadow = {
    .name = "shadow",
    .doc = "Password status and ageing of /etc/shadow. The hash itself is never read into a row.",
    .source = "shadow(5), crypt(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"password_status", COL_TEXT, "", COL_DECIDES, "active|locked|not_set|empty",
         "empty = no password is asked for; not_set = !!; locked = begins with ! * or x"},
        {"hash_alg", COL_TEXT, "", COL_DECIDES, NULL,
         "crypt(5) id of an active password's hash (6 = SHA-512, y = yescrypt); empty = none "
         "or a scheme without an id"},
        {"last_change", COL_INT, "days since 1970-01-01", COL_DECIDES, NULL,
         "day of the last change; 0 = must be changed at the next login, -1 = no ageing"},
        {"min", COL_INT, "days", COL_DECIDES, NULL, "least days between changes; -1 = none"},
        {"max", COL_INT, "days", COL_DECIDES, NULL, "most days between changes; -1 = no limit"},
        {"warning", COL_INT, "days", COL_DECIDES, NULL, "days of warning before; -1 = none"},
        {"inactive", COL_INT, "days", COL_DECIDES, NULL,
         "days after expiry until the account is closed; -1 = never"},
        {"expire", COL_INT, "days since 1970-01-01", COL_DECIDES, NULL,
         "day on which the account is closed; -1 = never"},
        {"flag", COL_INT, "", COL_BULK, NULL, "reserved field; -1 = empty"},
        {"username", COL_TEXT, "", COL_KEY | COL_PERSONAL, NULL, "login name"})};

/* An empty field may have no address of its own (a line that ends early): it is empty text all the
 * same, never "not known". */
static void span_cell(struct probe_ctx *ctx, unsigned column, struct span s)
{
    row_text_n(ctx, column, s.n > 0 ? s.p : "", s.n);
}

/* Called per line of passwd. uuid is set to the empty text and not left unset: that there is none
 * is known. */
static void user_row(const struct passwd_row *u, void *arg)
{
    struct probe_ctx *ctx = arg;

    row_begin(ctx, &table_users);
    row_int(ctx, USER_UID, u->uid);
    row_int(ctx, USER_GID, u->gid);
    row_int(ctx, USER_UID_SIGNED, (int32_t)(uint32_t)u->uid);
    row_int(ctx, USER_GID_SIGNED, (int32_t)(uint32_t)u->gid);
    span_cell(ctx, USER_NAME, u->name);
    span_cell(ctx, USER_DESCRIPTION, u->gecos);
    span_cell(ctx, USER_DIRECTORY, u->home);
    span_cell(ctx, USER_SHELL, u->shell);
    row_text(ctx, USER_UUID, "");
    row_end(ctx);
}

int users_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct sys_read *r = &s->files[SYS_PASSWD];
    struct parse_report report;

    (void)e;
    if (sys_usable(ctx, &table_users, s, SYS_PASSWD)) {
        passwd_parse(str_text(&r->bytes), r->bytes.len, user_row, ctx, &report);
        sys_report(ctx, &table_users, SYS_PASSWD, &report);
    }
    return 0;
}

static void group_row_out(const struct group_row *g, void *arg)
{
    struct probe_ctx *ctx = arg;

    row_begin(ctx, &table_groups);
    row_int(ctx, GROUP_GID, g->gid);
    row_int(ctx, GROUP_GID_SIGNED, (int32_t)(uint32_t)g->gid);
    span_cell(ctx, GROUP_NAME, g->name);
    row_end(ctx);
}

int groups_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct sys_read *r = &s->files[SYS_GROUP];
    struct parse_report report;

    (void)e;
    if (sys_usable(ctx, &table_groups, s, SYS_GROUP)) {
        group_parse(str_text(&r->bytes), r->bytes.len, group_row_out, ctx, &report);
        sys_report(ctx, &table_groups, SYS_GROUP, &report);
    }
    return 0;
}

/* Nothing of the second field but status and id has left the parser. */
static void shadow_row_out(const struct shadow_row *x, void *arg)
{
    struct probe_ctx *ctx = arg;

    row_begin(ctx, &table_shadow);
    row_text(ctx, SHADOW_STATUS, password_status_word(x->status));
    row_text(ctx, SHADOW_ALG, x->hash_alg);
    row_int(ctx, SHADOW_LAST_CHANGE, x->last_change);
    row_int(ctx, SHADOW_MIN, x->min);
    row_int(ctx, SHADOW_MAX, x->max);
    row_int(ctx, SHADOW_WARNING, x->warning);
    row_int(ctx, SHADOW_INACTIVE, x->inactive);
    row_int(ctx, SHADOW_EXPIRE, x->expire);
    row_int(ctx, SHADOW_FLAG, x->flag);
    span_cell(ctx, SHADOW_NAME, x->name);
    row_end(ctx);
}

int shadow_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct sys_read *r = &s->files[SYS_SHADOW];
    struct parse_report report;

    (void)e;
    if (sys_usable(ctx, &table_shadow, s, SYS_SHADOW)) {
        shadow_parse(str_text(&r->bytes), r->bytes.len, shadow_row_out, ctx, &report);
        sys_report(ctx, &table_shadow, SYS_SHADOW, &report);
    }
    return 0;
}

/* --- user_groups: names are looked up in a sorted list, pairs are sorted and made unique --- */

/* A file may hold a hundred thousand names, and a group as many members: no nested loops. */
struct member_name {
    struct span name;
    int64_t uid;
};
struct pair {
    int64_t uid, gid;
};
struct membership {
    struct member_name *names;
    struct pair *pairs;
    size_t n_names, cap_names, n_pairs, cap_pairs;
    bool nomem;
};

static void cleanup_membership(struct membership *m)
{
    free(m->names);
    free(m->pairs);
}

/* Room for one more item; false: out of memory, noted. */
static void *grow(void *items, size_t n, size_t *cap, size_t size, struct membership *m)
{
    if (n < *cap) {
        return items;
    }
    size_t more = *cap > 0 ? *cap * 2 : 64;
    void *bigger = reallocarray(items, more, size);
    if (bigger == NULL) {
        m->nomem = true;
        return items;
    }
    *cap = more;
    return bigger;
}

static void add_pair(struct membership *m, int64_t uid, int64_t gid)
{
    m->pairs = grow(m->pairs, m->n_pairs, &m->cap_pairs, sizeof(*m->pairs), m);
    if (!m->nomem) {
        m->pairs[m->n_pairs++] = (struct pair){.uid = uid, .gid = gid};
    }
}

/* The primary group comes from passwd, whether or not the group file names the user. */
static void note_user(const struct passwd_row *u, void *arg)
{
    struct membership *m = arg;

    add_pair(m, u->uid, u->gid);
    m->names = grow(m->names, m->n_names, &m->cap_names, sizeof(*m->names), m);
    if (!m->nomem) {
        m->names[m->n_names++] = (struct member_name){.name = u->name, .uid = u->uid};
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct span *x = &((const struct member_name *)a)->name;
    const struct span *y = &((const struct member_name *)b)->name;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = memcmp(x->p, y->p, n);

    if (order != 0) {
        return order;
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;

    if (x->uid != y->uid) {
        return x->uid < y->uid ? -1 : 1;
    }
    return x->gid < y->gid ? -1 : x->gid > y->gid;
}

/* A name may stand twice in passwd with two ids: both are members. */
static void note_group(const struct group_row *g, void *arg)
{
    struct membership *m = arg;
    struct span rest = g->members;
    struct member_name key = {0};

    while (m->n_names > 0 && group_next_member(&rest, &key.name)) {
        const struct member_name *hit =
            bsearch(&key, m->names, m->n_names, sizeof(key), compare_names);
        if (hit == NULL) {
            continue;
        }
        while (hit > m->names && compare_names(hit - 1, &key) == 0) {
            hit--;
        }
        for (; hit < m->names + m->n_names && compare_names(hit, &key) == 0; hit++) {
            add_pair(m, hit->uid, g->gid);
        }
    }
}

int user_groups_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct str *passwd = &s->files[SYS_PASSWD].bytes;
    const struct str *group = &s->files[SYS_GROUP].bytes;
    CLEANUP(membership) struct membership m = {0};
    struct parse_report report;

    bool usable = sys_usable(ctx, &table_user_groups, s, SYS_PASSWD);
    usable = sys_usable(ctx, &table_user_groups, s, SYS_GROUP) && usable;
    if (!usable) {
        return 0;
    }
    passwd_parse(str_text(passwd), passwd->len, note_user, &m, &report);
    sys_report(ctx, &table_user_groups, SYS_PASSWD, &report);
    if (m.n_names > 0) {
        qsort(m.names, m.n_names, sizeof(*m.names), compare_names);
    }
    group_parse(str_text(group), group->len, note_group, &m, &report);
    sys_report(ctx, &table_user_groups, SYS_GROUP, &report);
    if (m.nomem) {
        return err_nomem(e);
    }
    if (m.n_pairs > 0) {
        qsort(m.pairs, m.n_pairs, sizeof(*m.pairs), compare_pairs);
    }
    for (size_t i = 0; i < m.n_pairs; i++) {
        if (i > 0 && compare_pairs(&m.pairs[i - 1], &m.pairs[i]) == 0) {
            continue;
        }
        row_begin(ctx, &table_user_groups);
        row_int(ctx, USER_GROUP_UID, m.pairs[i].uid);
        row_int(ctx, USER_GROUP_GID, m.pairs[i].gid);
        row_end(ctx);
    }
    return 0;
}
