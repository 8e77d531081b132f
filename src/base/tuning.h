#ifndef BASE_TUNING_H
#define BASE_TUNING_H

/*
 * The daemon's constants of time for which tests would have to wait, in ms.
 * One constant object of its own, so that the tests can link the daemon with a
 * quicker one (tests/quick/lua-fpm); in a program that is built nothing changes
 * them.  What the manual promises of them is promised of the values here.
 */

#include <stdint.h>

struct tuning {
	int64_t fold; /* in which a line of the error log is a repeat */

	/* Between deaths of young workers and the next fork (master/backoff.h):
	 * at first, at most, at most if they had been ready; and the length of
	 * a life that forgives what came before it. */
	int64_t backoff_first, backoff_most, backoff_ready, backoff_life;

	int64_t control; /* for a control client's line, and to take its answer */
	int64_t reload;	 /* for workers that are busy when a reload asks them */
	int64_t hurry;	 /* for all workers once a stop is to be quick */
	int64_t hang;	 /* beyond the limit of what a worker does, until the
			    master kills it */
	int64_t stuck;	 /* for a worker to end that has said it will */
	int64_t overdue; /* for Lua code beyond its limit, until its worker ends */
	int64_t linger;	 /* for a peer to close after its response */
};

extern const struct tuning tuning;

#endif
