/* A line that stands for one product (input kind "av_products"):
 *   product=NAME TAB vendor=TEXT [TAB dialect=clamd] [TAB KEY=/path]...
 * KEY: daemon, on_access, scanner, config, definitions, update_log, scan_log; each may come again.
 */
#ifndef TENKEN_PROBES_ANTIVIRUS_PRODUCTS_H
#define TENKEN_PROBES_ANTIVIRUS_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>

#define AV_INPUT "av_products"
#define AV_VALUE_MAX 512U

/* The i-th value of that key, cut at AV_VALUE_MAX - 1 bytes; false past the last. */
bool av_value(const char *line, const char *key, size_t i, char out[AV_VALUE_MAX]);

#endif
