/* Landlock: which files below the root descriptor may be opened. Optional: kernels before 5.13, and
 * those built or booted without it, have none. landlock(7). Limits content, not metadata: stat,
 * readlink and O_PATH still work on what is not named. */
#ifndef TENKEN_SCAN_LANDLOCK_H
#define TENKEN_SCAN_LANDLOCK_H

#include <stdbool.h>

#include "agent/base/err.h"
#include "probes/probe.h"

/* Version of the kernel's Landlock, 0 if it has none. */
int landlock_abi(void);
/* Restricts this process, for good, to opening for reading what the n probes declare (.reads, /dev
 * for .opens_devices, the device-mapper's control node for @ioctl-dm), found below root_fd. Needs
 * no_new_privs. A declared path that does not exist is no error. *ret_held: false if the kernel has
 * no Landlock. ERR_IO if the kernel has it and refuses. */
int landlock_confine(int root_fd, const struct probe *const *probes, size_t n, bool *ret_held,
                     struct err *e) MUST_USE;

#endif
