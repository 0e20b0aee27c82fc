/* The account that children become, from passwd(5) text: no NSS, which would load libraries and
 * talk to daemons. */
#include "agent/scan/user.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number that ends at a colon; *p moves past it. 0 if there is none, or it is too large:
 * root's number, which is never given to a child. */
static unsigned passwd_number(const char **p)
{
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(*p, &end, 10);
    if (end == *p || *end != ':' || errno != 0 || value >= UINT32_MAX) {
        return 0;
    }
    *p = end + 1;
    return (unsigned)value;
}

/* uid and gid of the account whose line of passwd(5) begins after "tenken:". */
static bool read_user(const char *p, struct child_user *ret)
{
    p += strcspn(p, ":\n"); /* the password field */
    if (*p != ':') {
        return false;
    }
    p++;
    ret->uid = passwd_number(&p);
    ret->gid = ret->uid != 0 ? passwd_number(&p) : 0;
    return ret->uid != 0 && ret->gid != 0;
}

struct child_user child_user_find(const char *passwd)
{
    static const char name[] = "tenken:";
    struct child_user user = {.uid = 0, .gid = 0};
    const char *line = passwd;
    while (line != NULL) {
        if (strncmp(line, name, sizeof(name) - 1) == 0 &&
            read_user(line + sizeof(name) - 1, &user)) {
            return user;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return (struct child_user){.uid = 65534, .gid = 65534};
}
