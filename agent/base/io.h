/* Reading and writing our own files (site, policies, state directory): trusted places, not the
 * inspected host. */
#ifndef TENKEN_BASE_IO_H
#define TENKEN_BASE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

/* Whole file into *out (appended). ERR_ABSENT, ERR_DENIED, ERR_IO, ERR_TRUNCATED (longer than
 * max_bytes). "-" = standard input. */
int io_read_file(const char *path, size_t max_bytes, struct str *out, struct err *e) MUST_USE;
/* The rest of an open descriptor, appended to *out; name: for messages. Errors as io_read_file. */
int io_read_fd(int fd, const char *name, size_t max_bytes, struct str *out, struct err *e) MUST_USE;
/* Refuses (ERR_UNSAFE, with the command that mends it) a file or directory, or a directory above
 * it, that does not belong to root or the effective user or can be written by others (sticky
 * directories of root's, like /tmp, above it are allowed to be). Symbolic links are followed one by
 * one and the directories of their targets checked alike. ERR_ABSENT, ERR_DENIED, ERR_IO when it
 * cannot be looked at. */
int io_check_trusted(const char *path, struct err *e) MUST_USE;
/* As io_check_trusted, then reads. Opens once and checks the descriptor. */
int io_read_trusted(const char *path, size_t max_bytes, struct str *out, struct err *e) MUST_USE;
/* Durable replace: temporary file in the same directory, write, fsync, rename, fsync of the
 * directory. */
int io_write_atomic(const char *path, const void *data, size_t n, mode_t mode,
                    struct err *e) MUST_USE;
/* Writes all; restarts on EINTR and short writes. */
int io_write_all(int fd, const void *data, size_t n, struct err *e) MUST_USE;
/* Names in a directory of ours, sorted, that end in suffix ("" = all); dot files left out. Replaces
 * what *ret held. */
int io_list(const char *dir, const char *suffix, struct strv *ret, struct err *e) MUST_USE;
/* mkdir -p with mode for what is made. */
int io_make_dir(const char *path, mode_t mode, struct err *e) MUST_USE;
bool io_exists(const char *path);

#endif
