/* The seccomp programs. The rows are flattened first, so that libseccomp never sees two verdicts
 * for one call: what it does then depends on the order of the rules. */
#include "agent/scan/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Far above the sum of all rows. */
#define ENTRIES_MAX 512U
/* A row may take in a row that takes in a row; deeper is a mistake, or a circle. */
#define DEPTH_MAX 4U

struct flat {
    const struct syscall_entry *list[ENTRIES_MAX];
    size_t n;
};

void filter_done(struct filter *f)
{
    free(f->insns);
    *f = (struct filter){.insns = NULL, .n = 0, .n_skipped = 0};
}

static bool same_rule(const struct syscall_entry *a, const struct syscall_entry *b)
{
    return strcmp(a->name, b->name) == 0 && a->refuse == b->refuse && a->when == b->when &&
           a->arg == b->arg && a->value == b->value && a->mask == b->mask;
}

/* Appends what the group and the groups in it hold, each rule once. */
static int flatten(const char *group, unsigned depth, struct flat *out, struct err *e)
{
    const struct syscall_set *set = syscall_set_find(group);
    if (set == NULL || depth > DEPTH_MAX) {
        return err_set(e, ERR_INVALID, "no group of system calls is named \"%.64s\"", group);
    }
    for (size_t i = 0; i < set->n; i++) {
        const struct syscall_entry *entry = &set->list[i];
        if (entry->name[0] == '@') {
            int rc = flatten(entry->name, depth + 1, out, e);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        bool known = false;
        for (size_t k = 0; k < out->n && !known; k++) {
            known = same_rule(out->list[k], entry);
        }
        if (known) {
            continue;
        }
        if (out->n == ENTRIES_MAX) {
            return err_set(e, ERR_INTERNAL, "more than %u system calls in a filter", ENTRIES_MAX);
        }
        out->list[out->n++] = entry;
    }
    return 0;
}

static int flatten_all(const char *const *groups, size_t n, struct flat *out, struct err *e)
{
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = flatten(groups[i], 0, out, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* True if another rule for the same call makes this one void: an allowed call beats a refused one,
 * an unconditional rule beats a conditional one of the same verdict. */
static bool is_beaten(const struct flat *all, const struct syscall_entry *entry)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct syscall_entry *other = all->list[i];
        if (other == entry || strcmp(other->name, entry->name) != 0) {
            continue;
        }
        bool whole = other->when == WHEN_ALWAYS;
        if (!entry->refuse) {
            if (!other->refuse && whole && entry->when != WHEN_ALWAYS) {
                return true;
            }
            continue;
        }
        if (!other->refuse && (whole || entry->when == WHEN_ALWAYS ||
                               (other->arg == entry->arg && other->value == entry->value &&
                                other->mask == entry->mask))) {
            return true;
        }
    }
    return false;
}

/* Names that libseccomp or this architecture does not know give negative numbers. */
static int add_rule(scmp_filter_ctx ctx, const struct syscall_entry *entry, unsigned *skipped)
{
    int nr = seccomp_syscall_resolve_name(entry->name);
    if (nr < 0) {
        (*skipped)++; /* unknown here, so it cannot be called either: it would kill */
        return 0;
    }
    uint32_t action = entry->refuse ? SCMP_ACT_ERRNO(EACCES) : SCMP_ACT_ALLOW;
    struct scmp_arg_cmp cmp = {.arg = entry->arg, .op = SCMP_CMP_EQ, .datum_a = entry->value};
    switch (entry->when) {
    case WHEN_ALWAYS:
        return seccomp_rule_add_array(ctx, action, nr, 0, NULL);
    case WHEN_EQUAL:
        return seccomp_rule_add_array(ctx, action, nr, 1, &cmp);
    case WHEN_CLEAR:
        cmp.op = SCMP_CMP_MASKED_EQ;
        cmp.datum_b = 0;
        return seccomp_rule_add_array(ctx, action, nr, 1, &cmp);
    case WHEN_BITS:
        cmp.op = SCMP_CMP_MASKED_EQ;
        cmp.datum_a = entry->mask;
        cmp.datum_b = entry->value;
        return seccomp_rule_add_array(ctx, action, nr, 1, &cmp);
    }
    return -EINVAL;
}

/* libseccomp 2.5 exports to descriptors only; a pipe holds any program (4096 instructions of 8
 * bytes at most, of which ours needs a few hundred). */
static int export_program(scmp_filter_ctx ctx, struct filter *ret, struct err *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return err_errno(e, "pipe");
    }
    CLEANUP(fd) int read_fd = ends[0];
    CLEANUP(fd) int write_fd = ends[1];
    int rc = seccomp_export_bpf(ctx, write_fd);
    if (rc != 0) {
        return err_set(e, ERR_UNSUPPORTED, "seccomp_export_bpf: %d", rc);
    }
    struct sock_filter *insns = calloc(BPF_MAXINSNS, sizeof(*insns));
    if (insns == NULL) {
        return err_nomem(e);
    }
    ssize_t got = read(read_fd, insns, BPF_MAXINSNS * sizeof(*insns));
    if (got <= 0 || (size_t)got % sizeof(*insns) != 0) {
        free(insns);
        return err_set(e, ERR_UNSUPPORTED, "the seccomp program was not exported whole");
    }
    ret->insns = insns;
    ret->n = (unsigned short)((size_t)got / sizeof(*insns));
    return 0;
}

/* Attributes first: they shape how the rules are written out. */
static int fill(scmp_filter_ctx ctx, const struct flat *all, struct filter *ret, struct err *e)
{
    /* x32 and 32-bit entries never match a rule: they must kill too. no_new_privs is a step of its
     * own, checked there. */
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) {
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    }
    for (size_t i = 0; rc == 0 && i < all->n; i++) {
        if (!is_beaten(all, all->list[i])) {
            rc = add_rule(ctx, all->list[i], &ret->n_skipped);
            if (rc != 0) {
                return err_set(e, ERR_UNSUPPORTED, "seccomp rule for %s: %d", all->list[i]->name,
                               rc);
            }
        }
    }
    if (rc != 0) {
        return err_set(e, ERR_UNSUPPORTED, "libseccomp: %d", rc);
    }
    return export_program(ctx, ret, e);
}

int filter_build(const char *const *groups, size_t n, struct filter *ret, struct err *e)
{
    struct flat all;
    int rc = flatten_all(groups, n, &all, e);
    if (rc != 0) {
        return rc;
    }
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (ctx == NULL) {
        return err_nomem(e);
    }
    struct filter made = {.insns = NULL, .n = 0, .n_skipped = 0};
    rc = fill(ctx, &all, &made, e);
    seccomp_release(ctx);
    if (rc == 0) {
        *ret = made;
    }
    return rc;
}

int filter_install(const struct filter *f)
{
    struct sock_fprog program = {.len = f->n, .filter = f->insns};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int filter_names(const char *const *groups, size_t n, struct strv *ret, struct err *e)
{
    struct flat all;
    int rc = flatten_all(groups, n, &all, e);
    if (rc != 0) {
        return rc;
    }
    CLEANUP(strv) struct strv names = {.items = NULL, .n = 0, .cap = 0};
    for (size_t i = 0; i < all.n; i++) {
        const struct syscall_entry *entry = all.list[i];
        if (entry->refuse || is_beaten(&all, entry) ||
            seccomp_syscall_resolve_name(entry->name) < 0) {
            continue;
        }
        char text[64];
        (void)snprintf(text, sizeof(text), "%s%s", entry->name,
                       entry->when == WHEN_ALWAYS ? "" : " (some)");
        if (!strv_has(&names, text)) {
            rc = strv_add(&names, text, e);
            if (rc != 0) {
                return rc;
            }
        }
    }
    strv_sort(&names);
    *ret = names;
    names = (struct strv){.items = NULL, .n = 0, .cap = 0};
    return 0;
}
