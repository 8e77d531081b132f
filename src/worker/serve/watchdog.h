#ifndef WORKER_SERVE_WATCHDOG_H
#define WORKER_SERVE_WATCHDOG_H

/*
 * Watches how long what the main thread has entered, a request or another
 * call into Lua code, has been running, from a thread of its own: no signal
 * interrupts the application or a write, and a quick request pays two
 * uncontended lock operations.  And it notices that the master is gone,
 * whatever the main thread does.  It sleeps while nothing happens.  Runs in
 * the worker.
 *
 * The lock is the worker's right to touch its connections.  The main thread
 * holds it always but while it is in an entry; then the guard may take it.
 */

#include <stdbool.h>
#include <stdint.h>

#define WATCHDOG_TICK 50 /* ms; a request is long after one to two of them */

struct watchdog_watch { /* over one kind of entry; lives as long as the guard */
	int64_t limit; /* ms it may take, 0: for ever */
	int64_t slow;  /* ms from which on it is slow, 0: never */
	void (*late)(void);    /* it is a long one, or NULL; must not log */
	bool (*look)(void);    /* it is a slow one; true: once more, a tick
				  later */
	void (*overdue)(
	    void); /* its time is over: stop it; NULL: nothing can */
	void (*stuck)(void);   /* it does not stop within tuning.overdue: end
				  the process */
};

struct watchdog_options {
	int channel;	  /* ends with the master; -1: there is none */
	int64_t patience; /* ms that the process may go on without it */
	void (*orphaned)(void); /* the master has gone, and the main thread is
				   in an entry; with the lock */
	void (*end)(void);   /* the patience is over: end the process */
	bool (*check)(void); /* now and then while there are entries, and after
				the last, without the lock; true: once more, a
				tick later */
};

/* Take the lock and start the thread.  It calls what a watch has with the
 * lock, late and stuck at most once for an entry.  0, or -1 with errno. */
int watchdog_start(const struct watchdog_options *options);

/* An entry that began at clock_us() `begun` is in hand; it has ended. */
void watchdog_enter(const struct watchdog_watch *watch, int64_t begun);
void watchdog_leave(void);

#endif
