/* First bytes of a device as a LUKS header: any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/digest.h"
#include "probes/disk/luks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const void *bytes, size_t n)
{
    struct luks l;
    struct err e = {0};
    if (luks_wanted_bytes(bytes, n) > 2 * LUKS2_HEADER_MAX) {
        abort();
    }
    if (luks_parse(bytes, n, &l, &e) == 0 &&
        (l.n_slots > LUKS_SLOTS_MAX || (l.version != 1 && l.version != 2) ||
         memchr(l.uuid, '\0', sizeof(l.uuid)) == NULL)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size);
    /* Mutations break the checksum: mend it, so that the JSON behind it is reached, too. */
    if (size >= LUKS2_HEADER_MIN && data[7] == 2) {
        CLEANUP(free) uint8_t *copy = malloc(size);
        uint8_t sum[SHA256_BYTES];
        if (copy == NULL) {
            return 0;
        }
        memcpy(copy, data, size);
        memset(copy + 448, 0, 64);
        if (sha256(copy, LUKS2_HEADER_MIN, sum, NULL) == 0) {
            memcpy(copy + 448, sum, sizeof(sum));
            check(copy, size);
        }
    }
    return 0;
}
