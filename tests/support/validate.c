/* validate SCHEMA.json < DOCUMENT: for the whole-program tests. Exit 0 valid, 2 not (says where).
 */
#include "tests/support/json_schema.h"

int main(int argc, char **argv)
{
    CLEANUP(str) struct str text = STR_INIT((size_t)64 << 20);
    struct err e = {0};
    char why[512] = "";
    if (argc != 2 || io_read_file("-", (size_t)64 << 20, &text, &e) != 0) {
        (void)fprintf(stderr, "usage: validate SCHEMA.json < DOCUMENT %s\n", e.msg);
        return 64;
    }
    if (!schema_holds(argv[1], str_text(&text), text.len, why)) {
        (void)fprintf(stderr, "%s\n", why);
        return 2;
    }
    return 0;
}
