/* Words for the layers of confinement, as they stand in evidence. */
#ifndef TENKEN_SCAN_LAYERS_H
#define TENKEN_SCAN_LAYERS_H

#include <stddef.h>

#define LAYER_WORDS_MAX 8

/* The words ("uid", "caps", "nnp", "landlock", "seccomp") of enum layer bits, in that order; their
 * number. */
size_t layer_words(unsigned layers, const char *out[LAYER_WORDS_MAX]);

#endif
