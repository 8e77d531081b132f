#ifndef MASTER_OUTCOME_H
#define MASTER_OUTCOME_H

/*
 * What went wrong in the last reload or upgrade, as text for its result: the
 * first fault in one line for the service manager, all of them for clients of
 * the control socket.  Either is shown on terminals, so both are escaped
 * (base/escape.h).  The caller logs each fault itself.  Runs in the master;
 * knows nothing of what the faults are about.
 */

#include <stdbool.h>

#include "base/buf.h"

struct outcome { /* all zero: no faults */
	char text[320]; /* the first, with its `what` in front; "": none */
	struct buf all; /* one line each, to about 64 KiB */
};

/* Note a fault.  what: "reload refused" and the like, to begin `text` with;
 * NULL if the message says it all. */
void outcome_add(struct outcome *outcome, const char *what, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* A new attempt begins: forget all faults, but keep the memory. */
void outcome_clear(struct outcome *outcome);
void outcome_free(struct outcome *outcome);

#endif
