/* Which account children become: never root, whatever passwd says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/scan/user.h"

static void test_account_in_passwd(void **state UNUSED)
{
    static const struct {
        const char *passwd;
        unsigned uid, gid;
        const char *why;
    } rows[] = {
        {"", 65534, 65534, "an empty file"},
        {"root:x:0:0::/:/bin/sh\ntenken:x:997:996::/:/sbin/nologin\n", 997, 996, "the usual"},
        {"tenken:x:997:996::/:", 997, 996, "no final new line"},
        {"tenken::997:996::/:\n", 997, 996, "an empty password field"},
        {"tenken:x:0:996::/:\n", 65534, 65534, "uid 0 by another name"},
        {"tenken:x:997:0::/:\n", 65534, 65534, "gid 0"},
        {"tenken:x:4294967295:996::\n", 65534, 65534, "(uid_t)-1 means no change to setresuid"},
        {"tenken:x:99999999999999999999:9::\n", 65534, 65534, "beyond the type"},
        {"tenken:x:-5:996::\n", 65534, 65534, "a negative number"},
        {"tenken:x:abc:996::\n", 65534, 65534, "no number"},
        {"tenken:x:997\n", 65534, 65534, "a line cut short"},
        {"tenken\nx:1:2:\n", 65534, 65534, "a name alone"},
        {"tenken2:x:5:5::\n", 65534, 65534, "a name that only begins so"},
        {"xtenken:x:5:5::\n", 65534, 65534, "a name that only ends so"},
        {"tenken:x\n:5:5:\n", 65534, 65534, "fields of the next line"},
        {"tenken:x:0:0::\ntenken:x:7:8::\n", 7, 8, "the first sound line"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct child_user u = child_user_find(rows[i].passwd);
        if (u.uid != rows[i].uid || u.gid != rows[i].gid) {
            fail_msg("%s: %u %u", rows[i].why, (unsigned)u.uid, (unsigned)u.gid);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_account_in_passwd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
