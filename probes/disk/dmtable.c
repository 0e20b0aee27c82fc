/* Device-mapper tables. The volume key of a crypt target stands in its parameters in hexadecimal:
 * the first thing that happens to a table here is that it is overwritten. */
#include "probes/disk/dmtable.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/dm-ioctl.h>

struct dm_row {
    const char *type;
    enum dm_kind kind;
    int key_token; /* place of the key among the parameters, -1 = none */
    const char *layer;
};

/* Types that pass data on unchanged. Integrity and verity protect against change, not reading. */
static const struct dm_row dm_rows[] = {
    {"crypt", DM_ENCRYPTS, 1, "crypt"},
    {"linear", DM_PASSES, -1, "linear"},
    {"striped", DM_PASSES, -1, "striped"},
    {"mirror", DM_PASSES, -1, "mirror"},
    {"raid", DM_PASSES, -1, "raid"},
    {"thin", DM_PASSES, -1, "thin"},
    {"thin-pool", DM_PASSES, -1, "thin-pool"},
    {"snapshot", DM_PASSES, -1, "snapshot"},
    {"snapshot-origin", DM_PASSES, -1, "snapshot"},
    {"snapshot-merge", DM_PASSES, -1, "snapshot"},
    {"cache", DM_PASSES, -1, "cache"},
    {"writecache", DM_PASSES, -1, "cache"},
    {"era", DM_PASSES, -1, "era"},
    {"multipath", DM_PASSES, -1, "multipath"},
    {"verity", DM_PASSES, -1, "verity"},
    {"integrity", DM_PASSES, -1, "integrity"},
    {"delay", DM_PASSES, -1, "delay"},
    {"dust", DM_PASSES, -1, "dust"},
    {"flakey", DM_PASSES, -1, "flakey"},
    {"clone", DM_PASSES, -1, "clone"},
    {"unstriped", DM_PASSES, -1, "striped"},
    {"log-writes", DM_PASSES, -1, "log-writes"},
    {"zoned", DM_PASSES, -1, "zoned"},
    {"vdo", DM_PASSES, -1, "vdo"},
    {"error", DM_NOTHING, -1, "error"},
    {"zero", DM_NOTHING, -1, "zero"},
};

static const struct dm_row *dm_row_of(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(dm_rows); i++) {
        if (strcmp(dm_rows[i].type, type) == 0) {
            return &dm_rows[i];
        }
    }
    return NULL;
}

const char *dm_layer_word(const struct dm_target *t)
{
    const struct dm_row *row = dm_row_of(t->type);
    return row == NULL ? t->type : row->layer;
}

void dm_table_done(struct dm_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->targets[i].devs);
    }
    free(t->targets);
    free(t->name);
    free(t->uuid);
    *t = (struct dm_table){0};
}

/* A key as dm-crypt shows it: "-" = none, ":SIZE:TYPE:DESCRIPTION" = in the kernel's keyring, else
 * hexadecimal digits. Sizes stay readable, contents do not. */
static void blank_key(char *key, size_t n)
{
    if (n == 1 && key[0] == '-') {
        return;
    }
    size_t i = 0;
    char fill = '0';
    if (key[0] == ':') {
        fill = '-';
        for (i = 1; i < n && isdigit((unsigned char)key[i]); i++) {
        }
        i = i < n && key[i] == ':' ? i + 1 : 0;
    }
    memset(key + i, fill, n - i);
}

/* dm-integrity's optional arguments carry keys behind the second colon: "internal_hash:ALG:KEY". */
static void blank_integrity(char *params)
{
    static const char *const names[] = {"internal_hash:", "journal_crypt:", "journal_mac:"};
    for (char *at = params; *at != '\0';) {
        size_t n = strcspn(at, " ");
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            size_t skip = strlen(names[i]);
            if (n > skip && strncmp(at, names[i], skip) == 0) {
                char *colon = memchr(at + skip, ':', n - skip);
                if (colon != NULL) {
                    memset(colon + 1, '0', (size_t)(at + n - colon - 1));
                }
            }
        }
        at += n;
        at += strspn(at, " ");
    }
}

void dm_redact(const char *type, char *params)
{
    const struct dm_row *row = dm_row_of(type);
    if (row == NULL) {
        explicit_bzero(params, strlen(params));
        return;
    }
    if (strcmp(type, "integrity") == 0) {
        blank_integrity(params);
    }
    if (row->key_token < 0) {
        return;
    }
    char *at = params + strspn(params, " ");
    for (int i = 0; i < row->key_token; i++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    size_t n = strcspn(at, " ");
    if (n > 0) {
        blank_key(at, n);
    }
}

/* "MAJ:MIN", or with a name before it ("meta_device:8:1"). */
static bool token_dev(const char *token, size_t n, struct dm_dev *ret)
{
    static const char meta[] = "meta_device:";
    if (n > sizeof(meta) - 1 && strncmp(token, meta, sizeof(meta) - 1) == 0) {
        token += sizeof(meta) - 1;
        n -= sizeof(meta) - 1;
    }
    unsigned long v[2] = {0, 0};
    unsigned part = 0;
    unsigned digits = 0;
    for (size_t i = 0; i < n; i++) {
        if (isdigit((unsigned char)token[i]) && digits < 9) {
            v[part] = v[part] * 10 + (unsigned long)(token[i] - '0');
            digits++;
        } else if (token[i] == ':' && part == 0 && digits > 0) {
            part = 1;
            digits = 0;
        } else {
            return false;
        }
    }
    if (part != 1 || digits == 0) {
        return false;
    }
    *ret = (struct dm_dev){.dev_major = (unsigned)v[0], .dev_minor = (unsigned)v[1]};
    return true;
}

static int target_devs(struct dm_target *t, const char *params, struct err *e)
{
    size_t cap = 0;
    for (const char *at = params; *at != '\0';) {
        at += strspn(at, " ");
        size_t n = strcspn(at, " ");
        struct dm_dev dev;
        if (n > 0 && token_dev(at, n, &dev)) {
            if (t->n_devs == cap) {
                cap = cap == 0 ? 4 : cap * 2;
                struct dm_dev *devs = realloc(t->devs, cap * sizeof(*devs));
                if (devs == NULL) {
                    return err_nomem(e);
                }
                t->devs = devs;
            }
            t->devs[t->n_devs++] = dev;
        }
        at += n;
    }
    return 0;
}

static bool key_size(const char *key, size_t n, unsigned *ret_bits)
{
    unsigned bytes = 0;
    if (n == 1 && key[0] == '-') {
        *ret_bits = 0;
        return true;
    }
    if (key[0] != ':') {
        *ret_bits = (unsigned)(n * 4);
        return n % 2 == 0;
    }
    for (size_t i = 1; i < n && isdigit((unsigned char)key[i]) && bytes < 100000; i++) {
        bytes = bytes * 10 + (unsigned)(key[i] - '0');
    }
    *ret_bits = bytes * 8;
    return bytes > 0;
}

/* "CIPHER KEY IV_OFFSET DEVICE OFFSET [N OPTION...]"; anything else is DM_UNKNOWN. */
static void parse_crypt(struct dm_target *t, const char *params)
{
    const char *at = params + strspn(params, " ");
    size_t n = strcspn(at, " ");
    t->kind = DM_UNKNOWN;
    if (n == 0 || n >= sizeof(t->cipher)) {
        return;
    }
    memcpy(t->cipher, at, n);
    t->cipher[n] = '\0';
    at += n;
    at += strspn(at, " ");
    n = strcspn(at, " ");
    if (n == 0 || !key_size(at, n, &t->key_bits) || t->n_devs != 1) {
        return;
    }
    /* "cipher_null-ecb", "capi:ecb(cipher_null)-plain", "ecb-cipher_null". An IV generator called
     * null ("aes-cbc-null") is another thing: the data are enciphered. No key, no secret. */
    bool is_null = strstr(t->cipher, "cipher_null") != NULL || t->key_bits == 0;
    t->kind = is_null ? DM_CLEAR : DM_ENCRYPTS;
}

/* "START LENGTH TYPE PARAMS", writable. 1 taken, 0 broken, or ERR_NOMEM. */
static int parse_target(char *line, struct dm_target *t, struct err *e)
{
    int used = 0;
    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %31s%n", &t->start, &t->length, t->type, &used) !=
            3 ||
        (line[used] != ' ' && line[used] != '\0')) {
        return 0;
    }
    char *params = line + used + strspn(line + used, " ");
    dm_redact(t->type, params);
    int r = target_devs(t, params, e);
    if (r < 0) {
        return r;
    }
    const struct dm_row *row = dm_row_of(t->type);
    t->kind = row == NULL ? DM_UNKNOWN : row->kind;
    if (t->kind == DM_ENCRYPTS) {
        parse_crypt(t, params);
    } else if (t->kind == DM_PASSES && t->n_devs == 0) {
        t->kind = DM_UNKNOWN; /* passes data on, but to what is not said */
    }
    return 1;
}

int dm_table_parse(const char *text, size_t n, struct dm_table *ret, struct err *e)
{
    CLEANUP(dm_table) struct dm_table t = {0};
    CLEANUP(free) char *copy = strndup(text, n);
    if (copy == NULL) {
        return err_nomem(e);
    }
    char *rest = copy;
    const char *name = strsep(&rest, "\n");
    const char *uuid = strsep(&rest, "\n");
    if (uuid == NULL || rest == NULL) {
        return err_set(e, ERR_MALFORMED, "device-mapper table without name and uuid");
    }
    t.name = strdup(name);
    t.uuid = strdup(uuid);
    if (t.name == NULL || t.uuid == NULL) {
        return err_nomem(e);
    }
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (*line == '\0') {
            continue;
        }
        struct dm_target *targets = realloc(t.targets, (t.n + 1) * sizeof(*targets));
        if (targets == NULL) {
            return err_nomem(e);
        }
        t.targets = targets;
        struct dm_target *slot = &t.targets[t.n++];
        *slot = (struct dm_target){0};
        int r = parse_target(line, slot, e);
        if (r < 0) {
            return r;
        }
        if (r == 0) {
            return err_set(e, ERR_MALFORMED, "device-mapper table: broken target line");
        }
    }
    *ret = t;
    t = (struct dm_table){0};
    return 0;
}

int dm_reply_lines(char *buf, size_t n, size_t data_start, unsigned n_targets, struct str *out,
                   struct err *e)
{
    size_t at = data_start;
    for (unsigned i = 0; i < n_targets; i++) {
        struct dm_target_spec spec;
        if (at > n || n - at <= sizeof(spec)) {
            return err_set(e, ERR_MALFORMED, "device-mapper reply: record %u outside", i);
        }
        memcpy(&spec, buf + at, sizeof(spec));
        char *params = buf + at + sizeof(spec);
        if (memchr(params, '\0', n - at - sizeof(spec)) == NULL ||
            memchr(spec.target_type, '\0', sizeof(spec.target_type)) == NULL ||
            strpbrk(spec.target_type, " \n") != NULL) {
            return err_set(e, ERR_MALFORMED, "device-mapper reply: text without end");
        }
        dm_redact(spec.target_type, params);
        /* A line break inside would begin a target of its own in the text form. */
        for (char *nl = strchr(params, '\n'); nl != NULL; nl = strchr(nl, '\n')) {
            *nl = '?';
        }
        str_addf(out, "%" PRIu64 " %" PRIu64 " %s %s\n", (uint64_t)spec.sector_start,
                 (uint64_t)spec.length, spec.target_type, params);
        /* next counts from the first record in a reply, see dm-ioctl.h */
        if (i + 1 < n_targets && (spec.next > n - data_start || data_start + spec.next <= at)) {
            return err_set(e, ERR_MALFORMED, "device-mapper reply: record %u points outside", i);
        }
        at = data_start + spec.next;
    }
    return 0;
}
