/* clamd.conf(5), freshclam's log and clamscan's summaries, as text. Pure: no file, no clock. */
#ifndef TENKEN_PROBES_ANTIVIRUS_CLAMDCONF_H
#define TENKEN_PROBES_ANTIVIRUS_CLAMDCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/str.h"

/* The i-th value of an option, quotes removed; false past the last, or where it does not fit n.
 * Names of options are taken without regard to case, as clamd does. */
bool clamdconf_value(const char *text, const char *option, size_t i, char *out, size_t n);

/* The paths that on-access scanning is told to watch (OnAccessMountPath, OnAccessIncludePath) less
 * OnAccessExcludePath marked by "-", blank-separated; empty: none. */
void clamdconf_scope(const char *text, struct str *out);

/* Last line that tells of success, and last that tells of an error, of freshclam's log; both "" if
 * there is none. At most 200 bytes each. */
struct freshclam_log {
    char success[201];
    char error[201];
};
void freshclam_parse(const char *text, struct freshclam_log *ret);

/* One summary at the end of a scan by clamscan or clamdscan. Times are local and stay as they are
 * told: "2026-11-21 09:40:00". */
struct scan_summary {
    char started[32];
    char finished[32];
    long infected; /* -1: not told */
    long errors;
};
/* Reads the summary that begins at or after *at and moves *at behind it; false when none is left.
 */
bool scan_summary_next(const char **at, struct scan_summary *ret);

#endif
