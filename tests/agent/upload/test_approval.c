/* Prefixes and the allow-list of peers: what must be refused is what counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/upload/approval.h"

struct prefix_row {
    const char *address, *prefix, *why;
    bool want;
};

static void test_approval_in_prefix(void **state UNUSED)
{
    static const struct prefix_row rows[] = {
        {"10.20.0.5", "10.20.0.0/24", "inside", true},
        {"10.20.1.5", "10.20.0.0/24", "outside by one bit of the third byte", false},
        {"10.20.0.5", "10.20.0.5", "a bare address is its own prefix", true},
        {"10.20.0.6", "10.20.0.5", "and nothing else", false},
        {"10.20.0.129", "10.20.0.128/25", "not on a byte boundary", true},
        {"10.20.0.127", "10.20.0.128/25", "the other half", false},
        {"203.0.113.9", "0.0.0.0/0", "everything of that family", true},
        {"2001:db8::1", "0.0.0.0/0", "but not of the other", false},
        {"2001:db8::1", "2001:db8::/32", "IPv6", true},
        {"2001:db9::1", "2001:db8::/32", "IPv6 outside", false},
        {"10.20.0.5", "10.20.0.0/33", "no such length", false},
        {"10.20.0.5", "10.20.0.0/", "length missing", false},
        {"10.20.0.5", "10.20.0.0/2x", "length malformed", false},
        {"10.20.0.5", "", "empty", false},
        {"collector", "0.0.0.0/0", "a name is no address", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (approval_in_prefix(rows[i].address, rows[i].prefix) != rows[i].want) {
            fail_msg("%s in %s: %s", rows[i].address, rows[i].prefix, rows[i].why);
        }
    }
}

static int check(const char *peers, const char *framework, const char *url, struct str *address,
                 struct err *e)
{
    CLEANUP(site) struct site *site = NULL;
    char text[2048];
    struct framework frameworks[] = {{.id = "closed", .isolates = true},
                                     {.id = "open", .isolates = false}};
    struct policy policy = {.frameworks = frameworks, .n_frameworks = ARRAY_LEN(frameworks)};
    (void)snprintf(text, sizeof(text),
                   "contracts:\n  - {id: C-1, authority: A, work: w, starts: 2026-04-01, ends: "
                   "2027-03-31, framework: %s}\n%s\n",
                   framework, peers);
    int r = site_parse("site.yaml", text, strlen(text), &site, e);
    return r < 0 ? r : approval_check(site, &policy, url, address, e);
}

static void test_approval_check(void **state UNUSED)
{
    static const struct {
        const char *peers, *framework, *url;
        int want;
        const char *address, *why;
    } rows[] = {
        {"", "open", "https://127.0.0.1:8443", 0, "", "nothing isolates this host: no pin"},
        {"", "closed", "https://127.0.0.1:8443", ERR_DENIED, "", "no peer at all"},
        {"", "unknown-framework", "https://127.0.0.1:8443", ERR_DENIED, "",
         "a framework that the rules do not know may isolate"},
        {"peers: [{prefix: 127.0.0.1/32, port: 8443, protocol: tcp, purpose: p, approval: a}]",
         "closed", "https://127.0.0.1:8443", 0, "127.0.0.1", "approved, pinned to the address"},
        {"peers: [{prefix: 127.0.0.1/32, port: 443, protocol: tcp, purpose: p, approval: a}]",
         "closed", "https://127.0.0.1:8443", ERR_DENIED, "", "approved for another port"},
        {"peers: [{prefix: 127.0.0.1/32, port: 8443, protocol: udp, purpose: p, approval: a}]",
         "closed", "https://127.0.0.1:8443", ERR_DENIED, "", "approved for another protocol"},
        {"peers: [{prefix: 10.0.0.0/8, port: 8443, protocol: tcp, purpose: p, approval: a}]",
         "closed", "https://127.0.0.1:8443", ERR_DENIED, "", "another network"},
        {"peers: [{prefix: 127.0.0.1/32, port: 8443, protocol: tcp, purpose: p, approval: a}]",
         "closed", "http://127.0.0.1:8443", ERR_INVALID, "", "never without TLS"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        CLEANUP(str) struct str address = STR_INIT(256);
        int got = check(rows[i].peers, rows[i].framework, rows[i].url, &address, &e);
        if (got != rows[i].want || strcmp(str_text(&address), rows[i].address) != 0) {
            fail_msg("%s: got %d (%s) address %s", rows[i].why, got, e.msg, str_text(&address));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approval_in_prefix),
        cmocka_unit_test(test_approval_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
