/* The result of one inspection in the text format of Prometheus, for the textfile collector of
 * node_exporter: one file, replaced at once, with no time of its own on the series. */
#ifndef TENKEN_COMMANDS_METRICS_H
#define TENKEN_COMMANDS_METRICS_H

#include "agent/commands/session.h"

struct metrics_request {
    const struct session *session; /* after session_scan */
    const struct judged *list;
    size_t n;
    int64_t wall_us;
    bool recorded;           /* list holds sequences, n_unacknowledged holds */
    size_t n_unacknowledged; /* evidences in the spool without a receipt */
};

/* Appends the whole file, every family with HELP and TYPE even when it has no series. Label values
 * are escaped; no series occurs twice; the last line ends.
 * Ref: Prometheus documentation, "Exposition formats". */
void metrics_text(const struct metrics_request *rq, struct str *out);
/* Writes it to path: temporary file in the same directory and rename, mode 0644 (the exporter is
 * another user). ERR_* as io_write_atomic. */
int metrics_write(const struct metrics_request *rq, const char *path, struct err *e) MUST_USE;

#endif
