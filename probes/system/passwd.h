/* The account files as bytes: passwd(5), group(5), shadow(5). Pure. As the C library's file back
 * end does, blank lines, lines that begin with # and the NIS lines (+, -) are passed over. */
#ifndef TENKEN_PROBES_SYSTEM_PASSWD_H
#define TENKEN_PROBES_SYSTEM_PASSWD_H

#include "probes/system/text.h"

#define ACCOUNT_NAME_MAX 256U /* LOGIN_NAME_MAX */
#define ACCOUNT_FIELD_MAX                                                                          \
    4096U                /* PATH_MAX: home, shell; a comment longer than that is junk too          \
                          */
#define HASH_ALG_MAX 13U /* with NUL; the longest known id is far shorter */

struct passwd_row {
    struct span name, gecos, home, shell;
    int64_t uid, gid; /* 0 .. 2^32-1 */
};

struct group_row {
    struct span name;
    int64_t gid;
    struct span members; /* comma-separated, unchecked: see group_next_member */
};

enum password_status { PASSWORD_ACTIVE, PASSWORD_LOCKED, PASSWORD_NOT_SET, PASSWORD_EMPTY };

/* Day counts; -1 = the field is empty. The hash itself is not handed on. */
struct shadow_row {
    struct span name;
    enum password_status status;
    char hash_alg[HASH_ALG_MAX]; /* the id between the first two $; "" = none readable */
    int64_t last_change, min, max, warning, inactive, expire, flag;
};

typedef void passwd_fn(const struct passwd_row *row, void *arg);
typedef void group_fn(const struct group_row *row, void *arg);
typedef void shadow_fn(const struct shadow_row *row, void *arg);

/* Each calls fn for every well-formed line, in file order; *ret says how many were not. A line
 * that lacks a name or a number, has too many fields, a number out of range, a NUL or a field
 * beyond the limits above is not well formed. */
void passwd_parse(const char *bytes, size_t n, passwd_fn *fn, void *arg, struct parse_report *ret);
void group_parse(const char *bytes, size_t n, group_fn *fn, void *arg, struct parse_report *ret);
void shadow_parse(const char *bytes, size_t n, shadow_fn *fn, void *arg, struct parse_report *ret);
/* Takes the next member off *rest (empty ones are passed over). False at the end. */
bool group_next_member(struct span *rest, struct span *ret);
/* "active", "locked", "not_set", "empty". */
const char *password_status_word(enum password_status s);

#endif
