/* agent/base/str.c, utf8.c, str_width.c, digest.c: escaping gives valid UTF-8 without controls and
 * can be undone; base64 is its own inverse. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/digest.h"
#include "agent/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Undoes str_add_cell. */
static void unescape(const struct str *cell, struct str *out)
{
    for (size_t i = 0; i < cell->len; i++) {
        if (cell->data[i] == '\\') {
            unsigned byte = hex_digit(cell->data[i + 2]) << 4 | hex_digit(cell->data[i + 3]);
            str_add_char(out, (char)byte);
            i += 3;
        } else {
            str_add_char(out, cell->data[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    CLEANUP(str) struct str cell = STR_INIT(SIZE_MAX / 2);
    CLEANUP(str) struct str back = STR_INIT(SIZE_MAX / 2);
    CLEANUP(str) struct str shown = STR_INIT(SIZE_MAX / 2);
    str_add_cell(&cell, data, size);
    unescape(&cell, &back);
    if (str_error(&cell, &e) != 0 || back.len != size ||
        (size > 0 && memcmp(back.data, data, size) != 0) ||
        !str_is_utf8(str_text(&cell), cell.len)) {
        abort();
    }
    str_add_terminal(&shown, str_text(&cell));
    for (size_t i = 0; i < shown.len; i++) {
        if ((unsigned char)shown.data[i] < 0x20 || shown.data[i] == 0x7f) {
            abort();
        }
    }
    if (str_width(str_text(&shown)) > 2 * shown.len) {
        abort();
    }
    CLEANUP(str) struct str coded = STR_INIT(SIZE_MAX / 2);
    CLEANUP(str) struct str plain = STR_INIT(SIZE_MAX / 2);
    base64_encode(data, size, &coded);
    if (base64_decode(str_text(&coded), coded.len, &plain, &e) != 0 || plain.len != size) {
        abort();
    }
    /* what decodes must encode to the same digits: no second text for the same bytes */
    CLEANUP(str) struct str once = STR_INIT(SIZE_MAX / 2);
    CLEANUP(str) struct str again = STR_INIT(SIZE_MAX / 2);
    if (base64_decode((const char *)data, size, &once, &e) == 0) {
        base64_encode(str_text(&once), once.len, &again);
        for (size_t i = 0; i < size && data[i] != '='; i++) {
            char c = data[i] == '-' ? '+' : data[i] == '_' ? '/' : (char)data[i];
            if (again.data[i] != c) {
                abort();
            }
        }
    }
    return 0;
}
