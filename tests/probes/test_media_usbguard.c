/* USBGuard's rules (probes/media/usbguard.c): what a device that is in no rule would meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probes/media/usbguard.h"

#define STICK "08:06:50"

static const struct {
    const char *conf, *rules, *interface;
    enum kmod_answer want;
    const char *why;
} rows[] = {
    {"", "", STICK, KMOD_NO, "no rule, and the implicit target is block"},
    {"ImplicitPolicyTarget=allow\n", "", STICK, KMOD_YES, "the implicit target allows"},
    {"# ImplicitPolicyTarget=allow\n", "", STICK, KMOD_NO, "a comment"},
    {"ImplicitPolicyTarget=allow\n", "reject with-interface one-of { 08:*:* }\n", STICK, KMOD_NO,
     "sticks are rejected by class"},
    {"ImplicitPolicyTarget=allow\n", "reject with-interface one-of { 08:*:* }\n", "06:01:01",
     KMOD_YES, "cameras are not"},
    {"ImplicitPolicyTarget=allow\n", "block with-interface equals { 08:06:50 }\n", STICK, KMOD_YES,
     "beside a keyboard's interface it is another set"},
    {"", "allow with-interface one-of { 08:*:* }\n", STICK, KMOD_YES, "allowed by class"},
    {"", "allow\n", STICK, KMOD_YES, "everything is allowed"},
    {"", "allow id *:*\n", STICK, KMOD_YES, "any id"},
    {"", "allow id 0951:1666 serial \"A1\" with-interface 08:06:50\n", STICK, KMOD_NO,
     "one stick by its serial is no way for others"},
    {"", "allow id 0951:1666 hash \"x\" with-interface 08:06:50\n", STICK, KMOD_NO, "nor by hash"},
    {"", "allow id 0951:1666 with-interface 08:06:50\n", STICK, KMOD_YES,
     "all sticks of a model that can be bought"},
    {"", "allow id 0951:1666 serial \"\" with-interface 08:06:50\n", STICK, KMOD_YES,
     "an empty serial is that of many"},
    {"", "allow id 046d:c31c\n", STICK, KMOD_MAYBE, "a model whose interfaces nobody names"},
    {"", "allow with-interface equals { 03:01:01 }\n", STICK, KMOD_NO, "keyboards alone"},
    {"", "allow with-interface one-of { 03:01:01 03:00:00 }\n", STICK, KMOD_YES,
     "a stick that is a keyboard, too, gets in"},
    {"", "block with-interface one-of { 08:*:* }\nallow with-interface one-of { 03:01:01 }\n",
     STICK, KMOD_NO, "unless sticks are blocked before"},
    {"", "allow with-interface none-of { 03:*:* }\n", STICK, KMOD_YES, "all but keyboards"},
    {"", "allow if localtime(08:00-17:00)\n", STICK, KMOD_MAYBE, "a condition"},
    {"ImplicitPolicyTarget=allow\n", "block if true\n", STICK, KMOD_YES,
     "a block with a condition is no barrier"},
    {"", "let-in everything\n", STICK, KMOD_MAYBE, "a target that is not understood"},
    {"InsertedDevicePolicy=allow\n", "", STICK, KMOD_YES, "rules are not asked"},
    {"InsertedDevicePolicy=reject\n", "allow\n", STICK, KMOD_NO, "nor here"},
};

static void test_unknown_devices(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct usbguard_conf c;
        char rule[128];
        usbguard_conf_parse(rows[i].conf, strlen(rows[i].conf), &c);
        enum kmod_answer got =
            usbguard_allows(&c, &rows[i].rules, 1, rows[i].interface, rule, sizeof(rule));
        if (got != rows[i].want) {
            fail_msg("%s: got %d by \"%s\"", rows[i].why, (int)got, rule);
        }
    }
}

static void test_settings(void **state UNUSED)
{
    static const char text[] = "RuleFile = /etc/usbguard/r.conf\nPresentDevicePolicy=keep\n";
    struct usbguard_conf c;
    usbguard_conf_parse(text, strlen(text), &c);
    assert_string_equal(c.rule_file, "/etc/usbguard/r.conf");
    assert_true(c.present_keeps && c.inserted_applies && !c.implicit_allows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_devices),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
