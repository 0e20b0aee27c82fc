/* Times: UTC texts, calendar days, days in a zone. No locale, no TZ environment. ISO 8601; RFC 8536
 * (TZif). */
#ifndef TENKEN_BASE_TIMEFMT_H
#define TENKEN_BASE_TIMEFMT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/err.h"

#define TIME_TEXT_MAX 32

/* "2026-11-21T06:30:02Z" */
void time_utc(int64_t unix_s, char buf[TIME_TEXT_MAX]);
/* Accepts that form only (optional fraction of seconds is dropped). ERR_MALFORMED. */
int time_parse_utc(const char *text, int64_t *ret, struct err *e) MUST_USE;
/* Existing calendar day YYYY-MM-DD. Days since 1970-01-01. */
int date_parse(const char *text, int64_t *ret_days, struct err *e) MUST_USE;
void date_text(int64_t days, char buf[TIME_TEXT_MAX]);
/* Offset of a zone at an instant, in seconds east. Asia/Tokyo, UTC and +HH:MM are known without
 * files; others are read from /usr/share/zoneinfo of the machine we run on. ERR_INVALID unknown
 * zone. */
int zone_offset(const char *zone, int64_t unix_s, int32_t *ret, struct err *e) MUST_USE;
/* The local day YYYY-MM-DD of an instant in a zone. */
int date_in_zone(const char *zone, int64_t unix_s, char buf[TIME_TEXT_MAX], struct err *e) MUST_USE;
/* First instant (unix seconds) of a local day in a zone. */
int zone_day_start(const char *zone, int64_t days, int64_t *ret, struct err *e) MUST_USE;
/* Present time. The one place that asks the clock. */
int64_t time_now_s(void);
int64_t time_monotonic_us(void);
/* CPU used by this process, and with children that were waited for. */
int64_t time_cpu_us(bool with_children);

#endif
