#ifndef BASE_TUNING_H
#define BASE_TUNING_H

/*
 * Constants of time in the daemon that tests would have to wait for, in ms.
 * They are one object of its own, so that the tests can link the daemon with a
 * quicker one (tests/quick/lua-fpm); at run time they never change.  The
 * manual describes the values in tuning.c.
 */

#include <stdint.h>

struct tuning {
	int64_t fold; /* while a line equal to the last one is a repeat */

	/* From the death of a young worker to the next fork (master/backoff.h):
	 * the first wait, the longest, the longest if the worker had been
	 * ready; and the age at which a death resets the wait. */
	int64_t backoff_first, backoff_most, backoff_ready, backoff_life;

	int64_t control; /* for a control client to send a line, or to read */
	int64_t reload;	 /* for busy workers to answer a reload */
	int64_t hurry;	 /* for all workers to end in a quick stop */
	int64_t hang;	 /* from a worker's limit to its kill by the master */
	int64_t stuck;	 /* for a worker to end after it said that it will */
	int64_t overdue; /* for Lua code to stop after its limit, before its
			    worker ends */
	int64_t full;	 /* from when a pool is full until it is said */
	int64_t room;	 /* from when it is not until that is said */
	int64_t linger;	 /* for a peer to close after its response */
	int64_t idle;	 /* for a kept connection to send a request, when its
			    worker ends and no other takes it */
	int64_t timer;	 /* the process for timers waits as long for the next
			    one */
	int64_t rate;	 /* of waiting, in which a body keeps limits.min_rate */
	int64_t close;	 /* for the close handshake of a WebSocket */
	int64_t lock;	 /* for a shared dictionary that another worker holds */
};

extern const struct tuning tuning;

#endif
