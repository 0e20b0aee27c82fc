/* What lies between looking and concluding in the media probe, on captured hosts. The rows are held
 * against tests/hosts by test_hosts.c. Covers probes/media/gather.c, probes/media/world.c,
 * probes/media/gate.c, probes/media/media.c, and with the hosts probes/media/paths.c,
 * probes/media/policy.c, probes/media/devices.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/scan/local.h"
#include "probes/media/tables.h"

#define HOSTS_DIR TENKEN_SOURCE_DIR "/tests/hosts/"

static void make_world(const char *name, struct media_state *s, struct media_world *w)
{
    char path[4096];
    CLEANUP(host) struct host *h = NULL;
    struct err e = {.code = 0};
    (void)snprintf(path, sizeof(path), "%s%s", HOSTS_DIR, name);
    assert_int_equal(host_open(path, &h, &e), 0);
    assert_int_equal(media_gather(h, s, &e), 0);
    assert_int_equal(media_world_make(s, w, &e), 0);
}

static struct media_state *new_state(void)
{
    struct media_state *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        abort();
    }
    return s;
}

static void test_what_the_usb_core_lets_through(void **state UNUSED)
{
    static const struct {
        const char *host;
        bool alive;
        int hubs, closed, now, boot;
        bool absent;
        const char *why;
    } rows[] = {
        {"usb-install-false", false, 1, 0, 0, 0, false, "one controller that authorises"},
        {"authorized-default-0", false, 2, 2, 1, 1, false, "closed, and by the command line"},
        {"second-controller-open", false, 2, 1, 0, 1, false, "one of two is open now"},
        {"usbguard-running", true, 2, 2, 1, 1, false, "the daemon lives and allows nothing"},
        {"usbguard-running", false, 2, 2, 1, NOT_KNOWN, false, "enabled, and yet it does not run"},
        {"usbguard-allow-all", true, 1, 1, 0, 0, false, "its rules allow sticks"},
        {"usbguard-stopped", false, 2, 0, 0, 0, false, "neither running nor enabled"},
        {"no-usb-vm", false, 0, 0, 0, 0, true, "no controller"},
        {"monolithic-kernel", false, 0, 0, 0, 0, true, "no USB in the kernel"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(media_state) struct media_state *s = new_state();
        CLEANUP(media_world) struct media_world w = {.s = NULL};
        struct usb_gate g;
        make_world(rows[i].host, s, &w);
        media_usb_gate(&w, rows[i].alive, "08:06:50", &g);
        if (g.hubs != rows[i].hubs || g.hubs_closed != rows[i].closed ||
            g.bus_absent != rows[i].absent || g.blocks_now != rows[i].now ||
            g.blocks_boot != rows[i].boot) {
            fail_msg("%s: %s: hubs %d closed %d absent %d now %d boot %d (%s)", rows[i].host,
                     rows[i].why, g.hubs, g.hubs_closed, g.bus_absent, g.blocks_now, g.blocks_boot,
                     g.why);
        }
    }
}

static void test_which_rules_count(void **state UNUSED)
{
    static const struct {
        const char *host;
        size_t rules;
        const char *why;
    } rows[] = {
        {"usb-install-false", 2, "both lines of the file"},
        {"modprobe-d-shadowed", 0, "a file of that name in /etc hides the one in /usr/lib"},
        {"not-dot-conf", 0, "only names that end in .conf"},
        {"usb-blacklist-only", 1, "a blacklist line"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(media_state) struct media_state *s = new_state();
        CLEANUP(media_world) struct media_world w = {.s = NULL};
        make_world(rows[i].host, s, &w);
        if (w.conf.n != rows[i].rules || w.doubt != NULL) {
            fail_msg("%s: %s: %zu rules", rows[i].host, rows[i].why, w.conf.n);
        }
    }
}

/* Nothing was read of logs: no row may ever look like "nothing was plugged". */
static void test_events_are_never_empty_and_complete(void **state UNUSED)
{
    static const char *const tables[] = {"media_events", "event_coverage", NULL};
    CLEANUP(host) struct host *h = NULL;
    CLEANUP(facts) struct facts facts = {.n = 0};
    struct err e = {.code = 0};
    assert_int_equal(host_open("/", &h, &e), 0);
    assert_int_equal(probe_run_local(&probe_media, h, tables, NULL, 0, &facts, &e), 0);
    for (size_t i = 0; tables[i] != NULL; i++) {
        assert_int_equal(facts_find(&facts, tables[i])->state, STATE_DENIED);
        assert_true(facts_find(&facts, tables[i])->reason[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_usb_core_lets_through),
        cmocka_unit_test(test_which_rules_count),
        cmocka_unit_test(test_events_are_never_empty_and_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
