/* LUKS1 and LUKS2 headers.
 *
 * LUKS2: two copies, each a binary part of 4096 bytes and a JSON area up to hdr_size, under one
 * checksum. The copy with the higher sequence number counts, if its checksum holds:
 *
 *   0  magic "LUKS\xba\xbe" | "SKUL\xba\xbe"   6  version   8  hdr_size   16 seqid
 *   72 checksum algorithm   168 uuid           256 hdr_offset             448 checksum (64)
 */
#include "probes/disk/luks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/digest.h"
#include "agent/base/json.h"

#define LUKS2_BINARY_BYTES 4096U
#define LUKS2_CSUM_AT 448U
#define LUKS2_CSUM_BYTES 64U
#define LUKS1_BYTES 592U
#define LUKS1_SLOT_ACTIVE 0x00AC71F3U

static const char magic_primary[6] = {'L', 'U', 'K', 'S', '\xba', '\xbe'};
static const char magic_secondary[6] = {'S', 'K', 'U', 'L', '\xba', '\xbe'};

static uint32_t be16(const uint8_t *p)
{
    return ((uint32_t)p[0] << 8) | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return (be16(p) << 16) | be16(p + 2);
}

static uint64_t be64(const uint8_t *p)
{
    return ((uint64_t)be32(p) << 32) | be32(p + 4);
}

bool luks_has_magic(const void *bytes, size_t n)
{
    return n >= 8 && memcmp(bytes, magic_primary, sizeof(magic_primary)) == 0;
}

bool luks_has_secondary_magic(const void *bytes, size_t n)
{
    return n >= 8 && memcmp(bytes, magic_secondary, sizeof(magic_secondary)) == 0;
}

size_t luks_secondary_offset(unsigned i)
{
    return i <= 8 ? LUKS2_HEADER_MIN << i : 0; /* 16 KiB ... 4 MiB: the permitted header sizes */
}

static bool header_size_ok(uint64_t size)
{
    for (unsigned i = 0; luks_secondary_offset(i) != 0; i++) {
        if (size == luks_secondary_offset(i)) {
            return true;
        }
    }
    return false;
}

size_t luks_wanted_bytes(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (!luks_has_magic(bytes, n)) {
        return 0;
    }
    if (be16(p + 6) == 1) {
        return 1024;
    }
    uint64_t size = n >= 16 ? be64(p + 8) : 0;
    /* A damaged size still leaves the default layout to try. */
    return header_size_ok(size) ? (size_t)size * 2 : LUKS2_HEADER_MIN * 2;
}

/* A fixed, perhaps unterminated text field; anything but printable ASCII ends it. */
static void copy_field(char *out, size_t out_n, const uint8_t *field, size_t n)
{
    size_t i = 0;
    while (i < n && i + 1 < out_n && field[i] > 0x20 && field[i] < 0x7f) {
        out[i] = (char)field[i];
        i++;
    }
    out[i] = '\0';
}

static int parse_luks1(const uint8_t *p, size_t n, struct luks *l, struct err *e)
{
    if (n < LUKS1_BYTES) {
        return err_set(e, ERR_MALFORMED, "LUKS1 header cut at %zu bytes", n);
    }
    char cipher[33];
    char mode[33];
    copy_field(cipher, sizeof(cipher), p + 8, 32);
    copy_field(mode, sizeof(mode), p + 40, 32);
    uint32_t key_bytes = be32(p + 108);
    if (cipher[0] == '\0' || key_bytes > 1024) {
        return err_set(e, ERR_MALFORMED, "LUKS1 header: no cipher, or a key of %u bytes",
                       key_bytes);
    }
    l->version = 1;
    (void)snprintf(l->cipher, sizeof(l->cipher), "%s-%s", cipher, mode);
    l->key_bits = key_bytes * 8;
    copy_field(l->uuid, sizeof(l->uuid), p + 168, 40);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t *slot = p + 208 + i * 48;
        if (be32(slot) == LUKS1_SLOT_ACTIVE) {
            struct luks_slot *s = &l->slots[l->n_slots++];
            *s = (struct luks_slot){.id = (int)i,
                                    .kdf = "pbkdf2",
                                    .iterations = be32(slot + 4),
                                    .key_bits = l->key_bits};
        }
    }
    return 0;
}

/* True if the copy of `size` bytes at p carries the checksum it ought to. */
static bool checksum_holds(const uint8_t *p, size_t size)
{
    char alg[33];
    copy_field(alg, sizeof(alg), p + 72, 32);
    if (strcmp(alg, "sha256") != 0) {
        return false; /* the only one that cryptsetup has ever written */
    }
    CLEANUP(free) uint8_t *copy = malloc(size);
    uint8_t sum[SHA256_BYTES];
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, p, size);
    memset(copy + LUKS2_CSUM_AT, 0, LUKS2_CSUM_BYTES);
    bool ok =
        sha256(copy, size, sum, NULL) == 0 && memcmp(sum, p + LUKS2_CSUM_AT, sizeof(sum)) == 0;
    explicit_bzero(copy, size);
    return ok;
}

static const char *text_of(const json_t *obj, const char *key)
{
    const char *text = json_string_value(json_object_get(obj, key));
    return text == NULL ? "" : text;
}

/* Token types that name the slot, comma joined. */
static void slot_tokens(const json_t *tokens, const char *slot_id, char *out, size_t out_n)
{
    const char *id = NULL;
    json_t *token = NULL;
    out[0] = '\0';
    /* jansson's loop keeps the order in which they stand in the header */
    json_object_foreach((json_t *)(uintptr_t)tokens, id, token)
    {
        const json_t *slots = json_object_get(token, "keyslots");
        for (size_t i = 0; i < json_array_size(slots); i++) {
            const char *names = json_string_value(json_array_get(slots, i));
            size_t used = strlen(out);
            if (names != NULL && strcmp(names, slot_id) == 0) {
                (void)snprintf(out + used, out_n - used, "%s%s", used == 0 ? "" : ",",
                               text_of(token, "type"));
            }
        }
    }
}

static void parse_slot(const char *id, const json_t *slot, const json_t *tokens, struct luks *l)
{
    const char *type = text_of(slot, "type");
    if (strcmp(type, "reencrypt") == 0) {
        const char *mode = text_of(slot, "mode");
        l->is_decrypting = l->is_decrypting || strcmp(mode, "decrypt") == 0;
        /* "reencrypt" goes from one key to another: secret all the time */
        l->is_converting = l->is_converting || strcmp(mode, "reencrypt") != 0;
        return;
    }
    if (strcmp(type, "luks2") != 0 || l->n_slots == LUKS_SLOTS_MAX) {
        return;
    }
    struct luks_slot *s = &l->slots[l->n_slots++];
    const json_t *kdf = json_object_get(slot, "kdf");
    const char *word = text_of(kdf, "type");
    *s = (struct luks_slot){.id = (int)strtol(id, NULL, 10)};
    (void)snprintf(s->kdf, sizeof(s->kdf), "%s", word);
    bool is_pbkdf2 = strcmp(word, "pbkdf2") == 0;
    s->iterations = json_integer_value(json_object_get(kdf, is_pbkdf2 ? "iterations" : "time"));
    s->memory_kib = json_integer_value(json_object_get(kdf, "memory"));
    json_int_t bytes = json_integer_value(json_object_get(slot, "key_size"));
    s->key_bits = bytes > 0 && bytes <= 1024 ? (unsigned)bytes * 8 : 0;
    slot_tokens(tokens, id, s->token, sizeof(s->token));
}

/* Segments kept only to undo or to finish a conversion are flagged "backup-...". */
static bool segment_is_backup(const json_t *segment)
{
    const json_t *flags = json_object_get(segment, "flags");
    for (size_t i = 0; i < json_array_size(flags); i++) {
        const char *flag = json_string_value(json_array_get(flags, i));
        if (flag != NULL && strncmp(flag, "backup-", 7) == 0) {
            return true;
        }
    }
    return false;
}

/* The cipher of the data; "" when the drive encrypts. Both a linear and a crypt segment in one
 * header mean a conversion that is under way. */
static void parse_segments(const json_t *segments, struct luks *l)
{
    const char *id = NULL;
    json_t *segment = NULL;
    bool has_linear = false;
    json_object_foreach((json_t *)(uintptr_t)segments, id, segment)
    {
        const char *type = text_of(segment, "type");
        if (strncmp(type, "hw-opal", 7) == 0) {
            l->uses_opal = true;
        }
        if (strcmp(type, "linear") == 0 && !segment_is_backup(segment)) {
            has_linear = true;
        }
        if (l->cipher[0] == '\0') {
            (void)snprintf(l->cipher, sizeof(l->cipher), "%s", text_of(segment, "encryption"));
        }
    }
    l->is_converting = l->is_converting || has_linear;
}

static int slot_order(const void *a, const void *b)
{
    const struct luks_slot *x = a;
    const struct luks_slot *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int parse_luks2_json(const char *text, size_t n, struct luks *l, struct err *e)
{
    CLEANUP(json) json_t *root = NULL;
    const char *end = memchr(text, '\0', n);
    size_t len = end == NULL ? n : (size_t)(end - text);
    int r = json_parse("LUKS2 header", text, len, &root, e);
    if (r < 0) {
        return r;
    }
    const json_t *slots = json_object_get(root, "keyslots");
    const json_t *segments = json_object_get(root, "segments");
    if (!json_is_object(slots) || !json_is_object(segments)) {
        return err_set(e, ERR_MALFORMED, "LUKS2 header: no keyslots or no segments");
    }
    const char *id = NULL;
    json_t *slot = NULL;
    json_object_foreach((json_t *)(uintptr_t)slots, id, slot)
    {
        parse_slot(id, slot, json_object_get(root, "tokens"), l);
    }
    qsort(l->slots, l->n_slots, sizeof(l->slots[0]), slot_order);
    parse_segments(segments, l);
    if (l->n_slots > 0) {
        l->key_bits = l->slots[0].key_bits;
    }
    return 0;
}

/* One copy at p with n bytes behind it. *ret_seq: its sequence number. False if it does not hold.
 */
static bool parse_luks2_copy(const uint8_t *p, size_t n, struct luks *ret, uint64_t *ret_seq)
{
    struct luks l = {.version = 2};
    if (n < LUKS2_BINARY_BYTES || be16(p + 6) != 2) {
        return false;
    }
    uint64_t size = be64(p + 8);
    if (!header_size_ok(size) || size > n || !checksum_holds(p, (size_t)size)) {
        return false;
    }
    copy_field(l.uuid, sizeof(l.uuid), p + 168, 40);
    if (parse_luks2_json((const char *)p + LUKS2_BINARY_BYTES, (size_t)size - LUKS2_BINARY_BYTES,
                         &l, NULL) < 0) {
        return false;
    }
    *ret_seq = be64(p + 16);
    *ret = l;
    return true;
}

int luks_parse(const void *bytes, size_t n, struct luks *ret, struct err *e)
{
    const uint8_t *p = bytes;
    struct luks best = {0};
    uint64_t best_seq = 0;
    bool found = false;
    bool any = luks_has_magic(bytes, n);
    if (any && be16(p + 6) == 1) {
        int r = parse_luks1(p, n, &best, e);
        if (r == 0) {
            *ret = best;
        }
        return r;
    }
    found = any && parse_luks2_copy(p, n, &best, &best_seq);
    for (unsigned i = 0; luks_secondary_offset(i) != 0; i++) {
        size_t at = luks_secondary_offset(i);
        if (at >= n || !luks_has_secondary_magic(p + at, n - at)) {
            continue;
        }
        struct luks other = {0};
        uint64_t seq = 0;
        any = true;
        if (parse_luks2_copy(p + at, n - at, &other, &seq) && (!found || seq > best_seq)) {
            best = other;
            best.from_secondary = true;
            best_seq = seq;
            found = true;
        }
    }
    if (!any) {
        return err_set(e, ERR_ABSENT, "no LUKS header");
    }
    if (!found) {
        return err_set(e, ERR_MALFORMED, "LUKS2 header: neither copy's checksum holds");
    }
    *ret = best;
    return 0;
}
