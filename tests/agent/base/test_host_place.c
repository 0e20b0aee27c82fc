/* agent/base/host_place.c: against the mount table of the machine that runs the test. */
#include "tests/agent/base/unit.h"

#include "agent/base/host.h"

/* Mount ids that mountinfo lists for that mount point; the last one is on top. 0: none. */
static unsigned long mount_id_of(const char *point)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    assert_non_null(f);
    char line[4096];
    unsigned long found = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        char *rest = NULL;
        unsigned long id = strtoul(line, &rest, 10);
        for (int blanks = 0; blanks < 3; blanks++) { /* parent, device, root */
            rest = strchr(rest + 1, ' ');
            assert_non_null(rest);
        }
        size_t n = strcspn(rest + 1, " ");
        if (n == strlen(point) && memcmp(rest + 1, point, n) == 0) {
            found = id;
        }
    }
    assert_int_equal(fclose(f), 0);
    return found;
}

static void test_live_mount_ids(void **state)
{
    (void)state;
    struct err e = {0};
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open("/", &h, &e), 0);
    static const char *const points[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        struct host_place place = {0};
        unsigned long id = mount_id_of(points[i]);
        assert_int_equal(host_place(h, points[i], &place, &e), 0);
        if (id != 0 && place.has_mount_id) {
            CHECK_ROW(points[i], place.mount_id == id);
        }
    }
    struct host_place kept = {.mount_id = 42};
    assert_int_equal(host_place(h, "/no/such/place", &kept, &e), ERR_ABSENT);
    assert_int_equal(kept.mount_id, 42);
}

static void test_a_tree_says_nothing(void **state)
{
    const char *dir = *state;
    struct err e = {0};
    put_text(in_dir(dir, "file"), "x");
    CLEANUP(host) struct host *h = NULL;
    assert_int_equal(host_open(dir, &h, &e), 0);
    struct host_place place = {true, 42, true, true};
    assert_int_equal(host_place(h, "/file", &place, &e), 0);
    assert_false(place.has_mount_id);
    assert_false(place.knows_encrypted);
    assert_false(place.is_encrypted);
    assert_int_equal(host_place(h, "/none", &place, &e), ERR_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_mount_ids),
        cmocka_unit_test_setup_teardown(test_a_tree_says_nothing, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
