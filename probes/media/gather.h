/* What the media probe looked at: files and directories under their path, with how the look ended.
 * No meaning is attached here. */
#ifndef TENKEN_PROBES_MEDIA_GATHER_H
#define TENKEN_PROBES_MEDIA_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "probes/probe.h"

struct look {
    char *path; /* of a directory: ends in '/', bytes are its names, one a line */
    int code;   /* 0, or ERR_*; ERR_TRUNCATED keeps what was read */
    char *bytes;
    size_t n;
    int64_t mtime_s; /* 0 where nobody asked */
};

struct media_state {
    struct look *looks; /* in the order of looking */
    size_t n, cap;
    bool sys_seen; /* what /sys does not show does not exist */
    bool proc_seen;
    bool root_seen;     /* the same for files of the host */
    const char *hidden; /* why not; static text, NULL if all is seen */
    char release[72];
};

void media_state_free(struct media_state *s);
static inline void cleanup_media_state(struct media_state **s)
{
    media_state_free(*s);
}
/* Everything that the tables of this probe are made from. ERR_NOMEM. */
int media_gather(const struct host *h, struct media_state *s, struct err *e) MUST_USE;
/* The look at that path (printf), NULL if nobody looked. */
const struct look *media_look(const struct media_state *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Its bytes as text without surrounding white space; "" if not read. Copied into ret, cut at size.
 */
const char *media_text(const struct media_state *s, char *ret, size_t size, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The next name of a directory look; p starts at NULL. False at the end. */
bool media_next_name(const struct look *dir, const char **p, char *ret, size_t size);

#endif
