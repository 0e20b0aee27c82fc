/* Asking clamd over its UNIX socket. clamd(8), unix(7). */
#ifndef TENKEN_PROBES_ANTIVIRUS_CLAMD_H
#define TENKEN_PROBES_ANTIVIRUS_CLAMD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/host.h"

#define CLAMD_REPLY_MAX 4096U

struct clamd_answer {
    int code;           /* 0: it answered all three; ERR_ABSENT: nobody listens; ERR_TIMEOUT,
                           ERR_DENIED, ERR_IO: not known; ERR_MALFORMED: no clamd's answer */
    const char *reason; /* word, "" if it answered */
    bool has_peer;
    int64_t pid, uid; /* who wrote the answers, as the kernel tells it */
    char version[256];
};

/* PING, VERSION and STATS, each over a connection of its own, at most three seconds each. A
 * captured tree answers from member "clamd" of capture.json. Nothing is changed by the questions.
 */
void clamd_ask(const struct host *h, const char *socket_path, struct clamd_answer *ret);

#endif
