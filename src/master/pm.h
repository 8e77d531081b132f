#ifndef MASTER_PM_H
#define MASTER_PM_H

/*
 * How many workers a pool should have: one pure step for all three modes.
 * Values in, values out; simulated over millions of steps in
 * tests/unit/test_pm.c.  Invariants: never above max; converges while the load
 * stands still; never spawns and retires in the same step.
 *
 * Workers that leave are still processes: they count to max in every mode, so a
 * pool whose workers are slow to leave waits for them to be gone, and the
 * machine never carries more than max.  A successor that is to replace one
 * living worker is left to the caller, who shows the pair as one worker.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct pm_view { /* what the pool looks like at this moment */
	int64_t now;	   /* clock_ms() */
	unsigned starting; /* forked, not READY: counts as available */
	unsigned idle;
	unsigned busy;
	unsigned leaving;	/* told to leave, still there */
	unsigned queued;	/* connections waiting to be accepted */
	int64_t idle_since; /* clock_ms() since which pm_spare has been true
			       without a break, -1: it is false.  Begins anew
			       when a worker is retired, which spaces
			       retirements out. */
};

struct pm_step {
	unsigned spawn;	 /* workers to be forked */
	unsigned retire; /* idle workers to be told to leave */
	int64_t again;	 /* clock_ms() at which to step again though nothing
			    happens, -1: no need; always after now */
	unsigned wake_below; /* have a worker tell when fewer are idle
				(board_ask) */
	bool watch;	     /* ondemand: watch for a client */
};

/* What to do about the pool that `view` shows.  limits are as checked by
 * conf_check.  throttled: no spawning and no watching now (back-off); the
 * caller steps again when that ends. */
struct pm_step pm_step(const struct conf_workers *limits,
    const struct pm_view *view, bool throttled);

/* True if so many idle workers are more than needed (dynamic: than max_spare;
 * ondemand: than none; static: never).  The caller keeps idle_since by it. */
bool pm_spare(const struct conf_workers *limits, unsigned idle);

/* Workers to start with: static max, dynamic start, ondemand 0. */
unsigned pm_initial(const struct conf_workers *limits);

#endif
