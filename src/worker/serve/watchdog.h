#ifndef WORKER_SERVE_WATCHDOG_H
#define WORKER_SERVE_WATCHDOG_H

/*
 * A thread of its own, the guard, watches how long the present entry of the
 * main thread has been running: a request, or another call into Lua code.  So
 * no signal interrupts the application or a write before its time is over, and
 * a quick request costs two uncontended lock operations.  The guard also
 * notices that the master has gone, whatever the main thread does.  It sleeps
 * while nothing happens.  Runs in the worker.
 *
 * The lock protects what the main thread uses between entries: the connections
 * and the pending lines of the access log.  The main thread holds it at all
 * times except during an entry; then the guard may take it.
 */

#include <stdbool.h>
#include <stdint.h>

#define WATCHDOG_TICK 50 /* ms; an entry is a long one after one or two */

/* What to do about one kind of entry.  Must live as long as the process.  The
 * guard calls these functions with the lock, while the entry is running. */
struct watchdog_watch {
	int64_t limit; /* ms that an entry may take, 0: any time */
	int64_t slow;  /* ms after which it is a slow one, 0: never */
	void (*late)(void);    /* it is a long one: called once; must not log,
				  as the main thread may; NULL: nothing */
	bool (*look)(void);    /* it is a slow one; true: call this again, a
				  tick later */
	void (*overdue)(
	    void); /* limit is over: stop it; NULL: that is not possible */
	void (*stuck)(void);   /* it has not stopped within tuning.overdue: end
				  the process */
};

struct watchdog_options {
	int channel;	  /* hangs up with the master; -1: no master */
	int64_t patience; /* ms that the process may go on without it */
	void (*orphaned)(void); /* the master has gone, and the main thread is
				   in an entry; with the lock */
	void (*end)(void);   /* patience is over: end the process */
	bool (*check)(void); /* about once a second while there are entries,
				and after the last one, without the lock; true:
				call this again, a tick later */
};

/* Once, by the main thread: take the lock and start the guard; options are
 * copied.  0, or -1 with errno. */
int watchdog_start(const struct watchdog_options *options);

/* By the main thread: release the lock and watch an entry that began at
 * clock_us() `begun`. */
void watchdog_enter(const struct watchdog_watch *watch, int64_t begun);

/* By the main thread: the entry has ended; take the lock. */
void watchdog_leave(void);

struct watchdog_limit {
	int64_t ms; /* after the entry began, 0: none */
	bool soft;  /* beyond it, an entry that does not stop goes on */
};

/* By the main thread, within an entry: its present limit, at first that of its
 * watch; and change it.  One that has passed already holds at once. */
struct watchdog_limit watchdog_limit(void);
void watchdog_set_limit(struct watchdog_limit limit);

/* By the main thread, within an entry: the watch's own limit in ms, 0: none;
 * ms since the entry began; and a number that no other entry has had. */
int64_t watchdog_own_limit(void);
int64_t watchdog_elapsed(void);
unsigned watchdog_entry(void);

#endif
