/* Texts that date definitions, settings, logs and lists of products, as they are and as a hostile
 * or broken host may give them. Covers probes/antivirus/cvd.c, probes/antivirus/clamdconf.c,
 * probes/antivirus/products.c, agent/policy/products_av.c. The rows (probes/antivirus/rows.c) are
 * held against whole hosts in test_hosts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/timefmt.h"
#include "agent/policy/products_av.h"
#include "probes/antivirus/clamdconf.h"
#include "probes/antivirus/cvd.h"
#include "probes/antivirus/products.h"

#define TAIL ":2076877:90:0123456789abcdef0123456789abcdef:dsig:builder"

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *built; /* NULL: refused */
        long long version;
        const char *why;
    } rows[] = {
        {"ClamAV-VDB:07 Oct 2025 04-12 -0400:27784" TAIL ":1759824720", "2025-10-07T08:12:00Z",
         27784, "as the makers write it"},
        {"ClamAV-VDB:07 Oct 2025 04-12 -0400:27784" TAIL, "2025-10-07T08:12:00Z", 27784,
         "older files have no seconds"},
        {"ClamAV-VDB:07 Oct 2025 13-12 +0900:27784" TAIL, "2025-10-07T04:12:00Z", 27784, "east"},
        {"ClamAV-VDB:07 Oct 2025 04-12 -0400:27784" TAIL ":4102444800", "2025-10-07T08:12:00Z",
         27784, "of two times the older: seconds cannot make it fresh"},
        {"ClamAV-VDB:07 Oct 2035 04-12 -0400:27784" TAIL ":1759824720", "2025-10-07T08:12:00Z",
         27784, "of two times the older: the text cannot either"},
        {"ClamAV-VDB:31 Feb 2025 04-12 -0400:27784" TAIL, NULL, 0, "no such day"},
        {"ClamAV-VDB:07 Foo 2025 04-12 -0400:27784" TAIL, NULL, 0, "no such month"},
        {"ClamAV-VDB:07 Oct 2025 04-12:27784" TAIL, NULL, 0, "no zone"},
        {"ClamAV-VDB:07 Oct 2025 04-12 -0400:x" TAIL, NULL, 0, "no version"},
        {"ClamAV-VDB:07 Oct 2025 04-12 -0400:27784", NULL, 0, "cut off"},
        {"ClamAV-VDB:", NULL, 0, "nothing"},
        {"clamav-vdb:07 Oct 2025 04-12 -0400:27784" TAIL, NULL, 0, "other magic"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char bytes[CVD_HEADER_BYTES];
        char built[TIME_TEXT_MAX] = "";
        struct cvd c = {0};
        struct err e = {0};
        memset(bytes, ' ', sizeof(bytes));
        memcpy(bytes, rows[i].text, strlen(rows[i].text));
        int rc = cvd_parse(bytes, sizeof(bytes), &c, &e);
        if (rc == 0) {
            time_utc(c.built_at_s, built);
        }
        if ((rc == 0) != (rows[i].built != NULL) || c.version != rows[i].version ||
            strcmp(built, rows[i].built != NULL ? rows[i].built : "") != 0) {
            fail_msg("%s: %d %lld %s", rows[i].why, rc, (long long)c.version, built);
        }
        /* A file shorter than a header is none. */
        assert_int_not_equal(cvd_parse(bytes, sizeof(bytes) - 1, &c, &e), 0);
    }
}

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *engine, *built; /* built NULL: nothing dated */
        bool is_clamd;
        const char *why;
    } rows[] = {
        {"ClamAV 1.4.3/27890/Fri Nov 20 17:24:00 2026", "1.4.3", "2026-11-20T03:24:00Z", true,
         "its zone is not told, so the furthest east is taken"},
        {"ClamAV 1.4.3/27890/Sun Nov  1 17:24:00 2026\n", "1.4.3", "2026-11-01T03:24:00Z", true,
         "day of one digit"},
        {"ClamAV 1.4.3", "1.4.3", NULL, true, "no daily definitions are loaded"},
        {"ClamAV 1.4.3/", "1.4.3", NULL, true, "cut off"},
        {"ClamAV 1.4.3/27890/yesterday", "1.4.3", NULL, true, "no time"},
        {"ClamAV 1.4.3/99999999999999999999/Fri Nov 20 17:24:00 2026", "1.4.3", NULL, true,
         "no number"},
        {"PONG", "", NULL, false, "another answer"},
        {"", "", NULL, false, "no answer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct clamd_version v = {.engine = ""};
        char built[TIME_TEXT_MAX] = "";
        bool is_clamd = clamd_version_parse(rows[i].text, &v);
        if (v.has_definitions) {
            time_utc(v.loaded.built_at_s, built);
        }
        if (is_clamd != rows[i].is_clamd || strcmp(v.engine, rows[i].engine) != 0 ||
            v.has_definitions != (rows[i].built != NULL) ||
            strcmp(built, rows[i].built != NULL ? rows[i].built : "") != 0) {
            fail_msg("%s: \"%s\" %s", rows[i].why, v.engine, built);
        }
    }
}

static void test_settings(void **state)
{
    (void)state;
    static const char conf[] = "# LocalSocket /run/comment\n"
                               "LocalSocketMode 666\n"
                               "  localsocket \"/run/with blank/clamd.ctl\"  \r\n"
                               "OnAccessIncludePath /srv/city\n"
                               "OnAccessExcludePath /srv/city/tmp\n"
                               "OnAccessIncludePath /home\n"
                               "DatabaseDirectory";
    CLEANUP(str) struct str scope = STR_INIT(256);
    char value[64];
    assert_true(clamdconf_value(conf, "LocalSocket", 0, value, sizeof(value)));
    assert_string_equal(value, "/run/with blank/clamd.ctl");
    assert_false(clamdconf_value(conf, "LocalSocket", 1, value, sizeof(value)));
    assert_false(clamdconf_value(conf, "DatabaseDirectory", 0, value, sizeof(value)));
    assert_false(clamdconf_value(conf, "LocalSocket", 0, value, 8));
    clamdconf_scope(conf, &scope);
    assert_string_equal(str_text(&scope), "/srv/city /home -/srv/city/tmp");
}

static void test_logs(void **state)
{
    (void)state;
    struct freshclam_log log;
    freshclam_parse("a -> daily.cld updated (version: 1, sigs: 2)\n"
                    "b -> ERROR: Can't download daily.cvd\n"
                    "c -> bytecode.cvd database is up-to-date (version: 334)\n"
                    "d -> daily.cld database is up-to-date (version: 1)\n",
                    &log);
    assert_string_equal(log.success, "d -> daily.cld database is up-to-date (version: 1)");
    assert_string_equal(log.error, "b -> ERROR: Can't download daily.cvd");
    static const char scans[] = "----------- SCAN SUMMARY -----------\n"
                                "Infected files: 0\n"
                                "Start Date: 2026:11:20 02:00:00\n"
                                "End Date:   2026:11:20 02:10:00\n"
                                "----------- SCAN SUMMARY -----------\n"
                                "Infected files: 2\nTotal errors: 3\n";
    const char *at = scans;
    struct scan_summary one;
    assert_true(scan_summary_next(&at, &one));
    assert_string_equal(one.started, "2026-11-20 02:00:00");
    assert_string_equal(one.finished, "2026-11-20 02:10:00");
    assert_int_equal(one.infected, 0);
    assert_true(scan_summary_next(&at, &one));
    assert_string_equal(one.started, "");
    assert_int_equal(one.infected, 2);
    assert_int_equal(one.errors, 3);
    assert_false(scan_summary_next(&at, &one));
}

static void test_products(void **state)
{
    (void)state;
    static const char good[] = "products:\n"
                               "  - product: one\n    vendor: A B\n    dialect: clamd\n"
                               "    daemon: [/usr/sbin/one, /opt/one]\n    config: [/etc/one]\n";
    static const struct {
        const char *text, *says, *why;
    } bad[] = {
        {"", "empty", "nothing"},
        {"products:\n  - product: x\n    vendor: y\n", "daemon", "nothing to know it by"},
        {"products:\n  - product: x\n    vendor: y\n    daemon: [clamd]\n", "absolute",
         "a name is no path"},
        {"products:\n  - product: x\n    vendor: y\n    daemon: [/usr/../tmp/x]\n", "absolute",
         "a path that climbs"},
        {"products:\n  - product: x\n    vendor: y\n    deamon: [/x]\n", "deamon", "misspelt"},
        {"products:\n  - product: x\n    vendor: y\n    daemon: [/x]\n    dialect: avd\n", "avd",
         "no such dialect"},
    };
    CLEANUP(strv) struct strv lines = {0};
    struct err e = {0};
    char value[AV_VALUE_MAX];
    assert_int_equal(products_av_lines("f", good, strlen(good), &lines, &e), 0);
    /* Once more, as from an earlier directory: what stands already is kept. */
    assert_int_equal(products_av_lines("f", good, strlen(good), &lines, &e), 0);
    assert_int_equal(lines.n, 1);
    assert_string_equal(lines.items[0], "product=one\tvendor=A B\tdialect=clamd\t"
                                        "daemon=/usr/sbin/one\tdaemon=/opt/one\tconfig=/etc/one");
    assert_true(av_value(lines.items[0], "daemon", 1, value));
    assert_string_equal(value, "/opt/one");
    assert_false(av_value(lines.items[0], "daemon", 2, value));
    assert_false(av_value(lines.items[0], "mon", 0, value));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int rc = products_av_lines("f", bad[i].text, strlen(bad[i].text), &lines, &e);
        if (rc != ERR_INVALID || strstr(e.msg, bad[i].says) == NULL) {
            fail_msg("%s: %d %s", bad[i].why, rc, e.msg);
        }
    }
    assert_int_equal(lines.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),  cmocka_unit_test(test_versions),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_logs),
        cmocka_unit_test(test_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
