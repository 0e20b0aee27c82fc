/* What the files of the host handle share. Nobody outside agent/base/host*.c includes this. */
#ifndef TENKEN_BASE_HOST_PARTS_H
#define TENKEN_BASE_HOST_PARTS_H

#include <jansson.h>

#include "agent/base/host.h"

/* One line of meta.tsv. */
struct host_meta {
    const char *path; /* absolute, points into the host's meta text copy */
    mode_t mode;      /* without type bits if the line gave none */
    uid_t uid;
    gid_t gid;
};

struct host {
    int root_fd; /* O_PATH directory */
    bool live;
    unsigned sights;
    char *capture_text; /* NULL: no capture */
    size_t capture_len;
    json_t *capture;
    char *meta_text; /* as handed on; NULL: none */
    size_t meta_len;
    char *meta_work; /* the copy that meta[].path points into */
    struct host_meta *meta;
    size_t n_meta;
};

/* openat2 below the root with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS; EAGAIN (a rename raced with
 * a "..") is tried again a bounded number of times. O_CLOEXEC|O_NOCTTY|O_NONBLOCK are added.
 * Returns the descriptor or -1 with errno. */
int host_openat(int root_fd, const char *path, int flags);

/* Looks at the live machine that this process is on. Bits that cannot be established stay off.
 * root_fd: of "/". Never fails: what goes wrong is not seen. */
unsigned host_sight_look(int root_fd);

/* Takes over a copy of capture.json's text: checks it, sets capture and sights. ERR_INVALID with
 * the place; ERR_NOMEM. */
int host_capture_load(struct host *h, const char *text, size_t n, struct err *e) MUST_USE;
/* The same for meta.tsv. */
int host_meta_load(struct host *h, const char *text, size_t n, struct err *e) MUST_USE;
/* The line of meta.tsv for that path, NULL if there is none. */
const struct host_meta *host_meta_find(const struct host *h, const char *path);
/* True if dir or a directory above it stands in capture.json's "whole". */
bool host_capture_whole(const struct host *h, const char *dir);

#endif
