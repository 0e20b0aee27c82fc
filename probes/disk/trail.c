/* What a trail carries, and what its end adds to the answer. */
#include "probes/disk/trail.h"

#include <string.h>

#define TRAIL_DEPTH_MAX 64U
#define TRAIL_VISITS_MAX 20000U

int trail_deeper(struct trail *t, struct err *e)
{
    t->depth++;
    (*t->visits)++;
    if (t->depth > TRAIL_DEPTH_MAX || *t->visits > TRAIL_VISITS_MAX) {
        return err_set(e, ERR_LIMIT, "the stack of devices is deeper or wider than can be true");
    }
    return 0;
}

struct trail trail_secret(struct trail t, enum method method, const char *cipher, unsigned key_bits)
{
    if (t.is_secret || t.unknown_word != NULL) {
        return t; /* the uppermost layer names the method; nothing below an unknown one counts */
    }
    t.is_secret = true;
    t.method = method;
    t.cipher = cipher;
    t.key_bits = key_bits;
    return t;
}

struct trail trail_unknown(struct trail t, const char *word, const char *place)
{
    if (!t.is_secret && t.unknown_word == NULL) {
        t.unknown_word = word;
        t.unknown_place = place;
    }
    return t;
}

struct trail trail_clear(struct trail t, const char *word, enum method method, const char *cipher)
{
    if (!t.is_secret && t.clear_word == NULL) {
        t.clear_word = word;
        t.clear_method = method;
        t.clear_cipher = cipher;
    }
    return t;
}

static void weakest(struct answer *a, unsigned bits)
{
    a->key_bits = a->has_bits && a->key_bits < bits ? a->key_bits : bits;
    a->has_bits = true;
}

static int add_once(struct strv *v, const char *text, struct err *e)
{
    return strv_has(v, text) ? 0 : strv_add(v, text, e);
}

int trail_end(const struct trail *t, const char *leaf, struct err *e)
{
    struct answer *a = t->a;
    int r = leaf == NULL ? 0 : add_once(&a->leaves, leaf, e);
    if (r < 0) {
        return r;
    }
    if (t->is_secret) {
        a->n_secret++;
        a->methods |= 1U << t->method;
        if (t->key_bits > 0) {
            weakest(a, t->key_bits);
        }
        return t->cipher[0] == '\0' ? 0 : add_once(&a->ciphers, t->cipher, e);
    }
    if (t->unknown_word != NULL) {
        return answer_unknown(a, t->unknown_word, t->unknown_place, e);
    }
    a->n_clear++;
    a->methods |= 1U << (t->clear_word == NULL ? METHOD_NONE : t->clear_method);
    weakest(a, 0);
    const char *word = t->clear_word == NULL ? "not-visible-here" : t->clear_word;
    if (a->clear_word == NULL) {
        a->clear_word = word;
    }
    if (leaf != NULL && strcmp(a->clear_word, word) == 0) {
        r = add_once(&a->clear_places, leaf, e);
    }
    if (r == 0 && t->clear_word != NULL && t->clear_cipher[0] != '\0') {
        r = add_once(&a->ciphers, t->clear_cipher, e);
    }
    return r;
}

int trail_end_unknown(struct trail t, const char *leaf, const char *word, const char *place,
                      struct err *e)
{
    t = trail_unknown(t, word, place);
    return trail_end(&t, leaf, e);
}
