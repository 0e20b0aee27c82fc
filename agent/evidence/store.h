/* Durable files of the state directory, beyond what base/io.h offers. Some of its directories can
 * be written by the uploader's user, so names found there are never followed. Temporary files end
 * in
 * ".tmp" and are what store_clean removes. */
#ifndef TENKEN_EVIDENCE_STORE_H
#define TENKEN_EVIDENCE_STORE_H

#include <sys/types.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

#define STORE_NAME_MAX 256

/* Reads a file that only its owner may read: ERR_UNSAFE with the command that mends it. Else as
 * io_read_file. */
int store_read_private(const char *path, size_t max_bytes, struct str *out, struct err *e) MUST_USE;
/* Makes a file that is not there yet, whole or not at all, durably. ERR_BUSY if it exists. */
int store_create(const char *path, const void *data, size_t n, mode_t mode, struct err *e) MUST_USE;
/* io_write_atomic, again if another process's clean-up took the temporary file away meanwhile. */
int store_replace(const char *path, const void *data, size_t n, mode_t mode,
                  struct err *e) MUST_USE;
/* A regular file in a directory (dir names it in messages); links are not followed, nothing
 * blocks. */
int store_read_at(int dir_fd, const char *dir, const char *name, size_t max_bytes, struct str *out,
                  struct err *e) MUST_USE;
/* Removes what ends in ".tmp": files, and directories with the files in them. */
int store_clean(int dir_fd, const char *dir, struct err *e) MUST_USE;
/* Names in an open directory, sorted, without . and .. */
int store_list(int dir_fd, const char *dir, struct strv *ret, struct err *e) MUST_USE;

#endif
