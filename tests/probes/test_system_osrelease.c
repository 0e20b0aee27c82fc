/* probes/system/osrelease.c: os-release(5), one-line release files, zone names of TZif files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/compiler.h"
#include "probes/system/osrelease.h"

static void test_osrelease(void **state)
{
    static const struct {
        const char *why;
        const char *text;
        const char *name, *version, *id, *codename;
        size_t bad;
    } cases[] = {
        {"Debian",
         "NAME=\"Debian GNU/Linux\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\n"
         "ID=debian\n",
         "Debian GNU/Linux", "12 (bookworm)", "debian", "bookworm", 0},
        {"single quotes keep backslashes, double quotes do not",
         "NAME='a\\b'\nVERSION=\"\\$1\\\"\"\n", "a\\b", "$1\"", "", "", 0},
        {"comments, blank lines, a carriage return", "# NAME=x\n\nID=arch\r\n", "", "", "arch", "",
         0},
        {"another distribution's own key", "UBUNTU_CODENAME=jammy\n", "", "", "", "jammy", 0},
        {"the standard key wins", "UBUNTU_CODENAME=jammy\nVERSION_CODENAME=vera\n", "", "", "",
         "vera", 0},
        {"the last assignment wins", "ID=a\nID=b\n", "", "", "b", "", 0},
        {"an open quote, then a good line", "NAME=\"x\nID=b\n", "", "", "b", "", 1},
        {"no assignment, lower case, no key", "hello\nid=x\n=y\n", "", "", "", "", 3},
        {"nothing", "", "", "", "", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct os_release r;
        struct parse_report report;
        osrelease_parse(cases[i].text, strlen(cases[i].text), &r, &report);
        if (strcmp(r.name, cases[i].name) != 0 || strcmp(r.version, cases[i].version) != 0 ||
            strcmp(r.id, cases[i].id) != 0 || strcmp(r.codename, cases[i].codename) != 0 ||
            report.bad != cases[i].bad) {
            fail_msg("%s: name %s version %s id %s codename %s bad %zu", cases[i].why, r.name,
                     r.version, r.id, r.codename, report.bad);
        }
    }
}

static void test_osrelease_limits(void **state)
{
    char text[OSRELEASE_VALUE_MAX + 16] = "ID=";
    struct os_release r;
    struct parse_report report;

    (void)state;
    memset(text + 3, 'x', OSRELEASE_VALUE_MAX);
    osrelease_parse(text, 3 + OSRELEASE_VALUE_MAX, &r, &report);
    assert_int_equal(report.bad, 1);
    assert_string_equal(r.id, "");
    osrelease_parse(text, 3 + OSRELEASE_VALUE_MAX - 1, &r, &report);
    assert_int_equal(report.bad, 0);
    assert_int_equal(strlen(r.id), OSRELEASE_VALUE_MAX - 1);
    osrelease_parse("ID=a\0b\n", 7, &r, &report);
    assert_int_equal(report.bad, 1);
}

static void test_versions(void **state)
{
    static const struct {
        const char *text;
        int64_t major, minor, patch;
    } cases[] = {{"12", 12, 0, 0},     {"24.04", 24, 4, 0},     {"9.3.1", 9, 3, 1},
                 {"", 0, 0, 0},        {"rolling", 0, 0, 0},    {"2024a.x7", 2024, 0, 0},
                 {"1.2.3.4", 1, 2, 3}, {"99999999999", 0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct version_numbers v = version_numbers(cases[i].text);
        if (v.major != cases[i].major || v.minor != cases[i].minor || v.patch != cases[i].patch) {
            fail_msg("\"%s\": %lld %lld %lld", cases[i].text, (long long)v.major,
                     (long long)v.minor, (long long)v.patch);
        }
    }
}

static void test_release_line(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* NULL: not of that form */
        int64_t major, minor, patch;
    } cases[] = {{"CentOS Linux release 7.9.2009 (Core)", "CentOS Linux", 7, 9, 2009},
                 {"Rocky Linux release 9.3 (Blue Onyx)", "Rocky Linux", 9, 3, 0},
                 {"Gentoo Base System release 2.14", "Gentoo Base System", 2, 14, 0},
                 {"CentOS Stream release 9", NULL, 0, 0, 0},
                 {" release 9.1", NULL, 0, 0, 0},
                 {"Fedora release", NULL, 0, 0, 0},
                 {"", NULL, 0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span name = span_of("", 0);
        struct version_numbers v = {0};
        bool ok = release_line_parse(span_of(cases[i].text, strlen(cases[i].text)), &name, &v);
        if (ok != (cases[i].name != NULL) || (ok && !span_is(name, cases[i].name)) ||
            v.major != cases[i].major || v.minor != cases[i].minor || v.patch != cases[i].patch) {
            fail_msg("\"%s\": %d", cases[i].text, ok);
        }
    }
}

/* --- TZif made by hand: RFC 8536, appendix B has the same layout --- */

#define HEADER(version, times, types, chars)                                                       \
    'T', 'Z', 'i', 'f', version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0, 0, times, 0, 0, 0, types, 0, 0, 0, chars

static const char tzif_v1[] = {HEADER(0, 1, 2, 8),
                               0,
                               0,
                               0,
                               100, /* transition at 100 */
                               1,   /* to type 1 */
                               0,
                               0,
                               0,
                               0,
                               0,
                               0,
                               0,
                               0,
                               14,
                               16,
                               1,
                               4,
                               'L',
                               'M',
                               'T',
                               0,
                               'J',
                               'D',
                               'T',
                               0};

#define TZIF_V2_HEAD                                                                               \
    HEADER('2', 0, 1, 1), 0, 0, 0, 0, 0, 0, 0, HEADER('2', 1, 2, 8), 0, 0, 0, 0, 0, 0, 0, 100, 1,  \
        0, 0, 0, 0, 0, 0, 0, 0, 14, 16, 1, 4, 'L', 'M', 'T', 0, 'J', 'D', 'T', 0

static const char tzif_v2[] = {TZIF_V2_HEAD, '\n', 'J', 'S', 'T', '-', '9', '\n'};
static const char tzif_summer[] = {TZIF_V2_HEAD, '\n', 'C', 'E', 'T', '-', '1', 'C',
                                   'E',          'S',  'T', ',', 'M', '3', '\n'};
static const char tzif_numeric[] = {TZIF_V2_HEAD, '\n', '<', '+', '0', '3', '3', '0',
                                    '>',          '-',  '3', ':', '3', '0', '\n'};

static void test_tzif(void **state)
{
    static const struct {
        const char *why;
        const char *bytes;
        size_t n;
        int64_t at;
        const char *want; /* NULL: not known */
    } cases[] = {
        {"before the first transition", tzif_v1, sizeof(tzif_v1), 99, "LMT"},
        {"at it", tzif_v1, sizeof(tzif_v1), 100, "JDT"},
        {"version 2, before the last transition", tzif_v2, sizeof(tzif_v2), 99, "LMT"},
        {"version 2, the rule behind it", tzif_v2, sizeof(tzif_v2), 100, "JST"},
        {"a rule with summer time is not evaluated", tzif_summer, sizeof(tzif_summer), 100, NULL},
        {"a numeric name", tzif_numeric, sizeof(tzif_numeric), 100, "+0330"},
        {"no such file", "TZif", 4, 0, NULL},
        {"empty", "", 0, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[16] = "";
        bool ok = tzif_abbreviation(cases[i].bytes, cases[i].n, cases[i].at, name);
        if (ok != (cases[i].want != NULL) || (ok && strcmp(name, cases[i].want) != 0)) {
            fail_msg("%s: %d \"%s\"", cases[i].why, ok, name);
        }
    }
}

/* Cut anywhere, nothing is read behind the end (the sanitizers see to that). */
static void test_tzif_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(tzif_v2); n++) {
        char name[16];
        CLEANUP(free) char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, tzif_v2, n);
        bool ok = tzif_abbreviation(copy, n, 100, name);
        /* once both blocks are there, only the rule is missing: the last type is the answer */
        assert_true(!ok || strcmp(name, "JDT") == 0 || strcmp(name, "JST") == 0 ||
                    n >= sizeof(tzif_v2) - 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_osrelease), cmocka_unit_test(test_osrelease_limits),
        cmocka_unit_test(test_versions),  cmocka_unit_test(test_release_line),
        cmocka_unit_test(test_tzif),      cmocka_unit_test(test_tzif_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
