/* Data of the probes that lie among the rules (policies/products): read here, strictly, and handed
 * to the probes as lines of text, since a probe reads no policy. What the data mean is the probe's
 * affair. */
#ifndef TENKEN_POLICY_PRODUCTS_H
#define TENKEN_POLICY_PRODUCTS_H

#include <stddef.h>

#include "agent/base/str.h"

#define PRODUCTS_PAM_FILE "products/pam-modules.yaml"
#define PRODUCTS_PAM_INPUT "pam_modules" /* kind of struct probe_input */

/* Catalogue of PAM modules: one line per entry of `modules`, in their order, appended to *ret. The
 * form of a line stands in probes/pam/modules.h. file: name for messages. ERR_INVALID with
 * file:line:column. */
int products_pam_modules(const char *file, const char *bytes, size_t n, struct strv *ret,
                         struct err *e) MUST_USE;

#endif
