/* Runs a probe inside the calling process, unconfined: for unit tests, fixtures and fuzzing only.
 * Never on the scan path. */
#ifndef TENKEN_SCAN_LOCAL_H
#define TENKEN_SCAN_LOCAL_H

#include "agent/base/facts.h"
#include "probes/probe.h"

/* wanted: NULL-terminated table names, NULL = all tables of the probe. Adds the probe's tables to
 * *ret. Gives 0 even if the probe fails (states say so). */
int probe_run_local(const struct probe *p, const struct host *h, const char *const *wanted,
                    const struct probe_input *inputs, size_t n_inputs, struct facts *ret,
                    struct err *e) MUST_USE;

#endif
