/* os-release(5), release files, TZif. */
#include "probes/system/osrelease.h"

#include <ctype.h>
#include <string.h>

#include "agent/base/compiler.h"

/* Undoes the quoting that os-release(5) allows. False: a quote is left open, or the value is too
 * long. */
static bool unquote(struct span s, char ret[OSRELEASE_VALUE_MAX])
{
    char quote = '\0';
    size_t out = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
            continue;
        }
        if (c == quote && quote != '\0') {
            quote = '\0';
            continue;
        }
        if (c == '\\' && quote != '\'' && i + 1 < s.n) {
            c = s.p[++i];
        }
        if (out + 1 >= OSRELEASE_VALUE_MAX) {
            return false;
        }
        ret[out++] = c;
    }
    ret[out] = '\0';
    return quote == '\0';
}

/* Shell variable names in upper case, as os-release(5) has them. */
static bool is_key(struct span key)
{
    for (size_t i = 0; i < key.n; i++) {
        if (!isupper((unsigned char)key.p[i]) && !isdigit((unsigned char)key.p[i]) &&
            key.p[i] != '_') {
            return false;
        }
    }
    return key.n > 0;
}

/* Where the value of a key belongs; NULL: not of interest. */
static char *slot(struct os_release *r, struct span key)
{
    const struct {
        const char *key;
        char *value;
    } slots[] = {{"NAME", r->name},
                 {"VERSION", r->version},
                 {"BUILD_ID", r->build},
                 {"ID", r->id},
                 {"ID_LIKE", r->id_like},
                 {"VERSION_ID", r->version_id},
                 {"VERSION_CODENAME", r->codename}};

    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        if (span_is(key, slots[i].key)) {
            return slots[i].value;
        }
    }
    /* Some distributions have a key of their own for it (UBUNTU_CODENAME). */
    if (r->codename[0] == '\0' && memmem(key.p, key.n, "CODENAME", 8) != NULL) {
        return r->codename;
    }
    return NULL;
}

void osrelease_parse(const char *bytes, size_t n, struct os_release *ret,
                     struct parse_report *report)
{
    struct span rest = span_of(bytes, n);
    struct span line;

    memset(ret, 0, sizeof(*ret));
    *report = (struct parse_report){0};
    while (span_line(&rest, &line)) {
        char value[OSRELEASE_VALUE_MAX];
        struct span key;
        struct span text;

        report->lines++;
        line = span_trim(line);
        if (line.n == 0 || *line.p == '#') {
            continue;
        }
        if (span_has_nul(line) || !span_cut(line, '=', &key, &text) || !is_key(key) ||
            !unquote(text, value)) {
            report_bad(report);
            continue;
        }
        char *to = slot(ret, key);
        if (to != NULL) {
            memcpy(to, value, strlen(value) + 1);
        }
    }
}

/* Leading digits; 0 if there are none or too many. */
static int64_t leading_number(struct span s)
{
    size_t n = 0;
    int64_t value = 0;

    while (n < s.n && isdigit((unsigned char)s.p[n])) {
        n++;
    }
    (void)span_decimal(span_of(s.p, n), INT32_MAX, &value);
    return value;
}

struct version_numbers version_numbers(const char *text)
{
    struct span f[3] = {{0}};

    (void)span_split(span_of(text, strlen(text)), '.', f, 3);
    return (struct version_numbers){.major = leading_number(f[0]),
                                    .minor = leading_number(f[1]),
                                    .patch = leading_number(f[2])};
}

bool release_line_parse(struct span text, struct span *ret_name, struct version_numbers *ret)
{
    static const char word[] = " release ";
    const char *at = text.n > 0 ? memmem(text.p, text.n, word, sizeof(word) - 1) : NULL;
    char numbers[64];

    if (at == NULL || at == text.p) {
        return false;
    }
    struct span rest =
        span_of(at + sizeof(word) - 1, text.n - (size_t)(at - text.p) - (sizeof(word) - 1));
    struct span version;
    if (!span_word(&rest, &version) || version.n >= sizeof(numbers) ||
        !isdigit((unsigned char)*version.p)) {
        return false;
    }
    memcpy(numbers, version.p, version.n);
    numbers[version.n] = '\0';
    if (strchr(numbers, '.') == NULL) {
        return false;
    }
    *ret_name = span_of(text.p, (size_t)(at - text.p));
    *ret = version_numbers(numbers);
    return true;
}

/* --- TZif, RFC 8536 section 3 ---
 * header: "TZif" version(1) reserved(15) isutcnt isstdcnt leapcnt timecnt typecnt charcnt (4 each)
 * block:  transition times (timecnt*w), their types (timecnt), types (typecnt*6: offset 4, dst 1,
 *         abbreviation index 1), abbreviations (charcnt), leap seconds (leapcnt*(w+4)), isstd, isut
 * Version 2 and up repeats header and block with w = 8, then a footer NL TZ-string NL. */
#define TZIF_HEADER 44U

struct tzif_block {
    const unsigned char *p; /* first byte behind the header */
    size_t width;           /* of a time: 4 or 8 */
    size_t n_isut, n_isstd, n_leap, n_times, n_types, n_chars;
    size_t size;
};

/* Counts of the header: unsigned, most significant byte first. */
static size_t be32(const unsigned char *p)
{
    return ((size_t)p[0] << 24) | ((size_t)p[1] << 16) | ((size_t)p[2] << 8) | (size_t)p[3];
}

/* Times are signed: version 1's four bytes are widened by their sign. */
static int64_t be_time(const unsigned char *p, size_t width)
{
    uint64_t v = width == 4 && (p[0] & 0x80U) != 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < width; i++) {
        v = (v << 8) | p[i];
    }
    return (int64_t)v;
}

/* Counts are bounded by the bytes that are there, so that no product can overflow. */
static bool tzif_block(const unsigned char *p, size_t n, size_t width, struct tzif_block *b)
{
    if (n < TZIF_HEADER || memcmp(p, "TZif", 4) != 0) {
        return false;
    }
    *b = (struct tzif_block){.p = p + TZIF_HEADER,
                             .width = width,
                             .n_isut = be32(p + 20),
                             .n_isstd = be32(p + 24),
                             .n_leap = be32(p + 28),
                             .n_times = be32(p + 32),
                             .n_types = be32(p + 36),
                             .n_chars = be32(p + 40)};
    if (b->n_isut > n || b->n_isstd > n || b->n_leap > n || b->n_times > n || b->n_types > n ||
        b->n_chars > n) {
        return false;
    }
    b->size = b->n_times * (width + 1) + b->n_types * 6 + b->n_chars + b->n_leap * (width + 4) +
              b->n_isstd + b->n_isut;
    return b->size <= n - TZIF_HEADER;
}

/* The abbreviation must end inside the block: a name without its NUL is a broken file. */
static bool copy_abbreviation(const char *p, size_t n, char ret[16])
{
    size_t len = strnlen(p, n);

    if (len == 0 || len == n || len >= 16) {
        return false;
    }
    memcpy(ret, p, len);
    ret[len] = '\0';
    return true;
}

/* "JST-9" or "<+0330>-3:30"; a text with more behind the offset has summer time. */
static bool footer_abbreviation(struct span tz, char ret[16])
{
    size_t from = tz.n > 0 && *tz.p == '<' ? 1 : 0;
    size_t n = from;

    while (n < tz.n && (from == 1 ? tz.p[n] != '>' : isalpha((unsigned char)tz.p[n]) != 0)) {
        n++;
    }
    size_t rest = n + from;
    while (rest < tz.n && strchr("+-:0123456789", tz.p[rest]) != NULL && tz.p[rest] != '\0') {
        rest++;
    }
    if (rest != tz.n || n == from || n - from >= 16) {
        return false;
    }
    memcpy(ret, tz.p + from, n - from);
    ret[n - from] = '\0';
    return true;
}

/* Type of the last transition that is not later. */
static bool block_abbreviation(const struct tzif_block *b, int64_t unix_s, char ret[16])
{
    const unsigned char *types = b->p + b->n_times * (b->width + 1);
    const unsigned char *chars = types + b->n_types * 6;
    size_t type = 0; /* before the first transition: type 0 */

    for (size_t i = 0; i < b->n_times && be_time(b->p + i * b->width, b->width) <= unix_s; i++) {
        type = b->p[b->n_times * b->width + i];
    }
    if (type >= b->n_types || types[type * 6 + 5] >= b->n_chars) {
        return false;
    }
    size_t at = types[type * 6 + 5];
    return copy_abbreviation((const char *)chars + at, b->n_chars - at, ret);
}

bool tzif_abbreviation(const char *bytes, size_t n, int64_t unix_s, char ret[16])
{
    const unsigned char *p = (const unsigned char *)bytes;
    struct tzif_block b;

    if (!tzif_block(p, n, 4, &b)) {
        return false;
    }
    if (p[4] < '2') {
        return block_abbreviation(&b, unix_s, ret);
    }
    size_t skip = TZIF_HEADER + b.size;
    if (!tzif_block(p + skip, n - skip, 8, &b)) {
        return false;
    }
    if (b.n_times > 0 && be_time(b.p + (b.n_times - 1) * 8, 8) > unix_s) {
        return block_abbreviation(&b, unix_s, ret);
    }
    struct span footer = span_of((const char *)b.p + b.size, n - skip - TZIF_HEADER - b.size);
    struct span tz;
    if (!span_line(&footer, &tz) || tz.n != 0 || !span_line(&footer, &tz) || tz.n == 0) {
        return block_abbreviation(&b, unix_s, ret);
    }
    return footer_abbreviation(tz, ret);
}
