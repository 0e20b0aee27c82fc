/* modprobe.d as libkmod reads it (libkmod-config.c): continuation lines, words, '-' as '_'. */
#include <stdio.h>
#include <string.h>

#include "probes/media/kmod.h"

void kmod_conf_done(struct kmod_conf *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->rules[i].name);
        free(c->rules[i].text);
        free(c->rules[i].file);
    }
    free(c->rules);
    strv_done(&c->kernel_blacklist);
    *c = (struct kmod_conf){.rules = NULL};
}

/* libkmod's underscores(): '-' becomes '_' but inside brackets. False where it refuses the word. */
static bool normalise(char *s)
{
    if (s == NULL) {
        return false;
    }
    for (size_t i = 0; s[i] != '\0'; i++) {
        if (s[i] == '-') {
            s[i] = '_';
        } else if (s[i] == ']') {
            return false;
        } else if (s[i] == '[') {
            i += strcspn(s + i, "]");
            if (s[i] == '\0') {
                return false;
            }
        }
    }
    return true;
}

static int add_rule(struct kmod_conf *c, struct kmod_rule rule, const char *name, const char *text,
                    const char *file, struct err *e)
{
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 32 : c->cap * 2;
        struct kmod_rule *more = reallocarray(c->rules, cap, sizeof(*more));
        if (more == NULL) {
            return err_nomem(e);
        }
        c->rules = more;
        c->cap = cap;
    }
    rule.name = strdup(name);
    rule.text = strdup(text);
    rule.file = strdup(file);
    if (rule.name == NULL || rule.text == NULL || rule.file == NULL) {
        free(rule.name);
        free(rule.text);
        free(rule.file);
        return err_nomem(e);
    }
    c->rules[c->n++] = rule;
    return 0;
}

static void refuse(struct kmod_conf *c, const char *file, unsigned line)
{
    if (c->n_bad++ == 0) {
        (void)snprintf(c->first_bad, sizeof(c->first_bad), "%s:%u", file, line);
    }
}

static int statement(struct kmod_conf *c, const char *file, unsigned line, char *text,
                     struct err *e)
{
    static const struct {
        const char *word;
        int kind; /* -1: known, and nothing that matters here */
        bool two_words;
    } words[] = {{"alias", KMOD_ALIAS, true},      {"blacklist", KMOD_BLACKLIST, false},
                 {"options", KMOD_OPTIONS, false}, {"install", KMOD_INSTALL, false},
                 {"softdep", KMOD_SOFTDEP, false}, {"remove", -1, false},
                 {"include", -1, false},           {"config", -1, false}};
    char *save = NULL;
    char *command = strtok_r(text, "\t ", &save);
    if (text[0] == '#' || command == NULL) {
        return 0; /* a '#' behind blanks begins no comment, and kmod refuses that line */
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(command, words[i].word) != 0) {
            continue;
        }
        if (words[i].kind < 0) {
            return 0;
        }
        char *name = strtok_r(NULL, "\t ", &save);
        char *rest = strtok_r(NULL, words[i].two_words ? "\t " : "", &save);
        bool wants_rest = words[i].kind != KMOD_BLACKLIST;
        if (!normalise(name) || (wants_rest && rest == NULL) ||
            (words[i].two_words && !normalise(rest))) {
            break;
        }
        struct kmod_rule rule = {.line = line};
        *(int *)&rule.kind = words[i].kind;
        return add_rule(c, rule, name, wants_rest ? rest : "", file, e);
    }
    refuse(c, file, line);
    return 0;
}

/* A backslash joins the next line, and disappears before any other character (freadline_wrapped).
 */
int kmod_conf_parse(struct kmod_conf *c, const char *file, const char *bytes, size_t n,
                    struct err *e)
{
    CLEANUP(str) struct str line = STR_INIT(n + 1);
    unsigned number = 1;
    unsigned begins = 1;
    for (size_t i = 0; i <= n; i++) {
        bool end = i == n || bytes[i] == '\n';
        if (!end && bytes[i] == '\\' && i + 1 < n) {
            i++;
            number += bytes[i] == '\n';
            if (bytes[i] != '\n') {
                str_add_char(&line, bytes[i]);
            }
            continue;
        }
        if (!end) {
            str_add_char(&line, bytes[i]);
            continue;
        }
        if (line.len > 0) {
            int rc = str_error(&line, e);
            rc = rc == 0 ? statement(c, file, begins, line.data, e) : rc;
            if (rc != 0) {
                return rc;
            }
        }
        str_clear(&line);
        number++;
        begins = number;
    }
    return 0;
}

static int add_blacklist(struct kmod_conf *c, char *list, bool kernel, struct err *e)
{
    char *save = NULL;
    for (char *name = strtok_r(list, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
        if (!normalise(name)) {
            continue;
        }
        struct kmod_rule rule = {.kind = KMOD_BLACKLIST, .from_cmdline = true};
        int rc = kernel ? strv_add(&c->kernel_blacklist, name, e)
                        : add_rule(c, rule, name, "", "/proc/cmdline", e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int parameter(struct kmod_conf *c, char *word, struct err *e)
{
    char *value = strchr(word, '=');
    if (value == NULL) {
        return 0;
    }
    *value++ = '\0';
    if (strcmp(word, "modprobe.blacklist") == 0) {
        return add_blacklist(c, value, false, e);
    }
    if (strcmp(word, "module_blacklist") == 0) {
        /* the kernel takes the last one, and compares names as modules spell them */
        strv_done(&c->kernel_blacklist);
        c->kernel_blacklist = (struct strv){.items = NULL};
        return add_blacklist(c, value, true, e);
    }
    char *dot = strchr(word, '.');
    if (dot == NULL) {
        return 0;
    }
    *dot = '\0';
    if (!normalise(word)) {
        return 0;
    }
    CLEANUP(str) struct str text = STR_INIT(4096);
    str_addf(&text, "%s=%s", dot + 1, value);
    struct kmod_rule rule = {.kind = KMOD_OPTIONS, .from_cmdline = true};
    return add_rule(c, rule, word, str_text(&text), "/proc/cmdline", e);
}

int kmod_conf_cmdline(struct kmod_conf *c, const char *bytes, size_t n, struct err *e)
{
    CLEANUP(str) struct str word = STR_INIT(n + 1);
    bool quoted = false;
    for (size_t i = 0; i <= n; i++) {
        char ch = i == n ? '\n' : bytes[i];
        if (ch == '"') {
            quoted = !quoted;
        } else if (ch == '\n' || ch == '\0' || (!quoted && (ch == ' ' || ch == '\t'))) {
            int rc = str_error(&word, e);
            if (rc == 0 && word.len > 0) {
                rc = strcmp(word.data, "--") == 0 ? ERR_ABSENT : parameter(c, word.data, e);
            }
            if (rc != 0) {
                return rc == ERR_ABSENT ? 0 : rc; /* what follows is init's */
            }
            str_clear(&word);
        } else {
            str_add_char(&word, ch);
        }
    }
    return 0;
}
