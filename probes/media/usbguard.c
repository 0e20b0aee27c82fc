/* Rules are read word by word; what is not understood is never taken for a barrier. */
#include "probes/media/usbguard.h"

#include <stdio.h>
#include <string.h>

#include "probes/system/text.h"

#define KEYBOARD "03:01:01"

void usbguard_conf_parse(const char *bytes, size_t n, struct usbguard_conf *ret)
{
    struct span rest = span_of(bytes, n);
    struct span line;
    *ret = (struct usbguard_conf){.inserted_applies = true};
    while (span_line(&rest, &line)) {
        struct span key;
        struct span value;
        line = span_trim(line);
        if (span_starts(line, "#") || !span_cut(line, '=', &key, &value)) {
            continue;
        }
        key = span_trim(key);
        value = span_trim(value);
        if (span_is(key, "ImplicitPolicyTarget")) {
            ret->implicit_allows = !span_is(value, "block") && !span_is(value, "reject");
        } else if (span_is(key, "InsertedDevicePolicy")) {
            ret->inserted_applies = span_is(value, "apply-policy");
            ret->inserted_blocks = span_is(value, "block") || span_is(value, "reject");
        } else if (span_is(key, "PresentDevicePolicy")) {
            ret->present_keeps = span_is(value, "keep") || span_is(value, "allow");
        } else if (span_is(key, "RuleFile")) {
            (void)snprintf(ret->rule_file, sizeof(ret->rule_file), "%.*s", (int)value.n, value.p);
        }
    }
}

/* The next word, text in quotes or brace. */
static bool next_token(struct span *rest, struct span *ret)
{
    size_t i = 0;
    while (i < rest->n && strchr(" \t\r", rest->p[i]) != NULL) {
        i++;
    }
    size_t from = i;
    if (i == rest->n) {
        return false;
    }
    if (rest->p[i] == '{' || rest->p[i] == '}') {
        i++;
    } else if (rest->p[i] == '"') {
        for (i++; i < rest->n && rest->p[i] != '"'; i++) {
            i += rest->p[i] == '\\';
        }
        i = i < rest->n ? i + 1 : rest->n;
    } else {
        while (i < rest->n && strchr(" \t\r{}", rest->p[i]) == NULL) {
            i++;
        }
    }
    *ret = span_of(rest->p + from, i - from);
    *rest = span_of(rest->p + i, rest->n - i);
    return true;
}

/* "08:*:*" against "08:06:50". */
static bool class_matches(struct span pattern, const char *interface)
{
    size_t i = 0;
    size_t k = 0;
    for (; i < pattern.n && interface[k] != '\0'; i++) {
        if (pattern.p[i] == '*') {
            k += strcspn(interface + k, ":");
            continue;
        }
        char a =
            pattern.p[i] >= 'A' && pattern.p[i] <= 'F' ? (char)(pattern.p[i] + 32) : pattern.p[i];
        if (a != interface[k]) {
            return false;
        }
        k++;
    }
    return i == pattern.n && interface[k] == '\0';
}

enum set_op { SET_EQUALS, SET_ONE_OF, SET_ALL_OF, SET_NONE_OF, SET_MATCH_ALL };

/* The interfaces of a device against the set of a rule. */
struct match {
    enum set_op op;
    const char *const *have;
    size_t n_have;
    size_t n_listed, n_listed_met;
    unsigned have_met; /* bit per interface */
};

static void match_one(struct match *m, struct span pattern)
{
    bool met = false;
    for (size_t i = 0; i < m->n_have; i++) {
        if (class_matches(pattern, m->have[i])) {
            m->have_met |= 1U << i;
            met = true;
        }
    }
    m->n_listed++;
    m->n_listed_met += met;
}

static bool match_result(const struct match *m)
{
    bool all_have = m->have_met == (1U << m->n_have) - 1;
    switch (m->op) {
    case SET_ONE_OF:
        return m->n_listed_met > 0;
    case SET_ALL_OF:
        return m->n_listed_met == m->n_listed;
    case SET_NONE_OF:
        return m->n_listed_met == 0;
    case SET_MATCH_ALL:
        return all_have;
    case SET_EQUALS:
        return all_have && m->n_listed_met == m->n_listed && m->n_listed == m->n_have;
    }
    return false;
}

static bool set_op(struct span word, enum set_op *ret)
{
    static const char *const words[] = {"equals", "one-of", "all-of", "none-of", "match-all"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_is(word, words[i])) {
            *ret = (enum set_op)i;
            return true;
        }
    }
    if (span_is(word, "equals-ordered")) {
        *ret = SET_EQUALS;
        return true;
    }
    return false;
}

/* Reads the values of an attribute: one, a set, or an operator and a set. m may be NULL. */
static bool read_values(struct span *rest, struct match *m)
{
    struct span word;
    if (!next_token(rest, &word)) {
        return false;
    }
    enum set_op op = SET_EQUALS;
    if (set_op(word, &op) && !next_token(rest, &word)) {
        return false;
    }
    if (m != NULL) {
        m->op = op;
    }
    if (!span_is(word, "{")) {
        if (m != NULL) {
            match_one(m, word);
        }
        return true;
    }
    while (next_token(rest, &word) && !span_is(word, "}")) {
        if (m != NULL) {
            match_one(m, word);
        }
    }
    return span_is(word, "}");
}

/* Whether one rule matches the device: YES, NO, MAYBE. */
static enum kmod_answer rule_matches(struct span rest, const char *const *have, size_t n_have)
{
    struct span word;
    bool one_model = false;
    bool names_interfaces = false;
    enum kmod_answer answer = KMOD_YES;
    while (next_token(&rest, &word)) {
        if (span_is(word, "hash") || span_is(word, "serial")) {
            /* one device; an empty serial is that of many */
            struct span value = rest;
            struct span text;
            if (next_token(&value, &text) && !span_is(text, "\"\"")) {
                return KMOD_NO;
            }
            one_model = true;
        } else if (span_is(word, "with-interface")) {
            struct match m = {.have = have, .n_have = n_have};
            if (!read_values(&rest, &m)) {
                return KMOD_MAYBE;
            }
            names_interfaces = true;
            if (!match_result(&m)) {
                return KMOD_NO;
            }
            continue;
        } else if (span_is(word, "if")) {
            answer = KMOD_MAYBE;
        } else if (span_is(word, "name") || span_is(word, "parent-hash") ||
                   span_is(word, "via-port") || span_is(word, "with-connect-type") ||
                   span_is(word, "label")) {
            answer = KMOD_MAYBE; /* holds for some devices or ports */
        } else if (span_is(word, "id")) {
            struct span id = rest;
            struct span text;
            one_model = one_model || !next_token(&id, &text) || !span_is(text, "*:*");
        } else if (word.n == 9 && word.p[4] == ':') {
            one_model = true; /* the id without its keyword */
            continue;
        } else if (span_is(word, "*:*")) {
            continue;
        } else {
            return KMOD_MAYBE;
        }
        if (!read_values(&rest, NULL)) {
            return KMOD_MAYBE;
        }
    }
    if (one_model) {
        /* a model whose interfaces are said to be these is one that records */
        return names_interfaces ? KMOD_YES : KMOD_MAYBE;
    }
    return answer;
}

/* First rule that matches decides; one that may match leaves what follows in doubt. */
static enum kmod_answer walk(const struct usbguard_conf *c, const char *const *files,
                             size_t n_files, const char *const *have, size_t n_have, char *ret_rule,
                             size_t size)
{
    bool perhaps_allowed = false;
    for (size_t f = 0; f < n_files; f++) {
        struct span rest = span_of(files[f], strlen(files[f]));
        struct span line;
        while (span_line(&rest, &line)) {
            struct span left = span_trim(line);
            struct span target;
            if (left.n == 0 || left.p[0] == '#' || !next_token(&left, &target)) {
                continue;
            }
            bool allow = span_is(target, "allow");
            bool deny = span_is(target, "block") || span_is(target, "reject");
            enum kmod_answer match = rule_matches(left, have, n_have);
            if (match == KMOD_NO || (deny && match == KMOD_MAYBE)) {
                continue;
            }
            if (match == KMOD_YES && deny) {
                return perhaps_allowed ? KMOD_MAYBE : KMOD_NO;
            }
            if (!perhaps_allowed) {
                (void)snprintf(ret_rule, size, "%.*s", (int)(line.n < 100 ? line.n : 100), line.p);
            }
            if (match == KMOD_YES && allow) {
                return KMOD_YES;
            }
            perhaps_allowed = true; /* also: a target that is not understood */
        }
    }
    if (c->implicit_allows && !perhaps_allowed) {
        (void)snprintf(ret_rule, size, "ImplicitPolicyTarget=allow");
    }
    return c->implicit_allows ? KMOD_YES : perhaps_allowed ? KMOD_MAYBE : KMOD_NO;
}

enum kmod_answer usbguard_allows(const struct usbguard_conf *c, const char *const *files,
                                 size_t n_files, const char *interface, char *ret_rule, size_t size)
{
    const char *const have[] = {interface, KEYBOARD};
    ret_rule[0] = '\0';
    if (!c->inserted_applies) {
        (void)snprintf(ret_rule, size, "InsertedDevicePolicy");
        return c->inserted_blocks ? KMOD_NO : KMOD_YES;
    }
    enum kmod_answer alone = walk(c, files, n_files, have, 1, ret_rule, size);
    if (alone == KMOD_YES) {
        return alone;
    }
    char rule[128] = "";
    enum kmod_answer beside = walk(c, files, n_files, have, 2, rule, sizeof(rule));
    if (beside > alone) {
        (void)snprintf(ret_rule, size, "%s", rule);
        return beside;
    }
    return alone;
}
