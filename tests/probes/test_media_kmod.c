/* kmod's configuration and probe lists (probes/media/kmod_conf.c, probes/media/kmod_index.c,
 * probes/media/kmod_probe.c, probes/media/kmod_reach.c): rows with known answers, and generated
 * trees held against modprobe itself. The seed is printed; TENKEN_SEED sets the first one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/io.h"
#include "probes/media/kmod.h"

#define DEP                                                                                        \
    "kernel/usbcore.ko:\n"                                                                         \
    "kernel/usb-storage.ko.xz: kernel/usbcore.ko\n"                                                \
    "kernel/uas.ko: kernel/usb-storage.ko.xz kernel/usbcore.ko\n"                                  \
    "kernel/ums-x.ko: kernel/usb-storage.ko.xz kernel/usbcore.ko\n"                                \
    "kernel/pci-x.ko:\n"
#define ALIASES                                                                                    \
    "alias usb:v*p*d*ic08isc06ip62in* uas\n"                                                       \
    "alias usb:v*p*d*ic08isc06ip50in* uas\n"                                                       \
    "alias usb:v*p*d*ic08isc06ip50in* usb_storage\n"                                               \
    "alias usb:v0BDAp0138d* ums_x\n"                                                               \
    "alias pci:v* pci_x\n"

static const struct {
    const char *conf, *cmdline, *driver;
    enum kmod_answer want;
    bool disabled;
    const char *why;
} reaches[] = {
    {"", "", "usb_storage", KMOD_YES, false, "nothing stands against it"},
    {"blacklist usb-storage\n", "", "usb_storage", KMOD_YES, false, "uas pulls it in"},
    {"blacklist usb-storage\nblacklist uas\n", "", "usb_storage", KMOD_YES, false,
     "another driver for some sticks pulls it in"},
    {"blacklist usb-storage\nblacklist uas\nblacklist ums-x\n", "", "usb_storage", KMOD_NO, false,
     "no alias is left that leads to it"},
    {"install usb-storage /bin/false\n", "", "uas", KMOD_NO, false,
     "what it needs does not load, so it does not either"},
    {"install usb-storage /bin/true\n", "", "uas", KMOD_NO, false,
     "a command that ends well has loaded nothing all the same"},
    {"install uas /bin/false\n", "", "usb_storage", KMOD_YES, false,
     "only the other one is barred"},
    {"install uas /bin/false\nblacklist usb-storage\nblacklist ums-x\n", "", "usb_storage",
     KMOD_YES, false, "what uas needs is loaded before its own command fails"},
    {"install usb?storage /bin/false # never\n", "", "usb_storage", KMOD_NO, false,
     "a pattern, and a comment for the shell"},
    {"install usb-storage /bin/false; modprobe -i usb-storage\n", "", "usb_storage", KMOD_MAYBE,
     false, "a command that may load it"},
    {"install usb-storage /bin/false\nsoftdep usb-storage pre: pci-x\n", "", "usb_storage",
     KMOD_YES, false, "libkmod ignores the command of a module with soft dependencies"},
    {"# install usb-storage /bin/false\n", "", "usb_storage", KMOD_YES, false, "a comment"},
    {"alias usb:v*p*d*ic08isc06* off\nblacklist ums-x\n", "", "usb_storage", KMOD_NO, false,
     "an alias of the configuration hides the kernel's"},
    {"alias usb:v0951p1666d*ic08isc06* off\n", "", "usb_storage", KMOD_YES, false,
     "an alias for one model hides nothing from others"},
    {"", "quiet module_blacklist=foo,usb_storage", "uas", KMOD_NO, false, "the kernel refuses it"},
    {"", "modprobe.blacklist=uas,usb-storage,ums_x", "usb_storage", KMOD_NO, false,
     "blacklisted by the command line"},
    {"", "modprobe.blacklist=usb-storage", "usb_storage", KMOD_YES, false,
     "one alone is led round"},
    {"", "-- modprobe.blacklist=uas,usb-storage,ums_x", "usb_storage", KMOD_YES, false,
     "behind -- the words are init's"},
    {"", "", "usb_storage", KMOD_NO, true, "modules_disabled"},
    {"", "", "nothing", KMOD_NO, false, "no such driver"},
};

static void test_ways_in(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(reaches); i++) {
        CLEANUP(kmod_conf) struct kmod_conf conf = {.rules = NULL};
        CLEANUP(kmod_index) struct kmod_index index = {.modules = NULL};
        struct err e = {.code = 0};
        struct kmod_reach r;
        const char *cmdline = reaches[i].cmdline;
        assert_int_equal(kmod_index_add(&index, DEP, strlen(DEP), false, &e), 0);
        assert_int_equal(kmod_index_add_aliases(&index, ALIASES, strlen(ALIASES), &e), 0);
        assert_int_equal(
            kmod_conf_parse(&conf, "x.conf", reaches[i].conf, strlen(reaches[i].conf), &e), 0);
        assert_int_equal(kmod_conf_cmdline(&conf, cmdline, strlen(cmdline), &e), 0);
        struct kmod_world w = {.conf = &conf,
                               .index = &index,
                               .modules_disabled = reaches[i].disabled,
                               .barriers = KMOD_BY_ALL};
        assert_int_equal(kmod_reach(&w, reaches[i].driver, &r, &e), 0);
        if (r.answer != reaches[i].want) {
            fail_msg("%s: got %d, %s", reaches[i].why, (int)r.answer, r.why);
        }
    }
}

static void test_loaded_and_built_in(void **state UNUSED)
{
    CLEANUP(kmod_conf) struct kmod_conf conf = {.rules = NULL};
    CLEANUP(kmod_index) struct kmod_index index = {.modules = NULL};
    static const char rules[] = "install usb-storage /bin/false\ninstall uas /bin/false\n";
    struct err e = {.code = 0};
    struct kmod_reach r;
    assert_int_equal(kmod_conf_parse(&conf, "x", rules, strlen(rules), &e), 0);
    assert_int_equal(kmod_index_add(&index, DEP, strlen(DEP), false, &e), 0);
    struct kmod_world w = {.conf = &conf, .index = &index, .barriers = KMOD_BY_ALL};
    kmod_index_find(&index, "usb-storage", 11)->loaded = true;
    assert_int_equal(kmod_reach(&w, "usb_storage", &r, &e), 0);
    assert_int_equal(r.answer, KMOD_YES); /* the rule came too late */
    w.after_boot = true;
    assert_int_equal(kmod_reach(&w, "usb_storage", &r, &e), 0);
    assert_int_equal(r.answer, KMOD_NO);
    kmod_index_find(&index, "usb_storage", 11)->builtin = true;
    assert_int_equal(kmod_reach(&w, "usb_storage", &r, &e), 0);
    assert_int_equal(r.answer, KMOD_YES); /* no rule reaches what is built in */
}

static void test_bad_lines_are_counted(void **state UNUSED)
{
    static const char text[] = "install\nblacklist [a\nfoo bar\n  # no comment\nalias a\n\n"
                               "blacklist a\\\n-b\n";
    CLEANUP(kmod_conf) struct kmod_conf conf = {.rules = NULL};
    struct err e = {.code = 0};
    assert_int_equal(kmod_conf_parse(&conf, "bad.conf", text, strlen(text), &e), 0);
    assert_int_equal(conf.n_bad, 5);
    assert_string_equal(conf.first_bad, "bad.conf:1");
    assert_int_equal(conf.n, 1);
    assert_string_equal(conf.rules[0].name, "a_b");
    assert_int_equal(conf.rules[0].line, 7);
}

/* --- against modprobe --- */

#define MODULES 9U
#define TREES 40U

/* xorshift: the same trees on every machine */
static uint32_t next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static uint32_t below(uint32_t *seed, uint32_t n)
{
    return next(seed) % n;
}

struct entry {
    char key[32];
    char value[512];
};

static void put32(struct str *out, uint32_t v)
{
    char b[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    str_add_bytes(out, b, 4);
}

/* depmod's index: a tree of characters; offset and flags of a node in one number. */
static uint32_t put_node(struct str *out, const struct entry *list, size_t n, size_t depth)
{
    uint32_t child[128] = {0};
    unsigned first = 128;
    unsigned last = 0;
    size_t values = 0;
    while (values < n && list[values].key[depth] == '\0') {
        values++;
    }
    for (size_t i = values; i < n;) {
        unsigned c = (unsigned char)list[i].key[depth];
        size_t same = 1;
        while (i + same < n && (unsigned char)list[i + same].key[depth] == c) {
            same++;
        }
        child[c] = put_node(out, list + i, same, depth + 1);
        first = c < first ? c : first;
        last = c;
        i += same;
    }
    uint32_t at = (uint32_t)out->len;
    if (first <= last) {
        str_add_char(out, (char)first);
        str_add_char(out, (char)last);
        for (unsigned c = first; c <= last; c++) {
            put32(out, child[c]);
        }
        at |= 0x20000000U;
    }
    if (values > 0) {
        put32(out, (uint32_t)values);
        for (size_t i = 0; i < values; i++) {
            put32(out, (uint32_t)i);
            str_add_bytes(out, list[i].value, strlen(list[i].value) + 1);
        }
        at |= 0x40000000U;
    }
    return at;
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return strcmp(x->key, y->key);
}

static void write_index(const char *dir, const char *name, struct entry *list, size_t n)
{
    CLEANUP(str) struct str out = STR_INIT(1 << 20);
    char path[512];
    struct err e = {.code = 0};
    qsort(list, n, sizeof(*list), by_key);
    put32(&out, 0xB007F457U);
    put32(&out, 0x00020001U);
    put32(&out, 0);
    uint32_t root = put_node(&out, list, n, 0);
    char b[4] = {(char)(root >> 24), (char)(root >> 16), (char)(root >> 8), (char)root};
    memcpy(out.data + 8, b, 4);
    (void)snprintf(path, sizeof(path), "%s/lib/modules/1/%s", dir, name);
    assert_int_equal(io_write_atomic(path, out.data, out.len, 0644, &e), 0);
}

/* m0 ... m8, each needing some of those before it; m7 and m8 built in. */
static void make_modules(uint32_t *seed, const char *dir, struct str *dep, struct str *builtin)
{
    struct entry list[MODULES];
    struct entry in[2];
    struct entry none[1] = {{.key = "x:nothing", .value = "m0"}};
    for (unsigned i = 0; i < MODULES - 2; i++) {
        uint32_t bits = next(seed) & next(seed) & ((1U << i) - 1);
        (void)snprintf(list[i].key, sizeof(list[i].key), "m%u", i);
        int n = snprintf(list[i].value, sizeof(list[i].value), "kernel/m%u.ko:", i);
        for (unsigned k = i; k-- > 0;) {
            if ((bits >> k & 1U) != 0) {
                n += snprintf(list[i].value + n, sizeof(list[i].value) - (size_t)n,
                              " kernel/m%u.ko", k);
            }
        }
        str_addf(dep, "%s\n", list[i].value);
    }
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(in[i].key, sizeof(in[i].key), "m%u", i + MODULES - 2);
        in[i].value[0] = '\0';
        str_addf(builtin, "kernel/m%u.ko\n", i + MODULES - 2);
    }
    write_index(dir, "modules.dep.bin", list, MODULES - 2);
    write_index(dir, "modules.builtin.bin", in, 2);
    write_index(dir, "modules.alias.bin", none, 1);
    memcpy(none[0].key, "symbol:z", sizeof("symbol:z"));
    write_index(dir, "modules.symbols.bin", none, 1);
}

static void add_line(uint32_t *seed, struct str *out)
{
    static const char *const blanks[] = {" ", "\t", "  ", " \t ", " \\\n "};
    static const char *const forms[] = {"blacklist%sm%u%s",
                                        "install%sm%u%s/bin/false",
                                        "install%sm%u%s/sbin/x --y $CMDLINE_OPTS",
                                        "softdep%sm%u%spre: m1 m3 post: m5",
                                        "softdep%sm%u%spost: al-2 m2",
                                        "alias%sal-%u%sm4",
                                        "alias%sal_%u%sm-0",
                                        "install%s[m]%u%s/bin/true # x",
                                        "blacklist%s[m%u%s",
                                        "softdep%sm%u%s",

                                        "#%sblacklist m%u%s",
                                        " %sblacklist m%u%s",
                                        "%sfoo m%u%s",
                                        "remove%sm%u%s/bin/x",
                                        "blacklist%sm-%u%s",
                                        "install%s*%u%s/bin/q\\\\r"};
    const char *form = forms[below(seed, ARRAY_LEN(forms))];
    const char *one = blanks[below(seed, ARRAY_LEN(blanks))];
    const char *two = blanks[below(seed, ARRAY_LEN(blanks))];
    unsigned number = below(seed, MODULES);
    char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof(text), form, one, number, two);
#pragma GCC diagnostic pop
    str_add(out, text);
    str_add(out, below(seed, 8) == 0 ? "\n\n" : "\n");
}

/* modprobe's answer, without its directory and without blanks at line ends. */
static void ask_modprobe(const char *dir, const char *arguments, struct str *out)
{
    char command[1024];
    char line[4096];
    char prefix[600];
    (void)snprintf(command, sizeof(command),
                   "/sbin/modprobe -C %s/modprobe.d -d %s -S 1 %s 2>/dev/null", dir, dir,
                   arguments);
    (void)snprintf(prefix, sizeof(prefix), "insmod %s/lib/modules/1/", dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL && strncmp(line, "# End of", 8) != 0) {
        size_t n = strlen(line);
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' ')) {
            line[--n] = '\0';
        }
        size_t skip = strncmp(line, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
        /* options of a module are not what is compared */
        char *options = skip > 0 ? strchr(line + skip, ' ') : NULL;
        if (options != NULL) {
            *options = '\0';
        }
        str_addf(out, "%s%s\n", skip > 0 ? "insmod " : "", line + skip);
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        continue;
    }
    (void)pclose(f);
}

static void keep_lines(const struct str *all, const char *word, struct str *out)
{
    for (const char *p = str_text(all); *p != '\0';) {
        size_t n = strcspn(p, "\n");
        if (strncmp(p, word, strlen(word)) == 0) {
            str_add_bytes(out, p, n + 1);
        }
        p += n + (p[n] == '\n');
    }
}

static void compare_config(const char *dir, const struct kmod_conf *conf, uint32_t seed)
{
    static const struct {
        int kind;
        const char *word;
    } kinds[] = {
        {KMOD_ALIAS, "alias "}, {KMOD_BLACKLIST, "blacklist "}, {KMOD_INSTALL, "install "}};
    CLEANUP(str) struct str all = STR_INIT(1 << 20);
    ask_modprobe(dir, "--showconfig", &all);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        CLEANUP(str) struct str want = STR_INIT(1 << 20);
        CLEANUP(str) struct str got = STR_INIT(1 << 20);
        keep_lines(&all, kinds[k].word, &want);
        for (size_t i = 0; i < conf->n; i++) {
            const struct kmod_rule *r = &conf->rules[i];
            if ((int)r->kind == kinds[k].kind) {
                size_t n = strlen(r->text);
                while (n > 0 && r->text[n - 1] == ' ') {
                    n--;
                }
                str_addf(&got, "%s%s%s%.*s\n", kinds[k].word, r->name, n > 0 ? " " : "", (int)n,
                         r->text);
            }
        }
        if (strcmp(str_text(&want), str_text(&got)) != 0) {
            fail_msg("seed %u: modprobe says\n%s\nwe say\n%s", seed, str_text(&want),
                     str_text(&got));
        }
    }
}

static void compare_depends(const char *dir, const struct kmod_world *w, uint32_t seed)
{
    for (unsigned m = 0; m < MODULES; m++) {
        CLEANUP(str) struct str want = STR_INIT(1 << 20);
        CLEANUP(str) struct str raw = STR_INIT(1 << 20);
        CLEANUP(str) struct str got = STR_INIT(1 << 20);
        char name[16];
        char arguments[64];
        struct err e = {.code = 0};
        (void)snprintf(name, sizeof(name), "m%u", m);
        (void)snprintf(arguments, sizeof(arguments), "--show-depends %s", name);
        ask_modprobe(dir, arguments, &want);
        assert_int_equal(kmod_show_depends(w, name, &raw, &e), 0);
        for (const char *p = str_text(&raw); *p != '\0';) {
            size_t n = strcspn(p, "\n");
            size_t cut = n;
            while (cut > 0 && p[cut - 1] == ' ') {
                cut--;
            }
            str_addf(&got, "%.*s\n", (int)cut, p);
            p += n + 1;
        }
        if (strcmp(str_text(&want), str_text(&got)) != 0) {
            fail_msg("seed %u, %s: modprobe says\n%s\nwe say\n%s", seed, name, str_text(&want),
                     str_text(&got));
        }
    }
}

static void one_tree(const char *dir, uint32_t seed)
{
    CLEANUP(kmod_conf) struct kmod_conf conf = {.rules = NULL};
    CLEANUP(kmod_index) struct kmod_index index = {.modules = NULL};
    CLEANUP(str) struct str dep = STR_INIT(1 << 16);
    CLEANUP(str) struct str builtin = STR_INIT(1 << 16);
    CLEANUP(str) struct str text = STR_INIT(1 << 16);
    char path[512];
    struct err e = {.code = 0};
    uint32_t s = seed;
    make_modules(&s, dir, &dep, &builtin);
    for (unsigned i = 1 + below(&s, 12); i > 0; i--) {
        add_line(&s, &text);
    }
    (void)snprintf(path, sizeof(path), "%s/modprobe.d/x.conf", dir);
    assert_int_equal(io_write_atomic(path, text.data, text.len, 0644, &e), 0);
    assert_int_equal(kmod_conf_parse(&conf, path, text.data, text.len, &e), 0);
    assert_int_equal(kmod_index_add(&index, str_text(&dep), dep.len, false, &e), 0);
    assert_int_equal(kmod_index_add(&index, str_text(&builtin), builtin.len, true, &e), 0);
    struct kmod_world w = {.conf = &conf, .index = &index, .barriers = KMOD_BY_ALL};
    compare_config(dir, &conf, seed);
    compare_depends(dir, &w, seed);
}

static void module_files(const char *dir, bool make)
{
    for (unsigned i = 0; i < MODULES; i++) {
        char path[512];
        struct err e = {.code = 0};
        (void)snprintf(path, sizeof(path), "%s/lib/modules/1/kernel/m%u.ko", dir, i);
        assert_int_equal(make ? io_write_atomic(path, "", 0, 0644, &e) : unlink(path), 0);
    }
}

static void test_same_as_modprobe(void **state UNUSED)
{
    static const char *const dirs[] = {"modprobe.d", "lib", "lib/modules", "lib/modules/1",
                                       "lib/modules/1/kernel"};
    static const char *const files[] = {
        "modprobe.d/x.conf", "lib/modules/1/modules.dep.bin", "lib/modules/1/modules.builtin.bin",
        "lib/modules/1/modules.alias.bin", "lib/modules/1/modules.symbols.bin"};
    char dir[] = "/tmp/tenken-kmod-XXXXXX";
    char path[512];
    if (access("/sbin/modprobe", X_OK) != 0) {
        skip();
    }
    const char *given = getenv("TENKEN_SEED");
    uint32_t first = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 20260401U;
    print_message("first seed %u\n", first);
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    module_files(dir, true); /* libkmod drops dependencies whose files are not there */
    for (uint32_t i = 0; i < TREES; i++) {
        one_tree(dir, first + i);
    }
    module_files(dir, false);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    for (size_t i = ARRAY_LEN(dirs); i-- > 0;) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_in),
        cmocka_unit_test(test_loaded_and_built_in),
        cmocka_unit_test(test_bad_lines_are_counted),
        cmocka_unit_test(test_same_as_modprobe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
