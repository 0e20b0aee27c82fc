/* Device-mapper replies and tables: any bytes. Whatever comes out, the key that stands in a crypt
 * target's parameters is not in it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/dmtable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const uint8_t *data, size_t size)
{
    CLEANUP(dm_table) struct dm_table t = {0};
    struct err e = {0};
    if (dm_table_parse((const char *)data, size, &t, &e) != 0) {
        return;
    }
    for (size_t i = 0; i < t.n; i++) {
        const struct dm_target *dt = &t.targets[i];
        if (dm_layer_word(dt) == NULL || (dt->kind == DM_ENCRYPTS && dt->key_bits == 0) ||
            (dt->kind == DM_ENCRYPTS && strstr(dt->cipher, "cipher_null") != NULL)) {
            abort();
        }
    }
}

/* "START LENGTH crypt CIPHER KEY ...": the key is zeros, or dashes behind ":SIZE:", or "-". */
static void check_line(char *line)
{
    char *save = NULL;
    const char *word = NULL;
    for (int i = 0; i < 5; i++) {
        word = strtok_r(i == 0 ? line : NULL, " ", &save);
        if (word == NULL || (i == 2 && strcmp(word, "crypt") != 0)) {
            return;
        }
    }
    if (word[0] == ':') {
        word += 1 + strspn(word + 1, "0123456789");
        word += word[0] == ':' ? 1 : 0;
        word += strspn(word, "-");
    } else if (word[0] == '-') {
        word += strspn(word, "-");
    } else {
        word += strspn(word, "0");
    }
    if (word[0] != '\0') {
        abort();
    }
}

static void check_reply(const uint8_t *data, size_t size)
{
    CLEANUP(str) struct str out = STR_INIT((size_t)1 << 20);
    CLEANUP(free) char *copy = malloc(size + 1);
    struct err e = {0};
    if (copy == NULL || size < 2) {
        return;
    }
    memcpy(copy, data, size);
    if (dm_reply_lines(copy, size, data[0] % 64U, data[1], &out, &e) != 0 || out.data == NULL) {
        return;
    }
    char *save = NULL;
    for (char *line = strtok_r(out.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        check_line(line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(data, size);
    check_reply(data, size);
    return 0;
}
