/* agent/base/zone.c: a TZif file of any content gives an offset within bounds or is refused. The
 * source itself is included to reach its parser behind the fixed folder of zone files. */
#include <stdlib.h>

#include "agent/base/zone.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t instants[] = {INT64_MIN,  -3000000000, 0,
                                       1795242602, 4102444800,  INT64_MAX};
    struct bytes b = {.p = data, .n = size};
    struct tzif z = {0};
    if (!tzif_cut(b, &z)) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(instants); i++) {
        int32_t offset = 0;
        (void)tzif_offset(&z, instants[i], &offset);
    }
    return 0;
}
