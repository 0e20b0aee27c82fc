/* policies/products/antivirus.yaml, read strictly and handed to the probes as lines of text, since
 * a probe reads no policy. */
#ifndef TENKEN_POLICY_PRODUCTS_AV_H
#define TENKEN_POLICY_PRODUCTS_AV_H

#include <stddef.h>

#include "agent/base/str.h"

#define PRODUCTS_AV_FILE "products/antivirus.yaml"
#define PRODUCTS_AV_INPUT "av_products" /* kind of struct probe_input */

/* One line per entry of `products`, in their order, appended to *ret; a product that *ret holds
 * already is passed over. The form of a line stands in probes/antivirus/products.h. file: name for
 * messages. ERR_INVALID with file:line:column; ERR_NOMEM. */
int products_av_lines(const char *file, const char *bytes, size_t n, struct strv *ret,
                      struct err *e) MUST_USE;

#endif
