/* Collector URLs: https, a host, a port, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/upload/net.h"

static void test_net_split_url(void **state UNUSED)
{
    static const struct {
        const char *url;
        int want;
        const char *host;
        unsigned port;
    } rows[] = {
        {"https://collector.example", 0, "collector.example", 443},
        {"https://collector.example/", 0, "collector.example", 443},
        {"https://10.20.0.5:8443", 0, "10.20.0.5", 8443},
        {"https://[2001:db8::1]:8443", 0, "2001:db8::1", 8443},
        {"http://collector.example", ERR_INVALID, "", 0},
        {"https://collector.example/path", ERR_INVALID, "", 0},
        {"collector.example:443", ERR_INVALID, "", 0},
        {"file:///etc/passwd", ERR_INVALID, "", 0},
        {"", ERR_INVALID, "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        unsigned port = 0;
        CLEANUP(str) struct str host = STR_INIT(256);
        int got = net_split_url(rows[i].url, &host, &port, &e);
        if (got != rows[i].want ||
            (got == 0 && (strcmp(str_text(&host), rows[i].host) != 0 || port != rows[i].port))) {
            fail_msg("%s: got %d host %s port %u (%s)", rows[i].url, got, str_text(&host), port,
                     e.msg);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_net_split_url)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
