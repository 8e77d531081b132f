#ifndef MASTER_BACKOFF_H
#define MASTER_BACKOFF_H

/*
 * The brake on forking for one pool: workers that die young are replaced ever
 * more slowly, a worker that dies after long service at once.  All zero is a
 * pool without outcome.  Pure; runs in the master.
 */

#include <stdbool.h>
#include <stdint.h>

struct backoff {
	unsigned failures; /* in a row */
	int64_t until;	   /* clock_ms() before which no worker is forked;
			      0: none */
	bool trial;	   /* the last to start failed: one at a time until one
			      is ready */
};

/*
 * A worker died, or fork failed.  ready: it had become ready; lived: ms from
 * fork.  One that had been ready and lived for 10 s or more clears the slate
 * and costs no wait; every other failure waits, 100 ms at first, doubling to
 * 30 s, but after one that had been ready, and may have served, only to 1 s:
 * whoever kills workers at random must not put the pool out of service.
 * A failure while a wait is on is of a worker forked before it, and belongs to
 * what began that wait.  True: a wait has begun.
 */
bool backoff_failed(struct backoff *backoff, int64_t now, bool ready,
    int64_t lived);

/* How many workers may be forked, of `wanted`, while `starting` are: none
 * within a wait, and on trial one by one. */
unsigned backoff_allows(const struct backoff *backoff, int64_t now,
    unsigned wanted, unsigned starting);

/* A worker became ready: others may be forked.  The failures stay counted;
 * only long life forgives them. */
void backoff_ready(struct backoff *backoff);

bool backoff_active(const struct backoff *backoff, int64_t now);

#endif
