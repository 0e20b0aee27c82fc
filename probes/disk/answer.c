/* What was met at the leaves, and what follows from it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/disk/graph.h"

const char *method_word(enum method m)
{
    static const char *const words[METHOD_COUNT] = {"none",  "luks2",   "luks1",   "plain",
                                                    "bitlk", "tcrypt",  "fscrypt", "ecryptfs",
                                                    "zfs",   "bcachefs"};
    return m < METHOD_COUNT ? words[m] : "none";
}

void answer_done(struct answer *a)
{
    strv_done(&a->ciphers);
    strv_done(&a->leaves);
    strv_done(&a->clear_places);
    strv_done(&a->unknown_places);
    *a = (struct answer){0};
}

/* Three values, and the order matters: a clear leaf beats an unknown one (it is certain), an
 * unknown one beats any number of secret ones (it may be clear). */
int answer_encrypted(const struct answer *a)
{
    if (a->n_clear > 0) {
        return 0; /* one leaf in the clear settles it, whatever is not known about the others */
    }
    if (a->n_unknown > 0) {
        return -1;
    }
    /* Encryption over something that nobody has seen proves nothing about where the data lie. */
    return a->n_secret > 0 ? (a->leaves.n > 0 ? 1 : -1) : a->n_ram > 0 ? 1 : -1;
}

const char *answer_method(const struct answer *a)
{
    unsigned n = 0;
    enum method last = METHOD_NONE;
    for (unsigned m = 0; m < METHOD_COUNT; m++) {
        if ((a->methods & (1U << m)) != 0) {
            n++;
            last = (enum method)m;
        }
    }
    if (n > 1) {
        return "mixed";
    }
    if (a->n_unknown > 0) {
        return NULL;
    }
    return n == 1 || a->n_ram > 0 ? method_word(last) : NULL;
}

/* "word: /dev/sdb1, /dev/sdc1" */
static void add_places(const char *word, const struct strv *places, struct str *out)
{
    str_add(out, word);
    for (size_t i = 0; i < places->n; i++) {
        str_addf(out, "%s%s", i == 0 ? ": " : ", ", places->items[i]);
    }
}

void answer_reason(const struct answer *a, struct str *out)
{
    if (a->n_clear > 0) {
        add_places(a->clear_word, &a->clear_places, out);
    } else if (a->n_unknown > 0) {
        add_places(a->unknown_word, &a->unknown_places, out);
    } else if (a->n_secret > 0 && a->leaves.n == 0) {
        str_add(out, "no-leaf");
    } else if (a->n_secret == 0) {
        str_add(out, a->n_ram > 0 ? "ram" : "no-leaf");
    }
}

int answer_unknown(struct answer *a, const char *word, const char *place, struct err *e)
{
    a->n_unknown++;
    /* The first word stands; places of other words would be read as belonging to it. */
    if (a->unknown_word == NULL) {
        a->unknown_word = word;
    }
    if (strcmp(a->unknown_word, word) != 0 || place[0] == '\0' ||
        strv_has(&a->unknown_places, place)) {
        return 0;
    }
    return strv_add(&a->unknown_places, place, e);
}
