/* The launcher: a process forked before anything is loaded, that forks the confined children. The
 * parent plans and judges what comes back; the launcher only starts, kills, reaps and counts. */
#ifndef TENKEN_SCAN_LAUNCHER_H
#define TENKEN_SCAN_LAUNCHER_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/base/host.h"
#include "agent/scan/child.h"
#include "agent/scan/scan.h"

#define LAUNCHER_CHILDREN_MAX 32U
#define LAUNCHER_BODY_MAX ((size_t)16 << 20)

struct launcher {
    pid_t pid;
    int sock_fd;
    const struct probe *const *probes; /* what children can run, by index */
    size_t n_probes;
    uint32_t next_id;
    int64_t cpu_us; /* of the launcher itself, as last reported */
};

/* launcher_start for a list of probes other than the registry's (tests). */
int launcher_start_probes(const struct probe *const *probes, size_t n, struct launcher **ret,
                          struct err *e) MUST_USE;

enum child_end {
    CHILD_ENDED,      /* waited for: status as of wait4(2) */
    CHILD_LEFT_BEHIND /* killed and still there: in an uninterruptible sleep */
};

struct child_report {
    uint32_t id;
    uint32_t end; /* enum child_end */
    int32_t status;
    int32_t killed; /* 1: by the launcher, at a deadline or because it was told to */
    int64_t cpu_us; /* user and system, by wait4's rusage */
    int64_t launcher_cpu_us;
};

struct child_request {
    const unsigned *probes; /* indexes in the launcher's list, of equal privilege */
    const uint64_t *wanted; /* table masks */
    size_t n_probes;
    const struct probe_input *inputs; /* only those that these probes declare are sent */
    size_t n_inputs;
    bool confine_only, require_landlock;
    unsigned deadline_ms;
};

/* Tells the launcher which host the next children inspect. ERR_IO if the launcher is gone. */
int launcher_set_host(struct launcher *l, const struct host *h, struct err *e) MUST_USE;
/* Starts a child that writes frames to result_fd (the caller closes its own copy). *ret_id names it
 * in reports. ERR_IO if the launcher is gone, ERR_LIMIT if the request is too large. */
int launcher_start_child(struct launcher *l, const struct child_request *rq, int result_fd,
                         uint32_t *ret_id, struct err *e) MUST_USE;
/* Kills a child; its report follows. No-op if it has ended. */
void launcher_kill(struct launcher *l, uint32_t id);
/* Takes one report if there is one: 1, or 0 if there is none now; ERR_IO if the launcher is
 * gone. */
int launcher_report(struct launcher *l, struct child_report *ret, struct err *e) MUST_USE;

/* --- inside: the launcher's own process (launcher_loop.c) --- */

enum launcher_verb { LAUNCHER_HOST, LAUNCHER_START, LAUNCHER_KILL };

/* Head of a message; body_n bytes follow on the stream. HOST carries the root descriptor, START the
 * result pipe. Both ends are the same program image, so the head travels as it stands. */
struct launcher_head {
    uint32_t verb, id, body_n, deadline_ms;
};

#define START_CONFINE_ONLY 1U
#define START_REQUIRE_LANDLOCK 2U

/* The life of the launcher: serves requests until the other end closes. */
NO_RETURN void launcher_loop(int sock_fd, const struct probe *const *probes, size_t n_probes);

#endif
