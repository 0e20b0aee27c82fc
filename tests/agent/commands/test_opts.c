/* The option parser: what it takes, what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "agent/commands/opts.h"

struct outcome {
    bool flag;
    const char *text, *word;
    struct strv list, args;
};

static enum opts_result parse(struct outcome *o, const char *line)
{
    static const char *const words[] = {"text", "json", NULL};
    struct app app = {.lang = LANG_EN};
    const struct opt opts[] = {
        {"quiet", OPT_FLAG, NULL, &o->flag, {{"", "flag"}}, NULL},
        {"site", OPT_TEXT, "FILE", &o->text, {{"", "text"}}, NULL},
        {"format", OPT_WORD, "text|json", &o->word, {{"", "word"}}, words},
        {"policy", OPT_LIST, "DIR", &o->list, {{"", "list"}}, NULL},
    };
    const struct usage u = {.command = "try",
                            .arguments = "[ARG]",
                            .doc = {{"", "d"}},
                            .opts = opts,
                            .n_opts = ARRAY_LEN(opts),
                            .min_args = 0,
                            .max_args = 1};
    char copy[256];
    char *argv[16] = {copy};
    int argc = 1;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    static char name[] = "try";
    argv[0] = name;
    char *save = NULL;
    for (char *word = strtok_r(copy, " ", &save); word != NULL && argc < 15;
         word = strtok_r(NULL, " ", &save)) {
        argv[argc++] = strdup(word);
    }
    enum opts_result r = opts_parse(&app, &u, argc, argv, &o->args);
    for (int i = 1; i < argc; i++) {
        /* text and word point into argv: keep those two, as main's argv outlives every command */
        if (o->text != NULL && strstr(argv[i], o->text) != NULL) {
            o->text = strcmp(o->text, "a.yaml") == 0 ? "a.yaml" : "other";
        }
        if (o->word != NULL && strstr(argv[i], o->word) != NULL) {
            o->word = strcmp(o->word, "json") == 0 ? "json" : "other";
        }
        free(argv[i]);
    }
    return r;
}

static void test_opts_parse_table(void **state UNUSED)
{
    static const struct {
        const char *line;
        enum opts_result want;
        bool flag;
        const char *text, *word;
        size_t n_list, n_args;
        const char *why;
    } rows[] = {
        {"", OPTS_RUN, false, NULL, NULL, 0, 0, "nothing given"},
        {"--quiet --site a.yaml --format json x", OPTS_RUN, true, "a.yaml", "json", 0, 1,
         "all kinds"},
        {"--site=a.yaml", OPTS_RUN, false, "a.yaml", NULL, 0, 0, "value after ="},
        {"x --quiet", OPTS_RUN, true, NULL, NULL, 0, 1, "options after arguments"},
        {"--policy p --policy q", OPTS_RUN, false, NULL, NULL, 2, 0, "lists repeat"},
        {"-- --quiet", OPTS_RUN, false, NULL, NULL, 0, 1, "-- ends the options"},
        {"--help", OPTS_DONE, false, NULL, NULL, 0, 0, "help"},
        {"--queit", OPTS_WRONG, false, NULL, NULL, 0, 0, "misspelt"},
        {"--quiet=yes", OPTS_WRONG, false, NULL, NULL, 0, 0, "a flag takes no value"},
        {"--site", OPTS_WRONG, false, NULL, NULL, 0, 0, "value missing"},
        {"--format xml", OPTS_WRONG, false, NULL, NULL, 0, 0, "not one of the words"},
        {"-q", OPTS_WRONG, false, NULL, NULL, 0, 0, "no short options"},
        {"x y", OPTS_WRONG, false, NULL, NULL, 0, 2, "too many arguments"},
        {"--lang ja", OPTS_RUN, false, NULL, NULL, 0, 0, "understood everywhere"},
        {"--lang fr", OPTS_WRONG, false, NULL, NULL, 0, 0, "no such language"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outcome o = {0};
        enum opts_result got = parse(&o, rows[i].line);
        bool same_text = rows[i].text == NULL ? o.text == NULL
                                              : o.text != NULL && strcmp(o.text, rows[i].text) == 0;
        bool same_word = rows[i].word == NULL ? o.word == NULL
                                              : o.word != NULL && strcmp(o.word, rows[i].word) == 0;
        bool same = got == rows[i].want &&
                    (got != OPTS_RUN || (o.flag == rows[i].flag && same_text && same_word &&
                                         o.list.n == rows[i].n_list && o.args.n == rows[i].n_args));
        strv_done(&o.list);
        strv_done(&o.args);
        if (!same) {
            fail_msg("%s: %s", rows[i].line, rows[i].why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opts_parse_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
