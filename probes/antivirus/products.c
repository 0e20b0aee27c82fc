/* Lines that stand for products. */
#include "probes/antivirus/products.h"

#include <stdio.h>
#include <string.h>

bool av_value(const char *line, const char *key, size_t i, char out[AV_VALUE_MAX])
{
    size_t n_key = strlen(key);
    for (const char *p = line; *p != '\0';) {
        size_t n = strcspn(p, "\t");
        if (n > n_key && strncmp(p, key, n_key) == 0 && p[n_key] == '=' && i-- == 0) {
            (void)snprintf(out, AV_VALUE_MAX, "%.*s", (int)(n - n_key - 1), p + n_key + 1);
            return true;
        }
        p += n + (p[n] == '\t');
    }
    return false;
}
