/* The texts by which ClamAV dates its definitions. Pure: no file, no clock. */
#ifndef TENKEN_PROBES_ANTIVIRUS_CVD_H
#define TENKEN_PROBES_ANTIVIRUS_CVD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define CVD_HEADER_BYTES 512U

struct cvd {
    int64_t version;
    int64_t built_at_s; /* unix seconds */
};

/* The header of a CVD, CLD or CUD file: "ClamAV-VDB:" build time ":" version ":" signatures ":"
 * level ":" md5 ":" signature ":" builder [":" unix seconds], blanks up to 512 bytes. Where both
 * times are given and differ, the older counts. ERR_MALFORMED. Follows libclamav/cvd.c. */
int cvd_parse(const char *bytes, size_t n, struct cvd *ret, struct err *e) MUST_USE;

/* What clamd answers to VERSION: "ClamAV 1.4.3" [ "/" version "/" time as of ctime(3) ]. That time
 * is local to the daemon, whose zone is not told: it is taken as of the zone furthest east
 * (UTC+14), so that definitions can only look older than they are. False: no such answer.
 * has_definitions false: nothing dated is loaded. clamd(8). */
struct clamd_version {
    char engine[64];
    bool has_definitions;
    struct cvd loaded;
};
bool clamd_version_parse(const char *text, struct clamd_version *ret);

#endif
