#ifndef WORKER_GUARD_H
#define WORKER_GUARD_H

/*
 * Watches how long the present request has been running, from a thread of its
 * own: no signal interrupts the application or a write, and a quick request
 * pays two uncontended lock operations.  Runs in the worker.
 *
 * The lock is the worker's right to touch its connections.  The main thread
 * holds it always but while it serves; then the guard may take it.
 */

#include <stdbool.h>
#include <stdint.h>

#define GUARD_TICK  50	/* ms; a request is long after one to two of them */
#define GUARD_GRACE 500 /* ms from overdue to stuck */

struct guard_options {
	int64_t limit; /* ms a request may take, 0: for ever */
	int64_t slow;  /* ms from which on it is slow, 0: never */
	void (*late)(void);    /* it is a long one; must not log */
	bool (*look)(void);    /* it is a slow one; true: once more, a tick
				  later */
	void (*overdue)(void); /* its time is over: stop it */
	void (*stuck)(void);   /* it does not stop: end the process */
};

/* Take the lock and start the thread, which calls these, with the lock, late
 * and stuck at most once for a request.  0, or -1 with errno. */
int guard_start(const struct guard_options *options);

/* A request that began at clock_us() `begun` is in hand; it has ended. */
void guard_enter(int64_t begun);
void guard_leave(void);

#endif
