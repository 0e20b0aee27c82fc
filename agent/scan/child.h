/* A confined child: what it is given, and its whole life. */
#ifndef TENKEN_SCAN_CHILD_H
#define TENKEN_SCAN_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/err.h"
#include "probes/probe.h"

#define CHILD_RESULT_FD 3
#define CHILD_ROOT_FD 4
#define CHILD_PROBES_MAX 64U
#define CHILD_MEMORY_BYTES ((uint64_t)256 << 20) /* RLIMIT_AS; not under the sanitizers */
#define CHILD_FILES_MAX 64U

struct filter;

/* The account that children become: `tenken`, else nobody. */
struct child_user {
    uid_t uid;
    gid_t gid;
};

struct child_job {
    pid_t launcher_pid;
    struct child_user user;
    int result_fd, root_fd;
    bool confine_only;     /* show that the layers hold, run nothing */
    bool require_landlock; /* without it: unconfined */
    unsigned cpu_limit_s;
    /* host handle: as the parent found it (host_adopt) */
    bool live;
    unsigned sights;
    const char *capture, *meta;
    size_t capture_n, meta_n;
    const struct probe *const *probes; /* n_probes of equal privilege */
    const uint64_t *wanted;            /* table masks, one per probe */
    size_t n_probes;
    const struct probe_input *inputs;
    size_t n_inputs;
    const struct filter *collect, *parse;
};

/* Runs in a process just forked for it: confines itself, sends the layers frame, runs the probes,
 * and ends. Never returns; no error leaves it but as frames. */
NO_RETURN void child_main(const struct child_job *job);

/* Closes every descriptor from first on. close_range(2), or one by one where the kernel has none.
 * Gives 0 or -1 with errno. */
int child_close_from(int first) MUST_USE;

#endif
