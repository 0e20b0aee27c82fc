/* Parsers of the few settings that say where memory images go. */
#include "probes/disk/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool copy_out(const char *text, size_t n, char *out, size_t out_n)
{
    if (n >= out_n) {
        return false;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

static size_t trim_right(const char *text, size_t n)
{
    while (n > 0 && isspace((unsigned char)text[n - 1])) {
        n--;
    }
    return n;
}

/* One pair of quotes around the whole. */
static void strip_quotes(const char **text, size_t *n)
{
    if (*n >= 2 && ((*text)[0] == '"' || (*text)[0] == '\'') && (*text)[*n - 1] == (*text)[0]) {
        (*text)++;
        *n -= 2;
    }
}

bool cmdline_option(const char *cmdline, const char *name, char *out, size_t out_n)
{
    size_t want = strlen(name);
    bool found = false;
    const char *at = cmdline;
    while (*at != '\0') {
        if (isspace((unsigned char)*at)) {
            at++;
            continue;
        }
        size_t n = 0;
        bool quoted = false;
        while (at[n] != '\0' && (quoted || !isspace((unsigned char)at[n]))) {
            quoted = at[n] == '"' ? !quoted : quoted;
            n++;
        }
        const char *word = at;
        size_t len = n;
        strip_quotes(&word, &len); /* "resume=/dev/x y" as a whole */
        if (len >= want && strncmp(word, name, want) == 0 && (len == want || word[want] == '=')) {
            size_t skip = len == want ? want : want + 1;
            const char *value = word + skip;
            size_t value_n = len - skip;
            strip_quotes(&value, &value_n);
            found = copy_out(value, value_n, out, out_n);
        }
        at += n;
    }
    return found;
}

bool conf_value(const char *text, const char *section, const char *key, char *out, size_t out_n)
{
    bool in_section = section == NULL;
    bool found = false;
    size_t want = strlen(key);
    for (const char *at = text; *at != '\0';) {
        size_t line_n = strcspn(at, "\n");
        const char *line = at;
        at += line_n + (at[line_n] == '\n' ? 1 : 0);
        while (line_n > 0 && isspace((unsigned char)*line)) {
            line++;
            line_n--;
        }
        line_n = trim_right(line, line_n);
        if (line_n == 0 || *line == '#' || *line == ';') {
            continue;
        }
        if (*line == '[' && section != NULL) {
            in_section = line_n == strlen(section) + 2 && line[line_n - 1] == ']' &&
                         strncmp(line + 1, section, line_n - 2) == 0;
            continue;
        }
        const char *eq = memchr(line, '=', line_n);
        if (!in_section || eq == NULL || trim_right(line, (size_t)(eq - line)) != want ||
            strncmp(line, key, want) != 0) {
            continue;
        }
        const char *value = eq + 1;
        size_t n = line_n - (size_t)(value - line);
        while (n > 0 && isspace((unsigned char)*value)) {
            value++;
            n--;
        }
        strip_quotes(&value, &n);
        found = copy_out(value, n, out, out_n);
    }
    return found;
}

/* The directory that an absolute pattern surely stays below: up to the last '/' before any '%'. */
static bool pattern_dir(const char *pattern, char *where, size_t where_n)
{
    size_t n = strcspn(pattern, "%");
    while (n > 1 && pattern[n - 1] != '/') {
        n--;
    }
    while (n > 1 && pattern[n - 1] == '/') {
        n--;
    }
    return copy_out(pattern, n == 0 ? 1 : n, where, where_n);
}

/* The whole last part of a path, not just its end: "/opt/my-apport" is not apport. */
static bool word_is(const char *word, size_t n, const char *tail)
{
    size_t t = strlen(tail);
    return n >= t && strncmp(word + n - t, tail, t) == 0 && (n == t || word[n - t - 1] == '/');
}

enum core_kind core_pattern_parse(const char *pattern, const char *uses_pid, char *where,
                                  size_t where_n)
{
    char text[CONFIG_TEXT_MAX];
    where[0] = '\0';
    size_t n = trim_right(pattern, strlen(pattern));
    if (!copy_out(pattern, n, text, sizeof(text))) {
        return CORE_HANDLER;
    }
    if (n == 0) {
        return uses_pid[0] == '1' ? CORE_RELATIVE : CORE_NONE; /* core(5) */
    }
    if (text[0] == '/') {
        return pattern_dir(text, where, where_n) ? CORE_DIR : CORE_HANDLER;
    }
    if (text[0] == '@') { /* a socket (Linux 6.16): whoever listens decides */
        (void)copy_out(text, n, where, where_n);
        return CORE_HANDLER;
    }
    if (text[0] != '|') {
        return CORE_RELATIVE;
    }
    const char *word = text + 1 + strspn(text + 1, " ");
    size_t len = strcspn(word, " \t");
    static const struct {
        const char *tail;
        enum core_kind kind;
        const char *where;
    } handlers[] = {
        {"systemd-coredump", CORE_SYSTEMD, ""},
        {"apport", CORE_DIR, "/var/crash"},
        {"bin/false", CORE_NONE, ""},
        {"bin/true", CORE_NONE, ""},
        {"dev/null", CORE_NONE, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        if (word_is(word, len, handlers[i].tail)) {
            (void)copy_out(handlers[i].where, strlen(handlers[i].where), where, where_n);
            return handlers[i].kind;
        }
    }
    if (!copy_out(word, len, where, where_n)) {
        where[0] = '\0';
    }
    return CORE_HANDLER;
}

enum kdump_kind kdump_parse_debian(const char *text, char *where, size_t where_n)
{
    char value[CONFIG_TEXT_MAX];
    if (!conf_value(text, NULL, "USE_KDUMP", value, sizeof(value)) || value[0] != '1') {
        return KDUMP_NONE;
    }
    static const char *const remote[] = {"SSH", "NFS", "FTP"};
    for (size_t i = 0; i < ARRAY_LEN(remote); i++) {
        if (conf_value(text, NULL, remote[i], value, sizeof(value)) && value[0] != '\0') {
            (void)snprintf(where, where_n, "%s", remote[i]);
            return KDUMP_NETWORK;
        }
    }
    if (!conf_value(text, NULL, "KDUMP_COREDIR", where, where_n)) {
        (void)snprintf(where, where_n, "/var/crash");
    }
    return where[0] == '/' ? KDUMP_DIR : KDUMP_OTHER;
}

/* "WORD REST" of one line; the rest may be empty. */
static void split_word(const char *line, size_t n, char *word, size_t word_n, char *rest,
                       size_t rest_n)
{
    size_t w = 0;
    while (w < n && !isspace((unsigned char)line[w])) {
        w++;
    }
    size_t r = w;
    while (r < n && isspace((unsigned char)line[r])) {
        r++;
    }
    if (!copy_out(line, w, word, word_n) || !copy_out(line + r, n - r, rest, rest_n)) {
        word[0] = '\0';
        rest[0] = '\0';
    }
}

/* The target is the last file system or remote line; `path` is a directory of it, and of the
 * running system only where no target is named. */
enum kdump_kind kdump_parse_redhat(const char *text, char *where, size_t where_n)
{
    static const char *const file_systems[] = {"ext2",  "ext3",  "ext4", "xfs",
                                               "btrfs", "minix", "raw"};
    char word[64];
    char rest[CONFIG_TEXT_MAX];
    enum kdump_kind kind = KDUMP_DIR;
    (void)snprintf(where, where_n, "/var/crash");
    for (const char *at = text; *at != '\0';) {
        size_t n = strcspn(at, "\n");
        const char *line = at;
        at += n + (at[n] == '\n' ? 1 : 0);
        split_word(line, trim_right(line, n), word, sizeof(word), rest, sizeof(rest));
        bool is_fs = false;
        for (size_t i = 0; i < ARRAY_LEN(file_systems); i++) {
            is_fs = is_fs || strcmp(word, file_systems[i]) == 0;
        }
        if (is_fs) {
            kind = KDUMP_DEVICE;
            (void)copy_out(rest, strlen(rest), where, where_n);
        } else if (strcmp(word, "nfs") == 0 || strcmp(word, "ssh") == 0 ||
                   strcmp(word, "virtiofs") == 0) {
            kind = KDUMP_NETWORK;
            (void)copy_out(word, strlen(word), where, where_n);
        } else if (strcmp(word, "dracut_args") == 0 && strstr(rest, "--mount") != NULL) {
            kind = KDUMP_OTHER;
            (void)copy_out(word, strlen(word), where, where_n);
        } else if (strcmp(word, "path") == 0 && kind == KDUMP_DIR && rest[0] == '/') {
            (void)copy_out(rest, strlen(rest), where, where_n);
        }
    }
    return kind;
}

enum kdump_kind kdump_parse_suse(const char *text, char *where, size_t where_n)
{
    char value[CONFIG_TEXT_MAX] = "";
    if (!conf_value(text, NULL, "KDUMP_SAVEDIR", value, sizeof(value))) {
        return KDUMP_NONE;
    }
    const char *dir = strncmp(value, "file://", 7) == 0 ? value + 7 : value;
    if (dir[0] == '/') {
        return copy_out(dir, strlen(dir), where, where_n) ? KDUMP_DIR : KDUMP_OTHER;
    }
    (void)copy_out(value, strcspn(value, ":"), where, where_n);
    return strstr(value, "://") != NULL ? KDUMP_NETWORK : KDUMP_OTHER;
}
