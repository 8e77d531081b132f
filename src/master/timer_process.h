#ifndef MASTER_TIMER_PROCESS_H
#define MASTER_TIMER_PROCESS_H

/*
 * The process that runs the timers of a pool: forked as a worker is, it loads
 * and starts the application, listens to nothing and counts neither to
 * workers.max nor to process_max.  It is there only when a timer is due, or soon
 * will be (tuning.timer), so that timers at night cost no memory by day.  Each
 * generation has a place for it, but all of a pool share a table (timers.h), in
 * which only one of them can be the holder: its process has to be gone before
 * another is forked.  Runs in the master; which generation serves is the
 * caller's business.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/backoff.h"
#include "master/slot.h"
#include "master/timers.h"
#include "status/status.h"

struct timer_process { /* all zero: the pool has no timers */
	struct timers *timers;
	struct board *board; /* aside that of the workers */
	struct slot slot;
	struct backoff backoff;
	bool fork_failed; /* the last fork failed, which is logged */
	bool tired;	  /* to leave as soon as no timer runs */
	bool outdated;	  /* to restart as soon as no timer runs */
	int64_t hangs;	  /* clock_ms() at which the run is killed, -1: never */
	int64_t stop;	  /* ms, timeouts.stop */
	void (*wake)(void *arg); /* a step is due */
	void *arg;
};

struct timer_process_order { /* what timer_process_step needs to fork it */
	const struct conf_pool *pool;
	const struct identity *identity;
	struct loop *loop;
	const int *shared; /* as in struct worker_orders */
	size_t nshared;
	int door; /* likewise */
	unsigned generation; /* its number */
};

/* The clocks of timers.h, now. */
struct timers_now timer_process_now(void);

/* If the pool has timers, make an empty table and a scoreboard that shares the
 * totals of the workers'.  0, or -1 and why; to be closed in either case, when
 * the process is gone. */
int timer_process_open(struct timer_process *p, const struct conf_pool *pool,
    const struct board *workers, struct why *why);
void timer_process_close(struct timer_process *p);

/* Give up its own table for that of another generation, if both have one. */
void timer_process_share(struct timer_process *p,
    const struct timer_process *other);

/* The pool serves with these timers, from now on. */
void timer_process_configure(struct timer_process *p,
    const struct conf_pool *pool);

/*
 * If a timer is due and the process is wanted, see that it runs; have the
 * process leave if it is not wanted, is tired or has nothing to do for a while;
 * kill it if it is overdue.  Returns clock_ms() at which to call it again, -1:
 * no need.
 */
int64_t timer_process_step(struct timer_process *p,
    const struct timer_process_order *order, bool wanted, int64_t now);

/* True if there is a process; if it runs a timer. */
bool timer_process_lives(const struct timer_process *p);
bool timer_process_runs(const struct timer_process *p);

/* Have it leave within limit ms, a run included; kill it; have it restart the
 * application, or end if that has changed. */
void timer_process_leave(struct timer_process *p, int64_t limit);
void timer_process_kill(struct timer_process *p);
void timer_process_restart(struct timer_process *p);

/* Send it the level of log lines. */
void timer_process_send_level(const struct timer_process *p);

/* A child has ended, with that status as of wait(2), and is not yet waited for
 * (slot_ended).  False if it is not this process. */
bool timer_process_reap(struct timer_process *p, pid_t pid, int status);

/* Fill status->timers: 0, or -1 without memory. */
int timer_process_status(const struct timer_process *p, struct status *status);

/* Over an upgrade in place: append the fields of a record; become what such a
 * record says, instead of timer_process_open.  0, or -1 and why. */
void timer_process_hand_over(const struct timer_process *p, struct buf *out);
int timer_process_take_over(struct timer_process *p,
    const struct record *record, const struct conf_pool *pool,
    const struct board *workers, struct loop *loop, struct why *why);

#endif
