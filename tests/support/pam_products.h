/* The catalogue of PAM modules from the repository's policies, as the parent hands it to the
 * probe. */
#ifndef TENKEN_TESTS_PAM_PRODUCTS_H
#define TENKEN_TESTS_PAM_PRODUCTS_H

#include "agent/base/io.h"
#include "agent/policy/products.h"

/* Lines appended to *ret. */
static inline int pam_products_load(struct strv *ret, struct err *e)
{
    static const char file[] = TENKEN_SOURCE_DIR "/policies/" PRODUCTS_PAM_FILE;
    CLEANUP(str) struct str text = STR_INIT((size_t)4 << 20);
    int r = io_read_file(file, (size_t)4 << 20, &text, e);
    return r < 0 ? r : products_pam_modules(file, str_text(&text), text.len, ret, e);
}

#endif
