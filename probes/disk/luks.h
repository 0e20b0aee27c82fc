/* LUKS headers. Pure: the first bytes of a device in, a summary out; salts, digests and key
 * material are not looked at beyond the header's checksum.
 * LUKS1 On-Disk Format Specification 1.2.3; LUKS2 On-Disk Format Specification 1.1. */
#ifndef TENKEN_PROBES_DISK_LUKS_H
#define TENKEN_PROBES_DISK_LUKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"

#define LUKS_SLOTS_MAX 32U
#define LUKS2_HEADER_MAX ((size_t)4 << 20)
#define LUKS2_HEADER_MIN ((size_t)16 << 10)

struct luks_slot {
    int id;
    char kdf[16]; /* argon2id, argon2i, pbkdf2; other words cut */
    int64_t memory_kib, iterations;
    unsigned key_bits;
    char token[128]; /* types of the tokens that open this slot, comma joined, "" = none */
};

struct luks {
    int version; /* 1 or 2 */
    char uuid[41];
    char cipher[80]; /* of the data; "" where the drive itself encrypts */
    unsigned key_bits;
    bool is_converting; /* a conversion between plain and encrypted is not finished: */
    bool is_decrypting; /* towards plain */
    bool uses_opal;     /* the drive's own encryption stands in for, or below, dm-crypt */
    bool from_secondary;
    struct luks_slot slots[LUKS_SLOTS_MAX];
    size_t n_slots;
};

/* True if the bytes begin with the magic of a (primary) LUKS header. */
bool luks_has_magic(const void *bytes, size_t n);
/* How many bytes from the start of the device luks_parse needs to see both headers: 1024 for LUKS1,
 * twice the header size for LUKS2; 0 if this is no primary header. */
size_t luks_wanted_bytes(const void *bytes, size_t n);
/* Places where a secondary LUKS2 header may stand when the primary is lost. */
size_t luks_secondary_offset(unsigned i); /* 0 past the last */
bool luks_has_secondary_magic(const void *bytes, size_t n);
/* ERR_ABSENT no LUKS header; ERR_MALFORMED there is one but neither copy holds. */
int luks_parse(const void *bytes, size_t n, struct luks *ret, struct err *e) MUST_USE;

#endif
