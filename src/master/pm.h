#ifndef MASTER_PM_H
#define MASTER_PM_H

/*
 * How many workers a pool should have: one pure step for all three modes.
 * Values in, values out; simulated over millions of steps in
 * tests/unit/test_pm.c.  Invariants: never above max; converges while the
 * load stands still; never spawns and retires in the same step.
 *
 * Those who leave are processes still: they count to max in every mode, so a
 * pool whose workers are slow to leave waits for them to be gone, and the
 * machine never carries more than max.  A successor that is to take over from
 * one living worker is the caller's affair: it shows the pair as one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct pm_view { /* what the pool looks like at this moment */
	int64_t now;	   /* clock_ms() */
	unsigned starting; /* forked, not READY: counts as available */
	unsigned idle;
	unsigned busy;
	unsigned leaving;	/* told to leave, still there; count to max */
	unsigned queued;	/* connections waiting to be accepted */
	int64_t idle_since; /* since when pm_spare has been true without a
			       break, -1: it is not.  Begins anew when a
			       worker is retired, which spaces them out. */
};

struct pm_step {
	unsigned spawn;	 /* fork so many */
	unsigned retire; /* tell so many idle ones to leave */
	int64_t again;	 /* clock_ms() at which to step again though nothing
			    happens, -1: no need; always after now */
	unsigned wake_below; /* score_wake_below: tell me when fewer are idle */
	bool watch;	     /* ondemand: tell me when a client connects */
};

/* limits as checked by conf_check.  throttled: no spawning and no watching
 * now (back-off); the caller steps again when that ends. */
struct pm_step pm_step(const struct conf_workers *limits,
    const struct pm_view *view, bool throttled);

/* Whether so many idle workers are more than needed (dynamic: than max_spare;
 * ondemand: than none; static: never).  The caller keeps idle_since by it. */
bool pm_spare(const struct conf_workers *limits, unsigned idle);

/* Workers to start with: static max, dynamic start, ondemand 0. */
unsigned pm_initial(const struct conf_workers *limits);

#endif
