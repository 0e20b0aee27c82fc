/* probes/pam/stack.c, probes/pam/lex.c, probes/pam/dispatch.c and probes/pam/explore.c against the
 * libpam of this machine: random stacks (brackets, jumps, includes, substacks, missing modules and
 * files, broken lines), run by the real library with a stand-in module for every combination of
 * outcomes. The library's files come from memory: its fopen is ours, so nothing of the machine's
 * own /etc/pam.d gets in.
 *   PAM_SEED=N PAM_STACKS=N  another run; the seed is printed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <security/pam_appl.h>

#include <cmocka.h>

#include "probes/pam/explore.h"

#define DIR "/differential/pam.d/"
#define ETC "/etc/pam.d/"
#define FILES 6U /* svc, other, inc0..inc3 */
#define CODES 64U
#define INDEXED 6U /* modules whose outcomes are tried in every combination */
#define STACKS_DEFAULT 1500U

static const char *const names[FILES] = {"svc", "other", "inc0", "inc1", "inc2", "inc3"};

struct files {
    struct str text[FILES];
    bool is_there[FILES];
};

/* What fopen serves while the library reads; one test at a time, one thread. */
static struct files *served;

/* The library's: names under the two directories from memory, nothing else at all. */
FILE *served_open(const char *path, const char *mode) __asm__("fopen"); /* not fopen64 */
FILE *served_open(const char *path, const char *mode)
{
    const char *name = strncmp(path, DIR, strlen(DIR)) == 0   ? path + strlen(DIR)
                       : strncmp(path, ETC, strlen(ETC)) == 0 ? path + strlen(ETC)
                                                              : NULL;
    for (size_t i = 0; i < FILES && name != NULL && served != NULL; i++) {
        if (strcmp(names[i], name) == 0 && served->is_there[i]) {
            return fmemopen(served->text[i].data, served->text[i].len, mode);
        }
    }
    errno = ENOENT;
    return NULL;
}

/* Where it gives up on a configuration, libpam 1.5 leaves what it had read so far behind. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpam.so\n";
}

struct random {
    uint64_t state;
};

/* splitmix64: the same numbers everywhere. */
static uint64_t next(struct random *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(struct random *r, unsigned n)
{
    return (unsigned)(next(r) % n);
}

static const char *pick(struct random *r, const char *const *list, size_t n)
{
    return list[below(r, (unsigned)n)];
}

static void add_pairs(struct random *r, struct str *out)
{
    static const char *const codes[] = {
        "success",          "success",      "auth_err",       "ignore",
        "new_authtok_reqd", "user_unknown", "module_unknown", "perm_denied",
        "default",          "default",      "abort"};
    static const char *const actions[] = {"ok",     "ok",    "done", "done", "bad", "die", "ignore",
                                          "ignore", "reset", "1",    "1",    "2",   "3",   "5"};
    static const char *const odd[] = {"okay", "0", "99999999999", "\\]", "", "DONE", "1x"};
    unsigned n = 1 + below(r, 4);
    str_add(out, "[");
    for (unsigned i = 0; i < n; i++) {
        bool is_odd = below(r, 40) == 0;
        str_addf(out, "%s%s%s%s", i > 0 && below(r, 30) > 0 ? " " : "",
                 pick(r, codes, ARRAY_LEN(codes)), below(r, 40) == 0 ? " = " : "=",
                 is_odd ? pick(r, odd, ARRAY_LEN(odd)) : pick(r, actions, ARRAY_LEN(actions)));
    }
    str_add(out, below(r, 60) == 0 ? "" : "]");
}

static void add_control(struct random *r, struct str *out)
{
    static const char *const simple[] = {"required",   "required", "requisite", "sufficient",
                                         "sufficient", "optional", "Required",  "OPTIONAL",
                                         "[required]", "mandatory"};
    if (below(r, 2) == 0) {
        add_pairs(r, out);
    } else {
        str_add(out, pick(r, simple, ARRAY_LEN(simple)));
    }
}

/* An include of a file further down, so that there are no loops. */
static void add_include(struct random *r, size_t file, const char *type, struct str *out)
{
    static const char *const words[] = {"include", "substack", "substack", "INCLUDE"};
    size_t first = file < 2 ? 2 : file + 1;
    const char *name = below(r, 25) == 0 || first >= FILES
                           ? "nowhere"
                           : names[first + below(r, (unsigned)(FILES - first))];
    if (below(r, 4) == 0) {
        str_addf(out, "@include %s", name);
    } else {
        str_addf(out, "%s %s %s", type, pick(r, words, ARRAY_LEN(words)), name);
    }
}

static void add_line(struct random *r, size_t file, unsigned *modules, struct str *out)
{
    static const char *const types[] = {"auth", "auth", "auth",    "auth", "auth",
                                        "auth", "auth", "-auth",   "AUTH", "auth",
                                        "auth", "auth", "account", "nope", "-account"};
    static const char *const ends[] = {"",       "",       "",
                                       "",       "",       "",
                                       "",       " ",      "\r",
                                       " #x",    "#x",     " \\\n debug",
                                       "\t",     " [a b]", " \\ \n\n# c\n x",
                                       " # c \\"};
    const char *type = below(r, 4) == 0 ? pick(r, types, ARRAY_LEN(types)) : "auth";
    unsigned kind = below(r, 100);
    if (kind < 3) {
        str_add(out, below(r, 2) == 0 ? "# nothing\n" : "\n");
        return;
    }
    if (kind < 22) {
        add_include(r, file, type, out);
    } else if (kind < 24) {
        str_add(out, type); /* no control */
    } else {
        str_addf(out, "%s ", type);
        add_control(r, out);
        if (kind >= 26) {
            bool is_missing = below(r, 15) == 0;
            unsigned index = below(r, 4) == 0 ? below(r, INDEXED) : (*modules)++ % INDEXED;
            str_addf(out, " %s i=%u", is_missing ? "/differential/absent.so" : PAM_STANDIN, index);
        }
    }
    str_addf(out, "%s\n", pick(r, ends, ARRAY_LEN(ends)));
}

static void make_files(struct random *r, struct files *f)
{
    unsigned modules = 0;
    for (size_t i = 0; i < FILES; i++) {
        unsigned lines = i == 1 ? below(r, 3) : 1 + below(r, 5);
        str_clear(&f->text[i]);
        for (unsigned k = 0; k < lines; k++) {
            add_line(r, i, &modules, &f->text[i]);
        }
        if (below(r, 100) == 0) {
            str_add(&f->text[i], "auth required x.so \\\n"); /* ends in a continuation */
        }
        if (below(r, 150) == 0) {
            for (unsigned k = 1010 + below(r, 20); k > 0; k--) {
                str_add_char(&f->text[i], 'x');
            }
        }
        str_add(&f->text[i], below(r, 30) == 0 ? "auth optional" : "\n");
        f->is_there[i] = below(r, 30) != 0;
        assert_int_equal(f->text[i].error, 0);
    }
}

static int read_served(void *arg, const char *name, bool is_include, struct str *text,
                       struct str *path, struct err *e)
{
    const struct files *f = arg;
    (void)is_include;
    for (size_t i = 0; i < FILES; i++) {
        if (strcmp(names[i], name) == 0 && f->is_there[i]) {
            str_add_bytes(text, f->text[i].data, f->text[i].len);
            str_add(path, name);
            return 0;
        }
    }
    return err_set(e, ERR_ABSENT, "%s", name);
}

static unsigned index_of(const struct pam_handler *h)
{
    unsigned index = CODES - 1;
    for (size_t i = 0; i < h->args.n; i++) {
        if (strncmp(h->args.items[i], "i=", 2) == 0) {
            index = (unsigned)strtoul(h->args.items[i] + 2, NULL, 10);
        }
    }
    return index < CODES ? index : CODES - 1;
}

static void show(const struct files *f, const char *what, const int *codes, int real, int ours)
{
    print_error("%s: libpam %d, we %d; codes", what, real, ours);
    for (unsigned i = 0; i < INDEXED; i++) {
        print_error(" %d", codes[i]);
    }
    print_error("\n");
    for (size_t i = 0; i < FILES; i++) {
        print_error("--- %s%s\n%s", names[i], f->is_there[i] ? "" : " (absent)",
                    str_text(&f->text[i]));
    }
}

struct stack {
    struct pam_stack loaded;
    const struct pam_handler **list;
    size_t n;
    int codes[CODES];
    pam_handle_t *pamh;
    int started; /* pam_start's answer */
};

static int ours(const struct stack *s)
{
    int by_handler[PAM_HANDLERS];
    if (s->loaded.aborted) {
        return PAM_ABORT;
    }
    for (size_t i = 0; i < s->n; i++) {
        by_handler[i] = s->codes[index_of(s->list[i])];
    }
    return pam_dispatch(s->list, s->n, by_handler);
}

/* Keeps the smallest of the sets. */
static void keep_smallest(uint64_t *sets, size_t *n, uint64_t set)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if ((sets[i] & ~set) == 0) {
            return;
        }
    }
    for (size_t i = 0; i < *n; i++) {
        if ((set & ~sets[i]) != 0) {
            sets[kept++] = sets[i];
        }
    }
    sets[kept++] = set;
    *n = kept;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The search, told that module i answers success for factor i, or else, as it likes, auth_err or
 * ignore: its sets must be those that the library let in. */
static bool explore_agrees(const struct stack *s, uint64_t *sets, size_t n_sets)
{
    uint64_t found[CODES];
    size_t n_found = 0;
    CLEANUP(pam_ways) struct pam_ways ways = {0};
    CLEANUP(free) struct pam_choices *choices = calloc(s->n + 1, sizeof(*choices));
    struct err e = {0};
    assert_non_null(choices);
    for (size_t i = 0; i < s->n; i++) {
        unsigned index = index_of(s->list[i]);
        int fixed = 0;
        if (pam_fixed_answer(s->list[i], &fixed) || index >= INDEXED) {
            choices[i].items[choices[i].n++] = (struct pam_outcome){
                .code = pam_fixed_answer(s->list[i], &fixed) ? fixed : PAM_AUTH_ERR};
            continue;
        }
        uint64_t is_in = UINT64_C(1) << index;
        uint64_t is_err = UINT64_C(1) << (index + INDEXED);
        choices[i] =
            (struct pam_choices){.items = {{.code = PAM_SUCCESS, .factors = is_in, .yes = is_in},
                                           {.code = PAM_AUTH_ERR, .no = is_in, .yes = is_err},
                                           {.code = PAM_IGNORE, .no = is_in | is_err}},
                                 .n = 3};
    }
    if (!s->loaded.aborted) {
        assert_int_equal(pam_explore(s->list, s->n, choices, &ways, &e), 0);
        assert_false(ways.bounded);
    }
    for (size_t i = 0; i < ways.n; i++) {
        keep_smallest(found, &n_found, ways.items[i].factors);
    }
    if (n_found != n_sets) {
        return false;
    }
    qsort(found, n_found, sizeof(*found), by_value);
    qsort(sets, n_sets, sizeof(*sets), by_value);
    return n_found == 0 || memcmp(found, sets, n_found * sizeof(*found)) == 0;
}

static void open_stack(struct files *f, struct pam_conv *conv, struct stack *s)
{
    static const struct pam_dialect debian = {
        .at_include = true, .engine_15 = true, .includes_in_etc = true};
    struct pam_files source = {.read = read_served, .arg = f};
    struct err e = {0};
    assert_int_equal(pam_stack_load(&source, &debian, "svc", &s->loaded, &e), 0);
    for (size_t i = 0; i < s->loaded.n; i++) {
        struct pam_handler *h = s->loaded.items[i];
        h->is_absent = h->kind == PAMH_MODULE && strcmp(h->module, PAM_STANDIN) != 0;
    }
    assert_int_equal(pam_stack_of_type(&s->loaded, PAMT_AUTH, &s->list, &s->n, &e), 0);
    conv->appdata_ptr = s->codes;
    served = f;
    /* The configuration is read here; what stops the reading, stops the log-in. */
    s->started = pam_start_confdir("svc", "nobody", conv, "/differential/pam.d", &s->pamh);
}

static void close_stack(struct stack *s)
{
    if (s->started == PAM_SUCCESS) {
        (void)pam_end(s->pamh, PAM_SUCCESS);
    }
    served = NULL;
    free(s->list);
    pam_stack_done(&s->loaded);
}

/* Any code, out of range too, but PAM_INCOMPLETE: that one only suspends the call. */
static int any_code(struct random *r)
{
    int code = (int)below(r, 34) - 1;
    return code == PAM_INCOMPLETE ? PAM_SUCCESS : code;
}

/* All combinations of three outcomes, then some of any outcome. Gives the number compared. */
static size_t compare_stack(struct random *r, struct files *f, struct pam_conv *conv)
{
    static const int three[] = {PAM_SUCCESS, PAM_AUTH_ERR, PAM_IGNORE};
    struct stack s = {.codes = {0}};
    uint64_t sets[CODES];
    size_t n_sets = 0;
    size_t n = 0;
    unsigned all = 1;
    for (unsigned i = 0; i < INDEXED; i++) {
        all *= 3;
    }
    for (unsigned i = INDEXED; i < CODES; i++) {
        s.codes[i] = PAM_AUTH_ERR;
    }
    open_stack(f, conv, &s);
    if (s.loaded.bounded) {
        close_stack(&s); /* the library reads memory that it has not set: there is no answer */
        return 0;
    }
    bool is_used[CODES] = {false};
    for (size_t i = 0; i < s.n; i++) {
        is_used[index_of(s.list[i])] = true;
    }
    for (unsigned c = 0; c < all + 40; c++) {
        uint64_t given = 0;
        bool is_same = false;
        unsigned rest = c;
        for (unsigned i = 0; i < INDEXED; i++, rest /= 3) {
            s.codes[i] = c < all ? three[rest % 3] : any_code(r);
            given |= s.codes[i] == PAM_SUCCESS ? UINT64_C(1) << i : 0U;
            /* What no line asks need not be tried. */
            is_same = is_same || (c < all && !is_used[i] && rest % 3 != 1);
        }
        if (is_same) {
            continue;
        }
        int real = s.started == PAM_SUCCESS ? pam_authenticate(s.pamh, 0) : s.started;
        int mine = ours(&s);
        n++;
        if (real != mine) {
            show(f, "the answer differs", s.codes, real, mine);
            fail();
        }
        if (real == PAM_SUCCESS && c < all) {
            keep_smallest(sets, &n_sets, given);
        }
    }
    if (!explore_agrees(&s, sets, n_sets)) {
        show(f, "the sets differ", s.codes, (int)n_sets, -1);
        fail();
    }
    close_stack(&s);
    return n;
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static int talk(int n, const struct pam_message **messages, struct pam_response **answers,
                void *arg)
{
    (void)n;
    (void)messages;
    (void)answers;
    (void)arg;
    return PAM_CONV_ERR;
}

static void test_random_stacks(void **state)
{
    uint64_t seed = number_from("PAM_SEED", (uint64_t)getpid() * UINT64_C(2654435761));
    uint64_t stacks = number_from("PAM_STACKS", STACKS_DEFAULT);
    struct pam_conv conv = {.conv = talk};
    struct files f = {.is_there = {false}};
    size_t compared = 0;
    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        str_init(&f.text[i], (size_t)64 << 10);
    }
    (void)printf("seed %llu, %llu stacks\n", (unsigned long long)seed, (unsigned long long)stacks);
    (void)fflush(stdout);
    for (uint64_t i = 0; i < stacks; i++) {
        struct random r = {seed + i};
        make_files(&r, &f);
        compared += compare_stack(&r, &f, &conv);
    }
    (void)printf("%zu answers of libpam and of ours are the same\n", compared);
    for (size_t i = 0; i < FILES; i++) {
        str_done(&f.text[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_stacks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
