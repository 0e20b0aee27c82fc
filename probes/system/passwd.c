/* passwd(5), group(5), shadow(5). */
#include "probes/system/passwd.h"

#include <ctype.h>
#include <string.h>

#define ID_MAX 4294967295LL /* uid_t and gid_t are 32 bits wide */

/* Next line that the C library would look at. */
static bool account_line(struct span *rest, struct parse_report *r, struct span *ret)
{
    while (span_line(rest, ret)) {
        r->lines++;
        struct span s = span_trim(*ret);
        if (s.n > 0 && *s.p != '#' && *s.p != '+' && *s.p != '-') {
            return true;
        }
    }
    return false;
}

/* What useradd(8) would refuse is still an account to the kernel: only length is looked at. */
static bool is_name(struct span s)
{
    return s.n > 0 && s.n <= ACCOUNT_NAME_MAX;
}

static bool passwd_line(struct span line, struct passwd_row *row)
{
    struct span f[7] = {{0}};
    size_t n = span_split(line, ':', f, 7);

    /* What follows gid may be missing: the C library takes it as empty. */
    if (n < 4 || n > 7 || span_has_nul(line)) {
        return false;
    }
    row->name = f[0];
    row->gecos = f[4];
    row->home = f[5];
    row->shell = f[6];
    return is_name(f[0]) && span_decimal(f[2], ID_MAX, &row->uid) &&
           span_decimal(f[3], ID_MAX, &row->gid) && f[4].n <= ACCOUNT_FIELD_MAX &&
           f[5].n <= ACCOUNT_FIELD_MAX && f[6].n <= ACCOUNT_FIELD_MAX;
}

void passwd_parse(const char *bytes, size_t n, passwd_fn *fn, void *arg, struct parse_report *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    *ret = (struct parse_report){0};
    while (account_line(&rest, ret, &line)) {
        struct passwd_row row;
        if (passwd_line(line, &row)) {
            fn(&row, arg);
        } else {
            report_bad(ret);
        }
    }
}

bool group_next_member(struct span *rest, struct span *ret)
{
    while (rest->n > 0) {
        struct span s = *rest;
        if (!span_cut(*rest, ',', &s, rest)) {
            *rest = span_of(rest->p + rest->n, 0);
        }
        s = span_trim(s);
        if (s.n > 0) {
            *ret = s;
            return true;
        }
    }
    return false;
}

/* One bad member spoils the line: to leave it out would hide a membership. */
static bool group_line(struct span line, struct group_row *row)
{
    struct span f[4] = {{0}};
    size_t n = span_split(line, ':', f, 4);

    if (n < 3 || n > 4 || span_has_nul(line)) {
        return false;
    }
    row->name = f[0];
    row->members = f[3];
    if (!is_name(f[0]) || !span_decimal(f[2], ID_MAX, &row->gid)) {
        return false;
    }
    struct span rest = row->members;
    struct span member;
    while (group_next_member(&rest, &member)) {
        if (!is_name(member)) {
            return false;
        }
    }
    return true;
}

void group_parse(const char *bytes, size_t n, group_fn *fn, void *arg, struct parse_report *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    *ret = (struct parse_report){0};
    while (account_line(&rest, ret, &line)) {
        struct group_row row;
        if (group_line(line, &row)) {
            fn(&row, arg);
        } else {
            report_bad(ret);
        }
    }
}

/* The words keep osquery's meaning: !! was never set, a first ! * or x locks. */
static enum password_status status_of(struct span hash)
{
    if (span_is(hash, "!!")) {
        return PASSWORD_NOT_SET;
    }
    if (hash.n == 0) {
        return PASSWORD_EMPTY;
    }
    if (*hash.p == '!' || *hash.p == '*' || *hash.p == 'x') {
        return PASSWORD_LOCKED;
    }
    return PASSWORD_ACTIVE;
}

/* crypt(5): $id$…. An id too long to be one is not copied: it might be the secret itself. */
static void alg_of(struct span hash, char ret[HASH_ALG_MAX])
{
    struct span id;

    ret[0] = '\0';
    if (hash.n < 3 || *hash.p != '$' ||
        !span_cut(span_of(hash.p + 1, hash.n - 1), '$', &id, NULL) || id.n == 0 ||
        id.n >= HASH_ALG_MAX) {
        return;
    }
    for (size_t i = 0; i < id.n; i++) {
        if (!isalnum((unsigned char)id.p[i]) && id.p[i] != '_') {
            return;
        }
    }
    memcpy(ret, id.p, id.n);
    ret[id.n] = '\0';
}

/* A day count: empty = -1, "-1" is written by some tools for the same. */
static bool shadow_number(struct span s, int64_t *ret)
{
    struct span t = span_trim(s);

    if (t.n == 0 || span_is(t, "-1")) {
        *ret = -1;
        return true;
    }
    return span_decimal(t, INT64_MAX, ret);
}

/* Old files lack the fields behind the third: empty, as the C library takes them. */
static bool shadow_line(struct span line, struct shadow_row *row)
{
    struct span f[9] = {{0}};
    size_t n = span_split(line, ':', f, 9);

    if (n < 2 || n > 9 || span_has_nul(line) || !is_name(f[0])) {
        return false;
    }
    row->name = f[0];
    row->status = status_of(f[1]);
    alg_of(f[1], row->hash_alg);
    return shadow_number(f[2], &row->last_change) && shadow_number(f[3], &row->min) &&
           shadow_number(f[4], &row->max) && shadow_number(f[5], &row->warning) &&
           shadow_number(f[6], &row->inactive) && shadow_number(f[7], &row->expire) &&
           shadow_number(f[8], &row->flag);
}

void shadow_parse(const char *bytes, size_t n, shadow_fn *fn, void *arg, struct parse_report *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    *ret = (struct parse_report){0};
    while (account_line(&rest, ret, &line)) {
        struct shadow_row row;
        if (shadow_line(line, &row)) {
            fn(&row, arg);
        } else {
            report_bad(ret);
        }
    }
}

const char *password_status_word(enum password_status s)
{
    static const char *const words[] = {[PASSWORD_ACTIVE] = "active",
                                        [PASSWORD_LOCKED] = "locked",
                                        [PASSWORD_NOT_SET] = "not_set",
                                        [PASSWORD_EMPTY] = "empty"};
    return words[s];
}
