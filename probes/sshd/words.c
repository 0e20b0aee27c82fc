/* Words of a configuration line, cut as OpenSSH's misc.c cuts them. */
#include <stdlib.h>
#include <string.h>

#include "probes/sshd/parts.h"

#define BLANKS " \t\r\n"

char *sshd_delim(char **rest)
{
    char *word = *rest;
    if (word == NULL) {
        return NULL;
    }
    char *at = strpbrk(word, BLANKS "\"=");
    if (at == NULL) {
        *rest = NULL;
        return word;
    }
    if (*at == '"') {
        memmove(at, at + 1, strlen(at)); /* the NUL moves too */
        char *close = strchr(at, '"');
        if (close == NULL) {
            *rest = NULL;
            return NULL;
        }
        *close = '\0';
        *rest = close + strspn(close + 1, BLANKS) + 1;
        return word;
    }
    bool had_equals = *at == '=';
    *at = '\0';
    at += strspn(at + 1, BLANKS) + 1;
    if (*at == '=' && !had_equals) {
        at += strspn(at + 1, BLANKS) + 1;
    }
    *rest = at;
    return word;
}

static bool is_escape(const char *at, char quote)
{
    return at[0] == '\\' &&
           (at[1] == '\'' || at[1] == '"' || at[1] == '\\' || (quote == '\0' && at[1] == ' '));
}

/* One word from *at on into word (room for all of it). False: quote left open. */
static bool take_word(const char **at, char *word)
{
    char quote = '\0';
    for (; **at != '\0'; (*at)++) {
        char c = **at;
        if (is_escape(*at, quote)) {
            *word++ = *++*at;
        } else if (quote == '\0' && (c == ' ' || c == '\t')) {
            break;
        } else if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote != '\0' && c == quote) {
            quote = '\0';
        } else {
            *word++ = c;
        }
    }
    *word = '\0';
    return quote == '\0';
}

int sshd_split(const char *text, struct strv *ret, struct err *e)
{
    CLEANUP(free) char *word = malloc(strlen(text) + 1);
    if (word == NULL) {
        return err_nomem(e);
    }
    for (const char *at = text; *at != '\0';) {
        if (*at == ' ' || *at == '\t') {
            at++;
            continue;
        }
        if (*at == '#') {
            break;
        }
        if (!take_word(&at, word)) {
            return err_set(e, ERR_MALFORMED, "invalid quotes");
        }
        int r = strv_add(ret, word, e);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
