/* Bits to words. */
#include "agent/scan/layers.h"

#include "agent/scan/wire.h"

size_t layer_words(unsigned layers, const char *out[LAYER_WORDS_MAX])
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{LAYER_UID, "uid"},
                 {LAYER_CAPS, "caps"},
                 {LAYER_NNP, "nnp"},
                 {LAYER_LANDLOCK, "landlock"},
                 {LAYER_SECCOMP, "seccomp"}};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if ((layers & words[i].bit) != 0) {
            out[n++] = words[i].word;
        }
    }
    return n;
}
