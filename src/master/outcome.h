#ifndef MASTER_OUTCOME_H
#define MASTER_OUTCOME_H

/*
 * What went wrong in the last reload or upgrade, in words for its result: the
 * first in one line for the service manager, all of it for who asked over the
 * control socket.  Either is shown on terminals, so both are as base/escape.h
 * has it.  The log is told by whoever notes something here.  Runs in
 * the master; knows nothing.
 */

#include <stdbool.h>

#include "base/buf.h"

struct outcome { /* all zero: all is well */
	char text[320]; /* the first, with what it led to; "": none */
	struct buf all; /* each a line; not more than a person would read */
};

/* Note a fault.  what: "reload refused" and the like, NULL if the text says
 * it all. */
void outcome_add(struct outcome *outcome, const char *what, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* A new attempt begins: all is well so far.  The memory is kept. */
void outcome_clear(struct outcome *outcome);
void outcome_free(struct outcome *outcome);

#endif
