/* The Prometheus text file: every line is of the format, nothing twice, and the numbers are those
 * of the verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/commands/metrics.h"

/* One contract with two clauses and one check, one probe's table; filled by set_up. */
struct fixture {
    struct session session;
    struct policy policy;
    struct framework framework;
    struct control controls[2];
    struct control_result control_results[2];
    struct check check;
    struct check_result check_result;
    struct evaluation evaluation;
    struct judged judged;
    struct fact_table table, site_table;
    struct fact_table *tables[2];
};

static const struct table declared = {.name = "disk_table"};
static const struct table declared_site = {.name = "site_host"};

static void fill(struct fixture *f, const char *contract)
{
    memset(f, 0, sizeof(*f));
    f->policy.version = "1.0";
    f->policy.unmodified = true;
    f->framework.id = "sapporo-7-2";
    f->controls[0].id = "5.6a";
    f->controls[1].id = "5.6b";
    f->control_results[0] =
        (struct control_result){.control = &f->controls[0], .verdict = VERDICT_FAIL};
    f->control_results[1] =
        (struct control_result){.control = &f->controls[1], .verdict = VERDICT_PASS};
    f->check.id = "disk-encrypted";
    f->check_result = (struct check_result){.check = &f->check, .verdict = VERDICT_FAIL};
    f->evaluation.controls = f->control_results;
    f->evaluation.n_controls = 2;
    f->evaluation.checks = &f->check_result;
    f->evaluation.n_checks = 1;
    (void)snprintf(f->judged.contract, sizeof(f->judged.contract), "%s", contract);
    f->judged.framework = &f->framework;
    f->judged.evaluation = &f->evaluation;
    f->judged.sequence = 214;
    f->table = (struct fact_table){
        .decl = &declared, .probe = "disk", .state = STATE_DENIED, .wanted = true};
    f->site_table = (struct fact_table){
        .decl = &declared_site, .probe = "", .state = STATE_COMPLETE, .wanted = true};
    f->tables[0] = &f->table;
    f->tables[1] = &f->site_table;
    f->session.policy = &f->policy;
    f->session.time_s = 1793491200;
    f->session.scan.facts = (struct facts){.tables = f->tables, .n = 2};
}

static struct metrics_request request_of(const struct fixture *f, bool recorded)
{
    return (struct metrics_request){.session = &f->session,
                                    .list = &f->judged,
                                    .n = 1,
                                    .wall_us = 312345,
                                    .recorded = recorded,
                                    .n_unacknowledged = 3};
}

static void test_metrics_text_lines(void **state UNUSED)
{
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"\ntenken_last_run_timestamp_seconds 1793491200\n", "the scan's time, not the clock's"},
        {"\ntenken_last_run_duration_seconds 0.312345\n", "seconds, as the name says"},
        {"\ntenken_controls{contract=\"C-1\",framework=\"sapporo-7-2\",verdict=\"fail\"} 1\n",
         "counted"},
        {"\ntenken_controls{contract=\"C-1\",framework=\"sapporo-7-2\",verdict=\"unknown\"} 0\n",
         "zeros are there: an alert needs them"},
        {"\ntenken_control_verdict{contract=\"C-1\",framework=\"sapporo-7-2\",control=\"5.6a\","
         "verdict=\"fail\"} 1\n",
         "clause by clause"},
        {"\ntenken_check_verdict{contract=\"C-1\",framework=\"sapporo-7-2\",check=\"disk-"
         "encrypted\",verdict=\"fail\"} 1\n",
         "check by check"},
        {"\ntenken_probe_complete{probe=\"disk\",table=\"disk_table\"} 0\n",
         "denied is not complete"},
        {"\ntenken_evidence_sequence{contract=\"C-1\",framework=\"sapporo-7-2\"} 214\n",
         "recorded"},
        {"\ntenken_spool_unacknowledged 3\n", "recorded"},
    };
    struct fixture f;
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    fill(&f, "C-1");
    struct metrics_request rq = request_of(&f, true);
    metrics_text(&rq, &out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strstr(str_text(&out), rows[i].line) == NULL) {
            fail_msg("lacks %s (%s) in\n%s", rows[i].line, rows[i].why, str_text(&out));
        }
    }
    assert_null(strstr(str_text(&out), "site_host")); /* what is declared is no observation */
    assert_int_equal(out.data[out.len - 1], '\n');
}

static void test_metrics_text_not_recorded(void **state UNUSED)
{
    struct fixture f;
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    fill(&f, "C-1");
    struct metrics_request rq = request_of(&f, false);
    metrics_text(&rq, &out);
    assert_non_null(strstr(str_text(&out), "# TYPE tenken_evidence_sequence gauge\n"));
    assert_null(strstr(str_text(&out), "\ntenken_evidence_sequence{"));
    assert_null(strstr(str_text(&out), "\ntenken_spool_unacknowledged "));
}

static void test_metrics_text_escapes(void **state UNUSED)
{
    struct fixture f;
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    fill(&f, "a\"b\\c\nd");
    struct metrics_request rq = request_of(&f, false);
    metrics_text(&rq, &out);
    assert_non_null(strstr(str_text(&out), "{contract=\"a\\\"b\\\\c\\nd\",framework="));
    assert_null(strstr(str_text(&out), "\nd\"")); /* no label breaks its line */
}

/* HELP and TYPE once for each family, before its series; no series twice; no time at the end. */
static void test_metrics_text_form(void **state UNUSED)
{
    struct fixture f;
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    char family[128] = "";
    char lines[64][256];
    size_t n = 0;
    fill(&f, "C-1");
    struct metrics_request rq = request_of(&f, true);
    metrics_text(&rq, &out);
    char *rest = out.data;
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n")) {
        char name[128];
        if (sscanf(line, "# TYPE %127s gauge", name) == 1) {
            assert_string_equal(name, family); /* its HELP stands right before */
            continue;
        }
        if (sscanf(line, "# HELP %127s ", name) == 1) {
            assert_string_not_equal(name, family);
            (void)snprintf(family, sizeof(family), "%s", name);
            continue;
        }
        char *value = strrchr(line, ' ');
        char *end = NULL;
        assert_non_null(value);
        assert_true(strtod(value + 1, &end) >= 0 && *end == '\0');
        *value = '\0';
        assert_int_equal(strcspn(line, "{"), strlen(family));
        assert_memory_equal(line, family, strlen(family));
        for (size_t i = 0; i < n; i++) {
            assert_string_not_equal(lines[i], line);
        }
        assert_true(n < ARRAY_LEN(lines));
        (void)snprintf(lines[n++], sizeof(lines[0]), "%s", line);
    }
    assert_true(n > 12);
}

static void test_metrics_write(void **state UNUSED)
{
    struct fixture f;
    struct err e = {0};
    char dir[] = "/tmp/tenken-metrics-XXXXXX";
    char path[64];
    struct stat st;
    fill(&f, "C-1");
    struct metrics_request rq = request_of(&f, true);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/t.prom", dir);
    mode_t old = umask(077);
    assert_int_equal(metrics_write(&rq, path, &e), 0);
    assert_int_equal(metrics_write(&rq, path, &e), 0); /* replaces */
    (void)umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644); /* the exporter is another user */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
    assert_true(metrics_write(&rq, "/nonexistent/dir/t.prom", &e) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_text_lines), cmocka_unit_test(test_metrics_text_not_recorded),
        cmocka_unit_test(test_metrics_text_escapes), cmocka_unit_test(test_metrics_text_form),
        cmocka_unit_test(test_metrics_write)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
