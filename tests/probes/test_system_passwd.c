/* probes/system/passwd.c, probes/system/text.c: passwd(5), group(5), shadow(5) as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/str.h"
#include "probes/system/passwd.h"

struct line_case {
    const char *why;
    const char *text;
    size_t n; /* 0: strlen */
    const char *want;
    size_t bad, first_bad;
};

static size_t case_len(const struct line_case *c)
{
    return c->n > 0 ? c->n : strlen(c->text);
}

static void show_span(struct str *out, struct span s)
{
    str_add_char(out, '<');
    str_add_bytes(out, s.n > 0 ? s.p : "", s.n);
    str_add_char(out, '>');
}

static void show_user(const struct passwd_row *u, void *arg)
{
    struct str *out = arg;

    show_span(out, u->name);
    str_addf(out, "%lld,%lld", (long long)u->uid, (long long)u->gid);
    show_span(out, u->gecos);
    show_span(out, u->home);
    show_span(out, u->shell);
    str_add_char(out, ';');
}

static void show_group(const struct group_row *g, void *arg)
{
    struct str *out = arg;
    struct span rest = g->members;
    struct span member;

    show_span(out, g->name);
    str_addf(out, "%lld", (long long)g->gid);
    while (group_next_member(&rest, &member)) {
        show_span(out, member);
    }
    str_add_char(out, ';');
}

static void show_shadow(const struct shadow_row *x, void *arg)
{
    struct str *out = arg;

    show_span(out, x->name);
    str_addf(out, "%s,%s,%lld,%lld,%lld,%lld,%lld,%lld,%lld;", password_status_word(x->status),
             x->hash_alg, (long long)x->last_change, (long long)x->min, (long long)x->max,
             (long long)x->warning, (long long)x->inactive, (long long)x->expire,
             (long long)x->flag);
}

static void check(const struct line_case *c, const struct str *seen, const struct parse_report *r)
{
    if (strcmp(str_text(seen), c->want) != 0 || r->bad != c->bad || r->first_bad != c->first_bad) {
        fail_msg("%s: want %s (bad %zu, first %zu), seen %s (bad %zu, first %zu)", c->why, c->want,
                 c->bad, c->first_bad, str_text(seen), r->bad, r->first_bad);
    }
}

static void test_passwd(void **state)
{
    static const struct line_case cases[] = {
        {"an ordinary line", "root:x:0:0:root:/root:/bin/bash\n", 0,
         "<root>0,0<root></root></bin/bash>;", 0, 0},
        {"the last line needs no newline", "a:x:1:2:::", 0, "<a>1,2<><><>;", 0, 0},
        {"what follows gid may be missing", "a:x:1:2\nb:x:3:4:g\n", 0,
         "<a>1,2<><><>;<b>3,4<g><><>;", 0, 0},
        {"blank lines, comments and NIS lines are passed over", "\n#x:y\n+::::::\n-bad\n  \n", 0,
         "", 0, 0},
        {"a carriage return belongs to the shell", "a:x:1:2:::/bin/sh\r\n", 0,
         "<a>1,2<><></bin/sh\r>;", 0, 0},
        {"largest id", "a:x:4294967295:4294967295:::\n", 0, "<a>4294967295,4294967295<><><>;", 0,
         0},
        {"id out of range, good line behind it", "a:x:4294967296:0:::\nb:x:1:1:::\n", 0,
         "<b>1,1<><><>;", 1, 1},
        {"no negative id", "b:x:1:1:::\na:x:-1:0:::\n", 0, "<b>1,1<><><>;", 1, 2},
        {"no id", "a:x::0:::\n", 0, "", 1, 1},
        {"no name", ":x:0:0:::\n", 0, "", 1, 1},
        {"too many fields", "a:x:0:0:::/bin/sh:more\n", 0, "", 1, 1},
        {"too few fields", "a:x:0\n", 0, "", 1, 1},
        {"a NUL", "a\0b:x:0:0:::\nc:x:1:1:::\n", 24, "<c>1,1<><><>;", 1, 1},
        {"binary junk", "\x7f\x45LF\x01\x02\xff\xfe\n\x80\x81\n", 0, "", 2, 1},
        {"nothing at all", "", 0, "", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str seen = STR_INIT(4096);
        struct parse_report r;
        passwd_parse(cases[i].text, case_len(&cases[i]), show_user, &seen, &r);
        check(&cases[i], &seen, &r);
    }
}

static void test_group(void **state)
{
    static const struct line_case cases[] = {
        {"members", "sudo:x:27:a,b\n", 0, "<sudo>27<a><b>;", 0, 0},
        {"no members", "g:x:1:\nh:x:2\n", 0, "<g>1;<h>2;", 0, 0},
        {"empty members and blanks are passed over", "g:x:1:,a,, b ,\n", 0, "<g>1<a><b>;", 0, 0},
        {"fields behind the members", "g:x:1:a:b\n", 0, "", 1, 1},
        {"no number", "g:x:one:a\ng:x:1:\n", 0, "<g>1;", 1, 1},
        {"NUL among the members", "g:x:1:a\0b\n", 10, "", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str seen = STR_INIT(4096);
        struct parse_report r;
        group_parse(cases[i].text, case_len(&cases[i]), show_group, &seen, &r);
        check(&cases[i], &seen, &r);
    }
}

static void test_shadow(void **state)
{
    static const struct line_case cases[] = {
        {"yescrypt", "a:$y$j9T$salt$hash:20000:0:99999:7:::\n", 0,
         "<a>active,y,20000,0,99999,7,-1,-1,-1;", 0, 0},
        {"SHA-512 and every number", "a:$6$rounds=5000$s$h:1:2:3:4:5:6:7\n", 0,
         "<a>active,6,1,2,3,4,5,6,7;", 0, 0},
        {"an id with an underscore", "a:$gost_yesc$x:::::::\n", 0,
         "<a>active,gost_yesc,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"DES has no id", "a:abJnggxhB/yWI:::::::\n", 0, "<a>active,,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"never set", "a:!!:::::::\n", 0, "<a>not_set,,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"locked with a hash behind it", "a:!$6$s$h:::::::\n", 0,
         "<a>locked,,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"star and x lock", "a:*:::::::\nb:x:::::::\n", 0,
         "<a>locked,,-1,-1,-1,-1,-1,-1,-1;<b>locked,,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"no password is asked for", "a::0:::::-1:\n", 0, "<a>empty,,0,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"a short line is as good as one with empty fields", "a:*\n", 0,
         "<a>locked,,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"what is too long for an id is not shown", "a:$AReallyLongSecretWithoutAnId$x:::::::\n", 0,
         "<a>active,,-1,-1,-1,-1,-1,-1,-1;", 0, 0},
        {"junk in a number", "a:*:12x::::::\n", 0, "", 1, 1},
        {"a number too large", "a:*:99999999999999999999::::::\n", 0, "", 1, 1},
        {"ten fields", "a:*::::::::\n", 0, "", 1, 1},
        {"no colon", "a\n", 0, "", 1, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(str) struct str seen = STR_INIT(4096);
        struct parse_report r;
        shadow_parse(cases[i].text, case_len(&cases[i]), show_shadow, &seen, &r);
        check(&cases[i], &seen, &r);
        assert_null(strstr(str_text(&seen), "salt"));
    }
}

static void test_names_have_a_limit(void **state)
{
    CLEANUP(str) struct str text = STR_INIT(4096);
    CLEANUP(str) struct str seen = STR_INIT(4096);
    struct parse_report r;

    (void)state;
    for (size_t i = 0; i <= ACCOUNT_NAME_MAX; i++) {
        str_add_char(&text, 'n');
    }
    str_add(&text, ":x:0:0:::\n");
    passwd_parse(str_text(&text), text.len, show_user, &seen, &r);
    assert_int_equal(r.bad, 1);
    passwd_parse(str_text(&text) + 1, text.len - 1, show_user, &seen, &r);
    assert_int_equal(r.bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwd),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_shadow),
        cmocka_unit_test(test_names_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
