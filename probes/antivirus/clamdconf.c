/* Texts around ClamAV: its settings, and what its programs write down. */
#include "probes/antivirus/clamdconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SUMMARY "SCAN SUMMARY"

bool clamdconf_value(const char *text, const char *option, size_t i, char *out, size_t n)
{
    size_t n_option = strlen(option);
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *p = line + strspn(line, " \t");
        size_t word = strcspn(p, " \t\r\n");
        if (word == n_option && strncasecmp(p, option, n_option) == 0 && i-- == 0) {
            p += word + strspn(p + word, " \t");
            size_t v = (size_t)(line + len - p);
            while (v > 0 && strchr(" \t\r", p[v - 1]) != NULL) {
                v--;
            }
            if (v >= 2 && p[0] == '"' && p[v - 1] == '"') {
                p++;
                v -= 2;
            }
            if (v == 0 || v >= n) {
                return false;
            }
            memcpy(out, p, v);
            out[v] = '\0';
            return true;
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

void clamdconf_scope(const char *text, struct str *out)
{
    static const struct {
        const char *option, *mark;
    } all[] = {
        {"OnAccessMountPath", ""}, {"OnAccessIncludePath", ""}, {"OnAccessExcludePath", "-"}};
    char value[512];
    for (size_t o = 0; o < sizeof(all) / sizeof(all[0]); o++) {
        for (size_t i = 0; clamdconf_value(text, all[o].option, i, value, sizeof(value)); i++) {
            str_addf(out, "%s%s%s", out->len == 0 ? "" : " ", all[o].mark, value);
        }
    }
}

static void keep_line(const char *line, size_t len, char out[201])
{
    (void)snprintf(out, 201, "%.*s", (int)(len < 200 ? len : 200), line);
}

static bool line_has(const char *line, size_t len, const char *word)
{
    return memmem(line, len, word, strlen(word)) != NULL;
}

void freshclam_parse(const char *text, struct freshclam_log *ret)
{
    ret->success[0] = '\0';
    ret->error[0] = '\0';
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        bool is_daily = line_has(line, len, "daily");
        if (line_has(line, len, "ERROR")) {
            keep_line(line, len, ret->error);
        } else if (is_daily && (line_has(line, len, "updated (version:") ||
                                line_has(line, len, "up-to-date (version:") ||
                                line_has(line, len, "up to date (version:"))) {
            keep_line(line, len, ret->success);
        }
        line += len + (line[len] == '\n');
    }
}

/* "2026:11:21 09:40:00" as clamscan writes it. */
static void keep_date(const char *text, char out[32])
{
    int y = 0;
    int mo = 0;
    int d = 0;
    int h = 0;
    int mi = 0;
    int s = 0;
    if (sscanf(text, " %4d:%2d:%2d %2d:%2d:%2d", &y, &mo, &d, &h, &mi, &s) == 6) {
        (void)snprintf(out, 32, "%04d-%02d-%02d %02d:%02d:%02d", y, mo, d, h, mi, s);
    }
}

bool scan_summary_next(const char **at, struct scan_summary *ret)
{
    const char *begin = strstr(*at, SUMMARY);
    if (begin == NULL) {
        return false;
    }
    begin += strlen(SUMMARY);
    const char *end = strstr(begin, SUMMARY);
    end = end != NULL ? end : begin + strlen(begin);
    *ret = (struct scan_summary){.infected = -1, .errors = 0};
    for (const char *line = begin; line < end && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "Infected files:", 15) == 0) {
            ret->infected = strtol(line + 15, NULL, 10);
        } else if (strncmp(line, "Total errors:", 13) == 0) {
            ret->errors = strtol(line + 13, NULL, 10);
        } else if (strncmp(line, "Start Date:", 11) == 0) {
            keep_date(line + 11, ret->started);
        } else if (strncmp(line, "End Date:", 9) == 0) {
            keep_date(line + 9, ret->finished);
        }
        line += len + (line[len] == '\n');
    }
    *at = end;
    return true;
}
