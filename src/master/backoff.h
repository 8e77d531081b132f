#ifndef MASTER_BACKOFF_H
#define MASTER_BACKOFF_H

/*
 * The brake on forking for one pool: the more often workers die young, the
 * longer the wait before the next fork; a worker that dies after a long life is
 * replaced at once.  All zero is a pool without failures.  Pure; runs in the
 * master.
 */

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	unsigned failures; /* in a row */
	int64_t until;	   /* end of the wait, clock_ms(); 0: no wait */
	bool trial;	   /* a worker failed before it was ready: one fork at a
			      time until one is ready */
};

/*
 * Note that a worker died.  ready: it had become ready; lived: ms since its
 * fork.  For a failed fork callers pass true and 0.  Returns true if a wait
 * begins.
 *
 * A worker that had been ready and lived for 10 s or more clears the state and
 * begins no wait.  Any other failure begins one: 100 ms at first, doubled by
 * each further failure in a row, at most 30 s; at most 1 s if the worker had
 * been ready and so may have served, so that random kills of workers cannot put
 * the pool out of service (base/tuning.h has these constants).  A failure
 * during a wait is not counted: its worker was forked before the wait began.
 */
bool backoff_failed(struct backoff *backoff, int64_t now, bool ready,
    int64_t lived);

/* How many of `wanted` workers may be forked now: none during a wait; on trial
 * only one, and only if `starting`, the number of workers that are not yet
 * ready, is 0. */
unsigned backoff_allows(const struct backoff *backoff, int64_t now,
    unsigned wanted, unsigned starting);

/* Note that a worker became ready: the wait and the trial end.  The count of
 * failures stays; only a long life (backoff_failed) clears it. */
void backoff_ready(struct backoff *backoff);

/* True during a wait. */
bool backoff_active(const struct backoff *backoff, int64_t now);

#endif
