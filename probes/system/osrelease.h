/* os-release(5), the one-line release files of Red Hat and Gentoo, and the zone's name in a TZif
 * file. Pure. */
#ifndef TENKEN_PROBES_SYSTEM_OSRELEASE_H
#define TENKEN_PROBES_SYSTEM_OSRELEASE_H

#include "probes/system/text.h"

#define OSRELEASE_VALUE_MAX 512U /* with NUL; a longer value is not well formed */

/* Empty text = the file does not say. */
struct os_release {
    char name[OSRELEASE_VALUE_MAX];
    char version[OSRELEASE_VALUE_MAX];
    char version_id[OSRELEASE_VALUE_MAX];
    char build[OSRELEASE_VALUE_MAX];
    char id[OSRELEASE_VALUE_MAX];
    char id_like[OSRELEASE_VALUE_MAX];
    char codename[OSRELEASE_VALUE_MAX];
};

/* Fills *ret; later lines win over earlier ones. Lines that are no assignment, with a quote left
 * open or a NUL, are counted in *report. */
void osrelease_parse(const char *bytes, size_t n, struct os_release *ret,
                     struct parse_report *report);

struct version_numbers {
    int64_t major, minor, patch; /* 0 where the text has none */
};

/* "12", "24.04", "9.3.1": leading digits of each of the first three parts. */
struct version_numbers version_numbers(const char *text);

/* "NAME release 7.9.2009 (Core)": NAME and the numbers. False if the text has not that form
 * (then *ret_name and *ret are untouched). */
bool release_line_parse(struct span text, struct span *ret_name, struct version_numbers *ret);

/* The abbreviation ("JST") that a TZif file (RFC 8536) gives at an instant. False if the bytes are
 * no such file, or the instant lies in the rule part with summer time, which is not evaluated. */
bool tzif_abbreviation(const char *bytes, size_t n, int64_t unix_s, char ret[16]);

#endif
