/* The words of the annex in both languages: one word per meaning (verdicts, flags). */
#ifndef TENKEN_COLLECTOR_MONTH_WORDS_H
#define TENKEN_COLLECTOR_MONTH_WORDS_H

#include "agent/policy/policy.h"

/* 適合 / pass … ; never "". */
const char *verdict_text(enum verdict v, enum lang lang);
/* A mark that does not need colour: ✗ ？ △ ○ ・. */
const char *verdict_mark(enum verdict v);
/* What a flag means to the reader, by bit number. */
const char *flag_text(unsigned bit, enum lang lang);

#endif
