/* Makes an ordinary test of a libFuzzer target: runs every file of the corpus, then mutations of
 * them that are the same in every run. Without a fuzzing compiler, so gcc and plain ctest do.
 *   fuzz_x CORPUS-DIRECTORY [MUTATIONS [SEED]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED_DEFAULT UINT64_C(20261121)
#define MUTATIONS_DEFAULT 4000U
#define INPUT_MAX ((size_t)256 << 10)
#define MUTANT_MAX ((size_t)16 << 10) /* larger files are cut before they are mutated */

struct input {
    char *bytes;
    size_t n;
};

/* xorshift64*: the same numbers on every machine. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

static size_t below(uint64_t *seed, size_t n)
{
    return n > 0 ? (size_t)(next_random(seed) % n) : 0;
}

/* Puts n bytes in at `at`, or as many as there is room for. */
static void insert_bytes(char *buf, size_t *len, size_t at, const char *bytes, size_t n)
{
    if (n > MUTANT_MAX - *len) {
        n = MUTANT_MAX - *len;
    }
    memmove(buf + at + n, buf + at, *len - at);
    memcpy(buf + at, bytes, n);
    *len += n;
}

static void remove_bytes(char *buf, size_t *len, size_t at, size_t n)
{
    if (n > *len - at) {
        n = *len - at;
    }
    memmove(buf + at, buf + at + n, *len - at - n);
    *len -= n;
}

/* Bytes that mean something to some parser. */
static const char interesting[] =
    "\0\xff\x7f\x80\n\r\t \"'\\{}[]:,-#&*!|>%@`0123456789=/.~^\xc0\xed\xf4";

/* One change of buf; other: a corpus file to take pieces from. */
static void mutate(char *buf, size_t *len, const struct input *other, uint64_t *seed)
{
    size_t at = below(seed, *len + 1);
    char piece[256];
    size_t n = 1 + below(seed, 32);
    switch (below(seed, 7)) {
    case 0: /* a bit */
        if (at < *len) {
            buf[at] = (char)(buf[at] ^ (char)(1U << below(seed, 8)));
        }
        break;
    case 1: /* an interesting byte in another's place */
        if (at < *len) {
            buf[at] = interesting[below(seed, sizeof(interesting) - 1)];
        }
        break;
    case 2:
        insert_bytes(buf, len, at, &interesting[below(seed, sizeof(interesting) - 1)], 1);
        break;
    case 3: /* a piece less */
        remove_bytes(buf, len, at, n);
        break;
    case 4: /* a piece twice */
        if (n > *len - at) {
            n = *len - at;
        }
        memcpy(piece, buf + at, n);
        insert_bytes(buf, len, at, piece, n);
        break;
    case 5: { /* a piece of another file */
        size_t from = below(seed, other->n + 1);
        n = 1 + below(seed, sizeof(piece));
        n = n > other->n - from ? other->n - from : n;
        insert_bytes(buf, len, at, other->bytes + from, n);
        break;
    }
    default: /* cut */
        if (below(seed, 8) == 0) {
            *len = at;
        }
        break;
    }
}

/* Exact allocations, so that the sanitizer sees a read one byte too far. */
static int run_input(const char *bytes, size_t n)
{
    CLEANUP(free) uint8_t *exact = malloc(n > 0 ? n : 1);
    if (exact == NULL) {
        return 1;
    }
    memcpy(exact, bytes, n);
    return LLVMFuzzerTestOneInput(exact, n);
}

static int load(const char *dir, struct strv *names, struct input **ret, struct err *e)
{
    int rc = io_list(dir, "", names, e);
    if (rc != 0) {
        return rc;
    }
    if (names->n == 0) {
        return err_set(e, ERR_ABSENT, "%s: no corpus", dir);
    }
    struct input *inputs = calloc(names->n, sizeof(*inputs));
    if (inputs == NULL) {
        return err_nomem(e);
    }
    *ret = inputs;
    for (size_t i = 0; i < names->n; i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names->items[i]);
        CLEANUP(str) struct str text = STR_INIT(INPUT_MAX);
        rc = io_read_file(path, INPUT_MAX, &text, e);
        if (rc != 0) {
            return rc;
        }
        inputs[i].bytes = str_take(&text, &inputs[i].n);
        if (inputs[i].bytes == NULL) {
            return err_nomem(e);
        }
    }
    return 0;
}

static int run_all(const struct strv *names, const struct input *inputs, size_t n_mutations,
                   uint64_t seed)
{
    for (size_t i = 0; i < names->n; i++) {
        if (run_input(inputs[i].bytes, inputs[i].n) != 0) {
            (void)fprintf(stderr, "failed: %s\n", names->items[i]);
            return 1;
        }
    }
    CLEANUP(free) char *buf = malloc(MUTANT_MAX);
    if (buf == NULL) {
        return 1;
    }
    for (size_t k = 0; k < n_mutations; k++) {
        const struct input *from = &inputs[k % names->n];
        size_t len = from->n < MUTANT_MAX ? from->n : MUTANT_MAX;
        memcpy(buf, from->bytes, len);
        for (size_t changes = 1 + below(&seed, 6); changes > 0; changes--) {
            mutate(buf, &len, &inputs[below(&seed, names->n)], &seed);
        }
        if (run_input(buf, len) != 0) {
            (void)fprintf(stderr, "failed: mutation %zu, of %s\n", k, names->items[k % names->n]);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s CORPUS-DIRECTORY [MUTATIONS [SEED]]\n", argv[0]);
        return 64;
    }
    size_t n_mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : SEED_DEFAULT;
    CLEANUP(strv) struct strv names = {0};
    struct input *inputs = NULL;
    struct err e = {0};
    int rc = load(argv[1], &names, &inputs, &e);
    if (rc == 0) {
        /* first, so that it stands above a sanitizer's report */
        (void)printf("%zu files, %zu mutations, seed %" PRIu64 "\n", names.n, n_mutations, seed);
        (void)fflush(stdout);
        rc = run_all(&names, inputs, n_mutations, seed > 0 ? seed : 1);
    } else {
        (void)fprintf(stderr, "%s\n", e.msg);
    }
    for (size_t i = 0; inputs != NULL && i < names.n; i++) {
        free(inputs[i].bytes);
    }
    free(inputs);
    return rc == 0 ? 0 : 1;
}
