/* Which endpoints may be contacted, and what the probe is handed of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/commands/endpoints.h"

static const struct {
    const char *why, *endpoint, *want;
} rows[] = {
    {"one's own", "name: a, host: 192.0.2.1, port: 443, owner: 自社",
     "a\t192.0.2.1\t192.0.2.1\t443\t\tnone\t"},
    {"the organisation's", "name: a, host: 192.0.2.1, port: 25, starttls: smtp, owner: Example KK",
     "a\t192.0.2.1\t192.0.2.1\t25\t\tsmtp\t"},
    {"another's without leave", "name: a, host: 192.0.2.1, port: 443, owner: City",
     "a\t192.0.2.1\t!not-contacted: no permission of its owner\t443\t\tnone\t"},
    {"another's with leave", "name: a, host: 192.0.2.1, port: 443, owner: City, permission: P-1",
     "a\t192.0.2.1\t192.0.2.1\t443\t\tnone\t"},
    {"nobody's", "name: a, host: 192.0.2.1, port: 443",
     "a\t192.0.2.1\t!not-contacted: no owner declared\t443\t\tnone\t"},
    {"on loopback", "name: a, host: \"::1\", port: 443, sni: n.example, owner: City",
     "a\t::1\t::1\t443\tn.example\tnone\t"},
    {"a CA file that is not there",
     "name: a, host: 127.0.0.1, port: 443, owner: self, ca_file: /nonexistent/ca.pem",
     "a\t127.0.0.1\t127.0.0.1\t443\t\tnone\t!ca-file: absent"},
};

static void make_site(const char *endpoint, struct site **ret)
{
    CLEANUP(str) struct str text = STR_INIT(4096);
    struct err e = {0};
    str_addf(&text,
             "organisation: {name: Example KK, address: a, representative: r}\n"
             "contracts: [{id: C, authority: a, work: w, starts: 2026-04-01, ends: 2027-03-31, "
             "framework: f}]\n"
             "permissions: [{id: P-1, framework: f, control: \"1\", document: d, starts: "
             "2026-04-01, ends: 2027-03-31, scope: {name: a}}]\n"
             "tls_endpoints: [{%s}]\n",
             endpoint);
    if (site_parse("site.yaml", str_text(&text), text.len, ret, &e) != 0) {
        fail_msg("%s", e.msg);
    }
}

static void test_who_is_contacted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(site) struct site *s = NULL;
        CLEANUP(strv) struct strv lines = {0};
        struct err e = {0};
        make_site(rows[i].endpoint, &s);
        assert_int_equal(endpoints_lines(s, true, &lines, &e), 0);
        assert_int_equal(lines.n, 1);
        if (strcmp(lines.items[0], rows[i].want) != 0) {
            fail_msg("%s: %s", rows[i].why, lines.items[0]);
        }
    }
}

/* Of a captured tree, or offline, no name is resolved and no file of the operator's is read. */
static void test_not_live(void **state)
{
    (void)state;
    CLEANUP(site) struct site *s = NULL;
    CLEANUP(strv) struct strv lines = {0};
    struct err e = {0};
    make_site("name: a, host: name.invalid, port: 443, owner: self, ca_file: /etc/passwd", &s);
    assert_int_equal(endpoints_lines(s, false, &lines, &e), 0);
    assert_int_equal(lines.n, 1);
    assert_string_equal(lines.items[0], "a\tname.invalid\t!not_captured\t443\t\tnone\t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_contacted),
        cmocka_unit_test(test_not_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
