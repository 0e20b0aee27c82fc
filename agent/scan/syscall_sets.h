/* The system calls a probe may name. A row says the group, why its calls are there, and the calls;
 * a call may be tied to the value of one argument. Data only: filter.c turns it into a filter. */
#ifndef TENKEN_SCAN_SYSCALL_SETS_H
#define TENKEN_SCAN_SYSCALL_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum syscall_when {
    WHEN_ALWAYS,
    WHEN_EQUAL, /* argument == value */
    WHEN_CLEAR, /* argument & value == 0 */
    WHEN_BITS   /* argument & mask == value */
};

struct syscall_entry {
    const char *name; /* of the kernel; "@group" takes that group in */
    bool refuse;      /* answered with EACCES instead of being allowed: the C library tries it and
                         can live without. Anything in no row kills the process. */
    enum syscall_when when;
    unsigned arg;
    uint64_t value;
    uint64_t mask; /* of WHEN_BITS */
};

struct syscall_set {
    const char *name; /* "@file-read" */
    const char *why;
    const struct syscall_entry *list;
    size_t n;
};

/* The row of that name, NULL if there is none. */
const struct syscall_set *syscall_set_find(const char *name);
/* All rows, *ret_n of them, for documents and tests. */
const struct syscall_set *syscall_set_all(size_t *ret_n);
/* Rows that are no probe's choice: always there; added for the step down before parse(); what
 * parse() may do. */
#define SYSCALLS_BASE "@probe-base"
#define SYSCALLS_STEP_DOWN "@step-down"
#define SYSCALLS_PARSE "@probe-parse"

#endif
