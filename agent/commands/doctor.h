/* The parts of `tenken doctor`. Each looks at one thing and says in plain words how it is; what
 * keeps tenken from its work is counted. Nothing is changed, no program asked: what stands in
 * files. */
#ifndef TENKEN_COMMANDS_DOCTOR_H
#define TENKEN_COMMANDS_DOCTOR_H

#include "agent/commands/session.h"

struct doctor {
    struct app *app;
    bool ascii;   /* marks in ASCII */
    size_t n_bad; /* things that keep tenken from its work */
};

/* One line "mark what: text"; control characters of text are escaped. */
void doctor_good(const struct doctor *d, const char *what, const char *text);
void doctor_note(const struct doctor *d, const char *what, const char *text);
void doctor_bad(struct doctor *d, const char *what, const char *text);

/* Per contract in force the age of its newest evidence; state NULL if nothing was recorded yet.
 * True if every one has evidence that is not older than a day and a half. */
bool doctor_records(struct doctor *d, const struct session *s, struct state *state);
/* What starts the inspection every day: timer, or cron where systemd does not run. is_recent: the
 * evidence shows that something does, whatever it is. */
void doctor_daily(struct doctor *d, const struct session *s, bool is_recent);
/* Whether sending is off, on, or half set up. */
void doctor_upload(struct doctor *d, const struct session *s, bool is_enrolled);
/* The users that probes and uploader become. */
void doctor_users(struct doctor *d, const struct session *s);

#endif
